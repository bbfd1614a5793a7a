//! Reading one value out of an answer or a callback: by JSON pointer, form field, query parameter, header or pattern.

use serde::Deserialize;
use serde::de::value::{MapAccessDeserializer, SeqAccessDeserializer};
use serde::de::{Deserializer, MapAccess, SeqAccess, Visitor};
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
    Param(String),
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
    param: Option<String>,
    header: Option<String>,
    text: Option<Pattern>,
    pattern: Option<Pattern>,
}

impl TryFrom<Written> for Extract {
    type Error = &'static str;
    fn try_from(written: Written) -> Result<Self, Self::Error> {
        let Written { json, field, query, param, header, text, pattern } = written;
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
            param.map(Source::Param),
            header.map(Source::Header),
            whole_text,
        ]
        .into_iter()
        .flatten();
        match (sources.next(), sources.next()) {
            (Some(source), None) => Ok(Self { source, pattern: pattern.or(text) }),
            _ => Err("name exactly one of `json`, `field`, `query`, `param`, `header` and `text`"),
        }
    }
}

/// Places to look in one after the other; the first value that is found and not empty counts. Written as one or as a list.
#[derive(Clone, Debug, Default)]
pub struct Extracts(Vec<Extract>);

impl<'de> Deserialize<'de> for Extracts {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct OneOrMany;
        impl<'de> Visitor<'de> for OneOrMany {
            type Value = Extracts;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a place such as { json = \"/id\" }, or a list of them")
            }
            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Extracts, A::Error> {
                Extract::deserialize(MapAccessDeserializer::new(map)).map(|one| Extracts(vec![one]))
            }
            fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<Extracts, A::Error> {
                Vec::deserialize(SeqAccessDeserializer::new(list)).map(Extracts)
            }
        }
        deserializer.deserialize_any(OneOrMany)
    }
}

impl Extracts {
    /// A parameter of this name.
    pub(in crate::provider) fn of_param(name: &str) -> Self {
        Self(vec![Extract { source: Source::Param(name.to_owned()), pattern: None }])
    }

    /// Whether what stands there has a form that is known.
    pub(in crate::provider) fn is_of_a_form(&self) -> bool {
        self.0.iter().any(|extract| extract.pattern.is_some())
    }

    /// Every place to look in.
    pub(in crate::provider) fn each(&self) -> impl Iterator<Item = &Extract> {
        self.0.iter()
    }

    /// What stands at the first place where anything does, be it a list or an object.
    pub fn read_whole(&self, document: &Document<'_>) -> Option<Value> {
        self.0.iter().find_map(|extract| extract.read_whole(document))
    }

    /// Whether there is no place to look in.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The first value that is found and not empty.
    pub fn read(&self, document: &Document<'_>) -> Option<String> {
        self.0.iter().find_map(|extract| extract.read(document).filter(|value| !value.is_empty()))
    }

    /// The first value that is found and can be made something of.
    pub fn find_map<T>(&self, document: &Document<'_>, make: impl Fn(String) -> Option<T>) -> Option<T> {
        self.0.iter().filter_map(|extract| extract.read(document)).find_map(make)
    }

    /// The first value that is found, empty or not.
    pub fn read_even_empty(&self, document: &Document<'_>) -> Option<String> {
        self.read(document).or_else(|| self.0.iter().find_map(|extract| extract.read(document)))
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

/// What a JSON pointer (RFC 6901) leads to; `*` in the place of a name is every element of an array.
pub fn resolve<'j>(json: &'j Value, pointer: &str) -> Vec<&'j Value> {
    let Some((before, after)) = pointer.split_once("/*") else {
        return json.pointer(pointer).into_iter().collect();
    };
    if !after.is_empty() && !after.starts_with('/') {
        return json.pointer(pointer).into_iter().collect();
    }
    let items = json.pointer(before).and_then(Value::as_array);
    items.into_iter().flatten().flat_map(|item| resolve(item, after)).collect()
}

impl Extract {
    /// The value as text; none where it is absent, `null`, an object or an array, or the pattern does not match. Of several,
    /// the first.
    pub fn read(&self, document: &Document<'_>) -> Option<String> {
        self.read_all(document).into_iter().next()
    }

    /// What stands there, be it a list or an object; none where nothing does, or `null`. A pattern is not asked.
    pub fn read_whole(&self, document: &Document<'_>) -> Option<Value> {
        if let Source::Json(pointer) = &self.source {
            return resolve(document.json?, pointer).into_iter().find(|value| !value.is_null()).cloned();
        }
        self.read(document).map(Value::String)
    }

    /// Whether anything stands there, be it a list or an object; with a pattern, whether it matches.
    fn finds(&self, document: &Document<'_>) -> bool {
        let of_json = |found: Option<&Value>| found.is_some_and(|value| !value.is_null());
        match (&self.source, &self.pattern, document.json) {
            (Source::Json(pointer), None, Some(json)) => {
                resolve(json, pointer).into_iter().any(|v| of_json(Some(v)))
            }
            (Source::Param(name), None, Some(json)) => {
                self.read(document).is_some() || of_json(json.get(name))
            }
            _ => self.read(document).is_some(),
        }
    }

    /// Whether it reads where another one does, whatever it takes of what stands there.
    pub(in crate::provider) fn has_place_of(&self, other: &Self) -> bool {
        self.source == other.source
    }

    /// Whether what it reads lies within what a signature's message calls by this name (`body`, `header:Time`).
    pub(in crate::provider) fn lies_within(&self, name: &str) -> bool {
        let (place, key) = name.split_once(':').unwrap_or((name, ""));
        let of_query = |own: &str| match place {
            "url" | "query_string" | "sorted_query" | "pairs" => true,
            place => place == "query" && key == own,
        };
        let of_body = |own: &str, of: &str| match place {
            "body" | "sorted_form" | "pairs" => true,
            place => place == of && key == own,
        };
        match &self.source {
            Source::Header(own) => place == "header" && key.eq_ignore_ascii_case(own),
            Source::Query(own) => of_query(own),
            Source::Field(own) => of_body(own, "field"),
            Source::Json(own) => of_body(own, "json"),
            Source::Param(own) => of_query(own) || of_body(own, "field") || of_body(own, "json"),
            Source::Text => name == "body",
        }
    }

    /// Whether it reads a query parameter.
    pub(in crate::provider) fn is_of_query(&self) -> bool {
        matches!(self.source, Source::Query(_))
    }

    /// Every value, where a JSON pointer leads to several.
    pub fn read_all(&self, document: &Document<'_>) -> Vec<String> {
        let found: Vec<String> = match &self.source {
            Source::Json(pointer) => {
                let json = document.json.into_iter();
                json.flat_map(|json| resolve(json, pointer)).filter_map(scalar).collect()
            }
            Source::Field(name) => first(document.fields, name).map(str::to_owned).into_iter().collect(),
            Source::Query(name) => first(document.query, name).map(str::to_owned).into_iter().collect(),
            Source::Param(name) => param(document, name).into_iter().collect(),
            Source::Header(name) => document.header(name).map(str::to_owned).into_iter().collect(),
            Source::Text => vec![document.text.to_owned()],
        };
        match &self.pattern {
            Some(pattern) => found.iter().filter_map(|value| pattern.capture(value)).collect(),
            None => found,
        }
    }
}

/// A parameter wherever the vendor was told to put it: query, form, or a member of a JSON object.
fn param(document: &Document<'_>, name: &str) -> Option<String> {
    let pairs = first(document.query, name).or_else(|| first(document.fields, name)).map(str::to_owned);
    pairs.or_else(|| document.json?.get(name).and_then(scalar))
}

/// A scalar as text.
pub fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(truth) => Some(truth.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

/// A condition on a value: that it is one of some words, is not, matches a pattern, or that it is there at all.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Condition {
    value: Extract,
    is: Option<Vec<String>>,
    not: Option<Vec<String>>,
    matches: Option<Pattern>,
    present: Option<bool>,
}

/// For how many of its values a condition holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Share {
    /// Every one, and there is one.
    All,
    /// Some, and not others.
    Some,
    /// None.
    None,
}

impl Condition {
    /// Where its value stands.
    pub(in crate::provider) fn place(&self) -> &Extract {
        &self.value
    }

    /// Whether it holds for every value there is. With nothing but `value`, there must be one.
    pub fn holds(&self, document: &Document<'_>) -> bool {
        self.share(document) == Share::All
    }

    /// For how many of its values it holds.
    pub fn share(&self, document: &Document<'_>) -> Share {
        let values = self.value.read_all(document);
        if values.is_empty() {
            // A list or an object is there, and is no word; what is absent is certainly not one that it must not be.
            let there = self.value.finds(document);
            let fits = self.present.map_or(there || self.not.is_some(), |wanted| wanted == there);
            let asks = self.is.is_some() || self.matches.is_some();
            return if fits && !asks { Share::All } else { Share::None };
        }
        if self.present == Some(false) {
            return Share::None;
        }
        let fitting = values.iter().filter(|value| self.fits(value)).count();
        match fitting {
            0 => Share::None,
            count if count == values.len() => Share::All,
            _ => Share::Some,
        }
    }

    fn fits(&self, value: &String) -> bool {
        self.is.as_ref().is_none_or(|words| words.contains(value))
            && !self.not.as_ref().is_some_and(|words| words.contains(value))
            && self.matches.as_ref().is_none_or(|pattern| pattern.matches(value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::provider::form::form_pairs;

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
        assert_eq!(read("json = '/messages/*/id'").as_deref(), Some("M1.filter7"));
        assert_eq!(read("param = 'Body'").as_deref(), Some("a + b"));
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
            ("value = { query = 'other' }\nnot = ['x']", true),
            ("value = { query = 'bodySHA256' }\nnot = ['abc']", false),
            ("value = { query = 'bodySHA256' }\nmatches = '^a'", true),
            ("value = { query = 'bodySHA256' }\nmatches = '^b'", false),
            ("value = { query = 'other' }\nmatches = '^a'", false),
        ] {
            assert_eq!(toml::from_str::<Condition>(text).expect(text).holds(&document), holds, "{text}");
        }
    }

    #[test]
    fn a_list_and_an_object_are_there() {
        let json = serde_json::json!({"errors": [{"code": 4}], "none": null, "empty": [], "meta": {"a": 1}});
        let document = Document { json: Some(&json), ..Document::default() };
        for (text, holds) in [
            ("value = { json = '/errors' }", true),
            ("value = { param = 'errors' }", true),
            ("value = { json = '/errors' }\npresent = false", false),
            ("value = { json = '/errors' }\npresent = true", true),
            ("value = { json = '/errors/0' }", true),
            ("value = { json = '/errors/*' }\npresent = false", false),
            ("value = { json = '/empty' }", true),
            ("value = { json = '/empty/0' }\npresent = false", true),
            ("value = { json = '/meta' }", true),
            ("value = { json = '/meta' }\nis = ['x']", false),
            ("value = { json = '/meta' }\nnot = ['x']", true),
            ("value = { json = '/none' }", false),
            ("value = { json = '/none' }\npresent = false", true),
            ("value = { json = '/other' }\npresent = true", false),
        ] {
            assert_eq!(toml::from_str::<Condition>(text).expect(text).holds(&document), holds, "{text}");
        }
    }

    #[test]
    fn a_star_is_every_element() {
        let json =
            serde_json::json!({"a": [{"b": [{"c": 1}, {"c": 2}]}, {"b": [{"c": 3}]}], "*": 4, "x*": 5});
        let values = |pointer: &str| {
            resolve(&json, pointer).iter().filter_map(|value| scalar(value)).collect::<Vec<_>>()
        };
        assert_eq!(values("/a/*/b/*/c"), ["1", "2", "3"]);
        assert_eq!(values("/a/0/b/1/c"), ["2"]);
        assert_eq!(values("/x*"), ["5"]);
        assert!(values("/a/b/*/c").is_empty() && values("/none/*").is_empty());
        let document = Document { json: Some(&json), ..Document::default() };
        for (words, share) in
            [("['1', '2', '3']", Share::All), ("['1']", Share::Some), ("['7']", Share::None)]
        {
            let condition = format!("value = {{ json = '/a/*/b/*/c' }}\nis = {words}");
            assert_eq!(toml::from_str::<Condition>(&condition).expect("sound").share(&document), share);
        }
    }

    #[test]
    fn places_are_one_or_many() {
        let fields = form_pairs("a=&b=2");
        let document = Document { fields: &fields, ..Document::default() };
        #[derive(Deserialize)]
        struct Holder {
            at: Extracts,
        }
        let read = |text: &str| toml::from_str::<Holder>(text).map(|holder| holder.at.read(&document));
        assert_eq!(read("at = { field = 'b' }").expect("one").as_deref(), Some("2"));
        assert_eq!(read("at = [{ field = 'a' }, { field = 'b' }]").expect("many").as_deref(), Some("2"));
        let error = read("at = 'b'").expect_err("wrong").to_string();
        assert!(error.contains("a place such as"), "{error}");
        let error = read("at = [{ feld = 'b' }]").expect_err("wrong").to_string();
        assert!(error.contains("unknown field `feld`"), "{error}");
    }
}
