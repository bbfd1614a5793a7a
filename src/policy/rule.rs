//! A rule: an instance of a kind of law, with its citation, its scope and its dated parameters.

use crate::domain::time::{Date, Timestamp};
use crate::domain::zone::day_of;
use crate::policy::applies::Applies;
use crate::policy::case::{Case, FAR};
use crate::policy::rules::Kind;

/// One rule of a pack.
#[derive(Clone, Debug)]
pub struct Rule {
    /// Its id, `us.fed.regf.inconvenient-time`.
    pub id: String,
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
    pub(in crate::policy) applies: Applies,
    pub(in crate::policy) clauses: Vec<Clause>,
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
    /// What the rule says of an instant: all its clauses in force then together.
    pub(in crate::policy) fn say(&self, case: &Case, at: Timestamp) -> Say {
        let ask = Ask { case, applies: &self.applies };
        self.clauses.iter().map(|clause| clause.say(&ask, at)).fold(Say::ALWAYS, Say::and)
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
