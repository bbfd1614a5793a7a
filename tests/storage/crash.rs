//! A writer killed with SIGKILL at any moment loses nothing that it acknowledged, and un-erases nobody.

use crate::events::{at, debtor_updated, inbound};
use crate::fixture::{Dice, open_at, stream};
use dunwell::domain::event::{Actor, EventBody};
use dunwell::storage::{SealedPart, Writer, verify_log};
use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

pub const FOLDER: &str = "STORAGE_CRASH_FOLDER";
const SEED: &str = "STORAGE_CRASH_SEED";
const KILLS: u64 = 25;
const DEBTORS: u64 = 40;

/// The same test plays both parts: it starts itself again as the writer that is killed.
#[test]
fn what_was_acknowledged_survives_sigkill() {
    if let Ok(folder) = std::env::var(FOLDER) {
        let seed = std::env::var(SEED).expect("a seed").parse().expect("a number");
        write_until_killed(Path::new(&folder), seed);
    }
    let folder = tempfile::tempdir().expect("a folder");
    let mut acknowledged = 0;
    let mut erased = BTreeSet::new();
    let mut grown = 0;
    for seed in 1..=KILLS {
        let lines = killed_writer("crash::what_was_acknowledged_survives_sigkill", folder.path(), seed);
        for line in lines {
            match line.split_once(' ') {
                Some(("leaves", count)) => acknowledged = count.parse().expect("a count"),
                Some(("erased", number)) => {
                    erased.insert(number.parse::<u32>().expect("a number"));
                }
                Some(_) | None => panic!("{line}"),
            }
        }
        let walked = verify_log(&folder.path().join("dunwell.db")).expect("the chains are whole");
        assert!(walked.entries >= acknowledged, "kill {seed}: {} < {acknowledged}", walked.entries);
        grown += u64::from(walked.entries > acknowledged);
        check(folder.path(), seed, &erased, walked.entries);
    }
    assert!(acknowledged >= KILLS, "it wrote: {acknowledged}");
    println!(
        "{KILLS} kills, {acknowledged} acknowledged, {} erased, {grown} kills after an unseen commit",
        erased.len()
    );
}

/// Everything readable is what was written; the erased stay erased.
fn check(folder: &Path, seed: u64, erased: &BTreeSet<u32>, entries: u64) {
    let store = open_at(folder, 1_000 + seed).expect("opens");
    let writer = store.writer().expect("the lock died with its process");
    assert_eq!(writer.log_size(), entries);
    let reader = store.reader().expect("a reader");
    for number in 0..DEBTORS as u32 {
        let rows = reader.events_of(stream(number), 0, 100_000).expect("rows");
        let last = rows.iter().rposition(|row| row.type_name == "debtor.erased");
        assert!(last.is_some() || !erased.contains(&number), "the erasure of {number} was acknowledged");
        for (index, row) in rows.iter().enumerate() {
            match &row.sealed {
                SealedPart::Open(json) => {
                    assert!(last.is_none_or(|last| index > last), "{number} was erased");
                    assert!(json.get().contains(&format!("D-{number}")));
                }
                SealedPart::Gone => assert!(last.is_some_and(|last| index < last), "{number} lost its key"),
                SealedPart::Absent => assert_eq!(row.type_name, "debtor.erased"),
            }
        }
    }
}

/// Starts a test again as a writer, kills it after a while, and gives what it had acknowledged.
pub fn killed_writer(test: &str, folder: &Path, seed: u64) -> Vec<String> {
    let mut child = Command::new(std::env::current_exe().expect("this test"))
        .args([test, "--exact", "--nocapture"])
        .env(FOLDER, folder)
        .env(SEED, seed.to_string())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("starts");
    let mut output = BufReader::new(child.stdout.take().expect("a pipe")).lines();
    let mut lines: Vec<String> = Vec::new();
    // Not before its first commit, so that every round tells something.
    for line in output.by_ref() {
        lines.push(line.expect("text"));
        if lines.last().is_some_and(|line| line.contains("leaves ")) {
            break;
        }
    }
    std::thread::sleep(Duration::from_micros(Dice::new(seed).roll() % 60_000));
    child.kill().expect("SIGKILL");
    lines.extend(output.map_while(Result::ok));
    child.wait().expect("reaped");
    // The harness's own words, and a line cut short by the end.
    lines.iter().filter_map(|line| line.split_once("ack:")?.1.strip_suffix(';')).map(str::to_owned).collect()
}

fn write_until_killed(folder: &Path, seed: u64) -> ! {
    let store = open_at(folder, seed).expect("opens");
    let mut writer = store.writer().expect("the door");
    let dice = Dice::new(seed ^ 0x5eed);
    loop {
        let erased = one_batch(&mut writer, &dice);
        let mut out = std::io::stdout().lock();
        writeln!(out, "ack:leaves {};", writer.log_size()).expect("writes");
        if let Some(number) = erased {
            writeln!(out, "ack:erased {number};").expect("writes");
        }
        out.flush().expect("flushes");
        if dice.roll().is_multiple_of(8) {
            store.checkpoint().expect("moves the log");
        }
    }
}

fn one_batch(writer: &mut Writer, dice: &Dice) -> Option<u32> {
    let mut batch = writer.begin().expect("begins");
    let mut erased = None;
    for _ in 0..=dice.roll() % 20 {
        let number = (dice.roll() % DEBTORS) as u32;
        let mut chain = batch.chain(stream(number)).expect("a chain");
        let body = if dice.roll().is_multiple_of(2) {
            debtor_updated(&format!("D-{number}"), "Sample")
        } else {
            words(number)
        };
        batch.append(&mut chain, at(0), &Actor::Gateway, &body).expect("appends");
    }
    if dice.roll().is_multiple_of(6) {
        let number = (dice.roll() % DEBTORS) as u32;
        let mut chain = batch.chain(stream(number)).expect("a chain");
        batch.erase(&mut chain, at(0), &Actor::Operator).expect("erases");
        erased = Some(number);
    }
    batch.commit().expect("commits");
    erased
}

fn words(number: u32) -> EventBody {
    match inbound("x") {
        EventBody::InboundReceived(clear, _) => EventBody::InboundReceived(
            clear,
            dunwell::domain::event::InboundSecret {
                from: format!("D-{number}"),
                text: "x".repeat(number as usize * 20),
            }
            .into(),
        ),
        other => other,
    }
}
