//! What a reassigned-numbers database says about the numbers on file: which are due to be asked about and since when, and what
//! was answered (47 CFR 64.1200(m), 12 CFR 1006.6(d)(5)).
//!
//! An answer is learned: it stays when upstream replaces the debtor, and it is found by every debtor who has the number.

use crate::domain::channel::{Direction, Party};
use crate::domain::contact::{Contact, ContactResult};
use crate::domain::contact_point::{
    PointKind, PointOutline, PointValue, ReassignmentCheck, ReassignmentResult,
};
use crate::domain::debtor::{DebtorFile, DebtorOutline};
use crate::domain::event::{Actor, DebtorSecret, EventBody};
use crate::domain::id::{DebtorKey, PointKey};
use crate::domain::number_check::{NumberCheck, keep, standing};
use crate::domain::state::DebtorState;
use crate::domain::time::{Date, Timestamp};
use crate::pipeline::filing::Filed;
use crate::pipeline::load::Loaded;
use crate::pipeline::unit::Unit;
use crate::pipeline::{Refusal, naming};
use crate::policy::zones_in_play;
use crate::storage::StorageError;

/// A number to ask about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    /// E.164.
    pub number: String,
    /// Since when: the last day on which it surely was the debtor's.
    pub since: Date,
}

/// What is to be done about a number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It is to be asked about.
    Due(Question),
    /// It was asked about lately, or only today became the debtor's.
    Fresh,
    /// It is not used any more: not the debtor's, or found reassigned.
    Closed,
    /// Nobody knows since when to ask: no consent, no message from it and no conversation over it is on file.
    Undated,
    /// The database does not know it: it is not a number of the United States.
    Abroad,
}

/// The last day on which a number surely was the debtor's, in the zone where that day is the earlier: the newest consent to be
/// reached there or message from there, and only where there is neither the newest conversation, since 12 CFR 1006.6(d)(5)
/// counts from the former and 47 CFR 64.1200(m) from any of them.
pub fn good_on(state: &DebtorState, outline: &DebtorOutline, point: PointKey) -> Option<Date> {
    let given = state.consents.iter().filter(|consent| {
        PointKind::of(consent.channel) == Some(PointKind::Phone)
            && consent.point.is_none_or(|key| key == point)
    });
    let theirs = |contact: &&Contact| contact.point == Some(point) && contact.party == Party::Debtor;
    let over = || state.contacts.iter().filter(theirs);
    let came = over().filter(|contact| contact.direction == Direction::Inbound);
    let spoken = over().filter(|contact| contact.result == ContactResult::Conversation);
    let at = given.map(|consent| consent.granted_at).chain(came.map(|contact| contact.occurred_at)).max();
    let at = at.or_else(|| spoken.map(|contact| contact.occurred_at).max())?;
    Some(local_day(outline, at))
}

fn local_day(outline: &DebtorOutline, at: Timestamp) -> Date {
    let days = zones_in_play(outline).into_iter().map(|zone| zone.local(at).date());
    days.min().unwrap_or_else(|| at.utc_date())
}

/// Where each of a debtor's numbers stands, on a day, if each is to be asked about every so many days.
pub fn standings(state: &DebtorState, today: Date, every_days: u16) -> Vec<Standing> {
    let Some(file) = &state.file else { return Vec::new() };
    let points = state.outline.points.iter().zip(&file.contact_points);
    let phones = points.filter(|(point, _)| point.kind == PointKind::Phone);
    phones
        .map(|(point, given)| {
            let stated = given.reassignment_check.as_ref();
            stand(state, point, &given.value, stated, today, every_days)
        })
        .collect()
}

fn stand(
    state: &DebtorState,
    point: &PointOutline,
    number: &str,
    stated: Option<&ReassignmentCheck>,
    today: Date,
    every_days: u16,
) -> Standing {
    // Toll-free numbers have no place; those of other countries have zones at least.
    let american = point.regions.iter().any(|region| region.starts_with("US-"))
        || (point.regions.is_empty() && point.zones.is_empty());
    if !(number.starts_with("+1") && american) {
        return Standing::Abroad;
    }
    let invalid = |known: &&crate::domain::event::PointInvalid| known.point == point.point;
    if state.invalid_points.iter().filter(invalid).any(|known| known.channel.is_none()) {
        return Standing::Closed;
    }
    let Some(since) = good_on(state, &state.outline, point.point) else { return Standing::Undated };
    let checks = || learned(&state.outline, point.point).chain(stated);
    let speaks = |check: &&ReassignmentCheck| check.speaks_for(Some(since));
    let reassigned = standing(checks(), Some(since)).filter(|check| check.result == ReassignmentResult::Yes);
    if reassigned.is_some_and(|check| speaks(&check)) {
        return Standing::Closed;
    }
    // A warning that asked about too early a date wants a better answer, whenever the last one was.
    let age = |check: &ReassignmentCheck| days_between(check.checked_on, today);
    let lately =
        reassigned.is_none() && checks().filter(speaks).any(|check| age(check) < i64::from(every_days));
    // The database is not asked about a day that is not over.
    if lately || since >= today {
        return Standing::Fresh;
    }
    Standing::Due(Question { number: number.to_owned(), since })
}

fn days_between(from: Date, to: Date) -> i64 {
    crate::domain::zone::day_of(to) - crate::domain::zone::day_of(from)
}

fn learned(outline: &DebtorOutline, point: PointKey) -> impl Iterator<Item = &ReassignmentCheck> {
    outline.number_checks.iter().filter(move |known| known.point == point).map(|known| &known.check)
}

/// Gives the outline of a file that upstream states anew what was learned about its numbers.
pub fn carry(outline: &mut DebtorOutline, file: &DebtorFile, state: &DebtorState) {
    outline.number_checks.clone_from(&state.outline.number_checks);
    settle(outline, file, state);
}

/// Puts at each number the answer that stands, of upstream's and of those that were learned.
fn settle(outline: &mut DebtorOutline, file: &DebtorFile, state: &DebtorState) {
    if outline.number_checks.is_empty() {
        return;
    }
    let stands: Vec<_> = outline
        .points
        .iter()
        .zip(&file.contact_points)
        .map(|(point, given)| {
            let all = learned(outline, point.point).chain(&given.reassignment_check);
            standing(all, good_on(state, outline, point.point)).cloned()
        })
        .collect();
    for (point, stands) in outline.points.iter_mut().zip(stands) {
        point.reassignment_check = stands;
    }
}

/// Stores an answer at every debtor who has the number; a stranger's number is refused.
pub fn record_check(
    unit: &mut Unit<'_>,
    actor: &Actor,
    number: &str,
    check: &ReassignmentCheck,
) -> Filed<Loaded> {
    let Ok(value) = PointValue::parse(PointKind::Phone, number) else {
        return Ok(Err(Refusal::invalid("/tn", "is not a North American telephone number of ten digits")));
    };
    if check.since > check.checked_on {
        return Ok(Err(Refusal::invalid("/date", "is later than the day on which the database was asked")));
    }
    // Somewhere east of Greenwich tomorrow has begun.
    if days_between(unit.now().utc_date(), check.checked_on) > 1 {
        return Ok(Err(Refusal::invalid("/checked_on", "lies in the future")));
    }
    let point = naming::point(&*unit.desk.names, &value);
    let (mut found, mut told, mut first) = (false, false, true);
    for debtor in unit.batch.streams_with_point(point)? {
        let state = unit.debtor(debtor)?;
        if !state.is_on_file() || state.point(point).is_none() {
            continue;
        }
        found = true;
        let known = learned(&state.outline, point).next().is_some();
        if take_in(unit, actor, debtor, vec![NumberCheck { check: check.clone(), point }])? {
            (told, first) = (true, first && !known);
            unit.facts_changed(debtor)?;
        }
    }
    Ok(match (found, told, first) {
        (false, _, _) => Err(Refusal::invalid("/tn", "is on no debtor's file")),
        (true, false, _) => Ok(Loaded::There),
        (true, true, true) => Ok(Loaded::New),
        (true, true, false) => Ok(Loaded::Changed),
    })
}

/// A debtor who was put on file learns what is known elsewhere about its numbers.
pub fn learn_elsewhere(unit: &mut Unit<'_>, key: DebtorKey) -> Result<(), StorageError> {
    let relatives = unit.relatives(key)?;
    if relatives.is_empty() {
        return Ok(());
    }
    let phones = unit.debtor(key)?.outline.points.iter().filter(|point| point.kind == PointKind::Phone);
    let phones: Vec<PointKey> = phones.map(|point| point.point).collect();
    let mut known = Vec::new();
    for relative in relatives {
        let checks = unit.debtor(relative)?.outline.number_checks.iter();
        known.extend(checks.filter(|check| phones.contains(&check.point)).cloned());
    }
    take_in(unit, &Actor::Gateway, key, known).map(drop)
}

/// Keeps answers on a debtor's file; false if all of them were there.
fn take_in(
    unit: &mut Unit<'_>,
    actor: &Actor,
    key: DebtorKey,
    checks: Vec<NumberCheck>,
) -> Result<bool, StorageError> {
    let state = unit.debtor(key)?;
    let (Some(debtor_id), Some(file)) = (&state.debtor_id, &state.file) else { return Ok(false) };
    let mut outline = state.outline.clone();
    let mut new = false;
    for check in checks {
        new |= keep(&mut outline.number_checks, check);
    }
    if !new {
        return Ok(false);
    }
    settle(&mut outline, file, state);
    let secret = DebtorSecret { debtor_id: debtor_id.clone(), file: file.clone() };
    unit.record(key, actor, EventBody::DebtorUpdated(outline, secret.into()))?;
    Ok(true)
}
