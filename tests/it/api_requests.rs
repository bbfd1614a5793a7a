//! Contact requests: taken once, decided when they are about to go out, cancelled, listed.

use crate::api_debtors::call_cap_use;
use crate::support::attempts::{count, in_time};
use crate::support::eventually;
use crate::support::gateway::Gateway;
use crate::support::http::{Client, encode};
use crate::support::sample::{Person, days_ago, hour, in_one_hour, instant, night, noon, now, person, with};
use jiff::SignedDuration;
use serde_json::{Value, json};

/// Posts a request that must be taken; its id.
#[track_caller]
fn accept(client: &Client, request: &Value) -> String {
    let answer = client.post("/v1/contact-requests", request).expect(202);
    assert_eq!(answer["request_id"], request["request_id"]);
    answer["id"].as_str().unwrap_or_else(|| panic!("no id: {answer}")).to_owned()
}

/// Waits until the request stands at one of these; its attempts are those that were made in time.
#[track_caller]
pub fn settle(client: &Client, id: &str, statuses: &[&str]) -> Value {
    let mut last = Value::Null;
    eventually(&format!("{id} to become one of {statuses:?}"), || {
        last = client.get(&format!("/v1/contact-requests/{id}")).expect(200);
        statuses.contains(&last["status"].as_str()?).then(|| in_time(last.clone()))
    })
}

#[test]
fn a_lawful_request_is_sent_on_every_channel() {
    let gateway = Gateway::start();
    let client = gateway.admin();
    let sample = person(1);
    sample.enter(&client, noon());
    for channel in ["sms", "email", "voice", "portal"] {
        let id = accept(&client, &sample.request(&format!("r-{channel}"), &[channel]));
        let state = settle(&client, &id, &["sent", "delivered"]);
        assert_eq!(state["request_id"], format!("r-{channel}"));
        assert_eq!(state["decision"]["outcome"], "allow", "{state}");
        let attempts = state["attempts"].as_array().expect("attempts");
        assert_eq!(attempts.len(), 1, "{state}");
        let attempt = &attempts[0];
        assert_eq!(attempt["channel"], channel);
        assert!(attempt["id"].as_str().is_some_and(|id| id.starts_with("att_")), "{attempt}");
        assert!(attempt["provider"].is_string() && attempt["contact_point"].is_string(), "{attempt}");
        assert!(instant(&attempt["started_at"]) <= instant(&attempt["finished_at"]), "{attempt}");
        let messages = client.get(&format!("/v1/contact-requests/{id}/messages")).expect(200);
        assert!(
            messages["items"][0].to_string().contains("482.13"),
            "the balance is in the message as sent: {messages}"
        );
    }
}

#[test]
fn the_same_request_gets_the_same_answer_and_another_body_a_conflict() {
    let gateway = Gateway::start();
    let client = gateway.admin();
    let sample = person(1);
    sample.enter(&client, noon());
    let request = sample.request("crm-1", &["sms"]);
    let first = client.post("/v1/contact-requests", &request).expect(202);
    settle(&client, first["id"].as_str().expect("an id"), &["sent", "delivered"]);
    // The same content, written in another order and with other blanks, is the same body.
    let reordered = serde_json::to_string_pretty(&request).expect("JSON");
    let headers = [("Content-Type", "application/json")];
    for _ in 0..3 {
        let again = client.send("POST", "/v1/contact-requests", &headers, reordered.as_bytes()).expect(202);
        assert_eq!(again, first);
    }
    client.post("/v1/contact-requests", &with(request, "priority", "urgent")).problem(409);
    for kind in ["request.accepted", "attempt.started"] {
        assert_eq!(count(&client, &sample, kind), 1, "{kind}");
    }
}

#[test]
fn one_id_posted_by_many_at_once_is_one_request() {
    let gateway = Gateway::start();
    let client = gateway.admin();
    let sample = person(1);
    sample.enter(&client, noon());
    let request = sample.request("crm-1", &["sms"]);
    let ids: Vec<String> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..8).map(|_| scope.spawn(|| accept(&client, &request))).collect();
        threads.into_iter().map(|thread| thread.join().expect("no panic")).collect()
    });
    assert!(ids.iter().all(|id| *id == ids[0]), "{ids:?}");
    settle(&client, &ids[0], &["sent", "delivered"]);
    assert_eq!(count(&client, &sample, "request.accepted"), 1);
}

#[test]
fn what_could_never_be_sent_is_refused_at_intake() {
    let gateway = Gateway::start();
    let client = gateway.admin();
    let sample = person(1);
    sample.enter(&client, noon());
    let refused = |body: &Value| client.post("/v1/contact-requests", body).pointers();
    let request = sample.request("r-1", &["sms"]);
    assert_eq!(refused(&with(request.clone(), "debtor_id", "D-nobody")), ["/debtor_id"]);
    assert_eq!(refused(&with(request.clone(), "template", "love-letter")), ["/template"]);
    assert_eq!(refused(&with(request.clone(), "variables", json!({}))), ["/variables/due_date"]);
    assert_eq!(refused(&with(request.clone(), "channels", json!(["pigeon"]))), ["/channels/0"]);
    assert_eq!(refused(&with(request.clone(), "channels", json!([]))), ["/channels"]);
    assert_eq!(refused(&with(request.clone(), "expires_at", "soon")), ["/expires_at"]);
    assert_eq!(refused(&with(request.clone(), "fallback_after", "1 day")), ["/fallback_after"]);
    assert_eq!(refused(&with(request.clone(), "account_ids", json!(["A-nowhere"]))), ["/account_ids/0"]);
    assert_eq!(refused(&with(request.clone(), "colour", "red")), ["/colour"]);
    let mut without = request;
    without.as_object_mut().expect("an object").remove("request_id");
    assert!(!refused(&without).is_empty());
    assert!(client.all("/v1/contact-requests").is_empty());
}

#[test]
fn an_unlawful_request_waits_or_is_refused_with_its_citation() {
    in_one_hour(an_unlawful_request);
}

fn an_unlawful_request() {
    let gateway = Gateway::start();
    let client = gateway.admin();

    let asleep = person(1);
    asleep.enter(&client, night());
    let id = accept(&client, &asleep.request("r-night", &["voice"]));
    let state = settle(&client, &id, &["deferred"]);
    assert_eq!(instant(&state["decision"]["permitted_from"]), hour(6), "{state}");
    assert!(state["attempts"].as_array().is_some_and(Vec::is_empty));

    let ceased = person(2);
    ceased.enter(&client, noon());
    client.put(&format!("{}/holds/cease", ceased.path()), &json!({"since": days_ago(1).to_string()})).ok();
    let id = accept(&client, &ceased.request("r-cease", &["email"]));
    let state = settle(&client, &id, &["blocked"]);
    assert!(state["decision"]["findings"].to_string().contains("1006.6(c)"), "{state}");

    // What a person can lift leaves it waiting; once lifted, it goes.
    let silent = person(3);
    silent.enter_bare(&client, noon());
    let id = accept(&client, &silent.request("r-consent", &["email"]));
    let state = settle(&client, &id, &["deferred"]);
    assert_eq!(state["decision"]["permitted_from"], Value::Null, "{state}");
    client.post(&format!("{}/consents", silent.path()), &silent.consent("email", "electronic")).ok();
    settle(&client, &id, &["sent", "delivered"]);

    // Told that the zone is another, what waited for the morning goes at once.
    client.put(&asleep.path(), &asleep.file(noon())).ok();
    let nights = client.get("/v1/contact-requests?request_id=r-night").expect(200);
    settle(&client, nights["items"][0]["id"].as_str().expect("an id"), &["sent", "delivered"]);
}

#[test]
fn channels_are_tried_in_order() {
    let gateway = Gateway::start();
    let client = gateway.admin();
    let sample = person(1);
    sample.enter_bare(&client, noon());
    client.post(&format!("{}/consents", sample.path()), &sample.consent("email", "electronic")).ok();
    let id = accept(&client, &sample.request("r-1", &["sms", "email", "portal"]));
    let state = settle(&client, &id, &["sent", "delivered"]);
    assert_eq!(state["attempts"][0]["channel"], "email", "no consent for texts: {state}");
    let id = accept(&client, &sample.request("r-2", &["auto"]));
    settle(&client, &id, &["sent", "delivered"]);
}

#[test]
fn a_request_waits_for_its_time_and_expires_after_it() {
    let gateway = Gateway::start();
    let client = gateway.admin();
    let (awake, asleep, silent) = (person(1), person(2), person(3));
    awake.enter(&client, noon());
    asleep.enter(&client, night());
    silent.enter_bare(&client, noon());
    let soon = now() + SignedDuration::from_secs(2);
    let id = accept(&client, &with(awake.request("r-later", &["portal"]), "not_before", soon.to_string()));
    let state = settle(&client, &id, &["sent", "delivered"]);
    assert!(instant(&state["attempts"][0]["started_at"]) >= soon, "{state}");

    // Whether it waits for a fact or for the morning: at its end it expires.
    let short = [silent.request("r-short", &["email"]), asleep.request("r-night", &["voice"])];
    let ids = short.map(|request| {
        // Long enough to be taken, on a busy machine too.
        let soon = now() + SignedDuration::from_secs(20);
        accept(&client, &with(request, "expires_at", soon.to_string()))
    });
    for id in ids {
        let state = settle(&client, &id, &["expired"]);
        assert!(state["attempts"].as_array().is_some_and(Vec::is_empty), "{state}");
    }
    let late = with(asleep.request("r-late", &["voice"]), "expires_at", days_ago(1).to_string());
    assert_eq!(client.post("/v1/contact-requests", &late).pointers(), ["/expires_at"]);
}

#[test]
fn cancelling_ends_what_has_not_gone_out() {
    let gateway = Gateway::start();
    let client = gateway.admin();
    let (awake, asleep) = (person(1), person(2));
    awake.enter(&client, noon());
    asleep.enter(&client, night());
    let id = accept(&client, &asleep.request("r-night", &["voice"]));
    settle(&client, &id, &["deferred"]);
    client.post(&format!("/v1/contact-requests/{id}/cancel"), &json!({})).ok();
    settle(&client, &id, &["cancelled"]);
    let id = accept(&client, &awake.request("r-day", &["portal"]));
    settle(&client, &id, &["sent", "delivered"]);
    client.post(&format!("/v1/contact-requests/{id}/cancel"), &json!({})).problem(409);
    client.get("/v1/contact-requests/req_00000000000000000000000000000000").problem(404);
}

#[test]
fn a_bad_line_never_spoils_its_neighbours() {
    let gateway = Gateway::start();
    let client = gateway.admin();
    let sample = person(1);
    sample.enter(&client, noon());
    let lines = [
        sample.request("b-1", &["portal"]).to_string(),
        with(sample.request("b-2", &["portal"]), "template", "love-letter").to_string(),
        "{\"request_id\": \"b-3\", ".to_owned(),
        sample.request("b-4", &["portal"]).to_string(),
        sample.request("b-1", &["portal"]).to_string(),
    ];
    let answer = client.lines("/v1/contact-requests/batch", &lines);
    assert_eq!(answer.status(), 200);
    let answers = answer.ndjson();
    assert_eq!(answers.len(), 5, "{answers:?}");
    assert_eq!(answers[0]["request_id"], "b-1");
    assert_eq!(answers[1]["line"], 2, "{}", answers[1]);
    assert_eq!(answers[1]["request_id"], "b-2");
    assert_eq!(answers[1]["problem"]["errors"][0]["pointer"], "/template", "{}", answers[1]);
    assert_eq!(answers[2]["line"], 3, "{}", answers[2]);
    assert!(answers[2]["problem"]["detail"].is_string());
    assert_eq!(answers[3]["request_id"], "b-4");
    assert_eq!(answers[4]["id"], answers[0]["id"]);
    for answer in [&answers[0], &answers[3]] {
        settle(&client, answer["id"].as_str().expect("an id"), &["sent", "delivered"]);
    }
}

#[test]
fn lists_filter_and_page() {
    let gateway = Gateway::start();
    let client = gateway.admin();
    let people: Vec<Person> = (0..3).map(person).collect();
    people.iter().for_each(|person| person.enter(&client, noon()));
    people[2].enter(&client, night());
    let mut ids = Vec::new();
    for number in 0..12 {
        let who = &people[number % 3];
        let channel = if number % 3 == 2 { "voice" } else { "portal" };
        let campaign = if number < 6 { "early" } else { "late" };
        ids.push(accept(
            &client,
            &with(who.request(&format!("r-{number}"), &[channel]), "campaign", campaign),
        ));
    }
    for (number, id) in ids.iter().enumerate() {
        settle(&client, id, if number % 3 == 2 { &["deferred"] } else { &["sent", "delivered"] });
    }
    let count = |filter: &str| client.all(&format!("/v1/contact-requests?{filter}")).len();
    assert_eq!(count("limit=5"), 12);
    assert_eq!(count("debtor_id=D-0"), 4);
    assert_eq!(count("account_id=A-1&limit=1"), 4);
    assert_eq!(count("campaign=early"), 6);
    assert_eq!(count("status=deferred"), 4);
    assert_eq!(count("status=deferred&campaign=late"), 2);
    assert_eq!(count("channel=voice"), 4);
    assert_eq!(count("request_id=r-7"), 1);
    assert_eq!(count("request_id=none"), 0);
    assert_eq!(count(&format!("from={}", encode(&days_ago(1).to_string()))), 12);
    assert_eq!(count(&format!("to={}", encode(&days_ago(1).to_string()))), 0);
    let page = client.get("/v1/contact-requests?limit=5").expect(200);
    assert_eq!(page["items"].as_array().map(Vec::len), Some(5));
    for wrong in ["limit=0", "limit=1001", "limit=many", "cursor=nonsense", "status=happy", "colour=red"] {
        let status = client.get(&format!("/v1/contact-requests?{wrong}")).status();
        assert!(matches!(status, 400 | 422), "{wrong} gave {status}");
    }
}

/// A person whose number chooses what becomes of texts and calls at the sandbox.
fn with_number(last_four: &str) -> Person {
    Person { phone: format!("+1212555{last_four}"), ..person(1) }
}

#[test]
fn a_channel_that_fails_gives_way_to_the_next() {
    let gateway = Gateway::start();
    let client = gateway.admin();
    // 0101: refused, there is no such number. 0108: taken, and no receipt ever comes.
    for (number, patience, first) in [("0101", "PT24H", "failed"), ("0108", "PT1S", "sent")] {
        let sample =
            Person { id: format!("D-{number}"), account: format!("A-{number}"), ..with_number(number) };
        sample.enter(&client, noon());
        let request =
            with(sample.request(&format!("r-{number}"), &["sms", "email"]), "fallback_after", patience);
        let id = accept(&client, &request);
        let state = eventually("the next channel", || {
            let state = in_time(client.get(&format!("/v1/contact-requests/{id}")).expect(200));
            (state["attempts"].as_array()?.len() == 2 && state["status"] == "delivered").then_some(state)
        });
        assert_eq!(state["attempts"][0]["status"], first, "{state}");
        assert_eq!(state["attempts"][1]["channel"], "email", "{state}");
    }
    let sample = Person { id: "D-alone".to_owned(), account: "A-alone".to_owned(), ..with_number("0101") };
    sample.enter(&client, noon());
    let id = accept(&client, &sample.request("r-alone", &["sms", "email"]));
    let state = settle(&client, &id, &["failed", "sent", "delivered"]);
    assert_eq!(
        state["attempts"].as_array().map(Vec::len),
        Some(1),
        "without fallback_after it ends there: {state}"
    );
}

#[test]
fn an_attempt_in_doubt_counts_against_the_cap_and_one_that_never_left_does_not() {
    let gateway = Gateway::start();
    let client = gateway.admin();
    // 0102: the answer was lost. Seven such calls are seven calls.
    let doubtful = with_number("0102");
    doubtful.enter(&client, noon());
    for number in 0..7 {
        let id = accept(&client, &doubtful.request(&format!("r-{number}"), &["voice"]));
        settle(&client, &id, &["unknown"]);
        assert_eq!(call_cap_use(&client, &doubtful.path()), number + 1);
    }
    let id = accept(&client, &doubtful.request("r-7", &["voice"]));
    let state = settle(&client, &id, &["deferred", "unknown", "sent", "delivered"]);
    assert_eq!(state["status"], "deferred", "{state}");
    assert!(state["decision"]["findings"].to_string().contains("1006.14(b)(2)"), "{state}");

    // 0106: the provider is down.
    let down = Person { id: "D-down".to_owned(), account: "A-down".to_owned(), ..with_number("0106") };
    down.enter(&client, noon());
    accept(&client, &down.request("r-down", &["voice"]));
    eventually("an abandoned attempt", || (count(&client, &down, "attempt.abandoned") > 0).then_some(()));
    // The next one may just be on its way.
    eventually("it not to count", || (call_cap_use(&client, &down.path()) == 0).then_some(()));
}
