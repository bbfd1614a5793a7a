//! Citation: 12 CFR 1006.6(b)(2), 1006.6(c), 1006.38; 11 USC 362(a)(6), 524(a)(2): what bars contact until it is lifted.

use crate::domain::consent::{Hold as Placed, HoldKind, covers_any};
use crate::domain::time::Timestamp;
use crate::policy::case::{Case, FAR};
use crate::policy::explain::{Words, local_date};
use crate::policy::rule::{Ask, Say};
use serde::Deserialize;

/// Contact barred while a hold is in force.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::policy) struct Hold {
    /// By one of these.
    pub holds: Vec<HoldKind>,
    /// Whether a request waits for it to be lifted rather than ends.
    #[serde(default)]
    pub liftable: bool,
    /// How many local calendar days it lasts at most, the day it was placed not counted; until lifted, where absent.
    #[serde(default)]
    pub days: Option<u16>,
}

impl Hold {
    pub fn fault(&self) -> Option<String> {
        if self.holds.is_empty() {
            return Some("`holds` names at least one hold".to_owned());
        }
        self.holds.contains(&HoldKind::Retain).then(|| "`retain` bars erasure, not contact".to_owned())
    }

    fn concerns(&self, case: &Case, hold: &Placed) -> bool {
        self.holds.contains(&hold.kind) && covers_any(&hold.accounts, case.facts.accounts)
    }

    /// When a hold ends: when it was lifted, or by itself.
    fn ends(&self, case: &Case, hold: &Placed) -> Timestamp {
        let by_itself =
            self.days.map_or(FAR, |days| case.window_end(hold.since, i64::from(days).saturating_add(1)));
        hold.lifted_at.unwrap_or(FAR).min(by_itself)
    }

    pub fn say(&self, ask: &Ask, at: Timestamp) -> Say {
        let mut say = Say::ALWAYS;
        for hold in ask.case.facts.holds.iter().filter(|hold| self.concerns(ask.case, hold)) {
            let lifted = self.ends(ask.case, hold);
            say = say.and(if at < hold.since {
                Say::Permit { until: hold.since }
            } else if at < lifted {
                Say::Bar { until: (lifted < FAR).then_some(lifted), liftable: self.liftable }
            } else {
                Say::ALWAYS
            });
        }
        say
    }

    pub fn explain(&self, ask: &Ask, at: Timestamp) -> Words {
        let in_force = |hold: &&Placed| {
            self.concerns(ask.case, hold) && hold.since <= at && at < self.ends(ask.case, hold)
        };
        match ask.case.facts.holds.iter().filter(in_force).min_by_key(|hold| (hold.since, hold.kind)) {
            Some(hold) => {
                let since = local_date(ask.case, hold.since);
                Words::plain(format!("a hold of kind `{}` is in force since {since}", hold.kind))
                    .with("hold", hold.kind.as_str())
                    .dated("since", hold.since, at)
            }
            None => {
                let kinds: Vec<&str> = self.holds.iter().map(|kind| kind.as_str()).collect();
                Words::plain(format!("no hold of kind {} is in force", kinds.join(", ")))
            }
        }
    }
}
