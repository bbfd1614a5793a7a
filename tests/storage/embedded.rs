//! What holds of the embedded store alone: its files, its guards, its keys.

use crate::events::{at, debtor_updated, inbound, samples};
use crate::fixture::{Dice, House, open_at, record, settings, stream};
use dunwell::domain::event::{Actor, EventBody};
use dunwell::ledger::verify::Breach;
use dunwell::storage::{self, SealedPart, Settings, StorageError, Store, VerifyError, verify_log};
use proptest::prelude::*;
use std::path::Path;

fn written() -> House {
    let house = House::embedded();
    let mut writer = house.open().writer().expect("the door");
    record(&mut writer, stream(1), &[debtor_updated("D-1", "Sample"), inbound("a")]);
    record(&mut writer, stream(2), &[debtor_updated("D-2", "Sample"), inbound("b"), inbound("c")]);
    house
}

#[test]
fn the_database_itself_refuses_to_alter_the_history() {
    let house = written();
    let connection = house.by_hand();
    for statement in [
        "UPDATE events SET at = 0",
        "UPDATE events SET entry = x'00' WHERE leaf = 0",
        "UPDATE OR REPLACE events SET leaf = 1 WHERE leaf = 0",
        "DELETE FROM events",
        "DELETE FROM events WHERE leaf = 4",
    ] {
        let error = connection.execute(statement, []).expect_err(statement).to_string();
        assert_eq!(error, "events are append-only", "{statement}");
    }
    assert_eq!(verify_log(&house.history()).expect("whole").entries, 5);
}

#[test]
fn a_log_is_verified_beside_its_writer_and_without_a_key() {
    let house = written();
    let _writer = house.open().writer().expect("the door");
    std::fs::rename(house.keys(), house.path().join("elsewhere")).expect("moved");
    let walked = verify_log(&house.history()).expect("whole");
    assert_eq!((walked.entries, walked.streams), (5, 2));
    let missing = verify_log(&house.path().join("none.db"));
    assert!(matches!(missing, Err(VerifyError::Storage(StorageError::Missing { .. }))), "{missing:?}");
}

/// Alters the events past the guards, as somebody with the file could.
fn tamper(house: &House, statement: &str) -> Result<(), VerifyError> {
    let connection = house.by_hand();
    connection
        .execute_batch("DROP TRIGGER events_are_never_updated; DROP TRIGGER events_are_never_deleted;")
        .expect("without guards");
    assert!(connection.execute(statement, []).expect(statement) > 0, "{statement}");
    verify_log(&house.history()).map(|_| ())
}

#[test]
fn every_kind_of_tampering_is_named() {
    let breach = |statement: &str| tamper(&written(), statement).expect_err(statement).to_string();
    assert_eq!(breach("DELETE FROM events WHERE leaf = 2"), "leaf 2 is missing: leaf 3 stands in its place");
    assert_eq!(breach("DELETE FROM events WHERE leaf = 0"), "leaf 0 is missing: leaf 1 stands in its place");
    assert_eq!(
        breach(
            "UPDATE events SET entry = CAST(replace(CAST(entry AS TEXT), 'gateway', 'debtor') AS BLOB) WHERE leaf = 3"
        ),
        "leaf 3: the entry does not match its leaf hash"
    );
    assert_eq!(
        breach("UPDATE events SET at = at + 1 WHERE leaf = 1"),
        "leaf 1: the column at does not match the entry"
    );
    assert_eq!(
        breach("UPDATE events SET type = 'debtor.erased' WHERE leaf = 1"),
        "leaf 1: the column type does not match the entry"
    );
    assert_eq!(
        breach("UPDATE events SET seq = 7 WHERE leaf = 4"),
        "leaf 4: the column seq does not match the entry"
    );
    assert_eq!(
        breach("UPDATE events SET stream = x'00', seq = 9 WHERE leaf = 4"),
        "leaf 4: the column stream does not match the entry"
    );
    assert_eq!(
        breach(
            "INSERT INTO events SELECT -1, stream, 9, type, at, leaf_hash, entry FROM events WHERE leaf = 1"
        ),
        "leaf 0: the column leaf does not match the entry"
    );
    assert_eq!(
        breach(
            "INSERT OR REPLACE INTO events SELECT 5, stream, seq, type, at, leaf_hash, entry FROM events WHERE leaf = 1"
        ),
        "leaf 5: it is number 2 of its stream, where 3 comes next"
    );
    assert_eq!(
        breach(
            "INSERT OR REPLACE INTO events SELECT 1, stream, 9, type, at, leaf_hash, entry FROM events WHERE leaf = 3"
        ),
        "leaf 1: it is number 2 of its stream, where 1 comes next"
    );
    assert_eq!(
        breach(
            "INSERT INTO events SELECT 9, stream, 9, type, at, leaf_hash, entry FROM events WHERE leaf = 1"
        ),
        "leaf 5 is missing: leaf 9 stands in its place"
    );
    let swapped = "UPDATE events SET entry = (SELECT entry FROM events WHERE leaf = 7 - e.leaf),
        leaf_hash = (SELECT leaf_hash FROM events WHERE leaf = 7 - e.leaf) FROM events e
        WHERE e.leaf = events.leaf AND events.leaf IN (3, 4)";
    let named = breach(swapped);
    assert!(named.starts_with("leaf 3:"), "{named}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_flipped_bit_fails_verification(
        leaf in 0..5_i64, column in prop::sample::select(vec!["entry", "leaf_hash"]), at in any::<prop::sample::Index>(), bit in 0..8_u8,
    ) {
        let house = written();
        let mut bytes: Vec<u8> = house
            .by_hand()
            .query_row(&format!("SELECT {column} FROM events WHERE leaf = ?1"), [leaf], |row| row.get(0))
            .expect("reads");
        let place = at.index(bytes.len());
        bytes[place] ^= 1 << bit;
        let altered: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        let result = tamper(&house, &format!("UPDATE events SET {column} = x'{altered}' WHERE leaf = {leaf}"));
        let expected = u64::try_from(leaf).expect("small");
        let found = matches!(result, Err(VerifyError::Breach(Breach::Hash { leaf })) if leaf == expected);
        prop_assert!(found, "{result:?}");
    }
}

#[test]
fn a_second_writer_is_refused_until_the_first_is_gone() {
    let house = written();
    let (first, second) = (house.open(), house.open());
    let writer = first.writer().expect("the door");
    assert!(matches!(second.writer().err(), Some(StorageError::Locked)));
    assert!(matches!(first.writer().err(), Some(StorageError::Locked)));
    assert_eq!(second.reader().expect("a reader").log_size().expect("reads"), 5);
    drop(writer);
    assert_eq!(second.writer().expect("the door").log_size(), 5);
}

fn refused(settings: &Settings) -> StorageError {
    Store::open(settings, Dice::new(1)).err().expect("refused")
}

#[test]
fn what_does_not_belong_together_is_refused_by_name() {
    let house = written();
    assert!(matches!(refused(&settings(house.path(), 8)), StorageError::WrongMasterKey));
    let short = Settings { master_key: vec![7; 31].into(), ..settings(house.path(), 7) };
    assert!(matches!(refused(&short), StorageError::MasterKeyTooShort));
    let keys = house.path().join("keys.db");
    let elsewhere = house.path().join("elsewhere");
    std::fs::rename(&keys, &elsewhere).expect("moved");
    assert!(matches!(refused(&settings(house.path(), 7)), StorageError::KeysMissing { .. }));
    assert!(!keys.exists(), "no new keys are made for an old history");
    let other = House::embedded();
    open_at(other.path(), 2).expect("opens");
    std::fs::copy(other.keys(), &keys).expect("copied");
    assert!(matches!(refused(&settings(house.path(), 7)), StorageError::KeysOfAnother { .. }));
    std::fs::rename(&elsewhere, &keys).expect("moved back");
    assert_eq!(house.open().reader().expect("a reader").load(stream(1)).expect("loads").len(), 2);
    house.by_hand().execute("INSERT INTO migrations VALUES (99, x'00')", []).expect("by hand");
    assert!(matches!(refused(&settings(house.path(), 7)), StorageError::Newer { found: 99, .. }));
}

#[test]
fn addresses_of_other_stores_are_refused_by_name() {
    let folder = tempfile::tempdir().expect("a folder");
    let with = |url: &str| refused(&Settings { url: url.into(), ..settings(folder.path(), 7) });
    for url in ["postgres://localhost/dunwell", "postgresql://u:secret@localhost/dunwell", "mysql://x"] {
        let error = with(url);
        assert!(matches!(&error, StorageError::Unsupported { scheme } if url.starts_with(scheme)));
        assert!(!error.to_string().contains("secret"));
    }
    for url in ["", "sqlite:", "dunwell.db", "sqlite::memory:"] {
        assert!(matches!(with(url), StorageError::Url), "{url}");
    }
}

fn files(folder: &Path) -> Vec<(String, Vec<u8>)> {
    std::fs::read_dir(folder)
        .expect("reads")
        .map(|file| {
            let path = file.expect("a file").path();
            (path.display().to_string(), std::fs::read(&path).expect("reads"))
        })
        .collect()
}

fn holds(haystack: &[u8], needle: &[u8]) -> bool {
    haystack.windows(needle.len()).any(|window| window == needle)
}

#[test]
fn nothing_personal_stands_in_clear_in_any_file() {
    let house = House::embedded();
    let store = house.open();
    let mut writer = store.writer().expect("the door");
    let bodies: Vec<EventBody> =
        samples().into_iter().filter(|body| body.type_name() != "debtor.erased").collect();
    record(&mut writer, stream(1), &bodies);
    record(&mut writer, stream(2), &[debtor_updated("CANARY-ID", "Canarygiven")]);
    let canaries = [
        "CANARY-ID",
        "Canarygiven",
        "D-1001",
        "+13055550123",
        "3055550123",
        "Sample Law",
        "web form",
        "not mine",
        "who is this?",
        "Please call Sample Collections",
        "crm-2026-000123",
        "nov-early",
        "due_date",
        "A-1\"",
        "STOP",
    ];
    let search = |when: &str| {
        let files = files(house.path());
        assert!(files.iter().any(|(name, _)| name.ends_with("-wal")) || when == "closed", "{when}");
        assert!(files.iter().any(|(_, bytes)| holds(bytes, b"payment-reminder")), "the search itself works");
        for (name, bytes) in files {
            for canary in canaries {
                assert!(!holds(&bytes, canary.as_bytes()), "{canary} in {name}, {when}");
            }
            assert!(!holds(&bytes, &[7; 32]), "the master key in {name}, {when}");
        }
    };
    search("committed");
    store.checkpoint().expect("moves the log");
    search("moved");
    drop((writer, store));
    search("closed");
    let given = house.open().reader().expect("a reader").events_of(stream(2), 0, 1).expect("rows");
    assert!(matches!(&given[0].sealed, SealedPart::Open(json) if json.get().contains("Canarygiven")));
}

#[test]
fn a_destroyed_key_is_nowhere_in_the_files() {
    let house = House::embedded();
    let store = house.open();
    let mut writer = store.writer().expect("the door");
    for number in 0..50 {
        record(&mut writer, stream(number), &[debtor_updated("D", "Sample")]);
    }
    let wrapped: Vec<Vec<u8>> = rusqlite::Connection::open(house.keys())
        .expect("opens")
        .prepare("SELECT wrapped FROM data_keys ORDER BY stream")
        .expect("prepares")
        .query_map([], |row| row.get(0))
        .expect("reads")
        .collect::<Result<_, _>>()
        .expect("keys");
    assert_eq!(wrapped.len(), 50);
    let found = |key: &[u8]| files(house.path()).iter().any(|(_, bytes)| holds(bytes, key));
    assert!(found(&wrapped[17]) && found(&wrapped[18]));
    let mut batch = writer.begin().expect("begins");
    let mut chain = batch.chain(stream(17)).expect("a chain");
    batch.erase(&mut chain, at(1), &Actor::Operator).expect("erases");
    batch.commit().expect("commits");
    assert!(!found(&wrapped[17]), "the destroyed one");
    assert!(found(&wrapped[18]), "its neighbour");
    verify_log(&house.history()).expect("whole");
}

#[test]
fn a_backup_is_whole_and_what_was_erased_stays_erased() {
    let house = written();
    let store = house.open();
    let mut writer = store.writer().expect("the door");
    let copies = tempfile::tempdir().expect("a folder");
    let (old_keys, history) = (copies.path().join("old-keys.db"), copies.path().join("history.db"));
    store.backup(&copies.path().join("old.db"), Some(&old_keys)).expect("copies");
    let mut batch = writer.begin().expect("begins");
    let mut chain = batch.chain(stream(1)).expect("a chain");
    batch.erase(&mut chain, at(1), &Actor::Operator).expect("erases");
    batch.append(&mut chain, at(2), &Actor::Gateway, &debtor_updated("D-1", "Again")).expect("appends");
    batch.commit().expect("commits");
    store.backup(&history, None).expect("copies");
    assert!(matches!(store.backup(&history, None), Err(StorageError::Exists { .. })));
    assert_eq!(verify_log(&history).expect("whole").entries, 7);

    // Onto another machine, with keys from before the erasure.
    let other = tempfile::tempdir().expect("a folder");
    let there = settings(other.path(), 7);
    let without = storage::restore(&there, &history, None);
    assert!(matches!(without, Err(StorageError::KeysMissing { .. })), "{without:?}");
    storage::restore(&there, &history, Some(&old_keys)).expect("restored");
    assert!(matches!(storage::restore(&there, &history, None), Err(StorageError::Exists { .. })));
    let restored = Store::open(&there, Dice::new(9)).expect("opens");
    let sealed = |number: u32| -> Vec<bool> {
        let rows = restored.reader().expect("a reader").events_of(stream(number), 0, 9).expect("rows");
        rows.iter().map(|row| matches!(row.sealed, SealedPart::Open(_))).collect()
    };
    assert_eq!(sealed(1), [false, false, false, false], "the new key is not in the old backup");
    assert_eq!(sealed(2), [true, true, true]);
    let mut writer = restored.writer().expect("the door");
    let next = record(&mut writer, stream(2), &[inbound("d")]);
    assert_eq!((next[0].leaf, next[0].seq), (7, 4));
    let foreign = House::embedded();
    open_at(foreign.path(), 2).expect("opens");
    std::fs::remove_file(foreign.history()).expect("removed");
    let mixed = storage::restore(&settings(foreign.path(), 7), &history, None);
    assert!(matches!(mixed, Err(StorageError::KeysOfAnother { .. })), "{mixed:?}");
}

#[cfg(unix)]
#[test]
fn the_files_are_their_owners_alone() {
    use std::os::unix::fs::PermissionsExt;
    let house = House::embedded();
    let inner = house.path().join("made");
    let store = open_at(&inner, 1).expect("opens");
    let _writer = store.writer().expect("the door");
    let mode = |path: &Path| std::fs::metadata(path).expect("there").permissions().mode() & 0o777;
    assert_eq!(mode(&inner), 0o700);
    for name in ["dunwell.db", "dunwell.db-wal", "keys.db", "dunwell.db.lock"] {
        assert_eq!(mode(&inner.join(name)), 0o600, "{name}");
    }
}
