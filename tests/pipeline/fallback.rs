//! A request whose first channel went out and brought nothing in time: what becomes of the way behind it never makes it forget
//! that something left.

use crate::failover::{attempts, eventually, failed, patient, ready, taken};
use crate::house::{House, Named, actor, carriers};
use dunwell::domain::attempt::AttemptStatus;
use dunwell::domain::channel::{Channel, Priority};
use dunwell::domain::decision::Outcome as Verdict;
use dunwell::domain::id::{AttemptId, RequestId};
use dunwell::domain::outcome::{FailureCause, FailureClass};
use dunwell::domain::request::RequestStatus;
use dunwell::domain::time::{Clock, Span};
use dunwell::pipeline::Accepted;
use dunwell::pipeline::agenda::{Due, Task};
use dunwell::pipeline::receive::Report;
use serde_json::json;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

const BOTH: [Named<'static>; 2] = [(Channel::Sms, "only", true), (Channel::Email, "post", true)];

/// A text went out to `d1`, and an email stands behind it an hour later.
async fn texted(house: &House) -> (Accepted, AttemptId) {
    house.direct(Channel::Sms, "only", |_| Some(taken()));
    ready(house, "d1").await;
    let accepted = house.accept(patient(house, "d1", &["sms", "email"], "PT1H")).await.expect("accepted");
    let first = house.until("d1", &accepted, "sent").await.attempts[0];
    (accepted, first)
}

async fn report(house: &House, attempt: AttemptId, status: AttemptStatus) {
    let report = Report {
        status: Some(status),
        reported: status.as_str().to_owned(),
        code: None,
        cause: FailureCause::Unspecified,
        complained: false,
        in_hand: false,
        result: None,
    };
    house.pipeline.report(actor(), attempt, report).await.expect("reported");
}

async fn newest(house: &House, accepted: &Accepted) -> (usize, AttemptStatus) {
    let all = attempts(house, "d1", accepted).await;
    (all.len(), all.last().expect("one").1)
}

#[tokio::test]
async fn what_went_out_stays_sent_and_its_receipt_ends_the_search() {
    let house = House::with(&BOTH).await;
    house.direct(Channel::Email, "post", |_| Some(failed(FailureClass::NeverLeft, FailureCause::Provider)));
    let (accepted, first) = texted(&house).await;
    house.pass(Span::hours(1));
    eventually("an email in vain", async || newest(&house, &accepted).await == (2, AttemptStatus::Abandoned))
        .await;
    house.until("d1", &accepted, "sent").await;
    report(&house, first, AttemptStatus::Delivered).await;
    house.until("d1", &accepted, "delivered").await;
    house.close().await;
}

#[tokio::test]
async fn an_email_that_never_left_is_tried_again_after_a_pause() {
    let house = House::with(&BOTH).await;
    let up = Arc::new(AtomicBool::new(false));
    let works = up.clone();
    house.direct(Channel::Email, "post", move |_| {
        let down = failed(FailureClass::NeverLeft, FailureCause::Provider);
        Some(if works.load(Ordering::SeqCst) { taken() } else { down })
    });
    let (accepted, _) = texted(&house).await;
    house.pass(Span::hours(1));
    eventually("an email in vain", async || newest(&house, &accepted).await == (2, AttemptStatus::Abandoned))
        .await;
    up.store(true, Ordering::SeqCst);
    house.pass(Span::seconds(2));
    eventually("another one", async || newest(&house, &accepted).await == (3, AttemptStatus::Sent)).await;
    house.until("d1", &accepted, "sent").await;
    house.close().await;
}

#[tokio::test]
async fn it_failed_only_when_all_that_went_out_failed() {
    let house = House::with(&BOTH).await;
    house.direct(Channel::Email, "post", |_| Some(failed(FailureClass::Refused, FailureCause::Content)));
    let (accepted, first) = texted(&house).await;
    house.pass(Span::hours(1));
    eventually("a refused email", async || newest(&house, &accepted).await == (2, AttemptStatus::Failed))
        .await;
    house.until("d1", &accepted, "sent").await;
    report(&house, first, AttemptStatus::Failed).await;
    house.until("d1", &accepted, "failed").await;
    house.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_receipt_that_comes_while_the_email_is_on_its_way_is_not_lost() {
    let house = House::with(&BOTH).await;
    let (answer, held) = std::sync::mpsc::channel::<()>();
    let held = Mutex::new(held);
    house.direct(Channel::Email, "post", move |_| {
        // Until the other end is gone: a test that fails ends too.
        let _gone = held.lock().expect("a lock").recv();
        Some(taken())
    });
    let (accepted, first) = texted(&house).await;
    house.pass(Span::hours(1));
    house.until("d1", &accepted, "dispatching").await;
    report(&house, first, AttemptStatus::Delivered).await;
    house.until("d1", &accepted, "dispatching").await;
    drop(answer);
    house.until("d1", &accepted, "delivered").await;
    assert_eq!(newest(&house, &accepted).await, (2, AttemptStatus::Sent));
    house.close().await;
}

#[tokio::test]
async fn a_fallback_held_back_by_a_pause_goes_out_once_it_is_lifted() {
    let house = House::with(&BOTH).await;
    house.direct(Channel::Email, "post", |_| Some(taken()));
    let (accepted, _) = texted(&house).await;
    let pause = serde_json::from_value(json!({"channel": "email", "reason": "test"})).expect("a pause");
    house.pipeline.put_pause(&actor(), "p1", pause).await.expect("paused");
    house.pass(Span::hours(1));
    eventually("a decision to wait", async || {
        let state = house.state("d1").await;
        let decision = state.requests[&accepted.id].decision.as_ref().expect("decided");
        decision.decision.outcome != Verdict::Allow
    })
    .await;
    assert_eq!(newest(&house, &accepted).await, (1, AttemptStatus::Sent));
    house.pipeline.lift_pause(&actor(), "p1").await.expect("lifted");
    eventually("the email", async || newest(&house, &accepted).await == (2, AttemptStatus::Sent)).await;
    house.close().await;
}

#[tokio::test]
async fn nothing_more_goes_out_to_the_erased() {
    let house = House::with(&BOTH).await;
    house.direct(Channel::Email, "post", |_| Some(taken()));
    let (accepted, _) = texted(&house).await;
    let waits = async || {
        let open = house.pipeline.read(|store| {
            let mut waiting = 0;
            store.reader()?.open_requests(|row| waiting += usize::from(row.due_at.is_some()))?;
            Ok(waiting)
        });
        open.await.expect("readable")
    };
    assert_eq!(waits().await, 1, "the email behind the text");
    house.pipeline.erase(&actor(), "d1").await.expect("erased");
    assert_eq!(waits().await, 0);
    house.pass(Span::hours(1));
    // Another's request, due at the same moment, shows that the moment has passed.
    house.debtor("d2", json!({})).await;
    house.consent("d2", "sms", &["automated", "electronic"]).await;
    let other = house.accept(house.request("r2", "d2", &["sms"])).await.expect("accepted");
    house.until("d2", &other, "sent").await;
    let request = &house.state("d1").await.requests[&accepted.id];
    assert_eq!((request.status, request.attempts.len()), (RequestStatus::Sent, 1));
    assert_eq!(request.decision.as_ref().map(|made| made.decision.outcome), Some(Verdict::Allow));
    house.close().await;
}

#[tokio::test]
async fn nobody_gets_a_slot_past_those_who_wait_for_it() {
    let house = House::with(&BOTH).await;
    let apart = carriers(&house.clock, &BOTH);
    let carrier = apart.find(Channel::Sms, "only").expect("a provider");
    assert!(carrier.try_slot().is_some());
    let now = house.clock.now();
    let task = Task::Request(RequestId::new(now, &[1; 10]));
    ready(&house, "d1").await;
    let debtor = house.pipeline.key("d1");
    carrier.waiting.put(Due { at: now, priority: Priority::Normal, task, debtor });
    assert!(carrier.try_slot().is_none(), "one waits already");
    assert!(carrier.waiting.next(now).is_ok());
    assert!(carrier.try_slot().is_some());
    house.close().await;
}
