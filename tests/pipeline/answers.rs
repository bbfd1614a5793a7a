//! What follows from replies, on the files that have the address they came from.

use crate::house::{House, actor, at};
use dunwell::domain::channel::Channel;
use dunwell::domain::consent::HoldKind;
use dunwell::domain::event::{EventBody, ReviewResolution, Stream};
use dunwell::domain::time::Span;
use dunwell::provider::callback::{CallbackEvent, Inbound};
use dunwell::provider::letter::Letter;
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// A debtor says something by text; what is recorded because of it.
async fn say(house: &House, id: &str, text: &str) -> Vec<String> {
    let before = house.events(id).await.len();
    send(house, Channel::Sms, &phone(house, id).await, text, None).await;
    let events = house.events(id).await;
    events.iter().skip(before).map(|event| event.body.type_name().to_owned()).collect()
}

async fn phone(house: &House, id: &str) -> String {
    let file = house.state(id).await.file.expect("on file");
    file.contact_points[0].value.clone()
}

async fn send(house: &House, channel: Channel, from: &str, text: &str, keyword: Option<&str>) {
    let inbound = Inbound {
        from: from.to_owned(),
        to: "+15005550006".to_owned(),
        at: None,
        text: text.to_owned(),
        keyword: keyword.map(str::to_owned),
        provider_ref: None,
        letter: Letter::default(),
    };
    house.pipeline.take(channel, "sandbox", CallbackEvent::Inbound(inbound)).await.expect("taken");
}

async fn outcome(house: &House, id: &str, channel: &str, purpose: &str) -> String {
    let query =
        json!({"debtor_id": id, "account_ids": [format!("{id}-1")], "channel": channel, "purpose": purpose});
    let query = serde_json::from_value(query).expect("a question");
    let answer = house.pipeline.decide(vec![query], false).await.pop().expect("one").expect("an answer");
    answer.decision.outcome.as_str().to_owned()
}

async fn someone(house: &House, id: &str) {
    house.debtor(id, json!({})).await;
    house.consent(id, "sms", &["automated", "electronic"]).await;
    house.consent(id, "email", &["electronic"]).await;
    house.consent(id, "voice", &["automated"]).await;
    for channel in ["sms", "email", "voice"] {
        assert_eq!(outcome(house, id, channel, "collection").await, "allow", "{channel}");
    }
}

fn sealed(body: &EventBody) -> Value {
    let json = body.sealed_json().expect("JSON").expect("a sealed part");
    serde_json::from_slice(&json).expect("JSON")
}

#[tokio::test]
async fn each_meaning_has_its_effect() {
    let house = House::new().await;
    for (id, text, expected) in [
        ("a1", "please STOP 🙏", &["inbound.received", "opt_out.received"][..]),
        ("a2", "wrong number", &["inbound.received", "contact_point.invalid"]),
        ("a3", "I dispute this debt", &["inbound.received", "dispute.received", "hold.placed"]),
        ("a4", "I filed chapter 7", &["inbound.received", "hold.placed"]),
        ("a5", "My husband died in March", &["inbound.received", "hold.placed"]),
        ("a6", "I refuse to pay this", &["inbound.received", "hold.placed"]),
        ("a7", "cease and desist", &["inbound.received", "opt_out.received", "hold.placed"]),
        ("a8", "call me tomorrow", &["inbound.received", "callback.requested"]),
        ("a9", "I lost my job", &["inbound.received"]),
        ("b1", "already paid", &["inbound.received"]),
        ("b2", "zzyzx", &["inbound.received", "reply.held"]),
        ("b3", "this is harassment", &["inbound.received", "reply.held"]),
        ("b4", "HELP", &["inbound.received"]),
        ("b5", "START", &["inbound.received"]),
        ("b6", "don't text me before 9", &["inbound.received", "preferences.updated"]),
        (
            "b7",
            "No debo nada, ya no me escriban",
            &["inbound.received", "opt_out.received", "dispute.received", "hold.placed"],
        ),
    ] {
        someone(&house, id).await;
        assert_eq!(say(&house, id, text).await, expected, "{text}");
    }
    for (id, kind) in [
        ("a3", HoldKind::Dispute),
        ("a4", HoldKind::Bankruptcy),
        ("a5", HoldKind::Deceased),
        ("a6", HoldKind::RefusesToPay),
        ("a7", HoldKind::Cease),
        ("b7", HoldKind::Dispute),
    ] {
        assert!(house.state(id).await.holds.iter().any(|hold| hold.kind == kind), "{id} {kind}");
    }
    for (id, sms, email) in [
        ("a1", "block", "allow"),
        ("a2", "block", "allow"),
        ("a7", "block", "block"),
        ("a9", "allow", "allow"),
        ("b4", "allow", "allow"),
    ] {
        assert_eq!(outcome(&house, id, "sms", "collection").await, sms, "{id}");
        assert_eq!(outcome(&house, id, "email", "collection").await, email, "{id}");
    }
    house.close().await;
}

#[tokio::test]
async fn a_stop_closes_what_it_names() {
    let house = House::new().await;
    for (id, text, closed, open) in [
        ("a1", "stop texting me, email is fine", &["sms"][..], &["email", "voice"][..]),
        ("a2", "don't call me, text me instead", &["voice"], &["sms", "email"]),
        ("a3", "stop calling and texting", &["sms", "voice"], &["email"]),
        ("a4", "email only please", &["sms", "voice"], &["email"]),
        ("a5", "stop calling me", &["sms", "voice"], &["email"]),
        ("a6", "no me llamen, por mensaje está bien", &["voice"], &["sms", "email"]),
        ("a7", "only contact me in writing by mail", &["sms", "voice", "email"], &[]),
        ("a8", "Stop contacting me by text or email", &["sms", "email"], &["voice"]),
        ("a9", "You only text me to harass me. STOP", &["sms"], &[]),
        ("b9", "Stop texting me after 2 years", &["sms"], &["email", "voice"]),
        ("c9", "*STOP*", &["sms"], &["email", "voice"]),
    ] {
        someone(&house, id).await;
        say(&house, id, text).await;
        for channel in closed {
            assert_eq!(outcome(&house, id, channel, "collection").await, "block", "{text}: {channel}");
        }
        for channel in open {
            assert_eq!(outcome(&house, id, channel, "collection").await, "allow", "{text}: {channel}");
        }
    }
    house.close().await;
}

#[tokio::test]
async fn what_is_named_is_kept() {
    let house = House::new().await;
    someone(&house, "a1").await;
    // It is Wednesday, 25 November 2026, in Miami.
    say(&house, "a1", "I can pay $50 on Friday").await;
    say(&house, "a1", "Contact my attorney Jane Roe at 614-555-0134").await;
    let events = house.events("a1").await;
    let promise =
        events.iter().find(|event| event.body.type_name() == "promise.received").expect("a promise");
    let promise = sealed(&promise.body);
    assert_eq!(promise["amount"], json!({"amount": "50.00", "currency": "USD"}));
    assert_eq!(promise["due_on"], "2026-11-27");
    let hold = events.iter().find(|event| event.body.type_name() == "hold.placed").expect("a hold");
    let detail = sealed(&hold.body)["detail"].as_str().expect("a detail").to_owned();
    assert!(detail.starts_with("Jane Roe, 6145550134: "), "{detail}");
    // Said again it is on file already.
    assert_eq!(say(&house, "a1", "talk to my lawyer").await, ["inbound.received"]);
    house.close().await;
}

#[tokio::test]
async fn the_promised_day_is_that_of_the_debtor() {
    let house = House::new().await;
    someone(&house, "a1").await;
    // In Miami it is still the evening before.
    house.move_to("2026-11-26T02:00:00Z");
    say(&house, "a1", "mañana pago 40 dolares").await;
    let events = house.events("a1").await;
    let promise =
        events.iter().find(|event| event.body.type_name() == "promise.received").expect("a promise");
    assert_eq!(sealed(&promise.body)["due_on"], "2026-11-26");
    house.close().await;
}

#[tokio::test]
async fn what_is_unclear_freezes_until_a_person_has_read_it() {
    let house = House::new().await;
    someone(&house, "a1").await;
    say(&house, "a1", "enough said by the lawyers, maybe").await;
    assert_eq!(outcome(&house, "a1", "sms", "collection").await, "block");
    assert_eq!(outcome(&house, "a1", "email", "collection").await, "allow", "only that address");
    // Frozen once is frozen; a stop binds all the same.
    assert_eq!(say(&house, "a1", "zzyzx").await, ["inbound.received"]);
    let (review, _) = house.state("a1").await.frozen[0];
    let answer = serde_json::from_value(json!({"resolution": ReviewResolution::NotStop})).expect("an answer");
    house.pipeline.resolve_review(&actor(), review, answer).await.expect("resolved");
    assert_eq!(outcome(&house, "a1", "sms", "collection").await, "allow");
    house.close().await;
}

#[tokio::test]
async fn start_lifts_the_stop_of_its_own_address() {
    let house = House::new().await;
    someone(&house, "a1").await;
    say(&house, "a1", "STOP").await;
    assert_eq!(outcome(&house, "a1", "sms", "collection").await, "block");
    assert_eq!(say(&house, "a1", "yes").await, ["inbound.received"], "YES is no consent");
    assert_eq!(outcome(&house, "a1", "sms", "collection").await, "block");
    house.pass(Span::seconds(1));
    let started = say(&house, "a1", "START").await;
    assert_eq!(started, ["inbound.received", "consent.granted", "consent.granted"]);
    assert_eq!(outcome(&house, "a1", "sms", "collection").await, "allow");
    assert_eq!(say(&house, "a1", "START").await, ["inbound.received"], "once is enough");
    house.pass(Span::minutes(1));
    say(&house, "a1", "stop").await;
    assert_eq!(outcome(&house, "a1", "sms", "collection").await, "block");
    house.close().await;
}

#[tokio::test]
async fn one_answer_may_follow_a_question_and_one_confirmation_a_stop() {
    let house = House::new().await;
    someone(&house, "a1").await;
    // At night nothing goes out, but the answer to who asks.
    house.move_to("2026-11-26T05:00:00Z");
    assert_eq!(outcome(&house, "a1", "sms", "consumer_requested").await, "defer");
    say(&house, "a1", "HELP").await;
    assert_eq!(outcome(&house, "a1", "sms", "collection").await, "defer");
    assert_eq!(outcome(&house, "a1", "sms", "consumer_requested").await, "allow");
    say(&house, "a1", "STOP").await;
    assert_eq!(outcome(&house, "a1", "sms", "opt_out_confirmation").await, "allow");
    house.pass(Span::minutes(6));
    assert_eq!(outcome(&house, "a1", "sms", "opt_out_confirmation").await, "block");
    assert_eq!(outcome(&house, "a1", "sms", "consumer_requested").await, "block");
    house.close().await;
}

#[tokio::test]
async fn a_shared_number_stops_for_everyone_and_a_stranger_s_stop_waits_for_its_owner() {
    let house = House::new().await;
    let shared = json!([{"kind": "phone", "value": "+13055550188", "line_type": "mobile"}]);
    for id in ["a1", "a2"] {
        house.debtor(id, json!({"contact_points": shared})).await;
        house.consent(id, "sms", &["automated", "electronic"]).await;
    }
    send(&house, Channel::Sms, "+13055550188", "Stop!", None).await;
    assert_eq!(outcome(&house, "a1", "sms", "collection").await, "block");
    assert_eq!(outcome(&house, "a2", "sms", "collection").await, "block");
    send(&house, Channel::Sms, "13055550189", "arrêt", Some("STOP")).await;
    let late = json!([{"kind": "phone", "value": "+13055550189", "line_type": "mobile"}]);
    house.debtor("a3", json!({"contact_points": late})).await;
    house.consent("a3", "sms", &["automated", "electronic"]).await;
    assert_eq!(outcome(&house, "a3", "sms", "collection").await, "block");
    assert!(house.state("a3").await.opt_outs.is_empty() && at("2026-11-25T20:00:00Z").millis() > 0);
    house.close().await;
}

#[tokio::test]
async fn whatever_a_stranger_closes_stays_closed_for_the_owner_of_the_number() {
    let house = House::new().await;
    for (id, number, text) in [
        ("a1", "+13055550161", "Stop contacting me"),
        ("a2", "+13055550162", "stop texting and don't call either"),
        ("a3", "+13055550163", "STOP"),
    ] {
        send(&house, Channel::Sms, number, text, None).await;
        let points = json!([{"kind": "phone", "value": number, "line_type": "mobile"}]);
        house.debtor(id, json!({ "contact_points": points })).await;
        house.consent(id, "sms", &["automated", "electronic"]).await;
        house.consent(id, "voice", &["automated"]).await;
        assert_eq!(outcome(&house, id, "sms", "collection").await, "block", "{text}");
    }
    for (id, voice) in [("a1", "block"), ("a2", "block"), ("a3", "allow")] {
        assert_eq!(outcome(&house, id, "voice", "collection").await, voice, "{id}");
    }
    house.close().await;
}

#[tokio::test]
async fn a_reply_whose_sender_is_no_address_is_recorded_and_waits_for_a_person() {
    let house = House::new().await;
    someone(&house, "a1").await;
    let held = async || {
        let rows = house.pipeline.read(|store| store.reader()?.open_reviews(100)).await.expect("readable");
        rows.into_iter().map(|row| (row.review, row.debtor)).collect::<Vec<_>>()
    };
    // A stop waits each time, anything else once for a sender, and two senders are not confused.
    let mut said = Vec::new();
    for (channel, from, text, waiting) in [
        (Channel::Sms, "+1447911123456", "STOP", 1),
        (Channel::Sms, "+1447911123456", "thanks", 1),
        (Channel::Sms, "+1447911123456", "Stop!", 2),
        (Channel::Sms, "anonymous", "thanks", 3),
        (Channel::Sms, "anonymous", "who is this", 3),
        (Channel::Sms, "", "stop", 4),
        (Channel::Email, "sample at example.com", "STOP", 5),
    ] {
        send(&house, channel, from, text, None).await;
        assert_eq!(held().await.len(), waiting, "{from}: {text}");
        said.push((from.to_owned(), text.to_owned()));
    }
    // Every word of it is on a file that a review leads to.
    let files: BTreeSet<_> = held().await.into_iter().map(|(_, file)| file).collect();
    let mut recorded = Vec::new();
    for file in &files {
        let stream = Stream::Debtor(*file);
        let events = house.pipeline.read(move |store| store.reader()?.load(stream)).await.expect("readable");
        let inbound = events.iter().filter(|event| matches!(event.body, EventBody::InboundReceived(..)));
        let words = |value: &Value| value.as_str().unwrap_or_default().trim().to_owned();
        recorded.extend(inbound.map(|event| {
            let secret = sealed(&event.body);
            (words(&secret["from"]), words(&secret["text"]))
        }));
    }
    said.sort();
    recorded.sort();
    assert_eq!((files.len(), recorded), (4, said));
    // Two zeros in front are no riddle.
    send(&house, Channel::Sms, &phone(&house, "a1").await.replace('+', "00"), "STOP", None).await;
    assert_eq!((outcome(&house, "a1", "sms", "collection").await.as_str(), held().await.len()), ("block", 5));
    for (review, _) in held().await {
        let answer = json!({"resolution": "stop", "note": "found out"});
        let answer = serde_json::from_value(answer).expect("an answer");
        house.pipeline.resolve_review(&actor(), review, answer).await.expect("resolved");
    }
    assert!(held().await.is_empty());
    house.close().await;
}
