//! Instants as the requests write them, and a time zone in which it is about noon.

use anyhow::Context;
use jiff::{SignedDuration, Timestamp, tz::TimeZone};

/// Zones around the globe, nearly all without daylight saving time.
const ZONES: [&str; 16] = [
    "Pacific/Honolulu",
    "America/Anchorage",
    "America/Phoenix",
    "America/Costa_Rica",
    "America/Bogota",
    "America/Puerto_Rico",
    "America/Sao_Paulo",
    "Atlantic/Azores",
    "Africa/Accra",
    "Africa/Lagos",
    "Africa/Nairobi",
    "Asia/Dubai",
    "Asia/Karachi",
    "Asia/Bangkok",
    "Asia/Tokyo",
    "Pacific/Auckland",
];

/// Minutes after midnight that the chosen zone should be nearest to: well inside every call window.
const WANTED_MINUTE: i32 = 12 * 60 + 30;

/// The zone whose local time is nearest to half past twelve now, and that local time.
pub fn zone_near_noon() -> anyhow::Result<(&'static str, String)> {
    let now = Timestamp::now();
    let mut best: Option<(i32, &'static str, String)> = None;
    for name in ZONES {
        let local = now.to_zoned(TimeZone::get(name).with_context(|| format!("time zone {name}"))?);
        let minute = i32::from(local.hour()) * 60 + i32::from(local.minute());
        let distance = (minute - WANTED_MINUTE).abs();
        if best.as_ref().is_none_or(|(least, ..)| distance < *least) {
            best = Some((distance, name, format!("{:02}:{:02}", local.hour(), local.minute())));
        }
    }
    let (_, name, local) = best.context("no time zone to choose from")?;
    Ok((name, local))
}

/// The instant so many days from now (negative: ago), RFC 3339.
pub fn in_days(days: i64) -> String {
    Timestamp::now().saturating_add(SignedDuration::from_hours(days * 24)).map_or_else(
        |_| Timestamp::MAX.to_string(),
        |at| Timestamp::from_second(at.as_second()).unwrap_or(at).to_string(),
    )
}

/// The date so many days from now (negative: ago).
pub fn date_in_days(days: i64) -> String {
    in_days(days)[..10].to_owned()
}
