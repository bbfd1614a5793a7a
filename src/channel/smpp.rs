//! Text messages over SMPP 3.4: one connection to a centre, bound as transceiver, held for as long as the program runs.
//!
//! # Decisions
//! - 2026-11-23: a message's parts go one after another, each once its forerunner was taken. Where the first one is refused
//!   nothing went out; where a later one is put off, that part alone is offered again; where its fate is unknown, so is the message's.
//! - 2026-11-23: an answer that comes after its deadline is still worth having: it says that the centre took the message, and by
//!   which identifier its receipt will name it. Such identifiers are kept in memory, like receipts that come too early.

mod link;
mod repeats;
mod session;
#[cfg(test)]
mod stalls;
mod wire;

use crate::channel::{ChannelError, Gate, failed, wrong_content};
use crate::domain::message::Outgoing;
use crate::domain::outcome::{FailureCause, FailureClass, Outcome};
use crate::provider::callback::CallbackEvent;
use crate::provider::manifest::Manifest;
use crate::provider::settings::Settings;
use crate::provider::smpp::pdu::ShortMessage;
use crate::provider::smpp::plan::Plan;
use link::{Link, Part};
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// Before a later part is offered again that was put off.
const AGAIN: Duration = Duration::from_millis(500);

/// Who takes what a centre hands over: true once it is durable.
pub type Taker = Arc<dyn Fn(CallbackEvent) -> Pin<Box<dyn Future<Output = bool> + Send>> + Send + Sync>;

/// A centre, with the connection to it.
pub struct Smpp {
    link: Arc<Link>,
    deadline: Duration,
}

impl fmt::Debug for Smpp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Smpp")
    }
}

impl Smpp {
    /// Reads what the manifest and the settings say. Opens no connection yet: that begins with [`Self::listen`], or with the
    /// first message.
    pub(in crate::channel) fn new(
        manifest: &Arc<Manifest>,
        settings: &Settings,
    ) -> Result<Self, ChannelError> {
        let plan = Plan::new(manifest, settings)
            .map_err(|unusable| ChannelError::Setting(unusable.0, format!("of [smpp] {}", unusable.1)))?;
        Ok(Self { link: Arc::new(Link::new(plan)?), deadline: manifest.limits.deadline.to_std() })
    }

    /// Names who takes receipts and replies, and opens the connection; only the first one named does. Nobody named, the centre is
    /// told to keep them.
    pub fn listen(&self, taker: Taker) {
        self.link.listen(taker);
        self.link.begin();
    }

    pub(in crate::channel) async fn send(&self, message: &Outgoing, gate: &Arc<Gate>) -> Outcome {
        let Some(parts) = self.link.plan.submits(message) else { return wrong_content() };
        self.link.begin();
        let deadline = Instant::now() + self.deadline;
        let (mut reference, count) = (None, parts.len());
        for (part, number) in parts.into_iter().zip(1..) {
            let part = Part { message: part, attempt: message.attempt, last: number == count };
            let outcome = if number == 1 {
                self.link.submit(part, gate, deadline).await
            } else {
                self.insist(&part, gate, deadline).await
            };
            reference = match outcome {
                Outcome::Accepted { provider_ref } => provider_ref,
                Outcome::Failed(failure) if number == 1 => return Outcome::Failed(failure),
                // Some of it may be on the debtor's screen: it must not go out again.
                Outcome::Failed(_) => {
                    return failed(FailureClass::Uncertain, FailureCause::Provider, "partly_accepted");
                }
            };
        }
        Outcome::Accepted { provider_ref: reference }
    }

    /// Offers a later part until it is taken, refused or in doubt; at the latest, until the deadline.
    async fn insist(&self, part: &Part, gate: &Arc<Gate>, deadline: Instant) -> Outcome {
        loop {
            let again = Part { message: ShortMessage::clone(&part.message), ..*part };
            match self.link.submit(again, gate, deadline).await {
                Outcome::Failed(failure)
                    if matches!(failure.class, FailureClass::NeverLeft | FailureClass::Throttled)
                        && Instant::now() + AGAIN < deadline =>
                {
                    tokio::time::sleep(AGAIN).await;
                }
                outcome => return outcome,
            }
        }
    }

    /// Takes leave of the centre. Messages under way are waited for by whoever sent them.
    pub(in crate::channel) async fn close(&self) {
        self.link.close().await;
    }
}

impl Drop for Smpp {
    fn drop(&mut self) {
        self.link.stop.cancel();
    }
}
