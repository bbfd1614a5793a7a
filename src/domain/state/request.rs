//! What a request and an attempt say of themselves.

use crate::domain::attempt::AttemptStatus;
use crate::domain::decision::Outcome;
use crate::domain::event::{DecisionRecord, RequestSecret, Sealed};
use crate::domain::outcome::FailureClass;
use crate::domain::request::{ChannelChoice, RequestOrder, RequestStatus};
use crate::domain::state::{AttemptState, RequestState};
use crate::domain::time::Timestamp;

/// What became of a request's other attempts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Earlier {
    /// One of them went out and did not fail.
    out: bool,
    /// One of them arrived.
    arrived: bool,
}

impl Earlier {
    /// From where each of them stands.
    pub(super) fn of(others: impl Iterator<Item = AttemptStatus>) -> Self {
        others.fold(Self::default(), |known, status| match status {
            AttemptStatus::Delivered => Self { out: true, arrived: true },
            AttemptStatus::Sent => Self { out: true, ..known },
            AttemptStatus::Started
            | AttemptStatus::Failed
            | AttemptStatus::Unknown
            | AttemptStatus::Abandoned => known,
        })
    }
}

impl AttemptState {
    /// Whether it went out, and nobody has said since that it failed.
    pub fn stays_out(&self) -> bool {
        matches!(self.status, AttemptStatus::Sent | AttemptStatus::Delivered) && !self.came_back
    }

    /// Whether it surely reached nobody, for reasons of its provider's own, and another provider may be tried. What a receipt
    /// says comes too late for that: the message had left.
    pub fn gives_way(&self) -> bool {
        let settled = matches!(self.status, AttemptStatus::Failed | AttemptStatus::Abandoned);
        settled && !self.others.is_empty() && self.receipts.is_empty() && self.reached_nobody()
    }

    /// Whether it surely reached nobody, for reasons of its provider's own.
    pub fn reached_nobody(&self) -> bool {
        self.failure.as_ref().is_some_and(|failure| {
            let surely = match failure.class {
                FailureClass::NeverLeft | FailureClass::Refused | FailureClass::Throttled => true,
                FailureClass::Uncertain => false,
            };
            surely && failure.cause.is_the_providers()
        })
    }
}

impl RequestState {
    pub(super) fn new(order: RequestOrder, secret: Sealed<RequestSecret>, at: Timestamp) -> Self {
        Self {
            order,
            secret,
            accepted_at: at,
            status: RequestStatus::Accepted,
            withdrawn: false,
            decision: None,
            attempts: Vec::new(),
            tried: Vec::new(),
            setbacks: 0,
        }
    }

    /// Whether it ended; nothing moves it any more.
    pub fn is_final(&self) -> bool {
        match self.status {
            RequestStatus::Accepted
            | RequestStatus::Deferred
            | RequestStatus::Dispatching
            | RequestStatus::Sent => false,
            RequestStatus::Delivered
            | RequestStatus::Failed
            | RequestStatus::Blocked
            | RequestStatus::Expired
            | RequestStatus::Cancelled
            | RequestStatus::Unknown => true,
        }
    }

    /// Whether the gateway still has something to do for it, now or later.
    pub fn is_open(&self) -> bool {
        self.status.is_open() || (self.status == RequestStatus::Sent && self.may_fall_back())
    }

    /// Whether another channel stands behind those already tried.
    pub fn may_fall_back(&self) -> bool {
        self.order.fallback_after.is_some()
            && !self.withdrawn
            && self.order.channels.iter().any(|choice| match choice {
                // What the choice was between stands in the newest decision.
                ChannelChoice::Auto => self.decision.as_ref().is_some_and(|record| {
                    record.channels.iter().flatten().any(|channel| !self.tried.contains(channel))
                }),
                ChannelChoice::Named(channel) => !self.tried.contains(channel),
            })
    }

    /// Lets go of upstream's words, once nothing is written from them any more.
    pub fn forget_words(&mut self) {
        if !self.is_open() {
            self.secret = Sealed::Gone;
        }
    }

    /// Whether it went out, brought nothing in time, and the channel behind it was not lawful when that was asked.
    pub fn waits_to_fall_back(&self) -> bool {
        let refused = |record: &DecisionRecord| record.decision.outcome != Outcome::Allow;
        self.status == RequestStatus::Sent
            && self.may_fall_back()
            && self.decision.as_ref().is_some_and(refused)
    }

    pub(super) fn become_(&mut self, status: RequestStatus) {
        if !self.is_final() {
            let again = self.withdrawn && status == RequestStatus::Accepted;
            self.status = if again { RequestStatus::Cancelled } else { status };
        }
    }

    /// It is taken back: at once, or as soon as the attempt that is under way has come to nothing.
    pub(super) fn take_back(&mut self) {
        match self.status {
            RequestStatus::Accepted | RequestStatus::Deferred => self.status = RequestStatus::Cancelled,
            RequestStatus::Dispatching | RequestStatus::Sent => self.withdrawn = true,
            RequestStatus::Delivered
            | RequestStatus::Failed
            | RequestStatus::Blocked
            | RequestStatus::Expired
            | RequestStatus::Cancelled
            | RequestStatus::Unknown => {}
        }
    }

    /// A late receipt says what became of what may have gone out.
    fn learn(&mut self, status: RequestStatus) {
        if self.status == RequestStatus::Unknown {
            self.status = status;
        } else {
            self.become_(status);
        }
    }

    /// What the newest attempt means for the request. One that gives way leaves its channel open to another provider, and
    /// what went out before it stays out.
    pub(super) fn follow(&mut self, status: AttemptStatus, gives_way: bool, before: Earlier) {
        let again = if before.out { RequestStatus::Sent } else { RequestStatus::Accepted };
        match status {
            AttemptStatus::Started => {}
            AttemptStatus::Sent => {
                self.setbacks = 0;
                self.learn(RequestStatus::Sent);
            }
            AttemptStatus::Delivered => self.learn(RequestStatus::Delivered),
            AttemptStatus::Unknown => self.become_(RequestStatus::Unknown),
            AttemptStatus::Failed | AttemptStatus::Abandoned if gives_way => {
                self.tried.pop();
                self.become_(again);
            }
            AttemptStatus::Failed if self.may_fall_back() => self.become_(again),
            AttemptStatus::Failed if before.out => self.learn(RequestStatus::Sent),
            AttemptStatus::Failed => self.learn(RequestStatus::Failed),
            AttemptStatus::Abandoned => {
                self.setbacks += 1;
                self.tried.pop();
                self.become_(again);
            }
        }
        // It arrived while another way was under way: nothing more is to be sent.
        if before.arrived && status.is_settled() {
            self.learn(RequestStatus::Delivered);
        }
    }

    /// What an earlier attempt means for the request, whose newest is about something else.
    pub(super) fn look_back(&mut self, status: AttemptStatus, others: Earlier) {
        if self.status == RequestStatus::Dispatching {
            // What is under way takes it in when it ends.
            return;
        }
        match status {
            AttemptStatus::Delivered => self.learn(RequestStatus::Delivered),
            // The only thing that had gone out came to nothing.
            AttemptStatus::Failed if self.status == RequestStatus::Sent && !others.out => {
                let next = if self.may_fall_back() { RequestStatus::Accepted } else { RequestStatus::Failed };
                self.become_(next);
            }
            AttemptStatus::Started
            | AttemptStatus::Sent
            | AttemptStatus::Failed
            | AttemptStatus::Unknown
            | AttemptStatus::Abandoned => {}
        }
    }
}
