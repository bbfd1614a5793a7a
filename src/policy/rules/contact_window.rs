//! Citation: 12 CFR 1006.6(b)(1)(i), 15 USC 1692c(a)(1): hours at which contact is presumed inconvenient.
//!
//! The window is half-open: at `opens` contact is permitted, at `closes` no longer (the statute calls convenient what is
//! *after* eight and *before* nine). It must be open in every zone where the debtor may be (comment 6(b)(1)(i)-2).

use crate::domain::channel::Channel;
use crate::domain::consent::{Consent, ConsentScope, GivenTo, MinuteOfDay, Weekday};
use crate::domain::time::{Span, Timestamp};
use crate::domain::zone::Zone;
use crate::policy::case::{Case, FAR};
use crate::policy::explain::{Words, clock, contacts};
use crate::policy::rule::{Ask, Say};
use crate::policy::rules::next_reading;
use serde::Deserialize;

/// Hours of the day at which contact is permitted.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::policy) struct ContactWindow {
    /// From this minute on it is permitted.
    pub opens: MinuteOfDay,
    /// From this minute on it is not.
    pub closes: MinuteOfDay,
    /// On which days of the week; on all, where empty.
    #[serde(default)]
    pub days: Vec<Weekday>,
    /// Judged by the clock of this zone, wherever the debtor is; else by every candidate.
    #[serde(default)]
    pub zone: Option<String>,
    /// How soon after the debtor wrote or called one answer may go back over the same medium.
    #[serde(default)]
    pub answer_within: Option<Span>,
    /// Whether a consent to this time opens it (12 CFR 1006.6(b)(4)).
    #[serde(default)]
    pub consent_opens: bool,
}

impl ContactWindow {
    pub fn fault(&self) -> Option<String> {
        if self.opens >= self.closes {
            return Some(format!(
                "the window must open before it closes, not {} to {}",
                self.opens, self.closes
            ));
        }
        let unknown = self.zone.as_deref().filter(|name| Zone::parse(name).is_none())?;
        Some(format!("`{unknown}` is not a time zone of the form Area/City"))
    }

    fn fixed(&self) -> Option<Zone> {
        self.zone.as_deref().and_then(Zone::parse)
    }

    fn open(&self, zone: Zone, at: Timestamp) -> bool {
        let local = zone.local(at);
        (self.opens.minutes()..self.closes.minutes()).contains(&local.minute())
            && (self.days.is_empty() || self.days.contains(&local.weekday()))
    }

    fn in_zone(&self, zone: Zone, at: Timestamp) -> Say {
        let change = next_reading(zone, at, &[self.opens.minutes(), self.closes.minutes()]);
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
        excused(ask.case, at, hours, self.answer_within, self.consent_opens)
    }

    pub fn explain(&self, ask: &Ask, at: Timestamp) -> Words {
        let fixed = self.fixed();
        if fixed.is_none() && !ask.case.located {
            return Words::plain(
                "no time zone is known for the debtor, nor a country whose hours could be kept",
            );
        }
        let zones = fixed.as_ref().map_or(ask.case.zones.as_slice(), std::slice::from_ref);
        let names: Vec<&str> = zones.iter().map(|zone| zone.name()).collect();
        let told = zones.iter().find(|zone| !self.open(**zone, at)).or(zones.first());
        let what = contacts(ask.case.facts.channel);
        let reason = told.map_or_else(String::new, |zone| {
            let days =
                if self.days.is_empty() { String::new() } else { format!(" on {}", listed(&self.days)) };
            let (opens, closes) = (self.opens, self.closes);
            format!("it is {}; {what} are permitted from {opens} to {closes}{days} there", clock(*zone, at))
        });
        Words::plain(reason).with("zones", names)
    }
}

fn listed(days: &[Weekday]) -> String {
    days.iter().map(|day| day.as_str()).collect::<Vec<_>>().join(", ")
}

/// What hours say, unless the debtor consented to this time or is being answered.
pub(super) fn excused(
    case: &Case,
    at: Timestamp,
    hours: Say,
    answer: Option<Span>,
    consent_opens: bool,
) -> Say {
    if matches!(hours, Say::Permit { .. }) {
        return hours;
    }
    if let Some(until) = answer.and_then(|within| case.answers_debtor(at, within)) {
        return Say::Permit { until };
    }
    if !consent_opens {
        return hours;
    }
    let consents = case.facts.consents.iter().filter(|consent| to_this_time(case, consent));
    let mut next = FAR;
    for consent in consents {
        if consent.in_force(at) && !stopped_since(case, consent, at) {
            let end = consent.expires_at.unwrap_or(FAR).min(next_stop(case, at));
            return Say::Permit { until: end };
        }
        if consent.granted_at > at {
            next = next.min(consent.granted_at);
        }
    }
    match hours {
        Say::Bar { until, liftable } if next < FAR => {
            Say::Bar { until: Some(until.unwrap_or(FAR).min(next)), liftable }
        }
        other => other,
    }
}

/// Direct prior consent to be reached at an otherwise inconvenient time (12 CFR 1006.6(b)(4)).
fn to_this_time(case: &Case, consent: &Consent) -> bool {
    consent.scope == ConsentScope::Time
        && consent.given_to == GivenTo::Collector
        && consent.channel == case.facts.channel
        && consent.point.is_none_or(|point| case.point() == Some(point))
        && crate::domain::consent::covers_all(&consent.accounts, case.facts.accounts)
}

fn stopped_since(case: &Case, consent: &Consent, at: Timestamp) -> bool {
    let channel: Channel = case.facts.channel;
    case.facts.opt_outs.iter().any(|stop| {
        stop.channel.covers(channel)
            && stop.point.is_none_or(|point| case.point() == Some(point))
            && (consent.granted_at..=at).contains(&stop.received_at)
    })
}

fn next_stop(case: &Case, at: Timestamp) -> Timestamp {
    let later = case.facts.opt_outs.iter().map(|stop| stop.received_at).filter(|received| *received > at);
    later.min().unwrap_or(FAR)
}
