//! Holidays as data: a calendar is a list of rules from which every year's dates follow (5 USC 6103(a) and its like).
//!
//! A date that falls on a weekend and the weekday on which it is observed both count: a longer wait or another silent day
//! never takes anything from the debtor.

use crate::domain::consent::Weekday;
use crate::domain::time::Date;
use crate::domain::zone::{day_of, weekday};
use serde::Deserialize;
use std::sync::Arc;
use toml::Spanned;

/// The years for which dates are reckoned.
const YEARS: std::ops::RangeInclusive<i16> = 1990..=2100;

/// A calendar of a pack: `[[calendar]]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::policy) struct CalendarText {
    /// By which rules name it.
    pub name: Spanned<String>,
    /// The law that makes these days holidays.
    pub citation: Spanned<String>,
    /// Where it can be read.
    pub source: String,
    /// Whether it was compared with that text.
    pub verified: bool,
    /// Anything that a reader should know besides.
    #[serde(default)]
    pub note: Option<String>,
    /// Its days.
    pub holidays: Vec<Holiday>,
}

/// One day that returns every year, or came once.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::policy) struct Holiday {
    /// What it is called.
    pub name: String,
    /// 1 to 12; with `day`, or with `weekday` and `nth`.
    #[serde(default)]
    pub month: Option<i8>,
    /// The day of the month; with `weekday`, the last day of the month on which it may fall.
    #[serde(default)]
    pub day: Option<i8>,
    /// A day of the week.
    #[serde(default)]
    pub weekday: Option<Weekday>,
    /// Which of the month: 1 is the first, -1 the last.
    #[serde(default)]
    pub nth: Option<i8>,
    /// Days after Easter Sunday; Good Friday is -2.
    #[serde(default)]
    pub easter: Option<i8>,
    /// A date that came once.
    #[serde(default)]
    pub date: Option<toml::value::Datetime>,
    /// On which weekday it is observed if it falls on a weekend.
    #[serde(default)]
    pub observed: Observed,
    /// The first year; from ever, where absent.
    #[serde(default)]
    pub since: Option<i16>,
}

/// What happens to a holiday on a weekend.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(in crate::policy) enum Observed {
    /// Nothing.
    #[default]
    OnTheDay,
    /// A Saturday's is observed on the Friday before, a Sunday's on the Monday after (5 USC 6103(b)).
    Nearest,
    /// It is observed on the next weekday that is no holiday (Banking and Financial Dealings Act 1971).
    Next,
}

/// The days of a calendar, ready to be asked.
#[derive(Clone, Debug)]
pub(in crate::policy) struct Calendar {
    /// By which rules name it.
    pub name: String,
    /// Days since 1970-01-01, in order.
    days: Vec<i64>,
}

/// A calendar that a rule names, found when the packs have been read.
#[derive(Clone, Debug, Deserialize)]
#[serde(from = "String")]
pub(in crate::policy) struct Named {
    /// The name.
    pub name: String,
    found: Option<Arc<Calendar>>,
}

impl From<String> for Named {
    fn from(name: String) -> Self {
        Self { name, found: None }
    }
}

impl Named {
    /// Finds the calendar; whether there is one of this name.
    pub fn find(&mut self, calendars: &[Arc<Calendar>]) -> bool {
        self.found = calendars.iter().find(|calendar| calendar.name == self.name).cloned();
        self.found.is_some()
    }

    /// Whether a day, counted from 1970-01-01, is a holiday.
    pub fn has(&self, day: i64) -> bool {
        self.found.as_ref().is_some_and(|calendar| calendar.days.binary_search(&day).is_ok())
    }
}

impl CalendarText {
    /// Reckons every date, or says what is wrong with a day.
    pub fn reckon(&self) -> Result<Calendar, String> {
        let mut days = Vec::new();
        for year in YEARS {
            let mut of_year: Vec<(i64, Observed)> = Vec::new();
            for holiday in &self.holidays {
                let since = holiday.since.is_none_or(|since| since <= year);
                if let Some(day) = holiday.in_year(year)?.filter(|_| since) {
                    of_year.push((day, holiday.observed));
                }
            }
            let dates: Vec<i64> = of_year.iter().map(|(day, _)| *day).collect();
            days.extend(&dates);
            let mut taken = dates;
            for (day, observed) in of_year {
                if let Some(moved) = observed.moved(day, &taken) {
                    taken.push(moved);
                    days.push(moved);
                }
            }
        }
        days.sort_unstable();
        days.dedup();
        Ok(Calendar { name: self.name.get_ref().clone(), days })
    }
}

impl Observed {
    fn moved(self, day: i64, taken: &[i64]) -> Option<i64> {
        let weekend = |day: i64| matches!(weekday(day), Weekday::Sat | Weekday::Sun);
        match self {
            Self::OnTheDay => None,
            _ if !weekend(day) => None,
            Self::Nearest if weekday(day) == Weekday::Sat => Some(day - 1),
            Self::Nearest => Some(day + 1),
            Self::Next => (day + 1..day + 10).find(|next| !weekend(*next) && !taken.contains(next)),
        }
    }
}

impl Holiday {
    fn in_year(&self, year: i16) -> Result<Option<i64>, String> {
        let wrong = || {
            format!(
                "holiday `{}` is given by `month` and `day`; by `month`, `weekday` and `nth` or a last `day`; by `easter`; or by `date`",
                self.name
            )
        };
        let day = match (self.month, self.day, self.weekday, self.nth, self.easter, &self.date) {
            (Some(month), Some(day), None, None, None, None) => {
                // A leap day comes in leap years only.
                return match Date::new(year, month, day) {
                    Ok(date) => Ok(Some(day_of(date))),
                    Err(_) if (month, day) == (2, 29) => Ok(None),
                    Err(_) => Err(wrong()),
                };
            }
            (Some(month), None, Some(on), Some(nth), None, None) => nth_of(year, month, on, nth),
            (Some(month), Some(day), Some(on), None, None, None) => {
                Date::new(year, month, day).ok().map(|last| on_or_before(day_of(last), on))
            }
            (None, None, None, None, Some(after), None) => Some(easter(year) + i64::from(after)),
            (None, None, None, None, None, Some(date)) => {
                let date: Date = date.to_string().parse().map_err(|_| wrong())?;
                return Ok((date.year() == year).then(|| day_of(date)));
            }
            _ => None,
        };
        day.map(Some).ok_or_else(wrong)
    }
}

fn on_or_before(day: i64, on: Weekday) -> i64 {
    (0..7).map(|back| day - back).find(|day| weekday(*day) == on).unwrap_or(day)
}

fn nth_of(year: i16, month: i8, on: Weekday, nth: i8) -> Option<i64> {
    let first = Date::new(year, month, 1).ok()?;
    match nth {
        -1 => Some(on_or_before(day_of(first.last_of_month()), on)),
        1..=4 => Some(on_or_before(day_of(first) + 6, on) + 7 * i64::from(nth - 1)),
        _ => None,
    }
}

/// Easter Sunday of the Gregorian calendar, in days since 1970-01-01 (the anonymous algorithm of 1876).
fn easter(year: i16) -> i64 {
    let year = i64::from(year);
    let (a, b, c) = (year % 19, year / 100, year % 100);
    let h = (19 * a + b - b / 4 - (b - (b + 8) / 25 + 1) / 3 + 15) % 30;
    let l = (32 + 2 * (b % 4) + 2 * (c / 4) - h - c % 4) % 7;
    let m = (a + 11 * h + 22 * l) / 451;
    let (month, day) = ((h + l - 7 * m + 114) / 31, (h + l - 7 * m + 114) % 31 + 1);
    let date = i16::try_from(year).ok().zip(i8::try_from(month).ok()).zip(i8::try_from(day).ok());
    date.and_then(|((year, month), day)| Date::new(year, month, day).ok()).map_or(0, day_of)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn calendar(holidays: &str) -> Result<Calendar, String> {
        let text = format!(
            "name = \"c\"\ncitation = \"none\"\nsource = \"none\"\nverified = false\nholidays = [{holidays}]"
        );
        toml::from_str::<CalendarText>(&text).expect("a calendar").reckon()
    }

    fn has(calendar: &Calendar, date: &str) -> bool {
        calendar.days.binary_search(&day_of(date.parse().expect("a date"))).is_ok()
    }

    #[test]
    fn dates_follow_from_the_rules() {
        let all = calendar(
            "{ name = \"a\", month = 7, day = 4, observed = \"nearest\" }, { name = \"b\", month = 5, weekday = \"mon\", nth = -1 }, \
             { name = \"c\", month = 11, weekday = \"thu\", nth = 4 }, { name = \"d\", easter = -2 }, \
             { name = \"e\", month = 5, day = 24, weekday = \"mon\" }, { name = \"f\", date = 2022-09-19 }, \
             { name = \"g\", month = 6, day = 19, since = 2021, observed = \"nearest\" }",
        )
        .expect("sound");
        for date in [
            "2026-07-04",
            "2026-07-03",
            "2027-07-05",
            "2026-05-25",
            "2026-11-26",
            "2026-04-03",
            "2027-03-26",
            "2026-05-18",
            "2027-05-24",
            "2022-09-19",
            "2021-06-18",
            "2038-04-23",
        ] {
            assert!(has(&all, date), "{date}");
        }
        for date in ["2026-07-06", "2026-11-25", "2023-09-19", "2020-06-19", "2026-04-06"] {
            assert!(!has(&all, date), "{date}");
        }
    }

    #[test]
    fn a_substitute_is_the_next_day_that_is_free() {
        let christmas = "{ name = \"a\", month = 12, day = 25, observed = \"next\" }, { name = \"b\", month = 12, day = 26, observed = \"next\" }";
        let all = calendar(christmas).expect("sound");
        // 2027: Saturday and Sunday; 2026: Friday and Saturday; 2022: Sunday and Monday.
        for date in ["2027-12-27", "2027-12-28", "2026-12-28", "2022-12-27"] {
            assert!(has(&all, date), "{date}");
        }
        assert!(!has(&all, "2026-12-29") && !has(&all, "2022-12-28"));
    }

    #[test]
    fn a_day_that_cannot_be_is_refused() {
        for bad in [
            "{ name = \"a\", month = 13, day = 1 }",
            "{ name = \"a\", month = 2, day = 30 }",
            "{ name = \"a\", month = 2, weekday = \"mon\", nth = 6 }",
            "{ name = \"a\", month = 2 }",
            "{ name = \"a\", easter = 1, month = 3 }",
        ] {
            assert!(calendar(bad).is_err(), "{bad}");
        }
        assert!(has(&calendar("{ name = \"a\", month = 2, day = 29 }").expect("sound"), "2028-02-29"));
    }
}
