//! Requests to vendors over HTTP, as their manifests describe them.

use crate::channel::bearer::{Bearer, Lent};
use crate::channel::connections::{Answer, Connections, GatedBody, NoAnswer};
use crate::channel::{ChannelError, Gate, failed, overtaken, wrong_content};
use crate::domain::message::Outgoing;
use crate::domain::outcome::{Failure, FailureCause, FailureClass, Outcome};
use crate::domain::time::Clock;
use crate::provider::manifest::Manifest;
use crate::provider::request::HttpRequest;
use crate::provider::response::HttpResponse;
use crate::provider::send::Method;
use crate::provider::settings::Settings;
use bytes::Bytes;
use http::uri::Scheme;
use http::{HeaderName, HeaderValue, Request, Uri, header};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;
use url::Url;

/// Who we say we are.
const USER_AGENT: &str = concat!("dunwell/", env!("CARGO_PKG_VERSION"));
/// RFC 9110, section 15.5.2.
const UNAUTHORIZED: u16 = 401;

/// A vendor asked over HTTP.
pub struct Http {
    connections: Connections,
    manifest: Arc<Manifest>,
    settings: Settings,
    clock: Arc<dyn Clock>,
    deadline: Duration,
    bearer: Bearer,
}

impl fmt::Debug for Http {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Http({})", self.manifest.id())
    }
}

impl Http {
    /// A client of its own for each provider: its connections are never shared.
    pub(in crate::channel) fn new(
        manifest: Arc<Manifest>,
        settings: Settings,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, ChannelError> {
        let connections = Connections::new()?;
        let deadline = manifest.limits.deadline.to_std();
        Ok(Self { connections, manifest, settings, clock, deadline, bearer: Bearer::default() })
    }

    pub(in crate::channel) async fn send(&self, message: &Outgoing, gate: &Arc<Gate>) -> Outcome {
        let Some(request) = self.manifest.request(message, &self.settings, self.clock.now()) else {
            return wrong_content();
        };
        match tokio::time::timeout(self.deadline, self.ask(request, gate)).await {
            Ok(outcome) => outcome,
            Err(_) => late(gate),
        }
    }

    async fn ask(&self, mut request: HttpRequest, gate: &Arc<Gate>) -> Outcome {
        let lent = match self.token().await {
            Ok(lent) => lent,
            Err(failure) => return Outcome::Failed(failure),
        };
        if let Some(lent) = &lent {
            request.authorize(&lent.authorization);
        }
        let Some(request) = written(request, Some(gate)) else {
            // Only a manifest or a setting can make an address that is none; trying again would not mend it.
            return failed(FailureClass::Refused, FailureCause::Account, "bad_request_address");
        };
        if gate.refused() {
            return overtaken();
        }
        let response = match self.exchange(request).await {
            Ok(response) => response,
            Err(fault) => return without_answer(gate, fault),
        };
        match (&lent, response.status) {
            // Not sent again at once: the gate was passed, and a stop may have come since.
            (Some(lent), UNAUTHORIZED) if self.bearer.refused(lent).await => {
                return failed(FailureClass::NeverLeft, FailureCause::Unspecified, "token_expired");
            }
            (Some(_), UNAUTHORIZED) | (None, _) => {}
            (Some(lent), _) => self.bearer.worked(lent).await,
        }
        self.manifest.outcome(&response)
    }

    /// A token, where the vendor wants one: held, or fetched before anything of the message leaves.
    async fn token(&self) -> Result<Option<Lent>, Failure> {
        let Some(request) = self.manifest.token_request(&self.settings) else { return Ok(None) };
        let no_token = |cause, code: &str| Failure::of(FailureClass::NeverLeft, cause, code);
        let fetch = async {
            let request = written(request, None);
            let request = request.ok_or_else(|| no_token(FailureCause::Account, "bad_token_address"))?;
            let answer = self.exchange(request).await;
            let answer = answer.map_err(|_| no_token(FailureCause::Provider, "token_unavailable"))?;
            let granted = self.manifest.granted(&self.settings, &answer);
            granted.unwrap_or_else(|| Err(no_token(FailureCause::Account, "token_unwanted")))
        };
        self.bearer.lend(&*self.clock, fetch).await.map(Some)
    }

    /// Asks something that nothing can overtake; none where no answer came.
    pub(in crate::channel) async fn question(&self, mut request: HttpRequest) -> Option<HttpResponse> {
        let asked = async {
            // What is asked with a key of its own needs no token.
            let lent =
                if request.header("authorization").is_none() { self.token().await.ok()? } else { None };
            if let Some(lent) = &lent {
                request.authorize(&lent.authorization);
            }
            let response = self.exchange(written(request, None)?).await.ok()?;
            if let Some(lent) = &lent {
                match response.status {
                    UNAUTHORIZED => self.bearer.doubted(lent, self.clock.now()).await,
                    _ => self.bearer.worked(lent).await,
                }
            }
            Some(response)
        };
        tokio::time::timeout(self.deadline, asked).await.ok()?
    }

    /// Closes the connections that nobody uses.
    pub(in crate::channel) fn close(&self) {
        self.connections.close();
    }

    async fn exchange(&self, request: Request<GatedBody>) -> Result<HttpResponse, NoAnswer> {
        // An answer that breaks off is read as far as it came: its status stands, its reference may be missing.
        let Answer { head, body } =
            self.connections.exchange(request, self.manifest.limits.answer_bytes).await?;
        let headers = head.headers.iter();
        let headers = headers
            .filter_map(|(name, value)| Some((name.as_str().to_owned(), value.to_str().ok()?.to_owned())))
            .collect();
        Ok(HttpResponse { status: head.status.as_u16(), headers, body, received_at: self.clock.now() })
    }
}

/// The request as the connection takes it. Where there is no body to ask the gate, it is asked here; what carries no message
/// has none.
fn written(request: HttpRequest, gate: Option<&Arc<Gate>>) -> Option<Request<GatedBody>> {
    let method = match request.method {
        Method::Get => http::Method::GET,
        Method::Post => http::Method::POST,
        Method::Put => http::Method::PUT,
        Method::Patch => http::Method::PATCH,
    };
    let address = address(&request.url)?;
    let bytes = (!request.body.is_empty()).then(|| Bytes::from(request.body));
    if let (Some(gate), None) = (gate, &bytes) {
        gate.pass();
    }
    let mut out = Request::new(GatedBody { bytes, gate: gate.cloned() });
    *out.method_mut() = method;
    *out.uri_mut() = address;
    for (name, value) in &request.headers {
        let name = HeaderName::from_bytes(name.as_bytes()).ok()?;
        let mut value = HeaderValue::from_str(value).ok()?;
        value.set_sensitive(name == header::AUTHORIZATION);
        out.headers_mut().append(name, value);
    }
    let ours = [(header::ACCEPT, "*/*"), (header::USER_AGENT, USER_AGENT)];
    for (name, value) in ours {
        out.headers_mut().entry(name).or_insert(HeaderValue::from_static(value));
    }
    Some(out)
}

/// Where a request goes. Credentials have no place in an address: a manifest has `[send.auth]` for them.
fn address(url: &str) -> Option<Uri> {
    let address = Uri::try_from(url).or_else(|_| {
        // What stands in an address as it must not, a blank in a setting's path, is written as it should be.
        Url::parse(url).map_or_else(|_| Uri::try_from(""), |url| Uri::try_from(url.as_str()))
    });
    let address = address.ok()?;
    let known = address.scheme() == Some(&Scheme::HTTPS) || address.scheme() == Some(&Scheme::HTTP);
    (known && !address.authority()?.as_str().contains('@')).then_some(address)
}

/// What it means that no answer came.
fn without_answer(gate: &Gate, fault: NoAnswer) -> Outcome {
    if gate.refused() {
        return overtaken();
    }
    let (class, code) = match fault {
        NoAnswer::NotConnected => (FailureClass::NeverLeft, "connect"),
        NoAnswer::Lost if gate.passed() => (FailureClass::Uncertain, "connection_lost"),
        NoAnswer::Lost => (FailureClass::NeverLeft, "connection_lost"),
    };
    failed(class, FailureCause::Provider, code)
}

fn late(gate: &Gate) -> Outcome {
    let class = if gate.passed() { FailureClass::Uncertain } else { FailureClass::NeverLeft };
    failed(class, FailureCause::Provider, "timeout")
}
