//! One decision that would come out otherwise, in words and as a row of a table.

use crate::domain::decision::{Decision, Finding, Outcome};
use crate::domain::time::Timestamp;
use crate::pipeline::replay::{For, Replayed};
use std::fmt;

/// How an answer turns.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Turn {
    /// From one outcome to another.
    Outcome(Outcome, Outcome),
    /// The same outcome, at another moment, over another channel or point, or with other disclosures.
    Otherwise(Outcome),
    /// Only the reasons differ.
    Reasons(Outcome),
}

impl fmt::Display for Turn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Outcome(from, to) => write!(f, "{from} → {to}"),
            Self::Otherwise(outcome) => write!(f, "{outcome}, but otherwise"),
            Self::Reasons(outcome) => write!(f, "{outcome} for other reasons"),
        }
    }
}

/// A recorded decision and the one that would be taken, with the rule that makes the difference.
pub struct Difference<'r> {
    one: &'r Replayed,
    again: &'r Decision,
    /// The rule that makes the difference: the first that says something new, else the first that says something no more.
    pub rule: &'r str,
    /// The paragraph it rests on.
    pub citation: &'r str,
}

impl<'r> Difference<'r> {
    /// The heads of the table's columns.
    pub const COLUMNS: [&'static str; 23] = [
        "leaf",
        "seq",
        "decided_at",
        "debtor_id",
        "request_id",
        "id",
        "turn",
        "rule",
        "citation",
        "recorded_outcome",
        "recorded_channel",
        "recorded_permitted_from",
        "recorded_permitted_until",
        "recorded_rules",
        "recorded_reasons",
        "recorded_policy",
        "simulated_outcome",
        "simulated_channel",
        "simulated_permitted_from",
        "simulated_permitted_until",
        "simulated_rules",
        "simulated_citations",
        "simulated_reasons",
    ];

    /// Between what was recorded and what would be.
    pub fn of(one: &'r Replayed, again: &'r Decision) -> Self {
        let before = &one.recorded.decision.findings;
        let new = |from: &'r [Finding], than: &[Finding]| {
            let said = |f: &Finding| {
                than.iter().any(|t| t.rule == f.rule && t.effect == f.effect && t.until == f.until)
            };
            from.iter().find(|finding| !said(finding))
        };
        let worded = || again.findings.iter().zip(before).find(|(a, b)| a != b).map(|(again, _)| again);
        let told = new(&again.findings, before).or_else(|| new(before, &again.findings)).or_else(worded);
        let (rule, citation) = told.map_or(
            ("several rules together", "each says what it said; their first common moment is another"),
            |f| (&f.rule, &f.citation),
        );
        Self { one, again, rule, citation }
    }

    /// How the answer turns.
    pub fn turn(&self) -> Turn {
        let (before, after) = (&self.one.recorded.decision, self.again);
        if before.outcome != after.outcome {
            return Turn::Outcome(before.outcome, after.outcome);
        }
        let reasons_aside = before.channel == after.channel
            && before.point == after.point
            && before.permitted_from == after.permitted_from
            && before.permitted_until == after.permitted_until
            && before.disclosures == after.disclosures
            && before.liftable == after.liftable;
        if reasons_aside { Turn::Reasons(after.outcome) } else { Turn::Otherwise(after.outcome) }
    }

    /// Its row of the table.
    pub fn row(&self) -> [String; 23] {
        let (before, after) = (&self.one.recorded.decision, self.again);
        let (request_id, id) = match &self.one.subject {
            For::Request(id, said) => (said.clone().unwrap_or_default(), id.to_string()),
            For::Permit(id) => (String::new(), id.to_string()),
        };
        [
            self.one.leaf.to_string(),
            self.one.seq.to_string(),
            before.at.to_string(),
            self.one.debtor_id.clone().unwrap_or_default(),
            request_id,
            id,
            self.turn().to_string(),
            self.rule.to_owned(),
            self.citation.to_owned(),
            before.outcome.to_string(),
            before.channel.to_string(),
            moment(before.permitted_from),
            moment(before.permitted_until),
            joined(before, |finding| &finding.rule),
            joined(before, |finding| &finding.reason),
            self.one.recorded.policy.digest.clone(),
            after.outcome.to_string(),
            after.channel.to_string(),
            moment(after.permitted_from),
            moment(after.permitted_until),
            joined(after, |finding| &finding.rule),
            joined(after, |finding| &finding.citation),
            joined(after, |finding| &finding.reason),
        ]
    }
}

fn moment(at: Option<Timestamp>) -> String {
    at.map(|at| at.to_string()).unwrap_or_default()
}

fn joined<'d>(decision: &'d Decision, part: impl Fn(&'d Finding) -> &'d String) -> String {
    decision.findings.iter().map(part).map(String::as_str).collect::<Vec<_>>().join("; ")
}

impl fmt::Display for Difference<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let subject = match &self.one.subject {
            For::Request(_, Some(said)) => format!("request {said}"),
            For::Request(id, None) => format!("request {id}"),
            For::Permit(id) => format!("permit {id}"),
        };
        let debtor = self.one.debtor_id.as_deref().unwrap_or("somebody erased");
        let before = &self.one.recorded.decision;
        writeln!(f, "{} {subject} of {debtor} (leaf {}): {}", before.at, self.one.leaf, self.turn())?;
        tell(f, "recorded", before)?;
        tell(f, "would be", self.again)
    }
}

fn tell(f: &mut fmt::Formatter<'_>, when: &str, decision: &Decision) -> fmt::Result {
    write!(f, "  {when}: {} over {}", decision.outcome, decision.channel)?;
    match (decision.outcome, decision.permitted_from, decision.permitted_until) {
        (Outcome::Defer, Some(from), _) => write!(f, " from {from}")?,
        (Outcome::Allow, _, Some(until)) => write!(f, " until {until}")?,
        (Outcome::Allow | Outcome::Defer | Outcome::Block, _, _) => {}
    }
    writeln!(f)?;
    for finding in &decision.findings {
        writeln!(f, "    {} ({}): {}", finding.rule, finding.citation, finding.reason)?;
    }
    Ok(())
}
