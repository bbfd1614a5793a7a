//! A text goes all the way: to a vendor judged by its own specification, and back by its signed callbacks.

use crate::api_requests::settle;
use crate::support::attempts::count;
use crate::support::eventually;
use crate::support::gateway::Gateway;
use crate::support::http::{Client, Message};
use crate::support::sample::{Person, noon, person};
use crate::support::vendor::{ACCOUNT_SID, AUTH_TOKEN, Answer, Text, Twilio, prism, signature};
use serde_json::Value;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, mpsc};
use std::time::Duration;

/// Enters a person and posts one request for a text; the request's id.
fn text(client: &Client, person: &Person, request_id: &str) -> String {
    person.enter(client, noon());
    let answer = client.post("/v1/contact-requests", &person.request(request_id, &["sms"])).expect(202);
    answer["id"].as_str().expect("an id").to_owned()
}

#[test]
fn every_request_is_as_twilio_specifies() {
    let (judge, _prism) = prism("tests/data/vendors/twilio.json");
    // The judge is worth nothing unless it refuses: here a message to nobody.
    let path = format!("/2010-04-01/Accounts/{ACCOUNT_SID}/Messages.json");
    let form = [("Content-Type", "application/x-www-form-urlencoded"), ("Authorization", "Basic QUM6dA==")];
    let verdict = judge.send("POST", &path, &form, b"From=%2B15005550006&Body=hi");
    assert!(verdict.status() == 422 && verdict.text().contains("'To'"), "{}", verdict.text());

    let vendor = Twilio::start(Some(judge), |_| Answer::Accept(Duration::ZERO));
    let gateway = Gateway::with(vendor.setup(100));
    let client = gateway.admin();
    let (english, spanish) = (person(1), person(2));
    let id = text(&client, &english, "r-en");
    let state = settle(&client, &id, &["sent", "delivered"]);
    let sent = vendor.wait_for(1)[0].clone();
    assert_eq!(sent.get("To"), english.phone);
    assert_eq!(sent.get("From"), "+15005550006");
    assert!(
        sent.get("StatusCallback")
            .starts_with(&format!("http://{}/callbacks/sms/twilio/status", gateway.address))
    );
    assert!(sent.get("Body").contains("482.13") && sent.get("Body").contains("STOP"), "{}", sent.get("Body"));
    assert!(sent.get("Body").contains("First Recovery LLC"), "{}", sent.get("Body"));
    assert_eq!(state["attempts"][0]["provider"], "twilio");
    assert_eq!(state["attempts"][0]["provider_ref"], sent.sid.as_str());
    let message = client.get(&format!("/v1/contact-requests/{id}/messages")).expect(200);
    assert!(
        message.to_string().contains(&serde_json::to_string(sent.get("Body")).expect("JSON")),
        "as sent: {message}"
    );

    let mut file = spanish.file(noon());
    file["language"] = "es".into();
    spanish.enter(&client, noon());
    client.put(&spanish.path(), &file).ok();
    client.post("/v1/contact-requests", &spanish.request("r-es", &["sms"])).expect(202);
    let body = vendor.wait_for(2)[1].get("Body").to_owned();
    assert_ne!(body, sent.get("Body"));
    assert!(body.contains("482.13") && body.contains("deuda"), "{body}");
}

/// Posts a delivery callback as Twilio does, signed with this token.
fn callback(gateway: &Gateway, text: &Text, status: &str, token: &str) -> Message {
    callback_at(gateway, text.get("StatusCallback"), text, status, token)
}

/// The same, at an address of our choice.
fn callback_at(gateway: &Gateway, url: &str, text: &Text, status: &str, token: &str) -> Message {
    let fields = [
        ("AccountSid", ACCOUNT_SID),
        ("ApiVersion", "2010-04-01"),
        ("From", text.get("From")),
        ("MessageSid", text.sid.as_str()),
        ("MessageStatus", status),
        ("SmsSid", text.sid.as_str()),
        ("SmsStatus", status),
        ("To", text.get("To")),
        ("ANewFieldWithoutNotice", "x y&z"),
    ];
    let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
    let signed = signature(token, url, &fields);
    let path = url.strip_prefix(&format!("http://{}", gateway.address)).expect("our own address");
    let headers = [("Content-Type", "application/x-www-form-urlencoded"), ("X-Twilio-Signature", &signed)];
    gateway.anyone().send("POST", path, &headers, body.as_bytes())
}

#[test]
fn a_signed_callback_is_believed_and_a_forged_one_is_not() {
    let vendor = Twilio::accepting();
    let gateway = Gateway::with(vendor.setup(100));
    let client = gateway.admin();
    let sample = person(1);
    let id = text(&client, &sample, "r-1");
    settle(&client, &id, &["sent"]);
    let sent = vendor.wait_for(1)[0].clone();

    assert_eq!(callback(&gateway, &sent, "delivered", "another token").status(), 401);
    assert_eq!(client.get(&format!("/v1/contact-requests/{id}")).expect(200)["status"], "sent");
    assert_eq!(count(&client, &sample, "delivery.updated"), 0);

    callback(&gateway, &sent, "delivered", AUTH_TOKEN).ok();
    let state = settle(&client, &id, &["delivered"]);
    assert_eq!(state["attempts"][0]["status"], "delivered");
    let recorded = count(&client, &sample, "delivery.updated");
    assert_eq!(recorded, 1);

    // A replay changes nothing; a late receipt of an earlier state is kept, and moves nothing back.
    callback(&gateway, &sent, "delivered", AUTH_TOKEN).ok();
    assert_eq!(count(&client, &sample, "delivery.updated"), recorded);
    for _ in 0..2 {
        callback(&gateway, &sent, "sent", AUTH_TOKEN).ok();
    }
    assert_eq!(client.get(&format!("/v1/contact-requests/{id}")).expect(200)["status"], "delivered");
    assert_eq!(count(&client, &sample, "delivery.updated"), recorded + 1);
    let unsigned = gateway.anyone().send("POST", "/callbacks/sms/twilio/status", &[], b"MessageSid=SM1");
    assert_eq!(unsigned.status(), 401);
    assert_eq!(gateway.anyone().get("/callbacks/sms/nobody/status").status(), 404);
    let metrics = client.get("/metrics").text();
    let counted = metrics.lines().any(|line| line.contains("signature") || line.contains("callback"));
    assert!(counted, "forged callbacks are counted:\n{metrics}");
}

/// Some vendors look first whether an address is there; what is too large is counted, and nothing of it is read.
#[test]
fn a_probe_is_answered_and_what_is_too_large_is_counted() {
    let vendor = Twilio::start(None, |_| Answer::Accept(Duration::ZERO));
    let gateway = Gateway::with(vendor.setup(100));
    let path = "/callbacks/sms/twilio/status";
    assert_eq!(gateway.anyone().send("HEAD", path, &[], b"").status(), 200);
    assert_eq!(gateway.anyone().send("HEAD", "/callbacks/sms/nobody/status", &[], b"").status(), 404);
    assert_eq!(gateway.anyone().send("HEAD", "/callbacks/sms/twilio/voice", &[], b"").status(), 404);
    let body = |bytes: usize| vec![b'a'; bytes];
    assert_eq!(gateway.anyone().send("POST", path, &[], &body(800 * 1024)).status(), 401, "read and judged");
    assert_eq!(gateway.anyone().send("POST", path, &[], &body((1 << 20) + 1)).status(), 413);
    assert_eq!(
        gateway.anyone().send("POST", "/callbacks/sms/nobody/status", &[], &body(70_000)).status(),
        404
    );
    let metrics = gateway.admin().get("/metrics").text();
    let counted = metrics.lines().find(|line| line.contains("callbacks") && line.contains("too_large"));
    assert!(counted.is_some_and(|line| line.ends_with(" 1")), "{metrics}");
}

/// The vendor reports before its answer to the send has reached us: by our attempt it is matched at once, by the vendor's own
/// identifier as soon as the answer tells it.
#[test]
fn a_receipt_that_overtakes_the_answer_is_not_lost() {
    let (answer, held) = mpsc::channel();
    let held = Mutex::new(held);
    let vendor = Twilio::start(None, move |_| {
        // Until it is told to; a test that fails drops the other end.
        let _failed = held.lock().expect("a lock").recv();
        Answer::Accept(Duration::ZERO)
    });
    let gateway = Gateway::with(vendor.setup(100));
    let client = gateway.admin();
    let (by_attempt, by_reference) = (person(1), person(2));
    let first = text(&client, &by_attempt, "r-1");
    let sent = vendor.wait_for(1)[0].clone();
    callback(&gateway, &sent, "delivered", AUTH_TOKEN).ok();
    let state = settle(&client, &first, &["delivered"]);
    assert_eq!(
        state["attempts"][0]["provider_ref"],
        sent.sid.as_str(),
        "the receipt says it as well: {state}"
    );
    answer.send(()).expect("the vendor holds its answer");

    let second = text(&client, &by_reference, "r-2");
    let sent = vendor.wait_for(2)[1].clone();
    let bare = sent.get("StatusCallback").split('?').next().expect("an address").to_owned();
    callback_at(&gateway, &bare, &sent, "undelivered", AUTH_TOKEN).ok();
    assert_eq!(count(&client, &by_reference, "delivery.updated"), 0, "nobody knows yet whose it is");
    answer.send(()).expect("the vendor holds its answer");
    let state = settle(&client, &second, &["failed"]);
    assert_eq!(state["attempts"][0]["provider_ref"], sent.sid.as_str());
    assert_eq!(count(&client, &by_reference, "delivery.updated"), 1);
    assert_eq!(count(&client, &by_attempt, "attempt.sent"), 1, "what the answer says is known by then");
}

#[test]
fn an_undelivered_text_is_failed() {
    let vendor = Twilio::accepting();
    let gateway = Gateway::with(vendor.setup(100));
    let client = gateway.admin();
    let sample = person(1);
    let id = text(&client, &sample, "r-1");
    settle(&client, &id, &["sent"]);
    callback(&gateway, &vendor.wait_for(1)[0], "undelivered", AUTH_TOKEN).ok();
    settle(&client, &id, &["failed"]);
}

#[test]
fn a_refused_text_fails_and_is_not_repeated() {
    let vendor = Twilio::start(None, |_| Answer::Refuse(400, 21211));
    let gateway = Gateway::with(vendor.setup(100));
    let client = gateway.admin();
    let id = text(&client, &person(1), "r-1");
    let state = settle(&client, &id, &["failed"]);
    let attempt = &state["attempts"][0];
    assert_eq!(attempt["status"], "failed");
    assert!(attempt["error"].to_string().contains("21211"), "{attempt}");
    assert_eq!(vendor.received().len(), 1);
}

#[test]
fn a_throttled_text_goes_out_later() {
    let asked = AtomicUsize::new(0);
    let vendor = Twilio::start(None, move |_| match asked.fetch_add(1, Ordering::Relaxed) {
        0 => Answer::Refuse(429, 20429),
        _ => Answer::Accept(Duration::ZERO),
    });
    let gateway = Gateway::with(vendor.setup(100));
    let client = gateway.admin();
    let id = text(&client, &person(1), "r-1");
    vendor.wait_for(2);
    settle(&client, &id, &["sent", "delivered"]);
    assert_eq!(vendor.received().len(), 2);
}

#[test]
fn a_text_whose_fate_is_unknown_counts_and_is_never_repeated() {
    let vendor = Twilio::start(None, |_| Answer::HangUp);
    let mut gateway = Gateway::with(vendor.setup(100));
    let client = gateway.admin();
    let sample = person(1);
    let id = text(&client, &sample, "r-1");
    let state = settle(&client, &id, &["unknown"]);
    assert_eq!(state["attempts"][0]["status"], "unknown");
    assert_eq!(count(&client, &sample, "attempt.unknown"), 1);
    gateway.kill();
    gateway.run();
    let other = text(&client, &person(2), "r-2");
    settle(&client, &other, &["unknown"]);
    let to_sample = vendor.received().iter().filter(|text| text.get("To") == sample.phone).count();
    assert_eq!(to_sample, 1);

    // A late receipt moves it on.
    callback(&gateway, &vendor.received()[0], "delivered", AUTH_TOKEN).ok();
    assert_eq!(settle(&client, &id, &["delivered"])["attempts"][0]["status"], Value::from("delivered"));
}

#[test]
fn a_vendor_that_is_down_costs_nothing_but_time() {
    let vendor = Twilio::accepting();
    let mut setup = vendor.setup(100);
    let nobody = crate::support::gateway::free_address();
    setup.channels = setup.channels.replace(&vendor.address.to_string(), &nobody.to_string());
    let gateway = Gateway::with(setup);
    let client = gateway.admin();
    let sample = person(1);
    let id = text(&client, &sample, "r-1");
    // Nothing left, so nothing counts: the attempt is abandoned, and the request goes on waiting.
    eventually("an abandoned attempt", || (count(&client, &sample, "attempt.abandoned") > 0).then_some(()));
    let status = client.get(&format!("/v1/contact-requests/{id}")).expect(200)["status"].clone();
    assert!(["accepted", "deferred", "dispatching"].iter().any(|open| status == *open), "{status}");
    assert_eq!(gateway.anyone().get("/readyz").status(), 200);
}

#[test]
fn we_sign_as_twilio_signs() {
    // Made with the vendor's own SDK (PyPI twilio 9.13.0).
    let fields = [
        ("MessageSid", "SM00000000000000000000000000000001"),
        ("MessageStatus", "delivered"),
        ("To", "+18505550101"),
        ("From", "+15005550001"),
        ("AccountSid", ACCOUNT_SID),
        ("ApiVersion", "2010-04-01"),
    ];
    let url = "https://gw.example.com/hooks/twilio/status?tenant=t1";
    assert_eq!(signature(AUTH_TOKEN, url, &fields), "nNFQ7Hf3rA/ITLKMKX+9nChgjxU=");
}
