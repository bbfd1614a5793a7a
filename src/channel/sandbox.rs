//! A provider that sends nothing: for demonstrations, tests and first tries.
//!
//! What becomes of a message is chosen by its address, always the same way:
//!
//! | number ends in | address or login ends in | outcome |
//! | --- | --- | --- |
//! | `0101` | `invalid` | refused: no such address |
//! | `0102` | `unknown` | uncertain: the answer was lost |
//! | `0103` | `busy` | throttled, again in 30 s |
//! | `0104` | `optedout` | refused: opted out at the provider |
//! | `0105` | `content` | refused: the text |
//! | `0106` | `down` | never left: the provider is down |
//! | `0107` | `bounce` | accepted, then the receipt says: no such address |
//! | `0108` | `silent` | accepted, and no receipt ever comes |
//! | `0109` | `account` | refused: our account |
//! | anything else | anything else | accepted, then delivered |
//!
//! For an email address the end is that of the part before the `@`.

use crate::channel::{Gate, overtaken};
use crate::domain::contact_point::{PointKind, PointValue};
use crate::domain::id::AttemptId;
use crate::domain::message::{Content, Outgoing};
use crate::domain::outcome::{Failure, FailureCause, FailureClass, Outcome};
use crate::domain::time::{Clock, Timestamp};
use crate::provider::callback::{CallbackEvent, Delivery, DeliveryStatus, Inbound};
use crate::provider::letter::Letter;
use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

/// How many messages it remembers.
pub const REMEMBERED: usize = 1_000;

/// What is told of receipts and replies.
pub type Listener = Arc<dyn Fn(CallbackEvent) + Send + Sync>;

/// Chooses what becomes of a message, in place of its address; `None` leaves it to the address.
pub type Director = Arc<dyn Fn(&Outgoing) -> Option<Outcome> + Send + Sync>;

/// A message as the sandbox "sent" it. Held in memory only; `Debug` shows neither address nor words.
#[derive(Clone)]
pub struct Sent {
    /// The attempt.
    pub attempt: AttemptId,
    /// To where.
    pub to: PointValue,
    /// The words.
    pub content: Content,
    /// When.
    pub at: Timestamp,
    /// What became of it.
    pub outcome: Outcome,
}

impl fmt::Debug for Sent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Sent({}, {:?}, {:?})", self.attempt, self.to, self.outcome)
    }
}

/// The provider.
pub struct Sandbox {
    clock: Arc<dyn Clock>,
    receipt_after: Duration,
    sent: Mutex<VecDeque<Sent>>,
    listener: OnceLock<Listener>,
    director: OnceLock<Director>,
}

impl fmt::Debug for Sandbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sandbox")
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Fate {
    Delivered,
    Silent,
    Bounced,
    Fails(FailureClass, FailureCause, &'static str),
}

/// By the end of a number, and by the end of a login or of an address's local part.
const FATES: &[(&str, &str, Fate)] = &[
    ("0101", "invalid", Fate::Fails(FailureClass::Refused, FailureCause::InvalidAddress, "invalid")),
    ("0102", "unknown", Fate::Fails(FailureClass::Uncertain, FailureCause::Provider, "timeout")),
    ("0103", "busy", Fate::Fails(FailureClass::Throttled, FailureCause::Provider, "busy")),
    ("0104", "optedout", Fate::Fails(FailureClass::Refused, FailureCause::OptedOut, "opted_out")),
    ("0105", "content", Fate::Fails(FailureClass::Refused, FailureCause::Content, "content")),
    ("0106", "down", Fate::Fails(FailureClass::NeverLeft, FailureCause::Provider, "connect")),
    ("0107", "bounce", Fate::Bounced),
    ("0108", "silent", Fate::Silent),
    ("0109", "account", Fate::Fails(FailureClass::Refused, FailureCause::Account, "account")),
];

fn fate(to: &PointValue) -> Fate {
    let value = to.expose();
    let found = FATES.iter().find(|(number, word, _)| match to.kind() {
        PointKind::Phone => value.ends_with(number),
        PointKind::Email => value.rsplit_once('@').is_some_and(|(local, _)| local.ends_with(word)),
        PointKind::Portal => value.ends_with(word),
    });
    found.map_or(Fate::Delivered, |(_, _, fate)| *fate)
}

impl Sandbox {
    /// A sandbox whose receipts come after some time; at once, where it is nothing.
    pub fn new(clock: Arc<dyn Clock>, receipt_after: Duration) -> Self {
        Self {
            clock,
            receipt_after,
            sent: Mutex::default(),
            listener: OnceLock::new(),
            director: OnceLock::new(),
        }
    }

    /// Who is told of receipts and replies. Only the first one named is; without one there are no receipts.
    pub fn listen(&self, listener: Listener) {
        // A second listener would receive every receipt twice; the first keeps its place.
        let _ = self.listener.set(listener);
    }

    /// Who plays a whole provider: its outages, refusals and lost answers. Only the first one named does.
    pub fn direct(&self, director: Director) {
        let _ = self.director.set(director);
    }

    /// Whether somebody does.
    pub fn is_directed(&self) -> bool {
        self.director.get().is_some()
    }

    /// What it "sent", oldest first, at most [`REMEMBERED`].
    pub fn sent(&self) -> Vec<Sent> {
        self.sent.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect()
    }

    /// Plays a person who writes back: the listener hears it as it would hear a vendor's callback.
    pub fn reply(&self, from: &PointValue, to: &str, text: &str, provider_ref: &str) {
        if let Some(listener) = self.listener.get() {
            listener(CallbackEvent::Inbound(Inbound {
                provider_ref: Some(provider_ref.to_owned()),
                from: from.expose().to_owned(),
                to: to.to_owned(),
                text: text.to_owned(),
                keyword: None,
                at: Some(self.clock.now()),
                letter: Letter::default(),
            }));
        }
    }

    pub(in crate::channel) fn send(&self, message: &Outgoing, gate: &Gate) -> Outcome {
        let directed = self.director.get().and_then(|direct| direct(message));
        if let Some(outcome) = directed {
            return self.act(message, gate, outcome);
        }
        let fate = fate(&message.to);
        // A provider that is down is never reached: its gate is not even asked.
        let reached = !matches!(fate, Fate::Fails(FailureClass::NeverLeft, ..));
        if reached && !gate.pass() {
            return overtaken();
        }
        let reference = format!("sandbox_{}", message.attempt);
        let outcome = match fate {
            Fate::Delivered | Fate::Silent | Fate::Bounced => {
                Outcome::Accepted { provider_ref: Some(reference.clone()) }
            }
            Fate::Fails(class, cause, code) => {
                let retry_after_seconds = (class == FailureClass::Throttled).then_some(30);
                Outcome::Failed(Failure { retry_after_seconds, ..Failure::of(class, cause, code) })
            }
        };
        self.remember(message, &outcome);
        match fate {
            Fate::Delivered => self.receipt(message.attempt, reference, DeliveryStatus::Delivered),
            Fate::Bounced => self.receipt(message.attempt, reference, DeliveryStatus::Failed),
            Fate::Silent | Fate::Fails(..) => {}
        }
        outcome
    }

    /// An outcome as the director wants it; no receipt follows.
    fn act(&self, message: &Outgoing, gate: &Gate, outcome: Outcome) -> Outcome {
        let never_left =
            matches!(&outcome, Outcome::Failed(failure) if failure.class == FailureClass::NeverLeft);
        if !never_left && !gate.pass() {
            return overtaken();
        }
        self.remember(message, &outcome);
        outcome
    }

    fn remember(&self, message: &Outgoing, outcome: &Outcome) {
        let mut sent = self.sent.lock().unwrap_or_else(PoisonError::into_inner);
        if sent.len() == REMEMBERED {
            sent.pop_front();
        }
        sent.push_back(Sent {
            attempt: message.attempt,
            to: message.to.clone(),
            content: message.content.clone(),
            at: self.clock.now(),
            outcome: outcome.clone(),
        });
    }

    fn receipt(&self, attempt: AttemptId, reference: String, status: DeliveryStatus) {
        let Some(listener) = self.listener.get().cloned() else { return };
        let failed = status == DeliveryStatus::Failed;
        let cause = if failed { FailureCause::InvalidAddress } else { FailureCause::Unspecified };
        let clock = Arc::clone(&self.clock);
        let after = self.receipt_after;
        tokio::spawn(async move {
            tokio::time::sleep(after).await;
            listener(CallbackEvent::Delivery(Delivery {
                provider_ref: Some(reference),
                attempt: Some(attempt),
                status,
                code: failed.then(|| "invalid".to_owned()),
                cause,
                at: Some(clock.now()),
            }));
        });
    }
}
