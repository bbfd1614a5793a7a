//! The law of the states, naively.

use super::{By, Naive, bundled};
use dunwell::domain::channel::{Channel, Direction, Party, Purpose};
use dunwell::domain::consent::{Consent, ConsentForm, ConsentScope, GivenTo};
use dunwell::domain::contact::Contact;
use dunwell::domain::contact::ContactResult as R;
use dunwell::domain::contact_point::LineType;
use dunwell::domain::debtor::{AccountOutline, DebtType};
use dunwell::domain::time::{Span, Timestamp};
use jiff::civil::Date;
use jiff::tz::TimeZone;

impl<'w> Naive<'w> {
    pub(super) fn states(&self, note: &mut dyn FnMut(&'static str, bool)) {
        const CALLS_AND_TEXTS: &[Channel] = &[Channel::Voice, Channel::Sms];
        let telephone = CALLS_AND_TEXTS.contains(&self.w.channel);
        let consumer = self.accounts().any(Self::consumer);
        let work = self.at_work(self.w.point);
        let hour = Span::hours(1);
        let eastern = [bundled("America/New_York")];
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
        let in_hours = telephone || matches!(self.w.channel, Channel::Portal | Channel::Visit);
        if self.in_state("US-FL") && consumer && in_hours && self.with_us() {
            let excused = self.answers(hour) || self.time_consented(None);
            note("us.fl.hours", self.outside(480, 1_260, &self.zones) && !excused);
        }
        if self.in_state("US-NH") && consumer {
            let broke = |at: Timestamp| Self::outside_at(at, 480, 1_260, &self.zones);
            let excused = self.answers(hour) || self.time_consented(Some(&broke));
            let reached = telephone || self.w.channel == Channel::Visit;
            note("us.nh.hours", reached && self.with_us() && broke(self.w.at) && !excused);
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

    pub(super) fn district(&self, note: &mut dyn FnMut(&'static str, bool), eastern: &[TimeZone]) {
        for account in self.accounts().filter(|account| Self::consumer(account)) {
            if self.voice() && self.with_us() {
                let calls = self.ours(&[Channel::Voice], By::Account(account));
                let week: Vec<_> = calls.filter(|call| self.age(call.occurred_at) < 7).collect();
                let called_back = week
                    .iter()
                    .any(|call| call.purpose == Purpose::ConsumerRequested && call.result == R::Conversation);
                note("us.dc.four-in-seven", week.len() - usize::from(called_back) >= 4);
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
                let mut given = self.consents(ConsentScope::Electronic);
                let agreed = given.any(|c| c.given_to == GivenTo::Collector && self.unrevoked(c));
                let needed = self.w.channel != Channel::Portal && self.with_us() && !notice;
                note("us.dc.electronic-consent", needed && !agreed);
            }
        }
        let telephone = matches!(self.w.channel, Channel::Voice | Channel::Sms);
        if telephone && self.with_us() && self.w.purpose != Purpose::OptOutConfirmation {
            note("us.dc.hours", self.outside(480, 1_260, eastern));
        }
    }

    pub(super) fn washington(&self, note: &mut dyn FnMut(&'static str, bool), telephone: bool) {
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
            let today = self.everywhere().filter(made).filter(|contact| {
                matches!(contact.channel, Channel::Voice | Channel::Sms)
                    && contact.result != R::Failed
                    && self.about(contact, By::Point(self.w.point))
                    && self.age(contact.occurred_at) < 1
            });
            note("us.wa.two-a-day-to-a-cell", today.count() >= 2);
        }
        if self.with_us() && (telephone || self.w.channel == Channel::Visit) {
            let excused = self.answers(Span::hours(1));
            note("us.wa.home-hours", self.outside(450, 1_260, &self.zones) && !excused);
        }
    }

    pub(super) fn new_york(&self, note: &mut dyn FnMut(&'static str, bool)) {
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
        // The city is known by the address alone; one in the state of which no more is known may lie in it.
        let in_the_city = self.w.debtor.locations.iter().any(|place| {
            place.region.as_deref() == Some("US-NY")
                && place.locality.as_deref().is_none_or(|city| city == "new york city")
        });
        let electronic = matches!(self.w.channel, Channel::Sms | Channel::Email);
        if !in_the_city || !self.accounts().any(Self::consumer) {
            return;
        }
        let (old_law, new_law) = (!self.now().all(|now| now.date().year() >= 2027), self.since("2027-01-01"));
        if self.with_us() && !wanted {
            const THREE: &[Channel] = &[Channel::Voice, Channel::Sms, Channel::Email];
            let week = |channels: &'static [Channel], by: By<'w>| {
                let made = self.ours(channels, by).filter(|contact| {
                    !(Self::asked_for(contact.purpose) || contact.purpose == Purpose::RequiredNotice)
                });
                made.filter(|contact| self.age(contact.occurred_at) < 7).collect::<Vec<_>>()
            };
            let returned = |contact: &&&Contact| contact.result == R::Bounced;
            let any = week(Channel::ALL, By::Debtor);
            let two = any.len() - any.iter().filter(returned).count() >= 2;
            note("us.ny.nyc.two-in-seven", old_law && two);
            let mut accounts = self.accounts().filter(|account| Self::consumer(account));
            let three = accounts.any(|account| week(THREE, By::Account(account)).len() >= 3);
            note("us.ny.nyc.contacts-in-seven", new_law && THREE.contains(&self.w.channel) && three);
        }
        if self.with_us() && new_law && self.w.channel != Channel::Letter {
            let broke = |at: Timestamp| Self::outside_at(at, 480, 1_260, &self.zones);
            let excused = self.answers(Span::hours(1)) || self.time_consented(Some(&broke));
            note("us.ny.nyc.hours", broke(self.w.at) && !excused);
        }
        if electronic && new_law && !confirmation {
            let mut given = self.consents(ConsentScope::Electronic);
            let agreed = given.any(|c| c.given_to != GivenTo::PriorCollector && named_in_writing(c));
            note("us.ny.nyc.electronic-consent", !agreed && !self.wrote(Some(60), None));
        }
    }
}
