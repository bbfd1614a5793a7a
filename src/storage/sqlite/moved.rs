//! The requests that moved since their table last took them over.
//!
//! A request moves three times within a second or two, and each move in the table and its indexes would cost six pages of the
//! disk a commit. So a commit only notes what moved, packed in one row; memory has it until the table takes all of it over in
//! bulk, together with the [`super::index`].
//!
//! A reader asks here before it asks the table: what is taken over in between is then found in both, or the list is made again.

use super::connection::failed;
use super::index::Index;
use super::requests;
use crate::domain::channel::{Channel, Priority};
use crate::domain::id::{DebtorKey, Pseudonym, RequestId};
use crate::domain::request::RequestStatus;
use crate::domain::time::Timestamp;
use crate::storage::{Page, RequestFilter, RequestRow, StorageError};
use rusqlite::Connection;
use std::collections::{BTreeMap, HashMap};
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

/// Rows in memory before the table takes them over.
const FULL: usize = 32_768;

/// Finds requests, among those that moved or in the table.
pub(super) struct Moved {
    newer: RwLock<Newer>,
}

/// What the table lacks.
#[derive(Default)]
struct Newer {
    rows: HashMap<RequestId, RequestRow>,
    /// How often the table has taken them over.
    folds: u64,
}

impl Moved {
    /// What the table of a store lacks.
    pub(super) fn open(connection: &Connection) -> Result<Self, StorageError> {
        Ok(Self { newer: RwLock::new(Newer { rows: read(connection)?, folds: 0 }) })
    }

    /// Reads again what the table lacks: another process may have written.
    pub(super) fn catch_up(&self, connection: &Connection) -> Result<(), StorageError> {
        self.write().rows = read(connection)?;
        Ok(())
    }

    /// Notes rows in an open transaction; once it is committed, [`Self::take`].
    pub(super) fn note<'r>(
        connection: &Connection,
        rows: impl Iterator<Item = &'r RequestRow>,
        packed: &mut Vec<u8>,
    ) -> Result<(), StorageError> {
        packed.clear();
        rows.for_each(|row| pack(row, packed));
        if packed.is_empty() {
            return Ok(());
        }
        connection
            .prepare_cached("INSERT INTO moved (rows) VALUES (?1)")
            .and_then(|mut statement| statement.execute([&*packed]))
            .map(|_| ())
            .map_err(failed("keeping requests"))
    }

    /// Takes in rows that are committed.
    pub(super) fn take(&self, rows: impl Iterator<Item = (RequestId, RequestRow)>) {
        self.write().rows.extend(rows);
    }

    /// A request by our identifier.
    pub(super) fn by_id(
        &self,
        connection: &Connection,
        request: RequestId,
    ) -> Result<Option<RequestRow>, StorageError> {
        let newer = self.read().rows.get(&request).cloned();
        newer.map_or_else(|| requests::by_id(connection, request), |row| Ok(Some(row)))
    }

    /// Walks the requests that are still open or have something due: those that wait for a fact, then those due first.
    pub(super) fn each_open(
        &self,
        connection: &Connection,
        mut each: impl FnMut(RequestRow),
    ) -> Result<(), StorageError> {
        let newer = self.read().rows.clone();
        let mut open: Vec<&RequestRow> = newer.values().filter(|row| requests::is_open(row)).collect();
        open.sort_unstable_by_key(|row| (row.due_at, row.request));
        let mut open = open.into_iter().peekable();
        requests::each_open(connection, |row| {
            if newer.contains_key(&row.request) {
                return;
            }
            let place = (row.due_at, row.request);
            while let Some(first) = open.next_if(|first| (first.due_at, first.request) < place) {
                each(first.clone());
            }
            each(row);
        })?;
        open.cloned().for_each(each);
        Ok(())
    }

    /// A page of a list, oldest first.
    pub(super) fn list(
        &self,
        connection: &Connection,
        index: &Index,
        filter: &RequestFilter,
    ) -> Result<Page<RequestRow, RequestId>, StorageError> {
        let items = loop {
            let folds = self.read().folds;
            let mut items = self.matching(filter);
            requests::each_matching(connection, index, filter, |row| {
                let newest = self.read().rows.get(&row.request).cloned().unwrap_or(row);
                let passes = requests::matches(filter, &newest);
                if passes {
                    items.entry(newest.request).or_insert(newest);
                }
                passes
            })?;
            // What was taken over in between may have been read as the table had it before.
            if self.read().folds == folds {
                break items;
            }
        };
        let more = items.len() > filter.limit;
        let items: Vec<RequestRow> = items.into_values().take(filter.limit).collect();
        let next = items.last().filter(|_| more).map(|row| row.request);
        Ok(Page { items, next })
    }

    /// Those that a filter lets pass, up to one more than it asks for.
    fn matching(&self, filter: &RequestFilter) -> BTreeMap<RequestId, RequestRow> {
        let newer = self.read();
        let mut found: Vec<_> = newer.rows.values().filter(|row| requests::matches(filter, row)).collect();
        found.sort_unstable_by_key(|row| row.request);
        found.truncate(filter.limit.saturating_add(1));
        found.into_iter().map(|row| (row.request, row.clone())).collect()
    }

    /// Whether the table lacks nothing.
    pub(super) fn is_empty(&self) -> bool {
        self.read().rows.is_empty()
    }

    /// Whether the table should take them over.
    pub(super) fn is_full(&self) -> bool {
        self.read().rows.len() >= FULL
    }

    /// Brings the table up to date in an open transaction that moves some more, in the order of its keys, so that each page is
    /// touched once; once it is committed, [`Self::clear`].
    pub(super) fn fold(
        &self,
        connection: &Connection,
        newest: &HashMap<RequestId, RequestRow>,
    ) -> Result<(), StorageError> {
        let newer = self.read();
        let known = newer.rows.values().filter(|row| !newest.contains_key(&row.request));
        let mut rows: Vec<_> = known.chain(newest.values()).collect();
        rows.sort_unstable_by_key(|row| row.request);
        rows.into_iter().try_for_each(|row| requests::put(connection, row))?;
        connection.execute("DELETE FROM moved", []).map(|_| ()).map_err(failed("keeping requests"))
    }

    /// Forgets what the table has now.
    pub(super) fn clear(&self) {
        let mut newer = self.write();
        *newer = Newer { folds: newer.folds + 1, ..Newer::default() };
    }

    fn read(&self) -> RwLockReadGuard<'_, Newer> {
        self.newer.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Newer> {
        self.newer.write().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What the table lacks; of several rows of a request the last counts.
fn read(connection: &Connection) -> Result<HashMap<RequestId, RequestRow>, StorageError> {
    let failed = failed("reading requests");
    let mut statement = connection.prepare("SELECT rows FROM moved ORDER BY place").map_err(failed)?;
    let mut found = statement.query([]).map_err(failed)?;
    let mut rows = HashMap::new();
    while let Some(packed) = found.next().map_err(failed)? {
        let mut rest = packed.get_ref(0).map_err(failed)?.as_blob().unwrap_or_default();
        while !rest.is_empty() {
            let row = unpack(&mut rest).ok_or(StorageError::Corrupt { doing: "reading requests" })?;
            rows.insert(row.request, row);
        }
    }
    Ok(rows)
}

/// A row's bytes: identifiers and digest as they are, moments in milliseconds (big-endian), words behind their length. What may
/// be missing stands behind a byte that says whether it is there.
fn pack(row: &RequestRow, packed: &mut Vec<u8>) {
    let moment = |packed: &mut Vec<u8>, at: Timestamp| packed.extend(at.millis().to_be_bytes());
    packed.extend(row.request.as_bytes());
    packed.extend(row.request_key.as_bytes());
    packed.extend(row.body_digest);
    packed.extend(row.debtor.0.as_bytes());
    moment(packed, row.accepted_at);
    moment(packed, row.expires_at);
    packed.push(u8::from(row.due_at.is_some()));
    row.due_at.into_iter().for_each(|at| moment(packed, at));
    packed.push(u8::from(row.campaign.is_some()));
    row.campaign.iter().for_each(|campaign| packed.extend(campaign.as_bytes()));
    for word in [row.status.as_str(), row.channel.map_or("", Channel::as_str), row.priority.as_str()] {
        packed.push(u8::try_from(word.len()).unwrap_or(u8::MAX));
        packed.extend(word.as_bytes());
    }
}

/// The row at the beginning of some bytes, which are then behind it.
fn unpack(rest: &mut &[u8]) -> Option<RequestRow> {
    Some(RequestRow {
        request: RequestId::from_bytes(bytes(rest)?),
        request_key: Pseudonym::from_bytes(bytes(rest)?),
        body_digest: bytes(rest)?,
        debtor: DebtorKey(Pseudonym::from_bytes(bytes(rest)?)),
        accepted_at: moment(rest)?,
        expires_at: moment(rest)?,
        due_at: if is_there(rest)? { Some(moment(rest)?) } else { None },
        campaign: if is_there(rest)? { Some(Pseudonym::from_bytes(bytes(rest)?)) } else { None },
        status: RequestStatus::from_word(word(rest)?)?,
        channel: match word(rest)? {
            "" => None,
            word => Some(Channel::from_word(word)?),
        },
        priority: Priority::from_word(word(rest)?)?,
    })
}

fn bytes<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    let (taken, behind) = rest.split_first_chunk()?;
    *rest = behind;
    Some(*taken)
}

fn moment(rest: &mut &[u8]) -> Option<Timestamp> {
    bytes(rest).map(|taken| Timestamp::from_millis(i64::from_be_bytes(taken)))
}

fn is_there(rest: &mut &[u8]) -> Option<bool> {
    bytes(rest).map(|[flag]| flag != 0)
}

fn word<'r>(rest: &mut &'r [u8]) -> Option<&'r str> {
    let [length] = bytes(rest)?;
    let (taken, behind) = rest.split_at_checked(usize::from(length))?;
    *rest = behind;
    std::str::from_utf8(taken).ok()
}
