//! The walk over a whole history on disk. Reads only, so it works beside the service and on a backup.

use super::connection::{self, Role, failed};
use super::rows::int;
use crate::ledger::verify::{Verifier, Walked};
use crate::storage::VerifyError;
use crate::storage::seal::stream_bytes;
use rusqlite::{Connection, Row};
use std::path::Path;

/// Entries in one read, so that a long walk does not keep the write-ahead log from being moved.
const STRIDE: u64 = 10_000;

pub(in crate::storage) fn verify_log(path: &Path) -> Result<Walked, VerifyError> {
    let connection = connection::open(path, Role::Reader)?;
    let mut verifier = Verifier::new();
    while stride(&connection, &mut verifier)? == STRIDE {}
    Ok(verifier.walked())
}

/// Walks some entries; gives how many.
fn stride(connection: &Connection, verifier: &mut Verifier) -> Result<u64, VerifyError> {
    let failed = failed("reading the log");
    let from = verifier.walked().entries;
    let mut statement = connection
        .prepare_cached(
            "SELECT leaf, stream, seq, type, at, leaf_hash, entry FROM events
             WHERE leaf >= ?1 OR (?1 = 0 AND leaf < 0) ORDER BY leaf LIMIT ?2",
        )
        .map_err(failed)?;
    let mut rows = statement.query((int(from), int(STRIDE))).map_err(failed)?;
    let mut walked = 0;
    while let Some(row) = rows.next().map_err(failed)? {
        check(row, verifier, from + walked)?;
        walked += 1;
    }
    Ok(walked)
}

fn check(row: &Row<'_>, verifier: &mut Verifier, expected: u64) -> Result<(), VerifyError> {
    let failed = failed("reading the log");
    let wrong = |column: &'static str| VerifyError::Column { leaf: expected, column };
    let leaf = u64::try_from(row.get::<_, i64>(0).map_err(failed)?).map_err(|_| wrong("leaf"))?;
    let blob = |index: usize, column: &'static str| -> Result<&[u8], VerifyError> {
        row.get_ref(index).map_err(failed)?.as_blob().map_err(|_| wrong(column))
    };
    let entry = verifier.feed(leaf, blob(5, "leaf_hash")?, blob(6, "entry")?)?;
    let type_name = row.get_ref(3).map_err(failed)?;
    let matches = [
        ("stream", blob(1, "stream")? == stream_bytes(&entry.stream)),
        ("seq", row.get::<_, i64>(2).map_err(failed)?.cast_unsigned() == entry.seq),
        ("type", type_name.as_str().is_ok_and(|text| text == entry.type_name)),
        ("at", row.get::<_, i64>(4).map_err(failed)? == entry.at.millis()),
    ];
    match matches.iter().find(|(_, same)| !same) {
        Some((column, _)) => Err(wrong(column)),
        None => Ok(()),
    }
}
