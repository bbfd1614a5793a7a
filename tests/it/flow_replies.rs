//! What debtors answer, over HTTP as a vendor hands it on: believed when signed, once, and acted on before it is answered.

use crate::support::gateway::Gateway;
use crate::support::http::{Client, Message};
use crate::support::sample::{Person, decide, noon, person};
use crate::support::vendor::{ACCOUNT_SID, AUTH_TOKEN, Twilio, signature};
use serde_json::{Value, json};

/// Posts a text from a handset as Twilio does, signed with this token.
fn text(gateway: &Gateway, sid: &str, from: &str, body: &str, token: &str) -> Message {
    let fields = [
        ("AccountSid", ACCOUNT_SID),
        ("ApiVersion", "2010-04-01"),
        ("Body", body),
        ("From", from),
        ("MessageSid", sid),
        ("NumMedia", "0"),
        ("NumSegments", "1"),
        ("SmsMessageSid", sid),
        ("SmsStatus", "received"),
        ("To", "+15005550006"),
    ];
    let form = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
    let path = "/callbacks/sms/twilio/inbound";
    let signed = signature(token, &format!("http://{}{path}", gateway.address), &fields);
    let headers = [("Content-Type", "application/x-www-form-urlencoded"), ("X-Twilio-Signature", &signed)];
    gateway.anyone().send("POST", path, &headers, form.as_bytes())
}

/// A text that the vendor really hands on.
#[track_caller]
fn say(gateway: &Gateway, sid: &str, from: &str, body: &str) {
    let answer = text(gateway, sid, from, body, AUTH_TOKEN);
    assert_eq!(answer.status(), 200, "{}", answer.text());
}

fn types(client: &Client, person: &Person) -> Vec<String> {
    let history = client.all(&format!("{}/history", person.path()));
    history.iter().filter_map(|event| event["type"].as_str().map(str::to_owned)).collect()
}

fn last(client: &Client, person: &Person, kind: &str) -> Value {
    let history = client.all(&format!("{}/history", person.path()));
    history.into_iter().rfind(|event| event["type"] == kind).unwrap_or_else(|| panic!("no {kind}"))
}

fn house() -> (Twilio, Gateway) {
    let vendor = Twilio::accepting();
    let gateway = Gateway::with(vendor.setup(100));
    (vendor, gateway)
}

#[test]
fn a_stop_in_any_words_is_in_force_once_it_is_answered() {
    let (_vendor, gateway) = house();
    let client = gateway.admin();
    for (number, words) in [
        "Please, I have asked you before: no more texts",
        "ya no me manden mensajes por favor",
        "𝕊𝕋𝕆ℙ",
        "🛑",
        "I already told your colleague that I get nothing this month, so take me off your list. Thank you and God bless",
    ]
    .iter()
    .enumerate()
    {
        let sample = person(number);
        sample.enter(&client, noon());
        assert_eq!(decide(&client, &sample.query("sms"))["outcome"], "allow");
        let sid = format!("SM{number:032}");
        // Not believed until it is signed.
        assert_eq!(text(&gateway, &sid, &sample.phone, words, "another token").status(), 401);
        assert_eq!(decide(&client, &sample.query("sms"))["outcome"], "allow");
        say(&gateway, &sid, &sample.phone, words);
        assert_eq!(decide(&client, &sample.query("sms"))["outcome"], "block", "{words}");
        assert_eq!(decide(&client, &sample.query("email"))["outcome"], "allow", "{words}");
        // A replay changes nothing.
        let before = types(&client, &sample);
        say(&gateway, &sid, &sample.phone, words);
        assert_eq!(types(&client, &sample), before);
        assert_eq!(before.iter().filter(|kind| *kind == "opt_out.received").count(), 1);
    }
}

#[test]
fn several_meanings_all_take_effect() {
    let (_vendor, gateway) = house();
    let client = gateway.admin();
    let sample = person(1);
    sample.enter(&client, noon());
    let words = "I don't owe this. My lawyer is Jane Roe, 614-555-0134. Stop texting me.";
    say(&gateway, "SM1", &sample.phone, words);
    let inbound = last(&client, &sample, "inbound.received");
    assert!(inbound.to_string().contains(r#""intents":["dispute","attorney","stop"]"#), "{inbound}");
    let recorded = types(&client, &sample);
    for kind in ["opt_out.received", "dispute.received"] {
        assert!(recorded.iter().any(|known| known == kind), "{kind}: {recorded:?}");
    }
    assert_eq!(recorded.iter().filter(|kind| *kind == "hold.placed").count(), 2);
    let state = client.get(&sample.path()).expect(200);
    let holds: Vec<&str> =
        state["holds"].as_array().expect("holds").iter().filter_map(|hold| hold["kind"].as_str()).collect();
    assert_eq!(holds, ["dispute", "attorney"]);
    for channel in ["sms", "email", "voice"] {
        assert_ne!(decide(&client, &sample.query(channel))["outcome"], "allow", "{channel}");
    }
}

#[test]
fn a_promise_keeps_its_amount_and_bars_nothing() {
    let (_vendor, gateway) = house();
    let client = gateway.admin();
    let sample = person(1);
    sample.enter(&client, noon());
    say(&gateway, "SM1", &sample.phone, "Thanks, I'll pay $75.50 tomorrow");
    let promise = last(&client, &sample, "promise.received").to_string();
    assert!(promise.contains(r#"{"amount":"75.50","currency":"USD"}"#), "{promise}");
    assert!(promise.contains("\"due_on\":\"20"), "{promise}");
    assert_eq!(decide(&client, &sample.query("sms"))["outcome"], "allow");
}

#[test]
fn what_nobody_understands_freezes_the_address_and_waits_for_a_person() {
    let (_vendor, gateway) = house();
    let client = gateway.admin();
    let sample = person(1);
    sample.enter(&client, noon());
    say(&gateway, "SM1", &sample.phone, "mi abuela tiene un tractor");
    assert_ne!(decide(&client, &sample.query("sms"))["outcome"], "allow");
    let reviews = client.get("/v1/reviews").expect(200);
    let review = &reviews["items"][0];
    assert_eq!(review["text"], "mi abuela tiene un tractor");
    assert_eq!(review["contact_point"], sample.phone.as_str());
    let path = format!("/v1/reviews/{}", review["id"].as_str().expect("an id"));
    client.post(&path, &json!({"resolution": "not_stop"})).ok();
    assert_eq!(decide(&client, &sample.query("sms"))["outcome"], "allow");
}

#[test]
fn a_wrong_number_is_not_used_again_by_any_means() {
    let (_vendor, gateway) = house();
    let client = gateway.admin();
    let sample = person(1);
    sample.enter(&client, noon());
    say(&gateway, "SM1", &sample.phone, "Sorry, you have the wrong number");
    let recorded = types(&client, &sample);
    assert!(recorded.iter().any(|kind| kind == "contact_point.invalid"), "{recorded:?}");
    assert!(!recorded.iter().any(|kind| kind == "opt_out.received" || kind == "reply.held"), "{recorded:?}");
    for channel in ["sms", "voice"] {
        assert_ne!(decide(&client, &sample.query(channel))["outcome"], "allow", "{channel}");
    }
    assert_eq!(decide(&client, &sample.query("email"))["outcome"], "allow");
}
