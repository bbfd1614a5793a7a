//! What comes back: receipts and one-click unsubscribes. Believed only once it is authenticated; a replay changes nothing.
//! Replies are taken in by [`replies`](crate::pipeline::replies).

use crate::domain::attempt::AttemptStatus;
use crate::domain::channel::Channel;
use crate::domain::consent::{OptOut, OptOutChannel};
use crate::domain::contact::ContactResult;
use crate::domain::contact_point::PointKind;
use crate::domain::event::{Actor, DeliveryUpdate, EventBody, Inbound, OptOutSecret, Sealed, Understanding};
use crate::domain::id::{AttemptId, DebtorKey, PointKey};
use crate::domain::intent::Intent;
use crate::domain::outcome::FailureCause;
use crate::pipeline::dispatch;
use crate::pipeline::unit::Unit;
use crate::storage::StorageError;

/// What a provider says became of an attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// What it means; none where the provider's word says nothing of the end.
    pub status: Option<AttemptStatus>,
    /// The provider's own word.
    pub reported: String,
    /// The provider's code.
    pub code: Option<String>,
    /// What it says of the address.
    pub cause: FailureCause,
    /// The person complained of the message as unwanted.
    pub complained: bool,
    /// The provider has it and is trying: news only of an attempt whose fate was unknown.
    pub in_hand: bool,
    /// How a call ended, where the report says.
    pub result: Option<ContactResult>,
}

/// The attempt that a provider's identifier belongs to.
pub fn attempt_of(
    unit: &mut Unit<'_>,
    provider: &str,
    provider_ref: &str,
) -> Result<Option<(DebtorKey, AttemptId)>, StorageError> {
    Ok(unit.batch.provider_ref(provider, provider_ref)?.map(|row| (row.debtor, row.attempt)))
}

/// Records a receipt. Receipts come late, twice and out of order: a status only gives way to one further along, one that
/// moves nothing is kept all the same, and the same one again is no news.
pub fn report(
    unit: &mut Unit<'_>,
    actor: &Actor,
    debtor: DebtorKey,
    attempt: AttemptId,
    said: &Report,
) -> Result<(), StorageError> {
    let state = unit.debtor(debtor)?;
    let Some(known) = state.attempts.get(&attempt) else { return Ok(()) };
    let (channel, point) = (known.channel, known.point);
    if said.in_hand && known.status != AttemptStatus::Unknown {
        return Ok(());
    }
    let moves = said.status.is_some_and(|status| known.status.moves_to(status));
    let repeated = known.receipts.iter().any(|(word, code)| *word == said.reported && *code == said.code);
    if repeated && !moves {
        return Ok(());
    }
    let failed = said.status == Some(AttemptStatus::Failed);
    let update = DeliveryUpdate {
        attempt,
        cause: failed.then_some(said.cause),
        code: said.code.clone(),
        reported: said.reported.clone(),
        result: said.result.filter(|_| moves),
        status: said.status.filter(|_| moves).unwrap_or(known.status),
    };
    unit.record(debtor, actor, EventBody::DeliveryUpdated(update, Sealed::Gone))?;
    match point {
        // Also where it was called delivered before: some servers take a message first and find out later that nobody is there.
        Some(point) if failed && (moves || !suppressed(unit, debtor, channel, point)?) => {
            dispatch::invalidate(unit, debtor, channel, point, said.cause)
        }
        Some(point) if said.complained && !stopped(unit, debtor, channel, point)? => {
            stop(unit, actor, debtor, channel, point, None)
        }
        Some(_) | None => Ok(()),
    }
}

/// Whether a point is known to be no use for a channel.
fn suppressed(
    unit: &mut Unit<'_>,
    debtor: DebtorKey,
    channel: Channel,
    point: PointKey,
) -> Result<bool, StorageError> {
    let known = &unit.debtor(debtor)?.invalid_points;
    Ok(known.iter().any(|known| known.point == point && known.channel.is_none_or(|of| of == channel)))
}

/// Whether the debtor closed a point for a channel, and has not opened it again.
fn stopped(
    unit: &mut Unit<'_>,
    debtor: DebtorKey,
    channel: Channel,
    point: PointKey,
) -> Result<bool, StorageError> {
    let now = unit.now();
    let mut stops = unit.debtor(debtor)?.stops_at(channel, point, now);
    // A stop about some accounts alone leaves the point open for the others.
    Ok(stops.any(|stop| stop.point == Some(point) && stop.accounts.is_empty()))
}

/// Records that a debtor closed a point for a channel.
pub fn stop(
    unit: &mut Unit<'_>,
    actor: &Actor,
    debtor: DebtorKey,
    channel: Channel,
    point: PointKey,
    text: Option<String>,
) -> Result<(), StorageError> {
    let closes = match channel {
        Channel::Sms => OptOutChannel::Sms,
        Channel::Email => OptOutChannel::Email,
        Channel::Voice => OptOutChannel::Voice,
        Channel::Portal => OptOutChannel::Portal,
        Channel::Letter | Channel::Visit => OptOutChannel::All,
    };
    let stop = OptOut { accounts: Vec::new(), channel: closes, point: Some(point), received_at: unit.now() };
    let secret = OptOutSecret { source: Some("debtor".to_owned()), text, ..OptOutSecret::default() };
    unit.record(debtor, actor, EventBody::OptOutReceived(stop, secret.into()))?;
    unit.facts_changed(debtor)
}

/// A one-click unsubscribe (RFC 8058): clicked twice, it is one stop.
pub fn unsubscribe(unit: &mut Unit<'_>, debtor: DebtorKey, point: PointKey) -> Result<(), StorageError> {
    // Only emails and portal entries carry such a link.
    let channel = match unit.debtor(debtor)?.point(point).map(|on_file| on_file.kind) {
        Some(PointKind::Portal) => Channel::Portal,
        Some(PointKind::Email | PointKind::Phone) | None => Channel::Email,
    };
    if stopped(unit, debtor, channel, point)? {
        return Ok(());
    }
    let inbound = Inbound {
        channel,
        intents: vec![Intent::Stop],
        point: Some(point),
        provider_ref: None,
        understood: Understanding::Stop,
    };
    unit.record(debtor, &Actor::Debtor, EventBody::InboundReceived(inbound, Sealed::Gone))?;
    stop(unit, &Actor::Debtor, debtor, channel, point, None)
}
