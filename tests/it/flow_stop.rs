//! A stop is a barrier: once it is acknowledged, no further send that it forbids starts.

use crate::support::eventually;
use crate::support::gateway::Gateway;
use crate::support::sample::{noon, now, person};
use crate::support::vendor::Twilio;
use serde_json::json;

#[test]
fn nothing_starts_after_an_acknowledged_stop() {
    let vendor = Twilio::accepting();
    // One a second, so that most still wait when it comes, however slow the machine is.
    let gateway = Gateway::with(vendor.setup(1));
    let client = gateway.admin();
    let sample = person(1);
    sample.enter(&client, noon());
    let requests: Vec<String> =
        (0..60).map(|n| sample.request(&format!("r-{n}"), &["sms"]).to_string()).collect();
    let answers = client.lines("/v1/contact-requests/batch", &requests).ndjson();
    assert!(answers.iter().all(|answer| answer["id"].is_string()), "{answers:?}");
    vendor.wait_for(3);
    let stop =
        json!({"channel": "sms", "received_at": now().to_string(), "source": "a text", "text": "STOP"});
    client.post(&format!("{}/opt-outs", sample.path()), &stop).ok();

    eventually("every request to settle", || {
        let open = client.get("/v1/contact-requests?status=accepted,dispatching").expect(200);
        open["items"].as_array().is_some_and(Vec::is_empty).then_some(())
    });
    let received = vendor.received();
    assert!(received.len() < 60, "the stop came too late to mean anything");
    let history = client.all(&format!("{}/history", sample.path()));
    let place = |kind: &str| history.iter().rposition(|event| event["type"] == kind);
    assert!(place("attempt.started") < place("opt_out.received"), "an attempt started behind the stop");
    let count = |kind: &str| history.iter().filter(|event| event["type"] == kind).count();
    assert_eq!(count("attempt.started"), received.len() + count("attempt.abandoned"));
    assert_eq!(count("attempt.started"), count("attempt.sent") + count("attempt.abandoned"));
}
