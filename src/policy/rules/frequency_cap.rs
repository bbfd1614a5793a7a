//! Citation: 12 CFR 1006.14(b)(2)(i)(A), (b)(3)–(4); 940 CMR 7.04(1)(f); 47 CFR 64.1200(a)(3)(iii): so many contacts in so
//! many days.
//!
//! A window of days is one of consecutive local calendar days, the day of the contact asked about being its last; a window
//! of hours is exact. The limit is what may be reached: the contact asked about must find fewer.

use crate::domain::channel::{Channel, Direction, Party, Purpose};
use crate::domain::contact::{Contact, ContactResult};
use crate::domain::id::PointKey;
use crate::domain::time::{Span, Timestamp};
use crate::policy::case::{Case, Unit};
use crate::policy::explain::{Words, contacts, local_date};
use crate::policy::rule::{Ask, Say};
use serde::Deserialize;

/// A limit over a window.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::policy) struct FrequencyCap {
    /// How many are permitted.
    pub limit: u32,
    /// The window in consecutive local calendar days.
    #[serde(default)]
    pub days: Option<u16>,
    /// The window in exact hours.
    #[serde(default)]
    pub hours: Option<u16>,
    /// What it is counted by.
    pub per: Per,
    /// What counts.
    pub counts: Counts,
    /// Whether calls with direct prior consent are outside the count (12 CFR 1006.14(b)(3)(i)).
    #[serde(default)]
    pub excess_consent: bool,
}

/// What contacts are counted by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(in crate::policy) enum Per {
    /// A particular debt (12 CFR 1006.14(b)(4)).
    Debt,
    /// An account.
    Account,
    /// A contact point.
    Point,
    /// The debtor.
    Debtor,
}

/// Which contacts count. An empty list does not narrow.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::policy) struct Counts {
    /// Over these media.
    #[serde(default)]
    pub channels: Vec<Channel>,
    /// Begun by these; by us, where empty.
    #[serde(default)]
    pub directions: Vec<Direction>,
    /// With these results only.
    #[serde(default)]
    pub results: Vec<ContactResult>,
    /// Not with these results. With `wrong_number` among them, every contact over a number that proved wrong afterwards is
    /// out as well.
    #[serde(default)]
    pub results_not: Vec<ContactResult>,
    /// Not for these purposes.
    #[serde(default)]
    pub purposes_not: Vec<Purpose>,
    /// With these parties; with the one asked about, where empty.
    #[serde(default)]
    pub parties: Vec<Party>,
    /// Made by a machine, or not.
    #[serde(default)]
    pub automated: Option<bool>,
    /// To the place of work, or not.
    #[serde(default)]
    pub workplace: Option<bool>,
}

impl Counts {
    fn admit(&self, case: &Case, contact: &Contact) -> bool {
        let out = !self.channels.is_empty() && !self.channels.contains(&contact.channel);
        let begun = if self.directions.is_empty() {
            contact.direction == Direction::Outbound
        } else {
            self.directions.contains(&contact.direction)
        };
        let met = if self.parties.is_empty() {
            contact.party == case.facts.party
        } else {
            self.parties.contains(&contact.party)
        };
        !out && begun
            && met
            && (self.results.is_empty() || self.results.contains(&contact.result))
            && !self.results_not.contains(&contact.result)
            && !self.purposes_not.contains(&contact.purpose)
            && self.automated.is_none_or(|automated| automated == contact.automated)
            && self.workplace.is_none_or(|workplace| workplace == to_work(case, contact))
    }
}

fn to_work(case: &Case, contact: &Contact) -> bool {
    let is_work = |point: PointKey| {
        case.facts.debtor.points.iter().any(|outline| outline.point == point && outline.workplace)
    };
    contact.point.is_some_and(is_work)
}

/// The counted contacts of a window, the newest first.
struct Tally<'a> {
    /// How many there are, up to `limit` and all beyond if asked.
    used: u32,
    /// The contact that must leave the window before another fits.
    holding: Option<&'a Contact>,
    /// The oldest of them.
    oldest: Option<&'a Contact>,
}

impl FrequencyCap {
    pub fn fault(&self) -> Option<String> {
        let windows = u8::from(self.days.is_some()) + u8::from(self.hours.is_some());
        if windows != 1 || self.days == Some(0) || self.hours == Some(0) {
            return Some("a cap has a window of `days` or of `hours`, one of them and not zero".to_owned());
        }
        (self.limit == 0).then(|| "a cap with the limit 0 forbids; say so with another kind".to_owned())
    }

    /// The units that the case is counted by, of those that the rule applies to.
    pub fn units(&self, ask: &Ask) -> Vec<Unit> {
        let case = ask.case;
        let of_right_sort = case.accounts.iter().filter(|account| ask.applies.to_account(account));
        let mut units: Vec<Unit> = match self.per {
            Per::Point => return case.point().map(Unit::Point).into_iter().collect(),
            Per::Debtor => return vec![Unit::Debtor],
            Per::Debt => of_right_sort.map(|account| Unit::Debt(account.debt)).collect(),
            Per::Account => of_right_sort.map(|account| Unit::Account(account.account)).collect(),
        };
        let known = |key: &&_| case.accounts.iter().any(|account| account.account == **key);
        units.extend(case.facts.accounts.iter().filter(|key| !known(key)).map(|key| Unit::Account(*key)));
        units.dedup();
        // A debtor without accounts: whatever was tried counts as about the one thing there is.
        if case.accounts.is_empty() && units.is_empty() {
            units.push(Unit::Debtor);
        }
        units
    }

    fn window_start(&self, case: &Case, at: Timestamp) -> Timestamp {
        match (self.days, self.hours) {
            (Some(days), _) => case.window_start(at, i64::from(days)),
            // A contact exactly so many hours old is outside.
            (None, Some(hours)) => at.minus(Span::hours(i64::from(hours))).plus(Span::millis(1)),
            (None, None) => at,
        }
    }

    /// When a contact leaves the window.
    pub fn leaves(&self, case: &Case, contact: &Contact) -> Timestamp {
        match (self.days, self.hours) {
            (Some(days), _) => case.window_end(contact.occurred_at, i64::from(days)),
            (None, Some(hours)) => contact.occurred_at.plus(Span::hours(i64::from(hours))),
            (None, None) => contact.occurred_at,
        }
    }

    fn tally<'a>(&self, case: &Case<'a>, unit: Unit, at: Timestamp) -> Tally<'a> {
        let start = self.window_start(case, at);
        let misdirected = self.counts.results_not.contains(&ContactResult::WrongNumber);
        let mut wrong: Vec<PointKey> = Vec::new();
        let mut tally = Tally { used: 0, holding: None, oldest: None };
        for (contact, own) in case.newest_first(at).take_while(|(contact, _)| contact.occurred_at >= start) {
            // From the newest on, a wrong number shows before the calls that went to it.
            if misdirected && contact.result == ContactResult::WrongNumber {
                wrong.extend(contact.point);
            }
            let counted = self.counts.admit(case, contact)
                && case.counts_for(contact, own, unit)
                && !contact.point.is_some_and(|point| wrong.contains(&point))
                && !(self.excess_consent
                    && own
                    && case.excess_consent(unit, contact.point, contact.occurred_at).is_some());
            if counted {
                tally.used += 1;
                tally.oldest = Some(contact);
                if tally.used == self.limit {
                    tally.holding = Some(contact);
                }
            }
        }
        tally
    }

    /// Uses of the window at an instant, and when the next one is freed.
    pub fn used(&self, case: &Case, unit: Unit, at: Timestamp) -> (u32, Option<Timestamp>) {
        let tally = self.tally(case, unit, at);
        let frees = tally.holding.or(tally.oldest).map(|contact| self.leaves(case, contact));
        (tally.used, frees)
    }

    pub fn say(&self, ask: &Ask, at: Timestamp) -> Say {
        let say = |unit: Unit| {
            if self.excess_consent
                && let Some(until) = ask.case.excess_consent(unit, ask.case.point(), at)
            {
                return Say::Permit { until };
            }
            match self.tally(ask.case, unit, at).holding {
                Some(contact) => Say::Bar { until: Some(self.freed(ask.case, contact, at)), liftable: false },
                None => Say::Permit { until: ask.case.next_contact(at) },
            }
        };
        self.units(ask).into_iter().map(say).fold(Say::ALWAYS, Say::and)
    }

    /// When the contact that fills the window leaves it, or a consent on file may take it out of the count before.
    fn freed(&self, case: &Case, contact: &Contact, at: Timestamp) -> Timestamp {
        let consents = case.facts.consents.iter().map(|consent| consent.granted_at);
        let next = consents.filter(|granted| self.excess_consent && *granted > at).min();
        // A number that proves wrong later takes its calls out of the count.
        self.leaves(case, contact)
            .min(next.unwrap_or(Timestamp::from_millis(i64::MAX)))
            .min(case.next_contact(at))
    }

    pub fn window(&self) -> Span {
        match (self.days, self.hours) {
            (Some(days), _) => Span::days(i64::from(days)),
            (None, hours) => Span::hours(i64::from(hours.unwrap_or(0))),
        }
    }

    pub fn explain(&self, ask: &Ask, at: Timestamp) -> Words {
        let tallies = self.units(ask).into_iter().map(|unit| self.tally(ask.case, unit, at));
        let fullest = tallies.max_by_key(|tally| tally.used);
        let (used, oldest) = fullest.map_or((0, None), |tally| (tally.used, tally.oldest));
        let window = match (self.days, self.hours) {
            (Some(days), _) => format!("{days} consecutive days"),
            (None, hours) => format!("{} hours", hours.unwrap_or(0)),
        };
        let per = match self.per {
            Per::Debt => "about this debt",
            Per::Account => "about this account",
            Per::Point => "to this contact point",
            Per::Debtor => "with this debtor",
        };
        let since = oldest.map_or_else(String::new, |contact| {
            format!(", the first on {}", local_date(ask.case, contact.occurred_at))
        });
        let limit = self.limit;
        let what = match self.counts.channels.as_slice() {
            [only] => contacts(*only),
            _ => "contacts",
        };
        Words::plain(format!("{used} {what} {per} within {window} are on file{since}; {limit} are permitted"))
            .with("used", used)
            .with("limit", limit)
            .with("window", self.window().to_string())
    }
}
