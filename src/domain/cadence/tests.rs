use super::*;
use crate::domain::attempt::AttemptStatus;
use crate::domain::channel::{Channel, Priority, Purpose};
use crate::domain::channel::{Direction, Party};
use crate::domain::consent::{Hold, HoldKind};
use crate::domain::contact::{Contact, ContactResult, ContactSource};
use crate::domain::event::{
    Actor, AttemptFailure, AttemptSecret, AttemptSent, AttemptStart, ContactReport, DeliveryUpdate, Event,
    EventBody, HoldSecret, Inbound, Nothing, PermitUse, RequestEnd, RequestSecret, Sealed, Understanding,
};
use crate::domain::id::{AttemptId, PermitId, Pseudonym};
use crate::domain::outcome::{FailureCause, FailureClass};
use crate::domain::request::RequestOrder;
use proptest::prelude::*;

/// What becomes of a step's request.
#[derive(Clone, Copy, Debug)]
enum Fate {
    Sent,
    Unknown,
    Expired,
    /// The first attempt never leaves, the second does.
    AbandonedOnce,
}

/// What comes in from outside.
#[derive(Clone, Copy, Debug)]
enum News {
    Reply,
    Hold,
    Retain,
    Conversation,
    Erasure,
    Cancelled,
}

/// A debtor under a clock of its own, and what the pipeline does: one event after the other, what follows at once.
struct World {
    state: DebtorState,
    events: Vec<Event>,
    now: Timestamp,
    made: u8,
    /// What its cadences are about.
    accounts: Vec<AccountKey>,
}

impl World {
    fn new() -> Self {
        let now = Timestamp::from_millis(1_795_000_000_000);
        Self { state: DebtorState::default(), events: Vec::new(), now, made: 0, accounts: Vec::new() }
    }

    fn dice(&mut self) -> [u8; 10] {
        self.made += 1;
        [self.made; 10]
    }

    fn record(&mut self, body: EventBody) {
        let stopped = stopped_by(&self.state, &body);
        let request = match &body {
            EventBody::RequestExpired(end, _) | EventBody::RequestCancelled(end, _) => Some(end.request),
            EventBody::AttemptSent(sent, _) => Some(self.state.attempts[&sent.attempt].request),
            EventBody::AttemptUnknown(failure, _) | EventBody::AttemptAbandoned(failure, _) => {
                Some(self.state.attempts[&failure.attempt].request)
            }
            _ => None,
        };
        let seq = self.state.seq + 1;
        let event = Event { actor: Actor::Gateway, at: self.now, body, seq };
        self.events.push(event.clone());
        self.state.apply(event);
        let due = request.and_then(|id| due_step(&self.state, id, self.now));
        let due = due.map(|(id, next)| match next {
            Next::Step { number, step, from, until } => (id, number, step.clone(), from, until),
            Next::End(_) => unreachable!("only steps are due"),
        });
        if let Some((cadence, number, step, from, until)) = due {
            let place = CadencePlace { cadence, enrolment: None, step: number };
            self.accept(place, &step, from, until);
        }
        for (cadence, ending) in stopped {
            if self.state.cadences[&cadence].is_live() {
                let request = *self.state.cadences[&cadence].requests.last().expect("one");
                self.end(request, Some(ending));
            }
        }
    }

    fn accept(&mut self, place: CadencePlace, step: &PlanStep, from: Timestamp, until: Timestamp) {
        let request = match place.step {
            1 => place.cadence.first(),
            _ => RequestId::new(self.now, &self.dice()),
        };
        let order = RequestOrder {
            accounts: self.accounts.clone(),
            body_digest: String::new(),
            cadence: Some(Box::new(place)),
            campaign: None,
            channels: step.channels.clone(),
            expires_at: until,
            fallback_after: None,
            not_before: Some(from),
            point: None,
            priority: Priority::Normal,
            purpose: Purpose::Collection,
            request,
            request_key: Pseudonym::from_bytes([0; 16]),
            says: Vec::new(),
            template: step.template.clone(),
        };
        self.record(EventBody::RequestAccepted(order, RequestSecret::default().into()));
    }

    fn begin(&mut self, plan: &Plan, expires_at: Option<Timestamp>) -> CadenceId {
        let id = CadenceId::of(RequestId::new(self.now, &self.dice()));
        if let Next::Step { step, from, until, .. } = plan.next(0, self.now, expires_at) {
            let enrolment = Some(Enrolment { expires_at, plan: plan.clone() });
            self.accept(CadencePlace { cadence: id, enrolment, step: 1 }, step, from, until);
        }
        id
    }

    fn end(&mut self, request: RequestId, because: Option<Ending>) {
        self.record(EventBody::RequestCancelled(RequestEnd { because, request }, Sealed::Gone));
    }

    /// The request that waits, if any.
    fn waiting(&self, id: CadenceId) -> Option<RequestId> {
        let cadence = self.state.cadences.get(&id).filter(|cadence| cadence.is_live())?;
        cadence.requests.last().copied()
    }

    fn start(&mut self, request: RequestId) -> AttemptId {
        let attempt = AttemptId::new(self.now, &self.dice());
        let contact = contact(self.now, ContactSource::Attempt(attempt));
        let start = AttemptStart {
            attempt,
            contact,
            message_digest: String::new(),
            others: Vec::new(),
            provider: "sandbox".to_owned(),
            request,
            template: "payment-reminder@1".to_owned(),
            zones: Vec::new(),
        };
        self.record(EventBody::AttemptStarted(start, Sealed::<AttemptSecret>::Gone));
        attempt
    }

    fn meet(&mut self, request: RequestId, fate: Fate, news: Option<News>) {
        let order = &self.state.requests[&request].order;
        let (from, until) = (order.not_before.expect("a moment"), order.expires_at);
        self.now = self.now.max(match fate {
            Fate::Expired => until,
            Fate::Sent | Fate::Unknown | Fate::AbandonedOnce => from,
        });
        if matches!(fate, Fate::Expired) {
            self.record(EventBody::RequestExpired(RequestEnd { because: None, request }, Sealed::Gone));
            return;
        }
        let attempt = self.start(request);
        // It comes while the message is on its way.
        if let Some(news) = news {
            self.hear(news);
        }
        let failed =
            |class| AttemptFailure { attempt, cause: FailureCause::Unspecified, class, code: String::new() };
        self.record(match fate {
            Fate::Unknown => EventBody::AttemptUnknown(failed(FailureClass::Uncertain), Sealed::Gone),
            Fate::AbandonedOnce => EventBody::AttemptAbandoned(failed(FailureClass::NeverLeft), Sealed::Gone),
            Fate::Sent | Fate::Expired => {
                EventBody::AttemptSent(AttemptSent { attempt, provider_ref: None }, Sealed::Gone)
            }
        });
        if self.state.requests[&request].status == RequestStatus::Accepted {
            let attempt = self.start(request);
            self.record(EventBody::AttemptSent(AttemptSent { attempt, provider_ref: None }, Sealed::Gone));
        }
    }

    fn hear(&mut self, news: News) {
        let hold = |kind| Hold { accounts: Vec::new(), kind, lifted_at: None, since: self.now };
        let body = match news {
            News::Reply => EventBody::InboundReceived(
                Inbound {
                    channel: Channel::Sms,
                    intents: Vec::new(),
                    point: None,
                    provider_ref: None,
                    understood: Understanding::Unclear,
                },
                Sealed::Gone,
            ),
            News::Hold => EventBody::HoldPlaced(hold(HoldKind::Attorney), Sealed::<HoldSecret>::Gone),
            News::Retain => EventBody::HoldPlaced(hold(HoldKind::Retain), Sealed::<HoldSecret>::Gone),
            News::Conversation => {
                let talked = ContactResult::Conversation;
                let source = ContactSource::Reported(Pseudonym::from_bytes([9; 16]));
                let contact = Contact { result: talked, ..contact(self.now, source) };
                let report = ContactReport { body_digest: String::new(), contact };
                EventBody::ContactRecorded(report, Sealed::Gone)
            }
            News::Erasure => {
                let awaits = |status| matches!(status, RequestStatus::Accepted | RequestStatus::Deferred);
                let open: Vec<RequestId> = self
                    .state
                    .requests
                    .values()
                    .filter(|r| awaits(r.status))
                    .map(|r| r.order.request)
                    .collect();
                open.into_iter().for_each(|request| self.end(request, Some(Ending::Erased)));
                EventBody::DebtorErased(Nothing {}, Sealed::Gone)
            }
            News::Cancelled => {
                let live = self.state.cadences.iter().find(|(_, cadence)| cadence.is_live());
                match live.and_then(|(_, cadence)| cadence.requests.last().copied()) {
                    Some(request) => {
                        EventBody::RequestCancelled(RequestEnd { because: None, request }, Sealed::Gone)
                    }
                    None => return,
                }
            }
        };
        self.record(body);
    }
}

fn contact(at: Timestamp, source: ContactSource) -> Contact {
    Contact {
        accounts: Vec::new(),
        automated: true,
        channel: Channel::Sms,
        direction: Direction::Outbound,
        occurred_at: at,
        party: Party::Debtor,
        point: None,
        purpose: Purpose::Collection,
        result: ContactResult::Sent,
        source,
    }
}

fn plans() -> impl Strategy<Value = Plan> {
    let step = (1..=30i64, 1..=10i64).prop_map(|(after, expire_after)| PlanStep {
        after: Span::days(after),
        channels: vec![ChannelChoice::Auto],
        expire_after: Span::days(expire_after),
        needs: None,
        template: "payment-reminder".to_owned(),
    });
    let stops = prop_oneof![Just(StopCondition::ALL.to_vec()), Just(StopCondition::BINDING.to_vec()),];
    (prop::collection::vec(step, 1..6), stops).prop_map(|(steps, stop_on)| Plan {
        digest: String::new(),
        name: "sample".to_owned(),
        steps,
        stop_on,
    })
}

fn fates() -> impl Strategy<Value = Vec<Fate>> {
    let fate =
        prop_oneof![Just(Fate::Sent), Just(Fate::Unknown), Just(Fate::Expired), Just(Fate::AbandonedOnce)];
    prop::collection::vec(fate, 6)
}

fn news() -> impl Strategy<Value = News> {
    prop_oneof![
        Just(News::Reply),
        Just(News::Hold),
        Just(News::Retain),
        Just(News::Conversation),
        Just(News::Erasure),
        Just(News::Cancelled),
    ]
}

/// What ends a cadence with such a plan, and with what reason.
fn expected(news: News, plan: &Plan) -> Option<Ending> {
    let stop = |condition| plan.stop_on.contains(&condition).then_some(Ending::Stopped(condition));
    match news {
        News::Reply => stop(StopCondition::Reply),
        News::Hold => stop(StopCondition::Hold),
        News::Conversation => stop(StopCondition::Conversation),
        News::Retain => None,
        News::Erasure => Some(Ending::Erased),
        News::Cancelled => Some(Ending::Cancelled),
    }
}

/// The requests of a cadence keep their distance and their order, and only the newest may be open.
fn is_a_chain(world: &World, id: CadenceId) {
    let cadence = &world.state.cadences[&id];
    let mut through: BTreeMap<RequestId, Timestamp> = BTreeMap::new();
    let mut state = DebtorState::default();
    for event in &world.events {
        state.apply(event.clone());
        for request in state.requests.values().filter(|request| is_through(request.status)) {
            through.entry(request.order.request).or_insert(event.at);
        }
    }
    for (index, pair) in cadence.requests.windows(2).enumerate() {
        let ended = through[&pair[0]];
        let next = &world.state.requests[&pair[1]];
        let place = next.order.cadence.as_ref().expect("a place");
        let step = &cadence.enrolment.plan.steps[index + 1];
        assert_eq!(usize::try_from(place.step).expect("small"), index + 2);
        assert_eq!(next.accepted_at, ended, "in the very commit");
        assert_eq!(next.order.not_before, Some(ended.plus(step.after)));
        assert!(next.order.expires_at <= ended.plus(step.after).plus(step.expire_after));
    }
    let open = cadence.requests.iter().filter(|id| world.state.requests[id].status.is_open()).count();
    assert!(open <= usize::from(cadence.is_live()), "nothing is open once it has ended");
}

proptest! {
    /// Left alone it takes every step, whatever becomes of each, and ends once.
    #[test]
    fn left_alone_every_step_is_taken_in_order(plan in plans(), fates in fates()) {
        let mut world = World::new();
        let id = world.begin(&plan, None);
        for fate in fates {
            if let Some(request) = world.waiting(id) {
                world.meet(request, fate, None);
            }
        }
        is_a_chain(&world, id);
        let cadence = &world.state.cadences[&id];
        prop_assert_eq!(cadence.requests.len(), plan.steps.len());
        prop_assert_eq!(cadence.ended, Some((Ending::Completed, world.now)));
    }

    /// What is heard, while a step waits or is under way, ends it then and there if the plan says so, and not otherwise.
    #[test]
    fn what_is_heard_ends_it_and_nothing_follows(
        plan in plans(), fates in fates(), told in 0..6usize, news in news(), under_way: bool,
    ) {
        let mut world = World::new();
        let id = world.begin(&plan, None);
        let ending = expected(news, &plan);
        let mut heard_at = None;
        for (step, fate) in fates.into_iter().enumerate() {
            let Some(request) = world.waiting(id) else { break };
            let now = step == told;
            let meets = under_way && !matches!(fate, Fate::Expired);
            if now && !meets {
                world.hear(news);
                heard_at = Some(world.now);
            }
            if world.waiting(id) == Some(request) {
                world.meet(request, fate, (now && meets).then_some(news));
                if now && meets {
                    heard_at = Some(world.now);
                }
            }
            if now && ending.is_some() {
                break;
            }
        }
        is_a_chain(&world, id);
        let cadence = &world.state.cadences[&id];
        match (heard_at, ending) {
            (Some(at), Some(ending)) => prop_assert_eq!(cadence.ended, Some((ending, at))),
            _ => prop_assert_eq!(cadence.ended.map(|(ending, _)| ending), Some(Ending::Completed)),
        }
        // Whatever comes later changes neither its end nor what was done.
        let (ended, steps) = (cadence.ended, cadence.requests.len());
        world.hear(News::Reply);
        world.hear(News::Hold);
        prop_assert_eq!(world.state.cadences[&id].ended, ended);
        prop_assert_eq!(world.state.cadences[&id].requests.len(), steps);
    }

    /// Its state is a fold over clear parts alone: it survives the erasure of every word, and a start at any event.
    #[test]
    fn the_clear_parts_tell_the_whole_cadence(plan in plans(), fates in fates(), news in news()) {
        let mut world = World::new();
        let id = world.begin(&plan, None);
        for fate in fates.into_iter().take(2) {
            if let Some(request) = world.waiting(id) {
                world.meet(request, fate, None);
            }
        }
        world.hear(news);
        let erased = world.events.iter().map(|event| {
            let clear = event.body.clear_json().expect("JSON");
            let body = EventBody::read(event.body.type_name(), &clear, None).expect("it reads back");
            Event { body, ..event.clone() }
        });
        prop_assert!(DebtorState::fold(erased).cadences == world.state.cadences);
    }

    /// No step begins at its end or later, and what is left then is given up.
    #[test]
    fn nothing_begins_after_its_end(plan in plans(), fates in fates(), days in 1..60i64) {
        let mut world = World::new();
        let end = world.now.plus(plan.steps[0].after).plus(Span::days(days));
        let id = world.begin(&plan, Some(end));
        for fate in fates {
            if let Some(request) = world.waiting(id) {
                world.meet(request, fate, None);
            }
        }
        is_a_chain(&world, id);
        let cadence = &world.state.cadences[&id];
        for request in &cadence.requests {
            let order = &world.state.requests[request].order;
            prop_assert!(order.not_before.expect("a moment") < end && order.expires_at <= end);
        }
        let whole = cadence.requests.len() == plan.steps.len();
        let ending = if whole { Ending::Completed } else { Ending::Expired };
        prop_assert_eq!(cadence.ended.map(|(ending, _)| ending), Some(ending));
    }
}

fn plan(stop_on: &[StopCondition]) -> Plan {
    let step = PlanStep {
        after: Span::days(3),
        channels: vec![ChannelChoice::Auto],
        expire_after: Span::days(2),
        needs: None,
        template: "payment-reminder".to_owned(),
    };
    Plan {
        digest: String::new(),
        name: "sample".to_owned(),
        steps: vec![step.clone(), step],
        stop_on: stop_on.to_vec(),
    }
}

/// What a contact made elsewhere, reported now, makes of a cadence that was begun just now.
fn reported(contact: impl FnOnce(Timestamp) -> Contact) -> Option<Ending> {
    let mut world = World::new();
    let id = world.begin(&plan(StopCondition::ALL), None);
    let report = ContactReport { body_digest: String::new(), contact: contact(world.now) };
    world.record(EventBody::ContactRecorded(report, Sealed::Gone));
    world.state.cadences[&id].ended.map(|(ending, _)| ending)
}

fn talk(at: Timestamp) -> Contact {
    let source = ContactSource::Reported(Pseudonym::from_bytes([9; 16]));
    Contact { result: ContactResult::Conversation, channel: Channel::Voice, ..contact(at, source) }
}

#[test]
fn what_was_made_elsewhere_before_it_began_does_not_end_it() {
    assert_eq!(reported(talk), Some(Ending::Stopped(StopCondition::Conversation)));
    assert_eq!(reported(|now| talk(now.minus(Span::millis(1)))), None);
    let inbound =
        |at| Contact { direction: Direction::Inbound, result: ContactResult::Delivered, ..talk(at) };
    assert_eq!(reported(inbound), Some(Ending::Stopped(StopCondition::Reply)));
    assert_eq!(reported(|now| inbound(now.minus(Span::days(1)))), None);
}

fn account(byte: u8) -> AccountKey {
    AccountKey(Pseudonym::from_bytes([byte; 16]))
}

/// Whether a conversation ends a cadence about one account, by whom it was with and what it was about: one that a permit was
/// used for, and one on a call of our own.
fn talked_with(party: Party, about: u8) -> (bool, bool) {
    let talked = ContactResult::Conversation;
    let ended = |how: &dyn Fn(&mut World, Contact)| {
        let mut world = World { accounts: vec![account(1)], ..World::new() };
        let id = world.begin(&plan(StopCondition::ALL), None);
        let source = ContactSource::Permit(PermitId::new(world.now, &[7; 10]));
        let contact = Contact { accounts: vec![account(about)], party, ..contact(world.now, source) };
        how(&mut world, contact);
        !world.state.cadences[&id].is_live()
    };
    let permitted = ended(&|world, contact| {
        let permit = PermitId::new(world.now, &[7; 10]);
        world.state.contacts.push(contact);
        let used = PermitUse { occurred_at: world.now, permit, result: talked };
        world.record(EventBody::PermitUsed(used, Sealed::Gone));
    });
    let called = ended(&|world, contact| {
        let attempt = AttemptId::new(world.now, &[7; 10]);
        let source = ContactSource::Attempt(attempt);
        world.state.contacts.push(Contact { source, ..contact });
        world.record(right_party(attempt));
    });
    (permitted, called)
}

/// Somebody on a call of ours pressed the key that says to be the debtor.
fn right_party(attempt: AttemptId) -> EventBody {
    let update = DeliveryUpdate {
        attempt,
        cause: None,
        code: None,
        reported: "right_party".to_owned(),
        result: Some(ContactResult::Conversation),
        status: AttemptStatus::Delivered,
    };
    EventBody::DeliveryUpdated(update, Sealed::Gone)
}

#[test]
fn a_conversation_ends_it_by_whom_it_was_with_and_what_it_was_about() {
    assert_eq!(talked_with(Party::Debtor, 1), (true, true));
    assert_eq!(talked_with(Party::Attorney, 1), (true, true));
    assert_eq!(talked_with(Party::Debtor, 2), (false, false), "another account");
    assert_eq!(talked_with(Party::Creditor, 1), (false, false), "not the debtor");
}

#[test]
fn the_key_that_says_it_is_me_is_a_reply() {
    let mut world = World::new();
    let stop_on: Vec<_> = StopCondition::BINDING.iter().copied().chain([StopCondition::Reply]).collect();
    let id = world.begin(&plan(&stop_on), None);
    let request = world.waiting(id).expect("one");
    let attempt = world.start(request);
    world.record(EventBody::AttemptSent(AttemptSent { attempt, provider_ref: None }, Sealed::Gone));
    world.record(right_party(attempt));
    let ended = world.state.cadences[&id].ended.map(|(ending, _)| ending);
    assert_eq!(ended, Some(Ending::Stopped(StopCondition::Reply)));
}

/// A cadence of which the last two of three steps need the first one; what became of that.
fn needing(fate: Fate) -> (World, CadenceId) {
    let plan = plan(StopCondition::ALL);
    let needs = PlanStep { needs: Some(1), ..plan.steps[1].clone() };
    let plan = Plan { steps: vec![plan.steps[0].clone(), needs.clone(), needs], ..plan };
    let mut world = World::new();
    let id = world.begin(&plan, None);
    let first = world.waiting(id).expect("one");
    world.meet(first, fate, None);
    (world, id)
}

fn receipt(attempt: AttemptId, status: AttemptStatus) -> EventBody {
    let failed = status == AttemptStatus::Failed;
    let update = DeliveryUpdate {
        attempt,
        cause: failed.then_some(FailureCause::InvalidAddress),
        code: None,
        reported: status.as_str().to_owned(),
        result: None,
        status,
    };
    EventBody::DeliveryUpdated(update, Sealed::Gone)
}

/// A receipt that says an attempt failed, which leaves it at a status.
fn bounce(attempt: AttemptId, stays: AttemptStatus) -> EventBody {
    let EventBody::DeliveryUpdated(update, secret) = receipt(attempt, AttemptStatus::Failed) else {
        unreachable!("a receipt")
    };
    EventBody::DeliveryUpdated(DeliveryUpdate { status: stays, ..update }, secret)
}

#[test]
fn what_needs_a_step_that_did_not_go_out_does_not_follow() {
    for fate in [Fate::Expired, Fate::Unknown] {
        let (world, id) = needing(fate);
        let cadence = &world.state.cadences[&id];
        assert_eq!(
            (cadence.ended, cadence.requests.len()),
            (Some((Ending::NotSent, world.now)), 1),
            "{fate:?}"
        );
    }
    for fate in [Fate::Sent, Fate::AbandonedOnce] {
        let (mut world, id) = needing(fate);
        // What the second one comes to is all the same to the third.
        let second = world.waiting(id).expect("one");
        world.meet(second, Fate::Expired, None);
        assert_eq!(world.state.cadences[&id].requests.len(), 3, "{fate:?}");
        is_a_chain(&world, id);
    }
}

#[test]
fn what_needs_a_step_that_came_back_is_taken_back() {
    let (mut world, id) = needing(Fate::Sent);
    let attempt = |world: &World, step: usize| {
        let request = world.state.cadences[&id].requests[step - 1];
        *world.state.requests[&request].attempts.last().expect("one")
    };
    let first = attempt(&world, 1);
    world.record(receipt(first, AttemptStatus::Delivered));
    assert!(world.state.cadences[&id].is_live());
    let second = world.waiting(id).expect("one");
    world.meet(second, Fate::Sent, None);
    let came_back = attempt(&world, 2);
    world.record(receipt(came_back, AttemptStatus::Failed));
    assert!(world.state.cadences[&id].is_live(), "nothing needs the second");
    world.record(receipt(first, AttemptStatus::Failed));
    assert_eq!(world.state.cadences[&id].ended, Some((Ending::NotSent, world.now)));
    is_a_chain(&world, id);
}

#[test]
fn what_needs_a_step_that_came_back_does_not_follow_either() {
    // The second step needs nothing; the third needs the first.
    let plan = plan(StopCondition::ALL);
    let third = PlanStep { needs: Some(1), ..plan.steps[1].clone() };
    let plan = Plan { steps: vec![plan.steps[0].clone(), plan.steps[1].clone(), third], ..plan };
    for repeated in [false, true] {
        let mut world = World::new();
        let id = world.begin(&plan, None);
        let first = world.waiting(id).expect("one");
        world.meet(first, Fate::Sent, None);
        let attempt = *world.state.requests[&first].attempts.last().expect("one");
        world.record(receipt(attempt, AttemptStatus::Delivered));
        // Its status does not move back, and stands in the receipt as it stays.
        world.record(bounce(attempt, AttemptStatus::Delivered));
        if repeated {
            world.record(receipt(attempt, AttemptStatus::Delivered));
        }
        assert!(world.state.cadences[&id].is_live(), "the second needs nothing");
        let second = world.waiting(id).expect("one");
        world.meet(second, Fate::Sent, None);
        let cadence = &world.state.cadences[&id];
        assert_eq!((cadence.ended, cadence.requests.len()), (Some((Ending::NotSent, world.now)), 2));
        is_a_chain(&world, id);
        // Told from the history again it is the same.
        let folded = DebtorState::fold(world.events.clone());
        assert_eq!(folded.cadences[&id].ended, cadence.ended);
    }
}

#[test]
fn what_went_out_another_time_is_enough_for_what_needs_it() {
    let plan = plan(StopCondition::ALL);
    let third = PlanStep { needs: Some(1), ..plan.steps[1].clone() };
    let plan = Plan { steps: vec![plan.steps[0].clone(), plan.steps[1].clone(), third], ..plan };
    let mut world = World::new();
    let id = world.begin(&plan, None);
    let first = world.waiting(id).expect("one");
    world.meet(first, Fate::Sent, None);
    let came_back = *world.state.requests[&first].attempts.last().expect("one");
    world.record(receipt(came_back, AttemptStatus::Delivered));
    let other = world.start(first);
    world.record(EventBody::AttemptSent(AttemptSent { attempt: other, provider_ref: None }, Sealed::Gone));
    world.record(bounce(came_back, AttemptStatus::Delivered));
    let second = world.waiting(id).expect("one");
    world.meet(second, Fate::Sent, None);
    assert_eq!(world.state.cadences[&id].requests.len(), 3, "its other message stays out");
}

#[test]
fn every_ending_has_its_word() {
    let stops = StopCondition::ALL.iter().copied().map(Ending::Stopped);
    let others = [Ending::Completed, Ending::Expired, Ending::Cancelled, Ending::Erased, Ending::NotSent];
    let all = others.into_iter().chain(stops);
    for ending in all {
        let json = serde_json::to_string(&ending).expect("JSON");
        assert_eq!(serde_json::from_str::<Ending>(&json).expect("read"), ending);
    }
    assert!(serde_json::from_str::<Ending>("\"paused\"").is_err());
}

#[test]
fn a_request_without_a_cadence_is_written_as_before() {
    let end = RequestEnd { because: None, request: RequestId::new(Timestamp::from_millis(0), &[4; 10]) };
    let body = EventBody::RequestExpired(end, Sealed::Gone);
    let clear = String::from_utf8(body.clear_json().expect("JSON")).expect("text");
    assert_eq!(clear, r#"{"request":"req_00000000000074048404040404040404"}"#);
}
