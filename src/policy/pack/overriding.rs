//! Overrides: the one way in which this house may do what a rule forbids, with a citation, an approver and an end.

use super::reading::{Reading, date};
use super::sense;
use crate::domain::consent::HoldKind;
use crate::domain::fault::{Fault, SourceFile};
use crate::policy::applies::Applies;
use crate::policy::rule::{Override, Rule};
use crate::policy::rules::Kind;
use serde::Deserialize;
use std::collections::BTreeMap;
use toml::Spanned;
use toml::de::{DeValue, ValueDeserializer};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct OverrideText {
    id: Spanned<String>,
    rule: Spanned<String>,
    citation: String,
    approver: String,
    reason: String,
    #[serde(default)]
    applies: Applies,
}

/// An override that waits for its rule to be read.
pub(super) struct Pending {
    rule: String,
    read: Override,
}

impl Reading<'_> {
    /// Reads an `[[override]]` table.
    pub(super) fn overriding(&mut self, file: &SourceFile, value: Spanned<DeValue<'_>>) {
        let span = value.span();
        let line = Fault::line_of(&file.text, span.start);
        let DeValue::Table(mut table) = value.into_inner() else {
            return self.faults.push(Fault::at(
                &file.path,
                line,
                "`override` is a table: write [[override]]",
            ));
        };
        let from = table.remove("from").and_then(date);
        let to = table.remove("to").and_then(date);
        let table = ValueDeserializer::from(Spanned::new(span.clone(), DeValue::Table(table)));
        let text = match OverrideText::deserialize(table) {
            Ok(text) => text,
            Err(error) => return self.faults.push(super::reading::fault_of(file, &error, span)),
        };
        let line = Fault::line_of(&file.text, text.id.span().start);
        let mut wrong = |message: String| self.faults.push(Fault::at(&file.path, line, message));
        let id = text.id.get_ref();
        if [&text.citation, &text.approver, &text.reason].iter().any(|words| words.trim().is_empty()) {
            wrong(format!("override {id} needs a citation, an approver and a reason"));
        }
        let (Some(from), Some(to)) = (from, to) else {
            return wrong(format!(
                "override {id} says `from` which date it holds and `to` which, its last day: none is for ever"
            ));
        };
        if to < from {
            wrong(format!("override {id} ends before it begins"));
        }
        for fault in sense::of_scope(&text.applies, &text.applies.regions) {
            wrong(format!("override {id}: {fault}"));
        }
        let read = Override {
            id: text.id.into_inner(),
            citation: text.citation,
            approver: text.approver,
            reason: text.reason,
            from,
            to,
            file: file.path.clone(),
            line,
            applies: text.applies,
        };
        self.overrides.push(Pending { rule: text.rule.into_inner(), read });
    }

    /// Gives each override to its rule.
    pub(super) fn settle_overrides(&mut self) {
        let mut seen: BTreeMap<String, (String, usize)> = BTreeMap::new();
        for Pending { rule: id, read } in std::mem::take(&mut self.overrides) {
            let fault = |message: String| Fault::at(&read.file, read.line, message);
            let here = (read.file.clone(), read.line);
            if let Some((file, line)) = seen.insert(read.id.clone(), here) {
                self.faults.push(fault(format!("override {} also stands in {file}:{line}", read.id)));
            }
            match self.rules.iter_mut().find(|rule| rule.id == id) {
                None => self.faults.push(fault(format!("override {}: there is no rule {id}", read.id))),
                Some(rule) if is_a_stop(rule) => self.faults.push(fault(format!(
                    "override {}: rule {id} keeps a debtor's stop, which nobody here can lift",
                    read.id
                ))),
                Some(rule) => rule.overrides.push(read),
            }
        }
        for rule in &mut self.rules {
            rule.overrides.sort_by(|a, b| a.id.cmp(&b.id));
        }
    }
}

/// Whether a rule keeps what the debtor refused: stops and written demands to cease.
fn is_a_stop(rule: &Rule) -> bool {
    rule.clauses.iter().any(|clause| match &clause.kind {
        Kind::OptOut(_) => true,
        Kind::Hold(hold) => hold.holds.contains(&HoldKind::Cease),
        Kind::AccountStatus(_)
        | Kind::Consent(_)
        | Kind::ContactWindow(_)
        | Kind::CoolDown(_)
        | Kind::DisclosureDuty(_)
        | Kind::FrequencyCap(_)
        | Kind::InconvenientTime(_)
        | Kind::ReassignedNumber(_)
        | Kind::UsablePoint(_)
        | Kind::WaitingPeriod(_)
        | Kind::Workplace(_) => false,
    })
}
