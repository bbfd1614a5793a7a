//! Citation: 12 CFR 1006.14(h), 1006.6(e); 47 CFR 64.1200(a)(10), (12): a refusal of a medium or of one address.
//!
//! A consent for the same point that is given to us after the refusal lifts it, for as long as the consent lasts; so does a
//! consent for the whole medium where the refusal was of the whole medium. One confirmation may follow the refusal, and one
//! answer a contact that the debtor makes over the refused medium after it.
//!
//! # Decisions
//! - 2026-11-23: a consent counts here from its own date, as every fact does, also where that lies ahead of the moment asked
//!   about; else the answer about a moment and the answer given when it comes would differ. That nobody files a consent which
//!   is yet to be given, and so outlives a stop that comes before it, is seen to where it is filed (`pipeline::filing`).

use crate::domain::channel::Purpose;
use crate::domain::consent::{Consent, OptOut as Stop, covers_any};
use crate::domain::time::{Span, Timestamp};
use crate::policy::case::{Case, FAR};
use crate::policy::explain::{Words, contacts, local_date};
use crate::policy::rule::{Ask, Say};
use serde::Deserialize;

/// A refusal of a medium or an address.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::policy) struct OptOut {
    /// How soon after the refusal its one confirmation may go out.
    #[serde(default)]
    pub confirm_within: Option<Span>,
    /// How soon after the debtor wrote or called over the refused medium the one answer may.
    #[serde(default)]
    pub answer_within: Option<Span>,
}

impl OptOut {
    pub fn fault(&self) -> Option<String> {
        None
    }

    pub fn say(&self, ask: &Ask, at: Timestamp) -> Say {
        let case = ask.case;
        if case.facts.purpose == Purpose::OptOutConfirmation {
            return self.confirmation(case, at);
        }
        let stops = case.facts.opt_outs.iter().filter(|stop| concerns(case, stop));
        stops.map(|stop| self.one(case, stop, at)).fold(Say::ALWAYS, Say::and)
    }

    fn one(&self, case: &Case, stop: &Stop, at: Timestamp) -> Say {
        if at < stop.received_at {
            return Say::Permit { until: stop.received_at };
        }
        if let Some(until) = lifted_until(case, stop, at) {
            return Say::Permit { until };
        }
        let answers = |within| case.answers_since(at, within, stop.received_at);
        if let Some(until) = self.answer_within.and_then(answers) {
            return Say::Permit { until };
        }
        let lifted = lifts(case, stop).map(|given| given.granted_at).filter(|granted| *granted > at).min();
        let answerable = if self.answer_within.is_some() { case.next_answerable(at) } else { FAR };
        let until = lifted.unwrap_or(FAR).min(answerable);
        Say::Bar { until: (until < FAR).then_some(until), liftable: false }
    }

    /// A confirmation confirms a stop, once and at once, or has no business to go out.
    fn confirmation(&self, case: &Case, at: Timestamp) -> Say {
        let confirms = self.confirm_within.and_then(|within| case.confirms_stop(at, within));
        let later =
            case.facts.opt_outs.iter().map(|stop| stop.received_at).filter(|received| *received > at).min();
        confirms.map_or(Say::Bar { until: later, liftable: false }, |until| Say::Permit { until })
    }

    pub fn explain(&self, ask: &Ask, at: Timestamp) -> Words {
        let case = ask.case;
        if case.facts.purpose == Purpose::OptOutConfirmation {
            let within = self.confirm_within.unwrap_or(Span::millis(0));
            return Words::plain(format!("one confirmation may follow an opt-out, within {within} of it"));
        }
        let in_force = |stop: &&Stop| {
            concerns(case, stop) && stop.received_at <= at && lifted_until(case, stop, at).is_none()
        };
        let what = contacts(case.facts.channel);
        match case
            .facts
            .opt_outs
            .iter()
            .filter(in_force)
            .min_by_key(|stop| (stop.received_at, stop.channel, stop.point))
        {
            Some(stop) => {
                let on = local_date(case, stop.received_at);
                let reach = if stop.point.is_some() { " to this contact point" } else { "" };
                Words::plain(format!("the debtor refused {what}{reach} on {on}"))
                    .dated("received_at", stop.received_at, at)
                    .with("channel", stop.channel.as_str())
            }
            None => Words::plain(format!("the debtor has not refused {what}")),
        }
    }
}

fn concerns(case: &Case, stop: &Stop) -> bool {
    stop.channel.covers(case.facts.channel)
        && stop.point.is_none_or(|point| case.point() == Some(point))
        && covers_any(&stop.accounts, case.facts.accounts)
}

/// The consents that lift a refusal while they last: given to us, after it.
fn lifts<'a>(case: &'a Case, stop: &'a Stop) -> impl Iterator<Item = &'a Consent> {
    let facts = case.facts;
    facts
        .consents
        .iter()
        .filter(|given| stop.is_lifted_by(given, facts.channel, case.point(), facts.accounts))
}

/// Until when a refusal is lifted at an instant, if it is.
fn lifted_until(case: &Case, stop: &Stop, at: Timestamp) -> Option<Timestamp> {
    let in_force = lifts(case, stop).filter(|given| given.in_force(at));
    in_force.map(|given| given.expires_at.unwrap_or(FAR)).max()
}
