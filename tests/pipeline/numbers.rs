//! Answers of a reassigned-numbers database: whose they are, what they permit and forbid, and that nothing takes them away.

use crate::house::{House, actor, at};
use dunwell::domain::contact_point::{CheckSource, ReassignmentCheck, ReassignmentResult};
use dunwell::domain::decision::{Decision, Outcome};
use dunwell::domain::time::Date;
use dunwell::pipeline::load::{Item, Loaded};
use dunwell::pipeline::numbers::{Question, Standing, standings};
use dunwell::pipeline::{Pipeline, Refusal};
use serde_json::{Value, json};

const SHARED: &str = "+13055550142";
const AGE: &str = "us.fed.regf.text-consent-age";
const REASSIGNED: &str = "us.fed.tcpa.reassigned-number";

fn day(text: &str) -> Date {
    text.parse().expect("a date")
}

fn answer(checked_on: &str, since: &str, result: &str) -> ReassignmentCheck {
    ReassignmentCheck {
        checked_on: day(checked_on),
        result: ReassignmentResult::from_word(result).expect("an answer"),
        since: day(since),
        source: Some(CheckSource::Fcc),
    }
}

async fn load(pipeline: &Pipeline, number: &str, check: ReassignmentCheck) -> Result<Loaded, Refusal> {
    pipeline
        .load(&actor(), vec![Item::NumberCheck(number.to_owned(), check)])
        .await
        .pop()
        .expect("one answer")
}

fn with_number(number: &str) -> Value {
    json!({"contact_points": [{"kind": "phone", "value": number, "line_type": "mobile"}]})
}

async fn consent(house: &House, id: &str, granted_at: &str) {
    for scope in ["automated", "electronic"] {
        let said = json!({"channel": "sms", "scope": scope, "granted_at": granted_at, "source": "test", "contact_point": SHARED});
        let said = serde_json::from_value(said).expect("a consent");
        house.pipeline.add_consent(&actor(), id, said).await.expect("consented");
    }
}

/// A debtor with the shared number and a consent of a moment.
async fn debtor(house: &House, id: &str, granted_at: &str) {
    house.debtor(id, with_number(SHARED)).await;
    consent(house, id, granted_at).await;
}

async fn ask(house: &House, id: &str) -> Decision {
    let query = json!({"debtor_id": id, "account_ids": [format!("{id}-1")], "channel": "sms"});
    let query = serde_json::from_value(query).expect("a question");
    house.pipeline.decide(vec![query], false).await.pop().expect("one").expect("an answer").decision
}

/// Whether the contact is allowed, and with the shelter of 12 CFR 1006.6(d)(5)(ii).
async fn stands(house: &House, id: &str) -> (Outcome, bool) {
    let decision = ask(house, id).await;
    (decision.outcome, !decision.reviews.iter().any(|review| review.rule == AGE))
}

async fn is_barred(house: &House, id: &str) -> bool {
    let decision = ask(house, id).await;
    let Some(finding) = decision.findings.iter().find(|finding| finding.rule == REASSIGNED) else {
        assert_eq!(decision.outcome, Outcome::Allow, "{decision:?}");
        return false;
    };
    assert_eq!(decision.outcome, Outcome::Block);
    assert_eq!(finding.citation, "47 CFR 64.1200(m), 12 CFR 1006.6(d)(5)");
    assert!(finding.reason.contains("reassigned to somebody else"), "{}", finding.reason);
    true
}

/// The consent is 85 days old. Only `no`, asked about its date or an earlier one within 60 days, shelters.
#[tokio::test]
async fn only_a_no_that_covers_the_consent_shelters_a_text() {
    for (checked_on, since, result, sheltered) in [
        ("2026-11-20", "2026-09-01", "no", true),
        ("2026-11-20", "2026-08-01", "no", true),
        ("2026-11-20", "2026-09-02", "no", false),
        ("2026-11-20", "2026-09-01", "no_data", false),
        ("2026-09-25", "2026-09-01", "no", false),
        ("2026-09-26", "2026-09-01", "no", true),
    ] {
        let house = House::new().await;
        debtor(&house, "d1", "2026-09-01T16:00:00Z").await;
        assert_eq!(stands(&house, "d1").await, (Outcome::Allow, false), "the consent alone is too old");
        let loaded = load(&house.pipeline, SHARED, answer(checked_on, since, result)).await;
        assert_eq!(loaded.expect("stored"), Loaded::New);
        assert_eq!(stands(&house, "d1").await, (Outcome::Allow, sheltered), "{checked_on} {since} {result}");
    }
}

#[tokio::test]
async fn a_number_found_reassigned_stays_closed_whatever_upstream_says_anew() {
    let house = House::new().await;
    debtor(&house, "d1", "2026-09-01T16:00:00Z").await;
    // Seven in the morning.
    house.move_to("2026-11-25T12:00:00Z");
    let accepted = house.accept(house.request("r1", "d1", &["sms"])).await.expect("accepted");
    house.until("d1", &accepted, "deferred").await;
    let yes = || answer("2026-11-24", "2026-09-01", "yes");
    assert_eq!(load(&house.pipeline, SHARED, yes()).await.expect("stored"), Loaded::New);
    // What waited for the morning is decided anew.
    house.until("d1", &accepted, "blocked").await;
    house.move_to("2026-11-25T20:00:00Z");
    assert!(is_barred(&house, "d1").await);
    let events = house.events("d1").await.len();
    assert_eq!(load(&house.pipeline, SHARED, yes()).await.expect("known"), Loaded::There);
    assert_eq!(house.events("d1").await.len(), events, "nothing is recorded twice");

    // Upstream replaces the file without a word of it, drops the number, and takes it up again.
    for contact_points in [with_number(SHARED), json!({"contact_points": []}), with_number(SHARED)] {
        house.debtor("d1", contact_points).await;
    }
    assert!(is_barred(&house, "d1").await);
    let (place, clock) = house.close().await;
    let house = House::at(place, clock).await;
    assert!(is_barred(&house, "d1").await, "after a restart");

    house.pipeline.erase(&actor(), "d1").await.expect("erased");
    debtor(&house, "d1", "2026-09-01T16:00:00Z").await;
    assert!(is_barred(&house, "d1").await, "loaded again after an erasure");
    // Upstream's own older answer does not outrank it; one that asked about the right date later does.
    for (checked_on, barred) in [("2026-11-20", true), ("2026-11-25", false)] {
        let mut file = with_number(SHARED);
        file["contact_points"][0]["reassignment_check"] =
            json!({"checked_on": checked_on, "since": "2026-09-01", "result": "no"});
        house.debtor("d1", file).await;
        assert_eq!(is_barred(&house, "d1").await, barred, "{checked_on}");
    }
}

/// The number was somebody else's before it was the second one's: each was asked about since its own date.
#[tokio::test]
async fn an_answer_is_found_by_everybody_with_the_number_and_belongs_to_its_date() {
    for turned in [false, true] {
        let house = House::new().await;
        debtor(&house, "d1", "2024-02-01T16:00:00Z").await;
        debtor(&house, "d2", "2026-09-01T16:00:00Z").await;
        let mut answers =
            [answer("2026-11-24", "2024-02-01", "yes"), answer("2026-11-24", "2026-09-01", "no")];
        if turned {
            answers.reverse();
        }
        for answer in answers {
            load(&house.pipeline, SHARED, answer).await.expect("stored");
        }
        assert!(is_barred(&house, "d1").await, "turned: {turned}");
        assert_eq!(stands(&house, "d2").await, (Outcome::Allow, true), "turned: {turned}");
        // Whoever comes later, and is not known to have had the number since, is barred until it is asked about.
        house.debtor("d3", with_number(SHARED)).await;
        let point = house.state("d3").await.outline.points[0].clone();
        assert_eq!(point.reassignment_check.map(|check| check.result), Some(ReassignmentResult::Yes));
        // It gives the number after the day of the query.
        consent(&house, "d3", "2026-11-25T19:00:00Z").await;
        assert!(!is_barred(&house, "d3").await);
    }
}

#[tokio::test]
async fn what_cannot_be_stored_says_why() {
    let house = House::new().await;
    debtor(&house, "d1", "2026-09-01T16:00:00Z").await;
    for (number, check, pointer) in [
        ("+13055550199", answer("2026-11-24", "2026-09-01", "no"), "/tn"),
        ("3055550142", answer("2026-11-24", "2026-09-01", "no"), "/tn"),
        (SHARED, answer("2026-08-24", "2026-09-01", "no"), "/date"),
        (SHARED, answer("2026-11-27", "2026-09-01", "no"), "/checked_on"),
    ] {
        match load(&house.pipeline, number, check).await {
            Err(Refusal::Invalid(faults)) => assert_eq!(faults[0].pointer, pointer),
            other => panic!("{other:?}"),
        }
    }
}

async fn due(house: &House, id: &str) -> Standing {
    let today = day("2026-11-25");
    standings(&house.state(id).await, today, 30).pop().expect("a number")
}

#[tokio::test]
async fn a_number_is_due_until_its_date_is_covered_and_again_when_that_is_old_or_outdated() {
    let house = House::new().await;
    house.debtor("d1", with_number(SHARED)).await;
    assert_eq!(due(&house, "d1").await, Standing::Undated);
    // 23:30 in Miami, and already the second in Greenwich.
    consent(&house, "d1", "2026-09-02T03:30:00Z").await;
    let since = |text: &str| Standing::Due(Question { number: SHARED.to_owned(), since: day(text) });
    assert_eq!(due(&house, "d1").await, since("2026-09-01"));
    load(&house.pipeline, SHARED, answer("2026-11-23", "2026-09-15", "no")).await.expect("stored");
    assert_eq!(due(&house, "d1").await, since("2026-09-01"), "that answer asked about too late a date");
    load(&house.pipeline, SHARED, answer("2026-10-26", "2026-09-01", "no_data")).await.expect("stored");
    assert_eq!(due(&house, "d1").await, since("2026-09-01"), "thirty days old");
    load(&house.pipeline, SHARED, answer("2026-10-27", "2026-09-01", "no")).await.expect("stored");
    assert_eq!(due(&house, "d1").await, Standing::Fresh);
    load(&house.pipeline, SHARED, answer("2026-11-24", "2026-09-01", "yes")).await.expect("stored");
    assert_eq!(due(&house, "d1").await, Standing::Closed);
    // It wrote to us from there on the twentieth: that is the day to ask about now.
    let said = json!({
        "event_id": "e1", "debtor_id": "d1", "account_ids": [], "channel": "sms", "direction": "inbound",
        "contact_point": SHARED, "result": "delivered", "occurred_at": at("2026-11-20T15:00:00Z"),
    });
    let said = serde_json::from_value(said).expect("a contact");
    house.pipeline.record_contacts(&actor(), vec![said]).await.pop().expect("one").expect("recorded");
    assert_eq!(due(&house, "d1").await, since("2026-11-20"));

    load(&house.pipeline, SHARED, answer("2026-11-25", "2026-11-20", "no")).await.expect("stored");
    assert_eq!(due(&house, "d1").await, Standing::Fresh);

    // The newest of two answers to one question counts.
    house.debtor("d3", with_number("+13055550143")).await;
    house.consent("d3", "sms", &["automated"]).await;
    for (checked_on, result, stands) in
        [("2026-11-20", "yes", Standing::Closed), ("2026-11-24", "no", Standing::Fresh)]
    {
        let answer = answer(checked_on, "2026-11-01", result);
        load(&house.pipeline, "+13055550143", answer).await.expect("stored");
        assert_eq!(due(&house, "d3").await, stands);
    }

    house.debtor("d2", with_number("+14165550142")).await;
    house.consent("d2", "sms", &["automated"]).await;
    assert_eq!(due(&house, "d2").await, Standing::Abroad, "Toronto");
}
