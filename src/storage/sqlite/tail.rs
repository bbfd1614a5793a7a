//! What the index tables lack of the log, and how they take it over.

use super::attempts;
use super::connection::failed;
use super::rows::{Count, int};
use crate::domain::event::{EventBody, Stream};
use crate::domain::id::{AttemptId, Pseudonym, RequestId};
use crate::ledger::entry::Entry;
use crate::storage::seal::{stream_bytes, stream_from};
use crate::storage::{AttemptRow, StorageError};
use rusqlite::Connection;
use std::collections::BTreeMap;
use std::ops::Bound;

/// Where an event stands: its place in its stream, and in the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) seq: u64,
    pub(super) leaf: u64,
}

/// An attempt, and the leaves that began and ended it.
#[derive(Clone)]
pub(super) struct Attempted {
    row: AttemptRow,
    begun: u64,
    ended: Option<u64>,
}

impl Attempted {
    pub(super) fn row(&self) -> AttemptRow {
        AttemptRow { open: self.ended.is_none(), ..self.row.clone() }
    }
}

/// A part of the log that the tables lack.
#[derive(Default)]
pub(super) struct Tail {
    /// Its first leaf.
    pub(super) from: u64,
    /// The leaf behind its last one.
    pub(super) end: u64,
    pub(super) streams: BTreeMap<Stream, Vec<Place>>,
    pub(super) requests: BTreeMap<Pseudonym, (RequestId, u64)>,
    pub(super) references: BTreeMap<String, Vec<(AttemptId, u64)>>,
    pub(super) attempts: BTreeMap<AttemptId, Attempted>,
}

/// How far the tables have taken a tail over: up to which key of each.
#[derive(Clone, Default)]
pub(super) struct Taken {
    stream: Option<Stream>,
    request: Option<Pseudonym>,
    attempt: Option<AttemptId>,
    reference: Option<String>,
    /// Whether they have all of it.
    pub(super) whole: bool,
}

impl Taken {
    /// Whether the table of attempts has one, as it was then.
    pub(super) fn has(&self, attempt: AttemptId) -> bool {
        self.attempt.is_some_and(|last| attempt <= last)
    }
}

/// The first leaf that the tables lack.
pub(super) fn indexed(connection: &Connection) -> Result<u64, StorageError> {
    let leaf = connection.query_row("SELECT leaf FROM indexed", [], |row| row.get::<_, Count>(0));
    leaf.map(|Count(leaf)| leaf).map_err(failed("reading the log's end"))
}

impl Tail {
    /// What the log has and the tables lack.
    pub(super) fn read(connection: &Connection) -> Result<Self, StorageError> {
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

    pub(super) fn attempt(&mut self, row: AttemptRow, leaf: u64) {
        self.attempts.insert(row.attempt, Attempted { row, begun: leaf, ended: None });
    }

    pub(super) fn ended(&mut self, attempt: AttemptId, leaf: u64) -> bool {
        let known = self.attempts.get_mut(&attempt);
        known.map(|known| known.ended.get_or_insert(leaf)).is_some()
    }

    pub(super) fn event(&mut self, stream: Stream, place: Place) {
        self.streams.entry(stream).or_default().push(place);
        self.end = place.leaf + 1;
    }

    pub(super) fn newest(&self, stream: &Stream) -> Option<Place> {
        self.streams.get(stream).and_then(|places| places.last()).copied()
    }

    /// Forgets what was written from a leaf on: it was not committed.
    pub(super) fn forget_from(&mut self, leaf: u64) {
        self.end = leaf;
        self.streams.retain(|_, places| {
            places.retain(|place| place.leaf < leaf);
            !places.is_empty()
        });
        self.requests.retain(|_, (_, at)| *at < leaf);
        self.references.retain(|_, attempts| {
            attempts.retain(|(_, at)| *at < leaf);
            !attempts.is_empty()
        });
        self.attempts.retain(|_, known| known.begun < leaf);
        self.forget_ends_from(leaf);
    }

    /// The same of the ends of attempts, which may be written when the tail itself has ended.
    pub(super) fn forget_ends_from(&mut self, leaf: u64) {
        self.attempts.values_mut().for_each(|known| known.ended = known.ended.filter(|at| *at < leaf));
    }

    /// Brings so many rows more into the tables, in an open transaction and in the order of their keys: what stands together
    /// there is written together. All of a stream go at once, so that what the tables have of it is what came first.
    pub(super) fn take_over(
        &self,
        connection: &Connection,
        taken: &mut Taken,
        rows: usize,
    ) -> rusqlite::Result<()> {
        let mut left = rows;
        let mut insert =
            connection.prepare_cached("INSERT OR REPLACE INTO stream_index VALUES (?1, ?2, ?3)")?;
        for (stream, places) in behind(&self.streams, taken.stream.as_ref()) {
            if left == 0 {
                return Ok(());
            }
            for place in places {
                insert.execute((stream_bytes(stream), int(place.seq), int(place.leaf)))?;
            }
            left = left.saturating_sub(places.len());
            taken.stream = Some(*stream);
        }
        let mut insert = connection.prepare_cached("INSERT OR IGNORE INTO request_keys VALUES (?1, ?2)")?;
        for (key, (request, _)) in behind(&self.requests, taken.request.as_ref()).take(left) {
            insert.execute((key.as_bytes(), request.as_bytes()))?;
            left -= 1;
            taken.request = Some(*key);
        }
        // Before what is looked up through them.
        for (attempt, known) in behind(&self.attempts, taken.attempt.as_ref()).take(left) {
            attempts::put(connection, &known.row())?;
            left -= 1;
            taken.attempt = Some(*attempt);
        }
        let mut insert = connection.prepare_cached(
            "INSERT OR REPLACE INTO provider_refs SELECT provider, ?2, attempt FROM attempts WHERE attempt = ?1",
        )?;
        for (reference, attempts) in behind(&self.references, taken.reference.as_ref()) {
            if left == 0 {
                return Ok(());
            }
            for (attempt, _) in attempts {
                insert.execute((attempt.as_bytes(), reference))?;
            }
            left = left.saturating_sub(attempts.len());
            taken.reference = Some(reference.clone());
        }
        if left > 0 {
            connection.prepare_cached("UPDATE indexed SET leaf = ?1")?.execute([int(self.end)])?;
            taken.whole = true;
        }
        Ok(())
    }
}

/// What stands behind a key.
pub(super) fn behind<'m, K: Ord, V>(
    map: &'m BTreeMap<K, V>,
    key: Option<&K>,
) -> std::collections::btree_map::Range<'m, K, V> {
    let from = key.map_or(Bound::Unbounded, Bound::Excluded);
    map.range((from, Bound::Unbounded))
}
