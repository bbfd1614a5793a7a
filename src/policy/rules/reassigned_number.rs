//! Citation: 47 CFR 64.1200(m), 12 CFR 1006.6(d)(5): a number that has gone to somebody else.

use crate::domain::consent::Consent;
use crate::domain::contact_point::ReassignmentResult;
use crate::domain::time::{Date, Timestamp};
use crate::domain::zone::day_of;
use crate::policy::case::{Case, FAR};
use crate::policy::explain::Words;
use crate::policy::rule::{Ask, Say};
use serde::Deserialize;

/// A number that a database says was reassigned is left alone, unless the debtor has given it to us since.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::policy) struct ReassignedNumber {}

impl ReassignedNumber {
    pub fn fault(&self) -> Option<String> {
        None
    }

    pub fn say(&self, ask: &Ask, at: Timestamp) -> Say {
        let Some(checked_on) = reassigned_on(ask.case) else { return Say::ALWAYS };
        let day = day_of(checked_on);
        // The strictest zone on both sides: barred from the first beginning of the day, lifted after its last end.
        let from = ask.case.zones.iter().map(|zone| zone.start_of_day(day)).min().unwrap_or(FAR);
        let over = ask.case.zones.iter().map(|zone| zone.start_of_day(day + 1)).max().unwrap_or(FAR);
        if at < from {
            return Say::Permit { until: from };
        }
        let renewed = |given: &&Consent| {
            given.granted_at >= over
                && given.channel == ask.case.facts.channel
                && given.point.is_some()
                && given.point == ask.case.point()
        };
        let lifted = ask.case.facts.consents.iter().filter(renewed).map(|given| given.granted_at).min();
        match lifted {
            Some(lifted) if lifted <= at => Say::ALWAYS,
            lifted => Say::Bar { until: lifted, liftable: false },
        }
    }

    pub fn explain(&self, ask: &Ask, at: Timestamp) -> Words {
        let case = ask.case;
        if let Some(on) = reassigned_on(case) {
            return Words::plain(format!("the number was found reassigned to somebody else on {on}"))
                .dated_on("checked_on", on, case, at);
        }
        let words = Words::plain("the number is not known to have been reassigned");
        let check = case.facts.point.and_then(|point| point.reassignment_check.as_ref());
        check.into_iter().fold(words, |words, check| {
            words.dated_on("checked_on", check.checked_on, case, at).with("result", check.result.as_str())
        })
    }
}

fn reassigned_on(case: &Case) -> Option<Date> {
    let check = case.facts.point?.reassignment_check.as_ref()?;
    (check.result == ReassignmentResult::Yes).then_some(check.checked_on)
}
