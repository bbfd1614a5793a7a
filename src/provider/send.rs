//! How a manifest says that a vendor is asked to send: `[send]`, without its answers.

pub mod auth;

use crate::provider::crypto::Hash;
use crate::provider::filter::Filter;
use crate::provider::placeholder::{SignedText, Template};
use crate::provider::response::ResponseSpec;
use crate::provider::send::auth::{Auth, AwsSigV4, Basic, Bearer, NamedHeader};
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;
use std::ops::Range;
use toml::Spanned;

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

/// Whether a setting, message word or value is given (`name`), or is this word (`name=word`).
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Test {
    /// What is asked for.
    pub name: String,
    /// What it must be; anything that is not empty, where there is no word.
    pub word: Option<String>,
}

impl TryFrom<String> for Test {
    type Error = &'static str;
    fn try_from(text: String) -> Result<Self, Self::Error> {
        let (name, word) = match text.split_once('=') {
            Some((name, word)) => (name.trim(), Some(word.trim().to_owned())),
            None => (text.trim(), None),
        };
        let named = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        if named {
            Ok(Self { name: name.to_owned(), word })
        } else {
            Err("`when` and `unless` are `name` or `name=word`")
        }
    }
}

impl Test {
    /// Whether it holds for a value.
    pub fn holds(&self, value: Option<&str>) -> bool {
        match (&self.word, value) {
            (Some(word), value) => value.unwrap_or_default() == word,
            (None, value) => value.is_some_and(|value| !value.is_empty()),
        }
    }
}

/// One form field, query parameter or part; several may share a name. Left out when empty, unless `keep`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Field {
    /// The name as the vendor writes it.
    pub name: String,
    /// The value.
    pub value: Option<Spanned<Template>>,
    /// The value, as JSON within the field.
    pub json: Option<Spanned<JsonTemplate>>,
    /// In a multipart body: the file's name, which makes the part a file.
    pub filename: Option<String>,
    /// In a multipart body: the part's type.
    pub content_type: Option<String>,
    /// Only where this holds.
    pub when: Option<Test>,
    /// Only where this does not hold.
    pub unless: Option<Test>,
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
    /// `multipart/form-data` (RFC 7578).
    Multipart(Vec<Field>),
    /// A JSON object or array whose strings are templates; what comes out empty is left out.
    Json(Spanned<JsonTemplate>),
    /// Any text; `text/plain` unless a header says otherwise.
    Text(Spanned<Template>),
}

/// A JSON value with templates for strings.
#[derive(Clone, Debug, Deserialize)]
#[serde(try_from = "toml::Value")]
pub enum JsonTemplate {
    /// A number, a boolean.
    Literal(Value),
    /// A string, or a number or boolean where a filter says so.
    Text(Template),
    /// An array.
    List(Vec<JsonTemplate>),
    /// An object, in the order of names.
    Object {
        /// `$when`: only where this holds.
        when: Option<Test>,
        /// `$unless`: only where this does not hold.
        unless: Option<Test>,
        /// `$value`: this takes the object's place.
        value: Option<Box<JsonTemplate>>,
        /// Its members.
        members: Vec<(String, JsonTemplate)>,
    },
}

/// Something computed once for each request, for templates to name.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum ValueSpec {
    /// A text put together once.
    Text(Template),
    /// The first of several texts that is not empty.
    First(Vec<Template>),
    /// A keyed digest (RFC 2104).
    Hmac {
        /// The hash function.
        algorithm: Hash,
        /// The key.
        key: Template,
        /// How the key is written.
        #[serde(default)]
        key_form: crate::provider::primitive::Form,
        /// What is signed.
        message: SignedText,
        /// How the result is written.
        #[serde(default = "hex_form")]
        form: crate::provider::primitive::Form,
    },
    /// A JSON Web Token (RFC 7519), empty where its key is.
    Jwt {
        /// How it is signed.
        algorithm: JwtAlgorithm,
        /// The key: a secret for HS256 and its like, a private key in PEM for RS256.
        key: Template,
        /// Headers beside `alg` and `typ`.
        header: Option<JsonTemplate>,
        /// What it claims.
        claims: Box<JsonTemplate>,
    },
}

fn hex_form() -> crate::provider::primitive::Form {
    crate::provider::primitive::Form::Hex
}

/// How a token is signed (RFC 7518, section 3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub enum JwtAlgorithm {
    /// HMAC with SHA-256.
    HS256,
    /// HMAC with SHA-384.
    HS384,
    /// HMAC with SHA-512.
    HS512,
    /// RSA, PKCS #1 v1.5 with SHA-256.
    RS256,
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
    #[serde(default)]
    pub auth: Auth,
    /// What is computed for each request.
    #[serde(default)]
    pub values: BTreeMap<String, Spanned<ValueSpec>>,
    /// The body.
    #[serde(default)]
    pub body: Body,
    /// Whether the vendor takes the same attempt twice as once, by the attempt's identifier in the request.
    #[serde(default)]
    pub repeatable: bool,
    /// How the answer is read.
    pub response: ResponseSpec,
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
            toml::Value::Table(members) => Self::object(members)?,
        })
    }
}

impl JsonTemplate {
    fn object(mut written: toml::Table) -> Result<Self, String> {
        let mut test = |name: &str| match written.remove(name) {
            None => Ok(None),
            Some(toml::Value::String(text)) => Ok(Some(Test::try_from(text)?)),
            Some(_) => Err(format!("`{name}` is `name` or `name=word`")),
        };
        let (when, unless) = (test("$when")?, test("$unless")?);
        let value = written.remove("$value").map(Self::try_from).transpose()?.map(Box::new);
        if let Some(name) = written.keys().find(|name| name.starts_with('$')) {
            return Err(format!("`{name}` is unknown; there are $when, $unless and $value"));
        }
        if value.is_some() && !written.is_empty() {
            return Err("an object with `$value` has no other members".to_owned());
        }
        let members = written.into_iter().map(|(name, member)| Ok((name, Self::try_from(member)?)));
        Ok(Self::Object { when, unless, value, members: members.collect::<Result<_, String>>()? })
    }

    /// Every template in it.
    pub(in crate::provider) fn templates(&self) -> Vec<&Template> {
        let mut used = Used::default();
        self.collect(&(0..0), &mut used);
        used.templates.into_iter().map(|(_, template)| template).collect()
    }

    /// Every test in it.
    pub(in crate::provider) fn tests(&self) -> Vec<&Test> {
        let mut used = Used::default();
        self.collect(&(0..0), &mut used);
        used.tests.into_iter().map(|(_, test)| test).collect()
    }

    fn collect<'t>(&'t self, span: &Range<usize>, out: &mut Used<'t>) {
        match self {
            Self::Literal(_) => {}
            Self::Text(template) => out.templates.push((span.clone(), template)),
            Self::List(items) => items.iter().for_each(|item| item.collect(span, out)),
            Self::Object { when, unless, value, members } => {
                out.test(span, when.as_ref());
                out.test(span, unless.as_ref());
                value.iter().for_each(|value| value.collect(span, out));
                members.iter().for_each(|(_, member)| member.collect(span, out));
            }
        }
    }
}

/// What a send names, with where it stands in the file.
#[derive(Default)]
pub(in crate::provider) struct Used<'t> {
    /// Templates of anything but computed values and headers.
    pub templates: Vec<(Range<usize>, &'t Template)>,
    /// Templates that are filled once the body is there, and may name it.
    pub late: Vec<(Range<usize>, &'t Template)>,
    /// What `when` and `unless` ask for.
    pub tests: Vec<(Range<usize>, &'t Test)>,
}

impl<'t> Used<'t> {
    fn test(&mut self, span: &Range<usize>, test: Option<&'t Test>) {
        self.tests.extend(test.map(|test| (span.clone(), test)));
    }

    fn fields(&mut self, fields: &'t [Field]) {
        for field in fields {
            let mut span = 0..0;
            if let Some(value) = &field.value {
                span = value.span();
                self.templates.push((span.clone(), value.get_ref()));
            }
            if let Some(json) = &field.json {
                span = json.span();
                json.get_ref().collect(&span, self);
            }
            self.test(&span, field.when.as_ref());
            self.test(&span, field.unless.as_ref());
        }
    }

    fn auth(&mut self, auth: &'t Auth) {
        if let Some(basic) = &auth.basic {
            let Basic { username, password, when, unless } = basic.get_ref();
            self.late.extend([(basic.span(), username), (basic.span(), password)]);
            self.test(&basic.span(), when.as_ref());
            self.test(&basic.span(), unless.as_ref());
        }
        if let Some(bearer) = &auth.bearer {
            let Bearer { token, when, unless } = bearer.get_ref();
            self.late.push((bearer.span(), token));
            self.test(&bearer.span(), when.as_ref());
            self.test(&bearer.span(), unless.as_ref());
        }
        if let Some(header) = &auth.header {
            let NamedHeader { name: _, value, when, unless } = header.get_ref();
            self.late.push((header.span(), value));
            self.test(&header.span(), when.as_ref());
            self.test(&header.span(), unless.as_ref());
        }
        if let Some(aws) = &auth.aws_sigv4 {
            let AwsSigV4 { access_key, secret_key, session_token, region, service: _, when, unless } =
                aws.get_ref();
            let templates = [Some(access_key), Some(secret_key), session_token.as_ref(), Some(region)];
            self.late.extend(templates.into_iter().flatten().map(|template| (aws.span(), template)));
            self.test(&aws.span(), when.as_ref());
            self.test(&aws.span(), unless.as_ref());
        }
    }
}

impl SendSpec {
    /// Everything that it names.
    pub(in crate::provider) fn used(&self) -> Used<'_> {
        let mut used = Used::default();
        used.templates.push((self.url.span(), self.url.get_ref()));
        used.fields(&self.query);
        match &self.body {
            Body::Form(fields) | Body::Multipart(fields) => used.fields(fields),
            Body::Json(template) => template.get_ref().collect(&template.span(), &mut used),
            Body::Text(template) => used.templates.push((template.span(), template.get_ref())),
            Body::None => {}
        }
        used.late.extend(self.headers.values().map(|value| (value.span(), value.get_ref())));
        used.auth(&self.auth);
        for spec in self.values.values() {
            let span = spec.span();
            match spec.get_ref() {
                ValueSpec::Text(text) => used.late.push((span, text)),
                ValueSpec::First(texts) => used.late.extend(texts.iter().map(|text| (span.clone(), text))),
                ValueSpec::Hmac { key, message, .. } => {
                    used.late.extend([(span.clone(), key), (span, message)]);
                }
                ValueSpec::Jwt { key, header, claims, .. } => {
                    used.late.push((span.clone(), key));
                    let mut within = Used::default();
                    header.iter().chain([claims.as_ref()]).for_each(|json| json.collect(&span, &mut within));
                    used.late.extend(within.templates);
                    used.tests.extend(within.tests);
                }
            }
        }
        used
    }

    /// What is wrong with it beyond its names, in words, with where.
    pub(in crate::provider) fn faults(&self) -> Vec<(Range<usize>, String)> {
        let body: &[Field] = match &self.body {
            Body::Form(fields) | Body::Multipart(fields) => fields,
            Body::None | Body::Json(_) | Body::Text(_) => &[],
        };
        let multipart = matches!(self.body, Body::Multipart(_));
        let mut faults = Vec::new();
        for field in self.query.iter().chain(body) {
            let span = field.value.as_ref().map(Spanned::span).or(field.json.as_ref().map(Spanned::span));
            let span = span.unwrap_or_else(|| self.url.span());
            if field.value.is_some() == field.json.is_some() {
                faults.push((
                    span.clone(),
                    format!("field `{}` needs `value` or `json`, one of them", field.name),
                ));
            }
            if !multipart && (field.filename.is_some() || field.content_type.is_some()) {
                let message =
                    format!("field `{}`: `filename` and `content_type` need body.multipart", field.name);
                faults.push((span, message));
            }
        }
        if let Some(oauth2) = &self.auth.oauth2 {
            faults.extend(oauth2.get_ref().faults().into_iter().map(|message| (oauth2.span(), message)));
        }
        if self.method == Method::Get && !matches!(self.body, Body::None) {
            faults.push((self.url.span(), "a GET has no body: use `query`".to_owned()));
        }
        faults
    }

    /// What may well be a mistake, in words: text that is not escaped for what the body is said to be.
    pub(in crate::provider) fn doubts(&self) -> Vec<String> {
        let Body::Text(template) = &self.body else { return Vec::new() };
        let kind = self.headers.iter().find(|(name, _)| name.eq_ignore_ascii_case("content-type"));
        let kind =
            kind.map(|(_, value)| value.get_ref().to_string().to_ascii_lowercase()).unwrap_or_default();
        let (word, filter) = match (kind.contains("xml"), kind.contains("json")) {
            (true, _) => ("xml", Filter::Xml),
            (false, true) => ("json", Filter::Json),
            (false, false) => return Vec::new(),
        };
        let bare = template.get_ref().unescaped(&filter);
        bare.map(|name| {
            format!(
                "[send] body.text is {word}, and `{{{name}}}` in it is not escaped: write `{{{name}|{word}}}`"
            )
        })
        .collect()
    }
}
