//! What upstream may put into a template: declared variables, their types, and what is wrong with a value.

use crate::domain::money::Money;
use crate::domain::time::Date;
use crate::template::format;
use serde::Deserialize;
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// The type of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// One line of printable text.
    Text,
    /// A calendar date, `2026-12-01`.
    Date,
    /// `{"amount": "482.13", "currency": "USD"}`.
    Money,
    /// An E.164 telephone number.
    Phone,
    /// An absolute `https` or `http` address.
    Url,
    /// A whole number.
    Integer,
    /// `true` or `false`, for conditions.
    Flag,
}

/// A variable that a template declares.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Declared {
    /// An example that fits the type.
    pub example: toml::Value,
    /// What it means, for whoever fills it in.
    pub meaning: String,
    /// The type.
    #[serde(rename = "type")]
    pub kind: Kind,
    /// The most characters a text may have; 200 where absent.
    pub max_length: Option<usize>,
    /// Whether a request without it is refused.
    #[serde(default)]
    pub required: bool,
}

/// A text's most characters where its declaration names no other.
pub const MAX_LENGTH: usize = 200;
/// An address's most bytes.
const MAX_URL: usize = 2_000;

impl Declared {
    /// What is wrong with a value, in words that do not repeat it.
    pub fn objection(&self, value: &Value) -> Option<String> {
        match (self.kind, value) {
            (_, Value::Null) => Some("is null; leave it out or give a value".to_owned()),
            (Kind::Text, Value::String(text)) => self.objection_to_text(text),
            (Kind::Date, Value::String(text)) if is_date(text) => None,
            (Kind::Money, money) if is_money(money) => None,
            (Kind::Phone, Value::String(text)) if format::phone(text).is_some() => None,
            (Kind::Url, Value::String(text)) if is_url(text) => None,
            (Kind::Integer, Value::Number(number)) if number.is_i64() => None,
            (Kind::Flag, Value::Bool(_)) => None,
            (kind, _) => Some(format!("is not {}", kind.expected())),
        }
    }

    fn objection_to_text(&self, text: &str) -> Option<String> {
        let most = self.max_length.unwrap_or(MAX_LENGTH);
        if text.trim().is_empty() {
            Some("is empty".to_owned())
        } else if !text.chars().all(is_printable) {
            Some("has a control character; it must be one line of printable text".to_owned())
        } else if text.chars().count() > most {
            Some(format!("has more than {most} characters"))
        } else {
            None
        }
    }
}

impl Kind {
    /// The form of a value, for messages: "a date such as 2026-12-01".
    pub const fn expected(self) -> &'static str {
        match self {
            Self::Text => "a text",
            Self::Date => "a date such as \"2026-12-01\"",
            Self::Money => "an amount such as {\"amount\": \"482.13\", \"currency\": \"USD\"}",
            Self::Phone => "an E.164 telephone number such as \"+16145550100\"",
            Self::Url => "an absolute address that starts with https:// or http://",
            Self::Integer => "a whole number",
            Self::Flag => "true or false",
        }
    }
}

/// Everything wrong with a request's variables: JSON pointer into the request, and a sentence without the
/// value.
pub fn check(declared: &BTreeMap<String, Declared>, given: &Map<String, Value>) -> Vec<(String, String)> {
    let missing = declared.iter().filter(|(name, one)| one.required && !given.contains_key(*name)).map(
        |(name, one)| (pointer_to(name), format!("is missing: {}, {}", one.meaning, one.kind.expected())),
    );
    let unfit = given.iter().filter_map(|(name, value)| match declared.get(name) {
        Some(one) => one.objection(value).map(|detail| (pointer_to(name), detail)),
        None => Some((pointer_to(name), "is not a variable of this template".to_owned())),
    });
    missing.chain(unfit).collect()
}

/// The JSON pointer (RFC 6901) of a variable in a request.
pub fn pointer_to(name: &str) -> String {
    format!("/variables/{}", name.replace('~', "~0").replace('/', "~1"))
}

/// A TOML value as JSON; dates become strings.
pub fn json_of(value: &toml::Value) -> Value {
    match value {
        toml::Value::String(text) => Value::String(text.clone()),
        toml::Value::Integer(number) => Value::from(*number),
        toml::Value::Float(number) => Value::from(*number),
        toml::Value::Boolean(flag) => Value::Bool(*flag),
        toml::Value::Datetime(moment) => Value::String(moment.to_string()),
        toml::Value::Array(items) => Value::Array(items.iter().map(json_of).collect()),
        toml::Value::Table(table) => {
            Value::Object(table.iter().map(|(key, value)| (key.clone(), json_of(value))).collect())
        }
    }
}

/// Whether a character may stand in a message as it is: no control characters, and none that reorder what
/// follows (Unicode bidirectional overrides and isolates), with which a value could forge the words around
/// it.
pub fn is_printable(c: char) -> bool {
    !c.is_control()
        && !matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{2028}' | '\u{2029}')
}

/// Whether it is an absolute web address without anything that could leave an attribute or a line.
pub fn is_url(text: &str) -> bool {
    let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    text.len() <= MAX_URL
        && rest.is_some_and(|rest| !rest.is_empty() && !rest.starts_with('/'))
        && text
            .chars()
            .all(|c| is_printable(c) && !c.is_whitespace() && !matches!(c, '"' | '<' | '>' | '\\' | '`'))
}

fn is_date(text: &str) -> bool {
    // The library also reads times and zones after the date; only the plain form is a date here.
    text.len() == 10 && text.parse::<Date>().is_ok()
}

fn is_money(value: &Value) -> bool {
    money_of(value).is_some()
}

/// The amount that a JSON object describes.
pub fn money_of(value: &Value) -> Option<Money> {
    let object = value.as_object().filter(|object| object.len() == 2)?;
    Money::parse(object.get("amount")?.as_str()?, object.get("currency")?.as_str()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn declared(kind: Kind) -> Declared {
        Declared {
            example: toml::Value::Boolean(true),
            meaning: "a sample".to_owned(),
            kind,
            max_length: None,
            required: true,
        }
    }

    #[test]
    fn each_type_takes_its_own_values_and_no_others() {
        let values = [
            (Kind::Text, json!("by noon")),
            (Kind::Date, json!("2026-12-01")),
            (Kind::Money, json!({"amount": "482.13", "currency": "USD"})),
            (Kind::Phone, json!("+16145550100")),
            (Kind::Url, json!("https://pay.example/A-1")),
            (Kind::Integer, json!(3)),
            (Kind::Flag, json!(false)),
        ];
        for (kind, _) in &values {
            for (other, value) in &values {
                // A date, a number and an address are texts too.
                let fits = kind == other || (*kind == Kind::Text && value.is_string());
                assert_eq!(declared(*kind).objection(value).is_none(), fits, "{kind:?} {value}");
            }
            assert!(declared(*kind).objection(&Value::Null).is_some());
        }
    }

    #[test]
    fn values_that_only_look_right_are_refused() {
        let table = [
            (Kind::Date, json!("2026-02-30")),
            (Kind::Date, json!("2026-12-01T00:00:00Z")),
            (Kind::Date, json!("12/01/2026")),
            (Kind::Money, json!({"amount": 482.13, "currency": "USD"})),
            (Kind::Money, json!({"amount": "482.13", "currency": "USD", "note": "x"})),
            (Kind::Url, json!("javascript:alert(1)")),
            (Kind::Url, json!("https://")),
            (Kind::Url, json!("https://pay.example/\"onload=x")),
            (Kind::Url, json!("https://pay.example/a b")),
            (Kind::Text, json!("two\nlines")),
            (Kind::Text, json!("over\u{202e}ride")),
            (Kind::Text, json!("  ")),
            (Kind::Text, json!("x".repeat(201))),
            (Kind::Integer, json!(1.5)),
        ];
        for (kind, value) in table {
            let objection = declared(kind).objection(&value);
            assert!(objection.is_some(), "{kind:?} {value}");
        }
    }

    #[test]
    fn everything_wrong_is_named_at_once() {
        let all = BTreeMap::from([
            ("due_date".to_owned(), declared(Kind::Date)),
            ("note".to_owned(), declared(Kind::Text)),
        ]);
        let given = json!({"note": "a\tb", "a/b~c": 1});
        let found = check(&all, given.as_object().expect("an object"));
        let pointers: Vec<_> = found.iter().map(|(pointer, _)| pointer.as_str()).collect();
        assert_eq!(pointers, ["/variables/due_date", "/variables/a~1b~0c", "/variables/note"]);
        assert!(found.iter().all(|(_, detail)| !detail.contains("a\tb")));
    }
}
