//! Reading one value out of an answer or a callback: by JSON pointer, form field, query parameter, header or pattern.

use serde::Deserialize;
use serde_json::Value;

/// A regular expression, compiled at load.
#[derive(Clone, Debug, Deserialize)]
#[serde(try_from = "String")]
pub struct Pattern(regex::Regex);

impl TryFrom<String> for Pattern {
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
        regex::RegexBuilder::new(&text)
            .size_limit(1 << 18)
            .build()
            .map(Self)
            .map_err(|error| format!("not a regular expression: {error}"))
    }
}

impl Pattern {
    /// Whether the whole text matches (the pattern is expected to carry its own anchors).
    pub fn matches(&self, text: &str) -> bool {
        self.0.is_match(text)
    }

    /// The first group, or the whole match where there is no group.
    fn capture(&self, text: &str) -> Option<String> {
        let found = self.0.captures(text)?;
        found.get(1).or_else(|| found.get(0)).map(|part| part.as_str().to_owned())
    }

    /// The pattern as written.
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }
}

/// Where a value stands.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Source {
    Json(String),
    Field(String),
    Query(String),
    Header(String),
    Text,
}

/// How one value is read.
#[derive(Clone, Debug, Deserialize)]
#[serde(try_from = "Written")]
pub struct Extract {
    source: Source,
    pattern: Option<Pattern>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    json: Option<String>,
    field: Option<String>,
    query: Option<String>,
    header: Option<String>,
    text: Option<Pattern>,
    pattern: Option<Pattern>,
}

impl TryFrom<Written> for Extract {
    type Error = &'static str;
    fn try_from(written: Written) -> Result<Self, Self::Error> {
        let Written { json, field, query, header, text, pattern } = written;
        if json.as_ref().is_some_and(|pointer| !pointer.is_empty() && !pointer.starts_with('/')) {
            return Err("a JSON pointer begins with `/` (RFC 6901)");
        }
        if text.is_some() && pattern.is_some() {
            return Err("`text` is itself a pattern: leave out `pattern`");
        }
        let whole_text = text.is_some().then_some(Source::Text);
        let mut sources = [
            json.map(Source::Json),
            field.map(Source::Field),
            query.map(Source::Query),
            header.map(Source::Header),
            whole_text,
        ]
        .into_iter()
        .flatten();
        match (sources.next(), sources.next()) {
            (Some(source), None) => Ok(Self { source, pattern: pattern.or(text) }),
            _ => Err("name exactly one of `json`, `field`, `query`, `header` and `text`"),
        }
    }
}

/// What there is to read from.
#[derive(Clone, Copy, Default)]
pub struct Document<'d> {
    /// Headers, names in any case.
    pub headers: &'d [(String, String)],
    /// Query parameters, decoded.
    pub query: &'d [(String, String)],
    /// Form fields, decoded.
    pub fields: &'d [(String, String)],
    /// The JSON value, if the body is JSON.
    pub json: Option<&'d Value>,
    /// The body as text.
    pub text: &'d str,
}

impl<'d> Document<'d> {
    /// A header's value, by name in any case.
    pub fn header(&self, name: &str) -> Option<&'d str> {
        self.headers.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }
}

fn first<'d>(pairs: &'d [(String, String)], name: &str) -> Option<&'d str> {
    pairs.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
}

impl Extract {
    /// The value as text; none where it is absent, `null`, an object or an array, or the pattern does not match.
    pub fn read(&self, document: &Document<'_>) -> Option<String> {
        let found = match &self.source {
            Source::Json(pointer) => scalar(document.json?.pointer(pointer)?)?,
            Source::Field(name) => first(document.fields, name)?.to_owned(),
            Source::Query(name) => first(document.query, name)?.to_owned(),
            Source::Header(name) => document.header(name)?.to_owned(),
            Source::Text => document.text.to_owned(),
        };
        match &self.pattern {
            Some(pattern) => pattern.capture(&found),
            None => Some(found),
        }
    }
}

fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(truth) => Some(truth.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

/// A condition on a value: that it is one of some words, or that it is there at all.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Condition {
    value: Extract,
    is: Option<Vec<String>>,
    present: Option<bool>,
}

impl Condition {
    /// Whether it holds. With neither `is` nor `present`, the value must be there.
    pub fn holds(&self, document: &Document<'_>) -> bool {
        let value = self.value.read(document);
        let word =
            self.is.as_ref().is_none_or(|words| value.as_ref().is_some_and(|value| words.contains(value)));
        let wanted = self.present.unwrap_or(true);
        if self.is.is_some() && self.present.is_none() { word } else { word && value.is_some() == wanted }
    }
}

/// Decodes `application/x-www-form-urlencoded` text, empty values kept, in order.
pub fn form_pairs(text: &str) -> Vec<(String, String)> {
    url::form_urlencoded::parse(text.as_bytes())
        .map(|(key, value)| (key.into_owned(), value.into_owned()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn extract(text: &str) -> Extract {
        toml::from_str(text).expect(text)
    }

    #[test]
    fn values_are_read_from_every_place() {
        let json = serde_json::json!({"messages": [{"status": 0, "id": "M1.filter7"}], "none": null});
        let headers = [("X-Message-Id".to_owned(), "H1".to_owned())];
        let fields = form_pairs("MessageSid=SM1&Body=a+%2B+b&Empty=");
        let document = Document {
            headers: &headers,
            fields: &fields,
            json: Some(&json),
            text: "0: Accepted",
            ..Document::default()
        };
        let read = |text: &str| extract(text).read(&document);
        assert_eq!(read("json = '/messages/0/status'").as_deref(), Some("0"));
        assert_eq!(read("json = '/messages/0/id'\npattern = '^[^.]+'").as_deref(), Some("M1"));
        assert_eq!(read("json = '/none'"), None);
        assert_eq!(read("header = 'x-message-id'").as_deref(), Some("H1"));
        assert_eq!(read("field = 'Body'").as_deref(), Some("a + b"));
        assert_eq!(read("field = 'Empty'").as_deref(), Some(""));
        assert_eq!(read("text = '^([0-9]+):'").as_deref(), Some("0"));
    }

    #[test]
    fn a_value_has_one_place() {
        for bad in ["", "json = '/a'\nfield = 'b'", "json = 'a'", "json = '/a'\npattern = '('"] {
            assert!(toml::from_str::<Extract>(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn conditions_compare_or_ask_for_presence() {
        let query = form_pairs("bodySHA256=abc");
        let document = Document { query: &query, ..Document::default() };
        for (text, holds) in [
            ("value = { query = 'bodySHA256' }", true),
            ("value = { query = 'bodySHA256' }\npresent = false", false),
            ("value = { query = 'other' }\npresent = false", true),
            ("value = { query = 'bodySHA256' }\nis = ['abc']", true),
            ("value = { query = 'bodySHA256' }\nis = ['x']", false),
            ("value = { query = 'other' }\nis = ['x']", false),
        ] {
            assert_eq!(toml::from_str::<Condition>(text).expect(text).holds(&document), holds, "{text}");
        }
    }
}
