//! What a reply names: media, dates, amounts, hours, people.

use crate::domain::channel::Channel;
use crate::domain::intent::Intent;
use crate::domain::money::Money;
use crate::domain::time::Date;
use crate::reply::Said;
use crate::reply::calendar::{self, Order};
use crate::reply::lexicon::{Lexicon, Means, Medium, Word};
use crate::reply::reading::Match;
use std::collections::BTreeSet;

/// What a stop closes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stop {
    /// The media that it closes altogether, because it names them.
    pub named: BTreeSet<Channel>,
    /// Whether it closes the address that it came from.
    pub here: bool,
    /// Whether it closes everything.
    pub everything: bool,
}

/// A promise to pay.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Promise {
    /// By when, where it says.
    pub due_on: Option<Date>,
    /// How much, where it says.
    pub amount: Option<Money>,
}

/// The words of a reply that promises, spelt: what they name is read by each debtor's calendar, language and currency.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Promised(Vec<Word>);

impl Promised {
    pub(in crate::reply) fn of(words: &[Word]) -> Self {
        Self(words.to_vec())
    }

    /// The date and the amount, by what is known of the debtor.
    pub fn read(&self, said: &Said<'_>) -> Promise {
        promise(&self.0, said)
    }
}

/// An attorney, as far as the reply names one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attorney {
    /// The name.
    pub name: Option<String>,
    /// The telephone number, digits only.
    pub phone: Option<String>,
}

impl Medium {
    fn channel(self) -> Channel {
        match self {
            Self::Call => Channel::Voice,
            Self::Text => Channel::Sms,
            Self::Email => Channel::Email,
            Self::Mail => Channel::Letter,
        }
    }
}

/// What the stops among the phrases close, if there is one.
pub(in crate::reply) fn stop(
    lexicon: &Lexicon,
    words: &[Word],
    matches: &[Match<'_>],
    came_by: Channel,
) -> Option<Stop> {
    let stops: Vec<(&Match<'_>, BTreeSet<Channel>)> = matches
        .iter()
        .filter(|found| matches!(found.means, Means::Says(Intent::Stop | Intent::Cease)))
        .map(|found| (found, media(lexicon, words, &found.named)))
        .collect();
    let mut spared = BTreeSet::new();
    let mut only = BTreeSet::new();
    // "Stop contacting me by text" does not wish for texts.
    for found in matches.iter().filter(|found| !stops.iter().any(|(stop, _)| within(words, stop, found))) {
        match found.means {
            Means::Spares(medium) => {
                spared.insert(medium.channel());
            }
            Means::Only(medium) => {
                only.insert(medium.channel());
            }
            Means::Says(_) | Means::Harmless | Means::Doubtful => {}
        }
    }
    if stops.is_empty() && only.is_empty() {
        return None;
    }
    let everything = stops.iter().any(|(stop, _)| stop.means == Means::Says(Intent::Cease));
    let plain = || stops.iter().filter(|(stop, _)| stop.means == Means::Says(Intent::Stop));
    let mut named: BTreeSet<Channel> = plain().flat_map(|(_, media)| media.iter().copied()).collect();
    // A reply that names the medium it came by means this address; the other addresses of that medium stay.
    named.remove(&came_by);
    if !only.is_empty() {
        let others = [Channel::Sms, Channel::Email, Channel::Voice];
        named.extend(others.into_iter().filter(|channel| !only.contains(channel)));
    }
    spared.extend(&only);
    named.retain(|channel| !spared.contains(channel));
    // "STOP" by itself means where it was sent, whatever else is said of media.
    let bare = plain().any(|(stop, media)| {
        media.is_empty() && !plain().any(|(other, media)| !media.is_empty() && other.shares(stop))
    });
    let here = bare || !spared.contains(&came_by) || named.is_empty();
    Some(Stop { named, here, everything })
}

/// Whether a phrase that spares a medium is only the rest of a stop: they share a word, and the stop begins first, in the
/// same part of the sentence. "Just mail me, no texts" and "no texts, only letters" are not.
fn within(words: &[Word], stop: &Match<'_>, found: &Match<'_>) -> bool {
    let first = |one: &Match<'_>| one.named.first().and_then(|at| Some((*at, words.get(*at)?.part)));
    let (Some((begins, part)), Some((at, other))) = (first(stop), first(found)) else { return false };
    stop.shares(found) && begins < at && part == other
}

/// The media that a phrase names, and those strung on to it: "calling and texting".
pub(in crate::reply) fn media(lexicon: &Lexicon, words: &[Word], named: &[usize]) -> BTreeSet<Channel> {
    let mut found = BTreeSet::new();
    for at in named {
        found.extend(words.get(*at).and_then(|word| lexicon.medium(word)).map(Medium::channel));
    }
    let mut last = named.last().copied().unwrap_or(0);
    if found.is_empty() {
        return found;
    }
    while let Some(next) = (last + 1..=last + 3).find(|at| {
        words.get(*at).is_some_and(|word| lexicon.medium(word).is_some())
            && (last + 1..*at).all(|between| {
                words.get(between).is_some_and(|word| {
                    matches!(
                        word.text.as_str(),
                        "and" | "or" | "nor" | "y" | "ni" | "o" | "me" | "mas" | "por" | "my"
                    )
                })
            })
    }) {
        found.extend(words.get(next).and_then(|word| lexicon.medium(word)).map(Medium::channel));
        last = next;
    }
    found
}

/// The date and the amount of a promise.
fn promise(words: &[Word], said: &Said<'_>) -> Promise {
    let english = said.language.is_none_or(|language| !language.to_ascii_lowercase().starts_with("es"));
    let order = if english { Order::MonthFirst } else { Order::Unknown };
    let dated = calendar::first(words, 0, said.today, order);
    let taken = dated.as_ref().map_or(0..0, |dated| dated.words.clone());
    let amount = (0..words.len()).filter(|at| !taken.contains(at)).find_map(|at| amount(words, at, said));
    Promise { due_on: dated.map(|dated| dated.date), amount }
}

fn amount(words: &[Word], at: usize, said: &Said<'_>) -> Option<Money> {
    let text = |at: Option<usize>| at.and_then(|at| words.get(at)).map_or("", |word| word.text.as_str());
    let word = words.get(at).filter(|word| word.number)?;
    let marked = text(at.checked_sub(1)) == "$"
        || matches!(
            text(Some(at + 1)),
            "dollars" | "dollar" | "bucks" | "usd" | "dolares" | "dolar" | "dlls"
        );
    let paid = (1..=2).any(|back| {
        matches!(
            text(at.checked_sub(back)),
            "pay"
                | "paying"
                | "send"
                | "sending"
                | "payment"
                | "pago"
                | "pagar"
                | "pagare"
                | "mando"
                | "deposito"
                | "abono"
                | "doy"
                | "envio"
                | "put"
                | "transfer"
        )
    });
    let decimal: String = word.text.chars().filter(|c| *c != ',').collect();
    let plain = decimal.chars().all(|c| c.is_ascii_digit() || c == '.');
    let timed = matches!(text(Some(at + 1)), "am" | "pm" | "days" | "weeks" | "dias" | "semanas");
    ((marked || paid) && plain && !timed)
        .then(|| Money::parse(&decimal, said.currency?.code()).ok())
        .flatten()
}

/// The attorney's name and number: the capitalised words behind the word, and ten digits anywhere.
pub(in crate::reply) fn attorney(words: &[Word], text: &str) -> Option<Attorney> {
    let title = |word: &Word| {
        matches!(
            word.text.as_str(),
            "attorney"
                | "attorneys"
                | "lawyer"
                | "lawyers"
                | "counsel"
                | "abogado"
                | "abogada"
                | "esq"
                | "licenciado"
        )
    };
    let name = words.iter().enumerate().filter(|(_, word)| title(word)).find_map(|(at, _)| {
        let written = |at: usize| words.get(at).and_then(|word| text.get(word.span.clone()));
        let joins = |word: &str| {
            matches!(
                word,
                "is" | "es"
                    | "named"
                    | "name"
                    | "mr"
                    | "ms"
                    | "se"
                    | "llama"
                    | "to"
                    | "direct"
                    | "all"
                    | "communication"
                    | "communications"
            )
        };
        let start = (at + 1..words.len())
            .take_while(|next| *next == at + 1 || words.get(next - 1).is_some_and(|word| joins(&word.text)))
            .find(|next| words.get(*next).is_some_and(|word| !joins(&word.text)))?;
        let named = (start..words.len())
            .map_while(|at| written(at).filter(|word| word.starts_with(|c: char| c.is_uppercase())))
            .take(4);
        let name: Vec<&str> = named.collect();
        (!name.is_empty()).then(|| name.join(" "))
    });
    let phone = phone(text);
    (name.is_some() || phone.is_some()).then_some(Attorney { name, phone })
}

/// The first ten-digit number of a text, however it is written.
fn phone(text: &str) -> Option<String> {
    let mut digits = String::new();
    for c in text.chars().chain(std::iter::once('\n')) {
        if c.is_ascii_digit() {
            digits.push(c);
        } else if !matches!(c, ' ' | '-' | '.' | '(' | ')' | '+') || digits.len() >= 10 {
            let national = digits.strip_prefix('1').filter(|rest| rest.len() == 10).unwrap_or(&digits);
            if national.len() == 10 {
                return Some(national.to_owned());
            }
            digits.clear();
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use crate::domain::channel::Channel::{self, Email, Sms, Voice};
    use crate::domain::time::Date;
    use crate::reply::{Reader, Said, Stop};

    fn stop(channel: Channel, text: &str) -> Option<Stop> {
        let today = Date::constant(2026, 11, 25);
        Reader::shipped().read(&Said { text, channel, language: None, today, currency: None }).stop
    }

    #[test]
    fn a_stop_that_names_another_medium_closes_its_own_address_too() {
        for (came_by, text, named) in [
            (Sms, "Stop contacting me by text or email", &[Email][..]),
            (Sms, "Stop harassing me by text and phone calls", &[Voice]),
            (Email, "Stop contacting me by email or text", &[Sms]),
            (Email, "Do not contact me via email or text", &[]),
            (Sms, "do not contact me by text or by mail", &[]),
            (Sms, "Dejen de contactarme por mensaje o correo", &[]),
            (Sms, "no me escriban por texto ni correo", &[Email]),
            (Sms, "You only text me to harass me. STOP", &[Email, Voice]),
            (Sms, "You only text me to harass me. Unsubscribe", &[Email, Voice]),
            (Sms, "STOP. texts are ok", &[]),
            (Sms, "solo me mandan mensajes para molestar. ALTO", &[]),
            (Sms, "Do not text me, only send letters by US mail.", &[Email, Sms, Voice]),
        ] {
            let stop = stop(came_by, text).expect(text);
            assert!(stop.here, "{text}: {stop:?}");
            assert!(named.iter().all(|medium| stop.named.contains(medium)), "{text}: {stop:?}");
        }
    }

    #[test]
    fn a_medium_that_may_go_on_goes_on() {
        for (came_by, text, named) in [
            (Sms, "don't call me, text me instead", &[Voice][..]),
            (Sms, "dont call me just text me", &[Voice]),
            (Sms, "do not call me, you can text me", &[Voice]),
            (Sms, "stop calling, texts are fine", &[Voice]),
            (Sms, "no me llamen, por mensaje est\u{e1} bien", &[Voice]),
            (Voice, "just mail me, no texts", &[Email, Sms]),
        ] {
            let stop = stop(came_by, text).expect(text);
            assert!(named.iter().all(|medium| stop.named.contains(medium)), "{text}: {stop:?}");
            assert!(!stop.named.contains(&Channel::Letter), "{text}: {stop:?}");
            assert!(!stop.here || came_by == Voice, "{text}: {stop:?}");
        }
        let stop = stop(Sms, "stop texting me, email is fine").expect("a stop");
        assert!(stop.here && !stop.named.contains(&Email), "{stop:?}");
    }
}
