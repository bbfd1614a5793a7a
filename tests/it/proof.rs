//! The history proves itself: recomputed here from the database alone, and by `dunwell verify --log`.

use crate::api_requests::settle;
use crate::support::gateway::Gateway;
use crate::support::sample::{days_ago, noon, person};
use aws_lc_rs::digest;
use rusqlite::Connection;
use serde_json::{Value, json};
use std::collections::HashMap;

/// A gateway with some history, stopped.
fn with_history() -> (Gateway, HashMap<u64, String>) {
    let mut gateway = Gateway::start();
    let client = gateway.admin();
    for number in 0..3 {
        let sample = person(number);
        sample.enter(&client, noon());
        let answer = client
            .post("/v1/contact-requests", &sample.request(&format!("r-{number}"), &["portal"]))
            .expect(202);
        settle(&client, answer["id"].as_str().expect("an id"), &["sent", "delivered"]);
    }
    let stop = json!({"channel": "all", "received_at": days_ago(0).to_string(), "source": "a call"});
    client.post(&format!("{}/opt-outs", person(1).path()), &stop).ok();
    let told = client
        .all("/v1/events")
        .iter()
        .map(|event| {
            let hash = event["leaf_hash"].as_str().expect("a hash").to_owned();
            (event["leaf_index"].as_u64().expect("an index"), hash)
        })
        .collect();
    assert_eq!(gateway.stop(), Some(0));
    (gateway, told)
}

#[test]
fn every_leaf_hash_and_every_chain_can_be_recomputed() {
    let (gateway, told) = with_history();
    let database = Connection::open(gateway.database()).expect("a database");
    let mut query =
        database.prepare("SELECT leaf, leaf_hash, entry FROM events ORDER BY leaf").expect("a query");
    let mut rows = query.query(()).expect("rows");
    let mut heads: HashMap<String, (u64, String)> = HashMap::new();
    let mut leaf = 0;
    while let Some(row) = rows.next().expect("a row") {
        let (stored, entry): (Vec<u8>, Vec<u8>) =
            (row.get(1).expect("a hash"), row.get(2).expect("an entry"));
        assert_eq!(row.get(0), Ok(leaf), "no leaf is missing");
        // RFC 6962, section 2.1: SHA-256(0x00 || entry).
        let hash = digest::digest(&digest::SHA256, &[&[0], entry.as_slice()].concat());
        assert_eq!(hash.as_ref(), stored);
        let hash = hex::encode(hash.as_ref());
        let leaf_index = u64::try_from(leaf).expect("an index");
        assert!(told[&leaf_index].contains(&hash), "the API told {}, not {hash}", told[&leaf_index]);

        let content: Value = serde_json::from_slice(&entry).expect("an entry is JSON");
        // serde_json keeps keys sorted and writes no blanks, so it writes RFC 8785 where there are no fractions.
        assert_eq!(content.to_string().into_bytes(), entry, "the entry is canonical");
        let stream = content["stream"].as_str().expect("a stream").to_owned();
        let (seq, prev) = heads.remove(&stream).unwrap_or((0, "0".repeat(64)));
        assert_eq!(content["seq"], seq + 1);
        assert_eq!(content["prev"], prev);
        heads.insert(stream, (seq + 1, hash));
        leaf += 1;
    }
    assert_eq!(usize::try_from(leaf).expect("a count"), told.len());
    assert!(heads.len() >= 3);
}

#[test]
fn the_database_itself_refuses_to_alter_history() {
    let (gateway, _) = with_history();
    let database = Connection::open(gateway.database()).expect("a database");
    for statement in [
        "UPDATE events SET entry = x'00' WHERE leaf = 3",
        "UPDATE events SET at = at + 1 WHERE leaf = 3",
        "DELETE FROM events WHERE leaf = 3",
        "DELETE FROM events",
    ] {
        let refused = database.execute(statement, ()).expect_err(statement);
        assert!(refused.to_string().contains("append-only"), "{statement}: {refused}");
    }
}

#[test]
fn verify_finds_a_byte_altered_a_leaf_moved_and_a_leaf_left_out() {
    let (gateway, _) = with_history();
    let verdict = |database: &std::path::Path| {
        let output = gateway
            .command(&["verify", "--log"])
            .env("DUNWELL__STORE__URL", format!("sqlite:{}", database.display()))
            .output()
            .expect("the program starts");
        let text =
            format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        (output.status.code(), text)
    };
    let (code, text) = verdict(&gateway.database());
    assert_eq!(code, Some(0), "{text}");

    for (number, (what, change)) in [
        ("a byte", "UPDATE events SET entry = CAST(replace(CAST(entry AS TEXT), 'gateway', 'gatewaz') AS BLOB) WHERE leaf = (SELECT leaf FROM events WHERE CAST(entry AS TEXT) LIKE '%\"gateway\"%' LIMIT 1)"),
        ("the first leaf's hash", "UPDATE events SET leaf_hash = zeroblob(32) WHERE leaf = 0"),
        // The guards do not see a replacement; the proof does.
        ("a leaf replaced", "CREATE TEMP TABLE other AS SELECT * FROM events WHERE leaf = 3; UPDATE other SET entry = CAST(replace(CAST(entry AS TEXT), '2', '3') AS BLOB); INSERT OR REPLACE INTO events SELECT * FROM other"),
        ("a leaf left out", "DELETE FROM events WHERE leaf = 4"),
        ("the last leaf of a debtor but one", "DELETE FROM events WHERE leaf = (SELECT max(leaf) - 1 FROM events)"),
        ("two leaves changed over", "UPDATE events SET leaf = CASE leaf WHEN 2 THEN -3 ELSE leaf END; UPDATE events SET leaf = 2 WHERE leaf = 3; UPDATE events SET leaf = 3 WHERE leaf = -3"),
    ]
    .into_iter()
    .enumerate()
    {
        let copy = gateway.dir().join(format!("altered-{number}.db"));
        let original = Connection::open(gateway.database()).expect("a database");
        original.execute("VACUUM INTO ?1", [copy.display().to_string()]).expect("copied");
        let database = Connection::open(&copy).expect("a database");
        let guards: Vec<String> = database
            .prepare("SELECT name FROM sqlite_master WHERE type = 'trigger' AND tbl_name = 'events'")
            .and_then(|mut query| query.query_map((), |row| row.get(0))?.collect())
            .expect("the guards");
        assert!(!guards.is_empty());
        for guard in guards {
            database.execute_batch(&format!("DROP TRIGGER {guard}")).expect("dropped");
        }
        database.execute_batch(change).expect(what);
        assert!(database.changes() > 0, "{what} changed nothing");
        drop(database);
        let (code, text) = verdict(&copy);
        assert_eq!(code, Some(1), "{what}: {text}");
        assert!(text.contains("leaf"), "{what}: the fault is named: {text}");
    }
}

#[test]
fn verify_works_while_it_runs() {
    let gateway = Gateway::start();
    person(1).enter(&gateway.admin(), noon());
    let output = gateway.tool(&["verify", "--log"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}
