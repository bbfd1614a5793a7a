//! Misspelt words: repeated letters, digits for letters, letters left out, added, changed or swapped.

use crate::reply::tokens::Token;
use std::collections::{HashMap, HashSet};

/// Words shorter than this are taken as they stand; their misspellings are listed.
const SHORTEST: usize = 5;
/// From this length on two letters may be wrong.
const LONG: usize = 9;

/// Knows the words of the phrases, and finds the one that was meant.
#[derive(Default)]
pub(in crate::reply) struct Speller {
    known: HashSet<String>,
    /// Each with its letters.
    long: Vec<(u32, String)>,
    misspelt: HashMap<String, String>,
    left: HashSet<String>,
    glued: Vec<String>,
}

impl Speller {
    /// Whether the phrases or the lists name the word.
    pub fn is_ordinary(&self, word: &str) -> bool {
        self.left.contains(word) || self.known.contains(word)
    }

    /// A listed misspelling.
    pub fn misspelling(&mut self, wrong: &str, right: &str) {
        self.misspelt.insert(wrong.to_owned(), right.to_owned());
    }

    /// A word of the language that is near one of ours, and is not meant for it.
    pub fn leave(&mut self, word: &str) {
        self.left.insert(word.to_owned());
    }

    /// A word to which the next is often glued: `textme`.
    pub fn glue(&mut self, word: &str) {
        self.glued.push(word.to_owned());
    }

    /// The words of the phrases.
    pub fn learn(&mut self, known: HashSet<String>) {
        let long = known.iter().filter(|word| word.len() >= SHORTEST && word.is_ascii());
        self.long = long.map(|word| (letters(word), word.clone())).collect();
        self.long.sort_by(|one, other| one.1.cmp(&other.1));
        self.known = known;
    }

    /// The token as the phrases spell it; two where a number or a word was glued to a word.
    pub fn spell(&self, token: Token) -> Vec<Token> {
        if let Some(word) = self.exact(&token.word) {
            return vec![Token { word, ..token }];
        }
        if let Some((at, _)) = token.word.char_indices().find(|(_, c)| c.is_ascii_digit())
            && at > 0
            && let Some(word) = token.word.get(..at).and_then(|letters| self.exact(letters))
            && token.word.get(at..).is_some_and(|rest| rest.chars().all(|c| c.is_ascii_digit()))
        {
            let middle = token.span.start + at;
            let digits = token.word.get(at..).unwrap_or_default().to_owned();
            let number = Token { word: digits, span: middle..token.span.end.max(middle), ..token };
            return vec![Token { word, span: token.span.start..middle, ..token }, number];
        }
        if let Some((first, rest)) = self.apart(&token.word) {
            let middle = (token.span.start + first.len()).min(token.span.end);
            let second = Token { word: rest, span: middle..token.span.end, ..token };
            return vec![Token { word: first, span: token.span.start..middle, ..token }, second];
        }
        let word = self.nearest(&token.word).unwrap_or_else(|| token.word.clone());
        vec![Token { word, ..token }]
    }

    /// A word that is known as it stands, without its repetitions, or with letters for its digits.
    fn exact(&self, word: &str) -> Option<String> {
        let known = |word: &str| {
            let listed = self.misspelt.get(word).cloned();
            listed.or_else(|| self.known.contains(word).then(|| word.to_owned()))
        };
        if self.left.contains(word) {
            return Some(word.to_owned());
        }
        known(word).or_else(|| known(&squeezed(word, 2))).or_else(|| known(&squeezed(word, 1))).or_else(
            || {
                let letters = word.chars().any(char::is_alphabetic);
                let digits = word.chars().any(|c| c.is_ascii_digit());
                (letters && digits).then(|| known(&lettered(word))).flatten()
            },
        )
    }

    /// Two words that were written as one.
    fn apart(&self, word: &str) -> Option<(String, String)> {
        self.glued.iter().find_map(|first| {
            let rest = word.strip_prefix(first.as_str())?;
            (rest.len() >= 2 && self.known.contains(rest)).then(|| (first.clone(), rest.to_owned()))
        })
    }

    fn nearest(&self, word: &str) -> Option<String> {
        let length = word.chars().count();
        if length < SHORTEST || !word.chars().all(char::is_alphabetic) {
            return None;
        }
        let own = letters(word);
        let near = self.long.iter().filter_map(|(theirs, known)| {
            let most = if length >= LONG && known.len() >= LONG { 2 } else { 1 };
            // A slip changes two letters at most: nearly every word is out before it is compared.
            let alike =
                known.len().abs_diff(length) <= most && (own ^ theirs).count_ones() as usize <= 2 * most;
            let apart = alike.then(|| distance(word, known))?;
            (apart <= most).then_some((apart, known))
        });
        near.min_by_key(|(apart, _)| *apart).map(|(_, known)| known.clone())
    }
}

/// Which letters a word has: a bit each, and one for all that are not in the alphabet.
fn letters(word: &str) -> u32 {
    word.chars().fold(0, |seen, c| {
        let place = u32::from(c).checked_sub(u32::from('a')).filter(|place| *place < 26).unwrap_or(26);
        seen | 1 << place
    })
}

/// The word with no letter more than `most` times in a row.
fn squeezed(word: &str, most: usize) -> String {
    let mut squeezed = String::with_capacity(word.len());
    let (mut last, mut run) = (None, 0);
    for c in word.chars() {
        run = if last == Some(c) { run + 1 } else { 1 };
        last = Some(c);
        if run <= most {
            squeezed.push(c);
        }
    }
    squeezed
}

/// The word with the letters that its digits look like.
fn lettered(word: &str) -> String {
    word.chars()
        .map(|c| match c {
            '0' => 'o',
            '1' => 'i',
            '3' => 'e',
            '4' => 'a',
            '5' => 's',
            '7' => 't',
            other => other,
        })
        .collect()
}

/// Whether one word is the other but for one slip, which is not its first letter. Letters that sound alike in Spanish are none.
pub(in crate::reply) fn is_slip(written: &str, meant: &str) -> bool {
    let (written, meant) = (heard(written), heard(meant));
    let squeezed = squeezed(&written, 1);
    written.chars().next() == meant.chars().next()
        && [&written, &squeezed].iter().any(|written| distance(written, &meant) <= 1)
}

/// The word with one letter for those that sound alike in Spanish: `vaja` for `baja`, `detenerce` for `detenerse`.
fn heard(word: &str) -> String {
    let letters: Vec<char> = word.chars().collect();
    let soft = |at: usize| matches!(letters.get(at + 1), Some('e' | 'i'));
    let sound = |(at, letter): (usize, &char)| match letter {
        'v' => 'b',
        'z' => 's',
        'c' if soft(at) => 's',
        other => *other,
    };
    letters.iter().enumerate().map(sound).collect()
}

/// How many letters were left out, added, changed or swapped with their neighbour (Damerau, Levenshtein).
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let mut before: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut row = Vec::with_capacity(b.len() + 1);
        row.push(i + 1);
        for (j, y) in b.iter().enumerate() {
            let mut best = (last[j] + usize::from(x != y)).min(last[j + 1] + 1).min(row[j] + 1);
            if i > 0 && j > 0 && *x == b[j - 1] && a[i - 1] == *y {
                best = best.min(before[j - 1] + 1);
            }
            row.push(best);
        }
        before = std::mem::replace(&mut last, row);
    }
    last.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances_count_single_slips() {
        for (a, b, wanted) in [
            ("", "", 0),
            ("stop", "stop", 0),
            ("sotp", "stop", 1),
            ("unsuscribe", "unsubscribe", 1),
            ("wrong", "worng", 1),
            ("lawyer", "layer", 1),
            ("abc", "xyz", 3),
            ("", "abc", 3),
        ] {
            assert_eq!(distance(a, b), wanted, "{a} {b}");
            assert_eq!(distance(b, a), wanted, "{b} {a}");
        }
    }

    #[test]
    fn a_slip_is_one() {
        for (written, wanted) in [
            ("stoop", true),
            ("sttop", true),
            ("stopr", true),
            ("sotp", true),
            ("spot", false),
            ("top", false),
        ] {
            assert_eq!(is_slip(written, "stop"), wanted, "{written}");
        }
        assert!(is_slip("vaja", "baja") && is_slip("detenerce", "detenerse"));
    }

    #[test]
    fn words_are_squeezed_and_lettered() {
        assert_eq!(squeezed("stooooppp", 1), "stop");
        assert_eq!(squeezed("callll", 2), "call");
        assert_eq!(lettered("5t0p"), "stop");
    }
}
