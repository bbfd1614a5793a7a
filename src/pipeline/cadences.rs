//! Cadences: the first step is asked for by upstream, each further one by the gateway, in the commit in which the one before it
//! went out or ended; what makes the rest pointless takes the waiting one back, in the commit that records it.
//!
//! `follow` is the only place where that happens, and [`Unit::record`] the only one that calls it: nothing that is recorded
//! goes past it, and nothing about a cadence is kept anywhere but in the history.

use crate::domain::cadence::{
    CadencePlace, CadenceRequest, CadenceState, Ending, Enrolment, Next, Plan, PlanStep, StopCondition,
    due_step, forestalled,
};
use crate::domain::channel::{Channel, Priority, Purpose};
use crate::domain::event::{Actor, EventBody, RequestEnd, RequestSecret, Sealed};
use crate::domain::id::{CadenceId, DebtorKey, RequestId};
use crate::domain::request::{ChannelChoice, RequestOrder, RequestStatus};
use crate::domain::state::DebtorState;
use crate::domain::statement::FieldFault;
use crate::domain::time::Timestamp;
use crate::pipeline::filing::Filed;
use crate::pipeline::intake::{self, Prepared};
use crate::pipeline::unit::{Effect, Unit};
use crate::pipeline::{Desk, Pipeline, Refusal, naming, preview};
use crate::storage::StorageError;

type Variables = serde_json::Map<String, serde_json::Value>;

/// What upstream hears of a cadence that was begun. The same one gets the same answer, for ever.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Begun {
    /// Our identifier.
    pub id: CadenceId,
    /// Upstream's.
    pub cadence_id: String,
    /// Whether it was begun before.
    pub repeated: bool,
}

/// A cadence to be begun, checked as far as that needs no history.
struct Beginning {
    cadence_id: String,
    plan: Option<Plan>,
    first: Prepared,
}

/// The identifier that upstream knows a step's request by.
fn request_id(cadence_id: &str, step: u32) -> String {
    format!("{cadence_id}/{step}")
}

/// The key of a step's request: apart from those of the requests that upstream names itself, whatever it calls them.
pub fn request_key(desk: &Desk, request_id: &str) -> crate::domain::id::Pseudonym {
    desk.names.pseudonym("cadence-request", request_id)
}

/// Upstream's identifier of a cadence, from what a step's request is known by.
pub fn cadence_id_of(request_id: &str) -> &str {
    request_id.rsplit_once('/').map_or(request_id, |(cadence, _)| cadence)
}

/// Checks what is said of a cadence by itself; nothing is recorded.
fn prepare(desk: &Desk, said: CadenceRequest) -> Beginning {
    let now = desk.clock.now();
    let mut faults = Vec::new();
    naming::check_id(&mut faults, "/cadence_id", &said.cadence_id);
    naming::check_id(&mut faults, "/debtor_id", &said.debtor_id);
    naming::check_ids(&mut faults, "/account_ids", &said.account_ids);
    let begins = said.not_before.unwrap_or(now).max(now);
    if said.expires_at.is_some_and(|end| end <= now) {
        faults.push(FieldFault::new("/expires_at", "has passed"));
    } else if said.expires_at.is_some_and(|end| end <= begins) {
        faults.push(FieldFault::new("/expires_at", "must be later than not_before"));
    }
    let plan = desk.plans.get(&said.plan).map(|filed| filed.plan.clone());
    match &plan {
        Some(plan) => check_steps(desk, plan, &said, &mut faults),
        None => {
            let known: Vec<&str> = desk.plans.all().map(|filed| filed.plan.name.as_str()).collect();
            let known = if known.is_empty() { "there is none".to_owned() } else { known.join(", ") };
            faults.push(FieldFault::new("/plan", format!("is not a plan of this installation: {known}")));
        }
    }
    let turn = plan.as_ref().map(|plan| plan.next(0, begins, said.expires_at));
    let (step, from, until) = match turn {
        Some(Next::Step { step, from, until, .. }) => (Some(step), from, until),
        Some(Next::End(_)) => {
            if faults.iter().all(|fault| fault.pointer != "/expires_at") {
                faults.push(FieldFault::new("/expires_at", "must be later than the plan's first step"));
            }
            (None, begins, begins)
        }
        None => (None, begins, begins),
    };
    let id = RequestId::new(now, &desk.entropy.ten());
    let enrolment = plan.clone().map(|plan| Enrolment { expires_at: said.expires_at, plan });
    let template = step.map(|step| step.template.clone()).unwrap_or_default();
    let body_digest = naming::digest(&said);
    let (variables, variables_of_others) = parted(desk, &template, said.variables);
    let order = RequestOrder {
        accounts: said.account_ids.iter().map(|id| desk.names.account(id)).collect(),
        body_digest,
        cadence: Some(Box::new(CadencePlace { cadence: CadenceId::of(id), enrolment, step: 1 })),
        campaign: said.campaign.as_deref().map(|name| desk.names.pseudonym("campaign", name)),
        channels: step.map(|step| step.channels.clone()).unwrap_or_default(),
        expires_at: until,
        fallback_after: None,
        not_before: (from > now).then_some(from),
        point: None,
        priority: Priority::Normal,
        purpose: purpose(desk, &template),
        request: id,
        request_key: request_key(desk, &request_id(&said.cadence_id, 1)),
        says: desk.templates.says(&template).to_vec(),
        template,
    };
    let secret = RequestSecret {
        account_ids: said.account_ids,
        campaign: said.campaign,
        contact_point: None,
        request_id: request_id(&said.cadence_id, 1),
        variables,
        variables_of_others,
    };
    let debtor = desk.names.debtor(&said.debtor_id);
    let first = Prepared { faults, debtor, order, secret, points: Vec::new() };
    Beginning { cadence_id: said.cadence_id, plan, first }
}

/// Whether every step of a plan can be written from the variables, and somebody carries its channels.
fn check_steps(desk: &Desk, plan: &Plan, said: &CadenceRequest, faults: &mut Vec<FieldFault>) {
    for (index, PlanStep { channels, template, .. }) in plan.steps.iter().enumerate() {
        let named: Vec<Channel> = channels
            .iter()
            .filter_map(|choice| match choice {
                ChannelChoice::Auto => None,
                ChannelChoice::Named(channel) => Some(*channel),
            })
            .collect();
        let of_plan = |detail: String| FieldFault::new("/plan", format!("step {}: {detail}", index + 1));
        for channel in named.iter().filter(|channel| !desk.carriers.has(**channel)) {
            faults.push(of_plan(format!("no provider is configured for {channel}")));
        }
        let (taken, _) = parted(desk, template, said.variables.clone());
        for (pointer, detail) in desk.templates.check(template, &named, None, &taken) {
            let fault = match pointer.starts_with("/variables") {
                true => FieldFault { pointer, detail },
                false => of_plan(detail),
            };
            // Steps share their variables, and mostly their template.
            if !faults.contains(&fault) {
                faults.push(fault);
            }
        }
    }
    let takes = |step: &PlanStep, name: &String| {
        desk.templates.manifest(&step.template).is_some_and(|manifest| manifest.variables.contains_key(name))
    };
    for name in said.variables.keys().filter(|name| !plan.steps.iter().any(|step| takes(step, name))) {
        let pointer = format!("/variables/{}", name.replace('~', "~0").replace('/', "~1"));
        faults.push(FieldFault::new(pointer, "is not a variable of any of the plan's templates"));
    }
}

/// The variables that a template takes, and the others.
fn parted(desk: &Desk, template: &str, all: Variables) -> (Variables, Variables) {
    let takes = |name: &String| {
        desk.templates.manifest(template).is_some_and(|manifest| manifest.variables.contains_key(name))
    };
    all.into_iter().partition(|(name, _)| takes(name))
}

fn purpose(desk: &Desk, template: &str) -> Purpose {
    desk.templates.purpose(template).unwrap_or(Purpose::Collection)
}

/// Begins a cadence: the request of its first step is taken, and decided at once if it is due at once.
fn begin(unit: &mut Unit<'_>, actor: &Actor, beginning: Beginning) -> Filed<Begun> {
    let Beginning { cadence_id, plan, first } = beginning;
    if let Some(earlier) = unit.batch.request_by_key(first.order.request_key)? {
        return Ok(if hex::encode(earlier.body_digest) == first.order.body_digest {
            Ok(Begun { id: CadenceId::of(earlier.request), cadence_id, repeated: true })
        } else {
            Err(Refusal::Conflict("this cadence_id was used before with another body".to_owned()))
        });
    }
    let now = unit.now();
    let state = unit.debtor(first.debtor)?;
    if let Some(plan) = plan.filter(|_| first.faults.is_empty() && state.is_on_file())
        && naming::unknown_accounts(state, "/account_ids", &first.order.accounts).is_empty()
        && let Some(condition) = forestalled(state, &plan, &first.order.accounts, now)
    {
        return Ok(Err(Refusal::Conflict(format!(
            "{condition} would end this cadence at once: it stands on the debtor's file already"
        ))));
    }
    let accepted = intake::accept(unit, actor, first)?;
    Ok(accepted.map(|accepted| Begun { id: CadenceId::of(accepted.id), cadence_id, repeated: false }))
}

/// What the event that is now part of the state calls for: the request of a cadence's next step. To be asked before the state
/// lets go of the words of the request before.
pub(in crate::pipeline) fn next_step(
    desk: &Desk,
    state: &DebtorState,
    ended: RequestId,
    now: Timestamp,
) -> Option<EventBody> {
    let (cadence, Next::Step { number, step, from, until }) = due_step(state, ended, now)? else {
        return None;
    };
    let before = state.requests.get(&ended)?;
    let Some(words) = before.secret.open() else {
        // Without the words nothing can be written. An erasure has ended the cadence before; else the debtor's key is lost.
        tracing::error!(%cadence, step = number, "cadence.words_lost");
        let end = RequestEnd { because: Some(Ending::Erased), request: ended };
        return Some(EventBody::RequestCancelled(end, Sealed::Gone));
    };
    let name = request_id(cadence_id_of(&words.request_id), number);
    // The same identifier whenever this step is made, in any process.
    let tail = desk.names.pseudonym("cadence-step", &format!("{cadence}/{number}"));
    let mut ten = [0; 10];
    ten.copy_from_slice(&tail.as_bytes()[..10]);
    let order = RequestOrder {
        accounts: before.order.accounts.clone(),
        body_digest: naming::digest(&(cadence, number)),
        cadence: Some(Box::new(CadencePlace { cadence, enrolment: None, step: number })),
        campaign: before.order.campaign,
        channels: step.channels.clone(),
        expires_at: until,
        fallback_after: None,
        not_before: Some(from),
        point: None,
        priority: before.order.priority,
        purpose: purpose(desk, &step.template),
        request: RequestId::new(now, &ten),
        request_key: request_key(desk, &name),
        says: desk.templates.says(&step.template).to_vec(),
        template: step.template.clone(),
    };
    let all = words.variables.clone().into_iter().chain(words.variables_of_others.clone()).collect();
    let (variables, variables_of_others) = parted(desk, &step.template, all);
    let secret = RequestSecret { request_id: name, variables, variables_of_others, ..words.clone() };
    Some(EventBody::RequestAccepted(order, secret.into()))
}

/// What follows from an event for a debtor's cadences: the next step is taken, and what makes a cadence pointless ends it.
pub(in crate::pipeline) fn follow(
    unit: &mut Unit<'_>,
    debtor: DebtorKey,
    next: Option<EventBody>,
    ended: &[(CadenceId, Ending)],
) -> Result<(), StorageError> {
    if let Some(next) = next {
        unit.record(debtor, &Actor::Gateway, next)?;
    }
    for (cadence, ending) in ended {
        let live = unit.debtor(debtor)?.cadences.get(cadence).filter(|cadence| cadence.is_live());
        if let Some(request) = live.and_then(|cadence| cadence.requests.last().copied()) {
            take_back(unit, &Actor::Gateway, debtor, request, Some(*ending))?;
        }
    }
    Ok(())
}

/// Takes a step back, and shuts the gate before one that is about to leave.
fn take_back(
    unit: &mut Unit<'_>,
    actor: &Actor,
    debtor: DebtorKey,
    request: RequestId,
    because: Option<Ending>,
) -> Result<(), StorageError> {
    let under_way = unit.debtor(debtor)?.requests.get(&request).map(|request| request.status);
    let end = RequestEnd { because, request };
    unit.record(debtor, actor, EventBody::RequestCancelled(end, Sealed::Gone))?;
    if under_way == Some(RequestStatus::Dispatching) {
        unit.effect(Effect::Overtaken(debtor));
    }
    Ok(())
}

/// What records a reason that binds beyond the cadence, and ends the cadence with that.
fn recorded_elsewhere(reason: StopCondition) -> Option<&'static str> {
    match reason {
        StopCondition::OptOut => Some("POST /v1/debtors/{debtor_id}/opt-outs"),
        StopCondition::Dispute => Some("PUT /v1/debtors/{debtor_id}/holds/dispute"),
        StopCondition::Hold => Some("PUT /v1/debtors/{debtor_id}/holds/{kind}"),
        StopCondition::Reply
        | StopCondition::Conversation
        | StopCondition::Promise
        | StopCondition::Payment
        | StopCondition::AccountClosed => None,
    }
}

/// Upstream takes a cadence back, or says what ended it.
fn cancel(unit: &mut Unit<'_>, actor: &Actor, id: CadenceId, reason: Option<StopCondition>) -> Filed<()> {
    let Some(row) = unit.batch.request(id.first())? else { return Ok(Err(Refusal::NotFound("cadence"))) };
    let state = unit.debtor(row.debtor)?;
    let Some(cadence) = state.cadences.get(&id) else { return Ok(Err(Refusal::NotFound("cadence"))) };
    let ending = reason.map_or(Ending::Cancelled, Ending::Stopped);
    match cadence.ended {
        Some((before, _)) if before == ending => return Ok(Ok(())),
        Some((before, _)) => {
            return Ok(Err(Refusal::Conflict(format!("the cadence has ended: {before}"))));
        }
        None => {}
    }
    let Some(request) = cadence.requests.last().copied() else { return Ok(Ok(())) };
    take_back(unit, actor, row.debtor, request, Some(ending))?;
    Ok(Ok(()))
}

impl Pipeline {
    /// Begins a cadence.
    ///
    /// # Errors
    /// What is wrong with it; the same `cadence_id` with another body; what stands against it already; or the history is out
    /// of reach.
    pub async fn begin_cadence(&self, actor: &Actor, said: CadenceRequest) -> Result<Begun, Refusal> {
        let (actor, beginning) = (actor.clone(), prepare(self.desk(), said));
        let begun = self.file(move |unit| begin(unit, &actor, beginning)).await?;
        self.shop.metrics.accepted(u64::from(!begun.repeated));
        Ok(begun)
    }

    /// Takes a cadence back, or says what ended it: once this returns, nothing more of it goes out.
    ///
    /// # Errors
    /// The reason must be recorded by itself; there is no such cadence, it has ended otherwise, or the history is out of reach.
    pub async fn cancel_cadence(
        &self,
        actor: &Actor,
        id: CadenceId,
        reason: Option<StopCondition>,
    ) -> Result<(), Refusal> {
        if let Some(elsewhere) = reason.and_then(recorded_elsewhere) {
            return Err(Refusal::invalid(
                "/reason",
                format!("would bind nothing here: record it with {elsewhere}"),
            ));
        }
        let actor = actor.clone();
        self.file(move |unit| cancel(unit, &actor, id, reason)).await
    }

    /// The state of the debtor whom a cadence is about; none if there is no such cadence.
    ///
    /// # Errors
    /// The history is out of reach.
    pub async fn cadence(&self, id: CadenceId) -> Result<Option<DebtorState>, Refusal> {
        let state = self.request(id.first()).await?;
        Ok(state.filter(|state| state.cadences.contains_key(&id)))
    }

    /// The state of the debtor whom the cadence of this name is about, and our identifier of it.
    ///
    /// # Errors
    /// The history is out of reach.
    pub async fn cadence_named(&self, cadence_id: &str) -> Result<Option<(CadenceId, DebtorState)>, Refusal> {
        let key = request_key(self.desk(), &request_id(cadence_id, 1));
        self.read(move |store| {
            let reader = store.reader()?;
            let Some(row) = reader.request_by_key(key)? else { return Ok(None) };
            let state = preview::fold(&reader, row.debtor)?;
            Ok(Some((CadenceId::of(row.request), state)))
        })
        .await
    }
}

/// Upstream's identifier of a cadence, from the words of its requests; none once the person is erased.
pub fn cadence_id(state: &DebtorState, cadence: &CadenceState) -> Option<String> {
    let words = cadence.requests.iter().find_map(|id| state.requests.get(id)?.secret.open())?;
    Some(cadence_id_of(&words.request_id).to_owned())
}
