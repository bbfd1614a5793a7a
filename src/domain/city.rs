//! Cities that have rules of their own, known by the postal codes and the names of `data/cities.csv`.
//!
//! A city whose law a pack carries stands there. Of every other place it is kept only that it is elsewhere: where somebody
//! lives is personal, and no rule asks.

use std::sync::LazyLock;

/// A place that is known, and lies in none of the cities.
pub const ELSEWHERE: &str = "elsewhere";

struct City {
    region: &'static str,
    name: &'static str,
    /// Postal codes, or their first digits.
    codes: Vec<&'static str>,
    names: Vec<&'static str>,
}

static CITIES: LazyLock<Vec<City>> = LazyLock::new(|| {
    let rows = include_str!("data/cities.csv").lines().skip(1);
    let list = |cell: &'static str| cell.split('|').collect();
    rows.filter_map(|row| {
        let mut cells = row.split(',');
        let (region, name) = (cells.next()?, cells.next()?);
        Some(City { region, name, codes: list(cells.next()?), names: list(cells.next()?) })
    })
    .collect()
});

/// Whether a name is that of a city by which a rule may be narrowed.
pub fn is_city(name: &str) -> bool {
    CITIES.iter().any(|city| city.name == name)
}

/// The city that a place of a region lies in by its postal code or its name, [`ELSEWHERE`] where it lies in none, and nothing
/// where neither is known: then it may lie in any.
pub fn city_of(
    region: Option<&str>,
    postal_code: Option<&str>,
    locality: Option<&str>,
) -> Option<&'static str> {
    let code = postal_code.map(str::trim).filter(|code| !code.is_empty());
    let given = locality.map(plain).filter(|name| !name.is_empty());
    if code.is_none() && given.is_none() {
        return None;
    }
    let here = |city: &&City| {
        let by_code = code.is_some_and(|code| city.codes.iter().any(|begins| code.starts_with(begins)));
        let by_name = given.as_deref().is_some_and(|name| name == city.name || city.names.contains(&name));
        Some(city.region) == region && (by_code || by_name)
    };
    Some(CITIES.iter().find(here).map_or(ELSEWHERE, |city| city.name))
}

/// `Brooklyn, NY` and ` St. Albans ` as the table writes them.
fn plain(locality: &str) -> String {
    let name = locality.split(',').next().unwrap_or_default().replace(['.', '-'], " ");
    name.split_whitespace().collect::<Vec<_>>().join(" ").to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cities_are_known_by_code_and_by_name() {
        const NYC: Option<&str> = Some("new york city");
        let new_york = |code: &str, name: &str| {
            let known = |text: &'static str| (!text.is_empty()).then_some(text);
            let (code, name): (&'static str, &'static str) = (code.to_owned().leak(), name.to_owned().leak());
            city_of(Some("US-NY"), known(code), known(name))
        };
        for code in
            ["10001", "10314", "10475-0001", "11004", "11005", "11101", "11201", "11385", "11436", "11697"]
        {
            assert_eq!(new_york(code, ""), NYC, "{code}");
        }
        for code in ["10501", "11001", "11003", "11510", "12207", "14201"] {
            assert_eq!(new_york(code, ""), Some(ELSEWHERE), "{code}");
        }
        for name in
            ["Brooklyn", "Brooklyn, NY", " Flushing ", "St. Albans", "Long Island City", "NYC", "JAMAICA"]
        {
            assert_eq!(new_york("", name), NYC, "{name}");
        }
        for name in ["Albany", "Yonkers", "Hempstead"] {
            assert_eq!(new_york("", name), Some(ELSEWHERE), "{name}");
        }
        assert_eq!(new_york("12207", "Brooklyn"), NYC, "where the two differ, the stricter");
        assert_eq!(new_york("", ""), None);
        assert_eq!(new_york("", " , "), None);
        assert_eq!(city_of(Some("US-MI"), None, Some("Flushing")), Some(ELSEWHERE));
        assert!(is_city("new york city") && !is_city("New York"));
    }
}
