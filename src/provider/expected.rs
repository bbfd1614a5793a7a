//! What a case expects of a request and of a callback, and where the real ones differ.

pub(in crate::provider) mod document;

use crate::domain::call::AnsweredBy;
use crate::domain::id::AttemptId;
use crate::domain::outcome::FailureCause;
use crate::domain::time::Timestamp;
use crate::provider::callback::{CallbackEvent, DeliveryStatus};
use crate::provider::form::form_pairs;
use crate::provider::request::HttpRequest;
use crate::provider::{multipart, redact};
use serde::Deserialize;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// A request as a case writes it.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::provider) struct WrittenRequest {
    method: String,
    url: String,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    form: Option<Vec<(String, String)>>,
    multipart: Option<Vec<(String, String)>>,
    json: Option<toml::Value>,
    text: Option<String>,
    /// Headers that are made anew each time: only that they are there.
    #[serde(default)]
    present: Vec<String>,
    /// Headers that must not be there.
    #[serde(default)]
    absent: Vec<String>,
}

/// An event as a case writes it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::provider) struct WrittenEvent {
    reference: Option<String>,
    attempt: Option<AttemptId>,
    status: Option<DeliveryStatus>,
    code: Option<String>,
    cause: Option<FailureCause>,
    at: Option<Timestamp>,
    from: Option<String>,
    to: Option<String>,
    text: Option<String>,
    keyword: Option<String>,
    subject: Option<String>,
    html: Option<String>,
    /// These, and more may be there.
    headers: Option<BTreeMap<String, String>>,
    state: Option<String>,
    answered_by: Option<AnsweredBy>,
    keys: Option<String>,
    speech: Option<String>,
    connected: Option<bool>,
}

impl WrittenEvent {
    /// Every field with its value, for showing where two events differ.
    pub(in crate::provider) fn fields(&self) -> [(&'static str, String); 18] {
        fn shown(value: Option<&dyn std::fmt::Debug>) -> String {
            value.map_or("nothing".to_owned(), |value| format!("{value:?}"))
        }
        fn any<T: std::fmt::Debug>(value: &Option<T>) -> Option<&dyn std::fmt::Debug> {
            value.as_ref().map(|value| value as &dyn std::fmt::Debug)
        }
        let status = self.status.map(DeliveryStatus::as_str);
        [
            ("reference", shown(any(&self.reference))),
            ("attempt", shown(any(&self.attempt))),
            ("status", shown(any(&status))),
            ("code", shown(any(&self.code))),
            ("cause", shown(any(&self.cause))),
            ("at", shown(any(&self.at))),
            ("from", shown(any(&self.from))),
            ("to", shown(any(&self.to))),
            ("text", shown(any(&self.text))),
            ("keyword", shown(any(&self.keyword))),
            ("subject", shown(any(&self.subject))),
            ("html", shown(any(&self.html))),
            ("headers", shown(any(&self.headers))),
            ("state", shown(any(&self.state))),
            ("answered_by", shown(any(&self.answered_by))),
            ("keys", shown(any(&self.keys))),
            ("speech", shown(any(&self.speech))),
            ("connected", shown(any(&self.connected))),
        ]
    }
}

impl WrittenEvent {
    /// The event without the headers that nobody expects.
    pub(in crate::provider) fn beside(mut self, expected: &Self) -> Self {
        self.headers = self.headers.zip(expected.headers.as_ref()).map(|(mut found, expected)| {
            found.retain(|name, _| expected.contains_key(name));
            found
        });
        self
    }
}

impl From<&CallbackEvent> for WrittenEvent {
    fn from(event: &CallbackEvent) -> Self {
        match event {
            CallbackEvent::Delivery(delivery) => Self {
                reference: delivery.provider_ref.clone(),
                attempt: delivery.attempt,
                status: Some(delivery.status),
                code: delivery.code.clone(),
                cause: (delivery.cause != FailureCause::Unspecified).then_some(delivery.cause),
                at: delivery.at,
                ..Self::default()
            },
            CallbackEvent::Inbound(inbound) => Self {
                reference: inbound.provider_ref.clone(),
                from: Some(inbound.from.clone()),
                to: Some(inbound.to.clone()),
                text: Some(inbound.text.clone()),
                keyword: inbound.keyword.clone(),
                at: inbound.at,
                subject: inbound.letter.subject.clone(),
                html: inbound.letter.html.clone(),
                headers: Some(inbound.letter.headers.iter().cloned().collect()),
                ..Self::default()
            },
            CallbackEvent::Call(call) => Self {
                reference: call.provider_ref.clone(),
                attempt: call.attempt,
                state: call.state.clone(),
                answered_by: call.answered_by,
                keys: (!call.keys.is_empty()).then(|| call.keys.clone()),
                speech: call.speech.clone(),
                connected: call.connected.filter(|connected| *connected),
                ..Self::default()
            },
        }
    }
}

/// Where a request is not the one expected.
pub(in crate::provider) fn differences(expected: &WrittenRequest, request: &HttpRequest) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut compare = |what: &str, expected: &str, found: Option<&str>| {
        if found != Some(expected) {
            let found = found.map_or("nothing".to_owned(), redact::quoted);
            wrong.push(format!("{what}: expected {}, is {found}", redact::quoted(expected)));
        }
    };
    compare("method", &expected.method, Some(request.method.as_str()));
    compare("url", &expected.url, Some(&request.url));
    for (name, value) in &expected.headers {
        compare(&format!("header {name}"), value, request.header(name));
    }
    let body = String::from_utf8_lossy(&request.body);
    if let Some(text) = &expected.text {
        compare("text", text, Some(&body));
    }
    let content_type = request.header("content-type").unwrap_or_default();
    let fields = [
        ("form", &expected.form, form_pairs(&body)),
        ("multipart", &expected.multipart, multipart::parts(content_type, &request.body, None)),
    ];
    for (what, expected, found) in fields {
        let Some(expected) = expected else { continue };
        for (at, (name, value)) in expected.iter().enumerate() {
            let found = found.get(at).map(|(name, value)| format!("{name}={value}"));
            compare(&format!("{what} field {}", at + 1), &format!("{name}={value}"), found.as_deref());
        }
        if let Some((name, value)) = found.get(expected.len()) {
            compare(
                &format!("{what} field {}", expected.len() + 1),
                "nothing",
                Some(&format!("{name}={value}")),
            );
        }
    }
    if let Some(expected) = expected.json.as_ref().map(serde_json::to_value).and_then(Result::ok) {
        match serde_json::from_slice(&request.body) {
            Ok(found) => wrong.extend(json_difference("", &expected, &found)),
            Err(_) => wrong.push("the body is not JSON".to_owned()),
        }
    }
    for name in expected.present.iter().filter(|name| request.header(name).is_none()) {
        wrong.push(format!("header {name}: is missing"));
    }
    for name in expected.absent.iter().filter(|name| request.header(name).is_some()) {
        wrong.push(format!("header {name}: should not be there"));
    }
    wrong
}

/// The first place at which two JSON values differ, by pointer.
pub(in crate::provider) fn json_difference(pointer: &str, expected: &Value, found: &Value) -> Option<String> {
    match (expected, found) {
        (Value::Object(left), Value::Object(right)) => {
            let names: BTreeSet<&String> = left.keys().chain(right.keys()).collect();
            names.into_iter().find_map(|name| {
                let pointer = format!("{pointer}/{name}");
                json_difference(
                    &pointer,
                    left.get(name).unwrap_or(&Value::Null),
                    right.get(name).unwrap_or(&Value::Null),
                )
            })
        }
        (Value::Array(left), Value::Array(right)) if left.len() == right.len() => {
            let items = left.iter().zip(right).enumerate();
            items
                .into_iter()
                .find_map(|(at, (left, right))| json_difference(&format!("{pointer}/{at}"), left, right))
        }
        _ if expected == found => None,
        _ => {
            let (expected, found) =
                (redact::quoted(&expected.to_string()), redact::quoted(&found.to_string()));
            Some(format!("json {pointer}: expected {expected}, is {found}"))
        }
    }
}
