//! Floor 1: what a reply says. Text in, intents out: pure, and the same every time.
//!
//! The words stand in `reply/words/*.toml`, a file a language, for a compliance officer to read; the code knows how they are
//! written and misspelt (`tokens`, `spelling`), where a phrase stands (`phrase`) and what follows from several at once
//! (`reading`). Every language is looked for in every reply: people mix them.
//!
//! # Decisions
//! - 2026-11-23: rules first. Each answer names the phrase that gave it, and a wrong one is mended by a line of a file. Where they
//!   leave a doubt, or go against the run of a reply's words, a small linear model has a say (`weigh`): people write in more
//!   ways than phrases foresee. Everything it weighs stands in a file; it asks nobody and is the same every time.
//! - 2026-11-23: **hold until understood**. What matches nothing, or leaves a word that may mean stop unexplained, is in
//!   [`Reading::doubt`]; whoever acts on the reading freezes the address until a person has read it. What the weights are sure
//!   is no stop and bars nothing is understood so far, and may name nothing (`opinion`).
//! - 2026-11-23: START is never guessed: a consent comes back by a phrase that wishes it, behind no word that denies.
//! - 2026-11-23: a stop that names another medium than the one it came by closes both, unless it says that this one may go
//!   on: "stop calling" in a text is far more often about the texts too than not.

mod calendar;
mod hours;
mod lexicon;
mod opinion;
mod phrase;
pub mod quoted;
mod reading;
mod spelling;
mod tokens;
mod values;
mod weigh;

pub use hours::Hours;
pub use lexicon::LexiconError;
pub use reading::{Doubt, Found, Reading};
pub use values::{Attorney, Promise, Promised, Stop};

use crate::domain::channel::Channel;
use crate::domain::money::Currency;
use crate::domain::time::Date;
use lexicon::Lexicon;
use opinion::Scales;
use std::collections::BTreeSet;
use std::sync::LazyLock;
use weigh::Scale;

/// The word files, as shipped.
const FILES: &[(&str, &str)] = &[
    ("reply/words/en.toml", include_str!("reply/words/en.toml")),
    ("reply/words/es.toml", include_str!("reply/words/es.toml")),
];

/// What weighs for a stop and against it, as shipped.
const WEIGHTS: &str = include_str!("reply/words/weights.tsv");
/// What weighs for being harmless and against it, as shipped.
const HARMLESS: &str = include_str!("reply/words/harmless.tsv");

/// What is said, and what is known of it.
#[derive(Clone, Copy)]
pub struct Said<'a> {
    /// The debtor's own words, without what they quote (see [`quoted::own_words`]).
    pub text: &'a str,
    /// Over which medium it came.
    pub channel: Channel,
    /// The debtor's language, BCP 47, where it is known: it decides how ambiguous dates are read.
    pub language: Option<&'a str>,
    /// The date where the debtor is, for "tomorrow".
    pub today: Date,
    /// The currency of the debt, for amounts: without it they are not read.
    pub currency: Option<Currency>,
}

/// Understands replies.
pub struct Reader {
    lexicon: Lexicon,
    scales: Scales,
}

impl Reader {
    /// Reads the shipped word files.
    ///
    /// # Errors
    /// A file that cannot be used; the tests of this module read them all.
    pub fn load() -> Result<Self, LexiconError> {
        Self::with_weights(WEIGHTS, HARMLESS)
    }

    /// Reads the shipped word files, with other weights than theirs: so that weights are judged by what they were not learnt from.
    ///
    /// # Errors
    /// A file that cannot be used, or weights that are none.
    pub fn with_weights(stop: &str, harmless: &str) -> Result<Self, LexiconError> {
        let scale = |file: &str, text: &str| {
            Scale::read(text).ok_or_else(|| LexiconError::Form {
                file: file.to_owned(),
                detail: "a line is not what is shown, a tab and hundredths".to_owned(),
            })
        };
        let stop = scale("reply/words/weights.tsv", stop)?;
        let harmless = scale("reply/words/harmless.tsv", harmless)?;
        Ok(Self { lexicon: Lexicon::load(FILES)?, scales: Scales { stop, harmless } })
    }

    /// The reader with the shipped words, made on first use.
    pub fn shipped() -> &'static Self {
        static SHIPPED: LazyLock<Reader> =
            LazyLock::new(|| Reader::load().expect("the shipped word files are read by a test"));
        &SHIPPED
    }

    /// What a reply shows to the scale that weighs it where phrases leave a doubt. The weights are learnt from this.
    pub fn shown(&self, text: &str) -> BTreeSet<String> {
        weigh::shown(&self.lexicon, &self.lexicon.resolve(tokens::tokens(text)))
    }

    /// Understands one reply.
    pub fn read(&self, said: &Said<'_>) -> Reading {
        reading::read(&self.lexicon, &self.scales, said)
    }
}
