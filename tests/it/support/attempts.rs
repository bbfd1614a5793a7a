//! Attempts and their events, without those that a busy machine began too late: one whose first byte has not left a second after
//! its intent is given up, surely unsent, and made again. How often that happens is the machine's affair.

use super::http::Client;
use super::sample::Person;
use serde_json::Value;

/// A request without the attempts that were given up as too late.
pub fn in_time(mut request: Value) -> Value {
    if let Some(attempts) = request["attempts"].as_array_mut() {
        attempts.retain(|attempt| attempt["status"] != "abandoned" || attempt["error"]["code"] != "too_late");
    }
    request
}

/// A debtor's history without the attempts that were given up as too late: neither their decision, nor their start, nor their end.
pub fn history(client: &Client, person: &Person) -> Vec<Value> {
    without_late(client.all(&format!("{}/history", person.path())))
}

/// How many events of a type stand there.
pub fn count(client: &Client, person: &Person, kind: &str) -> usize {
    history(client, person).iter().filter(|event| event["type"] == kind).count()
}

/// Leaves out of a debtor's history the attempts that were given up as too late.
pub fn without_late(history: Vec<Value>) -> Vec<Value> {
    let given_up =
        |event: &Value| event["type"] == "attempt.abandoned" && event["content"]["code"] == "too_late";
    let late: Vec<Value> = history
        .iter()
        .filter(|event| given_up(event))
        .map(|event| event["content"]["attempt"].clone())
        .collect();
    let mut kept: Vec<Value> = Vec::new();
    for event in history {
        let of_late = late.contains(&event["content"]["attempt"]);
        match event["type"].as_str() {
            Some("attempt.started") if of_late => {
                let decision = kept.pop();
                assert!(
                    decision.is_some_and(|event| event["type"] == "decision.made"),
                    "a decision goes before each attempt"
                );
            }
            Some("attempt.abandoned") if of_late => {}
            _ => kept.push(event),
        }
    }
    kept
}
