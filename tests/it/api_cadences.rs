//! Cadences over HTTP: begun, read, listed and taken back; what a changed plan changes, and what kills do not.

use crate::support::eventually;
use crate::support::gateway::{Gateway, Setup};
use crate::support::http::Client;
use crate::support::sample::{Person, noon, person};
use serde_json::{Value, json};
use std::collections::HashMap;
use std::fs;
use std::path::Path;
use std::sync::Mutex;

const SANDBOX: &str = r#"
[channels.sms]
providers = ["sandbox"]
[channels.email]
providers = ["sandbox"]
"#;

const PLAN: &str = r#"summary = "two reminders"
stop_on = ["reply", "payment", "account_closed", "dispute", "opt_out", "hold"]

[[steps]]
channels = ["email"]
template = "payment-reminder"

[[steps]]
after = "P3D"
channels = ["sms"]
template = "payment-reminder"
"#;

/// A gateway with one plan, `two`.
fn gateway(plan: &str) -> (Gateway, tempfile::TempDir) {
    let plans = tempfile::tempdir().expect("a directory");
    write(plans.path(), plan);
    let channels = format!("[plans]\ndir = \"{}\"\n{SANDBOX}", plans.path().display());
    (Gateway::with(Setup { channels, ..Setup::default() }), plans)
}

fn write(plans: &Path, plan: &str) {
    fs::write(plans.join("two.toml"), plan).expect("written");
}

fn cadence(person: &Person, name: &str) -> Value {
    json!({
        "cadence_id": name, "debtor_id": person.id, "plan": "two", "account_ids": [person.account],
        "variables": {"due_date": "2027-01-31"},
    })
}

fn begin(client: &Client, person: &Person, name: &str) -> String {
    let answer = client.post("/v1/cadences", &cadence(person, name)).expect(202);
    assert_eq!(answer["cadence_id"], name);
    let id = answer["id"].as_str().expect("an id").to_owned();
    assert!(id.starts_with("cad_"), "{id}");
    id
}

/// Waits until the second step's request is there.
#[track_caller]
fn second(client: &Client, id: &str) -> Value {
    eventually("the second step", || {
        let view = client.get(&format!("/v1/cadences/{id}")).ok();
        view["steps"][1]["contact_request"].is_object().then_some(view)
    })
}

#[test]
fn a_cadence_is_begun_read_listed_and_taken_back() {
    let (gateway, _plans) = gateway(PLAN);
    let client = gateway.admin();
    let sample = person(1);
    sample.enter(&client, noon());
    let id = begin(&client, &sample, "c-1");
    assert_eq!(begin(&client, &sample, "c-1"), id, "the same answer, for ever");
    let mut other = cadence(&sample, "c-1");
    other["campaign"] = json!("spring");
    assert_eq!(client.post("/v1/cadences", &other).expect(409)["type"], "urn:dunwell:problem:conflict");

    let view = second(&client, &id);
    assert_eq!(
        (&view["status"], &view["reason"], &view["cadence_id"], &view["debtor_id"], &view["plan"]["name"]),
        (&json!("active"), &Value::Null, &json!("c-1"), &json!(sample.id), &json!("two"))
    );
    assert_eq!(view["account_ids"], json!([sample.account]));
    assert_eq!(view["steps"][1]["after"], "P3D");
    let waiting = &view["steps"][1]["contact_request"];
    assert_eq!((&waiting["request_id"], &waiting["status"]), (&json!("c-1/2"), &json!("accepted")));
    let request =
        client.get(&format!("/v1/contact-requests/{}", waiting["id"].as_str().expect("an id"))).ok();
    assert_eq!(request["cadence"], json!({"id": id, "step": 2}));
    assert_eq!(client.all("/v1/contact-requests?request_id=c-1/2")[0]["id"], waiting["id"]);

    let ids = |path: &str| client.all(path).into_iter().map(|one| one["id"].clone()).collect::<Vec<_>>();
    assert_eq!(ids(&format!("/v1/cadences?debtor_id={}", sample.id)), [json!(id)]);
    assert_eq!(ids("/v1/cadences?cadence_id=c-1"), [json!(id)]);
    assert!(client.all("/v1/cadences?debtor_id=D-999").is_empty());
    assert!(client.all("/v1/cadences?cadence_id=c-1&debtor_id=D-999").is_empty());
    let third = begin(&client, &sample, "c-3");
    let page = client.get(&format!("/v1/cadences?debtor_id={}&limit=1", sample.id)).ok();
    assert_eq!(page["items"][0]["id"], json!(id));
    let next = page["next_cursor"].as_str().expect("more follows");
    let page = client.get(&format!("/v1/cadences?debtor_id={}&limit=1&cursor={next}", sample.id)).ok();
    assert_eq!((&page["items"][0]["id"], &page["next_cursor"]), (&json!(third), &Value::Null));

    let path = format!("/v1/cadences/{id}/cancel");
    for _ in 0..2 {
        let view = client.post(&path, &json!({"reason": "payment"})).ok();
        assert_eq!((&view["status"], &view["reason"]), (&json!("ended"), &json!("payment")));
        assert_eq!(view["steps"][1]["contact_request"]["status"], "cancelled");
    }
    client.post(&path, &json!({})).expect(409);
    let history = client.all(&format!("{}/history", sample.path()));
    let cancelled: Vec<_> = history.iter().filter(|event| event["type"] == "request.cancelled").collect();
    assert_eq!(cancelled.len(), 1);
    assert!(cancelled[0].to_string().contains("\"because\":\"payment\""), "{}", cancelled[0]);
}

#[test]
fn what_is_wrong_is_refused_with_its_place() {
    let (gateway, _plans) = gateway(PLAN);
    let client = gateway.admin();
    let sample = person(2);
    sample.enter(&client, noon());
    let pointers = |change: Value| {
        let mut said = cadence(&sample, "c-1");
        for (name, value) in change.as_object().expect("members") {
            said[name] = value.clone();
        }
        let problem = client.post("/v1/cadences", &said).expect(422);
        let errors = problem["errors"].as_array().expect("errors").clone();
        errors
            .iter()
            .map(|error| error["pointer"].as_str().expect("a pointer").to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(pointers(json!({"plan": "three"})), ["/plan"]);
    assert_eq!(
        pointers(json!({"variables": {"due": "2027-01-31"}})),
        ["/variables/due_date", "/variables/due"]
    );
    assert_eq!(pointers(json!({"colour": "red"})), ["/colour"]);
    assert_eq!(pointers(json!({"debtor_id": "D-999"})), ["/debtor_id"]);
    assert_eq!(pointers(json!({"expires_at": "tomorrow"})), ["/expires_at"]);
    client.get("/v1/cadences").expect(422);
    client.get("/v1/cadences?debtor_id=D-1&colour=red").expect(422);
    client.get("/v1/cadences/cad_1").expect(404);
    client.get("/v1/cadences/cad_00000000000074048404040404040404").expect(404);
    client.post("/v1/cadences/cad_00000000000074048404040404040404/cancel", &json!({})).expect(404);
    let id = begin(&client, &sample, "c-2");
    client.post(&format!("/v1/cadences/{id}/cancel"), &json!({"reason": "boredom"})).expect(422);
    client.post(&format!("/v1/cadences/{id}/cancel"), &json!({"why": "payment"})).expect(422);
    // Nobody shall think that a stop was recorded.
    for reason in ["opt_out", "dispute", "hold"] {
        let answer = client.post(&format!("/v1/cadences/{id}/cancel"), &json!({"reason": reason}));
        assert_eq!(answer.pointers(), ["/reason"], "{reason}");
    }
    assert_eq!(client.get(&format!("/v1/cadences/{id}")).ok()["status"], "active");
    // A contact request that is no step of any cadence is none.
    let plain = client.post("/v1/contact-requests", &sample.request("r-1", &["email"])).expect(202);
    let plain = plain["id"].as_str().expect("an id").replace("req_", "cad_");
    client.get(&format!("/v1/cadences/{plain}")).expect(404);

    let (reader, writer) = (gateway.role("compliance"), gateway.role("upstream"));
    second(&reader, &id);
    reader.post("/v1/cadences", &cadence(&sample, "c-3")).expect(403);
    reader.post(&format!("/v1/cadences/{id}/cancel"), &json!({})).expect(403);
    assert_eq!(reader.all("/v1/plans")[0]["name"], "two");
    let began = begin(&writer, &sample, "c-3");
    let ended = writer.send("POST", &format!("/v1/cadences/{began}/cancel"), &[], b"").ok();
    assert_eq!(ended["reason"], "cancelled");
    gateway.anyone().get("/v1/plans").expect(401);
}

/// The plan of a cadence, and what it makes of it; where its requests stand changes by itself.
fn plan_of(view: &Value) -> Value {
    let mut view = view.clone();
    for step in view["steps"].as_array_mut().expect("steps") {
        step["contact_request"]["status"].take();
    }
    view
}

#[test]
fn a_cadence_keeps_the_plan_that_it_was_begun_with() {
    let (mut gateway, plans) = gateway(PLAN);
    let client = gateway.admin();
    let sample = person(3);
    sample.enter(&client, noon());
    let old = second(&client, &begin(&client, &sample, "c-1"));
    assert_eq!(gateway.stop(), Some(0));
    write(plans.path(), &PLAN.replace("P3D", "P9D").replace("[\"sms\"]", "[\"email\"]"));
    gateway.run();
    let id = old["id"].as_str().expect("an id");
    assert_eq!(plan_of(&client.get(&format!("/v1/cadences/{id}")).ok()), plan_of(&old));
    let new = second(&client, &begin(&client, &sample, "c-2"));
    assert_eq!(new["steps"][1]["after"], "P9D");
    assert_ne!(new["plan"]["digest"], old["plan"]["digest"]);
    assert_eq!(client.all("/v1/plans")[0]["digest"], new["plan"]["digest"]);
    assert_eq!(gateway.stop(), Some(0));
    fs::remove_file(plans.path().join("two.toml")).expect("removed");
    gateway.run();
    let now = client.get(&format!("/v1/cadences/{id}")).ok();
    assert_eq!(plan_of(&now), plan_of(&old), "also where there is no such plan any more");
    client.post("/v1/cadences", &cadence(&sample, "c-3")).expect(422);
}

#[test]
fn check_names_every_fault_of_a_plan_with_its_line() {
    let (gateway, plans) = gateway(PLAN);
    let sound = gateway.tool(&["check", "plans"]);
    assert!(sound.status.success(), "{}", String::from_utf8_lossy(&sound.stdout));
    let bad = PLAN
        .replace("[\"sms\"]\ntemplate = \"payment-reminder\"", "[\"fax\"]\ntemplate = \"payment-reminder\"")
        .replace("\"opt_out\", ", "")
        .replace("[\"email\"]\n", "[\"email\"]\ncolour = \"red\"\n");
    write(plans.path(), &bad);
    fs::write(plans.path().join("other.toml"), PLAN.replace("payment-reminder", "no-such-template"))
        .expect("written");
    let faults = |gateway: &Gateway| {
        let output = gateway.tool(&["check", "plans"]);
        assert_eq!(output.status.code(), Some(1));
        String::from_utf8_lossy(&output.stdout).replace(&format!("{}/", plans.path().display()), "")
    };
    let text = faults(&gateway);
    for expected in [
        "two.toml:2: `stop_on` must also name opt_out",
        "two.toml:6: step 1: unknown field `colour`",
        "two.toml:11: step 2: expected one of email, sms, voice, portal, auto",
    ] {
        assert!(text.contains(expected), "{expected}\n{text}");
    }
    // What a plan's messages say is asked of plans that are sound by themselves.
    write(plans.path(), PLAN);
    let text = faults(&gateway);
    assert!(text.contains("other.toml:6: step 1: there is no template `no-such-template`"), "{text}");
    assert!(text.contains("other.toml:11: step 2:"), "{text}");
}

const ROUNDS: usize = 6;
const PEOPLE: usize = 20;

/// Begins a cadence for each person until the gateway is gone; keeps what was acknowledged.
fn load(client: &Client, people: &[Person], begun: &Mutex<HashMap<String, String>>) {
    for person in people {
        let body = cadence(person, &format!("c-{}", person.id)).to_string();
        let headers = [("Content-Type", "application/json")];
        let Ok(answer) = client.try_send("POST", "/v1/cadences", &headers, body.as_bytes()) else { return };
        assert_eq!(answer.status(), 202, "{}", answer.text());
        let id = answer.json()["id"].as_str().expect("an id").to_owned();
        begun.lock().expect("a lock").insert(person.id.clone(), id);
    }
}

#[test]
fn over_many_kills_every_cadence_goes_on_exactly_once() {
    let (mut gateway, _plans) = gateway(PLAN);
    let client = gateway.admin();
    let begun = Mutex::new(HashMap::new());
    for round in 0..ROUNDS {
        let people: Vec<Person> = (round * PEOPLE..(round + 1) * PEOPLE).map(person).collect();
        people.iter().for_each(|person| person.enter_for(&client, noon(), &["email"]));
        let before = begun.lock().expect("a lock").len();
        std::thread::scope(|scope| {
            scope.spawn(|| load(&client, &people, &begun));
            eventually("some of them", || {
                (begun.lock().expect("a lock").len() > before + round * 2).then_some(())
            });
            gateway.kill();
        });
        gateway.run();
    }
    let begun = begun.into_inner().expect("a lock");
    assert!(begun.len() >= ROUNDS, "{}", begun.len());
    for (debtor, id) in &begun {
        let view = second(&client, id);
        assert_eq!(view["status"], "active");
        let requests = client.all(&format!("/v1/contact-requests?debtor_id={debtor}"));
        let names: Vec<_> =
            requests.iter().map(|request| request["request_id"].as_str().expect("a name")).collect();
        assert_eq!(names, [format!("c-{debtor}/1"), format!("c-{debtor}/2")], "each step once");
        assert_eq!(requests[1]["status"], "accepted");
    }
    assert!(gateway.tool(&["verify", "--log"]).status.success());
}
