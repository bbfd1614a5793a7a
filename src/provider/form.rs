//! Reading `application/x-www-form-urlencoded` (WHATWG URL, section 5.1), in whatever charset.

use crate::provider::charset;

/// How many pairs are read. More are nobody's form: held in memory they take a hundred times their own size, and whoever sends
/// them need not be believed yet.
const PAIRS: usize = 1000;

/// Decodes `application/x-www-form-urlencoded` text, empty values kept, in order. None where they are very many.
pub fn form_pairs(text: &str) -> Vec<(String, String)> {
    form_pairs_in(text, None)
}

/// The same, written in this charset where it is not UTF-8.
pub fn form_pairs_in(text: &str, label: Option<&str>) -> Vec<(String, String)> {
    let decode = |part: &str| charset::decode(&unescaped(part), label).into_owned();
    let pairs = text.split('&').filter(|pair| !pair.is_empty());
    if pairs.clone().nth(PAIRS).is_some() {
        return Vec::new();
    }
    pairs
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
        .map(|(k, v)| (decode(k), decode(v)))
        .collect()
}

/// The bytes that percent-encoded text stands for, a plus sign for a space (WHATWG URL, section 5.1).
fn unescaped(text: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        let escaped = match (byte, after) {
            (b'%', [high, low, ..]) => char::from(*high).to_digit(16).zip(char::from(*low).to_digit(16)),
            _ => None,
        };
        match escaped {
            Some((high, low)) => {
                // Two hexadecimal digits are at most 255.
                out.push(u8::try_from(high << 4 | low).unwrap_or_default());
                rest = &rest[2..];
            }
            None => out.push(if byte == b'+' { b' ' } else { byte }),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_are_decoded_in_every_usual_charset() {
        assert_eq!(
            form_pairs("a=%F1&b=%C3%B1+x&c&=d&%zz=1%"),
            [
                ("a".to_owned(), "ñ".to_owned()),
                ("b".to_owned(), "ñ x".to_owned()),
                ("c".to_owned(), String::new()),
                (String::new(), "d".to_owned()),
                ("%zz".to_owned(), "1%".to_owned()),
            ]
        );
        assert_eq!(form_pairs_in("t=%00%F1", Some("utf-16be"))[0].1, "ñ");
    }

    #[test]
    fn a_form_of_very_many_fields_is_none() {
        assert_eq!(form_pairs(&"a=1&&".repeat(1000)).len(), 1000);
        assert_eq!(form_pairs(&"a=1&".repeat(1001)), []);
        assert_eq!(form_pairs(&"a&".repeat(16 << 20)).capacity(), 0);
    }
}
