//! Regulation F and the TCPA, naively.

use super::{By, Naive, is_holiday};
use dunwell::domain::channel::{Channel, Claim, Direction, Party, Purpose};
use dunwell::domain::consent::{Consent, ConsentScope, GivenTo, HoldKind, InconvenientTime, Place};
use dunwell::domain::contact::Contact;
use dunwell::domain::contact::ContactResult as R;
use dunwell::domain::contact_point::{LineType, PointKind, ReassignmentResult};
use dunwell::domain::debtor::{AccountOutline, AccountStatus};
use dunwell::domain::time::{Span, Timestamp};
use jiff::civil::{Date, DateTime, Weekday};

impl<'w> Naive<'w> {
    pub(super) fn federal_calls(&self, note: &mut dyn FnMut(&'static str, bool)) {
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
                .filter(|call| !self.is_own(call) || !self.wanted(call.occurred_at, call.point, account));
            note("us.fed.regf.seven-in-seven", counted.count() >= 7);
            note("us.fed.regf.after-conversation", self.talked_within_a_week(By::Debt(account)));
        }
    }

    /// Whoever is asked where the debtor is was spoken to before, over the same number (1006.10(c)).
    pub(super) fn asked_before(&self, note: &mut dyn FnMut(&'static str, bool)) {
        let asks = self.voice() && self.w.party == Party::ThirdParty;
        let again = self.everywhere().any(|call| {
            call.channel == Channel::Voice
                && call.direction == Direction::Outbound
                && call.party == Party::ThirdParty
                && call.result == R::Conversation
                && self.about(call, By::Point(self.w.point))
        });
        let wanted = self.w.purpose == Purpose::ConsumerRequested;
        note("us.fed.regf.one-location-call", asks && again && !wanted && self.accounts().any(Self::fdcpa));
    }

    pub(super) fn talked_within_a_week(&self, by: By) -> bool {
        self.everywhere().any(|talk| {
            talk.channel == Channel::Voice
                && talk.result == R::Conversation
                && talk.party == self.w.party
                && self.age(talk.occurred_at) < 7
                && self.about(talk, by)
        })
    }

    // --- times

    /// One answer to a debtor who wrote or called over the same medium within the hour, or the confirmation of a stop.
    pub(super) fn answers(&self, within: Span) -> bool {
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
    pub(super) fn time_consented(&self, void_if: Option<&dyn Fn(Timestamp) -> bool>) -> bool {
        self.time_consented_since(None, void_if)
    }

    /// The same, not given before a moment.
    pub(super) fn time_consented_since(
        &self,
        since: Option<Timestamp>,
        void_if: Option<&dyn Fn(Timestamp) -> bool>,
    ) -> bool {
        let given = self.consents(ConsentScope::Time);
        given.filter(|consent| since.is_none_or(|since| since <= consent.granted_at)).any(|consent| {
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

    pub(super) fn federal_times(&self, note: &mut dyn FnMut(&'static str, bool)) {
        let hour = Span::hours(1);
        if !self.with_us() {
            return;
        }
        if self.w.channel != Channel::Letter && self.accounts().any(Self::fdcpa) {
            let broke = |at: Timestamp| Self::outside_at(at, 480, 1_260, &self.zones);
            let excused = self.answers(hour) || self.time_consented(Some(&broke));
            note("us.fed.regf.inconvenient-time", broke(self.w.at) && !excused);
        }
        let broke =
            |at: Timestamp| self.w.preferences.inconvenient.iter().any(|stated| self.stated(stated, at));
        let stands = self.w.preferences.inconvenient.iter().any(|stated| {
            self.stated(stated, self.w.at) && !self.time_consented_since(stated.since, Some(&broke))
        });
        note("us.fed.regf.stated-inconvenient-time", stands && !self.answers(hour));
    }

    pub(super) fn stated(&self, stated: &InconvenientTime, at: Timestamp) -> bool {
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

    pub(super) fn tied_to(&self, place: Place) -> bool {
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

    pub(super) fn federal_consents(&self, note: &mut dyn FnMut(&'static str, bool)) {
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
            let calls = self.everywhere().filter(|call| {
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

    pub(super) fn since(&self, date: &str) -> bool {
        let date: Date = date.parse().expect("a date");
        self.now().any(|now| now.date() >= date)
    }

    /// The debtor wrote from the very point, about every account asked about, so many days ago at most, and said no stop since.
    pub(super) fn wrote(&self, days: Option<i32>, checked: Option<i32>) -> bool {
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
    pub(super) fn checked_since(&self, since: Timestamp, days: i32) -> bool {
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

    pub(super) fn creditor_noticed(&self) -> bool {
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

    pub(super) fn held(&self, kinds: &[HoldKind]) -> bool {
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

    pub(super) fn federal_holds(&self, note: &mut dyn FnMut(&'static str, bool)) {
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
        match self.w.channel {
            Channel::Letter | Channel::Visit if notice => {}
            // No confirmation of a stop goes out by mail.
            Channel::Letter | Channel::Visit if self.w.purpose == Purpose::OptOutConfirmation => {
                note("us.fed.regf.opt-out-mail", us);
            }
            Channel::Letter | Channel::Visit => note("us.fed.regf.opt-out-mail", us && self.refused(false)),
            _ if self.w.purpose == Purpose::OptOutConfirmation => {
                note("us.fed.regf.opt-out", us && !self.answers(Span::minutes(5)));
            }
            _ => note("us.fed.regf.opt-out", us && self.refused(true)),
        }
    }

    /// A refusal of the medium or the address that no later consent lifts, and, where that is permitted, no answer excuses.
    pub(super) fn refused(&self, answerable: bool) -> bool {
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
                    && consent.expires_at.is_none_or(|end| self.w.at < end)
                    && consent.given_to == GivenTo::Collector
                    && consent.channel == self.w.channel
                    && same_point
                    && Self::covers_accounts(&consent.accounts, &self.w.accounts)
            });
            stop.received_at <= self.w.at
                && stop.channel.covers(self.w.channel)
                && self.covers_point(stop.point)
                && about
                && !lifted
                && !(answerable && self.answered_since(stop.received_at))
        })
    }

    /// The one answer to a debtor who wrote or called over the refused medium within three days, and after refusing it.
    fn answered_since(&self, stop: Timestamp) -> bool {
        let asked = matches!(self.w.purpose, Purpose::ConsumerRequested | Purpose::PaymentReceipt);
        let newest = self.past().rev().find(|contact| {
            contact.channel == self.w.channel && (contact.point.is_none() || contact.point == self.w.point)
        });
        asked
            && newest.is_some_and(|newest| {
                newest.direction == Direction::Inbound
                    && stop < newest.occurred_at
                    && self.w.at.since(newest.occurred_at) < Span::days(3)
            })
    }

    pub(super) fn points_and_accounts(&self, note: &mut dyn FnMut(&'static str, bool)) {
        let point = self.point();
        let kind = PointKind::of(self.w.channel);
        let missing = kind.is_some() && point.map(|point| point.kind) != kind;
        let invalid = point.is_some_and(|point| self.w.invalid.contains(&point.point));
        let mute = self.w.channel == Channel::Sms
            && point.is_some_and(|point| point.line_type == LineType::Landline);
        note("us.fed.regf.contact-point", self.with_us() && (missing || invalid || mute));
        note("us.fed.regf.reply-pending", point.is_some_and(|point| self.w.frozen.contains(&point.point)));
        let written = matches!(self.w.channel, Channel::Sms | Channel::Email);
        let told = self.everywhere().any(|contact| {
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
        note("us.fed.regf.workplace", self.with_us() && work && !agreed && !wrote);
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
            let too_old = |account: &AccountOutline| account.time_barred == Some(true);
            let barred = self.accounts().any(too_old);
            note("us.fed.regf.time-barred", self.accounts().any(Self::fdcpa) && barred);
        }
        if self.w.says.contains(&Claim::LegalAction) && self.accounts().any(Self::fdcpa) {
            note(
                "us.fed.regf.time-barred-suit",
                self.accounts().any(|account| account.time_barred != Some(false)),
            );
        }
        if self.w.says.contains(&Claim::Deadline) {
            let runs = self.accounts().filter(|a| Self::fdcpa(a)).any(|account| self.validating(account));
            note("us.fed.regf.overshadowing", runs);
        }
    }

    pub(super) fn reassigned(&self) -> bool {
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

    pub(super) fn reviews(&self, note: &mut dyn FnMut(&'static str, bool)) {
        let fdcpa = self.accounts().any(Self::fdcpa);
        if self.voice() && fdcpa {
            let quiet = |now: DateTime| now.weekday() == Weekday::Sunday || is_holiday(now.date());
            note("us.fed.regf.sunday-or-holiday", self.now().any(quiet));
        }
        if self.voice() && fdcpa && self.with_us() {
            let unanswered = self.everywhere().any(|call| {
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
    pub(super) fn messages(&self, by: By<'w>, wrong_counts: bool) -> impl Iterator<Item = &'w Contact> + '_ {
        self.everywhere().filter(move |message| {
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
    pub(super) fn validating(&self, account: &AccountOutline) -> bool {
        let Some(sent) = account.validation_notice_sent_on else { return false };
        let mut day = sent;
        let mut business_days = 0;
        while business_days < 5 {
            day = day.tomorrow().expect("a day");
            let weekend = matches!(day.weekday(), Weekday::Saturday | Weekday::Sunday);
            if !weekend && !is_holiday(day) {
                business_days += 1;
            }
        }
        let last = day.checked_add(jiff::Span::new().days(30)).expect("a day");
        self.now().any(|now| now.date() >= sent) && self.now().any(|now| now.date() <= last)
    }
}
