//! Throwing the projections away and making them again from the events.

use super::connection::failed;
use super::rows::{Count, int};
use super::writer::Writer;
use super::{attempts, keyring, project, requests, rows};
use crate::domain::event::{AttemptSent, Event, EventBody, Stream};
use crate::domain::id::DebtorKey;
use crate::ledger::entry::Entry;
use crate::storage::seal::{KeyId, stream_bytes, stream_from};
use crate::storage::{RequestRow, StorageError};
use rusqlite::OptionalExtension;

const PROJECTIONS: &str = "
    DELETE FROM requests; DELETE FROM moved; DELETE FROM points; DELETE FROM accounts; DELETE FROM attempts;
    DELETE FROM inbound_refs; DELETE FROM reported; DELETE FROM permits;
    DELETE FROM reviews; DELETE FROM pauses; DELETE FROM erasures;";
/// The indexes, before the projections that are looked up through them.
const INDEXES: &str = "
    DELETE FROM stream_index; DELETE FROM request_keys; DELETE FROM provider_refs;
    INSERT INTO stream_index SELECT stream, seq, leaf FROM events ORDER BY stream, seq;
    UPDATE indexed SET leaf = (SELECT coalesce(max(leaf) + 1, 0) FROM events);";
/// Once the requests are there again.
const KEYS: &str =
    "INSERT OR IGNORE INTO request_keys SELECT request_key, request FROM requests ORDER BY request_key";

impl Writer {
    /// Throws every projection away and makes it again from the events, in one transaction.
    ///
    /// Where requests stand is the pipeline's to fold: `fold` is given each debtor's whole history and gives the rows that
    /// belong to it.
    pub fn rebuild(
        &mut self,
        mut fold: impl FnMut(DebtorKey, &[Event]) -> Vec<RequestRow>,
    ) -> Result<(), StorageError> {
        self.settle()?;
        self.run("BEGIN IMMEDIATE", "rebuilding the projections")?;
        let rebuilt = self.replay().and_then(|()| self.fold_requests(&mut fold));
        match rebuilt {
            Ok(()) => self.run("COMMIT", "rebuilding the projections")?,
            Err(error) => {
                self.run("ROLLBACK", "rebuilding the projections")?;
                return Err(error);
            }
        }
        self.owes_erasures = true;
        self.finish_erasures()
    }

    fn replay(&self) -> Result<(), StorageError> {
        let failed = failed("rebuilding the projections");
        self.history
            .execute_batch(PROJECTIONS)
            .and_then(|()| self.history.execute_batch(INDEXES))
            .map_err(failed)?;
        let mut statement =
            self.history.prepare("SELECT leaf, entry FROM events ORDER BY leaf").map_err(failed)?;
        let mut found = statement.query([]).map_err(failed)?;
        while let Some(row) = found.next().map_err(failed)? {
            let Count(leaf) = row.get(0).map_err(failed)?;
            let bytes = row.get_ref(1).map_err(failed)?.as_blob().unwrap_or_default();
            let unreadable = StorageError::Unreadable { leaf };
            let Ok(entry) = Entry::parse(bytes) else { return Err(unreadable) };
            // The projections are made of clear parts alone.
            let Ok(body) = EventBody::read(entry.type_name, entry.clear.as_bytes(), None) else {
                return Err(unreadable);
            };
            let erased = match body {
                EventBody::DebtorErased(..) => self.key_before(&entry)?,
                _ => None,
            };
            let place =
                project::Place { stream: entry.stream, seq: entry.seq, at: entry.at, actor: &entry.actor };
            project::event(&self.history, &place, &body, erased)?;
            if let Some(attempt) = attempts::begun(entry.stream, entry.at, &body) {
                attempts::put(&self.history, &attempt).map_err(failed)?;
            }
            if let Some(attempt) = attempts::ended(&body) {
                attempts::end(&self.history, attempt).map_err(failed)?;
            }
            if let EventBody::AttemptSent(sent, _) = &body {
                self.refer(sent).map_err(failed)?;
            }
        }
        Ok(())
    }

    /// The key that was in use when a person was erased: that of the newest sealed part before, unless an erasure before it
    /// has destroyed it already.
    fn key_before(&self, erasure: &Entry<'_>) -> Result<Option<KeyId>, StorageError> {
        let failed = failed("rebuilding the projections");
        let mut statement = self
            .history
            .prepare_cached(
                "SELECT e.leaf, e.entry FROM stream_index i CROSS JOIN events e ON e.leaf = i.leaf
                 WHERE i.stream = ?1 AND i.seq < ?2
                   AND i.seq > coalesce((SELECT max(seq) FROM erasures WHERE stream = ?1), 0)
                 ORDER BY i.seq DESC",
            )
            .map_err(failed)?;
        let mut found = statement.query((stream_bytes(&erasure.stream), int(erasure.seq))).map_err(failed)?;
        while let Some(row) = found.next().map_err(failed)? {
            let Count(leaf) = row.get(0).map_err(failed)?;
            let bytes = row.get_ref(1).map_err(failed)?.as_blob().unwrap_or_default();
            let entry = Entry::parse(bytes).map_err(|_| StorageError::Unreadable { leaf })?;
            if let Some(key) = rows::sealed_with(&entry) {
                return Ok(Some(key));
            }
        }
        Ok(None)
    }

    fn fold_requests(
        &self,
        fold: &mut impl FnMut(DebtorKey, &[Event]) -> Vec<RequestRow>,
    ) -> Result<(), StorageError> {
        let mut after = Vec::new();
        while let Some(next) = self.stream_after(&after)? {
            if let Some(Stream::Debtor(debtor)) = stream_from(&next) {
                let stream = Stream::Debtor(debtor);
                let keys = keyring::all(&self.keys, &self.database.wrapping, &stream)?;
                let leaves = self.database.index.leaves(&self.history, &stream, 0, usize::MAX)?;
                let mut events = Vec::new();
                rows::each_at(&self.history, &stream, &leaves, |leaf, _, entry| {
                    events.push(rows::event(leaf, &entry, &keys)?);
                    Ok(())
                })?;
                fold(debtor, &events).iter().try_for_each(|row| requests::put(&self.history, row))?;
            }
            after = next;
        }
        self.history.execute_batch(KEYS).map_err(failed("rebuilding the projections"))
    }

    fn refer(&self, sent: &AttemptSent) -> rusqlite::Result<()> {
        let Some(reference) = &sent.provider_ref else { return Ok(()) };
        self.history
            .prepare_cached(
                "INSERT OR REPLACE INTO provider_refs SELECT provider, ?2, attempt FROM attempts WHERE attempt = ?1",
            )?
            .execute((sent.attempt.as_bytes(), reference))
            .map(|_| ())
    }

    /// The stream behind another, in the order of their bytes; the installation's, which has none, comes before all.
    fn stream_after(&self, stream: &[u8]) -> Result<Option<Vec<u8>>, StorageError> {
        let failed = failed("listing streams");
        self.history
            .prepare_cached("SELECT stream FROM stream_index WHERE stream > ?1 ORDER BY stream LIMIT 1")
            .map_err(failed)?
            .query_row([stream], |row| row.get(0))
            .optional()
            .map_err(failed)
    }
}
