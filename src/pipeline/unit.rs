//! What a command works with while it runs: state at hand, and the pen.

use crate::domain::cadence;
use crate::domain::event::{Actor, Event, EventBody, Pause, Sealed, Stream};
use crate::domain::id::{AttemptId, DebtorKey, PointKey, RequestId};
use crate::domain::state::DebtorState;
use crate::domain::time::Timestamp;
use crate::pipeline::Desk;
use crate::pipeline::agenda::{Due, Task};
use crate::pipeline::facts::Elsewhere;
use crate::pipeline::roster::{Entry, Roster};
use crate::pipeline::step::Step;
use crate::pipeline::{cadences, schedule};
use crate::policy::Policy;
use crate::storage::{Batch, StorageError, Written};
use std::collections::HashMap;
use std::sync::Arc;

/// What follows from a commit.
pub enum Effect {
    /// A message is to be sent, or waits for a slot.
    Step(Due, Step),
    /// Something is to be done at a moment.
    Due(Due),
    /// Something is no longer to be done.
    Done(Task),
    /// An attempt is durable and about to leave.
    Standing(AttemptId, DebtorKey, Timestamp),
    /// What is about to leave for a debtor may have become unlawful.
    Overtaken(DebtorKey),
    /// What is about to leave for anybody may have become unlawful.
    AllOvertaken,
    /// The pauses in force.
    Pauses(Arc<Vec<Pause>>),
    /// The law in force.
    Policy(Arc<Policy>),
}

/// What is in force for whatever the recorder decides next: ahead of the desk's by what is written but not durable yet.
#[derive(Clone)]
pub struct InForce {
    /// The law.
    pub policy: Arc<Policy>,
    /// The pauses, ended ones too.
    pub pauses: Arc<Vec<Pause>>,
}

/// A batch that is written; nothing follows from it before it is durable.
pub struct Ended {
    /// What is to become durable.
    pub written: Written,
    /// What follows then.
    pub effects: Vec<Effect>,
    /// What the next batch decides under.
    pub in_force: InForce,
}

/// One batch's view of the world.
pub struct Unit<'a> {
    /// The open transaction.
    pub batch: Batch<'a>,
    /// Everything read-only.
    pub desk: &'a Desk,
    roster: &'a mut Roster,
    effects: Vec<Effect>,
    /// What the batch changes on the agenda; of several changes to a task the last counts.
    agenda: HashMap<Task, Option<Due>>,
    now: Timestamp,
    /// What is in force, what this batch changes of it included.
    in_force: InForce,
}

impl<'a> Unit<'a> {
    pub(in crate::pipeline) fn new(
        batch: Batch<'a>,
        roster: &'a mut Roster,
        desk: &'a Desk,
        in_force: InForce,
    ) -> Self {
        let now = desk.clock.now();
        Self { batch, desk, roster, effects: Vec::new(), agenda: HashMap::new(), now, in_force }
    }

    pub(in crate::pipeline) fn begin_command(&mut self) {
        self.now = self.desk.clock.now();
    }

    pub(in crate::pipeline) fn write(self) -> Result<Ended, StorageError> {
        let written = self.batch.write()?;
        let mut effects = self.effects;
        effects
            .extend(self.agenda.into_iter().map(|(task, due)| due.map_or(Effect::Done(task), Effect::Due)));
        Ok(Ended { written, effects, in_force: self.in_force })
    }

    /// Takes a step that may fail by itself: if the store failed it before it recorded anything, what else the batch holds
    /// goes on, and the inner answer says why.
    ///
    /// # Errors
    /// The step has recorded a part of what it should, or the batch is spoiled: nothing of the batch may stay.
    pub(in crate::pipeline) fn alone<T>(
        &mut self,
        step: impl FnOnce(&mut Self) -> Result<T, StorageError>,
    ) -> Result<Result<T, StorageError>, StorageError> {
        let (appended, effects) = (self.batch.appended(), self.effects.len());
        match step(self) {
            Err(error) if self.batch.appended() == appended && !self.batch.is_spoiled() => {
                self.effects.truncate(effects);
                tracing::error!(error = %error, "recorder.step_failed");
                Ok(Err(error))
            }
            other => other.map(Ok),
        }
    }

    /// The moment at which this command runs.
    pub fn now(&self) -> Timestamp {
        self.now
    }

    /// A debtor's state, from the history if it is not at hand. Unknown debtors have an empty state.
    pub fn debtor(&mut self, key: DebtorKey) -> Result<&DebtorState, StorageError> {
        Ok(&self.entry(key)?.state)
    }

    /// Appends an event to a debtor's chain and takes it into its state.
    pub fn record(&mut self, key: DebtorKey, actor: &Actor, body: EventBody) -> Result<(), StorageError> {
        let now = self.now;
        self.entry(key)?;
        let Some(entry) = self.roster.get_mut(key) else { return Err(StorageError::StaleChain) };
        let appended = self.batch.append(&mut entry.chain, now, actor, &body)?;
        let request = request_of(&entry.state, &body);
        let mut touched = Vec::new();
        if matches!(body, EventBody::DebtorErased(..)) {
            touched.extend(entry.state.open_requests().map(|(id, _)| *id));
        }
        let stopped = cadence::stopped_by(&entry.state, &body);
        let named = named_point(&body);
        let body = match body {
            EventBody::AttemptStarted(start, _) => {
                self.effects.push(Effect::Standing(start.attempt, key, now));
                // The message as sent is in the history; here it would only take room.
                EventBody::AttemptStarted(start, Sealed::Gone)
            }
            other => other,
        };
        entry.state.apply(Event { actor: actor.clone(), at: now, body, seq: appended.seq });
        let next = request.and_then(|id| cadences::next_step(self.desk, &entry.state, id, now));
        if let Some(point) = named.filter(|point| entry.state.point(*point).is_none()) {
            self.stranger_named(key, point)?;
        }
        touched.into_iter().chain(request).try_for_each(|request| self.project(key, request))?;
        cadences::follow(self, key, next, &stopped)
    }

    /// Appends an event of the whole installation.
    pub fn record_installation(&mut self, actor: &Actor, body: &EventBody) -> Result<(), StorageError> {
        let mut chain = self.batch.chain(Stream::Installation)?;
        self.batch.append(&mut chain, self.now, actor, body)?;
        Ok(())
    }

    /// The pauses in force once this batch commits, by name.
    pub fn pauses(&self) -> Arc<Vec<Pause>> {
        Arc::clone(&self.in_force.pauses)
    }

    /// The law in force once this batch commits.
    pub fn policy(&self) -> Arc<Policy> {
        Arc::clone(&self.in_force.policy)
    }

    /// Adds something that follows from the commit.
    pub fn effect(&mut self, effect: Effect) {
        match effect {
            Effect::Due(due) => drop(self.agenda.insert(due.task, Some(due))),
            Effect::Done(task) => drop(self.agenda.insert(task, None)),
            // What is decided after these two, in this batch and the next, already heeds them.
            Effect::Pauses(pauses) => {
                self.in_force.pauses = Arc::clone(&pauses);
                self.effects.push(Effect::Pauses(pauses));
            }
            Effect::Policy(policy) => {
                self.in_force.policy = Arc::clone(&policy);
                self.effects.push(Effect::Policy(policy));
            }
            Effect::Step(..) | Effect::Standing(..) | Effect::Overtaken(_) | Effect::AllOvertaken => {
                self.effects.push(effect);
            }
        }
    }

    /// Facts about a debtor changed: what waits is decided again at once, what is about to leave is overtaken, also for
    /// everybody who shares an account or a contact point.
    pub fn facts_changed(&mut self, key: DebtorKey) -> Result<(), StorageError> {
        let mut affected = self.relatives(key)?;
        affected.push(key);
        affected.into_iter().try_for_each(|debtor| self.look_anew(debtor))
    }

    /// What waits for a debtor is decided again at once, what is about to leave is overtaken.
    fn look_anew(&mut self, debtor: DebtorKey) -> Result<(), StorageError> {
        self.effects.push(Effect::Overtaken(debtor));
        let now = self.now;
        let due: Vec<Due> = self
            .debtor(debtor)?
            .open_requests()
            .filter(|(_, request)| schedule::heeds_facts(request))
            .map(|(id, request)| schedule::due(*id, debtor, request, now))
            .collect();
        due.into_iter().for_each(|due| self.effect(Effect::Due(due)));
        Ok(())
    }

    /// A debtor's history names a point that is not on its file: it binds the files that the point is on.
    fn stranger_named(&mut self, key: DebtorKey, point: PointKey) -> Result<(), StorageError> {
        for other in self.batch.streams_with_point(point)? {
            if other == key {
                continue;
            }
            if let Some(entry) = self.roster.get_mut(other) {
                entry.relatives = None;
            }
            self.look_anew(other)?;
        }
        Ok(())
    }

    /// Accounts or contact points changed hands: whoever shared or shares them looks anew.
    pub fn kinship_changed(&mut self, key: DebtorKey) -> Result<(), StorageError> {
        for relative in self.relatives(key)? {
            if let Some(entry) = self.roster.get_mut(relative) {
                entry.relatives = None;
            }
        }
        if let Some(entry) = self.roster.get_mut(key) {
            entry.relatives = None;
        }
        Ok(())
    }

    /// What other debtors' files say about the accounts and contact points of this one.
    pub fn elsewhere(&mut self, key: DebtorKey) -> Result<Elsewhere, StorageError> {
        let relatives = self.relatives(key)?;
        let mut elsewhere = Elsewhere::default();
        for relative in relatives {
            self.entry(relative)?;
            if let (Some(own), Some(other)) = (self.roster.get(key), self.roster.get(relative)) {
                elsewhere.add(&own.state, &other.state);
            }
        }
        elsewhere.sort();
        Ok(elsewhere)
    }

    /// Debtors that share an account or a contact point.
    pub fn relatives(&mut self, key: DebtorKey) -> Result<Vec<DebtorKey>, StorageError> {
        if let Some(known) = &self.entry(key)?.relatives {
            return Ok(known.clone());
        }
        let outline = &self.entry(key)?.state.outline;
        let points: Vec<_> = outline.points.iter().map(|point| point.point).collect();
        let accounts: Vec<_> = outline.accounts.iter().map(|account| account.account).collect();
        let mut found = Vec::new();
        for point in points {
            found.extend(self.batch.streams_with_point(point)?);
        }
        for account in accounts {
            found.extend(self.batch.streams_with_account(account)?);
        }
        found.retain(|relative| *relative != key);
        found.sort_unstable();
        found.dedup();
        if let Some(entry) = self.roster.get_mut(key) {
            entry.relatives = Some(found.clone());
        }
        Ok(found)
    }

    fn entry(&mut self, key: DebtorKey) -> Result<&Entry, StorageError> {
        if !self.roster.touch(key) {
            let (chain, events) = self.batch.load_for_state(Stream::Debtor(key))?;
            let mut state = DebtorState::fold(events);
            state.forget_words();
            self.roster.insert(key, Entry { state, chain, relatives: None });
        }
        self.roster.get(key).ok_or(StorageError::StaleChain)
    }

    /// Brings the table of requests and the agenda in line with the state.
    fn project(&mut self, key: DebtorKey, id: RequestId) -> Result<(), StorageError> {
        let Some(request) = self.roster.get(key).and_then(|entry| entry.state.requests.get(&id)) else {
            return Ok(());
        };
        let attempts = self.roster.get(key).map(|entry| &entry.state.attempts);
        let wake = schedule::wake(request, attempts);
        let row = schedule::row(id, key, request, wake);
        match wake {
            Some(at) => {
                let due = schedule::due(id, key, request, at);
                self.effect(Effect::Due(due));
            }
            None => self.effect(Effect::Done(Task::Request(id))),
        }
        self.batch.put_request(row);
        if let Some(entry) = self.roster.get_mut(key)
            && let Some(request) = entry.state.requests.get_mut(&id)
        {
            request.forget_words();
        }
        Ok(())
    }
}

/// The point that an event names beside those on the debtor's file: a stop or a contact may come from any.
fn named_point(body: &EventBody) -> Option<PointKey> {
    match body {
        EventBody::ConsentGranted(consent, _) => consent.point,
        EventBody::ConsentRevoked(stop, _) | EventBody::OptOutReceived(stop, _) => stop.point,
        EventBody::ContactRecorded(report, _) => report.contact.point,
        EventBody::InboundReceived(inbound, _) => inbound.point,
        EventBody::ReplyHeld(held, _) => Some(held.point),
        EventBody::DebtorUpdated(..)
        | EventBody::DebtorErased(..)
        | EventBody::PreferencesUpdated(..)
        | EventBody::HoldPlaced(..)
        | EventBody::HoldLifted(..)
        | EventBody::PermitIssued(..)
        | EventBody::PermitUsed(..)
        | EventBody::PermitExpired(..)
        | EventBody::PermitReturned(..)
        | EventBody::RequestAccepted(..)
        | EventBody::RequestCancelled(..)
        | EventBody::RequestExpired(..)
        | EventBody::DecisionMade(..)
        | EventBody::AttemptStarted(..)
        | EventBody::AttemptSent(..)
        | EventBody::AttemptFailed(..)
        | EventBody::AttemptUnknown(..)
        | EventBody::AttemptAbandoned(..)
        | EventBody::DeliveryUpdated(..)
        | EventBody::ReplyReleased(..)
        | EventBody::ContactPointInvalid(..)
        | EventBody::DisputeReceived(..)
        | EventBody::PromiseReceived(..)
        | EventBody::CallbackRequested(..)
        | EventBody::PolicyChanged(..)
        | EventBody::AccessRecorded(..)
        | EventBody::PausePlaced(..)
        | EventBody::PauseLifted(..) => None,
    }
}

/// The request that an event is about.
pub(in crate::pipeline) fn request_of(state: &DebtorState, body: &EventBody) -> Option<RequestId> {
    let of_attempt = |attempt: AttemptId| state.attempts.get(&attempt).map(|attempt| attempt.request);
    match body {
        EventBody::RequestAccepted(order, _) => Some(order.request),
        EventBody::RequestCancelled(end, _) | EventBody::RequestExpired(end, _) => Some(end.request),
        EventBody::DecisionMade(record, _) => record.request,
        EventBody::AttemptStarted(start, _) => Some(start.request),
        EventBody::AttemptSent(sent, _) => of_attempt(sent.attempt),
        EventBody::AttemptFailed(failure, _)
        | EventBody::AttemptUnknown(failure, _)
        | EventBody::AttemptAbandoned(failure, _) => of_attempt(failure.attempt),
        EventBody::DeliveryUpdated(update, _) => of_attempt(update.attempt),
        EventBody::DebtorUpdated(..)
        | EventBody::DebtorErased(..)
        | EventBody::ConsentGranted(..)
        | EventBody::ConsentRevoked(..)
        | EventBody::OptOutReceived(..)
        | EventBody::PreferencesUpdated(..)
        | EventBody::HoldPlaced(..)
        | EventBody::HoldLifted(..)
        | EventBody::ContactRecorded(..)
        | EventBody::PermitIssued(..)
        | EventBody::PermitUsed(..)
        | EventBody::PermitExpired(..)
        | EventBody::PermitReturned(..)
        | EventBody::InboundReceived(..)
        | EventBody::ReplyHeld(..)
        | EventBody::ReplyReleased(..)
        | EventBody::ContactPointInvalid(..)
        | EventBody::DisputeReceived(..)
        | EventBody::PromiseReceived(..)
        | EventBody::CallbackRequested(..)
        | EventBody::PolicyChanged(..)
        | EventBody::AccessRecorded(..)
        | EventBody::PausePlaced(..)
        | EventBody::PauseLifted(..) => None,
    }
}
