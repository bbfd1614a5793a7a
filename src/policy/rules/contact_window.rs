//! Citation: 12 CFR 1006.6(b)(1)(i), 15 USC 1692c(a)(1); state law as each rule cites it: hours at which contact is presumed
//! inconvenient.
//!
//! A window is half-open: at `opens` contact is permitted, at `closes` no longer (the statute calls convenient what is
//! *after* eight and *before* nine). It must be open in every zone where the debtor may be (comment 6(b)(1)(i)-2). Where a
//! calendar is named, its holidays are closed all day.

use crate::domain::consent::{ConsentForm, MinuteOfDay, Weekday};
use crate::domain::time::{Span, Timestamp};
use crate::domain::zone::{Local, Zone};
use crate::policy::calendar::{Calendar, Named};
use crate::policy::explain::{Words, clock, contacts};
use crate::policy::rule::{Ask, Say};
use crate::policy::rules::excuse::{Excuse, excused};
use crate::policy::rules::next_reading;
use serde::Deserialize;
use std::sync::Arc;

/// Hours of the day at which contact is permitted: one window, or several by day of the week.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::policy) struct ContactWindow {
    /// From this minute on it is permitted.
    #[serde(default)]
    pub opens: Option<MinuteOfDay>,
    /// From this minute on it is not.
    #[serde(default)]
    pub closes: Option<MinuteOfDay>,
    /// On which days of the week; on all, where empty.
    #[serde(default)]
    pub days: Vec<Weekday>,
    /// More windows, or all of them.
    #[serde(default)]
    pub hours: Vec<Hours>,
    /// Closed on the holidays of this calendar.
    #[serde(default)]
    pub closed_on: Option<Named>,
    /// Judged by the clock of this zone, wherever the debtor is; else by every candidate.
    #[serde(default)]
    pub zone: Option<String>,
    /// How soon after the debtor wrote or called one answer may go back over the same medium.
    #[serde(default)]
    pub answer_within: Option<Span>,
    /// Whether a consent to this time opens it (12 CFR 1006.6(b)(4)).
    #[serde(default)]
    pub consent_opens: bool,
    /// In one of these forms; in any, where empty. A consent whose form is not known has none of them.
    #[serde(default)]
    pub consent_forms: Vec<ConsentForm>,
    /// A consent given this soon after a contact that the window barred is void (12 CFR 1006.6(b)(4)(i)).
    #[serde(default)]
    pub taint_within: Option<Span>,
}

/// One window of the week.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::policy) struct Hours {
    /// On these days.
    pub days: Vec<Weekday>,
    /// From this minute on it is permitted.
    pub opens: MinuteOfDay,
    /// From this minute on it is not.
    pub closes: MinuteOfDay,
}

impl ContactWindow {
    pub fn fault(&self) -> Option<String> {
        if self.opens.is_some() != self.closes.is_some() {
            return Some("a window says both when it `opens` and when it `closes`".to_owned());
        }
        if self.windows().next().is_none() {
            return Some("a contact window says `opens` and `closes`, or lists its `hours`".to_owned());
        }
        if self.hours.iter().any(|hours| hours.days.is_empty()) {
            return Some("each of the `hours` names its `days`".to_owned());
        }
        if let Some((opens, closes, _)) = self.windows().find(|(opens, closes, _)| opens >= closes) {
            return Some(format!("the window must open before it closes, not {opens} to {closes}"));
        }
        let unknown = self.zone.as_deref().filter(|name| Zone::parse(name).is_none())?;
        Some(format!("`{unknown}` is not a time zone of the form Area/City"))
    }

    /// Finds the calendar; its name where there is none.
    pub fn bind(&mut self, calendars: &[Arc<Calendar>]) -> Option<String> {
        let named = self.closed_on.as_mut()?;
        (!named.find(calendars)).then(|| named.name.clone())
    }

    fn windows(&self) -> impl Iterator<Item = (MinuteOfDay, MinuteOfDay, &[Weekday])> {
        let plain = self.opens.zip(self.closes).map(|(opens, closes)| (opens, closes, self.days.as_slice()));
        let listed = self.hours.iter().map(|hours| (hours.opens, hours.closes, hours.days.as_slice()));
        plain.into_iter().chain(listed)
    }

    fn fixed(&self) -> Option<Zone> {
        self.zone.as_deref().and_then(Zone::parse)
    }

    fn is_holiday(&self, local: Local) -> bool {
        self.closed_on.as_ref().is_some_and(|calendar| calendar.has(local.day))
    }

    fn open(&self, zone: Zone, at: Timestamp) -> bool {
        let local = zone.local(at);
        let within = |(opens, closes, days): (MinuteOfDay, MinuteOfDay, &[Weekday])| {
            (opens.minutes()..closes.minutes()).contains(&local.minute())
                && (days.is_empty() || days.contains(&local.weekday()))
        };
        self.windows().any(within) && !self.is_holiday(local)
    }

    fn in_zone(&self, zone: Zone, at: Timestamp) -> Say {
        let change = match (self.opens, self.closes, self.hours.is_empty(), &self.closed_on) {
            (Some(opens), Some(closes), true, None) => {
                next_reading(zone, at, &[opens.minutes(), closes.minutes()])
            }
            _ => {
                let mut minutes = vec![0];
                minutes.extend(
                    self.windows().flat_map(|(opens, closes, _)| [opens.minutes(), closes.minutes()]),
                );
                next_reading(zone, at, &minutes)
            }
        };
        if self.open(zone, at) {
            Say::Permit { until: change }
        } else {
            Say::Bar { until: Some(change), liftable: false }
        }
    }

    pub fn say(&self, ask: &Ask, at: Timestamp) -> Say {
        let fixed = self.fixed();
        if fixed.is_none() && !ask.case.located {
            return Say::Bar { until: None, liftable: true };
        }
        let zones = fixed.as_ref().map_or(ask.case.zones.as_slice(), std::slice::from_ref);
        let hours = zones.iter().map(|zone| self.in_zone(*zone, at)).fold(Say::ALWAYS, Say::and);
        let barred = |then: Timestamp| !zones.iter().all(|zone| self.open(*zone, then));
        let excuse = Excuse {
            answer: self.answer_within,
            consent_opens: self.consent_opens,
            forms: &self.consent_forms,
            taint: self.taint_within,
            since: None,
        };
        excused(ask.case, at, hours, excuse, &barred)
    }

    pub fn explain(&self, ask: &Ask, at: Timestamp) -> Words {
        let case = ask.case;
        let fixed = self.fixed();
        if fixed.is_none() && !case.located {
            return Words::plain(
                "no time zone is known for the debtor, nor a country whose hours could be kept",
            );
        }
        let zones = fixed.as_ref().map_or(case.zones.as_slice(), std::slice::from_ref);
        let names: Vec<&str> = zones.iter().map(|zone| zone.name()).collect();
        let told = zones.iter().find(|zone| !self.open(**zone, at)).or(zones.first());
        let what = contacts(case.facts.channel);
        let reason = told.map_or_else(String::new, |zone| {
            let now = clock(*zone, at);
            let local = zone.local(at);
            if self.is_holiday(local) {
                return format!("it is {now}, and {} is a holiday there: no {what}", local.date());
            }
            let windows: Vec<String> = self.windows().map(window_in_words).collect();
            format!("it is {now}; {what} are permitted {} there", windows.join(" and "))
        });
        let source = if fixed.is_some() {
            "the rule"
        } else if case.facts.debtor.stated_zone.is_some() {
            "stated by the debtor"
        } else {
            "addresses and numbers on file"
        };
        Words::plain(reason).with("zones", names).with("zones_from", source)
    }
}

fn window_in_words((opens, closes, days): (MinuteOfDay, MinuteOfDay, &[Weekday])) -> String {
    let listed = days.iter().map(|day| day.as_str()).collect::<Vec<_>>().join(", ");
    let on = if days.is_empty() { String::new() } else { format!(" on {listed}") };
    format!("from {opens} to {closes}{on}")
}
