//! A callback taken apart, before anything in it is believed.

use crate::provider::callback::CallbackRequest;
use crate::provider::extract::Document;
use crate::provider::form::form_pairs_in;
use crate::provider::reading::{CallbackSpec, Encoding};
use crate::provider::{charset, multipart};
use serde_json::Value;

/// How many values of JSON are read. A vendor's have twenty bytes each and more; of two bytes each they take sixteen times their
/// own size in memory, and far more as objects, before anybody is believed.
const MOST: usize = 1 << 16;

/// Its parts, as text.
pub(in crate::provider) struct Opened {
    query: Vec<(String, String)>,
    fields: Vec<(String, String)>,
    json: Option<Value>,
    text: String,
    pub(in crate::provider) wants_json: bool,
}

impl Opened {
    pub(in crate::provider) fn new(request: &CallbackRequest, spec: &CallbackSpec) -> Self {
        let opened = Self::read(request, spec.encoding(), None);
        // What it is written in may itself stand in the callback.
        match spec.charset(&opened.document(request)).filter(|told| charset::tells(told)) {
            Some(told) => Self::read(request, spec.encoding(), Some(&told)),
            None => opened,
        }
    }

    fn read(request: &CallbackRequest, encoding: Encoding, told: Option<&str>) -> Self {
        let query =
            request.url.split_once('?').map_or("", |(_, query)| query.split('#').next().unwrap_or_default());
        let content_type = request.headers.iter().find(|(name, _)| name.eq_ignore_ascii_case("content-type"));
        let content_type = content_type.map_or("", |(_, value)| value.as_str());
        let own = multipart::parameter(content_type, "charset");
        let label = own.as_deref().or(told);
        let encoding = match encoding {
            Encoding::Any => by_content_type(content_type, &request.body),
            told => told,
        };
        let text = match encoding {
            // The parts are read one by one.
            Encoding::Multipart => String::new(),
            Encoding::Form | Encoding::Json | Encoding::Query | Encoding::Any => {
                charset::decode(&request.body, label).into_owned()
            }
        };
        let (fields, json) = match encoding {
            Encoding::Form => (form_pairs_in(&text, label), None),
            Encoding::Json => (Vec::new(), json_of(&text)),
            Encoding::Multipart => (multipart::parts(content_type, &request.body, told), None),
            Encoding::Query | Encoding::Any => (Vec::new(), None),
        };
        Self { query: form_pairs_in(query, told), fields, json, text, wants_json: encoding == Encoding::Json }
    }

    pub(in crate::provider) fn document<'d>(&'d self, request: &'d CallbackRequest) -> Document<'d> {
        Document {
            headers: &request.headers,
            query: &self.query,
            fields: &self.fields,
            json: self.json.as_ref(),
            text: &self.text,
        }
    }
}

fn by_content_type(content_type: &str, body: &[u8]) -> Encoding {
    let essence = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    match essence.as_str() {
        "application/x-www-form-urlencoded" => Encoding::Form,
        "multipart/form-data" => Encoding::Multipart,
        _ if body.is_empty() => Encoding::Query,
        _ => Encoding::Json,
    }
}

/// The body as JSON; none where it is not, or its values are very many. How long they are does not matter: a letter is one.
fn json_of(text: &str) -> Option<Value> {
    if pieces(text).nth(MOST).is_some() {
        return None;
    }
    serde_json::from_str(text).ok()
}

/// One for whatever begins a value beyond the first: there are no more values than these and one.
fn pieces(text: &str) -> impl Iterator<Item = ()> {
    let (mut quoted, mut escaped) = (false, false);
    text.bytes().filter_map(move |byte| {
        match (quoted, byte) {
            (true, _) if escaped => escaped = false,
            (true, b'\\') => escaped = true,
            (_, b'"') => quoted = !quoted,
            (false, b',' | b'[' | b'{') => return Some(()),
            _ => {}
        }
        None
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_of_very_many_values_is_none() {
        let zeros = |count: usize| format!("[{}0]", "0,".repeat(count - 1));
        assert_eq!(json_of(&zeros(60_000)).and_then(|json| Some(json.as_array()?.len())), Some(60_000));
        for many in [zeros(70_000), "[{\"\":0},".repeat(40_000), "[".repeat(70_000), "[[],".repeat(40_000)] {
            assert_eq!(pieces(&many).nth(MOST), Some(()), "{}", &many[..9]);
            assert_eq!(json_of(&many), None);
        }
        // What stands in a string is one value, however long it is.
        let letter = serde_json::json!({"text": "a, b: [c] {\"d\"}, \\".repeat(100_000), "to": "x"});
        assert_eq!(json_of(&letter.to_string()), Some(letter));
        assert_eq!(json_of("\"no end"), None);
    }
}
