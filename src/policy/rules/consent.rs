//! Citation: 47 CFR 64.1200(a)(1)(iii), (a)(10); 12 CFR 1006.6(d)(4)–(5); 6 RCNY 5-77(b)(5); 23 NYCRR 1.6: consents without
//! which a contact may not be made, and what may stand in their place.
//!
//! An opt-out that covers the medium and the point revokes every consent given before it, and what stands in a consent's
//! place with it. A missing consent can be got, so that a request waits for it.

use crate::domain::channel::Channel;
use crate::domain::consent::{
    Consent as Given, ConsentForm, ConsentScope, GivenTo, OptOut, covers_all, covers_any,
};
use crate::domain::contact_point::{NoticeElement, ReassignmentResult};
use crate::domain::time::Timestamp;
use crate::domain::zone::{Zone, day_of};
use crate::policy::case::{Case, FAR};
use crate::policy::explain::{Words, contacts, local_date};
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
    /// In one of these forms; in any, where empty. A consent whose form is not known has none of them.
    #[serde(default)]
    pub forms: Vec<ConsentForm>,
    /// Whether it must name the accounts that the contact is about.
    #[serde(default)]
    pub names_account: bool,
    /// For how many local calendar days after it was given it counts; until revoked, where absent.
    #[serde(default)]
    pub days: Option<u16>,
    /// Whether a message of the debtor's from the very point stands in its place.
    #[serde(default)]
    pub debtor_wrote: bool,
    /// For how many local calendar days after such a message; until the debtor says stop, where absent.
    #[serde(default)]
    pub debtor_wrote_days: Option<u16>,
    /// Whether a reassigned-numbers check that found nothing renews either for as many days (12 CFR 1006.6(d)(5)).
    #[serde(default)]
    pub check_renews: bool,
    /// Whether the creditor's notice stands in its place where a consent given to the creditor is on file, and how many days
    /// the debtor must have had to opt out (12 CFR 1006.6(d)(4)(ii)).
    #[serde(default)]
    pub creditor_notice_days: Option<u16>,
}

/// A stretch of time over which the contact has a basis.
#[derive(Clone, Copy)]
struct Basis {
    from: Timestamp,
    until: Timestamp,
    what: What,
}

impl Basis {
    /// The longest first, and the same one whatever the order they stand in.
    fn rank(&self) -> (Timestamp, Timestamp, What) {
        (self.until, self.from, self.what)
    }
}

/// What a basis is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum What {
    Consent(Timestamp, GivenTo),
    Wrote(Timestamp),
    Notice,
}

impl Consent {
    pub fn fault(&self) -> Option<String> {
        if self.given_to.is_empty() {
            return Some("`given_to` names at least one of collector, creditor, prior_collector".to_owned());
        }
        if self.debtor_wrote_days.is_some() && !self.debtor_wrote {
            return Some("`debtor_wrote_days` is for `debtor_wrote = true`".to_owned());
        }
        (self.check_renews && self.days.is_none() && self.debtor_wrote_days.is_none())
            .then(|| "`check_renews` renews `days` or `debtor_wrote_days`; there are none".to_owned())
    }

    fn fits(&self, case: &Case, given: &Given) -> bool {
        let accounts_named = !self.names_account || !given.accounts.is_empty();
        given.scope == self.scope
            && given.channel == case.facts.channel
            && (self.forms.is_empty() || given.form.is_some_and(|form| self.forms.contains(&form)))
            && accounts_named
            && given.point.is_none_or(|point| case.point() == Some(point))
            && covers_all(&given.accounts, case.facts.accounts)
    }

    fn by_consent<'a>(&'a self, case: &'a Case) -> impl Iterator<Item = Basis> + 'a {
        let fitting = case.facts.consents.iter().filter(|given| self.fits(case, given));
        let fitting = fitting.filter(|given| self.given_to.contains(&given.given_to));
        fitting.flat_map(|given| {
            let what = What::Consent(given.granted_at, given.given_to);
            self.lasting(case, given.granted_at, self.days, ends(case, given), what)
        })
    }

    /// What stands in the place of a consent.
    fn instead<'a>(&'a self, case: &'a Case) -> impl Iterator<Item = Basis> + 'a {
        let messages = self.debtor_wrote.then(|| case.written_to_us()).into_iter().flatten();
        let about_it = messages.filter(|message| covers_all(&message.accounts, case.facts.accounts));
        let wrote = about_it.flat_map(|message| {
            let at = message.occurred_at;
            self.lasting(case, at, self.debtor_wrote_days, next_stop(case, at), What::Wrote(at))
        });
        let creditors = case.facts.consents.iter().filter(|given| {
            given.given_to == GivenTo::Creditor && given.point.is_some() && self.fits(case, given)
        });
        let noticed = creditors.filter_map(|given| {
            let over = self.notice_over(case)?;
            let until = ends(case, given);
            Some(Basis { from: over.max(given.granted_at), until, what: What::Notice })
        });
        wrote.chain(noticed)
    }

    /// How long something that happened at an instant is good for: so many days, and as many after a check.
    fn lasting(
        &self,
        case: &Case,
        since: Timestamp,
        days: Option<u16>,
        end: Timestamp,
        what: What,
    ) -> impl Iterator<Item = Basis> + use<> {
        let own = days.map_or(end, |days| end.min(last_of(case, since, days)));
        let renewed = days.filter(|_| self.check_renews).and_then(|days| {
            let check = case.facts.point?.reassignment_check.as_ref()?;
            let asked_since = case.zones.iter().all(|zone| day_of(check.since) <= zone.local(since).day);
            let clean = check.result == ReassignmentResult::No && asked_since;
            let day = day_of(check.checked_on);
            let start = |zone: &Zone| zone.start_of_day(day);
            let over = |zone: &Zone| zone.start_of_day(day + i64::from(days) + 1);
            let from = case.zones.iter().map(start).max().unwrap_or(FAR).max(since);
            let until = case.zones.iter().map(over).min().unwrap_or(from).min(end);
            clean.then_some(Basis { from, until, what })
        });
        std::iter::once(Basis { from: since, until: own, what }).chain(renewed)
    }

    /// When the time that the creditor's notice gave the debtor to opt out has run, if the notice was whole.
    fn notice_over(&self, case: &Case) -> Option<Timestamp> {
        let days = i64::from(self.creditor_notice_days?);
        let point = case.facts.point.filter(|point| !point.employer_provided)?;
        let notice = point.creditor_notice.as_ref()?;
        let whole = NoticeElement::ALL.iter().all(|element| notice.states.contains(element));
        let last = day_of(notice.opt_out_until);
        let over = |zone: &Zone| zone.start_of_day(last + 1);
        (whole && last - day_of(notice.sent_on) >= days)
            .then(|| case.zones.iter().map(over).max().unwrap_or(FAR))
    }

    fn basis(&self, case: &Case, at: Timestamp) -> Option<Basis> {
        let holds = |basis: &Basis| basis.from <= at && at < basis.until;
        let longest = self.by_consent(case).filter(holds).max_by_key(Basis::rank);
        longest.or_else(|| self.instead(case).filter(holds).max_by_key(Basis::rank))
    }

    pub fn say(&self, ask: &Ask, at: Timestamp) -> Say {
        let case = ask.case;
        if let Some(basis) = self.basis(case, at) {
            return Say::Permit { until: basis.until };
        }
        let all = self.by_consent(case).chain(self.instead(case));
        let later = all.filter(|basis| at < basis.from && basis.from < basis.until).map(|basis| basis.from);
        Say::Bar { until: later.min(), liftable: true }
    }

    pub fn explain(&self, ask: &Ask, at: Timestamp) -> Words {
        let case = ask.case;
        let what = contacts(case.facts.channel);
        let scope = self.scope;
        let words = match self.basis(case, at).map(|basis| basis.what) {
            Some(What::Consent(granted, to)) => Words::plain(format!(
                "the debtor's consent of scope `{scope}` to {what} of {} is on file",
                local_date(case, granted)
            ))
            .dated("granted_at", granted, at)
            .with("given_to", to.as_str()),
            Some(What::Wrote(wrote)) => Words::plain(format!(
                "the debtor wrote to us from this contact point on {}",
                local_date(case, wrote)
            ))
            .dated("wrote_at", wrote, at),
            Some(What::Notice) => Words::plain(
                "the creditor gave notice that its collector would use this address, and the time to opt out has run",
            ),
            None => self.explain_missing(case, at),
        };
        words.with("scope", scope.as_str())
    }

    fn explain_missing(&self, case: &Case, at: Timestamp) -> Words {
        let (what, scope) = (contacts(case.facts.channel), self.scope);
        let ended = self.by_consent(case).chain(self.instead(case)).filter(|basis| basis.from <= at);
        match ended.max_by_key(Basis::rank).map(|basis| basis.what) {
            Some(What::Consent(granted, _)) => {
                let end = match self.days {
                    _ if next_stop(case, granted) <= at => "was revoked".to_owned(),
                    Some(days) if last_of(case, granted, days) <= at => {
                        format!("is older than {days} days, and nothing has renewed it")
                    }
                    Some(_) | None => "has ended".to_owned(),
                };
                let words = format!("the debtor's consent of scope `{scope}` to {what} {end}");
                Words::plain(words).dated("granted_at", granted, at)
            }
            Some(What::Wrote(wrote)) => {
                Words::plain(format!("the debtor's message from this contact point no longer stands for a consent of scope `{scope}`"))
                    .dated("wrote_at", wrote, at)
            }
            Some(What::Notice) => Words::plain("the debtor opted out after the creditor's notice"),
            None if self.creditor_notice_days.is_some() && self.instead(case).next().is_some() => {
                Words::plain("the time that the creditor's notice gave to opt out has not run yet")
            }
            None => Words::plain(format!(
                "{what} to this debtor need a consent of scope `{scope}`; none is on file"
            )),
        }
    }
}

/// The end of so many local calendar days after an instant's own, in the zone where it comes first.
fn last_of(case: &Case, since: Timestamp, days: u16) -> Timestamp {
    let end = |zone: &Zone| zone.start_of_day(zone.local(since).day + i64::from(days) + 1);
    case.zones.iter().map(end).min().unwrap_or(since)
}

/// The first opt-out from an instant on that covers the contact.
fn next_stop(case: &Case, since: Timestamp) -> Timestamp {
    let channel: Channel = case.facts.channel;
    let revokes = |stop: &&OptOut| {
        stop.received_at >= since
            && stop.channel.covers(channel)
            && stop.point.is_none_or(|point| case.point() == Some(point))
            && covers_any(&stop.accounts, case.facts.accounts)
    };
    case.facts.opt_outs.iter().filter(revokes).map(|stop| stop.received_at).min().unwrap_or(FAR)
}

/// When a consent ends: by its own terms, or by the first opt-out after it that covers what it allowed.
pub(super) fn ends(case: &Case, given: &Given) -> Timestamp {
    given.expires_at.unwrap_or(FAR).min(next_stop(case, given.granted_at))
}
