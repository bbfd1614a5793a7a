//! Instants, durations and the clock as values.

use jiff::SignedDuration;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use std::str::FromStr;

/// An instant in UTC with millisecond precision; written as RFC 3339 (`2026-11-22T13:00:00Z`).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

/// The text is not an RFC 3339 instant with an offset, between the years 1 and 9999.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("not an RFC 3339 timestamp with an offset, such as 2026-12-01T09:00:00-05:00")]
pub struct InvalidTimestamp;

impl Timestamp {
    /// From milliseconds since 1970-01-01T00:00:00Z.
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis)
    }

    /// Milliseconds since 1970-01-01T00:00:00Z.
    pub const fn millis(self) -> i64 {
        self.0
    }

    /// This instant moved by a span of time (saturating).
    pub const fn plus(self, span: Span) -> Self {
        Self(self.0.saturating_add(span.0))
    }

    /// This instant moved back by a span of time (saturating).
    pub const fn minus(self, span: Span) -> Self {
        Self(self.0.saturating_sub(span.0))
    }

    /// How much later this instant is than another (negative if it is earlier).
    pub const fn since(self, earlier: Self) -> Span {
        Span(self.0.saturating_sub(earlier.0))
    }

    /// The same instant for the calendar library (clamped to its range).
    pub fn to_jiff(self) -> jiff::Timestamp {
        jiff::Timestamp::from_millisecond(self.0).unwrap_or(if self.0 < 0 {
            jiff::Timestamp::MIN
        } else {
            jiff::Timestamp::MAX
        })
    }

    /// The date at this instant in UTC.
    pub fn utc_date(self) -> Date {
        self.to_jiff().to_zoned(jiff::tz::TimeZone::UTC).date()
    }

    /// Reads a date as HTTP headers write it (RFC 9110, section 5.6.7): `Sun, 06 Nov 1994 08:49:37 GMT`.
    pub fn parse_http_date(text: &str) -> Option<Self> {
        jiff::fmt::rfc2822::parse(text).ok().map(|zoned| Self::from_jiff(zoned.timestamp()))
    }

    /// As HTTP headers write it (RFC 9110, section 5.6.7): `Sun, 06 Nov 1994 08:49:37 GMT`.
    pub fn to_http_date(self) -> String {
        self.to_jiff().strftime("%a, %d %b %Y %H:%M:%S GMT").to_string()
    }

    /// From the calendar library's instant, cut to milliseconds.
    pub fn from_jiff(instant: jiff::Timestamp) -> Self {
        Self(instant.as_millisecond())
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.to_jiff(), f)
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Timestamp {
    type Err = InvalidTimestamp;
    fn from_str(text: &str) -> Result<Self, InvalidTimestamp> {
        // RFC 3339 is narrower than what the library reads: no bracketed zone, no offset of hours alone.
        if text.len() > 40 || text.contains('[') {
            return Err(InvalidTimestamp);
        }
        text.parse::<jiff::Timestamp>().map(Self::from_jiff).map_err(|_| InvalidTimestamp)
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        std::borrow::Cow::<str>::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// A length of time in milliseconds; written as an ISO 8601 duration without calendar units beyond days (`PT15M`, `P7D`).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span(i64);

/// The text is not an ISO 8601 duration of weeks, days, hours, minutes and seconds.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error(
    "not an ISO 8601 duration of days, hours, minutes and seconds, such as PT24H or P7D, of at most P36500D"
)]
pub struct InvalidSpan;

impl Span {
    /// The longest that is read: a hundred years.
    const LONGEST: Self = Self::days(36_500);

    /// Of milliseconds.
    pub const fn millis(millis: i64) -> Self {
        Self(millis)
    }

    /// Of seconds.
    pub const fn seconds(seconds: i64) -> Self {
        Self(seconds * 1_000)
    }

    /// Of minutes.
    pub const fn minutes(minutes: i64) -> Self {
        Self::seconds(minutes * 60)
    }

    /// Of hours.
    pub const fn hours(hours: i64) -> Self {
        Self::minutes(hours * 60)
    }

    /// Of days of 24 hours.
    pub const fn days(days: i64) -> Self {
        Self::hours(days * 24)
    }

    /// In milliseconds.
    pub const fn as_millis(self) -> i64 {
        self.0
    }

    /// As a standard duration; nothing if negative.
    pub fn to_std(self) -> std::time::Duration {
        std::time::Duration::from_millis(u64::try_from(self.0).unwrap_or(0))
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const DAY: i64 = 86_400_000;
        if self.0 > 0 && self.0 % DAY == 0 {
            write!(f, "P{}D", self.0 / DAY)
        } else {
            fmt::Display::fmt(&SignedDuration::from_millis(self.0), f)
        }
    }
}

impl fmt::Debug for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Span {
    type Err = InvalidSpan;
    fn from_str(text: &str) -> Result<Self, InvalidSpan> {
        if !text.starts_with('P') {
            return Err(InvalidSpan);
        }
        let span: jiff::Span = text.parse().map_err(|_| InvalidSpan)?;
        if span.get_years() != 0 || span.get_months() != 0 {
            return Err(InvalidSpan);
        }
        span.to_duration(jiff::SpanRelativeTo::days_are_24_hours())
            .ok()
            .and_then(|duration| i64::try_from(duration.as_millis()).ok())
            .map(Self)
            // What is written must read back: days have a bound that hours do not.
            .filter(|span| (Self(0)..=Self::LONGEST).contains(span))
            .ok_or(InvalidSpan)
    }
}

impl Serialize for Span {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        std::borrow::Cow::<str>::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// Where "now" comes from. The real one is made in the assembly; tests bring one that stands still.
pub trait Clock: Send + Sync {
    /// The present instant.
    fn now(&self) -> Timestamp;
}

/// Where randomness comes from. The real one is made in the assembly; tests bring a seeded one.
pub trait Entropy: Send + Sync {
    /// Fills the bytes with randomness fit for keys and nonces.
    fn fill(&self, bytes: &mut [u8]);

    /// Ten random bytes, as an identifier needs them.
    fn ten(&self) -> [u8; 10] {
        let mut bytes = [0; 10];
        self.fill(&mut bytes);
        bytes
    }
}

/// A calendar date, `2026-08-01`.
pub type Date = jiff::civil::Date;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timestamps_are_rfc_3339() {
        let at: Timestamp = "2026-11-22T08:00:00-05:00".parse().expect("valid");
        assert_eq!(at.to_string(), "2026-11-22T13:00:00Z");
        assert_eq!(
            "2026-11-22T13:00:00.250Z".parse::<Timestamp>().expect("valid").to_string(),
            "2026-11-22T13:00:00.25Z"
        );
        for bad in ["2026-11-22", "2026-11-22T13:00:00", "tomorrow", "2026-13-01T00:00:00Z"] {
            assert_eq!(bad.parse::<Timestamp>(), Err(InvalidTimestamp), "{bad}");
        }
    }

    #[test]
    fn spans_are_iso_8601() {
        assert_eq!("PT15M".parse(), Ok(Span::minutes(15)));
        assert_eq!("P7D".parse(), Ok(Span::days(7)));
        assert_eq!("P1W".parse(), Ok(Span::days(7)));
        assert_eq!(Span::days(7).to_string(), "P7D");
        assert_eq!(Span::minutes(15).to_string(), "PT15M");
        // Whatever is read is read again as it is written.
        for long in ["P36500D", "PT876000H", "PT52560000M", "PT0S"] {
            let span: Span = long.parse().expect("a span");
            assert_eq!(span.to_string().parse(), Ok(span), "{long}");
        }
        for bad in ["15m", "P1M", "P1Y", "-PT5M", "", "P36501D", "PT175307640H"] {
            assert_eq!(bad.parse::<Span>(), Err(InvalidSpan), "{bad}");
        }
    }
}
