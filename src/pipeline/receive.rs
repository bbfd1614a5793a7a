//! What comes back: receipts, replies, one-click unsubscribes. Believed only once it is authenticated; a replay changes nothing.

use crate::domain::attempt::AttemptStatus;
use crate::domain::channel::Channel;
use crate::domain::consent::{OptOut, OptOutChannel};
use crate::domain::event::{
    Actor, DeliveryUpdate, EventBody, Inbound, InboundSecret, OptOutSecret, ReplyHold, Sealed, Understanding,
};
use crate::domain::id::{AttemptId, DebtorKey, PointKey, ReviewId};
use crate::domain::outcome::FailureCause;
use crate::pipeline::dispatch;
use crate::pipeline::understanding::understand;
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
}

/// A message that a debtor sent.
#[derive(Clone)]
pub struct Reply {
    /// Over which medium.
    pub channel: Channel,
    /// From which point, by key.
    pub point: PointKey,
    /// From which address.
    pub from: String,
    /// What it says.
    pub text: String,
    /// What the provider itself understood (`STOP`).
    pub keyword: Option<String>,
    /// The provider's identifier of it.
    pub provider_ref: Option<String>,
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
        status: said.status.filter(|_| moves).unwrap_or(known.status),
    };
    unit.record(debtor, actor, EventBody::DeliveryUpdated(update, Sealed::Gone))?;
    match point {
        // Also where it was called delivered before: a mailbox may bounce what its server took.
        Some(point) if failed => dispatch::invalidate(unit, debtor, channel, point, said.cause),
        Some(point) if said.complained => stop(unit, actor, debtor, channel, point, None),
        Some(_) | None => Ok(()),
    }
}

/// Records a reply on every file that has its point. A stop binds at once; what is not surely something else freezes the
/// address until a person has understood it. `false` if nobody has the point.
pub fn reply(unit: &mut Unit<'_>, actor: &Actor, said: &Reply) -> Result<bool, StorageError> {
    let understood = understand(&said.text, said.keyword.as_deref());
    if let (Actor::Provider(provider), Some(reference)) = (actor, &said.provider_ref)
        && !unit.batch.inbound_ref(provider, reference)?.is_empty()
    {
        return Ok(true);
    }
    let mut found = false;
    for debtor in unit.batch.streams_with_point(said.point)? {
        let state = unit.debtor(debtor)?;
        if state.point(said.point).is_none() {
            continue;
        }
        found = true;
        let frozen = state.frozen.iter().any(|(_, point)| *point == said.point);
        let inbound = Inbound {
            channel: said.channel,
            point: Some(said.point),
            provider_ref: said.provider_ref.clone(),
            understood,
        };
        let secret = InboundSecret { from: said.from.clone(), text: said.text.clone() };
        unit.record(debtor, actor, EventBody::InboundReceived(inbound, secret.into()))?;
        match understood {
            Understanding::Stop => {
                stop(unit, actor, debtor, said.channel, said.point, Some(said.text.clone()))?;
            }
            Understanding::Help | Understanding::Start | Understanding::Other => {}
            Understanding::WrongNumber | Understanding::Dispute | Understanding::Unclear if frozen => {}
            Understanding::WrongNumber | Understanding::Dispute | Understanding::Unclear => {
                let review = ReviewId::new(unit.now(), &unit.desk.entropy.ten());
                let held = ReplyHold { channel: said.channel, point: said.point, review };
                unit.record(debtor, &Actor::Gateway, EventBody::ReplyHeld(held, Sealed::Gone))?;
                unit.facts_changed(debtor)?;
            }
        }
    }
    Ok(found)
}

/// Records a reply from a point that is on no file. A stop is kept with the point, and binds whoever is loaded with it.
pub fn strange_reply(
    unit: &mut Unit<'_>,
    actor: &Actor,
    stranger: DebtorKey,
    said: &Reply,
) -> Result<(), StorageError> {
    let understood = understand(&said.text, said.keyword.as_deref());
    let inbound = Inbound {
        channel: said.channel,
        point: Some(said.point),
        provider_ref: said.provider_ref.clone(),
        understood,
    };
    let secret = InboundSecret { from: said.from.clone(), text: said.text.clone() };
    unit.record(stranger, actor, EventBody::InboundReceived(inbound, secret.into()))?;
    if understood == Understanding::Stop {
        stop(unit, actor, stranger, said.channel, said.point, Some(said.text.clone()))?;
    }
    Ok(())
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
    let state = unit.debtor(debtor)?;
    let newest_stop = state
        .opt_outs
        .iter()
        .filter(|stop| stop.point == Some(point) && stop.channel == OptOutChannel::Email)
        .map(|stop| stop.received_at)
        .max();
    let lifted = |since| state.consents.iter().any(|c| c.point == Some(point) && c.granted_at > since);
    if newest_stop.is_some_and(|since| !lifted(since)) {
        return Ok(());
    }
    let inbound = Inbound {
        channel: Channel::Email,
        point: Some(point),
        provider_ref: None,
        understood: Understanding::Stop,
    };
    unit.record(debtor, &Actor::Debtor, EventBody::InboundReceived(inbound, Sealed::Gone))?;
    stop(unit, &Actor::Debtor, debtor, Channel::Email, point, None)
}
