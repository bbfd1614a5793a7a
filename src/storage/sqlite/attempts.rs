//! The attempts as the tables have them: where each belongs, and whether its end is still to be recorded.
//!
//! They follow in bulk, as what is looked up through the index does: [`super::index`] has those that the table lacks.

use super::rows::{DebtorColumn, many, one};
use crate::domain::event::{EventBody, Stream};
use crate::domain::id::{AttemptId, RequestId};
use crate::domain::time::Timestamp;
use crate::storage::seal::stream_bytes;
use crate::storage::{AttemptRow, StorageError};
use rusqlite::{Connection, Row};

const TABLE: &str = "attempts";

/// The attempt that an event begins.
pub(super) fn begun(stream: Stream, at: Timestamp, body: &EventBody) -> Option<AttemptRow> {
    match (stream, body) {
        (Stream::Debtor(debtor), EventBody::AttemptStarted(start, _)) => Some(AttemptRow {
            attempt: start.attempt,
            debtor,
            request: start.request,
            provider: start.provider.clone(),
            started_at: at,
            open: true,
        }),
        _ => None,
    }
}

/// The attempt that an event says the end of, or that something became of it.
pub(super) fn ended(body: &EventBody) -> Option<AttemptId> {
    match body {
        EventBody::AttemptSent(sent, _) => Some(sent.attempt),
        EventBody::AttemptFailed(end, _)
        | EventBody::AttemptUnknown(end, _)
        | EventBody::AttemptAbandoned(end, _) => Some(end.attempt),
        EventBody::DeliveryUpdated(update, _) if update.status.is_settled() => Some(update.attempt),
        _ => None,
    }
}

/// Keeps an attempt.
pub(super) fn put(connection: &Connection, row: &AttemptRow) -> rusqlite::Result<()> {
    connection
        .prepare_cached("INSERT OR REPLACE INTO attempts VALUES (?1, ?2, ?3, ?4, ?5, ?6)")?
        .execute((
            row.attempt.as_bytes(),
            stream_bytes(&Stream::Debtor(row.debtor)),
            row.request.as_bytes(),
            &row.provider,
            row.started_at.millis(),
            row.open,
        ))
        .map(|_| ())
}

/// Notes that an attempt has ended; nothing where that is known.
pub(super) fn end(connection: &Connection, attempt: AttemptId) -> rusqlite::Result<()> {
    connection
        .prepare_cached("UPDATE attempts SET open = 0 WHERE attempt = ?1 AND open = 1")?
        .execute([attempt.as_bytes()])
        .map(|_| ())
}

macro_rules! select {
    ($rest:literal) => {
        concat!("SELECT stream, attempt, request, provider, started_at, open FROM attempts WHERE ", $rest)
    };
}

fn read(row: &Row<'_>) -> rusqlite::Result<AttemptRow> {
    Ok(AttemptRow {
        debtor: row.get::<_, DebtorColumn>(0)?.0,
        attempt: AttemptId::from_bytes(row.get(1)?),
        request: RequestId::from_bytes(row.get(2)?),
        provider: row.get(3)?,
        started_at: Timestamp::from_millis(row.get(4)?),
        open: row.get(5)?,
    })
}

/// An attempt by our identifier.
pub(super) fn by_id(connection: &Connection, attempt: AttemptId) -> Result<Option<AttemptRow>, StorageError> {
    one(connection, TABLE, select!("attempt = ?1"), [attempt.as_bytes()], read)
}

/// Those whose end is still to be recorded.
pub(super) fn open(connection: &Connection) -> Result<Vec<AttemptRow>, StorageError> {
    many(connection, TABLE, select!("open = 1"), [], read)
}

/// Those over a provider since a moment.
pub(super) fn since(
    connection: &Connection,
    provider: &str,
    since: Timestamp,
) -> Result<Vec<AttemptRow>, StorageError> {
    let sql = select!("provider = ?1 AND started_at >= ?2");
    many(connection, TABLE, sql, (provider, since.millis()), read)
}
