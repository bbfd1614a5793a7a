//! The closed list of everything that can ever be recorded.
//!
//! An event has a *clear* part, which holds nothing personal (keyed pseudonyms stand in for ids and addresses) and outlives
//! erasure, and a *sealed* part, which is encrypted under the debtor's own key and is gone once that key is destroyed.
//!
//! The clear parts are written as RFC 8785 canonical JSON; their fields are therefore declared in alphabetical order, which
//! a test enforces.

// tidy: over budget because it is one closed list, and its reader wants all of it in one place.

use crate::domain::attempt::AttemptStatus;
use crate::domain::cadence::Ending;
use crate::domain::channel::{Channel, Claim, words};
use crate::domain::consent::{Consent, Hold, HoldKind, OptOut, Preferences};
use crate::domain::contact::{Contact, ContactResult};
use crate::domain::debtor::{DebtorFile, DebtorOutline};
use crate::domain::decision::{Decision, PolicyStamp};
use crate::domain::id::{AccountKey, AttemptId, PermitId, PointKey, RequestId, ReviewId};
use crate::domain::intent::Intent;
use crate::domain::message::Content;
use crate::domain::money::Money;
use crate::domain::outcome::{FailureCause, FailureClass};
use crate::domain::request::RequestOrder;
use crate::domain::routing::Routing;
use crate::domain::time::{Date, Timestamp};
use serde::{Deserialize, Serialize};
use std::fmt;

/// Who did it. Never personal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Actor {
    /// The holder of an API key.
    Key(String),
    /// The gateway itself.
    Gateway,
    /// A provider's callback, `sms/twilio`.
    Provider(String),
    /// The debtor, over a link or a reply.
    Debtor,
    /// An operator at the command line.
    Operator,
}

impl fmt::Display for Actor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Key(id) => write!(f, "key:{id}"),
            Self::Gateway => f.write_str("gateway"),
            Self::Provider(name) => write!(f, "provider:{name}"),
            Self::Debtor => f.write_str("debtor"),
            Self::Operator => f.write_str("operator"),
        }
    }
}

impl std::str::FromStr for Actor {
    type Err = &'static str;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.split_once(':') {
            Some(("key", id)) => Ok(Self::Key(id.to_owned())),
            Some(("provider", name)) => Ok(Self::Provider(name.to_owned())),
            None if text == "gateway" => Ok(Self::Gateway),
            None if text == "debtor" => Ok(Self::Debtor),
            None if text == "operator" => Ok(Self::Operator),
            _ => Err("not an actor"),
        }
    }
}

/// Whose chain an event stands in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Stream {
    /// What concerns the whole installation: policy, pauses, access.
    Installation,
    /// One debtor.
    Debtor(crate::domain::id::DebtorKey),
}

/// A part without content.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Nothing {}

/// The personal part of an event: open, absent, or gone with the debtor's key.
#[derive(Clone, PartialEq)]
pub enum Sealed<T> {
    /// Readable.
    Open(Box<T>),
    /// The person has been erased, or the event has no such part.
    Gone,
}

impl<T> Sealed<T> {
    /// The content, if it is readable.
    pub fn open(&self) -> Option<&T> {
        match self {
            Self::Open(content) => Some(content),
            Self::Gone => None,
        }
    }
}

impl<T> From<T> for Sealed<T> {
    fn from(content: T) -> Self {
        Self::Open(Box::new(content))
    }
}

impl<T> fmt::Debug for Sealed<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Open(_) => "sealed",
            Self::Gone => "gone",
        })
    }
}

macro_rules! event_bodies {
    ($($(#[$doc:meta])* $variant:ident = $name:literal ($clear:ty, $sealed:ty)),+ $(,)?) => {
        /// What happened: a clear part and a sealed one.
        #[derive(Clone, Debug, PartialEq)]
        pub enum EventBody {
            $($(#[$doc])* $variant($clear, Sealed<$sealed>)),+
        }

        impl EventBody {
            /// Every event type, in the order of the contract.
            pub const TYPES: &'static [&'static str] = &[$($name),+];

            /// The type's name, `debtor.updated`.
            pub fn type_name(&self) -> &'static str {
                match self { $(Self::$variant(..) => $name),+ }
            }

            /// The clear part as canonical JSON.
            pub fn clear_json(&self) -> Result<Vec<u8>, serde_json::Error> {
                match self { $(Self::$variant(clear, _) => serde_json::to_vec(clear)),+ }
            }

            /// The personal part as JSON, if there is one to seal.
            pub fn sealed_json(&self) -> Result<Option<Vec<u8>>, serde_json::Error> {
                match self {
                    $(Self::$variant(_, sealed) => sealed.open().map(serde_json::to_vec).transpose()),+
                }
            }

            /// Reads an event back from its parts.
            pub fn read(
                type_name: &str, clear: &[u8], sealed: Option<&[u8]>,
            ) -> Result<Self, serde_json::Error> {
                match type_name {
                    $($name => Ok(Self::$variant(
                        serde_json::from_slice(clear)?,
                        match sealed {
                            Some(json) => Sealed::Open(Box::new(serde_json::from_slice(json)?)),
                            None => Sealed::Gone,
                        },
                    )),)+
                    _ => Err(serde::de::Error::custom("an event type that this version does not know")),
                }
            }
        }
    };
}

event_bodies! {
    /// Upstream created or replaced the debtor.
    DebtorUpdated = "debtor.updated" (DebtorOutline, DebtorSecret),
    /// The person was erased: the key to every sealed part is destroyed.
    DebtorErased = "debtor.erased" (Nothing, Nothing),
    /// A consent was given.
    ConsentGranted = "consent.granted" (Consent, ConsentSecret),
    /// A consent was taken back, by the debtor's own word.
    ConsentRevoked = "consent.revoked" (OptOut, OptOutSecret),
    /// The debtor said stop.
    OptOutReceived = "opt_out.received" (OptOut, OptOutSecret),
    /// The debtor's preferences.
    PreferencesUpdated = "preferences.updated" (Preferences, Nothing),
    /// A hold was placed or replaced.
    HoldPlaced = "hold.placed" (Hold, HoldSecret),
    /// A hold was lifted.
    HoldLifted = "hold.lifted" (HoldLift, Nothing),
    /// A contact made elsewhere.
    ContactRecorded = "contact.recorded" (ContactReport, ContactSecret),
    /// A contact was reserved for somebody else to make.
    PermitIssued = "permit.issued" (PermitGrant, PermitSecret),
    /// It was made.
    PermitUsed = "permit.used" (PermitUse, Nothing),
    /// Nobody said; it counts as the pack says.
    PermitExpired = "permit.expired" (PermitExpiry, Nothing),
    /// It was given back unused.
    PermitReturned = "permit.returned" (PermitReturn, Nothing),
    /// Upstream asked for a contact.
    RequestAccepted = "request.accepted" (RequestOrder, RequestSecret),
    /// Upstream took it back.
    RequestCancelled = "request.cancelled" (RequestEnd, Nothing),
    /// Its time ran out.
    RequestExpired = "request.expired" (RequestEnd, Nothing),
    /// Policy answered for a request.
    DecisionMade = "decision.made" (DecisionRecord, Nothing),
    /// An attempt is about to be made: durable before a byte leaves.
    AttemptStarted = "attempt.started" (AttemptStart, AttemptSecret),
    /// The provider took it.
    AttemptSent = "attempt.sent" (AttemptSent, Nothing),
    /// It surely did not arrive.
    AttemptFailed = "attempt.failed" (AttemptFailure, Nothing),
    /// It may have left.
    AttemptUnknown = "attempt.unknown" (AttemptFailure, Nothing),
    /// It surely never left.
    AttemptAbandoned = "attempt.abandoned" (AttemptFailure, Nothing),
    /// The provider reported what became of it.
    DeliveryUpdated = "delivery.updated" (DeliveryUpdate, Nothing),
    /// The debtor wrote, pressed a key or clicked.
    InboundReceived = "inbound.received" (Inbound, InboundSecret),
    /// A reply that nobody understood yet: its address is frozen.
    ReplyHeld = "reply.held" (ReplyHold, Nothing),
    /// A person has understood it.
    ReplyReleased = "reply.released" (ReplyRelease, NoteSecret),
    /// A contact point turned out not to be the debtor's, or not to exist.
    ContactPointInvalid = "contact_point.invalid" (PointInvalid, Nothing),
    /// The debtor disputes.
    DisputeReceived = "dispute.received" (Statement, NoteSecret),
    /// The debtor promised to pay.
    PromiseReceived = "promise.received" (Statement, PromiseSecret),
    /// The debtor asked to be called back.
    CallbackRequested = "callback.requested" (Statement, NoteSecret),
    /// The policy in force changed.
    PolicyChanged = "policy.changed" (PolicyStamp, Nothing),
    /// Somebody read or exported a history.
    AccessRecorded = "access.recorded" (Access, Nothing),
    /// Sending was paused.
    PausePlaced = "pause.placed" (Pause, Nothing),
    /// A pause was lifted.
    PauseLifted = "pause.lifted" (PauseEnd, Nothing),
}

/// Sealed: the debtor with its identifier.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct DebtorSecret {
    /// Upstream's identifier.
    pub debtor_id: String,
    /// What upstream knows.
    pub file: DebtorFile,
}

/// Sealed: the words around a consent.
#[derive(Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct ConsentSecret {
    /// Upstream's account identifiers.
    pub account_ids: Vec<String>,
    /// The contact point's value.
    pub contact_point: Option<String>,
    /// What proves it.
    pub evidence: Option<serde_json::Value>,
    /// Where it comes from.
    pub source: Option<String>,
}

/// Sealed: the words around an opt-out.
#[derive(Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct OptOutSecret {
    /// Upstream's account identifiers.
    pub account_ids: Vec<String>,
    /// The contact point's value.
    pub contact_point: Option<String>,
    /// Where it comes from.
    pub source: Option<String>,
    /// What the debtor said.
    pub text: Option<String>,
}

/// Sealed: the words around a hold.
#[derive(Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct HoldSecret {
    /// Upstream's account identifiers.
    pub account_ids: Vec<String>,
    /// Anything more.
    pub detail: Option<String>,
}

/// Which hold was lifted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HoldLift {
    /// Its kind.
    pub kind: HoldKind,
    /// From when it no longer counts.
    pub lifted_at: Timestamp,
}

/// A contact reported by upstream, with the digest that tells a repeat from a conflict.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContactReport {
    /// SHA-256 of the canonical body, hexadecimal.
    pub body_digest: String,
    /// The contact.
    pub contact: Contact,
}

/// Sealed: upstream's own identifiers of a reported contact.
#[derive(Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct ContactSecret {
    /// Upstream's account identifiers.
    pub account_ids: Vec<String>,
    /// The contact point's value.
    pub contact_point: Option<String>,
    /// Upstream's event identifier.
    pub event_id: String,
}

/// A contact reserved for somebody else.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PermitGrant {
    /// The contact as it counts from now on.
    pub contact: Contact,
    /// The decision that allows it.
    pub decision: DecisionRecord,
    /// Until when it may be made.
    pub expires_at: Timestamp,
    /// The permit.
    pub permit: PermitId,
    /// What the message says that law looks at.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub says: Vec<Claim>,
}

/// Sealed: the words around a permit.
#[derive(Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct PermitSecret {
    /// Upstream's account identifiers.
    pub account_ids: Vec<String>,
    /// The contact point's value.
    pub contact_point: Option<String>,
}

/// What became of a permitted contact.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PermitUse {
    /// When it was made.
    pub occurred_at: Timestamp,
    /// The permit.
    pub permit: PermitId,
    /// How it ended.
    pub result: ContactResult,
}

/// A permit that nobody answered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PermitExpiry {
    /// Whether it goes on counting as used.
    pub counts: bool,
    /// The permit.
    pub permit: PermitId,
}

/// A permit given back unused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PermitReturn {
    /// The permit.
    pub permit: PermitId,
}

/// Sealed: upstream's own words of a request.
#[derive(Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct RequestSecret {
    /// Upstream's account identifiers.
    pub account_ids: Vec<String>,
    /// Upstream's campaign.
    pub campaign: Option<String>,
    /// The contact point's value.
    pub contact_point: Option<String>,
    /// Upstream's identifier of the request.
    pub request_id: String,
    /// The template's variables.
    pub variables: serde_json::Map<String, serde_json::Value>,
    /// What the templates of its cadence's other steps take, and its own does not.
    #[serde(default, skip_serializing_if = "serde_json::Map::is_empty")]
    pub variables_of_others: serde_json::Map<String, serde_json::Value>,
}

/// A request that ended without an attempt, or of which no further attempt is made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RequestEnd {
    /// Why the cadence that it belongs to ended with it; none where upstream took the request itself back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub because: Option<Ending>,
    /// The request.
    pub request: RequestId,
}

/// A decision as it is recorded: replaying the history up to `as_of_seq` under the same policy must give it again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DecisionRecord {
    /// The last event of the debtor that was folded.
    pub as_of_seq: u64,
    /// The channels that were still open to the request, in the order to try: what the configuration, not the history, knew.
    /// None for a permit, and in entries written before it was kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub channels: Option<Vec<Channel>>,
    /// The answer.
    pub decision: Decision,
    /// The policy that gave it.
    pub policy: PolicyStamp,
    /// The request it was made for; none for a permit.
    pub request: Option<RequestId>,
    /// How it came to its channel and its provider, where that is not plain.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub routing: Option<Routing>,
    /// The version of the time-zone rules.
    pub tzdb: String,
}

/// An attempt about to be made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AttemptStart {
    /// The attempt.
    pub attempt: AttemptId,
    /// The contact as it counts from now on.
    pub contact: Contact,
    /// SHA-256 of the rendered message, hexadecimal.
    pub message_digest: String,
    /// The channel's other providers that may be tried, should this one surely reach nobody.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub others: Vec<String>,
    /// The provider that carries it.
    pub provider: String,
    /// The request it is made for.
    pub request: RequestId,
    /// The template and its version, `payment-reminder@1`.
    pub template: String,
    /// The time zones it was judged in.
    pub zones: Vec<String>,
}

/// Sealed: the message as sent.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct AttemptSecret {
    /// The words.
    pub content: Content,
    /// Their language.
    pub language: String,
    /// To where.
    pub to: String,
}

/// The provider took an attempt.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AttemptSent {
    /// The attempt.
    pub attempt: AttemptId,
    /// The provider's own identifier of it.
    pub provider_ref: Option<String>,
}

/// Why an attempt failed, is unknown or was abandoned.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AttemptFailure {
    /// The attempt.
    pub attempt: AttemptId,
    /// What it says of the address.
    pub cause: FailureCause,
    /// Whether it left.
    pub class: FailureClass,
    /// The provider's code, or ours.
    pub code: String,
}

/// A provider's report.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeliveryUpdate {
    /// The attempt.
    pub attempt: AttemptId,
    /// What it says of the address, for failures.
    pub cause: Option<FailureCause>,
    /// The provider's code, if any.
    pub code: Option<String>,
    /// The provider's own word for it.
    pub reported: String,
    /// How the contact ended, where that says more than the status: of calls.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result: Option<ContactResult>,
    /// What it means.
    pub status: AttemptStatus,
}

words! {
    /// What a reply was understood to say.
    Understanding {
        /// Stop.
        Stop = "stop",
        /// A number or address that is not the debtor's.
        WrongNumber = "wrong_number",
        /// A dispute.
        Dispute = "dispute",
        /// Help wanted.
        Help = "help",
        /// Start again.
        Start = "start",
        /// Surely something else.
        Other = "other",
        /// Not understood.
        Unclear = "unclear",
    }
}

/// Something came in from a debtor.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Inbound {
    /// Over which medium.
    pub channel: Channel,
    /// Everything it was understood to say.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub intents: Vec<Intent>,
    /// From which point.
    pub point: Option<PointKey>,
    /// The provider's own identifier of it, which tells a replay.
    pub provider_ref: Option<String>,
    /// What is done about it.
    pub understood: Understanding,
}

/// Sealed: the debtor's words.
#[derive(Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct InboundSecret {
    /// From which address.
    pub from: String,
    /// What it says.
    pub text: String,
}

/// A reply held until understood.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReplyHold {
    /// Over which medium.
    pub channel: Channel,
    /// The address that is frozen.
    pub point: PointKey,
    /// The review.
    pub review: ReviewId,
}

words! {
    /// How a person resolved a held reply.
    ReviewResolution {
        /// It meant stop.
        Stop = "stop",
        /// It did not mean stop.
        NotStop = "not_stop",
        /// It is somebody else's number or address.
        WrongNumber = "wrong_number",
        /// It is a dispute.
        Dispute = "dispute",
    }
}

/// A held reply that a person understood.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReplyRelease {
    /// What it meant.
    pub resolution: ReviewResolution,
    /// The review.
    pub review: ReviewId,
}

/// Sealed: a note.
#[derive(Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct NoteSecret {
    /// Free text.
    pub note: Option<String>,
}

/// Sealed: what was promised, as far as the debtor said.
#[derive(Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct PromiseSecret {
    /// How much.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub amount: Option<Money>,
    /// By when, by the calendar where the debtor is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub due_on: Option<Date>,
    /// The debtor's words.
    pub note: Option<String>,
}

/// A contact point that must not be used any more.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PointInvalid {
    /// What it says of the address.
    pub cause: FailureCause,
    /// The one medium for which it is invalid; none means all (it is not the debtor's).
    pub channel: Option<Channel>,
    /// The point.
    pub point: PointKey,
}

/// Something that the debtor stated.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Statement {
    /// The accounts it is about; empty means all.
    pub accounts: Vec<AccountKey>,
    /// Over which medium.
    pub channel: Channel,
    /// When.
    pub received_at: Timestamp,
}

/// A look into the history.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Access {
    /// What was looked at.
    pub subject: String,
}

/// The kill switch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Pause {
    /// Only this channel.
    pub channel: Option<Channel>,
    /// Only this creditor, by name.
    pub creditor: Option<String>,
    /// Its name.
    pub name: String,
    /// Only this provider.
    pub provider: Option<String>,
    /// Why.
    pub reason: String,
    /// Only debtors in this region.
    pub region: Option<String>,
    /// Until when; until lifted, where absent.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub until: Option<Timestamp>,
}

/// A pause lifted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PauseEnd {
    /// Its name.
    pub name: String,
}

/// An event with the place it has in the history.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    /// Who did it.
    pub actor: Actor,
    /// When it was recorded.
    pub at: Timestamp,
    /// What happened.
    pub body: EventBody,
    /// Its place in its stream, from 1.
    pub seq: u64,
}
