//! When a request is looked at again, as a pure function of its state.

use crate::domain::attempt::AttemptStatus;
use crate::domain::channel::Channel;
use crate::domain::decision::Outcome;
use crate::domain::event::DecisionRecord;
use crate::domain::id::{AttemptId, DebtorKey, RequestId};
use crate::domain::request::{ChannelChoice, RequestStatus};
use crate::domain::state::{AttemptState, RequestState};
use crate::domain::time::{Span, Timestamp};
use crate::pipeline::agenda::{Due, Task};
use crate::pipeline::decide;
use crate::storage::RequestRow;
use std::collections::BTreeMap;

/// The pause after the n-th attempt in a row that never left: doubling from a second to five minutes.
fn setback_pause(setbacks: u32) -> Span {
    Span::seconds((1_i64 << setbacks.min(9)).min(300))
}

/// Whether new facts about the debtor may change what happens to it.
pub fn awaits_decision(request: &RequestState) -> bool {
    match request.status {
        RequestStatus::Accepted | RequestStatus::Deferred => true,
        RequestStatus::Dispatching
        | RequestStatus::Sent
        | RequestStatus::Delivered
        | RequestStatus::Failed
        | RequestStatus::Blocked
        | RequestStatus::Expired
        | RequestStatus::Cancelled
        | RequestStatus::Unknown => false,
    }
}

/// Whether it is decided again at once when a fact about the debtor changes.
pub fn heeds_facts(request: &RequestState) -> bool {
    awaits_decision(request) || request.waits_to_fall_back()
}

/// The moment at which something is to be done for a request; none while it is under way or once it has ended.
pub fn wake(
    request: &RequestState,
    attempts: Option<&BTreeMap<AttemptId, Box<AttemptState>>>,
) -> Option<Timestamp> {
    let last = request.attempts.last().and_then(|id| attempts.and_then(|attempts| attempts.get(id)));
    let earliest = request.order.not_before.unwrap_or(request.accepted_at).max(request.accepted_at);
    let expires = request.order.expires_at;
    let lawful = request
        .decision
        .as_ref()
        .filter(|record| record.decision.outcome == Outcome::Defer)
        .and_then(|record| record.decision.permitted_from);
    match request.status {
        RequestStatus::Accepted => {
            let rested = last.and_then(|last| rested(request, attempts, last)).unwrap_or(earliest);
            Some(rested.max(earliest).min(expires))
        }
        RequestStatus::Deferred => Some(lawful.unwrap_or(expires).max(earliest).min(expires)),
        RequestStatus::Sent if request.waits_to_fall_back() => Some(lawful.unwrap_or(expires).min(expires)),
        RequestStatus::Sent if request.may_fall_back() => {
            let patience = request.order.fallback_after?;
            let moment = match last {
                // The way behind it was begun already, and came to nothing.
                Some(attempt)
                    if matches!(attempt.status, AttemptStatus::Failed | AttemptStatus::Abandoned) =>
                {
                    rested(request, attempts, attempt).unwrap_or(earliest)
                }
                Some(attempt) => attempt.started_at.plus(patience),
                None => request.accepted_at.plus(patience),
            };
            Some(moment.max(earliest).min(expires))
        }
        RequestStatus::Sent
        | RequestStatus::Dispatching
        | RequestStatus::Delivered
        | RequestStatus::Failed
        | RequestStatus::Blocked
        | RequestStatus::Expired
        | RequestStatus::Cancelled
        | RequestStatus::Unknown => None,
    }
}

/// Until when a request rests after its newest attempt, if it never left and no other provider stands by.
fn rested(
    request: &RequestState,
    attempts: Option<&BTreeMap<AttemptId, Box<AttemptState>>>,
    last: &AttemptState,
) -> Option<Timestamp> {
    if last.gives_way() || last.status != AttemptStatus::Abandoned {
        return None;
    }
    let ended = last.finished_at.unwrap_or(last.started_at);
    let rested = ended.plus(setback_pause(request.setbacks));
    let since = attempts.and_then(|attempts| fruitless_since(request, attempts, last.channel));
    let turn = since.zip(request.order.fallback_after).map(|(since, wait)| since.plus(wait));
    Some(turn.filter(|turn| *turn > ended).map_or(rested, |turn| rested.min(turn)))
}

/// Whether a decision says that none of a channel's providers worked.
pub fn is_down(record: &DecisionRecord) -> bool {
    record.decision.findings.iter().any(|finding| finding.rule == decide::PROVIDERS_DOWN)
}

/// Since when a channel has brought nothing for a request, because its providers do not work: since the first of its newest
/// attempts, of those that surely reached nobody, or since a decision said so.
pub fn fruitless_since(
    request: &RequestState,
    attempts: &BTreeMap<AttemptId, Box<AttemptState>>,
    channel: Channel,
) -> Option<Timestamp> {
    let newest = request.attempts.iter().rev().filter_map(|id| attempts.get(id));
    let in_vain = newest.take_while(|attempt| {
        attempt.channel == channel
            && (attempt.gives_way()
                || (attempt.status == AttemptStatus::Abandoned && attempt.reached_nobody()))
    });
    let first = in_vain.last().map(|attempt| attempt.started_at);
    let down = request.decision.as_ref().filter(|record| is_down(record));
    let down = down.filter(|record| record.decision.channel == channel).map(|record| record.decision.at);
    match (first, down) {
        (Some(first), Some(down)) => Some(first.min(down)),
        (first, down) => first.or(down),
    }
}

/// A request on the agenda.
pub fn due(id: RequestId, debtor: DebtorKey, request: &RequestState, at: Timestamp) -> Due {
    Due { at, priority: request.order.priority, task: Task::Request(id), debtor }
}

/// A request's row in the table that lists are read from.
pub fn row(id: RequestId, debtor: DebtorKey, request: &RequestState, wake: Option<Timestamp>) -> RequestRow {
    let channel = request.tried.last().copied().or_else(|| {
        request.order.channels.iter().find_map(|choice| match choice {
            ChannelChoice::Auto => None,
            ChannelChoice::Named(channel) => Some(*channel),
        })
    });
    RequestRow {
        request: id,
        debtor,
        request_key: request.order.request_key,
        body_digest: digest(&request.order.body_digest),
        status: request.status,
        channel,
        campaign: request.order.campaign,
        accepted_at: request.accepted_at,
        due_at: wake,
        expires_at: request.order.expires_at,
        priority: request.order.priority,
    }
}

/// The digest's bytes; one that is not 32 bytes of hexadecimal matches no body.
fn digest(hexadecimal: &str) -> [u8; 32] {
    let mut bytes = [0; 32];
    match hex::decode_to_slice(hexadecimal, &mut bytes) {
        Ok(()) => bytes,
        Err(_) => [0; 32],
    }
}
