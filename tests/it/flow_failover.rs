//! Two vendors of texts, one of which fails: the other carries on, and nobody gets anything twice.

use crate::api_requests::settle;
use crate::support::attempts::history;
use crate::support::eventually;
use crate::support::gateway::{Gateway, Setup, free_address};
use crate::support::http::{Client, Message};
use crate::support::sample::{Person, noon, person, with};
use crate::support::vendor::{ACCOUNT_SID, AUTH_TOKEN, Answer, Twilio};
use base64::{Engine, prelude::BASE64_STANDARD};
use serde_json::{Value, json};
use std::io::{BufReader, Write};
use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// A Vonage of our own making, that takes every text and remembers whom it was for.
struct Vonage {
    address: SocketAddr,
    received: Arc<Mutex<Vec<String>>>,
}

impl Vonage {
    fn start() -> Self {
        let listener = TcpListener::bind(free_address()).expect("a port");
        let vonage = Self { address: listener.local_addr().expect("an address"), received: Arc::default() };
        let received = Arc::clone(&vonage.received);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let received = Arc::clone(&received);
                std::thread::spawn(move || {
                    let mut reader = BufReader::new(&stream);
                    while let Ok(Some(request)) = Message::read(&mut reader) {
                        let basic = format!("Basic {}", BASE64_STANDARD.encode("abcd1234:vonage-secret"));
                        let known = request.header("authorization") == Some(&basic);
                        let to = request.json()["to"].as_str().unwrap_or_default().to_owned();
                        let number = {
                            let mut received = received.lock().expect("a lock");
                            received.push(to);
                            received.len()
                        };
                        let (status, body) = match (known, request.start.as_str()) {
                            (true, "POST /v1/messages HTTP/1.1") => (
                                202,
                                json!({"message_uuid": format!("aaaaaaaa-bbbb-4ccc-8ddd-{number:012}")}),
                            ),
                            _ => (401, json!({"title": "Unauthorized"})),
                        };
                        let body = body.to_string();
                        let head = format!(
                            "HTTP/1.1 {status} X\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
                            body.len()
                        );
                        if { &stream }.write_all((head + &body).as_bytes()).is_err() {
                            return;
                        }
                    }
                });
            }
        });
        vonage
    }

    fn received(&self) -> Vec<String> {
        self.received.lock().expect("a lock").clone()
    }
}

fn both(twilio: SocketAddr, third_party: bool, vonage: &Vonage) -> Setup {
    let channels = format!(
        r#"
[channels.sms]
providers = ["twilio", "vonage"]
[providers.sms.twilio]
base_url = "http://{twilio}"
account_sid = "{ACCOUNT_SID}"
auth_token = {{ env = "TWILIO_AUTH_TOKEN" }}
from = "+15005550006"
rate_per_second = 100
third_party_collections = {third_party}
[providers.sms.vonage]
base_url = "http://{}"
api_key = "abcd1234"
api_secret = "vonage-secret"
signature_secret = "another-secret"
from = "15005550006"
rate_per_second = 100
"#,
        vonage.address
    );
    Setup { channels, env: vec![("TWILIO_AUTH_TOKEN".to_owned(), AUTH_TOKEN.to_owned())] }
}

fn send(client: &Client, person: &Person, name: &str) -> String {
    person.enter(client, noon());
    let answer = client.post("/v1/contact-requests", &person.request(name, &["sms"])).expect(202);
    answer["id"].as_str().expect("an id").to_owned()
}

/// Who had it, and how that ended. Where an attempt was given up as too late, the round began anew with whoever had it first:
/// what is then said twice is said once.
fn carried(state: &Value) -> Vec<(&str, &str)> {
    let attempts = state["attempts"].as_array().expect("attempts");
    let mut carried: Vec<_> = attempts
        .iter()
        .map(|a| (a["provider"].as_str().unwrap_or(""), a["status"].as_str().unwrap_or("")))
        .collect();
    carried.dedup();
    carried
}

fn provider(client: &Client, name: &str) -> Value {
    let listed = client.get("/v1/providers").expect(200);
    let items = listed["items"].as_array().expect("items").clone();
    items.into_iter().find(|item| item["provider"] == name).expect("the provider")
}

#[test]
fn a_vendor_that_cannot_be_reached_gives_way_and_is_left_alone() {
    let vonage = Vonage::start();
    let gateway = Gateway::with(both(free_address(), true, &vonage));
    let client = gateway.admin();
    // It is out of service once it failed often enough. Each probe in vain doubles its rest, so that one of these comes into it
    // however slow the machine is.
    let mut people: Vec<Person> = Vec::new();
    let mut spared = false;
    for n in 1..=20 {
        people.push(person(n));
        let sample = &people[people.len() - 1];
        let id = send(&client, sample, &format!("r-{n}"));
        let state = settle(&client, &id, &["sent"]);
        let passed_over = &state["decision"]["routing"]["passed_over"][0];
        if n == 1 {
            assert_eq!(carried(&state), [("twilio", "abandoned"), ("vonage", "sent")]);
            assert_eq!(state["decision"]["routing"]["provider"], "vonage");
            assert_eq!(*passed_over, json!({"provider": "twilio", "reason": "never_left"}));
            let history = history(&client, sample);
            let decided = history.iter().filter(|event| event["type"] == "decision.made").count();
            let hops = state["attempts"].as_array().map_or(0, Vec::len);
            assert_eq!(decided, hops, "each hop is a decision of its own");
        }
        if passed_over["reason"] == "out_of_service" {
            assert_eq!(carried(&state), [("vonage", "sent")], "nobody tries what is out of service");
            assert!(n > 5, "it is given a chance");
            spared = true;
            break;
        }
    }
    assert!(spared, "it is tried again and again");
    let known: Vec<String> =
        people.iter().map(|person| person.phone.trim_start_matches('+').to_owned()).collect();
    assert_eq!(vonage.received(), known, "each got one text");
    let twilio = provider(&client, "twilio");
    assert!(["out_of_service", "probing"].iter().any(|word| twilio["standing"] == *word), "{twilio}");
    assert_eq!((&twilio["share"], &twilio["place"]), (&json!(0), &json!(1)));
    assert_eq!(provider(&client, "vonage")["standing"], "in_service");
    let metrics = client.get("/metrics").text();
    for line in [
        r#"dunwell_provider_share{channel="sms",provider="twilio"} 0"#,
        r#"dunwell_provider_share{channel="sms",provider="vonage"} 100"#,
        &format!(
            r#"dunwell_attempts_total{{channel="sms",provider="vonage",outcome="sent"}} {}"#,
            people.len()
        ),
    ] {
        assert!(metrics.lines().any(|said| said == line), "{line} is not in\n{metrics}");
    }
    assert!(metrics.contains("dunwell_provider_set_backs_total"), "{metrics}");
    assert_eq!(gateway.anyone().get("/v1/providers").status(), 401);
    assert_eq!(gateway.role("operator").get("/v1/providers").status(), 200);
}

#[test]
fn an_account_that_is_refused_gives_way_and_a_lost_answer_does_not() {
    let vonage = Vonage::start();
    let (refused, lost) = (person(1), person(2));
    let number = lost.phone.clone();
    let twilio = Twilio::start(None, move |text| {
        if text.get("To") == number { Answer::HangUp } else { Answer::Refuse(401, 20003) }
    });
    let gateway = Gateway::with(both(twilio.address, true, &vonage));
    let client = gateway.admin();
    let id = send(&client, &refused, "r-1");
    let state = settle(&client, &id, &["sent"]);
    assert_eq!(carried(&state), [("twilio", "failed"), ("vonage", "sent")]);
    let attempts = state["attempts"].as_array().expect("attempts");
    let refusals = attempts.iter().filter(|attempt| attempt["status"] == "failed").count();
    assert_eq!(state["decision"]["routing"]["passed_over"][0]["reason"], "refused");
    let id = send(&client, &lost, "r-2");
    let state = settle(&client, &id, &["unknown"]);
    assert_eq!(carried(&state), [("twilio", "unknown")]);
    assert_eq!(vonage.received(), [refused.phone.trim_start_matches('+')]);
    let asked =
        |person: &Person| twilio.received().iter().filter(|text| text.get("To") == person.phone).count();
    assert_eq!(asked(&lost), 1, "what may have left is not repeated");
    assert_eq!(asked(&refused), refusals, "no more than were recorded");
}

#[test]
fn a_paused_vendor_and_one_that_takes_no_such_debts_are_passed_over() {
    let vonage = Vonage::start();
    let twilio = Twilio::start(None, |_| Answer::Accept(Duration::ZERO));
    let gateway = Gateway::with(both(twilio.address, false, &vonage));
    let client = gateway.admin();
    let (third, own) = (person(1), person(2));
    let id = send(&client, &third, "r-1");
    let state = settle(&client, &id, &["sent"]);
    assert_eq!(carried(&state), [("vonage", "sent")]);
    assert_eq!(state["decision"]["routing"]["passed_over"][0]["reason"], "third_party_debt");
    assert_eq!(provider(&client, "twilio")["third_party_collections"], false);

    own.enter(&client, noon());
    let mut file = own.file(noon());
    file["accounts"][0] = with(file["accounts"][0].clone(), "collector_role", "first_party");
    client.put(&own.path(), &file).ok();
    let pause = json!({"provider": "vonage", "reason": "an outage they told us of"});
    client.put("/v1/pauses/vonage-down", &pause).ok();
    assert_eq!(provider(&client, "vonage")["paused_by"], json!(["vonage-down"]));
    let answer = client.post("/v1/contact-requests", &own.request("r-2", &["sms"])).expect(202);
    let state = settle(&client, answer["id"].as_str().expect("an id"), &["sent"]);
    assert_eq!(carried(&state), [("twilio", "sent")]);

    // Nobody is left for a third party's debt: it waits until the pause is lifted.
    let waits = person(3);
    let id = send(&client, &waits, "r-3");
    let state = settle(&client, &id, &["deferred"]);
    assert_eq!(state["decision"]["findings"][0]["rule"], "house.no-provider");
    assert_eq!(client.delete("/v1/pauses/vonage-down").status(), 204);
    eventually("the text over vonage", || (vonage.received().len() == 2).then_some(()));
    settle(&client, &id, &["sent"]);
}
