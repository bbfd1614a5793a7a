//! Packs: the rules that have been read from them, where to find those of a case, and the digest that says which law was
//! applied.

mod index;
mod overriding;
mod reading;
mod sense;

use crate::domain::consent::HoldKind;
use crate::domain::decision::PolicyStamp;
use crate::domain::fault::{Fault, SourceFile};
use crate::policy::case::Case;
use crate::policy::page::CaseTitle;
use crate::policy::rule::{Effect, Rule};
use crate::policy::rules::Kind;
use index::Index;
use reading::Reading;
use serde::Deserialize;
use std::sync::Arc;

/// A pack that has been loaded: a folder of the policy directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pack {
    /// The folder's name, `us-federal`.
    pub name: String,
    /// What it is, in plain words.
    pub title: String,
    /// Its version, raised with every change.
    pub version: u32,
    /// What becomes of a permit that nobody answered, if the pack says.
    pub expired_permits: Option<ExpiredPermits>,
}

/// What becomes of a permit that expires unanswered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ExpiredPermits {
    /// It counts as a contact that was made.
    Used,
    /// It never counted.
    GivenBack,
}

/// The law in force: every rule of every pack, and the digest of the files it was read from.
#[derive(Clone, Debug)]
pub struct Policy {
    rules: Vec<Rule>,
    index: Index,
    packs: Vec<Pack>,
    calendars: Arc<[CalendarEntry]>,
    cases: Arc<[CaseTitle]>,
    digest: String,
}

/// A calendar of a pack, for listings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CalendarEntry {
    /// By which rules name it.
    pub name: String,
    /// The law that makes these days holidays.
    pub citation: String,
    /// Where it can be read.
    pub source: String,
    /// Whether it was compared with that text.
    pub verified: bool,
    /// The names of its days.
    pub holidays: Vec<String>,
    /// What a reader should know besides.
    pub note: Option<String>,
    /// The file it stands in.
    pub file: String,
    /// The line of the file.
    pub line: usize,
}

impl Policy {
    /// Reads the named packs, folders of the policy directory that `files` were read from. Every fault is named, each with
    /// its file and line.
    ///
    /// # Errors
    /// Every fault of every pack.
    pub fn load(files: &[SourceFile], packs: &[String]) -> Result<Self, Vec<Fault>> {
        let mut reading = Reading::default();
        for pack in packs {
            reading.pack(files, pack);
        }
        reading.finish();
        let Reading { mut rules, packs, mut faults, mut read, mut calendars, .. } = reading;
        if !faults.is_empty() {
            faults.sort();
            faults.dedup();
            return Err(faults);
        }
        rules.sort_by(|a, b| a.id.cmp(&b.id));
        calendars.sort_by(|a, b| a.name.cmp(&b.name));
        read.sort();
        let cases = CaseTitle::all(files, &packs);
        let index = Index::of(&rules);
        Ok(Self {
            rules,
            index,
            packs,
            calendars: calendars.into(),
            cases: cases.into(),
            digest: digest(&read),
        })
    }

    /// Every rule, by its id.
    pub fn rules(&self) -> &[Rule] {
        &self.rules
    }

    /// The packs, in the order they were asked for.
    pub fn packs(&self) -> &[Pack] {
        &self.packs
    }

    /// What becomes of a permit that nobody answered: the strictest of what the packs say, and used where none does.
    pub fn expired_permits(&self) -> ExpiredPermits {
        let mut said = self.packs.iter().filter_map(|pack| pack.expired_permits).peekable();
        let given_back = said.peek().is_some() && said.all(|choice| choice == ExpiredPermits::GivenBack);
        if given_back { ExpiredPermits::GivenBack } else { ExpiredPermits::Used }
    }

    /// Every calendar, by its name.
    pub fn calendars(&self) -> &[CalendarEntry] {
        &self.calendars
    }

    /// What the worked cases beside the packs show.
    pub fn cases(&self) -> &[CaseTitle] {
        &self.cases
    }

    /// The rules that have anything to do with a case, by their id: those that bar, and those that only raise reviews.
    pub(in crate::policy) fn concerning(&self, case: &Case) -> (Vec<&Rule>, Vec<&Rule>) {
        let (mut bars, mut reviews) = (Vec::with_capacity(48), Vec::new());
        for rule in self.index.candidates(case).into_iter().filter_map(|place| self.rules.get(place)) {
            if rule.applies.to(case) {
                match rule.effect {
                    Effect::Bar => bars.push(rule),
                    Effect::Review => reviews.push(rule),
                }
            }
        }
        (bars, reviews)
    }

    /// Whether some rule heeds the debtor's stops and some rule the holds: without them every refusal would be ignored.
    pub fn heeds_refusals(&self) -> bool {
        let bars = || self.rules.iter().filter(|rule| rule.effect == Effect::Bar);
        let has = |wanted: fn(&Kind) -> bool| {
            bars().flat_map(|rule| &rule.clauses).any(|clause| wanted(&clause.kind))
        };
        has(|kind| matches!(kind, Kind::OptOut(_)))
            && has(|kind| matches!(kind, Kind::Hold(hold) if hold.holds.contains(&HoldKind::Cease)))
    }

    /// `sha256:…` over the packs' files.
    pub fn digest(&self) -> &str {
        &self.digest
    }

    /// What a decision records of the policy that took it.
    pub fn stamp(&self) -> PolicyStamp {
        let packs = self.packs.iter().map(|pack| format!("{}@{}", pack.name, pack.version)).collect();
        PolicyStamp { digest: self.digest.clone(), packs }
    }

    /// The same policy with only some of its rules, for worked cases and for asking what a rule changes. Its digest is
    /// still that of the whole.
    pub fn only(&self, keep: impl Fn(&Rule) -> bool) -> Self {
        let rules: Vec<Rule> = self.rules.iter().filter(|rule| keep(rule)).cloned().collect();
        Self {
            index: Index::of(&rules),
            rules,
            packs: self.packs.clone(),
            calendars: self.calendars.clone(),
            cases: self.cases.clone(),
            digest: self.digest.clone(),
        }
    }
}

fn digest(read: &[(&str, &str)]) -> String {
    let mut context = aws_lc_rs::digest::Context::new(&aws_lc_rs::digest::SHA256);
    for (path, text) in read {
        for part in [path, text] {
            context.update(&u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
            context.update(part.as_bytes());
        }
    }
    format!("sha256:{}", hex::encode(context.finish()))
}
