//! Cadences under a clock that the tests move: every step at its time, whatever becomes of the one before; nothing after what
//! ends it; and over a restart exactly once.

use crate::failover::{eventually, failed, taken};
use crate::house::{House, actor};
use dunwell::domain::attempt::AttemptStatus;
use dunwell::domain::cadence::{CadenceRequest, CadenceState, StopCondition};
use dunwell::domain::channel::Channel;
use dunwell::domain::consent::HoldKind;
use dunwell::domain::contact::ContactResult;
use dunwell::domain::event::EventBody;
use dunwell::domain::id::CadenceId;
use dunwell::domain::outcome::{FailureCause, FailureClass, Outcome};
use dunwell::domain::request::RequestStatus;
use dunwell::domain::state::RequestState;
use dunwell::domain::time::{Clock, Span};
use dunwell::pipeline::Refusal;
use dunwell::pipeline::load::{Item, Loaded};
use dunwell::pipeline::receive::Report;
use dunwell::pipeline::replay::{Replay, Verdict};
use dunwell::pipeline::webhooks::follow::Follower;
use dunwell::provider::callback::{CallbackEvent, Inbound};
use dunwell::storage::StorageError;
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

/// Email at once, a text after three days, whatever suits a week after that.
const PLAN: &str = "gentle-reminder";

async fn someone(house: &House, id: &str) {
    house.debtor(id, json!({})).await;
    house.consent(id, "sms", &["automated", "electronic"]).await;
    house.consent(id, "email", &["electronic"]).await;
}

fn cadence(id: &str, further: Value) -> CadenceRequest {
    let mut said = json!({
        "cadence_id": format!("c-{id}"), "debtor_id": id, "plan": PLAN, "account_ids": [format!("{id}-1")],
        "variables": {"due_date": "2026-12-31"}, "campaign": "winter",
    });
    for (name, value) in further.as_object().expect("members") {
        said[name] = value.clone();
    }
    serde_json::from_value(said).expect("a cadence")
}

async fn begin(house: &House, id: &str) -> CadenceId {
    begin_with(house, id, json!({})).await
}

async fn begin_with(house: &House, id: &str, further: Value) -> CadenceId {
    house.pipeline.begin_cadence(&actor(), cadence(id, further)).await.expect("begun").id
}

async fn state(house: &House, debtor: &str, id: CadenceId) -> CadenceState {
    CadenceState::clone(&house.state(debtor).await.cadences[&id])
}

/// Where the requests of its steps stand; the sandbox's receipt comes when it comes.
async fn steps(house: &House, debtor: &str, id: CadenceId) -> Vec<&'static str> {
    let state = house.state(debtor).await;
    let status = |request| match state.requests[request].status {
        RequestStatus::Delivered => "sent",
        other => other.as_str(),
    };
    state.cadences[&id].requests.iter().map(status).collect()
}

async fn step(house: &House, debtor: &str, id: CadenceId, number: usize) -> RequestState {
    let state = house.state(debtor).await;
    RequestState::clone(&state.requests[&state.cadences[&id].requests[number - 1]])
}

async fn until(house: &House, debtor: &str, id: CadenceId, expected: &[&str]) {
    for _ in 0..2_400 {
        if steps(house, debtor, id).await == expected {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let state = house.state(debtor).await;
    let newest = state.requests.values().next_back().and_then(|request| request.decision.clone());
    panic!("{debtor} stands at {:?}, not {expected:?}: {newest:?}", steps(house, debtor, id).await);
}

async fn reason(house: &House, debtor: &str, id: CadenceId) -> Option<&'static str> {
    state(house, debtor, id).await.ended.map(|(ending, _)| ending.as_str())
}

async fn say(house: &House, id: &str, text: &str) {
    let file = house.state(id).await.file.expect("on file");
    let inbound = Inbound {
        letter: dunwell::provider::letter::Letter::default(),
        from: file.contact_points[0].value.clone(),
        to: "+15005550006".to_owned(),
        at: None,
        text: text.to_owned(),
        keyword: None,
        provider_ref: None,
    };
    house.pipeline.take(Channel::Sms, "sandbox", CallbackEvent::Inbound(inbound)).await.expect("taken");
}

#[tokio::test]
async fn every_step_goes_out_at_its_time_as_an_ordinary_contact_request() {
    let house = House::new().await;
    someone(&house, "d1").await;
    let id = begin(&house, "d1").await;
    let begun = house.clock.now();
    until(&house, "d1", id, &["sent", "accepted"]).await;
    let waiting = step(&house, "d1", id, 2).await;
    assert_eq!(waiting.order.not_before, Some(begun.plus(Span::days(3))));
    assert_eq!(waiting.order.expires_at, begun.plus(Span::days(8)));
    assert_eq!(waiting.secret.open().expect("open").request_id, "c-d1/2");
    assert_eq!(waiting.secret.open().expect("open").variables["due_date"], "2026-12-31");
    assert_eq!(waiting.order.campaign, step(&house, "d1", id, 1).await.order.campaign);

    house.pass(Span::days(3).max(Span::hours(72)));
    until(&house, "d1", id, &["sent", "sent", "accepted"]).await;
    assert_eq!(reason(&house, "d1", id).await, None);
    house.pass(Span::days(7));
    until(&house, "d1", id, &["sent", "sent", "sent"]).await;
    assert_eq!(reason(&house, "d1", id).await, Some("completed"));

    let state = house.state("d1").await;
    let channels: Vec<_> = state.attempts.values().map(|attempt| attempt.channel.as_str()).collect();
    assert_eq!(channels[..2], ["email", "sms"]);
    assert_eq!(channels.len(), 3);
    let decisions = house.events("d1").await;
    let decisions = decisions.iter().filter(|event| event.body.type_name() == "decision.made").count();
    assert_eq!(decisions, 3, "each was decided");
    house.close().await;
}

#[tokio::test]
async fn it_begins_when_it_is_told_to_and_gives_up_when_it_is_told_to() {
    let house = House::new().await;
    someone(&house, "d1").await;
    let (begins, ends) = ("2026-11-27T18:00:00Z", "2026-12-05T00:00:00Z");
    let id = begin_with(&house, "d1", json!({"not_before": begins, "expires_at": ends})).await;
    until(&house, "d1", id, &["accepted"]).await;
    house.move_to(begins);
    until(&house, "d1", id, &["sent", "accepted"]).await;
    let second = step(&house, "d1", id, 2).await.order;
    assert_eq!(second.not_before.map(|at| at.to_string()).as_deref(), Some("2026-11-30T18:00:00Z"));
    assert_eq!(second.expires_at.to_string(), ends, "five days would be later");
    house.move_to("2026-11-30T18:00:00Z");
    // The third would begin on the seventh of December.
    until(&house, "d1", id, &["sent", "sent"]).await;
    assert_eq!(reason(&house, "d1", id).await, Some("expired"));
    house.close().await;
}

#[tokio::test]
async fn a_step_that_is_refused_or_runs_out_of_time_gives_way_to_the_next() {
    let house = House::new().await;
    house.debtor("d1", json!({})).await;
    house.consent("d1", "email", &["electronic"]).await;
    let id = begin(&house, "d1").await;
    until(&house, "d1", id, &["sent", "accepted"]).await;
    house.pass(Span::days(3));
    // No consent to texts: it waits for one, and then no longer.
    until(&house, "d1", id, &["sent", "deferred"]).await;
    house.pass(Span::days(5));
    until(&house, "d1", id, &["sent", "expired", "accepted"]).await;
    let expired_at = house.clock.now();
    let third = step(&house, "d1", id, 3).await;
    assert_eq!(third.order.not_before, Some(expired_at.plus(Span::days(7))));
    house.close().await;
}

#[tokio::test]
async fn a_stop_that_the_provider_keeps_ends_it() {
    let house = House::new().await;
    someone(&house, "d1").await;
    // The sandbox has this number down as one that wants nothing more.
    let points = json!([
        {"kind": "phone", "value": "+13055550104", "line_type": "mobile"},
        {"kind": "email", "value": "d1@example.com"},
    ]);
    house.debtor("d1", json!({"contact_points": points})).await;
    let id = begin(&house, "d1").await;
    until(&house, "d1", id, &["sent", "accepted"]).await;
    house.pass(Span::days(3));
    until(&house, "d1", id, &["sent", "failed", "cancelled"]).await;
    assert_eq!(reason(&house, "d1", id).await, Some("opt_out"));
    house.close().await;
}

/// What is done between the first step and the second, and why the cadence then ends; none where it goes on.
#[tokio::test]
async fn whatever_makes_the_rest_pointless_ends_it_with_its_reason() {
    let said = [
        ("r1", "thanks, got it", Some("reply")),
        ("r2", "STOP", Some("opt_out")),
        ("r3", "I dispute this debt", Some("dispute")),
        ("r4", "I already paid this last week", Some("payment")),
        ("r5", "I will pay 50 dollars on friday", Some("promise")),
        ("r6", "I filed chapter 7", Some("hold")),
        ("r7", "qwerty zxcvb", Some("reply")),
    ];
    let house = House::new().await;
    let mut cadences = Vec::new();
    let done = [
        ("f1", Some("payment")),
        ("f2", Some("payment")),
        ("f3", Some("account_closed")),
        ("f4", Some("account_closed")),
        ("f5", None),
        ("h1", Some("hold")),
        ("h2", None),
        ("h3", None),
        ("o1", Some("opt_out")),
        ("t1", Some("conversation")),
        ("t2", None),
        ("x1", Some("cancelled")),
        ("x2", Some("cancelled")),
        ("x3", Some("payment")),
        ("e1", Some("erased")),
    ];
    let everybody = said.iter().map(|(id, ..)| *id).chain(done.iter().map(|(id, _)| *id));
    for (number, id) in everybody.enumerate() {
        someone(&house, id).await;
        let phone = format!("+1305555{:04}", 110 + number);
        let points = json!([
            {"kind": "phone", "value": phone, "line_type": "mobile"},
            {"kind": "email", "value": format!("{id}@example.com")},
        ]);
        house
            .debtor(id, json!({"contact_points": points, "accounts": accounts(id, "482.13", "open", true)}))
            .await;
        cadences.push((id, points, begin(&house, id).await));
    }
    for (id, _, cadence) in &cadences {
        until(&house, id, *cadence, &["sent", "accepted"]).await;
    }
    for (id, text, _) in &said {
        say(&house, id, text).await;
    }
    for (id, points, cadence) in &cadences {
        act(&house, id, points, *cadence).await;
    }
    let expected = said.iter().map(|(_, _, why)| *why).chain(done.iter().map(|(_, why)| *why));
    for ((id, _, cadence), expected) in cadences.iter().zip(expected) {
        assert_eq!(reason(&house, id, *cadence).await, expected, "{id}");
        let standing = if expected.is_some() { "cancelled" } else { "accepted" };
        assert_eq!(steps(&house, id, *cadence).await, ["sent", standing], "{id}");
    }
    // Nothing more goes out to those, and the others go on.
    house.pass(Span::days(3));
    for (id, _, cadence) in &cadences {
        if reason(&house, id, *cadence).await.is_none() {
            until(&house, id, *cadence, &["sent", "sent", "accepted"]).await;
        }
    }
    for (id, _, cadence) in &cadences {
        if reason(&house, id, *cadence).await.is_some() {
            assert_eq!(house.state(id).await.attempts.len(), 1, "{id}");
            assert_eq!(steps(&house, id, *cadence).await, ["sent", "cancelled"], "{id}");
        }
    }
    house.close().await;
}

fn accounts(id: &str, balance: &str, status: &str, both: bool) -> Value {
    let other = json!({"account_id": format!("{id}-2"), "balance": {"amount": "90.00", "currency": "USD"}});
    let one = json!({
        "account_id": format!("{id}-1"), "creditor": "First Bank", "status": status,
        "balance": {"amount": balance, "currency": "USD"},
    });
    if both { json!([one, other]) } else { json!([other]) }
}

async fn act(house: &House, id: &str, points: &Value, cadence: CadenceId) {
    let filed = async |accounts: Value| {
        house.debtor(id, json!({"contact_points": points, "accounts": accounts})).await;
    };
    let held = async |kind: HoldKind, account: &str| {
        let hold = json!({"since": "2026-11-20T00:00:00Z", "account_ids": [format!("{id}-{account}")]});
        let hold = serde_json::from_value(hold).expect("a hold");
        house.pipeline.place_hold(&actor(), id, kind, hold).await.expect("held");
    };
    let talked = async |party: &str| {
        let said = json!({
            "event_id": format!("talk-{id}"), "debtor_id": id, "account_ids": [format!("{id}-1")], "channel": "voice",
            "direction": "outbound", "occurred_at": house.clock.now(), "result": "conversation", "party": party,
        });
        let said = serde_json::from_value(said).expect("a contact");
        house.pipeline.record_contacts(&actor(), vec![said]).await.pop().expect("one").expect("recorded");
    };
    match id {
        "f1" => filed(accounts(id, "400.00", "open", true)).await,
        "f2" => filed(accounts(id, "482.13", "paid", true)).await,
        "f3" => filed(accounts(id, "482.13", "recalled", true)).await,
        "f4" => filed(accounts(id, "", "", false)).await,
        "f5" => filed(accounts(id, "512.13", "open", true)).await,
        "h1" => held(HoldKind::Attorney, "1").await,
        "h2" => held(HoldKind::Retain, "1").await,
        "h3" => held(HoldKind::Dispute, "2").await,
        "o1" => house.opt_out(id, "voice").await,
        "t1" => talked("debtor").await,
        "t2" => talked("creditor").await,
        "x1" => {
            let request = *state(house, id, cadence).await.requests.last().expect("one");
            house.pipeline.cancel(&actor(), request).await.expect("cancelled");
        }
        "x2" => {
            for _ in 0..2 {
                house.pipeline.cancel_cadence(&actor(), cadence, None).await.expect("cancelled");
            }
            let other = house.pipeline.cancel_cadence(&actor(), cadence, Some(StopCondition::Payment)).await;
            assert!(matches!(other, Err(Refusal::Conflict(_))), "it has ended already");
        }
        "x3" => {
            let paid = Some(StopCondition::Payment);
            house.pipeline.cancel_cadence(&actor(), cadence, paid).await.expect("cancelled");
        }
        "e1" => house.pipeline.erase(&actor(), id).await.expect("erased"),
        _ => {}
    }
}

#[tokio::test]
async fn a_file_that_is_loaded_again_ends_nothing() {
    let house = House::new().await;
    someone(&house, "d1").await;
    // A stop and a hold that were stated by a clock ahead of ours, and a consent.
    let ahead = house.clock.now().plus(Span::minutes(2));
    let stop = json!({"channel": "voice", "received_at": ahead, "source": "a file"});
    let hold = json!({"since": ahead, "account_ids": ["d1-1"]});
    let consent = json!({"channel": "voice", "scope": "automated", "granted_at": ahead, "source": "a file"});
    let rows = || {
        vec![
            Item::OptOut("d1".to_owned(), serde_json::from_value(stop.clone()).expect("a stop")),
            Item::Hold(
                "d1".to_owned(),
                HoldKind::Litigation,
                serde_json::from_value(hold.clone()).expect("a hold"),
            ),
            Item::Consent("d1".to_owned(), serde_json::from_value(consent.clone()).expect("a consent")),
        ]
    };
    let load = async |rows| {
        let loaded = house.pipeline.load(&actor(), rows).await;
        loaded.into_iter().map(|row| row.expect("loaded")).collect::<Vec<_>>()
    };
    assert_eq!(load(rows()).await, [Loaded::New, Loaded::New, Loaded::New]);
    house.pipeline.lift_hold(&actor(), "d1", HoldKind::Litigation).await.expect("lifted");
    house.pass(Span::minutes(10));
    let id = begin(&house, "d1").await;
    assert_eq!(load(rows()).await, [Loaded::There, Loaded::There, Loaded::There]);
    assert_eq!(reason(&house, "d1", id).await, None);
    // What comes later is another.
    let later = json!({"channel": "voice", "received_at": house.clock.now(), "source": "a file"});
    let later = Item::OptOut("d1".to_owned(), serde_json::from_value(later).expect("a stop"));
    assert_eq!(load(vec![later]).await, [Loaded::New]);
    assert_eq!(reason(&house, "d1", id).await, Some("opt_out"));
    house.close().await;
}

/// Something ends it while its second step is at the provider, which then says what became of that: where the steps stand
/// then, how often the provider was asked, and the reason.
async fn ended_under_way(
    paid: bool,
    outcome: fn() -> Outcome,
) -> (Vec<&'static str>, usize, Option<&'static str>) {
    let house = House::new().await;
    let (answer, tries) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let (answers, counts) = (answer.clone(), tries.clone());
    // Played by us, no provider sends receipts of its own.
    house.direct(Channel::Email, "sandbox", |_| Some(taken()));
    house.direct(Channel::Sms, "sandbox", move |_| {
        counts.fetch_add(1, Ordering::SeqCst);
        // Bounded, so that a failing test ends.
        for _ in 0..4_000 {
            if answers.load(Ordering::SeqCst) {
                break;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        Some(outcome())
    });
    someone(&house, "d1").await;
    let id = begin(&house, "d1").await;
    until(&house, "d1", id, &["sent", "accepted"]).await;
    house.pass(Span::days(3));
    until(&house, "d1", id, &["sent", "dispatching"]).await;
    eventually("the provider to have it", async || tries.load(Ordering::SeqCst) == 1).await;
    if paid {
        let settled = json!([{"account_id": "d1-1", "balance": {"amount": "0.00", "currency": "USD"}}]);
        house.debtor("d1", json!({"accounts": settled})).await;
    } else {
        let first = step(&house, "d1", id, 1).await.attempts[0];
        house.pipeline.report(actor(), first, conversation()).await.expect("reported");
    }
    assert!(reason(&house, "d1", id).await.is_some(), "it is over before the provider answers");
    answer.store(true, Ordering::SeqCst);
    eventually("the provider's answer", async || steps(&house, "d1", id).await != ["sent", "dispatching"])
        .await;
    let stand = steps(&house, "d1", id).await;
    // What never left would be tried again within seconds: whatever is due by then is looked at before this one.
    house.pass(Span::days(1));
    house.debtor("d2", json!({})).await;
    let marker = house.accept(house.request("r-marker", "d2", &["portal"])).await.expect("accepted");
    house.until("d2", &marker, "sent").await;
    assert_eq!(steps(&house, "d1", id).await, stand);
    let reason = reason(&house, "d1", id).await;
    house.close().await;
    (stand, tries.load(Ordering::SeqCst), reason)
}

fn conversation() -> Report {
    Report {
        status: Some(AttemptStatus::Delivered),
        reported: "completed".to_owned(),
        code: None,
        cause: FailureCause::Unspecified,
        complained: false,
        in_hand: false,
        result: Some(ContactResult::Conversation),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_is_under_way_when_it_ends_is_neither_repeated_nor_followed() {
    let talked = Some("conversation");
    let never_left = || failed(FailureClass::NeverLeft, FailureCause::Provider);
    assert_eq!(ended_under_way(false, never_left).await, (vec!["sent", "cancelled"], 1, talked));
    // What a receipt says shuts the gate before the message's first byte, as does what upstream says of the debtor.
    assert_eq!(ended_under_way(false, taken).await, (vec!["sent", "cancelled"], 1, talked));
    let shut = ended_under_way(true, taken).await;
    assert_eq!(shut, (vec!["sent", "cancelled"], 1, Some("payment")));
}

#[tokio::test]
async fn over_a_restart_it_goes_on_exactly_once() {
    let house = House::new().await;
    someone(&house, "d1").await;
    // The sandbox never answers for this number: its fate stays unknown. It sends no receipt for this address, by which email
    // would be what has worked.
    let points = json!([
        {"kind": "phone", "value": "+13055550102", "line_type": "mobile"},
        {"kind": "email", "value": "silent@example.com"},
        {"kind": "portal", "value": "d1"},
    ]);
    house.debtor("d1", json!({"contact_points": points})).await;
    let id = begin(&house, "d1").await;
    until(&house, "d1", id, &["sent", "accepted"]).await;
    let (place, clock) = house.close().await;

    // It was due while nobody was there.
    clock.pass_to("2026-11-29T20:00:00Z");
    let house = House::at(place, clock).await;
    until(&house, "d1", id, &["sent", "unknown", "accepted"]).await;
    let third = step(&house, "d1", id, 3).await;
    assert_eq!(third.order.not_before, Some(house.clock.now().plus(Span::days(7))));
    let begun = house.pipeline.begin_cadence(&actor(), cadence("d1", json!({}))).await.expect("known");
    assert_eq!((begun.id, begun.repeated), (id, true), "the same answer, for ever");
    let (place, clock) = house.close().await;

    let house = House::at(place, clock).await;
    assert_eq!(steps(&house, "d1", id).await, ["sent", "unknown", "accepted"]);
    house.pass(Span::days(7));
    until(&house, "d1", id, &["sent", "unknown", "unknown"]).await;
    assert_eq!(reason(&house, "d1", id).await, Some("completed"));
    let accepted = house.events("d1").await;
    let accepted = accepted.iter().filter(|event| event.body.type_name() == "request.accepted").count();
    assert_eq!(accepted, 3);
    house.close().await;
}

#[tokio::test]
async fn one_whose_words_are_lost_does_not_stay_as_though_it_went_on() {
    let house = House::new().await;
    someone(&house, "d1").await;
    let id = begin(&house, "d1").await;
    until(&house, "d1", id, &["sent", "accepted"]).await;
    let (place, clock) = house.close().await;
    // As a restored backup of the keys that is older than the debtor would leave it.
    let keys = rusqlite::Connection::open(place.path().join("keys.db")).expect("a database");
    assert!(keys.execute("DELETE FROM data_keys", []).expect("deleted") > 0);
    drop(keys);
    clock.pass_to("2026-11-28T20:00:00Z");
    let house = House::at(place, clock).await;
    eventually("its end", async || reason(&house, "d1", id).await.is_some()).await;
    assert_eq!(reason(&house, "d1", id).await, Some("erased"));
    assert_eq!(steps(&house, "d1", id).await, ["sent", "blocked"]);
    house.close().await;
}

#[tokio::test]
async fn a_conversation_on_a_call_of_its_own_ends_it() {
    let house = House::new().await;
    house.direct(Channel::Email, "sandbox", |_| Some(taken()));
    someone(&house, "d1").await;
    let id = begin(&house, "d1").await;
    until(&house, "d1", id, &["sent", "accepted"]).await;
    let attempt = step(&house, "d1", id, 1).await.attempts[0];
    house.pipeline.report(actor(), attempt, conversation()).await.expect("reported");
    assert_eq!(reason(&house, "d1", id).await, Some("conversation"));
    assert_eq!(steps(&house, "d1", id).await, ["sent", "cancelled"]);
    house.close().await;
}

#[tokio::test]
async fn what_is_wrong_is_said_with_its_place() {
    let house = House::new().await;
    someone(&house, "d1").await;
    let faults =
        async |further: Value| match house.pipeline.begin_cadence(&actor(), cadence("d1", further)).await {
            Err(Refusal::Invalid(faults)) => faults.into_iter().map(|f| f.pointer).collect::<Vec<_>>(),
            other => panic!("{other:?}"),
        };
    assert_eq!(faults(json!({"plan": "no-such-plan"})).await, ["/plan"]);
    assert_eq!(faults(json!({"variables": {}})).await, ["/variables/due_date"], "once, for three steps");
    assert_eq!(
        faults(json!({"variables": {"due_date": "2026-12-31", "colour": "red"}})).await,
        ["/variables/colour"]
    );
    assert_eq!(faults(json!({"debtor_id": "d9"})).await, ["/debtor_id"]);
    assert_eq!(faults(json!({"account_ids": ["d1-1", "d1-7"]})).await, ["/account_ids/1"]);
    assert_eq!(
        faults(json!({"cadence_id": "", "account_ids": ["d1-1", "d1-1"]})).await,
        ["/cadence_id", "/account_ids/1"]
    );
    assert_eq!(faults(json!({"expires_at": "2026-11-20T00:00:00Z"})).await, ["/expires_at"]);
    let behind = json!({"expires_at": "2026-11-27T00:00:00Z", "not_before": "2026-11-28T00:00:00Z"});
    assert_eq!(faults(behind).await[0], "/expires_at");
    assert!(house.state("d1").await.requests.is_empty(), "nothing of it was recorded");

    begin(&house, "d1").await;
    let other = house.pipeline.begin_cadence(&actor(), cadence("d1", json!({"campaign": "spring"}))).await;
    assert!(matches!(other, Err(Refusal::Conflict(_))), "the same name with another body");

    // Against what would end it at once nothing is begun.
    someone(&house, "d2").await;
    let hold = serde_json::from_value(json!({"since": "2026-11-20T00:00:00Z"})).expect("a hold");
    house.pipeline.place_hold(&actor(), "d2", HoldKind::Dispute, hold).await.expect("held");
    let held = house.pipeline.begin_cadence(&actor(), cadence("d2", json!({}))).await;
    assert!(matches!(held, Err(Refusal::Conflict(why)) if why.contains("dispute")));
    house.debtor("d3", json!({"accounts": [{"account_id": "d3-1", "status": "settled"}]})).await;
    let closed = house.pipeline.begin_cadence(&actor(), cadence("d3", json!({}))).await;
    assert!(matches!(closed, Err(Refusal::Conflict(why)) if why.contains("account_closed")));
    let both = json!([{"account_id": "d4-1", "status": "settled"}, {"account_id": "d4-2"}]);
    house.debtor("d4", json!({ "accounts": both })).await;
    let named = cadence("d4", json!({"account_ids": ["d4-1", "d4-2"]}));
    let one_closed = house.pipeline.begin_cadence(&actor(), named).await;
    assert!(matches!(one_closed, Err(Refusal::Conflict(why)) if why.contains("account_closed")));
    begin_with(&house, "d4", json!({"account_ids": []})).await;
    house.pipeline.lift_hold(&actor(), "d2", HoldKind::Dispute).await.expect("lifted");
    begin(&house, "d2").await;
    house.close().await;
}

#[tokio::test]
async fn each_step_gets_the_variables_of_its_own_template() {
    let house = House::new().await;
    someone(&house, "d1").await;
    let variables = json!({
        "due_date": "2027-02-28", "itemization_date": "2026-06-30", "validation_period_ends_on": "2027-01-04",
        "itemization_amount": {"amount": "450.00", "currency": "USD"},
    });
    let id = begin_with(&house, "d1", json!({"plan": "notice-then-reminder", "variables": variables})).await;
    until(&house, "d1", id, &["sent", "accepted"]).await;
    let (notice, reminder) = (step(&house, "d1", id, 1).await, step(&house, "d1", id, 2).await);
    let keys = |request: &RequestState| {
        let words = request.secret.open().expect("open");
        (words.variables.keys().cloned().collect::<Vec<_>>(), words.variables_of_others.len())
    };
    assert_eq!(keys(&notice).1, 1);
    assert_eq!(keys(&reminder), (vec!["due_date".to_owned()], 3));
    assert_eq!(notice.order.purpose.as_str(), "validation_notice");
    assert_eq!(reminder.order.purpose.as_str(), "collection");
    house.pass(Span::days(45));
    until(&house, "d1", id, &["sent", "sent", "accepted"]).await;
    house.close().await;
}

#[tokio::test]
async fn nobody_is_reminded_of_a_notice_that_did_not_arrive() {
    let house = House::new().await;
    let variables = json!({
        "due_date": "2027-02-28", "itemization_date": "2026-06-30", "validation_period_ends_on": "2027-01-10",
        "itemization_amount": {"amount": "450.00", "currency": "USD"},
    });
    // Where the notice is refused at once, and where it comes back later.
    for (debtor, address, stand) in [
        ("d1", "d1.invalid@example.com", vec!["failed"]),
        ("d2", "d2.bounce@example.com", vec!["failed", "cancelled"]),
    ] {
        someone(&house, debtor).await;
        let points = json!([{"kind": "email", "value": address}]);
        house.debtor(debtor, json!({ "contact_points": points })).await;
        let plan = json!({"plan": "notice-then-reminder", "variables": variables});
        let id = begin_with(&house, debtor, plan).await;
        until(&house, debtor, id, &stand).await;
        assert_eq!(reason(&house, debtor, id).await, Some("not_sent"), "{debtor}");
    }
    house.close().await;
}

#[tokio::test]
async fn its_history_is_replayed_and_told_like_any_other() {
    let house = House::new().await;
    someone(&house, "d1").await;
    let id = begin(&house, "d1").await;
    until(&house, "d1", id, &["sent", "accepted"]).await;
    house.pass(Span::days(3));
    until(&house, "d1", id, &["sent", "sent", "accepted"]).await;
    say(&house, "d1", "I dispute this debt").await;
    let events = house.events("d1").await;
    let place = events.iter().position(|event| event.body.type_name() == "inbound.received").expect("heard");
    let EventBody::RequestCancelled(end, _) = &events[place + 1].body else {
        panic!("{:?}", events[place + 1])
    };
    assert_eq!(end.because.map(|why| why.as_str()), Some("dispute"), "in the same commit");
    assert_eq!(events[place].at, events[place + 1].at);

    let desk = house.pipeline.desk().clone();
    let (replayed, told) = house
        .pipeline
        .read(move |store| {
            let reader = store.reader()?;
            let mut all = Vec::new();
            let take = |one: dunwell::pipeline::replay::Replayed| -> Result<(), StorageError> {
                all.push(one.verdict);
                Ok(())
            };
            Replay::new(&reader, &*desk.names, &desk.policy.load_full())?.run(take, |_| {})?;
            Ok((all, Follower::default().page(&reader, 0, u64::MAX)?.0))
        })
        .await
        .expect("readable");
    assert_eq!(replayed, [Verdict::Same, Verdict::Same]);
    let told: Vec<Value> = told
        .iter()
        .filter(|told| {
            told.type_name.starts_with("contact_request.") && !told.type_name.ends_with(".delivered")
        })
        .map(|told| serde_json::from_slice(&told.body).expect("JSON"))
        .collect();
    let words: Vec<_> =
        told.iter().map(|told| (told["type"].as_str().expect("a type"), &told["data"]["cadence"])).collect();
    let cadence = |step: u32, reason: Value| json!({"id": id.to_string(), "cadence_id": "c-d1", "step": step, "reason": reason});
    assert_eq!(
        words,
        [
            ("contact_request.sent", &cadence(1, Value::Null)),
            ("contact_request.sent", &cadence(2, Value::Null)),
            ("contact_request.cancelled", &cadence(3, json!("dispute"))),
        ]
    );
    assert_eq!(told[2]["data"]["request_id"], "c-d1/3");
    assert_eq!(
        house.state("d1").await.requests.values().filter(|r| r.status == RequestStatus::Cancelled).count(),
        1
    );
    house.close().await;
}
