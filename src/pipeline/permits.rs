//! Contacts that others carry: reserved against the same caps and rules as our own, answered, given back, or expired.

use crate::domain::channel::Priority;
use crate::domain::channel::{Direction, Party, Purpose};
use crate::domain::contact::{Contact, ContactResult, ContactSource};
use crate::domain::contact_point::PointKind;
use crate::domain::decision::Outcome;
use crate::domain::event::{
    Actor, EventBody, PermitExpiry, PermitGrant, PermitReturn, PermitSecret, PermitUse, Sealed,
};
use crate::domain::id::PermitId;
use crate::domain::statement::{FieldFault, PermitOutcome, PermitQuery};
use crate::domain::time::{Span, Timestamp};
use crate::pipeline::agenda::{Due, Task};
use crate::pipeline::answer::DecisionAnswer;
use crate::pipeline::decide::{self, Asked, Circumstances, Terms};
use crate::pipeline::facts::{Intent, Subject};
use crate::pipeline::filing::{self, Filed};
use crate::pipeline::unit::{Effect, Unit};
use crate::pipeline::{Refusal, answer};
use crate::policy::ExpiredPermits;

/// How long a permit is good for where nothing is said.
const USUAL: Span = Span::minutes(15);
/// How long it may be good for at most.
const LONGEST: Span = Span::days(1);
/// A contact may be reported this far outside its permit, for clocks that differ.
const CLOCK_SKEW: Span = Span::minutes(5);

/// A contact reserved for somebody else.
#[derive(Clone, Debug)]
pub struct Permit {
    /// The permit.
    pub id: PermitId,
    /// Until when it may be used.
    pub expires_at: Timestamp,
    /// The decision that allows it.
    pub answer: DecisionAnswer,
}

/// Reserves a contact, or refuses with the decision.
pub fn issue(unit: &mut Unit<'_>, actor: &Actor, said: PermitQuery) -> Filed<Permit> {
    let now = unit.now();
    let key = unit.desk.names.debtor(&said.debtor_id);
    let mut faults = Vec::new();
    let ttl = said.ttl.unwrap_or(USUAL);
    if ttl > LONGEST || ttl.as_millis() == 0 {
        faults.push(FieldFault::new("/ttl", "must be longer than nothing and at most P1D"));
    }
    let kind = PointKind::of(said.channel);
    let about =
        filing::about(unit, key, &said.account_ids, said.contact_point.as_deref(), kind, &mut faults)?;
    let Some((accounts, point)) = about else {
        return Ok(Err(Refusal::invalid("/debtor_id", "is not a debtor on file")));
    };
    if point.is_some_and(|point| unit.debtor(key).is_ok_and(|state| state.point(point).is_none())) {
        faults.push(FieldFault::new("/contact_point", "is not on this debtor's file"));
    }
    if !faults.is_empty() {
        return Ok(Err(Refusal::Invalid(faults)));
    }
    let intent = Intent {
        accounts,
        automated: said.automated.unwrap_or(said.channel.automated_by_default()),
        at: now,
        channel: said.channel,
        party: said.party.unwrap_or(Party::Debtor),
        point,
        purpose: said.purpose.unwrap_or(Purpose::Collection),
        says: said.says,
    };
    let elsewhere = unit.elsewhere(key)?;
    let desk = unit.desk;
    let policy = unit.policy();
    let pauses = unit.pauses();
    let state = unit.debtor(key)?;
    let here = Circumstances { names: &*desk.names, pauses: &pauses };
    let decision = decide::decide(here, &policy, &Subject::new(state, &elsewhere), &intent, Terms::default());
    let answer = answer::answer(&*desk.names, &policy, state, decision.clone());
    if decision.outcome != Outcome::Allow {
        return Ok(Err(Refusal::Refused(Box::new(answer))));
    }
    let permit = PermitId::new(now, &desk.entropy.ten());
    // No permit outlives its own permission: the hours may close before the time asked for has run.
    let expires_at = decision.permitted_until.map_or(now.plus(ttl), |until| until.min(now.plus(ttl)));
    let grant = PermitGrant {
        contact: reserved(&intent, decision.point, permit),
        decision: decide::record(&policy, state, Asked::default(), decision),
        expires_at,
        permit,
        says: intent.says,
    };
    let secret = PermitSecret { account_ids: said.account_ids, contact_point: said.contact_point };
    unit.record(key, actor, EventBody::PermitIssued(grant, secret.into()))?;
    unit.facts_changed(key)?;
    let due = Due { at: expires_at, priority: Priority::Normal, task: Task::Permit(permit), debtor: key };
    unit.effect(Effect::Due(due));
    Ok(Ok(Permit { id: permit, expires_at, answer }))
}

/// A reserved contact counts from now on as one that was made.
fn reserved(intent: &Intent, point: Option<crate::domain::id::PointKey>, permit: PermitId) -> Contact {
    Contact {
        accounts: intent.accounts.clone(),
        automated: intent.automated,
        channel: intent.channel,
        direction: Direction::Outbound,
        occurred_at: intent.at,
        party: intent.party,
        point,
        purpose: intent.purpose,
        result: ContactResult::Sent,
        source: ContactSource::Permit(permit),
    }
}

/// Says what became of it. The contact was made while the permit was good: dated otherwise it would leave the windows of the
/// caps that it was reserved under.
pub fn used(unit: &mut Unit<'_>, actor: &Actor, permit: PermitId, said: PermitOutcome) -> Filed<()> {
    let now = unit.now();
    let Some(row) = unit.batch.permit(permit)? else { return Ok(Err(Refusal::NotFound("permit"))) };
    let state = unit.debtor(row.debtor)?;
    let Some(known) = state.permits.get(&permit).cloned() else {
        return Ok(Err(Refusal::NotFound("permit")));
    };
    let reserved = state.contacts.iter().find(|contact| contact.source == ContactSource::Permit(permit));
    let point = reserved.and_then(|contact| contact.point);
    let said_at = said.occurred_at;
    let fault = if said_at > now.plus(CLOCK_SKEW) {
        Some("lies in the future")
    } else if said_at < known.issued_at.minus(CLOCK_SKEW) {
        Some("lies before the permit was issued")
    } else if said_at > known.expires_at.plus(CLOCK_SKEW) {
        Some("lies after the permit expired: report such a contact with POST /v1/contact-events")
    } else {
        None
    };
    if let Some(detail) = fault {
        return Ok(Err(Refusal::invalid("/occurred_at", detail)));
    }
    let occurred_at = said_at.max(known.issued_at).min(now);
    let body = EventBody::PermitUsed(PermitUse { occurred_at, permit, result: said.result }, Sealed::Gone);
    let closed = close(unit, actor, permit, body)?;
    if closed.is_ok() {
        filing::close_wrong_number(unit, actor, row.debtor, said.result, point)?;
        unit.facts_changed(row.debtor)?;
    }
    Ok(closed)
}

/// Gives it back unused.
pub fn returned(unit: &mut Unit<'_>, actor: &Actor, permit: PermitId) -> Filed<()> {
    close(unit, actor, permit, EventBody::PermitReturned(PermitReturn { permit }, Sealed::Gone))
}

/// Nobody said: it goes on counting as used, the stricter reading, unless the packs in force give it back.
pub fn expire(unit: &mut Unit<'_>, permit: PermitId) -> Filed<()> {
    let counts = match unit.desk.policy.load().expired_permits() {
        ExpiredPermits::Used => true,
        ExpiredPermits::GivenBack => false,
    };
    let body = EventBody::PermitExpired(PermitExpiry { counts, permit }, Sealed::Gone);
    close(unit, &Actor::Gateway, permit, body)
}

fn close(unit: &mut Unit<'_>, actor: &Actor, permit: PermitId, body: EventBody) -> Filed<()> {
    let Some(row) = unit.batch.permit(permit)? else { return Ok(Err(Refusal::NotFound("permit"))) };
    let key = row.debtor;
    match unit.debtor(key)?.permits.get(&permit) {
        None => Ok(Err(Refusal::NotFound("permit"))),
        Some(state) if !(state.open || (state.late && matches!(body, EventBody::PermitUsed(..)))) => {
            Ok(Err(Refusal::Conflict("the permit was used, given back or expired before".to_owned())))
        }
        Some(_) => {
            unit.record(key, actor, body)?;
            unit.effect(Effect::Done(Task::Permit(permit)));
            unit.facts_changed(key)?;
            Ok(Ok(()))
        }
    }
}
