//! What is answered by itself: a stop once, HELP once a day, and nobody twice.

use crate::house::{House, actor, until};
use dunwell::domain::channel::Channel;
use dunwell::domain::event::EventBody;
use dunwell::domain::message::Content;
use dunwell::domain::request::RequestStatus;
use dunwell::domain::time::{Clock, Span, Timestamp};
use dunwell::pipeline::Refusal;
use dunwell::provider::callback::{CallbackEvent, Inbound};
use serde_json::json;
use std::sync::{Arc, Mutex};

/// Every text that left, in order.
type Sent = Arc<Mutex<Vec<String>>>;

async fn house() -> (House, Sent) {
    let (place, clock) = House::ground();
    let house = House::answering(place, clock).await;
    let sent = watch(&house);
    (house, sent)
}

fn watch(house: &House) -> Sent {
    let sent: Sent = Arc::default();
    let seen = sent.clone();
    house.direct(Channel::Sms, "sandbox", move |message| {
        if let Content::Sms { text, .. } = &message.content {
            seen.lock().expect("nobody panicked").push(text.clone());
        }
        None
    });
    sent
}

async fn someone(house: &House, id: &str, number: &str) {
    let points = json!([{"kind": "phone", "value": number, "line_type": "mobile"}]);
    house.debtor(id, json!({ "contact_points": points })).await;
    house.consent(id, "sms", &["automated", "electronic"]).await;
}

async fn say(house: &House, from: &str, text: &str, reference: Option<&str>, keyword: Option<&str>) {
    say_over(house, "sandbox", from, text, reference, keyword).await;
}

async fn say_over(
    house: &House,
    provider: &str,
    from: &str,
    text: &str,
    reference: Option<&str>,
    keyword: Option<&str>,
) {
    let inbound = Inbound {
        letter: dunwell::provider::letter::Letter::default(),
        from: from.to_owned(),
        to: "+15005550006".to_owned(),
        at: None,
        text: text.to_owned(),
        keyword: keyword.map(str::to_owned),
        provider_ref: reference.map(str::to_owned),
    };
    house.pipeline.take(Channel::Sms, provider, CallbackEvent::Inbound(inbound)).await.expect("taken");
}

/// The templates that were ordered for a debtor.
async fn ordered(house: &House, id: &str) -> Vec<String> {
    let events = house.events(id).await;
    events
        .iter()
        .filter_map(|event| match &event.body {
            EventBody::RequestAccepted(order, _) => Some(order.template.clone()),
            _ => None,
        })
        .collect()
}

/// Waits until nothing of a debtor's is on its way; how each request stands.
async fn settled(house: &House, id: &str) -> Vec<RequestStatus> {
    until("nothing to be on its way", async || {
        let state = house.state(id).await;
        let statuses: Vec<RequestStatus> = state.requests.values().map(|request| request.status).collect();
        let rests = |status: &RequestStatus| !status.is_open() || *status == RequestStatus::Deferred;
        statuses.iter().all(rests).then_some(statuses)
    })
    .await
}

const ONE: &str = "+13055550171";

#[tokio::test]
async fn a_stop_is_confirmed_once_even_at_night() {
    let (house, sent) = house().await;
    someone(&house, "a1", ONE).await;
    house.move_to("2026-11-26T05:00:00Z");
    say(&house, ONE, "please stop texting me", Some("m1"), None).await;
    settled(&house, "a1").await;
    assert_eq!(
        *sent.lock().expect("whole"),
        ["First Recovery LLC: you have opted out. We will send no more text messages to this number."]
    );
    // The same delivered twice, and another one: there is nothing more to confirm.
    say(&house, ONE, "please stop texting me", Some("m1"), None).await;
    say(&house, ONE, "STOP", Some("m2"), None).await;
    house.pass(Span::hours(2));
    say(&house, ONE, "STOP!!", Some("m3"), None).await;
    assert_eq!(ordered(&house, "a1").await, ["opt-out-confirmation"]);
    // After a START the next stop is a new one.
    say(&house, ONE, "START", Some("m4"), None).await;
    house.pass(Span::minutes(1));
    say(&house, ONE, "STOP", Some("m5"), None).await;
    assert_eq!(ordered(&house, "a1").await, ["opt-out-confirmation", "opt-out-confirmation"]);
    house.close().await;
}

/// Both consents that a text needs, as of a moment.
async fn consented(house: &House, id: &str, granted_at: Timestamp) -> Result<(), Refusal> {
    for scope in ["automated", "electronic"] {
        let said = json!({
            "channel": "sms", "scope": scope, "granted_at": granted_at, "contact_point": ONE, "source": "test",
        });
        house.pipeline.add_consent(&actor(), id, serde_json::from_value(said).expect("a consent")).await?;
    }
    Ok(())
}

#[tokio::test]
async fn a_consent_that_is_yet_to_be_given_outlives_no_stop() {
    let (house, _) = house().await;
    someone(&house, "a1", ONE).await;
    let now = house.clock.now();
    let refused = consented(&house, "a1", now.plus(Span::hours(4))).await;
    assert!(
        matches!(&refused, Err(Refusal::Invalid(faults)) if faults[0].pointer == "/granted_at"),
        "{refused:?}"
    );
    // By a clock that is ahead of ours it is given now.
    consented(&house, "a1", now.plus(Span::minutes(4))).await.expect("recorded");
    house.pass(Span::minutes(1));
    say(&house, ONE, "STOP", Some("m1"), None).await;
    settled(&house, "a1").await;
    house.pass(Span::minutes(1));
    say(&house, ONE, "STOP", Some("m2"), None).await;
    house.pass(Span::hours(4));
    let request = house.accept(house.request("r1", "a1", &["sms"])).await.expect("accepted");
    house.until("a1", &request, "blocked").await;
    assert_eq!(ordered(&house, "a1").await, ["opt-out-confirmation", "payment-reminder"], "one confirmation");
    // One that is given after it lifts it.
    consented(&house, "a1", house.clock.now()).await.expect("recorded");
    let request = house.accept(house.request("r2", "a1", &["sms"])).await.expect("accepted");
    house.until("a1", &request, "delivered").await;
    house.close().await;
}

#[tokio::test]
async fn help_is_answered_once_a_day() {
    let (house, sent) = house().await;
    someone(&house, "a1", ONE).await;
    for reference in ["m1", "m2"] {
        say(&house, ONE, "HELP", Some(reference), None).await;
        house.pass(Span::minutes(10));
    }
    settled(&house, "a1").await;
    let texts = sent.lock().expect("whole").clone();
    assert_eq!(texts.len(), 1, "{texts:?}");
    assert!(texts[0].contains("for help with your account, call") && texts[0].contains("STOP"), "{texts:?}");
    house.pass(Span::hours(24));
    say(&house, ONE, "help", Some("m3"), None).await;
    assert_eq!(ordered(&house, "a1").await, ["help", "help"]);
    // Who has stopped is answered nothing but what the law lets through.
    settled(&house, "a1").await;
    house.pass(Span::minutes(1));
    say(&house, ONE, "STOP", Some("m4"), None).await;
    settled(&house, "a1").await;
    house.pass(Span::hours(25));
    say(&house, ONE, "HELP", Some("m5"), None).await;
    let statuses = settled(&house, "a1").await;
    assert_eq!(statuses.len(), 4, "{statuses:?}");
    let texts = sent.lock().expect("whole").clone();
    assert_eq!(texts.len(), 3, "two answers and a confirmation: {texts:#?} {statuses:?}");
    house.close().await;
}

#[tokio::test]
async fn nobody_is_answered_who_should_not_be() {
    let (house, sent) = house().await;
    someone(&house, "a1", ONE).await;
    // A stranger; what the vendor answered; what belongs to somebody else; what nobody understood.
    say(&house, "+13055550172", "STOP", Some("m1"), None).await;
    say(&house, "+13055550172", "HELP", Some("m2"), None).await;
    for (id, number, text, keyword) in [
        ("a2", "+13055550173", "STOP", Some("STOP")),
        ("a3", "+13055550174", "wrong number stop", None),
        ("a4", "+13055550175", "zzyzx", None),
        ("a5", "+13055550176", "I lost my job", None),
        ("a6", "+13055550177", "HELP", Some("HELP")),
    ] {
        someone(&house, id, number).await;
        say(&house, number, text, Some(id), keyword).await;
        assert!(ordered(&house, id).await.is_empty(), "{text}");
    }
    // Without consent no text may go out: the request stands in the history, and ends there.
    let points = json!([{"kind": "phone", "value": "+13055550178", "line_type": "mobile"}]);
    house.debtor("a7", json!({ "contact_points": points })).await;
    say(&house, "+13055550178", "HELP", Some("m9"), None).await;
    assert_eq!(ordered(&house, "a7").await, ["help"]);
    assert!(sent.lock().expect("whole").is_empty());
    house.close().await;
}

#[tokio::test]
async fn two_providers_may_call_a_reply_the_same() {
    let (house, sent) = house().await;
    for (id, number, provider) in [("a1", ONE, "sandbox"), ("a2", "+13055550172", "second")] {
        someone(&house, id, number).await;
        say_over(&house, provider, number, "HELP", Some("1"), None).await;
        settled(&house, id).await;
        assert_eq!(ordered(&house, id).await, ["help"], "{id}");
    }
    assert_eq!(sent.lock().expect("whole").len(), 2);
    house.close().await;
}

#[tokio::test]
async fn a_shared_phone_hears_it_once() {
    let (house, sent) = house().await;
    for id in ["a1", "a2", "a3"] {
        someone(&house, id, ONE).await;
    }
    say(&house, ONE, "stop", Some("m1"), None).await;
    let mut all = Vec::new();
    for id in ["a1", "a2", "a3"] {
        settled(&house, id).await;
        all.extend(ordered(&house, id).await);
    }
    assert_eq!(all, ["opt-out-confirmation"]);
    assert_eq!(sent.lock().expect("whole").len(), 1);
    house.close().await;
}

#[tokio::test]
async fn who_was_erased_leaves_the_answer_to_whoever_is_on_file() {
    let (house, sent) = house().await;
    let names = house.pipeline.desk().names.clone();
    let mut ids = ["a1", "a2", "a3"];
    // In the order in which files that share a number are looked through.
    ids.sort_by_key(|id| names.debtor(id));
    for id in ids {
        someone(&house, id, ONE).await;
    }
    house.pipeline.erase(&actor(), ids[0]).await.expect("erased");
    say(&house, ONE, "HELP", Some("m1"), None).await;
    settled(&house, ids[1]).await;
    house.pass(Span::minutes(1));
    say(&house, ONE, "STOP", Some("m2"), None).await;
    settled(&house, ids[1]).await;
    assert_eq!(ordered(&house, ids[1]).await, ["help", "opt-out-confirmation"]);
    assert!(ordered(&house, ids[0]).await.is_empty() && ordered(&house, ids[2]).await.is_empty());
    assert_eq!(sent.lock().expect("whole").len(), 2);
    // Where nobody with the number is on file any more it is kept and not answered.
    for id in &ids[1..] {
        house.pipeline.erase(&actor(), id).await.expect("erased");
    }
    let before = house.events(ids[0]).await.len();
    say(&house, ONE, "HELP", Some("m3"), None).await;
    let events = house.events(ids[0]).await;
    assert!(events[before..].iter().any(|event| matches!(event.body, EventBody::InboundReceived(..))));
    assert_eq!(sent.lock().expect("whole").len(), 2);
    house.close().await;
}

#[tokio::test]
async fn a_stop_changes_something_where_the_law_says_that_none_stood() {
    let (house, sent) = house().await;
    someone(&house, "a1", ONE).await;
    let consent = async |given_to: &str, point: Option<&str>| {
        for scope in ["automated", "electronic"] {
            let said = json!({
                "channel": "sms", "scope": scope, "granted_at": house.clock.now(), "contact_point": point,
                "given_to": given_to, "source": "test",
            });
            let said = serde_json::from_value(said).expect("a consent");
            house.pipeline.add_consent(&actor(), "a1", said).await.expect("recorded");
        }
    };
    // A consent for every number lifts a stop of every number.
    house.opt_out("a1", "sms").await;
    house.pass(Span::minutes(1));
    consent("collector", None).await;
    house.pass(Span::minutes(1));
    say(&house, ONE, "STOP", Some("m1"), None).await;
    settled(&house, "a1").await;
    assert_eq!(ordered(&house, "a1").await, ["opt-out-confirmation"]);
    // But not one of this number; and what is given to the creditor lifts nothing.
    house.pass(Span::minutes(1));
    consent("collector", None).await;
    consent("creditor", Some(ONE)).await;
    house.pass(Span::minutes(1));
    say(&house, ONE, "STOP", Some("m2"), None).await;
    assert_eq!(ordered(&house, "a1").await, ["opt-out-confirmation"]);
    // So a START still has something to lift.
    say(&house, ONE, "START", Some("m3"), None).await;
    house.pass(Span::minutes(1));
    say(&house, ONE, "STOP", Some("m4"), None).await;
    settled(&house, "a1").await;
    assert_eq!(ordered(&house, "a1").await, ["opt-out-confirmation", "opt-out-confirmation"]);
    assert_eq!(sent.lock().expect("whole").len(), 2);
    house.close().await;
}

#[tokio::test]
async fn a_restart_answers_nothing_again() {
    let (house, sent) = house().await;
    someone(&house, "a1", ONE).await;
    say(&house, ONE, "STOP", Some("m1"), None).await;
    settled(&house, "a1").await;
    assert_eq!(sent.lock().expect("whole").len(), 1);
    let (place, clock) = house.close().await;
    let house = House::answering(place, clock).await;
    let sent = watch(&house);
    // The vendor never heard our answer and tells it again.
    say(&house, ONE, "STOP", Some("m1"), None).await;
    settled(&house, "a1").await;
    assert_eq!(ordered(&house, "a1").await, ["opt-out-confirmation"]);
    assert!(sent.lock().expect("whole").is_empty());
    house.close().await;
}

#[tokio::test]
async fn what_is_not_asked_for_is_not_answered() {
    let house = House::new().await;
    someone(&house, "a1", ONE).await;
    say(&house, ONE, "HELP", Some("m1"), None).await;
    say(&house, ONE, "STOP", Some("m2"), None).await;
    assert!(ordered(&house, "a1").await.is_empty());
    house.close().await;
}
