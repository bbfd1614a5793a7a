//! Tokens fetched before the send, from an authorization server that nobody here wrote; the vendor asks that server whether a
//! token is good.

use crate::{failure, peer, sms};
use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use dunwell::channel::{Gate, Transport};
use dunwell::domain::fault::SourceFile;
use dunwell::domain::outcome::{FailureCause, FailureClass, Outcome};
use dunwell::domain::time::{Clock, Timestamp};
use dunwell::provider::manifest::Manifest;
use dunwell::provider::settings::Given;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex};

const SECRET: &str = "a secret+with/odd=characters & more";
const MANIFEST: &str = r#"
identity = { id = "x", channel = "sms", name = "x", docs = "x", tested_on = "2026-11-23" }
settings.base_url = { help = "x", kind = "url", required = true }
settings.authority = { help = "x", kind = "url", required = true }
settings.client_id = { help = "x", required = true }
settings.client_secret = { help = "x", required = true, secret = true }
settings.scope = { help = "x", default = "sms:send" }
limits.deadline = "PT2M"
[send]
method = "POST"
url = "{base_url|raw}/send"
auth.oauth2 = { token_url = "{authority|raw}/token", client_id = "{client_id}", client_secret = "{client_secret}", scope = "{scope}" }
body.json = { to = "{to}", text = "{text}" }
[send.response]
accepted = { status = ["202"] }
"#;

/// A clock that the test moves.
struct Hand(AtomicI64);

impl Clock for Hand {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.0.load(Ordering::SeqCst))
    }
}

/// The vendor: which tokens it saw, and whether it takes any.
struct Vendor {
    authority: u16,
    client: reqwest::Client,
    seen: Mutex<Vec<String>>,
    sulks: AtomicBool,
}

impl Vendor {
    async fn start(authority: u16) -> (Arc<Self>, String) {
        let client = reqwest::Client::new();
        let vendor = Self { authority, client, seen: Mutex::default(), sulks: AtomicBool::new(false) };
        let vendor = Arc::new(vendor);
        let router = Router::new().route("/send", post(Self::take)).with_state(vendor.clone());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        tokio::spawn(async move { axum::serve(listener, router).await });
        (vendor, format!("http://{address}"))
    }

    async fn take(State(vendor): State<Arc<Self>>, headers: HeaderMap) -> StatusCode {
        let given = headers.get_all("authorization").iter().collect::<Vec<_>>();
        let [given] = given.as_slice() else { return StatusCode::BAD_REQUEST };
        let Some(token) = given.to_str().ok().and_then(|text| text.strip_prefix("Bearer ")) else {
            return StatusCode::BAD_REQUEST;
        };
        vendor.seen.lock().expect("a lock").push(token.to_owned());
        let good = vendor.ask("introspection", token).await.contains("\"active\":true");
        let takes = good && !vendor.sulks.load(Ordering::SeqCst);
        if takes { StatusCode::ACCEPTED } else { StatusCode::UNAUTHORIZED }
    }

    /// Asks the authority as the client that reads bodies.
    async fn ask(&self, what: &str, token: &str) -> String {
        let form = [("token", token), ("client_id", "by-body"), ("client_secret", SECRET)];
        let url = format!("http://127.0.0.1:{}/token/{what}", self.authority);
        let answer = self.client.post(url).form(&form).send().await.expect("an answer");
        answer.text().await.expect("text")
    }

    /// Every token that was seen, each once, in order.
    fn tokens(&self) -> Vec<String> {
        let mut tokens = self.seen.lock().expect("a lock").clone();
        tokens.dedup();
        tokens
    }
}

fn transport(base_url: &str, authority: u16, client: &str, secret: &str) -> (Transport, Arc<Hand>) {
    let text = match client {
        "by-body" => MANIFEST.replace("scope = \"{scope}\"", "scope = \"{scope}\", credentials = \"body\""),
        _ => MANIFEST.to_owned(),
    };
    let file = SourceFile { path: "sms/x/manifest.toml".to_owned(), text };
    let manifest = Arc::new(Manifest::read(&file).unwrap_or_else(|faults| panic!("{faults:#?}")));
    let authority = format!("http://127.0.0.1:{authority}");
    let pairs =
        [("base_url", base_url), ("authority", &authority), ("client_id", client), ("client_secret", secret)];
    let given: BTreeMap<String, Given> =
        pairs.iter().map(|(name, value)| ((*name).to_owned(), Given::from(*value))).collect();
    let settings = manifest.settings(&given, "test").unwrap_or_else(|faults| panic!("{faults:#?}"));
    let clock = Arc::new(Hand(AtomicI64::new(1_795_352_400_000)));
    (Transport::open(&manifest, settings, clock.clone()).expect("transport"), clock)
}

async fn send(transport: &Transport) -> Outcome {
    transport.send(&sms("+13055550117", "Sample text"), Gate::open()).await
}

#[track_caller]
fn taken(outcome: &Outcome) {
    assert_eq!(*outcome, Outcome::Accepted { provider_ref: None });
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_serves_until_it_runs_out_and_is_fetched_anew_where_it_was_taken_back() {
    let authority = peer::authority();
    for client in ["by-header", "by-body"] {
        let (vendor, base) = Vendor::start(authority.port).await;
        let (transport, clock) = transport(&base, authority.port, client, SECRET);
        let many = (0..8).map(|_| send(&transport));
        futures_util::future::join_all(many).await.iter().for_each(taken);
        assert_eq!(vendor.tokens().len(), 1, "{client}: one token serves all");
        // It lives ten minutes; a minute before that it is not trusted any more.
        clock.0.fetch_add(539_000, Ordering::SeqCst);
        taken(&send(&transport).await);
        assert_eq!(vendor.tokens().len(), 1, "{client}");
        clock.0.fetch_add(2_000, Ordering::SeqCst);
        taken(&send(&transport).await);
        let tokens = vendor.tokens();
        assert_eq!(tokens.len(), 2, "{client}");
        assert!(!format!("{transport:?}").contains(&tokens[1]));
        if client == "by-body" {
            vendor.ask("revocation", &tokens[1]).await;
            let (class, cause, code) = failure(send(&transport).await);
            let expected = (FailureClass::NeverLeft, FailureCause::Unspecified, "token_expired");
            assert_eq!((class, cause, code.as_str()), expected, "to be tried again, with another token");
            taken(&send(&transport).await);
            assert_eq!(vendor.tokens().len(), 3);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_vendor_that_takes_no_token_at_all_is_asked_once_for_each_message() {
    let authority = peer::authority();
    let (vendor, base) = Vendor::start(authority.port).await;
    vendor.sulks.store(true, Ordering::SeqCst);
    let (transport, _clock) = transport(&base, authority.port, "by-header", SECRET);
    for count in 1..=3 {
        let (class, cause, code) = failure(send(&transport).await);
        assert_eq!((class, cause, code.as_str()), (FailureClass::Refused, FailureCause::Account, "http_401"));
        assert_eq!(vendor.tokens().len(), count, "each with a token of its own");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_token_nothing_leaves() {
    let authority = peer::authority();
    let (vendor, base) = Vendor::start(authority.port).await;
    let nobody = peer::free_port();
    for (port, secret, cause, code) in [
        (authority.port, "wrong", FailureCause::Account, "token_refused"),
        (nobody, SECRET, FailureCause::Provider, "token_unavailable"),
    ] {
        let (transport, _clock) = transport(&base, port, "by-header", secret);
        let asked = Arc::new(AtomicBool::new(false));
        let seen = asked.clone();
        let gate = Gate::new(move || {
            seen.store(true, Ordering::SeqCst);
            true
        });
        let outcome = transport.send(&sms("+13055550117", "Sample text"), gate).await;
        let shown = format!("{outcome:?}");
        assert_eq!(failure(outcome), (FailureClass::NeverLeft, cause, code.to_owned()));
        assert!(!asked.load(Ordering::SeqCst) && !shown.contains(secret));
    }
    assert!(vendor.tokens().is_empty());
}
