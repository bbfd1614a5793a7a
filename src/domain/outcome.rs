//! What a transport observed, in a small closed vocabulary that says whether a repeat is safe.

use serde::{Deserialize, Serialize};

/// Why an attempt did not simply succeed; decided once, here, and never guessed again further up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The provider took it; its reference, if it gave one.
    Accepted {
        /// The provider's own identifier of the message.
        provider_ref: Option<String>,
    },
    /// It surely did not go out, and may be tried again.
    Failed(Failure),
}

/// One way of not succeeding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// Whether it left, and what a repeat would mean.
    pub class: FailureClass,
    /// What it says of the address, if anything.
    pub cause: FailureCause,
    /// The provider's own code, or ours (`connect`, `timeout`); never personal.
    pub code: String,
    /// When the provider asked to be left alone until, in seconds.
    pub retry_after_seconds: Option<u32>,
}

/// The closed list: may it have reached the debtor?
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FailureClass {
    /// No byte of the message left: safe to try again, not counted.
    NeverLeft,
    /// The provider refused it: final for this provider and address.
    Refused,
    /// The provider asks for patience: surely not sent, safe to try again later.
    Throttled,
    /// It may have left: counts, and is never repeated.
    Uncertain,
}

/// What a refusal says about the address or our account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FailureCause {
    /// The address does not exist or cannot receive this.
    InvalidAddress,
    /// The person has opted out at the provider.
    OptedOut,
    /// The text was refused.
    Content,
    /// Our credentials, sender or balance.
    Account,
    /// The provider's own trouble, or the network's.
    Provider,
    /// Nothing known.
    Unspecified,
}

impl FailureCause {
    /// Whether it lies with the provider or our account there, whoever is written to: another provider may do better.
    pub fn is_the_providers(self) -> bool {
        match self {
            Self::Account | Self::Provider => true,
            Self::InvalidAddress | Self::OptedOut | Self::Content | Self::Unspecified => false,
        }
    }
}

impl Outcome {
    /// Whether it is sure that nobody got it.
    pub fn surely_unsent(&self) -> bool {
        match self {
            Self::Accepted { .. } => false,
            Self::Failed(failure) => failure.class != FailureClass::Uncertain,
        }
    }
}

impl Failure {
    /// A failure with nothing known of its cause.
    pub fn of(class: FailureClass, cause: FailureCause, code: impl Into<String>) -> Self {
        Self { class, cause, code: code.into(), retry_after_seconds: None }
    }
}
