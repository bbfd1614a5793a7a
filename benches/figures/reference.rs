//! The references that are no HTTP server: SQLite alone, and a bare hash map.

use anyhow::Context;
use rusqlite::{Connection, params};
use std::collections::HashMap;
use std::path::Path;
use std::time::{Duration, Instant};

const SCHEMA: &str = "
    CREATE TABLE request (
        id INTEGER PRIMARY KEY, debtor INTEGER NOT NULL, due_at INTEGER NOT NULL, state INTEGER NOT NULL, body BLOB NOT NULL
    );
    CREATE INDEX request_by_debtor ON request (debtor, due_at);
    CREATE INDEX request_by_state ON request (state, due_at);";

/// Rows of about 400 bytes with what SQLite adds.
const BODY: [u8; 370] = [5; 370];

/// Rows a second that SQLite takes durably (WAL, `synchronous=FULL`), 1,000 a transaction, two indexes, a random debtor.
pub fn sqlite_rate(folder: &Path, time: Duration) -> anyhow::Result<f64> {
    let path = folder.join("reference.db");
    remove(&path);
    let store = Connection::open(&path).context("opening the reference store")?;
    store.execute_batch("PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA cache_size=-65536;")?;
    store.execute_batch(SCHEMA)?;
    let mut insert =
        store.prepare("INSERT INTO request (debtor, due_at, state, body) VALUES (?1, ?2, ?3, ?4)")?;
    let (mut random, mut rows) = (0x9E37_79B9_7F4A_7C15_u64, 0_i64);
    let begun = Instant::now();
    while begun.elapsed() < time {
        store.execute_batch("BEGIN IMMEDIATE")?;
        for _ in 0..1_000 {
            rows += 1;
            random = shuffled(random);
            let debtor = (random >> 33) as i64 % 1_000_000;
            insert.execute(params![debtor, 1_790_000_000_000 + rows, rows % 3, &BODY[..]])?;
        }
        store.execute_batch("COMMIT")?;
    }
    let rate = rows as f64 / begun.elapsed().as_secs_f64();
    drop(insert);
    drop(store);
    remove(&path);
    Ok(rate)
}

/// The next number of Knuth's 64-bit linear congruential sequence: spread enough for keys.
fn shuffled(last: u64) -> u64 {
    last.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407)
}

fn remove(path: &Path) {
    for suffix in ["", "-wal", "-shm"] {
        let mut name = path.as_os_str().to_owned();
        name.push(suffix);
        let _ = std::fs::remove_file(name);
    }
}

/// Prints the bytes of resident memory that a bare map of 44-byte values takes; runs as a process of its own.
pub fn print_map_memory(entries: u64) -> anyhow::Result<bool> {
    let before = crate::child::resident("self")?;
    let mut map: HashMap<u64, [u32; 11]> = HashMap::with_capacity(usize::try_from(entries)?);
    for key in 0..entries {
        map.insert(key, [key as u32; 11]);
    }
    let taken = crate::child::resident("self")? - before;
    // Looking one up keeps the map from being optimised away.
    anyhow::ensure!(
        map.get(&(entries / 2)).is_some_and(|value| value[0] == (entries / 2) as u32),
        "the map lost an entry"
    );
    println!("{taken:.0}");
    Ok(true)
}
