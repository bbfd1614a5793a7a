//! Dates as people write them: "Friday", "el 15", "12/15", "in two weeks", "a fin de mes".

use crate::domain::consent::Weekday;
use crate::domain::time::Date;
use crate::domain::zone::{Local, day_of, weekday};
use crate::reply::lexicon::Word;
use std::ops::Range;

/// A date, and the words that say it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::reply) struct Dated {
    pub date: Date,
    pub words: Range<usize>,
}

/// How `3/4` is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::reply) enum Order {
    /// As in the United States.
    MonthFirst,
    /// Not at all: it may be either.
    Unknown,
}

/// The first date from a word on. A date without a year is the next such date, today included where a day of the month
/// is named; a day of the week is the next one after today.
pub(in crate::reply) fn first(words: &[Word], from: usize, today: Date, order: Order) -> Option<Dated> {
    (from..words.len()).find_map(|at| {
        let (date, taken) = one(words, at, today, order)?;
        Some(Dated { date, words: at..at + taken })
    })
}

fn one(words: &[Word], at: usize, today: Date, order: Order) -> Option<(Date, usize)> {
    let word = |offset: usize| words.get(at + offset).map_or("", |word| word.text.as_str());
    let before =
        |offset: usize| at.checked_sub(offset).and_then(|at| words.get(at)).map_or("", |word| &word.text);
    let now = day_of(today);
    let on = |day: i64| Local { day, millis: 0 }.date();
    match (word(0), word(1), word(2)) {
        ("day", "after", "tomorrow") => return Some((on(now + 2), 3)),
        ("pasado", "manana", _) => return Some((on(now + 2), 2)),
        ("today" | "tonight" | "hoy", _, _) | ("esta", "noche" | "tarde", _) => return Some((today, 1)),
        ("tomorrow", _, _) => return Some((on(now + 1), 1)),
        ("manana", _, _) if !matches!(before(1), "la" | "esta") => return Some((on(now + 1), 1)),
        ("next", "week", _) | ("proxima", "semana", _) => return Some((on(now + 7), 2)),
        ("semana", "que", "viene" | "entra") => return Some((on(now + 7), 3)),
        ("next", "month", _) | ("proximo", "mes", _) => return Some((month_end(next_month(today)), 2)),
        ("mes", "que", "viene" | "entra") => return Some((month_end(next_month(today)), 3)),
        ("end", "of", "month") | ("fin" | "fines", "de" | "del", "mes") => {
            return Some((month_end(today), 3));
        }
        ("end", "of", "the" | "this") if word(3) == "month" => return Some((month_end(today), 4)),
        ("end", "of", "the" | "this") if word(3) == "week" => {
            return Some((on(coming(now, Weekday::Fri)), 4));
        }
        ("eom", _, _) => return Some((month_end(today), 1)),
        ("weekend", _, _) => return Some((on(coming(now, Weekday::Sat)), 1)),
        ("fin" | "fines", "de", "semana") => return Some((on(coming(now, Weekday::Sat)), 3)),
        ("in" | "en" | "dentro", _, _) => {
            if let Some(found) = span_from(words, at, now) {
                return Some((on(found.0), found.1));
            }
        }
        _ => {}
    }
    if let Some(day) = day_name(word(0)) {
        let later = before(1) == "next";
        let next = coming(now, day);
        // "Next Friday" is the one of next week.
        let this_week = next - now <= i64::from(6 - index(weekday(now)));
        return Some((on(if later && this_week { next + 7 } else { next }), 1));
    }
    if let Some(month) = month(word(0)) {
        let day = ordinal(word(1))?;
        let year = word(2).parse::<i16>().ok().filter(|year| (2000..2100).contains(year));
        return Some((dated(today, month, day, year)?, 2 + usize::from(year.is_some())));
    }
    numeric(words, at, today, order)
}

/// What begins with a number: `15 de diciembre`, `12/15`, `the 15th`, `el 15`.
fn numeric(words: &[Word], at: usize, today: Date, order: Order) -> Option<(Date, usize)> {
    let word = |offset: usize| words.get(at + offset).map_or("", |word| word.text.as_str());
    let before = at.checked_sub(1).and_then(|at| words.get(at)).map_or("", |word| &word.text);
    let text = word(0);
    if let Some(date) = slashed(text, today, order) {
        return Some((date, 1));
    }
    let day = ordinal(text)?;
    let skip = 1 + usize::from(matches!(word(1), "of" | "de"));
    if let Some(month) = month(word(skip)) {
        return Some((dated(today, month, day, None)?, skip + 1));
    }
    let suffixed = text.ends_with(|c: char| c.is_alphabetic());
    let named = matches!(before, "the" | "el" | "dia" | "on");
    let of_month =
        (suffixed || named) && !matches!(word(1), "dollars" | "dolares" | "bucks" | "percent" | "am" | "pm");
    if !of_month {
        return None;
    }
    let this = Date::new(today.year(), today.month(), day).ok().filter(|date| *date >= today);
    let next = next_month(today);
    this.or_else(|| Date::new(next.year(), next.month(), day).ok()).map(|date| (date, 1))
}

/// `12/15`, `12-15-2026`, `2026-12-15`.
fn slashed(text: &str, today: Date, order: Order) -> Option<Date> {
    let parts: Vec<i16> = text.split(['/', '-']).map(str::parse).collect::<Result<_, _>>().ok()?;
    let (first, second, year) = match *parts.as_slice() {
        [year, month, day] if year >= 1000 => {
            return Date::new(year, i8::try_from(month).ok()?, i8::try_from(day).ok()?).ok();
        }
        [first, second] => (first, second, None),
        [first, second, year] => (first, second, Some(if year < 100 { year + 2000 } else { year })),
        _ => return None,
    };
    let (month, day) = match (first, second) {
        (1..=12, 13..=31) => (first, second),
        (13..=31, 1..=12) => (second, first),
        (1..=12, 1..=12) if first == second || order == Order::MonthFirst => (first, second),
        _ => return None,
    };
    dated(today, i8::try_from(month).ok()?, i8::try_from(day).ok()?, year)
}

/// `in two weeks`, `dentro de 3 dias`.
fn span_from(words: &[Word], at: usize, now: i64) -> Option<(i64, usize)> {
    let word = |offset: usize| words.get(at + offset).map_or("", |word| word.text.as_str());
    let skip = 1 + usize::from(word(1) == "de");
    let count = count(word(skip))?;
    let days = match word(skip + 1) {
        "day" | "days" | "dia" | "dias" => count,
        "week" | "weeks" | "semana" | "semanas" => 7 * count,
        _ => return None,
    };
    Some((now + days, skip + 2))
}

fn count(text: &str) -> Option<i64> {
    Some(match text {
        "a" | "one" | "un" | "una" => 1,
        "couple" | "two" | "dos" => 2,
        "three" | "tres" => 3,
        "four" | "cuatro" => 4,
        "five" | "cinco" => 5,
        "ten" | "diez" => 10,
        "fifteen" | "quince" => 15,
        digits => digits.parse().ok().filter(|count| (1..=90).contains(count))?,
    })
}

/// `15`, `15th`, `1ro`, `primero`.
fn ordinal(text: &str) -> Option<i8> {
    if matches!(text, "first" | "primero" | "primer") {
        return Some(1);
    }
    let digits = text.trim_end_matches(|c: char| c.is_alphabetic());
    let suffix = text.get(digits.len()..)?;
    let fits = matches!(suffix, "" | "st" | "nd" | "rd" | "th" | "ro" | "ero" | "o");
    digits.parse().ok().filter(|day| fits && (1..=31).contains(day))
}

fn dated(today: Date, month: i8, day: i8, year: Option<i16>) -> Option<Date> {
    match year {
        Some(year) => Date::new(year, month, day).ok(),
        None => {
            let this = Date::new(today.year(), month, day).ok().filter(|date| *date >= today);
            this.or_else(|| Date::new(today.year().checked_add(1)?, month, day).ok())
        }
    }
}

fn next_month(date: Date) -> Date {
    let (year, month) =
        if date.month() == 12 { (date.year() + 1, 1) } else { (date.year(), date.month() + 1) };
    Date::new(year, month, 1).unwrap_or(date)
}

fn month_end(date: Date) -> Date {
    date.last_of_month()
}

/// The next such day of the week after a day.
fn coming(now: i64, wanted: Weekday) -> i64 {
    let ahead = i64::from(index(wanted) - index(weekday(now))).rem_euclid(7);
    now + if ahead == 0 { 7 } else { ahead }
}

fn index(day: Weekday) -> i8 {
    match day {
        Weekday::Mon => 0,
        Weekday::Tue => 1,
        Weekday::Wed => 2,
        Weekday::Thu => 3,
        Weekday::Fri => 4,
        Weekday::Sat => 5,
        Weekday::Sun => 6,
    }
}

pub(in crate::reply) fn day_name(text: &str) -> Option<Weekday> {
    Some(match text {
        "monday" | "mon" | "lunes" => Weekday::Mon,
        "tuesday" | "tue" | "tues" | "martes" => Weekday::Tue,
        "wednesday" | "wed" | "miercoles" => Weekday::Wed,
        "thursday" | "thu" | "thur" | "thurs" | "jueves" => Weekday::Thu,
        "friday" | "fri" | "viernes" => Weekday::Fri,
        "saturday" | "sat" | "sabado" => Weekday::Sat,
        "sunday" | "domingo" => Weekday::Sun,
        _ => return None,
    })
}

fn month(text: &str) -> Option<i8> {
    Some(match text {
        "january" | "jan" | "enero" => 1,
        "february" | "feb" | "febrero" => 2,
        "march" | "marzo" => 3,
        "april" | "apr" | "abril" => 4,
        "may" | "mayo" => 5,
        "june" | "jun" | "junio" => 6,
        "july" | "jul" | "julio" => 7,
        "august" | "aug" | "agosto" => 8,
        "september" | "sept" | "sep" | "septiembre" => 9,
        "october" | "oct" | "octubre" => 10,
        "november" | "nov" | "noviembre" => 11,
        "december" | "dec" | "diciembre" | "dic" => 12,
        _ => return None,
    })
}
