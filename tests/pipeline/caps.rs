//! No history that the pipeline produces ever exceeds a cap, whatever the order in which things happen: random worlds are
//! run and their histories counted again by arithmetic that shares nothing with the policy engine.

use crate::house::{House, actor};
use dunwell::domain::channel::Channel;
use dunwell::domain::contact::{Contact, ContactResult};
use dunwell::domain::event::{EventBody, Stream};
use dunwell::domain::id::{AccountKey, AttemptId, PermitId};
use dunwell::domain::statement::{ContactEvent, PermitQuery};
use dunwell::domain::time::{Clock, Span, Timestamp};
use dunwell::pipeline::Refusal;
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

const DEBTORS: [&str; 3] = ["d1", "d2", "d3"];

struct Rng(u64);

impl Rng {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }
}

/// Miami keeps Eastern Standard Time, five hours behind UTC, for the whole of these worlds (November to January).
fn local(at: Timestamp) -> (i64, i64) {
    let seconds = at.millis() / 1_000 - 5 * 3_600;
    (seconds.div_euclid(86_400), seconds.rem_euclid(86_400) / 3_600)
}

/// Three debtors; the first two owe one account together.
async fn world() -> House {
    let house = House::new().await;
    for (n, id) in DEBTORS.iter().enumerate() {
        let joint = json!({"account_id": "joint-1"});
        let own = json!({"account_id": format!("{id}-1")});
        let accounts = if n < 2 { json!([joint, own]) } else { json!([own]) };
        let points = json!([{"kind": "phone", "value": format!("+1305555014{n}"), "line_type": "mobile"}]);
        house.debtor(id, json!({"accounts": accounts, "contact_points": points})).await;
        house.consent(id, "voice", &["automated"]).await;
    }
    house
}

fn account(rng: &mut Rng, debtor: usize) -> String {
    if debtor < 2 && rng.below(2) == 0 { "joint-1".to_owned() } else { format!("{}-1", DEBTORS[debtor]) }
}

async fn call_for_permit(house: &House, debtor: usize, account: String) {
    let query = json!({"debtor_id": DEBTORS[debtor], "account_ids": [account], "channel": "voice"});
    let query: PermitQuery = serde_json::from_value(query).expect("a query");
    match house.pipeline.issue_permit(&actor(), query).await {
        Ok(_) | Err(Refusal::Refused(_)) => {}
        Err(other) => panic!("{other:?}"),
    }
}

async fn report(house: &House, name: String, debtor: usize, account: String, result: &str) {
    let said = json!({
        "event_id": name, "debtor_id": DEBTORS[debtor], "account_ids": [account], "channel": "voice",
        "direction": "outbound", "occurred_at": house.clock.now(), "result": result,
    });
    let said: ContactEvent = serde_json::from_value(said).expect("an event");
    for result in house.pipeline.record_contacts(&actor(), vec![said]).await {
        result.expect("recorded");
    }
}

async fn ask(house: &House, name: String, debtor: usize, account: String) {
    let mut request = house.request(&name, DEBTORS[debtor], &["voice"]);
    request.account_ids = vec![account];
    house.accept(request).await.expect("accepted");
}

/// One moment of a world: several things at once, then some time passes.
async fn moment(house: &House, rng: &mut Rng, step: u64) {
    let mut things: Vec<std::pin::Pin<Box<dyn Future<Output = ()> + '_>>> = Vec::new();
    for n in 0..=rng.below(6) {
        let debtor = usize::try_from(rng.below(3)).expect("small");
        let account = account(rng, debtor);
        let name = format!("{step}-{n}");
        match rng.below(10) {
            0..=3 => things.push(Box::pin(ask(house, name, debtor, account))),
            4..=6 => things.push(Box::pin(call_for_permit(house, debtor, account))),
            7 | 8 => things.push(Box::pin(report(house, name, debtor, account, "no_answer"))),
            _ if rng.below(4) == 0 => {
                things.push(Box::pin(report(house, name, debtor, account, "conversation")))
            }
            _ => things.push(Box::pin(report(house, name, debtor, account, "busy"))),
        }
    }
    futures_util::future::join_all(things).await;
    house.quiet().await;
    house.pass(Span::minutes(i64::try_from(rng.below(9 * 60)).expect("small")));
}

/// What was recorded, in the order of the log.
enum Fact {
    /// A contact that we let happen, and whether it was still thought to happen at the end.
    Permitted(Contact, bool),
    /// A contact that somebody else reported.
    Reported(Contact),
}

async fn log(house: &House) -> Vec<Fact> {
    let events =
        house.pipeline.read(|store| store.reader()?.events_after(None, 1_000_000)).await.expect("readable");
    let bodies: Vec<EventBody> = events
        .iter()
        .filter(|row| row.stream != Stream::Installation)
        .map(|row| row.event().expect("known").body)
        .collect();
    let abandoned: BTreeSet<AttemptId> = bodies
        .iter()
        .filter_map(|body| match body {
            EventBody::AttemptAbandoned(end, _) => Some(end.attempt),
            _ => None,
        })
        .collect();
    let returned: BTreeSet<PermitId> = bodies
        .iter()
        .filter_map(|body| match body {
            EventBody::PermitReturned(end, _) => Some(end.permit),
            _ => None,
        })
        .collect();
    bodies
        .into_iter()
        .filter_map(|body| match body {
            EventBody::AttemptStarted(start, _) => {
                Some(Fact::Permitted(start.contact, !abandoned.contains(&start.attempt)))
            }
            EventBody::PermitIssued(grant, _) => {
                Some(Fact::Permitted(grant.contact, !returned.contains(&grant.permit)))
            }
            EventBody::ContactRecorded(report, _) => Some(Fact::Reported(report.contact)),
            _ => None,
        })
        .collect()
}

/// 12 CFR 1006.14(b)(2), counted naively: calls by local date, conversations by local date.
fn count_again(facts: &[Fact]) -> usize {
    let mut calls: BTreeMap<AccountKey, Vec<i64>> = BTreeMap::new();
    let mut talks: BTreeMap<AccountKey, Vec<i64>> = BTreeMap::new();
    let mut permitted = 0;
    for fact in facts {
        let (contact, ours, counts) = match fact {
            Fact::Permitted(contact, happened) => (contact, true, *happened),
            Fact::Reported(contact) => (contact, false, contact.result != ContactResult::Busy),
        };
        assert_eq!(contact.channel, Channel::Voice);
        let (day, hour) = local(contact.occurred_at);
        for account in &contact.accounts {
            let calls = calls.entry(*account).or_default();
            if ours {
                let week = calls.iter().filter(|d| (day - 6..=day).contains(*d)).count();
                assert!(week < 7, "an eighth call in seven days");
                assert!((8..21).contains(&hour), "a call at {hour} o'clock");
                let talked =
                    talks.get(account).is_some_and(|days| days.iter().any(|d| (*d..*d + 7).contains(&day)));
                assert!(!talked, "a call within seven days of a conversation");
                permitted += 1;
            }
            if counts {
                calls.push(day);
            }
            if contact.result == ContactResult::Conversation {
                talks.entry(*account).or_default().push(day);
            }
        }
    }
    permitted
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn random_worlds_never_exceed_a_cap() {
    let mut permitted = 0;
    for seed in 1..=4 {
        let house = world().await;
        let mut rng = Rng(seed);
        for step in 0..60 {
            moment(&house, &mut rng, step).await;
        }
        permitted += count_again(&log(&house).await);
        house.close().await;
    }
    assert!(permitted > 60, "only {permitted} contacts were permitted: the worlds prove nothing");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn permits_asked_for_by_many_at_once_are_never_oversold() {
    let house = Arc::new(world().await);
    // Both owe the joint account; sixty-four callers on four threads want to call about it at the same moment.
    let asks: Vec<_> = (0..64)
        .map(|n| {
            let house = Arc::clone(&house);
            tokio::spawn(async move {
                let query =
                    json!({"debtor_id": DEBTORS[n % 2], "account_ids": ["joint-1"], "channel": "voice"});
                let query: PermitQuery = serde_json::from_value(query).expect("a question");
                house.pipeline.issue_permit(&actor(), query).await
            })
        })
        .collect();
    let (mut granted, mut refused) = (0, 0);
    for ask in asks {
        match ask.await.expect("no panic") {
            Ok(_) => granted += 1,
            Err(Refusal::Refused(_)) => refused += 1,
            Err(other) => panic!("{other:?}"),
        }
    }
    // Seven calls in seven days about one debt, whoever owes it (12 CFR 1006.14(b)(2)(i)(A)).
    assert_eq!((granted, refused), (7, 57));
}
