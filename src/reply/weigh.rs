//! What weighs for a stop and what against it, where no phrase says: a linear judgement over words, in whatever order.

use crate::reply::lexicon::{Lexicon, Word};
use std::collections::BTreeSet;

/// Words apart that are still taken together.
const REACH: usize = 4;

/// What a reply shows: words, stems, kinds, and pairs of them.
pub(in crate::reply) fn features(lexicon: &Lexicon, words: &[Word]) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let plain: Vec<String> = words.iter().map(stem).collect();
    let kinds: Vec<Option<&str>> = words.iter().map(|word| lexicon.kind(word)).collect();
    let shown = |at: usize| kinds.get(at).copied().flatten().unwrap_or_else(|| plain[at].as_str());
    for (at, word) in words.iter().enumerate() {
        found.insert(format!("w {}", word.text));
        found.insert(format!("s {}", plain[at]));
        if let Some(kind) = kinds[at] {
            found.insert(format!("k {kind}"));
        }
        let begins = at == 0 || words[at - 1].sentence != word.sentence;
        let ends = at + 1 == words.len() || words[at + 1].sentence != word.sentence;
        if begins { found.insert(format!("^ {}", shown(at))); }
        if ends { found.insert(format!("$ {}", shown(at))); }
        for next in at + 1..(at + 1 + REACH).min(words.len()) {
            if words[next].sentence != word.sentence { break; }
            found.insert(format!("p {} {}", plain[at], plain[next]));
            found.insert(format!("q {} {}", shown(at), shown(next)));
            if next == at + 1 {
                found.insert(format!("b {} {}", plain[at], plain[next]));
                if next + 1 < words.len() && words[next + 1].sentence == word.sentence {
                    found.insert(format!("t {} {} {}", shown(at), shown(next), shown(next + 1)));
                }
            }
        }
    }
    found
}

fn stem(word: &Word) -> String {
    if word.number { return "#".to_owned(); }
    word.text.chars().take(5).collect()
}
