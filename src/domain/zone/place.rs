//! From a phone number, a postal code, a region or a country to every time zone that it may be in.
//!
//! The tables stand in `src/domain/data`; their sources and licences are named in `NOTICE`.

use super::Zone;
use crate::domain::region;
use std::collections::BTreeMap;
use std::sync::LazyLock;

type Zones = Box<[&'static str]>;

static AREA_CODES: LazyLock<BTreeMap<&'static str, Zones>> =
    LazyLock::new(|| keyed(include_str!("../data/npa_timezones.csv"), 2));
static AREA_CODE_REGIONS: LazyLock<BTreeMap<&'static str, Vec<&'static str>>> = LazyLock::new(|| {
    rows(include_str!("../data/npa_timezones.csv"))
        .filter_map(|row| {
            let fields = fields(row);
            Some((*fields.first()?, region::named_by(fields.get(1)?)))
        })
        .collect()
});
static REGIONS: LazyLock<BTreeMap<&'static str, Zones>> =
    LazyLock::new(|| keyed(include_str!("../data/region_zones.csv"), 1));
static COUNTRIES: LazyLock<BTreeMap<&'static str, Zones>> =
    LazyLock::new(|| keyed(include_str!("../data/country_zones.csv"), 1));
static CALLING_CODES: LazyLock<BTreeMap<&'static str, &'static str>> = LazyLock::new(|| {
    rows(include_str!("../data/calling_codes.csv")).filter_map(|row| row.split_once(',')).collect()
});
static POSTAL_CODES: LazyLock<Vec<(u32, u32, Zones)>> = LazyLock::new(|| {
    rows(include_str!("../data/zip_timezones.csv"))
        .filter_map(|row| {
            let mut fields = row.split(',');
            let from = fields.next()?.parse().ok()?;
            let to = fields.next()?.parse().ok()?;
            Some((from, to, zones_in(fields.next()?)))
        })
        .collect()
});

fn rows(text: &'static str) -> impl Iterator<Item = &'static str> {
    text.lines().skip(1).filter(|row| !row.is_empty())
}

fn zones_in(field: &'static str) -> Zones {
    field.split('|').filter(|name| !name.is_empty()).collect()
}

/// The first field as key and the zones from the field at `column`.
fn keyed(text: &'static str, column: usize) -> BTreeMap<&'static str, Zones> {
    rows(text)
        .filter_map(|row| {
            let fields = fields(row);
            Some((*fields.first()?, zones_in(fields.get(column)?)))
        })
        .collect()
}

/// The fields of a CSV row; quoted fields hold no quotes in our tables.
fn fields(row: &'static str) -> Vec<&'static str> {
    let mut fields = Vec::new();
    let mut rest = row;
    loop {
        let (field, after) = match rest.strip_prefix('"') {
            Some(quoted) => quoted.split_once('"').unwrap_or((quoted, "")),
            None => rest.split_at(rest.find(',').unwrap_or(rest.len())),
        };
        fields.push(field);
        match after.strip_prefix(',') {
            Some(next) => rest = next,
            None => return fields,
        }
    }
}

fn named(zones: Option<&Zones>) -> Vec<String> {
    zones.map(|zones| zones.iter().map(|zone| (*zone).to_owned()).collect()).unwrap_or_default()
}

/// Every zone that an E.164 number may be in: of the area code in North America, of the country where its calling code
/// is its own and it has a single time; empty where the number has no place (toll-free) or the country has many.
pub fn zones_of_phone(e164: &str) -> Vec<String> {
    let Some(digits) = e164.strip_prefix('+') else { return Vec::new() };
    if let Some(national) = digits.strip_prefix('1') {
        return named(national.get(..3).and_then(|code| AREA_CODES.get(code)));
    }
    (1..=3)
        .filter_map(|length| digits.get(..length).and_then(|code| CALLING_CODES.get(code)))
        .map(|country| zones_of_country(country))
        .next()
        .unwrap_or_default()
}

/// The regions that the area code of an E.164 number belongs to, `US-MA`; empty where it belongs to none, and outside North
/// America.
pub fn regions_of_phone(e164: &str) -> Vec<String> {
    let code = e164.strip_prefix("+1").and_then(|national| national.get(..3));
    let regions = code.and_then(|code| AREA_CODE_REGIONS.get(code));
    regions.map(|regions| regions.iter().map(|region| (*region).to_owned()).collect()).unwrap_or_default()
}

/// Every zone that a postal code may be in; known for the United States and its territories.
pub fn zones_of_postal_code(country: &str, code: &str) -> Vec<String> {
    let Some(zip) = (country == "US").then(|| region::zip(code)).flatten() else { return Vec::new() };
    let index = POSTAL_CODES.partition_point(|(_, to, _)| *to < zip);
    match POSTAL_CODES.get(index) {
        Some((from, _, zones)) if *from <= zip => named(Some(zones)),
        _ => Vec::new(),
    }
}

/// Every zone of a region such as `US-FL`; known for the United States, Canada and Australia.
pub fn zones_of_region(region: &str) -> Vec<String> {
    named(REGIONS.get(region))
}

/// Every zone of a country by its ISO 3166-1 code; those of the United States include Alaska, Hawaii and the territories.
pub fn zones_of_country(country: &str) -> Vec<String> {
    named(COUNTRIES.get(country))
}

/// Every zone that a place may be in, from what is known of it: the postal code, else the region, and both where they
/// contradict each other; else the country where it has a single time. Empty where nothing finer than a large country
/// is known.
pub fn zones_of_location(country: &str, region: Option<&str>, postal_code: Option<&str>) -> Vec<String> {
    let mut zones = postal_code.map(|code| zones_of_postal_code(country, code)).unwrap_or_default();
    let by_code = postal_code.and_then(|code| region::of_postal_code(country, code));
    if zones.is_empty() || region.is_some_and(|region| by_code.is_some_and(|by_code| by_code != region)) {
        for zone in region.map(zones_of_region).unwrap_or_default() {
            if !zones.contains(&zone) {
                zones.push(zone);
            }
        }
    }
    if zones.is_empty() {
        let of_country = zones_of_country(country);
        if let [only] = of_country.as_slice() {
            return vec![only.clone()];
        }
    }
    zones.retain(|zone| Zone::parse(zone).is_some());
    zones
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_zone_of_every_table_has_rules() {
        let tables = [&AREA_CODES, &REGIONS, &COUNTRIES];
        let all = tables.iter().flat_map(|table| table.values()).chain(POSTAL_CODES.iter().map(|row| &row.2));
        let unknown: Vec<_> =
            all.flat_map(|zones| zones.iter()).filter(|zone| Zone::parse(zone).is_none()).collect();
        assert_eq!(unknown, Vec::<&&str>::new());
        assert_eq!((AREA_CODES.len(), POSTAL_CODES.len()), (479, 601));
        assert!(CALLING_CODES.values().all(|country| COUNTRIES.contains_key(country)));
    }

    #[test]
    fn area_codes_give_every_candidate() {
        assert_eq!(zones_of_phone("+13055550123"), ["America/New_York"]);
        assert_eq!(zones_of_phone("+18505550101"), ["America/Chicago", "America/New_York"]);
        assert_eq!(zones_of_phone("+16025550101"), ["America/Phoenix"]);
        assert_eq!(zones_of_phone("+17875550101"), ["America/Puerto_Rico"]);
        assert_eq!(zones_of_phone("+442079460123"), ["Europe/London"]);
        assert_eq!(zones_of_phone("+34911234567").len(), 3, "the Canaries and Ceuta too");
        for nowhere in ["+18005550101", "+61455501234", "+19005550101", "+1", "3055550123", ""] {
            assert_eq!(zones_of_phone(nowhere), Vec::<String>::new(), "{nowhere}");
        }
    }

    #[test]
    fn postal_codes_and_regions() {
        assert_eq!(zones_of_postal_code("US", "33101"), ["America/New_York"]);
        assert_eq!(zones_of_postal_code("US", "33101-1234"), ["America/New_York"]);
        assert_eq!(zones_of_postal_code("US", "32457"), ["America/Chicago", "America/New_York"]);
        assert_eq!(zones_of_postal_code("US", "00901"), ["America/Puerto_Rico"]);
        assert_eq!(zones_of_postal_code("US", "85001"), ["America/Phoenix"]);
        assert_eq!(zones_of_postal_code("GB", "33101"), Vec::<String>::new());
        assert_eq!(zones_of_postal_code("US", "00000"), Vec::<String>::new());
        assert_eq!(zones_of_region("US-FL"), ["America/Chicago", "America/New_York"]);
        assert_eq!(zones_of_region("US-ZZ"), Vec::<String>::new());
        let country = zones_of_country("US");
        for zone in ["America/Adak", "Pacific/Honolulu", "America/Puerto_Rico", "Pacific/Guam"] {
            assert!(country.iter().any(|name| name == zone), "{zone}");
        }
    }

    #[test]
    fn a_state_has_the_zones_of_its_postal_codes() {
        let mut missing = Vec::new();
        for (from, _, zones) in POSTAL_CODES.iter() {
            let Some(region) = region::of_postal_code("US", &format!("{from:05}")) else { continue };
            let of_region = zones_of_region(region);
            missing.extend(
                zones
                    .iter()
                    .filter(|zone| !of_region.iter().any(|name| name == *zone))
                    .map(|zone| format!("{region} {from:05} {zone}")),
            );
        }
        assert_eq!(missing, Vec::<String>::new());
    }

    #[test]
    fn what_is_known_of_a_place() {
        assert_eq!(zones_of_location("US", Some("US-FL"), Some("33101")), ["America/New_York"]);
        assert_eq!(zones_of_location("US", Some("US-FL"), None).len(), 2);
        assert_eq!(zones_of_location("US", None, None), Vec::<String>::new());
        assert_eq!(zones_of_location("GB", None, Some("SW1A 1AA")), ["Europe/London"]);
        // The region contradicts the postal code: both may be true.
        assert_eq!(
            zones_of_location("US", Some("US-CA"), Some("33101")),
            ["America/New_York", "America/Los_Angeles"]
        );
    }
}
