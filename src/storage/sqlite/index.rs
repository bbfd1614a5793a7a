//! The indexes whose keys fall anywhere: a debtor's events, a request by upstream's identifier, an attempt by its provider's.
//! With them the attempts themselves, whose beginning and end as a rule come close together.
//!
//! Kept up to date with each commit, they would cost every message six pages of the disk. So they follow in bulk: what was
//! written since is found through memory, the tables take it in sorted order every [`FULL`] events, and after a crash the
//! log's tail says again what the tables lack.
//!
//! A reader asks the tail before it asks the tables: what is taken over in between is then found twice, and counted once. The
//! tail may also name what is not committed yet: whoever reads a stream or a request does not find that leaf, and stops there;
//! an attempt may seem begun or ended a moment before it durably is.

use super::attempts;
use super::connection::failed;
use super::rows::{Count, int, limit, unreadable};
use crate::domain::event::{EventBody, Stream};
use crate::domain::id::{AttemptId, Pseudonym, RequestId};
use crate::domain::time::Timestamp;
use crate::ledger::entry::Entry;
use crate::storage::seal::{stream_bytes, stream_from};
use crate::storage::{AttemptRow, StorageError};
use rusqlite::{Connection, OptionalExtension};
use std::collections::{HashMap, HashSet};
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

/// Events in the tail before the tables take them over: some megabytes of memory, a tenth of a second's work.
const FULL: u64 = 32_768;

/// Where an event stands: its place in its stream, and in the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) seq: u64,
    pub(super) leaf: u64,
}

/// Finds things, in the tail or in the tables.
pub(super) struct Index {
    tail: RwLock<Tail>,
}

/// What the tables lack.
#[derive(Default)]
struct Tail {
    /// The first leaf that the tables lack.
    from: u64,
    /// The leaf behind the last one.
    end: u64,
    streams: HashMap<Stream, Vec<Place>>,
    requests: HashMap<Pseudonym, (RequestId, u64)>,
    references: HashMap<String, Vec<(AttemptId, u64)>>,
    attempts: HashMap<AttemptId, Attempted>,
}

/// An attempt, and the leaves that began and ended it.
#[derive(Clone)]
struct Attempted {
    row: AttemptRow,
    begun: u64,
    ended: Option<u64>,
}

impl Attempted {
    fn row(&self) -> AttemptRow {
        AttemptRow { open: self.ended.is_none(), ..self.row.clone() }
    }
}

impl Index {
    /// The index of a log.
    pub(super) fn open(connection: &Connection) -> Result<Self, StorageError> {
        Ok(Self { tail: RwLock::new(Tail::read(connection)?) })
    }

    /// Reads the tail again if another process has written since, or has brought the tables up to date.
    pub(super) fn catch_up(&self, connection: &Connection, log_size: u64) -> Result<(), StorageError> {
        let tail = self.read();
        let known = (tail.from, tail.end);
        drop(tail);
        if known != (indexed(connection)?, log_size) {
            *self.write() = Tail::read(connection)?;
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
        let newer = self.read().streams.get(stream).cloned().unwrap_or_default();
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
        if let Some(place) = self.read().newest(stream) {
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
        if let Some((request, _)) = self.read().requests.get(&key) {
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
        let newer = self.read().attempts.get(&attempt).map(Attempted::row);
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
        self.read().attempts.values().filter(|known| wanted(&known.row)).map(Attempted::row).collect()
    }

    /// An attempt by the identifier that its provider gave it. One that counts its messages anew may give an identifier
    /// twice, and then means the newer.
    pub(super) fn by_reference(
        &self,
        connection: &Connection,
        provider: &str,
        reference: &str,
    ) -> Result<Option<AttemptRow>, StorageError> {
        let newer = self.read().references.get(reference).cloned().unwrap_or_default();
        for (id, _) in newer.iter().rev() {
            let found = self.attempt(connection, *id)?.filter(|row| row.provider == provider);
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
        self.write().event(stream, place);
    }

    /// Takes in a request that is being written, at a leaf.
    pub(super) fn add_request(&self, key: Pseudonym, request: RequestId, leaf: u64) {
        self.write().requests.insert(key, (request, leaf));
    }

    /// Takes in what a provider calls an attempt, written at a leaf.
    pub(super) fn add_reference(&self, reference: &str, attempt: AttemptId, leaf: u64) {
        self.write().references.entry(reference.to_owned()).or_default().push((attempt, leaf));
    }

    /// Takes in an attempt that begins at a leaf.
    pub(super) fn add_attempt(&self, row: AttemptRow, leaf: u64) {
        self.write().attempt(row, leaf);
    }

    /// Takes in that an attempt has ended, at a leaf. `false` where only the table can know it.
    pub(super) fn end_attempt(&self, attempt: AttemptId, leaf: u64) -> bool {
        self.write().ended(attempt, leaf)
    }

    /// Forgets what was written from a leaf on: it was not committed.
    pub(super) fn forget_from(&self, leaf: u64) {
        let mut tail = self.write();
        tail.end = leaf;
        tail.streams.retain(|_, places| {
            places.retain(|place| place.leaf < leaf);
            !places.is_empty()
        });
        tail.requests.retain(|_, (_, at)| *at < leaf);
        tail.references.retain(|_, attempts| {
            attempts.retain(|(_, at)| *at < leaf);
            !attempts.is_empty()
        });
        tail.attempts.retain(|_, known| {
            known.ended = known.ended.filter(|at| *at < leaf);
            known.begun < leaf
        });
    }

    /// Whether the tables should take the tail over.
    pub(super) fn is_full(&self) -> bool {
        let tail = self.read();
        tail.end - tail.from >= FULL
    }

    /// Whether the tables lack nothing.
    pub(super) fn is_empty(&self) -> bool {
        let tail = self.read();
        tail.end == tail.from
    }

    /// Brings the tables up to date, in an open transaction; once it is committed, [`Self::clear`].
    pub(super) fn fold(&self, connection: &Connection) -> Result<(), StorageError> {
        self.read().fold(connection).map_err(failed("bringing the indexes up to date"))
    }

    /// Forgets what the tables have now.
    pub(super) fn clear(&self, log_size: u64) {
        *self.write() = Tail { from: log_size, end: log_size, ..Tail::default() };
    }

    fn read(&self) -> RwLockReadGuard<'_, Tail> {
        self.tail.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Tail> {
        self.tail.write().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The first leaf that the tables lack.
fn indexed(connection: &Connection) -> Result<u64, StorageError> {
    let leaf = connection.query_row("SELECT leaf FROM indexed", [], |row| row.get::<_, Count>(0));
    leaf.map(|Count(leaf)| leaf).map_err(failed("reading the log's end"))
}

/// The rows of the table, and instead of some what is newer; oldest first.
fn with_newer(mut rows: Vec<AttemptRow>, newer: Vec<AttemptRow>) -> Vec<AttemptRow> {
    let known: HashSet<AttemptId> = newer.iter().map(|row| row.attempt).collect();
    rows.retain(|row| !known.contains(&row.attempt));
    rows.extend(newer);
    rows.sort_by_key(|row| (row.started_at, row.attempt));
    rows
}

impl Tail {
    /// What the log has and the tables lack.
    fn read(connection: &Connection) -> Result<Self, StorageError> {
        let failed = failed("reading the log's end");
        let from = indexed(connection)?;
        let mut tail = Self { from, end: from, ..Self::default() };
        let mut statement = connection
            .prepare(
                "SELECT leaf, stream, seq,
                        CASE WHEN type = 'request.accepted' OR type = 'delivery.updated' OR type GLOB 'attempt.*'
                             THEN entry END
                 FROM events WHERE leaf >= ?1 ORDER BY leaf",
            )
            .map_err(failed)?;
        let mut rows = statement.query([int(from)]).map_err(failed)?;
        while let Some(row) = rows.next().map_err(failed)? {
            let Count(leaf) = row.get(0).map_err(failed)?;
            let unreadable = StorageError::Unreadable { leaf };
            let stream = row.get_ref(1).map_err(failed)?.as_blob().ok().and_then(stream_from);
            let Some(stream) = stream else { return Err(unreadable) };
            tail.event(stream, Place { seq: row.get::<_, Count>(2).map_err(failed)?.0, leaf });
            if let Ok(bytes) = row.get_ref(3).map_err(failed)?.as_blob() {
                tail.entry(leaf, bytes).ok_or(unreadable)?;
            }
        }
        Ok(tail)
    }

    fn entry(&mut self, leaf: u64, bytes: &[u8]) -> Option<()> {
        let entry = Entry::parse(bytes).ok()?;
        let body = EventBody::read(entry.type_name, entry.clear.as_bytes(), None).ok()?;
        match &body {
            EventBody::RequestAccepted(order, _) => {
                self.requests.insert(order.request_key, (order.request, leaf));
            }
            EventBody::AttemptSent(sent, _) => {
                if let Some(reference) = &sent.provider_ref {
                    self.references.entry(reference.clone()).or_default().push((sent.attempt, leaf));
                }
            }
            _ => {}
        }
        if let Some(attempt) = attempts::begun(entry.stream, entry.at, &body) {
            self.attempt(attempt, leaf);
        }
        if let Some(attempt) = attempts::ended(&body) {
            // One that the table had already was ended there, in the commit that said so.
            self.ended(attempt, leaf);
        }
        Some(())
    }

    fn attempt(&mut self, row: AttemptRow, leaf: u64) {
        self.attempts.insert(row.attempt, Attempted { row, begun: leaf, ended: None });
    }

    fn ended(&mut self, attempt: AttemptId, leaf: u64) -> bool {
        let known = self.attempts.get_mut(&attempt);
        known.map(|known| known.ended.get_or_insert(leaf)).is_some()
    }

    fn event(&mut self, stream: Stream, place: Place) {
        self.streams.entry(stream).or_default().push(place);
        self.end = place.leaf + 1;
    }

    fn newest(&self, stream: &Stream) -> Option<Place> {
        self.streams.get(stream).and_then(|places| places.last()).copied()
    }

    /// Into the tables in the order of their keys, so that each page is touched once.
    fn fold(&self, connection: &Connection) -> rusqlite::Result<()> {
        let mut streams: Vec<_> = self.streams.iter().collect();
        streams.sort_unstable_by(|left, right| stream_bytes(left.0).cmp(stream_bytes(right.0)));
        let mut insert =
            connection.prepare_cached("INSERT OR REPLACE INTO stream_index VALUES (?1, ?2, ?3)")?;
        for (stream, places) in streams {
            for place in places {
                insert.execute((stream_bytes(stream), int(place.seq), int(place.leaf)))?;
            }
        }
        let mut requests: Vec<_> = self.requests.iter().collect();
        requests.sort_unstable_by_key(|(key, _)| *key.as_bytes());
        let mut insert = connection.prepare_cached("INSERT OR IGNORE INTO request_keys VALUES (?1, ?2)")?;
        for (key, (request, _)) in requests {
            insert.execute((key.as_bytes(), request.as_bytes()))?;
        }
        // Before what is looked up through them.
        let mut attempts: Vec<_> = self.attempts.values().collect();
        attempts.sort_unstable_by_key(|known| known.row.attempt);
        attempts.into_iter().try_for_each(|known| attempts::put(connection, &known.row()))?;
        let mut references: Vec<_> = self.references.iter().collect();
        references.sort_unstable();
        let mut insert = connection.prepare_cached(
            "INSERT OR REPLACE INTO provider_refs SELECT provider, ?2, attempt FROM attempts WHERE attempt = ?1",
        )?;
        for (reference, attempts) in references {
            for (attempt, _) in attempts {
                insert.execute((attempt.as_bytes(), reference))?;
            }
        }
        connection.prepare_cached("UPDATE indexed SET leaf = ?1")?.execute([int(self.end)]).map(|_| ())
    }
}
