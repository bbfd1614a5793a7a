//! The write door: one writer a store, and what it knows from batch to batch.

use super::connection::{self, Lock, Role, failed};
use super::moved;
use super::rows::Count;
use super::write::Batch;
use super::{Database, keyring, tail};
use crate::domain::event::Stream;
use crate::domain::id::RequestId;
use crate::storage::seal::{KeyId, Nonces, stream_bytes};
use crate::storage::{RequestRow, StorageError};
use rusqlite::Connection;
use std::collections::HashMap;
use std::fs::File;
use std::sync::Arc;

/// A writer of a store: there is one at a time.
pub struct Writer {
    pub(super) database: Arc<Database>,
    pub(super) history: Connection,
    pub(super) keys: Connection,
    pub(super) next_leaf: u64,
    /// The entry being written, behind the zero byte of its leaf hash.
    pub(super) entry: Vec<u8>,
    pub(super) sealed: Vec<u8>,
    pub(super) nonces: Nonces,
    /// The requests that the batch has touched; the room is kept from batch to batch.
    pub(super) dirty: HashMap<RequestId, RequestRow>,
    /// The same as the store keeps them.
    pub(super) packed: Vec<u8>,
    /// The log's length when something was last written to one of the streams that share a slot.
    pub(super) written: Vec<u64>,
    /// The write-ahead log, to be synced past the connection.
    pub(super) log: Arc<File>,
    /// The same, opened once more: the system tells a failure once to each who opened it, and this one takes none away.
    pub(super) own_log: File,
    /// Whether keys of erased debtors may be left.
    pub(super) owes_erasures: bool,
    _lock: Lock,
}

/// A batch that is written. Every one before it is durable too once this one is.
#[must_use = "what is written is not durable yet"]
#[derive(Clone)]
pub struct Written {
    pub(super) log: Arc<File>,
    pub(super) log_size: u64,
}

impl Written {
    /// Waits until the disk has it. May be called while the next batch is open.
    ///
    /// # Errors
    /// Whether it is on the disk cannot be known any more, and trying again says nothing: a system that could not write a page
    /// may forget that it had to. The store must be closed and opened anew.
    pub fn sync(&self) -> Result<(), StorageError> {
        sync(&self.log)
    }

    /// How many events the log has with it.
    pub fn log_size(&self) -> u64 {
        self.log_size
    }
}

fn sync(log: &File) -> Result<(), StorageError> {
    log.sync_data().map_err(|_| StorageError::Database { doing: "syncing the log", code: 0 })
}

/// Rows that a commit brings into the tables that follow in bulk, and more for each of its events and each request that it moves.
/// None of them adds as many: what waits is taken over before as much has come again, and evenly, for each row is a page to sync.
const ROWS: u64 = 8;
const ROWS_AN_EVENT: u64 = 3;
const ROWS_A_REQUEST: u64 = 2;

/// What a batch did for the tables that follow in bulk.
pub(super) struct Followed {
    noted: Option<i64>,
    moved: Option<moved::Taken>,
    index: Option<tail::Taken>,
}

/// Slots of streams: several times as many as there are chains at hand.
const SLOTS: usize = 1 << 19;

/// A stream's slot. A debtor's bytes are a keyed hash: any of them are as good as any other.
pub(super) fn slot(stream: &Stream) -> usize {
    stream_bytes(stream).iter().take(8).fold(0, |slot, byte| slot << 8 | usize::from(*byte)) % SLOTS
}

impl Writer {
    pub(in crate::storage) fn new(database: Arc<Database>) -> Result<Self, StorageError> {
        let lock = connection::lock(&database.path)?;
        let history = connection::open(&database.path, Role::Writer)?;
        let keys = connection::open(&database.keys_path, Role::Keys)?;
        let next_leaf = history
            .query_row("SELECT coalesce(max(leaf) + 1, 0) FROM events", [], |row| row.get::<_, Count>(0))
            .map(|count| count.0)
            .map_err(failed("finding the log's end"))?;
        database.index.catch_up(&history, next_leaf)?;
        database.moved.catch_up(&history)?;
        let log = Arc::new(connection::write_ahead_log(&database.path)?);
        let own_log = connection::write_ahead_log(&database.path)?;
        let mut writer = Self {
            database,
            history,
            keys,
            next_leaf,
            entry: Vec::with_capacity(4096),
            sealed: Vec::with_capacity(4096),
            nonces: Nonces::new(),
            dirty: HashMap::new(),
            packed: Vec::new(),
            written: vec![0; SLOTS],
            log,
            own_log,
            owes_erasures: true,
            _lock: lock,
        };
        // Processes that were all killed soon leave it to the next one.
        if writer.database.index.is_overdue() || writer.database.moved.is_overdue() {
            writer.settle()?;
        }
        writer.finish_erasures()?;
        Ok(writer)
    }

    /// Begins a batch. Nothing of it can be seen, or is kept, before [`Batch::commit`].
    pub fn begin(&mut self) -> Result<Batch<'_>, StorageError> {
        self.run("BEGIN IMMEDIATE", "beginning a batch")?;
        self.dirty.clear();
        Ok(Batch::open(self))
    }

    /// Leaves the indexes up to date, so that the next start need not read the log's end. To be called when nothing more will
    /// be written.
    pub fn settle(&mut self) -> Result<(), StorageError> {
        if self.database.index.is_empty() && self.database.moved.is_empty() {
            return Ok(());
        }
        self.run("BEGIN IMMEDIATE", "bringing the indexes up to date")?;
        let Database { index, moved, .. } = self.database.as_ref();
        let taken = moved.take_all_over(&self.history).and_then(|()| index.take_all_over(&self.history));
        self.run(if taken.is_ok() { "COMMIT" } else { "ROLLBACK" }, "bringing the indexes up to date")?;
        taken?;
        moved.clear();
        index.clear(self.next_leaf);
        Ok(())
    }

    /// Notes which requests a batch of so many events moved, and brings a part of what waits into the tables that follow in
    /// bulk, in its transaction; once it is committed, [`Self::followed`].
    pub(super) fn follow(&mut self, events: u64) -> Result<Followed, StorageError> {
        let Self { history, dirty, packed, database, .. } = self;
        let rows = |of: u64, times: u64| usize::try_from(ROWS + of * times).unwrap_or(usize::MAX);
        let moved = u64::try_from(dirty.len()).unwrap_or(u64::MAX);
        Ok(Followed {
            noted: database.moved.note(history, dirty.values(), packed)?,
            moved: database.moved.take_over(history, rows(moved, ROWS_A_REQUEST))?,
            index: database.index.take_over(history, rows(events, ROWS_AN_EVENT))?,
        })
    }

    /// Goes on from a batch that is committed.
    pub(super) fn followed(&mut self, followed: Followed) {
        let Database { index, moved, .. } = self.database.as_ref();
        moved.take_in(self.dirty.drain(), followed.noted);
        moved.have_taken(followed.moved);
        index.have_taken(followed.index);
    }

    /// How many events the log has.
    pub fn log_size(&self) -> u64 {
        self.next_leaf
    }

    pub(super) fn run(&self, statement: &str, doing: &'static str) -> Result<(), StorageError> {
        self.history
            .prepare_cached(statement)
            .and_then(|mut statement| statement.execute([]))
            .map(|_| ())
            .map_err(failed(doing))
    }

    /// Waits until the disk has everything written so far; [`Written::sync`] still has to be asked, and may fail too.
    ///
    /// # Errors
    /// As [`Written::sync`].
    pub fn sync(&self) -> Result<(), StorageError> {
        sync(&self.own_log)
    }

    /// Destroys the keys of erasures that are in the history but not yet done: those of the last commits, or of one that
    /// a crash cut short. To be called once the erasure is durable.
    ///
    /// # Errors
    /// A key is left; the next call, or the next opening, destroys it.
    pub fn finish_erasures(&mut self) -> Result<(), StorageError> {
        if !self.owes_erasures {
            return Ok(());
        }
        let keys = {
            let failed = failed("finishing erasures");
            let mut statement = self
                .history
                .prepare_cached("SELECT stream, key FROM erasures WHERE done = 0 AND key IS NOT NULL")
                .map_err(failed)?;
            let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).map_err(failed)?;
            rows.collect::<Result<Vec<(Vec<u8>, KeyId)>, _>>().map_err(failed)?
        };
        if !keys.is_empty() {
            keyring::destroy(&mut self.keys, &keys)?;
            self.run("UPDATE erasures SET done = 1 WHERE done = 0", "finishing erasures")?;
        }
        self.owes_erasures = false;
        Ok(())
    }

    /// Whether [`Self::finish_erasures`] has something to do.
    pub fn owes_erasures(&self) -> bool {
        self.owes_erasures
    }
}
