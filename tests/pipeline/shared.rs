//! What stands on other people's files: joint accounts, shared numbers; and the pauses that lie over everybody's.

use crate::house::{House, actor, at};
use dunwell::domain::decision::{Decision, Outcome};
use dunwell::domain::time::{Clock, Span};
use serde_json::{Value, json};

const LANDLINE: &str = "+13055550142";

async fn ask(house: &House, id: &str, account: &str, channel: &str) -> Decision {
    let query = json!({"debtor_id": id, "account_ids": [account], "channel": channel});
    let query = serde_json::from_value(query).expect("a question");
    let answer = house.pipeline.decide(vec![query], false).await.pop().expect("one").expect("an answer");
    answer.decision
}

/// Calls over the landline that named no account.
async fn calls(house: &House, id: &str, count: i64) {
    for n in 0..count {
        let said = json!({
            "event_id": format!("{id}-{n}"), "debtor_id": id, "account_ids": [], "channel": "voice",
            "direction": "outbound", "contact_point": LANDLINE, "result": "no_answer",
            "occurred_at": house.clock.now().minus(Span::hours(n + 1)),
        });
        let said = serde_json::from_value(said).expect("a contact");
        house.pipeline.record_contacts(&actor(), vec![said]).await.pop().expect("one").expect("recorded");
    }
}

fn file(accounts: &[&str]) -> Value {
    let accounts: Vec<Value> = accounts.iter().map(|id| json!({"account_id": id})).collect();
    json!({"contact_points": [{"kind": "phone", "value": LANDLINE, "line_type": "landline"}], "accounts": accounts})
}

/// A call that named no account was about every account of the debtor called, also where it stands on a joint file.
#[tokio::test]
async fn calls_about_no_named_account_count_for_a_joint_account() {
    let house = House::new().await;
    house.debtor("d1", file(&["A-1", "A-2"])).await;
    house.debtor("d2", file(&["A-1"])).await;
    calls(&house, "d2", 7).await;
    for (id, account, outcome) in
        [("d2", "A-1", Outcome::Defer), ("d1", "A-1", Outcome::Defer), ("d1", "A-2", Outcome::Allow)]
    {
        assert_eq!(ask(&house, id, account, "voice").await.outcome, outcome, "{id} {account}");
    }
}

/// A number that two people share ties none of their debts together.
#[tokio::test]
async fn calls_to_a_shared_number_count_for_the_debts_of_whom_they_were_for() {
    let house = House::new().await;
    house.debtor("d1", file(&["A-1"])).await;
    house.debtor("d2", file(&["B-1"])).await;
    calls(&house, "d2", 7).await;
    assert_eq!(ask(&house, "d2", "B-1", "voice").await.outcome, Outcome::Defer);
    assert_eq!(ask(&house, "d1", "A-1", "voice").await.outcome, Outcome::Allow);
}

async fn pause(house: &House, name: &str, until: Value) {
    let said = json!({"channel": "sms", "reason": "test", "until": until});
    let said = serde_json::from_value(said).expect("a pause");
    house.pipeline.put_pause(&actor(), name, said).await.expect("paused");
}

/// Where a pause ends at night, the contact waits for the morning after; what it must carry is said all the same.
#[tokio::test]
async fn what_a_pause_puts_off_becomes_lawful_when_the_law_says_so() {
    let house = House::new().await;
    house.debtor("d1", json!({})).await;
    house.consent("d1", "sms", &["automated", "electronic"]).await;
    let free = ask(&house, "d1", "d1-1", "sms").await;
    assert!(!free.disclosures.is_empty());
    // 17:00 and 22:30 in Miami: the later of the two counts.
    pause(&house, "short", json!("2026-11-25T22:00:00Z")).await;
    assert_eq!(ask(&house, "d1", "d1-1", "sms").await.permitted_from, Some(at("2026-11-25T22:00:00Z")));
    pause(&house, "long", json!("2026-11-26T03:30:00Z")).await;
    let paused = ask(&house, "d1", "d1-1", "sms").await;
    assert_eq!((paused.outcome, paused.permitted_from), (Outcome::Defer, Some(at("2026-11-26T13:00:00Z"))));
    assert_eq!(paused.disclosures, free.disclosures);
    let rules: Vec<&str> = paused.findings.iter().map(|finding| finding.rule.as_str()).collect();
    assert_eq!(rules[0], "house.pause");
    assert!(rules.contains(&"us.fed.regf.inconvenient-time"), "{rules:?}");
    // Without an end nothing says when.
    pause(&house, "open", Value::Null).await;
    let paused = ask(&house, "d1", "d1-1", "sms").await;
    assert_eq!((paused.outcome, paused.permitted_from, paused.liftable), (Outcome::Block, None, true));
}
