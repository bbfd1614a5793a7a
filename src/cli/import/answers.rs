//! The answer file of a reassigned-numbers database.
//!
//! A row holds the number, the date that was asked about, and the answer. The members are called `tn`, `date` (back again
//! `dateProvided`) and `disconnected` as in the FCC database's own JSON interface (`POST /api/tn`), and the answers are `yes`, `no`
//! and `no_data`. How its CSV files head their columns is in a user guide for subscribers (reassigned.us, *Query User Guide*) that
//! was not at hand when this was written, so the names that resellers and lists use are understood too, and further columns are
//! passed over. Dates may be written as the database takes them: `2026-04-01`, `04/01/2026`, `4/1/26` (reassigned.us, FAQ).

use crate::cli::import::columns::Reading;
use crate::domain::contact_point::{CheckSource, ReassignmentCheck, ReassignmentResult};
use crate::domain::time::Date;
use crate::pipeline::load::Item;
use serde_json::{Map, Value};

/// What every row of an answer file has in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Query {
    /// On which day the database was asked.
    pub checked_on: Date,
    /// Which database.
    pub source: CheckSource,
}

/// The columns that are read.
pub const COLUMNS: &[(&str, Reading)] =
    &[("tn", Reading::Text), ("date", Reading::Text), ("disconnected", Reading::Text)];

/// By which names they go, without case, spaces and strokes.
const NAMES: &[(&str, &[&str])] = &[
    ("tn", &["tn", "phone", "phonenumber", "number", "telephone", "telephonenumber"]),
    ("date", &["date", "dateprovided", "since", "consentdate", "dateofconsent"]),
    (
        "disconnected",
        &["disconnected", "response", "result", "answer", "reassigned", "permanentlydisconnected"],
    ),
];

/// The member that a column is; none for what is not read.
pub fn member(column: &str) -> Option<&'static str> {
    let plain: String = column.chars().filter(|c| c.is_alphanumeric()).collect();
    let plain = plain.to_ascii_lowercase();
    NAMES.iter().find(|(_, names)| names.contains(&plain.as_str())).map(|(member, _)| *member)
}

/// What a row says, or what is wrong with it.
pub fn item(query: Query, members: &Map<String, Value>) -> Result<Item, String> {
    let cell = |wanted: &str| {
        let mut found = members.iter().filter(|(name, _)| member(name) == Some(wanted));
        match (found.next(), found.next()) {
            (Some((_, Value::String(text))), None) => Ok(text.trim()),
            (Some(_), Some(_)) => Err(format!("/{wanted}: is there twice")),
            (Some(_), None) => Err(format!("/{wanted}: expected a string")),
            (None, _) => Err(format!("/{wanted}: is required")),
        }
    };
    let number = number(cell("tn")?).ok_or("/tn: is not a North American telephone number of ten digits")?;
    let since = date(cell("date")?).ok_or("/date: expected a date such as 2026-04-01 or 04/01/2026")?;
    let result = answer(cell("disconnected")?).ok_or("/disconnected: expected yes, no or no_data")?;
    let Query { checked_on, source } = query;
    Ok(Item::NumberCheck(number, ReassignmentCheck { checked_on, result, since, source: Some(source) }))
}

/// `3055550123`, `(305) 555-0123`, `1-305-555-0123` and `+13055550123` are `+13055550123`.
fn number(text: &str) -> Option<String> {
    let punctuation = |c: char| matches!(c, ' ' | '-' | '.' | '(' | ')' | '+');
    let digits: String = text.chars().filter(|c| !punctuation(*c)).collect();
    let national = if digits.len() == 11 { digits.strip_prefix('1')? } else { &digits };
    let plain = national.len() == 10 && national.bytes().all(|byte| byte.is_ascii_digit());
    plain.then(|| format!("+1{national}"))
}

fn answer(text: &str) -> Option<ReassignmentResult> {
    let word = text.to_ascii_lowercase().replace([' ', '-'], "_");
    if word == "nodata" { Some(ReassignmentResult::NoData) } else { ReassignmentResult::from_word(&word) }
}

fn date(text: &str) -> Option<Date> {
    if let Ok(date) = text.parse() {
        return (text.len() == "2026-04-01".len()).then_some(date);
    }
    let mut parts = text.split('/').map(|part| part.parse::<i16>().ok().filter(|_| part.len() <= 4));
    let (month, day, year) = (parts.next()??, parts.next()??, parts.next()??);
    let year = if (0..100).contains(&year) { 2000 + year } else { year };
    let (month, day) = (i8::try_from(month).ok()?, i8::try_from(day).ok()?);
    Date::new(year, month, day).ok().filter(|_| parts.next().is_none())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_dates_and_answers_are_read_as_databases_write_them() {
        for text in ["3055550123", "(305) 555-0123", "1-305-555-0123", "+13055550123", "305.555.0123"] {
            assert_eq!(number(text).as_deref(), Some("+13055550123"), "{text}");
        }
        for text in ["305555012", "23055550123", "305555012x", "", "+443055550123"] {
            assert_eq!(number(text), None, "{text}");
        }
        for text in ["2026-04-01", "04/01/2026", "04/01/26", "4/1/26", "4/1/2026"] {
            assert_eq!(date(text), "2026-04-01".parse().ok(), "{text}");
        }
        for text in ["2026-4-1", "2026-13-01", "31/12/2026", "4/1", "4/1/26/1", "", "2026-04-01T00:00:00"] {
            assert_eq!(date(text), None, "{text}");
        }
        for (text, word) in [("Yes", "yes"), ("NO", "no"), ("No Data", "no_data"), ("no_data", "no_data")] {
            assert_eq!(answer(text), ReassignmentResult::from_word(word), "{text}");
        }
        assert_eq!(answer("maybe"), None);
    }

    #[test]
    fn columns_go_by_several_names() {
        assert_eq!(member("Telephone Number"), Some("tn"));
        assert_eq!(member("dateProvided"), Some("date"));
        assert_eq!(member("companyId"), None);
    }
}
