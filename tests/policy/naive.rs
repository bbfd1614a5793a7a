//! The law a second time, deliberately naive: written from the text of the rules, one after the other, with the calendar of the
//! library and without any window, index or search. It knows nothing of packs and shares no code with `src/policy`.

#[path = "naive/federal.rs"]
mod federal;
#[path = "naive/states.rs"]
mod states;

use crate::support::World;
use dunwell::domain::channel::{Channel, Direction, Party, Purpose};
use dunwell::domain::consent::{Consent, ConsentScope, GivenTo};
use dunwell::domain::contact::{Contact, ContactResult as R};
use dunwell::domain::contact_point::PointOutline;
use dunwell::domain::debtor::{AccountOutline, CollectorRole, DebtType};
use dunwell::domain::id::{AccountKey, PointKey};
use dunwell::domain::time::Timestamp;
use jiff::civil::{Date, DateTime};
use jiff::tz::{TimeZone, TimeZoneDatabase};
use std::collections::BTreeSet;

/// Every rule that is written down here.
const LISTED: &str = "\
    us.dc.after-conversation us.dc.electronic-consent us.dc.five-messages-in-seven us.dc.four-in-seven us.dc.hours us.dc.notice-first \
    us.fed.bankruptcy us.fed.regf.after-conversation us.fed.regf.attorney us.fed.regf.cease \
    us.fed.regf.contact-point us.fed.regf.deceased us.fed.regf.dispute us.fed.regf.electronic-consent \
    us.fed.regf.incarcerated us.fed.regf.inconvenient-time us.fed.regf.known-disclosure us.fed.regf.litigation \
    us.fed.regf.nothing-owed us.fed.regf.one-location-call us.fed.regf.opt-out us.fed.regf.opt-out-mail us.fed.regf.reply-pending \
    us.fed.regf.seven-in-seven us.fed.regf.stated-inconvenient-time us.fed.regf.text-consent us.fed.regf.workplace \
    us.fed.scra.military us.fed.tcpa.call-consent us.fed.tcpa.reassigned-number us.fed.tcpa.text-consent \
    us.fed.tcpa.three-in-thirty us.fl.hours us.ma.two-in-seven us.ma.two-in-thirty-elsewhere us.nh.hours \
    us.nh.once-a-month-at-work us.nv.medical-sixty-days us.ny.email-consent us.ny.nyc.contacts-in-seven us.ny.nyc.hours us.ny.nyc.two-in-seven \
    us.ny.nyc.electronic-consent us.or.one-at-work us.wa.home-hours us.wa.three-in-a-week \
    us.wa.two-a-day-to-a-cell us.wv.ten-conversations us.wv.thirty-calls us.fed.regf.many-messages \
    us.fed.regf.rapid-succession us.fed.regf.seven-in-one-day us.fed.regf.sunday-or-holiday \
    us.fed.regf.overshadowing us.fed.regf.text-consent-age us.fed.regf.time-barred us.fed.regf.time-barred-suit \
    us.fed.regf.validation-period";

/// The ids of the rules that are written down here; the test compares these and no others.
pub fn rules() -> impl Iterator<Item = &'static str> {
    LISTED.split_whitespace()
}

/// The holidays of the years that the histories reach, as the calendar of the government prints them, with the days on which
/// they are observed.
const HOLIDAYS: &str = "\
    2026-01-01 2026-01-19 2026-02-16 2026-05-25 2026-06-19 2026-07-03 2026-07-04 2026-09-07 2026-10-12 2026-11-11 \
    2026-11-26 2026-12-25 2027-01-01 2027-01-18 2027-02-15 2027-05-31 2027-06-18 2027-06-19 2027-07-04 2027-07-05 \
    2027-09-06 2027-10-11 2027-11-11 2027-11-25 2027-12-24 2027-12-25 2027-12-31 2028-01-01 2028-01-17 2028-02-21 \
    2028-05-29 2028-06-19 2028-07-04 2028-09-04";

/// Whether a date is a holiday or the day on which one is observed.
fn is_holiday(date: Date) -> bool {
    HOLIDAYS.split_whitespace().any(|holiday| holiday == date.to_string())
}

/// A zone by the rules that the engine goes by too: there is one set of them.
fn bundled(name: &str) -> TimeZone {
    TimeZoneDatabase::bundled().get(name).expect("a zone")
}

/// What contacts count by.
#[derive(Clone, Copy)]
enum By<'a> {
    Debt(&'a AccountOutline),
    Account(&'a AccountOutline),
    Point(Option<PointKey>),
    Debtor,
}

/// A world, asked at its own moment.
pub struct Naive<'w> {
    w: &'w World,
    zones: Vec<TimeZone>,
}

impl<'w> Naive<'w> {
    pub fn new(w: &'w World, zones: Vec<TimeZone>) -> Self {
        Self { w, zones }
    }

    /// The rules that object, and the reviews that are raised.
    pub fn objections(&self) -> BTreeSet<&'static str> {
        let mut found = BTreeSet::new();
        let mut note = |id: &'static str, objects: bool| {
            if objects {
                found.insert(id);
            }
        };
        self.federal_times(&mut note);
        self.federal_calls(&mut note);
        self.asked_before(&mut note);
        self.federal_consents(&mut note);
        self.federal_holds(&mut note);
        self.points_and_accounts(&mut note);
        self.reviews(&mut note);
        self.states(&mut note);
        self.new_york(&mut note);
        found
    }

    // --- the calendar

    fn now(&self) -> impl Iterator<Item = DateTime> + '_ {
        self.zones.iter().map(|zone| zone.to_datetime(self.w.at.to_jiff()))
    }

    fn date(zone: &TimeZone, at: Timestamp) -> Date {
        zone.to_datetime(at.to_jiff()).date()
    }

    fn days_between(earlier: Date, later: Date) -> i32 {
        (later - earlier).get_days()
    }

    /// Whether, anywhere the debtor may be, the clock shows less than `opens` or at least `closes`, in minutes.
    fn outside(&self, opens: i32, closes: i32, zones: &[TimeZone]) -> bool {
        Self::outside_at(self.w.at, opens, closes, zones)
    }

    fn outside_at(at: Timestamp, opens: i32, closes: i32, zones: &[TimeZone]) -> bool {
        zones.iter().map(|zone| zone.to_datetime(at.to_jiff())).any(|now| {
            let minute = i32::from(now.hour()) * 60 + i32::from(now.minute());
            minute < opens || minute >= closes
        })
    }

    /// Days since a contact, where they are fewest.
    fn age(&self, at: Timestamp) -> i32 {
        let days = |zone: &TimeZone| Self::days_between(Self::date(zone, at), Self::date(zone, self.w.at));
        self.zones.iter().map(days).min().expect("a zone")
    }

    /// Days since something, where they are most.
    fn age_at_most(&self, at: Timestamp) -> i32 {
        let days = |zone: &TimeZone| Self::days_between(Self::date(zone, at), Self::date(zone, self.w.at));
        self.zones.iter().map(days).max().expect("a zone")
    }

    // --- who and what

    fn accounts(&self) -> impl Iterator<Item = &'w AccountOutline> {
        let named = &self.w.accounts;
        self.w.debtor.accounts.iter().filter(move |a| named.is_empty() || named.contains(&a.account))
    }

    fn consumer(account: &AccountOutline) -> bool {
        account.debt_type != DebtType::Commercial
    }

    fn fdcpa(account: &AccountOutline) -> bool {
        Self::consumer(account) && account.collector_role != CollectorRole::FirstParty
    }

    fn agency(account: &AccountOutline) -> bool {
        matches!(account.collector_role, CollectorRole::ThirdParty | CollectorRole::DebtBuyer)
    }

    fn point(&self) -> Option<&'w PointOutline> {
        self.w.debtor.points.iter().find(|point| Some(point.point) == self.w.point)
    }

    fn in_state(&self, region: &str) -> bool {
        let lives = self.w.debtor.locations.iter().any(|place| place.region.as_deref() == Some(region));
        lives || self.point().is_some_and(|point| point.regions.iter().any(|of| of == region))
    }

    fn with_us(&self) -> bool {
        !matches!(self.w.party, Party::Attorney | Party::Creditor | Party::CreditBureau)
    }

    fn asked_for(purpose: Purpose) -> bool {
        matches!(purpose, Purpose::ConsumerRequested | Purpose::PaymentReceipt | Purpose::OptOutConfirmation)
    }

    fn voice(&self) -> bool {
        self.w.channel == Channel::Voice
    }

    fn past(&self) -> impl DoubleEndedIterator<Item = &'w Contact> {
        let at = self.w.at;
        self.w.contacts.iter().filter(move |contact| contact.occurred_at <= at)
    }

    /// The same, with what stands on other people's files.
    fn everywhere(&self) -> impl Iterator<Item = &'w Contact> {
        let at = self.w.at;
        self.past().chain(self.w.elsewhere.iter().filter(move |contact| contact.occurred_at <= at))
    }

    fn is_own(&self, contact: &Contact) -> bool {
        !self.w.elsewhere.iter().any(|other| std::ptr::eq(other, contact))
    }

    fn at_work(&self, point: Option<PointKey>) -> bool {
        self.w.debtor.points.iter().any(|outline| Some(outline.point) == point && outline.workplace)
    }

    fn about(&self, contact: &Contact, by: By) -> bool {
        let own = self.is_own(contact);
        let none_named = own && contact.accounts.is_empty();
        match by {
            By::Debtor => own,
            By::Point(point) => point.is_some() && contact.point == point,
            By::Account(account) => none_named || contact.accounts.contains(&account.account),
            By::Debt(account) => {
                let same = |other: &&AccountOutline| other.debt == account.debt;
                none_named
                    || self
                        .w
                        .debtor
                        .accounts
                        .iter()
                        .filter(same)
                        .any(|a| contact.accounts.contains(&a.account))
            }
        }
    }

    fn covers_accounts(covered: &[AccountKey], asked: &[AccountKey]) -> bool {
        covered.is_empty() || (!asked.is_empty() && asked.iter().all(|account| covered.contains(account)))
    }

    fn covers_point(&self, point: Option<PointKey>) -> bool {
        point.is_none() || point == self.w.point
    }

    /// Whether a stop that covers this contact came between two moments, both included.
    fn stopped_between(&self, from: Timestamp, to: Timestamp) -> bool {
        self.w.opt_outs.iter().any(|stop| {
            let any_account = stop.accounts.is_empty()
                || self.w.accounts.is_empty()
                || self.w.accounts.iter().any(|account| stop.accounts.contains(account));
            (from..=to).contains(&stop.received_at)
                && stop.channel.covers(self.w.channel)
                && self.covers_point(stop.point)
                && any_account
        })
    }

    fn consents(&self, scope: ConsentScope) -> impl Iterator<Item = &'w Consent> + '_ {
        self.w.consents.iter().filter(move |consent| {
            consent.scope == scope
                && consent.channel == self.w.channel
                && consent.granted_at <= self.w.at
                && self.covers_point(consent.point)
                && Self::covers_accounts(&consent.accounts, &self.w.accounts)
        })
    }

    fn unrevoked(&self, consent: &Consent) -> bool {
        consent.expires_at.is_none_or(|end| self.w.at < end)
            && !self.stopped_between(consent.granted_at, self.w.at)
    }

    // --- calls

    /// A call that was made with the debtor's direct prior consent to more calls (1006.14(b)(3)(i)).
    fn wanted(&self, call_at: Timestamp, point: Option<PointKey>, account: &AccountOutline) -> bool {
        self.w.consents.iter().any(|consent| {
            let same = |other: &&AccountOutline| other.debt == account.debt;
            let mut of_debt = self.w.debtor.accounts.iter().filter(same);
            let in_a_week = self.zones.iter().all(|zone| {
                Self::days_between(Self::date(zone, consent.granted_at), Self::date(zone, call_at)) < 7
            });
            let talked = self.w.contacts.iter().any(|talk| {
                talk.channel == Channel::Voice
                    && talk.result == R::Conversation
                    && consent.granted_at < talk.occurred_at
                    && talk.occurred_at < call_at
                    && self.about(talk, By::Debt(account))
            });
            let stopped = self.w.opt_outs.iter().any(|stop| {
                stop.channel.covers(Channel::Voice)
                    && (stop.point.is_none() || stop.point == point)
                    && consent.granted_at < stop.received_at
                    && stop.received_at <= call_at
            });
            consent.scope == ConsentScope::ExcessCalls
                && consent.channel == Channel::Voice
                && consent.given_to == GivenTo::Collector
                && consent.granted_at <= call_at
                && consent.expires_at.is_none_or(|end| call_at < end)
                && (consent.point.is_none() || consent.point == point)
                && (consent.accounts.is_empty() || of_debt.any(|a| consent.accounts.contains(&a.account)))
                && in_a_week
                && !talked
                && !stopped
        })
    }

    /// Whether the number proved wrong after, or in, this contact.
    fn misdirected(&self, contact: &Contact) -> bool {
        let own = self.is_own(contact);
        let of_the_same = self.everywhere().filter(|other| self.is_own(other) == own);
        let mut later = of_the_same.filter(|other| other.occurred_at >= contact.occurred_at);
        contact.point.is_some()
            && later.any(|other| other.result == R::WrongNumber && other.point == contact.point)
    }

    fn connected(contact: &Contact) -> bool {
        !matches!(contact.result, R::Busy | R::NotConnected | R::WrongNumber | R::Failed)
    }

    /// Our own contacts with the party asked about that were connected and not misdirected.
    fn ours(&self, channels: &'static [Channel], by: By<'w>) -> impl Iterator<Item = &'w Contact> + '_ {
        self.everywhere().filter(move |contact| {
            channels.contains(&contact.channel)
                && contact.direction == Direction::Outbound
                && contact.party == self.w.party
                && Self::connected(contact)
                && !self.misdirected(contact)
                && self.about(contact, by)
        })
    }
}
