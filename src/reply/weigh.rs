//! A second opinion where phrases leave a doubt: what a reply shows is weighed for and against a stop, and for being harmless.
//!
//! What it shows are stems of words, the kinds of word files (`kinds`: words that stand for one another in either language),
//! pairs of both that stand near each other, and runs of letters, which a word that is glued to another or misspelt keeps. The weights are two logistic regressions': one of a stop, one of what bars
//! nothing and needs nobody (a question, thanks, a promise, no money) against all else that is no stop. They are learnt from
//! every set of `tests/data/replies` but `held-out`, and kept beside the words as `weights.tsv` and `harmless.tsv`, a line a
//! weight, heaviest words readable by anyone; `tests/pipeline/weights.rs` learns them again and refuses others.
//! What follows from them is said in `opinion`.
//!
//! # Decisions
//! - 2026-11-23: no weights for each intent. With thirty to seventy replies that say it, none of twelve found more than three
//!   that the phrases had not, and was wrong nearly as often; what all harmless ones have in common can be learnt.

use crate::reply::lexicon::{Lexicon, Word};
use std::collections::{BTreeSet, HashMap};
use std::ops::Bound;

/// How far apart two words are still taken together.
const REACH: usize = 4;
/// Letters of a word that count, so that `parar` and `paran` weigh the same.
const STEM: usize = 5;
/// The line that holds for every reply.
const BASE: &str = "base";
/// Letters of the runs that are looked at.
const RUNS: std::ops::RangeInclusive<usize> = 3..=5;
/// What begins the name of a word's stem.
const WORD: &str = "s ";

/// The weights.
pub(in crate::reply) struct Scale {
    base: f64,
    weights: HashMap<String, f64>,
}

impl Scale {
    /// Reads weights: what is shown, a tab, and hundredths. `None` where a line is neither.
    pub fn read(text: &str) -> Option<Self> {
        let mut scale = Self { base: 0.0, weights: HashMap::new() };
        for line in text.lines() {
            let (shown, weight) = line.split_once('\t')?;
            let weight = weight.parse::<i32>().ok().map(f64::from)? / 100.0;
            if shown == BASE {
                scale.base = weight;
            } else {
                scale.weights.insert(shown.to_owned(), weight);
            }
        }
        Some(scale)
    }

    /// How much speaks for it: the logarithm of its odds.
    pub fn weigh(&self, shown: &BTreeSet<String>) -> f64 {
        let known: Vec<f64> = shown.iter().filter_map(|shown| self.weights.get(shown).copied()).collect();
        self.base + known.iter().sum::<f64>() / (known.len().max(1) as f64).sqrt()
    }

    /// Of the words of a reply, the part that these weights know.
    pub fn familiar(&self, shown: &BTreeSet<String>) -> f64 {
        let words: Vec<&String> = shown.iter().filter(|shown| shown.starts_with(WORD)).collect();
        let known = words.iter().filter(|word| self.weights.contains_key(**word)).count();
        known as f64 / words.len().max(1) as f64
    }

    /// What of it spoke for it most, for whoever asks why.
    pub fn heaviest(&self, shown: &BTreeSet<String>) -> Vec<String> {
        let mut known: Vec<(&String, f64)> =
            shown.iter().filter_map(|shown| Some((shown, *self.weights.get(shown)?))).collect();
        known.sort_by(|one, other| other.1.total_cmp(&one.1));
        known.into_iter().take(3).map(|(shown, _)| shown.clone()).collect()
    }
}

/// What a reply shows.
pub(in crate::reply) fn shown(lexicon: &Lexicon, words: &[Word]) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let seen: Vec<(String, Option<&str>)> =
        words.iter().map(|word| (stem(word), lexicon.kind(word))).collect();
    for (at, (word, (stem, kind))) in words.iter().zip(&seen).enumerate() {
        let name = kind.unwrap_or(stem);
        found.insert(format!("{WORD}{stem}"));
        found.extend(kind.map(|kind| format!("k {kind}")));
        let same = |other: Option<&Word>| other.is_some_and(|other| other.sentence == word.sentence);
        if !same(at.checked_sub(1).and_then(|before| words.get(before))) {
            found.insert(format!("^ {name}"));
        }
        if !same(words.get(at + 1)) {
            found.insert(format!("$ {name}"));
        }
        let near = words.iter().zip(&seen).skip(at + 1).take(REACH).take_while(|(next, _)| same(Some(next)));
        let near: Vec<&(String, Option<&str>)> = near.map(|(_, seen)| seen).collect();
        let called = |seen: &(String, Option<&str>)| seen.1.unwrap_or(&seen.0).to_owned();
        for next in &near {
            found.insert(format!("p {stem} {}", next.0));
            found.insert(format!("q {name} {}", called(next)));
        }
        if let [next, after, ..] = near.as_slice() {
            found.insert(format!("t {name} {} {}", called(next), called(after)));
        }
    }
    runs(words, &mut found);
    together(words, seen.iter().filter_map(|(_, kind)| *kind).collect(), &mut found);
    found
}

/// Letters that follow one another, over the ends of words too.
fn runs(words: &[Word], found: &mut BTreeSet<String>) {
    let mut letters = vec![' '];
    for word in words {
        letters.extend(if word.number { "#" } else { &word.text }.chars());
        letters.push(' ');
    }
    for length in RUNS {
        found.extend(letters.windows(length).map(|run| ['c', ' '].iter().chain(run).collect::<String>()));
    }
}

/// Kinds that stand anywhere together, and what a question asks about.
fn together(words: &[Word], kinds: BTreeSet<&str>, found: &mut BTreeSet<String>) {
    let asks = words.iter().any(|word| word.asks);
    if asks {
        found.insert("?".to_owned());
        found.extend(kinds.iter().map(|kind| format!("? {kind}")));
    }
    for one in &kinds {
        let others = kinds.range::<str, _>((Bound::Excluded(*one), Bound::Unbounded));
        found.extend(others.map(|other| format!("a {one} {other}")));
    }
}

fn stem(word: &Word) -> String {
    if word.number { "#".to_owned() } else { word.text.chars().take(STEM).collect() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_are_read_and_weighed() {
        let scale = Scale::read("base\t-50\ns stop\t300\nk money\t-200").expect("weights");
        let shown = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<BTreeSet<_>>();
        assert!((scale.weigh(&shown(&["s stop", "s unknown"])) - 2.5).abs() < 1e-9);
        assert!((scale.weigh(&shown(&["s stop", "k money"])) - (1.0 / 2f64.sqrt() - 0.5)).abs() < 1e-9);
        assert!((scale.weigh(&shown(&[])) + 0.5).abs() < 1e-9);
        assert_eq!(scale.heaviest(&shown(&["k money", "s stop"])), ["s stop", "k money"]);
        assert!((scale.familiar(&shown(&["s stop", "s unknown", "k money"])) - 0.5).abs() < 1e-9);
        assert!(Scale::read("no weight").is_none() && Scale::read("s x\tmuch").is_none());
    }
}
