//! The law a second time, deliberately naive: written from the text of the rules, one after the other, with the calendar of the
//! library and without any window, index or search. It knows nothing of packs and shares no code with `src/policy`.

use crate::support::World;
use dunwell::domain::channel::{Channel, Direction, Party, Purpose};
use dunwell::domain::consent::{
    Consent, ConsentForm, ConsentScope, GivenTo, HoldKind, InconvenientTime, Place,
};
use dunwell::domain::contact::{Contact, ContactResult as R};
use dunwell::domain::contact_point::{LineType, PointKind, PointOutline, ReassignmentResult};
use dunwell::domain::debtor::{AccountOutline, AccountStatus, CollectorRole, DebtType};
use dunwell::domain::id::{AccountKey, PointKey};
use dunwell::domain::time::{Span, Timestamp};
use jiff::civil::{Date, DateTime, Weekday};
use jiff::tz::TimeZone;
use std::collections::BTreeSet;

/// Every rule that is written down here; the test compares these and no others.
pub const RULES: &[&str] = &[
    "us.dc.after-conversation",
    "us.dc.five-messages-in-seven",
    "us.dc.four-in-seven",
    "us.dc.hours",
    "us.dc.notice-first",
    "us.fed.bankruptcy",
    "us.fed.regf.after-conversation",
    "us.fed.regf.attorney",
    "us.fed.regf.cease",
    "us.fed.regf.contact-point",
    "us.fed.regf.deceased",
    "us.fed.regf.dispute",
    "us.fed.regf.electronic-consent",
    "us.fed.regf.incarcerated",
    "us.fed.regf.inconvenient-time",
    "us.fed.regf.known-disclosure",
    "us.fed.regf.litigation",
    "us.fed.regf.nothing-owed",
    "us.fed.regf.opt-out",
    "us.fed.regf.opt-out-mail",
    "us.fed.regf.reply-pending",
    "us.fed.regf.seven-in-seven",
    "us.fed.regf.stated-inconvenient-time",
    "us.fed.regf.text-consent",
    "us.fed.regf.workplace",
    "us.fed.scra.military",
    "us.fed.tcpa.call-consent",
    "us.fed.tcpa.reassigned-number",
    "us.fed.tcpa.text-consent",
    "us.fed.tcpa.three-in-thirty",
    "us.fl.hours",
    "us.ma.two-in-seven",
    "us.ma.two-in-thirty-elsewhere",
    "us.nh.hours",
    "us.nh.once-a-month-at-work",
    "us.nv.medical-sixty-days",
    "us.ny.email-consent",
    "us.ny.nyc.contacts-in-seven",
    "us.ny.nyc.electronic-consent",
    "us.or.one-at-work",
    "us.wa.home-hours",
    "us.wa.three-in-a-week",
    "us.wa.two-a-day-to-a-cell",
    "us.wv.ten-conversations",
    "us.wv.thirty-calls",
    // Reviews.
    "us.fed.regf.many-messages",
    "us.fed.regf.rapid-succession",
    "us.fed.regf.seven-in-one-day",
    "us.fed.regf.sunday-or-holiday",
    "us.fed.regf.text-consent-age",
    "us.fed.regf.time-barred",
    "us.fed.regf.validation-period",
];

/// The holidays of the years that the histories reach, as the calendar of the government prints them, with the days on which
/// they are observed.
const HOLIDAYS: &[&str] = &[
    "2026-01-01",
    "2026-01-19",
    "2026-02-16",
    "2026-05-25",
    "2026-06-19",
    "2026-07-03",
    "2026-07-04",
    "2026-09-07",
    "2026-10-12",
    "2026-11-11",
    "2026-11-26",
    "2026-12-25",
    "2027-01-01",
    "2027-01-18",
    "2027-02-15",
    "2027-05-31",
    "2027-06-18",
    "2027-06-19",
    "2027-07-04",
    "2027-07-05",
    "2027-09-06",
    "2027-10-11",
    "2027-11-11",
    "2027-11-25",
    "2027-12-24",
    "2027-12-25",
    "2027-12-31",
    "2028-01-01",
    "2028-01-17",
    "2028-02-21",
    "2028-05-29",
    "2028-06-19",
    "2028-07-04",
    "2028-09-04",
];

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

    fn at_work(&self, point: Option<PointKey>) -> bool {
        self.w.debtor.points.iter().any(|outline| Some(outline.point) == point && outline.workplace)
    }

    fn about(&self, contact: &Contact, by: By) -> bool {
        let none_named = contact.accounts.is_empty();
        match by {
            By::Debtor => true,
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
        let later = self.past().filter(|other| other.occurred_at >= contact.occurred_at);
        contact.point.is_some()
            && later.into_iter().any(|other| other.result == R::WrongNumber && other.point == contact.point)
    }

    fn connected(contact: &Contact) -> bool {
        !matches!(contact.result, R::Busy | R::NotConnected | R::WrongNumber | R::Failed)
    }

    /// Our own contacts with the party asked about that were connected and not misdirected.
    fn ours(&self, channels: &'static [Channel], by: By<'w>) -> impl Iterator<Item = &'w Contact> + '_ {
        self.past().filter(move |contact| {
            channels.contains(&contact.channel)
                && contact.direction == Direction::Outbound
                && contact.party == self.w.party
                && Self::connected(contact)
                && !self.misdirected(contact)
                && self.about(contact, by)
        })
    }

    fn federal_calls(&self, note: &mut dyn FnMut(&'static str, bool)) {
        if !self.voice() || !self.with_us() {
            return;
        }
        for account in self.accounts().filter(|account| Self::fdcpa(account)) {
            if self.wanted(self.w.at, self.w.point, account) {
                continue;
            }
            let calls = self.ours(&[Channel::Voice], By::Debt(account));
            let counted = calls
                .filter(|call| self.age(call.occurred_at) < 7)
                .filter(|call| !self.wanted(call.occurred_at, call.point, account));
            note("us.fed.regf.seven-in-seven", counted.count() >= 7);
            note("us.fed.regf.after-conversation", self.talked_within_a_week(By::Debt(account)));
        }
    }

    fn talked_within_a_week(&self, by: By) -> bool {
        self.past().any(|talk| {
            talk.channel == Channel::Voice
                && talk.result == R::Conversation
                && talk.party == self.w.party
                && self.age(talk.occurred_at) < 7
                && self.about(talk, by)
        })
    }

    // --- times

    /// One answer to a debtor who wrote or called over the same medium within the hour, or the confirmation of a stop.
    fn answers(&self, within: Span) -> bool {
        let mut here = self.past().rev().filter(|contact| {
            contact.channel == self.w.channel && (contact.point.is_none() || contact.point == self.w.point)
        });
        match self.w.purpose {
            Purpose::ConsumerRequested | Purpose::PaymentReceipt => here.next().is_some_and(|newest| {
                newest.direction == Direction::Inbound && self.w.at.since(newest.occurred_at) < within
            }),
            Purpose::OptOutConfirmation => {
                let recent = self.w.opt_outs.iter().filter(|stop| {
                    stop.received_at <= self.w.at
                        && self.w.at.since(stop.received_at) < within
                        && stop.channel.covers(self.w.channel)
                        && self.covers_point(stop.point)
                });
                recent.map(|stop| stop.received_at).max().is_some_and(|stop| {
                    !here.any(|contact| {
                        contact.occurred_at >= stop && contact.direction == Direction::Outbound
                    })
                })
            }
            Purpose::Collection | Purpose::ValidationNotice | Purpose::RequiredNotice => false,
        }
    }

    /// Direct prior consent to this time that was not taken in a contact which itself broke the rule (1006.6(b)(4)).
    fn time_consented(&self, void_if: Option<&dyn Fn(Timestamp) -> bool>) -> bool {
        self.consents(ConsentScope::Time).any(|consent| {
            let hour_before = consent.granted_at.minus(Span::hours(1));
            let recent: Vec<&Contact> = self
                .w
                .contacts
                .iter()
                .filter(|c| hour_before <= c.occurred_at && c.occurred_at <= consent.granted_at)
                .collect();
            let tainted = void_if.is_some_and(|broke| {
                recent.last().is_some_and(|newest| {
                    newest.direction == Direction::Outbound && broke(newest.occurred_at)
                }) && !recent.iter().any(|contact| contact.direction == Direction::Inbound)
            });
            // Whatever account it names, a stop ends it.
            let stopped = self.w.opt_outs.iter().any(|stop| {
                stop.channel.covers(self.w.channel)
                    && self.covers_point(stop.point)
                    && (consent.granted_at..=self.w.at).contains(&stop.received_at)
            });
            consent.given_to == GivenTo::Collector
                && consent.expires_at.is_none_or(|end| self.w.at < end)
                && !tainted
                && !stopped
        })
    }

    fn federal_times(&self, note: &mut dyn FnMut(&'static str, bool)) {
        let hour = Span::hours(1);
        if self.w.channel != Channel::Letter && self.accounts().any(Self::fdcpa) {
            let broke = |at: Timestamp| Self::outside_at(at, 480, 1_260, &self.zones);
            let excused = self.answers(hour) || self.time_consented(Some(&broke));
            note("us.fed.regf.inconvenient-time", broke(self.w.at) && !excused);
        }
        let broke =
            |at: Timestamp| self.w.preferences.inconvenient.iter().any(|stated| self.stated(stated, at));
        let excused = self.answers(hour) || self.time_consented(Some(&broke));
        note("us.fed.regf.stated-inconvenient-time", broke(self.w.at) && !excused);
    }

    fn stated(&self, stated: &InconvenientTime, at: Timestamp) -> bool {
        if !(stated.channels.is_empty() || stated.channels.contains(&self.w.channel)) {
            return false;
        }
        if stated.since.is_some_and(|since| at < since) {
            return false;
        }
        let tied = stated.places.is_empty() || stated.places.iter().any(|place| self.tied_to(*place));
        let day = |date: Date| {
            dunwell::domain::consent::Weekday::ALL
                [date.weekday().to_monday_zero_offset().unsigned_abs() as usize]
        };
        tied && self.zones.iter().any(|zone| {
            let now = zone.to_datetime(at.to_jiff());
            let minute = now.hour().unsigned_abs() as u16 * 60 + now.minute().unsigned_abs() as u16;
            let (from, to) = (stated.from.minutes(), stated.to.minutes());
            let today = stated.days.contains(&day(now.date()));
            let yesterday = stated.days.contains(&day(now.date().yesterday().expect("a day")));
            if from < to {
                today && from <= minute && minute < to
            } else {
                (today && from <= minute) || (yesterday && minute < to)
            }
        })
    }

    fn tied_to(&self, place: Place) -> bool {
        let point = self.point();
        let work = point.is_some_and(|point| point.workplace || point.employer_provided);
        let mobile = point.is_some_and(|point| point.line_type == LineType::Mobile);
        match (place, self.w.channel) {
            (Place::Work, Channel::Email | Channel::Sms | Channel::Voice) => work,
            (Place::Home, Channel::Sms | Channel::Voice) => !work && !mobile,
            (Place::Home, Channel::Letter) | (_, Channel::Visit) => true,
            (Place::Home, Channel::Email) | (Place::Work, Channel::Letter) | (_, Channel::Portal) => false,
        }
    }

    // --- consents

    fn federal_consents(&self, note: &mut dyn FnMut(&'static str, bool)) {
        if self.w.purpose == Purpose::OptOutConfirmation {
            return;
        }
        let to = |scope, whom: &'static [GivenTo]| {
            self.consents(scope).any(|consent| whom.contains(&consent.given_to) && self.unrevoked(consent))
        };
        let anybody = &[GivenTo::Collector, GivenTo::Creditor, GivenTo::PriorCollector];
        let automated = to(ConsentScope::Automated, anybody);
        note("us.fed.tcpa.text-consent", self.w.channel == Channel::Sms && !automated);
        note("us.fed.tcpa.call-consent", self.voice() && self.w.automated && !automated);
        if self.w.channel == Channel::Email {
            let direct = to(ConsentScope::Electronic, &[GivenTo::Collector, GivenTo::PriorCollector]);
            note(
                "us.fed.regf.electronic-consent",
                !direct && !self.wrote(None, None) && !self.creditor_noticed(),
            );
        }
        if self.w.channel == Channel::Sms {
            let direct = to(ConsentScope::Electronic, &[GivenTo::Collector]);
            let wrote = self.wrote(Some(60), Some(60));
            note("us.fed.regf.text-consent", !direct && !wrote);
            let young = |consent: &Consent| {
                self.age_at_most(consent.granted_at) <= 60 || self.checked_since(consent.granted_at, 60)
            };
            let mut given = self.consents(ConsentScope::Electronic);
            let sheltered = given.any(|consent| {
                consent.given_to == GivenTo::Collector && self.unrevoked(consent) && young(consent)
            });
            let fdcpa = self.accounts().any(Self::fdcpa);
            note("us.fed.regf.text-consent-age", fdcpa && !sheltered && !wrote);
        }
        let landline = self.point().is_some_and(|point| point.line_type != LineType::Mobile);
        if self.voice() && self.w.automated && landline && !automated {
            let calls = self.past().filter(|call| {
                call.channel == Channel::Voice
                    && call.automated
                    && call.direction == Direction::Outbound
                    && !matches!(call.result, R::Busy | R::NotConnected | R::Failed)
                    && self.about(call, By::Point(self.w.point))
                    && self.age(call.occurred_at) < 30
            });
            note("us.fed.tcpa.three-in-thirty", self.since("2023-07-20") && calls.count() >= 3);
        }
    }

    fn since(&self, date: &str) -> bool {
        let date: Date = date.parse().expect("a date");
        self.now().any(|now| now.date() >= date)
    }

    /// The debtor wrote from the very point, about every account asked about, so many days ago at most, and said no stop since.
    fn wrote(&self, days: Option<i32>, checked: Option<i32>) -> bool {
        self.past().any(|message| {
            let fresh = days.is_none_or(|days| self.age_at_most(message.occurred_at) <= days)
                || checked.is_some_and(|days| self.checked_since(message.occurred_at, days));
            message.direction == Direction::Inbound
                && message.channel == self.w.channel
                && message.party == Party::Debtor
                && message.point.is_some()
                && message.point == self.w.point
                && Self::covers_accounts(&message.accounts, &self.w.accounts)
                && fresh
                && !self.stopped_between(message.occurred_at, self.w.at)
        })
    }

    /// A check of the number, so many days ago at most, that found it not reassigned since a moment.
    fn checked_since(&self, since: Timestamp, days: i32) -> bool {
        let Some(check) = self.point().and_then(|point| point.reassignment_check.as_ref()) else {
            return false;
        };
        check.result == ReassignmentResult::No
            && self.zones.iter().all(|zone| {
                let today = Self::date(zone, self.w.at);
                check.since <= Self::date(zone, since)
                    && check.checked_on <= today
                    && Self::days_between(check.checked_on, today) <= days
            })
    }

    fn creditor_noticed(&self) -> bool {
        let Some(point) = self.point().filter(|point| !point.employer_provided) else { return false };
        let Some(notice) = &point.creditor_notice else { return false };
        let over = self.now().all(|now| now.date() > notice.opt_out_until);
        let mut said: Vec<&str> = notice.states.iter().map(|element| element.as_str()).collect();
        said.sort_unstable();
        said.dedup();
        said.len() == 5
            && Self::days_between(notice.sent_on, notice.opt_out_until) >= 35
            && over
            && self.consents(ConsentScope::Electronic).any(|consent| {
                consent.given_to == GivenTo::Creditor && consent.point.is_some() && self.unrevoked(consent)
            })
    }

    // --- holds, stops, points

    fn held(&self, kinds: &[HoldKind]) -> bool {
        self.w.holds.iter().any(|hold| {
            let about = hold.accounts.is_empty()
                || self.w.accounts.is_empty()
                || self.w.accounts.iter().any(|account| hold.accounts.contains(account));
            kinds.contains(&hold.kind)
                && about
                && hold.since <= self.w.at
                && hold.lifted_at.is_none_or(|lifted| self.w.at < lifted)
        })
    }

    fn federal_holds(&self, note: &mut dyn FnMut(&'static str, bool)) {
        let (us, notice) = (self.with_us(), self.w.purpose == Purpose::RequiredNotice);
        note("us.fed.regf.cease", us && !notice && self.held(&[HoldKind::Cease, HoldKind::RefusesToPay]));
        note("us.fed.regf.attorney", us && self.held(&[HoldKind::Attorney]));
        note("us.fed.regf.dispute", us && !notice && self.held(&[HoldKind::Dispute]));
        note("us.fed.bankruptcy", us && self.held(&[HoldKind::Bankruptcy]));
        note("us.fed.regf.litigation", us && !notice && self.held(&[HoldKind::Litigation]));
        note("us.fed.regf.incarcerated", us && !notice && self.held(&[HoldKind::Incarcerated]));
        note("us.fed.scra.military", us && !notice && self.held(&[HoldKind::Military]));
        let met = matches!(self.w.party, Party::Debtor | Party::ThirdParty);
        note("us.fed.regf.deceased", met && self.held(&[HoldKind::Deceased]));
        let refused = self.refused();
        match self.w.channel {
            Channel::Letter | Channel::Visit if notice => {}
            // No confirmation of a stop goes out by mail.
            Channel::Letter | Channel::Visit if self.w.purpose == Purpose::OptOutConfirmation => {
                note("us.fed.regf.opt-out-mail", true);
            }
            Channel::Letter | Channel::Visit => note("us.fed.regf.opt-out-mail", refused),
            _ if self.w.purpose == Purpose::OptOutConfirmation => {
                note("us.fed.regf.opt-out", !self.answers(Span::minutes(5)));
            }
            _ => note("us.fed.regf.opt-out", refused && !self.answers(Span::minutes(5))),
        }
    }

    /// A refusal of the medium or the address that no later consent lifts.
    fn refused(&self) -> bool {
        self.w.opt_outs.iter().any(|stop| {
            let about = stop.accounts.is_empty()
                || self.w.accounts.is_empty()
                || self.w.accounts.iter().any(|account| stop.accounts.contains(account));
            let lifted = self.w.consents.iter().any(|consent| {
                let same_point = match consent.point {
                    Some(point) => self.w.point == Some(point),
                    None => stop.point.is_none(),
                };
                stop.received_at < consent.granted_at
                    && consent.granted_at <= self.w.at
                    && consent.channel == self.w.channel
                    && same_point
                    && Self::covers_accounts(&consent.accounts, &self.w.accounts)
            });
            stop.received_at <= self.w.at
                && stop.channel.covers(self.w.channel)
                && self.covers_point(stop.point)
                && about
                && !lifted
        })
    }

    fn points_and_accounts(&self, note: &mut dyn FnMut(&'static str, bool)) {
        let point = self.point();
        let kind = PointKind::of(self.w.channel);
        let missing = kind.is_some() && point.map(|point| point.kind) != kind;
        let invalid = point.is_some_and(|point| self.w.invalid.contains(&point.point));
        let mute = self.w.channel == Channel::Sms
            && point.is_some_and(|point| point.line_type == LineType::Landline);
        note("us.fed.regf.contact-point", missing || invalid || mute);
        note("us.fed.regf.reply-pending", point.is_some_and(|point| self.w.frozen.contains(&point.point)));
        let written = matches!(self.w.channel, Channel::Sms | Channel::Email);
        let told = self.past().any(|contact| {
            contact.party == Party::ThirdParty
                && matches!(contact.channel, Channel::Sms | Channel::Email)
                && contact.point.is_some()
                && contact.point == self.w.point
        });
        note("us.fed.regf.known-disclosure", written && point.is_some() && told);
        let work = point.is_some_and(|point| point.workplace || point.employer_provided);
        let agreed = self.consents(ConsentScope::Workplace).any(|consent| self.unrevoked(consent));
        let wrote = self.w.channel == Channel::Email
            && self.past().any(|message| {
                message.direction == Direction::Inbound
                    && message.channel == Channel::Email
                    && message.point == self.w.point
            });
        note("us.fed.regf.workplace", work && !agreed && !wrote);
        if matches!(self.w.channel, Channel::Sms | Channel::Voice) {
            note("us.fed.tcpa.reassigned-number", self.reassigned());
        }
        if matches!(self.w.purpose, Purpose::Collection | Purpose::ValidationNotice) {
            let closed = |account: &AccountOutline| account.status != AccountStatus::Open;
            let nothing = if self.w.accounts.is_empty() {
                self.accounts().all(closed)
            } else {
                self.accounts().any(closed)
            };
            note("us.fed.regf.nothing-owed", nothing);
            let too_old = |account: &AccountOutline| account.time_barred;
            let barred = if self.w.accounts.is_empty() {
                self.accounts().all(too_old)
            } else {
                self.accounts().any(too_old)
            };
            note("us.fed.regf.time-barred", self.accounts().any(Self::fdcpa) && barred);
        }
    }

    fn reassigned(&self) -> bool {
        let Some(check) = self.point().and_then(|point| point.reassignment_check.as_ref()) else {
            return false;
        };
        let begun = self.now().any(|now| now.date() >= check.checked_on);
        let renewed = self.w.consents.iter().any(|consent| {
            let after = self.zones.iter().all(|zone| Self::date(zone, consent.granted_at) > check.checked_on);
            consent.channel == self.w.channel
                && consent.point.is_some()
                && consent.point == self.w.point
                && consent.granted_at <= self.w.at
                && after
        });
        check.result == ReassignmentResult::Yes && begun && !renewed
    }

    // --- reviews

    fn reviews(&self, note: &mut dyn FnMut(&'static str, bool)) {
        let fdcpa = self.accounts().any(Self::fdcpa);
        if self.voice() && fdcpa {
            let quiet = |now: DateTime| {
                now.weekday() == Weekday::Sunday || HOLIDAYS.contains(&now.date().to_string().as_str())
            };
            note("us.fed.regf.sunday-or-holiday", self.now().any(quiet));
        }
        if self.voice() && fdcpa && self.with_us() {
            let unanswered = self.past().any(|call| {
                call.channel == Channel::Voice
                    && call.direction == Direction::Outbound
                    && call.party == self.w.party
                    && matches!(call.result, R::NoAnswer | R::Voicemail | R::LimitedContentMessage)
                    && self.about(call, By::Point(self.w.point))
                    && self.w.at.since(call.occurred_at) < Span::minutes(5)
            });
            note("us.fed.regf.rapid-succession", unanswered);
            for account in self.accounts().filter(|account| Self::fdcpa(account)) {
                let today = self
                    .ours(&[Channel::Voice], By::Debt(account))
                    .filter(|call| self.age(call.occurred_at) < 1);
                note("us.fed.regf.seven-in-one-day", today.count() >= 6);
            }
        }
        let written = matches!(self.w.channel, Channel::Sms | Channel::Email | Channel::Portal);
        if written && fdcpa && !Self::asked_for(self.w.purpose) {
            note("us.fed.regf.many-messages", self.messages(By::Debtor, true).count() >= 10);
        }
        let met = matches!(self.w.party, Party::Debtor | Party::Spouse);
        if fdcpa && met && self.w.purpose == Purpose::Collection {
            let runs = self.accounts().filter(|a| Self::fdcpa(a)).any(|account| self.validating(account));
            note("us.fed.regf.validation-period", runs);
        }
    }

    /// Our texts, emails and private messages of the past week.
    fn messages(&self, by: By<'w>, wrong_counts: bool) -> impl Iterator<Item = &'w Contact> + '_ {
        self.past().filter(move |message| {
            matches!(message.channel, Channel::Sms | Channel::Email | Channel::Portal)
                && message.direction == Direction::Outbound
                && message.party == self.w.party
                && message.result != R::Failed
                && (wrong_counts || !self.misdirected(message))
                && (wrong_counts || message.result != R::WrongNumber)
                && !Self::asked_for(message.purpose)
                && self.about(message, by)
                && self.age(message.occurred_at) < 7
        })
    }

    /// 1006.34(b)(5): five business days to receipt, thirty days from there, both ends anywhere the debtor may be.
    fn validating(&self, account: &AccountOutline) -> bool {
        let Some(sent) = account.validation_notice_sent_on else { return false };
        let mut day = sent;
        let mut business_days = 0;
        while business_days < 5 {
            day = day.tomorrow().expect("a day");
            let weekend = matches!(day.weekday(), Weekday::Saturday | Weekday::Sunday);
            if !weekend && !HOLIDAYS.contains(&day.to_string().as_str()) {
                business_days += 1;
            }
        }
        let last = day.checked_add(jiff::Span::new().days(30)).expect("a day");
        self.now().any(|now| now.date() >= sent) && self.now().any(|now| now.date() <= last)
    }

    // --- states

    fn states(&self, note: &mut dyn FnMut(&'static str, bool)) {
        const CALLS_AND_TEXTS: &[Channel] = &[Channel::Voice, Channel::Sms];
        let telephone = CALLS_AND_TEXTS.contains(&self.w.channel);
        let consumer = self.accounts().any(Self::consumer);
        let work = self.at_work(self.w.point);
        let hour = Span::hours(1);
        let eastern = [TimeZone::get("America/New_York").expect("a zone")];
        if self.in_state("US-MA")
            && telephone
            && self.with_us()
            && self.w.purpose != Purpose::OptOutConfirmation
        {
            for account in self.accounts().filter(|account| Self::consumer(account)) {
                let counted = |days: i32| {
                    let all = self.ours(CALLS_AND_TEXTS, By::Debt(account));
                    let all = all.filter(|contact| contact.purpose != Purpose::OptOutConfirmation);
                    all.filter(|contact| {
                        self.at_work(contact.point) == work && self.age(contact.occurred_at) < days
                    })
                    .count()
                };
                note("us.ma.two-in-seven", !work && counted(7) >= 2);
                note("us.ma.two-in-thirty-elsewhere", work && counted(30) >= 2);
            }
        }
        if self.in_state("US-DC") && consumer {
            self.district(note, &eastern);
        }
        if self.in_state("US-FL") && consumer && telephone {
            let excused = self.answers(hour) || self.time_consented(None);
            note("us.fl.hours", self.outside(480, 1_260, &self.zones) && !excused);
        }
        if self.in_state("US-NH") && consumer {
            let broke = |at: Timestamp| Self::outside_at(at, 480, 1_260, &self.zones);
            let excused = self.answers(hour) || self.time_consented(Some(&broke));
            let reached = telephone || self.w.channel == Channel::Visit;
            note("us.nh.hours", reached && broke(self.w.at) && !excused);
        }
        if telephone && work && consumer && self.with_us() {
            let calls = || self.ours(CALLS_AND_TEXTS, By::Debtor).filter(|call| self.at_work(call.point));
            let same_month = |call: &Contact| {
                self.zones.iter().any(|zone| {
                    let (then, now) = (Self::date(zone, call.occurred_at), Self::date(zone, self.w.at));
                    (then.year(), then.month()) == (now.year(), now.month())
                })
            };
            let monday = |date: Date| {
                let back = i64::from(date.weekday().to_monday_zero_offset());
                date.checked_sub(jiff::Span::new().days(back)).expect("a day")
            };
            let same_week = |call: &Contact| {
                self.zones.iter().any(|zone| {
                    monday(Self::date(zone, call.occurred_at)) == monday(Self::date(zone, self.w.at))
                })
            };
            note("us.nh.once-a-month-at-work", self.in_state("US-NH") && calls().any(same_month));
            note("us.or.one-at-work", self.in_state("US-OR") && calls().any(same_week));
        }
        if self.in_state("US-NV") && !Self::asked_for(self.w.purpose) {
            let notice = matches!(self.w.purpose, Purpose::ValidationNotice | Purpose::RequiredNotice);
            let waits = |account: &AccountOutline| match account.validation_notice_sent_on {
                None => true,
                Some(sent) => !self.now().all(|now| Self::days_between(sent, now.date()) > 60),
            };
            let mut medical = self.accounts().filter(|a| Self::agency(a) && a.debt_type == DebtType::Medical);
            note("us.nv.medical-sixty-days", !notice && medical.any(waits));
        }
        self.washington(note, telephone);
        if self.in_state("US-WV") && self.voice() && consumer && self.with_us() {
            let week = || {
                self.past().filter(|call| {
                    call.channel == Channel::Voice
                        && call.direction == Direction::Outbound
                        && call.party == self.w.party
                        && self.age(call.occurred_at) < 7
                })
            };
            let calls = week()
                .filter(|call| !matches!(call.result, R::WrongNumber | R::Failed) && !self.misdirected(call));
            note("us.wv.thirty-calls", calls.count() >= 30);
            note(
                "us.wv.ten-conversations",
                week().filter(|call| call.result == R::Conversation).count() >= 10,
            );
        }
    }

    fn district(&self, note: &mut dyn FnMut(&'static str, bool), eastern: &[TimeZone]) {
        for account in self.accounts().filter(|account| Self::consumer(account)) {
            if self.voice() && self.with_us() {
                let calls = self.ours(&[Channel::Voice], By::Account(account));
                note("us.dc.four-in-seven", calls.filter(|call| self.age(call.occurred_at) < 7).count() >= 4);
                let asked = self.w.purpose == Purpose::ConsumerRequested;
                note("us.dc.after-conversation", !asked && self.talked_within_a_week(By::Account(account)));
            }
            let written = matches!(self.w.channel, Channel::Sms | Channel::Email | Channel::Portal);
            if written && !Self::asked_for(self.w.purpose) {
                note("us.dc.five-messages-in-seven", self.messages(By::Account(account), false).count() >= 5);
                let notice = matches!(self.w.purpose, Purpose::ValidationNotice | Purpose::RequiredNotice);
                let mailed = account
                    .validation_notice_sent_on
                    .is_some_and(|sent| self.now().any(|now| now.date() >= sent));
                note("us.dc.notice-first", !notice && !mailed);
            }
        }
        let telephone = matches!(self.w.channel, Channel::Voice | Channel::Sms);
        if telephone && self.w.purpose != Purpose::OptOutConfirmation {
            note("us.dc.hours", self.outside(480, 1_260, eastern));
        }
    }

    fn washington(&self, note: &mut dyn FnMut(&'static str, bool), telephone: bool) {
        if !self.in_state("US-WA") || !self.accounts().any(Self::agency) {
            return;
        }
        let wanted = Self::asked_for(self.w.purpose);
        let made = |contact: &&Contact| {
            contact.direction == Direction::Outbound && !Self::asked_for(contact.purpose)
        };
        if matches!(self.w.party, Party::Debtor | Party::Spouse) && !wanted {
            let week = self.past().filter(made).filter(|contact| {
                matches!(contact.party, Party::Debtor | Party::Spouse)
                    && Self::connected(contact)
                    && !self.misdirected(contact)
                    && self.age(contact.occurred_at) < 7
            });
            note("us.wa.three-in-a-week", week.count() >= 3);
        }
        let cell = self.point().is_some_and(|point| point.line_type != LineType::Landline);
        if telephone && cell && !wanted {
            let today = self.past().filter(made).filter(|contact| {
                matches!(contact.channel, Channel::Voice | Channel::Sms)
                    && contact.result != R::Failed
                    && self.about(contact, By::Point(self.w.point))
                    && self.age(contact.occurred_at) < 1
            });
            note("us.wa.two-a-day-to-a-cell", today.count() >= 2);
        }
        if telephone || self.w.channel == Channel::Visit {
            let excused = self.answers(Span::hours(1));
            note("us.wa.home-hours", self.outside(450, 1_260, &self.zones) && !excused);
        }
    }

    fn new_york(&self, note: &mut dyn FnMut(&'static str, bool)) {
        let wanted = Self::asked_for(self.w.purpose) || self.w.purpose == Purpose::RequiredNotice;
        let named_in_writing = |consent: &Consent| {
            matches!(consent.form, Some(ConsentForm::Written | ConsentForm::Electronic))
                && !consent.accounts.is_empty()
                && self.unrevoked(consent)
        };
        let credit = |account: &AccountOutline| {
            let outside =
                matches!(account.debt_type, DebtType::Commercial | DebtType::Medical | DebtType::Mortgage);
            Self::agency(account) && !outside
        };
        let confirmation = matches!(self.w.purpose, Purpose::OptOutConfirmation | Purpose::RequiredNotice);
        if self.in_state("US-NY")
            && self.w.channel == Channel::Email
            && self.accounts().any(credit)
            && !confirmation
        {
            let mut given = self.consents(ConsentScope::Electronic);
            let direct = given.any(|c| c.given_to == GivenTo::Collector && named_in_writing(c));
            note("us.ny.email-consent", !direct);
        }
        // The city is known by the address alone.
        let in_the_city = self.w.debtor.locations.iter().any(|place| {
            place.region.as_deref() == Some("US-NY") && place.locality.as_deref() == Some("brooklyn")
        });
        let electronic = matches!(self.w.channel, Channel::Sms | Channel::Email);
        if !in_the_city || !self.accounts().any(Self::consumer) {
            return;
        }
        let (old_law, new_law) = (!self.now().all(|now| now.date().year() >= 2027), self.since("2027-01-01"));
        if (electronic || self.voice()) && self.with_us() && !wanted {
            const THREE: &[Channel] = &[Channel::Voice, Channel::Sms, Channel::Email];
            let week = |by: By<'w>| {
                let made = self.ours(THREE, by).filter(|contact| {
                    !(Self::asked_for(contact.purpose) || contact.purpose == Purpose::RequiredNotice)
                });
                made.filter(|contact| self.age(contact.occurred_at) < 7).count()
            };
            let mut accounts = self.accounts().filter(|account| Self::consumer(account));
            let three = new_law && accounts.any(|account| week(By::Account(account)) >= 3);
            note("us.ny.nyc.contacts-in-seven", (old_law && week(By::Debtor) >= 2) || three);
        }
        if electronic && new_law && !confirmation {
            let mut given = self.consents(ConsentScope::Electronic);
            let agreed = given.any(|c| c.given_to != GivenTo::PriorCollector && named_in_writing(c));
            note("us.ny.nyc.electronic-consent", !agreed && !self.wrote(Some(60), None));
        }
    }
}
