//! What the store is asked for and what it answers, whichever database is behind it.

use crate::domain::channel::{Channel, Priority};
use crate::domain::event::{Actor, Event, EventBody, ReviewResolution, Stream};
use crate::domain::id::{AttemptId, DebtorKey, KeyId, PermitId, PointKey, Pseudonym, RequestId, ReviewId};
use crate::domain::request::RequestStatus;
use crate::domain::time::Timestamp;
use crate::ledger::LeafHash;
use serde_json::value::RawValue;

/// Where an event went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Appended {
    /// Its index in the whole log, from 0.
    pub leaf: u64,
    /// Its place in its stream, from 1.
    pub seq: u64,
    /// Its leaf hash.
    pub leaf_hash: LeafHash,
}

/// A contact request as the lists and the scheduler see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestRow {
    /// Our identifier.
    pub request: RequestId,
    /// The keyed hash of upstream's `request_id`.
    pub request_key: Pseudonym,
    /// SHA-256 of the canonical body.
    pub body_digest: [u8; 32],
    /// Whom it is about.
    pub debtor: DebtorKey,
    /// Where it stands.
    pub status: RequestStatus,
    /// The channel that was used or chosen last.
    pub channel: Option<Channel>,
    /// The keyed hash of the campaign.
    pub campaign: Option<Pseudonym>,
    /// When it was taken.
    pub accepted_at: Timestamp,
    /// When something is to be done for it next; none while it waits for a fact.
    pub due_at: Option<Timestamp>,
    /// When it is given up.
    pub expires_at: Timestamp,
    /// In which order due requests go out.
    pub priority: Priority,
}

/// Which requests to list, oldest first. An absent filter lets everything pass.
#[derive(Clone, Debug, Default)]
pub struct RequestFilter {
    /// Only of these debtors.
    pub debtors: Option<Vec<DebtorKey>>,
    /// Only in one of these states; empty means any.
    pub statuses: Vec<RequestStatus>,
    /// Only on this channel.
    pub channel: Option<Channel>,
    /// Only of this campaign.
    pub campaign: Option<Pseudonym>,
    /// Only taken at this moment or later.
    pub accepted_since: Option<Timestamp>,
    /// Only taken before this moment.
    pub accepted_until: Option<Timestamp>,
    /// Behind this one.
    pub after: Option<RequestId>,
    /// At most so many.
    pub limit: usize,
}

/// A part of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page<T, C> {
    /// What was found. A page may be shorter than its limit although more follows.
    pub items: Vec<T>,
    /// Where to go on; none at the end.
    pub next: Option<C>,
}

/// Which events to list, in leaf order. An absent filter lets everything pass.
#[derive(Clone, Debug, Default)]
pub struct HistoryFilter {
    /// Only of these types; empty means any.
    pub types: Vec<String>,
    /// Only recorded at this moment or later.
    pub since: Option<Timestamp>,
    /// Only recorded before this moment.
    pub until: Option<Timestamp>,
    /// Behind this leaf.
    pub after: Option<u64>,
    /// At most so many.
    pub limit: usize,
}

/// The personal part of a recorded event.
#[derive(Clone, Debug)]
pub enum SealedPart {
    /// The event has none.
    Absent,
    /// Its JSON.
    Open(Box<RawValue>),
    /// The person was erased.
    Gone,
}

/// An event as it stands in the log.
#[derive(Clone, Debug)]
pub struct HistoryRow {
    /// Its index in the whole log, from 0.
    pub leaf: u64,
    /// Whose chain it stands in.
    pub stream: Stream,
    /// Its place in its stream, from 1.
    pub seq: u64,
    /// Its type, `debtor.updated`.
    pub type_name: String,
    /// When it was recorded.
    pub at: Timestamp,
    /// Who did it.
    pub actor: Actor,
    /// Its leaf hash.
    pub leaf_hash: LeafHash,
    /// The leaf hash of the entry before it in its stream.
    pub prev: LeafHash,
    /// The clear part, canonical JSON.
    pub clear: Box<RawValue>,
    /// The personal part.
    pub sealed: SealedPart,
}

impl HistoryRow {
    /// The event in the domain's words; none if this version does not know its form.
    pub fn event(&self) -> Option<Event> {
        let sealed = match &self.sealed {
            SealedPart::Open(json) => Some(json.get().as_bytes()),
            SealedPart::Absent | SealedPart::Gone => None,
        };
        let body = EventBody::read(&self.type_name, self.clear.get().as_bytes(), sealed).ok()?;
        Some(Event { actor: self.actor.clone(), at: self.at, body, seq: self.seq })
    }
}

/// Where an event stands in the log, without what it says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventPlace {
    /// Its index in the whole log, from 0.
    pub leaf: u64,
    /// Whose chain it stands in.
    pub stream: Stream,
    /// Its place in its stream, from 1.
    pub seq: u64,
    /// Its leaf hash.
    pub leaf_hash: LeafHash,
}

/// A notice that a webhook's receiver has not taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoticeRow {
    /// The event that it tells of.
    pub leaf: u64,
    /// Whose chain that stands in.
    pub stream: Stream,
    /// Its type, `contact_request.sent`.
    pub type_name: String,
    /// How often it was tried.
    pub tries: u32,
    /// When it was tried first.
    pub first_tried_at: Option<Timestamp>,
    /// When it was tried last.
    pub last_tried_at: Option<Timestamp>,
    /// When it is tried next; none once it is given up.
    pub due_at: Option<Timestamp>,
    /// Why the last try failed: a word of ours, `http_500`.
    pub error: Option<String>,
}

/// What a webhook has got on with since this was last kept.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WebhookProgress {
    /// Everything before this leaf was taken, or stands among the notices that were not.
    pub next_leaf: u64,
    /// Notices to keep.
    pub kept: Vec<NoticeRow>,
    /// Leaves whose notices need not be kept any more.
    pub settled: Vec<u64>,
}

/// Where an attempt belongs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AttemptRow {
    /// The attempt.
    pub attempt: AttemptId,
    /// Whom it is made to.
    pub debtor: DebtorKey,
    /// The request it is made for.
    pub request: RequestId,
    /// The provider that carries it.
    pub provider: String,
    /// When its intent was recorded.
    pub started_at: Timestamp,
    /// Whether its end is still to be recorded.
    pub open: bool,
}

/// A contact that upstream reported before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReportedRow {
    /// Whom it was made with.
    pub debtor: DebtorKey,
    /// Its place in the debtor's stream.
    pub seq: u64,
    /// SHA-256 of the canonical body, hexadecimal.
    pub body_digest: String,
}

/// What became of a permit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PermitStatus {
    /// Still to be answered.
    Issued,
    /// The contact was made.
    Used,
    /// Nobody said.
    Expired,
    /// Given back.
    Returned,
}

impl PermitStatus {
    /// The word in the store.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Issued => "issued",
            Self::Used => "used",
            Self::Expired => "expired",
            Self::Returned => "returned",
        }
    }

    /// The value with this word.
    pub fn from_word(word: &str) -> Option<Self> {
        [Self::Issued, Self::Used, Self::Expired, Self::Returned]
            .into_iter()
            .find(|status| status.as_str() == word)
    }
}

/// A contact reserved for somebody else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PermitRow {
    /// The permit.
    pub permit: PermitId,
    /// For whom.
    pub debtor: DebtorKey,
    /// What became of it.
    pub status: PermitStatus,
    /// Until when it may be made.
    pub expires_at: Timestamp,
}

/// A reply held until a person has understood it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReviewRow {
    /// The review.
    pub review: ReviewId,
    /// Whose reply.
    pub debtor: DebtorKey,
    /// Over which medium.
    pub channel: Channel,
    /// The address that is frozen.
    pub point: PointKey,
    /// Since when.
    pub opened_at: Timestamp,
    /// How a person resolved it; none while it is open.
    pub resolution: Option<ReviewResolution>,
}

/// An API key: never the key itself, only its hash.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiKeyRow {
    /// Its identifier.
    pub id: KeyId,
    /// SHA-256 of the key.
    pub hash: [u8; 32],
    /// What it may do, in the word of the API.
    pub role: String,
    /// What an administrator calls it.
    pub name: String,
    /// Since when.
    pub created_at: Timestamp,
    /// Since when no longer.
    pub revoked_at: Option<Timestamp>,
}
