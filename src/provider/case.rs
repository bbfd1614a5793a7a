//! A case beside a manifest: a message with the exact request and the outcome expected of a canned answer, or a
//! callback with the events expected of it. Data that proves data; `dunwell check` and the tests run them all.

use crate::domain::call::{CallPlace, CallStart};
use crate::domain::channel::Channel;
use crate::domain::contact_point::{PointKind, PointValue};
use crate::domain::fault::{Fault, SourceFile};
use crate::domain::id::AttemptId;
use crate::domain::message::{Content, Outgoing};
use crate::domain::outcome::{FailureCause, FailureClass, Outcome};
use crate::domain::time::Timestamp;
use crate::provider::callback::{CallbackEvent, CallbackKind, CallbackRequest, Grounds, Heard};
use crate::provider::expected::document::WrittenDocument;
use crate::provider::expected::{WrittenEvent, WrittenRequest, differences};
use crate::provider::manifest::Manifest;
use crate::provider::poll::Answered;
use crate::provider::redact;
use crate::provider::response::HttpResponse;
use crate::provider::settings::{Given, Settings};
use crate::provider::smpp::plan::Plan;
use crate::provider::{smpp, written};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::sync::Arc;

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

/// The cases that every vendor of calls must have instead of `callback_delivered`.
pub const OF_CALLS: &[&str] = &[
    "callback_answered",
    "callback_keys",
    "callback_busy",
    "callback_ended",
    "document_ask",
    "document_transfer",
];

/// The cases that every centre that speaks SMPP must have.
pub const OF_CENTRES: &[&str] = &[
    "accepted",
    "accepted_long",
    "rejected_permanent",
    "rejected_account",
    "throttled",
    "server_error",
    "malformed_response",
    "receipt_delivered",
    "receipt_failed",
    "inbound_stop",
];

/// The cases that every vendor that is asked what became of a message must have.
pub const OF_POLLS: &[&str] = &["poll_delivered", "poll_failed", "poll_unanswered"];

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
    /// The attempt that is asked about, for vendors that do not report by themselves.
    asked: Option<WrittenQuestion>,
    /// Of a centre: the PDUs that must be sent, its answer, and what it hands over, each in hexadecimal digits.
    #[serde(default)]
    submits: Vec<String>,
    answer_pdu: Option<String>,
    deliver: Option<String>,
    /// What a call is to do, and the document that must come of it.
    document: Option<WrittenDocument>,
    /// What it must say; an empty list where it is taken and says nothing.
    events: Option<Vec<WrittenEvent>>,
    /// What the vendor must be answered, where that matters.
    answer: Option<WrittenAnswer>,
    /// The address that must be called.
    visit: Option<String>,
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
    /// Of a call: where the vendor asks what to say, and the word of ours that stands for it.
    answer_url: Option<String>,
    call_state: Option<String>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenQuestion {
    attempt: AttemptId,
    reference: Option<String>,
}

fn english() -> String {
    "en".to_owned()
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenAnswer {
    status: u16,
    content_type: Option<String>,
    #[serde(default)]
    body: String,
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
    /// What is found at the address of the certificate that it names, in PEM.
    certificate: Option<String>,
}

impl Case {
    /// Reads a case.
    ///
    /// # Errors
    /// Every fault of the file.
    pub fn read(file: &SourceFile) -> Result<Self, Vec<Fault>> {
        let written: Written = written::read(file)?;
        let answered = written.response.is_some() || written.answer_pdu.is_some();
        let sends = written.message.is_some() && answered && written.outcome.is_some();
        let told = written.callback.is_some() || written.deliver.is_some();
        let asks = written.asked.is_some() && written.response.is_some() && written.events.is_some();
        let calls = told && (written.refused.is_some() || written.events.is_some());
        if !sends && !calls && !asks && written.document.is_none() {
            let message = "a case has [message], [response] (or `answer_pdu`) and [outcome], or [callback] (or `deliver`) and [[events]] or `refused`, or [asked], [response] and `events`, or [document]";
            return Err(vec![Fault::of(&file.path, message)]);
        }
        let name = file.path.rsplit('/').next().unwrap_or(&file.path).trim_end_matches(".toml").to_owned();
        Ok(Self { name, file: file.path.clone(), written })
    }

    /// The settings of the case, as its manifest checks them.
    ///
    /// # Errors
    /// Every fault of the settings.
    pub fn settings(&self, manifest: &Manifest) -> Result<Settings, Vec<Fault>> {
        manifest.settings(&self.given(), &self.file)
    }

    /// The settings of the case as it writes them.
    pub fn given(&self) -> BTreeMap<String, Given> {
        let given = self.written.settings.iter();
        given.map(|(name, value)| (name.clone(), Given::from(value.as_str()))).collect()
    }

    /// The message of the case, if it sends one.
    pub fn message(&self, manifest: &Manifest) -> Option<Outgoing> {
        let message = self.written.message.as_ref()?;
        let kind = PointKind::of(manifest.channel())?;
        Some(Outgoing {
            attempt: message.attempt,
            to: PointValue::parse(kind, &message.to).ok()?,
            language: message.language.clone(),
            content: content(manifest.channel(), message),
            unsubscribe_url: message.unsubscribe_url.clone(),
            status_callback_url: message.status_callback_url.clone(),
            call: message.answer_url.as_ref().map(|url| CallStart {
                answer: CallPlace { url: url.clone(), state: message.call_state.clone().unwrap_or_default() },
                opening: Vec::new(),
            }),
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

    /// The callback of the case, if it has one: which, and as it comes in.
    pub fn callback(&self) -> Option<(CallbackKind, CallbackRequest)> {
        let callback = self.written.callback.as_ref()?;
        let request = CallbackRequest {
            method: callback.method.clone(),
            url: callback.url.clone(),
            headers: pairs(&callback.headers),
            body: callback.body.as_bytes().to_vec(),
        };
        Some((callback.kind, request))
    }

    /// The case's own clock.
    pub fn at(&self) -> Timestamp {
        self.written.at.unwrap_or(Timestamp::from_millis(1_700_000_000_000))
    }

    /// What is found at the address of the certificate that the callback names.
    pub fn certificate(&self) -> Option<&str> {
        self.written.callback.as_ref()?.certificate.as_deref()
    }

    /// Runs the case against its manifest; nothing comes back where all is as expected. What differs is shown, with secrets
    /// and what the case calls hidden blotted out.
    pub fn run(&self, manifest: &Manifest) -> Vec<Fault> {
        let settings = match self.settings(manifest) {
            Ok(settings) => settings,
            Err(faults) => return faults,
        };
        let mut wrong = Vec::new();
        if manifest.smpp.is_some() {
            self.run_centre(manifest, &settings, &mut wrong);
        } else if self.written.message.is_some() {
            self.run_send(manifest, &settings, &mut wrong);
        }
        if let Some((kind, request)) = self.callback() {
            self.run_callback(manifest, &settings, kind, &request, &mut wrong);
        }
        if let Some(asked) = &self.written.asked {
            self.run_question(manifest, &settings, asked, &mut wrong);
        }
        if let Some(document) = &self.written.document {
            wrong.extend(document.differences(manifest, &settings));
        }
        let shown = format!("{settings:?}");
        if self.written.hidden.iter().any(|hidden| shown.contains(hidden)) {
            wrong.push("something hidden is printed: is its setting marked `secret = true`?".to_owned());
        }
        wrong.into_iter().map(|message| Fault::of(&self.file, self.blotted(&message, &settings))).collect()
    }

    fn blotted(&self, message: &str, settings: &Settings) -> String {
        let message = redact::without_secrets(message, settings);
        self.written.hidden.iter().fold(message, |message, hidden| message.replace(hidden, redact::HIDDEN))
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

    fn run_question(
        &self,
        manifest: &Manifest,
        settings: &Settings,
        asked: &WrittenQuestion,
        wrong: &mut Vec<String>,
    ) {
        let WrittenQuestion { attempt, reference } = asked;
        let question = manifest.question(*attempt, reference.as_deref(), settings, self.at());
        let (Some(request), Some(response)) = (question, self.response()) else {
            return wrong.push(
                "there is no question: a [poll] that needs no `reference`, or one that is given".to_owned(),
            );
        };
        if let Some(expected) = &self.written.request {
            wrong.extend(differences(expected, &request));
        }
        match manifest.answered(*attempt, reference.as_deref(), &response) {
            Answered::Said(said) => self.compare_events(&[CallbackEvent::Delivery(said)], wrong),
            Answered::Nothing(_) | Answered::Patience(_) => self.compare_events(&[], wrong),
        }
        let secret = |hidden: &&String| settings.secrets().any(|secret| secret == hidden.as_str());
        let shown = request.shown(settings);
        if self.written.hidden.iter().filter(secret).any(|hidden| shown.contains(hidden)) {
            wrong.push("something hidden is printed".to_owned());
        }
    }

    fn run_centre(&self, manifest: &Manifest, settings: &Settings, wrong: &mut Vec<String>) {
        let plan = match Plan::new(&Arc::new(manifest.clone()), settings) {
            Ok(plan) => plan,
            Err(unusable) => return wrong.push(format!("[smpp] {unusable}")),
        };
        if self.written.message.is_some() {
            match self.message(manifest) {
                Some(message) if self.written.submits.is_empty() => drop(message),
                Some(message) => {
                    wrong.extend(smpp::case::differences(&plan, &message, &self.written.submits))
                }
                None => wrong.push("`to` is no address of this channel".to_owned()),
            }
            match smpp::case::outcome(&plan, self.written.answer_pdu.as_deref().unwrap_or_default()) {
                Ok(outcome) if self.expects(&outcome) => {}
                Ok(outcome) => wrong.push(format!("the outcome is {outcome:?}")),
                Err(why) => wrong.push(why),
            }
        }
        let Some(deliver) = &self.written.deliver else { return };
        match (smpp::case::heard(&plan, deliver), &self.written.refused) {
            (Ok(event), None) => self.compare_events(&[event], wrong),
            (Ok(_), Some(_)) => wrong.push("what is handed over should be refused, and is taken".to_owned()),
            (Err(why), Some(words)) if why.contains(words.as_str()) => {}
            (Err(why), _) => wrong.push(format!("what is handed over is refused: {why}")),
        }
    }

    fn run_callback(
        &self,
        manifest: &Manifest,
        settings: &Settings,
        kind: CallbackKind,
        request: &CallbackRequest,
        wrong: &mut Vec<String>,
    ) {
        let address = manifest.certificate(kind, request);
        let certificate = address.as_deref().zip(self.certificate());
        let grounds = Grounds { settings, now: self.at(), certificate };
        let result = manifest.verify_and_parse(kind, request, &grounds);
        let shown = format!("{request:?} {result:?}");
        match (&self.written.refused, &result) {
            (Some(words), Err(error)) if error.to_string().contains(words.as_str()) => {}
            (Some(words), Err(error)) => {
                wrong.push(format!("the callback is refused, but not with \"{words}\": {error}"));
            }
            (Some(_), Ok(heard)) => {
                wrong.push(format!(
                    "the callback should be refused, and is taken: {} events",
                    heard.events.len()
                ));
            }
            (None, Err(error)) => {
                wrong.push(format!("the callback is refused: {error}"));
                wrong.extend(manifest.explain_signature(kind, request, &grounds));
            }
            (None, Ok(heard)) => self.compare(heard, wrong),
        }
        if self.written.hidden.iter().any(|hidden| shown.contains(hidden)) {
            wrong.push("something hidden is printed".to_owned());
        }
    }

    fn compare_events(&self, events: &[CallbackEvent], wrong: &mut Vec<String>) {
        let events: Vec<WrittenEvent> = events.iter().map(WrittenEvent::from).collect();
        let expected = self.written.events.as_deref().unwrap_or_default();
        if events.len() != expected.len() {
            wrong.push(format!("there are {} events, not the {} expected", events.len(), expected.len()));
        }
        for (at, (event, expected)) in events.iter().zip(expected).enumerate() {
            for ((name, found), (_, expected)) in event.fields().iter().zip(expected.fields()) {
                if *found != expected {
                    let place = format!("[[events]] no. {}: `{name}`", at + 1);
                    wrong.push(format!("{place} is {found}, expected {expected}"));
                }
            }
        }
    }

    fn compare(&self, heard: &Heard, wrong: &mut Vec<String>) {
        self.compare_events(&heard.events, wrong);
        if heard.visit != self.written.visit {
            wrong.push(format!("the address to call is {:?}, not {:?}", heard.visit, self.written.visit));
        }
        if let Some(WrittenAnswer { status, content_type, body }) = &self.written.answer {
            let answer = &heard.acknowledge;
            if (answer.status, &answer.content_type, &answer.body) != (*status, content_type, body) {
                wrong.push(format!("the vendor is answered {answer:?}"));
            }
        }
    }
}

fn pairs(map: &BTreeMap<String, String>) -> Vec<(String, String)> {
    map.iter().map(|(name, value)| (name.clone(), value.clone())).collect()
}

fn content(channel: Channel, message: &WrittenMessage) -> Content {
    let text = message.text.clone();
    match channel {
        Channel::Sms | Channel::Letter | Channel::Visit => Content::Sms { text, segments: 1 },
        Channel::Voice => Content::Voice { script: text, plan: None },
        Channel::Email => {
            let subject = message.subject.clone().unwrap_or_default();
            Content::Email { subject, text, html: message.html.clone() }
        }
        Channel::Portal => {
            Content::Portal { subject: message.subject.clone().unwrap_or_default(), html: text }
        }
    }
}
