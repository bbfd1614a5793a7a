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

/// Every file under a directory, by name; what is not text in it is replaced, what is text stays.
fn walk(dir: &Path, out: &mut Vec<(String, String)>) {
    for entry in fs::read_dir(dir).expect("a directory") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            walk(&path, out);
        } else if let Ok(content) = fs::read(&path) {
            out.push((path.display().to_string(), String::from_utf8_lossy(&content).into_owned()));
        }
    }
}

/// The canary as text, in hexadecimal, and in base64 wherever it may begin.
fn forms(canary: &str) -> Vec<(&'static str, String)> {
    let mut forms = vec![("text", canary.to_owned())];
    if canary.len() >= 8 {
        forms.push(("hexadecimal", hex::encode(canary)));
        for shift in 0..3 {
            let encoded =
                BASE64_STANDARD_NO_PAD.encode([vec![0; shift], canary.as_bytes().to_vec()].concat());
            // The first and the last group depend on the neighbours.
            forms.push(("base64", encoded[if shift == 0 { 0 } else { 4 }..encoded.len() / 4 * 4].to_owned()));
        }
    }
    forms
}

/// Whether it stands there by itself: short digits may turn up inside a hash or an identifier.
fn stands_in(content: &str, needle: &str) -> bool {
    // The plain search is by far the fastest, and almost always the last word.
    content.contains(needle)
        && (needle.len() >= 8
            || content.match_indices(needle).any(|(at, _)| {
                let before = content[..at].chars().next_back();
                let after = content[at + needle.len()..].chars().next();
                !before.is_some_and(char::is_alphanumeric) && !after.is_some_and(char::is_alphanumeric)
            }))
}

#[test]
fn the_search_finds_what_it_is_for() {
    assert!(stands_in("{\"postal\":\"33186\"}", "33186"));
    assert!(!stands_in("req_a33186f", "33186"));
    for prefix in ["", "a", "ab"] {
        let hidden = BASE64_STANDARD_NO_PAD.encode(format!("{prefix}Quixwright, and more"));
        assert!(forms("Quixwright").iter().any(|(_, form)| stands_in(&hidden, form)), "{prefix}");
    }
}
