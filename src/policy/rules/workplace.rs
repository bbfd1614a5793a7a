//! Citation: 12 CFR 1006.6(b)(3), 1006.22(f)(3): the place of work.
//!
//! A telephone or mailbox at work, and an email address that the employer provides, are used only with the debtor's
//! consent; an address from which the debtor wrote to us counts as consented to (12 CFR 1006.6(d)(4)(i)).

use crate::domain::channel::{Channel, Direction};
use crate::domain::consent::{Consent, ConsentForm, ConsentScope, covers_all};
use crate::domain::time::Timestamp;
use crate::policy::case::{Case, FAR};
use crate::policy::explain::Words;
use crate::policy::rule::{Ask, Say};
use crate::policy::rules::consent::ends;
use serde::Deserialize;

/// The place of work is left alone without consent.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::policy) struct Workplace {
    /// In one of these forms; in any, where empty. A consent whose form is not known has none of them.
    #[serde(default)]
    pub forms: Vec<ConsentForm>,
    /// Whether an email from the address counts as consent to use it.
    #[serde(default)]
    pub inbound_email_suffices: bool,
}

impl Workplace {
    pub fn fault(&self) -> Option<String> {
        None
    }

    pub fn say(&self, ask: &Ask, at: Timestamp) -> Say {
        let case = ask.case;
        if !at_work(case) {
            return Say::ALWAYS;
        }
        let fits = |given: &&Consent| {
            given.scope == ConsentScope::Workplace
                && given.channel == case.facts.channel
                && (self.forms.is_empty() || given.form.is_some_and(|form| self.forms.contains(&form)))
                && given.point.is_none_or(|point| case.point() == Some(point))
                && covers_all(&given.accounts, case.facts.accounts)
        };
        let given = || case.facts.consents.iter().filter(fits);
        let end = given().filter(|given| given.granted_at <= at).map(|given| ends(case, given)).max();
        if let Some(until) = end.filter(|end| at < *end) {
            return Say::Permit { until };
        }
        if self.inbound_email_suffices && wrote_from_there(case, at) {
            return Say::Permit { until: case.next_contact(at) };
        }
        let consent = given().map(|given| given.granted_at).filter(|granted| *granted > at).min();
        let next = consent.unwrap_or(FAR).min(case.next_contact(at));
        Say::Bar { until: (next < FAR).then_some(next), liftable: true }
    }

    pub fn explain(&self, ask: &Ask, at: Timestamp) -> Words {
        if !at_work(ask.case) {
            return Words::plain("the contact point is not at the place of work");
        }
        match self.say(ask, at) {
            Say::Permit { .. } => Words::plain("the debtor agreed to be reached at this point at work"),
            Say::Bar { .. } => Words::plain(
                "the contact point is at the place of work, and no consent of scope `workplace` is on file",
            )
            .with("scope", ConsentScope::Workplace.as_str()),
        }
    }
}

fn at_work(case: &Case) -> bool {
    case.facts.point.is_some_and(|point| point.workplace || point.employer_provided)
}

fn wrote_from_there(case: &Case, at: Timestamp) -> bool {
    case.facts.channel == Channel::Email
        && case.newest_first(at).any(|(contact, own)| {
            own && contact.direction == Direction::Inbound
                && contact.channel == Channel::Email
                && contact.point == case.point()
        })
}
