//! A callback whose signature does not cover what it says: it counts once, whoever hangs up and whatever restarts.

use crate::house::{Hand, House, START};
use dunwell::channel::Transport;
use dunwell::coordination::throttle::Throttles;
use dunwell::domain::channel::Channel;
use dunwell::domain::fault::SourceFile;
use dunwell::domain::time::{Clock, Span};
use dunwell::pipeline::CallbackRefusal;
use dunwell::pipeline::carriers::{Carrier, CarrierParts, Carriers};
use dunwell::provider::callback::{CallbackKind, CallbackRequest};
use dunwell::provider::crypto::Hash;
use dunwell::provider::manifest::Manifest;
use futures_util::FutureExt;
use serde_json::json;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

const LOOSE: &str = r#"
identity = { id = "loose", channel = "sms", name = "Loose", docs = "https://loose.example", tested_on = "2026-11-23" }
settings.key = { help = "the key", required = true, secret = true }
send = { method = "POST", url = "https://loose.example/send", response = { accepted = { status = ["202"] } } }
[[signatures.time]]
primitive = "hmac_sha256"
keys = ["{key}"]
message = "{query:time}.{query:token}"
given = { query = "signature" }
given_form = "hex"
fresh = { time = { query = "time" }, within = "PT10M" }
once = true
[callbacks.inbound]
methods = ["POST"]
encoding = "json"
signature = "time"
acknowledge = { status = 200 }
reference = { json = "/id" }
from = { json = "/from" }
text = { json = "/text" }
"#;

fn carriers(clock: &Arc<Hand>) -> Carriers {
    let file = SourceFile { path: "sms/loose/manifest.toml".to_owned(), text: LOOSE.to_owned() };
    let manifest = Arc::new(Manifest::read(&file).unwrap_or_else(|faults| panic!("{faults:#?}")));
    let given = BTreeMap::from([("key".to_owned(), "s3cret".into())]);
    let settings = manifest.settings(&given, "test").expect("settings");
    let transport = Transport::open(&manifest, settings.clone(), clock.clone()).expect("a transport");
    Carriers::new(vec![Arc::new(Carrier::new(CarrierParts {
        channel: Channel::Sms,
        name: "loose".to_owned(),
        manifest,
        settings,
        transport,
        throttles: Arc::new(Throttles::new([], Arc::new(|| Duration::ZERO))),
        places: 8,
    }))])
}

/// On this ground, with somebody at each of two numbers.
async fn house(place: Arc<tempfile::TempDir>, clock: Arc<Hand>) -> House {
    let carriers = carriers(&clock);
    House::on(place, clock, carriers).await
}

async fn people(house: &House) {
    for (id, number) in [("d1", FIRST), ("d2", SECOND)] {
        let points = json!([{"kind": "phone", "value": number, "line_type": "mobile"}]);
        house.debtor(id, json!({"contact_points": points})).await;
    }
}

const FIRST: &str = "+13055550117";
const SECOND: &str = "+13055550118";

/// A stop from a number, under the signature of a time and a token.
fn stop(time: &str, token: &str, from: &str) -> CallbackRequest {
    let signature = hex::encode(Hash::Sha256.hmac(b"s3cret", format!("{time}.{token}").as_bytes()));
    CallbackRequest {
        method: "POST".to_owned(),
        url: format!(
            "http://127.0.0.1:8080/callbacks/sms/loose/inbound?time={time}&token={token}&signature={signature}"
        ),
        headers: Vec::new(),
        body: json!({"id": format!("m{from}"), "from": from, "text": "STOP"}).to_string().into_bytes(),
    }
}

async fn receive(house: &House, request: &CallbackRequest) -> Result<u16, CallbackRefusal> {
    let answer = house.pipeline.receive(Channel::Sms, "loose", CallbackKind::Inbound, request).await;
    answer.map(|answer| answer.status)
}

async fn stopped(house: &House) -> [usize; 2] {
    [house.state("d1").await.opt_outs.len(), house.state("d2").await.opt_outs.len()]
}

#[tokio::test]
async fn whoever_hangs_up_half_way_may_come_again() {
    let house = house(Arc::new(tempfile::tempdir().expect("a folder")), Arc::new(Hand::at(START))).await;
    people(&house).await;
    let time = (house.clock.now().millis() / 1_000).to_string();
    let (first, second) = (stop(&time, "a", FIRST), stop(&time, "a", SECOND));
    {
        let mut under_way = Box::pin(receive(&house, &first));
        assert!(under_way.as_mut().now_or_never().is_none(), "it has to look into the store");
        // What becomes of the first is not known yet: neither taken nor repeated.
        assert_eq!(receive(&house, &first).await, Err(CallbackRefusal::Unavailable));
    }
    assert_eq!(stopped(&house).await, [0, 0]);
    assert_eq!(receive(&house, &first).await, Ok(200));
    assert_eq!(stopped(&house).await, [1, 0]);
    assert_eq!(receive(&house, &second).await, Ok(200), "a repetition, answered as the first one was");
    assert_eq!(stopped(&house).await, [1, 0]);
    house.close().await;
}

#[tokio::test]
async fn a_restart_forgets_nothing_that_would_be_believed_again() {
    let ground = House::ground();
    let before = house(ground.0, ground.1).await;
    people(&before).await;
    let time = (before.clock.now().millis() / 1_000).to_string();
    assert_eq!(receive(&before, &stop(&time, "a", FIRST)).await, Ok(200));
    let (place, clock) = before.close().await;
    let after = house(place, clock).await;
    assert_eq!(receive(&after, &stop(&time, "a", SECOND)).await, Ok(200));
    assert_eq!(stopped(&after).await, [1, 0]);
    // Once it is forgotten, nobody believes it any more.
    after.pass(Span::minutes(21));
    assert_eq!(receive(&after, &stop(&time, "a", SECOND)).await, Err(CallbackRefusal::Unauthenticated));
    let time = (after.clock.now().millis() / 1_000).to_string();
    assert_eq!(receive(&after, &stop(&time, "a", SECOND)).await, Ok(200));
    assert_eq!(stopped(&after).await, [1, 1]);
    after.close().await;
}
