//! Floor 1: what is said and asked on a call. Flows are files (`config/ivr/*.toml`); one interpreter walks them, whatever
//! vendor carries the call. Pure: no clock, no network, no history.
//!
//! [`flow`] reads a file, [`check`] refuses one that could disclose a debt before somebody has said to be the debtor,
//! [`plan`] writes every word of one call beforehand, [`step`] says what follows from what was heard.
//!
//! # Decisions
//! - 2026-11-23: everything that is said stands within a question, so that the key that stops calls works at every node and
//!   while the machine speaks; only a farewell, a connection and what an answering machine hears are said outright.
//! - 2026-11-23: whoever says to be the debtor and goes on listening has had a *conversation* (12 CFR 1006.14(b)(2)(i)(B)):
//!   the stricter reading, since a shorter silence afterwards could be one call too many.
//! - 2026-11-23: an opt-out ends the call at once, without a word (47 CFR 64.1200(b)(3)).
//! - 2026-11-23: where calls are recorded, the notice is said to everybody: the law of the states in which all parties must
//!   agree, applied everywhere. What an answering machine hears is never recorded.

pub mod check;
pub mod flow;
pub mod phrase;
pub mod plan;
pub mod step;

pub use flow::{Flow, Flows};
pub use plan::{PlanError, Values};
pub use step::{Ability, Effect, Heard, Meaning, Step};
