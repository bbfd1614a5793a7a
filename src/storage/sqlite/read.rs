//! The read side: any number of threads, each with a reader of its own, beside the writer.

use super::connection::{ReadPair, failed};
use super::rows::{Count, int};
use super::{Database, keyring, rows};
use crate::domain::event::{Event, Pause, Stream};
use crate::domain::id::{
    AccountKey, AttemptId, DebtorKey, PermitId, PointKey, Pseudonym, RequestId, ReviewId,
};
use crate::domain::time::{Span, Timestamp};
use crate::ledger::LeafHash;
use crate::ledger::entry::Entry;
use crate::storage::seal::DataKey;
use crate::storage::{
    ApiKeyRow, AttemptRow, HistoryFilter, HistoryRow, Page, PermitRow, ReportedRow, RequestFilter,
    RequestRow, ReviewRow, SealedPart, StorageError,
};
use rusqlite::{Connection, OptionalExtension, Rows};
use serde_json::value::RawValue;
use std::collections::HashMap;
use std::sync::Arc;

/// How many leaves one page of a filtered list looks at, so that a rare type costs many short calls and not one long one.
const SCAN: u64 = 20_000;
/// How far a clock may have gone back between two events for a list by time still to find both.
const SLACK: Span = Span::hours(1);

/// Reads the store. Given back to the pool when dropped.
pub struct Reader {
    database: Arc<Database>,
    pair: Option<ReadPair>,
}

impl Reader {
    pub(in crate::storage) fn new(database: Arc<Database>) -> Result<Self, StorageError> {
        let pair = database.pool.lend()?;
        Ok(Self { database, pair: Some(pair) })
    }

    fn pair(&self) -> &ReadPair {
        // It is taken out only when the reader is dropped.
        self.pair.as_ref().expect("a reader has its connections")
    }

    pub(super) fn history(&self) -> &Connection {
        &self.pair().history
    }

    /// A stream's whole history in the domain's words.
    pub fn load(&self, stream: Stream) -> Result<Vec<Event>, StorageError> {
        self.load_after(stream, 0)
    }

    /// A stream's events behind a place, in the domain's words.
    pub fn load_after(&self, stream: Stream, seq: u64) -> Result<Vec<Event>, StorageError> {
        let keys = keyring::all(&self.pair().keys, &self.database.wrapping, &stream)?;
        let leaves = self.database.index.leaves(self.history(), &stream, seq, usize::MAX)?;
        let mut events = Vec::with_capacity(leaves.len());
        rows::each_at(self.history(), &stream, &leaves, |leaf, _, entry| {
            events.push(rows::event(leaf, &entry, &keys)?);
            Ok(())
        })?;
        Ok(events)
    }

    /// A stream's events behind a place, in order.
    pub fn events_of(
        &self,
        stream: Stream,
        after_seq: u64,
        limit: usize,
    ) -> Result<Vec<HistoryRow>, StorageError> {
        let keys = keyring::all(&self.pair().keys, &self.database.wrapping, &stream)?;
        let leaves = self.database.index.leaves(self.history(), &stream, after_seq, limit)?;
        let mut items = Vec::with_capacity(leaves.len());
        rows::each_at(self.history(), &stream, &leaves, |leaf, leaf_hash, entry| {
            items.push(history_row(leaf, leaf_hash, &entry, &keys)?);
            Ok(())
        })?;
        Ok(items)
    }

    /// Everything behind a leaf (from the first one, where none is given), in leaf order.
    pub fn events_after(&self, leaf: Option<u64>, limit: usize) -> Result<Vec<HistoryRow>, StorageError> {
        let failed = failed("reading the log");
        let mut statement = self
            .history()
            .prepare_cached(
                "SELECT leaf, leaf_hash, entry FROM events WHERE leaf >= ?1 ORDER BY leaf LIMIT ?2",
            )
            .map_err(failed)?;
        let from = leaf.map_or(0, |leaf| leaf.saturating_add(1));
        let rows = statement.query((int(from), rows::limit(limit))).map_err(failed)?;
        self.collect(rows)
    }

    /// A page of the log by type and time, in leaf order. Events whose recorded time lies more than an hour before that of
    /// an earlier leaf may be missed at the edges of `since` and `until`.
    pub fn history_page(&self, filter: &HistoryFilter) -> Result<Page<HistoryRow, u64>, StorageError> {
        let failed = failed("reading the log");
        let size = self.log_size()?;
        let since = filter.since.map_or(Ok(0), |since| self.first_leaf_from(since.minus(SLACK), size))?;
        let end = filter.until.map_or(Ok(size), |until| self.first_leaf_from(until.plus(SLACK), size))?;
        let from = filter.after.map_or(0, |leaf| leaf.saturating_add(1)).max(since);
        let window = from.saturating_add(SCAN).min(end);
        let types = (!filter.types.is_empty()).then(|| serde_json::json!(filter.types).to_string());
        let mut statement = self
            .history()
            .prepare_cached(
                "SELECT leaf, leaf_hash, entry FROM events
                 WHERE leaf >= ?1 AND leaf < ?2
                   AND (?3 IS NULL OR type IN (SELECT value FROM json_each(?3)))
                   AND at >= ?4 AND at < ?5
                 ORDER BY leaf LIMIT ?6",
            )
            .map_err(failed)?;
        let since = filter.since.map_or(i64::MIN, Timestamp::millis);
        let until = filter.until.map_or(i64::MAX, Timestamp::millis);
        let rows = statement
            .query((int(from), int(window), types, since, until, rows::limit(filter.limit)))
            .map_err(failed)?;
        let items = self.collect(rows)?;
        let next = match items.last() {
            Some(last) if items.len() >= filter.limit => Some(last.leaf),
            Some(_) | None => (window < end && window > from).then(|| window - 1),
        };
        Ok(Page { items, next })
    }

    /// How many events the log has.
    pub fn log_size(&self) -> Result<u64, StorageError> {
        self.history()
            .prepare_cached("SELECT coalesce(max(leaf) + 1, 0) FROM events")
            .and_then(|mut statement| statement.query_row([], |row| row.get::<_, Count>(0)))
            .map(|count| count.0)
            .map_err(failed("finding the log's end"))
    }

    /// The first leaf recorded at a moment or later, by halving: times rise with the leaves.
    pub(super) fn first_leaf_from(&self, at: Timestamp, size: u64) -> Result<u64, StorageError> {
        let failed = failed("reading the log");
        let mut statement =
            self.history().prepare_cached("SELECT at FROM events WHERE leaf = ?1").map_err(failed)?;
        let (mut low, mut high) = (0, size);
        while low < high {
            let middle = low + (high - low) / 2;
            let found: Option<i64> =
                statement.query_row([int(middle)], |row| row.get(0)).optional().map_err(failed)?;
            if found.is_some_and(|found| found < at.millis()) {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        Ok(low)
    }

    fn collect(&self, mut found: Rows<'_>) -> Result<Vec<HistoryRow>, StorageError> {
        let failed = failed("reading the log");
        let mut keys: HashMap<Stream, Vec<DataKey>> = HashMap::new();
        let mut items = Vec::new();
        while let Some(row) = found.next().map_err(failed)? {
            let Count(leaf) = row.get(0).map_err(failed)?;
            let leaf_hash = LeafHash::from_bytes(row.get(1).map_err(failed)?);
            let bytes = row.get_ref(2).map_err(failed)?.as_blob().unwrap_or_default();
            let entry = Entry::parse(bytes).map_err(|_| StorageError::Unreadable { leaf })?;
            let keys = match keys.entry(entry.stream) {
                std::collections::hash_map::Entry::Occupied(known) => known.into_mut(),
                std::collections::hash_map::Entry::Vacant(slot) => {
                    let all = keyring::all(&self.pair().keys, &self.database.wrapping, &entry.stream)?;
                    slot.insert(all)
                }
            };
            items.push(history_row(leaf, leaf_hash, &entry, keys)?);
        }
        Ok(items)
    }

    /// A request by our identifier.
    pub fn request(&self, request: RequestId) -> Result<Option<RequestRow>, StorageError> {
        self.database.moved.by_id(self.history(), request)
    }

    /// A request by the keyed hash of upstream's identifier.
    pub fn request_by_key(&self, key: Pseudonym) -> Result<Option<RequestRow>, StorageError> {
        let request = self.database.index.request(self.history(), key)?;
        request.map_or(Ok(None), |request| self.request(request))
    }

    /// A page of requests, oldest first.
    pub fn requests(&self, filter: &RequestFilter) -> Result<Page<RequestRow, RequestId>, StorageError> {
        self.database.moved.list(self.history(), &self.database.index, filter)
    }

    /// Walks every request that is still open or has something due: those that wait for a fact (no `due_at`), then those due
    /// first.
    pub fn open_requests(&self, each: impl FnMut(RequestRow)) -> Result<(), StorageError> {
        self.database.moved.each_open(self.history(), each)
    }

    /// Every attempt whose end was never recorded: after a crash, those in doubt.
    pub fn open_attempts(&self) -> Result<Vec<AttemptRow>, StorageError> {
        self.database.index.open_attempts(self.history())
    }

    /// Every attempt over a provider that was made at this moment or later, oldest first.
    pub fn attempts_since(&self, provider: &str, since: Timestamp) -> Result<Vec<AttemptRow>, StorageError> {
        self.database.index.attempts_since(self.history(), provider, since)
    }

    /// An attempt by our identifier.
    pub fn attempt(&self, attempt: AttemptId) -> Result<Option<AttemptRow>, StorageError> {
        self.database.index.attempt(self.history(), attempt)
    }

    /// An attempt by the identifier that its provider gave it.
    pub fn provider_ref(&self, provider: &str, reference: &str) -> Result<Option<AttemptRow>, StorageError> {
        self.database.index.by_reference(self.history(), provider, reference)
    }

    /// Every debtor that a contact point is or was on file for.
    pub fn streams_with_point(&self, point: PointKey) -> Result<Vec<DebtorKey>, StorageError> {
        rows::with_point(self.history(), point)
    }

    /// Every debtor that an account is or was on file for.
    pub fn streams_with_account(&self, account: AccountKey) -> Result<Vec<DebtorKey>, StorageError> {
        rows::with_account(self.history(), account)
    }

    /// A reported contact by the keyed hash of upstream's identifier.
    pub fn reported(&self, event_key: Pseudonym) -> Result<Option<ReportedRow>, StorageError> {
        rows::reported(self.history(), event_key)
    }

    /// A permit.
    pub fn permit(&self, permit: PermitId) -> Result<Option<PermitRow>, StorageError> {
        rows::permit(self.history(), permit)
    }

    /// Every permit that is still to be answered, the first to expire first.
    pub fn issued_permits(&self) -> Result<Vec<PermitRow>, StorageError> {
        rows::issued_permits(self.history())
    }

    /// A review.
    pub fn review(&self, review: ReviewId) -> Result<Option<ReviewRow>, StorageError> {
        rows::review(self.history(), review)
    }

    /// The reviews that are still open, oldest first.
    pub fn open_reviews(&self, limit: usize) -> Result<Vec<ReviewRow>, StorageError> {
        rows::open_reviews(self.history(), limit)
    }

    /// The pauses that nobody has lifted, by name; some may have run out.
    pub fn pauses(&self) -> Result<Vec<Pause>, StorageError> {
        rows::pauses(self.history())
    }

    /// Every API key, oldest first.
    pub fn api_keys(&self) -> Result<Vec<ApiKeyRow>, StorageError> {
        super::access::list(self.history())
    }

    /// The API key with a hash, in force or revoked.
    pub fn api_key(&self, hash: &[u8; 32]) -> Result<Option<ApiKeyRow>, StorageError> {
        super::access::by_hash(self.history(), hash)
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.database.pool.give_back(self.pair.take());
    }
}

fn history_row(
    leaf: u64,
    leaf_hash: LeafHash,
    entry: &Entry<'_>,
    keys: &[DataKey],
) -> Result<HistoryRow, StorageError> {
    let raw =
        |json: &str| RawValue::from_string(json.to_owned()).map_err(|_| StorageError::Unreadable { leaf });
    let sealed = match rows::open_sealed(leaf, entry, keys)? {
        Some(json) => {
            SealedPart::Open(raw(std::str::from_utf8(&json).map_err(|_| StorageError::Unreadable { leaf })?)?)
        }
        None if entry.sealed.is_none() => SealedPart::Absent,
        None => SealedPart::Gone,
    };
    Ok(HistoryRow {
        leaf,
        stream: entry.stream,
        seq: entry.seq,
        type_name: entry.type_name.to_owned(),
        at: entry.at,
        actor: entry.actor.clone(),
        leaf_hash,
        prev: entry.prev,
        clear: raw(entry.clear)?,
        sealed,
    })
}
