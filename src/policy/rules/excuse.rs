//! Citation: 12 CFR 1006.6(b)(4), comment 6(b)(1)-2: what opens an hour that does not suit: an answer to the debtor, or the
//! debtor's own consent.

use crate::domain::channel::Direction;
use crate::domain::consent::{Consent, ConsentForm, ConsentScope, GivenTo, covers_all};
use crate::domain::time::{Span, Timestamp};
use crate::policy::case::{Case, FAR};
use crate::policy::rule::Say;

/// What a rule lets open its hours.
#[derive(Clone, Copy)]
pub(super) struct Excuse<'a> {
    /// One answer this soon after the debtor wrote or called.
    pub answer: Option<Span>,
    /// A consent to this time.
    pub consent_opens: bool,
    /// In one of these forms; in any, where empty.
    pub forms: &'a [ConsentForm],
    /// A consent given this soon after a contact that the hours barred is void.
    pub taint: Option<Span>,
    /// Since when the debtor has called the time inconvenient, if it is known: an earlier consent does not open it.
    pub since: Option<Timestamp>,
}

/// What hours say, unless the debtor consented to this time or is being answered. `barred` tells whether the hours
/// themselves bar an instant.
pub(super) fn excused(
    case: &Case,
    at: Timestamp,
    hours: Say,
    excuse: Excuse<'_>,
    barred: &dyn Fn(Timestamp) -> bool,
) -> Say {
    if matches!(hours, Say::Permit { .. }) {
        return hours;
    }
    if let Some(until) = excuse.answer.and_then(|within| case.answers_debtor(at, within)) {
        return Say::Permit { until };
    }
    let mut next = if excuse.answer.is_some() { case.next_answerable(at) } else { FAR };
    let consents = if excuse.consent_opens { case.facts.consents } else { &[] };
    let not_before = |consent: &&Consent| excuse.since.is_none_or(|since| consent.granted_at >= since);
    let in_form = |consent: &&Consent| {
        excuse.forms.is_empty() || consent.form.is_some_and(|form| excuse.forms.contains(&form))
    };
    for consent in
        consents.iter().filter(not_before).filter(in_form).filter(|consent| to_this_time(case, consent))
    {
        if excuse.taint.is_some_and(|within| is_tainted(case, consent, within, barred)) {
            continue;
        }
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
        && covers_all(&consent.accounts, case.facts.accounts)
}

/// Whether a consent was taken in a contact that the hours themselves barred: the newest one before it, unless the debtor
/// had begun it.
fn is_tainted(case: &Case, consent: &Consent, within: Span, barred: &dyn Fn(Timestamp) -> bool) -> bool {
    let since = consent.granted_at.minus(within);
    let mut recent = case
        .newest_first(consent.granted_at)
        .take_while(|(contact, _)| contact.occurred_at >= since)
        .filter(|(_, own)| *own)
        .map(|(contact, _)| contact);
    let Some(newest) = recent.next() else { return false };
    newest.direction == Direction::Outbound
        && barred(newest.occurred_at)
        && !recent.any(|contact| contact.direction == Direction::Inbound)
}

fn stopped_since(case: &Case, consent: &Consent, at: Timestamp) -> bool {
    let channel = case.facts.channel;
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
