//! Citation: 12 CFR 1006.14(b)(2)(i)(B): no call within seven consecutive days after a conversation about the debt.
//!
//! The day of the conversation is the first of the days, whoever called (comment 14(b)(2)(i)-1.ii). A conversation about
//! several debts starts the days of each.

use crate::domain::channel::Party;
use crate::domain::contact::Contact;
use crate::domain::time::Timestamp;
use crate::policy::case::{Case, FAR, Unit, is_talk};
use crate::policy::explain::{Words, local_date, source};
use crate::policy::rule::{Ask, Say};
use crate::policy::rules::frequency_cap::Per;
use serde::Deserialize;

/// Silence after a conversation.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::policy) struct CoolDown {
    /// How many consecutive local calendar days, that of the conversation being the first.
    pub days: u16,
    /// What it is counted by.
    pub per: Per,
    /// Whether calls with direct prior consent are outside it (12 CFR 1006.14(b)(3)(i)).
    #[serde(default)]
    pub excess_consent: bool,
}

impl CoolDown {
    pub fn fault(&self) -> Option<String> {
        (self.days == 0).then(|| "a cool-down lasts at least one day".to_owned())
    }

    fn units(&self, ask: &Ask) -> Vec<Unit> {
        self.per.units(ask)
    }

    fn newest_talk<'a>(&self, case: &Case<'a>, unit: Unit, at: Timestamp) -> Option<&'a Contact> {
        let start = case.window_start(at, i64::from(self.days));
        let party: Party = case.facts.party;
        case.newest_first(at)
            .take_while(|(contact, _)| contact.occurred_at >= start)
            .find(|(contact, own)| {
                is_talk(contact) && contact.party == party && case.counts_for(contact, *own, unit)
            })
            .map(|(contact, _)| contact)
    }

    pub fn say(&self, ask: &Ask, at: Timestamp) -> Say {
        let case = ask.case;
        let say = |unit: Unit| {
            if self.excess_consent
                && let Some(until) = case.excess_consent(unit, case.point(), at)
            {
                return Say::Permit { until };
            }
            match self.newest_talk(case, unit, at) {
                Some(talk) => {
                    let consents = case.facts.consents.iter().map(|consent| consent.granted_at);
                    let next = consents.filter(|granted| self.excess_consent && *granted > at).min();
                    let over = case.window_end(talk.occurred_at, i64::from(self.days));
                    Say::Bar { until: Some(over.min(next.unwrap_or(FAR))), liftable: false }
                }
                None => Say::Permit { until: case.next_contact(at) },
            }
        };
        self.units(ask).into_iter().map(say).fold(Say::ALWAYS, Say::and)
    }

    pub fn explain(&self, ask: &Ask, at: Timestamp) -> Words {
        let days = self.days;
        let talks = self.units(ask).into_iter().filter_map(|unit| self.newest_talk(ask.case, unit, at));
        match talks.max_by_key(|talk| talk.occurred_at) {
            Some(talk) => {
                let on = local_date(ask.case, talk.occurred_at);
                let over = local_date(ask.case, ask.case.window_end(talk.occurred_at, i64::from(days)));
                Words::plain(format!(
                    "a conversation about the debt took place on {on}; no call follows for {days} consecutive days, until {over}"
                ))
                .dated("conversation_at", talk.occurred_at, at)
                .with("conversation_from", source(talk))
                .with("conversation_on", on)
                .with("days", days)
            }
            None => {
                Words::plain(format!("no conversation about the debt took place in the last {days} days"))
            }
        }
    }
}
