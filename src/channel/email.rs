//! Email over a relay: built and spoken by lettre, over connections of our own.
//!
//! # Decisions
//! - 2026-11-22: lettre's own transports write the body and its end apart without `TCP_NODELAY`, which costs 44 ms a
//!   message (delayed acknowledgement against Nagle's algorithm). So we open the sockets, and keep them, ourselves.
//! - 2026-11-22: the dialogue is spoken step by step, because only so is it known how far a failure came.

mod connection;
mod dkim;
pub mod incoming;
pub mod listener;
pub mod message;
mod reply;

use crate::channel::{ChannelError, Gate, failed, overtaken};
use crate::domain::message::Outgoing;
use crate::domain::outcome::{FailureCause, FailureClass, Outcome};
use crate::domain::time::Clock;
use crate::provider::settings::Settings;
use connection::{Dialler, Line, Step};
use lettre::transport::smtp::commands::Rset;
use message::Letterhead;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio::time::Instant;

/// A connection idle for longer is asked whether it is still there before it is used.
const TRUSTED_IDLE: Duration = Duration::from_secs(5);
/// A connection idle for longer is dropped: relays hang up after a few minutes at most (RFC 5321, section 4.5.3.2).
const LONGEST_IDLE: Duration = Duration::from_secs(60);

struct Idle {
    connection: Line,
    since: Instant,
}

/// A relay, with the connections to it.
pub struct Smtp {
    dialler: Dialler,
    letterhead: Letterhead,
    clock: Arc<dyn Clock>,
    deadline: Duration,
    slots: Semaphore,
    idle: Mutex<Vec<Idle>>,
}

impl fmt::Debug for Smtp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Smtp")
    }
}

impl Smtp {
    /// Reads the settings of `providers/email/smtp`. Opens no connection yet.
    pub(in crate::channel) fn new(
        settings: &Settings,
        deadline: Duration,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, ChannelError> {
        let connections = settings.number("connections").unwrap_or(8).clamp(1, 1_000);
        Ok(Self {
            dialler: Dialler::new(settings)?,
            letterhead: Letterhead::new(settings)?,
            clock,
            deadline,
            slots: Semaphore::new(connections as usize),
            idle: Mutex::default(),
        })
    }

    pub(in crate::channel) async fn send(&self, message: &Outgoing, gate: &Gate) -> Outcome {
        let letter = match self.letterhead.write(message, self.clock.now()) {
            Ok(letter) => letter,
            // The message itself is at fault: no other try would mend it.
            Err(error) => return failed(FailureClass::Refused, error.cause(), error.code()),
        };
        let ended = AtomicBool::new(false);
        match tokio::time::timeout(self.deadline, self.deliver(&letter, gate, &ended)).await {
            Ok(outcome) => outcome,
            Err(_) => {
                // The relay takes a message only once it has read its end (RFC 5321, section 4.1.1.4).
                let may_have_left = ended.load(Ordering::Acquire);
                let class = if may_have_left { FailureClass::Uncertain } else { FailureClass::NeverLeft };
                failed(class, FailureCause::Provider, "timeout")
            }
        }
    }

    async fn deliver(&self, letter: &message::Letter, gate: &Gate, ended: &AtomicBool) -> Outcome {
        let Ok(_slot) = self.slots.acquire().await else {
            return failed(FailureClass::NeverLeft, FailureCause::Provider, "closed");
        };
        let (mut connection, kept) = match self.connection().await {
            Ok(found) => found,
            Err(outcome) => return outcome,
        };
        let mut opened = connection::offer(&mut connection, letter).await;
        if kept && matches!(opened, Err(Step::Broken | Step::HungUp(_))) {
            // The relay had hung up on an idle connection. Nothing of the message was sent, so a fresh one may try.
            connection = match self.dialler.connect().await {
                Ok(fresh) => fresh,
                Err(outcome) => return outcome,
            };
            opened = connection::offer(&mut connection, letter).await;
        }
        match opened {
            Ok(()) => {}
            Err(Step::Refused(outcome)) => {
                self.keep_after_refusal(connection).await;
                return outcome;
            }
            Err(Step::HungUp(outcome)) => return outcome,
            Err(Step::Broken) => {
                return failed(FailureClass::NeverLeft, FailureCause::Provider, "connection_lost");
            }
        }
        if !gate.pass() {
            // Between DATA and its end only hanging up takes a message back; the relay then drops what it has.
            return overtaken();
        }
        match connection::deliver(&mut connection, letter, ended).await {
            Ok(outcome) => {
                self.keep(connection);
                outcome
            }
            Err(Step::Refused(outcome)) => {
                self.keep_after_refusal(connection).await;
                outcome
            }
            Err(Step::HungUp(outcome)) => outcome,
            Err(Step::Broken) => {
                let may_have_left = ended.load(Ordering::Acquire);
                let class = if may_have_left { FailureClass::Uncertain } else { FailureClass::NeverLeft };
                failed(class, FailureCause::Provider, "connection_lost")
            }
        }
    }

    /// A connection ready for a message, and whether it was kept from before.
    async fn connection(&self) -> Result<(Line, bool), Outcome> {
        while let Some(mut idle) = self.pop() {
            let age = idle.since.elapsed();
            if age < TRUSTED_IDLE || (age < LONGEST_IDLE && idle.connection.smtp.test_connected().await) {
                return Ok((idle.connection, true));
            }
        }
        self.dialler.connect().await.map(|connection| (connection, false))
    }

    fn pop(&self) -> Option<Idle> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop()
    }

    fn keep(&self, connection: Line) {
        let idle = Idle { connection, since: Instant::now() };
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(idle);
    }

    /// After a refusal the half-begun transaction is cleared away first (RFC 5321, section 4.1.1.5).
    async fn keep_after_refusal(&self, mut connection: Line) {
        if connection.smtp.command(Rset).await.is_ok() {
            self.keep(connection);
        }
    }

    /// Takes leave of idle connections.
    pub(in crate::channel) async fn close(&self) {
        while let Some(mut idle) = self.pop() {
            // A relay that does not answer our leave-taking has no say in our shutdown.
            let _ = tokio::time::timeout(Duration::from_millis(500), idle.connection.smtp.quit()).await;
        }
    }
}
