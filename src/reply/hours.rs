//! Hours at which a debtor does not want to be reached: "don't call before 9", "no me escriba después de las 8 de la noche".
//!
//! A number behind "before" or "after" is a time of day only where it is written as one or nothing is counted by it: "stop
//! texting me after 2 years" is a stop.

use crate::domain::channel::Channel;
use crate::domain::consent::MinuteOfDay;
use crate::reply::calendar::day_name;
use crate::reply::lexicon::{Lexicon, Word};
use crate::reply::values::media;
use std::collections::BTreeSet;

/// Words between "before" and the time, at most.
const REACH: usize = 4;

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
    let bound = words.get(at)?;
    let early = matches!(bound.text.as_str(), "before" | "until" | "till" | "antes" | "hasta");
    let behind: Vec<&str> = words
        .iter()
        .skip(at + 1)
        .take_while(|word| (word.sentence, word.clause) == (bound.sentence, bound.clause))
        .filter(|word| !word.says_nothing)
        .map(|word| word.text.as_str())
        .collect();
    let place = behind.iter().take(REACH).position(|word| !leads_to_a_time(word))?;
    let (before, from_time) = behind.split_at(place);
    let (time, after) = from_time.split_first()?;
    let minute = clock(time, before.contains(&"las"), after, early)?;
    let whole = (MinuteOfDay::new(0)?, MinuteOfDay::new(1440)?);
    let (from, to) = if early { (whole.0, minute) } else { (minute, whole.1) };
    let media = media(lexicon, words, named);
    (from < to).then_some(Hours { from, to, media })
}

/// What may stand between "before" and the time.
fn leads_to_a_time(word: &str) -> bool {
    matches!(
        word,
        "about"
            | "around"
            | "at"
            | "like"
            | "least"
            | "say"
            | "after"
            | "its"
            | "it"
            | "is"
            | "de"
            | "del"
            | "la"
            | "las"
            | "el"
            | "a"
            | "al"
            | "como"
            | "que"
            | "sean"
            | "son"
    )
}

/// Which half of the day a time is in, where it is one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Half {
    Morning,
    Later,
    Unsaid,
}

/// A time of day, by the words behind it. Where it does not say, what is early is in the morning and what is late is not.
fn clock(text: &str, article: bool, behind: &[&str], early: bool) -> Option<MinuteOfDay> {
    if matches!(text, "noon" | "mediodia") {
        return MinuteOfDay::new(720);
    }
    let digits = text.trim_end_matches(|c: char| c.is_alphabetic());
    let half = match text.get(digits.len()..).unwrap_or_default() {
        "am" | "a" => Half::Morning,
        "pm" | "p" => Half::Later,
        "" if digits.contains(':') => half_of_day(article, behind).unwrap_or(Half::Unsaid),
        "" => half_of_day(article, behind)?,
        "h" | "hs" | "hrs" if article => Half::Unsaid,
        // "The 5th", "2x".
        _ => return None,
    };
    let (hour, minute) = digits.split_once(':').unwrap_or((digits, "0"));
    let (hour, minute): (u16, u16) = (hour.parse().ok()?, minute.parse().ok()?);
    let afternoon = match half {
        Half::Morning => Some(false),
        Half::Later => Some(true),
        Half::Unsaid if hour > 12 || hour == 0 => None,
        Half::Unsaid => Some(!early || hour == 12),
    };
    let hour = match afternoon {
        Some(afternoon) if (1..=12).contains(&hour) => hour % 12 + if afternoon { 12 } else { 0 },
        Some(_) => return None,
        None => hour,
    };
    (hour < 24 && minute < 60).then(|| MinuteOfDay::new(hour * 60 + minute)).flatten()
}

/// What the words behind a number say of it. `None` where they are what it counts, or anything else that is not known to
/// follow a time.
fn half_of_day(article: bool, behind: &[&str]) -> Option<Half> {
    Some(match behind {
        ["am", ..] | ["a", "m", ..] | ["a"] => Half::Morning,
        ["pm", ..] | ["p", "m", ..] | ["p"] => Half::Later,
        ["oclock" | "clock" | "sharp", rest @ ..] | ["en", "punto", rest @ ..] => {
            half_of_day(article, rest).unwrap_or(Half::Unsaid)
        }
        // "Las 20 horas" is a time, "20 horas" is how long.
        ["horas" | "hrs" | "hs" | "h", ..] if article => Half::Unsaid,
        ["in", "the", "morning" | "mornings", ..]
        | ["de" | "por" | "en", "la", "manana" | "madrugada", ..] => Half::Morning,
        ["in", "the", "afternoon" | "evening" | "evenings", ..]
        | ["at", "night", ..]
        // "Noche" is spelt "anoche" once it is known.
        | ["de" | "por" | "en", "la", "tarde" | "noche" | "anoche", ..] => Half::Later,
        ["my" | "your" | "our" | "local" | "eastern" | "central" | "mountain" | "pacific", "time", ..] => {
            Half::Unsaid
        }
        ["on", day, ..] | ["on", "the", day, ..] | ["los", day, ..] if is_days(day) => Half::Unsaid,
        [word, ..] if ends_a_time(word) || is_days(word) => Half::Unsaid,
        ["que", word, ..] if begins_a_reason(word) => Half::Unsaid,
        [word, ..] if begins_a_reason(word) => Half::Unsaid,
        [] => Half::Unsaid,
        _ => return None,
    })
}

/// Days for which hours hold.
fn is_days(word: &str) -> bool {
    matches!(
        word,
        "weekdays" | "weekends" | "weekend" | "daily" | "everyday" | "day" | "sabados" | "domingos" | "fines"
    ) || [word, word.strip_suffix('s').unwrap_or(word)].into_iter().any(|word| day_name(word).is_some())
}

/// Courtesies behind a time.
fn ends_a_time(word: &str) -> bool {
    matches!(
        word,
        "thanks" | "thank" | "ok" | "okay" | "sir" | "maam" | "gracias" | "porfavor" | "senor" | "senora"
    )
}

/// What begins a reason that follows a time without a comma: "before 10 I work nights", "antes de las 3 que duermo".
fn begins_a_reason(word: &str) -> bool {
    matches!(
        word,
        "i" | "im"
            | "ill"
            | "ive"
            | "we"
            | "its"
            | "thats"
            | "you"
            | "my"
            | "bc"
            | "cuz"
            | "cause"
            | "since"
            | "when"
            | "while"
            | "if"
            | "unless"
            | "except"
            | "yo"
            | "mi"
            | "me"
            | "es"
            | "no"
            | "si"
            | "cuando"
            | "mientras"
            | "estoy"
            | "duermo"
            | "trabajo"
            | "ando"
            | "tengo"
            | "descanso"
            | "salgo"
            | "entro"
    )
}

#[cfg(test)]
mod tests {
    use crate::domain::channel::Channel;
    use crate::domain::intent::Intent;
    use crate::domain::time::Date;
    use crate::reply::{Reader, Reading, Said};

    fn read(text: &str) -> Reading {
        let today = Date::constant(2026, 11, 25);
        Reader::shipped().read(&Said { text, channel: Channel::Sms, language: None, today, currency: None })
    }

    #[test]
    fn what_is_counted_is_no_time_of_day() {
        for text in [
            "Stop texting me after 2 years",
            "Stop texting me after 5 messages",
            "Stop texting me after 5 in a row",
            "stop calling I told you before 5 times",
            "Stop texting me. I told you before 5 already",
            "no more texts after 12 of them",
            "Do not contact me again after 3 attempts",
            "Do not contact me again until 5 January",
            "ya no me escriban despues de 2 a\u{f1}os",
            "no me manden mensajes despues de las 5 veces que les dije",
            "no me contacten despues de 3 intentos",
            "dejen de llamarme despues de 10 mensajes",
            "no me escriban hasta el 5 de enero",
        ] {
            let reading = read(text);
            let honoured = reading.stop.as_ref().is_some_and(|stop| stop.here || stop.everything);
            assert!(honoured && reading.hours.is_none(), "{text}: {reading:?}");
        }
        assert!(read("Do not contact me again until 5 January").says(Intent::Cease));
        for text in ["do not email me until 12/5", "don't call me until the 5th"] {
            let reading = read(text);
            assert!(reading.hours.is_none() && (reading.stop.is_some() || reading.doubt.is_some()), "{text}");
        }
    }

    #[test]
    fn a_time_of_day_rules_out_hours() {
        for (text, from, to) in [
            ("don't text me before 9", 0, 540),
            ("don't call me before like 9", 0, 540),
            ("don't call before 9 o'clock", 0, 540),
            ("dont text before 9 im sleeping", 0, 540),
            ("don't call before 9 on weekends", 0, 540),
            ("do not call before 10 in the morning please", 0, 600),
            ("Don't call before 10, I work nights, but any time after that is fine", 0, 600),
            ("no calls before noon please", 0, 720),
            ("please don't text after 8pm", 1200, 1440),
            ("don't text me after 9 at night", 1260, 1440),
            ("don't text me after 9 p.m.", 1260, 1440),
            ("don't call after 9:30 pm", 1290, 1440),
            ("don't text me after 9pm or before 8am", 1260, 1440),
            ("no me llame antes de las 10", 0, 600),
            ("no me llame antes de las 9 por favor", 0, 540),
            ("no me llame antes del mediod\u{ed}a", 0, 720),
            ("No me llame antes de las 3 que duermo, despu\u{e9}s s\u{ed}", 0, 180),
            ("no me escriba antes de las 9 de la ma\u{f1}ana", 0, 540),
            ("no me escriban despu\u{e9}s de las 8 de la noche", 1200, 1440),
            ("no me llamen despues de las 20 horas", 1200, 1440),
        ] {
            let reading = read(text);
            let hours = reading.hours.as_ref().map(|hours| (hours.from.minutes(), hours.to.minutes()));
            assert_eq!((hours, &reading.stop, reading.doubt), (Some((from, to)), &None, None), "{text}");
        }
    }

    /// Where hours take the place of a stop and the words weigh as one, a person says which it is.
    #[test]
    fn what_weighs_as_a_stop_is_held_all_the_same() {
        let reading = read("stop texting after 8pm");
        assert!(reading.hours.is_some() && reading.doubt.is_some(), "{reading:?}");
    }
}
