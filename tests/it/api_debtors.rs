//! Debtors: what upstream knows, put and read back; and how a wrong body is refused.

use crate::support::gateway::Gateway;
use crate::support::http::Client;
use crate::support::sample::{days_ago, noon, person, with};
use serde_json::{Value, json};

#[test]
fn a_debtor_is_put_read_and_replaced() {
    let gateway = Gateway::start();
    let client = gateway.admin();
    let sample = person(1);
    client.get(&sample.path()).problem(404);
    sample.enter(&client, noon());

    let state = client.get(&sample.path()).expect(200);
    assert_eq!(state["debtor_id"], "D-1");
    assert_eq!(state["name"]["family"], "D-1");
    assert_eq!(state["accounts"][0]["balance"], json!({"amount": "482.13", "currency": "USD"}));
    assert_eq!(state["contact_points"].as_array().map(Vec::len), Some(3));
    for list in ["caps", "consents", "opt_outs", "holds"] {
        assert!(state[list].is_array(), "no {list}: {state}");
    }
    assert_eq!(state["consents"].as_array().map(Vec::len), Some(4));
    for cap in state["caps"].as_array().expect("a list") {
        assert!(cap["rule"].is_string() && cap["citation"].is_string() && cap["window"].is_string(), "{cap}");
        assert!(cap["used"].is_u64() && cap["limit"].is_u64(), "{cap}");
    }

    // Replacing forgets what upstream said before, and keeps what the debtor said.
    client.post(&format!("{}/opt-outs", sample.path()), &opt_out()).ok();
    let lean = json!({"contact_points": [{"kind": "phone", "value": sample.phone}], "accounts": [{"account_id": "A-1"}]});
    client.put(&sample.path(), &lean).ok();
    let state = client.get(&sample.path()).expect(200);
    assert_eq!(state["contact_points"].as_array().map(Vec::len), Some(1));
    assert_eq!(state["opt_outs"].as_array().map(Vec::len), Some(1));
    assert_eq!(state["name"], Value::Null);
}

fn opt_out() -> Value {
    json!({"channel": "email", "received_at": days_ago(1).to_string(), "source": "a letter"})
}

#[test]
fn lists_may_be_empty_and_little_is_required() {
    let gateway = Gateway::start();
    let client = gateway.admin();
    client.put("/v1/debtors/D-empty", &json!({"contact_points": [], "accounts": []})).ok();
    client.get("/v1/debtors/D-empty").expect(200);
}

#[test]
fn a_wrong_body_is_refused_with_pointers() {
    let gateway = Gateway::start();
    let client = gateway.admin();
    let file = person(1).file(noon());
    let refused = |body: &Value| client.put("/v1/debtors/D-1", body).pointers();

    assert_eq!(refused(&with(file.clone(), "nickname", "S")), ["/nickname"]);
    let mut nested = file.clone();
    nested["contact_points"][1]["colour"] = json!("red");
    assert_eq!(refused(&nested), ["/contact_points/1/colour"]);
    for (member, wrong) in [
        ("/contact_points/0/value", json!("555-0123")),
        ("/contact_points/1/value", json!("not an address")),
        ("/contact_points/0/kind", json!("pigeon")),
        ("/accounts/0/balance/amount", json!(482.13)),
        ("/accounts/0/collector_role", json!("uncle")),
        ("/accounts/0/validation_notice_sent_on", json!("yesterday")),
        ("/time_zone", json!("America/Nowhere")),
        ("/date_of_birth", json!("1984-13-11")),
    ] {
        let mut body = file.clone();
        *body.pointer_mut(member).unwrap_or(&mut Value::Null) = wrong.clone();
        if member == "/date_of_birth" {
            body["date_of_birth"] = wrong;
        }
        assert_eq!(refused(&body), [member], "{body}");
    }
    let mut missing = file.clone();
    missing["accounts"][0].as_object_mut().expect("an object").remove("account_id");
    let pointers = refused(&missing);
    assert!(pointers[0].starts_with("/accounts/0"), "{pointers:?}");
    client.get("/v1/debtors/D-1").problem(404);
}

#[test]
fn what_is_no_json_has_its_own_status() {
    let gateway = Gateway::start();
    let client = gateway.admin();
    let put =
        |kind: &str, body: &[u8]| client.send("PUT", "/v1/debtors/D-1", &[("Content-Type", kind)], body);
    put("application/json", b"{\"name\": ").problem(400);
    put("application/json", b"").problem(400);
    put("text/plain", b"{}").problem(415);
    put("application/json; charset=utf-8", b"{}").ok();
    let large = format!("{{\"language\": \"{}\"}}", "e".repeat(16 << 20));
    put("application/json", large.as_bytes()).problem(413);
    client.send("PATCH", "/v1/debtors/D-1", &[("Content-Type", "application/json")], b"{}").problem(405);
    client.get("/v1/nothing-here").problem(404);
}

#[test]
fn erasing_destroys_what_is_personal_and_keeps_stops_and_proofs() {
    let mut gateway = Gateway::start();
    let client = gateway.admin();
    let sample = person(1);
    sample.enter(&client, noon());
    client.post(&format!("{}/opt-outs", sample.path()), &opt_out()).ok();
    let erase = format!("{}/personal-data", sample.path());

    let retain = format!("{}/holds/retain", sample.path());
    client.put(&retain, &json!({"since": days_ago(1).to_string(), "detail": "a lawsuit"})).ok();
    client.delete(&erase).problem(409);
    client.delete(&retain).ok();
    let before = client.all(&format!("{}/history", sample.path()));
    assert!(before[0].to_string().contains(&sample.phone));
    client.delete(&erase).ok();

    let after = client.all(&format!("{}/history", sample.path()));
    assert_eq!(after.len(), before.len() + 1, "nothing is taken out of the history");
    assert_eq!(after.last().map(|event| &event["type"]), Some(&json!("debtor.erased")));
    for (then, now) in before.iter().zip(&after) {
        assert_eq!(then["leaf_hash"], now["leaf_hash"]);
    }
    let text = format!("{after:?}{}", client.get(&sample.path()).text());
    for personal in [&sample.phone, &sample.email, &sample.account, "a lawsuit", "a letter"] {
        assert!(!text.contains(personal), "{personal} is still to be read");
    }
    assert!(gateway.tool(&["verify", "--log"]).status.success());

    // Loaded again, after a restart too, the stop still binds.
    assert_eq!(gateway.stop(), Some(0));
    gateway.run();
    sample.enter(&client, noon());
    let consent = sample.consent("email", "electronic");
    client.post(&format!("{}/consents", sample.path()), &consent).ok();
    assert_eq!(crate::support::sample::decide(&client, &sample.query("email"))["outcome"], "block");
    assert_eq!(crate::support::sample::decide(&client, &sample.query("sms"))["outcome"], "allow");
}

#[test]
fn an_account_under_two_debtors_counts_for_both() {
    let gateway = Gateway::start();
    let client = gateway.admin();
    let (one, two) = (person(1), person(2));
    one.enter(&client, noon());
    let mut joint = two.file(noon());
    joint["accounts"][0]["account_id"] = json!(one.account);
    client.put(&two.path(), &joint).ok();
    for (number, who) in [&one, &one, &one, &two, &two, &two, &two].into_iter().enumerate() {
        let mut call = who.call(&format!("c-{number}"), days_ago(2), "no_answer");
        call["account_ids"] = json!([one.account]);
        client.post("/v1/contact-events", &call).ok();
    }
    for who in [&one, &two] {
        assert_eq!(call_cap_use(&client, &who.path()), 7, "{}", who.id);
    }
}

/// The use of the cap of seven calls in seven days (12 CFR 1006.14(b)(2)(i)(A)).
pub fn call_cap_use(client: &Client, path: &str) -> u64 {
    let state = client.get(path).expect(200);
    let caps = state["caps"].as_array().expect("caps").clone();
    let cap = caps.iter().find(|cap| cap["citation"].as_str().is_some_and(|c| c.contains("1006.14(b)(2)")));
    cap.unwrap_or_else(|| panic!("no cap on calls: {state}"))["used"].as_u64().expect("a number")
}
