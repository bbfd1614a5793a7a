//! Requests to vendors over HTTP, as their manifests describe them.

use crate::channel::bearer::{Bearer, Lent};
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
use http_body::{Frame, SizeHint};
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

/// A connection that is not there by then is given up: less than the second within which a first byte must leave.
const CONNECT: Duration = Duration::from_millis(900);
/// RFC 9110, section 15.5.2.
const UNAUTHORIZED: u16 = 401;
/// Idle connections are dropped before a vendor's usual keep-alive ends, so that none closes under a request.
const IDLE: Duration = Duration::from_secs(15);

/// A vendor asked over HTTP.
pub struct Http {
    client: reqwest::Client,
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

/// A body that asks the gate before it gives itself away.
struct GatedBody {
    bytes: Option<Bytes>,
    gate: Arc<Gate>,
}

#[derive(Debug, thiserror::Error)]
#[error("overtaken before the first byte left")]
struct Overtaken;

impl http_body::Body for GatedBody {
    type Data = Bytes;
    type Error = Overtaken;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Overtaken>>> {
        match self.bytes.take() {
            Some(bytes) if self.gate.pass() => Poll::Ready(Some(Ok(Frame::data(bytes)))),
            Some(_) => Poll::Ready(Some(Err(Overtaken))),
            None => Poll::Ready(None),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.bytes.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.bytes.as_ref().map_or(0, |bytes| bytes.len() as u64))
    }
}

impl Http {
    /// A client of its own for each provider: its connections are never shared.
    pub(in crate::channel) fn new(
        manifest: Arc<Manifest>,
        settings: Settings,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, ChannelError> {
        let client = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .connect_timeout(CONNECT)
            .pool_idle_timeout(IDLE)
            .tcp_nodelay(true)
            .tcp_keepalive(Duration::from_secs(60))
            .no_proxy()
            .user_agent(concat!("dunwell/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|error| ChannelError::Start(error.to_string()))?;
        let deadline = manifest.limits.deadline.to_std();
        Ok(Self { client, manifest, settings, clock, deadline, bearer: Bearer::default() })
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
            Err(error) => return without_answer(gate, &error),
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

    async fn exchange(&self, request: reqwest::Request) -> Result<HttpResponse, reqwest::Error> {
        let mut response = self.client.execute(request).await?;
        let headers = response.headers().iter();
        let headers = headers
            .filter_map(|(name, value)| Some((name.as_str().to_owned(), value.to_str().ok()?.to_owned())))
            .collect();
        let mut body = Vec::new();
        // An answer that breaks off is read as far as it came: its status stands, its reference may be missing.
        while let Ok(Some(chunk)) = response.chunk().await {
            let room = self.manifest.limits.answer_bytes.saturating_sub(body.len());
            body.extend_from_slice(&chunk[..chunk.len().min(room)]);
            if chunk.len() >= room {
                break;
            }
        }
        Ok(HttpResponse { status: response.status().as_u16(), headers, body, received_at: self.clock.now() })
    }
}

/// The request as the client takes it. Where there is no body to ask the gate, it is asked here; what carries no message has
/// none.
fn written(request: HttpRequest, gate: Option<&Arc<Gate>>) -> Option<reqwest::Request> {
    let method = match request.method {
        Method::Get => reqwest::Method::GET,
        Method::Post => reqwest::Method::POST,
        Method::Put => reqwest::Method::PUT,
        Method::Patch => reqwest::Method::PATCH,
    };
    let mut out = reqwest::Request::new(method, url::Url::parse(&request.url).ok()?);
    for (name, value) in &request.headers {
        let name = reqwest::header::HeaderName::from_bytes(name.as_bytes()).ok()?;
        let mut value = reqwest::header::HeaderValue::from_str(value).ok()?;
        value.set_sensitive(name == reqwest::header::AUTHORIZATION);
        out.headers_mut().append(name, value);
    }
    match gate {
        Some(gate) if request.body.is_empty() => {
            gate.pass();
        }
        Some(gate) => {
            let body = GatedBody { bytes: Some(request.body.into()), gate: Arc::clone(gate) };
            *out.body_mut() = Some(reqwest::Body::wrap(body));
        }
        None => *out.body_mut() = Some(request.body.into()),
    }
    Some(out)
}

/// What it means that no answer came.
fn without_answer(gate: &Gate, error: &reqwest::Error) -> Outcome {
    if gate.refused() {
        return overtaken();
    }
    let code = if error.is_connect() { "connect" } else { "connection_lost" };
    if gate.passed() && !error.is_connect() {
        failed(FailureClass::Uncertain, FailureCause::Provider, code)
    } else {
        failed(FailureClass::NeverLeft, FailureCause::Provider, code)
    }
}

fn late(gate: &Gate) -> Outcome {
    let class = if gate.passed() { FailureClass::Uncertain } else { FailureClass::NeverLeft };
    failed(class, FailureCause::Provider, "timeout")
}
