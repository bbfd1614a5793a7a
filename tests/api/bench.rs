//! A gateway without a socket: the router over a pipeline and a store of its own.

use arc_swap::ArcSwap;
use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, Request, StatusCode};
use dunwell::channel::Transport;
use dunwell::coordination::throttle::Throttles;
use dunwell::domain::channel::Channel;
use dunwell::domain::debtor::{CollectorRole, DebtType};
use dunwell::domain::fault::SourceFile;
use dunwell::domain::time::{Clock, Entropy, Span, Timestamp};
use dunwell::http::auth::Gate;
use dunwell::http::telemetry::Meters;
use dunwell::http::{self, Setup};
use dunwell::pipeline::carriers::{Carrier, CarrierParts, Carriers};
use dunwell::pipeline::metrics::Metrics;
use dunwell::pipeline::{Desk, Parts, Pipeline, Settings, writing};
use dunwell::policy::Policy;
use dunwell::provider::manifest::Manifest;
use dunwell::storage::{self, Store};
use dunwell::template::catalogue::Catalogue;
use dunwell::template::context::Collector;
use prometheus_client::registry::Registry;
use secrecy::SecretSlice;
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};
use tower::ServiceExt;

/// The administrator's key.
pub const ADMIN: &str = "the-administrators-key";

/// Friday noon in New York.
const NOW: &str = "2026-11-20T17:00:00Z";

/// Two rules are law enough here: hours, and the cap on calls.
const LAW: &str = r#"
[[rule]]
id = "sample.hours"
kind = "contact_window"
citation = "12 CFR 1006.6(b)(1)(i)"
source = "https://www.consumerfinance.gov/rules-policy/regulations/1006/6/"
jurisdiction = "US"
verified = true
reviewed = false
[[rule.effective]]
from = 2021-11-30
opens = "08:00"
closes = "21:00"

[[rule]]
id = "sample.seven-in-seven"
kind = "frequency_cap"
citation = "12 CFR 1006.14(b)(2)(i)(A)"
source = "https://www.consumerfinance.gov/rules-policy/regulations/1006/14/"
jurisdiction = "US"
verified = true
reviewed = false
applies = { channels = ["voice"] }
[[rule.effective]]
from = 2021-11-30
limit = 7
days = 7
per = "debt"
counts = { channels = ["voice"] }

[[rule]]
id = "sample.no-threat"
kind = "account_status"
citation = "12 CFR 1006.26(b)"
source = "https://www.consumerfinance.gov/rules-policy/regulations/1006/26/"
jurisdiction = "US"
verified = true
reviewed = false
applies = { says = ["legal_action"] }
[[rule.effective]]
from = 2021-11-30
time_barred = true
"#;

struct Noon(Timestamp);

impl Clock for Noon {
    fn now(&self) -> Timestamp {
        self.0
    }
}

/// Dice that never show the same face twice, and always the same faces in the same order.
#[derive(Default)]
struct Counting(AtomicU64);

impl Entropy for Counting {
    fn fill(&self, bytes: &mut [u8]) {
        for chunk in bytes.chunks_mut(8) {
            let number = self.0.fetch_add(1, Ordering::Relaxed).wrapping_mul(0x9E37_79B9_7F4A_7C15);
            chunk.copy_from_slice(&number.to_be_bytes()[..chunk.len()]);
        }
    }
}

/// A gateway, called by the holder of one key.
pub struct Bench {
    router: Router,
    pipeline: Pipeline,
    key: String,
    dir: Arc<tempfile::TempDir>,
}

/// What it answered.
pub struct Reply {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub text: String,
    /// The body, where it is JSON; null otherwise.
    pub json: Value,
}

impl Reply {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().expect("text"))
    }

    #[track_caller]
    pub fn expect(&self, status: StatusCode) -> Value {
        assert_eq!(self.status, status, "{}", self.text);
        self.json.clone()
    }

    #[track_caller]
    pub fn problem(&self, status: StatusCode) -> Value {
        assert_eq!(self.header("content-type"), Some("application/problem+json"), "{}", self.text);
        self.expect(status)
    }

    /// The body with ids, keys and hashes by their kind only.
    pub fn steady(&self) -> Value {
        let mut json = self.json.clone();
        still(&mut json);
        json
    }
}

fn still(value: &mut Value) {
    match value {
        Value::String(text) => *text = without_hexadecimal(text),
        Value::Array(items) => items.iter_mut().for_each(still),
        Value::Object(members) => members.values_mut().for_each(still),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// The text with an ellipsis in place of every long run of hexadecimal digits.
fn without_hexadecimal(text: &str) -> String {
    let parts = text.split_inclusive(['_', ':']);
    parts
        .map(|part| if part.len() >= 32 && part.bytes().all(|b| b.is_ascii_hexdigit()) { "…" } else { part })
        .collect()
}

impl Bench {
    /// A gateway with nothing on file and no provider.
    pub async fn start() -> Self {
        Self::under(policy(), NOW.parse().expect("a moment")).await
    }

    /// The same under another law, at another moment.
    pub async fn under(policy: Policy, now: Timestamp) -> Self {
        let dir = Arc::new(tempfile::tempdir().expect("a directory"));
        let clock: Arc<dyn Clock> = Arc::new(Noon(now));
        let entropy: Arc<dyn Entropy> = Arc::new(Counting::default());
        let store = Store::open(&settings(dir.path()), Arc::clone(&entropy)).expect("a store");
        let mut registry = Registry::default();
        let meters = Meters::register(&mut registry);
        let metrics = Arc::new(Metrics::register(&mut registry));
        let desk = Arc::new(Desk {
            policy: ArcSwap::from_pointee(policy),
            templates: templates(),
            carriers: carriers(&clock),
            plans: dunwell::cadence::Plans::default(),
            voice: dunwell::pipeline::calls::Voice::default(),
            pauses: ArcSwap::default(),
            parking: dunwell::pipeline::parking::Parking::default(),
            once: dunwell::coordination::once::Once::default(),
            fetcher: dunwell::channel::fetch::Fetcher::new().expect("a fetcher"),
            names: store.pseudonymiser(),
            clock: Arc::clone(&clock),
            entropy: Arc::clone(&entropy),
            settings: house(),
        });
        let pipeline = Pipeline::start(Parts { store, desk, metrics }).await.expect("a pipeline");
        let router = http::router(Setup {
            pipeline: pipeline.clone(),
            gate: Arc::new(Gate::new(Some(ADMIN))),
            registry: Arc::new(registry),
            meters,
            readiness: Arc::new(|| Ok(())),
            public_url: "https://gateway.example".to_owned(),
            clock,
            timer,
            entropy,
        });
        Self { router, pipeline, key: ADMIN.to_owned(), dir }
    }

    /// The same gateway, called by somebody else; by nobody in particular with an empty key.
    pub fn as_holder(&self, key: &str) -> Self {
        let (router, pipeline, dir) = (self.router.clone(), self.pipeline.clone(), Arc::clone(&self.dir));
        Self { router, pipeline, key: key.to_owned(), dir }
    }

    /// The path of the unsubscribe link that an email to this address carries.
    pub fn unsubscribe_link(&self, debtor_id: &str, email: &str) -> String {
        let desk = self.pipeline.desk();
        let url =
            writing::unsubscribe_url(desk, self.pipeline.key(debtor_id), desk.names.point("email", email));
        let path = url.strip_prefix("https://gateway.example").expect("the public address");
        path.to_owned()
    }

    pub async fn send(&self, method: &str, path: &str, kind: Option<&str>, body: &[u8]) -> Reply {
        let mut request = Request::builder().method(method).uri(path);
        if !self.key.is_empty() {
            request = request.header("authorization", format!("Bearer {}", self.key));
        }
        if let Some(kind) = kind {
            request = request.header("content-type", kind);
        }
        let request = request.body(Body::from(body.to_vec())).expect("a request");
        let response = self.router.clone().oneshot(request).await.expect("infallible");
        let (status, headers) = (response.status(), response.headers().clone());
        let body = axum::body::to_bytes(response.into_body(), usize::MAX).await.expect("a whole body");
        let text = String::from_utf8(body.to_vec()).expect("UTF-8");
        let json = serde_json::from_str(&text).unwrap_or(Value::Null);
        Reply { status, headers, text, json }
    }

    pub async fn get(&self, path: &str) -> Reply {
        self.send("GET", path, None, b"").await
    }

    pub async fn put(&self, path: &str, body: &Value) -> Reply {
        self.send("PUT", path, Some("application/json"), body.to_string().as_bytes()).await
    }

    pub async fn post(&self, path: &str, body: &Value) -> Reply {
        self.send("POST", path, Some("application/json"), body.to_string().as_bytes()).await
    }

    pub async fn delete(&self, path: &str) -> Reply {
        self.send("DELETE", path, None, b"").await
    }

    /// Posts a batch; every line of the answer.
    pub async fn lines(&self, path: &str, lines: &[String]) -> Vec<Value> {
        let reply = self.send("POST", path, Some("application/x-ndjson"), lines.join("\n").as_bytes()).await;
        assert_eq!(reply.status, StatusCode::OK, "{}", reply.text);
        assert_eq!(reply.header("content-type"), Some("application/x-ndjson"));
        reply.text.lines().map(|line| serde_json::from_str(line).expect("a line of JSON")).collect()
    }
}

fn settings(dir: &Path) -> storage::Settings {
    storage::Settings {
        url: format!("sqlite:{}", dir.join("history.db").display()),
        data_dir: dir.to_owned(),
        master_key: SecretSlice::from(vec![7; 32]),
        readers: 4,
        bulk: storage::BULK,
    }
}

fn policy() -> Policy {
    let file = |path: &str, text: &str| SourceFile { path: path.to_owned(), text: text.to_owned() };
    let files = [
        file("sample/pack.toml", "[pack]\ntitle = \"Sample law\"\nversion = 1\n"),
        file("sample/sample.toml", LAW),
    ];
    Policy::load(&files, &["sample".to_owned()]).unwrap_or_else(|faults| {
        panic!("{}", faults.iter().map(|fault| format!("\n{fault}")).collect::<String>())
    })
}

/// A sandbox for calls, and nothing else.
fn carriers(clock: &Arc<dyn Clock>) -> Carriers {
    let files = shipped("providers");
    let file = files.iter().find(|file| file.path == "voice/sandbox/manifest.toml").expect("a manifest");
    let manifest = Arc::new(Manifest::read(file).expect("a good manifest"));
    let settings = manifest.settings(&BTreeMap::new(), "test").expect("defaults");
    let transport = Transport::open(&manifest, settings.clone(), Arc::clone(clock)).expect("a transport");
    let throttles =
        Arc::new(Throttles::new([("voice/sandbox".to_owned(), 1_000)], Arc::new(|| Duration::ZERO)));
    let (channel, name) = (Channel::Voice, "sandbox".to_owned());
    let parts = CarrierParts { channel, name, manifest, settings, transport, throttles, places: 8 };
    Carriers::new(vec![Arc::new(Carrier::new(parts))])
}

fn shipped(folder: &str) -> Vec<SourceFile> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let mut files = Vec::new();
    read(&folder, &folder, &mut files);
    files
}

/// The shipped words, read once.
fn templates() -> Arc<Catalogue> {
    static WORDS: LazyLock<Arc<Catalogue>> = LazyLock::new(|| {
        let words = Catalogue::load(&shipped("templates"));
        Arc::new(words.unwrap_or_else(|faults| {
            panic!("{}", faults.iter().map(|fault| format!("\n{fault}")).collect::<String>())
        }))
    });
    WORDS.clone()
}

fn read(folder: &Path, under: &Path, files: &mut Vec<SourceFile>) {
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            read(&path, under, files);
        } else {
            let name = path.strip_prefix(under).expect("under it").to_str().expect("UTF-8").to_owned();
            files.push(SourceFile { path: name, text: std::fs::read_to_string(&path).expect("UTF-8 text") });
        }
    }
    files.sort_by(|a, b| a.path.cmp(&b.path));
}

fn house() -> Settings {
    Settings {
        collector: Collector {
            address: Some("1 Main St, Columbus, OH 43004".to_owned()),
            name: Some("First Recovery LLC".to_owned()),
            neutral_name: Some("FR Services".to_owned()),
            phone: Some("+16145550100".to_owned()),
            ..Collector::default()
        },
        collector_role: CollectorRole::ThirdParty,
        debt_type: DebtType::Consumer,
        expire_after: Span::days(7),
        public_url: "https://gateway.example".to_owned(),
        rejoinders: Default::default(),
        roster: 1_000,
    }
}

#[expect(clippy::disallowed_methods, reason = "latency in a test is measured for real")]
fn timer() -> Instant {
    Instant::now()
}
