//! What upstream states and asks: the bodies of the outside contract, before any of it is recorded.

use crate::domain::channel::{Channel, Claim, Direction, Party, Purpose};
use crate::domain::consent::{ConsentForm, ConsentScope, GivenTo, OptOutChannel};
use crate::domain::contact::ContactResult;
use crate::domain::event::ReviewResolution;
use crate::domain::time::{Span, Timestamp};
use serde::{Deserialize, Serialize};

/// One thing wrong with what a caller said, and where.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct FieldFault {
    /// JSON Pointer (RFC 6901) into the body.
    pub pointer: String,
    /// What is wrong and what would be right. Never quotes the value.
    pub detail: String,
}

impl FieldFault {
    /// A fault at a pointer.
    pub fn new(pointer: impl Into<String>, detail: impl Into<String>) -> Self {
        Self { pointer: pointer.into(), detail: detail.into() }
    }
}

/// The body of `POST /v1/debtors/{debtor_id}/consents`.
#[derive(Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ConsentStatement {
    /// The channel it covers.
    pub channel: Channel,
    /// The point it covers, by its value; every point of the channel where absent.
    #[serde(default)]
    pub contact_point: Option<String>,
    /// The accounts it covers; all where absent.
    #[serde(default)]
    pub account_ids: Vec<String>,
    /// What it is for; must fit the channel.
    pub scope: ConsentScope,
    /// From when it counts.
    #[schema(value_type = String, format = DateTime)]
    pub granted_at: Timestamp,
    /// When it ends by its own terms.
    #[serde(default)]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub expires_at: Option<Timestamp>,
    /// To whom it was given; `collector` where absent.
    #[serde(default)]
    pub given_to: Option<GivenTo>,
    /// In which form.
    #[serde(default)]
    pub form: Option<ConsentForm>,
    /// Where it comes from, free text.
    pub source: String,
    /// What proves it.
    #[serde(default)]
    #[schema(value_type = Option<Object>)]
    pub evidence: Option<serde_json::Value>,
}

/// The body of `POST /v1/debtors/{debtor_id}/opt-outs`.
#[derive(Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct OptOutStatement {
    /// The channel it closes.
    pub channel: OptOutChannel,
    /// The point it closes, by its value; every point of the channel where absent.
    #[serde(default)]
    pub contact_point: Option<String>,
    /// The accounts it covers; all where absent.
    #[serde(default)]
    pub account_ids: Vec<String>,
    /// When it was received.
    #[schema(value_type = String, format = DateTime)]
    pub received_at: Timestamp,
    /// Where it comes from, free text.
    pub source: String,
    /// What the debtor said.
    #[serde(default)]
    pub text: Option<String>,
}

/// The body of `PUT /v1/debtors/{debtor_id}/holds/{kind}`.
#[derive(Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct HoldStatement {
    /// From when it counts.
    #[schema(value_type = String, format = DateTime)]
    pub since: Timestamp,
    /// The accounts it covers; all where absent.
    #[serde(default)]
    pub account_ids: Vec<String>,
    /// Anything more, free text.
    #[serde(default)]
    pub detail: Option<String>,
}

/// The body of `POST /v1/contact-events`: a contact made elsewhere.
#[derive(Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ContactEvent {
    /// Upstream's identifier; makes it idempotent.
    pub event_id: String,
    /// The debtor.
    pub debtor_id: String,
    /// The accounts it was about; empty means that none was named.
    #[serde(default)]
    pub account_ids: Vec<String>,
    /// The medium.
    pub channel: Channel,
    /// Who began it.
    pub direction: Direction,
    /// Over which point, by its value.
    #[serde(default)]
    pub contact_point: Option<String>,
    /// Whom it reached or was meant for; `debtor` where absent.
    #[serde(default)]
    pub party: Option<Party>,
    /// Why; `collection` where absent.
    #[serde(default)]
    pub purpose: Option<Purpose>,
    /// When.
    #[schema(value_type = String, format = DateTime)]
    pub occurred_at: Timestamp,
    /// How it ended.
    pub result: ContactResult,
}

/// The body of `POST /v1/decisions`: may I?
#[derive(Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DecisionQuery {
    /// The debtor.
    pub debtor_id: String,
    /// The accounts it is about; empty means that none is named.
    #[serde(default)]
    pub account_ids: Vec<String>,
    /// The medium.
    pub channel: Channel,
    /// Over which point, by its value; the best usable one where absent.
    #[serde(default)]
    pub contact_point: Option<String>,
    /// With whom; `debtor` where absent.
    #[serde(default)]
    pub party: Option<Party>,
    /// Why; `collection` where absent.
    #[serde(default)]
    pub purpose: Option<Purpose>,
    /// Whether a machine makes it; true for texts, false for calls, letters and visits where absent.
    #[serde(default)]
    pub automated: Option<bool>,
    /// The moment asked about; now where absent.
    #[serde(default)]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub at: Option<Timestamp>,
    /// What the message says that law looks at; nothing where absent.
    #[serde(default)]
    pub says: Vec<Claim>,
}

/// The body of `POST /v1/permits`: may another do it?
#[derive(Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PermitQuery {
    /// The debtor.
    pub debtor_id: String,
    /// The accounts it is about; empty means that none is named.
    #[serde(default)]
    pub account_ids: Vec<String>,
    /// The medium.
    pub channel: Channel,
    /// Over which point, by its value.
    #[serde(default)]
    pub contact_point: Option<String>,
    /// With whom; `debtor` where absent.
    #[serde(default)]
    pub party: Option<Party>,
    /// Why; `collection` where absent.
    #[serde(default)]
    pub purpose: Option<Purpose>,
    /// Whether a machine makes it.
    #[serde(default)]
    pub automated: Option<bool>,
    /// How long it is good for; `PT15M` where absent, a day at most.
    #[serde(default)]
    #[schema(value_type = Option<String>, example = "PT15M")]
    pub ttl: Option<Span>,
    /// What the message says that law looks at; nothing where absent.
    #[serde(default)]
    pub says: Vec<Claim>,
}

/// The body of `POST /v1/permits/{permit_id}/outcome`.
#[derive(Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PermitOutcome {
    /// How it ended.
    pub result: ContactResult,
    /// When it was made.
    #[schema(value_type = String, format = DateTime)]
    pub occurred_at: Timestamp,
}

/// The body of `POST /v1/reviews/{id}`.
#[derive(Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ReviewAnswer {
    /// What the reply meant.
    pub resolution: ReviewResolution,
    /// Anything more, free text.
    #[serde(default)]
    pub note: Option<String>,
}

/// The body of `PUT /v1/pauses/{name}`.
#[derive(Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PauseStatement {
    /// Only this channel.
    #[serde(default)]
    pub channel: Option<Channel>,
    /// Only this provider, `sms/twilio` or `twilio`.
    #[serde(default)]
    pub provider: Option<String>,
    /// Only this creditor.
    #[serde(default)]
    pub creditor: Option<String>,
    /// Only debtors in this region, `US-MA`.
    #[serde(default)]
    pub region: Option<String>,
    /// Why.
    pub reason: String,
    /// Until when; until lifted, where absent.
    #[serde(default)]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub until: Option<Timestamp>,
}
