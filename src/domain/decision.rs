//! What policy answers: may this contact be made now, and if not, when.

use crate::domain::channel::{Channel, words};
use crate::domain::id::PointKey;
use crate::domain::time::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

words! {
    /// The answer, from the mildest to the strictest.
    Outcome {
        /// No rule objects.
        Allow = "allow",
        /// Time alone will make it lawful.
        Defer = "defer",
        /// Time alone will not make it lawful.
        Block = "block",
    }
}

/// What one rule said.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Finding {
    /// The paragraph it rests on.
    pub citation: String,
    /// What the rule demands.
    pub effect: Outcome,
    /// What it looked at: zones, counts, dates. Never anything personal.
    #[schema(value_type = Object)]
    pub facts: BTreeMap<String, serde_json::Value>,
    /// One plain sentence with the real figures. Never anything personal.
    pub reason: String,
    /// The rule's id.
    pub rule: String,
    /// For `defer`: when this rule stops objecting, all else being equal.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub until: Option<Timestamp>,
}

words! {
    /// A notice that a message must carry. Which ones is the law's to say; the words live in `templates/disclosures/`.
    Disclosure {
        /// "This is an attempt to collect a debt …" (12 CFR 1006.18(e)(1)).
        MiniMirandaInitial = "mini-miranda-initial",
        /// "This communication is from a debt collector" (12 CFR 1006.18(e)(2)).
        MiniMirandaSubsequent = "mini-miranda-subsequent",
        /// How to stop this medium (12 CFR 1006.6(e)).
        OptOutNotice = "opt-out-notice",
        /// The debt is too old to sue on (state law).
        TimeBarred = "time-barred",
        /// The collector's licence number (state law).
        Licence = "licence",
    }
}

/// The policy that answered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct PolicyStamp {
    /// `sha256:…` over every pack as loaded.
    pub digest: String,
    /// The packs with their versions, `us-federal@3`.
    pub packs: Vec<String>,
}

/// A whole answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decision {
    /// The moment asked about.
    pub at: Timestamp,
    /// The medium asked about.
    pub channel: Channel,
    /// What the message must carry, in order.
    pub disclosures: Vec<Disclosure>,
    /// Every rule that had a say, the strictest first; the permitting ones only on request.
    pub findings: Vec<Finding>,
    /// For `block`: whether a person or upstream can lift it (a dispute, a missing consent or zone), so that a request waits
    /// rather than ends.
    pub liftable: bool,
    /// The answer.
    pub outcome: Outcome,
    /// For `defer` the earliest moment at which every rule permits; for `allow` the moment asked about.
    pub permitted_from: Option<Timestamp>,
    /// For `allow`: when it stops being allowed, if it does within the search.
    pub permitted_until: Option<Timestamp>,
    /// The contact point it is about; none for letters, visits, or where no usable one is on file.
    pub point: Option<PointKey>,
    /// What does not bar the contact but a person should look at, and the overrides that let it pass.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reviews: Vec<Finding>,
}
