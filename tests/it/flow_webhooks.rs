//! What upstream is told: signed, in each debtor's order, once more until it is taken, and over a power cut.

use crate::api_requests::settle;
use crate::support::eventually;
use crate::support::gateway::{Gateway, Setup, free_address};
use crate::support::http::Client;
use crate::support::receiver::{Hook, Reaction, Receiver, judge};
use crate::support::sample::{days_ago, night, noon, person};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const NEXT_SECRET: &str = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";

const SANDBOX: &str = r#"
[channels.sms]
providers = ["sandbox"]
[channels.email]
providers = ["sandbox"]
[channels.portal]
providers = ["inbox"]
"#;

fn setup(webhooks: &str) -> Setup {
    Setup {
        channels: format!("{SANDBOX}{webhooks}"),
        env: vec![("HOOK_SECRET".to_owned(), SECRET.to_owned())],
    }
}

fn house(receiver: &Receiver) -> Gateway {
    Gateway::with(setup(&receiver.table("/hooks", "{ env = \"HOOK_SECRET\" }", "name = \"crm\"")))
}

fn webhook(client: &Client) -> Value {
    client.get("/v1/webhooks/crm").expect(200)
}

/// Waits until nothing is left to tell.
#[track_caller]
fn told(client: &Client) -> Value {
    eventually("everything to be told", || {
        let state = webhook(client);
        (state["lag_events"] == 0 && state["waiting"] == 0).then_some(state)
    })
}

fn leaf(hook: &Hook) -> u64 {
    hook.body()["data"]["leaf_index"].as_u64().expect("a leaf")
}

#[test]
fn upstream_hears_what_became_of_a_request_and_what_the_debtor_said() {
    let receiver = Receiver::accepting();
    let gateway = house(&receiver);
    let client = gateway.admin();
    let (awake, asleep) = (person(1), person(2));
    awake.enter(&client, noon());
    asleep.enter(&client, night());
    let sent = client.post("/v1/contact-requests", &awake.request("r-1", &["sms"])).expect(202);
    let waits = client.post("/v1/contact-requests", &asleep.request("r-2", &["sms"])).expect(202);

    let hook = receiver.first("contact_request.delivered");
    let (body, data) = (hook.body(), hook.body()["data"].clone());
    assert_eq!(
        body.as_object().expect("an object").keys().collect::<Vec<_>>(),
        ["data", "timestamp", "type"]
    );
    assert!(body["timestamp"].as_str().is_some_and(|text| text.parse::<jiff::Timestamp>().is_ok()), "{body}");
    assert_eq!(hook.message.start, "POST /hooks HTTP/1.1");
    assert_eq!(hook.message.header("content-type"), Some("application/json"));
    assert_eq!(
        (&data["id"], &data["request_id"], &data["debtor_id"]),
        (&sent["id"], &json!("r-1"), &json!(awake.id))
    );
    assert_eq!((&data["status"], &data["account_ids"]), (&json!("delivered"), &json!([awake.account])));
    assert_eq!(data["attempt"]["status"], "delivered", "{data}");

    let data = receiver.first("contact_request.deferred").body()["data"].clone();
    assert_eq!((&data["id"], &data["status"]), (&waits["id"], &json!("deferred")));
    assert!(data["decision"]["permitted_from"].is_string(), "{data}");
    assert!(data["decision"]["findings"][0]["citation"].is_string(), "{data}");
    client
        .post(&format!("/v1/contact-requests/{}/cancel", waits["id"].as_str().expect("an id")), &json!({}))
        .ok();
    assert_eq!(receiver.first("contact_request.cancelled").body()["data"]["request_id"], "r-2");

    let stop = json!({"channel": "sms", "contact_point": awake.phone, "received_at": days_ago(0).to_string(),
                      "source": "letter", "text": "no more"});
    client.post(&format!("{}/opt-outs", awake.path()), &stop).ok();
    let data = receiver.first("opt_out.received").body()["data"].clone();
    assert_eq!((&data["contact_point"], &data["text"]), (&json!(awake.phone), &json!("no more")));
    client.put(&format!("{}/holds/dispute", awake.path()), &json!({"since": days_ago(1).to_string()})).ok();
    client.delete(&format!("{}/holds/dispute", awake.path())).ok();
    for (kind, member, value) in [("hold.placed", "kind", "dispute"), ("hold.lifted", "kind", "dispute")] {
        assert_eq!(receiver.first(kind).body()["data"][member], value);
    }
    let consenting = receiver.first("consent.granted").debtor();
    assert!([&awake.id, &asleep.id].contains(&&consenting), "{consenting}");

    // Nothing that it has no need of: neither the message nor the name.
    told(&client);
    for hook in receiver.hooks() {
        let text = hook.message.text();
        assert!(!text.contains("\"family\"") && !text.contains("482.13"), "{text}");
    }
    let hooks = receiver.hooks();
    assert!(judge(SECRET, &hooks).into_iter().all(|genuine| genuine), "a stranger verifies every one");
    assert!(judge(NEXT_SECRET, &hooks).into_iter().all(|genuine| !genuine), "and under no other secret");
    let ids: BTreeSet<_> = hooks.iter().map(|hook| hook.id().to_owned()).collect();
    assert_eq!(ids.len(), hooks.len(), "no two alike");
    // The feed has the same events, at the leaves that the notices name.
    for hook in &hooks {
        let after = leaf(hook).checked_sub(1).map(|after| format!("&after={after}")).unwrap_or_default();
        let feed = client.get(&format!("/v1/events?limit=1{after}")).expect(200);
        assert_eq!(feed["items"][0]["at"], hook.body()["timestamp"], "{feed}");
    }
    let metrics = client.get("/metrics").text();
    assert!(metrics.contains("dunwell_webhook_notices_total{webhook=\"crm\",result=\"sent\"}"), "{metrics}");
    assert!(metrics.contains("dunwell_webhook_lag_events{webhook=\"crm\"}"), "{metrics}");
}

#[test]
fn both_secrets_sign_while_they_are_exchanged_and_a_filter_holds() {
    let receiver = Receiver::accepting();
    let secrets = format!("[\"{NEXT_SECRET}\", {{ env = \"HOOK_SECRET\" }}]");
    let further = "name = \"crm\"\nevents = [\"contact_request.*\", \"hold.placed\"]";
    let gateway = Gateway::with(setup(&receiver.table("/hooks", &secrets, further)));
    let client = gateway.admin();
    let sample = person(1);
    sample.enter(&client, noon());
    client.put(&format!("{}/holds/retain", sample.path()), &json!({"since": days_ago(1).to_string()})).ok();
    client.delete(&format!("{}/holds/retain", sample.path())).ok();
    client.post("/v1/contact-requests", &sample.request("r-1", &["portal"])).expect(202);
    receiver.first("contact_request.sent");
    told(&client);
    let hooks = receiver.hooks();
    for secret in [SECRET, NEXT_SECRET] {
        assert!(judge(secret, &hooks).into_iter().all(|genuine| genuine), "each secret suffices");
    }
    let kinds: BTreeSet<_> = hooks.iter().map(Hook::kind).collect();
    assert!(kinds.contains("hold.placed"), "{kinds:?}");
    assert!(
        kinds.iter().all(|kind| kind.starts_with("contact_request.") || kind == "hold.placed"),
        "{kinds:?}"
    );
}

#[test]
fn one_debtors_trouble_holds_up_nobody_else_and_its_order_is_kept() {
    // Whatever concerns D-1 fails twice.
    let receiver = Receiver::start(|hook, _| match hook.debtor().as_str() {
        "D-1" => Reaction::Status(503, String::new()),
        _ => Reaction::Status(204, String::new()),
    });
    let gateway = house(&receiver);
    let client = gateway.admin();
    let (first, second) = (person(1), person(2));
    first.enter(&client, noon());
    second.enter(&client, noon());
    client.post("/v1/contact-requests", &second.request("r-2", &["portal"])).expect(202);
    receiver.first("contact_request.sent");
    receiver.until("a first try", |hooks| hooks.iter().any(|hook| hook.debtor() == "D-1"));
    eventually("it to be tried again", || (webhook(&client)["status"] == "retrying").then_some(()));
    let of_first: BTreeSet<_> = receiver
        .hooks()
        .iter()
        .filter(|hook| hook.debtor() == "D-1")
        .map(|hook| hook.id().to_owned())
        .collect();
    assert_eq!(of_first.len(), 1, "only the first of its line is tried");
    // The same again has the same id and a signature of its own.
    let tries =
        receiver.until("another try", |hooks| hooks.iter().filter(|h| h.debtor() == "D-1").count() > 1);
    let tries: Vec<_> = tries.into_iter().filter(|hook| hook.debtor() == "D-1").collect();
    assert_eq!((tries[0].id(), &tries[0].message.body), (tries[1].id(), &tries[1].message.body));
    assert_ne!(
        tries[0].message.header("webhook-timestamp"),
        tries[1].message.header("webhook-timestamp"),
        "the timestamp is the try's"
    );
    assert!(judge(SECRET, &tries).into_iter().all(|genuine| genuine));
}

#[test]
fn what_is_slow_redirects_or_never_ends_is_tried_again_or_taken() {
    let elsewhere = Receiver::accepting();
    let target = format!("Location: http://{}/stolen\r\n", elsewhere.address);
    let receiver = Receiver::start(move |_, before| match before {
        0 => Reaction::Slow(Duration::from_secs(60)),
        1 => Reaction::Status(307, target.clone()),
        2 => Reaction::Endless,
        _ => Reaction::Status(200, String::new()),
    });
    let further = "name = \"crm\"\ntimeout = \"PT10S\"\nevents = [\"hold.*\"]";
    let gateway = Gateway::with(setup(&receiver.table("/hooks", "{ env = \"HOOK_SECRET\" }", further)));
    let client = gateway.admin();
    let sample = person(1);
    sample.enter(&client, noon());
    client.put(&format!("{}/holds/retain", sample.path()), &json!({"since": days_ago(1).to_string()})).ok();
    client.delete(&format!("{}/holds/retain", sample.path())).ok();
    receiver.until("the first three tries", |hooks| hooks.len() >= 3);
    receiver.first("hold.lifted");
    let hooks = receiver.hooks();
    let mut kinds: Vec<_> = hooks.iter().map(Hook::kind).collect();
    kinds.dedup();
    assert_eq!(kinds, ["hold.placed", "hold.lifted"]);
    assert!(hooks[..3].iter().all(|hook| hook.id() == hooks[0].id()));
    assert!(elsewhere.hooks().is_empty(), "a redirect is not followed");
    told(&client);
}

#[test]
fn our_own_network_is_not_called_unless_it_is_allowed() {
    let receiver = Receiver::accepting();
    let (port, secret) = (receiver.address.port(), "{ env = \"HOOK_SECRET\" }");
    let table = |name: &str, url: &str| {
        format!("[[webhooks]]\nname = \"{name}\"\nurl = \"{url}\"\nsecret = {secret}\n")
    };
    let tables = [
        table("number", &format!("https://127.0.0.1:{port}/")),
        table("name", &format!("https://localhost:{port}/")),
        table("plain", &format!("http://127.0.0.1:{port}/")),
    ];
    let gateway = Gateway::with(setup(&tables.concat()));
    let checked = gateway.tool(&["check", "config"]);
    let said = String::from_utf8_lossy(&checked.stdout);
    assert!(checked.status.success() && said.contains("set allow_private = true"), "{said}");
    let client = gateway.admin();
    person(1).enter(&client, noon());
    for (name, why) in [("number", "private_address"), ("name", "private_address"), ("plain", "not_https")] {
        let error = eventually(name, || {
            let state = client.get(&format!("/v1/webhooks/{name}")).expect(200);
            state["last_error"].as_str().map(str::to_owned)
        });
        assert_eq!(error, why, "{name}");
    }
    assert!(receiver.hooks().is_empty());
}

#[test]
fn after_a_power_cut_everything_is_told_with_the_same_ids() {
    let address = free_address();
    let mut gateway = Gateway::with(setup(&format!(
        "[[webhooks]]\nname = \"crm\"\nurl = \"http://{address}/\"\nsecret = \"{SECRET}\"\nallow_private = true\n"
    )));
    let client = gateway.admin();
    // Nobody listens there yet.
    for number in 0..8 {
        let sample = person(number);
        sample.enter(&client, noon());
        let request = sample.request(&format!("r-{number}"), &["portal"]);
        let answer = client.post("/v1/contact-requests", &request).expect(202);
        settle(&client, answer["id"].as_str().expect("an id"), &["sent"]);
    }
    eventually("the receiver to count as down", || (webhook(&client)["status"] == "down").then_some(()));
    gateway.kill();
    let receiver = Receiver::at(address, |_, before| {
        // The power also goes while it is being told.
        Reaction::Status(if before == 3 { 500 } else { 200 }, String::new())
    });
    gateway.run();
    receiver.until("some of it", |hooks| hooks.len() >= 6);
    gateway.kill();
    gateway.run();
    told(&client);
    let mut order: BTreeMap<String, Vec<u64>> = BTreeMap::new();
    let (mut ids, mut bodies) = (BTreeSet::new(), BTreeMap::new());
    for hook in receiver.hooks() {
        let same = bodies.entry(hook.id().to_owned()).or_insert_with(|| hook.message.body.clone());
        assert_eq!(*same, hook.message.body, "the same id is the same notice");
        if hook.taken && ids.insert(hook.id().to_owned()) {
            order.entry(hook.debtor()).or_default().push(leaf(&hook));
        }
    }
    assert_eq!(order.len(), 8);
    assert!(order.values().all(|leaves| leaves.is_sorted()), "{order:?}");
    // Every event that makes a notice made one: the consents, and that each request was sent.
    let expected = client.all("/v1/history?type=consent.granted").len() + 8;
    assert_eq!(ids.len(), expected);
}

#[test]
fn an_operator_has_things_told_again() {
    let receiver = Receiver::accepting();
    let gateway = house(&receiver);
    let (admin, operator) = (gateway.admin(), gateway.role("operator"));
    let sample = person(1);
    sample.enter(&admin, noon());
    told(&admin);
    let before = receiver.hooks();
    let id = before[1].id().to_owned();
    let replay = "/v1/webhooks/crm/replay";
    assert_eq!(operator.post(replay, &json!({"ids": [id]})).expect(202)["replayed"], 1);
    let hooks = receiver.until("it again", |hooks| hooks.len() > before.len());
    let again = hooks.last().expect("one");
    assert_eq!((again.id(), &again.message.body), (before[1].id(), &before[1].message.body));
    // Everything behind a point, in order, and what is new after it.
    let count = hooks.len();
    assert_eq!(
        operator.post(replay, &json!({"after": leaf(&before[0])})).expect(202)["from_leaf_index"],
        leaf(&before[0]) + 1
    );
    let hooks = receiver.until("the rest again", |hooks| hooks.len() >= count + before.len() - 1);
    let again: Vec<_> = hooks[count..].iter().map(|hook| hook.id().to_owned()).collect();
    assert_eq!(again, before[1..].iter().map(|hook| hook.id().to_owned()).collect::<Vec<_>>());
    operator.post(replay, &json!({"since": days_ago(1).to_string()})).expect(202);
    receiver.until("all of it again", |hooks| hooks.len() >= count + 2 * before.len() - 1);
    assert_eq!(operator.post(replay, &json!({"dead_letters": true})).expect(202)["replayed"], 0);

    assert_eq!(operator.post(replay, &json!({})).pointers(), [""]);
    assert_eq!(operator.post(replay, &json!({"after": 1, "dead_letters": true})).pointers(), [""]);
    assert_eq!(
        operator.post(replay, &json!({"ids": ["msg_00000000000000000000000000000000"]})).pointers(),
        ["/ids/0"]
    );
    operator.post("/v1/webhooks/nobody/replay", &json!({"dead_letters": true})).problem(404);
    for role in ["upstream", "compliance"] {
        gateway.role(role).post(replay, &json!({"dead_letters": true})).problem(403);
    }
    let listed = gateway.role("compliance").get("/v1/webhooks").expect(200);
    assert_eq!((&listed["items"][0]["name"], &listed["items"][0]["status"]), (&json!("crm"), &json!("ok")));
    assert_eq!(operator.get("/v1/webhooks/crm/dead-letters").expect(200)["items"], json!([]));
    // It stands in the history who asked.
    let asked = admin.all("/v1/history?type=access.recorded");
    assert!(
        asked
            .iter()
            .any(|event| event["content"]["subject"]
                == format!("webhooks/crm/replay after={}", leaf(&before[0]))),
        "{asked:?}"
    );
}
