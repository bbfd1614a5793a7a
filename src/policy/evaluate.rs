//! The composition: every rule is asked, the findings are joined, the strictest wins.

use crate::domain::decision::{Decision, Disclosure, Finding, Outcome};
use crate::domain::time::{Span, Timestamp};
use crate::policy::case::{Case, FAR};
use crate::policy::explain::finding;
use crate::policy::facts::Facts;
use crate::policy::pack::Policy;
use crate::policy::rule::{Ask, Override, Rule, Say};
use std::collections::BTreeMap;

/// How far ahead a lawful moment is looked for.
pub const HORIZON: Span = Span::days(400);

/// The id of the finding that says that no moment suits every rule.
const NO_MOMENT: &str = "dunwell.no-permitted-moment";

/// Whether a contact is lawful at `facts.at`, and if not, when; `deadline` is the moment from which on it is no longer
/// wanted. With `explain_all` the rules that permit are among the findings.
pub fn evaluate(policy: &Policy, facts: &Facts, deadline: Option<Timestamp>, explain_all: bool) -> Decision {
    let case = Case::new(facts);
    let (rules, looked_at) = policy.concerning(&case);
    let search = Search { case: &case, rules: &rules, limit: facts.at.plus(HORIZON), deadline };
    let decision = match search.ask(facts.at) {
        Say::Permit { until } => search.allowed(until, explain_all),
        Say::Bar { .. } => search.barred(explain_all),
    };
    Decision { reviews: search.reviews(&looked_at), ..decision }
}

/// One search over the rules that have a say.
struct Search<'a> {
    case: &'a Case<'a>,
    rules: &'a [&'a Rule],
    /// The last instant that is looked at.
    limit: Timestamp,
    deadline: Option<Timestamp>,
}

impl Search<'_> {
    /// What all rules together say of an instant.
    fn ask(&self, at: Timestamp) -> Say {
        self.rules.iter().map(|rule| rule.say(self.case, at)).fold(Say::ALWAYS, Say::and)
    }

    /// The first instant from `at` on at which every rule permits: no rule permits before the latest of the moments that
    /// the objecting ones name, so that is where to look next.
    fn first_permitted(&self, at: Timestamp) -> Option<Timestamp> {
        let mut now = at;
        loop {
            match self.ask(now) {
                Say::Permit { .. } => return Some(now),
                Say::Bar { until: Some(until), .. } if now < until && until <= self.limit => now = until,
                Say::Bar { .. } => return None,
            }
        }
    }

    /// The first instant at which some rule objects, known that none does before `change`.
    fn permitted_until(&self, change: Timestamp) -> Option<Timestamp> {
        let mut now = change;
        while now <= self.limit && now < FAR {
            match self.ask(now) {
                Say::Permit { until } if now < until => now = until,
                Say::Permit { .. } => return None,
                Say::Bar { .. } => return Some(now),
            }
        }
        None
    }

    fn allowed(&self, change: Timestamp, explain_all: bool) -> Decision {
        let findings = if explain_all { self.findings(|_| true) } else { Vec::new() };
        let at = self.case.facts.at;
        let until = self.permitted_until(change);
        self.decision(Outcome::Allow, findings, Some(at), until, false)
    }

    fn barred(&self, explain_all: bool) -> Decision {
        let at = self.case.facts.at;
        let objects = |rule: &Rule| matches!(rule.say(self.case, at), Say::Bar { .. });
        let mut findings = self.findings(|rule| explain_all || objects(rule));
        let from = self.first_permitted(at).filter(|from| self.deadline.is_none_or(|end| *from < end));
        if from.is_some() {
            return self.decision(Outcome::Defer, findings, from, None, false);
        }
        let mut stuck =
            self.rules.iter().filter(|rule| rule.next_permit(self.case, at, self.limit).is_none()).peekable();
        // Where one rule alone never permits, its own finding says so; else it is their conjunction.
        let liftable = stuck.peek().is_some() && stuck.all(|rule| self.liftable(rule));
        if findings.iter().all(|finding| finding.effect != Outcome::Block) {
            findings.insert(0, self.no_moment());
        }
        self.decision(Outcome::Block, findings, None, None, liftable)
    }

    /// Whether a person or upstream can lift what a rule objects to.
    fn liftable(&self, rule: &Rule) -> bool {
        matches!(rule.say(self.case, self.case.facts.at), Say::Bar { liftable: true, .. })
    }

    fn findings(&self, wanted: impl Fn(&Rule) -> bool) -> Vec<Finding> {
        let at = self.case.facts.at;
        let rules = self.rules.iter().filter(|rule| wanted(rule));
        let mut findings: Vec<Finding> = rules.map(|rule| finding(rule, self.case, at, self.limit)).collect();
        findings.sort_by(|a, b| {
            b.effect.cmp(&a.effect).then(b.until.cmp(&a.until)).then_with(|| a.rule.cmp(&b.rule))
        });
        findings
    }

    /// What a person should look at: the standards that figures cannot settle, and the overrides that let something pass.
    fn reviews(&self, looked_at: &[&Rule]) -> Vec<Finding> {
        let at = self.case.facts.at;
        let raised = |rule: &&&Rule| matches!(rule.say(self.case, at), Say::Bar { .. });
        let mut reviews: Vec<Finding> =
            looked_at.iter().filter(raised).map(|rule| self.review(rule)).collect();
        let relieved = self.rules.iter().filter(|rule| !rule.overrides.is_empty());
        let overrides = relieved.filter_map(|rule| Some((rule, rule.set_aside_by(self.case, at)?)));
        reviews.extend(overrides.map(|(rule, relief)| set_aside(rule, relief)));
        reviews.sort_by(|a, b| a.rule.cmp(&b.rule));
        reviews
    }

    fn review(&self, rule: &Rule) -> Finding {
        Finding { effect: Outcome::Allow, ..finding(rule, self.case, self.case.facts.at, self.limit) }
    }

    fn no_moment(&self) -> Finding {
        let (at, end) = (self.case.facts.at, self.limit);
        let reason = match self.deadline.filter(|deadline| *deadline <= end) {
            Some(deadline) => format!("no moment before {deadline} suits every rule"),
            None => format!("no moment from {at} to {end} suits every rule"),
        };
        Finding {
            citation: "house rule: the search looks 400 days ahead, or to the deadline".to_owned(),
            effect: Outcome::Block,
            facts: BTreeMap::new(),
            reason,
            rule: NO_MOMENT.to_owned(),
            until: None,
        }
    }

    fn disclosures(&self) -> Vec<Disclosure> {
        let mut due: Vec<Disclosure> = Vec::new();
        for rule in self.rules {
            let ask = Ask { case: self.case, applies: &rule.applies };
            let in_force =
                rule.clauses.iter().filter(|clause| clause.in_force(self.case, self.case.facts.at));
            due.extend(in_force.filter_map(|clause| clause.kind.disclosure(&ask)));
        }
        due.sort_unstable();
        due.dedup();
        due
    }

    fn decision(
        &self,
        outcome: Outcome,
        findings: Vec<Finding>,
        from: Option<Timestamp>,
        until: Option<Timestamp>,
        liftable: bool,
    ) -> Decision {
        let facts = self.case.facts;
        Decision {
            at: facts.at,
            channel: facts.channel,
            disclosures: self.disclosures(),
            findings,
            outcome,
            permitted_from: from,
            permitted_until: until,
            point: self.case.point(),
            liftable,
            reviews: Vec::new(),
        }
    }
}

/// The finding that says that an override let a contact pass. Who approved it stands in the pack: a decision names nobody.
fn set_aside(rule: &Rule, relief: &Override) -> Finding {
    let facts =
        [("overrides", rule.id.clone()), ("from", relief.from.to_string()), ("to", relief.to.to_string())];
    Finding {
        citation: relief.citation.clone(),
        effect: Outcome::Allow,
        facts: facts.into_iter().map(|(name, value)| (name.to_owned(), value.into())).collect(),
        reason: format!(
            "rule {} would bar this contact and is set aside until {}: {}",
            rule.id, relief.to, relief.reason
        ),
        rule: relief.id.clone(),
        until: None,
    }
}
