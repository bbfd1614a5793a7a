//! Citation: 12 CFR 1006.34(b)(5), 1006.38(b)(1); NRS 649.366; D.C. Code 28-3814(d)(4)(B)(i): a time that must have passed
//! since the written notice about a debt was sent.
//!
//! The notice is assumed to be received so many business days after it was sent, weekends and the holidays of a calendar
//! left out; the period then lasts so many calendar days. Its last day belongs to it.

use crate::domain::consent::Weekday;
use crate::domain::debtor::AccountOutline;
use crate::domain::time::{Date, Timestamp};
use crate::domain::zone::{Local, Zone, day_of, weekday};
use crate::policy::calendar::{Calendar, Named};
use crate::policy::case::{Case, FAR};
use crate::policy::explain::Words;
use crate::policy::rule::{Ask, Say};
use serde::Deserialize;
use std::sync::Arc;

/// A wait after the notice.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::policy) struct WaitingPeriod {
    /// Business days from sending to assumed receipt.
    #[serde(default)]
    pub business_days: u16,
    /// Calendar days from then on.
    #[serde(default)]
    pub days: u16,
    /// Whose holidays are no business days.
    #[serde(default)]
    pub calendar: Option<Named>,
    /// Whether a contact is refused rather than put off to the period's end, because what it says would be as wrong then.
    #[serde(default)]
    pub refuses: bool,
    /// What holds where no notice is known to have been sent.
    pub unsent: Unsent,
}

/// What holds where no notice is known to have been sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(in crate::policy) enum Unsent {
    /// Contact waits for it.
    Bars,
    /// Nothing runs yet.
    Permits,
}

/// The period of one notice, in days since 1970-01-01.
#[derive(Clone, Copy)]
struct Period {
    sent: i64,
    received: i64,
    last: i64,
}

impl WaitingPeriod {
    pub fn fault(&self) -> Option<String> {
        (self.calendar.is_some() && self.business_days == 0)
            .then(|| "`calendar` is for `business_days`; there are none".to_owned())
    }

    /// Finds the calendar; its name where there is none.
    pub fn bind(&mut self, calendars: &[Arc<Calendar>]) -> Option<String> {
        let named = self.calendar.as_mut()?;
        (!named.find(calendars)).then(|| named.name.clone())
    }

    fn is_business_day(&self, day: i64) -> bool {
        !matches!(weekday(day), Weekday::Sat | Weekday::Sun)
            && !self.calendar.as_ref().is_some_and(|calendar| calendar.has(day))
    }

    fn period(&self, sent_on: Date) -> Period {
        let sent = day_of(sent_on);
        let mut received = sent;
        for _ in 0..self.business_days {
            received += 1;
            while !self.is_business_day(received) {
                received += 1;
            }
        }
        Period { sent, received, last: received + i64::from(self.days) }
    }

    fn one(&self, case: &Case, account: &AccountOutline, at: Timestamp) -> Say {
        let Some(sent_on) = account.validation_notice_sent_on else {
            return match self.unsent {
                Unsent::Bars => Say::Bar { until: None, liftable: true },
                Unsent::Permits => Say::ALWAYS,
            };
        };
        let period = self.period(sent_on);
        let begins = case.zones.iter().map(|zone| zone.start_of_day(period.sent)).min().unwrap_or(FAR);
        let over = |zone: &Zone| zone.start_of_day(period.last + 1);
        let ends = case.zones.iter().map(over).max().unwrap_or(FAR);
        // A notice goes out on its day: without days to wait for, that day itself will do.
        let ends = if self.business_days == 0 && self.days == 0 { begins } else { ends };
        match self.unsent {
            Unsent::Permits if at < begins => Say::Permit { until: begins },
            _ if at < ends => Say::Bar { until: (!self.refuses).then_some(ends), liftable: false },
            _ => Say::ALWAYS,
        }
    }

    pub fn say(&self, ask: &Ask, at: Timestamp) -> Say {
        let accounts = ask.case.accounts.iter().filter(|account| ask.applies.to_account(account));
        accounts.map(|account| self.one(ask.case, account, at)).fold(Say::ALWAYS, Say::and)
    }

    pub fn explain(&self, ask: &Ask, at: Timestamp) -> Words {
        let accounts = ask.case.accounts.iter().filter(|account| ask.applies.to_account(account));
        let barring = |account: &AccountOutline| matches!(self.one(ask.case, account, at), Say::Bar { .. });
        // The one that bars, else any.
        let told =
            accounts.max_by_key(|account| (barring(account), account.validation_notice_sent_on.is_none()));
        let Some(sent_on) = told.and_then(|account| account.validation_notice_sent_on) else {
            return Words::plain("no written notice about the debt is known to have been sent");
        };
        let period = self.period(sent_on);
        let (received, last) = (date_of(period.received), date_of(period.last));
        let what = if self.business_days == 0 {
            format!("the written notice was sent on {sent_on}")
        } else {
            format!("the written notice was sent on {sent_on} and is assumed received on {received}")
        };
        Words::plain(format!("{what}; its period runs to the end of {last}"))
            .dated_on("sent_on", sent_on, ask.case, at)
            .with("assumed_received_on", received.to_string())
            .with("last_day", last.to_string())
    }
}

fn date_of(day: i64) -> Date {
    Local { day, millis: 0 }.date()
}
