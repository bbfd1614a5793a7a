//! What vendors do that none of the shipped ones does: one address for everything, lists that are faults, odd charsets.

use crate::{given, manifest};
use dunwell::domain::time::Timestamp;
use dunwell::provider::callback::{
    CallbackError, CallbackEvent, CallbackKind, CallbackRequest, Grounds, Heard,
};
use dunwell::provider::manifest::Manifest;
use dunwell::provider::settings::Settings;

/// A vendor with one address for everything: reports in one list, messages in another.
const ONE_ADDRESS: &str = r#"
identity = { id = "x", channel = "sms", name = "x", docs = "x", tested_on = "2026-11-23" }
settings.secret = { help = "x", required = true, secret = true }
send = { method = "POST", url = "https://vendor.example/send", response = { accepted = { status = ["202"] } } }
[[signatures.secret]]
primitive = "secret"
keys = ["{secret}"]
given = { query = "secret" }
[callbacks.status]
methods = ["POST"]
encoding = "any"
signature = "secret"
acknowledge = { status = 200 }
events = "/reports"
also = "inbound"
reference = { json = "/id" }
status = { json = "/state" }
statuses = { ok = "delivered" }
[[callbacks.status.rules]]
when = [{ value = { json = "/errors" } }]
status = "failed"
[callbacks.inbound]
methods = ["POST"]
encoding = "any"
signature = "secret"
acknowledge = { status = 200 }
events = "/messages"
select = [{ value = { json = "/kind" }, is = ["text"] }]
reference = { json = "/id" }
from = { json = "/from" }
text = { json = "/text" }
charset = { query = "coding" }
"#;

fn vendor() -> (Manifest, Settings) {
    let manifest = manifest("sms/x/manifest.toml", ONE_ADDRESS);
    let settings = manifest.settings(&given(&[("secret", "s")]), "test").expect("settings");
    (manifest, settings)
}

fn hear(kind: CallbackKind, query: &str, body: &[u8]) -> Result<Heard, CallbackError> {
    let (manifest, settings) = vendor();
    let url = format!("https://gw.example.com/callbacks/sms/x/{kind}?secret=s{query}");
    let headers = vec![("Content-Type".to_owned(), "application/json".to_owned())];
    let request = CallbackRequest { method: "POST".to_owned(), url, headers, body: body.to_vec() };
    manifest.verify_and_parse(kind, &request, &Grounds::new(&settings, Timestamp::from_millis(0)))
}

/// What a callback comes to: a word for each event.
fn words(heard: &Heard) -> Vec<String> {
    let word = |event: &CallbackEvent| match event {
        CallbackEvent::Delivery(delivery) => delivery.status.as_str().to_owned(),
        CallbackEvent::Inbound(inbound) => inbound.text.clone(),
        CallbackEvent::Call(_) => "call".to_owned(),
    };
    heard.events.iter().map(word).collect()
}

#[test]
fn one_address_may_bring_reports_messages_and_neither() {
    for (body, expected, passed_over) in [
        (r#"{"reports":[{"id":"1","state":"ok"}]}"#, &["delivered"][..], 1),
        (r#"{"messages":[{"id":"2","kind":"text","from":"+13055550117","text":"STOP"}]}"#, &["STOP"], 1),
        (
            r#"{"reports":[{"id":"1","state":"ok"}],"messages":[{"id":"2","kind":"text","from":"+1","text":"a"},{"kind":"image"}]}"#,
            &["delivered", "a"],
            1,
        ),
        (r#"{"news":[]}"#, &[], 2),
        (r#"{"reports":[]}"#, &[], 1),
    ] {
        let heard = hear(CallbackKind::Status, "", body.as_bytes()).expect(body);
        assert_eq!(
            (words(&heard), heard.passed_over),
            (expected.iter().map(|&s| s.to_owned()).collect(), passed_over),
            "{body}"
        );
    }
    // At an address of its own, a list that is not there is a fault of somebody's.
    assert!(matches!(hear(CallbackKind::Inbound, "", br#"{"news":[]}"#), Err(CallbackError::Malformed(_))));
    assert!(matches!(hear(CallbackKind::Status, "", b"nonsense"), Err(CallbackError::Malformed(_))));
}

#[test]
fn a_list_of_faults_is_a_fault() {
    let failed = br#"{"reports":[{"id":"1","state":"ok","errors":[{"code":4}]},{"id":"2","state":"ok","errors":null}]}"#;
    assert_eq!(words(&hear(CallbackKind::Status, "", failed).expect("good")), ["failed", "delivered"]);
}

#[test]
fn letters_arrive_whatever_they_are_written_in() {
    let body =
        |text: &[u8]| [br#"{"messages":[{"kind":"text","from":"+1","text":""#, text, br#""}]}"#].concat();
    for (query, text) in
        [("", &b"ma\xf1ana"[..]), ("", "mañana".as_bytes()), ("&coding=iso-8859-15", b"ma\xf1ana")]
    {
        assert_eq!(
            words(&hear(CallbackKind::Inbound, query, &body(text)).expect("good")),
            ["mañana"],
            "{query}"
        );
    }
}
