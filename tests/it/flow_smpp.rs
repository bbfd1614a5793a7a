//! Texts over SMPP, all the way: to a centre that nobody here wrote, and back with its receipts and what handsets write.

use crate::api_requests::settle;
use crate::support::centre::Centre;
use crate::support::eventually;
use crate::support::gateway::{Gateway, Setup};
use crate::support::http::Client;
use crate::support::sample::{Person, noon, person};
use serde_json::{Value, json};

fn setup(centre: &Centre, password: &str) -> Setup {
    let channels = format!(
        "[channels.sms]\nproviders = [\"smpp\"]\n[providers.sms.smpp]\nhost = \"127.0.0.1\"\nport = {}\ntls = \"none\"\n\
         system_id = \"gw\"\npassword = {{ env = \"SMPP_PASSWORD\" }}\nfrom = \"+15005550006\"\nthird_party_collections = true\n",
        centre.port
    );
    Setup { channels, env: vec![("SMPP_PASSWORD".to_owned(), password.to_owned())] }
}

fn text(client: &Client, person: &Person, request_id: &str) -> String {
    person.enter(client, noon());
    let answer = client.post("/v1/contact-requests", &person.request(request_id, &["sms"])).expect(202);
    answer["id"].as_str().expect("an id").to_owned()
}

fn count(client: &Client, person: &Person, kind: &str) -> usize {
    let history = client.all(&format!("{}/history", person.path()));
    history.iter().filter(|event| event["type"] == kind).count()
}

fn provider(client: &Client) -> Value {
    let all = client.get("/v1/providers").expect(200);
    all["items"]
        .as_array()
        .and_then(|items| items.iter().find(|item| item["provider"] == "smpp"))
        .expect("smpp")
        .clone()
}

#[test]
fn receipts_and_stops_come_back_over_the_connection() {
    let centre = Centre::start(&[]);
    let mut gateway = Gateway::with(setup(&centre, "pw"));
    let client = gateway.admin();
    centre.wait_for("bound", 1);
    let (well, gone, early, stops) = (person(7), person(89), person(67), person(45));

    let id = text(&client, &well, "r-1");
    let state = settle(&client, &id, &["delivered"]);
    assert_eq!(state["attempts"][0]["provider"], "smpp");
    let sent = centre.heard("submitted");
    let words: String = sent.iter().map(|part| part["text"].as_str().expect("words")).collect();
    assert!(words.contains("482.13") && words.contains("STOP"), "{words}");

    settle(&client, &text(&client, &gone, "r-2"), &["failed", "undelivered"]);
    // The connection is cut while nothing is under way: it is there again without anybody's doing.
    centre.tell(&json!({"kick": true}));
    centre.wait_for("bound", 2);
    // Its receipt comes before the centre's answer, and waits for it.
    settle(&client, &text(&client, &early, "r-3"), &["delivered"]);

    settle(&client, &text(&client, &stops, "r-4"), &["delivered"]);
    eventually("the stop", || (count(&client, &stops, "opt_out.received") == 1).then_some(()));
    assert_eq!(count(&client, &stops, "inbound.received"), 1);
    let answer = client.post("/v1/contact-requests", &stops.request("r-5", &["sms"])).expect(202);
    settle(&client, answer["id"].as_str().expect("an id"), &["blocked", "deferred"]);
    assert_eq!(count(&client, &stops, "attempt.started"), 1, "nothing more goes out");
    assert_eq!(provider(&client)["standing"], "in_service");
    assert!(centre.heard("acknowledged").iter().all(|answer| answer["acknowledged"] == 0));

    gateway.stop();
    centre.wait_for("unbound", 1);
}

#[test]
fn a_connection_lost_under_a_message_leaves_it_in_doubt_and_the_next_one_goes() {
    let centre = Centre::start(&[]);
    let gateway = Gateway::with(setup(&centre, "pw"));
    let client = gateway.admin();
    centre.wait_for("bound", 1);
    let (doubtful, next) = (person(0), person(7));
    let id = text(&client, &doubtful, "r-1");
    eventually("the attempt to be unknown", || {
        (count(&client, &doubtful, "attempt.unknown") == 1).then_some(())
    });
    settle(&client, &text(&client, &next, "r-2"), &["delivered"]);
    let state = client.get(&format!("/v1/contact-requests/{id}")).expect(200);
    assert_eq!(state["attempts"].as_array().map(Vec::len), Some(1), "it is not repeated: {state}");
    let to = doubtful.phone.trim_start_matches('+');
    let sent = centre.heard("submitted").iter().filter(|part| part["submitted"] == to).count();
    assert_eq!(sent, 1, "the first part was all that left");
}

#[test]
fn who_is_not_let_in_is_seen_among_the_providers() {
    let centre = Centre::start(&[]);
    let gateway = Gateway::with(setup(&centre, "wrong"));
    let client = gateway.admin();
    let sample = person(7);
    let id = text(&client, &sample, "r-1");
    eventually("the provider to be taken out of service", || {
        (provider(&client)["standing"] != json!("in_service")).then_some(())
    });
    assert!(centre.heard("submitted").is_empty());
    let state = client.get(&format!("/v1/contact-requests/{id}")).expect(200);
    assert!(state["status"] == "deferred" || state["status"] == "accepted", "it waits: {state}");
    let log = std::fs::read_to_string(gateway.log_path()).expect("a log");
    assert!(log.contains("bind_0x0e") && !log.contains("\"wrong\""), "{log}");
}
