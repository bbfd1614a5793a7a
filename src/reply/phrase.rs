//! Phrases as the word files write them, and where they stand in a reply.
//!
//! A phrase is words in order. `a|b` is either, `@class` any word of a class, `word?` may be missing, `_` is any one word,
//! `..` up to three words and `...` up to eight. `^` and `$` are the start and end of a clause, `^^` and `$$` those of the
//! reply; openings and endings that say nothing ("hi", "please", "now") do not count there, and courtesies and curses may
//! stand anywhere between. `#` is a number, `%` what looks like a name and `~` any word that no file names. As one of several,
//! `#`, `%`, `~` and `$` mean the same: `this|#|$`. A phrase never reaches over the end of a sentence; a harmless turn not over
//! a comma either, but for `...`.

use crate::reply::lexicon::Word;
use std::ops::Range;

/// One part of a phrase.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::reply) enum Part {
    /// One of these words.
    Words {
        any_of: Vec<u32>,
        /// Or a number.
        number: bool,
        /// Or what looks like a name.
        name: bool,
        /// Or a word that is in no word file.
        strange: bool,
        /// Or the end of the clause.
        end: bool,
        optional: bool,
    },
    /// A number.
    Number,
    /// What looks like a name.
    Name,
    /// A word that is in no word file.
    Strange,
    /// So many words, whichever, at most.
    Gap(usize),
    /// Exactly one word, whichever.
    One,
    /// The start of a clause.
    ClauseStart,
    /// The end of a clause.
    ClauseEnd,
    /// The start of the reply.
    Start,
    /// The end of the reply.
    End,
}

/// What `..` skips at most.
pub(in crate::reply) const SHORT_GAP: usize = 3;
/// What `...` skips at most.
pub(in crate::reply) const LONG_GAP: usize = 8;

/// A phrase, ready to be looked for.
#[derive(Clone, Debug)]
pub(in crate::reply) struct Phrase {
    /// As written.
    pub text: String,
    pub parts: Vec<Part>,
    /// Whether a short gap may reach over a comma.
    pub loose: bool,
}

impl Phrase {
    /// The words that it may begin with; none where it may begin with any.
    pub fn openings(&self) -> Option<Vec<u32>> {
        let mut found = Vec::new();
        for part in &self.parts {
            match part {
                Part::ClauseStart | Part::Start => {}
                Part::Words { any_of, number, name, strange, end, optional } => {
                    found.extend(any_of);
                    if *number || *end || *strange || *name {
                        return None;
                    }
                    if !optional {
                        return Some(found);
                    }
                }
                Part::Number
                | Part::Name
                | Part::Strange
                | Part::Gap(_)
                | Part::One
                | Part::ClauseEnd
                | Part::End => return None,
            }
        }
        None
    }

    /// Where the phrase stands when it begins at a word: the words that it names, without what it skips.
    pub fn at(&self, words: &[Word], start: usize) -> Option<Vec<usize>> {
        let mut named = Vec::new();
        follow(&self.parts, words, start, Begun { at: start, loose: self.loose }, &mut named).then_some(named)
    }
}

/// Where a phrase began, and whether it may go on behind a comma.
#[derive(Clone, Copy)]
struct Begun {
    at: usize,
    loose: bool,
}

impl Begun {
    /// Behind a gap: a long one may end behind a comma, whatever the phrase.
    fn behind(self, gap: usize) -> Self {
        Self { loose: self.loose || gap > SHORT_GAP, ..self }
    }
}

/// Whether the parts stand from `at` on. Tries every reading; phrases are short.
fn follow(parts: &[Part], words: &[Word], at: usize, start: Begun, named: &mut Vec<usize>) -> bool {
    let Some((part, rest)) = parts.split_first() else { return true };
    match part {
        Part::ClauseStart => {
            words.get(at).is_some_and(|word| word.bounds.begins_clause)
                && follow(rest, words, at, start, named)
        }
        Part::Start => {
            words.get(at).is_some_and(|word| word.bounds.begins_reply)
                && follow(rest, words, at, start, named)
        }
        Part::ClauseEnd => {
            closes(words, at, |word| word.bounds.ends_clause) && follow(rest, words, at, start, named)
        }
        Part::End => {
            closes(words, at, |word| word.bounds.ends_reply) && follow(rest, words, at, start, named)
        }
        Part::Gap(most) => (0..=*most).any(|skipped| {
            (at..at + skipped).all(|index| same_part(words, at, index))
                && (start.loose || *most > SHORT_GAP || same_part(words, at, at + skipped))
                && follow(rest, words, at + skipped, start.behind(*most), named)
        }),
        Part::One => same_sentence(words, start.at, at) && follow(rest, words, at + 1, start, named),
        Part::Name => step(|word| word.name, false, rest, words, at, start, named),
        Part::Strange => step(|word| word.strange, false, rest, words, at, start, named),
        Part::Number => step(|word| word.number, false, rest, words, at, start, named),
        Part::Words { any_of, number, name, strange, end, optional } => {
            let wanted = |word: &Word| {
                word.id.is_some_and(|id| any_of.contains(&id))
                    || (*number && word.number)
                    || (*name && word.name)
                    || (*strange && word.strange)
            };
            step(wanted, *optional, rest, words, at, start, named)
                || (*end
                    && closes(words, at, |word| word.bounds.ends_clause)
                    && follow(rest, words, at, start, named))
        }
    }
}

/// One word that is wanted: here, or behind words that say nothing.
fn step(
    wanted: impl Fn(&Word) -> bool,
    optional: bool,
    rest: &[Part],
    words: &[Word],
    at: usize,
    start: Begun,
    named: &mut Vec<usize>,
) -> bool {
    let mut here = at;
    while same_sentence(words, start.at, here)
        && let Some(word) = words.get(here)
    {
        if wanted(word) && (start.loose || here == start.at || same_part(words, here, here)) {
            named.push(here);
            if follow(rest, words, here + 1, start, named) {
                return true;
            }
            named.pop();
        }
        // At its beginning a phrase skips nothing: it begins at its first word.
        if !word.says_nothing || here == start.at {
            break;
        }
        here += 1;
    }
    optional && follow(rest, words, at, start, named)
}

fn same_sentence(words: &[Word], start: usize, at: usize) -> bool {
    match (words.get(start), words.get(at)) {
        (Some(first), Some(here)) => first.sentence == here.sentence,
        _ => false,
    }
}

/// What a gap skips lies within one part of the sentence; a comma ends it.
fn same_part(words: &[Word], gap: usize, at: usize) -> bool {
    let before = gap.checked_sub(1).and_then(|before| words.get(before));
    matches!((before, words.get(at)), (Some(before), Some(here)) if before.part == here.part)
}

/// Whether the word before says where something ends, and it ends there.
fn closes(words: &[Word], at: usize, ends: impl Fn(&Word) -> bool) -> bool {
    at.checked_sub(1).and_then(|last| words.get(last)).is_some_and(ends)
}

/// The part of the text that some words cover.
pub(in crate::reply) fn span(words: &[Word], named: &[usize]) -> Range<usize> {
    let of = |index: Option<&usize>| index.and_then(|index| words.get(*index)).map(|word| word.span.clone());
    match (of(named.first()), of(named.last())) {
        (Some(first), Some(last)) => first.start..last.end,
        _ => 0..0,
    }
}
