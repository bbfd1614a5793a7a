//! How far each cap is used, for the debtor's page.

use crate::domain::id::AccountKey;
use crate::domain::time::{Span, Timestamp};
use crate::policy::case::{Case, Unit};
use crate::policy::facts::Facts;
use crate::policy::pack::Policy;
use crate::policy::rule::{Ask, Effect, Rule};
use crate::policy::rules::{FrequencyCap, Kind};

/// One cap's use at `facts.at`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CapUse {
    /// The rule's id.
    pub rule: String,
    /// The paragraph it rests on.
    pub citation: String,
    /// Contacts that count now.
    pub used: u32,
    /// Contacts permitted.
    pub limit: u32,
    /// The window; whole days are local calendar days.
    pub window: Span,
    /// When the next use is freed; none while nothing is used.
    pub frees_at: Option<Timestamp>,
    /// The accounts it counts for; empty where it counts by debtor.
    pub accounts: Vec<AccountKey>,
}

/// The use of every cap in force that concerns the debtor, whatever the channel asked about; caps by contact point only
/// where the facts name one.
pub fn caps(policy: &Policy, facts: &Facts) -> Vec<CapUse> {
    let case = Case::new(facts);
    let concerned = policy.rules().iter().filter(|rule| {
        rule.effect == Effect::Bar
            && rule.applies.to_debtor(facts.debtor)
            && rule.applies.to_any_account(&case)
    });
    concerned.flat_map(|rule| of_rule(rule, &case)).collect()
}

fn of_rule(rule: &Rule, case: &Case) -> Vec<CapUse> {
    let at = case.facts.at;
    let in_force = rule.clauses.iter().filter(|clause| clause.in_force(case, at));
    let caps = in_force.filter_map(|clause| match &clause.kind {
        Kind::FrequencyCap(cap) => Some(cap),
        Kind::AccountStatus(_)
        | Kind::Consent(_)
        | Kind::ContactWindow(_)
        | Kind::CoolDown(_)
        | Kind::DisclosureDuty(_)
        | Kind::Hold(_)
        | Kind::InconvenientTime(_)
        | Kind::OptOut(_)
        | Kind::ReassignedNumber(_)
        | Kind::UsablePoint(_)
        | Kind::WaitingPeriod(_)
        | Kind::Workplace(_) => None,
    });
    let ask = Ask { case, applies: &rule.applies };
    let concerned = |unit: &Unit| match unit {
        Unit::Point(_) => case.facts.point.is_some_and(|point| rule.applies.to_point(point)),
        Unit::Debt(_) | Unit::Account(_) | Unit::Debtor => true,
    };
    caps.flat_map(|cap| cap.units(&ask).into_iter().filter(concerned).map(move |unit| (cap, unit)))
        .map(|(cap, unit)| cap_use(rule, cap, case, unit))
        .collect()
}

fn cap_use(rule: &Rule, cap: &FrequencyCap, case: &Case, unit: Unit) -> CapUse {
    let (used, frees_at) = cap.used(case, unit, case.facts.at);
    let accounts = match unit {
        Unit::Debt(debt) => {
            let of_debt = case.facts.debtor.accounts.iter().filter(|outline| outline.debt == debt);
            of_debt.map(|outline| outline.account).collect()
        }
        Unit::Account(account) => vec![account],
        Unit::Point(_) | Unit::Debtor => Vec::new(),
    };
    CapUse {
        rule: rule.id.clone(),
        citation: rule.citation.clone(),
        used,
        limit: cap.limit,
        window: cap.window(case, case.facts.at),
        frees_at,
        accounts,
    }
}
