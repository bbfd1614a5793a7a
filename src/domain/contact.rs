//! A contact that happened, ours or somebody else's, as the caps count it.

use crate::domain::attempt::AttemptStatus;
use crate::domain::channel::{Channel, Direction, Party, Purpose, words};
use crate::domain::id::{AccountKey, AttemptId, PermitId, PointKey, Pseudonym};
use crate::domain::time::Timestamp;
use serde::{Deserialize, Serialize};

words! {
    /// How a contact ended.
    ContactResult {
        /// It rang out.
        NoAnswer = "no_answer",
        /// The line was busy.
        Busy = "busy",
        /// A message was left on an answering machine.
        Voicemail = "voicemail",
        /// A limited-content message was left (12 CFR 1006.2(j)).
        LimitedContentMessage = "limited_content_message",
        /// The parties talked.
        Conversation = "conversation",
        /// It was not connected to the number dialled (12 CFR 1006.14(b)(3)(ii)).
        NotConnected = "not_connected",
        /// The number is not the person's.
        WrongNumber = "wrong_number",
        /// It was sent, or may have been.
        Sent = "sent",
        /// It was delivered.
        Delivered = "delivered",
        /// It came back.
        Bounced = "bounced",
        /// It surely did not reach the person.
        Failed = "failed",
    }
}

impl ContactResult {
    /// Where an attempt stands whose call ended so: what reached nobody has failed, so that another channel may be tried.
    pub fn status_of_call(self) -> AttemptStatus {
        match self {
            Self::Conversation | Self::Voicemail | Self::LimitedContentMessage | Self::Delivered => {
                AttemptStatus::Delivered
            }
            Self::Sent => AttemptStatus::Sent,
            Self::NoAnswer
            | Self::Busy
            | Self::NotConnected
            | Self::WrongNumber
            | Self::Bounced
            | Self::Failed => AttemptStatus::Failed,
        }
    }
}

/// Where the knowledge of a contact comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ContactSource {
    /// Our own attempt.
    Attempt(AttemptId),
    /// Recorded by upstream, under the keyed hash of its `event_id`.
    Reported(Pseudonym),
    /// Reserved for somebody else.
    Permit(PermitId),
    /// What the debtor wrote to us.
    Reply,
}

/// One contact, past or reserved.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Contact {
    /// The accounts it was about; empty means that none was named.
    pub accounts: Vec<AccountKey>,
    /// Whether a machine made it.
    pub automated: bool,
    /// The medium.
    pub channel: Channel,
    /// Who began it.
    pub direction: Direction,
    /// When.
    pub occurred_at: Timestamp,
    /// Whom it reached or was meant for.
    pub party: Party,
    /// Over which contact point.
    pub point: Option<PointKey>,
    /// Why.
    pub purpose: Purpose,
    /// How it ended, as far as is known.
    pub result: ContactResult,
    /// How we know.
    pub source: ContactSource,
}

impl Contact {
    /// The point over which it disclosed the debt to somebody else, and when, if it did: a text or an email that reached a
    /// third party (12 CFR 1006.6(d)(1), (d)(3)(ii)).
    pub fn discloses(&self) -> Option<(PointKey, Timestamp)> {
        let written = matches!(self.channel, Channel::Email | Channel::Sms);
        let point = self.point.filter(|_| written && self.party == Party::ThirdParty)?;
        Some((point, self.occurred_at))
    }
}
