//! `[poll]`: asking a vendor that does not report by itself what became of a message, in the words of `[send]` and
//! `[callbacks.status]`.

use crate::domain::id::AttemptId;
use crate::domain::outcome::{FailureClass, Outcome};
use crate::domain::time::{Span, Timestamp};
use crate::provider::callback::{CallbackEvent, CallbackKind, CallbackRequest, Delivery};
use crate::provider::manifest::Manifest;
use crate::provider::placeholder::Template;
use crate::provider::reading::{CallbackSpec, Opened, PolledSpec};
use crate::provider::request::HttpRequest;
use crate::provider::response::{HttpResponse, ResponseSpec};
use crate::provider::send::{Auth, Body, Field, Method, SendSpec, ValueSpec};
use crate::provider::settings::Settings;
use crate::provider::words::About;
use serde::Deserialize;
use std::collections::BTreeMap;
use toml::Spanned;

/// The message words that a question may say.
pub const POLL_WORDS: &[&str] = &["reference", "attempt", "now", "http_date", "unix", "unix_ms", "nonce"];

/// How a vendor is asked what became of a message.
#[derive(Clone, Debug, Deserialize)]
#[serde(try_from = "Written")]
pub struct PollSpec {
    /// From the send to the first question, and from each one to the next.
    pub interval: Span,
    /// How long after the send it is asked, at most.
    pub until: Span,
    /// Questions a second, at most.
    pub rate_per_second: u32,
    /// The question, and when an answer to it is one.
    pub(in crate::provider) send: SendSpec,
    /// What an answer says.
    pub(in crate::provider) status: CallbackSpec,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    interval: Span,
    until: Span,
    #[serde(default = "rate")]
    rate_per_second: u32,
    method: Method,
    url: Spanned<Template>,
    #[serde(default)]
    query: Vec<Field>,
    #[serde(default)]
    headers: BTreeMap<String, Spanned<Template>>,
    #[serde(default)]
    auth: Auth,
    #[serde(default)]
    values: BTreeMap<String, Spanned<ValueSpec>>,
    #[serde(default)]
    body: Body,
    response: ResponseSpec,
    status: PolledSpec,
}

fn rate() -> u32 {
    5
}

impl TryFrom<Written> for PollSpec {
    type Error = &'static str;
    fn try_from(written: Written) -> Result<Self, Self::Error> {
        let Written {
            interval,
            until,
            rate_per_second,
            method,
            url,
            query,
            headers,
            auth,
            values,
            body,
            response,
            status,
        } = written;
        if interval < Span::seconds(1) || until < interval {
            return Err("`interval` is a second or more, and `until` no shorter");
        }
        if rate_per_second == 0 {
            return Err("`rate_per_second` is 1 or more");
        }
        let send = SendSpec { method, url, query, headers, auth, values, body, repeatable: true, response };
        Ok(Self { interval, until, rate_per_second, send, status: status.into() })
    }
}

/// What a vendor answers that is asked what became of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answered {
    /// This became of it.
    Said(Delivery),
    /// It does not know, or says nothing that the manifest recognises.
    Nothing(String),
    /// It asks for patience, for so many seconds.
    Patience(Option<u32>),
}

impl PollSpec {
    /// Whether it needs the vendor's identifier to ask. Otherwise an attempt whose answer was lost can be asked for too.
    pub fn needs_reference(&self) -> bool {
        let used = self.send.used();
        let mut templates = used.templates.into_iter().chain(used.late);
        templates.any(|(_, template)| template.names().any(|name| name == "reference"))
    }

    /// What is wrong with it, in words.
    pub(in crate::provider) fn faults(&self) -> Vec<String> {
        let used = self.send.used();
        let names = |name: &str| {
            used.templates.iter().chain(&used.late).any(|(_, template)| template.names().any(|n| n == name))
        };
        let mut faults = self.status.faults_of_polls();
        if !names("reference") && !names("attempt") {
            faults.push("neither `{reference}` nor `{attempt}`: which message is asked about?".to_owned());
        }
        faults
    }
}

impl Manifest {
    /// The question what became of an attempt; none where the vendor is not asked, or not without its identifier.
    pub fn question(
        &self,
        attempt: AttemptId,
        reference: Option<&str>,
        settings: &Settings,
        now: Timestamp,
    ) -> Option<HttpRequest> {
        let poll = self.poll.as_ref()?;
        if poll.needs_reference() && reference.is_none() {
            return None;
        }
        Some(self.written_request(&poll.send, About::Attempt { attempt, reference }, settings, now))
    }

    /// What a vendor's answer to that question says.
    pub fn answered(&self, attempt: AttemptId, reference: Option<&str>, response: &HttpResponse) -> Answered {
        let Some(poll) = &self.poll else { return Answered::Nothing("not_asked".to_owned()) };
        match poll.send.response.outcome(response) {
            Outcome::Failed(failure) if failure.class == FailureClass::Throttled => {
                return Answered::Patience(failure.retry_after_seconds);
            }
            Outcome::Failed(failure) => return Answered::Nothing(failure.code),
            Outcome::Accepted { .. } => {}
        }
        let request = CallbackRequest {
            method: "GET".to_owned(),
            url: String::new(),
            headers: response.headers.clone(),
            body: response.body.clone(),
        };
        let opened = Opened::new(&request, poll.status.encoding());
        let heard = self.hear(CallbackKind::Status, &poll.status, &request, &opened);
        let events = heard.map(|heard| heard.events).unwrap_or_default();
        let mut said = events.into_iter().filter_map(|event| match event {
            CallbackEvent::Delivery(delivery) => Some(delivery),
            CallbackEvent::Inbound(_) | CallbackEvent::Call(_) => None,
        });
        // Of several it is the one about the message asked for, where the answer tells them apart.
        let found = said.find(|said| {
            let other = said
                .provider_ref
                .as_deref()
                .is_some_and(|found| reference.is_some_and(|asked| asked != found))
                || said.attempt.is_some_and(|found| found != attempt);
            !other
        });
        match found {
            Some(said) => Answered::Said(Delivery {
                provider_ref: said.provider_ref.or_else(|| reference.map(str::to_owned)),
                attempt: Some(attempt),
                ..said
            }),
            None => Answered::Nothing("no_status".to_owned()),
        }
    }
}
