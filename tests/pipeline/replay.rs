//! A history asked again: under the law that decided, every answer is the very same; under another, what differs is said.

use crate::house::{House, actor, at, law, patiently, until};
use crate::month::{DAYS, Month};
use dunwell::domain::decision::Outcome;
use dunwell::domain::event::EventBody;
use dunwell::domain::state::RequestState;
use dunwell::domain::time::{Clock, Span};
use dunwell::pipeline::replay::{For, Replay, Replayed, Verdict};
use dunwell::pipeline::{Accepted, amend};
use dunwell::policy::Policy;
use dunwell::storage::StorageError;
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

async fn replay(house: &House, policy: &Arc<Policy>) -> Vec<Replayed> {
    let (names, policy) = (house.pipeline.desk().names.clone(), policy.clone());
    house
        .pipeline
        .read(move |store| {
            let reader = store.reader()?;
            let mut all = Vec::new();
            let take = |one| -> Result<(), StorageError> {
                all.push(one);
                Ok(())
            };
            Replay::new(&reader, &*names, &policy)?.run(take, |_| {})?;
            Ok(all)
        })
        .await
        .expect("readable")
}

fn stricter(_: &str, text: &str) -> String {
    // One call in seven days instead of seven, and nobody before eleven.
    text.replace("limit = 7\ndays = 7", "limit = 1\ndays = 7")
        .replace("opens = \"08:00\"", "opens = \"11:00\"")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_month_of_traffic_comes_out_the_same_to_the_last_word() {
    let mut month = Month::begin(House::new().await, 20_261_125).await;
    month.pass(DAYS / 2).await;
    let first = month.house.pipeline.desk().policy.load_full();
    month.erase(3).await;
    month.erase(8).await;
    let second = Arc::new(law(stricter));
    assert!(month.house.pipeline.change_policy(&actor(), law(stricter)).await.expect("recorded"));
    month.load_again(8).await;
    month.pass(DAYS - DAYS / 2).await;

    let mut seen: BTreeMap<&str, usize> = BTreeMap::new();
    let (mut outcomes, mut rules, mut channels) = (BTreeMap::new(), BTreeSet::new(), BTreeSet::new());
    let (mut permits, mut elsewhere) = (0, 0);
    for policy in [&first, &second] {
        for one in replay(&month.house, policy).await {
            let kind = match (&one.verdict, one.same_law) {
                (Verdict::Erased, _) => "erased",
                (Verdict::Same, true) => "same",
                (verdict, true) => {
                    panic!("{} at {} was {:?} and is {verdict:?}", one.seq, one.leaf, one.recorded)
                }
                (_, false) => "another law",
            };
            *seen.entry(kind).or_default() += 1;
            if kind == "same" {
                *outcomes.entry(one.recorded.decision.outcome).or_insert(0) += 1;
                permits += usize::from(matches!(one.subject, For::Permit(_)));
                channels.insert(one.recorded.decision.channel);
                elsewhere += usize::from(one.debtor_id.is_none());
                rules.extend(one.recorded.decision.findings.into_iter().map(|finding| finding.rule));
            }
        }
    }
    println!("{seen:?} {outcomes:?}, {permits} permits, {} rules", rules.len());
    assert_eq!(elsewhere, 0, "whoever is not erased has a name");
    assert!(seen["same"] > 400 && seen["erased"] > 20, "{seen:?}");
    assert!(
        [Outcome::Allow, Outcome::Defer, Outcome::Block].iter().all(|o| outcomes[o] > 30),
        "{outcomes:?}"
    );
    assert!(permits > 40 && channels.len() == 6, "{permits} permits, {channels:?}");
    for rule in ["us.fed.regf.inconvenient-time", "us.fed.regf.after-conversation", "house.pause"] {
        assert!(rules.contains(rule), "{rule} never spoke");
    }
    assert!(rules.len() > 10, "{rules:?}");
    month.house.close().await;
}

#[tokio::test]
async fn another_law_answers_otherwise_and_says_so() {
    let house = House::new().await;
    house.debtor("d1", json!({})).await;
    house.consent("d1", "sms", &["automated", "electronic"]).await;
    let early = house.accept(house.request("r1", "d1", &["sms"])).await.expect("accepted");
    house.until("d1", &early, "sent").await;
    house.move_to("2026-11-26T14:00:00Z"); // 09:00 in Miami
    let later = house.accept(house.request("r2", "d1", &["sms"])).await.expect("accepted");
    house.until("d1", &later, "sent").await;
    let all = replay(&house, &Arc::new(law(stricter))).await;
    assert_eq!(all.len(), 2);
    assert_eq!(all[0].verdict, Verdict::Same, "15:00 suits both");
    let Verdict::Answer(would_be) = &all[1].verdict else { panic!("{:?}", all[1]) };
    assert_eq!(all[1].recorded.decision.outcome, Outcome::Allow);
    assert_eq!(would_be.outcome, Outcome::Defer);
    assert_eq!(would_be.permitted_from, Some(at("2026-11-26T16:00:00Z")));
    assert!(!all[1].same_law);
    house.close().await;
}

#[tokio::test]
async fn a_change_of_the_law_is_recorded_decides_anew_and_reports() {
    let house = House::new().await;
    house.move_to("2026-11-26T03:30:00Z"); // 22:30 in Miami
    for id in ["d1", "d2"] {
        house.debtor(id, json!({})).await;
        house.consent(id, "sms", &["automated", "electronic"]).await;
    }
    house.debtor("d3", json!({})).await;
    let mut waiting = Vec::new();
    for id in ["d1", "d2", "d3"] {
        let accepted = house.accept(house.request(&format!("r-{id}"), id, &["sms"])).await.expect("accepted");
        house.until(id, &accepted, "deferred").await;
        waiting.push((id, accepted));
    }
    assert!(!house.pipeline.change_policy(&actor(), law(|_, t| t.to_owned())).await.expect("no change"));
    assert!(house.pipeline.change_policy(&actor(), law(stricter)).await.expect("recorded"));
    let digest = law(stricter).digest().to_owned();
    for (id, accepted) in &waiting {
        let request = decided(&house, id, accepted, &digest).await;
        let wanted = (*id != "d3").then(|| at("2026-11-26T16:00:00Z"));
        assert_eq!(request.decision.expect("decided").decision.permitted_from, wanted, "{id}");
    }
    let changes = house.pipeline.read(|store| amend::amendments(&store.reader()?)).await.expect("readable");
    assert_eq!(changes.len(), 2, "the first law, and the second");
    assert_eq!(changes[1].policy.digest, digest);
    assert_eq!(changes[1].previous.as_ref(), Some(&changes[0].policy));
    let effects = until("the effects to be counted", async || house.pipeline.amended()).await;
    assert_eq!((effects.pending, effects.unchanged), (3, 1), "{effects:?}");
    let (turn, count) = effects.changed.first_key_value().expect("changed");
    assert_eq!((turn.from, turn.to, *count), (Outcome::Defer, Outcome::Defer, 2));
    assert_eq!(turn.rule, "us.fed.regf.inconvenient-time");

    // A start under another law than the last one does the same.
    let (place, clock) = house.close().await;
    let house = House::at(place, clock).await;
    let first = law(|_, text| text.to_owned()).digest().to_owned();
    for (id, accepted) in &waiting {
        decided(&house, id, accepted, &first).await;
    }
    house.close().await;
}

/// Waits until a request's newest decision was taken under a law.
async fn decided(house: &House, debtor: &str, accepted: &Accepted, digest: &str) -> RequestState {
    until(&format!("{debtor} to be decided anew"), async || {
        let request = house.state(debtor).await.requests[&accepted.id].clone();
        let anew = request.decision.as_ref().is_some_and(|record| record.policy.digest == digest);
        anew.then_some(*request)
    })
    .await
}

#[tokio::test]
async fn what_went_out_and_may_not_fall_back_yet_waits_instead_of_asking_for_ever() {
    let house = House::new().await;
    // The sandbox sends no receipt for this number.
    let points = json!([
        {"kind": "phone", "value": "+13055550108", "line_type": "mobile"},
        {"kind": "email", "value": "d1@example.com"},
    ]);
    house.debtor("d1", json!({"contact_points": points})).await;
    house.consent("d1", "sms", &["automated", "electronic"]).await;
    let mut request = serde_json::to_value(house.request("r1", "d1", &["sms", "email"])).expect("a body");
    request["fallback_after"] = json!("PT1H");
    let accepted = house.accept(serde_json::from_value(request).expect("a request")).await.expect("accepted");
    house.until("d1", &accepted, "sent").await;
    house.pass(Span::hours(2));
    let decisions = async || {
        let events = house.events("d1").await;
        events.iter().filter(|event| matches!(event.body, EventBody::DecisionMade(..))).count()
    };
    until("a second decision", async || (decisions().await > 1).then_some(())).await;
    // Decided without end there would be dozens by now.
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(decisions().await, 2, "one for the text, one for the email that lacks a consent");
    house.consent("d1", "email", &["electronic"]).await;
    let two = patiently(async || (house.state("d1").await.attempts.len() == 2).then_some(())).await;
    let state = house.state("d1").await;
    let request = &state.requests[&accepted.id];
    let stands = format!("it stands at {}: {:?}", request.status, request.decision);
    assert!(two.is_some(), "the consent lets it fall back at once; {stands}");
    house.close().await;
}

#[tokio::test]
async fn a_stop_from_a_number_on_another_file_only_binds_that_file_at_once() {
    let house = House::new().await;
    let shared =
        json!({"contact_points": [{"kind": "phone", "value": "+13055550142", "line_type": "mobile"}]});
    house.debtor("d1", shared).await;
    house.debtor("d2", json!({})).await;
    house.consent("d1", "sms", &["automated", "electronic"]).await;
    let before = house.accept(house.request("r1", "d1", &["sms"])).await.expect("accepted");
    house.until("d1", &before, "sent").await;
    let said = json!({"channel": "sms", "contact_point": "+13055550142", "received_at": house.clock.now(), "source": "x"});
    let said = serde_json::from_value(said).expect("a stop");
    house.pipeline.add_opt_out(&actor(), "d2", said).await.expect("stopped");
    let after = house.accept(house.request("r2", "d1", &["sms"])).await.expect("accepted");
    house.until("d1", &after, "blocked").await;
    house.close().await;
}
