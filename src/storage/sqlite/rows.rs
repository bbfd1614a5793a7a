//! Look-ups that the writer and the readers share: events of a stream, and the small projections.

use super::connection::failed;
use crate::domain::channel::Channel;
use crate::domain::event::{Event, EventBody, ReviewResolution, Stream};
use crate::domain::id::{AccountKey, DebtorKey, PermitId, PointKey, Pseudonym, ReviewId};
use crate::domain::time::Timestamp;
use crate::ledger::LeafHash;
use crate::ledger::entry::Entry;
use crate::storage::seal::{DataKey, KeyId, Place, key_of, stream_from};
use crate::storage::{PermitRow, PermitStatus, ReportedRow, ReviewRow, StorageError};
use rusqlite::types::{FromSql, FromSqlError, FromSqlResult, ValueRef};
use rusqlite::{Connection, OptionalExtension, Params, Row};
use zeroize::Zeroizing;

/// A count as a column takes it. Ours never come near the limit.
pub(super) fn int(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

/// A limit as a statement takes it.
pub(super) fn limit(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}

/// A count in a column.
pub(super) struct Count(pub(super) u64);

impl FromSql for Count {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        let number = value.as_i64()?;
        u64::try_from(number).map(Self).map_err(|_| FromSqlError::OutOfRange(number))
    }
}

/// A debtor's pseudonym in a column.
pub(super) struct DebtorColumn(pub(super) DebtorKey);

impl FromSql for DebtorColumn {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        match stream_from(value.as_blob()?) {
            Some(Stream::Debtor(key)) => Ok(Self(key)),
            Some(Stream::Installation) | None => Err(FromSqlError::InvalidType),
        }
    }
}

/// One of our words in a column.
pub(super) struct Word<T>(pub(super) T);

macro_rules! word_column {
    ($($name:ty),+) => {$(
        impl FromSql for Word<$name> {
            fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
                <$name>::from_word(value.as_str()?).map(Self).ok_or(FromSqlError::InvalidType)
            }
        }
    )+};
}
word_column!(
    Channel,
    ReviewResolution,
    PermitStatus,
    crate::domain::request::RequestStatus,
    crate::domain::channel::Priority
);

/// Walks a stream's entries at given leaves, up to the first that is not committed: nothing stands there, or, where its batch
/// was given up meanwhile, what another stream has written since.
pub(super) fn each_at(
    connection: &Connection,
    stream: &Stream,
    leaves: &[u64],
    mut each: impl FnMut(u64, LeafHash, Entry<'_>) -> Result<(), StorageError>,
) -> Result<(), StorageError> {
    let failed = failed("reading a stream");
    let mut statement =
        connection.prepare_cached("SELECT leaf_hash, entry FROM events WHERE leaf = ?1").map_err(failed)?;
    for leaf in leaves.iter().copied() {
        let mut rows = statement.query([int(leaf)]).map_err(failed)?;
        let Some(row) = rows.next().map_err(failed)? else { return Ok(()) };
        let hash = LeafHash::from_bytes(row.get(0).map_err(failed)?);
        let bytes = row.get_ref(1).map_err(failed)?.as_blob().unwrap_or_default();
        let entry = Entry::parse(bytes).map_err(|_| StorageError::Unreadable { leaf })?;
        if entry.stream != *stream {
            return Ok(());
        }
        each(leaf, hash, entry)?;
    }
    Ok(())
}

/// The id of the key that an entry's personal part was sealed with.
pub(super) fn sealed_with(entry: &Entry<'_>) -> Option<KeyId> {
    entry.ciphertext_start().and_then(|start| key_of(&start))
}

/// Opens an entry's personal part; none if there is none or its key was destroyed.
pub(super) fn open_sealed(
    leaf: u64,
    entry: &Entry<'_>,
    keys: &[DataKey],
) -> Result<Option<Zeroizing<Vec<u8>>>, StorageError> {
    let Some(ciphertext) = entry.ciphertext() else { return Ok(None) };
    let id = key_of(&ciphertext).ok_or(StorageError::Unreadable { leaf })?;
    let Some(key) = keys.iter().find(|key| key.id == id) else { return Ok(None) };
    let place = Place { stream: entry.stream, seq: entry.seq, type_name: entry.type_name };
    key.open(&place, &ciphertext)?.map(Some).ok_or(StorageError::Unreadable { leaf })
}

/// An entry in the domain's words.
pub(super) fn event(leaf: u64, entry: &Entry<'_>, keys: &[DataKey]) -> Result<Event, StorageError> {
    let sealed = open_sealed(leaf, entry, keys)?;
    event_with(leaf, entry, sealed.as_ref())
}

/// An entry in the domain's words, with its personal part or without.
pub(super) fn event_with(
    leaf: u64,
    entry: &Entry<'_>,
    sealed: Option<&Zeroizing<Vec<u8>>>,
) -> Result<Event, StorageError> {
    let body = EventBody::read(entry.type_name, entry.clear.as_bytes(), sealed.map(|json| json.as_slice()))
        .map_err(|_| StorageError::Unreadable { leaf })?;
    Ok(Event { actor: entry.actor.clone(), at: entry.at, body, seq: entry.seq })
}

pub(super) fn one<T>(
    connection: &Connection,
    table: &'static str,
    sql: &'static str,
    params: impl Params,
    read: impl FnOnce(&Row<'_>) -> rusqlite::Result<T>,
) -> Result<Option<T>, StorageError> {
    let mut statement = connection.prepare_cached(sql).map_err(failed("looking something up"))?;
    statement.query_row(params, read).optional().map_err(unreadable(table))
}

pub(super) fn many<T>(
    connection: &Connection,
    table: &'static str,
    sql: &'static str,
    params: impl Params,
    read: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
) -> Result<Vec<T>, StorageError> {
    let mut statement = connection.prepare_cached(sql).map_err(failed("looking something up"))?;
    let rows = statement.query_map(params, read).map_err(unreadable(table))?;
    rows.collect::<Result<_, _>>().map_err(unreadable(table))
}

/// A row that does not have our form is told from a database that does not answer.
pub(super) fn unreadable(table: &'static str) -> impl Fn(rusqlite::Error) -> StorageError + Copy {
    move |error| match error.sqlite_error() {
        Some(_) => failed("looking something up")(error),
        None => StorageError::Row { table },
    }
}

fn debtor(row: &Row<'_>) -> rusqlite::Result<DebtorKey> {
    row.get::<_, DebtorColumn>(0).map(|column| column.0)
}

pub(super) fn with_point(connection: &Connection, point: PointKey) -> Result<Vec<DebtorKey>, StorageError> {
    let sql = "SELECT stream FROM points WHERE point = ?1 ORDER BY stream";
    many(connection, "points", sql, [point.0.as_bytes()], debtor)
}

pub(super) fn with_account(
    connection: &Connection,
    account: AccountKey,
) -> Result<Vec<DebtorKey>, StorageError> {
    let sql = "SELECT stream FROM accounts WHERE account = ?1 ORDER BY stream";
    many(connection, "accounts", sql, [account.0.as_bytes()], debtor)
}

pub(super) fn inbound_ref(
    connection: &Connection,
    provider: &str,
    reference: &str,
) -> Result<Vec<DebtorKey>, StorageError> {
    let sql = "SELECT stream FROM inbound_refs WHERE provider = ?1 AND ref = ?2 ORDER BY stream";
    many(connection, "inbound_refs", sql, (provider, reference), debtor)
}

pub(super) fn reported(
    connection: &Connection,
    event_key: Pseudonym,
) -> Result<Option<ReportedRow>, StorageError> {
    let sql = "SELECT stream, seq, body_digest FROM reported WHERE event_key = ?1";
    one(connection, "reported", sql, [event_key.as_bytes()], |row| {
        Ok(ReportedRow { debtor: debtor(row)?, seq: row.get::<_, Count>(1)?.0, body_digest: row.get(2)? })
    })
}

fn permit_row(row: &Row<'_>) -> rusqlite::Result<PermitRow> {
    Ok(PermitRow {
        debtor: debtor(row)?,
        permit: PermitId::from_bytes(row.get(1)?),
        status: row.get::<_, Word<PermitStatus>>(2)?.0,
        expires_at: Timestamp::from_millis(row.get(3)?),
    })
}

pub(super) fn permit(connection: &Connection, permit: PermitId) -> Result<Option<PermitRow>, StorageError> {
    let sql = "SELECT stream, permit, status, expires_at FROM permits WHERE permit = ?1";
    one(connection, "permits", sql, [permit.as_bytes()], permit_row)
}

pub(super) fn issued_permits(connection: &Connection) -> Result<Vec<PermitRow>, StorageError> {
    let sql = "SELECT stream, permit, status, expires_at FROM permits
               WHERE status = 'issued' ORDER BY expires_at";
    many(connection, "permits", sql, [], permit_row)
}

fn review_row(row: &Row<'_>) -> rusqlite::Result<ReviewRow> {
    Ok(ReviewRow {
        debtor: debtor(row)?,
        review: ReviewId::from_bytes(row.get(1)?),
        channel: row.get::<_, Word<Channel>>(2)?.0,
        point: PointKey(Pseudonym::from_bytes(row.get(3)?)),
        opened_at: Timestamp::from_millis(row.get(4)?),
        resolution: row.get::<_, Option<Word<ReviewResolution>>>(5)?.map(|word| word.0),
    })
}

pub(super) fn review(connection: &Connection, review: ReviewId) -> Result<Option<ReviewRow>, StorageError> {
    let sql = "SELECT stream, review, channel, point, opened_at, resolution FROM reviews WHERE review = ?1";
    one(connection, "reviews", sql, [review.as_bytes()], review_row)
}

pub(super) fn open_reviews(connection: &Connection, most: usize) -> Result<Vec<ReviewRow>, StorageError> {
    let sql = "SELECT stream, review, channel, point, opened_at, resolution FROM reviews
               WHERE resolution IS NULL ORDER BY opened_at LIMIT ?1";
    many(connection, "reviews", sql, [limit(most)], review_row)
}

pub(super) fn pauses(connection: &Connection) -> Result<Vec<crate::domain::event::Pause>, StorageError> {
    let bodies: Vec<String> =
        many(connection, "pauses", "SELECT body FROM pauses ORDER BY name", [], |row| row.get(0))?;
    let read = |body: String| serde_json::from_str(&body).map_err(|_| StorageError::Row { table: "pauses" });
    bodies.into_iter().map(read).collect()
}
