//! The wrapped data keys in `keys.db`.

use super::connection::failed;
use crate::domain::event::Stream;
use crate::storage::StorageError;
use crate::storage::seal::{DataKey, KeyId, Wrapping, stream_bytes};
use rusqlite::Connection;

/// Every key of a stream: one as a rule. More are left by a commit that failed between the keys and the history.
pub(super) fn all(
    connection: &Connection,
    wrapping: &Wrapping,
    stream: &Stream,
) -> Result<Vec<DataKey>, StorageError> {
    let failed = failed("reading a key");
    let mut statement = connection
        .prepare_cached("SELECT id, wrapped FROM data_keys WHERE stream = ?1 ORDER BY id")
        .map_err(failed)?;
    let mut rows = statement.query([stream_bytes(stream)]).map_err(failed)?;
    let mut keys = Vec::new();
    while let Some(row) = rows.next().map_err(failed)? {
        let (id, wrapped): (KeyId, Vec<u8>) = (row.get(0).map_err(failed)?, row.get(1).map_err(failed)?);
        keys.push(unwrap(stream, id, &wrapped, wrapping)?);
    }
    Ok(keys)
}

fn unwrap(stream: &Stream, id: KeyId, wrapped: &[u8], wrapping: &Wrapping) -> Result<DataKey, StorageError> {
    DataKey::unwrap(stream, id, wrapped, wrapping).ok_or(StorageError::Row { table: "data_keys" })
}

/// Adds wrapped keys in one durable commit.
pub(super) fn add(
    connection: &mut Connection,
    keys: &[(Stream, KeyId, Vec<u8>)],
) -> Result<(), StorageError> {
    let failed = failed("keeping new keys");
    let transaction = connection.transaction().map_err(failed)?;
    {
        let mut statement =
            transaction.prepare_cached("INSERT INTO data_keys VALUES (?1, ?2, ?3)").map_err(failed)?;
        for (stream, id, wrapped) in keys {
            statement.execute((stream_bytes(stream), id, wrapped)).map_err(failed)?;
        }
    }
    transaction.commit().map_err(failed)
}

/// Destroys keys, durably, and leaves nothing of them in the file or its log.
pub(super) fn destroy(connection: &mut Connection, keys: &[(Vec<u8>, KeyId)]) -> Result<(), StorageError> {
    let failed = failed("destroying keys");
    let transaction = connection.transaction().map_err(failed)?;
    {
        let mut statement = transaction
            .prepare_cached("DELETE FROM data_keys WHERE stream = ?1 AND id = ?2")
            .map_err(failed)?;
        for (stream, id) in keys {
            statement.execute((stream, id)).map_err(failed)?;
        }
    }
    transaction.commit().map_err(failed)?;
    // The log still has the page as it was: move it into the file, over the old page, and empty it.
    let busy: i64 =
        connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0)).map_err(failed)?;
    if busy == 0 { Ok(()) } else { Err(StorageError::Busy { doing: "destroying keys" }) }
}
