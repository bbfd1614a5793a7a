//! What upstream states of a debtor is filed: checked, recorded, and everything pending decided anew.

use crate::domain::cadence::Ending;
use crate::domain::consent::{Consent, GivenTo, Hold, HoldKind, OptOut, OptOutChannel, Preferences};
use crate::domain::contact::{Contact, ContactResult, ContactSource};
use crate::domain::contact_point::PointKind;
use crate::domain::debtor::DebtorFile;
use crate::domain::event::{
    Actor, ConsentSecret, ContactReport, ContactSecret, DebtorSecret, EventBody, HoldLift, HoldSecret,
    Nothing, OptOutSecret, PointInvalid, Sealed,
};
use crate::domain::id::{AccountKey, DebtorKey, PointKey};
use crate::domain::outcome::FailureCause;
use crate::domain::statement::{ConsentStatement, ContactEvent, FieldFault, HoldStatement, OptOutStatement};
use crate::pipeline::unit::Unit;
use crate::pipeline::{Desk, Refusal, naming, numbers, outline};
use crate::storage::StorageError;

/// The outcome of a command that may be refused: refused, or done, or the store out of reach.
pub type Filed<T> = Result<Result<T, Refusal>, StorageError>;

/// The accounts and the contact point that a statement is about.
pub type About = (Vec<AccountKey>, Option<PointKey>);

/// What is stated may lie this far in the future, for clocks that differ.
pub(in crate::pipeline) const CLOCK_SKEW: crate::domain::time::Span = crate::domain::time::Span::minutes(5);

/// Creates or replaces a debtor. `true` if it was not on file.
pub fn put_debtor(unit: &mut Unit<'_>, actor: &Actor, debtor_id: String, file: DebtorFile) -> Filed<bool> {
    let mut faults = Vec::new();
    naming::check_id(&mut faults, "/debtor_id", &debtor_id);
    let mut outline = match outline::outline(unit.desk, &file) {
        Ok(outline) if faults.is_empty() => outline,
        Ok(_) => return Ok(Err(Refusal::Invalid(faults))),
        Err(more) => return Ok(Err(Refusal::Invalid(faults.into_iter().chain(more).collect()))),
    };
    let key = unit.desk.names.debtor(&debtor_id);
    let state = unit.debtor(key)?;
    let created = !state.is_on_file();
    numbers::carry(&mut outline, &file, state);
    unit.kinship_changed(key)?;
    unit.record(key, actor, EventBody::DebtorUpdated(outline, DebtorSecret { debtor_id, file }.into()))?;
    unit.kinship_changed(key)?;
    numbers::learn_elsewhere(unit, key)?;
    unit.facts_changed(key)?;
    Ok(Ok(created))
}

/// Erases a person: the key is destroyed, the history stays provable. A hold against erasure refuses.
pub fn erase(unit: &mut Unit<'_>, actor: &Actor, key: DebtorKey) -> Filed<()> {
    let now = unit.now();
    let state = unit.debtor(key)?;
    if !state.is_on_file() {
        return Ok(Err(Refusal::NotFound("debtor")));
    }
    if state.holds.iter().any(|hold| hold.kind == HoldKind::Retain && hold.in_force(now)) {
        return Ok(Err(Refusal::Conflict("a hold of kind retain bars erasure: lift it first".to_owned())));
    }
    let open: Vec<_> = state
        .open_requests()
        .filter(|(_, request)| crate::pipeline::schedule::awaits_decision(request))
        .map(|(id, request)| (*id, request.order.cadence.as_ref().map(|_| Ending::Erased)))
        .collect();
    for (request, because) in open {
        let end = crate::domain::event::RequestEnd { because, request };
        unit.record(key, actor, EventBody::RequestCancelled(end, Sealed::Gone))?;
    }
    unit.record(key, actor, EventBody::DebtorErased(Nothing {}, Sealed::Gone))?;
    unit.facts_changed(key)?;
    Ok(Ok(()))
}

/// Records a consent.
pub fn add_consent(unit: &mut Unit<'_>, actor: &Actor, key: DebtorKey, said: ConsentStatement) -> Filed<()> {
    let mut faults = Vec::new();
    if !said.scope.fits(said.channel) {
        let detail = format!("{} means nothing on {}", said.scope, said.channel);
        faults.push(FieldFault::new("/scope", detail));
    }
    let now = unit.now();
    // One that is yet to be given would lift a stop that comes before it.
    if said.granted_at > now.plus(CLOCK_SKEW) {
        faults.push(FieldFault::new("/granted_at", "lies in the future"));
    }
    if said.expires_at.is_some_and(|end| end <= said.granted_at) {
        faults.push(FieldFault::new("/expires_at", "must be later than granted_at"));
    }
    let kind = PointKind::of(said.channel);
    let about = about(unit, key, &said.account_ids, said.contact_point.as_deref(), kind, &mut faults)?;
    let Some((accounts, point)) = about else { return Ok(Err(Refusal::NotFound("debtor"))) };
    if !faults.is_empty() {
        return Ok(Err(Refusal::Invalid(faults)));
    }
    let consent = Consent {
        accounts,
        channel: said.channel,
        expires_at: said.expires_at,
        form: said.form,
        given_to: said.given_to.unwrap_or(GivenTo::Collector),
        // By a clock ahead of ours it would be later than a stop that comes now.
        granted_at: said.granted_at.min(now),
        point,
        scope: said.scope,
    };
    let secret = ConsentSecret {
        account_ids: said.account_ids,
        contact_point: said.contact_point,
        evidence: said.evidence,
        source: Some(said.source),
    };
    unit.record(key, actor, EventBody::ConsentGranted(consent, secret.into()))?;
    unit.facts_changed(key)?;
    Ok(Ok(()))
}

/// Records a stop. Once it is answered, no send that it forbids starts.
pub fn add_opt_out(unit: &mut Unit<'_>, actor: &Actor, key: DebtorKey, said: OptOutStatement) -> Filed<()> {
    let mut faults = Vec::new();
    let kind = match said.channel {
        OptOutChannel::Sms | OptOutChannel::Voice => Some(PointKind::Phone),
        OptOutChannel::Email => Some(PointKind::Email),
        OptOutChannel::Portal => Some(PointKind::Portal),
        OptOutChannel::All => None,
    };
    let about = about(unit, key, &said.account_ids, said.contact_point.as_deref(), kind, &mut faults)?;
    let Some((accounts, point)) = about else { return Ok(Err(Refusal::NotFound("debtor"))) };
    if !faults.is_empty() {
        return Ok(Err(Refusal::Invalid(faults)));
    }
    // A stop binds once it is acknowledged, even where upstream's clock is ahead of ours.
    let received_at = said.received_at.min(unit.now());
    let stop = OptOut { accounts, channel: said.channel, point, received_at };
    let secret = OptOutSecret {
        account_ids: said.account_ids,
        contact_point: said.contact_point,
        source: Some(said.source),
        text: said.text,
    };
    unit.record(key, actor, EventBody::OptOutReceived(stop, secret.into()))?;
    unit.facts_changed(key)?;
    Ok(Ok(()))
}

/// Replaces what the debtor prefers.
pub fn put_preferences(
    unit: &mut Unit<'_>,
    actor: &Actor,
    key: DebtorKey,
    preferences: Preferences,
) -> Filed<()> {
    let mut faults = Vec::new();
    for (index, time) in preferences.inconvenient.iter().enumerate() {
        if time.days.is_empty() {
            faults.push(FieldFault::new(format!("/inconvenient/{index}/days"), "must name at least one day"));
        }
        if time.from == time.to {
            faults.push(FieldFault::new(format!("/inconvenient/{index}/to"), "must differ from from"));
        }
    }
    if let Some(language) = &preferences.language {
        outline::check_language(&mut faults, "/language", language);
    }
    if !faults.is_empty() {
        return Ok(Err(Refusal::Invalid(faults)));
    }
    if !unit.debtor(key)?.is_on_file() {
        return Ok(Err(Refusal::NotFound("debtor")));
    }
    unit.record(key, actor, EventBody::PreferencesUpdated(preferences, Sealed::Gone))?;
    unit.facts_changed(key)?;
    Ok(Ok(()))
}

/// Places a hold, or replaces the open one of its kind.
pub fn place_hold(
    unit: &mut Unit<'_>,
    actor: &Actor,
    key: DebtorKey,
    kind: HoldKind,
    said: HoldStatement,
) -> Filed<()> {
    let mut faults = Vec::new();
    let Some((accounts, _)) = about(unit, key, &said.account_ids, None, None, &mut faults)? else {
        return Ok(Err(Refusal::NotFound("debtor")));
    };
    if !faults.is_empty() {
        return Ok(Err(Refusal::Invalid(faults)));
    }
    // A hold may begin on a later day; one that begins by a clock ahead of ours begins now.
    let now = unit.now();
    let since = if said.since <= now.plus(CLOCK_SKEW) { said.since.min(now) } else { said.since };
    let hold = Hold { accounts, kind, lifted_at: None, since };
    let secret = HoldSecret { account_ids: said.account_ids, detail: said.detail };
    unit.record(key, actor, EventBody::HoldPlaced(hold, secret.into()))?;
    unit.facts_changed(key)?;
    Ok(Ok(()))
}

/// Lifts the open hold of a kind.
pub fn lift_hold(unit: &mut Unit<'_>, actor: &Actor, key: DebtorKey, kind: HoldKind) -> Filed<()> {
    let now = unit.now();
    let state = unit.debtor(key)?;
    if !state.holds.iter().any(|hold| hold.kind == kind && hold.lifted_at.is_none()) {
        return Ok(Err(Refusal::NotFound("hold")));
    }
    unit.record(key, actor, EventBody::HoldLifted(HoldLift { kind, lifted_at: now }, Sealed::Gone))?;
    unit.facts_changed(key)?;
    Ok(Ok(()))
}

/// Records a contact made elsewhere. `true` if it was recorded before.
pub fn record_contact(unit: &mut Unit<'_>, actor: &Actor, said: ContactEvent) -> Filed<bool> {
    let mut faults = Vec::new();
    naming::check_id(&mut faults, "/event_id", &said.event_id);
    if said.occurred_at > unit.now().plus(CLOCK_SKEW) {
        faults.push(FieldFault::new("/occurred_at", "lies in the future"));
    }
    let event_key = unit.desk.names.pseudonym("contact-event", &said.event_id);
    let body_digest = naming::digest(&said);
    if let Some(earlier) = unit.batch.reported(event_key)? {
        return Ok(if earlier.body_digest == body_digest {
            Ok(true)
        } else {
            Err(Refusal::Conflict("this event_id was used before with another body".to_owned()))
        });
    }
    let key = unit.desk.names.debtor(&said.debtor_id);
    let kind = PointKind::of(said.channel);
    let about = about(unit, key, &said.account_ids, said.contact_point.as_deref(), kind, &mut faults)?;
    let Some((accounts, point)) = about else {
        return Ok(Err(Refusal::invalid("/debtor_id", "is not a debtor on file")));
    };
    if !faults.is_empty() {
        return Ok(Err(Refusal::Invalid(faults)));
    }
    let contact = Contact {
        accounts,
        automated: said.channel.automated_by_default(),
        channel: said.channel,
        direction: said.direction,
        // By a clock ahead of ours it would not count until then.
        occurred_at: said.occurred_at.min(unit.now()),
        party: said.party.unwrap_or(crate::domain::channel::Party::Debtor),
        point,
        purpose: said.purpose.unwrap_or(crate::domain::channel::Purpose::Collection),
        result: said.result,
        source: ContactSource::Reported(event_key),
    };
    let secret = ContactSecret {
        account_ids: said.account_ids,
        contact_point: said.contact_point,
        event_id: said.event_id,
    };
    let (result, report) = (contact.result, ContactReport { body_digest, contact });
    unit.record(key, actor, EventBody::ContactRecorded(report, secret.into()))?;
    close_wrong_number(unit, actor, key, result, point)?;
    unit.facts_changed(key)?;
    Ok(Ok(false))
}

/// A number that proved wrong is not the debtor's: nothing goes there any more, over whatever channel (12 CFR 1006.6(d)(1)).
pub fn close_wrong_number(
    unit: &mut Unit<'_>,
    actor: &Actor,
    key: DebtorKey,
    result: ContactResult,
    point: Option<PointKey>,
) -> Result<(), StorageError> {
    let Some(point) = point.filter(|_| result == ContactResult::WrongNumber) else { return Ok(()) };
    let closed = |known: &PointInvalid| known.point == point && known.channel.is_none();
    if unit.debtor(key)?.invalid_points.iter().any(closed) {
        return Ok(());
    }
    let invalid = PointInvalid { cause: FailureCause::InvalidAddress, channel: None, point };
    unit.record(key, actor, EventBody::ContactPointInvalid(invalid, Sealed::Gone))
}

/// What a statement is about, by keys. None where the debtor is not on file; faults where something named is not.
///
/// A point need not be on the file (a stop may come from a number that upstream does not know), but it must be one.
pub fn about(
    unit: &mut Unit<'_>,
    key: DebtorKey,
    account_ids: &[String],
    contact_point: Option<&str>,
    kind: Option<PointKind>,
    faults: &mut Vec<FieldFault>,
) -> Result<Option<About>, StorageError> {
    let desk = unit.desk;
    naming::check_ids(faults, "/account_ids", account_ids);
    let accounts: Vec<_> = account_ids.iter().map(|id| desk.names.account(id)).collect();
    let state = unit.debtor(key)?;
    if !state.is_on_file() {
        return Ok(None);
    }
    faults.extend(naming::unknown_accounts(state, "/account_ids", &accounts));
    let point = contact_point.and_then(|value| {
        let candidates = candidates(desk, value, kind);
        let found = candidates.iter().copied().find(|point| state.point(*point).is_some());
        found.or(candidates.first().copied())
    });
    if contact_point.is_some() && point.is_none() {
        faults.push(FieldFault::new("/contact_point", "is not a value that this channel can reach"));
    }
    Ok(Some((accounts, point)))
}

fn candidates(desk: &Desk, value: &str, kind: Option<PointKind>) -> Vec<PointKey> {
    match kind {
        Some(kind) => crate::domain::contact_point::PointValue::parse(kind, value)
            .map(|value| naming::point(&*desk.names, &value))
            .into_iter()
            .collect(),
        None => naming::points(desk, value),
    }
}
