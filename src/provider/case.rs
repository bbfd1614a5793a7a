//! A case beside a manifest: a message with the exact request and the outcome expected of a canned answer, or a
//! callback with the events expected of it. Data that proves data; `dunwell check` and the tests run them all.

use crate::domain::contact_point::{PointKind, PointValue};
use crate::domain::fault::{Fault, SourceFile};
use crate::domain::id::AttemptId;
use crate::domain::message::{Content, Outgoing};
use crate::domain::outcome::{FailureCause, FailureClass, Outcome};
use crate::domain::time::Timestamp;
use crate::provider::callback::{CallbackEvent, CallbackKind, CallbackRequest, DeliveryStatus};
use crate::provider::extract::form_pairs;
use crate::provider::manifest::{Manifest, toml_fault};
use crate::provider::redact;
use crate::provider::request::HttpRequest;
use crate::provider::response::HttpResponse;
use crate::provider::settings::{Given, Settings};
use serde::Deserialize;
use std::collections::BTreeMap;

/// The cases that every vendor asked over HTTP must have; two-way channels also need [`TWO_WAY`].
pub const MANDATORY: &[&str] = &[
    "accepted",
    "rejected_permanent",
    "throttled",
    "server_error",
    "malformed_response",
    "callback_delivered",
    "callback_bad_signature",
];

/// The case that every vendor with an `inbound` callback must have as well.
pub const TWO_WAY: &str = "inbound_stop";

/// One case: `cases/<name>.toml`.
#[derive(Clone, Debug)]
pub struct Case {
    /// The file's name without its ending.
    pub name: String,
    file: String,
    written: Written,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    /// What it shows, for a reader.
    #[serde(rename = "about")]
    _about: String,
    settings: BTreeMap<String, String>,
    at: Option<Timestamp>,
    message: Option<WrittenMessage>,
    request: Option<WrittenRequest>,
    response: Option<WrittenResponse>,
    outcome: Option<WrittenOutcome>,
    callback: Option<WrittenCallback>,
    #[serde(default)]
    events: Vec<WrittenEvent>,
    /// The callback must be refused, with this among its words.
    refused: Option<String>,
    /// Nothing that is printed or recorded may hold these.
    #[serde(default)]
    hidden: Vec<String>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenMessage {
    to: String,
    attempt: AttemptId,
    #[serde(default = "english")]
    language: String,
    text: String,
    subject: Option<String>,
    html: Option<String>,
    status_callback_url: Option<String>,
    unsubscribe_url: Option<String>,
}

fn english() -> String {
    "en".to_owned()
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenRequest {
    method: String,
    url: String,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    form: Option<Vec<(String, String)>>,
    json: Option<toml::Value>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenResponse {
    status: u16,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    #[serde(default)]
    body: String,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenOutcome {
    #[serde(default)]
    accepted: bool,
    reference: Option<String>,
    class: Option<FailureClass>,
    cause: Option<FailureCause>,
    code: Option<String>,
    retry_after_seconds: Option<u32>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenCallback {
    kind: CallbackKind,
    method: String,
    url: String,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    #[serde(default)]
    body: String,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenEvent {
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
                ..Self::default()
            },
        }
    }
}

impl Case {
    /// Reads a case.
    ///
    /// # Errors
    /// The first fault of the file.
    pub fn read(file: &SourceFile) -> Result<Self, Fault> {
        let written: Written = toml::from_str(&file.text).map_err(|error| toml_fault(file, &error))?;
        let sends = written.message.is_some() && written.response.is_some() && written.outcome.is_some();
        let calls = written.callback.is_some() && (written.refused.is_some() || !written.events.is_empty());
        if !sends && !calls {
            let message =
                "a case has [message], [response] and [outcome], or [callback] and [[events]] or `refused`";
            return Err(Fault::of(&file.path, message));
        }
        let name = file.path.rsplit('/').next().unwrap_or(&file.path).trim_end_matches(".toml").to_owned();
        Ok(Self { name, file: file.path.clone(), written })
    }

    /// The settings of the case, as its manifest checks them.
    ///
    /// # Errors
    /// Every fault of the settings.
    pub fn settings(&self, manifest: &Manifest) -> Result<Settings, Vec<Fault>> {
        let given = self.written.settings.iter();
        let given = given.map(|(name, value)| (name.clone(), Given::from(value.as_str()))).collect();
        manifest.settings(&given, &self.file)
    }

    /// The message of the case, if it sends one.
    pub fn message(&self, manifest: &Manifest) -> Option<Outgoing> {
        let message = self.written.message.as_ref()?;
        let kind = PointKind::of(manifest.channel())?;
        Some(Outgoing {
            attempt: message.attempt,
            to: PointValue::parse(kind, &message.to).ok()?,
            language: message.language.clone(),
            content: content(kind, message),
            unsubscribe_url: message.unsubscribe_url.clone(),
            status_callback_url: message.status_callback_url.clone(),
        })
    }

    /// The canned answer of the case, if it has one.
    pub fn response(&self) -> Option<HttpResponse> {
        let response = self.written.response.as_ref()?;
        Some(HttpResponse {
            status: response.status,
            headers: pairs(&response.headers),
            body: response.body.as_bytes().to_vec(),
            received_at: self.at(),
        })
    }

    /// Whether an outcome is the one expected.
    pub fn expects(&self, outcome: &Outcome) -> bool {
        let Some(expected) = &self.written.outcome else { return false };
        match outcome {
            Outcome::Accepted { provider_ref } => expected.accepted && *provider_ref == expected.reference,
            Outcome::Failed(failure) => {
                !expected.accepted
                    && expected.class == Some(failure.class)
                    && expected.cause.unwrap_or(FailureCause::Unspecified) == failure.cause
                    && expected.code.as_ref().is_none_or(|code| *code == failure.code)
                    && expected.retry_after_seconds == failure.retry_after_seconds
            }
        }
    }

    fn at(&self) -> Timestamp {
        self.written.at.unwrap_or(Timestamp::from_millis(1_700_000_000_000))
    }

    /// Runs the case against its manifest; nothing comes back where all is as expected.
    pub fn run(&self, manifest: &Manifest) -> Vec<Fault> {
        let settings = match self.settings(manifest) {
            Ok(settings) => settings,
            Err(faults) => return faults,
        };
        let mut wrong = Vec::new();
        if self.written.message.is_some() {
            self.run_send(manifest, &settings, &mut wrong);
        }
        if let Some(callback) = &self.written.callback {
            self.run_callback(manifest, &settings, callback, &mut wrong);
        }
        let shown = format!("{settings:?}{wrong:?}");
        if self.written.hidden.iter().any(|hidden| shown.contains(hidden)) {
            wrong.push("something hidden is printed".to_owned());
        }
        wrong.into_iter().map(|message| Fault::of(&self.file, message)).collect()
    }

    fn run_send(&self, manifest: &Manifest, settings: &Settings, wrong: &mut Vec<String>) {
        let (Some(message), Some(response)) = (self.message(manifest), self.response()) else {
            wrong.push("`to` is no address of this channel".to_owned());
            return;
        };
        let Some(request) = manifest.request(&message, settings, self.at()) else {
            wrong.push("this vendor is not asked over HTTP".to_owned());
            return;
        };
        if let Some(expected) = &self.written.request {
            wrong.extend(differences(expected, &request));
        }
        let outcome = manifest.outcome(&response);
        if !self.expects(&outcome) {
            wrong.push(format!("the outcome is {outcome:?}"));
        }
        let shown = format!("{request:?} {response:?} {outcome:?}");
        let for_people = request.shown(settings);
        let secret = |hidden: &&String| settings.secrets().any(|secret| secret == hidden.as_str());
        if self.written.hidden.iter().any(|hidden| shown.contains(hidden))
            || self.written.hidden.iter().filter(secret).any(|hidden| for_people.contains(hidden))
        {
            wrong.push("something hidden is printed".to_owned());
        }
    }

    fn run_callback(
        &self,
        manifest: &Manifest,
        settings: &Settings,
        callback: &WrittenCallback,
        wrong: &mut Vec<String>,
    ) {
        let request = CallbackRequest {
            method: callback.method.clone(),
            url: callback.url.clone(),
            headers: pairs(&callback.headers),
            body: callback.body.as_bytes().to_vec(),
        };
        let result = manifest.verify_and_parse(callback.kind, &request, settings, self.at());
        let shown = format!("{request:?} {result:?}");
        match (&self.written.refused, &result) {
            (Some(words), Err(error)) if error.to_string().contains(words.as_str()) => {}
            (Some(_), other) => wrong.push(format!("the callback should be refused: {other:?}")),
            (None, Err(error)) => wrong.push(format!("the callback is refused: {error}")),
            (None, Ok(events)) => {
                let events: Vec<WrittenEvent> = events.iter().map(WrittenEvent::from).collect();
                if events != self.written.events {
                    wrong.push("the events are not those expected".to_owned());
                }
            }
        }
        if self.written.hidden.iter().any(|hidden| shown.contains(hidden)) {
            wrong.push("something hidden is printed".to_owned());
        }
    }
}

fn pairs(map: &BTreeMap<String, String>) -> Vec<(String, String)> {
    map.iter().map(|(name, value)| (name.clone(), value.clone())).collect()
}

fn content(kind: PointKind, message: &WrittenMessage) -> Content {
    let text = message.text.clone();
    match kind {
        PointKind::Phone => Content::Sms { text, segments: 1 },
        PointKind::Email => {
            let subject = message.subject.clone().unwrap_or_default();
            Content::Email { subject, text, html: message.html.clone() }
        }
        PointKind::Portal => {
            Content::Portal { subject: message.subject.clone().unwrap_or_default(), html: text }
        }
    }
}

/// Where a request is not the one expected; says which part, not what it holds.
fn differences(expected: &WrittenRequest, request: &HttpRequest) -> Vec<String> {
    let mut wrong = Vec::new();
    if expected.method != request.method.as_str() {
        wrong.push(format!("the method is {}", request.method.as_str()));
    }
    if expected.url != request.url {
        wrong.push("the address is not the one expected".to_owned());
    }
    for (name, value) in &expected.headers {
        let found =
            request.headers.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value);
        if found != Some(value) {
            wrong.push(format!("header {} is not the one expected", redact::code(name)));
        }
    }
    let text = String::from_utf8_lossy(&request.body);
    if expected.form.as_ref().is_some_and(|form| *form != form_pairs(&text)) {
        wrong.push("the form is not the one expected".to_owned());
    }
    let json = expected.json.as_ref().map(serde_json::to_value).and_then(Result::ok);
    if json.is_some() && json != serde_json::from_slice(&request.body).ok() {
        wrong.push("the JSON is not the one expected".to_owned());
    }
    wrong
}
