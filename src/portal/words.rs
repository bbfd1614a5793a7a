//! What the pages say, in the languages that they speak.

mod english;
mod spanish;

use crate::domain::channel::Channel;
use crate::domain::consent::Weekday;
use crate::template::format::Language;
use axum::http::{HeaderMap, header};

/// The words of the pages in one language. Plain text; `{…}` stands for a value.
pub struct Words {
    pub language: Language,
    pub tag: &'static str,
    /// What the other language calls itself, and its tag.
    pub other: (&'static str, &'static str),
    pub skip: &'static str,
    pub navigation: &'static str,
    pub leave: &'static str,
    pub from_collector: &'static str,
    pub error: &'static str,
    pub done: &'static str,
    pub call_us: &'static str,
    pub open: Open,
    pub check: Check,
    pub inbox: Inbox,
    pub write: Write,
    pub prefer: Prefer,
    pub stop: Stop,
    pub allow: Allow,
    pub trouble: Trouble,
}

/// The page behind a link.
pub struct Open {
    pub title: &'static str,
    pub text: &'static str,
    pub button: &'static str,
}

/// The question.
pub struct Check {
    pub title: &'static str,
    pub text: &'static str,
    pub birth: &'static str,
    pub month: &'static str,
    pub day: &'static str,
    pub year: &'static str,
    pub birth_hint: &'static str,
    pub postal: &'static str,
    pub button: &'static str,
    pub wrong: &'static str,
    pub unreadable: &'static str,
    pub locked: &'static str,
    pub nothing: &'static str,
}

/// The messages.
pub struct Inbox {
    pub title: &'static str,
    pub empty: &'static str,
    pub new: &'static str,
    pub back: &'static str,
    pub received: &'static str,
}

/// The form for a message of the debtor's.
pub struct Write {
    pub title: &'static str,
    pub text: &'static str,
    pub label: &'static str,
    pub hint: &'static str,
    pub button: &'static str,
    pub empty: &'static str,
    pub done_stop: &'static str,
    pub done_dispute: &'static str,
    pub done_held: &'static str,
    pub done_other: &'static str,
}

/// Preferences.
pub struct Prefer {
    pub title: &'static str,
    pub language: &'static str,
    pub language_any: &'static str,
    pub channel: &'static str,
    pub channel_any: &'static str,
    pub times: &'static str,
    pub times_text: &'static str,
    pub remove: &'static str,
    pub add: &'static str,
    pub days: &'static str,
    pub from: &'static str,
    pub to: &'static str,
    pub about: &'static str,
    pub everything: &'static str,
    pub button: &'static str,
    pub done: &'static str,
    pub changed: &'static str,
    pub incomplete: &'static str,
    pub weekdays: [&'static str; 7],
}

/// Stops.
pub struct Stop {
    pub title: &'static str,
    pub text: &'static str,
    pub legend: &'static str,
    pub everything: &'static str,
    pub everything_hint: &'static str,
    pub button: &'static str,
    pub none: &'static str,
    pub done: &'static str,
    pub allow: &'static str,
    pub chosen: &'static str,
}

/// Consents.
pub struct Allow {
    pub title: &'static str,
    pub text: &'static str,
    pub legend: &'static str,
    pub sms: &'static str,
    pub email: &'static str,
    pub voice: &'static str,
    pub button: &'static str,
    pub none: &'static str,
    pub done: &'static str,
    pub nothing: &'static str,
    pub ceased: &'static str,
}

/// What went wrong.
pub struct Trouble {
    pub lost_title: &'static str,
    pub lost: &'static str,
    pub spent_title: &'static str,
    pub spent: &'static str,
    pub over_title: &'static str,
    pub over: &'static str,
    pub stale_title: &'static str,
    pub stale: &'static str,
    pub later_title: &'static str,
    pub later: &'static str,
    pub missing_title: &'static str,
    pub missing: &'static str,
}

impl Words {
    /// The words of a language; none that the pages do not speak.
    pub fn of(tag: &str) -> Option<&'static Self> {
        Language::of(tag).map(|language| match language {
            Language::English => &english::WORDS,
            Language::Spanish => &spanish::WORDS,
        })
    }

    /// The first of our languages that the reader's browser names; English otherwise.
    pub fn wanted(headers: &HeaderMap) -> &'static Self {
        let value = headers.get(header::ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok());
        let tags = value.unwrap_or_default().split(',').map(|one| one.split(';').next().unwrap_or_default());
        tags.filter_map(|tag| Self::of(tag.trim())).next().unwrap_or(&english::WORDS)
    }

    /// What a medium is called; letters and visits are nobody's to choose here.
    pub fn medium(&self, channel: Channel) -> &'static str {
        let [sms, email, voice, portal] = match self.language {
            Language::English => ["Text messages", "Emails", "Phone calls", "Messages on these pages"],
            Language::Spanish => ["Mensajes de texto", "Correos", "Llamadas", "Mensajes en estas páginas"],
        };
        match channel {
            Channel::Sms => sms,
            Channel::Email => email,
            Channel::Voice => voice,
            Channel::Portal | Channel::Letter | Channel::Visit => portal,
        }
    }

    /// A day of the week.
    pub fn weekday(&self, day: Weekday) -> &'static str {
        let place = Weekday::ALL.iter().position(|one| *one == day).unwrap_or(0);
        self.prefer.weekdays[place]
    }
}
