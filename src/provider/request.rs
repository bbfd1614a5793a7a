//! From a message and an operator's settings to the request that a vendor expects. Pure.

use crate::domain::message::{Content, Outgoing};
use crate::domain::time::Timestamp;
use crate::provider::manifest::Manifest;
use crate::provider::placeholder::{Filter, Place, Template, push_percent_encoded};
use crate::provider::redact::{HIDDEN, Length, without_secrets};
use crate::provider::response::ResponseSpec;
use crate::provider::settings::Settings;
use base64::Engine;
use serde::Deserialize;
use serde_json::Value;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;
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
    "status_callback_url",
    "unsubscribe_url",
    "now",
];

/// The methods a vendor may ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Method {
    /// Everything stands in the query.
    Get,
    /// The usual one.
    Post,
    /// Replace.
    Put,
    /// Change.
    Patch,
}

impl Method {
    /// The method as it stands on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Patch => "PATCH",
        }
    }
}

/// How we show who we are.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Auth {
    /// RFC 7617.
    Basic {
        /// The user, or a key's identifier.
        username: Template,
        /// The password or token.
        password: Template,
    },
    /// RFC 6750.
    Bearer {
        /// The token.
        token: Template,
    },
    /// A header of any name, with any scheme word before the key.
    Header {
        /// The header's name.
        name: String,
        /// Its whole value.
        value: Template,
    },
}

/// One form field, query parameter or part; several may share a name. Left out when empty, unless `keep`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Field {
    /// The name as the vendor writes it.
    pub name: String,
    /// The value.
    pub value: Spanned<Template>,
    /// Only where this setting or message word is not empty.
    pub when: Option<String>,
    /// Only where this setting or message word is empty.
    pub unless: Option<String>,
}

/// How the body is written.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Body {
    /// No body.
    #[default]
    None,
    /// `application/x-www-form-urlencoded`, in the order given.
    Form(Vec<Field>),
    /// `multipart/form-data` (RFC 7578) of text fields.
    Multipart(Vec<Field>),
    /// A JSON object or array whose strings are templates; what comes out empty is left out.
    Json(Spanned<JsonTemplate>),
    /// `text/plain`.
    Text(Spanned<Template>),
}

/// A JSON value with templates for strings.
#[derive(Clone, Debug, Deserialize)]
#[serde(try_from = "toml::Value")]
pub enum JsonTemplate {
    /// A number, a boolean.
    Literal(Value),
    /// A string, or a number where the filter `number` says so.
    Text(Template),
    /// An array.
    List(Vec<JsonTemplate>),
    /// An object, in the order of names.
    Object(Vec<(String, JsonTemplate)>),
}

/// How a vendor is asked to send.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SendSpec {
    /// The method.
    pub method: Method,
    /// The address; values in it are percent-encoded, except with `raw`.
    pub url: Spanned<Template>,
    /// Query parameters.
    #[serde(default)]
    pub query: Vec<Field>,
    /// Headers beside those of the body and of `auth`.
    #[serde(default)]
    pub headers: BTreeMap<String, Spanned<Template>>,
    /// Who we are.
    pub auth: Option<Spanned<Auth>>,
    /// The body.
    #[serde(default)]
    pub body: Body,
    /// Whether the vendor takes the same attempt twice as once, by the attempt's identifier in the request.
    #[serde(default)]
    pub repeatable: bool,
    /// How the answer is read.
    pub response: ResponseSpec,
}

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
            let value = if name.eq_ignore_ascii_case("authorization") { HIDDEN } else { value };
            text.push_str(&format!("{name}: {value}\n"));
        }
        text.push('\n');
        text.push_str(&String::from_utf8_lossy(&self.body));
        without_secrets(&text, settings)
    }
}

/// Looks up what templates say.
struct Words<'w> {
    message: &'w Outgoing,
    settings: &'w Settings,
    now: Timestamp,
}

impl<'w> Words<'w> {
    fn get(&self, name: &str) -> Option<Cow<'w, str>> {
        let message = self.message;
        match name {
            "to" => Some(message.to.expose().into()),
            "text" | "subject" | "html" | "segments" => content_word(&message.content, name),
            "language" => Some(message.language.as_str().into()),
            "attempt" => Some(message.attempt.to_string().into()),
            "status_callback_url" => message.status_callback_url.as_deref().map(Cow::Borrowed),
            "unsubscribe_url" => message.unsubscribe_url.as_deref().map(Cow::Borrowed),
            "now" => Some(self.now.to_string().into()),
            setting => self.settings.get(setting).map(Cow::Borrowed),
        }
    }

    fn given(&self, name: &str) -> bool {
        self.get(name).is_some_and(|value| !value.is_empty())
    }

    fn render(&self, template: &Template, place: Place) -> String {
        template.render(place, |name| self.get(name))
    }

    /// The fields that are to be sent, with their values.
    fn fields<'f>(&self, fields: &'f [Field]) -> impl Iterator<Item = (&'f str, String)> {
        fields
            .iter()
            .filter(|field| field.when.as_ref().is_none_or(|name| self.given(name)))
            .filter(|field| field.unless.as_ref().is_none_or(|name| !self.given(name)))
            .filter_map(|field| {
                let template = field.value.get_ref();
                let value = self.render(template, Place::Plain);
                (!value.is_empty() || template.has(Filter::Keep)).then_some((field.name.as_str(), value))
            })
    }
}

fn content_word<'c>(content: &'c Content, name: &str) -> Option<Cow<'c, str>> {
    match (content, name) {
        (Content::Sms { text, .. } | Content::Email { text, .. }, "text") => Some(text.into()),
        (Content::Voice { script }, "text") => Some(script.into()),
        (Content::Sms { segments, .. }, "segments") => Some(segments.to_string().into()),
        (Content::Email { subject, .. } | Content::Portal { subject, .. }, "subject") => Some(subject.into()),
        (Content::Email { html, .. }, "html") => html.as_deref().map(Cow::Borrowed),
        (Content::Portal { html, .. }, "html") => Some(html.into()),
        (Content::Sms { .. } | Content::Email { .. } | Content::Voice { .. } | Content::Portal { .. }, _) => {
            None
        }
    }
}

impl Manifest {
    /// The request that asks this vendor to send a message; none where the vendor is not asked over HTTP.
    pub fn request(&self, message: &Outgoing, settings: &Settings, now: Timestamp) -> Option<HttpRequest> {
        let send = self.send.as_ref()?;
        let words = Words { message, settings, now };
        let mut url = words.render(send.url.get_ref(), Place::Url);
        for (name, value) in words.fields(&send.query) {
            url.push(if url.contains('?') { '&' } else { '?' });
            push_percent_encoded(&mut url, name);
            url.push('=');
            push_percent_encoded(&mut url, &value);
        }
        let mut headers = Vec::with_capacity(send.headers.len() + 2);
        if let Some(auth) = &send.auth {
            headers.push(authorization(auth.get_ref(), &words));
        }
        for (name, value) in &send.headers {
            let value = words.render(value.get_ref(), Place::Header);
            if !value.is_empty() {
                headers.push((name.clone(), value));
            }
        }
        let (content_type, body) = body(&send.body, &words);
        if let Some(content_type) = content_type
            && !headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("content-type"))
        {
            headers.push(("Content-Type".to_owned(), content_type));
        }
        Some(HttpRequest { method: send.method, url, headers, body })
    }

    /// Whether sending the same attempt twice reaches the debtor once, by the vendor's promise.
    pub fn repeatable(&self) -> bool {
        self.send.as_ref().is_some_and(|send| send.repeatable)
    }
}

fn authorization(auth: &Auth, words: &Words<'_>) -> (String, String) {
    match auth {
        Auth::Basic { username, password } => {
            let pair =
                format!("{}:{}", words.render(username, Place::Plain), words.render(password, Place::Plain));
            let value = format!("Basic {}", base64::prelude::BASE64_STANDARD.encode(pair));
            ("Authorization".to_owned(), value)
        }
        Auth::Bearer { token } => {
            ("Authorization".to_owned(), format!("Bearer {}", words.render(token, Place::Header)))
        }
        Auth::Header { name, value } => (name.clone(), words.render(value, Place::Header)),
    }
}

fn body(body: &Body, words: &Words<'_>) -> (Option<String>, Vec<u8>) {
    match body {
        Body::None => (None, Vec::new()),
        Body::Form(fields) => {
            let mut form = url::form_urlencoded::Serializer::new(String::with_capacity(512));
            form.extend_pairs(words.fields(fields));
            (Some("application/x-www-form-urlencoded".to_owned()), form.finish().into_bytes())
        }
        Body::Multipart(fields) => multipart(fields, words),
        Body::Json(template) => {
            let value = json(template.get_ref(), words).unwrap_or(Value::Null);
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
    let boundary = format!("part-{}", words.message.attempt);
    let mut out = String::new();
    for (name, value) in words.fields(fields) {
        let name = name.replace(['"', '\r', '\n'], "_");
        out.push_str(&format!(
            "--{boundary}\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n"
        ));
    }
    out.push_str(&format!("--{boundary}--\r\n"));
    (Some(format!("multipart/form-data; boundary={boundary}")), out.into_bytes())
}

/// The value, or none where it comes out empty.
fn json(template: &JsonTemplate, words: &Words<'_>) -> Option<Value> {
    match template {
        JsonTemplate::Literal(value) => Some(value.clone()),
        JsonTemplate::Text(template) => {
            let text = words.render(template, Place::Plain);
            if template.has(Filter::Number) {
                text.parse::<i64>().ok().map(Value::from)
            } else {
                (!text.is_empty() || template.has(Filter::Keep)).then_some(Value::String(text))
            }
        }
        JsonTemplate::List(items) => {
            let items: Vec<Value> = items.iter().filter_map(|item| json(item, words)).collect();
            (!items.is_empty()).then_some(Value::Array(items))
        }
        JsonTemplate::Object(members) => {
            let members: serde_json::Map<String, Value> = members
                .iter()
                .filter_map(|(name, member)| json(member, words).map(|value| (name.clone(), value)))
                .collect();
            (!members.is_empty()).then_some(Value::Object(members))
        }
    }
}

impl TryFrom<toml::Value> for JsonTemplate {
    type Error = String;
    fn try_from(value: toml::Value) -> Result<Self, String> {
        Ok(match value {
            toml::Value::String(text) => {
                Self::Text(Template::try_from(text).map_err(|error| error.to_string())?)
            }
            toml::Value::Integer(number) => Self::Literal(number.into()),
            toml::Value::Float(number) => Self::Literal(number.into()),
            toml::Value::Boolean(truth) => Self::Literal(truth.into()),
            toml::Value::Datetime(instant) => Self::Literal(instant.to_string().into()),
            toml::Value::Array(items) => {
                Self::List(items.into_iter().map(Self::try_from).collect::<Result<_, _>>()?)
            }
            toml::Value::Table(members) => Self::Object(
                members
                    .into_iter()
                    .map(|(name, member)| Self::try_from(member).map(|member| (name, member)))
                    .collect::<Result<_, _>>()?,
            ),
        })
    }
}

impl JsonTemplate {
    fn collect<'t>(&'t self, span: &Range<usize>, out: &mut Vec<(Range<usize>, &'t Template)>) {
        match self {
            Self::Literal(_) => {}
            Self::Text(template) => out.push((span.clone(), template)),
            Self::List(items) => items.iter().for_each(|item| item.collect(span, out)),
            Self::Object(members) => members.iter().for_each(|(_, member)| member.collect(span, out)),
        }
    }
}

impl SendSpec {
    /// Every template, with where it stands in the file.
    pub(in crate::provider) fn templates(&self) -> Vec<(Range<usize>, &Template)> {
        let mut out = vec![(self.url.span(), self.url.get_ref())];
        out.extend(self.headers.values().map(|value| (value.span(), value.get_ref())));
        if let Some(auth) = &self.auth {
            let templates = match auth.get_ref() {
                Auth::Basic { username, password } => vec![username, password],
                Auth::Bearer { token } => vec![token],
                Auth::Header { value, .. } => vec![value],
            };
            out.extend(templates.into_iter().map(|template| (auth.span(), template)));
        }
        out.extend(self.all_fields().map(|field| (field.value.span(), field.value.get_ref())));
        match &self.body {
            Body::Json(template) => template.get_ref().collect(&template.span(), &mut out),
            Body::Text(template) => out.push((template.span(), template.get_ref())),
            Body::None | Body::Form(_) | Body::Multipart(_) => {}
        }
        out
    }

    /// The names that `when` and `unless` ask for.
    pub(in crate::provider) fn tested_names(&self) -> impl Iterator<Item = &str> {
        self.all_fields().flat_map(|field| [field.when.as_deref(), field.unless.as_deref()]).flatten()
    }

    fn all_fields(&self) -> impl Iterator<Item = &Field> {
        let body: &[Field] = match &self.body {
            Body::Form(fields) | Body::Multipart(fields) => fields,
            Body::None | Body::Json(_) | Body::Text(_) => &[],
        };
        self.query.iter().chain(body)
    }
}
