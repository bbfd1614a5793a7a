//! Citation: 12 CFR 1006.6(b)(1)(i)–(ii): times and places that the debtor called inconvenient.
//!
//! A time that runs over midnight belongs to the day it began on; one that ends when it begins lasts a whole day. It is
//! kept in every zone where the debtor may be. A place bars what is tied to it: the home its landline and street mail,
//! the work its telephone and mailbox; a mobile number and an email address are tied to none (comment 6(b)(1)(ii)-1).

use crate::domain::channel::Channel;
use crate::domain::consent::{InconvenientTime as Stated, Place, Weekday};
use crate::domain::contact_point::LineType;
use crate::domain::time::{Span, Timestamp};
use crate::domain::zone::{Local, Zone, weekday};
use crate::policy::case::Case;
use crate::policy::explain::{Words, clock};
use crate::policy::rule::{Ask, Say};
use crate::policy::rules::excuse::{Excuse, excused};
use crate::policy::rules::next_reading;
use serde::Deserialize;

/// Times that the debtor stated.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::policy) struct InconvenientTime {
    /// How soon after the debtor wrote or called one answer may go back over the same medium.
    #[serde(default)]
    pub answer_within: Option<Span>,
    /// Whether a consent to this time lifts it (12 CFR 1006.6(b)(4)).
    #[serde(default)]
    pub consent_opens: bool,
    /// A consent given this soon after a contact at such a time is void (12 CFR 1006.6(b)(4)(i)).
    #[serde(default)]
    pub taint_within: Option<Span>,
}

impl InconvenientTime {
    pub fn fault(&self) -> Option<String> {
        None
    }

    /// Each time stated is excused by itself: what opens an old one need not open a later one.
    pub fn say(&self, ask: &Ask, at: Timestamp) -> Say {
        let stated = ask.case.facts.preferences.inconvenient.iter();
        let stated = stated.filter(|stated| concerns(ask.case, stated));
        stated.map(|stated| self.one(ask.case, stated, at)).fold(Say::ALWAYS, Say::and)
    }

    fn one(&self, case: &Case, stated: &Stated, at: Timestamp) -> Say {
        let barred = |then: Timestamp| {
            let all = case.facts.preferences.inconvenient.iter();
            let mut concerned = all.filter(|other| concerns(case, other));
            concerned.any(|other| matches!(hours(case, other, then), Say::Bar { .. }))
        };
        let excuse = Excuse {
            answer: self.answer_within,
            consent_opens: self.consent_opens,
            forms: &[],
            taint: self.taint_within,
            since: stated.since,
        };
        excused(case, at, hours(case, stated, at), excuse, &barred)
    }

    pub fn explain(&self, ask: &Ask, at: Timestamp) -> Words {
        let stated = ask.case.facts.preferences.inconvenient.iter();
        let in_force =
            |stated: &&Stated| concerns(ask.case, stated) && stated.since.is_none_or(|since| since <= at);
        let barring = stated.filter(in_force).filter_map(|stated| {
            let zone = ask.case.zones.iter().find(|zone| barred(stated, zone.local(at)))?;
            Some((stated, *zone))
        });
        // One that nothing opens first; the same one whatever the order they were stated in.
        let barring = barring.min_by_key(|(stated, _)| {
            let opened = matches!(self.one(ask.case, stated, at), Say::Permit { .. });
            (opened, stated.from, stated.to, &stated.days)
        });
        match barring {
            Some((stated, zone)) => {
                let days: Vec<&str> = stated.days.iter().map(|day| day.as_str()).collect();
                let (from, to) = (stated.from, stated.to);
                let words = Words::plain(format!(
                    "it is {}; the debtor asked not to be reached from {from} to {to} on {}",
                    clock(zone, at),
                    days.join(", ")
                ));
                let since = stated.since.into_iter();
                let words = since.fold(words, |words, since| words.dated("since", since, at));
                words
                    .with("from", from.to_string())
                    .with("to", to.to_string())
                    .with("days", days)
                    .with("zones", vec![zone.name()])
            }
            None => Words::plain("the debtor named no inconvenient time that holds now"),
        }
    }
}

fn concerns(case: &Case, stated: &Stated) -> bool {
    (stated.channels.is_empty() || stated.channels.contains(&case.facts.channel))
        && (stated.places.is_empty() || stated.places.iter().any(|place| tied_to(case, *place)))
}

/// Whether the contact goes to a place; what is not known to be elsewhere is taken to be there.
fn tied_to(case: &Case, place: Place) -> bool {
    let point = case.facts.point;
    let at_work = point.is_some_and(|point| point.workplace || point.employer_provided);
    match (case.facts.channel, place) {
        (Channel::Portal, _) => false,
        (Channel::Letter, Place::Home) | (Channel::Visit, _) => true,
        (Channel::Letter, Place::Work) => false,
        (Channel::Email | Channel::Sms | Channel::Voice, Place::Work) => at_work,
        (Channel::Email, Place::Home) => false,
        (Channel::Sms | Channel::Voice, Place::Home) => {
            !at_work && point.is_none_or(|point| point.line_type != LineType::Mobile)
        }
    }
}

fn hours(case: &Case, stated: &Stated, at: Timestamp) -> Say {
    if let Some(since) = stated.since.filter(|since| at < *since) {
        return Say::Permit { until: since };
    }
    let minutes = [0, stated.from.minutes(), stated.to.minutes()];
    let in_zone = |zone: &Zone| {
        let change = next_reading(*zone, at, &minutes);
        if barred(stated, zone.local(at)) {
            Say::Bar { until: always(stated).is_none().then_some(change), liftable: false }
        } else {
            Say::Permit { until: change }
        }
    };
    case.zones.iter().map(in_zone).fold(Say::ALWAYS, Say::and)
}

/// Whether a stated time never ends: every day, all day.
fn always(stated: &Stated) -> Option<()> {
    let whole_day = stated.from == stated.to || (stated.from.minutes() == 0 && stated.to.minutes() == 1_440);
    (whole_day && Weekday::ALL.iter().all(|day| stated.days.contains(day))).then_some(())
}

fn barred(stated: &Stated, local: Local) -> bool {
    let (from, to, minute) = (stated.from.minutes(), stated.to.minutes(), local.minute());
    let began_on = |day: Weekday| stated.days.contains(&day);
    if from < to {
        return (from..to).contains(&minute) && began_on(local.weekday());
    }
    (minute >= from && began_on(local.weekday())) || (minute < to && began_on(weekday(local.day - 1)))
}
