//! The indexes whose keys fall anywhere: a debtor's events, a request by upstream's identifier, an attempt by its provider's.
//! With them the attempts themselves, whose beginning and end as a rule come close together.
//!
//! Kept up to date with each commit, they would cost every message six pages of the disk. So they follow in bulk: what was
//! written since is found through memory, its [`Tail`]. Once that is full, the tables take it over in sorted order, a few
//! rows with each commit, while a fresh one grows. After a crash the log's end says again what the tables lack.
//!
//! A reader asks the tails before it asks the tables: what is taken over in between is then found twice, and counted once. The
//! fresh one may also name what is not committed yet: whoever reads a stream or a request does not find that leaf, and stops
//! there; an attempt may seem begun or ended a moment before it durably is.

use super::attempts;
use super::connection::failed;
use super::rows::{Count, int, limit, unreadable};
use super::tail::{Attempted, Place, Tail, Taken, indexed};
use crate::domain::event::Stream;
use crate::domain::id::{AttemptId, Pseudonym, RequestId};
use crate::domain::time::Timestamp;
use crate::storage::seal::stream_bytes;
use crate::storage::{AttemptRow, StorageError};
use rusqlite::{Connection, OptionalExtension};
use std::collections::HashSet;
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

const TAKING_OVER: &str = "bringing the indexes up to date";

/// Finds things, in the tails or in the tables.
pub(super) struct Index {
    tails: RwLock<Tails>,
    /// Events in a tail before the tables take it over.
    full: u64,
}

/// What the tables lack.
#[derive(Default)]
struct Tails {
    fresh: Tail,
    /// What is being taken over, and how far it is.
    older: Option<(Tail, Taken)>,
}

impl Tails {
    fn of(fresh: Tail) -> Self {
        Self { fresh, older: None }
    }

    /// The newer first.
    fn each(&self) -> impl Iterator<Item = &Tail> {
        std::iter::once(&self.fresh).chain(self.older.as_ref().map(|(tail, _)| tail))
    }

    fn from(&self) -> u64 {
        self.older.as_ref().map_or(self.fresh.from, |(tail, _)| tail.from)
    }

    fn places(&self, stream: &Stream) -> Vec<Place> {
        let older = self.older.as_ref().and_then(|(tail, _)| tail.streams.get(stream));
        let both = older.into_iter().chain(self.fresh.streams.get(stream));
        both.flatten().copied().collect()
    }
}

impl Index {
    /// The index of a log.
    pub(super) fn open(connection: &Connection, bulk: usize) -> Result<Self, StorageError> {
        let full = u64::try_from(bulk).unwrap_or(u64::MAX);
        Ok(Self { tails: RwLock::new(Tails::of(Tail::read(connection)?)), full })
    }

    /// Reads the tail again if another process has written since, or has brought the tables up to date.
    pub(super) fn catch_up(&self, connection: &Connection, log_size: u64) -> Result<(), StorageError> {
        let tails = self.read();
        let known = (tails.from(), tails.fresh.end);
        drop(tails);
        if known != (indexed(connection)?, log_size) {
            *self.write() = Tails::of(Tail::read(connection)?);
        }
        Ok(())
    }

    /// The leaves of a stream's events behind a place, in order.
    pub(super) fn leaves(
        &self,
        connection: &Connection,
        stream: &Stream,
        after: u64,
        most: usize,
    ) -> Result<Vec<u64>, StorageError> {
        let newer = self.read().places(stream);
        let failed = failed("reading a stream");
        let mut statement = connection
            .prepare_cached(
                "SELECT seq, leaf FROM stream_index WHERE stream = ?1 AND seq > ?2 ORDER BY seq LIMIT ?3",
            )
            .map_err(failed)?;
        let mut rows = statement.query((stream_bytes(stream), int(after), limit(most))).map_err(failed)?;
        let (mut leaves, mut last) = (Vec::new(), after);
        while let Some(row) = rows.next().map_err(failed)? {
            last = row.get::<_, Count>(0).map_err(failed)?.0;
            leaves.push(row.get::<_, Count>(1).map_err(failed)?.0);
        }
        leaves.extend(newer.iter().filter(|place| place.seq > last).map(|place| place.leaf));
        leaves.truncate(most);
        Ok(leaves)
    }

    /// The newest event of a stream.
    pub(super) fn newest(
        &self,
        connection: &Connection,
        stream: &Stream,
    ) -> Result<Option<Place>, StorageError> {
        if let Some(place) = self.read().each().find_map(|tail| tail.newest(stream)) {
            return Ok(Some(place));
        }
        connection
            .prepare_cached("SELECT seq, leaf FROM stream_index WHERE stream = ?1 ORDER BY seq DESC LIMIT 1")
            .map_err(failed("finding a stream's end"))?
            .query_row([stream_bytes(stream)], |row| {
                Ok(Place { seq: row.get::<_, Count>(0)?.0, leaf: row.get::<_, Count>(1)?.0 })
            })
            .optional()
            .map_err(failed("finding a stream's end"))
    }

    /// A request by the keyed hash of upstream's identifier.
    pub(super) fn request(
        &self,
        connection: &Connection,
        key: Pseudonym,
    ) -> Result<Option<RequestId>, StorageError> {
        if let Some((request, _)) = self.read().each().find_map(|tail| tail.requests.get(&key)) {
            return Ok(Some(*request));
        }
        connection
            .prepare_cached("SELECT request FROM request_keys WHERE request_key = ?1")
            .map_err(failed("looking a request up"))?
            .query_row([key.as_bytes()], |row| row.get(0).map(RequestId::from_bytes))
            .optional()
            .map_err(unreadable("request_keys"))
    }

    /// An attempt by our identifier.
    pub(super) fn attempt(
        &self,
        connection: &Connection,
        attempt: AttemptId,
    ) -> Result<Option<AttemptRow>, StorageError> {
        let newer = self.read().each().find_map(|tail| tail.attempts.get(&attempt)).map(Attempted::row);
        newer.map_or_else(|| attempts::by_id(connection, attempt), |row| Ok(Some(row)))
    }

    /// The attempts whose end is still to be recorded, oldest first.
    pub(super) fn open_attempts(&self, connection: &Connection) -> Result<Vec<AttemptRow>, StorageError> {
        let newer = self.newer_attempts(|_| true);
        let mut rows = with_newer(attempts::open(connection)?, newer);
        rows.retain(|row| row.open);
        Ok(rows)
    }

    /// The attempts over a provider since a moment, oldest first.
    pub(super) fn attempts_since(
        &self,
        connection: &Connection,
        provider: &str,
        since: Timestamp,
    ) -> Result<Vec<AttemptRow>, StorageError> {
        let newer = self.newer_attempts(|row| row.provider == provider && row.started_at >= since);
        Ok(with_newer(attempts::since(connection, provider, since)?, newer))
    }

    fn newer_attempts(&self, wanted: impl Fn(&AttemptRow) -> bool) -> Vec<AttemptRow> {
        let tails = self.read();
        tails.each().flat_map(|tail| tail.attempts.values()).map(Attempted::row).filter(wanted).collect()
    }

    /// An attempt by the identifier that its provider gave it. One that counts its messages anew may give an identifier
    /// twice, and then means the newer.
    pub(super) fn by_reference(
        &self,
        connection: &Connection,
        provider: &str,
        reference: &str,
    ) -> Result<Option<AttemptRow>, StorageError> {
        let newer: Vec<AttemptId> = {
            let tails = self.read();
            let named = tails.each().filter_map(|tail| tail.references.get(reference));
            named.flat_map(|attempts| attempts.iter().rev().map(|(id, _)| *id)).collect()
        };
        for id in newer {
            let found = self.attempt(connection, id)?.filter(|row| row.provider == provider);
            if found.is_some() {
                return Ok(found);
            }
        }
        let known: Option<[u8; 16]> = connection
            .prepare_cached("SELECT attempt FROM provider_refs WHERE provider = ?1 AND ref = ?2")
            .map_err(failed("looking an attempt up"))?
            .query_row((provider, reference), |row| row.get(0))
            .optional()
            .map_err(unreadable("provider_refs"))?;
        known.map_or(Ok(None), |id| self.attempt(connection, AttemptId::from_bytes(id)))
    }

    /// Takes in an event that is being written.
    pub(super) fn add_event(&self, stream: Stream, place: Place) {
        self.write().fresh.event(stream, place);
    }

    /// Takes in a request that is being written, at a leaf.
    pub(super) fn add_request(&self, key: Pseudonym, request: RequestId, leaf: u64) {
        self.write().fresh.requests.insert(key, (request, leaf));
    }

    /// Takes in what a provider calls an attempt, written at a leaf.
    pub(super) fn add_reference(&self, reference: &str, attempt: AttemptId, leaf: u64) {
        self.write().fresh.references.entry(reference.to_owned()).or_default().push((attempt, leaf));
    }

    /// Takes in an attempt that begins at a leaf.
    pub(super) fn add_attempt(&self, row: AttemptRow, leaf: u64) {
        self.write().fresh.attempt(row, leaf);
    }

    /// Takes in that an attempt has ended, at a leaf. `false` where the table is to be told.
    pub(super) fn end_attempt(&self, attempt: AttemptId, leaf: u64) -> bool {
        let Tails { fresh, older } = &mut *self.write();
        if fresh.ended(attempt, leaf) {
            return true;
        }
        older.as_mut().is_some_and(|(tail, taken)| tail.ended(attempt, leaf) && !taken.has(attempt))
    }

    /// Forgets what was written from a leaf on: it was not committed.
    pub(super) fn forget_from(&self, leaf: u64) {
        let Tails { fresh, older } = &mut *self.write();
        fresh.forget_from(leaf);
        older.iter_mut().for_each(|(tail, _)| tail.forget_ends_from(leaf));
    }

    /// Whether the tables lack nothing.
    pub(super) fn is_empty(&self) -> bool {
        let tails = self.read();
        tails.fresh.end == tails.from()
    }

    /// Whether much more waits than the tables should ever lack.
    pub(super) fn is_overdue(&self) -> bool {
        let tails = self.read();
        tails.fresh.end - tails.from() >= self.full.saturating_mul(2)
    }

    /// Lets the tables take some rows over in an open transaction; once it is committed, [`Self::have_taken`].
    pub(super) fn take_over(
        &self,
        connection: &Connection,
        rows: usize,
    ) -> Result<Option<Taken>, StorageError> {
        let tails = self.read();
        let Some((older, taken)) = &tails.older else { return Ok(None) };
        let mut taken = taken.clone();
        older.take_over(connection, &mut taken, rows).map_err(failed(TAKING_OVER))?;
        Ok(Some(taken))
    }

    /// Goes on from what is committed.
    pub(super) fn have_taken(&self, taken: Option<Taken>) {
        let mut tails = self.write();
        let mut whole = None;
        match (taken, &mut tails.older) {
            (Some(taken), older) if taken.whole => whole = older.take(),
            (Some(taken), Some((_, known))) => *known = taken,
            (Some(_) | None, _) => {}
        }
        if tails.older.is_none() && tails.fresh.end - tails.fresh.from >= self.full {
            let end = tails.fresh.end;
            let full = std::mem::replace(&mut tails.fresh, Tail { from: end, end, ..Tail::default() });
            tails.older = Some((full, Taken::default()));
        }
        drop(tails);
        drop(whole);
    }

    /// Lets the tables take everything over in an open transaction; once it is committed, [`Self::clear`].
    pub(super) fn take_all_over(&self, connection: &Connection) -> Result<(), StorageError> {
        let tails = self.read();
        let failed = failed(TAKING_OVER);
        if let Some((older, taken)) = &tails.older {
            older.take_over(connection, &mut taken.clone(), usize::MAX).map_err(failed)?;
        }
        tails.fresh.take_over(connection, &mut Taken::default(), usize::MAX).map_err(failed)
    }

    /// Forgets what the tables have now.
    pub(super) fn clear(&self, log_size: u64) {
        *self.write() = Tails::of(Tail { from: log_size, end: log_size, ..Tail::default() });
    }

    fn read(&self) -> RwLockReadGuard<'_, Tails> {
        self.tails.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Tails> {
        self.tails.write().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The rows of the table, and instead of some what is newer; oldest first.
fn with_newer(mut rows: Vec<AttemptRow>, newer: Vec<AttemptRow>) -> Vec<AttemptRow> {
    let known: HashSet<AttemptId> = newer.iter().map(|row| row.attempt).collect();
    rows.retain(|row| !known.contains(&row.attempt));
    rows.extend(newer);
    rows.sort_by_key(|row| (row.started_at, row.attempt));
    rows
}
