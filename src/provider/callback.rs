//! What a vendor tells us afterwards: what became of a message, and what people write back.
//!
//! Nothing of a callback is believed before its signature holds over the address as configured.

use crate::domain::call::AnsweredBy;
use crate::domain::channel::Channel;
use crate::domain::id::AttemptId;
use crate::domain::outcome::FailureCause;
use crate::domain::time::Timestamp;
use crate::provider::acknowledge::Acknowledgement;
use crate::provider::extract::Document;
use crate::provider::letter::Letter;
use crate::provider::manifest::Manifest;
use crate::provider::reading::CallbackSpec;
use crate::provider::reading::opened::Opened;
use crate::provider::redact::{self, HIDDEN};
use crate::provider::settings::Settings;
use crate::provider::signature::{self, OneTime, Scheme, Unbelievable};
use serde::{Deserialize, Serialize};
use std::fmt;
use toml::Spanned;

/// The largest callback where its manifest says nothing, in bytes.
const LARGEST: usize = 1 << 20;
/// The largest letter, likewise.
const LARGEST_MAIL: usize = 8 << 20;
/// No manifest asks for more: a callback is held in memory, and judged only then.
pub(in crate::provider) const LARGEST_EVER: usize = 32 << 20;

/// Which sort of callback: the last part of its address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CallbackKind {
    /// What became of a message.
    Status,
    /// What a person sent.
    Inbound,
    /// A call asks what to say, or tells what was pressed.
    Voice,
}

impl CallbackKind {
    /// The word in the address.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Status => "status",
            Self::Inbound => "inbound",
            Self::Voice => "voice",
        }
    }

    /// The kind with this word, if there is one.
    pub fn from_word(word: &str) -> Option<Self> {
        [Self::Status, Self::Inbound, Self::Voice].into_iter().find(|kind| kind.as_str() == word)
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
    /// It arrived and the person complained of it as unwanted, or unsubscribed at the vendor: it binds as a stop.
    Complained,
    /// A call was taken.
    Answered,
    /// A call that was taken is over.
    Ended,
    /// The line was busy.
    Busy,
    /// It rang out.
    NoAnswer,
    /// The call was not connected to the number dialled (12 CFR 1006.14(b)(3)(ii)).
    NotConnected,
    /// A person took the call.
    Human,
    /// An answering machine took it, and listens now.
    Machine,
    /// An answering machine took it, and is still talking.
    MachineGreeting,
    /// The vendor cannot tell who or what took it.
    Unsure,
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
            Self::Answered => "answered",
            Self::Ended => "ended",
            Self::Busy => "busy",
            Self::NoAnswer => "no_answer",
            Self::NotConnected => "not_connected",
            Self::Human => "human",
            Self::Machine => "machine",
            Self::MachineGreeting => "machine_greeting",
            Self::Unsure => "unsure",
            Self::Unrecognised => "unrecognised",
        }
    }
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

/// What a callback is judged by.
#[derive(Clone, Copy, Debug)]
pub struct Grounds<'g> {
    /// The operator's settings, among them the keys.
    pub settings: &'g Settings,
    /// The time.
    pub now: Timestamp,
    /// The certificate that the callback names ([`Manifest::certificate`]): its address, and what was found there, in PEM.
    pub certificate: Option<(&'g str, &'g str)>,
}

impl<'g> Grounds<'g> {
    /// Without a certificate.
    pub fn new(settings: &'g Settings, now: Timestamp) -> Self {
        Self { settings, now, certificate: None }
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
    /// Of a letter: what there is beside its text.
    pub letter: Letter,
}

impl fmt::Debug for Inbound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inbound").field("provider_ref", &self.provider_ref).finish_non_exhaustive()
    }
}

/// What a call under way tells. `Debug` shows neither keys nor words.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct CallReport {
    /// The vendor's identifier of the call.
    pub provider_ref: Option<String>,
    /// Our attempt, where the vendor hands it back.
    pub attempt: Option<AttemptId>,
    /// The word of ours that says where the call is, where the vendor hands it back instead of calling another address.
    pub state: Option<String>,
    /// Who or what took the call.
    pub answered_by: Option<AnsweredBy>,
    /// The keys pressed; empty where none was.
    pub keys: String,
    /// What was said.
    pub speech: Option<String>,
    /// Whether the other end of a connection took the call, after a connection.
    pub connected: Option<bool>,
}

impl fmt::Debug for CallReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CallReport")
            .field("provider_ref", &self.provider_ref)
            .field("answered_by", &self.answered_by)
            .finish_non_exhaustive()
    }
}

/// One thing that a callback says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CallbackEvent {
    /// What became of a message.
    Delivery(Delivery),
    /// What a person sent.
    Inbound(Inbound),
    /// What a call under way tells.
    Call(CallReport),
}

/// What a callback that is believed comes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Heard {
    /// What it says.
    pub events: Vec<CallbackEvent>,
    /// How many events in it are not what the manifest describes; the others are read all the same.
    pub unreadable: usize,
    /// How many things in it the manifest passes over.
    pub passed_over: usize,
    /// What the vendor is answered once everything has been recorded.
    pub acknowledge: Acknowledgement,
    /// An address that the vendor wants to see called.
    pub visit: Option<String>,
    /// What makes a second callback like it a repetition.
    pub once: Option<OneTime>,
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

impl Manifest {
    /// Whether the vendor calls us with this.
    pub fn hears(&self, kind: CallbackKind) -> bool {
        self.callbacks.contains_key(&kind)
    }

    /// How many bytes a callback may have, where the vendor calls us with it. Incoming mail carries what was attached to it.
    pub fn largest_callback(&self, kind: CallbackKind) -> Option<usize> {
        let mail = self.channel() == Channel::Email && kind == CallbackKind::Inbound;
        let usual = if mail { LARGEST_MAIL } else { LARGEST };
        Some(self.callbacks.get(&kind)?.largest_bytes().unwrap_or(usual))
    }

    /// Whether a callback is signed by a user and a password of HTTP (RFC 7617): some vendors give them only when asked.
    pub fn wants_password(&self, kind: CallbackKind) -> bool {
        let callback = self.callbacks.get(&kind);
        callback.is_some_and(|callback| self.schemes(callback).any(Scheme::wants_password))
    }

    /// The address of the certificate that must be fetched before a callback can be judged; only ever of a host that the
    /// manifest believes.
    pub fn certificate(&self, kind: CallbackKind, request: &CallbackRequest) -> Option<String> {
        let callback = self.callbacks.get(&kind)?;
        if !self.schemes(callback).any(Scheme::wants_certificate) {
            return None;
        }
        let opened = Opened::new(request, callback);
        let document = opened.document(request);
        self.schemes(callback)
            .filter(|scheme| scheme.applies(&document))
            .find_map(|s| s.certificate(&document))
    }

    /// Whether a callback is the vendor's, without reading it.
    ///
    /// # Errors
    /// [`CallbackError::Unexpected`] or [`CallbackError::Unbelievable`].
    pub fn verify(
        &self,
        kind: CallbackKind,
        request: &CallbackRequest,
        grounds: &Grounds<'_>,
    ) -> Result<(), CallbackError> {
        let callback = self.callbacks.get(&kind).ok_or(CallbackError::Unexpected)?;
        let opened = Opened::new(request, callback);
        self.believe(callback, request, &opened.document(request), grounds).map(|_once| ())
    }

    fn schemes(&self, callback: &CallbackSpec) -> impl Iterator<Item = &Scheme> {
        // `Manifest::read` has made sure that the scheme is there; without one nothing is believed.
        self.signatures.get(callback.signature.get_ref()).into_iter().flatten().map(Spanned::get_ref)
    }

    fn believe(
        &self,
        callback: &CallbackSpec,
        request: &CallbackRequest,
        document: &Document<'_>,
        grounds: &Grounds<'_>,
    ) -> Result<Option<OneTime>, CallbackError> {
        Ok(signature::verify(self.schemes(callback), request, document, grounds)?)
    }

    /// Checks a callback's signature, then reads what it says.
    ///
    /// # Errors
    /// Why it is refused; nothing was believed then.
    pub fn verify_and_parse(
        &self,
        kind: CallbackKind,
        request: &CallbackRequest,
        grounds: &Grounds<'_>,
    ) -> Result<Heard, CallbackError> {
        let callback = self.callbacks.get(&kind).ok_or(CallbackError::Unexpected)?;
        if !callback.comes_by(&request.method) {
            return Err(CallbackError::Method);
        }
        let opened = Opened::new(request, callback);
        let document = opened.document(request);
        let once = self.believe(callback, request, &document, grounds)?;
        self.hear(kind, callback, request, &opened).map(|heard| Heard { once, ..heard })
    }

    /// Reads what a callback would say if it were believed: for somebody who tries a manifest. Nothing that comes of it may
    /// be recorded.
    ///
    /// # Errors
    /// As [`Manifest::verify_and_parse`], but for the signature.
    pub fn parse_unbelieved(
        &self,
        kind: CallbackKind,
        request: &CallbackRequest,
    ) -> Result<Heard, CallbackError> {
        let callback = self.callbacks.get(&kind).ok_or(CallbackError::Unexpected)?;
        if !callback.comes_by(&request.method) {
            return Err(CallbackError::Method);
        }
        self.hear(kind, callback, request, &Opened::new(request, callback))
    }

    /// Why a callback's signature holds or not, one line for each alternative: for somebody who tries a manifest.
    pub fn explain_signature(
        &self,
        kind: CallbackKind,
        request: &CallbackRequest,
        grounds: &Grounds<'_>,
    ) -> Vec<String> {
        let Some(callback) = self.callbacks.get(&kind) else { return Vec::new() };
        let opened = Opened::new(request, callback);
        let document = opened.document(request);
        let name = callback.signature.get_ref();
        let explain = |(index, scheme): (usize, &Scheme)| {
            let head = format!("[[signatures.{name}]] no. {}", index + 1);
            if !scheme.applies(&document) {
                return format!("{head}: not tried, its `when` does not hold");
            }
            if !scheme.finds_signature(&document) {
                return format!("{head}: there is no signature where `given` says, or not in `given_form`");
            }
            let verdict = match signature::verify(std::iter::once(scheme), request, &document, grounds) {
                Ok(_once) => "holds".to_owned(),
                Err(error) => error.to_string(),
            };
            match scheme.signed_text(request, &document, grounds.settings) {
                Some(text) => format!("{head}: {verdict}; signed over {}", redact::quoted(&text)),
                None => format!("{head}: {verdict}"),
            }
        };
        self.schemes(callback).enumerate().map(explain).collect()
    }
}
