//! Packs: reading them, naming every fault at once, and the digest that says which law was applied.

use crate::domain::decision::PolicyStamp;
use crate::domain::fault::{Fault, SourceFile};
use crate::domain::region::{is_country, is_region};
use crate::domain::time::Date;
use crate::policy::applies::Applies;
use crate::policy::rule::{Clause, Rule, Status};
use crate::policy::rules::Kind;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::ops::Range;
use toml::Spanned;
use toml::de::{DeTable, DeValue, ValueDeserializer};

/// A pack that has been loaded: a folder of the policy directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pack {
    /// The folder's name, `us-federal`.
    pub name: String,
    /// What it is, in plain words.
    pub title: String,
    /// Its version, raised with every change.
    pub version: u32,
}

/// The law in force: every rule of every pack, and the digest of the files it was read from.
#[derive(Clone, Debug)]
pub struct Policy {
    rules: Vec<Rule>,
    packs: Vec<Pack>,
    digest: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PackFile {
    pack: PackHead,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PackHead {
    title: String,
    version: u32,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RuleHead {
    id: Spanned<String>,
    kind: Spanned<String>,
    citation: Spanned<String>,
    source: String,
    jurisdiction: Spanned<String>,
    verified: bool,
    reviewed: bool,
    #[serde(default)]
    note: Option<String>,
    #[serde(default)]
    applies: Applies,
}

impl Policy {
    /// Reads the named packs, folders of the policy directory that `files` were read from. Every fault is named, each with
    /// its file and line.
    pub fn load(files: &[SourceFile], packs: &[String]) -> Result<Self, Vec<Fault>> {
        let mut reading = Reading::default();
        for pack in packs {
            reading.pack(files, pack);
        }
        reading.unique_ids();
        let Reading { mut rules, packs, mut faults, mut read } = reading;
        if !faults.is_empty() {
            faults.sort();
            faults.dedup();
            return Err(faults);
        }
        rules.sort_by(|a, b| a.id.cmp(&b.id));
        read.sort();
        Ok(Self { rules, packs, digest: digest(&read) })
    }

    /// Every rule, by its id.
    pub fn rules(&self) -> &[Rule] {
        &self.rules
    }

    /// The packs, in the order they were asked for.
    pub fn packs(&self) -> &[Pack] {
        &self.packs
    }

    /// Whether some rule heeds the debtor's stops and some rule the holds: without them every refusal would be ignored.
    pub fn heeds_refusals(&self) -> bool {
        let has = |wanted: fn(&Kind) -> bool| {
            self.rules.iter().flat_map(|rule| &rule.clauses).any(|clause| wanted(&clause.kind))
        };
        has(|kind| matches!(kind, Kind::OptOut(_))) && has(|kind| matches!(kind, Kind::Hold(_)))
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
        let rules = self.rules.iter().filter(|rule| keep(rule)).cloned().collect();
        Self { rules, packs: self.packs.clone(), digest: self.digest.clone() }
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

/// What has been read so far, and what is wrong with it.
#[derive(Default)]
struct Reading<'f> {
    rules: Vec<Rule>,
    packs: Vec<Pack>,
    faults: Vec<Fault>,
    read: Vec<(&'f str, &'f str)>,
}

impl<'f> Reading<'f> {
    fn pack(&mut self, files: &'f [SourceFile], name: &str) {
        if self.packs.iter().any(|pack| pack.name == name) {
            self.faults.push(Fault::of(name, "the pack is named twice"));
            return;
        }
        let inside = |file: &&SourceFile| {
            file.path.strip_prefix(name).is_some_and(|rest| rest.starts_with('/'))
                && file.path.ends_with(".toml")
                && !file.path.ends_with(".cases.toml")
        };
        let head = format!("{name}/pack.toml");
        let mut pack = None;
        for file in files.iter().filter(inside) {
            self.read.push((&file.path, &file.text));
            if file.path == head {
                pack = self.head(file, name);
            } else {
                self.rules_of(file);
            }
        }
        match pack {
            Some(pack) => self.packs.push(pack),
            None if files.iter().any(|file| file.path == head) => {}
            None => self
                .faults
                .push(Fault::of(&head, "there is no such pack: a pack is a folder with a pack.toml")),
        }
    }

    fn head(&mut self, file: &SourceFile, name: &str) -> Option<Pack> {
        match toml::from_str::<PackFile>(&file.text) {
            Ok(PackFile { pack }) => {
                Some(Pack { name: name.to_owned(), title: pack.title, version: pack.version })
            }
            Err(error) => {
                self.faults.push(fault_of(file, &error, 0..0));
                None
            }
        }
    }

    fn rules_of(&mut self, file: &SourceFile) {
        let table = match DeTable::parse(&file.text) {
            Ok(table) => table.into_inner(),
            Err(error) => return self.faults.push(fault_of(file, &error, 0..0)),
        };
        let mut any = false;
        for (key, value) in table {
            let span = key.span();
            match (key.into_inner().as_ref(), value.into_inner()) {
                ("rule", DeValue::Array(rules)) => {
                    any = true;
                    for rule in rules {
                        self.rule(file, rule);
                    }
                }
                (other, _) => {
                    let line = Fault::line_of(&file.text, span.start);
                    let message = format!("unknown key `{other}`; a pack's file holds [[rule]] tables only");
                    self.faults.push(Fault::at(&file.path, line, message));
                }
            }
        }
        if !any {
            self.faults.push(Fault::of(&file.path, "no [[rule]] in this file"));
        }
    }

    fn rule(&mut self, file: &SourceFile, rule: Spanned<DeValue<'_>>) {
        let span = rule.span();
        let at = |offset: usize| Fault::line_of(&file.text, offset);
        let DeValue::Table(mut table) = rule.into_inner() else {
            let message = "`rule` is a table: write [[rule]]";
            return self.faults.push(Fault::at(&file.path, at(span.start), message));
        };
        let rows = table.remove("effective");
        let head =
            RuleHead::deserialize(ValueDeserializer::from(Spanned::new(span.clone(), DeValue::Table(table))));
        let head = match head {
            Ok(head) => head,
            Err(error) => return self.faults.push(fault_of(file, &error, span)),
        };
        let line = at(head.id.span().start);
        let Some(DeValue::Array(rows)) = rows.map(Spanned::into_inner) else {
            let message = format!("rule {} has no [[rule.effective]]", head.id.get_ref());
            return self.faults.push(Fault::at(&file.path, line, message));
        };
        self.check_head(file, &head);
        let kind = head.kind.get_ref();
        let clauses: Vec<Clause> =
            rows.into_iter().filter_map(|row| self.clause(file, &head.kind, row)).collect();
        if !Kind::NAMES.contains(&kind.as_str()) {
            return;
        }
        self.check_terms(file, line, &clauses);
        self.rules.push(built(file, line, head, clauses));
    }

    fn check_head(&mut self, file: &SourceFile, head: &RuleHead) {
        let mut wrong = |spanned: &Spanned<String>, message: String| {
            self.faults.push(Fault::at(
                &file.path,
                Fault::line_of(&file.text, spanned.span().start),
                message,
            ));
        };
        let id = head.id.get_ref();
        let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b".-".contains(&byte);
        if id.is_empty() || !id.bytes().all(plain) {
            wrong(&head.id, format!("`{id}` is not an id: lower-case letters, digits, dots and hyphens"));
        }
        if head.citation.get_ref().trim().is_empty() {
            wrong(&head.citation, format!("rule {id} has no citation; a rule without one is not loaded"));
        }
        let kind = head.kind.get_ref();
        if !Kind::NAMES.contains(&kind.as_str()) {
            wrong(&head.kind, format!("unknown kind `{kind}`; one of {}", Kind::NAMES.join(", ")));
        }
        let place = |name: &str| is_country(name) || is_region(name);
        let places = std::iter::once(head.jurisdiction.get_ref()).chain(&head.applies.regions);
        for unknown in places.filter(|name| !place(name)) {
            wrong(
                &head.jurisdiction,
                format!("`{unknown}` is neither a country such as US nor a region such as US-MA"),
            );
        }
    }

    fn clause(
        &mut self,
        file: &SourceFile,
        kind: &Spanned<String>,
        row: Spanned<DeValue<'_>>,
    ) -> Option<Clause> {
        let span = row.span();
        let line = Fault::line_of(&file.text, span.start);
        let DeValue::Table(mut table) = row.into_inner() else {
            self.faults.push(Fault::at(&file.path, line, "`effective` is a table: write [[rule.effective]]"));
            return None;
        };
        let from = table.remove("from").map(date);
        let to = table.remove("to").map(date);
        let (Some(Some(from)), None | Some(Some(_))) = (from, to) else {
            let message =
                "a row says `from` which date it holds, 2021-11-30, and may say `to` which, its last day";
            self.faults.push(Fault::at(&file.path, line, message));
            return None;
        };
        let row = ValueDeserializer::from(Spanned::new(span.clone(), DeValue::Table(table)));
        match Kind::read(kind.get_ref(), row)? {
            Ok(read) => {
                let wrong = read.fault().map(|message| Fault::at(&file.path, line, message));
                self.faults.extend(wrong);
                Some(Clause { from, to: to.flatten(), kind: read })
            }
            Err(error) => {
                self.faults.push(fault_of(file, &error, span));
                None
            }
        }
    }

    /// The rows of a rule follow each other in time and do not overlap.
    fn check_terms(&mut self, file: &SourceFile, line: usize, clauses: &[Clause]) {
        let backwards = clauses.iter().any(|clause| clause.to.is_some_and(|to| to < clause.from));
        let overlap = clauses.windows(2).any(|pair| match pair {
            [first, second] => first.to.is_none_or(|to| to >= second.from),
            _ => false,
        });
        if backwards || overlap {
            let message = "the rows of a rule follow each other in time, each ending before the next begins";
            self.faults.push(Fault::at(&file.path, line, message));
        }
    }

    fn unique_ids(&mut self) {
        let mut seen: BTreeMap<&str, &Rule> = BTreeMap::new();
        for rule in &self.rules {
            if let Some(first) = seen.insert(&rule.id, rule) {
                let message = format!("rule {} also stands in {}:{}", rule.id, first.file, first.line);
                self.faults.push(Fault::at(&rule.file, rule.line, message));
            }
        }
    }
}

fn built(file: &SourceFile, line: usize, head: RuleHead, clauses: Vec<Clause>) -> Rule {
    let jurisdiction = head.jurisdiction.into_inner();
    let mut applies = head.applies;
    if applies.regions.is_empty() && jurisdiction.contains('-') {
        applies.regions.push(jurisdiction.clone());
    }
    Rule {
        id: head.id.into_inner(),
        citation: head.citation.into_inner(),
        source: head.source,
        jurisdiction,
        note: head.note,
        status: Status { verified: head.verified, reviewed: head.reviewed },
        file: file.path.clone(),
        line,
        applies,
        clauses,
    }
}

fn date(value: Spanned<DeValue<'_>>) -> Option<Date> {
    value.into_inner().as_datetime().and_then(|date| date.to_string().parse().ok())
}

fn fault_of(file: &SourceFile, error: &toml::de::Error, whole: Range<usize>) -> Fault {
    let offset = error.span().unwrap_or(whole).start;
    Fault::at(&file.path, Fault::line_of(&file.text, offset), error.message().replace('\n', "; "))
}
