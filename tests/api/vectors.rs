//! The published examples of Regulation F asked over HTTP: everything reported as upstream would report it, then the question.

use crate::bench::Bench;
use crate::support::{World, account, point, shipped};
use crate::vector_world::{Vector, vectors, world};
use axum::http::StatusCode;
use dunwell::domain::contact_point::PointKind;
use dunwell::domain::decision::Outcome;
use dunwell::domain::id::{AccountKey, DebtKey, PointKey};
use dunwell::domain::time::{Span, Timestamp};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Examples about words and media, which the contract has no question for; the tests of the law put them to the templates.
const OF_WORDS: [&str; 5] =
    ["regf.2j.required", "regf.6e.methods_bad", "regf.6e.methods_ok", "regf.6e.no_fee", "regf.22f4.social"];

/// Examples of which upstream cannot report a fact, and which.
const UNSAYABLE: [(&str, &str); 0] = [];

/// A place in each zone that the examples name.
const PLACES: [(&str, &str); 4] = [
    ("America/New_York", "10001"),
    ("America/Los_Angeles", "90001"),
    ("America/Phoenix", "85001"),
    ("America/Denver", "80201"),
];

/// The names behind the keys of a world: whatever the example says.
#[derive(Default)]
struct Names {
    accounts: BTreeMap<AccountKey, String>,
    points: BTreeMap<PointKey, String>,
}

impl Names {
    fn of(vector: &Vector) -> Self {
        let mut names = Self::default();
        ["mobile", "email", "card-1"].iter().for_each(|name| names.add(name));
        names.walk(&vector.0);
        names
    }

    fn add(&mut self, name: &str) {
        self.accounts.insert(account(name), name.to_owned());
        self.points.insert(point(name), name.to_owned());
    }

    fn walk(&mut self, value: &serde_yaml_ng::Value) {
        match value {
            serde_yaml_ng::Value::String(text) => self.add(text),
            serde_yaml_ng::Value::Sequence(items) => items.iter().for_each(|item| self.walk(item)),
            serde_yaml_ng::Value::Mapping(map) => map.iter().for_each(|(key, item)| {
                self.walk(key);
                self.walk(item);
            }),
            _ => {}
        }
    }

    fn accounts(&self, keys: &[AccountKey]) -> Vec<&str> {
        keys.iter().map(|key| self.accounts[key].as_str()).collect()
    }

    fn debt(&self, key: DebtKey) -> &str {
        self.accounts
            .iter()
            .find(|(account, _)| account.0 == key.0)
            .map(|(_, name)| name.as_str())
            .expect("a name")
    }

    /// A number without a place, so that no zone comes from it, or an address.
    fn value(&self, world: &World, key: PointKey) -> String {
        let place = world.debtor.points.iter().position(|outline| outline.point == key);
        match place.map(|place| (place, world.debtor.points[place].kind)) {
            Some((place, PointKind::Phone)) => format!("+1800555{:04}", 100 + place),
            Some((_, PointKind::Email)) => format!("{}@example.com", self.points[&key]),
            // On nobody's file: a number that the example names and the debtor does not have.
            other => panic!("{other:?}"),
        }
    }
}

fn debtor(world: &World, names: &Names) -> Value {
    let code = |zone: &String| PLACES.iter().find(|(name, _)| name == zone).expect("a place").1;
    let places = world.debtor.locations.iter().flat_map(|location| &location.zones);
    let places: Vec<Value> = places.map(|zone| json!({"postal_code": code(zone), "country": "US"})).collect();
    let points = world.debtor.points.iter().map(|outline| {
        let mut point = json!({
            "kind": outline.kind, "value": names.value(world, outline.point), "workplace": outline.workplace,
            "employer_provided": outline.employer_provided, "reassignment_check": outline.reassignment_check,
            "creditor_notice": outline.creditor_notice,
        });
        if outline.kind == PointKind::Phone {
            point["line_type"] = json!(outline.line_type);
        }
        point
    });
    let accounts = world.debtor.accounts.iter().map(|owed| {
        json!({
            "account_id": names.accounts[&owed.account], "servicing_account": names.debt(owed.debt),
            "collector_role": owed.collector_role, "debt_type": owed.debt_type, "status": owed.status,
            "time_barred": owed.time_barred, "validation_notice_sent_on": owed.validation_notice_sent_on,
        })
    });
    json!({
        "locations": places, "time_zone": world.debtor.stated_zone,
        "contact_points": points.collect::<Vec<_>>(), "accounts": accounts.collect::<Vec<_>>(),
    })
}

async fn report(bench: &Bench, world: &World, names: &Names) {
    let point = |key: Option<PointKey>| key.map(|key| names.value(world, key));
    bench.put("/v1/debtors/D", &debtor(world, names)).await.expect(StatusCode::CREATED);
    for consent in &world.consents {
        let said = json!({
            "channel": consent.channel, "scope": consent.scope, "granted_at": consent.granted_at,
            "expires_at": consent.expires_at, "form": consent.form, "given_to": consent.given_to,
            "account_ids": names.accounts(&consent.accounts), "contact_point": point(consent.point), "source": "example",
        });
        bench.post("/v1/debtors/D/consents", &said).await.expect(StatusCode::CREATED);
    }
    for stop in &world.opt_outs {
        let said = json!({
            "channel": stop.channel, "received_at": stop.received_at, "contact_point": point(stop.point),
            "account_ids": names.accounts(&stop.accounts), "source": "example",
        });
        bench.post("/v1/debtors/D/opt-outs", &said).await.expect(StatusCode::CREATED);
    }
    for hold in &world.holds {
        let said = json!({"since": hold.since, "account_ids": names.accounts(&hold.accounts)});
        let path = format!("/v1/debtors/D/holds/{}", hold.kind);
        bench.put(&path, &said).await.expect(StatusCode::OK);
        if hold.lifted_at.is_some() {
            bench.delete(&path).await.expect(StatusCode::NO_CONTENT);
        }
    }
    bench.put("/v1/debtors/D/preferences", &json!(world.preferences)).await.expect(StatusCode::OK);
    for (number, contact) in world.contacts.iter().enumerate() {
        let said = json!({
            "event_id": format!("e-{number}"), "debtor_id": "D", "account_ids": names.accounts(&contact.accounts),
            "channel": contact.channel, "direction": contact.direction, "contact_point": point(contact.point),
            "party": contact.party, "purpose": contact.purpose, "occurred_at": contact.occurred_at,
            "result": contact.result,
        });
        bench.post("/v1/contact-events", &said).await.expect(StatusCode::CREATED);
    }
}

async fn differences(vector: &Vector, law: dunwell::policy::Policy) -> Vec<String> {
    let (world, names) = (world(vector), Names::of(vector));
    // It is asked when it happens: what is lifted by then is lifted, what comes later is not there yet.
    let bench = Bench::under(law, world.at).await;
    report(&bench, &world, &names).await;
    let question = json!({
        "debtor_id": "D", "account_ids": names.accounts(&world.accounts), "channel": world.channel,
        "contact_point": world.point.map(|key| names.value(&world, key)), "party": world.party,
        "purpose": world.purpose, "automated": world.automated, "at": world.at, "says": world.says,
    });
    let answer = bench.post("/v1/decisions", &question).await.expect(StatusCode::OK);
    let mut wrong = Vec::new();
    let outcome = vector.outcome();
    if answer["outcome"] != json!(outcome) {
        wrong.push(format!("expected {outcome}, not {}", answer["outcome"]));
    }
    if let Some(until) = vector.0["defer_until"].as_str() {
        let from = answer["permitted_from"].as_str().and_then(|from| from.parse::<Timestamp>().ok());
        if from != until.parse().ok() {
            wrong.push(format!("expected from {until}, not {from:?}"));
        }
    }
    let cited =
        answer["findings"].as_array().is_some_and(|all| all.iter().all(|one| one["citation"].is_string()));
    if outcome != Outcome::Allow && !(cited && answer["findings"][0].is_object()) {
        wrong.push(format!("without a citation: {answer}"));
    }
    wrong
}

/// The validation period as the review of a call on the day after the notice tells it.
async fn period(vector: &Vector, law: dunwell::policy::Policy) -> Vec<String> {
    let (mut world, names) = (world(vector), Names::of(vector));
    world.at = world.at.plus(Span::days(1));
    let bench = Bench::under(law, world.at).await;
    report(&bench, &world, &names).await;
    let question = json!({"debtor_id": "D", "account_ids": names.accounts(&world.accounts), "channel": "voice", "at": world.at});
    let answer = bench.post("/v1/decisions", &question).await.expect(StatusCode::OK);
    let reviews = answer["reviews"].as_array().cloned().unwrap_or_default();
    let told = reviews.iter().find(|review| review["rule"] == "us.fed.regf.validation-period");
    let last_day = told.map_or(Value::Null, |review| review["facts"]["last_day"].clone());
    let expected = vector.text("expected");
    (last_day != expected).then(|| format!("expected {expected}, not {last_day}")).into_iter().collect()
}

#[tokio::test]
async fn the_published_examples_come_out_over_http() {
    let shipped = shipped();
    let (mut asked, mut wrong) = (0, Vec::new());
    for vector in vectors() {
        let (id, rule) = (vector.text("id").to_owned(), vector.text("rule").to_owned());
        if OF_WORDS.contains(&rule.as_str()) || UNSAYABLE.iter().any(|(unsayable, _)| *unsayable == id) {
            continue;
        }
        asked += 1;
        println!("{id}");
        let law = vector.law(&shipped);
        let found = match rule.as_str() {
            "regf.34b5.period" | "regf.34b5.knowledge" => period(&vector, law).await,
            _ => differences(&vector, law).await,
        };
        wrong.extend(found.into_iter().map(|difference| format!("{id}: {difference}")));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    println!("{asked} of {} asked over HTTP", vectors().len());
}
