//! How an answer to a question of ours is read: `[poll.status]`, in the words of `[callbacks.status]`.

use crate::domain::outcome::FailureCause;
use crate::provider::callback::DeliveryStatus;
use crate::provider::extract::{Condition, Extract, Extracts};
use crate::provider::reading::{CallbackSpec, CauseRule, Encoding, Rule};
use serde::Deserialize;
use std::collections::BTreeMap;
use toml::Spanned;

/// As [`CallbackSpec`], without what only somebody who calls us has: methods, a signature, an acknowledgement.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::provider) struct PolledSpec {
    encoding: Encoding,
    unwrap: Option<Extract>,
    events: Option<String>,
    #[serde(default)]
    select: Vec<Condition>,
    #[serde(default)]
    reference: Extracts,
    #[serde(default)]
    attempt: Extracts,
    #[serde(default)]
    at: Extracts,
    #[serde(default)]
    status: Extracts,
    #[serde(default)]
    statuses: BTreeMap<String, DeliveryStatus>,
    #[serde(default)]
    rules: Vec<Rule>,
    #[serde(default)]
    code: Extracts,
    #[serde(default)]
    codes: Vec<CauseRule>,
}

impl From<PolledSpec> for CallbackSpec {
    fn from(polled: PolledSpec) -> Self {
        let PolledSpec {
            encoding,
            unwrap,
            events,
            select,
            reference,
            attempt,
            at,
            status,
            statuses,
            rules,
            code,
            codes,
        } = polled;
        Self {
            methods: Vec::new(),
            encoding,
            signature: Spanned::new(0..0, String::new()),
            acknowledge: None,
            handshakes: Vec::new(),
            unwrap,
            events,
            select,
            also: None,
            reference,
            attempt,
            at,
            status,
            statuses,
            rules,
            code,
            codes,
            from: Extracts::default(),
            to: Extracts::default(),
            text: Extracts::default(),
            keyword: Extracts::default(),
            add_plus: false,
            state: Extracts::default(),
            answered_by: Extracts::default(),
            answers: BTreeMap::new(),
            keys: Extracts::default(),
            speech: Extracts::default(),
            connected: Vec::new(),
            // The question says which message it is about.
            asked: true,
        }
    }
}

impl CallbackSpec {
    /// What is wrong with it as an answer to a question of ours, in words.
    pub(in crate::provider) fn faults_of_polls(&self) -> Vec<String> {
        let mut faults = Vec::new();
        if self.status.is_empty() && self.rules.is_empty() {
            faults.push("[poll.status] `status` is missing: where does the vendor's word stand?".to_owned());
        }
        if self.statuses.is_empty() && self.rules.is_empty() {
            faults.push("[poll.status] `statuses` is empty: every status would be unrecognised".to_owned());
        }
        if let Some(word) = self.possible().find(|word| word.is_of_calls()) {
            faults.push(format!("[poll.status]: `{}` is said of calls only", word.as_str()));
        }
        if let Some(pointer) =
            self.events.as_ref().filter(|events| !events.is_empty() && !events.starts_with('/'))
        {
            faults.push(format!(
                "[poll.status] `events`: `{pointer}` is no JSON pointer: it begins with `/`, or is empty"
            ));
        }
        if self.codes.iter().any(|rule| matches!(rule.cause, FailureCause::Unspecified)) {
            faults.push(
                "[[poll.status.codes]] with cause = \"unspecified\" says nothing: leave it out".to_owned(),
            );
        }
        faults
    }
}
