//! Floor 3: the one orchestrator, and the only writer of history.
//!
//! Data flows one way. A contact request comes in at [`intake`], is recorded, and stands on the [`agenda`] until it is due;
//! [`worker`] then has it looked at by [`dispatch`], which asks policy through [`decide`] and records decision and intent in
//! one step; [`carriers`] carry the message past the [`barrier`]; what came of it is recorded, and what comes back enters at
//! [`receive`], replies at [`replies`], what follows in a cadence at [`cadences`], what is pressed and said on a call at [`calls`]. What upstream states of a debtor enters at [`filing`]. Everything is written through [`recorder`], by one
//! thread, in one transaction for many commands; the next decision sees it.

pub mod agenda;
pub mod amend;
pub mod answer;
pub mod barrier;
pub mod cadences;
mod callbacks;
mod called_off;
pub mod calls;
pub mod carriers;
pub mod decide;
pub mod dispatch;
mod door;
pub mod facts;
pub mod filing;
pub mod fleet;
mod hearing;
pub mod inbox;
pub mod intake;
pub mod landing;
pub mod links;
pub mod load;
mod mail;
pub mod metrics;
pub mod naming;
pub mod numbers;
pub mod outline;
pub mod oversight;
pub mod parking;
pub mod permits;
mod polling;
pub mod preview;
pub mod receive;
pub mod recorder;
mod recovery;
pub mod rejoinder;
pub mod replay;
pub mod replies;
pub mod roster;
pub mod routing;
pub mod schedule;
pub mod step;
pub mod understanding;
pub mod unit;
pub mod webhooks;
pub mod worker;
pub mod writing;

pub use answer::DecisionAnswer;
pub use callbacks::CallbackRefusal;
pub use door::{Parts, Pipeline, Recorded};
pub use intake::Accepted;
pub use permits::Permit;
pub use recovery::StartError;

use crate::cadence::Plans;
use crate::channel::fetch::Fetcher;
use crate::coordination::once::Once;
use crate::domain::debtor::{CollectorRole, DebtType};
use crate::domain::event::Pause;
use crate::domain::id::Pseudonymiser;
use crate::domain::statement::FieldFault;
use crate::domain::time::{Clock, Entropy, Span};
use crate::pipeline::carriers::Carriers;
use crate::pipeline::parking::Parking;
use crate::policy::Policy;
use crate::template::catalogue::Catalogue;
use crate::template::context::Collector;
use arc_swap::ArcSwap;
use std::sync::Arc;

/// How this installation is set up, as far as the pipeline needs it.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Who we are, for disclosures.
    pub collector: Collector,
    /// For whom an account is collected that does not say.
    pub collector_role: CollectorRole,
    /// What an account's debt is that does not say.
    pub debt_type: DebtType,
    /// How long a request that names no end is tried.
    pub expire_after: Span,
    /// What providers and debtors reach us at.
    pub public_url: String,
    /// What is answered by itself.
    pub rejoinders: rejoinder::Rejoinders,
    /// Debtors kept at hand, at most twice as many.
    pub roster: usize,
}

/// Everything read-only that a command works with.
pub struct Desk {
    /// The law.
    pub policy: ArcSwap<Policy>,
    /// The words.
    pub templates: Arc<Catalogue>,
    /// Who carries what.
    pub carriers: Carriers,
    /// The plans that cadences are begun by.
    pub plans: Plans,
    /// What calls are made of.
    pub voice: calls::Voice,
    /// The kill switches in force.
    pub pauses: ArcSwap<Vec<Pause>>,
    /// Receipts that wait for their attempt.
    pub parking: Parking,
    /// Fetches what callbacks name.
    pub fetcher: Fetcher,
    /// Callbacks that count once and are being taken.
    pub once: Once,
    /// Makes keys of names.
    pub names: Arc<dyn Pseudonymiser>,
    /// The clock.
    pub clock: Arc<dyn Clock>,
    /// Randomness.
    pub entropy: Arc<dyn Entropy>,
    /// How this installation is set up.
    pub settings: Settings,
}

/// Why a caller's wish was not done.
#[derive(Clone, Debug)]
pub enum Refusal {
    /// What was said is wrong.
    Invalid(Vec<FieldFault>),
    /// There is no such thing.
    NotFound(&'static str),
    /// It contradicts what is on file.
    Conflict(String),
    /// The law or the debtor refuses it.
    Refused(Box<DecisionAnswer>),
    /// The history is out of reach; nothing was recorded.
    Unavailable,
}

impl Refusal {
    /// One thing wrong with what was said.
    pub fn invalid(pointer: impl Into<String>, detail: impl Into<String>) -> Self {
        Self::Invalid(vec![FieldFault::new(pointer, detail)])
    }
}
