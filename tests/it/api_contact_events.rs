//! Contacts made elsewhere, and permits for contacts that others carry.

use crate::support::eventually;
use crate::support::gateway::Gateway;
use crate::support::sample::{days_ago, decide, instant, noon, now, person, with};
use jiff::SignedDuration;
use serde_json::{Value, json};

#[test]
fn a_contact_event_counts_once() {
    let gateway = Gateway::start();
    let client = gateway.admin();
    let sample = person(1);
    sample.enter(&client, noon());
    let call = sample.call("c-1", days_ago(1), "no_answer");
    client.post("/v1/contact-events", &call).ok();
    client.post("/v1/contact-events", &call).ok();
    let history = client.all(&format!("{}/history", sample.path()));
    assert_eq!(history.iter().filter(|event| event["type"] == "contact.recorded").count(), 1);
    client.post("/v1/contact-events", &with(call.clone(), "result", "busy")).problem(409);
    let unknown = with(with(call.clone(), "debtor_id", "D-nobody"), "event_id", "c-2");
    assert_eq!(client.post("/v1/contact-events", &unknown).pointers(), ["/debtor_id"]);
    let wrong = with(with(call, "result", "hung up"), "event_id", "c-3");
    assert_eq!(client.post("/v1/contact-events", &wrong).pointers(), ["/result"]);
}

#[test]
fn a_batch_of_contact_events_spares_the_neighbours_of_a_bad_line() {
    let gateway = Gateway::start();
    let client = gateway.admin();
    let sample = person(1);
    sample.enter(&client, noon());
    let mut lines: Vec<String> =
        (0..7).map(|n| sample.call(&format!("c-{n}"), days_ago(1), "no_answer").to_string()).collect();
    lines.insert(3, "not json".to_owned());
    let answers = client.lines("/v1/contact-events/batch", &lines).ndjson();
    assert_eq!(answers.len(), 8);
    assert_eq!(answers.iter().filter(|answer| answer["problem"].is_object()).count(), 1);
    assert_eq!(answers[3]["line"], 4, "{}", answers[3]);
    assert_eq!(decide(&client, &sample.query("voice"))["outcome"], "defer");
    client.lines("/v1/contact-events/batch", &lines).ndjson();
    let history = client.all(&format!("{}/history", sample.path()));
    assert_eq!(history.iter().filter(|event| event["type"] == "contact.recorded").count(), 7);
}

#[test]
fn permits_reserve_under_the_same_caps() {
    let gateway = Gateway::start();
    let client = gateway.admin();
    let sample = person(1);
    sample.enter(&client, noon());
    let ask = || client.post("/v1/permits", &sample.query("voice"));
    let before = now();
    let permits: Vec<Value> = (0..7).map(|_| ask().expect(201)).collect();
    let after = now();
    for permit in &permits {
        assert_eq!(permit["decision"]["outcome"], "allow");
        let issued = instant(&permit["expires_at"]) - SignedDuration::from_mins(15);
        assert!((before..=after).contains(&issued), "fifteen minutes by default: {permit}");
    }
    let refused = ask();
    assert_eq!(refused.status(), 409, "{}", refused.text());
    let refused = refused.json();
    let decision = if refused["decision"].is_object() { &refused["decision"] } else { &refused };
    assert_eq!(decision["outcome"], "defer", "{refused}");

    // One given back makes room for one; a used one does not.
    let permit = |n: usize| format!("/v1/permits/{}", permits[n]["permit_id"].as_str().expect("an id"));
    client.delete(&permit(0)).ok();
    ask().expect(201);
    assert_eq!(ask().status(), 409);
    let outcome = json!({"result": "no_answer", "occurred_at": now().to_string()});
    client.post(&format!("{}/outcome", permit(1)), &outcome).ok();
    assert_eq!(ask().status(), 409);
    // Never connected: it counts no more.
    let outcome = json!({"result": "not_connected", "occurred_at": now().to_string()});
    client.post(&format!("{}/outcome", permit(2)), &outcome).ok();
    ask().expect(201);
    client.delete(&permit(1)).problem(409);
    client.delete("/v1/permits/prm_00000000000000000000000000000000").problem(404);
}

#[test]
fn an_unanswered_permit_expires_and_stays_counted() {
    let gateway = Gateway::start();
    let client = gateway.admin();
    let sample = person(1);
    sample.enter(&client, noon());
    for _ in 0..7 {
        client.post("/v1/permits", &with(sample.query("voice"), "ttl", "PT1S")).expect(201);
    }
    eventually("the permits to expire", || {
        let history = client.all(&format!("{}/history", sample.path()));
        (history.iter().filter(|event| event["type"] == "permit.expired").count() == 7).then_some(())
    });
    assert_eq!(decide(&client, &sample.query("voice"))["outcome"], "defer");
    assert_eq!(client.post("/v1/permits", &with(sample.query("voice"), "ttl", "soon")).pointers(), ["/ttl"]);
}

#[test]
fn concurrent_permits_never_exceed_the_cap() {
    let gateway = Gateway::start();
    let client = gateway.admin();
    let sample = person(1);
    sample.enter(&client, noon());
    let granted: usize = std::thread::scope(|scope| {
        let ask =
            || (0..5).filter(|_| client.post("/v1/permits", &sample.query("voice")).status() == 201).count();
        let threads: Vec<_> = (0..8).map(|_| scope.spawn(ask)).collect();
        threads.into_iter().map(|thread| thread.join().expect("no panic")).sum()
    });
    assert_eq!(granted, 7);
}
