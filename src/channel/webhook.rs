//! Telling a receiver over HTTP, by [Standard Webhooks](https://www.standardwebhooks.com/): `webhook-id`,
//! `webhook-timestamp`, and in `webhook-signature` one signature for each secret.
//!
//! The receiver's address is somebody else's word: it is called on the open internet only, unless the configuration allows
//! our own network, and what a name resolves to is judged at the moment of connecting. No redirect is followed, no answer is
//! waited for without end or read without bound.

use crate::channel::{ChannelError, egress};
use crate::domain::time::{Span, Timestamp};
use aws_lc_rs::hmac;
use base64::Engine;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig, STANDARD};
use bytes::Bytes;
use secrecy::{ExposeSecret, SecretString};
use std::fmt;
use std::time::Duration;

/// What is read of an answer, so that its connection can be used again; the rest is left.
const ANSWER: usize = 16 * 1024;
/// How long a connection may take to come about.
const CONNECT: Duration = Duration::from_secs(5);
/// Idle connections are dropped before a receiver's usual keep-alive ends.
const IDLE: Duration = Duration::from_secs(15);
/// The longest that a receiver's `Retry-After` is heeded.
const LONGEST_REST: Span = Span::hours(1);

/// A secret is base64, with or without its padding.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &base64::alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// A secret that no signature can be made with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("is not a Standard Webhooks secret: write `whsec_` and then the base64 of 24 to 64 random bytes")]
pub struct InvalidSecret;

/// What a notice is signed with. `Debug` shows nothing of it.
#[derive(Clone)]
pub struct SigningKey(hmac::Key);

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SigningKey")
    }
}

impl SigningKey {
    /// Reads `whsec_` and base64; the prefix may be absent.
    ///
    /// # Errors
    /// It is not base64, or shorter than 16 or longer than 256 bytes.
    pub fn read(secret: &SecretString) -> Result<Self, InvalidSecret> {
        let text = secret.expose_secret().trim();
        let encoded = text.strip_prefix("whsec_").unwrap_or(text);
        let bytes = zeroize::Zeroizing::new(BASE64.decode(encoded).map_err(|_| InvalidSecret)?);
        if !(16..=256).contains(&bytes.len()) {
            return Err(InvalidSecret);
        }
        Ok(Self(hmac::Key::new(hmac::HMAC_SHA256, &bytes)))
    }
}

/// The value of `webhook-signature`: a `v1` signature for each key, the first key's first.
pub fn signatures(keys: &[SigningKey], id: &str, seconds: i64, body: &[u8]) -> String {
    let one = |key: &SigningKey| {
        let mut context = hmac::Context::with_key(&key.0);
        context.update(id.as_bytes());
        context.update(b".");
        context.update(seconds.to_string().as_bytes());
        context.update(b".");
        context.update(body);
        format!("v1,{}", STANDARD.encode(context.sign()))
    };
    keys.iter().map(one).collect::<Vec<_>>().join(" ")
}

/// What a receiver is told with.
#[derive(Clone, Debug)]
pub struct Receiver {
    /// Where it is.
    pub url: url::Url,
    /// One key, or two while they are exchanged.
    pub keys: Vec<SigningKey>,
    /// Whether it may be in our own network.
    pub allow_private: bool,
    /// How long an answer may take, connecting included.
    pub timeout: Span,
}

/// How a receiver took a notice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// With a status of 200 to 299.
    Taken,
    /// It did not.
    Not {
        /// Why, in a word of ours: `http_500`, `timeout`, `connect`, `private_address`.
        why: String,
        /// How long it asks to be left alone (`Retry-After`, RFC 9110, section 10.2.3), an hour at most.
        rest: Option<Span>,
    },
}

impl Answer {
    fn not(why: impl Into<String>) -> Self {
        Self::Not { why: why.into(), rest: None }
    }
}

/// Tells one receiver.
#[derive(Debug)]
pub struct Teller {
    client: reqwest::Client,
    receiver: Receiver,
}

impl Teller {
    /// One with connections of its own.
    ///
    /// # Errors
    /// What kept the client library from starting.
    pub fn new(receiver: Receiver) -> Result<Self, ChannelError> {
        let builder = if receiver.allow_private { egress::anywhere() } else { egress::public_only() };
        let client = builder
            .timeout(receiver.timeout.to_std())
            .connect_timeout(CONNECT)
            .pool_idle_timeout(IDLE)
            .tcp_nodelay(true)
            .user_agent(concat!("dunwell/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|error| ChannelError::Start(error.to_string()))?;
        Ok(Self { client, receiver })
    }

    /// Tells a notice; the same `id` with the same body is the same notice, however often it is told.
    pub async fn tell(&self, id: &str, body: Bytes, now: Timestamp) -> Answer {
        // An address that is written as a number is resolved by nobody, and so judged here.
        if !self.receiver.allow_private && egress::check(&self.receiver.url).is_err() {
            return Answer::not(if self.receiver.url.scheme() == "https" {
                "private_address"
            } else {
                "not_https"
            });
        }
        let seconds = now.millis().div_euclid(1000);
        let request = self
            .client
            .post(self.receiver.url.clone())
            .header("content-type", "application/json")
            .header("webhook-id", id)
            .header("webhook-timestamp", seconds)
            .header("webhook-signature", signatures(&self.receiver.keys, id, seconds, &body))
            .body(body);
        match request.send().await {
            Ok(answer) => took(answer, now).await,
            Err(error) => Answer::not(word(&error)),
        }
    }
}

async fn took(mut answer: reqwest::Response, now: Timestamp) -> Answer {
    let status = answer.status();
    let rest = rest(&answer, now);
    let mut read = 0;
    // What it says interests nobody: the status is the answer.
    while read < ANSWER
        && let Ok(Some(chunk)) = answer.chunk().await
    {
        read += chunk.len();
    }
    if status.is_success() {
        Answer::Taken
    } else {
        Answer::Not { why: format!("http_{}", status.as_u16()), rest }
    }
}

/// `Retry-After` in seconds or as a date.
fn rest(answer: &reqwest::Response, now: Timestamp) -> Option<Span> {
    let text = answer.headers().get("retry-after")?.to_str().ok()?;
    let rest = match text.parse::<u32>() {
        Ok(seconds) => Span::seconds(i64::from(seconds)),
        Err(_) => Timestamp::parse_http_date(text)?.since(now),
    };
    (rest > Span::seconds(0)).then(|| rest.min(LONGEST_REST))
}

/// Why no answer came.
fn word(error: &reqwest::Error) -> &'static str {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = std::error::Error::source(error);
    while let Some(one) = cause {
        if one.is::<egress::NotPublic>() {
            return "private_address";
        }
        cause = one.source();
    }
    if error.is_timeout() {
        "timeout"
    } else if error.is_connect() {
        "connect"
    } else {
        "connection_lost"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(text: &str) -> SigningKey {
        SigningKey::read(&text.into()).expect(text)
    }

    /// Vectors made with the `standardwebhooks` package of PyPI.
    #[test]
    fn signatures_are_those_of_the_standard() {
        let (id, body) = (
            "msg_p5jXN8AQM9LWM0D4loKWxJek",
            br#"{"type":"dispatch.delivered","data":{"id":"d-1","channel":"sms"}}"#,
        );
        let ours = key("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
        let expected = "v1,k3dRHbStTiv3jDH8ed91ntFEWjQO1MrkR+P2hYqwsvg=";
        assert_eq!(signatures(std::slice::from_ref(&ours), id, 1_790_000_000, body), expected);
        let other = key("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSx");
        let both = signatures(&[other, ours], id, 1_790_000_000, body);
        assert!(both.starts_with("v1,") && both.ends_with(&format!(" {expected}")), "{both}");
    }

    #[test]
    fn what_is_no_secret_is_refused() {
        for bad in ["", "whsec_", "S3CRET", "whsec_not base64", "whsec_c2hvcnQ="] {
            assert_eq!(SigningKey::read(&bad.into()).err(), Some(InvalidSecret), "{bad}");
        }
        assert_eq!(format!("{:?}", key("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")), "SigningKey");
    }
}
