//! Regions (ISO 3166-2, `US-MA`) and countries (ISO 3166-1 alpha-2), and the state that a US postal code lies in.

use crate::domain::zone::zones_of_country;

/// The states, the District of Columbia and the territories that have US postal codes.
pub const US_REGIONS: &[&str] = &[
    "US-AK", "US-AL", "US-AR", "US-AS", "US-AZ", "US-CA", "US-CO", "US-CT", "US-DC", "US-DE", "US-FL",
    "US-GA", "US-GU", "US-HI", "US-IA", "US-ID", "US-IL", "US-IN", "US-KS", "US-KY", "US-LA", "US-MA",
    "US-MD", "US-ME", "US-MI", "US-MN", "US-MO", "US-MP", "US-MS", "US-MT", "US-NC", "US-ND", "US-NE",
    "US-NH", "US-NJ", "US-NM", "US-NV", "US-NY", "US-OH", "US-OK", "US-OR", "US-PA", "US-PR", "US-RI",
    "US-SC", "US-SD", "US-TN", "US-TX", "US-UT", "US-VA", "US-VI", "US-VT", "US-WA", "US-WI", "US-WV",
    "US-WY",
];

/// The Postal Service's sectional ranges: from the first three digits, to the last that belong to the same state. Ranges
/// that are missing are military (`09x`, `340`, `962`–`966`) or not in use.
const SECTIONS: &[(u16, u16, &str)] = &[
    (5, 5, "US-NY"),
    (6, 7, "US-PR"),
    (8, 8, "US-VI"),
    (9, 9, "US-PR"),
    (10, 27, "US-MA"),
    (28, 29, "US-RI"),
    (30, 38, "US-NH"),
    (39, 49, "US-ME"),
    (50, 54, "US-VT"),
    (55, 55, "US-MA"),
    (56, 59, "US-VT"),
    (60, 69, "US-CT"),
    (70, 89, "US-NJ"),
    (100, 149, "US-NY"),
    (150, 196, "US-PA"),
    (197, 199, "US-DE"),
    (200, 200, "US-DC"),
    (201, 201, "US-VA"),
    (202, 205, "US-DC"),
    (206, 219, "US-MD"),
    (220, 246, "US-VA"),
    (247, 268, "US-WV"),
    (270, 289, "US-NC"),
    (290, 299, "US-SC"),
    (300, 319, "US-GA"),
    (320, 339, "US-FL"),
    (341, 342, "US-FL"),
    (344, 344, "US-FL"),
    (346, 347, "US-FL"),
    (349, 349, "US-FL"),
    (350, 369, "US-AL"),
    (370, 385, "US-TN"),
    (386, 397, "US-MS"),
    (398, 399, "US-GA"),
    (400, 427, "US-KY"),
    (430, 459, "US-OH"),
    (460, 479, "US-IN"),
    (480, 499, "US-MI"),
    (500, 528, "US-IA"),
    (530, 549, "US-WI"),
    (550, 567, "US-MN"),
    (569, 569, "US-DC"),
    (570, 577, "US-SD"),
    (580, 588, "US-ND"),
    (590, 599, "US-MT"),
    (600, 629, "US-IL"),
    (630, 658, "US-MO"),
    (660, 679, "US-KS"),
    (680, 693, "US-NE"),
    (700, 714, "US-LA"),
    (716, 729, "US-AR"),
    (730, 732, "US-OK"),
    (733, 733, "US-TX"),
    (734, 749, "US-OK"),
    (750, 799, "US-TX"),
    (800, 816, "US-CO"),
    (820, 831, "US-WY"),
    (832, 838, "US-ID"),
    (840, 847, "US-UT"),
    (850, 865, "US-AZ"),
    (870, 884, "US-NM"),
    (885, 885, "US-TX"),
    (889, 898, "US-NV"),
    (900, 961, "US-CA"),
    (967, 968, "US-HI"),
    (969, 969, "US-GU"),
    (970, 979, "US-OR"),
    (980, 994, "US-WA"),
    (995, 999, "US-AK"),
];

/// Postal codes that lie in another state than their section, or in none.
const EXCEPTIONS: &[(u32, u32, Option<&str>)] = &[
    (6_390, 6_390, Some("US-NY")),
    (83_414, 83_414, Some("US-WY")),
    (96_799, 96_799, Some("US-AS")),
    (96_898, 96_898, None),
    (96_939, 96_944, None),
    (96_950, 96_952, Some("US-MP")),
    (96_960, 96_970, None),
];

/// The names that the table of area codes gives to states, territories and provinces.
const NAMES: &[(&str, &str)] = &[
    ("Alabama", "US-AL"),
    ("Alaska", "US-AK"),
    ("Alberta", "CA-AB"),
    ("American Samoa", "US-AS"),
    ("Arizona", "US-AZ"),
    ("Arkansas", "US-AR"),
    ("British Colombia", "CA-BC"),
    ("British Columbia", "CA-BC"),
    ("California", "US-CA"),
    ("Colorado", "US-CO"),
    ("Connecticut", "US-CT"),
    ("Delaware", "US-DE"),
    ("Florida", "US-FL"),
    ("Georgia", "US-GA"),
    ("Guam", "US-GU"),
    ("Hawaii", "US-HI"),
    ("Idaho", "US-ID"),
    ("Illinois", "US-IL"),
    ("Indiana", "US-IN"),
    ("Iowa", "US-IA"),
    ("Kansas", "US-KS"),
    ("Kentucky", "US-KY"),
    ("Louisiana", "US-LA"),
    ("Maine", "US-ME"),
    ("Manitoba", "CA-MB"),
    ("Maryland", "US-MD"),
    ("Massachusetts", "US-MA"),
    ("Michigan", "US-MI"),
    ("Minnesota", "US-MN"),
    ("Mississippi", "US-MS"),
    ("Missouri", "US-MO"),
    ("Montana", "US-MT"),
    ("Nebraska", "US-NE"),
    ("Nevada", "US-NV"),
    ("New Brunswick", "CA-NB"),
    ("New Hampshire", "US-NH"),
    ("New Jersey", "US-NJ"),
    ("New Mexico", "US-NM"),
    ("New York", "US-NY"),
    ("Newfoundland and Labrador", "CA-NL"),
    ("North Carolina", "US-NC"),
    ("North Dakota", "US-ND"),
    ("Northern Mariana Islands", "US-MP"),
    ("Northwest Territories", "CA-NT"),
    ("Nova Scotia", "CA-NS"),
    ("Nunavut", "CA-NU"),
    ("Ohio", "US-OH"),
    ("Oklahoma", "US-OK"),
    ("Ontario", "CA-ON"),
    ("Oregon", "US-OR"),
    ("Pennsylvania", "US-PA"),
    ("Prince Edward Island", "CA-PE"),
    ("Puerto Rico", "US-PR"),
    ("Quebec", "CA-QC"),
    ("Rhode Island", "US-RI"),
    ("Saskatchewan", "CA-SK"),
    ("South Carolina", "US-SC"),
    ("South Dakota", "US-SD"),
    ("Tennessee", "US-TN"),
    ("Texas", "US-TX"),
    ("U.S. Virgin Islands", "US-VI"),
    ("Utah", "US-UT"),
    ("Vermont", "US-VT"),
    ("Virginia", "US-VA"),
    ("Washington D.C.", "US-DC"),
    ("Washington State", "US-WA"),
    ("West Virginia", "US-WV"),
    ("Wisconsin", "US-WI"),
    ("Wyoming", "US-WY"),
    ("Yukon", "CA-YT"),
];

/// The regions that a place of the table of area codes lies in: `New Jersey`, `San Antonio, TX`, `Nova Scotia/Prince Edward
/// Island`. Empty where it names none.
pub(in crate::domain) fn named_by(place: &str) -> Vec<&'static str> {
    let of_city = place.rsplit_once(", ").map(|(_, code)| code);
    let found = |name: &str| {
        let by_name = NAMES.iter().find(|(known, _)| *known == name.trim());
        let by_code =
            || NAMES.iter().find(|(_, region)| of_city.is_some_and(|code| region.get(3..) == Some(code)));
        by_name.or_else(by_code).map(|(_, region)| *region)
    };
    place.split('/').filter_map(found).collect()
}

/// The number of a US postal code, `33101` or `33101-1234`.
pub(in crate::domain) fn zip(code: &str) -> Option<u32> {
    let code = code.trim();
    let (five, rest) = code.split_at_checked(5)?;
    let rest = rest.strip_prefix('-').unwrap_or(rest);
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    (digits(five) && digits(rest) && matches!(rest.len(), 0 | 4)).then(|| five.parse().ok()).flatten()
}

/// Whether a text is a postal code in its country's form; only that of the United States is known.
pub fn is_postal_code(country: &str, code: &str) -> bool {
    if country == "US" { zip(code).is_some() } else { (1..=12).contains(&code.trim().len()) }
}

/// The state or territory that a US postal code lies in; none for military addresses and for other countries.
pub fn of_postal_code(country: &str, code: &str) -> Option<&'static str> {
    let zip = (country == "US").then(|| zip(code)).flatten()?;
    if let Some((_, _, region)) = EXCEPTIONS.iter().find(|(from, to, _)| (*from..=*to).contains(&zip)) {
        return *region;
    }
    let section = u16::try_from(zip / 100).ok()?;
    SECTIONS.iter().find(|(from, to, _)| (*from..=*to).contains(&section)).map(|(_, _, region)| *region)
}

/// Whether a text is a country's ISO 3166-1 alpha-2 code.
pub fn is_country(code: &str) -> bool {
    code.len() == 2 && !zones_of_country(code).is_empty()
}

/// Whether a text is a region: of the United States one of its list, elsewhere a country and one to three letters or digits.
pub fn is_region(region: &str) -> bool {
    match region.split_once('-') {
        Some(("US", _)) => US_REGIONS.contains(&region),
        Some((country, part)) => {
            let plain = part.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit());
            is_country(country) && (1..=3).contains(&part.len()) && plain
        }
        None => false,
    }
}

/// The country of a region, `US` of `US-MA`.
pub fn country_of(region: &str) -> &str {
    region.split_once('-').map_or(region, |(country, _)| country)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn postal_codes_lie_in_states() {
        for (code, region) in [
            ("02108", "US-MA"),
            ("05501", "US-MA"),
            ("10001", "US-NY"),
            ("06390", "US-NY"),
            ("33101", "US-FL"),
            ("20001", "US-DC"),
            ("73301", "US-TX"),
            ("96799", "US-AS"),
            ("96950", "US-MP"),
            ("99501", "US-AK"),
            ("00901", "US-PR"),
            ("98101-0001", "US-WA"),
        ] {
            assert_eq!(of_postal_code("US", code), Some(region), "{code}");
        }
        for nowhere in ["09001", "34001", "96201", "00001", "1234", "1234a", "33101-12", ""] {
            assert_eq!(of_postal_code("US", nowhere), None, "{nowhere}");
        }
        assert_eq!(of_postal_code("DE", "10115"), None);
    }

    #[test]
    fn places_of_area_codes_lie_in_regions() {
        assert_eq!(named_by("New Jersey"), ["US-NJ"]);
        assert_eq!(named_by("Washington D.C."), ["US-DC"]);
        assert_eq!(named_by("San Antonio, TX"), ["US-TX"]);
        assert_eq!(named_by("Toronto, ON"), ["CA-ON"]);
        assert_eq!(named_by("Nova Scotia/Prince Edward Island"), ["CA-NS", "CA-PE"]);
        assert_eq!(named_by("Jamaica"), Vec::<&str>::new());
        assert_eq!(named_by(""), Vec::<&str>::new());
        assert!(NAMES.iter().all(|(_, region)| is_region(region)));
    }

    #[test]
    fn sections_are_in_order_and_name_real_regions() {
        assert!(SECTIONS.windows(2).all(|pair| pair[0].1 < pair[1].0));
        assert!(SECTIONS.iter().all(|(from, to, region)| from <= to && is_region(region)));
        assert!(US_REGIONS.is_sorted());
        assert!(US_REGIONS.iter().all(|region| !crate::domain::zone::zones_of_region(region).is_empty()));
    }

    #[test]
    fn regions_and_countries() {
        assert!(is_region("US-MA") && is_region("CA-ON") && is_region("GB-ENG") && is_region("AU-NSW"));
        for bad in ["US-ZZ", "MA", "US-", "XX-AA", "us-ma", "CA-ONTARIO", ""] {
            assert!(!is_region(bad), "{bad}");
        }
        assert!(is_country("US") && is_country("GB") && !is_country("UK") && !is_country("us"));
        assert_eq!(country_of("US-MA"), "US");
    }
}
