//! One request after the other: what is lawful leaves, what is not waits or ends, and everything stands in the history.

use crate::house::{House, actor, at};
use dunwell::domain::attempt::AttemptStatus;
use dunwell::domain::decision::Outcome;
use dunwell::domain::outcome::FailureCause;
use dunwell::domain::time::{Clock, Span};
use dunwell::pipeline::receive::Report;
use dunwell::pipeline::{Accepted, Refusal};
use serde_json::json;
use std::time::Duration;

fn types(events: &[dunwell::domain::event::Event]) -> Vec<&'static str> {
    events.iter().map(|event| event.body.type_name()).collect()
}

#[tokio::test]
async fn a_lawful_request_is_decided_sent_and_recorded() {
    let house = House::new().await;
    house.debtor("d1", json!({})).await;
    house.consent("d1", "sms", &["automated", "electronic"]).await;
    let accepted = house.accept(house.request("r1", "d1", &["sms"])).await.expect("accepted");
    let request = house.until("d1", &accepted, "sent").await;
    let events = house.events("d1").await;
    assert_eq!(
        types(&events),
        [
            "debtor.updated",
            "consent.granted",
            "consent.granted",
            "request.accepted",
            "decision.made",
            "attempt.started",
            "attempt.sent",
        ]
    );
    let state = house.state("d1").await;
    let attempt = &state.attempts[&request.attempts[0]];
    assert_eq!(attempt.status, AttemptStatus::Sent);
    let delivered = Report {
        status: Some(AttemptStatus::Delivered),
        reported: "delivered".to_owned(),
        code: None,
        cause: FailureCause::Unspecified,
        complained: false,
        in_hand: false,
        result: None,
    };
    for _ in 0..2 {
        house.pipeline.report(actor(), request.attempts[0], delivered.clone()).await.expect("reported");
    }
    house.until("d1", &accepted, "delivered").await;
    let updates = types(&house.events("d1").await).iter().filter(|name| **name == "delivery.updated").count();
    assert_eq!(updates, 1, "a replayed receipt changes nothing");
    house.close().await;
}

#[tokio::test]
async fn the_same_request_gets_the_same_answer_for_ever() {
    let house = House::new().await;
    house.debtor("d1", json!({})).await;
    let first = house.accept(house.request("r1", "d1", &["sms"])).await.expect("accepted");
    let repeat = Accepted { repeated: true, ..first };
    assert_eq!(house.accept(house.request("r1", "d1", &["sms"])).await.expect("accepted"), repeat);
    let other = house.request("r1", "d1", &["email"]);
    assert!(matches!(house.accept(other).await, Err(Refusal::Conflict(_))));
    let (place, clock) = house.close().await;
    let house = House::at(place, clock).await;
    assert_eq!(house.accept(house.request("r1", "d1", &["sms"])).await.expect("accepted"), repeat);
    house.close().await;
}

#[tokio::test]
async fn a_repeat_is_answered_even_when_its_time_has_passed() {
    let house = House::new().await;
    house.debtor("d1", json!({})).await;
    let mut request = house.request("r1", "d1", &["sms"]);
    request.expires_at = Some(house.pipeline.desk().clock.now().plus(Span::hours(1)));
    let first = house.accept(request.clone()).await.expect("accepted");
    house.pass(Span::hours(2));
    let again = house.accept(request.clone()).await.expect("the first answer");
    assert_eq!((again.id, first.repeated, again.repeated), (first.id, false, true));
    request.request_id = "r2".to_owned();
    assert!(matches!(house.accept(request).await, Err(Refusal::Invalid(_))), "a new one is refused");
}

#[tokio::test]
async fn at_night_it_waits_for_the_morning() {
    let house = House::new().await;
    house.move_to("2026-11-26T03:30:00Z"); // 22:30 in Miami
    house.debtor("d1", json!({})).await;
    house.consent("d1", "sms", &["automated", "electronic"]).await;
    let accepted = house.accept(house.request("r1", "d1", &["sms"])).await.expect("accepted");
    let request = house.until("d1", &accepted, "deferred").await;
    let decision = request.decision.expect("decided").decision;
    assert_eq!(decision.outcome, Outcome::Defer);
    assert_eq!(decision.permitted_from, Some(at("2026-11-26T13:00:00Z")));
    house.move_to("2026-11-26T12:59:59Z");
    tokio::time::sleep(Duration::from_millis(1_200)).await;
    assert_eq!(house.state("d1").await.requests[&accepted.id].status.as_str(), "deferred");
    house.move_to("2026-11-26T13:00:00Z");
    house.until("d1", &accepted, "sent").await;
    house.close().await;
}

#[tokio::test]
async fn a_missing_consent_waits_for_upstream_and_a_stop_ends_it() {
    let house = House::new().await;
    house.debtor("d1", json!({})).await;
    let waiting = house.accept(house.request("r1", "d1", &["sms"])).await.expect("accepted");
    let request = house.until("d1", &waiting, "deferred").await;
    assert_eq!(request.decision.expect("decided").decision.permitted_from, None);
    house.consent("d1", "sms", &["automated", "electronic"]).await;
    house.until("d1", &waiting, "sent").await;
    house.opt_out("d1", "sms").await;
    let stopped = house.accept(house.request("r2", "d1", &["sms"])).await.expect("accepted");
    house.until("d1", &stopped, "blocked").await;
    house.close().await;
}

#[tokio::test]
async fn a_request_that_nobody_lifts_expires() {
    let house = House::new().await;
    house.debtor("d1", json!({})).await;
    let accepted = house.accept(house.request("r1", "d1", &["sms"])).await.expect("accepted");
    house.until("d1", &accepted, "deferred").await;
    house.pass(Span::days(8));
    house.until("d1", &accepted, "expired").await;
    house.close().await;
}

#[tokio::test]
async fn a_stop_from_a_shared_number_binds_every_file() {
    let house = House::new().await;
    let shared =
        json!({"contact_points": [{"kind": "phone", "value": "+13055550142", "line_type": "mobile"}]});
    for id in ["d1", "d2"] {
        house.debtor(id, shared.clone()).await;
        house.consent(id, "sms", &["automated", "electronic"]).await;
    }
    let stop = json!({"channel": "sms", "contact_point": "+13055550142", "received_at": house.clock.now(), "source": "test"});
    house
        .pipeline
        .add_opt_out(&actor(), "d1", serde_json::from_value(stop).expect("a stop"))
        .await
        .expect("stopped");
    for (id, request) in [("d1", "r1"), ("d2", "r2")] {
        let accepted = house.accept(house.request(request, id, &["sms"])).await.expect("accepted");
        house.until(id, &accepted, "blocked").await;
    }
    house.debtor("d3", shared).await;
    house.consent("d3", "sms", &["automated", "electronic"]).await;
    let consented = house.accept(house.request("r3", "d3", &["sms"])).await.expect("accepted");
    house.until("d3", &consented, "blocked").await;
    house.close().await;
}

#[tokio::test]
async fn the_second_channel_is_taken_when_the_first_is_closed() {
    let house = House::new().await;
    house.debtor("d1", json!({})).await;
    house.consent("d1", "sms", &["automated", "electronic"]).await;
    house.consent("d1", "email", &["electronic"]).await;
    house.opt_out("d1", "sms").await;
    let accepted = house.accept(house.request("r1", "d1", &["sms", "email"])).await.expect("accepted");
    let request = house.until("d1", &accepted, "sent").await;
    assert_eq!(house.state("d1").await.attempts[&request.attempts[0]].channel.as_str(), "email");
    house.close().await;
}

#[tokio::test]
async fn a_pause_stops_the_next_send_and_lifting_it_lets_it_go() {
    let house = House::new().await;
    house.debtor("d1", json!({})).await;
    house.consent("d1", "sms", &["automated", "electronic"]).await;
    let pause = json!({"channel": "sms", "reason": "test"});
    house
        .pipeline
        .put_pause(&actor(), "stop-sms", serde_json::from_value(pause).expect("a pause"))
        .await
        .expect("paused");
    let accepted = house.accept(house.request("r1", "d1", &["sms"])).await.expect("accepted");
    house.until("d1", &accepted, "deferred").await;
    house.pipeline.lift_pause(&actor(), "stop-sms").await.expect("lifted");
    house.until("d1", &accepted, "sent").await;
    house.close().await;
}

#[tokio::test]
async fn erasure_forgets_the_person_and_keeps_the_stop() {
    let house = House::new().await;
    house.debtor("d1", json!({})).await;
    house.consent("d1", "sms", &["automated", "electronic"]).await;
    house.opt_out("d1", "sms").await;
    house.pipeline.erase(&actor(), "d1").await.expect("erased");
    let state = house.state("d1").await;
    assert!(state.file.is_none() && state.debtor_id.is_none());
    assert_eq!(state.opt_outs.len(), 1);
    house.debtor("d1", json!({})).await;
    let accepted = house.accept(house.request("r1", "d1", &["sms"])).await.expect("accepted");
    house.until("d1", &accepted, "blocked").await;
    house.close().await;
}

#[tokio::test]
async fn an_attempt_in_doubt_counts_and_is_not_repeated() {
    let house = House::new().await;
    let contact_points = json!([{"kind": "phone", "value": "+13055550102", "line_type": "mobile"}]);
    house.debtor("d1", json!({"contact_points": contact_points})).await;
    house.consent("d1", "sms", &["automated", "electronic"]).await;
    let accepted = house.accept(house.request("r1", "d1", &["sms"])).await.expect("accepted");
    let request = house.until("d1", &accepted, "unknown").await;
    assert_eq!(request.attempts.len(), 1);
    assert_eq!(house.state("d1").await.contacts.len(), 1, "it counts");
    house.close().await;
}

#[tokio::test]
async fn a_stop_by_a_clock_ahead_of_ours_binds_at_once() {
    let house = House::new().await;
    house.debtor("d1", json!({})).await;
    house.consent("d1", "sms", &["automated", "electronic"]).await;
    let ahead = house.clock.now().plus(Span::minutes(3));
    let stop = json!({"channel": "sms", "received_at": ahead, "source": "test"});
    house
        .pipeline
        .add_opt_out(&actor(), "d1", serde_json::from_value(stop).expect("a stop"))
        .await
        .expect("stopped");
    let accepted = house.accept(house.request("r1", "d1", &["sms"])).await.expect("accepted");
    house.until("d1", &accepted, "blocked").await;
    house.close().await;
}
