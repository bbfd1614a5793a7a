//! What the names in `[send]` mean for one message: its words, the operator's settings, and what is computed of them.

use crate::domain::id::AttemptId;
use crate::domain::message::{Content, Outgoing};
use crate::domain::time::Timestamp;
use crate::provider::crypto::{self, Hash};
use crate::provider::dialect::Dialect;
use crate::provider::gsm;
use crate::provider::json::Filling;
use crate::provider::placeholder::{Place, Template};
use crate::provider::primitive::Form;
use crate::provider::send::{Field, JsonTemplate, JwtAlgorithm, Test, ValueSpec};
use crate::provider::settings::Settings;
use base64::Engine;
use serde_json::Value;
use std::borrow::Cow;
use std::collections::BTreeMap;
use toml::Spanned;

/// What a template may say of a message, beside the settings.
pub const MESSAGE_WORDS: &[&str] = &[
    "to",
    "text",
    "subject",
    "html",
    "language",
    "attempt",
    "segments",
    "unicode",
    "status_callback_url",
    "unsubscribe_url",
    "answer_url",
    "call_state",
    "document",
    "now",
    "http_date",
    "unix",
    "unix_ms",
    "nonce",
];

/// What headers, `auth` and computed values may say of the rest of the request.
pub const REQUEST_WORDS: &[&str] =
    &["request_method", "request_url", "request_host", "request_path", "request_query", "request_body"];

/// How deep computed values may name each other; the check refuses circles.
const DEPTH: u8 = 8;

/// The part of a request that is there before its headers.
#[derive(Default)]
pub(in crate::provider) struct Written<'r> {
    pub method: &'r str,
    pub url: &'r str,
    pub body: &'r [u8],
}

/// Looks up what templates say.
pub(in crate::provider) struct Words<'w> {
    pub about: About<'w>,
    pub settings: &'w Settings,
    pub values: &'w BTreeMap<String, Spanned<ValueSpec>>,
    pub now: Timestamp,
    /// How the vendor writes what a call is to do.
    pub dialect: Option<&'w Dialect>,
    /// The request so far, once there is something of it.
    pub written: Option<Written<'w>>,
}

/// What a request is about.
#[derive(Clone, Copy)]
pub(in crate::provider) enum About<'w> {
    /// A message that is to be sent.
    Message(&'w Outgoing),
    /// An attempt that was made: what became of it?
    Attempt { attempt: AttemptId, reference: Option<&'w str> },
}

impl About<'_> {
    /// The attempt that it is, or was, sent by.
    pub(in crate::provider) fn attempt(&self) -> AttemptId {
        match self {
            Self::Message(message) => message.attempt,
            Self::Attempt { attempt, .. } => *attempt,
        }
    }
}

impl<'w> Words<'w> {
    fn get(&self, name: &str, depth: u8) -> Option<Cow<'w, str>> {
        let of_message = match self.about {
            About::Message(message) => self.of_message(message, name),
            About::Attempt { reference, .. } => reference.filter(|_| name == "reference").map(Cow::Borrowed),
        };
        if of_message.is_some() {
            return of_message;
        }
        match name {
            "attempt" => Some(self.about.attempt().to_string().into()),
            "now" => Some(self.now.to_string().into()),
            "http_date" => Some(self.now.to_http_date().into()),
            "unix" => Some((self.now.millis() / 1_000).to_string().into()),
            "unix_ms" => Some(self.now.millis().to_string().into()),
            "nonce" => Some(self.nonce().into()),
            other => match self.values.get(other) {
                Some(spec) if depth < DEPTH => Some(self.compute(spec.get_ref(), depth + 1).into()),
                Some(_) => None,
                None => self.of_request(other).or_else(|| self.settings.get(other).map(Cow::Borrowed)),
            },
        }
    }

    /// What a message itself says.
    fn of_message(&self, message: &'w Outgoing, name: &str) -> Option<Cow<'w, str>> {
        match name {
            "to" => Some(message.to.expose().into()),
            "text" | "subject" | "html" | "segments" => content_word(&message.content, name),
            "unicode" => {
                content_word(&message.content, "text").filter(|text| !gsm::fits(text)).map(|_| "true".into())
            }
            "language" => Some(message.language.as_str().into()),
            "status_callback_url" => message.status_callback_url.as_deref().map(Cow::Borrowed),
            "unsubscribe_url" => message.unsubscribe_url.as_deref().map(Cow::Borrowed),
            "answer_url" => message.call.as_ref().map(|call| call.answer.url.as_str().into()),
            "call_state" => message.call.as_ref().map(|call| call.answer.state.as_str().into()),
            "document" => {
                let written = self.dialect?.write(&message.call.as_ref()?.opening, self.settings);
                Some(written.body.into())
            }
            _ => None,
        }
    }

    /// Used once: no other attempt has it, and no other moment of this one. It is not secret, and needs not be.
    fn nonce(&self) -> String {
        let seed = format!("{} {}", self.about.attempt(), self.now.millis());
        hex::encode(&Hash::Sha256.digest(seed.as_bytes())[..16])
    }

    fn of_request(&self, name: &str) -> Option<Cow<'w, str>> {
        let written = self.written.as_ref()?;
        let url = written.url;
        let (_, rest) = url.split_once("://").unwrap_or(("", url));
        let (host, local) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
        let (path, query) = local.split_once('?').unwrap_or((local, ""));
        match name {
            "request_method" => Some(written.method.into()),
            "request_url" => Some(url.into()),
            "request_host" => Some(host.into()),
            "request_path" => Some(if path.is_empty() { "/" } else { path }.into()),
            "request_query" => Some(query.into()),
            "request_body" => Some(String::from_utf8_lossy(written.body)),
            _ => None,
        }
    }

    fn holds(&self, when: Option<&Test>, unless: Option<&Test>) -> bool {
        let test = |test: &Test| test.holds(self.get(&test.name, 0).as_deref());
        when.is_none_or(test) && !unless.is_some_and(test)
    }

    /// A part of `auth`, if its tests hold.
    pub(in crate::provider) fn chosen<'p, P>(
        &self,
        part: Option<&'p Spanned<P>>,
        tests: impl Fn(&P) -> (&Option<Test>, &Option<Test>),
    ) -> Option<&'p P> {
        let part = part?.get_ref();
        let (when, unless) = tests(part);
        self.holds(when.as_ref(), unless.as_ref()).then_some(part)
    }

    pub(in crate::provider) fn render(&self, template: &Template, place: Place) -> String {
        template.render(place, |name| self.get(name, 0))
    }

    pub(in crate::provider) fn render_unless_empty(
        &self,
        template: &Template,
        place: Place,
    ) -> Option<String> {
        template.render_unless_empty(place, |name| self.get(name, 0))
    }

    /// The fields that are to be sent, with their values.
    pub(in crate::provider) fn fields<'f>(
        &self,
        fields: &'f [Field],
    ) -> impl Iterator<Item = (&'f Field, String)> {
        fields.iter().filter(|field| self.holds(field.when.as_ref(), field.unless.as_ref())).filter_map(
            |field| {
                let value = match (&field.value, &field.json) {
                    (Some(value), _) => self.render_unless_empty(value.get_ref(), Place::Plain)?,
                    (None, Some(json)) => self.json(json.get_ref())?.to_string(),
                    (None, None) => return None,
                };
                Some((field, value))
            },
        )
    }

    /// The JSON value, or none where it comes out empty.
    pub(in crate::provider) fn json(&self, template: &JsonTemplate) -> Option<Value> {
        Filling { value: &|name| self.get(name, 0), whole: &|_| None }.fill(template)
    }

    fn compute(&self, spec: &ValueSpec, depth: u8) -> String {
        let render = |template: &Template| template.render(Place::Plain, |name| self.get(name, depth));
        match spec {
            ValueSpec::Text(template) => render(template),
            ValueSpec::First(templates) => templates
                .iter()
                .find_map(|template| template.render_unless_empty(Place::Plain, |name| self.get(name, depth)))
                .unwrap_or_default(),
            ValueSpec::Hmac { algorithm, key, key_form, message, form } => {
                let key = key_form.decode(&render(key)).filter(|key| !key.is_empty());
                let part = |name: &str| self.get(name, depth).unwrap_or_default().into_owned().into_bytes();
                let message = message.render_bytes(|name| Some(part(name))).unwrap_or_default();
                key.map(|key| form.encode(&algorithm.hmac(&key, &message))).unwrap_or_default()
            }
            ValueSpec::Jwt { algorithm, key, header, claims } => {
                let key = render(key);
                self.token(*algorithm, &key, header.as_ref(), claims).unwrap_or_default()
            }
        }
    }

    /// A signed token in its compact form (RFC 7515, section 7.1); none where there is no key, or it cannot be read.
    fn token(
        &self,
        algorithm: JwtAlgorithm,
        key: &str,
        header: Option<&JsonTemplate>,
        claims: &JsonTemplate,
    ) -> Option<String> {
        let mut head = serde_json::Map::new();
        let (name, hash) = match algorithm {
            JwtAlgorithm::HS256 => ("HS256", Some(Hash::Sha256)),
            JwtAlgorithm::HS384 => ("HS384", Some(Hash::Sha384)),
            JwtAlgorithm::HS512 => ("HS512", Some(Hash::Sha512)),
            JwtAlgorithm::RS256 => ("RS256", None),
        };
        head.insert("alg".to_owned(), name.into());
        head.insert("typ".to_owned(), "JWT".into());
        if let Some(Value::Object(more)) = header.and_then(|header| self.json(header)) {
            head.extend(more);
        }
        let encode = |bytes: &[u8]| base64::prelude::BASE64_URL_SAFE_NO_PAD.encode(bytes);
        let claims = self.json(claims).unwrap_or_else(|| Value::Object(serde_json::Map::new()));
        let signed = format!(
            "{}.{}",
            encode(Value::Object(head).to_string().as_bytes()),
            encode(claims.to_string().as_bytes())
        );
        let signature = match hash {
            Some(_) if key.is_empty() => return None,
            Some(hash) => hash.hmac(key.as_bytes(), signed.as_bytes()),
            None => crypto::rsa_sha256(key, signed.as_bytes())?,
        };
        Some(format!("{signed}.{}", encode(&signature)))
    }
}

impl Form {
    /// Bytes as this form writes them.
    pub(in crate::provider) fn encode(self, bytes: &[u8]) -> String {
        match self {
            Self::Text | Self::Pem => String::from_utf8_lossy(bytes).into_owned(),
            Self::Hex => hex::encode(bytes),
            Self::Base64 => base64::prelude::BASE64_STANDARD.encode(bytes),
            Self::Base64Url => base64::prelude::BASE64_URL_SAFE_NO_PAD.encode(bytes),
        }
    }
}

fn content_word<'c>(content: &'c Content, name: &str) -> Option<Cow<'c, str>> {
    match (content, name) {
        (Content::Sms { text, .. } | Content::Email { text, .. }, "text") => Some(text.into()),
        (Content::Voice { script, plan: _ }, "text") => Some(script.into()),
        (Content::Sms { segments, .. }, "segments") => Some(segments.to_string().into()),
        (Content::Email { subject, .. } | Content::Portal { subject, .. }, "subject") => Some(subject.into()),
        (Content::Email { html, .. }, "html") => html.as_deref().map(Cow::Borrowed),
        (Content::Portal { html, .. }, "html") => Some(html.into()),
        (Content::Sms { .. } | Content::Email { .. } | Content::Voice { .. } | Content::Portal { .. }, _) => {
            None
        }
    }
}
