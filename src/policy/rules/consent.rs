//! Citation: 47 CFR 64.1200(a)(1)(iii), (a)(10); 12 CFR 1006.6(d)(4)–(5): consents without which a contact may not be made.
//!
//! An opt-out that covers the medium and the point revokes every consent given before it. A missing consent can be got,
//! so that a request waits for it.

use crate::domain::consent::{Consent as Given, ConsentScope, GivenTo, OptOut, covers_all, covers_any};
use crate::domain::time::Timestamp;
use crate::policy::case::{Case, FAR};
use crate::policy::explain::{Words, contacts};
use crate::policy::rule::{Ask, Say};
use serde::Deserialize;

/// A consent that the contact needs.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::policy) struct Consent {
    /// Of this scope.
    pub scope: ConsentScope,
    /// Given to one of these.
    pub given_to: Vec<GivenTo>,
}

impl Consent {
    pub fn fault(&self) -> Option<String> {
        self.given_to
            .is_empty()
            .then(|| "`given_to` names at least one of collector, creditor, prior_collector".to_owned())
    }

    fn fits(&self, case: &Case, given: &Given) -> bool {
        given.scope == self.scope
            && given.channel == case.facts.channel
            && self.given_to.contains(&given.given_to)
            && given.point.is_none_or(|point| case.point() == Some(point))
            && covers_all(&given.accounts, case.facts.accounts)
    }

    pub fn say(&self, ask: &Ask, at: Timestamp) -> Say {
        let case = ask.case;
        let mut permitted = None;
        let mut next = FAR;
        for given in case.facts.consents.iter().filter(|given| self.fits(case, given)) {
            if given.granted_at > at {
                next = next.min(given.granted_at);
                continue;
            }
            let end = ends(case, given);
            if at < end {
                permitted = permitted.max(Some(end));
            }
        }
        match permitted {
            Some(until) => Say::Permit { until },
            None => Say::Bar { until: (next < FAR).then_some(next), liftable: true },
        }
    }

    pub fn explain(&self, ask: &Ask, at: Timestamp) -> Words {
        let what = contacts(ask.case.facts.channel);
        let scope = self.scope;
        let mut fitting = ask.case.facts.consents.iter().filter(|given| self.fits(ask.case, given));
        let reason = match self.say(ask, at) {
            Say::Permit { .. } => format!("the debtor's consent of scope `{scope}` to {what} is on file"),
            Say::Bar { .. } if fitting.any(|given| given.granted_at <= at) => {
                format!("the debtor's consent of scope `{scope}` to {what} was revoked or has ended")
            }
            Say::Bar { .. } => {
                format!("{what} to this debtor need a consent of scope `{scope}`; none is on file")
            }
        };
        Words::plain(reason).with("scope", scope.as_str())
    }
}

/// When a consent ends: by its own terms, or by the first opt-out after it that covers what it allowed.
pub(super) fn ends(case: &Case, given: &Given) -> Timestamp {
    let revokes = |stop: &&OptOut| {
        stop.received_at >= given.granted_at
            && stop.channel.covers(case.facts.channel)
            && stop.point.is_none_or(|point| case.point() == Some(point))
            && covers_any(&stop.accounts, case.facts.accounts)
    };
    let stop = case.facts.opt_outs.iter().filter(revokes).map(|stop| stop.received_at).min();
    given.expires_at.unwrap_or(FAR).min(stop.unwrap_or(FAR))
}
