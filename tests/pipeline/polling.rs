//! A vendor that never calls is asked: at its interval, at a bounded rate, as long as its manifest says, and after a restart too.

use crate::house::{Hand, House, START, at, until};
use axum::Router;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::routing::{get, post};
use dunwell::channel::Transport;
use dunwell::coordination::throttle::Throttles;
use dunwell::domain::channel::Channel;
use dunwell::domain::event::EventBody;
use dunwell::domain::fault::SourceFile;
use dunwell::domain::time::Span;
use dunwell::pipeline::Accepted;
use dunwell::pipeline::carriers::{Carrier, CarrierParts, Carriers};
use dunwell::provider::manifest::Manifest;
use serde_json::json;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

const QUIET: &str = r#"
[identity]
id = "quiet"
channel = "sms"
name = "Quiet"
docs = "https://quiet.example/docs"
tested_on = "2026-11-23"
[settings.base_url]
kind = "url"
required = true
help = "where"
[settings.key]
required = true
secret = true
help = "the key"
[send]
method = "POST"
url = "{base_url|raw}/messages"
auth.bearer.token = "{key}"
body.json = { to = "{to}", text = "{text}" }
[send.response]
accepted = { status = ["201"] }
reference = { json = "/id" }
[poll]
interval = "PT1M"
until = "PT1H"
rate_per_second = 50
method = "GET"
url = "{base_url|raw}/messages/{reference}"
auth.bearer.token = "{key}"
[poll.response]
accepted = { status = ["200"] }
[poll.status]
encoding = "json"
status = { json = "/state" }
statuses = { waiting = "pending", arrived = "delivered", lost = "failed" }
code = { json = "/why" }
[[poll.status.codes]]
codes = ["41"]
cause = "invalid_address"
"#;

/// What the vendor knows, and how often it was asked.
#[derive(Default)]
struct Known {
    taken: usize,
    asked: Vec<String>,
    answer: Option<(u16, &'static str)>,
}

#[derive(Clone, Default)]
struct Vendor(Arc<Mutex<Known>>);

impl Vendor {
    fn answers(&self, status: u16, body: &'static str) {
        self.0.lock().expect("a lock").answer = Some((status, body));
    }

    fn asked(&self) -> usize {
        self.0.lock().expect("a lock").asked.len()
    }

    async fn wait_for(&self, asked: usize) {
        let what = format!("it to be asked {asked} times");
        until(&what, async || (self.asked() >= asked).then_some(())).await;
    }

    /// Listens on loopback; its address.
    async fn open(&self) -> String {
        async fn take(State(vendor): State<Vendor>) -> (StatusCode, String) {
            let mut known = vendor.0.lock().expect("a lock");
            known.taken += 1;
            (StatusCode::CREATED, json!({"id": format!("q-{}", known.taken)}).to_string())
        }
        async fn tell(
            State(vendor): State<Vendor>,
            Path(id): Path<String>,
            headers: HeaderMap,
        ) -> (StatusCode, [(&'static str, &'static str); 1], &'static str) {
            assert_eq!(headers["authorization"], "Bearer s3cret");
            let mut known = vendor.0.lock().expect("a lock");
            known.asked.push(id);
            let (status, body) = known.answer.unwrap_or((200, r#"{"state":"waiting"}"#));
            (StatusCode::from_u16(status).expect("a status"), [("retry-after", "600")], body)
        }
        let router = Router::new()
            .route("/messages", post(take))
            .route("/messages/{id}", get(tell))
            .with_state(self.clone());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        tokio::spawn(async move { axum::serve(listener, router).await });
        format!("http://{address}")
    }
}

fn carriers(address: &str, clock: &Arc<Hand>) -> Carriers {
    carriers_at(50, address, clock)
}

/// With so many questions a second.
fn carriers_at(rate: u32, address: &str, clock: &Arc<Hand>) -> Carriers {
    let text = QUIET.replace("rate_per_second = 50", &format!("rate_per_second = {rate}"));
    let file = SourceFile { path: "sms/quiet/manifest.toml".to_owned(), text };
    let manifest = Arc::new(Manifest::read(&file).unwrap_or_else(|faults| panic!("{faults:#?}")));
    let given =
        BTreeMap::from([("base_url".to_owned(), address.into()), ("key".to_owned(), "s3cret".into())]);
    let settings = manifest.settings(&given, "test").expect("settings");
    let transport = Transport::open(&manifest, settings.clone(), clock.clone()).expect("a transport");
    Carriers::new(vec![Arc::new(Carrier::new(CarrierParts {
        channel: Channel::Sms,
        name: "quiet".to_owned(),
        manifest,
        settings,
        transport,
        throttles: Arc::new(Throttles::new([], Arc::new(|| Duration::ZERO))),
        places: 8,
    }))])
}

async fn house(vendor: &Vendor) -> (House, String) {
    let address = vendor.open().await;
    let clock = Arc::new(Hand::at(START));
    let place = Arc::new(tempfile::tempdir().expect("a folder"));
    let carriers = carriers(&address, &clock);
    (House::on(place, clock, carriers).await, address)
}

async fn sent(house: &House, id: &str) -> Accepted {
    house.debtor(id, json!({})).await;
    house.consent(id, "sms", &["automated", "electronic"]).await;
    let accepted = house.accept(house.request(&format!("r-{id}"), id, &["sms"])).await.expect("accepted");
    house.until(id, &accepted, "sent").await;
    accepted
}

#[tokio::test]
async fn it_is_asked_until_the_end_is_known_and_no_longer() {
    let vendor = Vendor::default();
    let (house, _) = house(&vendor).await;
    let first = sent(&house, "d1").await;
    assert_eq!(vendor.asked(), 0, "not before the first interval is over");
    house.pass(Span::seconds(61));
    vendor.wait_for(1).await;
    assert_eq!(house.state("d1").await.requests[&first.id].status.as_str(), "sent");
    vendor.answers(200, r#"{"state":"arrived"}"#);
    house.pass(Span::seconds(61));
    house.until("d1", &first, "delivered").await;

    // Only what is still open is asked about from here on.
    vendor.answers(200, r#"{"state":"waiting"}"#);
    let second = sent(&house, "d2").await;
    for _ in 0..3 {
        let before = vendor.asked();
        house.pass(Span::seconds(61));
        vendor.wait_for(before + 1).await;
    }
    let asked = vendor.0.lock().expect("a lock").asked.clone();
    assert_eq!(asked.iter().filter(|id| *id == "q-1").count(), 2, "{asked:?}");
    vendor.answers(200, r#"{"state":"lost","why":41}"#);
    house.pass(Span::seconds(61));
    house.until("d2", &second, "failed").await;
    let state = house.state("d2").await;
    assert_eq!(state.invalid_points.len(), 1, "and the number is not used again");
    let events = house.events("d2").await;
    let told = events.iter().filter(|event| matches!(event.body, EventBody::DeliveryUpdated(..))).count();
    assert_eq!(told, 1, "`waiting` is no news");
}

#[tokio::test]
async fn what_is_open_is_asked_about_after_a_restart() {
    let vendor = Vendor::default();
    let (house, address) = house(&vendor).await;
    let accepted = sent(&house, "d1").await;
    let (place, clock) = house.close().await;
    assert_eq!(vendor.asked(), 0);
    vendor.answers(200, r#"{"state":"arrived"}"#);
    clock.pass_to("2026-11-25T20:30:00Z");
    let carriers = carriers(&address, &clock);
    let house = House::on(place, clock, carriers).await;
    house.until("d1", &accepted, "delivered").await;
    // What has its end is not asked about by the next start.
    let (place, clock) = house.close().await;
    let asked = vendor.asked();
    let carriers = self::carriers(&address, &clock);
    let house = House::on(place, clock, carriers).await;
    let next = sent(&house, "d2").await;
    house.pass(Span::seconds(61));
    house.until("d2", &next, "delivered").await;
    let all = vendor.0.lock().expect("a lock").asked.clone();
    assert!(all[asked..].iter().all(|id| id == "q-2"), "{all:?}");
}

#[tokio::test]
async fn it_is_asked_no_longer_than_its_manifest_says() {
    let vendor = Vendor::default();
    let (house, address) = house(&vendor).await;
    sent(&house, "d1").await;
    house.pass(Span::seconds(3_700));
    let young = sent(&house, "d2").await;
    house.pass(Span::seconds(61));
    vendor.wait_for(1).await;
    let (place, clock) = house.close().await;
    clock.pass_to("2026-11-25T21:30:00Z");
    vendor.answers(200, r#"{"state":"arrived"}"#);
    let carriers = carriers(&address, &clock);
    let house = House::on(place, clock, carriers).await;
    house.until("d2", &young, "delivered").await;
    let asked = vendor.0.lock().expect("a lock").asked.clone();
    assert!(asked.iter().all(|id| id == "q-2"), "the first one is too old: {asked:?}");
    assert!(at(START) < house.pipeline.desk().clock.now());
}

#[tokio::test]
async fn patience_is_had_with_whatever_the_vendor_is_asked_about() {
    let vendor = Vendor::default();
    let (house, _) = house(&vendor).await;
    let mut open = Vec::new();
    for id in ["d1", "d2", "d3"] {
        open.push((id, sent(&house, id).await));
    }
    vendor.answers(429, "{}");
    house.pass(Span::seconds(61));
    vendor.wait_for(1).await;
    // Ten minutes are asked for: all but the last second of them pass, and nobody asks about the others either.
    house.pass(Span::seconds(590));
    let later = sent(&house, "d4").await;
    assert_eq!(vendor.asked(), 1);
    vendor.answers(200, r#"{"state":"arrived"}"#);
    house.pass(Span::seconds(61));
    for (id, accepted) in open.iter().chain([&("d4", later)]) {
        house.until(id, accepted, "delivered").await;
    }
    assert_eq!(vendor.asked(), 5, "each of the four once more");
    house.close().await;
}

#[tokio::test]
async fn a_vendor_that_knows_nothing_or_asks_for_patience_is_asked_again_later() {
    let vendor = Vendor::default();
    let (house, _) = house(&vendor).await;
    let accepted = sent(&house, "d1").await;
    for (answer, wait) in [((404, "{}"), 61), ((200, "not JSON"), 61), ((200, "{}"), 61), ((429, "{}"), 601)]
    {
        vendor.answers(answer.0, answer.1);
        let before = vendor.asked();
        house.pass(Span::seconds(61));
        vendor.wait_for(before + 1).await;
        assert_eq!(house.state("d1").await.requests[&accepted.id].status.as_str(), "sent");
        house.pass(Span::seconds(wait - 61));
    }
    // Five hundred and forty of the ten minutes' patience are over.
    let before = vendor.asked();
    vendor.answers(200, r#"{"state":"arrived"}"#);
    house.pass(Span::seconds(61));
    house.until("d1", &accepted, "delivered").await;
    assert_eq!(vendor.asked(), before + 1);
}

#[tokio::test]
async fn what_has_its_end_is_looked_at_no_more() {
    let vendor = Vendor::default();
    let address = vendor.open().await;
    let clock = Arc::new(Hand::at(START));
    let carriers = carriers(&address, &clock);
    let carrier = carriers.all().next().expect("one").clone();
    let house = House::on(Arc::new(tempfile::tempdir().expect("a folder")), clock, carriers).await;
    let accepted = sent(&house, "d1").await;
    house.pass(Span::seconds(61));
    vendor.wait_for(1).await;
    until("it to be asked about again", async || (carrier.polls.len() == 1).then_some(())).await;
    vendor.answers(200, r#"{"state":"arrived"}"#);
    house.pass(Span::seconds(61));
    house.until("d1", &accepted, "delivered").await;
    until("nothing to be asked", async || carrier.polls.is_empty().then_some(())).await;
    house.close().await;
}

#[tokio::test]
async fn what_has_its_end_keeps_nobody_waiting_at_a_start() {
    let vendor = Vendor::default();
    let (house, address) = house(&vendor).await;
    let mut done = Vec::new();
    for n in 1..=15 {
        let id = format!("d{n}");
        done.push((sent(&house, &id).await, id));
    }
    vendor.answers(200, r#"{"state":"arrived"}"#);
    house.pass(Span::seconds(61));
    for (accepted, id) in &done {
        house.until(id, accepted, "delivered").await;
    }
    let open = sent(&house, "d16").await;
    let (place, clock) = house.close().await;
    clock.pass_to("2026-11-25T20:30:00Z");
    let asked = vendor.asked();
    // One question a second, and the open one is the youngest of them all.
    let carriers = carriers_at(1, &address, &clock);
    let house = House::on(place, clock, carriers).await;
    // Counted and not measured: a machine that stands still proves nothing.
    let mut naps = 0;
    while vendor.asked() == asked && naps < 500 {
        tokio::time::sleep(Duration::from_millis(10)).await;
        naps += 1;
    }
    assert!(naps < 500, "it waits for fifteen that need no question");
    house.until("d16", &open, "delivered").await;
    assert_eq!(vendor.asked(), asked + 1);
    house.close().await;
}
