//! A rule: an instance of a kind of law, with its citation, its scope and its dated parameters.

use crate::domain::time::{Date, Timestamp};
use crate::domain::zone::day_of;
use crate::policy::applies::Applies;
use crate::policy::case::{Case, FAR};
use crate::policy::rules::Kind;
use serde::Deserialize;

/// One rule of a pack.
#[derive(Clone, Debug)]
pub struct Rule {
    /// Its id, `us.fed.regf.inconvenient-time`.
    pub id: String,
    /// The kind of law that it is an instance of.
    pub kind: String,
    /// What follows where it objects.
    pub effect: Effect,
    /// The paragraph it rests on.
    pub citation: String,
    /// Where the text can be read.
    pub source: String,
    /// Whose law it is: a country or a region.
    pub jurisdiction: String,
    /// What a reader should know besides.
    pub note: Option<String>,
    /// Whether its wording was checked against the source, and by counsel.
    pub status: Status,
    /// The file it stands in, for faults and listings.
    pub file: String,
    /// The line of the file.
    pub line: usize,
    /// To whom and to what it applies, as the pack says it.
    pub scope: Vec<(String, String)>,
    /// What sets it aside for a time.
    pub overrides: Vec<Override>,
    pub(in crate::policy) applies: Applies,
    pub(in crate::policy) clauses: Vec<Clause>,
}

/// What follows where a rule objects.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Effect {
    /// The contact is barred.
    #[default]
    Bar,
    /// The contact is permitted, and the decision names the rule for a person to look at: for standards that figures
    /// cannot settle (12 CFR 1006.14(a), comment 14(b)(2)(i)-2).
    Review,
}

/// What sets a rule aside, for a time and on somebody's word.
#[derive(Clone, Debug)]
pub struct Override {
    /// Its id.
    pub id: String,
    /// What it rests on.
    pub citation: String,
    /// Who approved it.
    pub approver: String,
    /// Why, in plain words.
    pub reason: String,
    /// The first day on which it holds.
    pub from: Date,
    /// The last day on which it holds.
    pub to: Date,
    /// The file it stands in.
    pub file: String,
    /// The line of the file.
    pub line: usize,
    pub(in crate::policy) applies: Applies,
}

/// A row of a rule, for listings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Row<'a> {
    /// The first day on which it holds.
    pub from: Date,
    /// The last day, if it has one.
    pub to: Option<Date>,
    /// The parameters, as the pack says them.
    pub parameters: &'a [(String, String)],
}

/// How far a rule may be relied on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Status {
    /// The wording was compared with the text of the law.
    pub verified: bool,
    /// Counsel has signed it off.
    pub reviewed: bool,
}

/// A kind with the parameters that hold between two dates.
#[derive(Clone, Debug)]
pub(in crate::policy) struct Clause {
    pub from: Date,
    /// The last day on which it holds.
    pub to: Option<Date>,
    pub kind: Kind,
    /// The parameters as the pack says them.
    pub parameters: Vec<(String, String)>,
}

/// What one rule says of an instant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::policy) enum Say {
    /// It does not object, and nothing changes before `until`.
    Permit { until: Timestamp },
    /// It objects, certainly until `until`; without one, for as long as the facts are what they are.
    Bar { until: Option<Timestamp>, liftable: bool },
}

impl Say {
    /// It does not object, whatever the time.
    pub const ALWAYS: Self = Self::Permit { until: FAR };

    /// Joins what two parts say: both must permit, and a bar that time does not lift is the stricter.
    pub fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::Permit { until: a }, Self::Permit { until: b }) => Self::Permit { until: a.min(b) },
            (Self::Permit { .. }, bar @ Self::Bar { .. }) | (bar @ Self::Bar { .. }, Self::Permit { .. }) => {
                bar
            }
            (Self::Bar { until: Some(a), liftable: x }, Self::Bar { until: Some(b), liftable: y }) => {
                Self::Bar { until: Some(a.max(b)), liftable: x && y }
            }
            (Self::Bar { until: None, liftable: x }, Self::Bar { until: None, liftable: y }) => {
                Self::Bar { until: None, liftable: x && y }
            }
            (never @ Self::Bar { until: None, .. }, Self::Bar { .. })
            | (Self::Bar { .. }, never @ Self::Bar { until: None, .. }) => never,
        }
    }
}

/// A rule put to a case.
#[derive(Clone, Copy)]
pub(in crate::policy) struct Ask<'a> {
    pub case: &'a Case<'a>,
    pub applies: &'a Applies,
}

impl Rule {
    /// Its rows, in their order in time.
    pub fn rows(&self) -> impl Iterator<Item = Row<'_>> {
        self.clauses.iter().map(|clause| Row {
            from: clause.from,
            to: clause.to,
            parameters: &clause.parameters,
        })
    }

    /// What the rule says of an instant: all its clauses in force then together, unless an override sets it aside.
    pub(in crate::policy) fn say(&self, case: &Case, at: Timestamp) -> Say {
        let own = self.unaided(case, at);
        if self.overrides.is_empty() { own } else { self.relieved(own, case, at) }
    }

    /// What the rule says by itself.
    fn unaided(&self, case: &Case, at: Timestamp) -> Say {
        let ask = Ask { case, applies: &self.applies };
        self.clauses.iter().map(|clause| clause.say(&ask, at)).fold(Say::ALWAYS, Say::and)
    }

    /// What is left of an objection once the overrides are heeded.
    fn relieved(&self, own: Say, case: &Case, at: Timestamp) -> Say {
        let Say::Bar { mut until, liftable } = own else { return own };
        for relief in self.overrides.iter().filter(|relief| relief.applies.to(case)) {
            let (begins, ends) = relief.term(case);
            if begins <= at && at < ends {
                return Say::Permit { until: ends };
            }
            if at < begins && begins < ends {
                until = Some(until.unwrap_or(FAR).min(begins));
            }
        }
        Say::Bar { until, liftable }
    }

    /// The override that lets pass what the rule would bar at an instant.
    pub(in crate::policy) fn set_aside_by(&self, case: &Case, at: Timestamp) -> Option<&Override> {
        let in_force = |relief: &&Override| {
            let (begins, ends) = relief.term(case);
            begins <= at && at < ends && relief.applies.to(case)
        };
        let relief = self.overrides.iter().find(in_force)?;
        matches!(self.unaided(case, at), Say::Bar { .. }).then_some(relief)
    }

    /// The first clause that objects at an instant, else the first in force.
    pub(in crate::policy) fn telling_clause(&self, case: &Case, at: Timestamp) -> Option<&Clause> {
        let ask = Ask { case, applies: &self.applies };
        let objects = |clause: &&Clause| matches!(clause.say(&ask, at), Say::Bar { .. });
        let in_force = |clause: &&Clause| clause.in_force(case, at);
        self.clauses.iter().find(objects).or_else(|| self.clauses.iter().find(in_force))
    }

    /// The first instant from `at` to `limit` at which this rule alone permits.
    pub(in crate::policy) fn next_permit(
        &self,
        case: &Case,
        at: Timestamp,
        limit: Timestamp,
    ) -> Option<Timestamp> {
        let mut now = at;
        loop {
            match self.say(case, now) {
                Say::Permit { .. } => return Some(now),
                Say::Bar { until: Some(until), .. } if now < until && until <= limit => now = until,
                Say::Bar { .. } => return None,
            }
        }
    }
}

impl Rule {
    /// The first instant after `at` up to `limit` at which this rule alone objects, known that it permits `at`.
    pub(in crate::policy) fn next_bar(
        &self,
        case: &Case,
        at: Timestamp,
        limit: Timestamp,
    ) -> Option<Timestamp> {
        let mut now = at;
        while now <= limit {
            match self.say(case, now) {
                Say::Bar { .. } => return Some(now),
                Say::Permit { until } if now < until && until < FAR => now = until,
                Say::Permit { .. } => return None,
            }
        }
        None
    }
}

impl Override {
    /// When it holds: only while every candidate zone is within its dates.
    fn term(&self, case: &Case) -> (Timestamp, Timestamp) {
        let (from, after) = (day_of(self.from), day_of(self.to) + 1);
        let begins = case.zones.iter().map(|zone| zone.start_of_day(from)).max().unwrap_or(FAR);
        let ends = case.zones.iter().map(|zone| zone.start_of_day(after)).min().unwrap_or(begins);
        (begins, ends)
    }
}

impl Clause {
    /// When it begins and ceases to hold: on its dates, in whichever candidate zone comes first or is last.
    fn term(&self, case: &Case) -> (Timestamp, Timestamp) {
        let from = day_of(self.from);
        let begins = case.zones.iter().map(|zone| zone.start_of_day(from)).min().unwrap_or(FAR);
        let end = |to: Date| case.zones.iter().map(|zone| zone.start_of_day(day_of(to) + 1)).max();
        (begins, self.to.and_then(end).unwrap_or(FAR))
    }

    pub fn in_force(&self, case: &Case, at: Timestamp) -> bool {
        let (begins, ends) = self.term(case);
        begins <= at && at < ends
    }

    fn say(&self, ask: &Ask, at: Timestamp) -> Say {
        const TWO_DAYS: i64 = 2 * 86_400_000;
        // Days away from any boundary no zone can matter.
        let settled = self.to.is_none() && day_of(self.from) * 86_400_000 + TWO_DAYS <= at.millis();
        let (begins, ends) = if settled { (at, FAR) } else { self.term(ask.case) };
        if at < begins {
            return Say::Permit { until: begins };
        }
        if at >= ends {
            return Say::ALWAYS;
        }
        match self.kind.say(ask, at) {
            Say::Permit { until } => Say::Permit { until: until.min(ends) },
            Say::Bar { until, liftable } if ends < FAR => {
                Say::Bar { until: Some(until.unwrap_or(FAR).min(ends)), liftable }
            }
            bar @ Say::Bar { .. } => bar,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn say() -> impl Strategy<Value = Say> {
        let at = || (0i64..6).prop_map(Timestamp::from_millis);
        prop_oneof![
            at().prop_map(|until| Say::Permit { until }),
            Just(Say::ALWAYS),
            (prop::option::of(at()), any::<bool>())
                .prop_map(|(until, liftable)| Say::Bar { until, liftable }),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 4_096, ..ProptestConfig::default() })]

        #[test]
        fn joining_is_commutative_associative_and_idempotent(a in say(), b in say(), c in say()) {
            prop_assert_eq!(a.and(b), b.and(a));
            prop_assert_eq!(a.and(b).and(c), a.and(b.and(c)));
            prop_assert_eq!(a.and(a), a);
            prop_assert_eq!(a.and(Say::ALWAYS), a);
        }
    }
}
