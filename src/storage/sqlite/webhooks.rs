//! How far each webhook's receiver has been told, and the places in the log that are read to tell on.

use super::connection::failed;
use super::read::Reader;
use super::rows::{Count, int, limit, unreadable};
use super::write::Batch;
use crate::domain::event::Stream;
use crate::domain::time::Timestamp;
use crate::ledger::LeafHash;
use crate::storage::seal::{stream_bytes, stream_from};
use crate::storage::{EventPlace, NoticeRow, StorageError, WebhookProgress};
use rusqlite::{OptionalExtension, Row};

impl Batch<'_> {
    /// Keeps how far a webhook has got; durable with everything else in the batch.
    pub fn keep_webhook(&mut self, name: &str, progress: &WebhookProgress) -> Result<(), StorageError> {
        self.sound()?;
        let kept = self.write_webhook(name, progress).map_err(failed("keeping how far a webhook has got"));
        self.spoil_on(kept)
    }

    fn write_webhook(&self, name: &str, progress: &WebhookProgress) -> rusqlite::Result<()> {
        let history = &self.writer.history;
        history
            .prepare_cached(
                "INSERT INTO webhooks (name, next_leaf) VALUES (?1, ?2)
                 ON CONFLICT (name) DO UPDATE SET next_leaf = excluded.next_leaf",
            )?
            .execute((name, int(progress.next_leaf)))?;
        let mut drop = history.prepare_cached("DELETE FROM webhook_backlog WHERE name = ?1 AND leaf = ?2")?;
        for leaf in &progress.settled {
            drop.execute((name, int(*leaf)))?;
        }
        let mut put = history.prepare_cached(
            "INSERT OR REPLACE INTO webhook_backlog
                 (name, leaf, stream, type, tries, first_tried_at, last_tried_at, due_at, error)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
        )?;
        for row in &progress.kept {
            put.execute((
                name,
                int(row.leaf),
                stream_bytes(&row.stream),
                &row.type_name,
                row.tries,
                row.first_tried_at.map(Timestamp::millis),
                row.last_tried_at.map(Timestamp::millis),
                row.due_at.map(Timestamp::millis),
                &row.error,
            ))?;
        }
        Ok(())
    }
}

const NOTICE: &str = "SELECT leaf, stream, type, tries, first_tried_at, last_tried_at, due_at, error
                      FROM webhook_backlog WHERE name = ?1";

impl Reader {
    /// Up to where a webhook's receiver has been told; none for a webhook that was never heard of.
    pub fn webhook_position(&self, name: &str) -> Result<Option<u64>, StorageError> {
        self.history()
            .prepare_cached("SELECT next_leaf FROM webhooks WHERE name = ?1")
            .and_then(|mut statement| statement.query_row([name], |row| row.get::<_, Count>(0)).optional())
            .map(|found| found.map(|count| count.0))
            .map_err(failed("reading how far a webhook has got"))
    }

    /// The notices of a webhook that are to be tried again, in the order of the log.
    pub fn webhook_waiting(&self, name: &str) -> Result<Vec<NoticeRow>, StorageError> {
        self.notices(
            &format!("{NOTICE} AND due_at IS NOT NULL AND leaf >= ?2 ORDER BY leaf LIMIT ?3"),
            name,
            0,
            -1,
        )
    }

    /// The notices of a webhook that were given up, in the order of the log, from a leaf on.
    pub fn webhook_dead(&self, name: &str, from: u64, most: usize) -> Result<Vec<NoticeRow>, StorageError> {
        let query = format!("{NOTICE} AND due_at IS NULL AND leaf >= ?2 ORDER BY leaf LIMIT ?3");
        self.notices(&query, name, from, limit(most))
    }

    fn notices(&self, query: &str, name: &str, from: u64, most: i64) -> Result<Vec<NoticeRow>, StorageError> {
        let mut statement =
            self.history().prepare_cached(query).map_err(failed("reading a webhook's notices"))?;
        let unreadable = unreadable("webhook_backlog");
        let rows = statement.query_map((name, int(from), most), notice).map_err(unreadable)?;
        rows.collect::<Result<_, _>>().map_err(unreadable)
    }

    /// How many notices of a webhook were given up.
    pub fn webhook_dead_count(&self, name: &str) -> Result<u64, StorageError> {
        self.history()
            .prepare_cached("SELECT count(*) FROM webhook_backlog WHERE name = ?1 AND due_at IS NULL")
            .and_then(|mut statement| statement.query_row([name], |row| row.get::<_, Count>(0)))
            .map(|count| count.0)
            .map_err(failed("counting a webhook's notices"))
    }

    /// Where the events stand from a leaf on, in leaf order.
    pub fn places_from(&self, leaf: u64, most: usize) -> Result<Vec<EventPlace>, StorageError> {
        let failed = failed("reading the log");
        let mut statement = self
            .history()
            .prepare_cached(
                "SELECT leaf, stream, seq, leaf_hash FROM events WHERE leaf >= ?1 ORDER BY leaf LIMIT ?2",
            )
            .map_err(failed)?;
        let rows = statement.query_map((int(leaf), limit(most)), place).map_err(failed)?;
        rows.collect::<Result<_, _>>().map_err(failed)
    }

    /// The first leaf recorded at a moment or later; the log's length if there is none.
    pub fn first_leaf_since(&self, at: Timestamp) -> Result<u64, StorageError> {
        self.first_leaf_from(at, self.log_size()?)
    }
}

fn stream(row: &Row<'_>, column: usize) -> rusqlite::Result<Stream> {
    let bytes = row.get_ref(column)?.as_blob()?;
    stream_from(bytes).ok_or_else(|| {
        rusqlite::Error::InvalidColumnType(column, "stream".to_owned(), rusqlite::types::Type::Blob)
    })
}

fn place(row: &Row<'_>) -> rusqlite::Result<EventPlace> {
    Ok(EventPlace {
        leaf: row.get::<_, Count>(0)?.0,
        stream: stream(row, 1)?,
        seq: row.get::<_, Count>(2)?.0,
        leaf_hash: LeafHash::from_bytes(row.get(3)?),
    })
}

fn notice(row: &Row<'_>) -> rusqlite::Result<NoticeRow> {
    let at = |column: usize| -> rusqlite::Result<Option<Timestamp>> {
        Ok(row.get::<_, Option<i64>>(column)?.map(Timestamp::from_millis))
    };
    Ok(NoticeRow {
        leaf: row.get::<_, Count>(0)?.0,
        stream: stream(row, 1)?,
        type_name: row.get(2)?,
        tries: row.get(3)?,
        first_tried_at: at(4)?,
        last_tried_at: at(5)?,
        due_at: at(6)?,
        error: row.get(7)?,
    })
}
