//! What people at the controls do: pauses, and replies held until understood.

use crate::domain::consent::{Hold, HoldKind};
use crate::domain::event::{
    Actor, EventBody, NoteSecret, Pause, PauseEnd, PointInvalid, ReplyRelease, ReviewResolution, Sealed,
    Statement,
};
use crate::domain::id::ReviewId;
use crate::domain::outcome::FailureCause;
use crate::domain::statement::{PauseStatement, ReviewAnswer};
use crate::pipeline::filing::Filed;
use crate::pipeline::unit::{Effect, Unit};
use crate::pipeline::{Refusal, receive};
use crate::storage::StorageError;
use std::sync::Arc;

/// Places or replaces a pause: in force for the next send.
pub fn pause(unit: &mut Unit<'_>, actor: &Actor, name: String, said: PauseStatement) -> Filed<()> {
    let pause = Pause {
        channel: said.channel,
        creditor: said.creditor,
        name,
        provider: said.provider,
        reason: said.reason,
        region: said.region,
        until: said.until,
    };
    let mut pauses = pauses_without(unit, &pause.name);
    pauses.push(pause.clone());
    // In the order in which a start finds them, so that which one speaks does not depend on when they were placed.
    pauses.sort_by(|a, b| a.name.cmp(&b.name));
    unit.record_installation(actor, &EventBody::PausePlaced(pause, Sealed::Gone))?;
    unit.effect(Effect::Pauses(Arc::new(pauses)));
    unit.effect(Effect::AllOvertaken);
    Ok(Ok(()))
}

/// Lifts a pause.
pub fn lift(unit: &mut Unit<'_>, actor: &Actor, name: String) -> Filed<()> {
    if !unit.pauses().iter().any(|pause| pause.name == name) {
        return Ok(Err(Refusal::NotFound("pause")));
    }
    let pauses = pauses_without(unit, &name);
    unit.record_installation(actor, &EventBody::PauseLifted(PauseEnd { name }, Sealed::Gone))?;
    unit.effect(Effect::Pauses(Arc::new(pauses)));
    Ok(Ok(()))
}

fn pauses_without(unit: &Unit<'_>, name: &str) -> Vec<Pause> {
    unit.pauses().iter().filter(|pause| pause.name != name).cloned().collect()
}

/// A person has understood a held reply.
pub fn resolve(unit: &mut Unit<'_>, actor: &Actor, review: ReviewId, said: ReviewAnswer) -> Filed<()> {
    let Some(row) = unit.batch.review(review)? else { return Ok(Err(Refusal::NotFound("review"))) };
    if row.resolution.is_some() {
        return Ok(Err(Refusal::Conflict("the review was resolved before".to_owned())));
    }
    let release = ReplyRelease { resolution: said.resolution, review };
    let note = NoteSecret { note: said.note.clone() };
    unit.record(row.debtor, actor, EventBody::ReplyReleased(release, note.into()))?;
    match said.resolution {
        ReviewResolution::NotStop => {}
        ReviewResolution::Stop => receive::stop(unit, actor, row.debtor, row.channel, row.point, None)?,
        ReviewResolution::WrongNumber => {
            let invalid =
                PointInvalid { cause: FailureCause::InvalidAddress, channel: None, point: row.point };
            unit.record(row.debtor, actor, EventBody::ContactPointInvalid(invalid, Sealed::Gone))?;
        }
        ReviewResolution::Dispute => dispute(unit, actor, row.debtor, row.channel)?,
    }
    unit.facts_changed(row.debtor)?;
    Ok(Ok(()))
}

/// A dispute bars collection until it is answered (12 CFR 1006.38).
fn dispute(
    unit: &mut Unit<'_>,
    actor: &Actor,
    debtor: crate::domain::id::DebtorKey,
    channel: crate::domain::channel::Channel,
) -> Result<(), StorageError> {
    let now = unit.now();
    let statement = Statement { accounts: Vec::new(), channel, received_at: now };
    unit.record(debtor, actor, EventBody::DisputeReceived(statement, Sealed::Gone))?;
    let hold = Hold { accounts: Vec::new(), kind: HoldKind::Dispute, lifted_at: None, since: now };
    unit.record(debtor, actor, EventBody::HoldPlaced(hold, Sealed::Gone))
}
