//! Lists at the command line: imported, scrubbed, and a recorded history asked again.

use crate::{Desk, ROOT, Said};
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

impl Desk {
    fn write(&self, name: &str, bytes: impl AsRef<[u8]>) {
        fs::write(self.path().join(name), bytes).expect("written");
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path().join(name)).expect("text")
    }
}

const DEBTORS: &str = "debtor_id,given_name,postal_code,phone,line_type,account_id\n\
    D-1,Sample,33101,+13055550101,mobile,A-1\n\
    D-2,Sample,33101,+13055550102,mobile,A-2\n\
    D-2,Sample,33101,+13055550103,landline,A-3\n";

#[test]
fn what_is_imported_counts_and_importing_it_again_changes_nothing() {
    let desk = Desk::new();
    desk.write("debtors.csv", DEBTORS);
    desk.write(
        "consents.ndjson",
        "{\"debtor_id\":\"D-1\",\"channel\":\"voice\",\"scope\":\"automated\",\"granted_at\":\"2026-01-01T00:00:00Z\",\"source\":\"x\"}\n",
    );
    let mut events = "event_id,debtor_id,account_ids,channel,direction,occurred_at,result\n".to_owned();
    for n in 0..7 {
        events += &format!("E-{n},D-1,A-1,voice,outbound,2026-11-1{n}T15:00:00Z,no_answer\n");
    }
    desk.write("events.csv", events);
    desk.write(
        "stops.csv",
        "debtor_id,channel,received_at,source\nD-2,voice,2026-11-01T00:00:00Z,a letter\n",
    );
    desk.write("holds.csv", "debtor_id,kind,since\nD-2,attorney,2026-11-01T00:00:00Z\n");
    let kinds = [
        ("debtors", "debtors.csv", "3 rows: 3 new"),
        ("consents", "consents.ndjson", "1 rows: 1 new"),
        ("contact-events", "events.csv", "7 rows: 7 new"),
        ("opt-outs", "stops.csv", "1 rows: 1 new"),
        ("holds", "holds.csv", "1 rows: 1 new"),
    ];
    for (kind, file, wanted) in kinds {
        let said = desk.run(&["import", kind, file]).ok();
        assert!(said.contains(wanted) && said.contains("0 rejected"), "{said}");
    }
    let before = desk.run(&["verify", "--log"]).ok();
    // Two debtors (the two rows of D-2 are one), a consent, seven contacts, a stop and a hold.
    assert!(before.contains("whole: 12 events in 2 chains"), "{before}");
    for (kind, file, _) in kinds {
        let said = desk.run(&["import", kind, file]).ok();
        assert!(said.contains("0 new, 0 changed") && said.contains("0 rejected"), "{said}");
    }
    assert_eq!(desk.run(&["verify", "--log"]).ok(), before, "not an event more");

    desk.write("list.csv", "phone,debtor_id,channel\n+13055550101,D-1,voice\n,D-2,voice\n");
    let said = desk.run(&["scrub", "list.csv", "--at", "2026-11-17T15:00:00Z", "--out", "out.csv"]);
    assert_eq!(said.code, Some(0), "{said:?}");
    let out = desk.read("out.csv");
    let lines: Vec<&str> = out.lines().collect();
    assert_eq!(
        lines[0],
        "phone,debtor_id,channel,outcome,permitted_from,permitted_until,rule,citation,reason"
    );
    // The seventh call leaves no eighth until the first of them is seven days past; the next morning it is.
    assert!(lines[1].starts_with("+13055550101,D-1,voice,allow,2026-11-17T15:00:00Z,"), "{out}");
    assert!(lines[2].starts_with(",D-2,voice,block,,,us.fed.regf."), "{out}");
    let said = desk.run(&["scrub", "list.csv", "--at", "2026-11-16T16:00:00Z"]);
    assert!(
        said.out.contains("+13055550101,D-1,voice,defer,2026-11-17T13:00:00Z,,us.fed.regf.seven-in-seven"),
        "{said:?}"
    );
    assert!(
        said.error.contains("2 rows asked about 2026-11-16T16:00:00Z: 0 allow, 1 defer, 1 block, 0 error"),
        "{said:?}"
    );
}

#[test]
fn rejected_rows_go_to_a_file_with_the_reason_and_the_others_load() {
    let desk = Desk::new();
    desk.write(
        "d.csv",
        b"debtor_id,given_name,phone\nD-1,Sam\xffple,\nD-2,Sample,+12125550101\nD-3,Sample\nD-4,Sample,12\nD-5,a,b,c\n",
    );
    let said = desk.run(&["import", "debtors", "d.csv"]).ok();
    assert!(said.contains("5 rows: 1 new, 0 changed, 0 there already, 4 rejected"), "{said}");
    let rejected = fs::read(desk.path().join("d.rejected.csv")).expect("a file");
    let rejected = String::from_utf8_lossy(&rejected);
    for wanted in [
        "rejected_line,rejected_because,debtor_id,given_name,phone\n",
        "2,is not UTF-8,D-1",
        "4,\"has 2 cells, the head has 3\",D-3,Sample\n",
        "5,\"/contact_points/0/value: is not an E.164 telephone number",
        "6,\"has 4 cells, the head has 3\",D-5,a,b,c\n",
    ] {
        assert!(rejected.contains(wanted), "{wanted} is not in\n{rejected}");
    }
    // Imported as they stand they are rejected again; mended they load, and the columns with the reason are passed over.
    let said = desk.run(&["import", "debtors", "d.rejected.csv"]).refused(1);
    assert!(said.contains("4 rejected"), "{said}");
    desk.write("d.rejected.csv", rejected.replace("\u{fffd}", "").replace(",12\n", ",+12125550104\n"));
    let said = desk.run(&["import", "debtors", "d.rejected.csv"]).ok();
    assert!(said.contains("2 new") && said.contains("2 rejected"), "{said}");

    desk.write(
        "d.ndjson",
        b"{\"debtor_id\":\"N-1\"}\n{\"debtor_id\":\"N-2\",\"colour\":1}\nno\n\n{}\n\xff\n",
    );
    let said = desk.run(&["import", "debtors", "d.ndjson", "--rejected", "why.ndjson"]).ok();
    assert!(said.contains("5 rows: 1 new, 0 changed, 0 there already, 4 rejected"), "{said}");
    let lines: Vec<serde_json::Value> =
        desk.read("why.ndjson").lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert_eq!(lines[0]["debtor_id"], "N-2");
    assert_eq!(lines[1]["text"], "no");
    assert!(
        lines.iter().all(|line| line["rejected_because"].is_string() && line["rejected_line"].is_string())
    );
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = fs::metadata(desk.path().join("why.ndjson")).expect("a file").permissions().mode();
        assert_eq!(mode & 0o077, 0, "what is personal is its owner's alone");
    }
}

#[test]
fn a_list_that_cannot_be_meant_is_refused_whole() {
    let desk = Desk::new();
    desk.write("columns.csv", "debtor_id,colour\nD-1,red\n");
    desk.write("twice.csv", "debtor_id,phone,phone\nD-1,,\n");
    desk.write("same.csv", "debtor_id,city,locality\nD-1,,\n");
    desk.write("lacks.csv", "given_name\nSample\n");
    desk.write("empty.csv", "");
    for (file, wanted) in [
        ("columns.csv", "unknown columns `colour`; known are debtor_id"),
        ("twice.csv", "stands in its head twice"),
        ("same.csv", "`city` and `locality` say the same"),
        ("lacks.csv", "there is no column `debtor_id`"),
        ("empty.csv", "it is empty"),
        ("nowhere.csv", "cannot be read"),
    ] {
        let said = desk.run(&["import", "debtors", file]).refused(1);
        assert!(said.contains(wanted) && said.contains(file), "{said}");
        assert!(!desk.path().join("data").exists(), "no store is made for nothing");
    }
    desk.run(&["import", "weather", "columns.csv"]).refused(2);
    desk.write("d.csv", DEBTORS);
    let said = desk.run(&["import", "debtors", "d.csv", "--rejected", "d.csv"]).refused(1);
    assert!(said.contains("a file of their own"), "{said}");
    assert_eq!(desk.read("d.csv"), DEBTORS);
    let said = desk.run(&["scrub", "d.csv"]).refused(1);
    assert!(said.contains("there is no column `channel`"), "{said}");
    let said = desk.run(&["scrub", "d.csv", "--channel", "voice"]).refused(1);
    assert!(said.contains("there is no store"), "{said}");
    desk.run(&["import", "debtors", "d.csv"]).ok();
    let said = desk.run(&["scrub", "d.csv", "--channel", "voice", "--out", "./d.csv"]).refused(1);
    assert!(said.contains("a file of their own"), "{said}");
    assert_eq!(desk.read("d.csv"), DEBTORS);
}

#[test]
fn a_row_that_cannot_be_asked_about_says_why_and_keeps_its_place() {
    let desk = Desk::new();
    desk.write("d.csv", DEBTORS);
    desk.run(&["import", "debtors", "d.csv"]).ok();
    let mut list = String::new();
    for n in 0..5_000 {
        list += &match n % 4 {
            0 => format!("{{\"n\":{n},\"debtor_id\":\"D-1\",\"channel\":\"voice\"}}\n"),
            1 => format!("{{\"n\":{n},\"debtor_id\":\"nobody\",\"channel\":\"voice\"}}\n"),
            2 => format!("{{\"n\":{n},\"debtor_id\":\"D-1\",\"channel\":\"pigeon\"}}\n"),
            _ => format!("{{\"n\":{n},\"debtor_id\":\"D-1\",\"channel\":\"sms\",\"outcome\":\"old\"}}\n"),
        };
    }
    desk.write("list.ndjson", list);
    let said = desk.run(&["scrub", "list.ndjson", "--at", "2026-11-17T15:00:00Z"]);
    assert!(said.error.contains("5000 rows asked about"), "{}", said.error);
    assert!(said.error.contains("1250 allow, 0 defer, 1250 block, 2500 error"), "{}", said.error);
    for (n, line) in said.out.lines().enumerate() {
        let row: serde_json::Value = serde_json::from_str(line).expect("JSON");
        assert_eq!(row["n"], n, "in order");
        let wanted = ["allow", "error", "error", "block"][n % 4];
        assert_eq!(row["outcome"], wanted, "{row}");
        assert_eq!(row["reason"].is_null(), wanted == "allow", "{row}");
    }
}

/// Lists hold a telephone number, an email address and an account in columns of their own, whatever they are written in.
#[test]
fn the_channel_says_which_of_a_row_s_points_is_meant() {
    let desk = Desk::new();
    let line =
        |channel: &str, more: &str| format!("{{\"debtor_id\":\"D-1\",\"channel\":\"{channel}\"{more}}}\n");
    desk.write(
        "d.csv",
        "debtor_id,postal_code,phone,line_type,email,account_id,creditor_region\n\
         D-1,33101,+13055550101,mobile,one@example.com,A-1,US-MA\n",
    );
    assert!(desk.run(&["import", "debtors", "d.csv"]).ok().contains("1 new"));
    let consent = "granted_at\":\"2026-01-01T00:00:00Z\",\"source\":\"x\",\"scope\":\"electronic\",\"channel\":\"email\"";
    desk.write("c.ndjson", format!("{{\"debtor_id\":\"D-1\",\"{consent}}}\n"));
    desk.run(&["import", "consents", "c.ndjson"]).ok();
    desk.write(
        "list.csv",
        "debtor_id,phone,email,account_id\nD-1,+13055550101,one@example.com,A-1\n\
         D-1,+13055550101,other@example.com,A-1\nD-1,+13055550199,one@example.com,A-9\n",
    );
    let ask = |channel: &str| {
        let said = desk.run(&["scrub", "list.csv", "--channel", channel, "--at", "2026-11-17T15:00:00Z"]);
        let outcome = |row: &str| row.split(',').nth(4).unwrap_or_default().to_owned();
        said.out.lines().skip(1).map(outcome).collect::<Vec<_>>()
    };
    assert_eq!(ask("email"), ["allow", "error", "error"], "the other address and account are not on file");
    assert_eq!(ask("voice"), ["allow", "allow", "error"], "calls are asked about by number");
    let rows = [
        line("voice", ",\"phone\":\"+13055550101\",\"account_id\":\"A-1\""),
        line("voice", ",\"phone\":\"+13055550199\",\"email\":\"one@example.com\""),
        line("voice", ",\"account_id\":\"A-9\""),
        line("email", ",\"phone\":\"+13055550199\",\"email\":\"one@example.com\",\"account_ids\":null"),
    ];
    desk.write("list.ndjson", rows.concat());
    let said = desk.run(&["scrub", "list.ndjson", "--at", "2026-11-17T15:00:00Z"]);
    let outcomes: Vec<String> = said
        .out
        .lines()
        .map(|row| serde_json::from_str::<serde_json::Value>(row).expect("JSON")["outcome"].to_string())
        .collect();
    assert_eq!(outcomes, ["\"allow\"", "\"error\"", "\"error\"", "\"allow\""], "{said:?}");
}

/// The rows of a debtor follow each other; one that stands apart would replace what they said.
#[test]
fn a_row_apart_from_its_debtor_s_others_is_rejected() {
    let desk = Desk::new();
    desk.write(
        "d.csv",
        "debtor_id,phone,contact_points.0.kind,contact_points.0.value,contact_points.0.creditor_notice.sent_on,\
         contact_points.0.creditor_notice.opt_out_until,contact_points.0.creditor_notice.states\n\
         D-1,+13055550101,email,one@example.com,2026-01-01,2026-02-10,transfer;deadline\n\
         D-2,+13055550102,,,,,\nD-1,+13055550103,,,,,\n",
    );
    let said = desk.run(&["import", "debtors", "d.csv"]).ok();
    assert!(said.contains("3 rows: 2 new, 0 changed, 0 there already, 1 rejected"), "{said}");
    let rejected = desk.read("d.rejected.csv");
    assert!(
        rejected.contains("4,\"/debtor_id: rows before these") || rejected.contains("4,/debtor_id: rows"),
        "{rejected}"
    );
}

#[test]
fn a_recorded_history_is_asked_again() {
    let desk = Desk::new();
    let mut command = Command::new(env!("CARGO_BIN_EXE_dunwell"));
    command.args(["demo", "--once", "--port", "0", "--data"]).arg(desk.path().join("data"));
    let output = command.current_dir(ROOT).stdin(Stdio::null()).output().expect("the program starts");
    Said::from(output).ok();
    let law = format!("{ROOT}/config/policy");
    let ask = |dir: &str, more: &[&str]| {
        desk.run(&[&["simulate", "--packs", "us-federal,us-states", "--policy", dir], more].concat())
    };
    let said = ask(&law, &[]).ok();
    assert!(said.contains("        0  another answer\n        0  the same answer"), "{said}");

    copy(Path::new(&law), &desk.path().join("law"));
    let rules = desk.path().join("law/us-federal/reg-f.toml");
    let text = fs::read_to_string(&rules).expect("text");
    fs::write(&rules, text.replace("opens = \"08:00\"", "opens = \"11:00\"")).expect("written");
    let said = ask("law", &[]).ok();
    assert!(said.contains("us.fed.regf.inconvenient-time (12 CFR 1006.6(b)(1)(i)):"), "{said}");
    assert!(said.contains("allow → defer") && said.contains("  would be: defer over sms from"), "{said}");
    let brief = ask("law", &["--csv", "out.csv"]).ok();
    assert!(!brief.contains("would be") && brief.contains("each of them is in out.csv"), "{brief}");
    let table = desk.read("out.csv");
    let differing: usize = brief
        .lines()
        .filter(|line| line.ends_with("another answer") || line.contains("for other reasons, or"))
        .map(|line| line.trim().split(' ').next().and_then(|n| n.parse::<usize>().ok()).expect("a number"))
        .sum();
    assert_eq!(table.lines().count(), differing + 1, "a row each, under the head");
    assert_eq!(ask("law", &["--csv", "again.csv"]).code, Some(0));
    assert_eq!(desk.read("again.csv"), table, "always the same");

    assert!(ask("nowhere", &[]).refused(1).contains("cannot be read"));
    let said = desk.run(&["simulate", "--policy", "law", "--packs", "us-federal,atlantis"]).refused(1);
    assert!(said.contains("atlantis"), "{said}");
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a folder");
    for entry in fs::read_dir(from).expect("a folder") {
        let entry = entry.expect("an entry");
        let place = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &place);
        } else {
            fs::copy(entry.path(), place).expect("copied");
        }
    }
}
