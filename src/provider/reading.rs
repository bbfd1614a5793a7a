//! How a manifest says that a callback is read: `[callbacks.…]`, from bytes to events.

mod calls;
mod instant;
pub(in crate::provider) mod opened;
mod polled;

pub(in crate::provider) use instant::instant;
pub(in crate::provider) use polled::PolledSpec;

use crate::domain::call::AnsweredBy;
use crate::domain::id::AttemptId;
use crate::domain::outcome::FailureCause;
use crate::domain::time::Timestamp;
use crate::provider::acknowledge::{Acknowledgement, Answer, Handshake};
use crate::provider::callback::{
    CallbackError, CallbackEvent, CallbackKind, CallbackRequest, Delivery, DeliveryStatus, Heard, Inbound,
    LARGEST_EVER,
};
use crate::provider::extract::{Condition, Document, Extract, Extracts, Pattern, resolve, scalar};
use crate::provider::letter::Letter;
use crate::provider::manifest::Manifest;
use crate::provider::reading::opened::Opened;
use crate::provider::{letter, redact};
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;
use toml::Spanned;

/// How a callback's body is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Encoding {
    /// `application/x-www-form-urlencoded`.
    Form,
    /// JSON, whatever its content type says.
    Json,
    /// `multipart/form-data`.
    Multipart,
    /// Everything stands in the query, or is read from the body by pattern.
    #[serde(alias = "text")]
    Query,
    /// As the content type says: the vendor lets its users choose.
    Any,
}

/// How one sort of callback is read.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CallbackSpec {
    methods: Vec<String>,
    encoding: Encoding,
    pub(in crate::provider) signature: Spanned<String>,
    /// The largest body, if it may be larger than usual.
    largest_bytes: Option<usize>,
    acknowledge: Option<Answer>,
    /// Callbacks that are no events.
    #[serde(default)]
    handshakes: Vec<Handshake>,
    /// Where a string stands that itself is JSON, which is then read in place of the body.
    unwrap: Option<Extract>,
    /// JSON pointer to an array of events (the empty pointer is the body itself); without it the body is one event.
    events: Option<String>,
    /// Events for which not all of these hold are passed over, or read as `also` says.
    #[serde(default)]
    select: Vec<Condition>,
    /// What comes to this address without being selected is read by that other callback.
    pub(in crate::provider) also: Option<CallbackKind>,
    /// The vendor's identifier of the message.
    #[serde(default)]
    reference: Extracts,
    #[serde(default)]
    attempt: Extracts,
    /// Seconds or milliseconds since 1970, or RFC 3339.
    #[serde(default)]
    at: Extracts,
    #[serde(default)]
    status: Extracts,
    #[serde(default)]
    statuses: BTreeMap<String, DeliveryStatus>,
    /// Go before `statuses`.
    #[serde(default)]
    rules: Vec<Rule>,
    #[serde(default)]
    code: Extracts,
    /// What codes say of the address; those not here are looked up in `[[send.response.codes]]`.
    #[serde(default)]
    codes: Vec<CauseRule>,
    #[serde(default)]
    from: Extracts,
    #[serde(default)]
    to: Extracts,
    #[serde(default)]
    text: Extracts,
    #[serde(default)]
    keyword: Extracts,
    /// Of a letter.
    #[serde(default)]
    subject: Extracts,
    /// Of a letter, read where there is no text.
    #[serde(default)]
    html: Extracts,
    /// Of a letter: its own headers, by which a machine's answer is known.
    #[serde(default)]
    headers: Extracts,
    /// What it is written in, where that is not UTF-8.
    #[serde(default)]
    charset: Extracts,
    /// The vendor writes numbers without their plus sign.
    #[serde(default)]
    add_plus: bool,
    /// Of a call: the word of ours that says where it is.
    #[serde(default)]
    state: Extracts,
    /// Of a call: who or what took it, in the vendor's word …
    #[serde(default)]
    answered_by: Extracts,
    /// … and what the words mean; one that is not here leaves it in doubt.
    #[serde(default)]
    answers: BTreeMap<String, AnsweredBy>,
    /// Of a call: the keys pressed.
    #[serde(default)]
    keys: Extracts,
    /// Of a call: what was said.
    #[serde(default)]
    speech: Extracts,
    /// Of a call: what holds where the other end of a connection took it.
    #[serde(default)]
    connected: Vec<Condition>,
    /// It is the answer to a question of ours, which says what it is about.
    #[serde(skip)]
    asked: bool,
}

/// What an event means of which several things hold.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Rule {
    when: Vec<Condition>,
    status: DeliveryStatus,
    cause: Option<FailureCause>,
}

/// What the vendor's codes say of the address.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct CauseRule {
    codes: Vec<String>,
    cause: FailureCause,
}

impl Manifest {
    /// Reads what a callback says; whether it is believed is not asked here.
    pub(in crate::provider) fn hear(
        &self,
        kind: CallbackKind,
        callback: &CallbackSpec,
        request: &CallbackRequest,
        opened: &Opened,
    ) -> Result<Heard, CallbackError> {
        let document = opened.document(request);
        let acknowledge = match &callback.acknowledge {
            Some(answer) => answer.to(&request.method, &request.url, &document),
            None => Acknowledgement { status: 200, content_type: None, body: String::new() },
        };
        let mut heard =
            Heard { events: Vec::new(), unreadable: 0, passed_over: 0, acknowledge, visit: None, once: None };
        if let Some(handshake) = callback.handshakes.iter().find(|handshake| handshake.is(&document)) {
            heard.visit = handshake.visit(&document);
            if let Some(answer) = handshake.answer() {
                heard.acknowledge = answer.to(&request.method, &request.url, &document);
            }
            return Ok(heard);
        }
        if opened.wants_json && document.json.is_none() {
            return Err(CallbackError::Malformed("the body is not JSON"));
        }
        let inner = callback.unwrapped(document)?;
        let document = Document { json: inner.as_ref().or(document.json), ..document };
        let mut why = None;
        let other = callback.also.and_then(|kind| Some((kind, self.callbacks.get(&kind)?)));
        let (events, passed_over) = shared_out((kind, callback), other, document)?;
        heard.passed_over = passed_over;
        for (kind, reader, event) in events {
            match reader.event(kind, &event, &|code| self.cause(reader, code)) {
                Ok(event) => heard.events.push(event),
                Err(error) => {
                    heard.unreadable += 1;
                    why = Some(error);
                }
            }
        }
        match why {
            // One that cannot be read must not spoil its neighbours.
            Some(error) if heard.events.is_empty() => Err(error),
            Some(_) | None => Ok(heard),
        }
    }

    /// What a code says of the address: by the callback's own table, or else by that of the send.
    fn cause(&self, callback: &CallbackSpec, code: &str) -> FailureCause {
        let own =
            callback.codes.iter().find(|rule| rule.codes.iter().any(|known| redact::names(known, code)));
        let of_send = || self.send.as_ref().and_then(|send| send.response.cause(code));
        own.map(|rule| rule.cause).or_else(of_send).unwrap_or(FailureCause::Unspecified)
    }
}

type Reader<'c> = (CallbackKind, &'c CallbackSpec);
type Shared<'c, 'd> = Vec<(CallbackKind, &'c CallbackSpec, Document<'d>)>;

/// Every event with whoever reads it, and how many nobody reads. Where both look for events in the same place, each event is
/// read once; a place that is not there is no fault where the other callback may be meant.
fn shared_out<'c, 'd>(
    own: Reader<'c>,
    other: Option<Reader<'c>>,
    document: Document<'d>,
) -> Result<(Shared<'c, 'd>, usize), CallbackError> {
    let (mut out, mut passed_over) = (Vec::new(), 0);
    let readers = || std::iter::once(own).chain(other);
    let apart = other.is_some_and(|(_, other)| other.events != own.1.events);
    let places: Vec<Vec<Reader<'c>>> =
        if apart { readers().map(|reader| vec![reader]).collect() } else { vec![readers().collect()] };
    for readers in places {
        let Some(events) = readers.first().and_then(|(_, first)| first.split(document)) else {
            passed_over += 1;
            continue;
        };
        for event in events {
            match readers.iter().find(|(_, reader)| reader.selects(&event)) {
                Some((kind, reader)) => out.push((*kind, *reader, event)),
                None => passed_over += 1,
            }
        }
    }
    let nowhere = other.is_none() && own.1.split(document).is_none();
    if nowhere {
        Err(CallbackError::Malformed("no events where the manifest says"))
    } else {
        Ok((out, passed_over))
    }
}

impl CallbackSpec {
    pub(in crate::provider) fn encoding(&self) -> Encoding {
        self.encoding
    }

    pub(in crate::provider) fn largest_bytes(&self) -> Option<usize> {
        self.largest_bytes
    }

    pub(in crate::provider) fn comes_by(&self, method: &str) -> bool {
        self.methods.iter().any(|known| known.eq_ignore_ascii_case(method))
    }

    /// What is wrong with it, in words.
    pub(in crate::provider) fn faults(&self, kind: CallbackKind) -> Vec<String> {
        let mut faults = Vec::new();
        match kind {
            CallbackKind::Status => {
                if self.status.is_empty() && self.rules.is_empty() {
                    faults.push("`status` is missing: where does the vendor's word stand?".to_owned());
                }
                if self.reference.is_empty() && self.attempt.is_empty() {
                    faults.push(
                        "neither `reference` nor `attempt`: which message would it be about?".to_owned(),
                    );
                }
                if self.statuses.is_empty() && self.rules.is_empty() {
                    faults.push("`statuses` is empty: every status would be unrecognised".to_owned());
                }
            }
            CallbackKind::Inbound => {
                for (name, missing) in [("from", self.from.is_empty()), ("text", self.text.is_empty())] {
                    if missing {
                        faults.push(format!("`{name}` is missing"));
                    }
                }
            }
            CallbackKind::Voice => faults.extend(self.faults_of_calls()),
        }
        let json = matches!(self.encoding, Encoding::Json | Encoding::Any) || self.unwrap.is_some();
        if self.events.is_some() && !json {
            faults.push("`events` needs encoding = \"json\", or `unwrap`".to_owned());
        }
        if let Some(pointer) =
            self.events.as_ref().filter(|events| !events.is_empty() && !events.starts_with('/'))
        {
            faults.push(format!("`events`: `{pointer}` is no JSON pointer: it begins with `/`, or is empty"));
        }
        if self.methods.is_empty()
            || self.methods.iter().any(|method| !matches!(method.as_str(), "GET" | "POST"))
        {
            faults.push("`methods` must be GET, POST or both".to_owned());
        }
        if self.largest_bytes.is_some_and(|bytes| bytes > LARGEST_EVER) {
            faults.push(format!("`largest_bytes` is {LARGEST_EVER} at most"));
        }
        if self.also == Some(kind) {
            faults.push("`also` names the other callback, not itself".to_owned());
        }
        if self.also.is_some() && self.select.is_empty() && self.events.is_none() {
            faults.push("`also` needs `select`: which events are of this callback?".to_owned());
        }
        if self.acknowledge.is_none() && kind != CallbackKind::Voice {
            faults.push("`acknowledge` is missing: what is the vendor answered?".to_owned());
        }
        faults.extend(self.acknowledge.as_ref().and_then(Answer::faults));
        faults.extend(self.handshakes.iter().flat_map(Handshake::faults));
        faults
    }

    /// Whether nothing would be left for another callback at the same address.
    pub(in crate::provider) fn takes_all_of(&self, other: &Self) -> bool {
        self.select.is_empty() && self.events.is_some() && self.events == other.events
    }

    fn selects(&self, event: &Document<'_>) -> bool {
        self.select.iter().all(|condition| condition.holds(event))
    }

    fn unwrapped(&self, document: Document<'_>) -> Result<Option<Value>, CallbackError> {
        let Some(place) = &self.unwrap else { return Ok(None) };
        let inner = place.read(&document).and_then(|text| serde_json::from_str(&text).ok());
        inner.map(Some).ok_or(CallbackError::Malformed("no JSON where `unwrap` says"))
    }

    /// Each event as a document of its own; none where the place of events is not there.
    fn split<'d>(&self, document: Document<'d>) -> Option<Vec<Document<'d>>> {
        let (Some(pointer), Some(json)) = (&self.events, document.json) else { return Some(vec![document]) };
        let found = resolve(json, pointer);
        if found.is_empty() {
            return None;
        }
        let events = found.into_iter().flat_map(|found| match found {
            Value::Array(events) => events.iter().collect::<Vec<_>>(),
            single => vec![single],
        });
        Some(events.map(|event| Document { json: Some(event), ..document }).collect())
    }

    /// What the callback says that it is written in.
    fn charset(&self, document: &Document<'_>) -> Option<String> {
        self.charset.read(document)
    }

    fn event(
        &self,
        kind: CallbackKind,
        event: &Document<'_>,
        cause: &dyn Fn(&str) -> FailureCause,
    ) -> Result<CallbackEvent, CallbackError> {
        let provider_ref = self.reference.read(event).filter(|reference| reference.len() <= 200);
        let at = self.at.find_map(event, |text| instant(&text));
        if kind == CallbackKind::Inbound {
            return self.inbound(event, provider_ref, at).map(CallbackEvent::Inbound);
        }
        if kind == CallbackKind::Voice {
            return Ok(CallbackEvent::Call(self.call(event, provider_ref)));
        }
        let attempt = self.attempt.find_map(event, |text| AttemptId::handed_back(&text));
        if provider_ref.is_none() && attempt.is_none() && !self.asked {
            return Err(CallbackError::Malformed("it does not say which message it is about"));
        }
        let rule = self.rules.iter().find(|rule| rule.when.iter().all(|condition| condition.holds(event)));
        let word = self.status.read(event);
        let status = match (rule, &word) {
            (Some(rule), _) => rule.status,
            (None, Some(word)) => self.statuses.get(word).copied().unwrap_or(DeliveryStatus::Unrecognised),
            (None, None) => return Err(CallbackError::Malformed("it has no status")),
        };
        let code = self.code.read(event).filter(|code| code != "0");
        let by_code = code.as_deref().map_or(FailureCause::Unspecified, cause);
        let cause = rule.and_then(|rule| rule.cause).unwrap_or(by_code);
        // Where the word is not known, it is the word that must be read by somebody.
        let code = if status == DeliveryStatus::Unrecognised { word } else { code };
        let code = code.map(|code| redact::code(&code));
        Ok(CallbackEvent::Delivery(Delivery { provider_ref, attempt, status, code, cause, at }))
    }

    fn inbound(
        &self,
        event: &Document<'_>,
        provider_ref: Option<String>,
        at: Option<Timestamp>,
    ) -> Result<Inbound, CallbackError> {
        let headers =
            self.headers.read_whole(event).map(|written| letter::headers(&written)).unwrap_or_default();
        let letter = Letter { subject: self.subject.read(event), html: self.html.read(event), headers };
        // By it a repetition is known: one that somebody took away would lift a newer stop. A manifest that knows its form
        // demands it; a letter may have none (RFC 5322, section 3.6).
        if provider_ref.is_none() && self.reference.is_of_a_form() && !self.is_letter() {
            return Err(CallbackError::Malformed("it has no identifier of the form that the manifest says"));
        }
        let text = self.text.read_even_empty(event).or_else(|| letter.html.as_ref().map(|_| String::new()));
        Ok(Inbound {
            provider_ref,
            from: self.address(self.from.read(event)).ok_or(CallbackError::Malformed("it has no sender"))?,
            to: self.address(self.to.read(event)).unwrap_or_default(),
            text: text.ok_or(CallbackError::Malformed("it has no text"))?,
            keyword: self.keyword.read(event),
            at,
            letter,
        })
    }

    /// Whether it is of letters.
    fn is_letter(&self) -> bool {
        [&self.subject, &self.html, &self.headers].iter().any(|of_letters| !of_letters.is_empty())
    }

    fn address(&self, address: Option<String>) -> Option<String> {
        let address = address?;
        let bare = self.add_plus && address.bytes().all(|byte| byte.is_ascii_digit());
        Some(if bare { format!("+{address}") } else { address })
    }
}

/// What a template may name of a callback: `url`, `url_without_query`, `host`, `path`, `query_string`, `method`, and
/// `header:`, `query:`, `field:` and `json:` with a name.
pub(in crate::provider) fn named(
    name: &str,
    method: &str,
    url: &str,
    document: &Document<'_>,
) -> Option<String> {
    let (before, query) = url.split_once('?').unwrap_or((url, ""));
    let rest = before.split_once("://").map_or(before, |(_, rest)| rest);
    let (host, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    match name {
        "url" => return Some(url.to_owned()),
        "url_without_query" => return Some(before.to_owned()),
        "host" => return Some(host.to_owned()),
        "path" => return Some(path.to_owned()),
        "query_string" => return Some(query.to_owned()),
        "method" => return Some(method.to_owned()),
        "body" => return Some(document.text.to_owned()),
        _ => {}
    }
    let (place, name) = name.split_once(':')?;
    let find = |pairs: &[(String, String)]| {
        pairs.iter().find(|(key, _)| key == name).map(|(_, value)| value.clone())
    };
    match place {
        "header" => document.header(name).map(str::to_owned),
        "query" => find(document.query),
        "field" => find(document.fields),
        "json" => resolve(document.json?, name).into_iter().find_map(scalar),
        _ => None,
    }
}

/// Whether an address is `https`, on its usual port, of one of these hosts.
pub(in crate::provider) fn allowed(address: &str, hosts: &[Pattern]) -> bool {
    let Ok(url) = url::Url::parse(address) else { return false };
    let plain = url.scheme() == "https" && url.port().is_none() && url.username().is_empty();
    let Some(host) = url.host_str().filter(|_| plain && url.password().is_none()) else { return false };
    hosts.iter().any(|pattern| pattern.matches(host))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_believed_hosts_are_asked() {
        let text = include_str!("../../providers/email/ses/manifest.toml");
        let hosts = text.lines().filter_map(|line| line.split_once("hosts = ['")?.1.split_once('\''));
        let hosts = hosts.map(|(host, _)| Pattern::try_from(host.to_owned()).expect("a pattern"));
        let hosts: Vec<Pattern> = hosts.collect();
        assert_eq!(hosts.len(), 5);
        for (address, good) in [
            ("https://sns.us-east-1.amazonaws.com/a.pem", true),
            ("https://sns.us-gov-west-1.amazonaws.com/a.pem", true),
            ("https://sns.ap-southeast-12.amazonaws.com/a.pem", true),
            ("https://sns.cn-north-1.amazonaws.com.cn/a.pem", true),
            // Buckets of that name are anybody's.
            ("https://sns.s3.amazonaws.com/a.pem", false),
            ("https://sns.s3-us-west-2.amazonaws.com/a.pem", false),
            ("https://sns.s3.us-west-2.amazonaws.com/a.pem", false),
            ("https://sns.s3-website-us-west-2.amazonaws.com/a.pem", false),
            ("https://sns.s3-accelerate.amazonaws.com/a.pem", false),
            ("http://sns.us-east-1.amazonaws.com/a.pem", false),
            ("https://sns.us-east-1.amazonaws.com:8443/a.pem", false),
            ("https://sns.us-east-1.amazonaws.com.example.com/a.pem", false),
            ("https://sns.us-east-1.amazonaws.com@example.com/a.pem", false),
            ("https://a:b@sns.us-east-1.amazonaws.com/a.pem", false),
            ("https://example.com/sns.us-east-1.amazonaws.com", false),
            ("", false),
        ] {
            for host in hosts.chunks(1) {
                assert_eq!(allowed(address, host), good, "{address}");
            }
        }
    }
}
