//! From a vendor's answer to what it means for the attempt. Pure, total, and pessimistic where it must guess.

use crate::domain::outcome::{Failure, FailureCause, FailureClass, Outcome};
use crate::domain::time::Timestamp;
use crate::provider::extract::{Condition, Document, Extract, Extracts, Share};
use crate::provider::manifest::Manifest;
use crate::provider::redact::{self, Length};
use serde::Deserialize;
use std::fmt;

/// An HTTP status, or a hundred of them (`4xx`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub enum StatusPattern {
    /// One.
    Exactly(u16),
    /// A hundred, by its first digit.
    Hundred(u16),
}

impl TryFrom<String> for StatusPattern {
    type Error = &'static str;
    fn try_from(text: String) -> Result<Self, Self::Error> {
        let wrong = "not an HTTP status such as \"201\" or \"4xx\"";
        let (digits, hundred) = match text.strip_suffix("xx") {
            Some(digit) => (digit, true),
            None => (text.as_str(), false),
        };
        match (digits.parse::<u16>().map_err(|_| wrong)?, hundred) {
            (digit @ 1..=5, true) => Ok(Self::Hundred(digit)),
            (status @ 100..=599, false) => Ok(Self::Exactly(status)),
            _ => Err(wrong),
        }
    }
}

impl StatusPattern {
    fn matches(self, status: u16) -> bool {
        match self {
            Self::Exactly(one) => status == one,
            Self::Hundred(digit) => status / 100 == digit,
        }
    }
}

/// When an answer means that the vendor took the message.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Accepted {
    status: Vec<StatusPattern>,
    /// All must hold as well: for vendors that answer 200 to everything.
    #[serde(default)]
    when: Vec<Condition>,
}

/// What a class of answers means, by HTTP status.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StatusRule {
    status: Vec<StatusPattern>,
    class: FailureClass,
    #[serde(default = "unspecified")]
    cause: FailureCause,
}

/// What the vendor's own codes mean; they go before the HTTP status.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CodeRule {
    codes: Vec<String>,
    class: FailureClass,
    #[serde(default = "unspecified")]
    cause: FailureCause,
    /// Why we think so, for a reader.
    #[serde(default)]
    #[expect(dead_code, reason = "for readers of the file")]
    note: String,
}

fn unspecified() -> FailureCause {
    FailureCause::Unspecified
}

/// How a vendor says how long to wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WaitUnit {
    /// Seconds from now.
    Seconds,
    /// Milliseconds from now.
    Milliseconds,
    /// Seconds since 1970.
    Unix,
}

/// Where a vendor says how long to wait, if not in `Retry-After`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Wait {
    value: Extract,
    unit: WaitUnit,
}

/// How a vendor's answer is read.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ResponseSpec {
    accepted: Accepted,
    /// The vendor's identifier of the message; if looked for and not there, the answer is malformed.
    reference: Option<Extracts>,
    /// Where the vendor's own code may stand; the first found counts.
    #[serde(default)]
    code: Extracts,
    #[serde(default)]
    codes: Vec<CodeRule>,
    #[serde(default)]
    status: Vec<StatusRule>,
    retry_after: Option<Wait>,
}

/// A vendor's answer. `Debug` shows no body.
#[derive(Clone, PartialEq, Eq)]
pub struct HttpResponse {
    /// The HTTP status.
    pub status: u16,
    /// Headers.
    pub headers: Vec<(String, String)>,
    /// The body, or as much of it as was read.
    pub body: Vec<u8>,
    /// When it came.
    pub received_at: Timestamp,
}

impl fmt::Debug for HttpResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpResponse")
            .field("status", &self.status)
            .field("body", &Length(self.body.len()))
            .finish_non_exhaustive()
    }
}

impl ResponseSpec {
    /// What is wrong with it, in words.
    pub(in crate::provider) fn faults(&self) -> Vec<String> {
        let mut seen = std::collections::BTreeSet::new();
        let mut faults: Vec<String> = self
            .codes
            .iter()
            .flat_map(|rule| &rule.codes)
            .filter(|code| !seen.insert(code.as_str()))
            .map(|code| format!("[[send.response.codes]] has code {code} twice"))
            .collect();
        if self.code.is_empty() && !self.codes.is_empty() {
            faults.push("[[send.response.codes]] needs `code`: where the vendor's code stands".to_owned());
        }
        if self.accepted.status.is_empty() {
            faults.push(
                "[send.response] `accepted.status` is empty: nothing would ever be accepted".to_owned(),
            );
        }
        faults
    }
}

impl Manifest {
    /// What a vendor's answer means. An answer that nothing recognises is uncertain, never accepted.
    pub fn outcome(&self, response: &HttpResponse) -> Outcome {
        match &self.send {
            Some(send) => send.response.outcome(response),
            None => Outcome::Failed(Failure::of(
                FailureClass::Uncertain,
                FailureCause::Unspecified,
                "unexpected_answer",
            )),
        }
    }
}

impl ResponseSpec {
    /// What a code says of the address, if the table knows it.
    pub(in crate::provider) fn cause(&self, code: &str) -> Option<FailureCause> {
        self.rule(code).map(|rule| rule.cause)
    }

    /// The first rule that names a code.
    fn rule(&self, code: &str) -> Option<&CodeRule> {
        self.codes.iter().find(|rule| rule.codes.iter().any(|known| redact::names(known, code)))
    }

    pub(in crate::provider) fn outcome(&self, response: &HttpResponse) -> Outcome {
        let text = String::from_utf8_lossy(&response.body);
        let json = serde_json::from_slice(&response.body).ok();
        let document =
            Document { headers: &response.headers, json: json.as_ref(), text: &text, ..Document::default() };
        let promised = self.accepted.status.iter().any(|pattern| pattern.matches(response.status));
        let shares: Vec<Share> =
            self.accepted.when.iter().map(|condition| condition.share(&document)).collect();
        if promised && shares.iter().all(|share| *share == Share::All) {
            return self.reference(&document);
        }
        if promised && shares.iter().all(|share| *share != Share::None) {
            // Of several parts, some were taken and some were not: it must not go out again.
            let (class, cause) = (FailureClass::Uncertain, FailureCause::Provider);
            return Outcome::Failed(Failure::of(class, cause, "partly_accepted"));
        }
        let code = self.code.read(&document);
        let known = code.as_deref().and_then(|code| self.rule(code));
        let (class, cause) = match known {
            Some(rule) => (rule.class, rule.cause),
            None => self.by_status(response.status),
        };
        let code = match code {
            Some(code) => redact::code(&code),
            None => format!("http_{}", response.status),
        };
        let retry_after_seconds = match class {
            FailureClass::Throttled | FailureClass::NeverLeft => self.wait(&document, response.received_at),
            FailureClass::Refused | FailureClass::Uncertain => None,
        };
        Outcome::Failed(Failure { class, cause, code, retry_after_seconds })
    }

    fn reference(&self, document: &Document<'_>) -> Outcome {
        let Some(extract) = &self.reference else { return Outcome::Accepted { provider_ref: None } };
        match extract.read(document).filter(|reference| !reference.is_empty() && reference.len() <= 200) {
            Some(reference) => Outcome::Accepted { provider_ref: Some(reference) },
            None => Outcome::Failed(Failure::of(
                FailureClass::Uncertain,
                FailureCause::Provider,
                "malformed_answer",
            )),
        }
    }

    fn by_status(&self, status: u16) -> (FailureClass, FailureCause) {
        let rule = self.status.iter().find(|rule| rule.status.iter().any(|pattern| pattern.matches(status)));
        match rule {
            Some(rule) => (rule.class, rule.cause),
            None => by_http(status),
        }
    }

    fn wait(&self, document: &Document<'_>, now: Timestamp) -> Option<u32> {
        if let Some(wait) = &self.retry_after {
            let number: i64 = wait.value.read(document)?.trim().parse().ok()?;
            let seconds = match wait.unit {
                WaitUnit::Seconds => number,
                WaitUnit::Milliseconds => number.saturating_add(999) / 1_000,
                WaitUnit::Unix => number - now.millis() / 1_000,
            };
            return u32::try_from(seconds.max(0)).ok();
        }
        let text = document.header("retry-after")?.trim();
        text.parse().ok().or_else(|| seconds_until(text, now))
    }
}

/// RFC 9110, section 10.2.3: `Retry-After` may be a date.
fn seconds_until(date: &str, now: Timestamp) -> Option<u32> {
    let seconds = Timestamp::parse_http_date(date)?.since(now).as_millis() / 1_000;
    u32::try_from(seconds.max(0)).ok()
}

/// What an HTTP status means where the manifest says nothing (RFC 9110, section 15).
fn by_http(status: u16) -> (FailureClass, FailureCause) {
    match status {
        429 => (FailureClass::Throttled, FailureCause::Provider),
        401..=403 | 407 => (FailureClass::Refused, FailureCause::Account),
        // The vendor gave up waiting for us, or somebody on the way did: it may have had it all.
        408 | 499 => (FailureClass::Uncertain, FailureCause::Provider),
        400..=499 => (FailureClass::Refused, FailureCause::Unspecified),
        _ => (FailureClass::Uncertain, FailureCause::Provider),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec(text: &str) -> ResponseSpec {
        toml::from_str(text).expect(text)
    }

    fn answer(status: u16, headers: &[(&str, &str)], body: &str) -> HttpResponse {
        HttpResponse {
            status,
            headers: headers.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect(),
            body: body.as_bytes().to_vec(),
            received_at: Timestamp::from_millis(784_111_777_000), // 1994-11-06T08:49:37Z
        }
    }

    #[test]
    fn a_vendor_that_always_answers_200_is_read_by_its_own_code() {
        let spec = spec(
            "accepted = { status = ['200'], when = [{ value = { json = '/messages/0/status' }, is = ['0'] }] }\n\
             reference = { json = '/messages/0/message-id' }\ncode = [{ json = '/messages/0/status' }]\n\
             codes = [{ codes = ['1'], class = 'throttled' }, { codes = ['7'], class = 'refused', cause = 'opted_out' }]",
        );
        let ok = spec.outcome(&answer(200, &[], r#"{"messages":[{"status":"0","message-id":"M1"}]}"#));
        assert_eq!(ok, Outcome::Accepted { provider_ref: Some("M1".to_owned()) });
        for (code, class) in
            [("1", FailureClass::Throttled), ("7", FailureClass::Refused), ("99", FailureClass::Uncertain)]
        {
            let body = format!(r#"{{"messages":[{{"status":"{code}"}}]}}"#);
            assert!(
                matches!(spec.outcome(&answer(200, &[], &body)), Outcome::Failed(f) if f.class == class && f.code == code),
                "{code}"
            );
        }
    }

    #[test]
    fn plain_text_headers_and_empty_bodies_are_read() {
        let kannel = spec("accepted = { status = ['202'], when = [{ value = { text = '^0: ' } }] }");
        assert_eq!(
            kannel.outcome(&answer(202, &[], "0: Accepted for delivery")),
            Outcome::Accepted { provider_ref: None }
        );
        let sendgrid = spec("accepted = { status = ['202'] }\nreference = { header = 'X-Message-Id' }");
        assert_eq!(
            sendgrid.outcome(&answer(202, &[("x-message-id", "abc")], "")),
            Outcome::Accepted { provider_ref: Some("abc".to_owned()) }
        );
    }

    #[test]
    fn waits_are_read_in_every_form() {
        let plain = spec("accepted = { status = ['200'] }");
        let reset = spec(
            "accepted = { status = ['200'] }\nretry_after = { value = { header = 'X-Reset' }, unit = 'unix' }",
        );
        for (spec, name, value, seconds) in [
            (&plain, "Retry-After", "30", Some(30)),
            (&plain, "Retry-After", "Sun, 06 Nov 1994 08:50:07 GMT", Some(30)),
            (&plain, "Retry-After", "Sun, 06 Nov 1994 08:00:00 GMT", Some(0)),
            (&plain, "Retry-After", "soon", None),
            (&reset, "X-Reset", "784111787", Some(10)),
        ] {
            match spec.outcome(&answer(429, &[(name, value)], "")) {
                Outcome::Failed(failure) => assert_eq!(failure.retry_after_seconds, seconds, "{value}"),
                Outcome::Accepted { .. } => panic!("accepted {value}"),
            }
        }
    }

    #[test]
    fn no_status_alone_is_success_unless_the_manifest_says_so() {
        let spec = spec("accepted = { status = ['201'] }");
        for status in (100..600).filter(|status| *status != 201) {
            assert!(matches!(spec.outcome(&answer(status, &[], "{}")), Outcome::Failed(_)), "{status}");
        }
        for status in [200, 302, 408, 500, 503] {
            let Outcome::Failed(failure) = spec.outcome(&answer(status, &[], "")) else { panic!("{status}") };
            assert_eq!(failure.class, FailureClass::Uncertain, "{status}");
        }
    }

    #[test]
    fn a_message_taken_in_part_is_not_sent_again() {
        let spec = spec(
            "accepted = { status = ['200'], when = [{ value = { json = '/messages/*/status' }, is = ['0'] }] }\n\
             reference = { json = '/messages/0/id' }\ncode = { json = '/messages/*/status' }\n\
             codes = [{ codes = ['1'], class = 'throttled' }, { codes = ['3*'], class = 'refused' }]",
        );
        let outcome = |body: &str| spec.outcome(&answer(200, &[], body));
        let both = outcome(r#"{"messages":[{"status":"0","id":"M1"},{"status":"0","id":"M2"}]}"#);
        assert_eq!(both, Outcome::Accepted { provider_ref: Some("M1".to_owned()) });
        for (body, class, code) in [
            (r#"{"messages":[{"status":"0"},{"status":"1"}]}"#, FailureClass::Uncertain, "partly_accepted"),
            (r#"{"messages":[{"status":"1"},{"status":"1"}]}"#, FailureClass::Throttled, "1"),
            (r#"{"messages":[{"status":"33"}]}"#, FailureClass::Refused, "33"),
            (r#"{"messages":[]}"#, FailureClass::Uncertain, "http_200"),
        ] {
            let Outcome::Failed(failure) = outcome(body) else { panic!("accepted {body}") };
            assert_eq!((failure.class, failure.code.as_str()), (class, code), "{body}");
        }
    }
}
