//! Money, dates and telephone numbers as the reader of a language expects them.
//!
//! English follows the United States. Spanish is that of the United States and Mexico (CLDR `es-US`,
//! `es-MX`): a decimal point and grouping commas as in English, `$1,482.13`; day before month, months in
//! lower case.

use crate::domain::money::Money;
use crate::domain::time::Date;

/// A language whose conventions are known here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Language {
    /// English as written in the United States.
    English,
    /// Spanish as written in the United States and Mexico.
    Spanish,
}

const ENGLISH: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
const SPANISH: [&str; 12] = [
    "enero",
    "febrero",
    "marzo",
    "abril",
    "mayo",
    "junio",
    "julio",
    "agosto",
    "septiembre",
    "octubre",
    "noviembre",
    "diciembre",
];

impl Language {
    /// The language of a BCP 47 tag, by its primary subtag; none if its conventions are not known.
    pub fn of(tag: &str) -> Option<Self> {
        match tag.split('-').next() {
            Some(primary) if primary.eq_ignore_ascii_case("en") => Some(Self::English),
            Some(primary) if primary.eq_ignore_ascii_case("es") => Some(Self::Spanish),
            Some(_) | None => None,
        }
    }
}

/// An amount with its currency sign: `$1,482.13`, `-$7.50`, `CHF 12.00`.
pub fn money(money: &Money) -> String {
    let amount = money.amount();
    let (minus, digits) = match amount.strip_prefix('-') {
        Some(digits) => ("-", digits),
        None => ("", amount.as_str()),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let currency = money.currency();
    let sign = match currency.code() {
        "USD" => "$",
        "EUR" => "€",
        "GBP" => "£",
        code => code,
    };
    let space = if sign.len() == 3 && sign.is_ascii() { " " } else { "" };
    let mut out = String::with_capacity(amount.len() + 8);
    out.push_str(minus);
    out.push_str(sign);
    out.push_str(space);
    for (index, digit) in whole.chars().enumerate() {
        if index > 0 && (whole.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    if !fraction.is_empty() {
        out.push('.');
        out.push_str(fraction);
    }
    out
}

/// A date in words: "December 1, 2026", "1 de diciembre de 2026" ("1.º" is not used: most of the Americas say
/// "1 de").
pub fn date(date: Date, language: Language) -> String {
    let month = usize::from(date.month().unsigned_abs()) - 1;
    match language {
        Language::English => format!("{} {}, {}", ENGLISH[month], date.day(), date.year()),
        Language::Spanish => format!("{} de {} de {}", date.day(), SPANISH[month], date.year()),
    }
}

/// An E.164 number as it is dialled: the national form for North America, the international one elsewhere.
/// None if it is not a telephone number.
pub fn phone(e164: &str) -> Option<String> {
    match e164.strip_prefix("+1").map(str::as_bytes) {
        Some(digits) if digits.len() == 10 && digits.iter().all(u8::is_ascii_digit) => {
            let parts = ["(", &e164[2..5], ") ", &e164[5..8], "-", &e164[8..]];
            Some(parts.concat())
        }
        Some(_) => None,
        None => phonenumber::parse(None, e164)
            .ok()
            .filter(|_| e164.starts_with('+'))
            .map(|number| number.format().mode(phonenumber::Mode::International).to_string()),
    }
}

/// Digits one by one, for a voice to read: "6 1 4, 5 5 5, 0 1 0 0" from "(614) 555-0100".
pub fn spoken_digits(shown: &str) -> String {
    let mut out = String::with_capacity(shown.len() * 2);
    for group in shown.split(|c: char| !c.is_ascii_alphanumeric()).filter(|group| !group.is_empty()) {
        if !out.is_empty() {
            out.push_str(", ");
        }
        for (index, c) in group.chars().enumerate() {
            if index > 0 {
                out.push(' ');
            }
            out.push(c);
        }
    }
    out
}

/// The last four characters of an account reference, without what masks the rest: "1234" from "xxxx1234".
pub fn ending(reference: &str) -> &str {
    let start = reference.char_indices().rev().nth(3).map_or(0, |(index, _)| index);
    reference[start..].trim_start_matches(['x', 'X', '*', '-', ' ', '•'])
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn amounts() {
        let table = [
            ("482.13", "USD", "$482.13"),
            ("1482.13", "USD", "$1,482.13"),
            ("1234567.00", "USD", "$1,234,567.00"),
            ("-7.50", "USD", "-$7.50"),
            ("0.05", "USD", "$0.05"),
            ("999", "EUR", "€999.00"),
            ("1200", "JPY", "JPY 1,200"),
            ("12.5", "CHF", "CHF 12.50"),
            ("1.234", "KWD", "KWD 1.234"),
        ];
        for (amount, currency, shown) in table {
            assert_eq!(money(&Money::parse(amount, currency).expect(amount)), shown);
        }
    }

    #[test]
    fn dates() {
        let day: Date = "2026-12-01".parse().expect("a date");
        assert_eq!(date(day, Language::English), "December 1, 2026");
        assert_eq!(date(day, Language::Spanish), "1 de diciembre de 2026");
        let day: Date = "2024-02-29".parse().expect("a date");
        assert_eq!(date(day, Language::English), "February 29, 2024");
        assert_eq!(date(day, Language::Spanish), "29 de febrero de 2024");
    }

    #[test]
    fn telephone_numbers() {
        assert_eq!(phone("+16145550100").as_deref(), Some("(614) 555-0100"));
        assert_eq!(phone("+442079460123").as_deref(), Some("+44 20 7946 0123"));
        for bad in ["6145550100", "+1614555010", "+1614555O100", "call us", ""] {
            assert_eq!(phone(bad), None, "{bad}");
        }
        assert_eq!(spoken_digits("(614) 555-0100"), "6 1 4, 5 5 5, 0 1 0 0");
        assert_eq!(spoken_digits("+44 20 7946 0123"), "4 4, 2 0, 7 9 4 6, 0 1 2 3");
    }

    #[test]
    fn references() {
        for (reference, shown) in [
            ("xxxx1234", "1234"),
            ("****-9876", "9876"),
            ("12", "12"),
            ("xx12", "12"),
            ("ñandú", "andú"),
            ("", ""),
        ] {
            assert_eq!(ending(reference), shown);
        }
    }

    #[test]
    fn tags() {
        assert_eq!(Language::of("es-MX"), Some(Language::Spanish));
        assert_eq!(Language::of("EN"), Some(Language::English));
        assert_eq!(Language::of("fr"), None);
        assert_eq!(Language::of("espresso"), None);
    }

    proptest! {
        #[test]
        fn an_amount_loses_no_digit(minor in -1_000_000_000_000_i64..1_000_000_000_000) {
            let minus = if minor < 0 { "-" } else { "" };
            let text = format!("{}{}.{:02}", minus, minor.abs() / 100, minor.abs() % 100);
            let shown = money(&Money::parse(&text, "USD").expect("made from digits"));
            prop_assert_eq!(shown.replace(['$', ','], ""), text);
        }
    }
}
