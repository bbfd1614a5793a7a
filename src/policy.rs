//! Floor 1: the law. Pure functions over facts: may this contact be made, and if not, when.
//!
//! The law is data (`config/policy`), its *kinds* are code (`policy/rules`). [`Policy::load`] reads packs and names every fault
//! at once; [`evaluate`] joins what every rule says: all must permit, the strictest finding stands first. Nothing here
//! reads a clock, a file or the network.
//!
//! # Decisions
//! - 2026-11-22: lawfulness is a predicate over instants: a contact is lawful at `t` if every rule in force at `t` permits it
//!   given the facts dated `t` or earlier. `permitted_from` is the first such instant, found by jumping from one possible
//!   change to the next, so the answer about `at` and the answer given when `at` comes agree. Rejected: judging later
//!   instants by the facts and law of `at`, which promises times at which the contact would then be refused.
//! - 2026-11-22: calendar days are counted in the candidate zone where the window reaches back furthest. Rejected: one
//!   count for each zone; it gives the same answer for more work.

mod applies;
mod calendar;
mod cap_use;
mod case;
mod evaluate;
mod explain;
mod facts;
mod pack;
mod page;
mod rule;
mod rules;
mod worked;

pub use cap_use::{CapUse, caps};
pub use evaluate::{HORIZON, evaluate};
pub use facts::{Facts, zones_in_play};
pub use pack::{CalendarEntry, ExpiredPermits, Pack, Policy};
pub use page::{CaseTitle, page};
pub use rule::{Effect, Override, Row, Rule, Status};
pub use worked::CaseReport;
