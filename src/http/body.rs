//! Reading a JSON body: 415, 413, 400 and 422 told apart, and every fault with its JSON Pointer.

use crate::domain::statement::FieldFault;
use crate::http::problem::{Problem, ProblemKind};
use crate::http::shape::{self, Malformed};
use axum::body::{BodyDataStream, HttpBody};
use axum::extract::{FromRequest, Request};
use axum::http::{HeaderMap, header};
use bytes::{Bytes, BytesMut};
use futures_util::StreamExt;
use serde::de::DeserializeOwned;
use serde_path_to_error::Segment;
use std::time::Duration;

/// The largest single body, in bytes.
pub const BODY_LIMIT: usize = 1024 * 1024;
/// How much of a body that is too large is read and thrown away, in bytes …
const DRAIN_LIMIT: usize = 64 * 1024 * 1024;
/// … and how long the next piece of it is waited for.
const DRAIN_TIME: Duration = Duration::from_secs(2);

/// The members that are calendar dates; the library that reads them quotes what it could not read.
const DATES: &[&str] = &["date_of_birth", "validation_notice_sent_on", "checked_on", "since"];

/// A JSON body read strictly: nothing unknown, nothing twice, nothing missing.
pub struct Body<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Body<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, _state: &S) -> Result<Self, Problem> {
        if !is_json(request.headers()) {
            return Err(Problem::new(
                ProblemKind::UnsupportedMediaType,
                "the body must be JSON, with Content-Type: application/json",
            ));
        }
        let text = whole(request, BODY_LIMIT).await?;
        parse(&text).map(Self)
    }
}

/// A JSON body read as strictly, or none at all.
pub struct PerhapsBody<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned + Default> FromRequest<S> for PerhapsBody<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        if !request.headers().contains_key(header::CONTENT_TYPE) && request.body().is_end_stream() {
            return Ok(Self(T::default()));
        }
        Body::from_request(request, state).await.map(|Body(said)| Self(said))
    }
}

/// Reads a whole body of at most `limit` bytes.
pub async fn whole(request: Request, limit: usize) -> Result<Bytes, Problem> {
    let announced = request.headers().get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok());
    let announced = announced.and_then(|length| length.parse::<usize>().ok());
    let mut body = request.into_body().into_data_stream();
    if announced.is_some_and(|length| length > limit) {
        drain(&mut body).await;
        return Err(too_large(limit));
    }
    let broken = || Problem::new(ProblemKind::Unreadable, "the body ended before it was complete");
    let first = match body.next().await {
        Some(frame) => frame.map_err(|_| broken())?,
        None => return Ok(Bytes::new()),
    };
    // Most bodies come in one piece, which is then not copied.
    if Some(first.len()) == announced && first.len() <= limit {
        return Ok(first);
    }
    let mut whole = BytesMut::from(first);
    while let Some(frame) = body.next().await {
        whole.extend_from_slice(&frame.map_err(|_| broken())?);
        if whole.len() > limit {
            drain(&mut body).await;
            return Err(too_large(limit));
        }
    }
    if whole.len() > limit { Err(too_large(limit)) } else { Ok(whole.freeze()) }
}

/// Reads on for a while without keeping anything: a caller that is still writing would otherwise see its connection reset
/// instead of the answer.
async fn drain(body: &mut BodyDataStream) {
    let mut left = DRAIN_LIMIT;
    while let Ok(Some(Ok(frame))) = tokio::time::timeout(DRAIN_TIME, body.next()).await {
        match left.checked_sub(frame.len()) {
            Some(less) => left = less,
            None => return,
        }
    }
}

fn too_large(limit: usize) -> Problem {
    Problem::new(ProblemKind::TooLarge, format!("the body may have at most {limit} bytes"))
}

fn is_json(headers: &HeaderMap) -> bool {
    media_type(headers).is_some_and(|kind| {
        kind.eq_ignore_ascii_case("application/json")
            || (kind.len() > 5
                && kind.is_char_boundary(kind.len() - 5)
                && kind[kind.len() - 5..].eq_ignore_ascii_case("+json"))
    })
}

/// The media type without its parameters.
pub fn media_type(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(header::CONTENT_TYPE)?.to_str().ok()?;
    Some(value.split(';').next().unwrap_or(value).trim())
}

/// Reads a value from JSON text.
pub fn parse<T: DeserializeOwned>(text: &[u8]) -> Result<T, Problem> {
    shape::inspect(text).map_err(|malformed| match malformed {
        Malformed::NotJson => {
            Problem::new(ProblemKind::NotJson, "the body must be one JSON object (RFC 8259)")
        }
        Malformed::Misshapen(fault) => Problem::invalid(vec![fault]),
    })?;
    // The tracked reading costs; it is only worth it where something is wrong.
    serde_json::from_slice(text).map_err(|_| Problem::invalid(vec![locate::<T>(text)]))
}

/// Reads the text again, to find where it goes wrong.
fn locate<T: DeserializeOwned>(text: &[u8]) -> FieldFault {
    let mut reader = serde_json::Deserializer::from_slice(text);
    match serde_path_to_error::deserialize::<_, T>(&mut reader) {
        Ok(_) => FieldFault::new("", "is not valid"),
        Err(error) => {
            let mut path: Vec<String> = error
                .path()
                .iter()
                .filter_map(|segment| match segment {
                    Segment::Seq { index } => Some(index.to_string()),
                    Segment::Map { key } => Some(key.clone()),
                    // A word that is not one of an enumeration is a value, not a place.
                    Segment::Enum { .. } | Segment::Unknown => None,
                })
                .collect();
            let dated = path.last().is_some_and(|name| DATES.contains(&name.as_str()));
            let (member, detail) = plain(&error.inner().to_string(), dated);
            path.extend(member);
            FieldFault::new(shape::pointer(&path), detail)
        }
    }
}

/// Says a reader's message in plain words that never repeat a value: the member it is about, where the path does not
/// already end there, and the sentence.
fn plain(message: &str, dated: bool) -> (Option<String>, String) {
    let message = message.rfind(" at line ").map_or(message, |end| &message[..end]);
    let quoted = |text: &str| text.split('`').nth(1).map(str::to_owned);
    if message.starts_with("missing field") {
        return (quoted(message), "is required".to_owned());
    }
    if let Some(known) = message.strip_prefix("unknown field ") {
        return (None, format!("is not known here; known are {}", words(known)));
    }
    if let Some(known) = message.strip_prefix("unknown variant ") {
        return (None, format!("expected one of {}", words(known)));
    }
    if message.starts_with("invalid type")
        || message.starts_with("invalid value")
        || message.starts_with("invalid length")
    {
        return (None, format!("expected {}", expected(message)));
    }
    match message.split_once(' ').map(|(first, _)| first) {
        // Money is read whole; its own message says which half is wrong.
        Some(half @ ("amount" | "currency")) => (Some(half.to_owned()), message[half.len() + 1..].to_owned()),
        // Sentences of our own vocabulary, which never quote.
        Some("not" | "expected") => (None, message.to_owned()),
        // Whatever else a library says may quote the value.
        _ if dated => (None, "not a date such as 2026-08-01".to_owned()),
        _ => (None, "is not valid".to_owned()),
    }
}

/// The words in backticks after the first, as a list.
fn words(message: &str) -> String {
    let words: Vec<&str> = message.split('`').skip(1).step_by(2).skip(1).collect();
    if words.is_empty() { "none".to_owned() } else { words.join(", ") }
}

/// What should have been there, without what was.
fn expected(message: &str) -> &str {
    match message.rsplit_once(", expected ").map(|(_, wanted)| wanted) {
        Some(wanted) if wanted.starts_with("struct ") || wanted == "a map" => "an object",
        Some("a sequence") => "an array",
        Some("a boolean") => "true or false",
        Some("string" | "a borrowed string") => "a string",
        Some(wanted) if wanted.starts_with(['u', 'i']) && wanted[1..].parse::<u8>().is_ok() => {
            "a whole number"
        }
        Some(wanted) if wanted.contains("date") => "a date such as 2026-08-01",
        Some(wanted) if !wanted.contains('"') => wanted,
        _ => "another value",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::debtor::DebtorFile;
    use crate::domain::request::ContactRequest;
    use crate::domain::statement::DecisionQuery;

    fn faults<T: DeserializeOwned>(text: &str) -> serde_json::Value {
        match parse::<T>(text.as_bytes()) {
            Ok(_) => panic!("accepted: {text}"),
            Err(problem) => serde_json::to_value(&problem).expect("JSON")["errors"].take(),
        }
    }

    #[test]
    fn every_fault_has_its_pointer_and_never_quotes_the_value() {
        let secret = "Zebulonne";
        for (text, pointer, detail) in [
            (
                "{\"contact_points\": [{\"kind\": \"phone\", \"value\": \"x\", \"colour\": 1}]}",
                "/contact_points/0/colour",
                "is not known here",
            ),
            ("{\"nickname\": \"Zebulonne\"}", "/nickname", "is not known here"),
            ("{\"contact_points\": [{\"kind\": \"phone\"}]}", "/contact_points/0/value", "is required"),
            (
                "{\"contact_points\": [{\"kind\": \"Zebulonne\", \"value\": \"x\"}]}",
                "/contact_points/0/kind",
                "expected one of phone, email, portal",
            ),
            (
                "{\"contact_points\": [{\"kind\": \"phone\", \"value\": 7}]}",
                "/contact_points/0/value",
                "expected a string",
            ),
            (
                "{\"contact_points\": [{\"kind\": \"phone\", \"value\": \"x\", \"workplace\": \"Zebulonne\"}]}",
                "/contact_points/0/workplace",
                "expected true or false",
            ),
            ("{\"contact_points\": {}}", "/contact_points", "expected an array"),
            ("{\"contact_points\": null}", "/contact_points", "expected an array"),
            ("{\"name\": \"Zebulonne\"}", "/name", "expected an object"),
            ("{\"date_of_birth\": \"Zebulonne\"}", "/date_of_birth", "not a date such as 2026-08-01"),
            ("{\"date_of_birth\": \"1984-13-11\"}", "/date_of_birth", "not a date such as 2026-08-01"),
            ("{\"date_of_birth\": 1984}", "/date_of_birth", "date"),
            (
                "{\"accounts\": [{\"account_id\": \"A\", \"balance\": {\"amount\": 482.13, \"currency\": \"USD\"}}]}",
                "/accounts/0/balance/amount",
                "expected a string",
            ),
            (
                "{\"accounts\": [{\"account_id\": \"A\", \"balance\": {\"amount\": \"1,5\", \"currency\": \"USD\"}}]}",
                "/accounts/0/balance/amount",
                "is not a decimal number",
            ),
            (
                "{\"accounts\": [{\"account_id\": \"A\", \"balance\": {\"amount\": \"1\", \"currency\": \"usd\"}}]}",
                "/accounts/0/balance/currency",
                "is not an ISO 4217 code",
            ),
            (
                "{\"accounts\": [{\"account_id\": \"A\", \"balance\": {\"currency\": \"USD\"}}]}",
                "/accounts/0/balance/amount",
                "is required",
            ),
        ] {
            let errors = faults::<DebtorFile>(text);
            assert_eq!(errors[0]["pointer"], pointer, "{text}: {errors}");
            let said = errors[0]["detail"].as_str().expect("a detail");
            assert!(said.contains(detail) && !said.contains(secret), "{text}: {said}");
        }
    }

    #[test]
    fn words_and_moments_are_named_at_their_place() {
        let request =
            r#"{"request_id": "r", "debtor_id": "D", "channels": ["sms", "pigeon"], "template": "t"}"#;
        assert_eq!(faults::<ContactRequest>(request)[0]["pointer"], "/channels/1");
        let query = r#"{"debtor_id": "D", "channel": "pigeon"}"#;
        assert_eq!(faults::<DecisionQuery>(query)[0]["pointer"], "/channel");
        let query = r#"{"debtor_id": "D", "channel": "sms", "at": "tomorrow"}"#;
        let errors = faults::<DecisionQuery>(query);
        assert_eq!(errors[0]["pointer"], "/at");
        assert!(
            errors[0]["detail"].as_str().is_some_and(|said| said.starts_with("not an RFC 3339 timestamp"))
        );
        let request = r#"{"debtor_id": "D", "channels": ["sms"], "template": "t"}"#;
        assert_eq!(faults::<ContactRequest>(request)[0]["pointer"], "/request_id");
    }
}
