//! Backup while the store is in use, and back, through SQLite's online backup.

use super::connection::{self, Role, failed};
use super::{Database, KEYS_FILE, keyring, meta};
use crate::storage::StorageError;
use crate::storage::seal::KeyId;
use rusqlite::Connection;
use rusqlite::backup::{Backup, StepResult};
use std::path::Path;

impl Database {
    /// The history first, then the keys: every event of the copy then has its key in the other copy.
    pub(in crate::storage) fn backup(&self, history: &Path, keys: Option<&Path>) -> Result<(), StorageError> {
        copy(&self.path, history)?;
        keys.map_or(Ok(()), |keys| copy(&self.keys_path, keys))
    }
}

/// One consistent copy into a new file. It is taken in one step: a writer then goes on beside it without making it start
/// again.
fn copy(from: &Path, to: &Path) -> Result<(), StorageError> {
    if to.exists() {
        return Err(StorageError::Exists { path: to.to_owned() });
    }
    let failed = failed("copying the store");
    let source = connection::open(from, Role::Reader)?;
    let mut target = connection::make(to, Role::Side)?;
    let step = Backup::new(&source, &mut target).and_then(|backup| backup.step(-1)).map_err(failed)?;
    match step {
        StepResult::Done => {}
        _ => return Err(StorageError::Busy { doing: "copying the store" }),
    }
    // One file without a log beside it.
    target.query_row("PRAGMA journal_mode = DELETE", [], |_| Ok(())).map_err(failed)
}

pub(in crate::storage) fn restore(
    path: &Path,
    data_dir: &Path,
    history: &Path,
    keys: Option<&Path>,
) -> Result<(), StorageError> {
    connection::make_folder(data_dir)?;
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        connection::make_folder(folder)?;
    }
    let _lock = connection::lock(path)?;
    let keys_path = data_dir.join(KEYS_FILE);
    let taken =
        [Some(path), keys.map(|_| keys_path.as_path())].into_iter().flatten().find(|path| path.exists());
    if let Some(taken) = taken {
        return Err(StorageError::Exists { path: taken.to_owned() });
    }
    if keys.is_none() && !keys_path.exists() {
        return Err(StorageError::KeysMissing { path: keys_path });
    }
    if let Some(keys) = keys {
        copy(keys, &keys_path)?;
    }
    let mut keyring = connection::open(&keys_path, Role::Keys)?;
    let source = connection::open(history, Role::Reader)?;
    if meta(&source, "store_id")? != meta(&keyring, "store_id")? {
        return Err(StorageError::KeysOfAnother { path: keys_path });
    }
    let erased = erased_keys(&source)?;
    if !erased.is_empty() {
        keyring::destroy(&mut keyring, &erased)?;
    }
    // The history comes last: a restore that was cut short leaves no store, and can be done again without the keys.
    copy(history, path)
}

/// Every key that the history says is destroyed.
fn erased_keys(history: &Connection) -> Result<Vec<(Vec<u8>, KeyId)>, StorageError> {
    let failed = failed("reading erasures");
    let mut statement =
        history.prepare("SELECT stream, key FROM erasures WHERE key IS NOT NULL").map_err(failed)?;
    let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).map_err(failed)?;
    rows.collect::<Result<_, _>>().map_err(failed)
}
