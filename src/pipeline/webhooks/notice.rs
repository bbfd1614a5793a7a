//! Which event upstream is told of, and in which words: pure, so that the same event makes the same notice for ever.
//!
//! A notice tells upstream what upstream may act on: its own identifiers (`debtor_id`, `request_id`, `account_ids`), what
//! happened, and the debtor's own words where there are any, since upstream is who they are meant for. It leaves out what
//! upstream can look up and a log of its receiver has no need of: names, the message as sent, and the address that a message
//! went to. A contact point is named only where it is what the notice is about: a stop, a reply, a consent, a dead number.
//! Once a person is erased, a notice that is still to be told says what happened, and `null` for whom.

use crate::domain::cadence::CadencePlace;
use crate::domain::consent::{Consent, OptOut};
use crate::domain::event::{
    ConsentSecret, DecisionRecord, Event, EventBody, NoteSecret, OptOutSecret, PromiseSecret, Sealed,
    Statement,
};
use crate::domain::id::{AccountKey, AttemptId, PointKey, RequestId};
use crate::domain::outcome::{FailureCause, FailureClass};
use crate::domain::request::RequestStatus;
use crate::domain::state::{AttemptState, DebtorState, RequestState};
use crate::ledger::LeafHash;
use crate::pipeline::cadences;
use crate::pipeline::unit::request_of;
use serde_json::{Map, Value, json};

/// Every type of notice, in the order of the contract.
pub const TYPES: &[&str] = &[
    "contact_request.deferred",
    "contact_request.sent",
    "contact_request.delivered",
    "contact_request.failed",
    "contact_request.unknown",
    "contact_request.blocked",
    "contact_request.expired",
    "contact_request.cancelled",
    "consent.granted",
    "consent.revoked",
    "opt_out.received",
    "reply.received",
    "dispute.received",
    "promise.received",
    "callback.requested",
    "hold.placed",
    "hold.lifted",
    "contact_point.invalid",
];

/// What is told of one event: its type, and its `data`.
#[derive(Clone, Debug, PartialEq)]
pub struct Notice {
    /// `contact_request.sent`.
    pub type_name: &'static str,
    /// What happened, without its place in the log.
    pub data: Map<String, Value>,
}

/// The `webhook-id` of an event's notice: the same whenever it is told, no two alike. The leaf stands in it, so that a
/// receiver's log leads back to the history.
pub fn id(leaf: u64, hash: &LeafHash) -> String {
    format!("msg_{leaf:012x}{}", &hash.to_string()[..20])
}

/// The leaf that a `webhook-id` of ours names.
pub fn leaf_of(id: &str) -> Option<u64> {
    let digits = id.strip_prefix("msg_").filter(|digits| digits.len() == 32 && digits.is_ascii())?;
    u64::from_str_radix(digits.get(..12)?, 16).ok()
}

/// The body of a notice: `{type, timestamp, data}`.
pub fn body(notice: &Notice, event: &Event, leaf: u64) -> Vec<u8> {
    let mut data = notice.data.clone();
    data.insert("actor".to_owned(), json!(event.actor.to_string()));
    data.insert("leaf_index".to_owned(), json!(leaf));
    let whole = json!({ "type": notice.type_name, "timestamp": event.at, "data": data });
    // A tree of JSON values always has its text.
    serde_json::to_vec(&whole).unwrap_or_default()
}

/// Where the request that an event is about stands before the event.
pub fn status_before(state: &DebtorState, body: &EventBody) -> Option<RequestStatus> {
    let id = request_of(state, body)?;
    state.requests.get(&id).map(|request| request.status)
}

/// What upstream is told of an event that is now part of the state; `before` is what [`status_before`] said.
pub fn of(event: &Event, before: Option<RequestStatus>, state: &DebtorState) -> Option<Notice> {
    let (type_name, mut data) = match &event.body {
        EventBody::ConsentGranted(consent, secret) => ("consent.granted", granted(state, consent, secret)),
        EventBody::ConsentRevoked(stop, secret) | EventBody::OptOutReceived(stop, secret) => {
            (event.body.type_name(), stopped(state, stop, secret))
        }
        EventBody::HoldPlaced(hold, secret) => (
            "hold.placed",
            members(json!({
                "kind": hold.kind, "since": hold.since,
                "account_ids": accounts(state, &hold.accounts, secret.open().map(|s| &s.account_ids)),
                "detail": secret.open().and_then(|s| s.detail.clone()),
            })),
        ),
        EventBody::HoldLifted(lift, _) => {
            ("hold.lifted", members(json!({ "kind": lift.kind, "lifted_at": lift.lifted_at })))
        }
        EventBody::InboundReceived(inbound, secret) => (
            "reply.received",
            members(json!({
                "channel": inbound.channel, "understood": inbound.understood, "intents": inbound.intents,
                "contact_point": value(state, inbound.point, secret.open().map(|s| s.from.clone())),
                "text": secret.open().map(|s| s.text.clone()),
            })),
        ),
        EventBody::DisputeReceived(said, note) => ("dispute.received", stated(state, said, note)),
        EventBody::CallbackRequested(said, note) => ("callback.requested", stated(state, said, note)),
        EventBody::PromiseReceived(said, promise) => ("promise.received", promised(state, said, promise)),
        EventBody::ContactPointInvalid(invalid, _) => (
            "contact_point.invalid",
            members(json!({
                "channel": invalid.channel, "cause": cause(invalid.cause),
                "contact_point": value(state, Some(invalid.point), None),
            })),
        ),
        EventBody::RequestAccepted(..)
        | EventBody::RequestCancelled(..)
        | EventBody::RequestExpired(..)
        | EventBody::DecisionMade(..)
        | EventBody::AttemptStarted(..)
        | EventBody::AttemptSent(..)
        | EventBody::AttemptFailed(..)
        | EventBody::AttemptUnknown(..)
        | EventBody::AttemptAbandoned(..)
        | EventBody::DeliveryUpdated(..) => return of_request(event, before, state),
        EventBody::DebtorUpdated(..)
        | EventBody::DebtorErased(..)
        | EventBody::PreferencesUpdated(..)
        | EventBody::ContactRecorded(..)
        | EventBody::PermitIssued(..)
        | EventBody::PermitUsed(..)
        | EventBody::PermitExpired(..)
        | EventBody::PermitReturned(..)
        | EventBody::ReplyHeld(..)
        | EventBody::ReplyReleased(..)
        | EventBody::PolicyChanged(..)
        | EventBody::AccessRecorded(..)
        | EventBody::PausePlaced(..)
        | EventBody::PauseLifted(..) => return None,
    };
    data.insert("debtor_id".to_owned(), json!(state.debtor_id));
    Some(Notice { type_name, data })
}

/// A request that moved, or that was decided anew and still waits.
fn of_request(event: &Event, before: Option<RequestStatus>, state: &DebtorState) -> Option<Notice> {
    let id = request_of(state, &event.body)?;
    let request = state.requests.get(&id)?;
    let decided = matches!(event.body, EventBody::DecisionMade(..));
    if before == Some(request.status) && !(decided && request.status == RequestStatus::Deferred) {
        return None;
    }
    let type_name = match request.status {
        RequestStatus::Accepted | RequestStatus::Dispatching => return None,
        RequestStatus::Deferred => "contact_request.deferred",
        RequestStatus::Sent => "contact_request.sent",
        RequestStatus::Delivered => "contact_request.delivered",
        RequestStatus::Failed => "contact_request.failed",
        RequestStatus::Unknown => "contact_request.unknown",
        RequestStatus::Blocked => "contact_request.blocked",
        RequestStatus::Expired => "contact_request.expired",
        RequestStatus::Cancelled => "contact_request.cancelled",
    };
    Some(Notice { type_name, data: request_data(id, request, state) })
}

fn request_data(id: RequestId, request: &RequestState, state: &DebtorState) -> Map<String, Value> {
    let secret = request.secret.open();
    let last = request.attempts.last().and_then(|id| Some((id, state.attempts.get(id)?)));
    let decision = match request.status {
        RequestStatus::Deferred | RequestStatus::Blocked => request.decision.as_ref().map(decided),
        RequestStatus::Accepted
        | RequestStatus::Dispatching
        | RequestStatus::Sent
        | RequestStatus::Delivered
        | RequestStatus::Failed
        | RequestStatus::Expired
        | RequestStatus::Cancelled
        | RequestStatus::Unknown => None,
    };
    let mut data = members(json!({
        "id": id,
        "request_id": secret.map(|secret| secret.request_id.clone()),
        "debtor_id": state.debtor_id,
        "account_ids": accounts(state, &request.order.accounts, secret.map(|secret| &secret.account_ids)),
        "campaign": secret.and_then(|secret| secret.campaign.clone()),
        "template": request.order.template,
        "status": request.status,
        "channel": last.map(|(_, attempt)| attempt.channel)
            .or_else(|| request.decision.as_ref().map(|record| record.decision.channel)),
        "decision": decision,
        "attempt": last.map(|(id, last)| attempt(*id, last)),
    }));
    if let Some(place) = &request.order.cadence {
        data.insert("cadence".to_owned(), of_cadence(place, state));
    }
    data
}

/// The cadence that a request belongs to, with how it ended, if it has.
fn of_cadence(place: &CadencePlace, state: &DebtorState) -> Value {
    let cadence = state.cadences.get(&place.cadence);
    json!({
        "id": place.cadence,
        "cadence_id": cadence.and_then(|cadence| cadences::cadence_id(state, cadence)),
        "step": place.step,
        "reason": cadence.and_then(|cadence| cadence.ended).map(|(ending, _)| ending),
    })
}

fn decided(record: &DecisionRecord) -> Value {
    let decision = &record.decision;
    json!({
        "outcome": decision.outcome, "channel": decision.channel, "at": decision.at,
        "permitted_from": decision.permitted_from, "findings": decision.findings, "policy": record.policy,
    })
}

fn attempt(id: AttemptId, attempt: &AttemptState) -> Value {
    let error = attempt.failure.as_ref().map(|failure| {
        json!({ "class": class(failure.class), "cause": cause(failure.cause), "code": failure.code })
    });
    json!({
        "id": id, "channel": attempt.channel, "provider": attempt.provider, "provider_ref": attempt.provider_ref,
        "status": attempt.status, "started_at": attempt.started_at, "finished_at": attempt.finished_at, "error": error,
    })
}

fn granted(state: &DebtorState, consent: &Consent, secret: &Sealed<ConsentSecret>) -> Map<String, Value> {
    let secret = secret.open();
    members(json!({
        "channel": consent.channel, "scope": consent.scope, "granted_at": consent.granted_at,
        "expires_at": consent.expires_at,
        "contact_point": value(state, consent.point, secret.and_then(|s| s.contact_point.clone())),
        "account_ids": accounts(state, &consent.accounts, secret.map(|s| &s.account_ids)),
        "source": secret.and_then(|s| s.source.clone()),
    }))
}

fn stopped(state: &DebtorState, stop: &OptOut, secret: &Sealed<OptOutSecret>) -> Map<String, Value> {
    let secret = secret.open();
    members(json!({
        "channel": stop.channel, "received_at": stop.received_at,
        "contact_point": value(state, stop.point, secret.and_then(|s| s.contact_point.clone())),
        "account_ids": accounts(state, &stop.accounts, secret.map(|s| &s.account_ids)),
        "source": secret.and_then(|s| s.source.clone()),
        "text": secret.and_then(|s| s.text.clone()),
    }))
}

fn stated(state: &DebtorState, said: &Statement, note: &Sealed<NoteSecret>) -> Map<String, Value> {
    members(json!({
        "channel": said.channel, "received_at": said.received_at,
        "account_ids": accounts(state, &said.accounts, None),
        "note": note.open().and_then(|secret| secret.note.clone()),
    }))
}

fn promised(state: &DebtorState, said: &Statement, promise: &Sealed<PromiseSecret>) -> Map<String, Value> {
    members(json!({
        "channel": said.channel, "received_at": said.received_at,
        "account_ids": accounts(state, &said.accounts, None),
        "amount": promise.open().and_then(|secret| secret.amount.clone()),
        "due_on": promise.open().and_then(|secret| secret.due_on),
        "note": promise.open().and_then(|secret| secret.note.clone()),
    }))
}

fn members(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(members) => members,
        _ => Map::new(),
    }
}

fn class(class: FailureClass) -> Value {
    serde_json::to_value(class).unwrap_or_default()
}

fn cause(cause: FailureCause) -> Value {
    serde_json::to_value(cause).unwrap_or_default()
}

/// A contact point's value: what was said, or else what is on file for its key.
fn value(state: &DebtorState, point: Option<PointKey>, said: Option<String>) -> Option<String> {
    said.or_else(|| {
        let place = state.outline.points.iter().position(|known| Some(known.point) == point)?;
        // The outline has the points in upstream's order.
        state.file.as_ref()?.contact_points.get(place).map(|point| point.value.clone())
    })
}

/// Upstream's identifiers of accounts: those that were said, or else those on file for their keys.
fn accounts(state: &DebtorState, keys: &[AccountKey], said: Option<&Vec<String>>) -> Vec<String> {
    if let Some(said) = said {
        return said.clone();
    }
    let named = |key: &AccountKey| {
        let place = state.outline.accounts.iter().position(|known| known.account == *key)?;
        state.file.as_ref()?.accounts.get(place).map(|account| account.account_id.clone())
    };
    keys.iter().filter_map(named).collect()
}
