//! What follows from the phrases of a reply, all together.

use crate::domain::intent::Intent;
use crate::reply::Said;
use crate::reply::hours::{self, Hours};
use crate::reply::lexicon::{Lexicon, Means, Word};
use crate::reply::opinion::{self, Scales};
use crate::reply::phrase;
use crate::reply::tokens::tokens;
use crate::reply::values::{self, Attorney, Promise, Promised, Stop};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

/// One thing that a reply says, and the words that say it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// What it says.
    pub intent: Intent,
    /// Where, in bytes of the text.
    pub span: Range<usize>,
    /// The phrase of the word files that it matched.
    pub phrase: String,
}

/// Why a person must read the reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Doubt {
    /// Nothing in it was understood.
    Nothing,
    /// Something in it may mean stop, and nothing explains it.
    MayBeStop,
    /// It complains: a person answers complaints.
    Complaint,
}

/// What a reply says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reading {
    /// Everything that was understood, in the order of the text, each intent once.
    pub found: Vec<Found>,
    /// Why a person must read it, if one must.
    pub doubt: Option<Doubt>,
    /// What a stop closes.
    pub stop: Option<Stop>,
    /// What was promised.
    pub promise: Option<Promise>,
    /// The words that promise it, to be read again by what another debtor's file says.
    pub promised: Promised,
    /// Who represents the debtor.
    pub attorney: Option<Attorney>,
    /// When the debtor does not want to be reached.
    pub hours: Option<Hours>,
    /// When or at which number to call back, in the debtor's words.
    pub call_back: Option<String>,
}

impl Reading {
    /// Whether it says something.
    pub fn says(&self, intent: Intent) -> bool {
        self.found.iter().any(|found| found.intent == intent)
    }

    /// Everything it says.
    pub fn intents(&self) -> Vec<Intent> {
        self.found.iter().map(|found| found.intent).collect()
    }
}

/// A phrase where it stands.
pub(in crate::reply) struct Match<'a> {
    pub means: Means,
    pub phrase: &'a str,
    pub named: Vec<usize>,
}

impl Match<'_> {
    /// Whether both name the same word.
    pub fn shares(&self, other: &Match<'_>) -> bool {
        self.named.iter().any(|at| other.named.contains(at))
    }
}

/// Bytes of a reply that are read: two or three pages.
const LONGEST: usize = 8_192;

pub(in crate::reply) fn read(lexicon: &Lexicon, scales: &Scales, said: &Said<'_>) -> Reading {
    if said.text.len() <= LONGEST {
        return read_all(lexicon, scales, said);
    }
    let beginning = said.text.get(..said.text.floor_char_boundary(LONGEST)).unwrap_or_default();
    let mut reading = read_all(lexicon, scales, &Said { text: beginning, ..*said });
    // What nobody has read may say anything.
    if reading.stop.is_none() {
        reading.doubt = reading.doubt.or(Some(Doubt::MayBeStop));
    }
    reading
}

fn read_all(lexicon: &Lexicon, scales: &Scales, said: &Said<'_>) -> Reading {
    let words = lexicon.resolve(tokens(said.text));
    let mut matches = matches(lexicon, &words);
    let harmless: Vec<Vec<usize>> = matches
        .iter()
        .filter(|found| found.means == Means::Harmless)
        .map(|found| found.named.clone())
        .collect();
    let masked = |found: &Match<'_>| harmless.iter().any(|turn| masks(turn, &found.named));
    matches.retain(|found| match found.means {
        Means::Harmless => true,
        Means::Says(intent) => !intent.is_restrictive() || !masked(found),
        Means::Spares(_) | Means::Only(_) | Means::Doubtful => !masked(found),
    });
    matches
        .retain(|found| found.means != Means::Says(Intent::Start) || !denied(lexicon, &words, &found.named));
    give_way(&mut matches);
    let hours = matches
        .iter()
        .filter(|found| found.means == Means::Says(Intent::Inconvenient))
        .find_map(|found| Some((hours::hours(lexicon, &words, &found.named)?, found.named.clone())));
    let mut outweighed = false;
    if let Some((_, named)) = &hours {
        // "Do not call before nine" is no stop.
        let range = named.first().copied().unwrap_or(0)..=named.last().copied().unwrap_or(0);
        let within = |found: &Match<'_>| found.named.iter().any(|at| range.contains(at));
        matches.retain(|found| match found.means {
            Means::Says(Intent::Stop | Intent::Cease) if within(found) => {
                outweighed = true;
                false
            }
            Means::Says(Intent::CallBack) => !within(found),
            Means::Says(_) | Means::Harmless | Means::Spares(_) | Means::Only(_) | Means::Doubtful => true,
        });
    } else {
        matches.retain(|found| found.means != Means::Says(Intent::Inconvenient));
    }
    let mut reading = Reading { found: found(&words, &matches), ..Reading::default() };
    reading.hours = hours.map(|(hours, _)| hours);
    reading.stop = values::stop(lexicon, &words, &matches, said.channel);
    if reading.stop.is_some() && !reading.says(Intent::Stop) && !reading.says(Intent::Cease) {
        let only = matches.iter().find(|found| matches!(found.means, Means::Only(_)));
        reading.found.extend(only.map(|only| as_found(&words, only, Intent::Stop)));
    }
    settle(&mut reading);
    reading.doubt = doubt(&words, &matches, &reading);
    // "Stop sign": the turn that explains it is nearly all there is. "Only after nine" is what it says; where hours took the
    // place of a stop, the weights may still hold it.
    let turns: BTreeSet<&usize> = harmless.iter().flatten().collect();
    let explained = turns.len() * 3 >= words.len() * 2 || (reading.hours.is_some() && !outweighed);
    opinion::second(lexicon, scales, &words, explained, &mut reading);
    if reading.says(Intent::Promise) {
        reading.promised = Promised::of(&words);
        reading.promise = Some(reading.promised.read(said));
    }
    if reading.says(Intent::Attorney) {
        reading.attorney = values::attorney(&words, said.text);
    }
    if reading.says(Intent::CallBack) {
        reading.call_back = Some(said.text.trim().chars().take(500).collect());
    }
    reading
}

/// "No quiero volver a recibir": whether a word that denies stands before a phrase, in the same part of its sentence.
fn denied(lexicon: &Lexicon, words: &[Word], named: &[usize]) -> bool {
    let Some((at, first)) = named.first().and_then(|at| Some((*at, words.get(*at)?))) else { return false };
    let before = words.get(..at).unwrap_or_default().iter().rev();
    before
        .take_while(|word| (word.sentence, word.part) == (first.sentence, first.part))
        .any(|word| lexicon.kind(word) == Some("not"))
}

/// A turn explains a phrase that shares a word with it and does not begin before it: "don't use this number" says more than
/// "use this number".
fn masks(turn: &[usize], phrase: &[usize]) -> bool {
    let (Some(begins), Some(ends), Some(first)) = (turn.first(), turn.last(), phrase.first()) else {
        return false;
    };
    (begins..=ends).contains(&first) && phrase.iter().any(|at| turn.contains(at))
}

/// How much a phrase weighs where two share a word: what bars contact over what does not, what is past over what is to come.
fn weight(intent: Intent) -> u8 {
    match intent {
        Intent::Hardship | Intent::AlreadyPaid => 2,
        Intent::Promise | Intent::CallBack => 1,
        Intent::Question => 0,
        Intent::Stop
        | Intent::Cease
        | Intent::WrongNumber
        | Intent::Dispute
        | Intent::Attorney
        | Intent::Bankruptcy
        | Intent::Deceased
        | Intent::Refusal => 3,
        // These share their words with anybody.
        Intent::Help | Intent::Start | Intent::Complaint | Intent::Inconvenient | Intent::Courtesy => 4,
    }
}

/// "Don't call me" is no wish to be called, "I can't pay" no promise.
fn give_way(matches: &mut Vec<Match<'_>>) {
    let mut heaviest: BTreeMap<usize, u8> = BTreeMap::new();
    for found in matches.iter() {
        let Means::Says(intent) = found.means else { continue };
        let own = Some(weight(intent)).filter(|weight| *weight < 4).unwrap_or(0);
        for at in &found.named {
            heaviest.entry(*at).and_modify(|known| *known = own.max(*known)).or_insert(own);
        }
    }
    matches.retain(|found| match found.means {
        Means::Says(intent) => {
            let own = weight(intent);
            found.named.iter().all(|at| heaviest.get(at).is_none_or(|heaviest| own >= *heaviest))
        }
        Means::Harmless | Means::Spares(_) | Means::Only(_) | Means::Doubtful => true,
    });
}

fn matches<'a>(lexicon: &'a Lexicon, words: &[Word]) -> Vec<Match<'a>> {
    let mut found = Vec::new();
    for (at, word) in words.iter().enumerate() {
        for (means, phrase) in lexicon.beginning(word) {
            if let Some(named) = phrase.at(words, at) {
                found.push(Match { means: *means, phrase: &phrase.text, named });
            }
        }
    }
    found
}

fn as_found(words: &[Word], found: &Match<'_>, intent: Intent) -> Found {
    Found { intent, span: phrase::span(words, &found.named), phrase: found.phrase.to_owned() }
}

/// Each intent once, by its longest phrase, in the order of the text.
fn found(words: &[Word], matches: &[Match<'_>]) -> Vec<Found> {
    let mut found: Vec<Found> = Vec::new();
    for one in matches {
        let Means::Says(intent) = one.means else { continue };
        let new = as_found(words, one, intent);
        match found.iter_mut().find(|known| known.intent == intent) {
            Some(known) if new.span.len() > known.span.len() => *known = new,
            Some(_) => {}
            None => found.push(new),
        }
    }
    found.sort_by_key(|found| (found.span.start, found.intent));
    found
}

/// What one intent takes from another.
fn settle(reading: &mut Reading) {
    let says = |intent| reading.found.iter().any(|found| found.intent == intent);
    let stops = says(Intent::Stop) || says(Intent::Cease);
    let bars = reading.found.iter().any(|found| found.intent.is_restrictive());
    let promises = says(Intent::Promise);
    let refuses = says(Intent::Refusal) || says(Intent::Dispute);
    reading.found.retain(|found| match found.intent {
        // A wish to hear more does not stand beside a wish to hear nothing.
        Intent::Start => !bars,
        Intent::Help => !stops,
        Intent::Promise => !refuses,
        // Thanks are not what a reply is about.
        Intent::Courtesy => !bars,
        Intent::Question => !bars && !promises,
        Intent::Stop
        | Intent::Cease
        | Intent::WrongNumber
        | Intent::Dispute
        | Intent::Attorney
        | Intent::Bankruptcy
        | Intent::Deceased
        | Intent::Hardship
        | Intent::AlreadyPaid
        | Intent::CallBack
        | Intent::Complaint
        | Intent::Refusal
        | Intent::Inconvenient => true,
    });
    if reading.found.iter().any(|found| found.intent != Intent::Courtesy) {
        reading.found.retain(|found| found.intent != Intent::Courtesy);
    }
}

fn doubt(words: &[Word], matches: &[Match<'_>], reading: &Reading) -> Option<Doubt> {
    if reading.stop.is_some() {
        return None;
    }
    if reading.found.is_empty() {
        return Some(Doubt::Nothing);
    }
    let explained: BTreeSet<usize> = matches
        .iter()
        .filter(|found| found.means != Means::Doubtful)
        .flat_map(|found| found.named.iter().copied())
        .collect();
    let word = words.iter().enumerate().any(|(at, word)| word.suspect && !explained.contains(&at));
    let phrase = matches.iter().any(|found| {
        // Its first word says no; what else it names may well be part of something else.
        found.means == Means::Doubtful && found.named.first().is_some_and(|at| !explained.contains(at))
    });
    if word || phrase {
        return Some(Doubt::MayBeStop);
    }
    reading.says(Intent::Complaint).then_some(Doubt::Complaint)
}
