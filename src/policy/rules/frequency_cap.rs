//! Citation: 12 CFR 1006.14(b)(2)(i)(A), (b)(3)–(4); 940 CMR 7.04(1)(f); 47 CFR 64.1200(a)(3)(iii): so many contacts in so
//! many days.
//!
//! A window of days is one of consecutive local calendar days, the day of the contact asked about being its last; one of
//! hours or minutes is exact; one of a week or a month is that of the calendar. The limit is what may be reached: the contact
//! asked about must find fewer.

use crate::domain::channel::{Channel, Direction, Party, Purpose};
use crate::domain::consent::{ConsentScope, Weekday};
use crate::domain::contact::{Contact, ContactResult};
use crate::domain::id::PointKey;
use crate::domain::time::{Span, Timestamp};
use crate::domain::zone::{Local, Zone, day_of, weekday};
use crate::policy::case::{Case, FAR, Unit};
use crate::policy::explain::{Words, contacts, local_date, source};
use crate::policy::rule::{Ask, Say};
use serde::Deserialize;
use std::ops::Range;

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
    /// The window in exact minutes.
    #[serde(default)]
    pub minutes: Option<u16>,
    /// The window is the local calendar week or month.
    #[serde(default)]
    pub each: Option<Each>,
    /// The day on which a calendar week begins; Monday, where absent.
    #[serde(default)]
    pub week_starts: Option<Weekday>,
    /// What it is counted by.
    pub per: Per,
    /// What counts.
    pub counts: Counts,
    /// Whether calls with direct prior consent are outside the count (12 CFR 1006.14(b)(3)(i)).
    #[serde(default)]
    pub excess_consent: bool,
    /// A consent of this scope for the contact's medium lifts the limit (47 CFR 64.1200(a)(3)(iii)).
    #[serde(default)]
    pub lifted_by: Option<ConsentScope>,
}

/// A stretch of the calendar.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(in crate::policy) enum Each {
    /// Seven days from the day on which a week begins.
    Week,
    /// From the first to the last of a month.
    Month,
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
    /// Of these the newest of the window does not count (D.C. Code 28-3814(d)(4)(A)(i)).
    #[serde(default)]
    pub but_one: Option<Spared>,
}

/// Contacts of which one is outside a count.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::policy) struct Spared {
    /// For one of these purposes.
    pub purposes: Vec<Purpose>,
    /// With one of these results.
    pub results: Vec<ContactResult>,
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
        let exact = [self.days, self.hours, self.minutes];
        let windows = exact.iter().flatten().count() + usize::from(self.each.is_some());
        if windows != 1 || exact.contains(&Some(0)) {
            let message =
                "a cap has one window, of `days`, `hours`, `minutes` or `each` week or month, and not zero";
            return Some(message.to_owned());
        }
        if self.week_starts.is_some() && self.each != Some(Each::Week) {
            return Some("`week_starts` is for `each = \"week\"`".to_owned());
        }
        (self.limit == 0).then(|| "a cap with the limit 0 forbids; say so with another kind".to_owned())
    }

    /// The units that the case is counted by, of those that the rule applies to.
    pub fn units(&self, ask: &Ask) -> Vec<Unit> {
        self.per.units(ask)
    }

    /// The window in exact time, if it is one.
    fn exact(&self) -> Option<Span> {
        let hours = self.hours.map(|hours| Span::hours(i64::from(hours)));
        hours.or(self.minutes.map(|minutes| Span::minutes(i64::from(minutes))))
    }

    fn window_start(&self, case: &Case, at: Timestamp) -> Timestamp {
        if let Some(each) = self.each {
            let start = |zone: &Zone| zone.start_of_day(self.turn(each, zone.local(at)).start);
            return case.zones.iter().map(start).min().unwrap_or(at);
        }
        match (self.days, self.exact()) {
            (Some(days), _) => case.window_start(at, i64::from(days)),
            // A contact exactly so old is outside.
            (None, Some(span)) => at.minus(span).plus(Span::millis(1)),
            (None, None) => at,
        }
    }

    /// When a contact leaves the window.
    pub fn leaves(&self, case: &Case, contact: &Contact) -> Timestamp {
        let then = contact.occurred_at;
        if let Some(each) = self.each {
            let next = |zone: &Zone| zone.start_of_day(self.turn(each, zone.local(then)).end);
            return case.zones.iter().map(next).max().unwrap_or(FAR);
        }
        match (self.days, self.exact()) {
            (Some(days), _) => case.window_end(then, i64::from(days)),
            (None, Some(span)) => then.plus(span),
            (None, None) => then,
        }
    }

    /// The week or month of a local day: its first day, and that of the next.
    fn turn(&self, each: Each, local: Local) -> Range<i64> {
        match each {
            Each::Week => {
                let starts = self.week_starts.unwrap_or(Weekday::Mon);
                let first = (0..7).map(|back| local.day - back).find(|day| weekday(*day) == starts);
                let first = first.unwrap_or(local.day);
                first..first + 7
            }
            Each::Month => {
                let date = local.date();
                day_of(date.first_of_month())..day_of(date.last_of_month()) + 1
            }
        }
    }

    fn tally<'a>(&self, case: &Case<'a>, unit: Unit, at: Timestamp) -> Tally<'a> {
        let start = self.window_start(case, at);
        let misdirected = self.counts.results_not.contains(&ContactResult::WrongNumber);
        let mut wrong: Vec<(PointKey, bool)> = Vec::new();
        let mut tally = Tally { used: 0, holding: None, oldest: None };
        let mut spare = self.counts.but_one.as_ref();
        for (contact, own) in case.newest_first(at).take_while(|(contact, _)| contact.occurred_at >= start) {
            // From the newest on, a wrong number shows before the calls that went to it. On another's file it says only that
            // the number is not that other's.
            if misdirected && contact.result == ContactResult::WrongNumber {
                wrong.extend(contact.point.map(|point| (point, own)));
            }
            let counted = self.counts.admit(case, contact)
                && case.counts_for(contact, own, unit)
                && !contact.point.is_some_and(|point| wrong.contains(&(point, own)))
                && !(self.excess_consent
                    && own
                    && case.excess_consent(unit, contact.point, contact.occurred_at).is_some());
            let spared =
                |of: &Spared| of.purposes.contains(&contact.purpose) && of.results.contains(&contact.result);
            if counted && spare.take_if(|of| spared(of)).is_none() {
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
        let lifted = self.lifted_by.and_then(|scope| ask.case.consented(scope, at));
        if let Some(until) = lifted {
            return Say::Permit { until };
        }
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
        let next = consents
            .filter(|granted| (self.excess_consent || self.lifted_by.is_some()) && *granted > at)
            .min();
        // A number that proves wrong later takes its calls out of the count.
        self.leaves(case, contact)
            .min(next.unwrap_or(Timestamp::from_millis(i64::MAX)))
            .min(case.next_contact(at))
    }

    /// How long the window is; of a month, the one in which the instant lies.
    pub fn window(&self, case: &Case, at: Timestamp) -> Span {
        if let (Some(each), Some(zone)) = (self.each, case.zones.first()) {
            let turn = self.turn(each, zone.local(at));
            return Span::days(turn.end - turn.start);
        }
        self.exact().unwrap_or(Span::days(i64::from(self.days.unwrap_or(0))))
    }

    fn window_in_words(&self) -> String {
        match (self.each, self.days, self.hours, self.minutes) {
            (Some(Each::Week), ..) => "this calendar week".to_owned(),
            (Some(Each::Month), ..) => "this calendar month".to_owned(),
            (None, Some(1), ..) => "this day".to_owned(),
            (None, Some(days), ..) => format!("{days} consecutive days"),
            (None, None, Some(hours), _) => format!("{hours} hours"),
            (None, None, None, minutes) => format!("{} minutes", minutes.unwrap_or(0)),
        }
    }

    pub fn explain(&self, ask: &Ask, at: Timestamp) -> Words {
        let tallies = self.units(ask).into_iter().map(|unit| self.tally(ask.case, unit, at));
        let fullest = tallies.max_by_key(|tally| tally.used);
        let (used, oldest) = fullest.map_or((0, None), |tally| (tally.used, tally.oldest));
        let window = self.window_in_words();
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
        let words = Words::plain(format!(
            "{used} {what} {per} within {window} are on file{since}; {limit} are permitted"
        ));
        let words = oldest.into_iter().fold(words, |words, contact| {
            words.dated("oldest_at", contact.occurred_at, at).with("oldest_from", source(contact))
        });
        words.with("used", used).with("limit", limit).with("window", self.window(ask.case, at).to_string())
    }
}

impl Per {
    /// The units that a case is counted by, of those that a rule applies to.
    pub fn units(self, ask: &Ask) -> Vec<Unit> {
        let case = ask.case;
        let of_right_sort = case.accounts.iter().filter(|account| ask.applies.to_account(account));
        let mut units: Vec<Unit> = match self {
            Self::Point => return case.point().map(Unit::Point).into_iter().collect(),
            Self::Debtor => return vec![Unit::Debtor],
            Self::Debt => of_right_sort.map(|account| Unit::Debt(account.debt)).collect(),
            Self::Account => of_right_sort.map(|account| Unit::Account(account.account)).collect(),
        };
        let known = |key: &&_| case.accounts.iter().any(|account| account.account == **key);
        units.extend(case.facts.accounts.iter().filter(|key| !known(key)).map(|key| Unit::Account(*key)));
        let mut each: Vec<Unit> = Vec::with_capacity(units.len());
        for unit in units {
            if !each.contains(&unit) {
                each.push(unit);
            }
        }
        let mut units = each;
        // A debtor without accounts: whatever was tried counts as about the one thing there is.
        if case.accounts.is_empty() && units.is_empty() {
            units.push(Unit::Debtor);
        }
        units
    }
}
