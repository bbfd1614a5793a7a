//! Decisions: may I, and if not, when.

use crate::support::gateway::Gateway;
use crate::support::sample::{
    cites, days_ago, decide, hour, in_one_hour, instant, night, noon, now, person, with, zone_at,
};
use jiff::SignedDuration;
use serde_json::{Value, json};

#[test]
fn the_call_window_defers_to_eight_in_the_morning() {
    in_one_hour(the_call_window_defers);
}

fn the_call_window_defers() {
    let gateway = Gateway::start();
    let client = gateway.admin();
    let sample = person(1);
    sample.enter(&client, night());
    let decision = decide(&client, &sample.query("voice"));
    assert_eq!(decision["outcome"], "defer", "{decision}");
    assert_eq!(decision["channel"], "voice");
    assert_eq!(decision["contact_point"], sample.phone.as_str());
    assert_eq!(instant(&decision["permitted_from"]), hour(6), "{decision}");
    assert!(cites(&decision, "defer", "1006.6(b)(1)"), "{decision}");
    let finding = &decision["findings"][0];
    assert_eq!(instant(&finding["until"]), hour(6));
    assert!(finding["reason"].as_str().is_some_and(|reason| reason.contains(night())), "{finding}");
    assert_eq!(finding["facts"]["zones"], json!([night()]), "{finding}");
    assert!(decision["policy"]["digest"].as_str().is_some_and(|digest| digest.starts_with("sha256:")));
    assert!(decision["policy"]["packs"][0].as_str().is_some_and(|pack| pack.starts_with("us-federal@")));
}

#[test]
fn an_allowed_contact_says_until_when() {
    in_one_hour(an_allowed_contact);
}

fn an_allowed_contact() {
    let gateway = Gateway::start();
    let client = gateway.admin();
    let sample = person(1);
    sample.enter(&client, zone_at(19));
    let decision = decide(&client, &sample.query("voice"));
    assert_eq!(decision["outcome"], "allow", "{decision}");
    assert_eq!(decision["permitted_from"], decision["at"], "it is permitted now");
    // The presumption is against times after nine: 21:00 itself may still be used.
    let until = instant(&decision["permitted_until"]);
    assert!(until >= hour(2) && until <= hour(2) + SignedDuration::from_mins(1), "{decision}");
    assert_eq!(decision["findings"], json!([]), "what permits is told on request only");
    let all = client.post("/v1/decisions?explain=all", &sample.query("voice")).expect(200);
    let findings = all["findings"].as_array().expect("findings");
    assert!(!findings.is_empty() && findings.iter().all(|f| f["effect"] == "allow"), "{all}");
    assert!(
        findings
            .iter()
            .all(|f| f["citation"].is_string() && f["rule"].is_string() && f["reason"].is_string())
    );
}

#[test]
fn seven_calls_in_seven_days_are_the_cap() {
    let gateway = Gateway::start();
    let client = gateway.admin();
    let sample = person(1);
    sample.enter(&client, noon());
    for number in 0..6 {
        client
            .post("/v1/contact-events", &sample.call(&format!("c-{number}"), days_ago(3), "no_answer"))
            .ok();
    }
    assert_eq!(decide(&client, &sample.query("voice"))["outcome"], "allow");
    client.post("/v1/contact-events", &sample.call("c-7", days_ago(2), "voicemail")).ok();
    let decision = decide(&client, &sample.query("voice"));
    assert_eq!(decision["outcome"], "defer", "{decision}");
    assert!(cites(&decision, "defer", "1006.14(b)(2)"), "{decision}");
    let from = instant(&decision["permitted_from"]);
    assert!(
        from > now() + SignedDuration::from_hours(3 * 24)
            && from < now() + SignedDuration::from_hours(5 * 24)
    );
    // Calls are counted, not texts; and calls that were never connected are not (12 CFR 1006.14(b)(3)(ii)).
    assert_eq!(decide(&client, &sample.query("sms"))["outcome"], "allow");
    let other = person(2);
    other.enter(&client, noon());
    for number in 0..9 {
        client
            .post("/v1/contact-events", &other.call(&format!("n-{number}"), days_ago(2), "not_connected"))
            .ok();
    }
    assert_eq!(decide(&client, &other.query("voice"))["outcome"], "allow");
}

#[test]
fn a_conversation_quiets_the_telephone_for_seven_days() {
    let gateway = Gateway::start();
    let client = gateway.admin();
    let sample = person(1);
    sample.enter(&client, noon());
    client.post("/v1/contact-events", &sample.call("talk", days_ago(2), "conversation")).ok();
    let decision = decide(&client, &sample.query("voice"));
    assert_eq!(decision["outcome"], "defer", "{decision}");
    assert!(cites(&decision, "defer", "1006.14(b)(2)(i)(B)"), "{decision}");
    assert_eq!(decide(&client, &sample.query("sms"))["outcome"], "allow");
    let later = with(sample.query("voice"), "at", (hour(0) + SignedDuration::from_hours(24 * 6)).to_string());
    assert_eq!(decide(&client, &later)["outcome"], "allow");
}

#[test]
fn another_moment_is_judged_by_what_held_then() {
    let gateway = Gateway::start();
    let client = gateway.admin();
    let sample = person(1);
    sample.enter(&client, noon());
    let stop =
        json!({"channel": "sms", "received_at": days_ago(5).to_string(), "source": "a call, entered late"});
    client.post(&format!("{}/opt-outs", sample.path()), &stop).ok();
    let at = |days| with(sample.query("sms"), "at", days_ago(days).to_string());
    let question = at(6);
    let before = decide(&client, &question);
    assert_eq!(before["outcome"], "allow", "{before}");
    assert_eq!(instant(&before["at"]), instant(&question["at"]));
    assert_eq!(decide(&client, &at(4))["outcome"], "block");
    assert_ne!(decide(&client, &at(90))["outcome"], "allow", "no consent had been given yet");
    let tonight = with(sample.query("voice"), "at", hour(13).to_string());
    assert_eq!(decide(&client, &tonight)["outcome"], "defer");
}

#[test]
fn a_preview_counts_nothing_and_records_nothing() {
    let gateway = Gateway::start();
    let client = gateway.admin();
    let sample = person(1);
    sample.enter(&client, noon());
    let before = client.all(&format!("{}/history", sample.path())).len();
    for _ in 0..20 {
        assert_eq!(decide(&client, &sample.query("voice"))["outcome"], "allow");
    }
    assert_eq!(client.all(&format!("{}/history", sample.path())).len(), before);
}

#[test]
fn what_cannot_be_asked_is_refused() {
    let gateway = Gateway::start();
    let client = gateway.admin();
    let sample = person(1);
    sample.enter(&client, noon());
    let refused = |query: &Value| client.post("/v1/decisions", query).pointers();
    assert_eq!(refused(&with(sample.query("voice"), "debtor_id", "D-nobody")), ["/debtor_id"]);
    assert_eq!(refused(&with(sample.query("voice"), "channel", "pigeon")), ["/channel"]);
    assert_eq!(refused(&with(sample.query("voice"), "at", "tomorrow")), ["/at"]);
    assert_eq!(refused(&with(sample.query("voice"), "mood", "good")), ["/mood"]);
    for channel in ["letter", "visit"] {
        let decision = decide(&client, &sample.query(channel));
        assert!(decision["outcome"].is_string(), "{decision}");
    }
}

#[test]
fn without_a_zone_the_restrictive_reading_wins() {
    let gateway = Gateway::start();
    let client = gateway.admin();
    // A toll-free number says nothing of where its owner is, and no country is on file.
    let file = json!({
        "contact_points": [{"kind": "phone", "value": "+18005550123", "line_type": "landline"}],
        "accounts": [{"account_id": "A-1", "validation_notice_sent_on": "2026-01-01"}],
    });
    client.put("/v1/debtors/D-1", &file).ok();
    let decision = decide(&client, &json!({"debtor_id": "D-1", "account_ids": ["A-1"], "channel": "voice"}));
    assert_eq!(decision["outcome"], "block", "{decision}");
    assert!(!decision["findings"].as_array().expect("findings").is_empty());
}

#[test]
fn every_zone_on_file_must_permit() {
    let gateway = Gateway::start();
    let client = gateway.admin();
    // A number of New York and an address in Honolulu: five or six hours apart.
    let file = json!({
        "locations": [{"postal_code": "96813", "region": "US-HI", "country": "US"}],
        "contact_points": [{"kind": "phone", "value": "+12125550123", "line_type": "landline"}],
        "accounts": [{"account_id": "A-1", "validation_notice_sent_on": "2026-01-01"}],
    });
    client.put("/v1/debtors/D-1", &file).ok();
    let ask = |at: &str| decide(&client, &json!({"debtor_id": "D-1", "channel": "voice", "at": at}));
    // In winter New York is five hours ahead of Greenwich's west, Honolulu ten.
    assert_eq!(ask("2027-01-12T15:00:00Z")["outcome"], "defer", "ten in New York, five in Honolulu");
    assert_eq!(ask("2027-01-12T19:00:00Z")["outcome"], "allow", "two in New York, nine in Honolulu");
    assert_eq!(ask("2027-01-13T03:00:00Z")["outcome"], "defer", "ten at night in New York, five in Honolulu");
    let morning = ask("2027-01-12T15:00:00Z");
    assert_eq!(instant(&morning["permitted_from"]).to_string(), "2027-01-12T18:00:00Z", "{morning}");
}

#[test]
fn a_batch_is_answered_in_order() {
    let gateway = Gateway::start();
    let client = gateway.admin();
    let (day, dark) = (person(1), person(2));
    day.enter(&client, noon());
    dark.enter(&client, night());
    let lines = [
        day.query("voice").to_string(),
        dark.query("voice").to_string(),
        "{\"debtor_id\": ".to_owned(),
        with(day.query("voice"), "debtor_id", "D-nobody").to_string(),
        day.query("email").to_string(),
    ];
    let answers = client.lines("/v1/decisions/batch", &lines).ndjson();
    assert_eq!(answers.len(), 5, "{answers:?}");
    assert_eq!(answers[0]["outcome"], "allow");
    assert_eq!(answers[1]["outcome"], "defer");
    assert!(answers[2]["problem"]["detail"].is_string(), "{}", answers[2]);
    assert!(answers[3]["problem"]["detail"].is_string(), "{}", answers[3]);
    assert_eq!(answers[4]["channel"], "email");
    client.send("POST", "/v1/decisions/batch", &[("Content-Type", "application/json")], b"{}\n").problem(415);
}
