//! What one commit holds: commands that become durable together.

use super::connection::{failed, is_conflict};
use super::rows::int;
use super::writer::{Writer, Written, slot};
use super::{Chain, Database, attempts, keyring, project, rows, tail};
use crate::domain::event::{Actor, Event, EventBody, Stream};
use crate::domain::id::{
    AccountKey, AttemptId, DebtorKey, PermitId, PointKey, Pseudonym, RequestId, ReviewId,
};
use crate::domain::state::DebtorState;
use crate::domain::time::Timestamp;
use crate::ledger::chain::Head;
use crate::ledger::entry::Draft;
use crate::ledger::{LeafHash, canonical};
use crate::storage::seal::{DataKey, KeyId, Place, stream_bytes};
use crate::storage::{Appended, AttemptRow, PermitRow, ReportedRow, RequestRow, ReviewRow, StorageError};
use std::collections::HashMap;
use std::sync::Arc;

/// Commands that become durable together, or not at all.
///
/// A step that fails in the database spoils the batch: everything after it is refused, and so is the commit.
pub struct Batch<'w> {
    pub(super) writer: &'w mut Writer,
    next_leaf: u64,
    new_keys: HashMap<Stream, DataKey>,
    erased: bool,
    spoiled: bool,
    ended: bool,
}

impl<'w> Batch<'w> {
    /// In the transaction that has just begun.
    pub(super) fn open(writer: &'w mut Writer) -> Self {
        let next_leaf = writer.next_leaf;
        Self { writer, next_leaf, new_keys: HashMap::new(), erased: false, spoiled: false, ended: false }
    }

    /// A stream's whole history and the end at which it is continued.
    pub fn load(&mut self, stream: Stream) -> Result<(Chain, Vec<Event>), StorageError> {
        self.load_opening(stream, |_| true)
    }

    /// The same with the words that a debtor's state keeps, and no others: a message is not opened only to be forgotten.
    pub fn load_for_state(&mut self, stream: Stream) -> Result<(Chain, Vec<Event>), StorageError> {
        self.load_opening(stream, DebtorState::keeps_words_of)
    }

    fn load_opening(
        &mut self,
        stream: Stream,
        opens: impl Fn(&str) -> bool,
    ) -> Result<(Chain, Vec<Event>), StorageError> {
        self.sound()?;
        let keys = self.keys_of(&stream)?;
        let leaves = self.writer.database.index.leaves(&self.writer.history, &stream, 0, usize::MAX)?;
        let mut head = Head::START;
        let mut newest = None;
        let mut events = Vec::with_capacity(leaves.len());
        rows::each_at(&self.writer.history, &stream, &leaves, |leaf, hash, entry| {
            newest = rows::sealed_with(&entry).or(newest);
            events.push(if opens(entry.type_name) {
                rows::event(leaf, &entry, &keys)?
            } else {
                rows::event_with(leaf, &entry, None)?
            });
            head = Head { seq: entry.seq, last: hash };
            Ok(())
        })?;
        let key = keys.iter().find(|key| Some(key.id) == newest).or(keys.first()).cloned();
        Ok((Chain { stream, head, key, as_of: self.next_leaf }, events))
    }

    /// The end at which a stream is continued, without its history.
    pub fn chain(&mut self, stream: Stream) -> Result<Chain, StorageError> {
        self.sound()?;
        let mut keys = self.keys_of(&stream)?;
        if keys.len() > 1 {
            return Ok(self.load(stream)?.0);
        }
        let mut head = Head::START;
        if let Some(place) = self.writer.database.index.newest(&self.writer.history, &stream)? {
            rows::each_at(&self.writer.history, &stream, &[place.leaf], |_, last, _| {
                head = Head { seq: place.seq, last };
                Ok(())
            })?;
        }
        Ok(Chain { stream, head, key: keys.pop(), as_of: self.next_leaf })
    }

    /// Seals, chains and appends an event, and moves on the projections that follow from it alone.
    ///
    /// A [`EventBody::DebtorErased`] destroys the debtor's key with the commit.
    ///
    /// # Errors
    /// [`StorageError::StaleChain`] if the stream has moved on without this chain; [`StorageError::Form`] if the event has
    /// no canonical form. The batch goes on after these two, and after no other.
    pub fn append(
        &mut self,
        chain: &mut Chain,
        at: Timestamp,
        actor: &Actor,
        body: &EventBody,
    ) -> Result<Appended, StorageError> {
        self.sound()?;
        self.check_end(chain)?;
        self.encode(chain, at, actor, body)?;
        let leaf_hash = LeafHash::of_prefixed(&self.writer.entry);
        let appended = Appended { leaf: self.next_leaf, seq: chain.head.next_seq(), leaf_hash };
        self.insert(chain, at, body.type_name(), &appended)?;
        let erased_key = match body {
            EventBody::DebtorErased(..) => self.forget(chain),
            _ => None,
        };
        let place = project::Place { stream: chain.stream, seq: appended.seq, at, actor };
        let projected = project::event(&self.writer.history, &place, body, erased_key);
        self.spoil_on(projected)?;
        let found = self.find_later(body, chain.stream, at, &appended);
        self.spoil_on(found)?;
        chain.head.advance(leaf_hash);
        self.next_leaf += 1;
        chain.as_of = self.next_leaf;
        self.writer.written[slot(&chain.stream)] = self.next_leaf;
        Ok(appended)
    }

    /// Enters into the index what leads to an event.
    fn find_later(
        &self,
        body: &EventBody,
        stream: Stream,
        at: Timestamp,
        appended: &Appended,
    ) -> Result<(), StorageError> {
        let index = &self.writer.database.index;
        index.add_event(stream, tail::Place { seq: appended.seq, leaf: appended.leaf });
        if let EventBody::RequestAccepted(order, _) = body {
            index.add_request(order.request_key, order.request, appended.leaf);
        }
        if let EventBody::AttemptSent(sent, _) = body
            && let Some(reference) = &sent.provider_ref
        {
            index.add_reference(reference, sent.attempt, appended.leaf);
        }
        if let Some(attempt) = attempts::begun(stream, at, body) {
            index.add_attempt(attempt, appended.leaf);
        }
        match attempts::ended(body) {
            // One that the table has already.
            Some(attempt) if !index.end_attempt(attempt, appended.leaf) => {
                attempts::end(&self.writer.history, attempt).map_err(failed("ending an attempt"))
            }
            Some(_) | None => Ok(()),
        }
    }

    /// Refuses a chain that its stream has left behind.
    fn check_end(&self, chain: &Chain) -> Result<(), StorageError> {
        // As a rule nothing was written to it, nor to those that share its slot, since the chain was known to be current.
        if self.writer.written[slot(&chain.stream)] <= chain.as_of {
            return Ok(());
        }
        let newest = self.writer.database.index.newest(&self.writer.history, &chain.stream)?;
        if newest.map_or(0, |place| place.seq) == chain.head.seq {
            Ok(())
        } else {
            Err(StorageError::StaleChain)
        }
    }

    /// Records that a person is erased, and destroys the key of everything sealed so far with the commit.
    pub fn erase(
        &mut self,
        chain: &mut Chain,
        at: Timestamp,
        actor: &Actor,
    ) -> Result<Appended, StorageError> {
        let nothing = crate::domain::event::Nothing {};
        self.append(chain, at, actor, &EventBody::DebtorErased(nothing, crate::domain::event::Sealed::Gone))
    }

    /// Keeps where a request stands; of several in one batch the last counts.
    pub fn put_request(&mut self, row: RequestRow) {
        self.writer.dirty.insert(row.request, row);
    }

    /// A request by our identifier.
    pub fn request(&mut self, request: RequestId) -> Result<Option<RequestRow>, StorageError> {
        self.sound()?;
        match self.writer.dirty.get(&request) {
            Some(row) => Ok(Some(row.clone())),
            None => self.writer.database.moved.by_id(&self.writer.history, request),
        }
    }

    /// A request by the keyed hash of upstream's identifier.
    pub fn request_by_key(&mut self, key: Pseudonym) -> Result<Option<RequestRow>, StorageError> {
        self.sound()?;
        let request = self.writer.database.index.request(&self.writer.history, key)?;
        request.map_or(Ok(None), |request| self.request(request))
    }

    /// Every debtor that a contact point is or was on file for.
    pub fn streams_with_point(&mut self, point: PointKey) -> Result<Vec<DebtorKey>, StorageError> {
        self.sound()?;
        rows::with_point(&self.writer.history, point)
    }

    /// Every debtor that an account is or was on file for.
    pub fn streams_with_account(&mut self, account: AccountKey) -> Result<Vec<DebtorKey>, StorageError> {
        self.sound()?;
        rows::with_account(&self.writer.history, account)
    }

    /// Whether a step failed in the database, so that nothing of the batch can be kept.
    pub fn is_spoiled(&self) -> bool {
        self.spoiled
    }

    /// Events that the batch has appended.
    pub fn appended(&self) -> u64 {
        self.next_leaf - self.writer.next_leaf
    }

    /// An attempt by our identifier.
    pub fn attempt(&mut self, attempt: AttemptId) -> Result<Option<AttemptRow>, StorageError> {
        self.sound()?;
        self.writer.database.index.attempt(&self.writer.history, attempt)
    }

    /// An attempt by the identifier that its provider gave it.
    pub fn provider_ref(
        &mut self,
        provider: &str,
        reference: &str,
    ) -> Result<Option<AttemptRow>, StorageError> {
        self.sound()?;
        self.writer.database.index.by_reference(&self.writer.history, provider, reference)
    }

    /// Whether something that came in from a provider was recorded before: the streams it stands in.
    pub fn inbound_ref(&mut self, provider: &str, reference: &str) -> Result<Vec<DebtorKey>, StorageError> {
        self.sound()?;
        rows::inbound_ref(&self.writer.history, provider, reference)
    }

    /// A reported contact by the keyed hash of upstream's identifier.
    pub fn reported(&mut self, event_key: Pseudonym) -> Result<Option<ReportedRow>, StorageError> {
        self.sound()?;
        rows::reported(&self.writer.history, event_key)
    }

    /// A permit.
    pub fn permit(&mut self, permit: PermitId) -> Result<Option<PermitRow>, StorageError> {
        self.sound()?;
        rows::permit(&self.writer.history, permit)
    }

    /// A review.
    pub fn review(&mut self, review: ReviewId) -> Result<Option<ReviewRow>, StorageError> {
        self.sound()?;
        rows::review(&self.writer.history, review)
    }

    /// Makes everything durable: when this returns, it survives a crash, and the keys of the erased are destroyed.
    ///
    /// # Errors
    /// Nothing of the batch is kept; drop the chains it was given. Only if the disk or destroying a key fails the events stay:
    /// see [`Written::sync`] and [`Writer::finish_erasures`].
    pub fn commit(mut self) -> Result<(), StorageError> {
        let written = self.end()?;
        written.sync()?;
        self.writer.finish_erasures()
    }

    /// Commits everything, so that readers see it and the next batch may begin. It survives a crash of this process, but one of
    /// the machine only after [`Written::sync`]: nobody may hear of it before.
    ///
    /// # Errors
    /// Nothing of the batch is kept; drop the chains it was given.
    pub fn write(mut self) -> Result<Written, StorageError> {
        self.end()
    }

    fn end(&mut self) -> Result<Written, StorageError> {
        self.sound()?;
        let kept = self.keep_keys();
        self.spoil_on(kept)?;
        let followed = self.writer.follow(self.appended());
        let followed = self.spoil_on(followed)?;
        self.writer.run("COMMIT", "committing a batch")?;
        self.ended = true;
        self.writer.next_leaf = self.next_leaf;
        self.writer.followed(followed);
        self.writer.owes_erasures |= self.erased;
        Ok(Written { log: Arc::clone(&self.writer.log), log_size: self.next_leaf })
    }

    /// The new keys: durable before what they seal.
    fn keep_keys(&mut self) -> Result<(), StorageError> {
        if self.new_keys.is_empty() {
            return Ok(());
        }
        let Database { wrapping, entropy, .. } = self.writer.database.as_ref();
        let mut wrapped = Vec::with_capacity(self.new_keys.len());
        for (stream, key) in &self.new_keys {
            wrapped.push((*stream, key.id, key.wrap(stream, wrapping, entropy.as_ref())?));
        }
        keyring::add(&mut self.writer.keys, &wrapped)
    }

    /// The entry into the writer's buffer.
    fn encode(
        &mut self,
        chain: &mut Chain,
        at: Timestamp,
        actor: &Actor,
        body: &EventBody,
    ) -> Result<(), StorageError> {
        let type_name = body.type_name();
        let unwritable = |_| StorageError::Form {
            type_name,
            fault: canonical::NotCanonical { offset: 0, what: "the event has no JSON form" },
        };
        let clear = body.clear_json().map_err(unwritable)?;
        let clear = canonical::form(&clear).map_err(|fault| StorageError::Form { type_name, fault })?;
        let plain = body.sealed_json().map_err(unwritable)?.map(zeroize::Zeroizing::new);
        let seq = chain.head.next_seq();
        // A part without content has nothing to hide.
        let sealed = match plain.as_ref().filter(|json| json.as_slice() != b"{}") {
            Some(plain) => {
                let nonce = self.writer.nonces.next(self.writer.database.entropy.as_ref());
                let place = Place { stream: chain.stream, seq, type_name };
                let key = self.key_for(chain);
                key.seal(&place, &nonce, plain, &mut self.writer.sealed)?;
                Some(self.writer.sealed.as_slice())
            }
            None => None,
        };
        let prev = chain.head.last;
        let draft = Draft { actor, at, clear: &clear, prev, sealed, seq, stream: chain.stream, type_name };
        self.writer.entry.clear();
        self.writer.entry.push(0);
        draft.write(&mut self.writer.entry);
        Ok(())
    }

    fn insert(
        &mut self,
        chain: &Chain,
        at: Timestamp,
        type_name: &str,
        appended: &Appended,
    ) -> Result<(), StorageError> {
        let inserted = self
            .writer
            .history
            .prepare_cached(
                "INSERT INTO events (leaf, stream, seq, type, at, leaf_hash, entry) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
            )
            .and_then(|mut statement| {
                statement.execute((
                    int(appended.leaf),
                    stream_bytes(&chain.stream),
                    int(appended.seq),
                    type_name,
                    at.millis(),
                    appended.leaf_hash.as_bytes(),
                    &self.writer.entry[1..],
                ))
            });
        match inserted {
            Ok(_) => Ok(()),
            Err(error) if is_conflict(&error) => Err(StorageError::StaleChain),
            Err(error) => self.spoil_on(Err(failed("appending an event")(error))),
        }
    }

    /// The key that a stream's next event is sealed with; a new one for a stream that has none.
    fn key_for<'c>(&mut self, chain: &'c mut Chain) -> &'c DataKey {
        let Chain { stream, key, .. } = chain;
        key.get_or_insert_with(|| {
            let entropy = self.writer.database.entropy.as_ref();
            self.new_keys.entry(*stream).or_insert_with(|| DataKey::generate(entropy)).clone()
        })
    }

    /// Lets go of a stream's key: gives its id if it is to be destroyed in the keys' file.
    fn forget(&mut self, chain: &mut Chain) -> Option<KeyId> {
        let known = chain.key.take().map(|key| key.id);
        let unborn = self.new_keys.remove(&chain.stream).map(|key| key.id);
        self.erased = true;
        if known == unborn { None } else { known }
    }

    fn keys_of(&self, stream: &Stream) -> Result<Vec<DataKey>, StorageError> {
        let mut keys = keyring::all(&self.writer.keys, &self.writer.database.wrapping, stream)?;
        keys.splice(0..0, self.new_keys.get(stream).cloned());
        Ok(keys)
    }

    pub(super) fn sound(&self) -> Result<(), StorageError> {
        if self.spoiled { Err(StorageError::Spoiled) } else { Ok(()) }
    }

    pub(super) fn spoil_on<T>(&mut self, result: Result<T, StorageError>) -> Result<T, StorageError> {
        self.spoiled |= result.is_err();
        result
    }
}

impl Drop for Batch<'_> {
    fn drop(&mut self) {
        if self.ended {
            return;
        }
        self.writer.database.index.forget_from(self.writer.next_leaf);
        if !self.writer.history.is_autocommit() {
            // A rollback that fails leaves the transaction open, and the next batch says so when it begins.
            let _ = self.writer.run("ROLLBACK", "giving up a batch");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::event::{Inbound, InboundSecret, Understanding};
    use crate::domain::time::Entropy;
    use crate::storage::{Settings, Store, verify_log};
    use std::fs::File;
    use std::sync::atomic::{AtomicU8, Ordering};

    struct Counting(AtomicU8);
    impl Entropy for Counting {
        fn fill(&self, bytes: &mut [u8]) {
            bytes.fill_with(|| self.0.fetch_add(1, Ordering::Relaxed));
        }
    }

    fn store(folder: &std::path::Path) -> Store {
        let settings = Settings {
            url: format!("sqlite:{}", folder.join("dunwell.db").display()),
            data_dir: folder.to_owned(),
            master_key: vec![7; 32].into(),
            readers: 1,
            bulk: crate::storage::BULK,
        };
        Store::open(&settings, Arc::new(Counting(AtomicU8::new(0)))).expect("opens")
    }

    fn words(length: usize) -> EventBody {
        EventBody::InboundReceived(
            Inbound {
                intents: Vec::new(),
                channel: crate::domain::channel::Channel::Sms,
                point: None,
                provider_ref: None,
                understood: Understanding::Other,
            },
            InboundSecret { from: String::new(), text: "x".repeat(length) }.into(),
        )
    }

    fn stream(number: u8) -> Stream {
        Stream::Debtor(DebtorKey(Pseudonym::from_bytes([number; 16])))
    }

    /// One commit of some events; gives how many the log then has.
    fn commit(writer: &mut Writer, number: u8, events: usize) -> Result<u64, StorageError> {
        let mut batch = writer.begin()?;
        let mut chain = batch.chain(stream(number))?;
        for _ in 0..events {
            batch.append(&mut chain, Timestamp::from_millis(0), &Actor::Gateway, &words(500))?;
        }
        batch.commit()?;
        Ok(writer.log_size())
    }

    #[test]
    fn a_full_disk_is_told_and_loses_nothing_that_was_acknowledged() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut writer = store(folder.path()).writer().expect("the door");
        let pages: i64 = writer.history.query_row("PRAGMA page_count", [], |row| row.get(0)).expect("counts");
        let limit = |writer: &Writer, pages: i64| {
            writer
                .history
                .query_row(&format!("PRAGMA max_page_count = {pages}"), [], |_| Ok(()))
                .expect("set");
        };
        limit(&writer, pages + 40);
        let mut acknowledged = 0;
        let refused = loop {
            match commit(&mut writer, 1, 7) {
                Ok(size) => acknowledged = size,
                Err(error) => break error,
            }
        };
        assert!(matches!(refused, StorageError::Full), "{refused:?}");
        assert!(acknowledged > 20 && writer.log_size() == acknowledged);
        let path = writer.database.path.clone();
        assert_eq!(verify_log(&path).expect("whole").entries, acknowledged);
        // With room again it goes on, without being opened anew.
        limit(&writer, pages + 400);
        assert_eq!(commit(&mut writer, 1, 7).expect("commits"), acknowledged + 7);
        assert_eq!(commit(&mut writer, 2, 1).expect("commits"), acknowledged + 8);
        assert_eq!(verify_log(&path).expect("whole").entries, acknowledged + 8);
    }

    #[test]
    fn a_batch_with_a_failed_step_cannot_be_committed() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut writer = store(folder.path()).writer().expect("the door");
        assert_eq!(commit(&mut writer, 1, 3).expect("commits"), 3);
        let pages: i64 = writer.history.query_row("PRAGMA page_count", [], |row| row.get(0)).expect("counts");
        writer.history.query_row(&format!("PRAGMA max_page_count = {pages}"), [], |_| Ok(())).expect("set");
        let mut batch = writer.begin().expect("begins");
        let mut chain = batch.chain(stream(1)).expect("a chain");
        let full = batch.append(&mut chain, Timestamp::from_millis(0), &Actor::Gateway, &words(90_000));
        assert!(matches!(full, Err(StorageError::Full)), "{full:?}");
        let after = batch.append(&mut chain, Timestamp::from_millis(0), &Actor::Gateway, &words(1));
        assert!(matches!(after, Err(StorageError::Spoiled)), "{after:?}");
        assert!(matches!(batch.chain(stream(1)), Err(StorageError::Spoiled)));
        assert!(matches!(batch.commit(), Err(StorageError::Spoiled)));
        assert_eq!(writer.log_size(), 3);
        writer.history.query_row("PRAGMA max_page_count = 10000", [], |_| Ok(())).expect("set");
        assert_eq!(commit(&mut writer, 1, 1).expect("goes on"), 4);
    }

    #[test]
    fn what_the_disk_does_not_take_is_not_called_durable() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut writer = store(folder.path()).writer().expect("the door");
        commit(&mut writer, 1, 3).expect("commits");
        // A file that can be written but never synced.
        writer.log = Arc::new(File::open("/dev/null").expect("opens"));
        let mut batch = writer.begin().expect("begins");
        let mut chain = batch.chain(stream(1)).expect("a chain");
        batch.append(&mut chain, Timestamp::from_millis(0), &Actor::Gateway, &words(1)).expect("appends");
        let written = batch.write().expect("writes");
        assert!(matches!(written.sync(), Err(StorageError::Database { doing: "syncing the log", .. })));
        assert!(commit(&mut writer, 1, 1).is_err());
    }

    #[test]
    fn an_erasure_that_a_crash_cut_short_is_finished_at_the_next_opening() {
        let folder = tempfile::tempdir().expect("a folder");
        let store = store(folder.path());
        let mut writer = store.writer().expect("the door");
        commit(&mut writer, 1, 2).expect("commits");
        let mut batch = writer.begin().expect("begins");
        let mut chain = batch.chain(stream(1)).expect("a chain");
        batch.erase(&mut chain, Timestamp::from_millis(0), &Actor::Operator).expect("erases");
        // The history's commit alone, as if the process ended right behind it.
        batch.writer.run("COMMIT", "test").expect("commits");
        batch.ended = true;
        drop(batch);
        let keys = |writer: &Writer| -> i64 {
            writer.keys.query_row("SELECT count(*) FROM data_keys", [], |row| row.get(0)).expect("counts")
        };
        assert_eq!(keys(&writer), 1);
        drop(writer);
        assert_eq!(keys(&store.writer().expect("the door")), 0);
    }

    #[test]
    fn keys_that_a_failed_commit_left_behind_are_harmless() {
        let folder = tempfile::tempdir().expect("a folder");
        let store = store(folder.path());
        let mut writer = store.writer().expect("the door");
        commit(&mut writer, 1, 2).expect("commits");
        for _ in 0..3 {
            // The keys' commit alone, twice over.
            let database = Arc::clone(&writer.database);
            let key = DataKey::generate(database.entropy.as_ref());
            let wrapped =
                key.wrap(&stream(1), &database.wrapping, database.entropy.as_ref()).expect("wrapped");
            keyring::add(&mut writer.keys, &[(stream(1), key.id, wrapped)]).expect("kept");
        }
        commit(&mut writer, 1, 2).expect("commits");
        let mut batch = writer.begin().expect("begins");
        let (mut chain, events) = batch.load(stream(1)).expect("loads");
        assert_eq!(events.len(), 4);
        batch.erase(&mut chain, Timestamp::from_millis(0), &Actor::Operator).expect("erases");
        batch.commit().expect("commits");
        let events = store.reader().expect("a reader").load(stream(1)).expect("loads");
        for event in &events[..4] {
            assert!(matches!(&event.body, EventBody::InboundReceived(_, sealed) if sealed.open().is_none()));
        }
    }
}
