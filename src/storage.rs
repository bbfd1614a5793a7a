//! Floor 2: where the history is kept. Events are only ever appended; everything else here is derived from them.
//!
//! [`Store`] stands for a database, whichever it is. The write door is [`Store::writer`]: one writer a store, many commands
//! in one durable commit; only the pipeline may open it. Everyone may read through [`Store::reader`].
//!
//! Personal data is nowhere in clear: sealed inside the event under the debtor's own key, found again by keyed hash. The
//! wrapped keys are kept in a file of their own, outside the history's backups, so that erasing holds there too.

mod error;
mod query;
mod seal;
mod sqlite;

use crate::domain::id::KeyId;
use crate::domain::time::{Entropy, Timestamp};
use crate::ledger::verify::Walked;
use secrecy::SecretSlice;
use std::path::{Path, PathBuf};
use std::sync::Arc;

pub use error::{StorageError, VerifyError};
pub use query::{
    ApiKeyRow, Appended, AttemptRow, EventPlace, HistoryFilter, HistoryRow, NoticeRow, Page, PermitRow,
    PermitStatus, ReportedRow, RequestFilter, RequestRow, ReviewRow, SealedPart, WebhookProgress,
};
pub use seal::Lookup;
pub use sqlite::{Batch, Chain, Checkpoint, Reader, Writer, Written};

/// Where the store is and what opens it.
pub struct Settings {
    /// `sqlite:PATH` of the history.
    pub url: String,
    /// Where the wrapped keys go, as `keys.db`.
    pub data_dir: PathBuf,
    /// What the wrapping key is derived from: 32 bytes or more.
    pub master_key: SecretSlice<u8>,
    /// How many readers may read at once.
    pub readers: usize,
    /// How many events, and how many requests, memory finds before the indexes on disk take them over in bulk. [`BULK`] serves;
    /// fewer only make it happen often.
    pub bulk: usize,
}

/// Events in memory before the indexes on disk take them over: some megabytes, and some tenths of a second to read again after
/// a crash. Half as many cost a third more pages of disk.
pub const BULK: usize = 32_768;

/// A database. Cheap to clone.
#[derive(Clone)]
pub enum Store {
    /// The embedded one.
    Sqlite(Arc<sqlite::Database>),
}

impl Store {
    /// Opens the store, and makes it where there is none.
    ///
    /// # Errors
    /// Says what is wrong with the address, the master key, the keys' file or the schema.
    pub fn open(settings: &Settings, entropy: Arc<dyn Entropy>) -> Result<Self, StorageError> {
        let path = database_path(&settings.url)?;
        sqlite::Database::open(path, settings, entropy).map(|database| Self::Sqlite(Arc::new(database)))
    }

    /// The one write door. It stays this process's until the writer is dropped.
    ///
    /// # Errors
    /// [`StorageError::Locked`] while another writer lives, in this process or another.
    pub fn writer(&self) -> Result<Writer, StorageError> {
        match self {
            Self::Sqlite(database) => Writer::new(Arc::clone(database)),
        }
    }

    /// A reader of its own, from a pool; waits while all are in use.
    pub fn reader(&self) -> Result<Reader, StorageError> {
        match self {
            Self::Sqlite(database) => Reader::new(Arc::clone(database)),
        }
    }

    /// Makes pseudonyms under the store's lookup key.
    pub fn pseudonymiser(&self) -> Arc<Lookup> {
        match self {
            Self::Sqlite(database) => database.lookup(),
        }
    }

    /// Moves what was committed from the write-ahead log into the database, as far as readers permit, without holding
    /// up the writer. To be called now and then from a thread of its own.
    pub fn checkpoint(&self) -> Result<Checkpoint, StorageError> {
        match self {
            Self::Sqlite(database) => database.checkpoint(),
        }
    }

    /// Copies the history, and into a second file the wrapped keys, while the store is in use.
    ///
    /// # Errors
    /// [`StorageError::Exists`] if either file exists.
    pub fn backup(&self, history: &Path, keys: Option<&Path>) -> Result<(), StorageError> {
        match self {
            Self::Sqlite(database) => database.backup(history, keys),
        }
    }

    /// Adds an API key, or replaces the one with its id.
    pub fn put_api_key(&self, key: &ApiKeyRow) -> Result<(), StorageError> {
        match self {
            Self::Sqlite(database) => database.put_api_key(key),
        }
    }

    /// Revokes an API key from a moment on; says whether there was one in force.
    pub fn revoke_api_key(&self, id: KeyId, at: Timestamp) -> Result<bool, StorageError> {
        match self {
            Self::Sqlite(database) => database.revoke_api_key(id, at),
        }
    }
}

/// Walks a whole history, chains and leaf hashes, and names the first fault. Needs no key and works while the store is in
/// use.
pub fn verify_log(path: &Path) -> Result<Walked, VerifyError> {
    sqlite::verify_log(path)
}

/// Puts a backup back where [`Settings`] say. Without `keys`, the keys that are there stay. What was erased before the
/// history's backup stays erased, whatever the keys' backup holds.
///
/// # Errors
/// [`StorageError::Exists`] where there is a history, or keys that would be replaced; [`StorageError::Locked`] while the
/// store is written to.
pub fn restore(settings: &Settings, history: &Path, keys: Option<&Path>) -> Result<(), StorageError> {
    sqlite::restore(&database_path(&settings.url)?, &settings.data_dir, history, keys)
}

/// The database's file in a store's address.
///
/// # Errors
/// [`StorageError::Unsupported`] for another kind of store, [`StorageError::Url`] for no address at all.
pub fn database_path(url: &str) -> Result<PathBuf, StorageError> {
    match url.split_once(':') {
        Some(("sqlite", path)) if !path.is_empty() && !path.starts_with("//") && path != ":memory:" => {
            Ok(PathBuf::from(path))
        }
        Some((scheme, rest)) if scheme != "sqlite" && rest.starts_with("//") => {
            Err(StorageError::Unsupported { scheme: scheme.to_owned() })
        }
        Some(_) | None => Err(StorageError::Url),
    }
}
