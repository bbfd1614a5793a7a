//! The outside contract, in process: the real router over a real pipeline and store, with a clock that stands still and
//! dice that always fall the same way. Every answer a caller may see has its snapshot.

#[path = "api/bench.rs"]
mod bench;
#[path = "support/patience.rs"]
mod patience;
#[path = "policy/support.rs"]
#[expect(dead_code, reason = "the tests of the law use more of it")]
mod support;
#[path = "policy/vector_world.rs"]
mod vector_world;
#[path = "api/vectors.rs"]
mod vectors;

use axum::http::StatusCode;
use bench::{ADMIN, Bench, Reply};
use serde_json::{Value, json};

fn debtor() -> Value {
    json!({
        "name": {"given": "Sample", "family": "Debtor"}, "date_of_birth": "1984-02-11", "language": "es",
        "locations": [{"postal_code": "33101", "region": "US-FL", "locality": "Miami", "country": "US"}],
        "contact_points": [
            {"kind": "phone", "value": "+13055550123", "line_type": "mobile"},
            {"kind": "email", "value": "sample@example.com"}
        ],
        "accounts": [{
            "account_id": "A-1", "creditor": "First Bank", "reference": "xxxx1234",
            "balance": {"amount": "482.13", "currency": "USD"}, "collector_role": "third_party",
            "debt_type": "consumer", "validation_notice_sent_on": "2026-08-01"
        }]
    })
}

fn call(event_id: &str, occurred_at: &str) -> Value {
    json!({
        "event_id": event_id, "debtor_id": "D-1001", "account_ids": ["A-1"], "channel": "voice",
        "direction": "outbound", "contact_point": "+13055550123", "occurred_at": occurred_at, "result": "no_answer"
    })
}

fn request(request_id: &str) -> Value {
    json!({
        "request_id": request_id, "debtor_id": "D-1001", "account_ids": ["A-1"], "channels": ["voice"],
        "template": "payment-reminder", "variables": {"due_date": "2026-12-01"}, "campaign": "nov-early",
        "not_before": "2026-11-21T17:00:00Z"
    })
}

async fn on_file() -> Bench {
    let bench = Bench::start().await;
    bench.put("/v1/debtors/D-1001", &debtor()).await.expect(StatusCode::CREATED);
    bench
}

/// Ids and hashes, which the dice make, by their kind only.
fn steady(value: &Reply) -> Value {
    value.steady()
}

#[tokio::test]
async fn a_debtor_is_read_back_with_what_follows_from_it() {
    let bench = on_file().await;
    let again = bench.put("/v1/debtors/D-1001", &debtor()).await;
    assert_eq!(again.expect(StatusCode::OK), json!({"debtor_id": "D-1001", "created": false}));
    let consent = json!({
        "channel": "sms", "contact_point": "+13055550123", "scope": "automated",
        "granted_at": "2026-06-01T15:00:00-04:00", "form": "electronic", "source": "web form 12"
    });
    bench.post("/v1/debtors/D-1001/consents", &consent).await.expect(StatusCode::CREATED);
    let stop = json!({
        "channel": "email", "account_ids": ["A-1"], "received_at": "2026-11-02T09:30:00-05:00", "source": "letter"
    });
    insta::assert_json_snapshot!(
        bench.post("/v1/debtors/D-1001/opt-outs", &stop).await.expect(StatusCode::CREATED)
    );
    let preferences =
        json!({"inconvenient": [{"days": ["mon"], "from": "12:00", "to": "13:30"}], "language": "es"});
    bench.put("/v1/debtors/D-1001/preferences", &preferences).await.expect(StatusCode::OK);
    let hold = json!({"since": "2026-10-14T00:00:00-04:00", "detail": "letter"});
    bench.put("/v1/debtors/D-1001/holds/dispute", &hold).await.expect(StatusCode::OK);
    bench.delete("/v1/debtors/D-1001/holds/dispute").await.expect(StatusCode::NO_CONTENT);
    bench
        .post("/v1/contact-events", &call("c-1", "2026-11-19T15:00:00-05:00"))
        .await
        .expect(StatusCode::CREATED);
    bench.post("/v1/contact-events", &call("c-1", "2026-11-19T15:00:00-05:00")).await.expect(StatusCode::OK);
    insta::assert_json_snapshot!(bench.get("/v1/debtors/D-1001").await.expect(StatusCode::OK));
}

#[tokio::test]
async fn an_erased_debtor_leaves_only_what_the_law_counts() {
    let bench = on_file().await;
    let retain = json!({"since": "2026-10-14T00:00:00-04:00"});
    bench.put("/v1/debtors/D-1001/holds/retain", &retain).await.expect(StatusCode::OK);
    bench.delete("/v1/debtors/D-1001/personal-data").await.problem(StatusCode::CONFLICT);
    bench.delete("/v1/debtors/D-1001/holds/retain").await.expect(StatusCode::NO_CONTENT);
    bench.delete("/v1/debtors/D-1001/personal-data").await.expect(StatusCode::NO_CONTENT);
    let erased = bench.get("/v1/debtors/D-1001").await.expect(StatusCode::OK);
    assert_eq!((&erased["erased"], &erased["name"]), (&json!(true), &Value::Null));
    assert_eq!(erased["contact_points"], json!([]));
    let history = bench.get("/v1/debtors/D-1001/history").await.expect(StatusCode::OK);
    assert_eq!(history["items"][0]["erased"], true);
    assert_eq!(history["items"][0]["personal"], Value::Null);
}

#[tokio::test]
async fn decisions_say_why_and_until_when() {
    let bench = on_file().await;
    let query = json!({"debtor_id": "D-1001", "account_ids": ["A-1"], "channel": "voice", "at": "2026-11-22T02:10:00Z"});
    insta::assert_json_snapshot!(steady(&bench.post("/v1/decisions", &query).await));
    let day = json!({"debtor_id": "D-1001", "channel": "voice"});
    insta::assert_json_snapshot!(steady(&bench.post("/v1/decisions?explain=all", &day).await));
}

#[tokio::test]
async fn what_a_message_says_is_judged_with_it() {
    let bench = Bench::start().await;
    let mut old = debtor();
    old["accounts"][0]["time_barred"] = json!(true);
    bench.put("/v1/debtors/D-1001", &old).await.expect(StatusCode::CREATED);
    let mut letter = json!({"debtor_id": "D-1001", "account_ids": ["A-1"], "channel": "letter"});
    assert_eq!(bench.post("/v1/decisions", &letter).await.expect(StatusCode::OK)["outcome"], "allow");
    letter["says"] = json!(["legal_action"]);
    let refused = bench.post("/v1/decisions", &letter).await.expect(StatusCode::OK);
    assert_eq!(
        (&refused["outcome"], &refused["findings"][0]["rule"]),
        (&json!("block"), &json!("sample.no-threat"))
    );
    bench.post("/v1/permits", &letter).await.expect(StatusCode::CONFLICT);
    letter["says"] = json!(["threats"]);
    let problem = bench.post("/v1/decisions", &letter).await.problem(StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(problem["errors"][0]["pointer"], "/says/0");
}

#[tokio::test]
async fn permits_reserve_and_the_refusal_carries_its_decision() {
    let bench = on_file().await;
    let query = json!({"debtor_id": "D-1001", "account_ids": ["A-1"], "channel": "voice", "ttl": "PT15M"});
    let mut last = Value::Null;
    for _ in 0..7 {
        last = bench.post("/v1/permits", &query).await.expect(StatusCode::CREATED);
    }
    assert_eq!(last["expires_at"], "2026-11-20T17:15:00Z");
    let refused = bench.post("/v1/permits", &query).await;
    assert_eq!(refused.status, StatusCode::CONFLICT);
    insta::assert_json_snapshot!(steady(&refused));
    let permit = format!("/v1/permits/{}", last["permit_id"].as_str().expect("an id"));
    let outcome = json!({"result": "voicemail", "occurred_at": "2026-11-20T11:55:00-05:00"});
    bench.post(&format!("{permit}/outcome"), &outcome).await.expect(StatusCode::NO_CONTENT);
    bench.delete(&permit).await.problem(StatusCode::CONFLICT);
    bench.delete("/v1/permits/prm_00000000000000000000000000000000").await.problem(StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn contact_requests_are_taken_read_listed_and_cancelled() {
    let bench = on_file().await;
    let taken = bench.post("/v1/contact-requests", &request("crm-1")).await;
    taken.expect(StatusCode::ACCEPTED);
    insta::assert_json_snapshot!(steady(&taken));
    let again = bench.post("/v1/contact-requests", &request("crm-1")).await;
    assert_eq!(again.expect(StatusCode::ACCEPTED), taken.json);
    let mut other = request("crm-1");
    other["priority"] = json!("urgent");
    bench.post("/v1/contact-requests", &other).await.problem(StatusCode::CONFLICT);
    bench.post("/v1/contact-requests", &request("crm-2")).await.expect(StatusCode::ACCEPTED);

    let id = taken.json["id"].as_str().expect("an id");
    let state = bench.get(&format!("/v1/contact-requests/{id}")).await.expect(StatusCode::OK);
    let members: Vec<&str> = state.as_object().expect("an object").keys().map(String::as_str).collect();
    assert_eq!(members, ["attempts", "decision", "id", "request_id", "status"]);
    let messages = bench.get(&format!("/v1/contact-requests/{id}/messages")).await;
    assert_eq!(messages.expect(StatusCode::OK), json!({"items": [], "next_cursor": null}));

    let list = bench
        .get("/v1/contact-requests?limit=1&campaign=nov-early&account_id=A-1")
        .await
        .expect(StatusCode::OK);
    assert_eq!(list["items"][0]["request_id"], "crm-1");
    assert_eq!(list["items"][0]["debtor_id"], "D-1001");
    let cursor = list["next_cursor"].as_str().expect("there is more");
    let rest =
        bench.get(&format!("/v1/contact-requests?limit=5&cursor={cursor}")).await.expect(StatusCode::OK);
    assert_eq!(rest["items"][0]["request_id"], "crm-2");
    assert_eq!(rest["next_cursor"], Value::Null);
    for (filter, count) in [
        ("request_id=crm-2", 1),
        ("request_id=crm-9", 0),
        ("debtor_id=D-1001", 2),
        ("debtor_id=D-9", 0),
        ("campaign=other", 0),
        ("account_id=A-9", 0),
        ("request_id=crm-2&debtor_id=D-9", 0),
        ("from=2026-11-20T17:00:00Z", 2),
        ("to=2026-11-20T17:00:00Z", 0),
        ("status=cancelled,sent", 0),
    ] {
        let list = bench.get(&format!("/v1/contact-requests?{filter}")).await.expect(StatusCode::OK);
        assert_eq!(list["items"].as_array().map(Vec::len), Some(count), "{filter}");
    }

    let cancelled =
        bench.post(&format!("/v1/contact-requests/{id}/cancel"), &json!({})).await.expect(StatusCode::OK);
    assert_eq!(cancelled["status"], "cancelled");
    let again = bench.post(&format!("/v1/contact-requests/{id}/cancel"), &json!({})).await;
    assert_eq!(again.expect(StatusCode::OK)["status"], "cancelled");
}

#[tokio::test]
async fn a_request_that_was_delivered_shows_its_attempt_and_its_message() {
    let bench = on_file().await;
    let mut now = request("crm-1");
    now["not_before"] = Value::Null;
    let id = bench.post("/v1/contact-requests", &now).await.expect(StatusCode::ACCEPTED)["id"].clone();
    let path = format!("/v1/contact-requests/{}", id.as_str().expect("an id"));
    let delivered = async || (bench.get(&path).await.json["status"] == "delivered").then_some(());
    patience::until("the request to be delivered", delivered).await;
    insta::assert_json_snapshot!(steady(&bench.get(&path).await));
    insta::assert_json_snapshot!(steady(&bench.get(&format!("{path}/messages")).await));
    bench.post(&format!("{path}/cancel"), &json!({})).await.problem(StatusCode::CONFLICT);
    let listed = bench.get("/v1/contact-requests?channel=voice&status=delivered").await;
    let listed = listed.expect(StatusCode::OK);
    let item = listed["items"][0].as_object().unwrap_or_else(|| panic!("not listed: {listed}"));
    insta::assert_json_snapshot!(item.keys().collect::<Vec<_>>());
}

#[tokio::test]
async fn a_batch_is_answered_in_order_and_a_bad_line_alone() {
    let bench = on_file().await;
    let mut unknown = request("b-2");
    unknown["debtor_id"] = json!("D-9");
    let lines = [
        request("b-1").to_string(),
        unknown.to_string(),
        "{\"request_id\": \"b-3\", ".to_owned(),
        String::new(),
        "{\"request_id\": \"b-5\", \"colour\": \"red\"}".to_owned(),
        request("b-1").to_string(),
    ];
    let answers = bench.lines("/v1/contact-requests/batch", &lines).await;
    assert_eq!(answers.len(), 5);
    assert_eq!(answers[0], answers[4]);
    insta::assert_json_snapshot!(answers[1..4]);

    let many: Vec<String> = (0..2_000).map(|n| request(&format!("m-{n}")).to_string()).collect();
    let answers = bench.lines("/v1/contact-requests/batch", &many).await;
    assert_eq!(answers.len(), 2_000);
    for (number, answer) in answers.iter().enumerate() {
        assert_eq!(answer["request_id"], format!("m-{number}"));
        assert_eq!(answer["status"], "accepted");
    }
    let events: Vec<String> =
        (0..3).map(|n| call(&format!("c-{n}"), "2026-11-19T12:00:00Z").to_string()).collect();
    let answers = bench.lines("/v1/contact-events/batch", &events).await;
    assert_eq!(answers[2], json!({"event_id": "c-2", "repeated": false}));
    let queries = [json!({"debtor_id": "D-1001", "channel": "voice"}).to_string(), "[]".to_owned()];
    let answers = bench.lines("/v1/decisions/batch", &queries).await;
    assert_eq!(answers[0]["outcome"], "allow");
    assert_eq!(answers[1]["problem"]["type"], "urn:dunwell:problem:invalid-body");
}

#[tokio::test]
async fn every_kind_of_wrong_has_its_own_problem() {
    let bench = on_file().await;
    let path = "/v1/debtors/D-1001";
    let mut problems = serde_json::Map::new();
    let mut keep = |name: &str, reply: Reply| {
        assert_eq!(reply.header("content-type"), Some("application/problem+json"), "{name}");
        problems.insert(name.to_owned(), reply.json);
    };
    keep("not json", bench.send("PUT", path, Some("application/json"), b"{\"name\": ").await);
    keep("empty", bench.send("PUT", path, Some("application/json"), b"").await);
    keep("text", bench.send("PUT", path, Some("text/plain"), b"{}").await);
    keep("no content type", bench.send("PUT", path, None, b"{}").await);
    keep("too large", bench.send("PUT", path, Some("application/json"), &vec![b' '; 2 << 20]).await);
    keep("unknown member", bench.put(path, &json!({"nickname": "S"})).await);
    keep(
        "twice",
        bench
            .send("PUT", path, Some("application/json"), b"{\"language\": \"en\", \"language\": \"es\"}")
            .await,
    );
    keep("an array", bench.put(path, &json!([])).await);
    keep("unknown address", bench.get("/v1/nothing-here").await);
    keep("unknown method", bench.send("PATCH", path, Some("application/json"), b"{}").await);
    keep("unknown debtor", bench.get("/v1/debtors/D-9").await);
    keep("unknown hold", bench.put("/v1/debtors/D-1001/holds/boredom", &json!({})).await);
    keep("unknown id", bench.get("/v1/contact-requests/req_1").await);
    keep("parameters", bench.get("/v1/contact-requests?limit=0&colour=red&status=happy&cursor=x").await);
    keep("no key", bench.as_holder("").get(path).await);
    keep("wrong key", bench.as_holder("no-such-key-at-all").get(path).await);
    keep("batch as json", bench.send("POST", "/v1/decisions/batch", Some("application/json"), b"{}").await);
    keep(
        "several",
        bench
            .put(
                "/v1/debtors/D-2",
                &json!({
                    "time_zone": "America/Nowhere", "contact_points": [{"kind": "phone", "value": "555-0123"}]
                }),
            )
            .await,
    );
    insta::assert_json_snapshot!(problems);

    let refused = bench.as_holder("").get(path).await;
    assert!(refused.header("www-authenticate").is_some_and(|value| value.starts_with("Bearer")));
    let other = bench.send("PATCH", path, Some("application/json"), b"{}").await;
    assert_eq!(other.header("allow"), Some("PUT,GET,HEAD"));
}

#[tokio::test]
async fn keys_open_what_their_role_allows() {
    let bench = on_file().await;
    let mut keys = Vec::new();
    for role in ["upstream", "compliance", "operator"] {
        let made =
            bench.post("/v1/keys", &json!({"label": role, "role": role})).await.expect(StatusCode::CREATED);
        keys.push((role, made["key"].as_str().expect("shown once").to_owned(), made["id"].clone()));
    }
    let (pause, hold) = (json!({"reason": "test"}), json!({"since": "2026-11-01T00:00:00Z"}));
    let empty = json!({});
    let table: [(&str, &str, &Value, [bool; 3]); 12] = [
        ("PUT", "/v1/debtors/D-2", &empty, [true, false, false]),
        ("GET", "/v1/debtors/D-1001", &empty, [true, true, true]),
        ("GET", "/v1/debtors/D-1001/history", &empty, [false, true, true]),
        ("GET", "/v1/events", &empty, [false, true, true]),
        ("GET", "/v1/contact-requests", &empty, [true, true, true]),
        ("GET", "/v1/reviews", &empty, [false, true, true]),
        ("PUT", "/v1/debtors/D-1001/holds/cease", &hold, [true, false, true]),
        ("PUT", "/v1/pauses/p", &pause, [false, false, true]),
        ("GET", "/v1/pauses", &empty, [true, true, true]),
        ("POST", "/v1/contact-requests", &empty, [true, false, false]),
        ("GET", "/v1/keys", &empty, [false, false, false]),
        ("POST", "/v1/decisions", &empty, [true, true, true]),
    ];
    for (method, path, body, allowed) in table {
        for ((role, key, _), allowed) in keys.iter().zip(allowed) {
            let body = if method == "GET" { Vec::new() } else { body.to_string().into_bytes() };
            let reply = bench.as_holder(key).send(method, path, Some("application/json"), &body).await;
            // A body that is wrong shows that the door was passed.
            assert_eq!(
                reply.status != StatusCode::FORBIDDEN,
                allowed,
                "{role} {method} {path}: {}",
                reply.status
            );
        }
    }
    let listed = bench.get("/v1/keys").await.expect(StatusCode::OK);
    assert_eq!(listed["items"].as_array().map(Vec::len), Some(3));
    assert!(!listed.to_string().contains("dunwell_"), "a key is shown once only");
    let (_, key, id) = &keys[0];
    let path = format!("/v1/keys/{}", id.as_str().expect("an id"));
    bench.delete(&path).await.expect(StatusCode::NO_CONTENT);
    bench.delete(&path).await.problem(StatusCode::NOT_FOUND);
    bench.as_holder(key).get("/v1/debtors/D-1001").await.problem(StatusCode::UNAUTHORIZED);
    assert_eq!(bench.as_holder(ADMIN).get("/v1/debtors/D-1001").await.status, StatusCode::OK);
}

#[tokio::test]
async fn the_history_pages_filters_and_names_who_did_it() {
    let bench = on_file().await;
    for number in 0..5 {
        bench.post("/v1/contact-events", &call(&format!("c-{number}"), "2026-11-19T12:00:00Z")).await;
    }
    let first = bench.get("/v1/debtors/D-1001/history?limit=2").await;
    insta::assert_json_snapshot!(first.steady());
    let mut seen = Vec::new();
    let mut path = "/v1/debtors/D-1001/history?limit=2".to_owned();
    loop {
        let page = bench.get(&path).await.expect(StatusCode::OK);
        seen.extend(page["items"].as_array().expect("items").iter().map(|event| event["seq"].as_u64()));
        let Some(cursor) = page["next_cursor"].as_str() else { break };
        path = format!("/v1/debtors/D-1001/history?limit=2&cursor={cursor}");
    }
    assert_eq!(seen, (1..=6).map(Some).collect::<Vec<_>>());
    for (filter, count) in [
        ("type=debtor.updated", 1),
        ("type=debtor.updated,contact.recorded", 6),
        ("debtor_id=D-1001", 6),
        ("debtor_id=D-1001&type=contact.recorded", 5),
        ("debtor_id=D-9", 0),
        ("to=2026-11-20T00:00:00Z", 0),
    ] {
        let list = bench.get(&format!("/v1/history?{filter}")).await.expect(StatusCode::OK);
        assert_eq!(list["items"].as_array().map(Vec::len), Some(count), "{filter}");
    }
    let all = bench.get("/v1/events").await.expect(StatusCode::OK);
    let last =
        all["items"].as_array().and_then(|items| items.last()).expect("an event")["leaf_index"].clone();
    let none = bench.get(&format!("/v1/events?after={last}")).await.expect(StatusCode::OK);
    assert_eq!(none["items"], json!([]));
    bench.get("/v1/history?type=nothing").await.problem(StatusCode::UNPROCESSABLE_ENTITY);
    bench.get("/v1/debtors/D-9/history").await.problem(StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn pauses_are_placed_listed_and_lifted() {
    let bench = on_file().await;
    let said = json!({"channel": "sms", "region": "US-FL", "reason": "a storm"});
    insta::assert_json_snapshot!(bench.put("/v1/pauses/storm", &said).await.expect(StatusCode::OK));
    let list = bench.get("/v1/pauses").await.expect(StatusCode::OK);
    assert_eq!(list["items"][0]["name"], "storm");
    bench.delete("/v1/pauses/storm").await.expect(StatusCode::NO_CONTENT);
    bench.delete("/v1/pauses/storm").await.problem(StatusCode::NOT_FOUND);
    let nobody = "/v1/reviews/rev_00000000000000000000000000000000";
    bench.post(nobody, &json!({"resolution": "stop"})).await.problem(StatusCode::NOT_FOUND);
    assert_eq!(
        bench.get("/v1/reviews").await.expect(StatusCode::OK),
        json!({"items": [], "next_cursor": null})
    );
}

#[tokio::test]
async fn one_click_stops_the_messages_and_a_look_changes_nothing() {
    let bench = on_file().await;
    let link = bench.unsubscribe_link("D-1001", "sample@example.com");
    let anyone = bench.as_holder("");
    let page = anyone.get(&link).await;
    assert_eq!(page.status, StatusCode::OK);
    assert!(
        page.header("content-security-policy").is_some_and(|policy| policy.contains("form-action 'self'"))
    );
    insta::assert_snapshot!(page.text);
    let form = Some("application/x-www-form-urlencoded");
    assert_eq!(anyone.send("POST", &link, form, b"").await.status, StatusCode::BAD_REQUEST);
    let stops = "/v1/debtors/D-1001";
    assert_eq!(
        bench.get(stops).await.json["opt_outs"],
        json!([]),
        "neither a look nor an empty form stops anything"
    );

    let done = anyone.send("POST", &link, form, b"List-Unsubscribe=One-Click").await;
    assert_eq!(done.status, StatusCode::OK, "{}", done.text);
    let stopped = bench.get(stops).await.json["opt_outs"].clone();
    assert_eq!(
        (&stopped[0]["channel"], &stopped[0]["contact_point"]),
        (&json!("email"), &json!("sample@example.com"))
    );
    let again = anyone.send("POST", &link, form, b"List-Unsubscribe=One-Click").await;
    assert_eq!(again.status, StatusCode::OK, "{}", again.text);
    let bent = format!("{link}x");
    assert_eq!(
        anyone.send("POST", &bent, form, b"List-Unsubscribe=One-Click").await.status,
        StatusCode::NOT_FOUND
    );
}

#[tokio::test]
async fn what_is_open_to_all_says_nothing_of_anybody() {
    let bench = on_file().await;
    let anyone = bench.as_holder("");
    for path in ["/healthz", "/readyz"] {
        assert_eq!(anyone.get(path).await.expect(StatusCode::OK)["status"], "ok");
    }
    let metrics = anyone.get("/metrics").await;
    assert!(metrics.text.contains(
        "dunwell_http_requests_total{method=\"PUT\",route=\"/v1/debtors/{debtor_id}\",status=\"201\"} 1"
    ));
    assert!(!metrics.text.contains("D-1001"));
    let page = anyone.get("/docs").await;
    assert!(
        page.header("content-security-policy").is_some_and(|policy| policy.starts_with("default-src 'none'"))
    );
    assert!(!page.text.contains("<script"));
    for link in ["/u/not-a-token", "/callbacks/sms/nobody/status", "/callbacks/pigeon/post/status"] {
        assert_eq!(anyone.get(link).await.status, StatusCode::NOT_FOUND, "{link}");
    }
    let unread =
        anyone.send("POST", "/u/not-a-token", Some("application/x-www-form-urlencoded"), b"x=1").await;
    assert_eq!(unread.status, StatusCode::BAD_REQUEST);
    let hardened = anyone.get("/healthz").await;
    assert_eq!(hardened.header("x-content-type-options"), Some("nosniff"));
    assert_eq!(hardened.header("cache-control"), Some("no-store"));
    assert!(hardened.header("x-request-id").is_some());
}

#[test]
fn the_description_names_every_address_and_every_problem() {
    let document = serde_json::to_value(dunwell::http::document()).expect("JSON");
    assert_eq!(document["openapi"], "3.1.0");
    assert_eq!(document["info"]["license"]["identifier"], "Apache-2.0");
    let mut operations = Vec::new();
    for (path, item) in document["paths"].as_object().expect("paths") {
        for (method, operation) in item.as_object().expect("operations") {
            let statuses: Vec<&str> =
                operation["responses"].as_object().expect("responses").keys().map(String::as_str).collect();
            let open = operation["security"].is_array();
            operations.push(format!(
                "{} {path}: {}{}",
                method.to_uppercase(),
                statuses.join(" "),
                if open { " (open)" } else { "" }
            ));
        }
    }
    operations.sort();
    insta::assert_snapshot!(operations.join("\n"));
    let text = document.to_string();
    let references = text.split("\"$ref\":\"#").skip(1).filter_map(|rest| rest.split('"').next());
    for reference in references {
        assert!(document.pointer(reference).is_some(), "{reference} leads nowhere");
    }
}
