//! What was accepted is never lost and never sent twice: over an orderly stop, and over many kills at full load.

use crate::api_requests::settle;
use crate::support::eventually;
use crate::support::gateway::Gateway;
use crate::support::http::Client;
use crate::support::sample::{Person, noon, person};
use crate::support::vendor::{Answer, Twilio};
use serde_json::{Value, json};
use std::collections::HashMap;
use std::sync::Mutex;
use std::time::Duration;

#[test]
fn a_stop_finishes_what_has_started() {
    let vendor = Twilio::start(None, |_| Answer::Accept(Duration::from_millis(1500)));
    let mut gateway = Gateway::with(vendor.setup(100));
    let client = gateway.admin();
    let sample = person(1);
    sample.enter(&client, noon());
    let answer = client.post("/v1/contact-requests", &sample.request("r-1", &["sms"])).expect(202);
    vendor.wait_for(1);
    gateway.ask_to_stop();
    assert_eq!(gateway.ended(), Some(0));
    gateway.run();
    let state = settle(&client, answer["id"].as_str().expect("an id"), &["sent", "delivered", "unknown"]);
    assert_eq!(state["status"], "sent", "{state}");
    assert_eq!(vendor.received().len(), 1);
}

#[test]
fn what_waits_goes_on_waiting_over_a_restart() {
    let mut gateway = Gateway::start();
    let client = gateway.admin();
    let sample = person(1);
    sample.enter_bare(&client, noon());
    let answer = client.post("/v1/contact-requests", &sample.request("r-1", &["email"])).expect(202);
    let id = answer["id"].as_str().expect("an id");
    settle(&client, id, &["deferred"]);
    assert_eq!(gateway.stop(), Some(0));
    gateway.run();
    settle(&client, id, &["deferred"]);
    client.post(&format!("{}/consents", sample.path()), &sample.consent("email", "electronic")).ok();
    settle(&client, id, &["sent", "delivered"]);
}

const ROUNDS: usize = 8;
const PEOPLE: usize = 30;

/// Posts one request for each person until the gateway is gone; keeps what was acknowledged.
fn load(client: &Client, people: &[Person], accepted: &Mutex<HashMap<String, String>>) {
    for person in people {
        let request = person.request(&format!("r-{}", person.id), &["sms"]);
        let headers = [("Content-Type", "application/json")];
        let answer =
            client.try_send("POST", "/v1/contact-requests", &headers, request.to_string().as_bytes());
        let Ok(answer) = answer else { return };
        assert_eq!(answer.status(), 202, "{}", answer.text());
        let id = answer.json()["id"].as_str().expect("an id").to_owned();
        accepted.lock().expect("a lock").insert(person.phone.clone(), id);
    }
}

#[test]
fn nothing_acknowledged_is_lost_and_nothing_is_sent_twice_over_many_kills() {
    let vendor = Twilio::start(None, |_| Answer::Accept(Duration::from_millis(30)));
    let mut gateway = Gateway::with(vendor.setup(1000));
    let client = gateway.admin();
    let accepted = Mutex::new(HashMap::new());
    let mut in_doubt = 0;
    for round in 0..ROUNDS {
        let people: Vec<Person> = (round * PEOPLE..(round + 1) * PEOPLE).map(person).collect();
        people.iter().for_each(|person| person.enter_for(&client, noon(), &["sms"]));
        let before = vendor.received().len();
        std::thread::scope(|scope| {
            for half in people.chunks(PEOPLE / 2) {
                let (client, accepted) = (&client, &accepted);
                scope.spawn(move || load(client, half, accepted));
            }
            // The vendor is holding its answer to the last of these while the power goes.
            vendor.wait_for(before + 1 + round * 3);
            gateway.kill();
        });
        gateway.run();
        in_doubt += unknowns(&client);
    }
    assert!(in_doubt > 0, "no kill came at a hard moment");

    let accepted = accepted.into_inner().expect("a lock");
    assert!(accepted.len() >= ROUNDS, "{}", accepted.len());
    let mut sent_to: HashMap<String, usize> = HashMap::new();
    let states: HashMap<&String, Value> = accepted
        .iter()
        .map(|(phone, id)| (phone, settle(&client, id, &["sent", "delivered", "unknown"])))
        .collect();
    for text in vendor.received() {
        *sent_to.entry(text.get("To").to_owned()).or_default() += 1;
    }
    for (phone, state) in states {
        let times = sent_to.get(phone).copied().unwrap_or(0);
        let attempts = state["attempts"].as_array().expect("attempts");
        let counted = attempts.iter().filter(|attempt| attempt["status"] != "abandoned").count();
        assert_eq!(counted, 1, "{state}");
        match state["status"].as_str() {
            Some("unknown") => assert!(times <= 1, "{phone}: in doubt, and sent {times} times"),
            status => assert_eq!(times, 1, "{phone}: {status:?}, and sent {times} times"),
        }
    }
    let twice: Vec<_> = sent_to.iter().filter(|(_, times)| **times > 1).collect();
    assert!(twice.is_empty(), "sent more than once: {twice:?}");
    assert!(gateway.tool(&["verify", "--log"]).status.success());
}

/// How many requests stand at `unknown`, once recovery has looked at every open attempt.
fn unknowns(client: &Client) -> usize {
    eventually("recovery to end", || {
        client.all("/v1/contact-requests?status=dispatching").is_empty().then_some(())
    });
    client.all("/v1/contact-requests?status=unknown").len()
}

#[test]
fn what_was_imported_while_nothing_served_wakes_what_waits() {
    let mut gateway = Gateway::start();
    let client = gateway.admin();
    let sample = person(1);
    sample.enter_bare(&client, noon());
    let answer = client.post("/v1/contact-requests", &sample.request("r-1", &["sms"])).expect(202);
    let id = answer["id"].as_str().expect("an id");
    let state = settle(&client, id, &["deferred"]);
    assert_eq!(state["due_at"], Value::Null, "it waits for a fact: {state}");
    assert_eq!(gateway.stop(), Some(0));
    let consents = ["automated", "electronic"].map(|scope| {
        let mut consent = sample.consent("sms", scope);
        consent["debtor_id"] = json!(sample.id);
        consent.to_string()
    });
    let file = gateway.dir().join("consents.ndjson");
    std::fs::write(&file, consents.join("\n")).expect("written");
    let done = gateway.tool(&["import", "consents", file.to_str().expect("UTF-8")]);
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    gateway.run();
    settle(&client, id, &["sent", "delivered"]);
}
