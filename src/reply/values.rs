//! What a reply names: media, dates, amounts, hours, people.

use crate::domain::channel::Channel;
use crate::domain::consent::MinuteOfDay;
use crate::domain::intent::Intent;
use crate::domain::money::Money;
use crate::domain::time::Date;
use crate::reply::Said;
use crate::reply::calendar::{self, Order};
use crate::reply::lexicon::{Lexicon, Means, Medium, Word};
use crate::reply::reading::{Match, spared};
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

/// Hours of every day at which the debtor does not want to be reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hours {
    /// From.
    pub from: MinuteOfDay,
    /// To, exclusive.
    pub to: MinuteOfDay,
    /// Over these media; all where none is named.
    pub media: BTreeSet<Channel>,
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
    let is = |intent: Intent| matches.iter().any(|found| found.means == Means::Says(intent));
    let only: BTreeSet<Channel> = matches
        .iter()
        .filter_map(|found| match found.means {
            Means::Only(medium) => Some(medium.channel()),
            Means::Says(_) | Means::Harmless | Means::Spares(_) | Means::Doubtful => None,
        })
        .collect();
    let everything = is(Intent::Cease);
    if !everything && !is(Intent::Stop) && only.is_empty() {
        return None;
    }
    let mut named = BTreeSet::new();
    for found in matches.iter().filter(|found| found.means == Means::Says(Intent::Stop)) {
        named.extend(media(lexicon, words, &found.named));
    }
    // A reply that names the medium it came by means this address; the other addresses of that medium stay.
    named.remove(&came_by);
    if !only.is_empty() {
        let others = [Channel::Sms, Channel::Email, Channel::Voice];
        named.extend(others.into_iter().filter(|channel| !only.contains(channel)));
    }
    let mut spared: BTreeSet<Channel> = spared(matches).into_iter().map(Medium::channel).collect();
    spared.extend(&only);
    named.retain(|channel| !spared.contains(channel));
    let here = !spared.contains(&came_by) || named.is_empty();
    Some(Stop { named, here, everything })
}

/// The media that a phrase names, and those strung on to it: "calling and texting".
fn media(lexicon: &Lexicon, words: &[Word], named: &[usize]) -> BTreeSet<Channel> {
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

/// The hours that a phrase such as "don't call before 9" rules out.
pub(in crate::reply) fn hours(lexicon: &Lexicon, words: &[Word], named: &[usize]) -> Option<Hours> {
    let at = named.iter().copied().find(|at| {
        words.get(*at).is_some_and(|word| {
            matches!(
                word.text.as_str(),
                "before" | "until" | "till" | "after" | "past" | "antes" | "despues" | "hasta"
            )
        })
    })?;
    let bound = words.get(at)?.text.as_str();
    let early = matches!(bound, "before" | "until" | "till" | "antes" | "hasta");
    let rest: Vec<&str> = words.iter().skip(at + 1).take(4).map(|word| word.text.as_str()).collect();
    let minute = rest.iter().enumerate().find_map(|(place, text)| {
        let next = rest.get(place + 1).copied().unwrap_or("");
        clock(text, next, early)
    })?;
    let whole = (MinuteOfDay::new(0)?, MinuteOfDay::new(1440)?);
    let (from, to) = if early { (whole.0, minute) } else { (minute, whole.1) };
    let media = media(lexicon, words, named);
    (from < to).then_some(Hours { from, to, media })
}

/// A time of day. Where it does not say, what is early is in the morning and what is late is not.
fn clock(text: &str, next: &str, early: bool) -> Option<MinuteOfDay> {
    match text {
        "noon" | "mediodia" => return MinuteOfDay::new(720),
        _ => {}
    }
    let digits = text.trim_end_matches(|c: char| c.is_alphabetic());
    let suffix = text.get(digits.len()..).filter(|suffix| !suffix.is_empty()).unwrap_or(next);
    let (hour, minute) = digits.split_once(':').unwrap_or((digits, "0"));
    let (hour, minute): (u16, u16) = (hour.parse().ok()?, minute.parse().ok()?);
    let half = match suffix {
        "am" | "a" => Some(false),
        "pm" | "p" => Some(true),
        _ if hour > 12 || hour == 0 => None,
        _ => Some(!early || hour == 12),
    };
    let hour = match half {
        Some(afternoon) if (1..=12).contains(&hour) => hour % 12 + if afternoon { 12 } else { 0 },
        Some(_) => return None,
        None => hour,
    };
    (hour < 24 && minute < 60).then(|| MinuteOfDay::new(hour * 60 + minute)).flatten()
}
