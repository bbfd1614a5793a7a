//! Which way a message goes, and why: what the configuration and the health of providers had to say beside the law.

use crate::domain::channel::{Channel, words};
use crate::domain::time::Timestamp;
use serde::{Deserialize, Serialize};

words! {
    /// Why the gateway, where the choice is its own, tries a channel at this place.
    Because {
        /// The debtor prefers it.
        Preferred = "preferred",
        /// The debtor wrote or called over it.
        Replied = "replied",
        /// The debtor was talked with over it.
        Conversation = "conversation",
        /// Something was delivered over it.
        Delivered = "delivered",
        /// Nothing speaks for it but the usual order.
        UsualOrder = "usual_order",
    }
}

words! {
    /// Why a provider was not used.
    PassedOver {
        /// An operator paused it.
        Paused = "paused",
        /// It takes no debts that are collected for others.
        ThirdPartyDebt = "third_party_debt",
        /// It refused this request for reasons of its own.
        Refused = "refused",
        /// It was tried a moment ago, and the message never left.
        NeverLeft = "never_left",
        /// It does not work.
        OutOfService = "out_of_service",
        /// It asked for patience.
        Resting = "resting",
        /// It works again, and gets its share back step by step.
        Returning = "returning",
    }
}

/// A channel that the gateway chose, at its place.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Choice {
    /// Why it stands there.
    pub because: Because,
    /// The channel.
    pub channel: Channel,
    /// When that happened; none where it is no single event.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub since: Option<Timestamp>,
}

/// A provider that was not used although it stands further up.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct NotUsed {
    /// The provider.
    pub provider: String,
    /// Why.
    pub reason: PassedOver,
    /// Until when, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub until: Option<Timestamp>,
}

/// How a decision came to its channel and its provider, where that is not plain from the request and the configuration.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Routing {
    /// The gateway's own choice, best first, where the request left it the choice.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub choices: Vec<Choice>,
    /// Providers of the channel that were not used.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub passed_over: Vec<NotUsed>,
    /// The provider that was used instead of them; none where there was none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider: Option<String>,
}

impl Routing {
    /// Itself, if it says anything.
    pub fn said(self) -> Option<Self> {
        (!self.choices.is_empty() || !self.passed_over.is_empty()).then_some(self)
    }
}
