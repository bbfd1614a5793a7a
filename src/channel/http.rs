//! Requests to vendors over HTTP, as their manifests describe them.

use crate::channel::{ChannelError, Gate, failed, overtaken, wrong_content};
use crate::domain::message::Outgoing;
use crate::domain::outcome::{FailureCause, FailureClass, Outcome};
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
/// Idle connections are dropped before a vendor's usual keep-alive ends, so that none closes under a request.
const IDLE: Duration = Duration::from_secs(15);

/// A vendor asked over HTTP.
pub struct Http {
    client: reqwest::Client,
    manifest: Arc<Manifest>,
    settings: Settings,
    clock: Arc<dyn Clock>,
    deadline: Duration,
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
        Ok(Self { client, manifest, settings, clock, deadline })
    }

    pub(in crate::channel) async fn send(&self, message: &Outgoing, gate: &Arc<Gate>) -> Outcome {
        let Some(request) = self.manifest.request(message, &self.settings, self.clock.now()) else {
            return wrong_content();
        };
        let Some(request) = written(request, gate) else {
            // Only a manifest or a setting can make an address that is none; trying again would not mend it.
            return failed(FailureClass::Refused, FailureCause::Account, "bad_request_address");
        };
        if gate.refused() {
            return overtaken();
        }
        match tokio::time::timeout(self.deadline, self.exchange(request)).await {
            Ok(Ok(response)) => self.manifest.outcome(&response),
            Ok(Err(error)) => without_answer(gate, &error),
            Err(_) => late(gate),
        }
    }

    /// Asks something that nothing can overtake; none where no answer came.
    pub(in crate::channel) async fn ask(&self, request: HttpRequest) -> Option<HttpResponse> {
        let request = written(request, &Arc::new(Gate::open()))?;
        tokio::time::timeout(self.deadline, self.exchange(request)).await.ok()?.ok()
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

/// The request as the client takes it. Where there is no body to ask the gate, it is asked here.
fn written(request: HttpRequest, gate: &Arc<Gate>) -> Option<reqwest::Request> {
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
    if request.body.is_empty() {
        gate.pass();
    } else {
        let body = GatedBody { bytes: Some(request.body.into()), gate: Arc::clone(gate) };
        *out.body_mut() = Some(reqwest::Body::wrap(body));
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
