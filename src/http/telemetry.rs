//! What every request leaves behind: a request id, a line in the access log, a count. Nothing personal: the route's template
//! stands for the address; never a path parameter, a query, a header of the caller's or a body.

use crate::domain::time::Entropy;
use crate::http::{Api, auth};
use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use axum::middleware::Next;
use axum::response::Response;
use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue, LabelValueEncoder};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// The header that carries the request id.
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Latency buckets, in seconds.
const BUCKETS: [f64; 10] = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.1, 0.5, 2.5, 10.0];

/// Numbers requests: a random word for the process, then a count.
pub struct RequestIds {
    process: String,
    next: AtomicU64,
}

impl RequestIds {
    /// Ids for one run of the program.
    pub fn new(entropy: &dyn Entropy) -> Self {
        let mut word = [0; 6];
        entropy.fill(&mut word);
        Self { process: hex::encode(word), next: AtomicU64::new(1) }
    }

    fn next(&self) -> String {
        format!("{}-{}", self.process, self.next.fetch_add(1, Ordering::Relaxed))
    }
}

/// A route's template as a label.
#[derive(Clone, Debug)]
struct Route(Option<MatchedPath>);

impl Route {
    fn as_str(&self) -> &str {
        self.0.as_ref().map_or("none", MatchedPath::as_str)
    }
}

impl PartialEq for Route {
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str()
    }
}

impl Eq for Route {}

impl Hash for Route {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.as_str().hash(state);
    }
}

impl EncodeLabelValue for Route {
    fn encode(&self, encoder: &mut LabelValueEncoder<'_>) -> Result<(), fmt::Error> {
        self.as_str().encode(encoder)
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Served {
    method: &'static str,
    route: Route,
    status: u16,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Timed {
    method: &'static str,
    route: Route,
}

/// The counts of this module.
#[derive(Clone)]
pub struct Meters {
    requests: Family<Served, Counter>,
    seconds: Family<Timed, Histogram, fn() -> Histogram>,
}

impl Meters {
    /// Makes the meters and enters them in a registry.
    pub fn register(registry: &mut Registry) -> Self {
        let meters = Self {
            requests: Family::default(),
            seconds: Family::new_with_constructor(|| Histogram::new(BUCKETS)),
        };
        registry.register("dunwell_http_requests", "Requests answered", meters.requests.clone());
        registry.register_with_unit(
            "dunwell_http_request_duration",
            "Time from the head of a request to the head of its answer",
            Unit::Seconds,
            meters.seconds.clone(),
        );
        meters
    }
}

/// Wraps every request.
pub async fn observe(State(api): State<Api>, mut request: Request, next: Next) -> Response {
    let started = api.timer();
    let method = known(request.method());
    let route = Route(request.extensions().get::<MatchedPath>().cloned());
    let id = api.request_ids().next();
    let holder = auth::identify(api.gate(), request.headers()).await;
    if let Some(holder) = &holder {
        request.extensions_mut().insert(std::sync::Arc::clone(holder));
    }
    let mut response = next.run(request).await;
    harden(response.headers_mut(), &id);
    let status = response.status().as_u16();
    let elapsed = api.timer().saturating_duration_since(started);
    let line = Line {
        id: &id,
        method,
        route: &route,
        status,
        elapsed,
        key: holder.as_ref().map(|holder| &*holder.id),
    };
    line.write();
    let meters = api.meters();
    meters.seconds.get_or_create(&Timed { method, route: route.clone() }).observe(elapsed.as_secs_f64());
    meters.requests.get_or_create(&Served { method, route, status }).inc();
    response
}

/// One line of the access log.
struct Line<'a> {
    id: &'a str,
    method: &'static str,
    route: &'a Route,
    status: u16,
    elapsed: Duration,
    key: Option<&'a str>,
}

macro_rules! access {
    ($level:ident, $line:expr) => {
        tracing::$level!(
            target: "dunwell::access",
            request = $line.id,
            method = $line.method,
            route = $line.route.as_str(),
            status = $line.status,
            duration_us = u64::try_from($line.elapsed.as_micros()).unwrap_or(u64::MAX),
            key = $line.key,
            "http.answered"
        )
    };
}

impl Line<'_> {
    /// What failed by our fault is a warning, what was refused is information. What went well is counted anyway and at full
    /// load a line would cost as much as the request, so it is for those who ask: `RUST_LOG=info,dunwell::access=debug`.
    fn write(&self) {
        match self.status {
            500.. => access!(warn, self),
            400..500 => access!(info, self),
            ..400 => access!(debug, self),
        }
    }
}

fn known(method: &Method) -> &'static str {
    [Method::GET, Method::POST, Method::PUT, Method::DELETE, Method::HEAD, Method::OPTIONS, Method::PATCH]
        .iter()
        .zip(["GET", "POST", "PUT", "DELETE", "HEAD", "OPTIONS", "PATCH"])
        .find_map(|(one, word)| (one == method).then_some(word))
        .unwrap_or("other")
}

/// Headers that keep a browser from doing anything with an answer but read it. Pages bring a policy of their own.
fn harden(headers: &mut HeaderMap, id: &str) {
    const ALWAYS: [(HeaderName, HeaderValue); 3] = [
        (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
        (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
        (header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY")),
    ];
    const UNLESS_SET: [(HeaderName, HeaderValue); 2] = [
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
        (
            header::CONTENT_SECURITY_POLICY,
            HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'"),
        ),
    ];
    for (name, value) in ALWAYS {
        headers.insert(name, value);
    }
    for (name, value) in UNLESS_SET {
        headers.entry(name).or_insert(value);
    }
    if let Ok(id) = HeaderValue::from_str(id) {
        headers.insert(REQUEST_ID, id);
    }
}
