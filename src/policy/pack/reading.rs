//! Reading packs: every fault in every file at once, each with its line.

use super::overriding::Pending;
use super::{CalendarEntry, ExpiredPermits, Pack, sense};
use crate::domain::fault::{Fault, SourceFile};
use crate::domain::region::{is_country, is_region};
use crate::domain::time::Date;
use crate::policy::applies::Applies;
use crate::policy::calendar::{Calendar, CalendarText};
use crate::policy::rule::{Clause, Effect, Rule, Status};
use crate::policy::rules::Kind;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;
use toml::Spanned;
use toml::de::{DeTable, DeValue, ValueDeserializer};

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
    #[serde(default)]
    expired_permits: Option<ExpiredPermits>,
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
    effect: Effect,
    #[serde(default)]
    note: Option<String>,
    #[serde(default)]
    applies: Applies,
}

/// What has been read so far, and what is wrong with it.
#[derive(Default)]
pub(super) struct Reading<'f> {
    pub rules: Vec<Rule>,
    pub packs: Vec<Pack>,
    pub faults: Vec<Fault>,
    pub read: Vec<(&'f str, &'f str)>,
    pub calendars: Vec<CalendarEntry>,
    pub overrides: Vec<Pending>,
    reckoned: Vec<Arc<Calendar>>,
}

impl<'f> Reading<'f> {
    pub(super) fn pack(&mut self, files: &'f [SourceFile], name: &str) {
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
                self.tables_of(file);
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

    /// Joins what refers to each other, once every file has been read.
    pub(super) fn finish(&mut self) {
        self.unique_ids();
        self.settle_overrides();
        for rule in &mut self.rules {
            for clause in &mut rule.clauses {
                if let Some(missing) = clause.kind.bind(&self.reckoned) {
                    let message = format!("there is no calendar `{missing}` in these packs");
                    self.faults.push(Fault::at(&rule.file, rule.line, message));
                }
            }
        }
    }

    fn head(&mut self, file: &SourceFile, name: &str) -> Option<Pack> {
        match toml::from_str::<PackFile>(&file.text) {
            Ok(PackFile { pack }) => {
                let PackHead { title, version, expired_permits } = pack;
                Some(Pack { name: name.to_owned(), title, version, expired_permits })
            }
            Err(error) => {
                self.faults.push(fault_of(file, &error, 0..0));
                None
            }
        }
    }

    fn tables_of(&mut self, file: &SourceFile) {
        let table = match DeTable::parse(&file.text) {
            Ok(table) => table.into_inner(),
            Err(error) => return self.faults.push(fault_of(file, &error, 0..0)),
        };
        let mut any = false;
        for (key, value) in table {
            let span = key.span();
            any = true;
            match (key.into_inner().as_ref(), value.into_inner()) {
                ("rule", DeValue::Array(rules)) => rules.into_iter().for_each(|rule| self.rule(file, rule)),
                ("calendar", DeValue::Array(all)) => all.into_iter().for_each(|one| self.calendar(file, one)),
                ("override", DeValue::Array(all)) => {
                    all.into_iter().for_each(|one| self.overriding(file, one));
                }
                (other, _) => {
                    let line = Fault::line_of(&file.text, span.start);
                    let message = format!(
                        "unknown key `{other}`; a pack's file holds [[rule]], [[calendar]] and [[override]] tables only"
                    );
                    self.faults.push(Fault::at(&file.path, line, message));
                }
            }
        }
        if !any {
            self.faults.push(Fault::of(&file.path, "no [[rule]] in this file"));
        }
    }

    fn calendar(&mut self, file: &SourceFile, value: Spanned<DeValue<'_>>) {
        let span = value.span();
        let text = match CalendarText::deserialize(ValueDeserializer::from(value)) {
            Ok(text) => text,
            Err(error) => return self.faults.push(fault_of(file, &error, span)),
        };
        let line = Fault::line_of(&file.text, text.name.span().start);
        let name = text.name.get_ref();
        let mut wrong = |message: String| self.faults.push(Fault::at(&file.path, line, message));
        if text.citation.get_ref().trim().is_empty() {
            wrong(format!("calendar {name} has no citation"));
        }
        if let Some(first) = self.calendars.iter().find(|known| known.name == *name) {
            wrong(format!("calendar {name} also stands in {}:{}", first.file, first.line));
        }
        match text.reckon() {
            Ok(calendar) => self.reckoned.push(Arc::new(calendar)),
            Err(message) => wrong(message),
        }
        self.calendars.push(CalendarEntry {
            name: name.clone(),
            citation: text.citation.get_ref().clone(),
            source: text.source,
            verified: text.verified,
            holidays: text.holidays.into_iter().map(|holiday| holiday.name).collect(),
            note: text.note,
            file: file.path.clone(),
            line,
        });
    }

    fn rule(&mut self, file: &SourceFile, rule: Spanned<DeValue<'_>>) {
        let span = rule.span();
        let at = |offset: usize| Fault::line_of(&file.text, offset);
        let DeValue::Table(mut table) = rule.into_inner() else {
            let message = "`rule` is a table: write [[rule]]";
            return self.faults.push(Fault::at(&file.path, at(span.start), message));
        };
        let rows = table.remove("effective");
        let scope = table.get("applies").map(|applies| pairs(applies.get_ref())).unwrap_or_default();
        let head =
            RuleHead::deserialize(ValueDeserializer::from(Spanned::new(span.clone(), DeValue::Table(table))));
        let head = match head {
            Ok(head) => head,
            Err(error) => return self.faults.push(fault_of(file, &error, span)),
        };
        let line = at(head.id.span().start);
        let rows = rows.map(Spanned::into_inner);
        let Some(DeValue::Array(rows)) =
            rows.filter(|rows| rows.as_array().is_some_and(|all| !all.is_empty()))
        else {
            let message = format!("rule {} has no [[rule.effective]]", head.id.get_ref());
            return self.faults.push(Fault::at(&file.path, line, message));
        };
        self.check_head(file, &head);
        let clauses: Vec<Clause> = rows.into_iter().filter_map(|row| self.clause(file, &head, row)).collect();
        if !Kind::NAMES.contains(&head.kind.get_ref().as_str()) {
            return;
        }
        self.check_terms(file, line, &clauses);
        self.rules.push(built(file, line, head, scope, clauses));
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
        let jurisdiction = head.jurisdiction.get_ref();
        if !is_country(jurisdiction) && !is_region(jurisdiction) {
            let message =
                format!("`{jurisdiction}` is neither a country such as US nor a region such as US-MA");
            wrong(&head.jurisdiction, message);
        }
        for fault in sense::of_scope(&head.applies, &holds_in(&head.applies, jurisdiction)) {
            wrong(&head.id, format!("rule {id}: {fault}"));
        }
    }

    fn clause(&mut self, file: &SourceFile, head: &RuleHead, row: Spanned<DeValue<'_>>) -> Option<Clause> {
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
        let table = DeValue::Table(table);
        let parameters = pairs(&table);
        let row = ValueDeserializer::from(Spanned::new(span.clone(), table));
        match Kind::read(head.kind.get_ref(), row)? {
            Ok(read) => {
                let wrong = read.fault().into_iter().chain(sense::of_row(&head.applies, &read));
                self.faults.extend(wrong.map(|message| Fault::at(&file.path, line, message)));
                Some(Clause { from, to: to.flatten(), kind: read, parameters })
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

/// The regions that a rule holds in: those it names, or else that of its jurisdiction, if it is one.
fn holds_in(applies: &Applies, jurisdiction: &str) -> Vec<String> {
    if applies.regions.is_empty() && jurisdiction.contains('-') {
        vec![jurisdiction.to_owned()]
    } else {
        applies.regions.clone()
    }
}

fn built(
    file: &SourceFile,
    line: usize,
    head: RuleHead,
    scope: Vec<(String, String)>,
    clauses: Vec<Clause>,
) -> Rule {
    let jurisdiction = head.jurisdiction.into_inner();
    let mut applies = head.applies;
    applies.regions = holds_in(&applies, &jurisdiction);
    Rule {
        id: head.id.into_inner(),
        kind: head.kind.into_inner(),
        effect: head.effect,
        citation: head.citation.into_inner(),
        source: head.source,
        jurisdiction,
        note: head.note,
        status: Status { verified: head.verified, reviewed: head.reviewed },
        file: file.path.clone(),
        line,
        scope,
        applies,
        overrides: Vec::new(),
        clauses,
    }
}

/// What a table says, for listings: its keys with their values in plain form.
fn pairs(value: &DeValue<'_>) -> Vec<(String, String)> {
    match value {
        DeValue::Table(table) => {
            table.iter().map(|(key, value)| (key.get_ref().to_string(), shown(value.get_ref()))).collect()
        }
        other => vec![(String::new(), shown(other))],
    }
}

fn shown(value: &DeValue<'_>) -> String {
    match value {
        DeValue::String(text) => text.to_string(),
        DeValue::Integer(number) => number.as_str().to_owned(),
        DeValue::Float(number) => number.as_str().to_owned(),
        DeValue::Boolean(flag) => if *flag { "yes" } else { "no" }.to_owned(),
        DeValue::Datetime(date) => date.to_string(),
        DeValue::Array(items) => {
            items.iter().map(|item| shown(item.get_ref())).collect::<Vec<_>>().join(", ")
        }
        DeValue::Table(_) => {
            let inner = pairs(value).into_iter().map(|(key, value)| format!("{key}: {value}"));
            inner.collect::<Vec<_>>().join("; ")
        }
    }
}

pub(super) fn date(value: Spanned<DeValue<'_>>) -> Option<Date> {
    value.into_inner().as_datetime().and_then(|date| date.to_string().parse().ok())
}

pub(super) fn fault_of(file: &SourceFile, error: &toml::de::Error, whole: Range<usize>) -> Fault {
    let offset = error.span().unwrap_or(whole).start;
    Fault::at(&file.path, Fault::line_of(&file.text, offset), error.message().replace('\n', "; "))
}
