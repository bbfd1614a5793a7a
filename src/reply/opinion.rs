//! What follows from the weights of a reply: a doubt that is surely a stop, a stop that is surely none, and a doubt that is
//! surely harmless.
//!
//! # Decisions
//! - 2026-11-23: the phrases come first. The scale of stops turns a doubt into a stop only when it is sure ([`SURE`]), and takes
//!   back a stop into a doubt only when it is sure of the contrary ([`AGAINST`]). Of replies that
//!   neither words nor weights had seen, 98.5 of a hundred stops are honoured and 1.5 of a hundred others wrongly; of a set that
//!   was written to be as wild as can be, 85 and 5, and 13 stops wait for a person (`tests/pipeline/weights.rs` prints both).
//! - 2026-11-23: a doubt is lifted where the one scale is surely against a stop, the other surely for something harmless, and
//!   the words are known ([`FAMILIAR`]); what a phrase holds as a possible stop needs more. The bounds are those at which,
//!   learnt from the other sets, no stop that was held went by on any set; `tests/pipeline/weights.rs` prints what they do.

use crate::domain::intent::Intent;
use crate::reply::lexicon::{Lexicon, Word};
use crate::reply::reading::{Doubt, Found, Reading};
use crate::reply::values::Stop;
use crate::reply::weigh::{self, Scale};
use std::collections::BTreeSet;

/// From here on a doubt is a stop: in logits, e to its power to one.
const SURE: f64 = 2.0;
/// Down from here a stop is a doubt.
const AGAINST: f64 = -0.5;
/// Words of the longest reply that is weighed: the tuning set has none longer.
const LONGEST: usize = 48;
/// So few words mean what they say: `stop` is not weighed.
const SHORTEST: usize = 2;
/// The part of the words that must be known before a doubt is lifted: what is said in another language shows nothing.
const FAMILIAR: f64 = 0.6;
/// A wish to hear more that may be meant otherwise waits for a person.
const UNLIKE_START: f64 = 0.0;

/// Which scales there are.
pub(in crate::reply) struct Scales {
    /// Of a stop.
    pub stop: Scale,
    /// Of what bars nothing and needs nobody.
    pub harmless: Scale,
}

/// How sure both scales must be before a doubt is lifted.
struct Bar {
    /// At most so much for a stop.
    stop: f64,
    /// At least so much for something harmless.
    harmless: f64,
}

/// Nothing was understood.
const NOTHING: Bar = Bar { stop: -2.5, harmless: 1.0 };
/// A word or a phrase may mean stop.
const MAY_BE_STOP: Bar = Bar { stop: -4.0, harmless: 1.5 };

/// The second opinion. `explained` says that the words that might stop have been explained by a phrase.
pub(in crate::reply) fn second(
    lexicon: &Lexicon,
    scales: &Scales,
    words: &[Word],
    explained: bool,
    reading: &mut Reading,
) {
    if words.is_empty() || words.len() > LONGEST {
        return;
    }
    let whole = weigh::shown(lexicon, words);
    // "I got your message. Where do I sign off?": the one sentence says it.
    let sentences: Vec<&[Word]> = words.chunk_by(|one, next| one.sentence == next.sentence).collect();
    let alone = sentences.len() == 1;
    let (mut odds, mut heaviest) = (scales.stop.weigh(&whole), (words, None));
    for sentence in sentences.into_iter().filter(|_| !alone) {
        let shown = weigh::shown(lexicon, sentence);
        let weight = scales.stop.weigh(&shown);
        if weight >= odds {
            (odds, heaviest) = (weight, (sentence, Some(shown)));
        }
    }
    if let Some(stop) = &reading.stop {
        // "No calls, texts are fine" weighs little here, and closes the telephone all the same.
        if (stop.here || stop.everything) && odds < AGAINST && words.len() > SHORTEST {
            reading.stop = None;
            reading.found.retain(|found| !matches!(found.intent, Intent::Stop | Intent::Cease));
            reading.doubt = Some(Doubt::MayBeStop);
        }
        return;
    }
    if odds > SURE && !explained {
        let (part, shown) = heaviest;
        let why = scales.stop.heaviest(shown.as_ref().unwrap_or(&whole));
        surely_stop(part, &why, reading);
        return;
    }
    if reading.says(Intent::Start) && odds > UNLIKE_START && words.len() > SHORTEST {
        reading.doubt = reading.doubt.or(Some(Doubt::MayBeStop));
    }
    // "Not now" may be anything.
    if words.len() > SHORTEST {
        lift(scales, &whole, odds, reading);
    }
}

fn surely_stop(part: &[Word], why: &[String], reading: &mut Reading) {
    // Beside an attorney or a death, a stop is one too.
    if reading.doubt.is_some() || reading.found.iter().any(|found| found.intent.is_restrictive()) {
        let span =
            part.first().map_or(0, |word| word.span.start)..part.last().map_or(0, |word| word.span.end);
        let phrase = format!("weighed: {}", why.join(", "));
        reading.stop = Some(Stop { named: BTreeSet::new(), here: true, everything: false });
        reading.found.retain(|found| {
            !matches!(found.intent, Intent::Help | Intent::Start | Intent::Courtesy | Intent::Question)
        });
        reading.found.push(Found { intent: Intent::Stop, span, phrase });
        reading.doubt = None;
    } else {
        reading.doubt = Some(Doubt::MayBeStop);
    }
}

/// Takes back a doubt about what is surely harmless. What it says is then what the phrases found, or nothing that has a name.
fn lift(scales: &Scales, shown: &BTreeSet<String>, stop: f64, reading: &mut Reading) {
    let bar = match reading.doubt {
        Some(Doubt::Nothing) => NOTHING,
        Some(Doubt::MayBeStop) => MAY_BE_STOP,
        // A person answers it, however harmless it is otherwise.
        Some(Doubt::Complaint) | None => return,
    };
    let sure = stop <= bar.stop && scales.harmless.weigh(shown) >= bar.harmless;
    if sure && scales.stop.familiar(shown) >= FAMILIAR && !reading.says(Intent::Start) {
        reading.doubt = reading.says(Intent::Complaint).then_some(Doubt::Complaint);
    }
}

#[cfg(test)]
mod tests {
    use crate::domain::channel::Channel;
    use crate::domain::intent::Intent;
    use crate::domain::time::Date;
    use crate::reply::{Doubt, Reader, Reading, Said};

    fn read(text: &str) -> Reading {
        let today = Date::constant(2026, 11, 25);
        Reader::shipped().read(&Said { text, channel: Channel::Sms, language: None, today, currency: None })
    }

    #[test]
    fn what_the_weights_do_not_know_stays_held() {
        for text in [
            "",
            "asdf qwer",
            "lorem ipsum dolor sit amet",
            "arr\u{ea}tez de m'envoyer des messages",
            "n\u{e3}o quero mais receber mensagens",
            "bitte schreiben Sie mir nicht mehr",
            "\u{43f}\u{435}\u{440}\u{435}\u{441}\u{442}\u{430}\u{43d}\u{44c}\u{442}\u{435} \u{43f}\u{438}\u{441}\u{430}\u{442}\u{44c}",
        ] {
            let reading = read(text);
            assert!(reading.stop.is_some() || reading.doubt.is_some(), "{text}");
        }
    }

    #[test]
    fn a_consent_comes_back_by_a_clear_wish_alone() {
        for text in [
            "opt me back in",
            "Please resume the texts",
            "can you start texting me again?",
            "Sorry, my mistake. Sign me back up please",
            "quiero volver a recibir mensajes",
            "por favor reactiven mis mensajes",
        ] {
            let reading = read(text);
            assert!(reading.says(Intent::Start) && reading.doubt.is_none(), "{text}: {reading:?}");
        }
        for text in [
            "don't start texting me again",
            "I do not want to opt back in",
            "why would I want to start getting texts again",
            "start texting me again and I'll see you in court",
            "no quiero volver a recibir mensajes",
            "nunca pueden volver a escribirme",
            "sign me up again? no way",
            "keep texting me",
            "if I text start will I get messages again?",
        ] {
            let reading = read(text);
            assert!(!reading.says(Intent::Start) || reading.doubt.is_some(), "{text}: {reading:?}");
        }
    }

    #[test]
    fn a_doubt_goes_where_it_is_surely_harmless_and_stays_where_a_person_answers() {
        for text in
            ["who do I call for help", "Can you cancel my autopay", "my website login page stops loading"]
        {
            assert_eq!(read(text).doubt, None, "{text}");
        }
        assert_eq!(read("your agent was very rude to me").doubt, Some(Doubt::Complaint));
    }
}
