//! Hundreds of thousands of random histories, decided by the engine and by the naive law: they must name the same rules, and the
//! moments that the engine names must be right.

use crate::naive::{Naive, rules};
use crate::support::{World, account, consent, contact, owed, point, reach, shipped};
use dunwell::domain::channel::{Channel, Claim, Direction, Party, Purpose};
use dunwell::domain::consent::{
    ConsentForm, ConsentScope, GivenTo, Hold, HoldKind, InconvenientTime, OptOut, OptOutChannel, Place,
    Weekday,
};
use dunwell::domain::contact::{Contact, ContactResult};
use dunwell::domain::contact_point::{
    CreditorNotice, LineType, NoticeElement, PointKind, PointOutline, ReassignmentCheck, ReassignmentResult,
};
use dunwell::domain::debtor::{AccountStatus, CollectorRole, DebtType};
use dunwell::domain::decision::Outcome;
use dunwell::domain::time::{Span, Timestamp};
use dunwell::policy::{Effect, Policy};
use jiff::tz::{TimeZone, TimeZoneDatabase};
use std::collections::BTreeSet;
use std::time::{Duration, Instant};

/// How long the test asks, unless `DUNWELL_HISTORIES` says how many histories it shall ask about instead.
const PATIENCE: Duration = Duration::from_secs(12);
/// Fewer than this prove nothing.
const LEAST: u64 = 2_000;

const PLACES: &[(&str, &[&str])] = &[
    ("US-MA", &["America/New_York"]),
    ("US-DC", &["America/New_York"]),
    ("US-DC", &["America/Los_Angeles"]),
    ("US-FL", &["America/Chicago", "America/New_York"]),
    ("US-WA", &["America/Los_Angeles"]),
    ("US-WV", &["America/New_York"]),
    ("US-NH", &["America/New_York"]),
    ("US-OR", &["America/Boise", "America/Los_Angeles"]),
    ("US-NV", &["America/Denver", "America/Los_Angeles"]),
    ("US-NY", &["America/New_York"]),
    ("US-NY", &["America/New_York"]),
    ("US-NY", &["America/New_York"]),
    ("US-AZ", &["America/Phoenix", "America/Denver"]),
    ("US-IN", &["America/Indiana/Knox", "America/Indiana/Indianapolis"]),
    ("US-PR", &["America/Puerto_Rico"]),
    ("US-HI", &["Pacific/Honolulu", "America/New_York"]),
];

/// Days about which clocks are set, laws change, years, months and leap days end, and plain ones.
const DAYS: &str = "2026-03-08 2026-04-01 2026-06-10 2026-07-03 2026-11-01 2026-11-26 2026-12-31 2027-01-01 2027-01-04 \
    2027-03-14 2028-02-29 2028-03-01 2026-02-28 2026-05-31";

/// Splitmix64: the same history for the same number, every time.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, below: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % below
    }

    fn one_in(&mut self, chances: u64) -> bool {
        self.roll(chances) == 0
    }

    fn pick<T: Clone>(&mut self, from: &[T]) -> T {
        from[usize::try_from(self.roll(from.len() as u64)).expect("small")].clone()
    }
}

/// A moment near the boundaries of days and hours, in one of the zones.
fn moment(dice: &mut Dice, zone: &TimeZone) -> Timestamp {
    let days: Vec<&str> = DAYS.split_whitespace().collect();
    let date: jiff::civil::Date = dice.pick(&days).parse().expect("a date");
    let date = date
        .checked_add(jiff::Span::new().days(i64::try_from(dice.roll(4)).expect("small") - 1))
        .expect("a date");
    let minute = match dice.roll(3) {
        0 => dice.pick(&[0, 449, 450, 479, 480, 1_259, 1_260, 1_439]),
        1 => i64::try_from(480 + dice.roll(780)).expect("small"),
        _ => i64::try_from(dice.roll(1_440)).expect("small"),
    };
    let midnight = zone.to_zoned(date.at(0, 0, 0, 0)).expect("a day");
    Timestamp::from_jiff(midnight.timestamp()).plus(Span::minutes(minute))
}

/// Some time before, or a little after: whole days, about sixty of them, minutes, and whatever.
fn about(dice: &mut Dice, now: Timestamp) -> Timestamp {
    let days = |count: u64| Span::days(i64::try_from(count).expect("small"));
    match dice.roll(8) {
        0 => now.minus(days(dice.roll(9))),
        1 => now.minus(days(dice.roll(34))),
        2 => now.minus(days(59 + dice.roll(4))),
        3 => now.minus(Span::minutes(i64::try_from(dice.roll(70)).expect("small"))),
        4 => now.plus(Span::minutes(i64::try_from(dice.roll(5_000)).expect("small"))),
        _ => now.minus(Span::minutes(i64::try_from(dice.roll(14_000)).expect("small"))),
    }
}

fn any_contact(dice: &mut Dice, world: &World, usual: Channel) -> Contact {
    let channel = if dice.one_in(3) { dice.pick(Channel::ALL) } else { usual };
    let mut made = contact(about(dice, world.at), channel, ContactResult::NoAnswer);
    // One of a kind to the millisecond, so that the order of two is never in doubt.
    made.occurred_at =
        made.occurred_at.plus(Span::millis(i64::try_from(dice.roll(20_000)).expect("small") - 20_000));
    made.result = match channel {
        Channel::Voice => dice.pick(&[
            ContactResult::NoAnswer,
            ContactResult::NoAnswer,
            ContactResult::Voicemail,
            ContactResult::Busy,
            ContactResult::Conversation,
            ContactResult::WrongNumber,
            ContactResult::NotConnected,
        ]),
        _ => dice.pick(&[ContactResult::Delivered, ContactResult::Sent, ContactResult::Failed]),
    };
    made.accounts = match dice.roll(4) {
        0 => Vec::new(),
        1 => vec![account("card-2")],
        2 => vec![account("card-1"), account("card-2")],
        _ => vec![account("card-1")],
    };
    made.direction = if dice.one_in(5) { Direction::Inbound } else { Direction::Outbound };
    made.party = dice.pick(&[
        Party::Debtor,
        Party::Debtor,
        Party::Debtor,
        Party::Debtor,
        Party::Spouse,
        Party::ThirdParty,
    ]);
    made.purpose = dice.pick(&[
        Purpose::Collection,
        Purpose::Collection,
        Purpose::Collection,
        Purpose::ConsumerRequested,
        Purpose::RequiredNotice,
    ]);
    made.automated = dice.one_in(2);
    made.point = match channel {
        Channel::Voice | Channel::Sms => dice.pick(&[
            None,
            Some(point("mobile")),
            Some(point("mobile")),
            Some(point("landline")),
            Some(point("work")),
        ]),
        Channel::Email => dice.pick(&[Some(point("email")), Some(point("work-email"))]),
        Channel::Portal | Channel::Letter | Channel::Visit => None,
    };
    made
}

fn points(dice: &mut Dice, now: Timestamp, region: &str) -> Vec<PointOutline> {
    let mut mobile = reach("mobile", PointKind::Phone);
    mobile.line_type = dice.pick(&[LineType::Mobile, LineType::Mobile, LineType::Unknown]);
    if dice.one_in(3) {
        let date = |at: Timestamp| at.utc_date();
        mobile.reassignment_check = Some(ReassignmentCheck {
            checked_on: date(about(dice, now)),
            result: dice.pick(ReassignmentResult::ALL),
            since: date(about(dice, now)),
            source: None,
        });
    }
    if dice.one_in(3) {
        mobile.regions = vec![dice.pick(PLACES).0.to_owned()];
    }
    let mut landline = reach("landline", PointKind::Phone);
    landline.line_type = LineType::Landline;
    landline.regions = vec![region.to_owned()];
    let mut work = reach("work", PointKind::Phone);
    (work.line_type, work.workplace) = (LineType::Landline, true);
    let mut email = reach("email", PointKind::Email);
    if dice.one_in(3) {
        let sent = about(dice, now).minus(Span::days(30)).utc_date();
        let given = i64::try_from(33 + dice.roll(4)).expect("small");
        let left_out = dice.pick(&[None, None, Some(NoticeElement::Deadline)]);
        email.creditor_notice = Some(CreditorNotice {
            opt_out_until: sent.checked_add(jiff::Span::new().days(given)).expect("a date"),
            sent_on: sent,
            states: NoticeElement::ALL.iter().copied().filter(|element| Some(*element) != left_out).collect(),
        });
    }
    let mut work_email = reach("work-email", PointKind::Email);
    work_email.employer_provided = true;
    vec![mobile, landline, work, email, work_email, reach("portal", PointKind::Portal)]
}

/// The history of a number.
pub fn history(number: u64) -> (World, Vec<TimeZone>) {
    let mut dice = Dice(number);
    let (region, names) = dice.pick(PLACES);
    let zones: Vec<TimeZone> =
        names.iter().map(|name| TimeZoneDatabase::bundled().get(name).expect("a zone")).collect();
    let now = {
        let zone = dice.pick(&zones);
        moment(&mut dice, &zone)
    };
    let mut world = World::new(now, names);
    world.debtor.locations[0].region = Some(region.to_owned());
    world.debtor.locations[0].locality =
        dice.pick(&[None, Some("new york city"), Some("elsewhere")]).map(str::to_owned);
    world.channel = dice.pick(&[
        Channel::Voice,
        Channel::Voice,
        Channel::Sms,
        Channel::Sms,
        Channel::Email,
        Channel::Email,
        Channel::Portal,
        Channel::Letter,
        Channel::Visit,
    ]);
    world.automated = dice.one_in(3);
    world.party = dice.pick(&[
        Party::Debtor,
        Party::Debtor,
        Party::Debtor,
        Party::Debtor,
        Party::Spouse,
        Party::Attorney,
        Party::ThirdParty,
    ]);
    world.purpose = dice.pick(&[
        Purpose::Collection,
        Purpose::Collection,
        Purpose::Collection,
        Purpose::Collection,
        Purpose::ConsumerRequested,
        Purpose::PaymentReceipt,
        Purpose::RequiredNotice,
        Purpose::ValidationNotice,
        Purpose::OptOutConfirmation,
    ]);
    world.says = [Claim::LegalAction, Claim::Deadline].into_iter().filter(|_| dice.one_in(6)).collect();
    let shared = dice.one_in(4).then_some("loan");
    world.debtor.accounts = ["card-1", "card-2"]
        .into_iter()
        .take(if dice.one_in(3) { 2 } else { 1 })
        .map(|name| owed(name, shared))
        .collect();
    for owed in &mut world.debtor.accounts {
        owed.collector_role = dice.pick(&[
            CollectorRole::ThirdParty,
            CollectorRole::ThirdParty,
            CollectorRole::DebtBuyer,
            CollectorRole::Servicer,
            CollectorRole::FirstParty,
        ]);
        owed.debt_type =
            dice.pick(&[DebtType::Consumer, DebtType::Consumer, DebtType::Medical, DebtType::Commercial]);
        owed.status = dice.pick(&[
            AccountStatus::Open,
            AccountStatus::Open,
            AccountStatus::Open,
            AccountStatus::Open,
            AccountStatus::Paid,
        ]);
        owed.time_barred = if dice.one_in(6) { None } else { Some(dice.one_in(5)) };
        owed.validation_notice_sent_on = dice.one_in(2).then(|| about(&mut dice, now).utc_date());
    }
    world.accounts = match (world.debtor.accounts.len(), dice.roll(3)) {
        (_, 0) => Vec::new(),
        (2, 1) => vec![account("card-1"), account("card-2")],
        _ => vec![account("card-1")],
    };
    world.debtor.points = points(&mut dice, now, region);
    world.point = match world.channel {
        Channel::Voice | Channel::Sms => Some(point(dice.pick(&["mobile", "mobile", "landline", "work"]))),
        Channel::Email => Some(point(dice.pick(&["email", "email", "work-email"]))),
        Channel::Portal => Some(point("portal")),
        Channel::Letter | Channel::Visit => None,
    };
    if dice.one_in(2) {
        world = world.consented();
    }
    said_and_done(&mut dice, &mut world);
    (world, zones)
}

fn said_and_done(dice: &mut Dice, world: &mut World) {
    let now = world.at;
    let own = world.point;
    // Now and then a history as full as the caps of the law are high.
    let many = if dice.one_in(25) { 45 } else { 14 };
    let talkative = dice.one_in(3);
    for _ in 0..dice.roll(many) {
        let mut made = any_contact(dice, world, world.channel);
        if many > 14 {
            let week = i64::try_from(dice.roll(6 * 86_400_000)).expect("small");
            made.occurred_at = now.minus(Span::millis(week));
            (made.direction, made.party) = (Direction::Outbound, world.party);
            if made.channel == Channel::Voice {
                made.result = if talkative { ContactResult::Conversation } else { ContactResult::NoAnswer };
                if dice.one_in(2) {
                    (made.point, made.automated) = (own, world.automated);
                }
            }
        }
        if world.contacts.iter().all(|known| known.occurred_at != made.occurred_at) {
            world.record(made);
        }
    }
    // Somebody who shares a number, an account or both.
    for _ in 0..(if dice.one_in(3) { dice.roll(9) } else { 0 }) {
        let mut made = any_contact(dice, world, world.channel);
        made.accounts = dice.pick(&[
            Vec::new(),
            vec![account("card-1")],
            vec![account("card-1"), account("card-9")],
            vec![account("card-9")],
        ]);
        let at = made.occurred_at;
        if world.contacts.iter().chain(&world.elsewhere).all(|known| known.occurred_at != at) {
            world.elsewhere.push(made);
        }
    }
    world.elsewhere.sort_by_key(|contact| contact.occurred_at);
    let accounts = |dice: &mut Dice| {
        dice.pick(&[Vec::new(), Vec::new(), vec![account("card-1")], vec![account("card-2")]])
    };
    for _ in 0..dice.roll(4) {
        let mut given = consent(dice.pick(ConsentScope::ALL), world.channel, about(dice, now));
        given.accounts = accounts(dice);
        given.given_to =
            dice.pick(&[GivenTo::Collector, GivenTo::Collector, GivenTo::Creditor, GivenTo::PriorCollector]);
        given.form = dice.pick(&[
            None,
            Some(ConsentForm::Written),
            Some(ConsentForm::Oral),
            Some(ConsentForm::Electronic),
        ]);
        given.point = dice.pick(&[None, own, own]);
        given.expires_at = dice.one_in(6).then(|| about(dice, now));
        world.consents.push(given);
    }
    for _ in 0..dice.roll(8) / 6 {
        world.opt_outs.push(OptOut {
            accounts: accounts(dice),
            channel: dice.pick(OptOutChannel::ALL),
            point: dice.pick(&[None, own]),
            received_at: about(dice, now),
        });
    }
    if dice.one_in(8) {
        let since = about(dice, now);
        let lifted_at =
            dice.one_in(2).then(|| since.plus(Span::hours(i64::try_from(dice.roll(90)).expect("small"))));
        let kinds: Vec<HoldKind> = HoldKind::ALL.to_vec();
        world.holds.push(Hold { accounts: accounts(dice), kind: dice.pick(&kinds), lifted_at, since });
    }
    if dice.one_in(5) {
        let clock = |dice: &mut Dice| {
            dice.pick(&["00:00", "08:00", "12:00", "17:30", "21:00", "23:59"]).parse().expect("a time")
        };
        world.preferences.inconvenient.push(InconvenientTime {
            channels: dice.pick(&[Vec::new(), vec![Channel::Voice]]),
            days: vec![dice.pick(Weekday::ALL), dice.pick(Weekday::ALL)],
            from: clock(dice),
            places: dice.pick(&[Vec::new(), Vec::new(), vec![Place::Home], vec![Place::Work]]),
            since: dice.one_in(3).then(|| about(dice, now)),
            to: clock(dice),
        });
    }
    if dice.one_in(12) {
        world.invalid.push(point("mobile"));
    }
    if dice.one_in(12) {
        world.frozen.push(point("mobile"));
    }
}

/// What is wrong with the engine's answer about a history, if anything.
fn difference(policy: &Policy, number: u64) -> Option<String> {
    let (world, zones) = history(number);
    let decision = world.decide(policy);
    let naive = Naive::new(&world, zones.clone()).objections();
    let is_review =
        |id: &str| policy.rules().iter().any(|rule| rule.id == id && rule.effect == Effect::Review);
    let named: BTreeSet<&str> = decision
        .findings
        .iter()
        .chain(&decision.reviews)
        .map(|finding| finding.rule.as_str())
        .filter(|id| *id != "dunwell.no-permitted-moment")
        .collect();
    if named != naive {
        let only = |a: &BTreeSet<&str>, b: &BTreeSet<&str>| {
            a.difference(b).map(|id| (*id).to_owned()).collect::<Vec<_>>()
        };
        return Some(format!(
            "the engine alone names {:?}, the naive law alone {:?}",
            only(&named, &naive),
            only(&naive, &named)
        ));
    }
    let bars = |ids: &BTreeSet<&'static str>| ids.iter().any(|id| !is_review(id));
    if bars(&naive) != (decision.outcome != Outcome::Allow) {
        return Some(format!("{} with {naive:?}", decision.outcome));
    }
    // The moments named cost as much again three times over: they are looked at in every fourth history.
    if !number.is_multiple_of(4) {
        return None;
    }
    let then = |at: Timestamp| {
        let world = World { at, ..world.clone() };
        bars(&Naive::new(&world, zones.clone()).objections())
    };
    if let Some(from) = decision.permitted_from.filter(|from| *from > world.at) {
        if then(from) {
            return Some(format!("permitted from {from}, says the engine; not then, says the naive law"));
        }
        if !then(from.minus(Span::millis(1))) {
            let named: Vec<_> =
                decision.findings.iter().map(|finding| (&finding.rule, finding.until)).collect();
            return Some(format!(
                "at {}: permitted from {from}, says the engine; a moment before, says the naive law; {named:?}",
                world.at
            ));
        }
    }
    if let Some(until) = decision.permitted_until
        && (then(until.minus(Span::millis(1))) || !then(until))
    {
        return Some(format!("permitted until {until}, says the engine; the naive law differs"));
    }
    None
}

#[test]
fn the_engine_and_the_naive_law_agree_on_every_history() {
    let shipped = shipped();
    let known: Vec<&str> = shipped.rules().iter().map(|rule| rule.id.as_str()).collect();
    assert!(rules().all(|id| known.contains(&id)), "a rule of the naive law is not shipped");
    let policy = shipped.only(|rule| rules().any(|id| id == rule.id));
    let wanted: Option<u64> = std::env::var("DUNWELL_HISTORIES").ok().and_then(|count| count.parse().ok());
    let threads: u64 = 2;
    #[expect(clippy::disallowed_methods, reason = "how long the test itself has asked")]
    let begun = Instant::now();
    let enough = |asked: u64| match wanted {
        Some(wanted) => asked * threads >= wanted,
        None => begun.elapsed() > PATIENCE && asked * threads >= LEAST,
    };
    let (asked, wrong) = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..threads)
            .map(|thread| {
                let policy = &policy;
                scope.spawn(move || {
                    let (mut asked, mut wrong) = (0, Vec::new());
                    while !enough(asked) && wrong.len() < 5 {
                        let number = asked * threads + thread;
                        wrong.extend(
                            difference(policy, number).map(|what| format!("history {number}: {what}")),
                        );
                        asked += 1;
                    }
                    (asked, wrong)
                })
            })
            .collect();
        let mut all = (0, Vec::new());
        for worker in workers {
            let (asked, wrong) = worker.join().expect("a worker");
            all.0 += asked;
            all.1.extend(wrong);
        }
        all
    });
    println!("{asked} histories in {:?}", begun.elapsed());
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Every rule of the naive law objects in some history: none is compared in name only.
#[test]
fn every_rule_of_the_naive_law_objects_to_something() {
    let mut missing: BTreeSet<&str> = rules().collect();
    for number in 0..400_000 {
        let (world, zones) = history(number);
        for id in Naive::new(&world, zones).objections() {
            missing.remove(id);
        }
        if missing.iter().all(|id| RARE.contains(id)) {
            break;
        }
    }
    assert!(missing.iter().all(|id| RARE.contains(id)), "{missing:?}");
}

/// More contacts than a random history has.
const RARE: &[&str] = &["us.wv.thirty-calls"];
