//! The word files: which words there are, how they are misspelt, and which phrases mean what.

use crate::domain::intent::Intent;
use crate::reply::phrase::{LONG_GAP, Part, Phrase, SHORT_GAP};
use crate::reply::spelling::{self, Speller};
use crate::reply::tokens::Token;
use serde::Deserialize;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::ops::Range;

/// Words that stand for what a phrase cannot spell, with their classes; every file may add to them.
const SKIPPED: &str = "skipped";
const OPENERS: &str = "openers";
const CLOSERS: &str = "closers";
const SUSPECT: &str = "suspect";
const CONJUNCTIONS: &str = "conjunctions";
const ALONE: &str = "alone";
const GLUED: &str = "glued";
/// Pieces into which a word that stands alone may be broken.
const PIECES: usize = 6;

/// What a phrase is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(in crate::reply) enum Means {
    /// This is said.
    Says(Intent),
    /// A word that would stop or deny means something else here.
    Harmless,
    /// Over this medium one may go on.
    Spares(Medium),
    /// Over this medium alone.
    Only(Medium),
    /// It may mean stop; a person says.
    Doubtful,
}

/// A medium as debtors name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(in crate::reply) enum Medium {
    Call,
    Text,
    Email,
    Mail,
}

/// Why the word files cannot be used.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum LexiconError {
    /// Not TOML of the expected shape.
    #[error("{file}: {detail}")]
    Form {
        /// Which file.
        file: String,
        /// What is wrong, with line and column.
        detail: String,
    },
    /// A phrase that cannot be read.
    #[error("{file}: the phrase `{phrase}` {detail}")]
    Phrase {
        /// Which file.
        file: String,
        /// As written.
        phrase: String,
        /// What is wrong.
        detail: String,
    },
}

/// A word file as written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    classes: BTreeMap<String, String>,
    #[serde(default)]
    kinds: BTreeMap<String, String>,
    #[serde(default)]
    rewrites: BTreeMap<String, String>,
    #[serde(default)]
    misspelt: BTreeMap<String, String>,
    #[serde(default)]
    known: String,
    /// First names that are no other word.
    #[serde(default)]
    names: String,
    #[serde(default)]
    media: BTreeMap<Medium, String>,
    #[serde(default)]
    harmless: Vec<String>,
    #[serde(default)]
    doubtful: Vec<String>,
    #[serde(default)]
    spares: BTreeMap<Medium, Vec<String>>,
    #[serde(default)]
    only: BTreeMap<Medium, Vec<String>>,
    #[serde(default)]
    says: BTreeMap<Intent, Vec<String>>,
}

/// A word of a reply, as the phrases know it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::reply) struct Word {
    /// Its number, if any phrase names it.
    pub id: Option<u32>,
    /// As it was resolved.
    pub text: String,
    pub span: Range<usize>,
    pub sentence: u32,
    pub clause: u32,
    pub number: bool,
    /// Neither a number nor in any word file.
    pub strange: bool,
    /// A first name, or a strange word that is written as a name is.
    pub name: bool,
    /// In a sentence that ends in a question mark.
    pub asks: bool,
    /// The part of the sentence between commas.
    pub part: u32,
    pub says_nothing: bool,
    pub opens: bool,
    pub closes: bool,
    /// Where it stands in its clause and in the reply.
    pub bounds: Bounds,
    /// Not to be left without an explanation.
    pub suspect: bool,
}

/// What begins at a word and ends behind it, openings and endings that say nothing left out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::reply) struct Bounds {
    pub begins_clause: bool,
    pub begins_reply: bool,
    pub ends_clause: bool,
    pub ends_reply: bool,
}

/// Finds the bounds of all words, each from its neighbour's.
fn bound(words: &mut [Word]) {
    let mut before: Option<(u32, Bounds, bool)> = None;
    for word in words.iter_mut() {
        let (clause, reply) = match before {
            None => (true, true),
            Some((clause, bounds, opens)) => {
                (clause != word.clause || (bounds.begins_clause && opens), bounds.begins_reply && opens)
            }
        };
        word.bounds = Bounds { begins_clause: clause, begins_reply: reply, ..word.bounds };
        before = Some((word.clause, word.bounds, word.opens || word.says_nothing));
    }
    let mut after: Option<(u32, Bounds, bool)> = None;
    for word in words.iter_mut().rev() {
        let (clause, reply) = match after {
            None => (true, true),
            Some((clause, bounds, closes)) => {
                (clause != word.clause || (bounds.ends_clause && closes), bounds.ends_reply && closes)
            }
        };
        word.bounds = Bounds { ends_clause: clause, ends_reply: reply, ..word.bounds };
        after = Some((word.clause, word.bounds, word.closes || word.says_nothing));
    }
}

/// Words as written, and as the phrases read them.
type Rewrite = (Vec<String>, Vec<String>);

/// All word files together.
pub(in crate::reply) struct Lexicon {
    ids: HashMap<String, u32>,
    classes: HashMap<String, Vec<u32>>,
    media: HashMap<u32, Medium>,
    kinds: HashMap<u32, String>,
    /// Words that are known alone however they are mistyped.
    alone: Vec<String>,
    rewrites: HashMap<String, Vec<Rewrite>>,
    speller: Speller,
    names: HashSet<String>,
    phrases: Vec<(Means, Phrase)>,
    by_opening: HashMap<u32, Vec<usize>>,
    unopened: Vec<usize>,
    flags: HashMap<u32, Flags>,
}

#[derive(Clone, Copy, Default)]
struct Flags {
    says_nothing: bool,
    opens: bool,
    closes: bool,
    suspect: bool,
    joins: bool,
}

impl Lexicon {
    /// Reads the files, each with its name.
    pub fn load(files: &[(&str, &str)]) -> Result<Self, LexiconError> {
        let mut read = Vec::new();
        for (name, text) in files {
            let form = |error: toml::de::Error| LexiconError::Form {
                file: (*name).to_owned(),
                detail: error.to_string(),
            };
            read.push((*name, toml::from_str::<File>(text).map_err(form)?));
        }
        let mut lexicon = Self {
            ids: HashMap::new(),
            classes: HashMap::new(),
            media: HashMap::new(),
            kinds: HashMap::new(),
            alone: Vec::new(),
            rewrites: HashMap::new(),
            speller: Speller::default(),
            names: HashSet::new(),
            phrases: Vec::new(),
            by_opening: HashMap::new(),
            unopened: Vec::new(),
            flags: HashMap::new(),
        };
        read.iter().for_each(|(_, file)| lexicon.add_words(file));
        for (name, file) in &read {
            lexicon.add_phrases(name, file)?;
        }
        lexicon.index();
        let known: HashSet<String> = lexicon.ids.keys().cloned().collect();
        lexicon.speller.learn(known);
        Ok(lexicon)
    }

    fn id(&mut self, word: &str) -> u32 {
        let next = u32::try_from(self.ids.len()).unwrap_or(u32::MAX);
        *self.ids.entry(word.to_owned()).or_insert(next)
    }

    fn add_words(&mut self, file: &File) {
        for (class, words) in &file.classes {
            let ids: Vec<u32> = words.split_whitespace().map(|word| self.id(word)).collect();
            self.classes.entry(class.clone()).or_default().extend(ids);
            if class == GLUED {
                words.split_whitespace().for_each(|word| self.speller.glue(word));
            }
            if class == ALONE {
                self.alone.extend(words.split_whitespace().map(str::to_owned));
            }
        }
        for (kind, words) in &file.kinds {
            for word in words.split_whitespace() {
                let id = self.id(word);
                self.kinds.entry(id).or_insert_with(|| kind.clone());
            }
        }
        for (medium, words) in &file.media {
            for word in words.split_whitespace() {
                let id = self.id(word);
                self.media.insert(id, *medium);
            }
        }
        for (written, read) in &file.rewrites {
            let written: Vec<String> = written.split_whitespace().map(str::to_owned).collect();
            let read: Vec<String> = read.split_whitespace().map(str::to_owned).collect();
            for word in written.iter().chain(&read) {
                self.id(word);
            }
            if let Some(first) = written.first().cloned() {
                let entries = self.rewrites.entry(first).or_default();
                entries.push((written, read));
                entries.sort_by_key(|(written, _)| std::cmp::Reverse(written.len()));
            }
        }
        for (right, wrong) in &file.misspelt {
            self.id(right);
            wrong.split_whitespace().for_each(|wrong| self.speller.misspelling(wrong, right));
        }
        file.known.split_whitespace().for_each(|word| self.speller.leave(word));
        for name in file.names.split_whitespace() {
            // "This is Maria's phone" is written without its apostrophe.
            for form in [name.to_owned(), format!("{name}s")] {
                self.speller.leave(&form);
                self.names.insert(form);
            }
        }
    }

    fn add_phrases(&mut self, name: &str, file: &File) -> Result<(), LexiconError> {
        let says = file.says.iter().map(|(intent, phrases)| (Means::Says(*intent), phrases));
        let spares = file.spares.iter().map(|(medium, phrases)| (Means::Spares(*medium), phrases));
        let only = file.only.iter().map(|(medium, phrases)| (Means::Only(*medium), phrases));
        let plain = [(Means::Harmless, &file.harmless), (Means::Doubtful, &file.doubtful)];
        for (means, phrases) in plain.into_iter().chain(spares).chain(only).chain(says) {
            for text in phrases {
                let parts = self.compile(text).map_err(|detail| LexiconError::Phrase {
                    file: name.to_owned(),
                    phrase: text.clone(),
                    detail,
                })?;
                self.phrases
                    .push((means, Phrase { text: text.clone(), parts, loose: means != Means::Harmless }));
            }
        }
        Ok(())
    }

    fn compile(&mut self, text: &str) -> Result<Vec<Part>, String> {
        let mut parts = Vec::new();
        for written in text.split_whitespace() {
            parts.push(match written {
                "^" => Part::ClauseStart,
                "$" => Part::ClauseEnd,
                "^^" => Part::Start,
                "$$" => Part::End,
                "_" => Part::One,
                ".." => Part::Gap(SHORT_GAP),
                "..." => Part::Gap(LONG_GAP),
                "#" => Part::Number,
                "%" => Part::Name,
                "~" => Part::Strange,
                words => {
                    let (words, optional) =
                        words.strip_suffix('?').map_or((words, false), |words| (words, true));
                    let mut any_of = Vec::new();
                    let (mut number, mut end, mut name, mut strange) = (false, false, false, false);
                    for word in words.split('|') {
                        match word.strip_prefix('@') {
                            None if word == "#" => number = true,
                            None if word == "$" => end = true,
                            None if word == "%" => name = true,
                            None if word == "~" => strange = true,
                            Some(class) => any_of.extend(
                                self.classes
                                    .get(class)
                                    .ok_or_else(|| format!("names the class `{class}`, which is nowhere"))?,
                            ),
                            None => any_of.push(self.id(word)),
                        }
                    }
                    Part::Words { any_of, number, name, strange, end, optional }
                }
            });
        }
        if parts.iter().any(|part| matches!(part, Part::Words { .. })) {
            Ok(parts)
        } else {
            Err("names no word".to_owned())
        }
    }

    fn index(&mut self) {
        for (index, (_, phrase)) in self.phrases.iter().enumerate() {
            match phrase.openings() {
                Some(openings) => {
                    for opening in openings {
                        let phrases = self.by_opening.entry(opening).or_default();
                        if phrases.last() != Some(&index) {
                            phrases.push(index);
                        }
                    }
                }
                None => self.unopened.push(index),
            }
        }
        type Mark = fn(&mut Flags);
        let marks: [(&str, Mark); 5] = [
            (SKIPPED, |flags| flags.says_nothing = true),
            (OPENERS, |flags| flags.opens = true),
            (CLOSERS, |flags| flags.closes = true),
            (SUSPECT, |flags| flags.suspect = true),
            (CONJUNCTIONS, |flags| flags.joins = true),
        ];
        for (class, mark) in marks {
            for id in self.classes.get(class).into_iter().flatten() {
                mark(self.flags.entry(*id).or_default());
            }
        }
    }

    /// The words of a reply, spelt as the phrases spell them.
    pub fn resolve(&self, tokens: Vec<Token>) -> Vec<Word> {
        let spelt: Vec<Token> =
            self.whole(tokens).into_iter().flat_map(|token| self.speller.spell(token)).collect();
        let mut words: Vec<Word> = Vec::with_capacity(spelt.len());
        let (mut at, mut added) = (0, 0);
        while let Some(token) = spelt.get(at) {
            let rest = spelt.get(at..).unwrap_or_default();
            let rewrite = self.rewrites.get(&token.word).into_iter().flatten().find(|(written, _)| {
                written.len() <= rest.len()
                    && written.iter().zip(rest).all(|(word, token)| *word == token.word)
                    && rest.get(written.len() - 1).is_some_and(|last| last.sentence == token.sentence)
            });
            let (taken, read) = match rewrite {
                Some((written, read)) => (written.len(), read.clone()),
                None => (1, vec![token.word.clone()]),
            };
            let end = rest.get(taken - 1).map_or(token.span.end, |last| last.span.end);
            for word in read {
                words.push(self.word(word, token, end, &mut added));
            }
            at += taken;
        }
        bound(&mut words);
        words
    }

    /// `st op`, `stopstop` and `stopr`: one word alone, however it is cut or mistyped.
    fn whole(&self, tokens: Vec<Token>) -> Vec<Token> {
        let (Some(first), Some(last)) = (tokens.first(), tokens.last()) else { return tokens };
        let joined: String = tokens.iter().map(|token| token.word.as_str()).collect();
        let one = tokens.len() == 1;
        let meant = self.alone.iter().find(|word| {
            let cut = tokens.len() <= PIECES && joined == **word;
            let repeated = joined.len() > word.len() && joined.replace(word.as_str(), "").is_empty();
            cut || repeated || (one && !self.speller.is_ordinary(&joined) && spelling::is_slip(&joined, word))
        });
        match meant {
            Some(word) => vec![Token { word: word.clone(), span: first.span.start..last.span.end, ..*first }],
            None => tokens,
        }
    }

    fn word(&self, text: String, token: &Token, end: usize, added: &mut u32) -> Word {
        let id = self.ids.get(&text).copied();
        let flags = id.and_then(|id| self.flags.get(&id)).copied().unwrap_or_default();
        // A conjunction begins a clause, as a comma does.
        *added += u32::from(flags.joins);
        let number = text.starts_with(|c: char| c.is_ascii_digit());
        let strange = !number && !self.speller.is_ordinary(&text);
        Word {
            id,
            span: token.span.start..end,
            sentence: token.sentence,
            clause: token.clause + *added,
            number,
            strange,
            name: self.names.contains(&text) || (strange && token.capital),
            asks: token.asks,
            part: token.clause,
            says_nothing: flags.says_nothing,
            opens: flags.opens || flags.joins,
            closes: flags.closes || number,
            suspect: flags.suspect,
            bounds: Bounds::default(),
            text,
        }
    }

    /// Every phrase that may begin with a word, with what it means.
    pub fn beginning(&self, word: &Word) -> impl Iterator<Item = &(Means, Phrase)> {
        let known = word.id.and_then(|id| self.by_opening.get(&id)).into_iter().flatten();
        known.chain(&self.unopened).filter_map(|index| self.phrases.get(*index))
    }

    /// The kind of a word that stands for many.
    pub fn kind(&self, word: &Word) -> Option<&str> {
        self.kinds.get(&word.id?).map(String::as_str)
    }

    /// The medium that a word names.
    pub fn medium(&self, word: &Word) -> Option<Medium> {
        self.media.get(&word.id?).copied()
    }
}
