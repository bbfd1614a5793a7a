//! The table of contact requests as lists and the scheduler see them. The pipeline folds them; the store keeps the last state,
//! and [`super::moved`] what the table lacks of it.

use super::connection::failed;
use super::index::Index;
use super::rows::{DebtorColumn, Word, unreadable};
use crate::domain::channel::{Channel, Priority};
use crate::domain::event::Stream;
use crate::domain::id::{Pseudonym, RequestId};
use crate::domain::request::RequestStatus;
use crate::domain::time::Timestamp;
use crate::storage::{RequestFilter, RequestRow, StorageError};
use rusqlite::{Connection, OptionalExtension, Row, ToSql};

const TABLE: &str = "requests";

macro_rules! select {
    ($($rest:literal),+) => {
        concat!(
            "SELECT request, request_key, body_digest, stream, status, channel, campaign, accepted_at, due_at,
                    expires_at, priority FROM requests WHERE ",
            $($rest),+
        )
    };
}

macro_rules! filtered {
    ($first:literal) => {
        select!(
            $first,
            " AND request > ?1
              AND (?2 IS NULL OR status IN (SELECT value FROM json_each(?2)))
              AND (?3 IS NULL OR channel = ?3)
              AND accepted_at >= ?5 AND accepted_at < ?6
              ORDER BY request"
        )
    };
}

fn read(row: &Row<'_>) -> rusqlite::Result<RequestRow> {
    Ok(RequestRow {
        request: RequestId::from_bytes(row.get(0)?),
        request_key: Pseudonym::from_bytes(row.get(1)?),
        body_digest: row.get(2)?,
        debtor: row.get::<_, DebtorColumn>(3)?.0,
        status: row.get::<_, Word<RequestStatus>>(4)?.0,
        channel: row.get::<_, Option<Word<Channel>>>(5)?.map(|word| word.0),
        campaign: row.get::<_, Option<[u8; 16]>>(6)?.map(Pseudonym::from_bytes),
        accepted_at: Timestamp::from_millis(row.get(7)?),
        due_at: row.get::<_, Option<i64>>(8)?.map(Timestamp::from_millis),
        expires_at: Timestamp::from_millis(row.get(9)?),
        priority: row.get::<_, Word<Priority>>(10)?.0,
    })
}

/// Whether it is still to be looked at: one that was sent may fall back to another channel.
pub(super) fn is_open(row: &RequestRow) -> bool {
    row.status.is_open() || row.due_at.is_some()
}

pub(super) fn put(connection: &Connection, row: &RequestRow) -> Result<(), StorageError> {
    let failed = failed("keeping a request");
    connection
        .prepare_cached(
            "INSERT INTO requests (request, request_key, body_digest, stream, status, open, channel, campaign,
                                   accepted_at, due_at, expires_at, priority)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)
             ON CONFLICT (request) DO UPDATE SET status = excluded.status, open = excluded.open,
                 channel = excluded.channel, due_at = excluded.due_at, expires_at = excluded.expires_at,
                 priority = excluded.priority",
        )
        .map_err(failed)?
        .execute((
            row.request.as_bytes(),
            row.request_key.as_bytes(),
            row.body_digest,
            row.debtor.0.as_bytes(),
            row.status.as_str(),
            is_open(row),
            row.channel.map(Channel::as_str),
            row.campaign.as_ref().map(Pseudonym::as_bytes),
            row.accepted_at.millis(),
            row.due_at.map(Timestamp::millis),
            row.expires_at.millis(),
            row.priority.as_str(),
        ))
        .map(|_| ())
        .map_err(failed)
}

pub(super) fn by_id(connection: &Connection, request: RequestId) -> Result<Option<RequestRow>, StorageError> {
    connection
        .prepare_cached(select!("request = ?1"))
        .map_err(failed("looking a request up"))?
        .query_row([request.as_bytes()], read)
        .optional()
        .map_err(unreadable(TABLE))
}

/// Walks the requests that are still open or have something due: those that wait for a fact, then those due first.
pub(super) fn each_open(
    connection: &Connection,
    mut each: impl FnMut(RequestRow),
) -> Result<(), StorageError> {
    let mut statement = connection
        .prepare_cached(select!("open = 1 ORDER BY due_at"))
        .map_err(failed("listing open requests"))?;
    for row in statement.query_map([], read).map_err(unreadable(TABLE))? {
        each(row.map_err(unreadable(TABLE))?);
    }
    Ok(())
}

/// Whether a filter lets a row pass.
pub(super) fn matches(filter: &RequestFilter, row: &RequestRow) -> bool {
    filter.debtors.as_ref().is_none_or(|debtors| debtors.contains(&row.debtor))
        && (filter.statuses.is_empty() || filter.statuses.contains(&row.status))
        && filter.channel.is_none_or(|channel| row.channel == Some(channel))
        && filter.campaign.is_none_or(|campaign| row.campaign == Some(campaign))
        && filter.accepted_since.is_none_or(|since| row.accepted_at >= since)
        && filter.accepted_until.is_none_or(|until| row.accepted_at < until)
        && filter.after.is_none_or(|after| row.request > after)
}

/// Walks the rows that a filter lets pass, oldest first (of each debtor, where debtors are named), until `each` has counted one
/// more than it asks for.
pub(super) fn each_matching(
    connection: &Connection,
    index: &Index,
    filter: &RequestFilter,
    mut each: impl FnMut(RequestRow) -> bool,
) -> Result<(), StorageError> {
    match (&filter.debtors, filter.campaign) {
        (Some(debtors), _) => debtors.iter().try_for_each(|debtor| {
            let leaves = index.leaves(connection, &Stream::Debtor(*debtor), 0, usize::MAX)?;
            walk(connection, BY_DEBTOR, filter, Some(&leaves), &mut each)
        }),
        (None, Some(_)) => walk(connection, BY_CAMPAIGN, filter, None, &mut each),
        (None, None) => walk(connection, BY_ID, filter, None, &mut each),
    }
}

const BY_ID: &str = filtered!("?7 IS NULL");
/// A debtor's requests stand in its chain; an index of their own would cost every request a page.
const BY_DEBTOR: &str = filtered!(
    "request IN (SELECT unhex(substr(json_extract(CAST(entry AS TEXT), '$.clear.request'), 5)) FROM events
                 WHERE leaf IN (SELECT value FROM json_each(?7)) AND type = 'request.accepted')
     AND (?4 IS NULL OR campaign = ?4)"
);
const BY_CAMPAIGN: &str = filtered!("campaign = ?4 AND ?7 IS NULL");

fn walk(
    connection: &Connection,
    sql: &'static str,
    filter: &RequestFilter,
    leaves: Option<&[u64]>,
    each: &mut impl FnMut(RequestRow) -> bool,
) -> Result<(), StorageError> {
    let statuses: Vec<&str> = filter.statuses.iter().map(|status| status.as_str()).collect();
    let statuses = (!statuses.is_empty()).then(|| serde_json::json!(statuses).to_string());
    let after = filter.after.map_or([0; 16], |request| *request.as_bytes());
    let params: [&dyn ToSql; 7] = [
        &after,
        &statuses,
        &filter.channel.map(Channel::as_str),
        &filter.campaign.as_ref().map(Pseudonym::as_bytes),
        &filter.accepted_since.map_or(i64::MIN, Timestamp::millis),
        &filter.accepted_until.map_or(i64::MAX, Timestamp::millis),
        &leaves.map(|leaves| serde_json::json!(leaves).to_string()),
    ];
    let mut statement = connection.prepare_cached(sql).map_err(failed("listing requests"))?;
    let mut counted = 0;
    for row in statement.query_map(params, read).map_err(unreadable(TABLE))? {
        counted += usize::from(each(row.map_err(unreadable(TABLE))?));
        if counted > filter.limit {
            break;
        }
    }
    Ok(())
}
