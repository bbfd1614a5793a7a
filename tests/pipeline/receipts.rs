//! Receipts come late, twice, out of order and for messages that nobody knows; the history ends in the right state.

use crate::house::{House, actor};
use dunwell::domain::attempt::AttemptStatus;
use dunwell::domain::channel::Channel;
use dunwell::domain::event::EventBody;
use dunwell::domain::id::AttemptId;
use dunwell::domain::outcome::{Failure, FailureCause, FailureClass, Outcome};
use dunwell::pipeline::Accepted;
use dunwell::pipeline::receive::Report;
use dunwell::provider::callback::{CallbackEvent, Delivery, DeliveryStatus};
use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::TestRunner;
use serde_json::json;

fn report(status: AttemptStatus, code: Option<&str>, cause: FailureCause) -> Report {
    Report {
        status: Some(status),
        reported: status.as_str().to_owned(),
        code: code.map(str::to_owned),
        cause,
        complained: false,
        in_hand: false,
        result: None,
    }
}

/// A text on its way to an address whose receipts never come by themselves.
async fn sent(house: &House, id: &str) -> (Accepted, AttemptId) {
    let points = json!([{"kind": "phone", "value": "+13055550108", "line_type": "mobile"}]);
    house.debtor(id, json!({ "contact_points": points })).await;
    house.consent(id, "sms", &["automated", "electronic"]).await;
    let accepted = house.accept(house.request(&format!("r-{id}"), id, &["sms"])).await.expect("accepted");
    let attempt = house.until(id, &accepted, "sent").await.attempts[0];
    (accepted, attempt)
}

/// Word and resulting status of every receipt on file.
async fn receipts(house: &House, debtor: &str) -> Vec<(String, AttemptStatus)> {
    let events = house.events(debtor).await;
    events
        .iter()
        .filter_map(|event| match &event.body {
            EventBody::DeliveryUpdated(update, _) => Some((update.reported.clone(), update.status)),
            _ => None,
        })
        .collect()
}

#[tokio::test]
async fn a_late_receipt_is_kept_and_moves_nothing_back() {
    let house = House::new().await;
    let (accepted, attempt) = sent(&house, "d1").await;
    let unspecified = FailureCause::Unspecified;
    for status in [AttemptStatus::Delivered, AttemptStatus::Sent, AttemptStatus::Failed, AttemptStatus::Sent]
    {
        house.pipeline.report(actor(), attempt, report(status, None, unspecified)).await.expect("reported");
    }
    house.until("d1", &accepted, "delivered").await;
    let delivered = AttemptStatus::Delivered;
    assert_eq!(
        receipts(&house, "d1").await,
        [
            ("delivered".to_owned(), delivered),
            ("sent".to_owned(), delivered),
            ("failed".to_owned(), delivered)
        ]
    );
    assert_eq!(house.state("d1").await.attempts[&attempt].status, delivered);
    house.close().await;
}

/// A mailbox may bounce what its server took: the address is closed, though the attempt stays where it was.
#[tokio::test]
async fn a_bounce_after_a_delivery_still_closes_the_address() {
    let house = House::new().await;
    let (_, attempt) = sent(&house, "d1").await;
    let unspecified = FailureCause::Unspecified;
    let delivered = report(AttemptStatus::Delivered, None, unspecified);
    house.pipeline.report(actor(), attempt, delivered).await.expect("reported");
    let bounced = report(AttemptStatus::Failed, Some("5.1.1"), FailureCause::InvalidAddress);
    for _ in 0..2 {
        house.pipeline.report(actor(), attempt, bounced.clone()).await.expect("reported");
    }
    let state = house.state("d1").await;
    assert_eq!(state.attempts[&attempt].status, AttemptStatus::Delivered);
    assert_eq!(state.invalid_points.len(), 1, "once, however often it is said");
    house.close().await;
}

/// A stop about one account leaves the point open for the others, so a complaint still has something to close.
#[tokio::test]
async fn a_complaint_closes_what_a_stop_about_one_account_left_open() {
    let house = House::new().await;
    let (_, attempt) = sent(&house, "d1").await;
    let said = json!({
        "channel": "sms", "contact_point": "+13055550108", "account_ids": ["d1-1"],
        "received_at": "2026-11-25T20:00:00Z", "source": "test",
    });
    let said = serde_json::from_value(said).expect("a stop");
    house.pipeline.add_opt_out(&actor(), "d1", said).await.expect("stopped");
    let complaint =
        Report { complained: true, ..report(AttemptStatus::Delivered, None, FailureCause::Unspecified) };
    for _ in 0..2 {
        house.pipeline.report(actor(), attempt, complaint.clone()).await.expect("reported");
    }
    let stops = house.state("d1").await.opt_outs.clone();
    let whole: Vec<_> = stops.iter().filter(|stop| stop.accounts.is_empty()).collect();
    assert_eq!((stops.len(), whole.len()), (2, 1), "the whole point, once: {stops:?}");
    house.close().await;
}

/// Whatever the order and however often: the end is that of the receipt furthest along, and each one is on file once.
#[tokio::test]
async fn every_order_ends_in_the_same_state() {
    let house = House::new().await;
    let (_, attempt) = sent(&house, "d0").await;
    let mut furthest = AttemptStatus::Sent;
    let mut said = std::collections::BTreeSet::new();
    let word =
        proptest::sample::select(vec![AttemptStatus::Sent, AttemptStatus::Failed, AttemptStatus::Delivered]);
    let stream =
        proptest::collection::vec((word, proptest::sample::select(vec![None, Some("001"), Some("002")])), 40);
    let stream = stream.new_tree(&mut TestRunner::deterministic()).expect("a stream").current();
    for (status, code) in stream {
        house
            .pipeline
            .report(actor(), attempt, report(status, code, FailureCause::Unspecified))
            .await
            .expect("ok");
        said.insert((status.as_str(), code));
        if furthest.moves_to(status) {
            furthest = status;
        }
        let state = house.state("d0").await;
        assert_eq!(state.attempts[&attempt].status, furthest, "after {status} {code:?}");
    }
    assert_eq!(receipts(&house, "d0").await.len(), said.len());
    house.close().await;
}

/// The answer to the send came too late: the identifier in it is the attempt's all the same, and so are the receipts under it.
#[tokio::test]
async fn a_receipt_that_names_attempt_and_identifier_claims_what_waited_for_it() {
    let house = House::new().await;
    house.direct(Channel::Sms, "sandbox", |_| {
        let (class, cause) = (FailureClass::Uncertain, FailureCause::Provider);
        Some(Outcome::Failed(Failure::of(class, cause, "timeout")))
    });
    house.debtor("d1", json!({})).await;
    house.consent("d1", "sms", &["automated", "electronic"]).await;
    let accepted = house.accept(house.request("r-d1", "d1", &["sms"])).await.expect("accepted");
    let unknown = async || {
        let state = house.state("d1").await;
        let attempt = state.attempts.iter().next().map(|(id, attempt)| (*id, attempt.status));
        attempt.filter(|(_, status)| *status == AttemptStatus::Unknown)
    };
    let mut found = unknown().await;
    for _ in 0..6_000 {
        if found.is_some() {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        found = unknown().await;
    }
    let (attempt, _) = found.expect("an attempt whose fate is unknown");
    let said = |attempt: Option<AttemptId>, status| {
        CallbackEvent::Delivery(Delivery {
            provider_ref: Some("m-1".to_owned()),
            attempt,
            status,
            code: None,
            cause: FailureCause::Unspecified,
            at: None,
        })
    };
    let take = async |event| house.pipeline.take(Channel::Sms, "sandbox", event).await.expect("taken");
    assert!(!take(said(None, DeliveryStatus::Delivered)).await, "it waits");
    assert!(take(said(Some(attempt), DeliveryStatus::Pending)).await);
    house.until("d1", &accepted, "delivered").await;
    assert_eq!(house.state("d1").await.attempts[&attempt].provider_ref.as_deref(), Some("m-1"));
    assert!(take(said(None, DeliveryStatus::Failed)).await, "and from here on it is found by it");
    house.close().await;
}

#[tokio::test]
async fn a_receipt_for_nobody_waits_and_changes_nothing() {
    let house = House::new().await;
    let (_, attempt) = sent(&house, "d1").await;
    let before = house.events("d1").await.len();
    let stranger = |attempt: Option<AttemptId>, reference: Option<&str>| {
        CallbackEvent::Delivery(Delivery {
            provider_ref: reference.map(str::to_owned),
            attempt,
            status: DeliveryStatus::Delivered,
            code: None,
            cause: FailureCause::Unspecified,
            at: None,
        })
    };
    let unknown = "att_0198c0de000070008000000000000099".parse().expect("an id");
    for event in [stranger(None, Some("nobody-knows-this")), stranger(Some(unknown), None)] {
        assert!(!house.pipeline.take(Channel::Sms, "sandbox", event).await.expect("taken"));
    }
    // Our attempt, said by a provider that does not carry it.
    let foreign = stranger(Some(attempt), None);
    assert!(!house.pipeline.take(Channel::Sms, "another", foreign).await.expect("taken"));
    assert_eq!(house.events("d1").await.len(), before);
    assert!(
        house.pipeline.take(Channel::Sms, "sandbox", stranger(Some(attempt), None)).await.expect("taken")
    );
    assert_eq!(house.state("d1").await.attempts[&attempt].status, AttemptStatus::Delivered);
    house.close().await;
}
