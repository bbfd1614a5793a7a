//! The embedded store: SQLite in WAL mode, every commit synced before anybody hears of it, one writer, readers beside it.
//!
//! Two files: the history, and `keys.db` with the wrapped keys.

mod access;
mod attempts;
mod audit;
mod callbacks;
mod chain;
mod connection;
mod copy;
mod index;
mod keyring;
mod moved;
mod project;
mod read;
mod rebuild;
mod requests;
mod rows;
mod schema;
mod tail;
mod webhooks;
mod write;
mod writer;

use crate::domain::time::Entropy;
use crate::storage::seal::{Lookup, Wrapping};
use crate::storage::{Settings, StorageError};
use connection::{Pool, Role};
use index::Index;
use moved::Moved;
use rusqlite::{Connection, OptionalExtension};
use secrecy::ExposeSecret;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use zeroize::Zeroizing;

pub(in crate::storage) use audit::verify_log;
pub use chain::Chain;
pub(in crate::storage) use copy::restore;
pub use read::Reader;
pub use write::Batch;
pub use writer::{Writer, Written};

const KEYS_FILE: &str = "keys.db";
const LOOKUP_PLACE: &[u8] = b"lookup key";
const MASTER_KEY_BYTES: usize = 32;

/// One open embedded store.
pub struct Database {
    path: PathBuf,
    keys_path: PathBuf,
    wrapping: Wrapping,
    lookup: Arc<Lookup>,
    entropy: Arc<dyn Entropy>,
    index: Index,
    moved: Moved,
    pool: Pool,
    checkpointer: Mutex<Option<Connection>>,
}

/// How far the write-ahead log has been moved into the database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// Pages in the log.
    pub pages: u64,
    /// How many of them are in the database too.
    pub moved: u64,
}

impl Database {
    pub(in crate::storage) fn open(
        path: PathBuf,
        settings: &Settings,
        entropy: Arc<dyn Entropy>,
    ) -> Result<Self, StorageError> {
        let master = settings.master_key.expose_secret();
        if master.len() < MASTER_KEY_BYTES {
            return Err(StorageError::MasterKeyTooShort);
        }
        let keys_path = settings.data_dir.join(KEYS_FILE);
        let (store, wrapped) = match established(&path, &keys_path)? {
            Some(found) => found,
            None => establish(&path, &keys_path, &settings.data_dir, master, entropy.as_ref())?,
        };
        let wrapping = Wrapping::derive(master, &store)?;
        let secret = wrapping.unwrap(LOOKUP_PLACE, &wrapped).ok_or(StorageError::WrongMasterKey)?;
        let lookup = Arc::new(Lookup::new(&secret));
        let pool = Pool::new(path.clone(), keys_path.clone(), settings.readers.max(1));
        let reader = connection::open(&path, Role::Reader)?;
        let index = Index::open(&reader, settings.bulk)?;
        let moved = Moved::open(&reader, settings.bulk)?;
        let checkpointer = Mutex::new(None);
        Ok(Self { path, keys_path, wrapping, lookup, entropy, index, moved, pool, checkpointer })
    }

    pub(in crate::storage) fn lookup(&self) -> Arc<Lookup> {
        Arc::clone(&self.lookup)
    }

    pub(in crate::storage) fn checkpoint(&self) -> Result<Checkpoint, StorageError> {
        let mut slot = self.checkpointer.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let connection = match slot.take() {
            Some(connection) => connection,
            None => connection::open(&self.path, Role::Side)?,
        };
        let moved = connection
            .query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |row| {
                Ok(Checkpoint { pages: count(row.get(1)?), moved: count(row.get(2)?) })
            })
            .map_err(connection::failed("moving the write-ahead log"));
        *slot = Some(connection);
        moved
    }
}

/// SQLite answers -1 where there is no log.
fn count(pages: i64) -> u64 {
    u64::try_from(pages).unwrap_or(0)
}

type Established = (Vec<u8>, Vec<u8>);

/// The store's id and its wrapped lookup key, if both files are there with a current schema and belong together.
fn established(path: &Path, keys_path: &Path) -> Result<Option<Established>, StorageError> {
    if !path.exists() {
        return Ok(None);
    }
    let history = connection::open(path, Role::Side)?;
    if !schema::HISTORY.is_current(&history)? {
        return Ok(None);
    }
    let Some(store) = meta(&history, "store_id")? else { return Ok(None) };
    if !keys_path.exists() {
        return Err(StorageError::KeysMissing { path: keys_path.to_owned() });
    }
    let keys = connection::open(keys_path, Role::Keys)?;
    if !schema::KEYS.is_current(&keys)? {
        return Ok(None);
    }
    match (meta(&keys, "store_id")?, meta(&keys, "lookup_key")?) {
        (Some(of_keys), Some(wrapped)) if of_keys == store => Ok(Some((store, wrapped))),
        (Some(_), Some(_)) => Err(StorageError::KeysOfAnother { path: keys_path.to_owned() }),
        (None, _) | (_, None) => Err(StorageError::KeysMissing { path: keys_path.to_owned() }),
    }
}

/// Makes or upgrades both files, alone: the keys first, so that a history never stands without them.
fn establish(
    path: &Path,
    keys_path: &Path,
    data_dir: &Path,
    master: &[u8],
    entropy: &dyn Entropy,
) -> Result<Established, StorageError> {
    connection::make_folder(data_dir)?;
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        connection::make_folder(folder)?;
    }
    let _lock = connection::lock_patiently(path)?;
    if let Some(found) = established(path, keys_path)? {
        return Ok(found);
    }
    let mut history = connection::make(path, Role::Side)?;
    schema::HISTORY.apply(&mut history)?;
    let known = meta(&history, "store_id")?;
    if known.is_some() && !keys_path.exists() {
        return Err(StorageError::KeysMissing { path: keys_path.to_owned() });
    }
    let mut keys = connection::make(keys_path, Role::Keys)?;
    schema::KEYS.apply(&mut keys)?;
    let (store, wrapped) = match (meta(&keys, "store_id")?, meta(&keys, "lookup_key")?) {
        (Some(store), Some(wrapped)) => (store, wrapped),
        (None, _) | (_, None) => new_identity(&mut keys, master, entropy)?,
    };
    match known {
        Some(known) if known != store => {
            return Err(StorageError::KeysOfAnother { path: keys_path.to_owned() });
        }
        Some(_) => {}
        None if has_events(&history)? => {
            return Err(StorageError::KeysOfAnother { path: keys_path.to_owned() });
        }
        None => put_meta(&history, "store_id", &store)?,
    }
    Ok((store, wrapped))
}

fn new_identity(
    keys: &mut Connection,
    master: &[u8],
    entropy: &dyn Entropy,
) -> Result<Established, StorageError> {
    let mut store = vec![0; 16];
    entropy.fill(&mut store);
    let mut secret = Zeroizing::new([0; 32]);
    entropy.fill(secret.as_mut_slice());
    let wrapped = Wrapping::derive(master, &store)?.wrap(LOOKUP_PLACE, &secret, entropy)?;
    let failed = connection::failed("making the keys");
    let transaction = keys.transaction().map_err(failed)?;
    put_meta(&transaction, "store_id", &store)?;
    put_meta(&transaction, "lookup_key", &wrapped)?;
    transaction.commit().map_err(failed)?;
    Ok((store, wrapped))
}

fn meta(connection: &Connection, name: &str) -> Result<Option<Vec<u8>>, StorageError> {
    connection
        .query_row("SELECT value FROM meta WHERE name = ?1", [name], |row| row.get(0))
        .optional()
        .map_err(connection::failed("reading the store's identity"))
}

fn put_meta(connection: &Connection, name: &str, value: &[u8]) -> Result<(), StorageError> {
    connection
        .execute("INSERT INTO meta (name, value) VALUES (?1, ?2)", (name, value))
        .map(|_| ())
        .map_err(connection::failed("writing the store's identity"))
}

fn has_events(connection: &Connection) -> Result<bool, StorageError> {
    connection
        .query_row("SELECT EXISTS (SELECT 1 FROM events)", [], |row| row.get(0))
        .map_err(connection::failed("looking into the history"))
}
