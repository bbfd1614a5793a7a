//! What a vendor tells us afterwards: what became of a message, and what people write back.
//!
//! Nothing of a callback is believed before its signature holds over the address as configured.

use crate::domain::id::AttemptId;
use crate::domain::outcome::FailureCause;
use crate::domain::time::Timestamp;
use crate::provider::extract::{Condition, Document, Extract, form_pairs};
use crate::provider::manifest::Manifest;
use crate::provider::redact::{self, HIDDEN};
use crate::provider::settings::Settings;
use crate::provider::signature::{self, Unbelievable};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt;
use toml::Spanned;

/// Which sort of callback: the last part of its address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CallbackKind {
    /// What became of a message.
    Status,
    /// What a person sent.
    Inbound,
}

impl CallbackKind {
    /// The word in the address.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Status => "status",
            Self::Inbound => "inbound",
        }
    }

    /// The kind with this word, if there is one.
    pub fn from_word(word: &str) -> Option<Self> {
        [Self::Status, Self::Inbound].into_iter().find(|kind| kind.as_str() == word)
    }
}

impl fmt::Display for CallbackKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What became of a message, in our words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeliveryStatus {
    /// The vendor has it and is trying.
    Pending,
    /// The vendor passed it on; whether it arrived is not known.
    Sent,
    /// It arrived.
    Delivered,
    /// It surely did not arrive.
    Failed,
    /// It arrived and the person complained of it as unwanted.
    Complained,
    /// A word that the manifest does not know: loud, and never success.
    Unrecognised,
}

impl DeliveryStatus {
    /// The word in files and events.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Sent => "sent",
            Self::Delivered => "delivered",
            Self::Failed => "failed",
            Self::Complained => "complained",
            Self::Unrecognised => "unrecognised",
        }
    }
}

/// How a callback's body is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Encoding {
    /// `application/x-www-form-urlencoded`.
    Form,
    /// JSON.
    Json,
    /// Everything stands in the query.
    Query,
}

/// What the vendor is answered.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Acknowledgement {
    /// HTTP status.
    pub status: u16,
    /// The type of the body, if there is one.
    pub content_type: Option<String>,
    /// The body.
    #[serde(default)]
    pub body: String,
}

/// How one sort of callback is read.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CallbackSpec {
    methods: Vec<String>,
    encoding: Encoding,
    pub(in crate::provider) signature: Spanned<String>,
    acknowledge: Acknowledgement,
    /// JSON pointer to a string that itself is JSON, which is then read in place of the body.
    unwrap: Option<String>,
    /// JSON pointer to an array of events (the empty pointer is the body itself); without it the body is one event.
    events: Option<String>,
    /// Events for which not all of these hold are passed over.
    #[serde(default)]
    select: Vec<Condition>,
    /// The vendor's identifier of the message; the first found counts.
    #[serde(default)]
    reference: Vec<Extract>,
    attempt: Option<Extract>,
    /// Seconds since 1970, or RFC 3339.
    at: Option<Extract>,
    status: Option<Extract>,
    #[serde(default)]
    statuses: BTreeMap<String, DeliveryStatus>,
    code: Option<Extract>,
    /// What codes say of the address; those not here are looked up in `[[send.response.codes]]`.
    #[serde(default)]
    codes: Vec<CauseRule>,
    from: Option<Extract>,
    to: Option<Extract>,
    text: Option<Extract>,
    keyword: Option<Extract>,
    /// The vendor writes numbers without their plus sign.
    #[serde(default)]
    add_plus: bool,
}

/// What the vendor's codes say of the address.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct CauseRule {
    codes: Vec<String>,
    cause: FailureCause,
}

/// A callback as it came in. `Debug` shows neither address, headers nor body.
#[derive(Clone)]
pub struct CallbackRequest {
    /// The method.
    pub method: String,
    /// `public_url` as configured, the path, and the query as it came: what the vendor believes it called.
    pub url: String,
    /// Headers.
    pub headers: Vec<(String, String)>,
    /// The raw body, byte for byte.
    pub body: Vec<u8>,
}

impl fmt::Debug for CallbackRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CallbackRequest({} {HIDDEN}, {} bytes)", self.method, self.body.len())
    }
}

/// What became of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// The vendor's identifier, as its answer to the send gave it.
    pub provider_ref: Option<String>,
    /// Our attempt, where the vendor hands it back.
    pub attempt: Option<AttemptId>,
    /// What became of it.
    pub status: DeliveryStatus,
    /// The vendor's own code, if any.
    pub code: Option<String>,
    /// What the code says of the address.
    pub cause: FailureCause,
    /// When, by the vendor's clock.
    pub at: Option<Timestamp>,
}

/// What a person sent. `Debug` shows neither addresses nor text.
#[derive(Clone, PartialEq, Eq)]
pub struct Inbound {
    /// The vendor's identifier of the message: the same one twice is the same message.
    pub provider_ref: Option<String>,
    /// Who sent it, as the vendor writes it.
    pub from: String,
    /// To which of our numbers or addresses.
    pub to: String,
    /// The words.
    pub text: String,
    /// What the vendor itself understood (`STOP`), if it says so.
    pub keyword: Option<String>,
    /// When, by the vendor's clock.
    pub at: Option<Timestamp>,
}

impl fmt::Debug for Inbound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inbound").field("provider_ref", &self.provider_ref).finish_non_exhaustive()
    }
}

/// One thing that a callback says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CallbackEvent {
    /// What became of a message.
    Delivery(Delivery),
    /// What a person sent.
    Inbound(Inbound),
}

/// Why a callback is refused.
#[derive(Clone, Copy, Debug, thiserror::Error, PartialEq, Eq)]
pub enum CallbackError {
    /// The vendor has no such callback.
    #[error("this provider has no such callback")]
    Unexpected,
    /// Not a method the manifest names.
    #[error("this callback does not come by that method")]
    Method,
    /// Not believed.
    #[error(transparent)]
    Unbelievable(#[from] Unbelievable),
    /// Signed by the vendor, but not what the manifest describes: the manifest is wrong, or the vendor has changed.
    #[error("the callback is not what the manifest describes: {0}")]
    Malformed(&'static str),
}

impl CallbackSpec {
    /// What is wrong with it, in words.
    pub(in crate::provider) fn faults(&self, kind: CallbackKind) -> Vec<String> {
        let mut faults = Vec::new();
        let wanted = match kind {
            CallbackKind::Status => vec![("status", self.status.is_some())],
            CallbackKind::Inbound => vec![("from", self.from.is_some()), ("text", self.text.is_some())],
        };
        for (name, _) in wanted.iter().filter(|(_, there)| !there) {
            faults.push(format!("`{name}` is missing"));
        }
        if kind == CallbackKind::Status {
            if self.reference.is_empty() && self.attempt.is_none() {
                faults.push("neither `reference` nor `attempt`: which message would it be about?".to_owned());
            }
            if self.statuses.is_empty() {
                faults.push("`statuses` is empty: every status would be unrecognised".to_owned());
            }
        }
        if self.encoding != Encoding::Json && (self.events.is_some() || self.unwrap.is_some()) {
            faults.push("`events` and `unwrap` need encoding = \"json\"".to_owned());
        }
        if self.methods.is_empty()
            || self.methods.iter().any(|method| !matches!(method.as_str(), "GET" | "POST"))
        {
            faults.push("`methods` must be GET, POST or both".to_owned());
        }
        if !(200..300).contains(&self.acknowledge.status) {
            faults.push("`acknowledge.status` must be one of success: 200 to 299".to_owned());
        }
        faults
    }
}

/// A callback taken apart, before anything in it is believed.
struct Opened {
    query: Vec<(String, String)>,
    fields: Vec<(String, String)>,
    json: Option<Value>,
    text: String,
}

impl Opened {
    fn new(request: &CallbackRequest, encoding: Encoding) -> Self {
        let query =
            request.url.split_once('?').map_or("", |(_, query)| query.split('#').next().unwrap_or_default());
        let query = form_pairs(query);
        let text = String::from_utf8_lossy(&request.body).into_owned();
        let (fields, json) = match encoding {
            Encoding::Form => (form_pairs(&text), None),
            Encoding::Json => (Vec::new(), serde_json::from_slice(&request.body).ok()),
            Encoding::Query => (Vec::new(), None),
        };
        Self { query, fields, json, text }
    }

    fn document<'d>(&'d self, request: &'d CallbackRequest) -> Document<'d> {
        Document {
            headers: &request.headers,
            query: &self.query,
            fields: &self.fields,
            json: self.json.as_ref(),
            text: &self.text,
        }
    }
}

impl Manifest {
    /// What the vendor is answered once a callback has been recorded.
    pub fn acknowledgement(&self, kind: CallbackKind) -> Option<&Acknowledgement> {
        self.callbacks.get(&kind).map(|callback| &callback.acknowledge)
    }

    /// Whether a callback is the vendor's, without reading it.
    ///
    /// # Errors
    /// [`CallbackError::Unexpected`] or [`CallbackError::Unbelievable`].
    pub fn verify(
        &self,
        kind: CallbackKind,
        request: &CallbackRequest,
        settings: &Settings,
        now: Timestamp,
    ) -> Result<(), CallbackError> {
        let callback = self.callbacks.get(&kind).ok_or(CallbackError::Unexpected)?;
        let opened = Opened::new(request, callback.encoding);
        self.believe(callback, request, &opened.document(request), settings, now)
    }

    fn believe(
        &self,
        callback: &CallbackSpec,
        request: &CallbackRequest,
        document: &Document<'_>,
        settings: &Settings,
        now: Timestamp,
    ) -> Result<(), CallbackError> {
        // `Manifest::read` has made sure that the scheme is there; without one nothing is believed.
        let schemes = self.signatures.get(callback.signature.get_ref());
        let schemes = schemes.into_iter().flatten().map(Spanned::get_ref);
        Ok(signature::verify(schemes, request, document, settings, now)?)
    }

    /// What a code says of the address: by the callback's own table, or else by that of the send.
    fn cause(&self, callback: &CallbackSpec, code: &str) -> FailureCause {
        let own = callback.codes.iter().find(|rule| rule.codes.iter().any(|known| known == code));
        let of_send = || self.send.as_ref().and_then(|send| send.response.cause(code));
        own.map(|rule| rule.cause).or_else(of_send).unwrap_or(FailureCause::Unspecified)
    }

    /// Checks a callback's signature, then reads what it says.
    ///
    /// # Errors
    /// Why it is refused; nothing was believed then.
    pub fn verify_and_parse(
        &self,
        kind: CallbackKind,
        request: &CallbackRequest,
        settings: &Settings,
        now: Timestamp,
    ) -> Result<Vec<CallbackEvent>, CallbackError> {
        let callback = self.callbacks.get(&kind).ok_or(CallbackError::Unexpected)?;
        if !callback.methods.iter().any(|method| method.eq_ignore_ascii_case(&request.method)) {
            return Err(CallbackError::Method);
        }
        let opened = Opened::new(request, callback.encoding);
        let document = opened.document(request);
        self.believe(callback, request, &document, settings, now)?;
        if callback.encoding == Encoding::Json && opened.json.is_none() {
            return Err(CallbackError::Malformed("the body is not JSON"));
        }
        let inner = callback.unwrapped(document)?;
        let document = Document { json: inner.as_ref().or(document.json), ..document };
        let events = match (&callback.events, document.json) {
            (Some(pointer), Some(json)) => json
                .pointer(pointer)
                .and_then(Value::as_array)
                .ok_or(CallbackError::Malformed("no array of events where the manifest says"))?
                .iter()
                .map(|event| Document { json: Some(event), ..document })
                .collect(),
            _ => vec![document],
        };
        events
            .iter()
            .filter(|event| callback.select.iter().all(|condition| condition.holds(event)))
            .map(|event| callback.event(kind, event, &|code| self.cause(callback, code)))
            .collect()
    }
}

impl CallbackSpec {
    fn unwrapped(&self, document: Document<'_>) -> Result<Option<Value>, CallbackError> {
        let Some(pointer) = &self.unwrap else { return Ok(None) };
        let inner = document.json.and_then(|json| json.pointer(pointer)).and_then(Value::as_str);
        let inner = inner.and_then(|text| serde_json::from_str(text).ok());
        inner.map(Some).ok_or(CallbackError::Malformed("no JSON within the JSON where the manifest says"))
    }

    fn event(
        &self,
        kind: CallbackKind,
        event: &Document<'_>,
        cause: &dyn Fn(&str) -> FailureCause,
    ) -> Result<CallbackEvent, CallbackError> {
        let read = |extract: &Option<Extract>| extract.as_ref().and_then(|extract| extract.read(event));
        let provider_ref = self.reference.iter().find_map(|extract| extract.read(event));
        let provider_ref = provider_ref.filter(|reference| !reference.is_empty() && reference.len() <= 200);
        let at = read(&self.at).and_then(|text| instant(&text));
        match kind {
            CallbackKind::Status => {
                let attempt = read(&self.attempt).and_then(|text| text.parse().ok());
                if provider_ref.is_none() && attempt.is_none() {
                    return Err(CallbackError::Malformed("it does not say which message it is about"));
                }
                let word = read(&self.status).ok_or(CallbackError::Malformed("it has no status"))?;
                let status = self.statuses.get(&word).copied().unwrap_or(DeliveryStatus::Unrecognised);
                let code = read(&self.code).filter(|code| !code.is_empty() && code != "0");
                let cause = code.as_deref().map_or(FailureCause::Unspecified, cause);
                // Where the word is not known, it is the word that must be read by somebody.
                let code = if status == DeliveryStatus::Unrecognised { Some(word) } else { code };
                let code = code.map(|code| redact::code(&code));
                Ok(CallbackEvent::Delivery(Delivery { provider_ref, attempt, status, code, cause, at }))
            }
            CallbackKind::Inbound => Ok(CallbackEvent::Inbound(Inbound {
                provider_ref,
                from: self.address(read(&self.from)).ok_or(CallbackError::Malformed("it has no sender"))?,
                to: self.address(read(&self.to)).unwrap_or_default(),
                text: read(&self.text).ok_or(CallbackError::Malformed("it has no text"))?,
                keyword: read(&self.keyword).filter(|word| !word.is_empty()),
                at,
            })),
        }
    }

    fn address(&self, address: Option<String>) -> Option<String> {
        let address = address.filter(|address| !address.is_empty())?;
        let bare = self.add_plus && address.bytes().all(|byte| byte.is_ascii_digit());
        Some(if bare { format!("+{address}") } else { address })
    }
}

fn instant(text: &str) -> Option<Timestamp> {
    match text.parse::<i64>() {
        Ok(seconds) => seconds.checked_mul(1_000).map(Timestamp::from_millis),
        Err(_) => text.parse().ok(),
    }
}
