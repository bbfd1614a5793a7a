//! Random worlds in which providers fail in every way they can: never two sends for one reservation, no cap exceeded, and
//! every request ends.

use crate::house::{House, Named, actor, patiently};
use crate::month::Rng;
use dunwell::domain::attempt::AttemptStatus;
use dunwell::domain::channel::Channel;
use dunwell::domain::event::{EventBody, Stream};
use dunwell::domain::id::{AccountKey, AttemptId, DebtorKey, RequestId};
use dunwell::domain::outcome::{Failure, FailureCause, FailureClass, Outcome};
use dunwell::domain::request::RequestStatus;
use dunwell::domain::time::{Clock, Span, Timestamp};
use dunwell::pipeline::receive::Report;
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

const PROVIDERS: [Named<'static>; 7] = [
    (Channel::Sms, "s1", true),
    (Channel::Sms, "s2", true),
    (Channel::Sms, "s3", true),
    (Channel::Voice, "v1", true),
    (Channel::Voice, "v2", true),
    (Channel::Email, "m1", true),
    (Channel::Email, "m2", true),
];
const DEBTORS: [&str; 4] = ["d1", "d2", "d3", "d4"];

/// What reached a provider, or may have, by attempt.
type Log = Arc<Mutex<Vec<(AttemptId, &'static str, Outcome)>>>;

/// How a provider fares at a step of a world: it changes its mood now and then.
fn outcome(mood: u64, dice: u64) -> Outcome {
    let failed = |class, cause| {
        let retry_after_seconds = (dice.is_multiple_of(2)).then_some(20);
        Outcome::Failed(Failure { retry_after_seconds, ..Failure::of(class, cause, "played") })
    };
    let provider = FailureCause::Provider;
    match (mood, dice % 8) {
        // Down, one way or the other.
        (0, _) => failed(FailureClass::NeverLeft, provider),
        (1, 0..=4) => failed(FailureClass::NeverLeft, provider),
        (2, 0..=5) => failed(FailureClass::Throttled, provider),
        (3, _) => failed(FailureClass::Refused, FailureCause::Account),
        (4, 0..=3) => failed(FailureClass::Uncertain, provider),
        // Now and then something is wrong with the message or the address.
        (_, 7) => failed(FailureClass::Refused, FailureCause::Unspecified),
        (_, _) => Outcome::Accepted { provider_ref: None },
    }
}

async fn world(seed: u64) -> (House, Log) {
    let house = House::with(&PROVIDERS).await;
    let log: Log = Arc::default();
    for (index, (channel, name, _)) in (0_u64..).zip(PROVIDERS) {
        let (log, clock) = (log.clone(), house.clock.clone());
        let dice = Mutex::new(Rng(seed * 31 + index));
        house.direct(channel, name, move |message| {
            let mut dice = dice.lock().expect("dice");
            // A mood lasts for some hours.
            let hours = u64::try_from(clock.now().millis() / 7_200_000).expect("positive");
            let mood = Rng(seed ^ (hours * 7 + index)).below(9);
            let outcome = outcome(mood, dice.below(1 << 20));
            log.lock().expect("a log").push((message.attempt, name, outcome.clone()));
            Some(outcome)
        });
    }
    for (n, id) in DEBTORS.iter().enumerate() {
        // The first two owe one account together.
        let joint = if n < 2 { "joint".to_owned() } else { format!("{id}-joint") };
        let accounts = json!([{"account_id": joint, "creditor": "First Bank", "reference": "x1",
                "balance": {"amount": "1.00", "currency": "USD"}},
            {"account_id": format!("{id}-1"), "creditor": "First Bank", "reference": "x2",
                "balance": {"amount": "2.00", "currency": "USD"}}]);
        house.debtor(id, json!({ "accounts": accounts })).await;
        house.consent(id, "sms", &["automated", "electronic"]).await;
        house.consent(id, "voice", &["automated"]).await;
        house.consent(id, "email", &["electronic"]).await;
    }
    (house, log)
}

async fn ask(house: &House, rng: &mut Rng, name: String) -> (&'static str, RequestId) {
    let n = usize::try_from(rng.below(4)).expect("small");
    let choices: [&[&str]; 6] =
        [&["voice"], &["voice"], &["sms"], &["sms", "email"], &["voice", "sms", "email"], &["auto"]];
    let channels = choices[usize::try_from(rng.below(6)).expect("small")];
    let mut request = house.request(&name, DEBTORS[n], channels);
    if rng.below(2) == 0 {
        request.account_ids = vec![if n < 2 { "joint".to_owned() } else { format!("{}-joint", DEBTORS[n]) }];
    }
    if rng.below(2) == 0 {
        request.fallback_after = Some(Span::hours(i64::try_from(1 + rng.below(30)).expect("small")));
    }
    request.expires_at =
        Some(house.clock.now().plus(Span::hours(i64::try_from(6 + rng.below(90)).expect("small"))));
    (DEBTORS[n], house.accept(request).await.expect("accepted").id)
}

/// Receipts for some of what was taken.
async fn receipts(house: &House, rng: &mut Rng, log: &Log, seen: &mut usize) {
    let newest: Vec<_> = log.lock().expect("a log")[*seen..].to_vec();
    *seen += newest.len();
    for (attempt, _, outcome) in newest {
        let status = match rng.below(4) {
            0 => AttemptStatus::Failed,
            1 | 2 => AttemptStatus::Delivered,
            _ => continue,
        };
        if !matches!(outcome, Outcome::Accepted { .. }) && rng.below(3) > 0 {
            continue;
        }
        let report = Report {
            status: Some(status),
            reported: status.as_str().to_owned(),
            code: None,
            cause: FailureCause::Provider,
            complained: false,
            in_hand: false,
            result: None,
        };
        // Of what surely never left nothing is reported.
        let left = match &outcome {
            Outcome::Accepted { .. } => true,
            Outcome::Failed(failure) => failure.class == FailureClass::Uncertain,
        };
        if left {
            house.pipeline.report(actor(), attempt, report).await.expect("reported");
        }
    }
}

/// Who asked for what, and where it stands: whatever has not ended.
async fn open(house: &House, asked: &[(&'static str, RequestId)]) -> Vec<(&'static str, RequestStatus)> {
    let mut states = BTreeMap::new();
    for id in DEBTORS {
        states.insert(id, house.state(id).await);
    }
    let stands = asked.iter().map(|(debtor, id)| (*debtor, states[debtor].requests[id].status));
    // What was sent has ended too: no receipt comes any more, and nothing is left to fall back to.
    stands.filter(|(_, status)| status.is_open() && *status != RequestStatus::Sent).collect()
}

struct Attempted {
    request: RequestId,
    channel: Channel,
    status: AttemptStatus,
    by_receipt: bool,
}

#[derive(Default)]
struct Counted {
    attempts: usize,
    hops: usize,
    falls: usize,
}

impl Counted {
    fn proves_something(&self) -> bool {
        self.attempts > 150 && self.hops > 50 && self.falls > 40
    }
}

/// Reads the whole log naively and says what must hold of it.
fn judge(bodies: &[(Timestamp, DebtorKey, EventBody)], counted: &mut Counted) {
    let mut attempts: BTreeMap<AttemptId, Attempted> = BTreeMap::new();
    let mut order: BTreeMap<RequestId, Vec<AttemptId>> = BTreeMap::new();
    let mut decided: BTreeMap<RequestId, bool> = BTreeMap::new();
    let mut calls: BTreeMap<AccountKey, Vec<(AttemptId, i64)>> = BTreeMap::new();
    for (at, _, body) in bodies {
        match body {
            EventBody::DecisionMade(record, _) => {
                let allows = record.decision.outcome.as_str() == "allow";
                decided.insert(record.request.expect("a request's"), allows);
            }
            EventBody::AttemptStarted(start, _) => {
                assert_eq!(
                    decided.remove(&start.request),
                    Some(true),
                    "a decision of its own goes before each attempt"
                );
                let channel = start.contact.channel;
                let earlier = order.entry(start.request).or_default();
                for id in earlier.iter() {
                    let known = &attempts[id];
                    assert_ne!(known.status, AttemptStatus::Started, "two at once");
                    assert_ne!(known.status, AttemptStatus::Unknown, "what may have left is never followed");
                    let surely_not = match known.status {
                        AttemptStatus::Abandoned => true,
                        AttemptStatus::Failed => !known.by_receipt,
                        _ => false,
                    };
                    assert!(surely_not || known.channel != channel, "twice over one channel");
                    assert_ne!(known.status, AttemptStatus::Delivered, "what was delivered is enough");
                    counted.hops += usize::from(surely_not && known.channel == channel);
                    counted.falls += usize::from(known.channel != channel);
                }
                earlier.push(start.attempt);
                counted.attempts += 1;
                let new = Attempted {
                    request: start.request,
                    channel,
                    status: AttemptStatus::Started,
                    by_receipt: false,
                };
                attempts.insert(start.attempt, new);
                // Miami keeps Eastern Standard Time for the whole of these worlds.
                let (day, hour) = (
                    (at.millis() / 1_000 - 18_000).div_euclid(86_400),
                    (at.millis() / 1_000 - 18_000).rem_euclid(86_400) / 3_600,
                );
                assert!((8..21).contains(&hour), "{channel} at {hour} o'clock");
                if channel == Channel::Voice {
                    for account in &start.contact.accounts {
                        let calls = calls.entry(*account).or_default();
                        let counts = |id: &AttemptId| {
                            !matches!(attempts[id].status, AttemptStatus::Abandoned | AttemptStatus::Failed)
                        };
                        let week =
                            calls.iter().filter(|(id, d)| (day - 6..=day).contains(d) && counts(id)).count();
                        assert!(week < 7, "an eighth call in seven days");
                        calls.push((start.attempt, day));
                    }
                }
            }
            EventBody::AttemptSent(sent, _) => {
                let known = attempts.get_mut(&sent.attempt).expect("known");
                if known.status == AttemptStatus::Started {
                    known.status = AttemptStatus::Sent;
                }
            }
            EventBody::AttemptFailed(end, _) => {
                attempts.get_mut(&end.attempt).expect("known").status = AttemptStatus::Failed
            }
            EventBody::AttemptUnknown(end, _) => {
                attempts.get_mut(&end.attempt).expect("known").status = AttemptStatus::Unknown
            }
            EventBody::AttemptAbandoned(end, _) => {
                attempts.get_mut(&end.attempt).expect("known").status = AttemptStatus::Abandoned
            }
            EventBody::DeliveryUpdated(update, _) => {
                let known = attempts.get_mut(&update.attempt).expect("known");
                (known.status, known.by_receipt) = (update.status, true);
            }
            _ => {}
        }
    }
    let requests: BTreeSet<RequestId> = attempts.values().map(|attempt| attempt.request).collect();
    assert_eq!(requests.len(), order.len());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_fails_nothing_is_sent_twice_and_everything_ends() {
    let mut counted = Counted::default();
    // How much a world brings about depends on how the threads run; another one makes up for a quiet one.
    for seed in 1..=8 {
        if seed > 2 && counted.proves_something() {
            break;
        }
        let (house, log) = world(seed).await;
        let mut rng = Rng(seed);
        let (mut asked, mut seen) = (Vec::new(), 0);
        for step in 0..70 {
            for n in 0..rng.below(4) {
                asked.push(ask(&house, &mut rng, format!("{seed}-{step}-{n}")).await);
            }
            // Now and then the clock runs away from what is on its way.
            if rng.below(4) > 0 {
                house.settled().await;
            }
            receipts(&house, &mut rng, &log, &mut seen).await;
            house.pass(Span::minutes(i64::try_from(1 + rng.below(150)).expect("small")));
        }
        // Until the last of them has run out of time, in steps that leave room for what is due.
        for _ in 0..66 {
            house.pass(Span::hours(2));
            house.settled().await;
        }
        let ended = patiently(async || open(&house, &asked).await.is_empty().then_some(())).await;
        assert!(ended.is_some(), "it never ends: {:?}", open(&house, &asked).await);
        let mut ends: BTreeMap<&str, usize> = BTreeMap::new();
        for (debtor, id) in &asked {
            let status = house.state(debtor).await.requests[id].status;
            *ends.entry(status.as_str()).or_default() += 1;
        }
        let mut reached: BTreeSet<AttemptId> = BTreeSet::new();
        for (attempt, provider, _) in log.lock().expect("a log").iter() {
            assert!(reached.insert(*attempt), "{provider} saw {attempt} again");
        }
        let rows = house
            .pipeline
            .read(|store| store.reader()?.events_after(None, 1_000_000))
            .await
            .expect("readable");
        let bodies: Vec<_> = rows
            .iter()
            .filter_map(|row| match row.stream {
                Stream::Debtor(debtor) => row.event().map(|event| (event.at, debtor, event.body)),
                Stream::Installation => None,
            })
            .collect();
        judge(&bodies, &mut counted);
        println!("world {seed}: {} requests, {ends:?}", asked.len());
        house.close().await;
    }
    let Counted { attempts, hops, falls } = counted;
    println!("{attempts} attempts, {hops} after one that reached nobody, {falls} after another channel");
    assert!(counted.proves_something(), "the worlds prove nothing: {attempts} {hops} {falls}");
}
