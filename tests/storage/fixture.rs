//! A store in a folder of its own, with randomness that is always the same.

use dunwell::domain::event::{Actor, EventBody, Stream};
use dunwell::domain::id::{DebtorKey, Pseudonym};
use dunwell::domain::time::Entropy;
use dunwell::storage::{Appended, BULK, Settings, StorageError, Store, Writer};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// SplitMix64 (Steele, Lea, Flood 2014): good enough to be distinct, and repeatable.
pub struct Dice(AtomicU64);

impl Dice {
    pub fn new(seed: u64) -> Arc<Self> {
        Arc::new(Self(AtomicU64::new(seed)))
    }

    pub fn roll(&self) -> u64 {
        let mut z = self.0.fetch_add(0x9e37_79b9_7f4a_7c15, Ordering::Relaxed);
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}

impl Entropy for Dice {
    fn fill(&self, bytes: &mut [u8]) {
        for chunk in bytes.chunks_mut(8) {
            chunk.copy_from_slice(&self.roll().to_le_bytes()[..chunk.len()]);
        }
    }
}

/// The databases that the suite runs on.
#[derive(Clone, Copy, Debug)]
pub enum Backend {
    Sqlite,
}

impl Backend {
    pub const ALL: &'static [Self] = &[Self::Sqlite];
}

pub fn settings(folder: &Path, master: u8) -> Settings {
    Settings {
        url: format!("sqlite:{}", folder.join("dunwell.db").display()),
        data_dir: folder.to_owned(),
        master_key: vec![master; 32].into(),
        readers: 3,
        bulk: BULK,
    }
}

pub fn open_at(folder: &Path, seed: u64) -> Result<Store, StorageError> {
    open_with(folder, BULK, seed)
}

/// A store with indexes that take over as often.
pub fn open_with(folder: &Path, bulk: usize, seed: u64) -> Result<Store, StorageError> {
    Store::open(&Settings { bulk, ..settings(folder, 7) }, Dice::new(seed))
}

/// A folder with a store; gone when dropped.
pub struct House {
    folder: tempfile::TempDir,
    backend: Backend,
    bulk: usize,
}

impl House {
    pub fn new(backend: Backend) -> Self {
        Self { folder: tempfile::tempdir().expect("a folder"), backend, bulk: BULK }
    }

    /// The same with indexes that take over more often.
    pub fn with_bulk(self, bulk: usize) -> Self {
        Self { bulk, ..self }
    }

    pub fn embedded() -> Self {
        Self::new(Backend::Sqlite)
    }

    pub fn open(&self) -> Store {
        match self.backend {
            Backend::Sqlite => open_with(self.path(), self.bulk, 1).expect("opens"),
        }
    }

    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    pub fn history(&self) -> PathBuf {
        self.path().join("dunwell.db")
    }

    pub fn keys(&self) -> PathBuf {
        self.path().join("keys.db")
    }

    /// The database by hand, past every door.
    pub fn by_hand(&self) -> rusqlite::Connection {
        rusqlite::Connection::open(self.history()).expect("opens by hand")
    }
}

pub fn debtor(number: u32) -> DebtorKey {
    let mut bytes = [0xdd; 16];
    bytes[..4].copy_from_slice(&number.to_be_bytes());
    DebtorKey(Pseudonym::from_bytes(bytes))
}

pub fn stream(number: u32) -> Stream {
    Stream::Debtor(debtor(number))
}

/// Appends events to one stream in one commit.
pub fn record(writer: &mut Writer, stream: Stream, bodies: &[EventBody]) -> Vec<Appended> {
    let mut batch = writer.begin().expect("begins");
    let mut chain = batch.chain(stream).expect("a chain");
    let appended = bodies
        .iter()
        .map(|body| batch.append(&mut chain, crate::events::at(0), &Actor::Gateway, body).expect("appends"))
        .collect();
    batch.commit().expect("commits");
    appended
}
