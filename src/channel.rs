//! Floor 2: what moves the bytes. `send(message, gate) -> Outcome`, whatever the carrier.
//!
//! A transport never panics, never outlives its deadline and never repeats a message. It asks the [`Gate`] once, right
//! before the message's first byte may leave; the answer decides, and the [`Outcome`] says what may have happened.
//!
//! # Decisions
//! - 2026-11-22: over HTTP the gate is asked from inside the request's body, which the client reads only once it has a
//!   connection; so a stop that comes while we connect is still in time. A request without a body (GET) has no such
//!   moment: its gate is asked before connecting, which takes 900 ms at most. Over SMTP it is asked after the relay's `354`,
//!   over SMPP by the one task that writes, right before the PDU.
//! - 2026-11-23: messages go over `hyper` and not `reqwest`, which hands each request to a task of its own and its answer back:
//!   a message's sending took 46 us of CPU in place of 80. Webhooks and what callbacks name stay with `reqwest`.
//! - 2026-11-22: an attempt is *uncertain* from the moment its gate opened until an answer was read, and only then.

mod bearer;
mod connections;
pub mod egress;
pub mod email;
pub mod fetch;
pub mod http;
pub mod sandbox;
pub mod smpp;
mod tls;
pub mod webhook;

use crate::domain::message::{Content, Outgoing};
use crate::domain::outcome::{Failure, FailureCause, FailureClass, Outcome};
use crate::domain::time::Clock;
use crate::provider::manifest::{Carrier, Manifest};
use crate::provider::request::HttpRequest;
use crate::provider::response::HttpResponse;
use crate::provider::settings::Settings;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

/// The code of a send that a stop, or the one-second rule, overtook.
pub const OVERTAKEN: &str = "overtaken";

const UNASKED: u8 = 0;
const OPEN: u8 = 1;
const SHUT: u8 = 2;

/// Asked once, right before a message's first byte may leave: may it still?
///
/// This is how a stop overtakes a send, and how a send that waited too long is given up. The question must be answered
/// at once: it is asked between two writes to a socket.
pub struct Gate {
    ask: Box<dyn Fn() -> bool + Send + Sync>,
    state: AtomicU8,
}

impl Gate {
    /// A gate that asks `ask`; true lets the message go.
    pub fn new(ask: impl Fn() -> bool + Send + Sync + 'static) -> Self {
        Self { ask: Box::new(ask), state: AtomicU8::new(UNASKED) }
    }

    /// A gate that always opens: for messages that nothing can overtake.
    pub fn open() -> Self {
        Self::new(|| true)
    }

    /// Asks, the first time; later calls repeat the answer.
    fn pass(&self) -> bool {
        match self.state.load(Ordering::Acquire) {
            OPEN => true,
            SHUT => false,
            _ => {
                let answer = (self.ask)();
                self.state.store(if answer { OPEN } else { SHUT }, Ordering::Release);
                answer
            }
        }
    }

    /// Whether it was asked and let the message go.
    fn passed(&self) -> bool {
        self.state.load(Ordering::Acquire) == OPEN
    }

    /// Whether it was asked and held the message back.
    fn refused(&self) -> bool {
        self.state.load(Ordering::Acquire) == SHUT
    }
}

impl fmt::Debug for Gate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Gate({})", self.state.load(Ordering::Relaxed))
    }
}

/// Why a transport cannot be made from its settings.
#[derive(Debug, thiserror::Error)]
pub enum ChannelError {
    /// A setting that cannot be used; says which and how to mend it.
    #[error("setting `{0}` {1}")]
    Setting(&'static str, String),
    /// The cryptography or the client library would not start.
    #[error("the transport cannot start: {0}")]
    Start(String),
}

/// What carries the messages of one provider.
#[derive(Debug)]
pub enum Transport {
    /// A mail relay.
    Smtp(Box<email::Smtp>),
    /// A short message centre.
    Smpp(Box<smpp::Smpp>),
    /// A vendor asked over HTTP as its manifest says.
    Http(Box<http::Http>),
    /// Nothing leaves; see [`sandbox`].
    Sandbox(sandbox::Sandbox),
    /// The debtor's inbox, which is the history: accepted as soon as the gate opens.
    Portal,
}

impl Transport {
    /// Makes the transport that a manifest and an operator's settings describe. Opens no connection yet.
    ///
    /// # Errors
    /// A setting that the schema could not judge, or a library that would not start.
    pub fn open(
        manifest: &Arc<Manifest>,
        settings: Settings,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, ChannelError> {
        Ok(match manifest.identity.carrier {
            Carrier::Http => Self::Http(Box::new(http::Http::new(Arc::clone(manifest), settings, clock)?)),
            Carrier::Smtp => {
                Self::Smtp(Box::new(email::Smtp::new(&settings, manifest.limits.deadline.to_std(), clock)?))
            }
            Carrier::Smpp => Self::Smpp(Box::new(smpp::Smpp::new(manifest, &settings)?)),
            Carrier::Sandbox => {
                let after = settings.number("receipt_after_ms").unwrap_or(0);
                Self::Sandbox(sandbox::Sandbox::new(clock, std::time::Duration::from_millis(after.into())))
            }
            Carrier::Portal => Self::Portal,
        })
    }

    /// Sends one message, at most once. Bounded by the provider's deadline; dropping the future gives the message up,
    /// and it may then have left if the gate had opened.
    pub async fn send(&self, message: &Outgoing, gate: Gate) -> Outcome {
        let gate = Arc::new(gate);
        match self {
            Self::Smtp(smtp) => smtp.send(message, &gate).await,
            Self::Smpp(smpp) => smpp.send(message, &gate).await,
            Self::Http(http) => http.send(message, &gate).await,
            Self::Sandbox(sandbox) => sandbox.send(message, &gate),
            Self::Portal => match (&message.content, gate.pass()) {
                (Content::Portal { .. }, true) => Outcome::Accepted { provider_ref: None },
                (Content::Portal { .. }, false) => overtaken(),
                (Content::Email { .. } | Content::Sms { .. } | Content::Voice { .. }, _) => wrong_content(),
            },
        }
    }

    /// The sandbox, where it is one: to read what it "sent" and to hear its receipts.
    pub fn sandbox(&self) -> Option<&sandbox::Sandbox> {
        match self {
            Self::Sandbox(sandbox) => Some(sandbox),
            Self::Smtp(_) | Self::Smpp(_) | Self::Http(_) | Self::Portal => None,
        }
    }

    /// The short message centre, where it is one: to take what it hands over.
    pub fn centre(&self) -> Option<&smpp::Smpp> {
        match self {
            Self::Smpp(smpp) => Some(smpp),
            Self::Smtp(_) | Self::Http(_) | Self::Sandbox(_) | Self::Portal => None,
        }
    }

    /// Asks a vendor something beside a message, over HTTP; none where no answer came, or it is not asked so.
    pub async fn ask(&self, request: HttpRequest) -> Option<HttpResponse> {
        match self {
            Self::Http(http) => http.question(request).await,
            Self::Smtp(_) | Self::Smpp(_) | Self::Sandbox(_) | Self::Portal => None,
        }
    }

    /// Whether what becomes of its messages says anything of the provider. A sandbox's outcomes go by the address.
    pub fn tells_health(&self) -> bool {
        match self {
            Self::Sandbox(sandbox) => sandbox.is_directed(),
            Self::Smtp(_) | Self::Smpp(_) | Self::Http(_) | Self::Portal => true,
        }
    }

    /// Takes leave of connections that lie idle. Sends under way are not touched.
    pub async fn close(&self) {
        match self {
            Self::Smtp(smtp) => smtp.close().await,
            Self::Smpp(smpp) => smpp.close().await,
            Self::Http(http) => http.close(),
            Self::Sandbox(_) | Self::Portal => {}
        }
    }
}

fn failed(class: FailureClass, cause: FailureCause, code: impl Into<String>) -> Outcome {
    Outcome::Failed(Failure::of(class, cause, code))
}

fn overtaken() -> Outcome {
    failed(FailureClass::NeverLeft, FailureCause::Unspecified, OVERTAKEN)
}

fn wrong_content() -> Outcome {
    failed(FailureClass::Refused, FailureCause::Content, "wrong_content")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::AtomicUsize;

    #[test]
    fn a_gate_is_asked_once() {
        let asked = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&asked);
        let gate = Gate::new(move || count.fetch_add(1, Ordering::Relaxed) == 0);
        assert!(!gate.passed() && !gate.refused());
        assert!(gate.pass() && gate.pass() && gate.passed());
        assert_eq!(asked.load(Ordering::Relaxed), 1);
    }
}
