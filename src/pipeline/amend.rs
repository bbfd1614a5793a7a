//! The law in force changes: an event in the history, what is pending decided anew, and what came of it.

use crate::domain::decision::{Decision, Outcome, PolicyStamp};
use crate::domain::event::{Actor, EventBody, Sealed, Stream};
use crate::domain::request::RequestStatus;
use crate::domain::state::DebtorState;
use crate::domain::time::Timestamp;
use crate::pipeline::Desk;
use crate::pipeline::decide::{self, Circumstances};
use crate::pipeline::facts::Subject;
use crate::pipeline::filing::Filed;
use crate::pipeline::preview;
use crate::pipeline::routing::Crossroads;
use crate::pipeline::unit::{Effect, Unit};
use crate::policy::Policy;
use crate::storage::{Reader, RequestRow, StorageError, Store};
use std::collections::BTreeMap;
use std::sync::Arc;

/// A change of the law as the history tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Amendment {
    /// When it was recorded.
    pub at: Timestamp,
    /// Who did it.
    pub actor: Actor,
    /// The law from then on.
    pub policy: PolicyStamp,
    /// The law before; none for the first.
    pub previous: Option<PolicyStamp>,
}

/// What a change of the law did to the requests that were pending.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Effects {
    /// The law that they were decided under anew.
    pub digest: String,
    /// Requests that waited for their moment, a person or upstream.
    pub pending: u64,
    /// Of these: answered as before.
    pub unchanged: u64,
    /// Of these: answered otherwise, by what they wait for now.
    pub changed: BTreeMap<Turn, u64>,
}

/// How an answer turned, and the rule that speaks first where it is not `allow`: of the new answer, or else of the old.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Turn {
    /// The answer before.
    pub from: Outcome,
    /// The answer now.
    pub to: Outcome,
    /// The rule.
    pub rule: String,
    /// The paragraph it rests on.
    pub citation: String,
}

/// Puts another policy in force, unless it is the one in force; says whether it did.
pub fn adopt(unit: &mut Unit<'_>, actor: &Actor, policy: Arc<Policy>) -> Filed<bool> {
    if unit.policy().digest() == policy.digest() {
        return Ok(Ok(false));
    }
    let body = EventBody::PolicyChanged(policy.stamp(), Sealed::Gone);
    unit.record_installation(actor, &body)?;
    unit.effect(Effect::Policy(policy));
    unit.effect(Effect::AllOvertaken);
    Ok(Ok(true))
}

/// Every change of the law, oldest first.
pub fn amendments(reader: &Reader) -> Result<Vec<Amendment>, StorageError> {
    let mut found: Vec<Amendment> = Vec::new();
    for event in reader.load(Stream::Installation)? {
        if let EventBody::PolicyChanged(policy, _) = event.body {
            let previous = found.last().map(|last| last.policy.clone());
            found.push(Amendment { at: event.at, actor: event.actor, policy, previous });
        }
    }
    Ok(found)
}

/// The requests that wait for a moment, a person or upstream.
pub fn pending(store: &Store) -> Result<Vec<RequestRow>, StorageError> {
    let mut waiting = Vec::new();
    store.reader()?.open_requests(|row| {
        if row.status == RequestStatus::Deferred {
            waiting.push(row);
        }
    })?;
    Ok(waiting)
}

/// Counts how the law in force answers each pending request, beside what was recorded under the law before; the request's own
/// new decision counts where it has been taken already. Ends early when told to.
pub fn weigh(
    desk: &Desk,
    reader: &Reader,
    waiting: &[RequestRow],
    stop: impl Fn() -> bool,
) -> Result<Effects, StorageError> {
    let policy = desk.policy.load_full();
    let mut effects = Effects { digest: policy.digest().to_owned(), ..Effects::default() };
    for row in waiting {
        if stop() {
            break;
        }
        let events = reader.load(Stream::Debtor(row.debtor))?;
        let (mut before, mut after) = (None, None);
        for event in &events {
            let EventBody::DecisionMade(record, _) = &event.body else { continue };
            if record.request != Some(row.request) {
                continue;
            }
            if record.policy.digest == policy.digest() && before.is_some() {
                after = after.or(Some(record.decision.clone()));
            } else if after.is_none() {
                before = Some(&record.decision);
            }
        }
        let Some(before) = before else { continue };
        let after = match after {
            Some(taken) => Some(taken),
            None => ask(desk, reader, row, &policy, &DebtorState::fold(events.iter().cloned()))?,
        };
        if let Some(after) = after {
            effects.count(before, &after);
        }
    }
    Ok(effects)
}

fn ask(
    desk: &Desk,
    reader: &Reader,
    row: &RequestRow,
    policy: &Policy,
    state: &DebtorState,
) -> Result<Option<Decision>, StorageError> {
    let Some(request) = state.requests.get(&row.request) else { return Ok(None) };
    let elsewhere = preview::elsewhere(reader, row.debtor, state)?;
    let (pauses, now) = (desk.pauses.load(), desk.clock.now());
    let here = Circumstances { names: &*desk.names, pauses: &pauses };
    let (channels, _) = Crossroads { desk, pauses: &pauses, state, request, now }.channels();
    let subject = Subject::new(state, &elsewhere);
    Ok(Some(decide::decide_request(here, policy, &subject, request, &channels, now)))
}

impl Effects {
    fn count(&mut self, before: &Decision, after: &Decision) {
        self.pending += 1;
        let answer = |decision: &Decision| (decision.outcome, decision.channel, decision.liftable);
        // A moment to come stays what it was; one that has passed came of itself.
        let moment = |decision: &Decision| decision.permitted_from.filter(|from| *from > after.at);
        if answer(before) == answer(after) && moment(before) == moment(after) {
            self.unchanged += 1;
            return;
        }
        let spokesman = after.findings.first().or_else(|| before.findings.first());
        let turn = Turn {
            from: before.outcome,
            to: after.outcome,
            rule: spokesman.map(|finding| finding.rule.clone()).unwrap_or_default(),
            citation: spokesman.map(|finding| finding.citation.clone()).unwrap_or_default(),
        };
        *self.changed.entry(turn).or_default() += 1;
    }
}
