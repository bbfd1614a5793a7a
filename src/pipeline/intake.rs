//! A contact request comes in: checked as far as it can be, recorded, answered. Deciding comes later.

use crate::domain::channel::{Channel, Priority};
use crate::domain::event::{Actor, EventBody, RequestEnd, RequestSecret, Sealed};
use crate::domain::id::{AccountKey, DebtorKey, PointKey, RequestId};
use crate::domain::request::{ChannelChoice, ContactRequest, RequestOrder, RequestStatus};
use crate::domain::statement::FieldFault;
use crate::domain::time::Timestamp;
use crate::pipeline::agenda::{Due, Task};
use crate::pipeline::step::Step;
use crate::pipeline::unit::{Effect, Unit};
use crate::pipeline::{Desk, Refusal, dispatch, naming};
use crate::storage::StorageError;

/// What upstream hears of a request that was taken. The same request gets the same answer, for ever.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Accepted {
    /// Our identifier.
    pub id: RequestId,
    /// Upstream's.
    pub request_id: String,
    /// Always `accepted`: what became of it since is for `GET` to say.
    pub status: RequestStatus,
    /// Whether it was taken before.
    pub repeated: bool,
}

/// A request, checked as far as that needs no history.
pub struct Prepared {
    /// What is wrong with it by itself. A repeat still gets its first answer: what was right then may be past now.
    pub(in crate::pipeline) faults: Vec<FieldFault>,
    pub(in crate::pipeline) debtor: DebtorKey,
    pub(in crate::pipeline) order: RequestOrder,
    pub(in crate::pipeline) secret: RequestSecret,
    /// The keys that the named contact point may have, by kind.
    pub(in crate::pipeline) points: Vec<PointKey>,
}

/// Checks what a request says by itself; nothing is recorded.
pub fn prepare(desk: &Desk, request: ContactRequest) -> Prepared {
    let now = desk.clock.now();
    let mut faults = Vec::new();
    naming::check_id(&mut faults, "/request_id", &request.request_id);
    naming::check_id(&mut faults, "/debtor_id", &request.debtor_id);
    naming::check_ids(&mut faults, "/account_ids", &request.account_ids);
    check_channels(desk, &request, &mut faults);
    check_times(&request, now, &mut faults);
    let points = match &request.contact_point {
        None => Vec::new(),
        Some(value) => {
            let points = naming::points(desk, value);
            if points.is_empty() {
                faults
                    .push(FieldFault::new("/contact_point", "is not a phone number, email address or login"));
            }
            points
        }
    };
    let expires_at = request.expires_at.unwrap_or_else(|| now.plus(desk.settings.expire_after));
    let purpose = request.purpose.or_else(|| desk.templates.purpose(&request.template));
    let order = RequestOrder {
        accounts: keys(desk, &request.account_ids),
        body_digest: naming::digest(&request),
        cadence: None,
        campaign: request.campaign.as_deref().map(|name| desk.names.pseudonym("campaign", name)),
        channels: request.channels.clone(),
        expires_at,
        fallback_after: request.fallback_after,
        not_before: request.not_before,
        point: None,
        priority: request.priority.unwrap_or(Priority::Normal),
        purpose: purpose.unwrap_or(crate::domain::channel::Purpose::Collection),
        request: RequestId::new(now, &desk.entropy.ten()),
        request_key: desk.names.pseudonym("request", &request.request_id),
        says: desk.templates.says(&request.template).to_vec(),
        template: request.template,
    };
    let secret = RequestSecret {
        account_ids: request.account_ids,
        campaign: request.campaign,
        contact_point: request.contact_point,
        request_id: request.request_id,
        variables: request.variables,
        variables_of_others: serde_json::Map::new(),
    };
    Prepared { faults, debtor: desk.names.debtor(&request.debtor_id), order, secret, points }
}

/// Takes a prepared request, and decides at once what is due at once: one commit for both.
pub fn accept(
    unit: &mut Unit<'_>,
    actor: &Actor,
    prepared: Prepared,
) -> Result<Result<Accepted, Refusal>, StorageError> {
    let (accepted, due) = match admit(unit, actor, prepared)? {
        Ok(admitted) => admitted,
        Err(refusal) => return Ok(Err(refusal)),
    };
    if let Some(due) = due.filter(|due| due.at <= unit.now()) {
        look_at(unit, due, accepted.id)?;
    }
    Ok(Ok(accepted))
}

/// Decides at once a request that was recorded just now.
pub(in crate::pipeline) fn look_at(unit: &mut Unit<'_>, due: Due, id: RequestId) -> Result<(), StorageError> {
    match dispatch::look(unit, due.debtor, id, None)? {
        Step::Rest => {}
        step @ (Step::NeedsSlot(_) | Step::Send(_)) => unit.effect(Effect::Step(due, step)),
    }
    Ok(())
}

/// Takes a prepared request without deciding it: a repeat gets its first answer, a conflict is refused, a new one is recorded
/// and due at the moment given.
pub fn admit(
    unit: &mut Unit<'_>,
    actor: &Actor,
    prepared: Prepared,
) -> Result<Result<(Accepted, Option<Due>), Refusal>, StorageError> {
    let Prepared { mut faults, debtor, mut order, secret, points } = prepared;
    if let Some(earlier) = unit.batch.request_by_key(order.request_key)? {
        return Ok(if hex::encode(earlier.body_digest) == order.body_digest {
            let (id, status) = (earlier.request, RequestStatus::Accepted);
            Ok((Accepted { id, request_id: secret.request_id, status, repeated: true }, None))
        } else {
            Err(Refusal::Conflict("this request_id was used before with another body".to_owned()))
        });
    }
    if !faults.is_empty() {
        return Ok(Err(Refusal::Invalid(faults)));
    }
    let state = unit.debtor(debtor)?;
    if !state.is_on_file() {
        return Ok(Err(Refusal::invalid("/debtor_id", "is not a debtor on file")));
    }
    faults.extend(naming::unknown_accounts(state, "/account_ids", &order.accounts));
    order.point = points.iter().copied().find(|key| state.point(*key).is_some());
    if !points.is_empty() && order.point.is_none() {
        faults.push(FieldFault::new("/contact_point", "is not on this debtor's file"));
    }
    if !faults.is_empty() {
        return Ok(Err(Refusal::Invalid(faults)));
    }
    let (id, request_id) = (order.request, secret.request_id.clone());
    let at = order.not_before.unwrap_or(unit.now()).max(unit.now());
    let due = Due { at, priority: order.priority, task: Task::Request(id), debtor };
    unit.record(debtor, actor, EventBody::RequestAccepted(order, secret.into()))?;
    Ok(Ok((Accepted { id, request_id, status: RequestStatus::Accepted, repeated: false }, Some(due))))
}

/// Upstream takes a request back, as long as nothing of it is on its way.
pub fn cancel(
    unit: &mut Unit<'_>,
    actor: &Actor,
    id: RequestId,
) -> Result<Result<RequestStatus, Refusal>, StorageError> {
    let Some(row) = unit.batch.request(id)? else { return Ok(Err(Refusal::NotFound("contact request"))) };
    let status = unit.debtor(row.debtor)?.requests.get(&id).map(|request| request.status);
    match status {
        Some(RequestStatus::Accepted | RequestStatus::Deferred) => {
            let end = RequestEnd { because: None, request: id };
            unit.record(row.debtor, actor, EventBody::RequestCancelled(end, Sealed::Gone))?;
            Ok(Ok(RequestStatus::Cancelled))
        }
        Some(RequestStatus::Cancelled) => Ok(Ok(RequestStatus::Cancelled)),
        Some(status) => Ok(Err(Refusal::Conflict(format!(
            "the request is {status}: only what has not gone out can be cancelled"
        )))),
        None => Ok(Err(Refusal::NotFound("contact request"))),
    }
}

fn check_channels(desk: &Desk, request: &ContactRequest, faults: &mut Vec<FieldFault>) {
    if request.channels.is_empty() {
        faults.push(FieldFault::new("/channels", "must name at least one channel, or \"auto\""));
    }
    let mut named: Vec<Channel> = Vec::new();
    for (index, choice) in request.channels.iter().enumerate() {
        match choice {
            ChannelChoice::Auto if request.channels.len() > 1 => {
                faults.push(FieldFault::new(format!("/channels/{index}"), "\"auto\" must stand alone"));
            }
            ChannelChoice::Auto => {}
            ChannelChoice::Named(channel) if named.contains(channel) => {
                faults.push(FieldFault::new(format!("/channels/{index}"), "is named twice"));
            }
            ChannelChoice::Named(channel) => {
                if !desk.carriers.has(*channel) {
                    let detail = format!("no provider is configured for {channel}");
                    faults.push(FieldFault::new(format!("/channels/{index}"), detail));
                }
                named.push(*channel);
            }
        }
    }
    let checked = desk.templates.check(&request.template, &named, None, &request.variables);
    faults.extend(checked.into_iter().map(|(pointer, detail)| FieldFault { pointer, detail }));
}

fn check_times(request: &ContactRequest, now: Timestamp, faults: &mut Vec<FieldFault>) {
    if let Some(expires_at) = request.expires_at {
        if expires_at <= now {
            faults.push(FieldFault::new("/expires_at", "has passed"));
        } else if request.not_before.is_some_and(|not_before| expires_at <= not_before) {
            faults.push(FieldFault::new("/expires_at", "must be later than not_before"));
        }
    }
}

fn keys(desk: &Desk, account_ids: &[String]) -> Vec<AccountKey> {
    account_ids.iter().map(|id| desk.names.account(id)).collect()
}
