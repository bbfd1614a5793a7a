//! Whether a callback is the vendor's: a closed set of primitives that manifests compose into any vendor's scheme.
//!
//! Comparisons take constant time; an empty key never verifies anything.

mod faults;

pub(in crate::provider) use faults::faults;

use crate::domain::time::{Span, Timestamp};
use crate::provider::callback::{CallbackRequest, Grounds};
use crate::provider::crypto::{self, Hash, equal};
use crate::provider::extract::{Condition, Document, Extract, Pattern, scalar};
use crate::provider::pairs::{Pairs, PairsOf};
use crate::provider::placeholder::{Place, SignedText, Template};
use crate::provider::primitive::{Form, Kind, Primitive};
use crate::provider::reading;
use crate::provider::redact;
use crate::provider::settings::Settings;
use crate::provider::token::{self, BadToken};
use serde::Deserialize;
use std::collections::BTreeMap;

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
    /// Where the time stands: seconds or milliseconds since 1970, or RFC 3339.
    #[serde(alias = "unix")]
    time: Option<Extract>,
    /// Or the token's claim that holds it.
    claim: Option<String>,
    /// How far from now, in either direction.
    within: Span,
}

/// Where the certificate comes from whose key signed.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CertificateSpec {
    /// Where its address stands in the callback.
    url: Extract,
    /// The hosts from which one is believed, as patterns on the whole name.
    hosts: Vec<Pattern>,
}

/// One way in which a vendor signs.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scheme {
    primitive: Primitive,
    /// Any one may have been used: the second is for rotation. Empty ones are passed over.
    #[serde(default)]
    pub(in crate::provider) keys: Vec<Template>,
    #[serde(default)]
    key_form: Form,
    /// Cut off before the key is decoded.
    #[serde(default)]
    key_prefix: String,
    /// In place of `keys`: the certificate that the callback names.
    certificate: Option<CertificateSpec>,
    /// What is signed.
    message: Option<SignedText>,
    /// Values that the message may name, read from the callback.
    #[serde(default)]
    parts: BTreeMap<String, Extract>,
    /// What `{pairs}` in the message is.
    pairs: Option<Pairs>,
    given: Extract,
    #[serde(default)]
    given_form: Form,
    /// Several signatures in one place stand apart by this.
    given_split: Option<String>,
    /// A signature begins with this; others are passed over.
    #[serde(default)]
    given_prefix: String,
    /// The scheme is tried only where all of these hold.
    #[serde(default)]
    when: Vec<Condition>,
    /// What a token must claim: names, and templates as in `message`.
    #[serde(default)]
    claims: BTreeMap<String, Template>,
    body_digest: Option<BodyDigest>,
    /// Also try the address with its default port written out, and without a port.
    #[serde(default)]
    port_variants: bool,
    fresh: Option<Fresh>,
    /// What is signed must also be meant for us: a shared vendor signs for every customer alike.
    #[serde(default)]
    require: Vec<Requirement>,
    /// What is signed counts once, while it is fresh: where a signature does not cover the body.
    #[serde(default)]
    once: bool,
}

/// A value of the callback that must be one of our settings.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Requirement {
    value: Extract,
    equals: Template,
}

/// What counts once.
#[derive(Clone, PartialEq, Eq)]
pub struct OneTime {
    /// SHA-256 of what was signed, byte for byte. A value read from the callback would not do: where two stand side by side
    /// in what is signed, whoever moves the boundary between them has other values under the same signature. Nor would the
    /// signature: on an elliptic curve each has a twin that holds as well.
    pub signed: Vec<u8>,
    /// Until when it would be believed again.
    pub until: Timestamp,
}

impl std::fmt::Debug for OneTime {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "OneTime(until {})", self.until)
    }
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
    /// Properly signed, but for another customer of the vendor's.
    #[error(
        "the callback is signed, but not meant for us: what `require` asks for is not there, or its setting is not given"
    )]
    Foreign,
    /// Properly signed, but too long ago or ahead of time.
    #[error("the callback's signature is too old or too new")]
    Stale,
}

/// What a scheme's message may name, beside its own parts, `header:`, `query:`, `field:` and `json:`.
const PARTS: &[&str] = &[
    "url",
    "url_without_query",
    "host",
    "path",
    "query_string",
    "method",
    "body",
    "sorted_form",
    "sorted_query",
    "pairs",
    "key",
];
const PREFIXES: &[&str] = &["header:", "query:", "field:", "json:"];

/// Whether one of the alternatives holds.
///
/// # Errors
/// Why not: the most telling reason among the alternatives that apply.
pub(in crate::provider) fn verify<'s>(
    schemes: impl Iterator<Item = &'s Scheme>,
    request: &CallbackRequest,
    document: &Document<'_>,
    grounds: &Grounds<'_>,
) -> Result<Option<OneTime>, Unbelievable> {
    let mut why = Unbelievable::Unsigned;
    for scheme in schemes.filter(|scheme| scheme.applies(document)) {
        let judged = scheme.verify(request, document, grounds);
        match judged.and_then(|signed| scheme.meant(&signed, document, grounds)) {
            Ok(once) => return Ok(once),
            Err(Unbelievable::Unsigned) => {}
            Err(worse @ (Unbelievable::Stale | Unbelievable::Foreign)) => why = worse,
            Err(Unbelievable::Forged) if why == Unbelievable::Unsigned => why = Unbelievable::Forged,
            Err(Unbelievable::Forged) => {}
        }
    }
    Err(why)
}

impl Scheme {
    /// Whether what is signed counts once.
    pub(in crate::provider) fn is_once(&self) -> bool {
        self.once
    }

    fn knows(&self, name: &str) -> bool {
        PARTS.contains(&name)
            || self.parts.contains_key(name)
            || PREFIXES.iter().any(|prefix| name.starts_with(prefix))
    }

    /// Whether it is tried for this callback.
    pub(in crate::provider) fn applies(&self, document: &Document<'_>) -> bool {
        self.when.iter().all(|condition| condition.holds(document))
    }

    /// Whether it reads a user and a password of HTTP (RFC 7617).
    pub(in crate::provider) fn wants_password(&self) -> bool {
        let credentials = "cw==";
        let headers = [("authorization".to_owned(), format!("Basic {credentials}"))];
        let document = Document { headers: &headers, ..Document::default() };
        self.given.read(&document).as_deref() == Some(credentials)
    }

    /// Whether a certificate may be needed for it.
    pub(in crate::provider) fn wants_certificate(&self) -> bool {
        self.certificate.is_some()
    }

    /// The address of the certificate that the callback names, if this scheme wants one and believes its host.
    pub(in crate::provider) fn certificate(&self, document: &Document<'_>) -> Option<String> {
        let wanted = self.certificate.as_ref()?;
        let address = wanted.url.read(document)?;
        reading::allowed(&address, &wanted.hosts).then_some(address)
    }

    /// What was signed, if one of the signatures holds.
    fn verify(
        &self,
        request: &CallbackRequest,
        document: &Document<'_>,
        grounds: &Grounds<'_>,
    ) -> Result<Vec<u8>, Unbelievable> {
        let given = self.given(document);
        if given.is_empty() {
            return Err(Unbelievable::Unsigned);
        }
        if let Some(expected) = &self.body_digest {
            let claimed = expected.sha256.read(document).and_then(|text| expected.form.decode(&text));
            let actual = Hash::Sha256.digest(&request.body);
            if !claimed.is_some_and(|claimed| equal(&claimed, &actual)) {
                return Err(Unbelievable::Forged);
            }
        }
        let keys = match &self.certificate {
            Some(_) => self.certified(document, grounds),
            None => self.keys(grounds),
        };
        let mut why = Unbelievable::Forged;
        for (key, given) in keys.iter().flat_map(|key| given.iter().map(move |given| (key, given))) {
            match self.holds(key, given, request, document, grounds) {
                Ok(signed) => return Ok(signed),
                Err(Unbelievable::Stale) => why = Unbelievable::Stale,
                Err(Unbelievable::Forged | Unbelievable::Unsigned | Unbelievable::Foreign) => {}
            }
        }
        Err(why)
    }

    /// Whether what is signed is meant for us; and whether it counts once.
    fn meant(
        &self,
        signed: &[u8],
        document: &Document<'_>,
        grounds: &Grounds<'_>,
    ) -> Result<Option<OneTime>, Unbelievable> {
        let settings = grounds.settings;
        for required in &self.require {
            let given = required.equals.names().all(|name| settings.get(name).is_some());
            let wanted = required.equals.render(Place::Plain, |name| settings.get(name).map(Into::into));
            let found = required.value.read(document);
            let fits = found.is_some_and(|found| equal(found.as_bytes(), wanted.as_bytes()));
            if !given || wanted.is_empty() || !fits {
                return Err(Unbelievable::Foreign);
            }
        }
        let Some(fresh) = self.fresh.as_ref().filter(|_| self.once) else { return Ok(None) };
        // Signed at most so far ahead of now, and believed for as long after that.
        let until = grounds.now.plus(fresh.within).plus(fresh.within);
        Ok(Some(OneTime { signed: Hash::Sha256.digest(signed), until }))
    }

    /// What was signed, if one signature holds under one key.
    fn holds(
        &self,
        key: &[u8],
        given: &[u8],
        request: &CallbackRequest,
        document: &Document<'_>,
        grounds: &Grounds<'_>,
    ) -> Result<Vec<u8>, Unbelievable> {
        let mut messages = self.messages(request, document, grounds.settings, key).into_iter();
        let mut claims = None;
        let signed = match self.primitive.kind() {
            Kind::Hmac(hash) => messages.find(|message| equal(&hash.hmac(key, message), given)),
            Kind::Digest(hash) => messages.find(|message| equal(&hash.digest(message), given)),
            Kind::Public(algorithm) => messages.find(|message| algorithm.holds(key, message, given)),
            Kind::Secret => equal(key, given).then(Vec::new),
            Kind::Token(signing) => {
                let token = String::from_utf8_lossy(given);
                let found = token::claims(&token, signing, key, grounds.now).map_err(|bad| match bad {
                    BadToken::Forged => Unbelievable::Forged,
                    BadToken::Stale => Unbelievable::Stale,
                })?;
                let fits = self.claims.iter().all(|(name, expected)| {
                    let expected = expected.render_bytes(|part| {
                        self.part(part, &request.url, request, document, grounds.settings, key)
                    });
                    let claimed = found.get(name).and_then(scalar);
                    claimed
                        .zip(expected)
                        .is_some_and(|(claimed, expected)| equal(claimed.as_bytes(), &expected))
                });
                claims = Some(found);
                let signed = token.trim().rsplit_once('.').map_or("", |(signed, _)| signed);
                fits.then(|| signed.as_bytes().to_vec())
            }
        };
        let signed = signed.ok_or(Unbelievable::Forged)?;
        let Some(fresh) = &self.fresh else { return Ok(signed) };
        let at = match (&fresh.time, &fresh.claim) {
            (Some(time), _) => time.read(document),
            (None, Some(claim)) => claims.as_ref().and_then(|claims| claims.get(claim)).and_then(scalar),
            (None, None) => None,
        };
        let at = at.and_then(|text| reading::instant(&text));
        if at.is_some_and(|at| fresh.allows(at, grounds.now)) { Ok(signed) } else { Err(Unbelievable::Stale) }
    }

    fn given(&self, document: &Document<'_>) -> Vec<Vec<u8>> {
        let Some(text) = self.given.read(document).filter(|text| !text.is_empty()) else { return Vec::new() };
        let parts: Vec<&str> = match &self.given_split {
            Some(by) => text.split(by.as_str()).map(str::trim).collect(),
            None => vec![text.as_str()],
        };
        let form = match self.primitive.kind() {
            Kind::Token(_) => Form::Text,
            Kind::Hmac(_) | Kind::Digest(_) | Kind::Public(_) | Kind::Secret => self.given_form,
        };
        parts
            .into_iter()
            .take(16)
            .filter_map(|part| part.strip_prefix(self.given_prefix.as_str()))
            .filter_map(|part| form.decode(part))
            .collect()
    }

    fn keys(&self, grounds: &Grounds<'_>) -> Vec<Vec<u8>> {
        let settings = grounds.settings;
        self.keys
            .iter()
            .filter(|key| key.names().all(|name| settings.get(name).is_some()))
            .filter_map(|key| {
                let text = key.render(Place::Plain, |name| settings.get(name).map(Into::into));
                self.key_form.decode(text.strip_prefix(self.key_prefix.as_str()).unwrap_or(&text))
            })
            .filter(|key| !key.is_empty())
            .collect()
    }

    /// The key in the certificate that was fetched, if it was fetched from where the callback says.
    fn certified(&self, document: &Document<'_>, grounds: &Grounds<'_>) -> Vec<Vec<u8>> {
        let fetched = grounds
            .certificate
            .filter(|(address, _)| self.certificate(document).as_deref() == Some(*address));
        fetched.and_then(|(_, pem)| crypto::public_key_of(pem)).into_iter().collect()
    }

    fn messages(
        &self,
        request: &CallbackRequest,
        document: &Document<'_>,
        settings: &Settings,
        key: &[u8],
    ) -> Vec<Vec<u8>> {
        let Some(template) = &self.message else { return Vec::new() };
        let urls = if self.port_variants { port_variants(&request.url) } else { vec![request.url.clone()] };
        urls.iter()
            .filter_map(|url| {
                template.render_bytes(|name| self.part(name, url, request, document, settings, key))
            })
            .collect()
    }

    /// What is signed over, for somebody who looks for the difference: with the key left out.
    pub(in crate::provider) fn signed_text(
        &self,
        request: &CallbackRequest,
        document: &Document<'_>,
        settings: &Settings,
    ) -> Option<String> {
        let signed = self.messages(request, document, settings, b"[key]").into_iter().next()?;
        Some(redact::without_secrets(&String::from_utf8_lossy(&signed), settings))
    }

    /// Whether there is a signature at all where this scheme looks for one.
    pub(in crate::provider) fn finds_signature(&self, document: &Document<'_>) -> bool {
        !self.given(document).is_empty()
    }

    fn part(
        &self,
        name: &str,
        url: &str,
        request: &CallbackRequest,
        document: &Document<'_>,
        settings: &Settings,
        key: &[u8],
    ) -> Option<Vec<u8>> {
        if let Some(part) = self.parts.get(name) {
            return part.read(document).map(String::into_bytes);
        }
        match name {
            "body" => Some(request.body.clone()),
            "key" => Some(key.to_vec()),
            "pairs" => Some(self.pairs.as_ref()?.join(document).into_bytes()),
            "sorted_form" => Some(Pairs::plain(PairsOf::Form).join(document).into_bytes()),
            "sorted_query" => Some(Pairs::plain(PairsOf::Query).join(document).into_bytes()),
            other => {
                let named = reading::named(other, &request.method, url, document);
                named.or_else(|| settings.get(other).map(str::to_owned)).map(String::into_bytes)
            }
        }
    }
}

impl Fresh {
    fn allows(&self, at: Timestamp, now: Timestamp) -> bool {
        now.since(at).as_millis().unsigned_abs() <= self.within.as_millis().unsigned_abs()
    }
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
}
