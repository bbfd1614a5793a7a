//! The decision alone, in process: how long `policy::evaluate` takes over a debtor with 1,000 past contacts.

use crate::figure::Name;
use crate::load::quantile_of;
use crate::measure::Bench;
use anyhow::Context;
use dunwell::domain::channel::{Channel, Direction, Party, Purpose};
use dunwell::domain::consent::{Consent, ConsentForm, ConsentScope, GivenTo, Preferences};
use dunwell::domain::contact::{Contact, ContactResult, ContactSource};
use dunwell::domain::contact_point::{
    LineType, PointKind, PointOutline, ReassignmentCheck, ReassignmentResult,
};
use dunwell::domain::debtor::{
    AccountOutline, AccountStatus, CollectorRole, DebtType, DebtorOutline, LocationOutline,
};
use dunwell::domain::decision::Outcome;
use dunwell::domain::fault::SourceFile;
use dunwell::domain::id::{AccountKey, DebtKey, PointKey, Pseudonym};
use dunwell::domain::time::{Span, Timestamp};
use dunwell::policy::{self, Facts, Policy};
use std::hint::black_box;
use std::path::Path;
use std::time::Instant;

/// Past contacts of the debtor.
const CONTACTS: i64 = 1_000;

/// A debtor in two time zones who owes on one account and may be texted.
struct Debtor {
    outline: DebtorOutline,
    consents: Vec<Consent>,
    preferences: Preferences,
    accounts: [AccountKey; 1],
}

/// A question put over and over, at ever other minutes.
struct Question {
    what: &'static str,
    channel: Channel,
    contacts: Vec<Contact>,
    /// Where in the day it is asked, from noon in New York.
    from_noon: Span,
    expected: Outcome,
}

/// Measures every round on this thread.
pub fn measure(bench: &mut Bench) -> anyhow::Result<()> {
    let policy = shipped_policy()?;
    let debtor = debtor()?;
    let now = Timestamp::from_jiff(jiff::Timestamp::now());
    let noon = noon_in_new_york(now)?;
    let questions = questions(&debtor, noon);
    let decisions = bench.sizes.decisions;
    for question in &questions {
        // The tables of the zones are built at their first use.
        timed(&policy, &debtor, question, noon, 20)?;
    }
    for _ in 0..bench.sizes.rounds {
        let mut notes = vec![format!("{} rules", policy.rules().len())];
        let mut all = Vec::new();
        for question in &questions {
            let mut nanos = timed(&policy, &debtor, question, noon, decisions)?;
            let taken = allocated(&policy, &debtor, question, noon);
            notes.push(format!("{}: {}, {taken}", question.what, spread(&mut nanos)));
            all.append(&mut nanos);
        }
        notes.push(format!("together: {}", spread(&mut all)));
        bench.figures.add(Name::Decision, micros(&mut all, 0.99), None, notes.join("; "));
    }
    Ok(())
}

/// Nanoseconds that each decision took; fails where one is not as expected, since then something else is measured.
fn timed(
    policy: &Policy,
    debtor: &Debtor,
    question: &Question,
    noon: Timestamp,
    decisions: i64,
) -> anyhow::Result<Vec<u32>> {
    let mut nanos = Vec::with_capacity(usize::try_from(decisions)?);
    for turn in 0..decisions {
        // Another minute each time, within an hour in which the answer is the same.
        let at = noon.plus(question.from_noon).plus(Span::millis(turn * 7_919 % 3_600_000));
        let facts = debtor.facts(question, at);
        let begun = Instant::now();
        let decision = black_box(policy::evaluate(policy, black_box(&facts), None, false));
        nanos.push(u32::try_from(begun.elapsed().as_nanos()).unwrap_or(u32::MAX));
        anyhow::ensure!(
            decision.outcome == question.expected,
            "{}: expected {}, got {} {:?}",
            question.what,
            question.expected,
            decision.outcome,
            decision.findings
        );
    }
    Ok(nanos)
}

/// What one decision takes from the allocator, counted over a few hundred: a count, and so the same on every machine.
fn allocated(policy: &Policy, debtor: &Debtor, question: &Question, noon: Timestamp) -> String {
    const COUNTED: i64 = 200;
    let (mut most, mut count, mut bytes) = (0, 0, 0);
    for turn in 0..COUNTED {
        let at = noon.plus(question.from_noon).plus(Span::millis(turn * 7_919 % 3_600_000));
        let facts = debtor.facts(question, at);
        let taken = allocation_counter::measure(|| {
            let _decision = black_box(policy::evaluate(policy, black_box(&facts), None, false));
        });
        most = most.max(taken.count_total);
        count += taken.count_total;
        bytes += taken.bytes_total;
    }
    let each = COUNTED.unsigned_abs();
    format!("{} allocations (most {most}) of {} bytes together", count / each, bytes / each)
}

fn spread(nanos: &mut [u32]) -> String {
    format!("p50 {:.1} p99 {:.1} max {:.1} us", micros(nanos, 0.5), micros(nanos, 0.99), micros(nanos, 1.0))
}

fn micros(nanos: &mut [u32], quantile: f64) -> f64 {
    f64::from(quantile_of(nanos, quantile)) / 1e3
}

/// The law as it is shipped.
fn shipped_policy() -> anyhow::Result<Policy> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("config/policy");
    let mut files = Vec::new();
    read_folder(&root, &root, &mut files)?;
    let packs = ["us-federal", "us-states"].map(str::to_owned);
    Policy::load(&files, &packs).map_err(|faults| {
        anyhow::anyhow!("the shipped policy has {} faults; first: {}", faults.len(), faults[0])
    })
}

fn read_folder(root: &Path, folder: &Path, files: &mut Vec<SourceFile>) -> anyhow::Result<()> {
    for entry in std::fs::read_dir(folder).with_context(|| format!("reading {}", folder.display()))? {
        let path = entry?.path();
        if path.is_dir() {
            read_folder(root, &path, files)?;
        } else if path.extension().is_some_and(|extension| extension == "toml") {
            let name = path.strip_prefix(root)?.to_string_lossy().into_owned();
            files.push(SourceFile { path: name, text: std::fs::read_to_string(&path)? });
        }
    }
    Ok(())
}

/// The newest noon in New York, on a day that is no Sunday.
fn noon_in_new_york(now: Timestamp) -> anyhow::Result<Timestamp> {
    let zone = jiff::tz::TimeZone::get("America/New_York")?;
    let mut day = now.to_jiff().to_zoned(zone.clone()).date();
    if day.weekday() == jiff::civil::Weekday::Sunday {
        day = day.yesterday()?;
    }
    Ok(Timestamp::from_jiff(day.at(12, 0, 0, 0).to_zoned(zone)?.timestamp()))
}

fn key(number: u8) -> Pseudonym {
    Pseudonym::from_bytes([number; 16])
}

const PHONE: PointKey = PointKey(Pseudonym::from_bytes([2; 16]));

fn debtor() -> anyhow::Result<Debtor> {
    let today = jiff::Timestamp::now().to_zoned(jiff::tz::TimeZone::UTC).date();
    let days_ago = |days: i64| today.checked_sub(jiff::Span::new().days(days));
    let consent = |channel, scope| Consent {
        accounts: Vec::new(),
        channel,
        expires_at: None,
        form: Some(ConsentForm::Written),
        given_to: GivenTo::Collector,
        granted_at: Timestamp::from_jiff(jiff::Timestamp::now()).minus(Span::days(10)),
        point: Some(PHONE),
        scope,
    };
    let account = AccountOutline {
        account: AccountKey(key(1)),
        collector_role: CollectorRole::ThirdParty,
        creditor: None,
        creditor_region: None,
        debt: DebtKey(key(1)),
        debt_type: DebtType::Consumer,
        status: AccountStatus::Open,
        time_barred: Some(false),
        validation_notice_sent_on: Some(days_ago(90)?),
    };
    let place = |region: &str, zone: &str| LocationOutline {
        country: "US".to_owned(),
        locality: None,
        region: Some(region.to_owned()),
        zones: vec![zone.to_owned()],
    };
    let phone = PointOutline {
        creditor_notice: None,
        employer_provided: false,
        kind: PointKind::Phone,
        line_type: LineType::Mobile,
        point: PHONE,
        reassignment_check: Some(ReassignmentCheck {
            checked_on: days_ago(5)?,
            result: ReassignmentResult::No,
            since: days_ago(20)?,
            source: None,
        }),
        regions: vec!["US-OH".to_owned()],
        workplace: false,
        zones: vec!["America/New_York".to_owned()],
    };
    let outline = DebtorOutline {
        accounts: vec![account],
        language: Some("en".to_owned()),
        locations: vec![place("US-OH", "America/New_York"), place("US-IL", "America/Chicago")],
        number_checks: Vec::new(),
        points: vec![phone],
        stated_zone: None,
    };
    let consents =
        vec![consent(Channel::Sms, ConsentScope::Automated), consent(Channel::Sms, ConsentScope::Electronic)];
    Ok(Debtor { outline, consents, preferences: Preferences::default(), accounts: [AccountKey(key(1))] })
}

impl Debtor {
    fn facts<'a>(&'a self, question: &'a Question, at: Timestamp) -> Facts<'a> {
        Facts {
            at,
            channel: question.channel,
            says: &[],
            purpose: Purpose::Collection,
            party: Party::Debtor,
            automated: question.channel.automated_by_default(),
            accounts: &self.accounts,
            point: self.outline.points.first(),
            debtor: &self.outline,
            consents: &self.consents,
            opt_outs: &[],
            holds: &[],
            preferences: &self.preferences,
            contacts: &question.contacts,
            elsewhere: &[],
            disclosed_points: &[],
            invalid_points: &[],
            frozen_points: &[],
        }
    }

    /// A contact about the debtor's account.
    fn contact(&self, channel: Channel, occurred_at: Timestamp, number: i64) -> Contact {
        let result = match channel {
            Channel::Voice => ContactResult::NoAnswer,
            Channel::Email | Channel::Sms | Channel::Portal | Channel::Letter | Channel::Visit => {
                ContactResult::Sent
            }
        };
        let mut id = [0; 16];
        id[..8].copy_from_slice(&number.to_be_bytes());
        Contact {
            accounts: self.accounts.to_vec(),
            automated: channel.automated_by_default(),
            channel,
            direction: Direction::Outbound,
            occurred_at,
            party: Party::Debtor,
            point: Some(PHONE),
            purpose: Purpose::Collection,
            result,
            source: ContactSource::Reported(Pseudonym::from_bytes(id)),
        }
    }

    /// Contacts over two years that ended more than a week ago, then so many calls on the days before `noon`.
    fn history(&self, noon: Timestamp, recent_calls: i64) -> Vec<Contact> {
        let old = CONTACTS - recent_calls;
        let step = Span::millis(Span::days(720).as_millis() / old);
        let begin = noon.minus(Span::days(730));
        let media = [Channel::Voice, Channel::Sms, Channel::Email];
        let past = (0..old).map(|number| {
            let at = begin.plus(Span::millis(step.as_millis() * number));
            self.contact(media[number as usize % media.len()], at, number)
        });
        let calls = (0..recent_calls).map(|number| {
            let at = noon.minus(Span::hours(18 * (recent_calls - number)));
            self.contact(Channel::Voice, at, old + number)
        });
        past.chain(calls).collect()
    }
}

/// What is asked: the two answers that are common, and the two searches that are long.
fn questions(debtor: &Debtor, noon: Timestamp) -> Vec<Question> {
    let question = |what, channel, recent_calls, hours, expected| Question {
        what,
        channel,
        contacts: debtor.history(noon, recent_calls),
        from_noon: Span::hours(hours),
        expected,
    };
    vec![
        question("call allowed", Channel::Voice, 0, 0, Outcome::Allow),
        question("text allowed", Channel::Sms, 0, 0, Outcome::Allow),
        question("text at night, until the morning", Channel::Sms, 0, -9, Outcome::Defer),
        question("eighth call, until the cap frees", Channel::Voice, 7, 0, Outcome::Defer),
    ]
}
