//! A callback taken apart, before anything in it is believed.

use crate::provider::callback::CallbackRequest;
use crate::provider::extract::Document;
use crate::provider::form::form_pairs_in;
use crate::provider::reading::{CallbackSpec, Encoding};
use crate::provider::{charset, multipart};
use serde_json::Value;

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
            Encoding::Json => (Vec::new(), serde_json::from_str(&text).ok()),
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
