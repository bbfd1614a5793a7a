//! Whether a callback is the vendor's: a closed set of primitives that manifests compose into any vendor's scheme.
//!
//! Comparisons take constant time; an empty key never verifies anything.

use crate::domain::time::{Span, Timestamp};
use crate::provider::callback::CallbackRequest;
use crate::provider::extract::{Condition, Document, Extract};
use crate::provider::placeholder::{Place, Template};
use crate::provider::settings::Settings;
use aws_lc_rs::{digest, hmac, signature as public_key};
use base64::Engine;
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use subtle::ConstantTimeEq;

/// The primitive.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Primitive {
    /// HMAC with SHA-1 (RFC 2104).
    HmacSha1,
    /// HMAC with SHA-256.
    HmacSha256,
    /// HMAC with SHA-512.
    HmacSha512,
    /// Ed25519 (RFC 8032); the key is the public one.
    Ed25519,
    /// ECDSA on P-256 with SHA-256, the signature in DER; the key is the public one.
    EcdsaP256,
    /// What was given is the key itself: a password, a token in the address.
    Secret,
}

/// How bytes are written as text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Form {
    /// As they are.
    #[default]
    Text,
    /// Base64, padded or not.
    Base64,
    /// Hexadecimal, either case.
    Hex,
}

/// A digest of the body that stands in the signed part.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BodyDigest {
    /// Where the SHA-256 of the raw body stands.
    sha256: Extract,
    #[serde(default = "hex_form")]
    form: Form,
}

fn hex_form() -> Form {
    Form::Hex
}

/// How old a callback may be.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fresh {
    /// Where the time stands, in seconds since 1970.
    unix: Extract,
    /// How far from now, in either direction.
    within: Span,
}

/// One way in which a vendor signs.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scheme {
    primitive: Primitive,
    /// Any one may have been used: the second is for rotation. Empty ones are passed over.
    pub(in crate::provider) keys: Vec<Template>,
    #[serde(default)]
    key_form: Form,
    /// Cut off before the key is decoded.
    #[serde(default)]
    key_prefix: String,
    /// What is signed: `{url}`, `{body}`, `{sorted_form}`, `{header:NAME}`, `{query:NAME}`, `{field:NAME}`,
    /// `{json:/pointer}` and plain text between them.
    message: Option<Template>,
    given: Extract,
    given_form: Form,
    /// Several signatures in one place stand apart by this.
    given_split: Option<String>,
    /// A signature begins with this; others are passed over.
    #[serde(default)]
    given_prefix: String,
    /// The scheme is tried only where all of these hold.
    #[serde(default)]
    when: Vec<Condition>,
    body_digest: Option<BodyDigest>,
    /// Also try the address with its default port written out, and without a port.
    #[serde(default)]
    port_variants: bool,
    fresh: Option<Fresh>,
}

/// Why a callback is not believed.
#[derive(Clone, Copy, Debug, thiserror::Error, PartialEq, Eq)]
pub enum Unbelievable {
    /// No scheme of the manifest applies: the signature is missing, or of a kind not expected.
    #[error("the callback carries no signature that the manifest knows")]
    Unsigned,
    /// The signature is not the vendor's, or something was altered.
    #[error("the callback's signature does not verify")]
    Forged,
    /// Properly signed, but too long ago or ahead of time.
    #[error("the callback's signature is too old or too new")]
    Stale,
}

/// What a scheme's message may name, beside `header:`, `query:`, `field:` and `json:`.
const PARTS: &[&str] = &["url", "body", "sorted_form"];

/// What is wrong with a scheme, in words.
pub(in crate::provider) fn faults(scheme: &Scheme) -> Vec<String> {
    let mut faults = Vec::new();
    if scheme.keys.is_empty() {
        faults.push("a signature needs at least one key".to_owned());
    }
    if scheme.keys.iter().any(|key| key.names().next().is_none()) {
        faults.push("a key must come from a setting: a key written in a manifest is no secret".to_owned());
    }
    match (&scheme.message, scheme.primitive) {
        (None, Primitive::Secret) => {}
        (Some(_), Primitive::Secret) => {
            faults.push("primitive `secret` signs nothing: leave out `message`".to_owned())
        }
        (None, _) => faults.push("`message` is missing: what is signed?".to_owned()),
        (Some(message), _) => {
            let prefixed =
                |name: &str| ["header:", "query:", "field:", "json:"].iter().any(|p| name.starts_with(p));
            for name in message.names().filter(|name| !PARTS.contains(name) && !prefixed(name)) {
                faults.push(format!(
                    "`{{{name}}}` cannot be signed over; there are {}, header:, query:, field:, json:",
                    PARTS.join(", ")
                ));
            }
        }
    }
    faults
}

/// Whether one of the alternatives holds.
///
/// # Errors
/// Why not: the most telling reason among the alternatives that apply.
pub(in crate::provider) fn verify<'s>(
    schemes: impl Iterator<Item = &'s Scheme>,
    request: &CallbackRequest,
    document: &Document<'_>,
    settings: &Settings,
    now: Timestamp,
) -> Result<(), Unbelievable> {
    let mut why = Unbelievable::Unsigned;
    for scheme in schemes.filter(|scheme| scheme.when.iter().all(|condition| condition.holds(document))) {
        match scheme.verify(request, document, settings, now) {
            Ok(()) => return Ok(()),
            Err(Unbelievable::Unsigned) => {}
            Err(Unbelievable::Stale) => why = Unbelievable::Stale,
            Err(Unbelievable::Forged) if why == Unbelievable::Unsigned => why = Unbelievable::Forged,
            Err(Unbelievable::Forged) => {}
        }
    }
    Err(why)
}

impl Scheme {
    fn verify(
        &self,
        request: &CallbackRequest,
        document: &Document<'_>,
        settings: &Settings,
        now: Timestamp,
    ) -> Result<(), Unbelievable> {
        let given = self.given(document);
        if given.is_empty() {
            return Err(Unbelievable::Unsigned);
        }
        if let Some(expected) = &self.body_digest {
            let claimed = expected.sha256.read(document).and_then(|text| decode(expected.form, &text));
            let actual = digest::digest(&digest::SHA256, &request.body);
            if !claimed.is_some_and(|claimed| equal(&claimed, actual.as_ref())) {
                return Err(Unbelievable::Forged);
            }
        }
        let messages = self.messages(request, document);
        let keys = self.keys(settings);
        let holds = keys.iter().any(|key| {
            given.iter().any(|given| match self.primitive {
                Primitive::Secret => equal(key, given),
                primitive => messages.iter().any(|message| holds(primitive, key, message, given)),
            })
        });
        match (holds, &self.fresh) {
            (false, _) => Err(Unbelievable::Forged),
            (true, Some(fresh)) if !fresh.holds(document, now) => Err(Unbelievable::Stale),
            (true, _) => Ok(()),
        }
    }

    fn given(&self, document: &Document<'_>) -> Vec<Vec<u8>> {
        let Some(text) = self.given.read(document) else { return Vec::new() };
        let parts: Vec<&str> = match &self.given_split {
            Some(by) => text.split(by.as_str()).collect(),
            None => vec![text.as_str()],
        };
        parts
            .into_iter()
            .take(16)
            .filter_map(|part| part.strip_prefix(self.given_prefix.as_str()))
            .filter_map(|part| decode(self.given_form, part))
            .collect()
    }

    fn keys(&self, settings: &Settings) -> Vec<Vec<u8>> {
        self.keys
            .iter()
            .filter(|key| key.names().all(|name| settings.get(name).is_some()))
            .filter_map(|key| {
                let text = key.render(Place::Plain, |name| settings.get(name).map(Into::into));
                decode(self.key_form, text.strip_prefix(self.key_prefix.as_str()).unwrap_or(&text))
            })
            .filter(|key| !key.is_empty())
            .collect()
    }

    fn messages(&self, request: &CallbackRequest, document: &Document<'_>) -> Vec<Vec<u8>> {
        let Some(template) = &self.message else { return Vec::new() };
        let urls = if self.port_variants { port_variants(&request.url) } else { vec![request.url.clone()] };
        urls.iter()
            .filter_map(|url| {
                template.render_bytes(|name| match name {
                    "url" => Some(url.clone().into_bytes()),
                    "body" => Some(request.body.clone()),
                    "sorted_form" => Some(sorted_form(document.fields).into_bytes()),
                    other => named(other, document).map(String::into_bytes),
                })
            })
            .collect()
    }
}

fn named(name: &str, document: &Document<'_>) -> Option<String> {
    let (place, name) = name.split_once(':')?;
    let find = |pairs: &[(String, String)]| {
        pairs.iter().find(|(key, _)| key == name).map(|(_, value)| value.clone())
    };
    match place {
        "header" => document.header(name).map(str::to_owned),
        "query" => find(document.query),
        "field" => find(document.fields),
        "json" => document.json?.pointer(name)?.as_str().map(str::to_owned),
        _ => None,
    }
}

impl Fresh {
    fn holds(&self, document: &Document<'_>, now: Timestamp) -> bool {
        let seconds = self.unix.read(document).and_then(|text| text.trim().parse::<i64>().ok());
        seconds.is_some_and(|seconds| {
            let age = now.since(Timestamp::from_millis(seconds.saturating_mul(1_000))).as_millis();
            age.unsigned_abs() <= self.within.as_millis().unsigned_abs()
        })
    }
}

/// Names in order, each with its values sorted and without repeats, nothing between them.
fn sorted_form(fields: &[(String, String)]) -> String {
    let mut sorted: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for (name, value) in fields {
        sorted.entry(name).or_default().insert(value);
    }
    let mut out = String::new();
    for (name, values) in sorted {
        for value in values {
            out.push_str(name);
            out.push_str(value);
        }
    }
    out
}

/// The address as it is, without a port, and with the scheme's default port written out.
fn port_variants(url: &str) -> Vec<String> {
    let mut variants = vec![url.to_owned()];
    if let Some((scheme, rest)) = url.split_once("://") {
        let (authority, tail) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
        let port =
            authority.rfind(':').filter(|at| authority[at + 1..].bytes().all(|byte| byte.is_ascii_digit()));
        match port {
            Some(at) => variants.push(format!("{scheme}://{}{tail}", &authority[..at])),
            None => {
                let default = if scheme == "http" { 80 } else { 443 };
                variants.push(format!("{scheme}://{authority}:{default}{tail}"));
            }
        }
    }
    variants
}

fn equal(left: &[u8], right: &[u8]) -> bool {
    left.ct_eq(right).into()
}

fn holds(primitive: Primitive, key: &[u8], message: &[u8], given: &[u8]) -> bool {
    let keyed = |algorithm| hmac::verify(&hmac::Key::new(algorithm, key), message, given).is_ok();
    match primitive {
        Primitive::HmacSha1 => keyed(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY),
        Primitive::HmacSha256 => keyed(hmac::HMAC_SHA256),
        Primitive::HmacSha512 => keyed(hmac::HMAC_SHA512),
        Primitive::Ed25519 => {
            public_key::UnparsedPublicKey::new(&public_key::ED25519, key).verify(message, given).is_ok()
        }
        Primitive::EcdsaP256 => public_key::UnparsedPublicKey::new(&public_key::ECDSA_P256_SHA256_ASN1, key)
            .verify(message, given)
            .is_ok(),
        Primitive::Secret => equal(key, given),
    }
}

fn decode(form: Form, text: &str) -> Option<Vec<u8>> {
    match form {
        Form::Text => Some(text.as_bytes().to_vec()),
        Form::Hex => hex::decode(text).ok(),
        Form::Base64 => base64::prelude::BASE64_STANDARD_NO_PAD.decode(text.trim_end_matches('=')).ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_come_and_go() {
        assert_eq!(
            port_variants("https://gw.example.com:8443/a?b=c:d"),
            ["https://gw.example.com:8443/a?b=c:d", "https://gw.example.com/a?b=c:d"]
        );
        assert_eq!(port_variants("https://gw.example.com/a")[1], "https://gw.example.com:443/a");
        assert_eq!(port_variants("http://gw.example.com")[1], "http://gw.example.com:80");
    }

    #[test]
    fn repeated_values_are_signed_once_and_sorted() {
        let fields = crate::provider::extract::form_pairs("b=2&a=z&a=y&a=z&c=");
        assert_eq!(sorted_form(&fields), "ayazb2c");
    }
}
