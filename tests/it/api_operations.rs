//! Pauses and reviews: what an operator holds in hand.

use crate::api_requests::settle;
use crate::support::gateway::Gateway;
use crate::support::sample::{noon, now, person};
use jiff::SignedDuration;
use serde_json::json;

#[test]
fn a_pause_holds_the_next_send_until_it_is_lifted() {
    let gateway = Gateway::start();
    let client = gateway.admin();
    let sample = person(1);
    sample.enter(&client, noon());
    client.put("/v1/pauses/storm", &json!({"channel": "sms", "reason": "a storm in Florida"})).ok();
    let post = |id: &str, channel: &str| {
        let answer = client.post("/v1/contact-requests", &sample.request(id, &[channel])).expect(202);
        answer["id"].as_str().expect("an id").to_owned()
    };
    let (text, mail) = (post("r-1", "sms"), post("r-2", "email"));
    settle(&client, &mail, &["sent", "delivered"]);
    let state = settle(&client, &text, &["deferred"]);
    assert!(state["attempts"].as_array().is_some_and(Vec::is_empty), "{state}");
    client.delete("/v1/pauses/storm").ok();
    settle(&client, &text, &["sent", "delivered"]);
    client.delete("/v1/pauses/storm").problem(404);
    assert_eq!(
        client.put("/v1/pauses/storm", &json!({"channel": "sms"})).status(),
        422,
        "a pause has a reason"
    );
}

#[test]
fn a_pause_ends_by_itself_at_its_time() {
    let gateway = Gateway::start();
    let client = gateway.admin();
    let sample = person(1);
    sample.enter(&client, noon());
    // Long enough to be put before it ends, on a busy machine too.
    let until = now() + SignedDuration::from_secs(20);
    client
        .put(
            "/v1/pauses/short",
            &json!({"creditor": "First Bank", "reason": "a letter", "until": until.to_string()}),
        )
        .ok();
    let answer = client.post("/v1/contact-requests", &sample.request("r-1", &["portal"])).expect(202);
    let state = settle(&client, answer["id"].as_str().expect("an id"), &["sent", "delivered"]);
    let started: jiff::Timestamp =
        state["attempts"][0]["started_at"].as_str().expect("a time").parse().expect("a time");
    assert!(started >= until, "{state}");
}

#[test]
fn no_reply_is_held_at_first() {
    let gateway = Gateway::start();
    let client = gateway.admin();
    assert!(client.all("/v1/reviews").is_empty());
    let nobody = "/v1/reviews/rev_00000000000000000000000000000000";
    client.post(nobody, &json!({"resolution": "stop"})).problem(404);
    assert_eq!(client.post(nobody, &json!({"resolution": "maybe"})).pointers(), ["/resolution"]);
}
