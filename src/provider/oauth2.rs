//! A token fetched from the vendor's authorization server before the send: OAuth 2.0 client credentials (RFC 6749,
//! section 4.4), and what vendors make of it. Pure: who fetches and keeps the token is [`crate::channel`].

use crate::domain::outcome::{Failure, FailureCause, FailureClass};
use crate::domain::time::Span;
use crate::provider::extract::{Document, Extract, Extracts};
use crate::provider::form::form_pairs;
use crate::provider::manifest::Manifest;
use crate::provider::placeholder::{Place, Template};
use crate::provider::request::HttpRequest;
use crate::provider::response::HttpResponse;
use crate::provider::send::{Field, Method, Test};
use crate::provider::settings::Settings;
use base64::Engine;
use secrecy::SecretString;
use serde::Deserialize;
use serde_json::Value;

/// Where the client's credentials stand in the request for a token.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Credentials {
    /// In the `Authorization` header, each encoded as a form is (RFC 6749, section 2.3.1).
    #[default]
    Basic,
    /// In the body, as `client_id` and `client_secret`.
    Body,
}

/// How the request for a token is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TokenEncoding {
    /// As the RFC has it.
    #[default]
    Form,
    /// As a JSON object.
    Json,
}

/// How a token is asked for. Its templates name settings only: a token serves many messages.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OAuth2 {
    token_url: Template,
    client_id: Template,
    client_secret: Template,
    scope: Option<Template>,
    #[serde(default)]
    credentials: Credentials,
    #[serde(default)]
    encoding: TokenEncoding,
    /// Further fields, such as `audience`.
    #[serde(default)]
    fields: Vec<Field>,
    /// Where the token stands in the answer; `access_token` if nothing is said.
    token: Option<Extracts>,
    /// Where the seconds stand that it lives; `expires_in` if nothing is said.
    expires_in: Option<Extracts>,
    /// How long it lives where the answer does not say.
    #[serde(default = "five_minutes")]
    lifetime: Span,
    /// What stands before it in `Authorization`.
    #[serde(default = "bearer")]
    scheme: String,
    /// Only where this holds.
    when: Option<Test>,
    /// Only where this does not hold.
    unless: Option<Test>,
}

fn five_minutes() -> Span {
    Span::minutes(5)
}

fn bearer() -> String {
    "Bearer".to_owned()
}

/// A token, and for how long it is good. `Debug` does not show it.
#[derive(Clone, Debug)]
pub struct Token {
    /// What stands in `Authorization`, its scheme word included.
    pub authorization: SecretString,
    /// How long it may be used: somewhat less than it lives.
    pub lives: Span,
}

impl OAuth2 {
    /// Every name that it uses.
    pub(in crate::provider) fn names(&self) -> impl Iterator<Item = &str> {
        let own =
            [Some(&self.token_url), Some(&self.client_id), Some(&self.client_secret), self.scope.as_ref()];
        let of_fields =
            self.fields.iter().filter_map(|field| field.value.as_ref()).map(toml::Spanned::get_ref);
        let templates = own.into_iter().flatten().chain(of_fields);
        let of_fields = self.fields.iter().flat_map(|field| [field.when.as_ref(), field.unless.as_ref()]);
        let tests = [self.when.as_ref(), self.unless.as_ref()].into_iter().chain(of_fields).flatten();
        templates.flat_map(Template::names).chain(tests.map(|test| test.name.as_str()))
    }

    /// What is wrong with it beyond its names, in words.
    pub(in crate::provider) fn faults(&self) -> Vec<String> {
        let mut faults = Vec::new();
        for field in self.fields.iter().filter(|field| field.value.is_none()) {
            faults.push(format!("auth.oauth2: field `{}` needs a `value`", field.name));
        }
        let places = [&self.token, &self.expires_in].into_iter().flatten().flat_map(Extracts::each);
        if places.into_iter().any(Extract::is_of_query) {
            faults.push("auth.oauth2: an answer has no query".to_owned());
        }
        faults
    }

    fn chosen(&self, settings: &Settings) -> bool {
        holds(self.when.as_ref(), self.unless.as_ref(), settings)
    }

    /// The fields of the request, in order.
    fn written(&self, settings: &Settings) -> Vec<(String, String)> {
        let render = |template: &Template| render(template, Place::Plain, settings);
        let mut fields = vec![("grant_type".to_owned(), "client_credentials".to_owned())];
        if self.credentials == Credentials::Body {
            fields.push(("client_id".to_owned(), render(&self.client_id)));
            fields.push(("client_secret".to_owned(), render(&self.client_secret)));
        }
        fields.extend(self.scope.as_ref().map(|scope| ("scope".to_owned(), render(scope))));
        for field in self.fields.iter().filter(|f| holds(f.when.as_ref(), f.unless.as_ref(), settings)) {
            fields.extend(field.value.as_ref().map(|value| (field.name.clone(), render(value.get_ref()))));
        }
        fields.retain(|(_, value)| !value.is_empty());
        fields
    }

    fn request(&self, settings: &Settings, origin: Option<&str>) -> HttpRequest {
        let mut url = render(&self.token_url, Place::Url, settings);
        if let (Some(origin), Some((_, rest))) = (origin, url.split_once("://")) {
            url = format!("{origin}{}", &rest[rest.find(['/', '?']).unwrap_or(rest.len())..]);
        }
        let fields = self.written(settings);
        let (kind, body) = match self.encoding {
            TokenEncoding::Form => ("application/x-www-form-urlencoded", encoded(&fields)),
            TokenEncoding::Json => {
                let members = fields.into_iter().map(|(name, value)| (name, Value::String(value)));
                ("application/json", Value::Object(members.collect()).to_string())
            }
        };
        let header = |name: &str, value: String| (name.to_owned(), value);
        let mut headers =
            vec![header("Accept", "application/json".to_owned()), header("Content-Type", kind.to_owned())];
        if self.credentials == Credentials::Basic {
            let part = |template| {
                let text = render(template, Place::Plain, settings);
                url::form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>()
            };
            let pair = format!("{}:{}", part(&self.client_id), part(&self.client_secret));
            headers.push(header(
                "Authorization",
                format!("Basic {}", base64::prelude::BASE64_STANDARD.encode(pair)),
            ));
        }
        HttpRequest { method: Method::Post, url, headers, body: body.into_bytes() }
    }

    /// The token in an answer, or why there is none. Nothing was sent in either case.
    fn granted(&self, response: &HttpResponse) -> Result<Token, Failure> {
        let never = |cause, code: &str| Failure::of(FailureClass::NeverLeft, cause, code);
        match response.status {
            200..=299 => {}
            429 => {
                let retry_after_seconds = retry_after(response);
                let failure = Failure::of(FailureClass::Throttled, FailureCause::Provider, "token_throttled");
                return Err(Failure { retry_after_seconds, ..failure });
            }
            400..=499 => return Err(never(FailureCause::Account, "token_refused")),
            _ => return Err(never(FailureCause::Provider, "token_unavailable")),
        }
        let text = String::from_utf8_lossy(&response.body);
        let json: Option<Value> = serde_json::from_slice(&response.body).ok();
        let fields = if json.is_none() { form_pairs(text.trim()) } else { Vec::new() };
        let headers = &response.headers;
        let document =
            Document { headers, json: json.as_ref(), fields: &fields, text: &text, ..Document::default() };
        let usual = |name: &str| Extracts::of_param(name);
        let token = self.token.clone().unwrap_or_else(|| usual("access_token")).read(&document);
        let sound =
            |token: &String| token.len() <= 16_384 && token.bytes().all(|byte| byte.is_ascii_graphic());
        let token = token.filter(sound).ok_or_else(|| never(FailureCause::Provider, "token_malformed"))?;
        let seconds = self.expires_in.clone().unwrap_or_else(|| usual("expires_in")).read(&document);
        let told = seconds.and_then(|text| text.trim().parse::<u32>().ok());
        let whole = told.map_or(self.lifetime, |seconds| Span::seconds(seconds.into()));
        // It must not run out on the way, nor by a clock that differs a little.
        let spare = (whole.as_millis() / 10).min(60_000);
        let authorization = SecretString::from(format!("{} {token}", self.scheme).trim_start().to_owned());
        Ok(Token { authorization, lives: Span::millis(whole.as_millis() - spare) })
    }
}

fn render(template: &Template, place: Place, settings: &Settings) -> String {
    template.render(place, |name| settings.get(name).map(Into::into))
}

fn holds(when: Option<&Test>, unless: Option<&Test>, settings: &Settings) -> bool {
    let test = |test: &Test| test.holds(settings.get(&test.name));
    when.is_none_or(test) && !unless.is_some_and(test)
}

fn encoded(fields: &[(String, String)]) -> String {
    url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish()
}

fn retry_after(response: &HttpResponse) -> Option<u32> {
    let headers = &response.headers;
    Document { headers, ..Document::default() }.header("retry-after")?.trim().parse().ok()
}

impl Manifest {
    fn oauth2(&self, settings: &Settings) -> Option<&OAuth2> {
        let spec = self.send.as_ref()?.auth.oauth2.as_ref()?.get_ref();
        spec.chosen(settings).then_some(spec)
    }

    /// The request for a token, where this vendor wants one before it is asked to send.
    pub fn token_request(&self, settings: &Settings) -> Option<HttpRequest> {
        Some(self.oauth2(settings)?.request(settings, self.origin.as_deref()))
    }

    /// What the answer to [`Manifest::token_request`] grants; none where no token was wanted.
    ///
    /// # Errors
    /// Why there is no token: of the class of a message that surely was not sent.
    pub fn granted(&self, settings: &Settings, response: &HttpResponse) -> Option<Result<Token, Failure>> {
        Some(self.oauth2(settings)?.granted(response))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::time::Timestamp;
    use secrecy::ExposeSecret;

    fn spec(more: &str) -> OAuth2 {
        let text =
            format!("token_url = 'https://x.example/token'\nclient_id = 'a'\nclient_secret = 'b'\n{more}");
        toml::from_str(&text).expect(more)
    }

    fn answer(status: u16, body: &str) -> HttpResponse {
        let headers = vec![("Retry-After".to_owned(), "7".to_owned())];
        HttpResponse {
            status,
            headers,
            body: body.as_bytes().to_vec(),
            received_at: Timestamp::from_millis(0),
        }
    }

    #[test]
    fn tokens_are_read_wherever_they_stand() {
        for (more, body, authorization, lives) in [
            ("", r#"{"access_token":"t","token_type":"Bearer","expires_in":3600}"#, "Bearer t", 3_540_000),
            ("", r#"{"access_token":"t","expires_in":"100"}"#, "Bearer t", 90_000),
            ("", "access_token=t%2B&expires_in=100", "Bearer t+", 90_000),
            ("lifetime = 'PT1M'", r#"{"access_token":"t"}"#, "Bearer t", 54_000),
            ("token = { json = '/data/token' }\nscheme = ''", r#"{"data":{"token":"t"}}"#, "t", 270_000),
            ("scheme = 'Vendor'", r#"{"access_token":"t"}"#, "Vendor t", 270_000),
        ] {
            let token = spec(more).granted(&answer(200, body)).expect(body);
            assert_eq!(token.authorization.expose_secret(), authorization, "{more} {body}");
            assert_eq!(token.lives.as_millis(), lives, "{more} {body}");
            assert!(format!("{token:?}").contains("REDACTED"), "{token:?}");
        }
    }

    #[test]
    fn without_a_token_nothing_was_sent() {
        for (status, body, class, cause, code, wait) in [
            (400, "{}", FailureClass::NeverLeft, FailureCause::Account, "token_refused", None),
            (401, "{}", FailureClass::NeverLeft, FailureCause::Account, "token_refused", None),
            (429, "{}", FailureClass::Throttled, FailureCause::Provider, "token_throttled", Some(7)),
            (503, "{}", FailureClass::NeverLeft, FailureCause::Provider, "token_unavailable", None),
            (302, "{}", FailureClass::NeverLeft, FailureCause::Provider, "token_unavailable", None),
            (200, "{}", FailureClass::NeverLeft, FailureCause::Provider, "token_malformed", None),
            (
                200,
                r#"{"access_token":"a b"}"#,
                FailureClass::NeverLeft,
                FailureCause::Provider,
                "token_malformed",
                None,
            ),
        ] {
            let failure = spec("").granted(&answer(status, body)).expect_err(body);
            assert_eq!(
                (failure.class, failure.cause, failure.code.as_str()),
                (class, cause, code),
                "{status} {body}"
            );
            assert_eq!(failure.retry_after_seconds, wait);
        }
    }
}
