//! Contacts that others carry: how long a permit is good for, and what its outcome may say.

use crate::house::{House, actor, at, law, until};
use dunwell::domain::contact::ContactResult;
use dunwell::domain::time::Span;
use dunwell::pipeline::{Permit, Refusal};
use serde_json::json;

async fn issue(house: &House, id: &str, ttl: &str) -> Permit {
    let said = json!({"debtor_id": id, "account_ids": [format!("{id}-1")], "channel": "voice", "ttl": ttl});
    let said = serde_json::from_value(said).expect("a question");
    house.pipeline.issue_permit(&actor(), said).await.expect("permitted")
}

async fn answer(house: &House, permit: &Permit, result: &str, occurred_at: &str) -> Result<(), Refusal> {
    let said = json!({"result": result, "occurred_at": at(occurred_at)});
    let said = serde_json::from_value(said).expect("an outcome");
    house.pipeline.permit_outcome(&actor(), permit.id, said).await
}

#[tokio::test]
async fn a_permit_ends_with_the_hours_that_allow_it() {
    let house = House::new().await;
    house.debtor("d1", json!({})).await;
    // 20:50 in Miami: ten minutes are left of the day.
    house.move_to("2026-11-26T01:50:00Z");
    for ttl in ["PT15M", "P1D"] {
        assert_eq!(issue(&house, "d1", ttl).await.expires_at, at("2026-11-26T02:00:00Z"), "{ttl}");
    }
    assert_eq!(issue(&house, "d1", "PT5M").await.expires_at, at("2026-11-26T01:55:00Z"));
}

#[tokio::test]
async fn an_outcome_is_dated_within_its_permit() {
    let house = House::new().await;
    house.debtor("d1", json!({})).await;
    let permit = issue(&house, "d1", "PT15M").await;
    house.pass(Span::minutes(10));
    for wrong in
        ["2026-10-25T20:00:00Z", "2026-11-25T19:54:59Z", "2026-11-25T20:20:01Z", "2026-11-25T20:36:00Z"]
    {
        let refused = answer(&house, &permit, "no_answer", wrong).await;
        let Err(Refusal::Invalid(faults)) = refused else { panic!("{wrong}: {refused:?}") };
        assert_eq!(faults[0].pointer, "/occurred_at", "{wrong}");
    }
    // A clock that is behind ours dates it before the permit: it counts from there on, and no earlier.
    answer(&house, &permit, "no_answer", "2026-11-25T19:56:00Z").await.expect("taken");
    let contacts = house.state("d1").await.contacts;
    let call = contacts.iter().find(|contact| contact.result == ContactResult::NoAnswer).expect("a call");
    assert_eq!(call.occurred_at, at("2026-11-25T20:00:00Z"));
}

async fn outcome(house: &House, id: &str, channel: &str) -> (String, Vec<String>) {
    let query = json!({"debtor_id": id, "account_ids": [format!("{id}-1")], "channel": channel});
    let query = serde_json::from_value(query).expect("a question");
    let answer = house.pipeline.decide(vec![query], false).await.pop().expect("one").expect("an answer");
    let rules = answer.decision.findings.iter().map(|finding| finding.rule.clone()).collect();
    (answer.decision.outcome.as_str().to_owned(), rules)
}

/// Both ways of saying that a call reached a stranger close the number for every channel, once.
#[tokio::test]
async fn a_wrong_number_is_closed_whoever_reports_it() {
    let house = House::new().await;
    for id in ["d1", "d2"] {
        house.debtor(id, json!({})).await;
        house.consent(id, "sms", &["automated", "electronic"]).await;
        assert_eq!(outcome(&house, id, "voice").await.0, "allow");
    }
    let number = house.state("d1").await.file.expect("on file").contact_points[0].value.clone();
    for event in ["e-1", "e-2"] {
        let said = json!({
            "event_id": event, "debtor_id": "d1", "account_ids": [], "channel": "voice", "direction": "outbound",
            "contact_point": number, "occurred_at": "2026-11-25T19:00:00Z", "result": "wrong_number",
        });
        let said = serde_json::from_value(said).expect("a contact");
        house.pipeline.record_contacts(&actor(), vec![said]).await.pop().expect("one").expect("recorded");
    }
    let permit = issue(&house, "d2", "PT15M").await;
    answer(&house, &permit, "wrong_number", "2026-11-25T20:00:00Z").await.expect("taken");
    for id in ["d1", "d2"] {
        for channel in ["voice", "sms"] {
            let (outcome, rules) = outcome(&house, id, channel).await;
            assert_eq!(outcome, "block", "{id} {channel}");
            assert!(rules.iter().any(|rule| rule == "us.fed.regf.contact-point"), "{rules:?}");
        }
        assert_eq!(outcome(&house, id, "portal").await.0, "allow");
        let events = house.events(id).await;
        let closed = events.iter().filter(|event| event.body.type_name() == "contact_point.invalid");
        assert_eq!(closed.count(), 1, "{id}");
    }
}

/// Waits until the agenda has ended a permit; says whether it goes on counting.
async fn expired(house: &House, id: &str, permit: &Permit) -> bool {
    until("the permit to expire", async || {
        let state = house.state(id).await;
        (!state.permits[&permit.id].open).then_some(!state.contacts.is_empty())
    })
    .await
}

#[tokio::test]
async fn an_unanswered_permit_is_what_the_packs_say() {
    let house = House::new().await;
    house.debtor("d1", json!({})).await;
    let permit = issue(&house, "d1", "PT15M").await;
    house.pass(Span::minutes(16));
    house.opt_out("d1", "email").await;
    assert!(expired(&house, "d1", &permit).await, "used, where no pack says otherwise");
    // Its outcome may still come, once, and it may no longer be given back.
    assert!(house.pipeline.return_permit(&actor(), permit.id).await.is_err());
    answer(&house, &permit, "not_connected", "2026-11-25T20:10:00Z").await.expect("taken late");
    let calls: Vec<ContactResult> = house.state("d1").await.contacts.iter().map(|call| call.result).collect();
    assert_eq!(calls, [ContactResult::NotConnected]);
    assert!(matches!(
        answer(&house, &permit, "not_connected", "2026-11-25T20:10:00Z").await,
        Err(Refusal::Conflict(_))
    ));

    house.debtor("d2", json!({})).await;
    let lenient = law(|path, text| match path {
        "us-federal/pack.toml" => format!("{text}expired_permits = \"given_back\"\n"),
        _ => text.to_owned(),
    });
    house.pipeline.change_policy(&actor(), lenient).await.expect("changed");
    let permit = issue(&house, "d2", "PT15M").await;
    house.pass(Span::minutes(16));
    house.opt_out("d2", "email").await;
    assert!(!expired(&house, "d2", &permit).await, "given back, as the pack says");
    assert!(matches!(
        answer(&house, &permit, "no_answer", "2026-11-25T20:20:00Z").await,
        Err(Refusal::Conflict(_))
    ));
}
