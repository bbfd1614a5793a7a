//! Citation: 12 CFR 1006.18(b)(2)(i), 15 USC 1692e(2)(A), 12 CFR 1006.26(b): nothing is collected where nothing is owed, and a
//! debt that is too old to sue on is looked at.

use crate::domain::debtor::{AccountOutline, AccountStatus as Status};
use crate::domain::time::Timestamp;
use crate::policy::explain::Words;
use crate::policy::rule::{Ask, Say};
use serde::Deserialize;

/// Contact about an account only while there is something to collect.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::policy) struct AccountStatus {
    /// With one of these statuses there is; with any, where empty.
    #[serde(default)]
    pub collectable: Vec<Status>,
    /// Whether it objects to an account whose limitation period has run.
    #[serde(default)]
    pub time_barred: bool,
    /// And to one of which nobody knows whether it has.
    #[serde(default)]
    pub age_unknown: bool,
}

impl AccountStatus {
    pub fn fault(&self) -> Option<String> {
        if self.age_unknown && !self.time_barred {
            return Some("`age_unknown` goes with `time_barred = true`".to_owned());
        }
        (self.collectable.is_empty() && !self.time_barred)
            .then(|| "`collectable` names at least one status, or `time_barred` is true".to_owned())
    }

    fn done(&self, account: &AccountOutline) -> bool {
        (!self.collectable.is_empty() && !self.collectable.contains(&account.status)) || self.too_old(account)
    }

    /// Too old to sue on, or perhaps so where that is enough.
    fn too_old(&self, account: &AccountOutline) -> bool {
        self.time_barred && account.time_barred.unwrap_or(self.age_unknown)
    }

    /// A named account must be open; where none was named, one open account is enough, but one too old is too many.
    pub fn say(&self, ask: &Ask, _at: Timestamp) -> Say {
        let (case, facts) = (ask.case, ask.case.facts);
        let unknown = case.names_unknown_account() && !self.collectable.is_empty();
        let done = if facts.accounts.is_empty() && !self.time_barred {
            !case.accounts.is_empty() && case.accounts.iter().all(|account| self.done(account))
        } else {
            case.accounts.iter().any(|account| self.done(account))
        };
        if unknown || done { Say::Bar { until: None, liftable: unknown && !done } } else { Say::ALWAYS }
    }

    pub fn explain(&self, ask: &Ask, _at: Timestamp) -> Words {
        match ask.case.accounts.iter().find(|account| self.done(account)) {
            Some(account) if self.too_old(account) => Words::plain(match account.time_barred {
                Some(_) => "the limitation period of the debt has run: no suit may be brought or threatened",
                None => "nobody has said whether the limitation period of the debt has run: no suit may be threatened",
            })
            .with("status", account.status.as_str()),
            Some(account) => {
                Words::plain(format!("the account is {}: there is nothing to collect", account.status))
                    .with("status", account.status.as_str())
            }
            None if ask.case.names_unknown_account() => {
                Words::plain("the account is not on the debtor's file")
            }
            None => {
                let statuses: Vec<&str> =
                    ask.case.accounts.iter().map(|account| account.status.as_str()).collect();
                Words::plain("there is something to collect").with("statuses", statuses)
            }
        }
    }
}
