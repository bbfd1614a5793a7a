//! The requests that moved since their table last took them over.
//!
//! A request moves three times within a second or two, and each move in the table and its indexes would cost six pages of the
//! disk a commit. So a commit only notes what moved, packed in one row; memory has it until the table takes it over in bulk, as
//! those of the [`super::index`] do.
//!
//! A reader asks here before it asks the table: what is taken over in between is then found in both, or the list is made again.

use super::connection::failed;
use super::index::Index;
use super::requests;
use super::tail::behind;
use crate::domain::channel::{Channel, Priority};
use crate::domain::id::{DebtorKey, Pseudonym, RequestId};
use crate::domain::request::RequestStatus;
use crate::domain::time::Timestamp;
use crate::storage::{Page, RequestFilter, RequestRow, StorageError};
use rusqlite::Connection;
use std::collections::BTreeMap;
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

/// Notes that a commit throws away, once the table has what they say.
const NOTES: i64 = 16;
const KEEPING: &str = "keeping requests";

/// Finds requests, among those that moved or in the table.
pub(super) struct Moved {
    newer: RwLock<Newer>,
    /// Requests in memory before the table takes them over.
    full: usize,
}

type Rows = BTreeMap<RequestId, RequestRow>;

/// What the table lacks.
#[derive(Default)]
struct Newer {
    fresh: Rows,
    /// The place of their newest note.
    noted: i64,
    /// What is being taken over.
    older: Option<Older>,
    /// How often the table has finished taking over.
    folds: u64,
}

/// What the table is just taking over.
struct Older {
    rows: Rows,
    noted: i64,
    taken: Taken,
}

/// How far the table has taken rows over.
#[derive(Clone, Copy, Default)]
pub(super) struct Taken {
    request: Option<RequestId>,
    /// Whether it has all of them, and their notes are gone.
    whole: bool,
}

impl Newer {
    fn read(connection: &Connection) -> Result<Self, StorageError> {
        let (fresh, noted) = read(connection)?;
        Ok(Self { fresh, noted, ..Self::default() })
    }

    /// Each request's newest row is in the first that has it.
    fn each(&self) -> impl Iterator<Item = &Rows> {
        std::iter::once(&self.fresh).chain(self.older.as_ref().map(|older| &older.rows))
    }

    fn row(&self, request: RequestId) -> Option<&RequestRow> {
        self.each().find_map(|rows| rows.get(&request))
    }
}

impl Moved {
    /// What the table of a store lacks.
    pub(super) fn open(connection: &Connection, bulk: usize) -> Result<Self, StorageError> {
        Ok(Self { newer: RwLock::new(Newer::read(connection)?), full: bulk })
    }

    /// Reads again what the table lacks: another process may have written.
    pub(super) fn catch_up(&self, connection: &Connection) -> Result<(), StorageError> {
        let read = Newer::read(connection)?;
        let mut newer = self.write();
        *newer = Newer { folds: newer.folds + 1, ..read };
        Ok(())
    }

    /// Notes rows in an open transaction, and gives the place of the note; once it is committed, [`Self::take_in`].
    pub(super) fn note<'r>(
        &self,
        connection: &Connection,
        rows: impl Iterator<Item = &'r RequestRow>,
        packed: &mut Vec<u8>,
    ) -> Result<Option<i64>, StorageError> {
        packed.clear();
        rows.for_each(|row| pack(row, packed));
        if packed.is_empty() {
            return Ok(None);
        }
        // Behind every note there ever was: those up to a place are thrown away once the table has what they say.
        let place = self.read().noted + 1;
        connection
            .prepare_cached("INSERT INTO moved (place, rows) VALUES (?1, ?2)")
            .and_then(|mut statement| statement.execute((place, &*packed)))
            .map(|_| Some(place))
            .map_err(failed(KEEPING))
    }

    /// Takes in rows whose note is committed.
    pub(super) fn take_in(&self, rows: impl Iterator<Item = (RequestId, RequestRow)>, noted: Option<i64>) {
        let mut newer = self.write();
        newer.fresh.extend(rows);
        newer.noted = noted.unwrap_or(newer.noted);
    }

    /// A request by our identifier.
    pub(super) fn by_id(
        &self,
        connection: &Connection,
        request: RequestId,
    ) -> Result<Option<RequestRow>, StorageError> {
        let newer = self.read().row(request).cloned();
        newer.map_or_else(|| requests::by_id(connection, request), |row| Ok(Some(row)))
    }

    /// Walks the requests that are still open or have something due: those that wait for a fact, then those due first.
    pub(super) fn each_open(
        &self,
        connection: &Connection,
        mut each: impl FnMut(RequestRow),
    ) -> Result<(), StorageError> {
        let newer: Rows = {
            let newer = self.read();
            let older = newer.older.iter().flat_map(|older| &older.rows);
            older.chain(&newer.fresh).map(|(request, row)| (*request, row.clone())).collect()
        };
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
                let newest = self.read().row(row.request).cloned().unwrap_or(row);
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

    /// Those that a filter lets pass: of each part, up to one more than it asks for.
    fn matching(&self, filter: &RequestFilter) -> Rows {
        let newer = self.read();
        let mut found = Rows::new();
        for rows in newer.each() {
            let behind = behind(rows, filter.after.as_ref());
            let passing = behind.filter(|(request, row)| {
                requests::matches(filter, row) && newer.row(**request).is_some_and(|newest| newest == *row)
            });
            let wanted = passing.take(filter.limit.saturating_add(1));
            found.extend(wanted.map(|(request, row)| (*request, row.clone())));
        }
        found
    }

    /// Whether the table lacks nothing.
    pub(super) fn is_empty(&self) -> bool {
        self.read().each().all(BTreeMap::is_empty)
    }

    /// Whether much more waits than the table should ever lack.
    pub(super) fn is_overdue(&self) -> bool {
        self.read().each().map(BTreeMap::len).sum::<usize>() >= self.full.saturating_mul(2)
    }

    /// Lets the table take so many rows over, or throws some notes away that it has, in an open transaction; once it is
    /// committed, [`Self::have_taken`].
    pub(super) fn take_over(
        &self,
        connection: &Connection,
        rows: usize,
    ) -> Result<Option<Taken>, StorageError> {
        let newer = self.read();
        let Some(older) = &newer.older else { return Ok(None) };
        let mut taken = older.taken;
        for (request, row) in behind(&older.rows, taken.request.as_ref()).take(rows) {
            requests::put(connection, row)?;
            taken.request = Some(*request);
        }
        if taken.request.as_ref() == older.rows.last_key_value().map(|(request, _)| request) {
            // The oldest first: what is left then says again what the table has.
            let thrown = connection
                .prepare_cached(
                    "DELETE FROM moved WHERE place <= ?1 AND place < (SELECT min(place) FROM moved) + ?2",
                )
                .and_then(|mut statement| statement.execute([older.noted, NOTES]))
                .map_err(failed(KEEPING))?;
            taken.whole = thrown == 0;
        }
        Ok(Some(taken))
    }

    /// Goes on from what is committed.
    pub(super) fn have_taken(&self, taken: Option<Taken>) {
        let mut newer = self.write();
        let mut whole = None;
        match (taken, &mut newer.older) {
            (Some(taken), older) if taken.whole => whole = older.take(),
            (Some(taken), Some(older)) => older.taken = taken,
            (Some(_) | None, _) => {}
        }
        newer.folds += u64::from(whole.is_some());
        if newer.older.is_none() && newer.fresh.len() >= self.full {
            let rows = std::mem::take(&mut newer.fresh);
            newer.older = Some(Older { rows, noted: newer.noted, taken: Taken::default() });
        }
        drop(newer);
        drop(whole);
    }

    /// Lets the table take everything over in an open transaction; once it is committed, [`Self::clear`].
    pub(super) fn take_all_over(&self, connection: &Connection) -> Result<(), StorageError> {
        let newer = self.read();
        let older = newer.older.iter().flat_map(|older| behind(&older.rows, older.taken.request.as_ref()));
        older.chain(&newer.fresh).try_for_each(|(_, row)| requests::put(connection, row))?;
        connection.execute("DELETE FROM moved", []).map(|_| ()).map_err(failed(KEEPING))
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

/// What the table lacks, and the place of its newest note; of several rows of a request the last counts.
fn read(connection: &Connection) -> Result<(Rows, i64), StorageError> {
    let failed = failed("reading requests");
    let mut statement = connection.prepare("SELECT place, rows FROM moved ORDER BY place").map_err(failed)?;
    let mut found = statement.query([]).map_err(failed)?;
    let (mut rows, mut noted) = (Rows::new(), 0);
    while let Some(packed) = found.next().map_err(failed)? {
        noted = packed.get(0).map_err(failed)?;
        let mut rest = packed.get_ref(1).map_err(failed)?.as_blob().unwrap_or_default();
        while !rest.is_empty() {
            let row = unpack(&mut rest).ok_or(StorageError::Corrupt { doing: "reading requests" })?;
            rows.insert(row.request, row);
        }
    }
    Ok((rows, noted))
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
