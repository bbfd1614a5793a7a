//! Errors as RFC 9457 `application/problem+json`: a stable `type`, a human `detail`, and for bad input where it is wrong.

use crate::domain::statement::FieldFault;
use crate::http::api::decisions::DecisionView;
use crate::pipeline::Refusal;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::ser::{Serialize, SerializeMap, Serializer};
use std::borrow::Cow;

/// The media type of a problem (RFC 9457, section 3).
pub const PROBLEM_JSON: HeaderValue = HeaderValue::from_static("application/problem+json");

/// Seconds after which a caller may come back when the service is not available.
const RETRY_AFTER_SECONDS: HeaderValue = HeaderValue::from_static("1");

macro_rules! kinds {
    ($($(#[$doc:meta])* $variant:ident = $urn:literal $status:ident $title:literal),+ $(,)?) => {
        /// The closed list of problems; each has one `type`, one status and one title, for ever.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum ProblemKind { $($(#[$doc])* $variant),+ }

        impl ProblemKind {
            /// Every kind.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The stable identifier in `type`.
            pub const fn urn(self) -> &'static str {
                match self { $(Self::$variant => concat!("urn:dunwell:problem:", $urn)),+ }
            }

            /// The HTTP status.
            pub const fn status(self) -> StatusCode {
                match self { $(Self::$variant => StatusCode::$status),+ }
            }

            /// The short summary in `title`.
            pub const fn title(self) -> &'static str {
                match self { $(Self::$variant => $title),+ }
            }
        }
    };
}

kinds! {
    /// The body is not JSON.
    NotJson = "not-json" BAD_REQUEST "The body is not JSON",
    /// The request line or a form cannot be read.
    Unreadable = "unreadable-request" BAD_REQUEST "The request cannot be read",
    /// No API key, or one that is not known.
    Unauthenticated = "unauthenticated" UNAUTHORIZED "A valid API key is needed",
    /// The API key's role does not allow it.
    Forbidden = "forbidden" FORBIDDEN "The API key's role does not allow this",
    /// There is nothing at this address.
    NotFound = "not-found" NOT_FOUND "There is nothing here",
    /// The address knows other methods.
    MethodNotAllowed = "method-not-allowed" METHOD_NOT_ALLOWED "The method is not allowed here",
    /// It contradicts what is on record.
    Conflict = "conflict" CONFLICT "It conflicts with what is on record",
    /// Policy refuses the contact.
    ContactRefused = "contact-refused" CONFLICT "The contact is not lawful now",
    /// The body is larger than accepted.
    TooLarge = "body-too-large" PAYLOAD_TOO_LARGE "The body is too large",
    /// The body's content type is another.
    UnsupportedMediaType = "unsupported-media-type" UNSUPPORTED_MEDIA_TYPE "The content type is not supported",
    /// The body is JSON, but what it says is wrong.
    InvalidBody = "invalid-body" UNPROCESSABLE_ENTITY "The body is not valid",
    /// A path or query parameter is wrong.
    InvalidParameter = "invalid-parameter" UNPROCESSABLE_ENTITY "A parameter is not valid",
    /// A fault of ours.
    Internal = "internal" INTERNAL_SERVER_ERROR "Something went wrong here",
    /// The store or the policy cannot be reached now.
    Unavailable = "unavailable" SERVICE_UNAVAILABLE "Not available now",
}

/// One problem, on its way to the caller.
pub struct Problem {
    kind: ProblemKind,
    detail: Cow<'static, str>,
    errors: Vec<FieldFault>,
    decision: Option<Box<DecisionView>>,
    challenge: HeaderValue,
}

/// What a caller without credentials is asked for, as a rule: an API key (RFC 6750, section 3).
const BEARER: HeaderValue = HeaderValue::from_static("Bearer realm=\"dunwell\"");
/// A user and a password (RFC 7617).
const BASIC: HeaderValue = HeaderValue::from_static("Basic realm=\"dunwell\"");

impl Problem {
    /// A problem with a sentence for people; the sentence must hold nothing personal.
    pub fn new(kind: ProblemKind, detail: impl Into<Cow<'static, str>>) -> Self {
        Self { kind, detail: detail.into(), errors: Vec::new(), decision: None, challenge: BEARER }
    }

    /// A body that is JSON but wrong, with every fault known.
    pub fn invalid(errors: Vec<FieldFault>) -> Self {
        let detail = match errors.as_slice() {
            [] => Cow::Borrowed("the body is not valid"),
            [only] => Cow::Owned(format!("{}: {}", place(&only.pointer), only.detail)),
            [first, rest @ ..] => Cow::Owned(format!(
                "{}: {}; and {} more, see errors",
                place(&first.pointer),
                first.detail,
                rest.len()
            )),
        };
        Self { detail, errors, ..Self::new(ProblemKind::InvalidBody, "") }
    }

    /// Path or query parameters that are wrong; the pointers name them.
    pub fn parameters(errors: Vec<FieldFault>) -> Self {
        Self { kind: ProblemKind::InvalidParameter, ..Self::invalid(errors) }
    }

    /// Something that does not exist, by what it is (`debtor`).
    pub fn not_found(what: &'static str) -> Self {
        Self::new(ProblemKind::NotFound, format!("there is no such {what}"))
    }

    /// For a caller that gives a user and a password, and some give them only to who asks.
    pub fn asking_for_a_password(self) -> Self {
        Self { challenge: BASIC, ..self }
    }

    /// Everything that is wrong, in one line for people.
    pub fn in_words(&self) -> String {
        if self.errors.is_empty() {
            return self.detail.clone().into_owned();
        }
        let faults = self.errors.iter().map(|fault| format!("{}: {}", place(&fault.pointer), fault.detail));
        faults.collect::<Vec<_>>().join("; ")
    }

    /// Which problem it is.
    pub fn kind(&self) -> ProblemKind {
        self.kind
    }
}

fn place(pointer: &str) -> &str {
    if pointer.is_empty() { "the body" } else { pointer }
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Invalid(errors) => Self::invalid(errors),
            Refusal::NotFound(what) => Self::not_found(what),
            Refusal::Conflict(detail) => Self::new(ProblemKind::Conflict, detail),
            Refusal::Refused(answer) => Self {
                decision: Some(Box::new(DecisionView::of(*answer))),
                ..Self::new(
                    ProblemKind::ContactRefused,
                    "policy does not permit this contact now; see decision",
                )
            },
            Refusal::Unavailable => {
                Self::new(ProblemKind::Unavailable, "the store cannot take this now; try again later")
            }
        }
    }
}

impl Serialize for Problem {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut body = serializer.serialize_map(None)?;
        body.serialize_entry("type", self.kind.urn())?;
        body.serialize_entry("title", self.kind.title())?;
        body.serialize_entry("status", &self.kind.status().as_u16())?;
        body.serialize_entry("detail", &self.detail)?;
        if !self.errors.is_empty() {
            body.serialize_entry("errors", &self.errors)?;
        }
        if let Some(decision) = &self.decision {
            body.serialize_entry("decision", decision)?;
        }
        body.end()
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        // A map of strings and numbers always serialises; an empty body would still carry the status.
        let body = serde_json::to_vec(&self).unwrap_or_default();
        let mut response = (self.kind.status(), body).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, PROBLEM_JSON);
        match self.kind {
            ProblemKind::Unauthenticated => {
                headers.insert(header::WWW_AUTHENTICATE, self.challenge);
            }
            ProblemKind::Unavailable => {
                headers.insert(header::RETRY_AFTER, RETRY_AFTER_SECONDS);
            }
            ProblemKind::TooLarge => {
                // The rest of the body is not read, so the connection cannot be used again.
                headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
            }
            ProblemKind::NotJson
            | ProblemKind::Unreadable
            | ProblemKind::Forbidden
            | ProblemKind::NotFound
            | ProblemKind::MethodNotAllowed
            | ProblemKind::Conflict
            | ProblemKind::ContactRefused
            | ProblemKind::UnsupportedMediaType
            | ProblemKind::InvalidBody
            | ProblemKind::InvalidParameter
            | ProblemKind::Internal => {}
        }
        response
    }
}

/// The answer to a request for which a handler panicked; the panic itself is already in the log.
pub fn after_panic(_panic: Box<dyn std::any::Any + Send + 'static>) -> Response {
    tracing::error!("a request handler panicked");
    Problem::new(ProblemKind::Internal, "the request could not be completed; it is safe to send it again")
        .into_response()
}

/// The answer at an address that nothing is served at.
pub async fn nothing_here() -> Problem {
    Problem::new(ProblemKind::NotFound, "nothing is served at this address; /docs lists what is")
}

/// The answer to a method that an address does not know; `Allow` names those it does.
pub async fn other_method() -> Problem {
    Problem::new(ProblemKind::MethodNotAllowed, "this address knows other methods; see the Allow header")
}

/// The shape of a problem, for the API's own description.
#[derive(utoipa::ToSchema)]
#[schema(as = Problem)]
#[expect(dead_code, reason = "describes the wire form of Problem")]
pub struct ProblemSchema {
    /// Which problem it is; one of a closed list of URNs.
    #[schema(example = "urn:dunwell:problem:invalid-body")]
    r#type: String,
    /// A short summary, the same for every problem of a type.
    #[schema(example = "The body is not valid")]
    title: String,
    /// The HTTP status.
    #[schema(example = 422)]
    status: u16,
    /// What is wrong this time; never personal.
    #[schema(example = "/channel: is required")]
    detail: String,
    /// For bad input: each thing wrong, with its JSON Pointer into the body.
    errors: Option<Vec<FieldFault>>,
    /// For a refused contact: the decision, with every finding.
    decision: Option<DecisionView>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_type_is_its_own() {
        for (index, kind) in ProblemKind::ALL.iter().enumerate() {
            assert!(
                ProblemKind::ALL[index + 1..].iter().all(|other| other.urn() != kind.urn()),
                "{}",
                kind.urn()
            );
            assert!(kind.status().is_client_error() || kind.status().is_server_error());
        }
    }

    #[test]
    fn several_faults_are_counted() {
        let problem = Problem::invalid(vec![
            FieldFault::new("/a", "is required"),
            FieldFault::new("/b", "is required"),
        ]);
        assert_eq!(problem.detail, "/a: is required; and 1 more, see errors");
    }
}
