//! From a due request to a message that has left: decide and record the intent in one step, send, record what came of it.

use crate::domain::attempt::AttemptStatus;
use crate::domain::channel::{Channel, Direction, Party};
use crate::domain::contact::{Contact, ContactResult, ContactSource};
use crate::domain::contact_point::PointValue;
use crate::domain::decision::{Decision, Outcome as Verdict};
use crate::domain::event::{
    Actor, AttemptFailure, AttemptSecret, AttemptSent, AttemptStart, EventBody, PointInvalid, RequestEnd,
    Sealed,
};
use crate::domain::id::{AttemptId, DebtorKey, PointKey, RequestId};
use crate::domain::message::{Content, Outgoing};
use crate::domain::outcome::{Failure, FailureCause, FailureClass, Outcome};
use crate::domain::request::RequestStatus;
use crate::domain::routing::{NotUsed, Routing};
use crate::domain::state::{DebtorState, RequestState};
use crate::domain::time::{Span, Timestamp};
use crate::pipeline::carriers::{Carrier, Slot};
use crate::pipeline::decide::{Asked, Circumstances};
use crate::pipeline::facts::Subject;
use crate::pipeline::routing::{Crossroads, Way};
use crate::pipeline::step::{Departure, Step};
use crate::pipeline::unit::{Effect, Unit};
use crate::pipeline::{Desk, calls, decide, receive, schedule, writing};
use crate::policy::Policy;
use crate::storage::StorageError;
use std::sync::Arc;

/// How long a request waits for a provider without a word about it.
const SHORT_WAIT: Span = Span::seconds(10);

/// Who carries a message, from where, and who might instead.
struct Course {
    carrier: Arc<Carrier>,
    others: Vec<String>,
    slot: Slot,
}

/// Looks at a due request: expires it, records why it must wait, or records the intent to send it. The provider's slot is
/// taken before, so that nothing stands between the decision and the send.
pub fn look(
    unit: &mut Unit<'_>,
    debtor: DebtorKey,
    id: RequestId,
    slot: Option<Slot>,
) -> Result<Step, StorageError> {
    let now = unit.now();
    let elsewhere = unit.elsewhere(debtor)?;
    let desk = unit.desk;
    let policy = unit.policy();
    let pauses = unit.pauses();
    let state = unit.debtor(debtor)?;
    let Some(request) = state.requests.get(&id).filter(|request| is_due(request)) else {
        return Ok(Step::Rest);
    };
    if now >= request.order.expires_at {
        return expire(unit, debtor, id);
    }
    let wake = schedule::wake(request, Some(&state.attempts));
    let held_back = waits(request);
    if let Some(wake) = wake.filter(|wake| *wake > now && !held_back) {
        let due = schedule::due(id, debtor, request, wake);
        unit.effect(Effect::Due(due));
        return Ok(Step::Rest);
    }
    let subject = Subject::new(state, &elsewhere);
    let here = Circumstances { names: &*desk.names, pauses: &pauses };
    let crossroads = Crossroads { desk, pauses: &pauses, state, request, now };
    let (channels, choices) = crossroads.channels();
    let decision = decide::decide_request(here, &policy, &subject, request, &channels, now);
    let channel = decision.channel;
    let asked = |routing: Routing| Asked {
        request: Some(id),
        channels: Some(channels.clone()),
        routing: routing.said(),
    };
    if decision.outcome != Verdict::Allow {
        let asked = asked(Routing { choices, ..Routing::default() });
        return wait(unit, &policy, debtor, id, asked, decision);
    }
    match crossroads.way(channel) {
        Way::Over { carrier, others, passed_over } => {
            let held = slot.filter(|slot| slot.is_of(&carrier));
            let Some(slot) = held.or_else(|| carrier.try_slot()) else {
                return Ok(Step::NeedsSlot(carrier));
            };
            let provider = (!passed_over.is_empty()).then(|| carrier.name.clone());
            let asked = asked(Routing { choices, passed_over, provider });
            depart(unit, &policy, debtor, asked, decision, Course { carrier, others, slot })
        }
        Way::Nobody(passed_over) => {
            let blocked = nobody(channel, now, &passed_over);
            let asked = asked(Routing { choices, passed_over, provider: None });
            wait(unit, &policy, debtor, id, asked, blocked)
        }
        Way::Later(until, passed_over) => {
            let moment = crossroads.again_at(id, channel, until, channels.len() > 1);
            let asked = asked(Routing { choices, passed_over, provider: None });
            stand_by(unit, &policy, debtor, id, asked, down(channel, now, moment))
        }
    }
}

/// None of a channel's providers may have it: a person can put that right.
fn nobody(channel: Channel, now: Timestamp, passed_over: &[NotUsed]) -> Decision {
    let why: Vec<String> =
        passed_over.iter().map(|passed| format!("{} ({})", passed.provider, passed.reason)).collect();
    let reason = format!("no provider for {channel} may have it: {}", why.join(", "));
    decide::house_block(channel, now, decide::NO_PROVIDER, "configuration [channels]", reason, None, true)
}

/// None of a channel's providers works just now.
fn down(channel: Channel, now: Timestamp, until: Timestamp) -> Decision {
    let reason = format!("no provider for {channel} works at the moment");
    decide::house_block(channel, now, decide::PROVIDERS_DOWN, "providers' health", reason, Some(until), true)
}

/// Has a request wait for a provider. A short wait is not worth a decision, and one that goes on not another.
fn stand_by(
    unit: &mut Unit<'_>,
    policy: &Policy,
    debtor: DebtorKey,
    id: RequestId,
    asked: Asked,
    decision: Decision,
) -> Result<Step, StorageError> {
    let now = unit.now();
    let moment = decision.permitted_from.unwrap_or(now);
    let state = unit.debtor(debtor)?;
    let Some(request) = state.requests.get(&id) else { return Ok(Step::Rest) };
    let known = request.decision.as_ref().is_some_and(|record| {
        schedule::is_down(record) && record.decision.channel == decision.channel && waits(request)
    });
    if known || moment.since(now) <= SHORT_WAIT {
        let due = schedule::due(id, debtor, request, moment.min(request.order.expires_at));
        unit.effect(Effect::Due(due));
        return Ok(Step::Rest);
    }
    let record = decide::record(policy, state, asked, decision);
    unit.record(debtor, &Actor::Gateway, EventBody::DecisionMade(record, Sealed::Gone))?;
    Ok(Step::Rest)
}

/// Whether a request is one to look at: awaiting its decision, or sent and about to fall back.
fn is_due(request: &RequestState) -> bool {
    schedule::awaits_decision(request) || (request.status == RequestStatus::Sent && request.may_fall_back())
}

/// Whether its newest decision holds it back: a new fact may change that before its time.
fn waits(request: &RequestState) -> bool {
    request.status == RequestStatus::Deferred || request.waits_to_fall_back()
}

fn expire(unit: &mut Unit<'_>, debtor: DebtorKey, id: RequestId) -> Result<Step, StorageError> {
    let sent = unit.debtor(debtor)?.requests.get(&id).filter(|r| r.status == RequestStatus::Sent);
    // What went out once is not expired: it only falls back no more.
    if let Some(row) = sent.map(|request| schedule::row(id, debtor, request, None)) {
        unit.batch.put_request(row);
    } else {
        let body = EventBody::RequestExpired(RequestEnd { because: None, request: id }, Sealed::Gone);
        unit.record(debtor, &Actor::Gateway, body)?;
    }
    Ok(Step::Rest)
}

/// Records why a request must wait, unless that is what stands there already.
fn wait(
    unit: &mut Unit<'_>,
    policy: &Policy,
    debtor: DebtorKey,
    id: RequestId,
    asked: Asked,
    decision: Decision,
) -> Result<Step, StorageError> {
    let state = unit.debtor(debtor)?;
    let record = decide::record(policy, state, asked, decision);
    let Some(request) = state.requests.get(&id) else { return Ok(Step::Rest) };
    if waits(request) && decide::repeats(&record, request.decision.as_ref()) {
        if let Some(wake) = schedule::wake(request, Some(&state.attempts)) {
            let due = schedule::due(id, debtor, request, wake);
            unit.effect(Effect::Due(due));
        }
        return Ok(Step::Rest);
    }
    unit.record(debtor, &Actor::Gateway, EventBody::DecisionMade(record, Sealed::Gone))?;
    Ok(Step::Rest)
}

/// Writes the message and records decision and intent together.
fn depart(
    unit: &mut Unit<'_>,
    policy: &Policy,
    debtor: DebtorKey,
    asked: Asked,
    decision: Decision,
    course: Course,
) -> Result<Step, StorageError> {
    let (now, desk) = (unit.now(), unit.desk);
    let state = unit.debtor(debtor)?;
    let Some(id) = asked.request else { return Ok(Step::Rest) };
    let Some(request) = state.requests.get(&id) else { return Ok(Step::Rest) };
    let Course { carrier, others, slot } = course;
    let written = decision
        .point
        .and_then(|key| value_of(desk, state, key).map(|value| (key, value)))
        .ok_or("the contact point's value is not on file".to_owned())
        .and_then(|(key, value)| {
            let message = writing::write(desk, debtor, state, request, &decision, key, &carrier, now)?;
            Ok((key, value, message))
        });
    let (point, to, rendered) = match written {
        Ok(written) => written,
        Err(reason) => {
            let citation = "configuration [collector] and the debtor's file";
            let rule = decide::NO_MESSAGE;
            let refused = decide::house_block(decision.channel, now, rule, citation, reason, None, false);
            return wait(unit, policy, debtor, id, asked, refused);
        }
    };
    let attempt = AttemptId::new(now, &desk.entropy.ten());
    let start = AttemptStart {
        attempt,
        contact: contact(request, &decision, point, attempt),
        message_digest: crate::pipeline::naming::digest(&rendered.content),
        others,
        provider: carrier.name.clone(),
        request: id,
        template: rendered.template_version,
        zones: crate::policy::zones_in_play(&state.outline)
            .iter()
            .map(|zone| zone.name().to_owned())
            .collect(),
    };
    let secret = AttemptSecret {
        content: rendered.content.clone(),
        language: rendered.language.clone(),
        to: to.expose().to_owned(),
    };
    let message = outgoing(desk, attempt, debtor, point, to, rendered.language, rendered.content, &carrier);
    let record = decide::record(policy, state, asked, decision);
    unit.record(debtor, &Actor::Gateway, EventBody::DecisionMade(record, Sealed::Gone))?;
    unit.record(debtor, &Actor::Gateway, EventBody::AttemptStarted(start, secret.into()))?;
    let ticket = carrier.depart(now);
    Ok(Step::Send(Box::new(Departure { attempt, request: id, debtor, message, carrier, slot, ticket })))
}

fn contact(request: &RequestState, decision: &Decision, point: PointKey, attempt: AttemptId) -> Contact {
    Contact {
        accounts: request.order.accounts.clone(),
        automated: true,
        channel: decision.channel,
        direction: Direction::Outbound,
        occurred_at: decision.at,
        party: Party::Debtor,
        point: Some(point),
        purpose: request.order.purpose,
        result: ContactResult::Sent,
        source: ContactSource::Attempt(attempt),
    }
}

#[expect(clippy::too_many_arguments, reason = "the parts of one message")]
fn outgoing(
    desk: &Desk,
    attempt: AttemptId,
    debtor: DebtorKey,
    point: PointKey,
    to: PointValue,
    language: String,
    content: Content,
    carrier: &Carrier,
) -> Outgoing {
    let public_url = desk.settings.public_url.trim_end_matches('/');
    let email = carrier.channel == Channel::Email;
    let call = calls::start(desk, carrier, attempt, &content);
    Outgoing {
        attempt,
        to,
        language,
        content,
        unsubscribe_url: email.then(|| writing::unsubscribe_url(desk, debtor, point)),
        status_callback_url: carrier.reports().then(|| {
            format!("{public_url}/callbacks/{}/{}/status?attempt={attempt}", carrier.channel, carrier.name)
        }),
        call,
    }
}

/// The value behind a key, from the debtor's file.
fn value_of(desk: &Desk, state: &DebtorState, key: PointKey) -> Option<PointValue> {
    let file = state.file.as_ref()?;
    file.contact_points
        .iter()
        .filter_map(|point| PointValue::parse(point.kind, &point.value).ok())
        .find(|value| crate::pipeline::naming::point(&*desk.names, value) == key)
}

/// Records what came of an attempt.
pub fn settle(
    unit: &mut Unit<'_>,
    debtor: DebtorKey,
    attempt: AttemptId,
    outcome: Outcome,
) -> Result<(), StorageError> {
    let known = unit.debtor(debtor)?.attempts.get(&attempt);
    let Some((status, channel, point)) = known.map(|a| (a.status, a.channel, a.point)) else { return Ok(()) };
    let failure = match outcome {
        Outcome::Accepted { provider_ref } => return accepted(unit, debtor, attempt, provider_ref),
        // A receipt may have overtaken the answer, and knows better.
        Outcome::Failed(_) if status != AttemptStatus::Started => return Ok(()),
        Outcome::Failed(failure) => failure,
    };
    let Failure { class, cause, code, retry_after_seconds: _ } = failure;
    let record = AttemptFailure { attempt, cause, class, code };
    let body = match class {
        FailureClass::NeverLeft | FailureClass::Throttled => {
            EventBody::AttemptAbandoned(record, Sealed::Gone)
        }
        FailureClass::Refused => EventBody::AttemptFailed(record, Sealed::Gone),
        FailureClass::Uncertain => EventBody::AttemptUnknown(record, Sealed::Gone),
    };
    unit.record(debtor, &Actor::Gateway, body)?;
    match point {
        Some(point) if class == FailureClass::Refused => invalidate(unit, debtor, channel, point, cause),
        Some(_) | None => Ok(()),
    }
}

/// The provider took it. Its identifier is recorded even where a receipt was faster; receipts that waited for it are now
/// matched.
pub fn accepted(
    unit: &mut Unit<'_>,
    debtor: DebtorKey,
    attempt: AttemptId,
    provider_ref: Option<String>,
) -> Result<(), StorageError> {
    let Some(known) = unit.debtor(debtor)?.attempts.get(&attempt) else { return Ok(()) };
    let news =
        known.status == AttemptStatus::Started || (known.provider_ref.is_none() && provider_ref.is_some());
    if !news || known.status == AttemptStatus::Abandoned {
        return Ok(());
    }
    let (provider, channel) = (known.provider.clone(), known.channel);
    let sent = AttemptSent { attempt, provider_ref: provider_ref.clone() };
    unit.record(debtor, &Actor::Gateway, EventBody::AttemptSent(sent, Sealed::Gone))?;
    let waited =
        provider_ref.map(|reference| unit.desk.parking.claim(&provider, &reference)).unwrap_or_default();
    let actor = Actor::Provider(format!("{channel}/{provider}"));
    waited.iter().try_for_each(|report| receive::report(unit, &actor, debtor, attempt, report))
}

/// A provider says that an address cannot be reached, or wants nothing more: it is not used on that channel again.
pub fn invalidate(
    unit: &mut Unit<'_>,
    debtor: DebtorKey,
    channel: Channel,
    point: PointKey,
    cause: FailureCause,
) -> Result<(), StorageError> {
    match cause {
        FailureCause::InvalidAddress | FailureCause::OptedOut => {
            let invalid = PointInvalid { cause, channel: Some(channel), point };
            unit.record(debtor, &Actor::Gateway, EventBody::ContactPointInvalid(invalid, Sealed::Gone))?;
            unit.facts_changed(debtor)
        }
        FailureCause::Content
        | FailureCause::Account
        | FailureCause::Provider
        | FailureCause::Unspecified => Ok(()),
    }
}
