//! Webhooks out: upstream is told what happened, at least once, each debtor's notices in their order.
//!
//! A courier a receiver follows the log behind a cursor ([`follow`]): every event is folded, and some make a notice
//! ([`notice`]). What is not taken is told again over three days and then given up, until an operator has it told again
//! ([`lines`]). The store keeps places in the log and no words; a notice is written anew from the history each time it is told.
//!
//! # Decisions
//! - 2026-11-23: a receiver that takes nothing is not read on for. The log is the queue, so that an outage of days fills no
//!   table, gives nothing up and ends with everything told in order. Rejected: a row for each notice at once, which costs each
//!   message a write and turns an outage into as many dead letters.
//! - 2026-11-23: a receiver that is new in the configuration is told what happens from then on; `replay` tells the rest. One
//!   that was taken out and comes back under its name goes on where it stopped.

mod courier;
pub mod filter;
pub mod follow;
pub mod lines;
pub mod notice;
mod office;

pub use lines::Health;
pub use office::{DeadLetter, ReplayWish, Replayed, WebhookState};

pub(in crate::pipeline) use courier::Courier;

use crate::channel::webhook::Receiver;

/// Whom to tell, and of what.
#[derive(Clone, Debug)]
pub struct Webhook {
    /// What it is called; its place in the log is kept under this name.
    pub name: String,
    /// Where it is, and with what it is signed.
    pub receiver: Receiver,
    /// The types it wants; `*` stands for anything.
    pub events: Vec<String>,
}
