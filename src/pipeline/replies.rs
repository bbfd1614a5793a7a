//! What follows from a reply: the same for texts, emails, the portal and calls. Everything that restricts is in force with
//! the commit that records it; several things said at once all count.
//!
//! # Decisions
//! - 2026-11-23: "stop contacting me" and its like are a demand to cease (12 CFR 1006.6(c)): an opt-out from everything and
//!   a hold. A plain STOP closes the address it came from, over that medium.
//! - 2026-11-23: a debtor who says that it is paid, or cannot pay now, is recorded as saying so and nothing is barred: what
//!   upstream knows of payments decides. A complaint waits for a person, as does all that is not understood.
//! - 2026-11-23: START lifts the stop of the address it came from, by a consent of the debtor's own; it gives none where no
//!   stop stood, and none by email, whose senders are easily forged. YES is a courtesy.
//! - 2026-11-23: a reply whose sender is no address is recorded under what stands in its stead and waits for a person. To have the
//!   vendor try again was rejected: it would say the same for ever, and over SMPP hold up whoever wrote after it.

use crate::domain::channel::Channel;
use crate::domain::consent::{
    Consent, ConsentForm, ConsentScope, GivenTo, Hold, HoldKind, InconvenientTime, OptOut, OptOutChannel,
    Weekday,
};
use crate::domain::event::{
    Actor, ConsentSecret, EventBody, HoldSecret, Inbound, InboundSecret, NoteSecret, OptOutSecret,
    PointInvalid, PromiseSecret, ReplyHold, Sealed, Statement, Understanding,
};
use crate::domain::id::{DebtorKey, PointKey, ReviewId};
use crate::domain::intent::Intent;
use crate::domain::outcome::FailureCause;
use crate::pipeline::rejoinder;
use crate::pipeline::understanding::Understood;
use crate::pipeline::unit::Unit;
use crate::reply::{Attorney, Stop};
use crate::storage::StorageError;

/// Records a reply on every file that has its point, and what follows from it. `false` if nobody has the point.
pub fn receive(unit: &mut Unit<'_>, actor: &Actor, said: &Understood) -> Result<bool, StorageError> {
    if was_heard(unit, actor, said)? {
        return Ok(true);
    }
    let now = unit.now();
    let (mut found, mut answering, mut was_closed) = (false, None, false);
    for debtor in unit.batch.streams_with_point(said.reply.point)? {
        let state = unit.debtor(debtor)?;
        if state.point(said.reply.point).is_some() {
            found = true;
            was_closed |= rejoinder::is_closed(state, &said.reply, now);
            // Of an erased file the outline stays, but there is nobody to write to.
            answering = answering.or(state.is_on_file().then_some(debtor));
            take(unit, actor, debtor, said)?;
        }
    }
    if let Some(debtor) = answering {
        rejoinder::answer(unit, actor, debtor, said, was_closed)?;
    }
    Ok(found)
}

/// Records what was said on a call on the file of the one who was called. Of the others who have the number each learns of a
/// stop, of the number's own, and of nothing else that was said.
pub fn receive_on_call(
    unit: &mut Unit<'_>,
    actor: &Actor,
    called: DebtorKey,
    said: &Understood,
) -> Result<(), StorageError> {
    if was_heard(unit, actor, said)? {
        return Ok(());
    }
    let now = unit.now();
    let was_closed = rejoinder::is_closed(unit.debtor(called)?, &said.reply, now);
    take(unit, actor, called, said)?;
    let Some(alone) = said.stop_alone() else { return Ok(()) };
    for other in unit.batch.streams_with_point(said.reply.point)? {
        if other != called && unit.debtor(other)?.point(said.reply.point).is_some() {
            receive_from_stranger(unit, actor, other, &alone)?;
        }
    }
    rejoinder::answer(unit, actor, called, said, was_closed)
}

/// Whether the same provider told the same reply before.
fn was_heard(unit: &mut Unit<'_>, actor: &Actor, said: &Understood) -> Result<bool, StorageError> {
    let (Actor::Provider(provider), Some(reference)) = (actor, &said.reply.provider_ref) else {
        return Ok(false);
    };
    Ok(!unit.batch.inbound_ref(provider, reference)?.is_empty())
}

/// Records a reply of somebody of whom no more is known than the point. A stop is kept with the point, and binds whoever is
/// loaded with it.
pub fn receive_from_stranger(
    unit: &mut Unit<'_>,
    actor: &Actor,
    stranger: DebtorKey,
    said: &Understood,
) -> Result<(), StorageError> {
    inbound(unit, actor, stranger, said)?;
    let Some(closes) = &said.reading.stop else { return Ok(()) };
    // What binds whoever has the point is what stands with the point.
    let with_the_point =
        closed(said, closes).into_iter().map(|(channel, _)| (channel, Some(said.reply.point)));
    stop(unit, actor, stranger, said, with_the_point.collect())
}

/// Records a reply whose sender is no address. Nobody can be loaded with it, so a stop there binds nobody: a person must find out
/// whose words they are. Each stop waits for that by itself; of the rest, one for a sender at a time.
pub fn receive_from_nobody(
    unit: &mut Unit<'_>,
    actor: &Actor,
    stranger: DebtorKey,
    said: &Understood,
) -> Result<(), StorageError> {
    let waits = is_frozen(unit, stranger, said)?;
    receive_from_stranger(unit, actor, stranger, said)?;
    if waits && said.reading.stop.is_none() { Ok(()) } else { hold_back(unit, stranger, said) }
}

/// What one debtor's file learns from a reply.
pub fn take(
    unit: &mut Unit<'_>,
    actor: &Actor,
    debtor: DebtorKey,
    said: &Understood,
) -> Result<(), StorageError> {
    let frozen = is_frozen(unit, debtor, said)?;
    inbound(unit, actor, debtor, said)?;
    if let Some(closes) = &said.reading.stop {
        stop(unit, actor, debtor, said, closed(said, closes))?;
    }
    for found in &said.reading.found {
        effect(unit, actor, debtor, said, found.intent)?;
    }
    if said.is_held() && !frozen {
        hold_back(unit, debtor, said)?;
    }
    unit.facts_changed(debtor)
}

/// Whether a reply's point waits for a person already.
fn is_frozen(unit: &mut Unit<'_>, debtor: DebtorKey, said: &Understood) -> Result<bool, StorageError> {
    Ok(unit.debtor(debtor)?.frozen.iter().any(|(_, point)| *point == said.reply.point))
}

/// Has a reply wait until a person has understood it.
fn hold_back(unit: &mut Unit<'_>, debtor: DebtorKey, said: &Understood) -> Result<(), StorageError> {
    let review = ReviewId::new(unit.now(), &unit.desk.entropy.ten());
    let held = ReplyHold { channel: said.reply.channel, point: said.reply.point, review };
    unit.record(debtor, &Actor::Gateway, EventBody::ReplyHeld(held, Sealed::Gone))
}

fn inbound(
    unit: &mut Unit<'_>,
    actor: &Actor,
    debtor: DebtorKey,
    said: &Understood,
) -> Result<(), StorageError> {
    let inbound = Inbound {
        channel: said.reply.channel,
        intents: said.reading.intents(),
        point: Some(said.reply.point),
        provider_ref: said.reply.provider_ref.clone(),
        understood: said.word(),
    };
    let secret = InboundSecret { from: said.reply.from.clone(), text: said.reply.text.clone() };
    unit.record(debtor, actor, EventBody::InboundReceived(inbound, secret.into()))
}

fn effect(
    unit: &mut Unit<'_>,
    actor: &Actor,
    debtor: DebtorKey,
    said: &Understood,
    intent: Intent,
) -> Result<(), StorageError> {
    match intent {
        Intent::Cease => hold(unit, actor, debtor, HoldKind::Cease, said.reply.text.clone()),
        Intent::Refusal => hold(unit, actor, debtor, HoldKind::RefusesToPay, said.reply.text.clone()),
        Intent::Bankruptcy => hold(unit, actor, debtor, HoldKind::Bankruptcy, said.reply.text.clone()),
        Intent::Deceased => hold(unit, actor, debtor, HoldKind::Deceased, said.reply.text.clone()),
        Intent::Attorney => {
            let detail = attorney(said.reading.attorney.as_ref(), &said.reply.text);
            hold(unit, actor, debtor, HoldKind::Attorney, detail)
        }
        Intent::Dispute => {
            let about = statement(unit, said);
            let note = NoteSecret { note: Some(said.reply.text.clone()) };
            unit.record(debtor, actor, EventBody::DisputeReceived(about, note.into()))?;
            hold(unit, actor, debtor, HoldKind::Dispute, said.reply.text.clone())
        }
        Intent::WrongNumber => {
            let invalid =
                PointInvalid { cause: FailureCause::InvalidAddress, channel: None, point: said.reply.point };
            unit.record(debtor, actor, EventBody::ContactPointInvalid(invalid, Sealed::Gone))
        }
        Intent::Promise => {
            let now = unit.now();
            let promise = said.promise(unit.debtor(debtor)?, now);
            let secret = PromiseSecret {
                amount: promise.as_ref().and_then(|promise| promise.amount.clone()),
                due_on: promise.and_then(|promise| promise.due_on),
                note: Some(said.reply.text.clone()),
            };
            let about = statement(unit, said);
            unit.record(debtor, actor, EventBody::PromiseReceived(about, secret.into()))
        }
        Intent::CallBack => {
            let about = statement(unit, said);
            let note = NoteSecret { note: Some(said.reply.text.clone()) };
            unit.record(debtor, actor, EventBody::CallbackRequested(about, note.into()))
        }
        Intent::Inconvenient => inconvenient(unit, actor, debtor, said),
        Intent::Start => start(unit, actor, debtor, said),
        // A stop was recorded before all else; the others are said, and bar nothing.
        Intent::Stop
        | Intent::Help
        | Intent::Hardship
        | Intent::AlreadyPaid
        | Intent::Complaint
        | Intent::Question
        | Intent::Courtesy => Ok(()),
    }
}

fn statement(unit: &Unit<'_>, said: &Understood) -> Statement {
    Statement { accounts: Vec::new(), channel: said.reply.channel, received_at: unit.now() }
}

/// Places a hold on all accounts. One that is in force already stays as it is, with its older date.
fn hold(
    unit: &mut Unit<'_>,
    actor: &Actor,
    debtor: DebtorKey,
    kind: HoldKind,
    detail: String,
) -> Result<(), StorageError> {
    let now = unit.now();
    let stands = |hold: &Hold| hold.kind == kind && hold.accounts.is_empty() && hold.in_force(now);
    if unit.debtor(debtor)?.holds.iter().any(stands) {
        return Ok(());
    }
    let hold = Hold { accounts: Vec::new(), kind, lifted_at: None, since: now };
    let secret = HoldSecret { account_ids: Vec::new(), detail: Some(detail) };
    unit.record(debtor, actor, EventBody::HoldPlaced(hold, secret.into()))
}

/// The attorney's name and number first, then the debtor's words.
fn attorney(named: Option<&Attorney>, text: &str) -> String {
    let parts = named.into_iter().flat_map(|named| [named.name.clone(), named.phone.clone()]).flatten();
    let named: Vec<String> = parts.collect();
    if named.is_empty() { text.to_owned() } else { format!("{}: {text}", named.join(", ")) }
}

fn opt_out_channel(channel: Channel) -> Option<OptOutChannel> {
    match channel {
        Channel::Sms => Some(OptOutChannel::Sms),
        Channel::Email => Some(OptOutChannel::Email),
        Channel::Voice => Some(OptOutChannel::Voice),
        Channel::Portal => Some(OptOutChannel::Portal),
        // Others carry these; a stop of theirs alone has no channel in the contract.
        Channel::Letter | Channel::Visit => None,
    }
}

/// What a stop closes: the address, the media that it names, or everything.
fn closed(said: &Understood, closes: &Stop) -> Vec<(OptOutChannel, Option<PointKey>)> {
    if closes.everything {
        return vec![(OptOutChannel::All, None)];
    }
    let mut closed = Vec::new();
    if closes.here && !closes.named.contains(&said.reply.channel) {
        let here = opt_out_channel(said.reply.channel).unwrap_or(OptOutChannel::All);
        closed.push((here, Some(said.reply.point)));
        closed.extend(said.reply.answers.map(|answered| (here, Some(answered))));
    }
    closed.extend(closes.named.iter().copied().filter_map(opt_out_channel).map(|channel| (channel, None)));
    closed
}

/// Records what a stop closes.
fn stop(
    unit: &mut Unit<'_>,
    actor: &Actor,
    debtor: DebtorKey,
    said: &Understood,
    closed: Vec<(OptOutChannel, Option<PointKey>)>,
) -> Result<(), StorageError> {
    for (channel, point) in closed {
        let stop = OptOut { accounts: Vec::new(), channel, point, received_at: unit.now() };
        let secret = OptOutSecret {
            contact_point: point.filter(|point| *point == said.reply.point).map(|_| said.reply.from.clone()),
            source: Some("debtor".to_owned()),
            text: Some(said.reply.text.clone()).filter(|text| !text.is_empty()),
            ..OptOutSecret::default()
        };
        unit.record(debtor, actor, EventBody::OptOutReceived(stop, secret.into()))?;
    }
    unit.facts_changed(debtor)
}

/// Hours at which the debtor does not want to be reached, beside those already on file.
fn inconvenient(
    unit: &mut Unit<'_>,
    actor: &Actor,
    debtor: DebtorKey,
    said: &Understood,
) -> Result<(), StorageError> {
    let Some(hours) = &said.reading.hours else { return Ok(()) };
    let time = InconvenientTime {
        channels: hours.media.iter().copied().collect(),
        days: Weekday::ALL.to_vec(),
        from: hours.from,
        places: Vec::new(),
        since: Some(unit.now()),
        to: hours.to,
    };
    let mut preferences = unit.debtor(debtor)?.preferences.clone();
    preferences.inconvenient.push(time);
    unit.record(debtor, actor, EventBody::PreferencesUpdated(preferences, Sealed::Gone))
}

/// Lifts the stop of the address, if one stands.
fn start(
    unit: &mut Unit<'_>,
    actor: &Actor,
    debtor: DebtorKey,
    said: &Understood,
) -> Result<(), StorageError> {
    let (now, reply) = (unit.now(), &said.reply);
    let state = unit.debtor(debtor)?;
    let newest = state.stops_at(reply.channel, reply.point, now).map(|stop| stop.received_at).max();
    // A sender's address is easily forged in an email; a text comes signed by its vendor.
    let genuine = reply.channel != Channel::Email;
    let Some(newest) = newest.filter(|_| genuine && said.word() == Understanding::Start) else {
        return Ok(());
    };
    // A consent lifts a stop that is older than itself.
    let granted_at = if newest < now { now } else { newest.plus(crate::domain::time::Span::millis(1)) };
    for scope in [ConsentScope::Automated, ConsentScope::Electronic] {
        if !scope.fits(reply.channel) {
            continue;
        }
        let consent = Consent {
            accounts: Vec::new(),
            channel: reply.channel,
            expires_at: None,
            form: Some(ConsentForm::Electronic),
            given_to: GivenTo::Collector,
            granted_at,
            point: Some(reply.point),
            scope,
        };
        let secret = ConsentSecret {
            contact_point: Some(reply.from.clone()),
            evidence: Some(serde_json::json!({ "reply": reply.text })),
            source: Some("debtor".to_owned()),
            ..ConsentSecret::default()
        };
        unit.record(debtor, actor, EventBody::ConsentGranted(consent, secret.into()))?;
    }
    Ok(())
}
