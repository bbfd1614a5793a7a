//! The fourth channel, both ways: over a creditor's own portal by the API, and over our own pages by a link.

use crate::api_requests::settle;
use crate::support::eventually;
use crate::support::gateway::{Gateway, Setup};
use crate::support::http::{Client, Message};
use crate::support::sample::{decide, noon, person};
use serde_json::{Value, json};

/// An inbox of our own, where a message waits until it is opened.
const INBOX: &str = "[channels.portal]\nproviders = [\"inbox\"]\n[channels.sms]\nproviders = [\"sandbox\"]\n";
const FORM: (&str, &str) = ("content-type", "application/x-www-form-urlencoded");

fn gateway() -> Gateway {
    Gateway::with(Setup { channels: INBOX.to_owned(), ..Setup::default() })
}

/// The one message in a debtor's inbox, once it is there.
fn message(client: &Client, path: &str) -> Value {
    eventually("a message in the inbox", || {
        let inbox = client.get(&format!("{path}/inbox")).expect(200);
        inbox["items"].as_array().and_then(|items| items.first().cloned())
    })
}

fn status(client: &Client, request: &str) -> Value {
    client.get(&format!("/v1/contact-requests?request_id={request}")).expect(200)["items"][0]["status"]
        .clone()
}

#[test]
fn a_creditors_own_portal_serves_the_inbox() {
    let gateway = gateway();
    let (client, sample) = (gateway.admin(), person(1));
    sample.enter(&client, noon());
    // One after the other, so that it is known which is the oldest.
    for number in 1..=3 {
        let request = sample.request(&format!("r-{number}"), &["portal"]);
        let answer = client.post("/v1/contact-requests", &request).expect(202);
        settle(&client, answer["id"].as_str().expect("an id"), &["sent"]);
    }
    let path = sample.path();
    let first = client.get(&format!("{path}/inbox?limit=2")).expect(200);
    let cursor = first["next_cursor"].as_str().expect("more follows");
    let rest = client.get(&format!("{path}/inbox?limit=2&cursor={cursor}")).expect(200);
    let ids: Vec<&Value> =
        [&first, &rest].iter().flat_map(|page| page["items"].as_array().expect("items")).collect();
    assert!(ids.len() == 3 && rest["next_cursor"].is_null());
    assert!(ids[0]["id"].as_str() > ids[1]["id"].as_str() && ids[1]["id"].as_str() > ids[2]["id"].as_str());
    let oldest = ids[2];
    assert_eq!((&oldest["read"], &oldest["language"]), (&json!(false), &json!("en")));
    assert!(oldest["html"].as_str().is_some_and(|html| html.contains("debt collector")));

    let read = format!("{path}/inbox/{}/read", oldest["id"].as_str().expect("an id"));
    assert_eq!(status(&client, "r-1"), "sent");
    for _ in 0..2 {
        assert_eq!(client.post(&read, &json!({})).expect(200)["read"], true);
    }
    assert_eq!(status(&client, "r-1"), "delivered");
    let history = client.all(&format!("{path}/history"));
    let reported = history.iter().filter(|event| event["type"] == "delivery.updated").count();
    assert_eq!(reported, 1, "said twice, recorded once");
    client.post(&format!("{path}/inbox/att_019ab2f0c4d87d3e9f10a2b3c4d5e6f7/read"), &json!({})).problem(404);
    client.get("/v1/debtors/nobody/inbox").problem(404);
}

#[test]
fn what_a_creditors_portal_hands_on_is_in_force() {
    let gateway = gateway();
    let (client, sample) = (gateway.admin(), person(2));
    sample.enter(&client, noon());
    let replies = format!("{}/inbox/replies", sample.path());
    let stop = json!({"reply_id": "p-1", "text": "Please stop texting me."});
    let heard = client.post(&replies, &stop).expect(201);
    assert_eq!(heard["understood"], "stop");
    assert_eq!(client.post(&replies, &stop).expect(200), heard, "the same again is answered the same");
    client.post(&replies, &json!({"reply_id": "p-1", "text": "Text me."})).problem(409);
    assert_eq!(decide(&client, &sample.query("sms"))["outcome"], "block");
    let unclear = client.post(&replies, &json!({"reply_id": "p-2", "text": "lorem ipsum"})).expect(201);
    assert_eq!(unclear["understood"], "unclear");
    assert_eq!(client.get("/v1/reviews").expect(200)["items"].as_array().map(Vec::len), Some(1));
    assert_eq!(
        client.post(&replies, &json!({"reply_id": "", "text": " "})).pointers(),
        ["/reply_id", "/text"]
    );
    client.post("/v1/debtors/nobody/inbox/replies", &stop).problem(404);
    let history = client.all(&format!("{}/history", sample.path()));
    let inbound = history.iter().filter(|event| event["type"] == "inbound.received").count();
    assert_eq!(inbound, 2);
}

fn cookie(answer: &Message) -> String {
    let set = answer.header("set-cookie").expect("a cookie");
    set.split(';').next().expect("a pair").to_owned()
}

#[test]
fn a_link_leads_to_the_pages_and_survives_no_second_use_nor_a_crash() {
    let mut gateway = gateway();
    let (client, sample) = (gateway.admin(), person(3));
    sample.enter(&client, noon());
    client.post("/v1/contact-requests", &sample.request("r-1", &["portal"])).expect(202);
    message(&client, &sample.path());
    let links = format!("{}/portal-links", sample.path());
    let made = client.post(&links, &json!({"expires_after": "PT1H"})).expect(201);
    let link = made["url"].as_str().expect("an address");
    assert!(link.starts_with(&format!("http://{}/portal/open/", gateway.address)) && !link.contains("D-3"));
    assert_eq!(client.post(&links, &json!({"expires_after": "P91D"})).pointers(), ["/expires_after"]);
    let link = link.strip_prefix(&format!("http://{}", gateway.address)).expect("a path").to_owned();

    let anyone = gateway.anyone();
    let page = anyone.get(&link);
    assert_eq!(page.status(), 200);
    for (name, value) in
        [("referrer-policy", "no-referrer"), ("cache-control", "no-store"), ("x-frame-options", "DENY")]
    {
        assert_eq!(page.header(name), Some(value));
    }
    let policy = page.header("content-security-policy").expect("a policy");
    assert!(policy.starts_with("default-src 'none'") && !policy.contains("script"), "{policy}");
    let opened = anyone.send("POST", &link, &[FORM], b"");
    assert_eq!((opened.status(), opened.header("location")), (303, Some("/portal")));
    let cookie = cookie(&opened);
    let with_cookie = |path: &str| anyone.send("GET", path, &[("cookie", &cookie)], b"");
    assert_eq!(with_cookie("/portal").header("location"), Some("/portal/check"));
    let question = with_cookie("/portal/check").text();
    let form = question.split("name=\"form\" value=\"").nth(1).and_then(|rest| rest.split('"').next());
    let answer = format!("form={}&postal_code=33101-0001", form.expect("a token"));
    let proved = anyone.send("POST", "/portal/check", &[FORM, ("cookie", &cookie)], answer.as_bytes());
    assert_eq!((proved.status(), proved.header("location")), (303, Some("/portal")));
    assert!(with_cookie("/portal").text().contains("Payment due"));

    gateway.kill();
    gateway.run();
    let anyone = gateway.anyone();
    assert_eq!(anyone.send("POST", &link, &[FORM], b"").status(), 410, "opened is opened");
    let inbox = anyone.send("GET", "/portal", &[("cookie", &cookie)], b"");
    assert!(inbox.status() == 200 && inbox.text().contains("Payment due"), "the visit goes on");
    let steps: Vec<Value> = gateway
        .admin()
        .all(&format!("{}/history", sample.path()))
        .into_iter()
        .filter(|event| event["type"] == "access.recorded")
        .map(|event| event["content"]["subject"].as_str().unwrap_or_default().split(' ').next().into())
        .collect();
    assert_eq!(steps, ["portal_link.issued", "portal_link.opened", "portal_link.proved"]);
}
