//! The fold: a debtor's state is what its events say, and nothing else.

mod request;

use crate::domain::access::{self, Visit};
use crate::domain::attempt::AttemptStatus;
use crate::domain::cadence::{self, Cadences};
use crate::domain::channel::{Channel, Direction, Party, Purpose};
use crate::domain::consent::{Consent, Hold, OptOut, Preferences};
use crate::domain::contact::{Contact, ContactResult, ContactSource};
use crate::domain::contact_point::PointOutline;
use crate::domain::debtor::{DebtorFile, DebtorOutline};
use crate::domain::decision::Outcome;
use crate::domain::event::{
    AttemptFailure, AttemptSecret, AttemptStart, DecisionRecord, DeliveryUpdate, Event, EventBody, HoldLift,
    Inbound, PermitGrant, PermitUse, PointInvalid, RequestEnd, RequestSecret, Sealed, Understanding,
};
use crate::domain::id::{AccountKey, AttemptId, PermitId, PointKey, RequestId, ReviewId};
use crate::domain::outcome::{FailureCause, FailureClass};
use crate::domain::request::{RequestOrder, RequestStatus};
use crate::domain::state::request::Earlier;
use crate::domain::time::Timestamp;
use std::collections::BTreeMap;

/// A debtor as of its newest event.
#[derive(Clone, Default)]
pub struct DebtorState {
    /// The newest event folded; 0 before the first.
    pub seq: u64,
    /// Upstream's identifier; gone after erasure.
    pub debtor_id: Option<String>,
    /// What upstream knows; gone after erasure.
    pub file: Option<DebtorFile>,
    /// What the law goes on counting.
    pub outline: DebtorOutline,
    /// Every consent, in the order recorded.
    pub consents: Vec<Consent>,
    /// Every opt-out, in the order recorded.
    pub opt_outs: Vec<OptOut>,
    /// What the debtor prefers.
    pub preferences: Preferences,
    /// Every hold, lifted ones too.
    pub holds: Vec<Hold>,
    /// Every contact that counts or may count, by the time it occurred.
    pub contacts: Vec<Contact>,
    /// Points that must not be used.
    pub invalid_points: Vec<PointInvalid>,
    /// Points over which a text or email reached somebody else, and when: a rare thing, kept apart so that no decision has to
    /// look through every contact for it.
    pub disclosed: Vec<(PointKey, Timestamp)>,
    /// Points frozen by a reply that nobody has understood yet.
    pub frozen: Vec<(ReviewId, PointKey)>,
    /// Every contact request.
    pub requests: BTreeMap<RequestId, Box<RequestState>>,
    /// Every attempt.
    pub attempts: BTreeMap<AttemptId, Box<AttemptState>>,
    /// Every permit.
    pub permits: BTreeMap<PermitId, PermitState>,
    /// The newest visits by signed link.
    pub visits: Vec<Visit>,
    /// Every cadence.
    pub cadences: Cadences,
}

/// A contact request as of the debtor's newest event.
#[derive(Clone)]
pub struct RequestState {
    /// What was asked, without anything personal.
    pub order: RequestOrder,
    /// Upstream's own words; gone after erasure.
    pub secret: Sealed<RequestSecret>,
    /// When it was accepted.
    pub accepted_at: Timestamp,
    /// Where it stands.
    pub status: RequestStatus,
    /// Whether it was taken back while an attempt was under way: nothing follows that attempt.
    pub withdrawn: bool,
    /// The newest decision.
    pub decision: Option<DecisionRecord>,
    /// Its attempts, in order.
    pub attempts: Vec<AttemptId>,
    /// The channels on which something left or may have left.
    pub tried: Vec<Channel>,
    /// Attempts in a row that never left, for the pause before the next.
    pub setbacks: u32,
}

/// An attempt as of the debtor's newest event.
#[derive(Clone)]
pub struct AttemptState {
    /// The request it is made for.
    pub request: RequestId,
    /// The medium.
    pub channel: Channel,
    /// To which point.
    pub point: Option<PointKey>,
    /// Who carries it.
    pub provider: String,
    /// The channel's other providers that may be tried, should this one surely reach nobody.
    pub others: Vec<String>,
    /// The provider's own identifier of it.
    pub provider_ref: Option<String>,
    /// Where it stands.
    pub status: AttemptStatus,
    /// When its intent became durable.
    pub started_at: Timestamp,
    /// When its status last moved.
    pub finished_at: Option<Timestamp>,
    /// Why it did not succeed.
    pub failure: Option<AttemptFailure>,
    /// How a call ended, as far as is known.
    pub result: Option<ContactResult>,
    /// Whether a receipt said that it failed, also where its status did not move back.
    pub came_back: bool,
    /// The receipts recorded of it: the provider's word and code, so that the same one again is known.
    pub receipts: Vec<(String, Option<String>)>,
    /// The message as sent; gone after erasure.
    pub message: Sealed<AttemptSecret>,
}

/// A permit as of the debtor's newest event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PermitState {
    /// Until when it may be used.
    pub expires_at: Timestamp,
    /// From when it may be used.
    pub issued_at: Timestamp,
    /// Whether it awaits its outcome.
    pub open: bool,
    /// Whether it expired unanswered and counts as used, so that its outcome is still welcome.
    pub late: bool,
}

impl DebtorState {
    /// The state after a run of events, from the first.
    pub fn fold(events: impl IntoIterator<Item = Event>) -> Self {
        let mut state = Self::default();
        for event in events {
            state.apply(event);
        }
        state
    }

    /// Whether upstream has put the debtor on file and it has not been erased since.
    pub fn is_on_file(&self) -> bool {
        self.file.is_some()
    }

    /// Whether anything was ever recorded.
    pub fn is_known(&self) -> bool {
        self.seq > 0
    }

    /// The outline of a contact point on file.
    pub fn point(&self, key: PointKey) -> Option<&PointOutline> {
        self.outline.points.iter().find(|point| point.point == key)
    }

    /// The stops that close a point over a channel at an instant: those that no consent lifts then. Some may be about some
    /// accounts only.
    pub fn stops_at(
        &self,
        channel: Channel,
        point: PointKey,
        at: Timestamp,
    ) -> impl Iterator<Item = &OptOut> {
        let closes = move |stop: &&OptOut| {
            stop.channel.covers(channel) && stop.point.is_none_or(|closed| closed == point)
        };
        let lifted = move |stop: &OptOut| {
            let mut given = self.consents.iter().filter(|given| given.in_force(at));
            given.any(|given| stop.is_lifted_by(given, channel, Some(point), &[]))
        };
        self.opt_outs.iter().filter(closes).filter(move |stop| !lifted(stop))
    }

    /// Whether every account is on file.
    pub fn owes(&self, accounts: &[AccountKey]) -> bool {
        accounts.iter().all(|key| self.outline.accounts.iter().any(|account| account.account == *key))
    }

    /// The requests that the gateway still has something to do for.
    pub fn open_requests(&self) -> impl Iterator<Item = (&RequestId, &RequestState)> {
        self.requests.iter().map(|(id, request)| (id, &**request)).filter(|(_, request)| request.is_open())
    }

    /// Whether the words of an event with this type name are kept after [`Self::forget_words`]: those of all others need not be
    /// opened to fold a history.
    pub fn keeps_words_of(type_name: &str) -> bool {
        matches!(type_name, "debtor.updated" | "request.accepted")
    }

    /// Takes in one event.
    pub fn apply(&mut self, event: Event) {
        let at = event.at;
        self.seq = event.seq;
        match event.body {
            EventBody::DebtorUpdated(outline, secret) => {
                self.outline = outline;
                (self.debtor_id, self.file) = match secret {
                    Sealed::Open(secret) => (Some(secret.debtor_id), Some(secret.file)),
                    Sealed::Gone => (None, None),
                };
            }
            EventBody::DebtorErased(..) => self.erase(at),
            EventBody::ConsentGranted(consent, _) => self.consents.push(consent),
            EventBody::ConsentRevoked(stop, _) | EventBody::OptOutReceived(stop, _) => {
                self.opt_outs.push(stop);
            }
            EventBody::PreferencesUpdated(preferences, _) => self.preferences = preferences,
            EventBody::HoldPlaced(hold, _) => self.place(hold),
            EventBody::HoldLifted(lift, _) => self.lift(&lift),
            EventBody::ContactRecorded(report, _) => {
                self.disclosed.extend(report.contact.discloses());
                self.count(report.contact);
            }
            EventBody::PermitIssued(grant, _) => self.grant(grant),
            EventBody::PermitUsed(used, _) => self.use_permit(&used),
            EventBody::PermitExpired(expiry, _) => {
                self.close_permit(expiry.permit, expiry.counts);
                if let Some(state) = self.permits.get_mut(&expiry.permit) {
                    state.late = expiry.counts;
                }
            }
            EventBody::PermitReturned(returned, _) => self.close_permit(returned.permit, false),
            EventBody::RequestAccepted(order, secret) => {
                cadence::enter(&mut self.cadences, &order, at);
                self.requests.insert(order.request, Box::new(RequestState::new(order, secret, at)));
            }
            EventBody::RequestCancelled(end, _) => self.take_back(&end, at),
            EventBody::RequestExpired(end, _) => self.end(end.request, RequestStatus::Expired, at),
            EventBody::DecisionMade(record, _) => self.decided(record, at),
            EventBody::AttemptStarted(start, message) => self.start(start, message, at),
            EventBody::AttemptSent(sent, _) => {
                if let Some(attempt) = self.attempts.get_mut(&sent.attempt) {
                    attempt.provider_ref = sent.provider_ref;
                }
                self.advance(sent.attempt, AttemptStatus::Sent, at);
            }
            EventBody::AttemptFailed(failure, _) => self.fail(failure, AttemptStatus::Failed, at),
            EventBody::AttemptUnknown(failure, _) => self.fail(failure, AttemptStatus::Unknown, at),
            EventBody::AttemptAbandoned(failure, _) => {
                self.fail(failure, AttemptStatus::Abandoned, at);
            }
            EventBody::DeliveryUpdated(update, _) => self.deliver(update, at),
            EventBody::ReplyHeld(held, _) => self.frozen.push((held.review, held.point)),
            EventBody::ReplyReleased(release, _) => {
                self.frozen.retain(|(review, _)| *review != release.review);
            }
            EventBody::ContactPointInvalid(invalid, _) => self.invalid_points.push(invalid),
            EventBody::InboundReceived(inbound, _) => self.hear(&inbound, at),
            EventBody::AccessRecorded(access, _) => access::remember(&mut self.visits, &access.subject, at),
            EventBody::DisputeReceived(..)
            | EventBody::PromiseReceived(..)
            | EventBody::CallbackRequested(..)
            | EventBody::PolicyChanged(..)
            | EventBody::PausePlaced(..)
            | EventBody::PauseLifted(..) => {}
        }
    }

    /// Lets go of words that deciding does not need: of messages as sent, and of requests that have ended.
    pub fn forget_words(&mut self) {
        self.attempts.values_mut().for_each(|attempt| attempt.message = Sealed::Gone);
        self.requests.values_mut().for_each(|request| request.forget_words());
    }

    /// Forgets everything personal; what the law counts stays.
    fn erase(&mut self, at: Timestamp) {
        cadence::erase(&mut self.cadences, at);
        self.debtor_id = None;
        self.file = None;
        for request in self.requests.values_mut() {
            request.secret = Sealed::Gone;
            // Nothing is left to write another message from.
            request.order.fallback_after = None;
        }
        for attempt in self.attempts.values_mut() {
            attempt.message = Sealed::Gone;
        }
    }

    fn place(&mut self, hold: Hold) {
        // A hold placed again replaces the open one of its kind; the closed ones stay for questions about the past.
        self.holds.retain(|held| held.kind != hold.kind || held.lifted_at.is_some());
        self.holds.push(hold);
    }

    fn lift(&mut self, lift: &HoldLift) {
        for hold in self.holds.iter_mut().filter(|hold| hold.kind == lift.kind) {
            hold.lifted_at.get_or_insert(lift.lifted_at);
        }
    }

    fn count(&mut self, contact: Contact) {
        let place = self.contacts.partition_point(|known| known.occurred_at <= contact.occurred_at);
        self.contacts.insert(place, contact);
    }

    /// The debtor began a contact, which may be answered once (12 CFR 1006.14(h)(2)(ii)). A stop asks for no answer but its
    /// confirmation, which goes by the stop itself.
    fn hear(&mut self, inbound: &Inbound, at: Timestamp) {
        if inbound.understood == Understanding::Stop || inbound.point.is_none() {
            return;
        }
        self.count(Contact {
            accounts: Vec::new(),
            automated: false,
            channel: inbound.channel,
            direction: Direction::Inbound,
            occurred_at: at,
            party: Party::Debtor,
            point: inbound.point,
            purpose: Purpose::ConsumerRequested,
            result: ContactResult::Delivered,
            source: ContactSource::Reply,
        });
    }

    fn counted(&mut self, source: ContactSource) -> Option<usize> {
        self.contacts.iter().rposition(|contact| contact.source == source)
    }

    fn grant(&mut self, grant: PermitGrant) {
        let issued_at = grant.contact.occurred_at;
        self.permits.insert(
            grant.permit,
            PermitState { expires_at: grant.expires_at, issued_at, open: true, late: false },
        );
        self.count(grant.contact);
    }

    fn use_permit(&mut self, used: &PermitUse) {
        self.close_permit(used.permit, true);
        if let Some(place) = self.counted(ContactSource::Permit(used.permit)) {
            let mut contact = self.contacts.remove(place);
            contact.occurred_at = used.occurred_at;
            contact.result = used.result;
            self.count(contact);
        }
    }

    fn close_permit(&mut self, permit: PermitId, counts: bool) {
        if let Some(state) = self.permits.get_mut(&permit) {
            (state.open, state.late) = (false, false);
        }
        if !counts {
            self.contacts.retain(|contact| contact.source != ContactSource::Permit(permit));
        }
    }

    fn take_back(&mut self, end: &RequestEnd, at: Timestamp) {
        if let Some(request) = self.requests.get_mut(&end.request) {
            request.take_back();
            cadence::take_back(&mut self.cadences, request, end.because, at);
        }
    }

    fn end(&mut self, id: RequestId, status: RequestStatus, at: Timestamp) {
        if let Some(request) = self.requests.get_mut(&id) {
            request.become_(status);
        }
        cadence::settle(&mut self.cadences, &self.requests, &self.attempts, id, at);
    }

    fn decided(&mut self, record: DecisionRecord, at: Timestamp) {
        let Some(id) = record.request else { return };
        let Some(request) = self.requests.get_mut(&id) else { return };
        let (outcome, liftable) = (record.decision.outcome, record.decision.liftable);
        request.decision = Some(record);
        match outcome {
            Outcome::Allow => {}
            // What was sent once stays sent, whether or not another channel is open to it.
            Outcome::Defer | Outcome::Block if request.status == RequestStatus::Sent => {}
            Outcome::Defer => request.become_(RequestStatus::Deferred),
            Outcome::Block if liftable => request.become_(RequestStatus::Deferred),
            Outcome::Block => request.become_(RequestStatus::Blocked),
        }
        cadence::settle(&mut self.cadences, &self.requests, &self.attempts, id, at);
    }

    fn start(&mut self, start: AttemptStart, message: Sealed<AttemptSecret>, at: Timestamp) {
        let (channel, point) = (start.contact.channel, start.contact.point);
        self.count(start.contact);
        self.attempts.insert(
            start.attempt,
            Box::new(AttemptState {
                request: start.request,
                channel,
                point,
                provider: start.provider,
                others: start.others,
                provider_ref: None,
                status: AttemptStatus::Started,
                started_at: at,
                finished_at: None,
                failure: None,
                result: None,
                came_back: false,
                receipts: Vec::new(),
                message,
            }),
        );
        if let Some(request) = self.requests.get_mut(&start.request) {
            request.attempts.push(start.attempt);
            request.tried.push(channel);
            request.become_(RequestStatus::Dispatching);
        }
    }

    fn fail(&mut self, failure: AttemptFailure, status: AttemptStatus, at: Timestamp) {
        let id = failure.attempt;
        if let Some(attempt) = self.attempts.get_mut(&id) {
            attempt.failure = Some(failure);
        }
        self.advance(id, status, at);
    }

    fn deliver(&mut self, update: DeliveryUpdate, at: Timestamp) {
        if let Some(attempt) = self.attempts.get_mut(&update.attempt) {
            attempt.receipts.push((update.reported.clone(), update.code.clone()));
            attempt.came_back |= update.cause.is_some();
        }
        if let Some(attempt) = self.attempts.get_mut(&update.attempt)
            && update.status == AttemptStatus::Failed
            && attempt.status.moves_to(AttemptStatus::Failed)
        {
            attempt.failure = Some(AttemptFailure {
                attempt: update.attempt,
                cause: update.cause.unwrap_or(FailureCause::Unspecified),
                class: FailureClass::Refused,
                code: update.code.unwrap_or(update.reported),
            });
        }
        self.advance(update.attempt, update.status, at);
        if let Some(result) = update.result {
            self.conclude(update.attempt, result);
        }
    }

    /// A call's end is what the caps value, whatever its status.
    fn conclude(&mut self, id: AttemptId, result: ContactResult) {
        if let Some(attempt) = self.attempts.get_mut(&id) {
            attempt.result = Some(result);
        }
        if let Some(place) = self.counted(ContactSource::Attempt(id)) {
            self.contacts[place].result = result;
        }
    }

    /// Moves an attempt forward, its contact and its request with it; a status that is not further along changes nothing.
    fn advance(&mut self, id: AttemptId, status: AttemptStatus, at: Timestamp) {
        let Some(attempt) = self.attempts.get_mut(&id) else { return };
        if !attempt.status.moves_to(status) {
            return;
        }
        attempt.status = status;
        attempt.finished_at = Some(at);
        let (of, gives_way) = (attempt.request, attempt.gives_way());
        if let Some(place) = self.counted(ContactSource::Attempt(id)) {
            if status.counts() {
                self.contacts[place].result = status.result();
            } else {
                self.contacts.remove(place);
            }
        }
        let Some(request) = self.requests.get_mut(&of) else { return };
        let others = request.attempts.iter().filter(|other| **other != id);
        let others =
            Earlier::of(others.filter_map(|other| self.attempts.get(other)).map(|other| other.status));
        if request.attempts.last() == Some(&id) {
            request.follow(status, gives_way, others);
        } else {
            request.look_back(status, others);
        }
        cadence::settle(&mut self.cadences, &self.requests, &self.attempts, of, at);
    }
}
