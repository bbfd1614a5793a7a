//! A provider that does not work gives way to the next, a channel to the next, and each hop is a decision of its own.

use crate::house::{House, Named, actor, until};
use dunwell::coordination::breaker::Standing;
use dunwell::domain::attempt::AttemptStatus;
use dunwell::domain::channel::Channel;
use dunwell::domain::event::{DecisionRecord, EventBody};
use dunwell::domain::outcome::{Failure, FailureCause, FailureClass, Outcome};
use dunwell::domain::request::ContactRequest;
use dunwell::domain::routing::{Because, PassedOver};
use dunwell::domain::time::{Clock, Span};
use dunwell::pipeline::Accepted;
use dunwell::pipeline::receive::Report;
use serde_json::json;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

const TWO: [Named<'static>; 3] =
    [(Channel::Sms, "first", true), (Channel::Sms, "second", true), (Channel::Email, "post", true)];

pub fn taken() -> Outcome {
    Outcome::Accepted { provider_ref: None }
}

pub fn failed(class: FailureClass, cause: FailureCause) -> Outcome {
    Outcome::Failed(Failure::of(class, cause, "played"))
}

pub async fn ready(house: &House, id: &str) {
    house.debtor(id, json!({})).await;
    house.consent(id, "sms", &["automated", "electronic"]).await;
    house.consent(id, "email", &["electronic"]).await;
}

async fn ask(house: &House, id: &str, channels: &[&str]) -> Accepted {
    house.accept(house.request(&format!("r-{id}"), id, channels)).await.expect("accepted")
}

pub fn patient(house: &House, id: &str, channels: &[&str], patience: &str) -> ContactRequest {
    let mut request = house.request(&format!("r-{id}"), id, channels);
    request.fallback_after = Some(patience.parse().expect("a span"));
    request
}

/// Who carried each attempt of a debtor, and how it ended.
pub async fn attempts(house: &House, id: &str, accepted: &Accepted) -> Vec<(String, AttemptStatus)> {
    let state = house.state(id).await;
    let of = &state.requests[&accepted.id].attempts;
    of.iter().map(|id| (state.attempts[id].provider.clone(), state.attempts[id].status)).collect()
}

async fn decisions(house: &House, id: &str) -> Vec<DecisionRecord> {
    let bodies = house.events(id).await.into_iter().map(|event| event.body);
    bodies
        .filter_map(|body| if let EventBody::DecisionMade(record, _) = body { Some(record) } else { None })
        .collect()
}

fn passed_over(record: &DecisionRecord) -> Vec<(&str, PassedOver)> {
    let routing = record.routing.iter().flat_map(|routing| &routing.passed_over);
    routing.map(|passed| (passed.provider.as_str(), passed.reason)).collect()
}

/// Waits for something. Whoever moves the clock meanwhile waits for what that sets off: what has not left within a second of it
/// is given up.
pub async fn eventually(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    until(what, async || holds().await.then_some(())).await;
}

#[tokio::test]
async fn a_provider_that_surely_reached_nobody_gives_way_at_once() {
    let hops = [
        (
            failed(FailureClass::NeverLeft, FailureCause::Provider),
            AttemptStatus::Abandoned,
            PassedOver::NeverLeft,
        ),
        (
            failed(FailureClass::Throttled, FailureCause::Provider),
            AttemptStatus::Abandoned,
            PassedOver::NeverLeft,
        ),
        (failed(FailureClass::Refused, FailureCause::Account), AttemptStatus::Failed, PassedOver::Refused),
    ];
    for (outcome, status, reason) in hops {
        let house = House::with(&TWO).await;
        house.direct(Channel::Sms, "first", move |_| Some(outcome.clone()));
        house.direct(Channel::Sms, "second", |_| Some(taken()));
        ready(&house, "d1").await;
        let accepted = ask(&house, "d1", &["sms"]).await;
        // The clock stands still: nobody waits.
        house.until("d1", &accepted, "sent").await;
        let (first, second) = ("first".to_owned(), "second".to_owned());
        assert_eq!(attempts(&house, "d1", &accepted).await, [(first, status), (second, AttemptStatus::Sent)]);
        let decisions = decisions(&house, "d1").await;
        assert_eq!(decisions.len(), 2, "each hop is decided by itself");
        assert!(decisions[0].routing.is_none() && decisions[0].as_of_seq < decisions[1].as_of_seq);
        assert_eq!(passed_over(&decisions[1]), [("first", reason)]);
        let counted = house.state("d1").await.contacts;
        let left = counted.iter().filter(|contact| contact.result.as_str() != "failed").count();
        assert_eq!(left, 1, "one contact counts: {counted:?}");
        house.close().await;
    }
}

#[tokio::test]
async fn what_may_have_left_or_is_about_the_debtor_is_never_followed() {
    let ends = [
        (failed(FailureClass::Uncertain, FailureCause::Provider), "unknown"),
        (failed(FailureClass::Refused, FailureCause::InvalidAddress), "failed"),
        (failed(FailureClass::Refused, FailureCause::OptedOut), "failed"),
        (failed(FailureClass::Refused, FailureCause::Content), "failed"),
        (failed(FailureClass::Refused, FailureCause::Unspecified), "failed"),
    ];
    for (outcome, status) in ends {
        let house = House::with(&TWO).await;
        house.direct(Channel::Sms, "first", move |_| Some(outcome.clone()));
        house.direct(Channel::Sms, "second", |_| panic!("it was asked"));
        ready(&house, "d1").await;
        let accepted = ask(&house, "d1", &["sms"]).await;
        house.until("d1", &accepted, status).await;
        assert_eq!(attempts(&house, "d1", &accepted).await.len(), 1);
        house.close().await;
    }
}

#[tokio::test]
async fn the_next_hop_asks_the_clock_and_the_consents_again() {
    let house = House::with(&TWO).await;
    let clock = house.clock.clone();
    house.direct(Channel::Sms, "first", move |_| {
        // While it is tried in vain, night falls in Miami.
        clock.pass_to("2026-11-26T03:30:00Z");
        Some(failed(FailureClass::NeverLeft, FailureCause::Provider))
    });
    house.direct(Channel::Sms, "second", |_| Some(taken()));
    ready(&house, "d1").await;
    let accepted = ask(&house, "d1", &["sms"]).await;
    house.until("d1", &accepted, "deferred").await;
    assert_eq!(attempts(&house, "d1", &accepted).await, [("first".to_owned(), AttemptStatus::Abandoned)]);
    house.opt_out("d1", "sms").await;
    house.until("d1", &accepted, "blocked").await;
    house.close().await;
}

#[tokio::test]
async fn all_that_refuse_end_it_and_all_that_are_down_begin_again() {
    let house = House::with(&TWO).await;
    let refuses = |_: &_| Some(failed(FailureClass::Refused, FailureCause::Account));
    house.direct(Channel::Sms, "first", refuses);
    house.direct(Channel::Sms, "second", refuses);
    ready(&house, "d1").await;
    let accepted = ask(&house, "d1", &["sms"]).await;
    house.until("d1", &accepted, "failed").await;
    assert_eq!(attempts(&house, "d1", &accepted).await.len(), 2);
    house.close().await;

    let house = House::with(&TWO).await;
    let up = Arc::new(AtomicBool::new(false));
    for name in ["first", "second"] {
        let up = up.clone();
        house.direct(Channel::Sms, name, move |_| {
            let down = failed(FailureClass::NeverLeft, FailureCause::Provider);
            Some(if up.load(Ordering::SeqCst) { taken() } else { down })
        });
    }
    ready(&house, "d1").await;
    let accepted = ask(&house, "d1", &["sms"]).await;
    eventually("a whole round", async || {
        let ended = |(_, status): &(String, AttemptStatus)| *status == AttemptStatus::Abandoned;
        let all = attempts(&house, "d1", &accepted).await;
        all.len() == 2 && all.iter().all(ended)
    })
    .await;
    up.store(true, Ordering::SeqCst);
    house.pass(Span::seconds(2));
    house.until("d1", &accepted, "sent").await;
    assert_eq!(
        attempts(&house, "d1", &accepted).await.last().expect("one").0,
        "first",
        "the round begins anew"
    );
    house.close().await;
}

#[tokio::test]
async fn a_provider_in_trouble_is_left_alone_and_gets_its_share_back() {
    let house = House::with(&TWO).await;
    let (up, asked) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let (works, count) = (up.clone(), asked.clone());
    house.direct(Channel::Sms, "first", move |_| {
        count.fetch_add(1, Ordering::SeqCst);
        let down = failed(FailureClass::NeverLeft, FailureCause::Provider);
        Some(if works.load(Ordering::SeqCst) { taken() } else { down })
    });
    house.direct(Channel::Sms, "second", |_| Some(taken()));
    for n in 0..60 {
        ready(&house, &format!("d{n}")).await;
    }
    let send = async |n: usize| {
        let id = format!("d{n}");
        let accepted = ask(&house, &id, &["sms"]).await;
        house.until(&id, &accepted, "sent").await;
    };
    for n in 0..5 {
        send(n).await;
    }
    let standing = || house.pipeline.providers()[1].standing;
    assert!(matches!(standing(), Standing::OutOfService(_)), "{:?}", house.pipeline.providers());
    for n in 5..15 {
        send(n).await;
    }
    assert_eq!(asked.load(Ordering::SeqCst), 5, "it is left alone");
    let newest = decisions(&house, "d14").await;
    assert_eq!(passed_over(&newest[0]), [("first", PassedOver::OutOfService)]);
    up.store(true, Ordering::SeqCst);
    house.pass(Span::seconds(5));
    send(15).await;
    assert_eq!(asked.load(Ordering::SeqCst), 6, "one message tries it");
    assert_eq!(standing(), Standing::Returning(10));
    for n in 16..36 {
        send(n).await;
    }
    assert_eq!(asked.load(Ordering::SeqCst), 8, "two of twenty");
    house.close().await;
}

#[tokio::test]
async fn a_pause_of_a_provider_fails_over_too() {
    let house = House::with(&TWO).await;
    house.direct(Channel::Sms, "first", |_| panic!("it is paused"));
    house.direct(Channel::Sms, "second", |_| Some(taken()));
    house.direct(Channel::Email, "post", |_| Some(taken()));
    let pause = |provider: &str| {
        serde_json::from_value(json!({"provider": provider, "reason": "test"})).expect("a pause")
    };
    house.pipeline.put_pause(&actor(), "p1", pause("sms/first")).await.expect("paused");
    for id in ["d1", "d2", "d3"] {
        ready(&house, id).await;
    }
    let over_second = ask(&house, "d1", &["sms", "email"]).await;
    house.until("d1", &over_second, "sent").await;
    assert_eq!(attempts(&house, "d1", &over_second).await[0].0, "second");
    assert_eq!(passed_over(&decisions(&house, "d1").await[0]), [("first", PassedOver::Paused)]);
    house.pipeline.put_pause(&actor(), "p2", pause("second")).await.expect("paused");
    let over_email = ask(&house, "d2", &["sms", "email"]).await;
    house.until("d2", &over_email, "sent").await;
    assert_eq!(attempts(&house, "d2", &over_email).await[0].0, "post");
    let waits = ask(&house, "d3", &["sms"]).await;
    house.until("d3", &waits, "deferred").await;
    house.pipeline.lift_pause(&actor(), "p2").await.expect("lifted");
    house.until("d3", &waits, "sent").await;
    assert_eq!(attempts(&house, "d3", &waits).await[0].0, "second");
    house.close().await;
}

#[tokio::test]
async fn debts_collected_for_others_are_not_routed_where_they_may_not_go() {
    let picky =
        [(Channel::Sms, "picky", false), (Channel::Sms, "open", true), (Channel::Email, "post", false)];
    let house = House::with(&picky).await;
    for name in ["picky", "open"] {
        house.direct(Channel::Sms, name, |_| Some(taken()));
    }
    let own = |id: &str, role: &str| {
        json!({"accounts": [{"account_id": format!("{id}-1"), "creditor": "First Bank",
        "reference": "xxxx1234", "balance": {"amount": "482.13", "currency": "USD"}, "collector_role": role}]})
    };
    for (id, role, provider) in [
        ("d1", "third_party", "open"),
        ("d2", "debt_buyer", "open"),
        ("d3", "first_party", "picky"),
        ("d4", "servicer", "picky"),
    ] {
        ready(&house, id).await;
        house.debtor(id, own(id, role)).await;
        let accepted = ask(&house, id, &["sms"]).await;
        house.until(id, &accepted, "sent").await;
        assert_eq!(attempts(&house, id, &accepted).await[0].0, provider, "{role}");
    }
    ready(&house, "d5").await;
    let accepted = ask(&house, "d5", &["email"]).await;
    let request = house.until("d5", &accepted, "deferred").await;
    let record = request.decision.expect("decided");
    assert_eq!(passed_over(&record), [("post", PassedOver::ThirdPartyDebt)]);
    assert!(record.decision.findings[0].reason.contains("post (third_party_debt)"), "{record:?}");
    house.close().await;
}

#[tokio::test]
async fn with_nobody_to_send_it_waits_and_goes_out_when_one_is_back() {
    let house = House::with(&[(Channel::Sms, "only", true)]).await;
    let up = Arc::new(AtomicBool::new(false));
    let works = up.clone();
    house.direct(Channel::Sms, "only", move |_| {
        let down = failed(FailureClass::NeverLeft, FailureCause::Provider);
        Some(if works.load(Ordering::SeqCst) { taken() } else { down })
    });
    let mut waiting = Vec::new();
    for n in 0..8 {
        let id = format!("d{n}");
        ready(&house, &id).await;
        waiting.push((id.clone(), ask(&house, &id, &["sms"]).await));
    }
    let began = house.clock.now();
    eventually("a word about it", async || {
        house.pass(Span::seconds(5));
        house.settled().await;
        let state = house.state("d7").await;
        let request = &state.requests[&waiting[7].1.id];
        request
            .decision
            .as_ref()
            .is_some_and(|record| record.decision.findings.iter().any(|f| f.rule == "house.providers-down"))
    })
    .await;
    let mut tried = 0;
    for (id, accepted) in &waiting {
        tried += attempts(&house, id, accepted).await.len();
    }
    let minutes = house.clock.now().since(began).as_millis() / 60_000;
    assert!(tried < 30, "{tried} messages set out in vain within {minutes} minutes");
    assert!(decisions(&house, "d7").await.len() < 12);
    up.store(true, Ordering::SeqCst);
    house.pass(Span::minutes(6));
    for (id, accepted) in &waiting {
        eventually("its turn", async || {
            house.pass(Span::seconds(2));
            house.settled().await;
            house.state(id).await.requests[&accepted.id].status.as_str() == "sent"
        })
        .await;
        let counted = house.state(id).await.contacts.len();
        assert_eq!(counted, 1, "what never left does not count");
    }
    house.close().await;
}

#[tokio::test]
async fn a_channel_that_brought_nothing_gives_way_after_its_time() {
    let house = House::with(&[(Channel::Sms, "only", true), (Channel::Email, "post", true)]).await;
    house.direct(Channel::Sms, "only", |_| Some(failed(FailureClass::NeverLeft, FailureCause::Provider)));
    house.direct(Channel::Email, "post", |_| Some(taken()));
    ready(&house, "d1").await;
    let began = house.clock.now();
    let accepted = house.accept(patient(&house, "d1", &["sms", "email"], "PT20M")).await.expect("accepted");
    eventually("the other channel", async || {
        house.pass(Span::seconds(10));
        house.quiet().await;
        house.state("d1").await.requests[&accepted.id].status.as_str() == "sent"
    })
    .await;
    let state = house.state("d1").await;
    let last = &state.attempts[state.requests[&accepted.id].attempts.last().expect("one")];
    assert_eq!(last.provider, "post");
    let waited = last.started_at.since(began);
    assert!(waited >= Span::minutes(20) && waited < Span::minutes(26), "it waited {waited:?}");
    house.close().await;
}

#[tokio::test]
async fn the_gateways_own_choice_is_what_works_for_the_debtor() {
    let all = [
        (Channel::Sms, "texts", true),
        (Channel::Email, "post", true),
        (Channel::Voice, "calls", true),
        (Channel::Portal, "inbox", true),
    ];
    let house = House::with(&all).await;
    house.direct(Channel::Sms, "texts", |_| Some(taken()));
    house.direct(Channel::Email, "post", |_| Some(taken()));
    ready(&house, "d1").await;
    let choice = async |n: u8| {
        let mut request = house.request(&format!("auto-{n}"), "d1", &["auto"]);
        request.fallback_after = Some(Span::hours(24));
        let accepted = house.accept(request).await.expect("accepted");
        house.until("d1", &accepted, "sent").await;
        let record = house.state("d1").await.requests[&accepted.id].decision.clone().expect("decided");
        let choices = record.routing.expect("it says why").choices;
        (
            accepted,
            record.decision.channel,
            choices.iter().map(|c| (c.channel, c.because)).collect::<Vec<_>>(),
        )
    };
    let (_, channel, choices) = choice(1).await;
    assert_eq!(channel, Channel::Sms);
    assert!(
        choices.iter().all(|(_, because)| *because == Because::UsualOrder) && choices.len() == 4,
        "{choices:?}"
    );

    let heard = |channel: &str, result: &str, direction: &str, n: u8| {
        serde_json::from_value(
            json!({"event_id": format!("e{n}"), "debtor_id": "d1", "account_ids": [], "channel": channel,
            "direction": direction, "occurred_at": house.clock.now(), "result": result}),
        )
        .expect("an event")
    };
    house
        .pipeline
        .record_contacts(&actor(), vec![heard("email", "delivered", "inbound", 1)])
        .await
        .pop()
        .expect("one")
        .expect("filed");
    house.pass(Span::hours(26));
    let (_, channel, choices) = choice(2).await;
    assert_eq!((channel, choices[0]), (Channel::Email, (Channel::Email, Because::Replied)));

    // Preferred, but not lawful: nobody consented to automated calls.
    let preferences = serde_json::from_value(json!({"inconvenient": [], "preferred_channel": "voice"}))
        .expect("preferences");
    house.pipeline.put_preferences(&actor(), "d1", preferences).await.expect("filed");
    house.pass(Span::hours(26));
    let (accepted, channel, choices) = choice(3).await;
    assert_eq!(choices[0], (Channel::Voice, Because::Preferred));
    assert_eq!(channel, Channel::Email, "what is lawful");

    // It bounces, and the next lawful channel has its turn.
    let attempt = house.state("d1").await.requests[&accepted.id].attempts[0];
    let bounced = Report {
        status: Some(AttemptStatus::Failed),
        reported: "failed".to_owned(),
        code: None,
        cause: FailureCause::Provider,
        complained: false,
        in_hand: false,
        result: None,
    };
    house.pipeline.report(actor(), attempt, bounced).await.expect("reported");
    eventually("another channel", async || {
        house.pass(Span::hours(1));
        house.quiet().await;
        attempts(&house, "d1", &accepted).await.len() == 2
    })
    .await;
    let providers: Vec<String> =
        attempts(&house, "d1", &accepted).await.into_iter().map(|(name, _)| name).collect();
    assert!(providers[1] == "texts" || providers[1] == "inbox", "{providers:?}");
    house.close().await;
}
