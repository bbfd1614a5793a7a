//! Citation: 12 CFR 1006.6(b)(3), 1006.22(f)(3): the place of work.
//!
//! A telephone or mailbox at work, and an email address that the employer provides, are used only with the debtor's
//! consent; an address from which the debtor wrote to us counts as consented to (12 CFR 1006.6(d)(4)(i)).

use crate::domain::channel::{Channel, Direction};
use crate::domain::consent::{Consent, ConsentForm, ConsentScope, covers_all};
use crate::domain::contact::Contact;
use crate::domain::time::Timestamp;
use crate::policy::case::{Case, FAR};
use crate::policy::explain::{Words, source};
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

    /// The consents to be reached at work over this point, whenever given.
    fn given<'a>(&'a self, case: &'a Case) -> impl Iterator<Item = &'a Consent> {
        case.facts.consents.iter().filter(|given| {
            given.scope == ConsentScope::Workplace
                && given.channel == case.facts.channel
                && (self.forms.is_empty() || given.form.is_some_and(|form| self.forms.contains(&form)))
                && given.point.is_none_or(|point| case.point() == Some(point))
                && covers_all(&given.accounts, case.facts.accounts)
        })
    }

    /// The consent that lasts longest of those in force, and until when it does.
    fn in_force<'a>(&'a self, case: &'a Case, at: Timestamp) -> Option<(&'a Consent, Timestamp)> {
        let past = self.given(case).filter(|given| given.granted_at <= at);
        let lasting = past.map(|given| (given, ends(case, given))).filter(|(_, end)| at < *end);
        lasting.max_by_key(|(given, end)| (*end, given.granted_at))
    }

    pub fn say(&self, ask: &Ask, at: Timestamp) -> Say {
        let case = ask.case;
        if !at_work(case) {
            return Say::ALWAYS;
        }
        if let Some((_, until)) = self.in_force(case, at) {
            return Say::Permit { until };
        }
        if self.inbound_email_suffices && wrote_from_there(case, at).is_some() {
            return Say::Permit { until: case.next_contact(at) };
        }
        let consent = self.given(case).map(|given| given.granted_at).filter(|granted| *granted > at).min();
        let next = consent.unwrap_or(FAR).min(case.next_contact(at));
        Say::Bar { until: (next < FAR).then_some(next), liftable: true }
    }

    pub fn explain(&self, ask: &Ask, at: Timestamp) -> Words {
        let case = ask.case;
        if !at_work(case) {
            return Words::plain("the contact point is not at the place of work");
        }
        if let Some((given, _)) = self.in_force(case, at) {
            return Words::plain("the debtor agreed to be reached at this point at work").dated(
                "granted_at",
                given.granted_at,
                at,
            );
        }
        if let Some(wrote) = wrote_from_there(case, at).filter(|_| self.inbound_email_suffices) {
            return Words::plain("the debtor wrote to us from this address at work")
                .dated("wrote_at", wrote.occurred_at, at)
                .with("wrote_from", source(wrote));
        }
        let words = Words::plain(
            "the contact point is at the place of work, and no consent of scope `workplace` that would do is on file",
        );
        let ended =
            self.given(case).filter(|given| given.granted_at <= at).max_by_key(|given| given.granted_at);
        let words =
            ended.into_iter().fold(words, |words, given| words.dated("granted_at", given.granted_at, at));
        words.with("scope", ConsentScope::Workplace.as_str())
    }
}

fn at_work(case: &Case) -> bool {
    case.facts.point.is_some_and(|point| point.workplace || point.employer_provided)
}

/// The newest email of the debtor's from the very address.
fn wrote_from_there<'a>(case: &Case<'a>, at: Timestamp) -> Option<&'a Contact> {
    let from_there = |(contact, own): &(&Contact, bool)| {
        *own && contact.direction == Direction::Inbound
            && contact.channel == Channel::Email
            && contact.point == case.point()
    };
    let by_email = case.facts.channel == Channel::Email;
    case.newest_first(at).find(|found| by_email && from_there(found)).map(|(contact, _)| contact)
}
