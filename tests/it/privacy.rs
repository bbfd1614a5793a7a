//! Nothing personal in clear on disk: every file that the program writes is searched for what was told to it.

use crate::api_requests::settle;
use crate::support::gateway::Gateway;
use crate::support::sample::{days_ago, noon, person, with};
use base64::{Engine, prelude::BASE64_STANDARD_NO_PAD};
use serde_json::json;
use std::fs;
use std::path::Path;

/// What must stand nowhere, as it was told to the gateway and as it would stand in a message.
const CANARIES: &[&str] = &[
    "Zebulonne",
    "Quixwright",
    "3055550142",
    "305-555-0142",
    "canary.quix@example.com",
    "zebulonne-portal",
    "ACCT-CANARY-77",
    "REF-CANARY-88",
    "33186",
    "Kendallville",
    "1971-05-17",
    "9471.62",
    "9,471.62",
    "March 7, 2031",
    "pay.example/canary",
    "said at the counter that she never",
    "called from her sister",
    "consent form 4711",
    "D-CANARY-99",
];

#[test]
fn nothing_personal_stands_in_clear_in_database_journal_keys_or_logs() {
    let mut gateway = Gateway::start();
    let client = gateway.admin();
    let mut sample = person(42);
    sample.id = "D-CANARY-99".to_owned();
    sample.phone = "+13055550142".to_owned();
    sample.email = "canary.quix@example.com".to_owned();
    sample.portal = "zebulonne-portal".to_owned();
    sample.account = "ACCT-CANARY-77".to_owned();
    let mut file = sample.file(noon());
    file["name"] = json!({"given": "Zebulonne", "family": "Quixwright"});
    file["date_of_birth"] = json!("1971-05-17");
    file["locations"] =
        json!([{"postal_code": "33186", "region": "US-FL", "locality": "Kendallville", "country": "US"}]);
    file["accounts"][0]["reference"] = json!("REF-CANARY-88");
    file["accounts"][0]["balance"]["amount"] = json!("9471.62");
    file["accounts"][0]["payment_url"] = json!("https://pay.example/canary");
    client.put(&sample.path(), &file).ok();
    for (channel, scope) in
        [("sms", "automated"), ("sms", "electronic"), ("email", "electronic"), ("voice", "automated")]
    {
        let consent = with(sample.consent(channel, scope), "source", "consent form 4711");
        client.post(&format!("{}/consents", sample.path()), &consent).ok();
    }
    for channel in ["sms", "email", "voice", "portal"] {
        let answer = client
            .post("/v1/contact-requests", &sample.request(&format!("r-{channel}"), &[channel]))
            .expect(202);
        settle(&client, answer["id"].as_str().expect("an id"), &["sent", "delivered"]);
    }
    client.post("/v1/contact-events", &sample.call("c-1", days_ago(1), "no_answer")).ok();
    client.post("/v1/permits", &sample.query("voice")).expect(201);
    let hold = json!({"since": days_ago(1).to_string(), "detail": "said at the counter that she never"});
    client.put(&format!("{}/holds/dispute", sample.path()), &hold).ok();
    let stop = json!({
        "channel": "all", "contact_point": sample.phone, "received_at": days_ago(0).to_string(), "source": "a call",
        "text": "called from her sister",
    });
    client.post(&format!("{}/opt-outs", sample.path()), &stop).ok();
    // Wrong bodies and paths get into no log either.
    client.put(&sample.path(), &with(file, "nickname", "Zebulonne")).problem(422);
    client.post("/v1/decisions", &with(sample.query("voice"), "at", "canary.quix@example.com")).problem(422);

    // It can be read back, so it is there: sealed.
    assert!(client.get(&sample.path()).text().contains("Quixwright"));
    assert_clean(gateway.dir());
    gateway.kill();
    assert_clean(gateway.dir());
    gateway.run();
    assert_eq!(gateway.stop(), Some(0));
    assert_clean(gateway.dir());
}

fn assert_clean(dir: &Path) {
    let mut files = Vec::new();
    walk(dir, &mut files);
    let names: Vec<String> = files.iter().map(|(name, _)| name.clone()).collect();
    assert!(names.iter().any(|name| name.ends_with("dunwell.db")), "{names:?}");
    assert!(names.iter().any(|name| name.ends_with("gateway.log")), "{names:?}");
    for (name, content) in &files {
        for canary in CANARIES {
            for (form, needle) in forms(canary) {
                assert!(!stands_in(content, &needle), "{canary} stands in {name} ({form})");
            }
        }
    }
}

fn walk(dir: &Path, out: &mut Vec<(String, Vec<u8>)>) {
    for entry in fs::read_dir(dir).expect("a directory") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            walk(&path, out);
        } else if let Ok(content) = fs::read(&path) {
            out.push((path.display().to_string(), content));
        }
    }
}

/// The canary as text, in hexadecimal, and in base64 wherever it may begin.
fn forms(canary: &str) -> Vec<(&'static str, Vec<u8>)> {
    let mut forms = vec![("text", canary.as_bytes().to_vec())];
    if canary.len() >= 8 {
        forms.push(("hexadecimal", hex::encode(canary).into_bytes()));
        for shift in 0..3 {
            let encoded =
                BASE64_STANDARD_NO_PAD.encode([vec![0; shift], canary.as_bytes().to_vec()].concat());
            // The first and the last group depend on the neighbours.
            let inner = &encoded.as_bytes()[if shift == 0 { 0 } else { 4 }..encoded.len() / 4 * 4];
            forms.push(("base64", inner.to_vec()));
        }
    }
    forms
}

/// Whether it stands there by itself: short digits may turn up inside a hash or an identifier.
fn stands_in(content: &[u8], needle: &[u8]) -> bool {
    let alone = |byte: Option<&u8>| needle.len() >= 8 || !byte.is_some_and(u8::is_ascii_alphanumeric);
    content.windows(needle.len()).enumerate().any(|(at, window)| {
        window == needle
            && alone(at.checked_sub(1).and_then(|before| content.get(before)))
            && alone(content.get(at + needle.len()))
    })
}

#[test]
fn the_search_finds_what_it_is_for() {
    assert!(stands_in(b"{\"postal\":\"33186\"}", b"33186"));
    assert!(!stands_in(b"req_a33186f", b"33186"));
    for (prefix, shift) in [("", 0), ("a", 1), ("ab", 2)] {
        let hidden = BASE64_STANDARD_NO_PAD.encode(format!("{prefix}Quixwright, and more"));
        assert!(forms("Quixwright").iter().any(|(_, form)| stands_in(hidden.as_bytes(), form)), "{shift}");
    }
}
