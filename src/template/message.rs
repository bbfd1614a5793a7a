//! A message: its manifest, and its words by language and channel.

use crate::domain::channel::Channel;
use crate::template::compile::Body;
use crate::template::context::Uses;
use crate::template::disclosure::{Notices, Slot};
use crate::template::engine::{Engine, Form};
use crate::template::manifest::Manifest;
use std::collections::BTreeMap;

/// One message in its languages.
pub struct Message {
    /// Its words, by language and then in the manifest's order of channels.
    pub languages: BTreeMap<String, Vec<(Channel, Words)>>,
    /// What it is for.
    pub manifest: Manifest,
    /// `payment-reminder@1`.
    pub version: String,
}

/// What all messages of a language share.
pub struct Tongue {
    /// Its registries.
    pub engine: Engine,
    /// Its disclosures.
    pub notices: Notices,
}

/// The words of a message for a channel.
pub enum Words {
    /// Of an email.
    Email {
        /// Subject line.
        subject: Body,
        /// Plain part.
        text: Body,
        /// HTML part.
        html: Option<Body>,
    },
    /// Of a text message.
    Sms {
        /// The whole text.
        text: Body,
    },
    /// Of a call.
    Voice {
        /// What is said.
        script: Body,
    },
    /// Of a portal entry.
    Portal {
        /// Its title.
        subject: Body,
        /// Its body.
        html: Body,
    },
}

/// A file of a channel's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Leaf {
    /// The channel it belongs to.
    pub channel: Channel,
    /// Its name without `.hbs`.
    pub ending: &'static str,
    /// In what its text ends up.
    pub form: Form,
    /// Whether its line ends are white space only.
    pub one_line: bool,
    /// Whether the channel can do without it.
    pub optional: bool,
    /// Whether disclosures go into it.
    pub slot: bool,
}

const fn leaf(channel: Channel, ending: &'static str, form: Form) -> Leaf {
    let one_line = matches!(channel, Channel::Sms | Channel::Voice);
    Leaf { channel, ending, form, one_line, optional: false, slot: true }
}

/// Every file that a language's folder may hold.
pub const LEAVES: [Leaf; 7] = [
    Leaf { slot: false, ..leaf(Channel::Email, "email.subject", Form::Text) },
    leaf(Channel::Email, "email.txt", Form::Text),
    Leaf { optional: true, ..leaf(Channel::Email, "email.mjml", Form::Html) },
    leaf(Channel::Sms, "sms.txt", Form::Text),
    leaf(Channel::Voice, "voice.txt", Form::Voice),
    Leaf { slot: false, ..leaf(Channel::Portal, "portal.subject", Form::Text) },
    leaf(Channel::Portal, "portal.html", Form::Html),
];

impl Words {
    /// Puts a channel's words together; none if a part is not there.
    pub fn from_bodies(channel: Channel, mut bodies: BTreeMap<&str, Body>) -> Option<Self> {
        let mut take = |ending| bodies.remove(ending);
        match channel {
            Channel::Email => Some(Self::Email {
                subject: take("email.subject")?,
                text: take("email.txt")?,
                html: take("email.mjml"),
            }),
            Channel::Sms => Some(Self::Sms { text: take("sms.txt")? }),
            Channel::Voice => Some(Self::Voice { script: take("voice.txt")? }),
            Channel::Portal => {
                Some(Self::Portal { subject: take("portal.subject")?, html: take("portal.html")? })
            }
            Channel::Letter | Channel::Visit => None,
        }
    }

    /// All that its parts use.
    pub fn uses(&self) -> Uses {
        let mut uses = Uses::default();
        let mut join = |body: &Body| uses.join(body.uses);
        match self {
            Self::Email { subject, text, html } => {
                join(subject);
                join(text);
                html.iter().for_each(join);
            }
            Self::Sms { text: body } | Self::Voice { script: body } => join(body),
            Self::Portal { subject, html } => {
                join(subject);
                join(html);
            }
        }
        uses
    }

    /// The places for disclosures.
    pub fn slots(&self) -> &'static [Slot] {
        match self {
            Self::Email { .. } => &[Slot::EmailHtml, Slot::EmailText],
            Self::Sms { .. } => &[Slot::Sms],
            Self::Voice { .. } => &[Slot::Voice],
            Self::Portal { .. } => &[Slot::Portal],
        }
    }
}
