//! A contact request: upstream asks for a contact; whether and when it is made is decided later.

use crate::domain::cadence::CadencePlace;
use crate::domain::channel::{Channel, Claim, Priority, Purpose, words};
use crate::domain::id::{AccountKey, PointKey, Pseudonym, RequestId};
use crate::domain::time::{Span, Timestamp};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A channel by name, or the gateway's own choice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ChannelChoice {
    /// Let the gateway choose.
    Auto,
    /// This one; always one that we dispatch over.
    Named(Channel),
}

impl ChannelChoice {
    /// The word on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Named(channel) => channel.as_str(),
        }
    }
}

impl Serialize for ChannelChoice {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for ChannelChoice {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let word = std::borrow::Cow::<str>::deserialize(deserializer)?;
        match Channel::from_word(&word) {
            Some(channel) if channel.is_dispatched() => Ok(Self::Named(channel)),
            _ if word == "auto" => Ok(Self::Auto),
            _ => Err(serde::de::Error::custom("expected one of email, sms, voice, portal, auto")),
        }
    }
}

/// The body of `POST /v1/contact-requests`.
#[derive(Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ContactRequest {
    /// Upstream's own identifier; the same one with the same body is the same request, for ever.
    pub request_id: String,
    /// The debtor.
    pub debtor_id: String,
    /// The accounts it is about; empty means that none is named, which counts against all.
    #[serde(default)]
    pub account_ids: Vec<String>,
    /// Channels in order of preference, or `["auto"]`.
    #[schema(value_type = Vec<String>, example = json!(["sms", "email"]))]
    pub channels: Vec<ChannelChoice>,
    /// The one point to use, by its value; the best usable one where absent.
    #[serde(default)]
    pub contact_point: Option<String>,
    /// Why; the template's purpose where absent.
    #[serde(default)]
    pub purpose: Option<Purpose>,
    /// The template's name.
    pub template: String,
    /// The template's variables.
    #[serde(default)]
    #[schema(value_type = Object)]
    pub variables: serde_json::Map<String, serde_json::Value>,
    /// Not before this moment.
    #[serde(default)]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub not_before: Option<Timestamp>,
    /// Not after this moment; the configuration's span from acceptance where absent.
    #[serde(default)]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub expires_at: Option<Timestamp>,
    /// In which order due requests go out.
    #[serde(default)]
    pub priority: Option<Priority>,
    /// Upstream's campaign, for lists.
    #[serde(default)]
    pub campaign: Option<String>,
    /// A channel that failed or brought no delivery in this time gives way to the next.
    #[serde(default)]
    #[schema(value_type = Option<String>, example = "PT24H")]
    pub fallback_after: Option<Span>,
}

/// The clear part of a request: what deciding needs, without anything personal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RequestOrder {
    /// The accounts it is about.
    pub accounts: Vec<AccountKey>,
    /// SHA-256 of the canonical body, hexadecimal, to tell a repeat from a conflict.
    pub body_digest: String,
    /// To which cadence it belongs, if to any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cadence: Option<Box<CadencePlace>>,
    /// The keyed hash of the campaign.
    pub campaign: Option<Pseudonym>,
    /// Channels in order of preference.
    pub channels: Vec<ChannelChoice>,
    /// When it is given up.
    pub expires_at: Timestamp,
    /// After how long without delivery the next channel is tried.
    pub fallback_after: Option<Span>,
    /// Not before this moment.
    pub not_before: Option<Timestamp>,
    /// The one point to use.
    pub point: Option<PointKey>,
    /// In which order due requests go out.
    pub priority: Priority,
    /// Why.
    pub purpose: Purpose,
    /// Our identifier.
    pub request: RequestId,
    /// The keyed hash of upstream's `request_id`.
    pub request_key: Pseudonym,
    /// What its message says that law looks at.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub says: Vec<Claim>,
    /// The template's name.
    pub template: String,
}

words! {
    /// Where a request stands.
    RequestStatus {
        /// Taken, not yet decided.
        Accepted = "accepted",
        /// Not lawful yet, or waiting for a person or upstream.
        Deferred = "deferred",
        /// An attempt is on its way.
        Dispatching = "dispatching",
        /// The provider took it.
        Sent = "sent",
        /// It was delivered.
        Delivered = "delivered",
        /// Every way of sending it failed.
        Failed = "failed",
        /// It will not become lawful.
        Blocked = "blocked",
        /// Its time ran out.
        Expired = "expired",
        /// Upstream took it back.
        Cancelled = "cancelled",
        /// It may have gone out.
        Unknown = "unknown",
    }
}

impl RequestStatus {
    /// Whether the gateway still has something to do: decide, send, or expire it.
    pub fn is_open(self) -> bool {
        match self {
            Self::Accepted | Self::Deferred | Self::Dispatching => true,
            Self::Sent | Self::Delivered | Self::Failed | Self::Blocked => false,
            Self::Expired | Self::Cancelled | Self::Unknown => false,
        }
    }
}
