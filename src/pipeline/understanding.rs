//! What a reply says, and what it is taken for. Understood before it comes to the recorder, where nothing slow may happen.

use crate::domain::channel::Channel;
use crate::domain::event::Understanding;
use crate::domain::id::PointKey;
use crate::domain::intent::Intent;
use crate::domain::money::Currency;
use crate::domain::state::DebtorState;
use crate::domain::time::{Date, Timestamp};
use crate::pipeline::Refusal;
use crate::policy::zones_in_play;
use crate::reply::{Doubt, Found, Promise, Reader, Reading, Said, Stop};
use std::collections::BTreeSet;

/// A message that a debtor sent, over whichever medium.
#[derive(Clone)]
pub struct Reply {
    /// Over which medium.
    pub channel: Channel,
    /// From which point, by key.
    pub point: PointKey,
    /// From which address.
    pub from: String,
    /// What it says: the debtor's own words.
    pub text: String,
    /// What the provider itself understood (`STOP`).
    pub keyword: Option<String>,
    /// The provider's identifier of it.
    pub provider_ref: Option<String>,
    /// The point that we wrote to, where this answers it from another.
    pub answers: Option<PointKey>,
}

/// A reply that was read.
pub struct Understood {
    /// The reply.
    pub reply: Reply,
    /// What it says.
    pub reading: Reading,
}

impl Understood {
    /// Reads a reply. Where the provider's own keyword and the words disagree, the stricter of the two holds.
    pub fn of(reply: Reply, now: Timestamp) -> Self {
        let reading = read(&reply, None, now.utc_date(), None);
        let mut reading = reading;
        let keyword = reply.keyword.as_deref().map(|word| read_keyword(word, reply.channel, now.utc_date()));
        if let Some(keyword) = keyword {
            if keyword.stop.is_some() && reading.stop.is_none() {
                reading.stop = Some(Stop { named: BTreeSet::new(), here: true, everything: false });
                reading.found.extend(keyword.found);
                reading.doubt = None;
            } else if reading.found.is_empty() && (keyword.says(Intent::Help) || keyword.says(Intent::Start))
            {
                reading = keyword;
            }
        }
        Self { reply, reading }
    }

    /// The same where others wait for this thread: a hostile letter takes long to read.
    ///
    /// # Errors
    /// [`Refusal::Unavailable`] where reading it failed.
    pub async fn off_the_loop(reply: Reply, now: Timestamp) -> Result<Self, Refusal> {
        let read = tokio::task::spawn_blocking(move || Self::of(reply, now)).await;
        read.map_err(|_| Refusal::Unavailable)
    }

    /// The same without anything that restricts nothing: of somebody who has not said to be the debtor.
    #[must_use]
    pub fn restricting(self) -> Self {
        let Reading { mut found, doubt, stop, attorney, .. } = self.reading;
        found.retain(|found| found.intent.is_restrictive());
        Self { reply: self.reply, reading: Reading { found, doubt, stop, attorney, ..Reading::default() } }
    }

    /// Its stop and nothing else, not even its words; none if it has no stop.
    pub fn stop_alone(&self) -> Option<Self> {
        let stop = self.reading.stop.clone()?;
        let found = vec![Found { intent: Intent::Stop, span: 0..0, phrase: "stop".to_owned() }];
        let reply = Reply { text: String::new(), ..self.reply.clone() };
        Some(Self { reply, reading: Reading { found, stop: Some(stop), ..Reading::default() } })
    }

    /// What is done about it, in one word.
    pub fn word(&self) -> Understanding {
        let says = |intent| self.reading.says(intent);
        if self.reading.stop.is_some() {
            Understanding::Stop
        } else if self.reading.doubt.is_some() {
            Understanding::Unclear
        } else if says(Intent::WrongNumber) {
            Understanding::WrongNumber
        } else if says(Intent::Dispute) {
            Understanding::Dispute
        } else if says(Intent::Help) {
            Understanding::Help
        } else if says(Intent::Start) {
            Understanding::Start
        } else {
            Understanding::Other
        }
    }

    /// What was promised, by the calendar, language and currency of one debtor.
    pub fn promise(&self, state: &DebtorState, now: Timestamp) -> Option<Promise> {
        self.reading.promise.as_ref()?;
        let today =
            zones_in_play(&state.outline).first().map_or(now.utc_date(), |zone| zone.local(now).date());
        let file = state.file.as_ref();
        let of_file = file.and_then(|file| file.language.as_deref());
        let language = state.preferences.language.as_deref().or(of_file);
        let balances =
            file.into_iter().flat_map(|file| &file.accounts).filter_map(|account| account.balance.as_ref());
        let currency = balances.map(crate::domain::money::Money::currency).next();
        Some(self.reading.promised.read(&Said {
            text: &self.reply.text,
            channel: self.reply.channel,
            language,
            today,
            currency,
        }))
    }

    /// Whether a person must read it.
    pub fn is_held(&self) -> bool {
        match self.reading.doubt {
            Some(Doubt::Nothing | Doubt::MayBeStop | Doubt::Complaint) => true,
            None => false,
        }
    }
}

fn read(reply: &Reply, language: Option<&str>, today: Date, currency: Option<Currency>) -> Reading {
    Reader::shipped().read(&Said { text: &reply.text, channel: reply.channel, language, today, currency })
}

fn read_keyword(word: &str, channel: Channel, today: Date) -> Reading {
    Reader::shipped().read(&Said { text: word, channel, language: None, today, currency: None })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::id::Pseudonym;

    fn understand(text: &str, keyword: Option<&str>) -> Understanding {
        let reply = Reply {
            channel: Channel::Sms,
            point: PointKey(Pseudonym::from_bytes([1; 16])),
            from: "+13055550123".to_owned(),
            text: text.to_owned(),
            keyword: keyword.map(str::to_owned),
            provider_ref: None,
            answers: None,
        };
        Understood::of(reply, Timestamp::from_millis(0)).word()
    }

    #[test]
    fn the_provider_s_keyword_counts() {
        assert_eq!(understand("arrêt", Some("STOP")), Understanding::Stop);
        assert_eq!(understand("stop", Some("HELP")), Understanding::Stop);
        assert_eq!(understand("aide", Some("HELP")), Understanding::Help);
        assert_eq!(understand("I dispute this", Some("START")), Understanding::Dispute);
    }

    #[test]
    fn what_is_too_long_to_be_read_waits_for_a_person() {
        let filler = "ok thanks ".repeat(40_000);
        assert_eq!(understand(&filler, None), Understanding::Unclear);
        assert_eq!(understand(&format!("stop texting me. {filler}"), None), Understanding::Stop);
    }

    #[test]
    fn anything_else_waits_for_a_person() {
        for text in
            ["", "lorem ipsum", "stop by my office", "can't stop laughing", "you people are harassing me"]
        {
            assert_eq!(understand(text, None), Understanding::Unclear, "{text}");
        }
        assert_eq!(understand("thanks, I'll pay Friday", None), Understanding::Other);
    }
}
