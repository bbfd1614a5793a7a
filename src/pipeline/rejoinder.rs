//! What is answered by itself: one confirmation of a stop, and one text to who asks for help.
//!
//! Both are ordinary contact requests, recorded in the commit that records the reply: a reply that was taken in has its answer
//! on the way, whatever crashes, and one that comes twice has one. The law decides them like any other: a confirmation goes out
//! within five minutes, once, with nothing but that (47 CFR 64.1200(a)(12), 12 CFR 1006.14(h)(2)(i)); an answer to a question
//! where the debtor asked (CTIA Messaging Principles, HELP). Who is on no file gets neither.
//!
//! # Decisions
//! - 2026-11-23: what a vendor has understood by itself (a keyword beside the text) it has answered by itself: a second
//!   confirmation would be one too many.
//! - 2026-11-23: a confirmation follows a stop that changed something. Where the address was closed before, where it is not
//!   the debtor's, or where the debtor has died, nothing is said.
//! - 2026-11-23: a shared number is one phone: the first file that has it answers, the others do not.

use crate::domain::channel::{Channel, Priority, Purpose};
use crate::domain::event::{Actor, EventBody, RequestSecret};
use crate::domain::id::{DebtorKey, Pseudonym, RequestId};
use crate::domain::intent::Intent;
use crate::domain::request::{ChannelChoice, RequestOrder};
use crate::domain::state::DebtorState;
use crate::domain::time::{Span, Timestamp};
use crate::pipeline::agenda::{Due, Task};
use crate::pipeline::understanding::{Reply, Understood};
use crate::pipeline::unit::Unit;
use crate::pipeline::{Desk, intake, naming};
use crate::storage::StorageError;
use std::collections::BTreeSet;

/// The template of the confirmation.
pub const CONFIRMATION: &str = "opt-out-confirmation";
/// The template of the answer to HELP.
pub const HELP: &str = "help";
/// How long a confirmation may take (47 CFR 64.1200(a)(12)).
const CONFIRMED_WITHIN: Span = Span::minutes(5);
/// How long the answer to HELP is worth sending.
const HELPED_WITHIN: Span = Span::hours(1);
/// Between two answers to HELP from one address.
const HELP_EVERY: Span = Span::hours(24);

/// What is answered by itself; nothing unless it is asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rejoinders {
    /// The media over which a stop is confirmed.
    pub confirmation: BTreeSet<Channel>,
    /// The media over which HELP is answered.
    pub help: BTreeSet<Channel>,
}

/// Whether an address was closed already over the medium of a reply: a stop stands, and no later consent lifted it.
pub fn is_closed(state: &DebtorState, reply: &Reply, now: Timestamp) -> bool {
    state.stops_at(reply.channel, reply.point, now).any(|stop| stop.accounts.is_empty())
}

/// Orders what a reply is answered with, if it is.
pub fn answer(
    unit: &mut Unit<'_>,
    actor: &Actor,
    debtor: DebtorKey,
    said: &Understood,
    was_closed: bool,
) -> Result<(), StorageError> {
    let (reply, reading) = (&said.reply, &said.reading);
    let answers = &unit.desk.settings.rejoinders;
    let not_the_debtor = reading.says(Intent::WrongNumber) || reading.says(Intent::Deceased);
    if reply.keyword.is_some() || not_the_debtor {
        return Ok(());
    }
    if let Some(closes) = &reading.stop {
        let here = closes.here || closes.everything;
        if answers.confirmation.contains(&reply.channel) && here && !was_closed {
            return order(unit, actor, debtor, reply, CONFIRMATION);
        }
    } else if reading.says(Intent::Help) && answers.help.contains(&reply.channel) {
        let since = unit.now().minus(HELP_EVERY);
        if !was_helped(unit.debtor(debtor)?, reply, since) {
            return order(unit, actor, debtor, reply, HELP);
        }
    }
    Ok(())
}

/// The key of an answer's request: apart from those of the requests that upstream names itself, whatever it calls them.
pub fn request_key(desk: &Desk, request_id: &str) -> Pseudonym {
    desk.names.pseudonym("rejoinder-request", request_id)
}

fn was_helped(state: &DebtorState, reply: &Reply, since: Timestamp) -> bool {
    state.requests.values().any(|request| {
        let order = &request.order;
        order.template == HELP && order.point == Some(reply.point) && request.accepted_at > since
    })
}

/// Records the request, and decides it at once.
fn order(
    unit: &mut Unit<'_>,
    actor: &Actor,
    debtor: DebtorKey,
    reply: &Reply,
    template: &'static str,
) -> Result<(), StorageError> {
    let (now, desk) = (unit.now(), unit.desk);
    let Some(purpose) = desk.templates.purpose(template).filter(|_| desk.carriers.has(reply.channel)) else {
        tracing::warn!(template, channel = %reply.channel, "rejoinder.impossible");
        return Ok(());
    };
    let request = RequestId::new(now, &desk.entropy.ten());
    // Of the reply: the same one orders the same. Providers count for themselves: two may call theirs the same.
    let of = reply.provider_ref.clone().unwrap_or_else(|| request.to_string());
    let of = format!("{actor}\0{}\0{of}", reply.point);
    let request_id = format!("{template}:{}", desk.names.pseudonym("rejoinder", &of));
    let request_key = request_key(desk, &request_id);
    if unit.batch.request_by_key(request_key)?.is_some() {
        return Ok(());
    }
    let within = match purpose {
        Purpose::OptOutConfirmation => CONFIRMED_WITHIN,
        Purpose::Collection
        | Purpose::ValidationNotice
        | Purpose::RequiredNotice
        | Purpose::ConsumerRequested
        | Purpose::PaymentReceipt => HELPED_WITHIN,
    };
    let asked = RequestOrder {
        accounts: Vec::new(),
        body_digest: naming::digest(&(template, &request_id)),
        cadence: None,
        campaign: None,
        channels: vec![ChannelChoice::Named(reply.channel)],
        expires_at: now.plus(within),
        fallback_after: None,
        not_before: None,
        point: Some(reply.point),
        priority: Priority::Urgent,
        purpose,
        request,
        request_key,
        says: desk.templates.says(template).to_vec(),
        template: template.to_owned(),
    };
    let secret =
        RequestSecret { contact_point: Some(reply.from.clone()), request_id, ..RequestSecret::default() };
    unit.record(debtor, &Actor::Gateway, EventBody::RequestAccepted(asked, secret.into()))?;
    let due = Due { at: now, priority: Priority::Urgent, task: Task::Request(request), debtor };
    intake::look_at(unit, due, request)
}
