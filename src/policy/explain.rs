//! Findings in words: one plain sentence with the real figures, and what the rule looked at.

use crate::domain::contact::{Contact, ContactSource};
use crate::domain::decision::{Finding, Outcome};
use crate::domain::time::{Date, Timestamp};
use crate::domain::zone::{Zone, day_of};
use crate::policy::case::Case;
use crate::policy::rule::{Ask, Rule, Say};
use serde_json::Value;
use std::collections::BTreeMap;

/// A sentence, and the figures behind it. Never anything personal.
#[derive(Debug)]
pub(in crate::policy) struct Words {
    pub reason: String,
    pub facts: BTreeMap<String, Value>,
}

impl Words {
    /// A sentence without figures.
    pub fn plain(reason: impl Into<String>) -> Self {
        Self { reason: reason.into(), facts: BTreeMap::new() }
    }

    /// The same with a dated fact: when, and how old it is at an instant, in whole days.
    pub fn dated(self, name: &str, on: Timestamp, at: Timestamp) -> Self {
        let age = at.since(on).as_millis().div_euclid(86_400_000);
        self.with(name, on.to_string()).with(&format!("{name}_age_days"), age)
    }

    /// The same with a dated fact of a calendar day: which, and how many days ago it is, where that is fewest.
    pub fn dated_on(self, name: &str, on: Date, case: &Case, at: Timestamp) -> Self {
        let age = case.zones.iter().map(|zone| zone.local(at).day - day_of(on)).min().unwrap_or(0);
        self.with(name, on.to_string()).with(&format!("{name}_age_days"), age)
    }

    /// The same with one more figure.
    pub fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.facts.insert(name.to_owned(), value.into());
        self
    }
}

/// The finding of a rule at an instant; `limit` is how far the search for its end goes.
pub(in crate::policy) fn finding(rule: &Rule, case: &Case, at: Timestamp, limit: Timestamp) -> Finding {
    let (effect, until) = match rule.say(case, at) {
        Say::Permit { .. } => (Outcome::Allow, rule.next_bar(case, at, limit)),
        Say::Bar { .. } => match rule.next_permit(case, at, limit) {
            Some(until) => (Outcome::Defer, Some(until)),
            None => (Outcome::Block, None),
        },
    };
    let ask = Ask { case, applies: &rule.applies };
    let ties = rule.applies.ties(case);
    let words = rule
        .telling_clause(case, at)
        .map_or_else(|| Words::plain("not in force at that time"), |clause| clause.kind.explain(&ask, at));
    let mut facts = words.facts;
    if !ties.is_empty() {
        facts.insert("jurisdiction".to_owned(), rule.jurisdiction.clone().into());
        facts.insert("applies_by".to_owned(), ties.into());
    }
    Finding {
        citation: rule.citation.clone(),
        effect,
        facts,
        reason: words.reason,
        rule: rule.id.clone(),
        until,
    }
}

/// `21:10 in America/New_York`.
pub(in crate::policy) fn clock(zone: Zone, at: Timestamp) -> String {
    let minute = zone.local(at).minute();
    format!("{:02}:{:02} in {zone}", minute / 60, minute % 60)
}

/// `2026-04-08` in a zone.
pub(in crate::policy) fn date(zone: Zone, at: Timestamp) -> String {
    zone.local(at).date().to_string()
}

/// The date of an instant in the first candidate zone.
pub(in crate::policy) fn local_date(case: &Case, at: Timestamp) -> String {
    case.zones.first().map_or_else(|| at.to_string(), |zone| date(*zone, at))
}

/// What a contact over a channel is called.
pub(in crate::policy) fn contacts(channel: crate::domain::channel::Channel) -> &'static str {
    use crate::domain::channel::Channel;
    match channel {
        Channel::Email => "emails",
        Channel::Sms => "texts",
        Channel::Voice => "calls",
        Channel::Portal => "portal messages",
        Channel::Letter => "letters",
        Channel::Visit => "visits",
    }
}

/// Whence a contact is known.
pub(in crate::policy) fn source(contact: &Contact) -> &'static str {
    match contact.source {
        ContactSource::Attempt(_) => "our own attempt",
        ContactSource::Reported(_) => "reported by upstream",
        ContactSource::Permit(_) => "a permit",
        ContactSource::Reply => "the debtor's reply",
    }
}
