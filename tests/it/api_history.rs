//! The history: every event of a debtor in order, chained, and across debtors.

use crate::api_requests::settle;
use crate::support::attempts::without_late;
use crate::support::gateway::Gateway;
use crate::support::sample::{days_ago, hour, instant, noon, person};
use serde_json::{Value, json};
use std::collections::BTreeSet;

fn types(events: &[Value]) -> Vec<&str> {
    events.iter().map(|event| event["type"].as_str().expect("a type")).collect()
}

#[test]
fn every_step_stands_in_the_history() {
    let gateway = Gateway::start();
    let client = gateway.admin();
    let sample = person(1);
    sample.enter_bare(&client, noon());
    client.post(&format!("{}/consents", sample.path()), &sample.consent("email", "electronic")).ok();
    let answer = client.post("/v1/contact-requests", &sample.request("r-1", &["email"])).expect(202);
    settle(&client, answer["id"].as_str().expect("an id"), &["sent", "delivered"]);
    let stop =
        json!({"channel": "all", "received_at": hour(0).to_string(), "source": "a call", "text": "no more"});
    client.post(&format!("{}/opt-outs", sample.path()), &stop).ok();

    let events = client.all(&format!("{}/history", sample.path()));
    let in_time = without_late(events.clone());
    let without_receipts: Vec<&str> =
        types(&in_time).into_iter().filter(|t| *t != "delivery.updated").collect();
    assert_eq!(
        without_receipts,
        [
            "debtor.updated",
            "consent.granted",
            "request.accepted",
            "decision.made",
            "attempt.started",
            "attempt.sent",
            "opt_out.received",
        ]
    );
    let first = events[0]["seq"].as_u64().expect("a number");
    for (event, seq) in events.iter().zip(first..) {
        assert_eq!(event["seq"].as_u64(), Some(seq), "{event}");
        assert!(event["leaf_index"].is_u64(), "{event}");
        let hash = event["leaf_hash"].as_str().unwrap_or_default();
        assert!(hash.len() >= 43, "a SHA-256: {event}");
        instant(&event["at"]);
    }
    let indices: Vec<u64> = events.iter().filter_map(|event| event["leaf_index"].as_u64()).collect();
    assert!(indices.is_sorted_by(|a, b| a < b), "{indices:?}");
    let hashes: BTreeSet<&str> = events.iter().filter_map(|event| event["leaf_hash"].as_str()).collect();
    assert_eq!(hashes.len(), events.len());

    let decision =
        events.iter().find(|event| event["type"] == "decision.made").expect("a decision").to_string();
    for part in ["as_of_seq", "tzdb", "sha256:"] {
        assert!(decision.contains(part), "no {part} in {decision}");
    }
    let attempt =
        events.iter().find(|event| event["type"] == "attempt.started").expect("an attempt").to_string();
    assert!(attempt.contains("message_digest"), "{attempt}");
    let last = events.last().expect("an event").to_string();
    assert!(last.contains("no more"), "what the debtor said is readable: {last}");
}

#[test]
fn the_history_pages_and_filters_across_debtors() {
    let gateway = Gateway::start();
    let client = gateway.admin();
    for number in 0..5 {
        person(number).enter(&client, noon());
    }
    let one = client.all(&format!("{}/history?limit=2", person(3).path()));
    assert_eq!(one.len(), 5);
    assert_eq!(client.all("/v1/history?type=debtor.updated&limit=2").len(), 5);
    assert_eq!(client.all("/v1/history?debtor_id=D-3").len(), 5);
    assert_eq!(client.all("/v1/history?type=opt_out.received").len(), 0);
    client.get("/v1/debtors/D-nobody/history").problem(404);
}

#[test]
fn machines_follow_everything_in_order() {
    let gateway = Gateway::start();
    let client = gateway.admin();
    person(1).enter(&client, noon());
    let all = client.all("/v1/events");
    let indices: Vec<u64> = all.iter().map(|event| event["leaf_index"].as_u64().expect("a number")).collect();
    assert!(indices.is_sorted_by(|a, b| a < b), "{indices:?}");
    let last = indices.last().expect("an event");
    assert!(client.all(&format!("/v1/events?after={last}")).is_empty());
    let stop = json!({"channel": "sms", "received_at": days_ago(0).to_string(), "source": "a call"});
    client.post(&format!("{}/opt-outs", person(1).path()), &stop).ok();
    let news = client.all(&format!("/v1/events?after={last}"));
    assert_eq!(types(&news), ["opt_out.received"]);
}
