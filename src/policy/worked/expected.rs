//! What a worked case expects, and how a decision differs from it.

use crate::domain::decision::{Decision, Disclosure, Outcome};
use crate::domain::time::Timestamp;
use serde::Deserialize;

/// What a worked case expects.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Expected {
    outcome: Outcome,
    /// The earliest permitted moment, for `defer`.
    #[serde(default)]
    from: Option<Timestamp>,
    /// When it stops being permitted, for `allow`.
    #[serde(default)]
    until: Option<Timestamp>,
    /// The rule whose finding stands first.
    #[serde(default)]
    rule: Option<String>,
    #[serde(default)]
    liftable: Option<bool>,
    /// The notices due, all of them.
    #[serde(default)]
    disclosures: Option<Vec<Disclosure>>,
    /// The rules that ask for a look, all of them, and the overrides that let something pass.
    #[serde(default)]
    reviews: Option<Vec<String>>,
}

impl Expected {
    pub(super) fn differences(&self, decision: &Decision) -> Vec<String> {
        let mut differences = Vec::new();
        if decision.outcome != self.outcome {
            let reasons: Vec<&str> =
                decision.findings.iter().map(|finding| finding.reason.as_str()).collect();
            let reasons = reasons.join("; ");
            differences.push(format!("expected {}, not {} ({reasons})", self.outcome, decision.outcome));
        }
        let shown = |at: Option<Timestamp>| at.map_or_else(|| "never".to_owned(), |at| at.to_string());
        if self.outcome == Outcome::Defer && decision.permitted_from != self.from {
            let (expected, found) = (shown(self.from), shown(decision.permitted_from));
            differences.push(format!("expected it permitted from {expected}, not {found}"));
        }
        if self.until.is_some() && decision.permitted_until != self.until {
            let (expected, found) = (shown(self.until), shown(decision.permitted_until));
            differences.push(format!("expected it permitted until {expected}, not {found}"));
        }
        let first = decision.findings.first().map(|finding| finding.rule.as_str());
        if self.rule.is_some() && first != self.rule.as_deref() {
            let (expected, found) = (self.rule.as_deref().unwrap_or_default(), first.unwrap_or("none"));
            differences.push(format!("expected the finding of {expected} first, not {found}"));
        }
        if self.liftable.is_some_and(|liftable| liftable != decision.liftable) {
            differences.push(format!("expected liftable to be {}", !decision.liftable));
        }
        if self.disclosures.as_deref().is_some_and(|expected| expected != decision.disclosures) {
            let found: Vec<&str> = decision.disclosures.iter().map(|due| due.as_str()).collect();
            differences.push(format!("the notices due are {}", found.join(", ")));
        }
        let reviews: Vec<&str> = decision.reviews.iter().map(|review| review.rule.as_str()).collect();
        if self.reviews.as_ref().is_some_and(|expected| *expected != reviews) {
            differences.push(format!("the reviews raised are {}", reviews.join(", ")));
        }
        differences
    }
}
