//! The live account: each decision and each dispatch as a line, then the sum of it all.

use crate::app::demo::paint::{Paint, Tone};
use crate::app::demo::portfolio::Person;
use crate::domain::time::Timestamp;
use serde_json::Value;
use std::collections::{BTreeMap, HashMap};

/// What stands under a line's columns when it goes on.
const INDENT: &str = "                                                    ";
/// The widest line.
const WIDTH: usize = 118;

/// How a request may stand, in the order of the sum.
const STANDINGS: &[&str] = &[
    "delivered",
    "sent",
    "on its way",
    "failed",
    "unknown",
    "abandoned",
    "deferred",
    "waiting for a person",
    "blocked",
];

/// What a rule had to say, counted.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Said {
    effect: String,
    rule: String,
    citation: String,
}

/// An attempt under way.
#[derive(Clone)]
struct Attempt {
    request: String,
    channel: String,
    provider: String,
}

/// The account so far.
pub struct Account<'p> {
    paint: Paint,
    /// Whom each request is about.
    asked: HashMap<String, &'p Person>,
    /// What each attempt is part of.
    attempts: HashMap<String, Attempt>,
    /// How each request stands, in the account's words.
    standing: BTreeMap<String, &'static str>,
    rules: BTreeMap<Said, usize>,
}

impl<'p> Account<'p> {
    /// An empty one.
    pub fn new(paint: Paint) -> Self {
        Self {
            paint,
            asked: HashMap::new(),
            attempts: HashMap::new(),
            standing: BTreeMap::new(),
            rules: BTreeMap::new(),
        }
    }

    /// Notes whom a request is about.
    pub fn asked(&mut self, request: &str, person: &'p Person) {
        self.asked.insert(request.to_owned(), person);
    }

    /// Whether every request was decided and nothing is on its way.
    pub fn is_settled(&self) -> bool {
        self.standing.len() == self.asked.len()
            && self.standing.values().all(|standing| *standing != "on its way")
    }

    /// The lines that an event of the history adds.
    pub fn hear(&mut self, event: &Value) -> Vec<String> {
        let Some(at) = event["at"].as_str().and_then(|at| at.parse::<Timestamp>().ok()) else {
            return Vec::new();
        };
        let content = &event["content"];
        match event["type"].as_str().unwrap_or_default() {
            "decision.made" => self.decided(at, content),
            "attempt.started" => {
                let request = text(&content["request"]);
                let channel = text(&content["contact"]["channel"]);
                self.standing.insert(request.clone(), "on its way");
                let provider = text(&content["provider"]);
                self.attempts.insert(text(&content["attempt"]), Attempt { request, channel, provider });
                Vec::new()
            }
            "attempt.sent" => {
                let says = match self.attempts.get(&text(&content["attempt"])) {
                    Some(attempt) if attempt.channel == "portal" => "placed in the debtor's inbox".to_owned(),
                    Some(attempt) => format!("accepted by {}", attempt.provider),
                    None => String::new(),
                };
                self.moved(at, content, "sent", Tone::Good, &[says])
            }
            "attempt.failed" => {
                self.moved(at, content, "failed", Tone::Bad, &[failure(content, "not repeated")])
            }
            "attempt.unknown" => {
                let why = failure(content, "may have left, so it counts and is never repeated");
                self.moved(at, content, "unknown", Tone::Doubtful, &[why])
            }
            "attempt.abandoned" => {
                self.moved(at, content, "abandoned", Tone::Faint, &[failure(content, "surely never left")])
            }
            "delivery.updated" => self.delivered(at, content),
            _ => Vec::new(),
        }
    }

    fn decided(&mut self, at: Timestamp, content: &Value) -> Vec<String> {
        let request = text(&content["request"]);
        let Some(person) = self.asked.get(&request).copied() else { return Vec::new() };
        let decision = &content["decision"];
        let outcome = text(&decision["outcome"]);
        let (standing, tone) = match outcome.as_str() {
            "allow" => ("on its way", Tone::Good),
            "defer" => ("deferred", Tone::Waiting),
            _ if decision["liftable"] == true => ("waiting for a person", Tone::Waiting),
            _ => ("blocked", Tone::Bad),
        };
        self.standing.insert(request, standing);
        let zone = person.home.zone;
        let mut says = Vec::new();
        match outcome.as_str() {
            "allow" => says.push(allowed(decision, zone)),
            _ => {
                for finding in decision["findings"].as_array().into_iter().flatten() {
                    if finding["effect"] != "allow" {
                        says.push(self.found(finding));
                    }
                }
                if let Some(from) = instant(&decision["permitted_from"]) {
                    says.push(format!("permitted from {}", local(from, zone, at)));
                }
            }
        }
        self.line(person, at, &text(&decision["channel"]), &outcome, tone, &says)
    }

    fn found(&mut self, finding: &Value) -> String {
        let said = Said {
            effect: text(&finding["effect"]),
            rule: text(&finding["rule"]),
            citation: text(&finding["citation"]),
        };
        let sentence = format!("{} [{}]", text(&finding["reason"]), said.citation);
        *self.rules.entry(said).or_default() += 1;
        sentence
    }

    fn moved(
        &mut self,
        at: Timestamp,
        content: &Value,
        status: &'static str,
        tone: Tone,
        says: &[String],
    ) -> Vec<String> {
        let attempt = self.attempts.get(&text(&content["attempt"])).cloned();
        let Some(Attempt { request, channel, .. }) = attempt else { return Vec::new() };
        let Some(person) = self.asked.get(&request).copied() else { return Vec::new() };
        self.standing.insert(request, status);
        self.line(person, at, &channel, status, tone, says)
    }

    /// A delivery as hoped for is only counted; anything else is a line.
    fn delivered(&mut self, at: Timestamp, content: &Value) -> Vec<String> {
        match content["status"].as_str() {
            Some("delivered") => {
                self.moved(at, content, "delivered", Tone::Good, &[]);
                Vec::new()
            }
            Some("failed") => {
                let says = failure(content, "says the provider's receipt");
                self.moved(at, content, "failed", Tone::Bad, &[says])
            }
            _ => Vec::new(),
        }
    }

    fn line(
        &self,
        person: &Person,
        at: Timestamp,
        channel: &str,
        outcome: &str,
        tone: Tone,
        says: &[String],
    ) -> Vec<String> {
        let (time, place) = match person.is_located() {
            true => (clock(at, person.home.zone), person.home.locality),
            false => ("--:--".to_owned(), "(nowhere)"),
        };
        let head = format!("{time} {place:14} {}  {channel:6}  ", person.title);
        let outcome = self.paint.tone(tone, &format!("{outcome:9}"));
        let mut body = says.iter().flat_map(|sentence| wrapped(sentence, WIDTH - INDENT.len()));
        let mut lines = vec![format!("{head}{outcome}  {}", body.next().unwrap_or_default())];
        lines.extend(body.map(|rest| format!("{INDENT}{rest}")));
        lines
    }

    /// The sum: requests by how they stand, and rules by how often they objected.
    pub fn summary(&self) -> Vec<String> {
        let count = |standing: &str| self.standing.values().filter(|one| **one == standing).count();
        let counts = STANDINGS.iter().map(|standing| (count(standing), standing));
        let counted: Vec<String> = counts
            .filter(|(count, _)| *count > 0)
            .map(|(count, standing)| format!("{count} {standing}"))
            .collect();
        let mut lines = vec![format!(
            "{}  {}",
            self.paint.tone(Tone::Strong, &format!("{} contact requests:", self.asked.len())),
            counted.join(", ")
        )];
        lines.push(String::new());
        lines.push(self.paint.tone(Tone::Strong, "What the law and the debtors objected to:"));
        let mut rules: Vec<_> = self.rules.iter().collect();
        rules.sort_by_key(|(_, count)| std::cmp::Reverse(**count));
        for (said, count) in rules {
            let tone = if said.effect == "defer" { Tone::Waiting } else { Tone::Bad };
            let effect = self.paint.tone(tone, &format!("{:5}", said.effect));
            lines.push(format!("{count:4} × {effect}  {:44} {}", said.rule, said.citation));
        }
        lines
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn instant(value: &Value) -> Option<Timestamp> {
    value.as_str()?.parse().ok()
}

fn failure(content: &Value, means: &str) -> String {
    let code = content["code"].as_str().or(content["reported"].as_str()).unwrap_or("no code");
    format!("{code}: {means}")
}

fn allowed(decision: &Value, zone: &str) -> String {
    let carries: Vec<&str> =
        decision["disclosures"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let mut says = Vec::new();
    if let Some(until) = instant(&decision["permitted_until"]) {
        says.push(format!("until {}", clock(until, zone)));
    }
    if !carries.is_empty() {
        says.push(format!("must say {}", carries.join(", ")));
    }
    if says.is_empty() { "no rule objects".to_owned() } else { says.join("; ") }
}

/// The time of day somewhere.
fn clock(at: Timestamp, zone: &str) -> String {
    match at.to_jiff().in_tz(zone) {
        Ok(local) => local.strftime("%H:%M").to_string(),
        Err(_) => at.to_jiff().strftime("%H:%MZ").to_string(),
    }
}

/// The time of day somewhere, with the day where it is another.
fn local(at: Timestamp, zone: &str, now: Timestamp) -> String {
    match (at.to_jiff().in_tz(zone), now.to_jiff().in_tz(zone)) {
        (Ok(then), Ok(today)) if then.date() == today.date() => then.strftime("%H:%M there").to_string(),
        (Ok(then), _) => then.strftime("%a %-d %b %H:%M there").to_string(),
        (Err(_), _) => at.to_string(),
    }
}

/// A sentence in lines of at most so many characters.
fn wrapped(sentence: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in sentence.split_whitespace() {
        let Some(line) = lines.last_mut() else { break };
        if !line.is_empty() && line.chars().count() + 1 + word.chars().count() > width {
            lines.push(word.to_owned());
        } else {
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::demo::portfolio::people;
    use serde_json::json;

    const AT: &str = "2026-12-01T15:59:57Z";

    fn account(people: &[Person]) -> Account<'_> {
        let mut account = Account::new(Paint { colour: false });
        account.asked("req_1", &people[2]);
        account
    }

    #[test]
    fn a_deferral_says_who_when_why_and_on_what_ground() {
        let people = people(AT.parse().expect("an instant"));
        let mut account = account(&people);
        let lines = account.hear(&json!({
            "type": "decision.made", "at": AT,
            "content": {"request": "req_1", "decision": {
                "outcome": "defer", "channel": "sms", "permitted_from": "2026-12-01T16:00:00Z",
                "findings": [{"effect": "defer", "rule": "r", "citation": "12 CFR 1006.6(b)(1)(i)", "reason": "too early"}],
            }},
        }));
        assert_eq!(
            lines,
            [
                "07:59 Los Angeles    Sample 003  sms     defer      too early [12 CFR 1006.6(b)(1)(i)]",
                "                                                    permitted from 08:00 there"
            ]
        );
        assert!(account.is_settled());
        let summary = account.summary().join("\n");
        assert!(summary.contains("1 contact requests:  1 deferred"), "{summary}");
        assert!(summary.contains("12 CFR 1006.6(b)(1)(i)"), "{summary}");
    }

    #[test]
    fn a_dispatch_is_followed_to_its_end() {
        let people = people(AT.parse().expect("an instant"));
        let mut account = account(&people);
        let mut hear =
            |kind: &str, content: Value| account.hear(&json!({"type": kind, "at": AT, "content": content}));
        let decision = json!({"request": "req_1", "decision": {"outcome": "allow", "channel": "sms", "disclosures": []}});
        assert_eq!(hear("decision.made", decision).len(), 1);
        let start = json!({
            "request": "req_1", "attempt": "att_1", "provider": "sandbox", "contact": {"channel": "sms"},
        });
        assert!(hear("attempt.started", start).is_empty());
        let sent = hear("attempt.sent", json!({"attempt": "att_1", "provider_ref": "x-1"}));
        assert_eq!(sent, ["07:59 Los Angeles    Sample 003  sms     sent       accepted by sandbox"]);
        assert!(hear("delivery.updated", json!({"attempt": "att_1", "status": "delivered"})).is_empty());
        assert!(account.is_settled());
        assert!(account.summary()[0].ends_with("1 delivered"));
    }
}
