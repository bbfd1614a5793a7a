//! A message as it is sent: rendered by the template engine, carried by a channel, kept sealed in the history.

use crate::domain::call::{CallPlan, CallStart};
use crate::domain::contact_point::PointValue;
use crate::domain::id::AttemptId;
use serde::{Deserialize, Serialize};

/// The words of a message in the form of its channel. All of it is personal.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(tag = "channel", rename_all = "snake_case")]
pub enum Content {
    /// An email: always a plain part.
    Email {
        /// Subject line.
        subject: String,
        /// Plain text part.
        text: String,
        /// HTML part.
        html: Option<String>,
    },
    /// A text message.
    Sms {
        /// The whole text.
        text: String,
        /// How many parts it is billed and sent as.
        segments: u16,
    },
    /// What a machine says on a call.
    Voice {
        /// The script, plain text.
        script: String,
        /// Everything that may be said around it; none where the script is all there is.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        plan: Option<Box<CallPlan>>,
    },
    /// An entry in the portal's inbox.
    Portal {
        /// Its title.
        subject: String,
        /// Its body, HTML as the template engine escaped it.
        html: String,
    },
}

/// A message on its way to a provider.
#[derive(Clone, PartialEq, Eq)]
pub struct Outgoing {
    /// The attempt, whose identifier finds it again in callbacks and bounces.
    pub attempt: AttemptId,
    /// To where.
    pub to: PointValue,
    /// The language of the words, BCP 47.
    pub language: String,
    /// The words.
    pub content: Content,
    /// The one-click unsubscribe address (RFC 8058), for email.
    pub unsubscribe_url: Option<String>,
    /// Where the provider reports what became of it, if it can.
    pub status_callback_url: Option<String>,
    /// For a call: where the provider asks what to say.
    pub call: Option<CallStart>,
}
