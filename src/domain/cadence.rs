//! A cadence: a debtor is reached in several steps, until an answer or anything else makes the rest pointless.
//!
//! It is a chain of ordinary contact requests and leaves no events of its own. The request of its first step carries the plan
//! as it was in force, so that a plan edited later changes no cadence under way; the others name the cadence and their step.
//! As long as a cadence goes on, just one of its requests has not ended: the next one is accepted, for its moment, in the
//! same commit in which the one before it went out or ended. What stops it cancels that one, with the reason.
//!
//! # Decisions
//! - 2026-11-23: a promise to pay ends a cadence and does not pause it. Whether it was kept is for upstream to know, which
//!   hears of it at once and may begin another cadence with `not_before` behind the promised date.
//! - 2026-11-23: any stop of the debtor's ends a cadence, also one of a medium that no later step uses: whoever says stop to
//!   a series of messages means the series.
//! - 2026-11-23: an account that upstream no longer names, or that is recalled or closed, ends a cadence about it: nobody
//!   knows whether there is still something to collect.

mod stop;
#[cfg(test)]
mod tests;

use crate::domain::channel::words;
use crate::domain::consent::covers_any;
use crate::domain::debtor::AccountStatus;
use crate::domain::event::EventBody;
use crate::domain::id::{AccountKey, AttemptId, CadenceId, RequestId};
use crate::domain::request::{ChannelChoice, RequestOrder, RequestStatus};
use crate::domain::state::{AttemptState, DebtorState, RequestState};
use crate::domain::time::{Span, Timestamp};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::collections::BTreeMap;
use std::fmt;

words! {
    /// What makes the rest of a cadence pointless.
    StopCondition {
        /// The debtor wrote, pressed a key or called; a link that was opened is no reply.
        Reply = "reply",
        /// Somebody has talked with the debtor.
        Conversation = "conversation",
        /// The debtor promised to pay.
        Promise = "promise",
        /// An account it is about was paid on, paid or settled, or the debtor says so.
        Payment = "payment",
        /// An account it is about was recalled or closed, or is no longer on file.
        AccountClosed = "account_closed",
        /// The debtor disputes.
        Dispute = "dispute",
        /// The debtor said stop, to anything.
        OptOut = "opt_out",
        /// A hold was placed, whichever (one that only bars erasure apart).
        Hold = "hold",
    }
}

impl StopCondition {
    /// Those that no plan may leave out.
    pub const BINDING: &'static [Self] = &[Self::AccountClosed, Self::Dispute, Self::OptOut, Self::Hold];
}

/// How a cadence ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// Its last step went out or ended.
    Completed,
    /// Its time ran out.
    Expired,
    /// Upstream took it back.
    Cancelled,
    /// The person was erased, or the words of the debtor's are lost otherwise.
    Erased,
    /// A message that its next step needs did not go out, or came back.
    NotSent,
    /// Something made the rest pointless.
    Stopped(StopCondition),
}

impl Ending {
    /// The word on the wire and in the history.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Completed => "completed",
            Self::Expired => "expired",
            Self::Cancelled => "cancelled",
            Self::Erased => "erased",
            Self::NotSent => "not_sent",
            Self::Stopped(condition) => condition.as_str(),
        }
    }

    /// The ending with this word, if there is one.
    pub fn from_word(word: &str) -> Option<Self> {
        [Self::Completed, Self::Expired, Self::Cancelled, Self::Erased, Self::NotSent]
            .into_iter()
            .find(|ending| ending.as_str() == word)
            .or_else(|| StopCondition::from_word(word).map(Self::Stopped))
    }
}

impl fmt::Display for Ending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Serialize for Ending {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for Ending {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let word = std::borrow::Cow::<str>::deserialize(deserializer)?;
        Self::from_word(&word).ok_or_else(|| serde::de::Error::custom("not the end of a cadence"))
    }
}

/// The body of `POST /v1/cadences`.
#[derive(Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CadenceRequest {
    /// Upstream's own identifier; the same one with the same body is the same cadence, for ever.
    pub cadence_id: String,
    /// The debtor.
    pub debtor_id: String,
    /// The plan's name.
    pub plan: String,
    /// The accounts it is about; empty means that none is named, which counts against all.
    #[serde(default)]
    pub account_ids: Vec<String>,
    /// The templates' variables, the same for every step.
    #[serde(default)]
    #[schema(value_type = Object)]
    pub variables: serde_json::Map<String, serde_json::Value>,
    /// Does not begin before this moment.
    #[serde(default)]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub not_before: Option<Timestamp>,
    /// What is left of it at this moment is given up.
    #[serde(default)]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub expires_at: Option<Timestamp>,
    /// Upstream's campaign, for lists of contact requests.
    #[serde(default)]
    pub campaign: Option<String>,
}

/// One step of a plan. Its fields stand in the history: in alphabetical order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct PlanStep {
    /// How long after the step before it went out or ended; after the cadence's beginning, for the first.
    #[schema(value_type = String, example = "P3D")]
    pub after: Span,
    /// Channels in order of preference, or `["auto"]`.
    #[schema(value_type = Vec<String>, example = json!(["sms"]))]
    pub channels: Vec<ChannelChoice>,
    /// How long it is tried from its moment on.
    #[schema(value_type = String, example = "P7D")]
    pub expire_after: Span,
    /// Which step before it, from 1, must have gone out, without anybody having said since that it failed; else the cadence
    /// ends before this one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = 1)]
    pub needs: Option<u32>,
    /// The template's name.
    #[schema(example = "payment-reminder")]
    pub template: String,
}

/// A plan: what is tried, when, and what ends it early. Its fields stand in the history: in alphabetical order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Plan {
    /// `sha256:…` over everything else here: tells one version of a plan from another.
    pub digest: String,
    /// Its name: that of its file.
    #[schema(example = "gentle-reminder")]
    pub name: String,
    /// The steps, in order; at least one.
    pub steps: Vec<PlanStep>,
    /// What ends it early.
    pub stop_on: Vec<StopCondition>,
}

/// A cadence as it was begun. Its fields stand in the history: in alphabetical order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Enrolment {
    /// When what is left of it is given up, if that was said.
    pub expires_at: Option<Timestamp>,
    /// The plan as it was in force.
    pub plan: Plan,
}

/// To which cadence a contact request belongs. Its fields stand in the history: in alphabetical order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CadencePlace {
    /// The cadence.
    pub cadence: CadenceId,
    /// How it was begun: in the first step's request only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub enrolment: Option<Enrolment>,
    /// Which step, from 1.
    pub step: u32,
}

/// A cadence as of the debtor's newest event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CadenceState {
    /// The accounts it is about; empty means that none is named.
    pub accounts: Vec<AccountKey>,
    /// As it was begun.
    pub enrolment: Enrolment,
    /// The requests of its steps, in order.
    pub requests: Vec<RequestId>,
    /// When it was begun.
    pub started_at: Timestamp,
    /// How it ended, and when.
    pub ended: Option<(Ending, Timestamp)>,
}

/// Every cadence of a debtor.
pub type Cadences = BTreeMap<CadenceId, Box<CadenceState>>;

type Requests = BTreeMap<RequestId, Box<RequestState>>;
type Attempts = BTreeMap<AttemptId, Box<AttemptState>>;

/// What follows in a cadence once a step of it went out or ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Next<'a> {
    /// Another step.
    Step {
        /// Which, from 1.
        number: u32,
        /// What it is.
        step: &'a PlanStep,
        /// From when it is due.
        from: Timestamp,
        /// When it is given up.
        until: Timestamp,
    },
    /// Nothing.
    End(Ending),
}

impl Plan {
    /// What follows behind the first `done` steps, the last of which went out or ended at a moment (or, before the first, what
    /// begins at that moment); nothing begins at `end` or later.
    pub fn next(&self, done: usize, ended_at: Timestamp, end: Option<Timestamp>) -> Next<'_> {
        let Some((step, number)) = self.steps.get(done).zip(u32::try_from(done + 1).ok()) else {
            return Next::End(Ending::Completed);
        };
        let from = ended_at.plus(step.after);
        let until = from.plus(step.expire_after);
        match end {
            Some(end) if end <= from => Next::End(Ending::Expired),
            Some(end) => Next::Step { number, step, from, until: until.min(end) },
            None => Next::Step { number, step, from, until },
        }
    }
}

impl CadenceState {
    /// Whether it goes on.
    pub fn is_live(&self) -> bool {
        self.ended.is_none()
    }

    /// What follows once its newest step went out or ended.
    pub fn next(&self, requests: &Requests, attempts: &Attempts, ended_at: Timestamp) -> Next<'_> {
        let next = self.enrolment.plan.next(self.requests.len(), ended_at, self.enrolment.expires_at);
        // A message that came back after it had arrived leaves its request's status where it was.
        let stays_out = |of: &AttemptId| attempts.get(of).is_some_and(|it| it.stays_out());
        let stands = |it: &RequestState| is_out(it.status) && it.attempts.iter().any(stays_out);
        let is_missing = |needed: RequestId| requests.get(&needed).is_none_or(|it| !stands(it));
        match next {
            Next::Step { step, .. } if self.needed_by(step).is_some_and(is_missing) => {
                Next::End(Ending::NotSent)
            }
            next => next,
        }
    }

    /// The request of the step that another one needs.
    fn needed_by(&self, step: &PlanStep) -> Option<RequestId> {
        let place = usize::try_from(step.needs?).ok()?.checked_sub(1)?;
        self.requests.get(place).copied()
    }

    fn is_about(&self, account: AccountKey) -> bool {
        self.accounts.is_empty() || self.accounts.contains(&account)
    }
}

/// Whether a request has gone out or ended: its cadence then goes on.
fn is_through(status: RequestStatus) -> bool {
    match status {
        RequestStatus::Accepted | RequestStatus::Deferred | RequestStatus::Dispatching => false,
        RequestStatus::Sent
        | RequestStatus::Delivered
        | RequestStatus::Failed
        | RequestStatus::Blocked
        | RequestStatus::Expired
        | RequestStatus::Unknown => true,
        // That ends it.
        RequestStatus::Cancelled => false,
    }
}

/// Whether a message surely went out, as far as anybody has said. Of one whose fate is unknown nobody can say so.
fn is_out(status: RequestStatus) -> bool {
    match status {
        RequestStatus::Sent | RequestStatus::Delivered => true,
        RequestStatus::Accepted
        | RequestStatus::Deferred
        | RequestStatus::Dispatching
        | RequestStatus::Failed
        | RequestStatus::Blocked
        | RequestStatus::Expired
        | RequestStatus::Cancelled
        | RequestStatus::Unknown => false,
    }
}

/// What must be accepted at this moment, because a request, the newest of its cadence, went out or ended: the cadence and its
/// next step.
pub fn due_step(state: &DebtorState, request: RequestId, at: Timestamp) -> Option<(CadenceId, Next<'_>)> {
    let found = state.requests.get(&request)?;
    let id = found.order.cadence.as_ref()?.cadence;
    let cadence = state.cadences.get(&id)?;
    let newest = cadence.requests.last() == Some(&request);
    if !newest || !cadence.is_live() || !is_through(found.status) {
        return None;
    }
    match cadence.next(&state.requests, &state.attempts, at) {
        step @ Next::Step { .. } => Some((id, step)),
        Next::End(_) => None,
    }
}

/// The cadences that an event ends, and how; asked before the event is part of the state.
pub fn stopped_by(state: &DebtorState, body: &EventBody) -> Vec<(CadenceId, Ending)> {
    let live = state.cadences.iter().filter(|(_, cadence)| cadence.is_live());
    live.filter_map(|(id, cadence)| {
        let stops = |condition: &StopCondition| cadence.enrolment.plan.stop_on.contains(condition);
        let stopped = stop::heard(state, cadence, body).into_iter().find(stops).map(Ending::Stopped);
        let came_back = || stop::came_back(state, cadence, body).then_some(Ending::NotSent);
        stopped.or_else(came_back).map(|ending| (*id, ending))
    })
    .collect()
}

/// What stands in the way of a cadence that is to begin now, of what would have ended it: a hold, an account that it is about
/// and that is not open, or that none is.
pub fn forestalled(
    state: &DebtorState,
    plan: &Plan,
    accounts: &[AccountKey],
    now: Timestamp,
) -> Option<StopCondition> {
    let held = state
        .holds
        .iter()
        .filter(|hold| hold.lifted_at.is_none_or(|end| now < end) && covers_any(&hold.accounts, accounts));
    let held = held.flat_map(stop::holds).find(|condition| plan.stop_on.contains(condition));
    let on_file = &state.outline.accounts;
    let mut named = on_file.iter().filter(|account| accounts.contains(&account.account));
    // Of several that are named one that is not open is enough: it ends a cadence. Where none is named, whatever is open counts.
    let closed = match accounts {
        [] => !on_file.is_empty() && on_file.iter().all(|account| account.status != AccountStatus::Open),
        _ => named.any(|account| account.status != AccountStatus::Open),
    };
    held.or_else(|| closed.then_some(StopCondition::AccountClosed))
}

/// Takes in a request that belongs to a cadence.
pub(in crate::domain) fn enter(cadences: &mut Cadences, order: &RequestOrder, at: Timestamp) {
    let Some(place) = &order.cadence else { return };
    if let Some(enrolment) = &place.enrolment {
        let state = CadenceState {
            accounts: order.accounts.clone(),
            enrolment: enrolment.clone(),
            requests: vec![order.request],
            started_at: at,
            ended: None,
        };
        cadences.insert(place.cadence, Box::new(state));
    } else if let Some(cadence) = cadences.get_mut(&place.cadence) {
        cadence.requests.push(order.request);
    }
}

/// Ends the cadence whose newest request was taken back.
pub(in crate::domain) fn take_back(
    cadences: &mut Cadences,
    request: &RequestState,
    because: Option<Ending>,
    at: Timestamp,
) {
    let place = request.order.cadence.as_ref();
    let cadence = place.and_then(|place| cadences.get_mut(&place.cadence));
    let newest = cadence.filter(|cadence| cadence.requests.last() == Some(&request.order.request));
    if let Some(cadence) = newest {
        cadence.ended.get_or_insert((because.unwrap_or(Ending::Cancelled), at));
    }
}

/// Ends every cadence of a person who is erased.
pub(in crate::domain) fn erase(cadences: &mut Cadences, at: Timestamp) {
    cadences.values_mut().for_each(|cadence| {
        cadence.ended.get_or_insert((Ending::Erased, at));
    });
}

/// Ends the cadence that a request belongs to, if the request was its newest, went out or ended, and nothing follows.
pub(in crate::domain) fn settle(
    cadences: &mut Cadences,
    requests: &Requests,
    attempts: &Attempts,
    id: RequestId,
    at: Timestamp,
) {
    let Some(request) = requests.get(&id) else { return };
    let Some(place) = request.order.cadence.as_ref().filter(|_| is_through(request.status)) else { return };
    let Some(cadence) = cadences.get_mut(&place.cadence) else { return };
    if !cadence.is_live() || cadence.requests.last() != Some(&id) {
        return;
    }
    if let Next::End(ending) = cadence.next(requests, attempts, at) {
        cadence.ended = Some((ending, at));
    }
}
