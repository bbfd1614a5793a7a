//! From a message and an operator's settings to the request that a vendor expects. Pure.

use crate::domain::message::Outgoing;
use crate::domain::time::Timestamp;
use crate::provider::manifest::Manifest;
use crate::provider::placeholder::{Place, push_percent_encoded};
use crate::provider::redact::{HIDDEN, Length, without_secrets};
use crate::provider::send::{Auth, Body, Field, Method, SendSpec};
use crate::provider::settings::Settings;
use crate::provider::sigv4;
use crate::provider::words::{About, Words, Written};
use base64::Engine;
use serde_json::Value;
use std::fmt;

/// A request ready to be sent. `Debug` shows neither address, headers nor body.
#[derive(Clone, PartialEq, Eq)]
pub struct HttpRequest {
    /// The method.
    pub method: Method,
    /// The whole address.
    pub url: String,
    /// Headers in the order they are written.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

impl fmt::Debug for HttpRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = self.headers.iter().map(|(name, _)| name.as_str()).collect();
        f.debug_struct("HttpRequest")
            .field("method", &self.method)
            .field("headers", &names)
            .field("body", &Length(self.body.len()))
            .finish_non_exhaustive()
    }
}

impl HttpRequest {
    /// The request for a person to read, with every secret and the credentials blotted out.
    pub fn shown(&self, settings: &Settings) -> String {
        let mut text = format!("{} {}\n", self.method.as_str(), self.url);
        for (name, value) in &self.headers {
            // The scheme word says how, and is no secret.
            let scheme = value.split_once(' ').map_or("", |(scheme, _)| scheme);
            let value = match name.to_ascii_lowercase().as_str() {
                "authorization" => format!("{scheme} {HIDDEN}"),
                "x-amz-security-token" => HIDDEN.to_owned(),
                _ => value.clone(),
            };
            text.push_str(&format!("{name}: {}\n", value.trim_start()));
        }
        text.push('\n');
        text.push_str(&String::from_utf8_lossy(&self.body));
        without_secrets(&text, settings)
    }

    /// A header's value, by name in any case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }
}

impl Manifest {
    /// The request that asks this vendor to send a message; none where the vendor is not asked over HTTP.
    pub fn request(&self, message: &Outgoing, settings: &Settings, now: Timestamp) -> Option<HttpRequest> {
        let send = self.send.as_ref()?;
        Some(self.written_request(send, About::Message(message), settings, now))
    }

    /// A request as `[send]` or `[poll]` describes it.
    pub(in crate::provider) fn written_request(
        &self,
        send: &SendSpec,
        about: About<'_>,
        settings: &Settings,
        now: Timestamp,
    ) -> HttpRequest {
        let mut words = Words {
            about,
            settings,
            values: &send.values,
            now,
            dialect: self.dialect.as_ref(),
            written: None,
        };
        let (content_type, body) = body(&send.body, &words);
        let url = address(send, &words, self.origin.as_deref());
        words.written = Some(Written { method: send.method.as_str(), url: &url, body: &body });
        let mut headers = Vec::with_capacity(send.headers.len() + 2);
        authorize(&send.auth, &words, &mut headers);
        for (name, value) in &send.headers {
            if let Some(value) = words.render_unless_empty(value.get_ref(), Place::Header) {
                headers.push((name.clone(), value));
            }
        }
        if let Some(content_type) = content_type
            && !headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("content-type"))
        {
            headers.push(("Content-Type".to_owned(), content_type));
        }
        let aws = words.chosen(send.auth.aws_sigv4.as_ref(), |aws| (&aws.when, &aws.unless));
        let signed = aws.map(|aws| {
            let part = |template| words.render(template, Place::Header);
            let keys = sigv4::Keys {
                access_key: part(&aws.access_key),
                secret_key: part(&aws.secret_key),
                session_token: aws.session_token.as_ref().map(part).filter(|token| !token.is_empty()),
                region: part(&aws.region),
                service: aws.service.clone(),
            };
            sigv4::headers(&keys, send.method.as_str(), &url, &headers, &body, now)
        });
        headers.extend(signed.into_iter().flatten());
        HttpRequest { method: send.method, url, headers, body }
    }

    /// The same vendor at another place: scheme, host and port of every address it is asked at are these, so that a stand-in
    /// can answer. The path stays.
    pub fn aimed_at(&self, origin: &url::Url) -> Self {
        // An address of no scheme that the web knows, `smpp://host:port`, has no origin but its host.
        let origin = match (origin.origin(), origin.host_str()) {
            (url::Origin::Opaque(_), Some(host)) => format!("{host}:{}", origin.port().unwrap_or(2775)),
            (origin, _) => origin.ascii_serialization(),
        };
        Self { origin: Some(origin), ..self.clone() }
    }

    /// Whether sending the same attempt twice reaches the debtor once, by the vendor's promise.
    pub fn repeatable(&self) -> bool {
        self.send.as_ref().is_some_and(|send| send.repeatable)
    }
}

fn address(send: &SendSpec, words: &Words<'_>, origin: Option<&str>) -> String {
    let mut url = words.render(send.url.get_ref(), Place::Url);
    if let (Some(origin), Some((_, rest))) = (origin, url.split_once("://")) {
        url = format!("{origin}{}", &rest[rest.find(['/', '?']).unwrap_or(rest.len())..]);
    }
    for (field, value) in words.fields(&send.query) {
        url.push(if url.contains('?') { '&' } else { '?' });
        push_percent_encoded(&mut url, &field.name);
        url.push('=');
        push_percent_encoded(&mut url, &value);
    }
    url
}

fn authorize(auth: &Auth, words: &Words<'_>, headers: &mut Vec<(String, String)>) {
    let mut push = |name: &str, value: String| headers.push((name.to_owned(), value));
    if let Some(basic) = words.chosen(auth.basic.as_ref(), |basic| (&basic.when, &basic.unless)) {
        let user = words.render(&basic.username, Place::Plain);
        let pair = format!("{user}:{}", words.render(&basic.password, Place::Plain));
        push("Authorization", format!("Basic {}", base64::prelude::BASE64_STANDARD.encode(pair)));
    }
    if let Some(bearer) = words.chosen(auth.bearer.as_ref(), |bearer| (&bearer.when, &bearer.unless)) {
        push("Authorization", format!("Bearer {}", words.render(&bearer.token, Place::Header)));
    }
    if let Some(header) = words.chosen(auth.header.as_ref(), |header| (&header.when, &header.unless)) {
        push(&header.name, words.render(&header.value, Place::Header));
    }
}

fn body(body: &Body, words: &Words<'_>) -> (Option<String>, Vec<u8>) {
    match body {
        Body::None => (None, Vec::new()),
        Body::Form(fields) => {
            let mut form = url::form_urlencoded::Serializer::new(String::with_capacity(512));
            form.extend_pairs(words.fields(fields).map(|(field, value)| (field.name.as_str(), value)));
            (Some("application/x-www-form-urlencoded".to_owned()), form.finish().into_bytes())
        }
        Body::Multipart(fields) => multipart(fields, words),
        Body::Json(template) => {
            let value = words.json(template.get_ref()).unwrap_or(Value::Null);
            (Some("application/json".to_owned()), value.to_string().into_bytes())
        }
        Body::Text(template) => {
            let text = words.render(template.get_ref(), Place::Plain);
            (Some("text/plain; charset=utf-8".to_owned()), text.into_bytes())
        }
    }
}

/// RFC 7578; the boundary carries the attempt's identifier, which no text can hold by chance.
fn multipart(fields: &[Field], words: &Words<'_>) -> (Option<String>, Vec<u8>) {
    let boundary = format!("part-{}", words.about.attempt());
    let safe = |text: &str| text.replace(['"', '\r', '\n'], "_");
    let mut out = String::new();
    for (field, value) in words.fields(fields) {
        out.push_str(&format!(
            "--{boundary}\r\nContent-Disposition: form-data; name=\"{}\"",
            safe(&field.name)
        ));
        if let Some(filename) = &field.filename {
            out.push_str(&format!("; filename=\"{}\"", safe(filename)));
        }
        if let Some(content_type) = &field.content_type {
            out.push_str(&format!("\r\nContent-Type: {}", safe(content_type)));
        }
        out.push_str(&format!("\r\n\r\n{value}\r\n"));
    }
    out.push_str(&format!("--{boundary}--\r\n"));
    (Some(format!("multipart/form-data; boundary={boundary}")), out.into_bytes())
}
