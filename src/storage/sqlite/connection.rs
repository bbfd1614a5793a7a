//! Connections, their settings, the writer's lock and the pool of readers.

use crate::storage::StorageError;
use rusqlite::config::DbConfig;
use rusqlite::{Connection, Error, ErrorCode, OpenFlags, ffi};
use std::fs::{self, File, OpenOptions, TryLockError};
use std::path::{Path, PathBuf};
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Duration;

const BUSY: Duration = Duration::from_secs(10);
const LOCK_TRIES: u32 = 200;
const LOCK_PAUSE: Duration = Duration::from_millis(25);

/// What a connection is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// Appends to the history.
    Writer,
    /// Small writes beside the writer: schema, API keys, moving the log.
    Side,
    /// Reads the history or the keys.
    Reader,
    /// Writes the wrapped keys.
    Keys,
}

impl Role {
    /// In KiB. A page stays here only while it is used, so an idle store is small.
    fn cache_kib(self) -> i64 {
        match self {
            Self::Writer => 32 * 1024,
            Self::Side => 512,
            Self::Reader => 2 * 1024,
            Self::Keys => 8 * 1024,
        }
    }
}

/// Turns the database's answer into ours, which names what was being done but neither statement nor value.
pub(super) fn failed(doing: &'static str) -> impl Fn(Error) -> StorageError + Copy {
    move |error| {
        let code = match &error {
            Error::SqliteFailure(failure, _) | Error::SqlInputError { error: failure, .. } => failure,
            _ => return StorageError::Database { doing, code: 0 },
        };
        match code.code {
            ErrorCode::DiskFull => StorageError::Full,
            ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase => StorageError::Corrupt { doing },
            ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked => StorageError::Busy { doing },
            _ => StorageError::Database { doing, code: code.extended_code },
        }
    }
}

/// Whether a row was refused because another stands in its place.
pub(super) fn is_conflict(error: &Error) -> bool {
    matches!(
        error.sqlite_error(),
        Some(ffi::Error { code: ErrorCode::ConstraintViolation, extended_code }) if [
            ffi::SQLITE_CONSTRAINT_UNIQUE,
            ffi::SQLITE_CONSTRAINT_PRIMARYKEY,
            ffi::SQLITE_CONSTRAINT_TRIGGER,
        ].contains(extended_code)
    )
}

/// Opens a database that is there.
pub(super) fn open(path: &Path, role: Role) -> Result<Connection, StorageError> {
    if !path.exists() {
        return Err(StorageError::Missing { path: path.to_owned() });
    }
    let access = match role {
        Role::Reader => OpenFlags::SQLITE_OPEN_READ_ONLY,
        Role::Writer | Role::Side | Role::Keys => OpenFlags::SQLITE_OPEN_READ_WRITE,
    };
    let failed = failed("opening the store");
    let connection =
        Connection::open_with_flags(path, access | OpenFlags::SQLITE_OPEN_NO_MUTEX).map_err(failed)?;
    connection.busy_timeout(BUSY).map_err(failed)?;
    connection.set_prepared_statement_cache_capacity(128);
    configure(&connection, role).map_err(failed)?;
    Ok(connection)
}

fn configure(connection: &Connection, role: Role) -> rusqlite::Result<()> {
    connection.pragma_update(None, "cache_size", -role.cache_kib())?;
    connection.pragma_update(None, "trusted_schema", false)?;
    // A plan stays as it was prepared, whatever is bound to it: planning anew costs ten times what our look-ups do.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    if role == Role::Reader {
        return connection.pragma_update(None, "query_only", true);
    }
    connection.query_row("PRAGMA journal_mode = WAL", [], |_| Ok(()))?;
    // The writer's log is synced beside the connection, while the next batch is made, and before anybody hears of a commit:
    // see `Written`. Whatever else depends on the order of writes, NORMAL keeps.
    let synchronous = if role == Role::Writer { "NORMAL" } else { "FULL" };
    connection.pragma_update(None, "synchronous", synchronous)?;
    connection.pragma_update(None, "foreign_keys", true)?;
    connection.pragma_update(None, "temp_store", "MEMORY")?;
    // 64 MiB of log before a commit moves it itself; `Store::checkpoint` normally comes first.
    connection.query_row("PRAGMA wal_autocheckpoint = 16384", [], |_| Ok(()))?;
    connection.query_row("PRAGMA journal_size_limit = 67108864", [], |_| Ok(()))?;
    if role == Role::Keys {
        // A destroyed key is overwritten with zeros, not only unlinked.
        connection.query_row("PRAGMA secure_delete = ON", [], |_| Ok(()))?;
    }
    Ok(())
}

/// Opens a database and makes the file, readable by its owner only, where there is none.
pub(super) fn make(path: &Path, role: Role) -> Result<Connection, StorageError> {
    private_file(path)?;
    open(path, role)
}

/// The write-ahead log of a database that has been read already, and can be found after a crash of the machine.
pub(super) fn write_ahead_log(path: &Path) -> Result<File, StorageError> {
    let mut name = path.as_os_str().to_owned();
    name.push("-wal");
    let name = PathBuf::from(name);
    let failed = |error| StorageError::file(&name, &error);
    let file = File::open(&name).map_err(failed)?;
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(failed)?;
    Ok(file)
}

fn private_file(path: &Path) -> Result<File, StorageError> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path).map_err(|error| StorageError::file(path, &error))
}

/// Makes a folder, and those above it, for its owner only; leaves one that is there as it is.
pub(super) fn make_folder(path: &Path) -> Result<(), StorageError> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path).map_err(|error| StorageError::file(path, &error))
}

/// The writer's lock, given back when dropped or when the process ends.
pub(super) struct Lock(File);

impl Drop for Lock {
    fn drop(&mut self) {
        // Closing alone would leave it with a child process that is just being started and still has the file open.
        let _ = self.0.unlock();
    }
}

/// Takes the writer's lock beside a history.
pub(super) fn lock(path: &Path) -> Result<Lock, StorageError> {
    let mut name = path.as_os_str().to_owned();
    name.push(".lock");
    let name = PathBuf::from(name);
    let file = private_file(&name)?;
    match file.try_lock() {
        Ok(()) => Ok(Lock(file)),
        Err(TryLockError::WouldBlock) => Err(StorageError::Locked),
        Err(TryLockError::Error(error)) => Err(StorageError::file(&name, &error)),
    }
}

/// Takes the writer's lock, and waits some seconds for another process that is just making the store.
pub(super) fn lock_patiently(path: &Path) -> Result<Lock, StorageError> {
    for _ in 1..LOCK_TRIES {
        match lock(path) {
            Err(StorageError::Locked) => std::thread::sleep(LOCK_PAUSE),
            other => return other,
        }
    }
    lock(path)
}

/// A reader's two connections.
pub(super) struct ReadPair {
    pub(super) history: Connection,
    pub(super) keys: Connection,
}

/// Readers that are not in use, and how many there are at all.
pub(super) struct Pool {
    path: PathBuf,
    keys_path: PathBuf,
    limit: usize,
    state: Mutex<PoolState>,
    returned: Condvar,
}

struct PoolState {
    idle: Vec<ReadPair>,
    lent: usize,
}

impl Pool {
    pub(super) fn new(path: PathBuf, keys_path: PathBuf, limit: usize) -> Self {
        let state = Mutex::new(PoolState { idle: Vec::new(), lent: 0 });
        Self { path, keys_path, limit, state, returned: Condvar::new() }
    }

    /// Lends a pair, waiting while all are out.
    pub(super) fn lend(&self) -> Result<ReadPair, StorageError> {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let full = |state: &mut PoolState| state.lent >= self.limit;
        let mut state = self.returned.wait_while(state, full).unwrap_or_else(PoisonError::into_inner);
        state.lent += 1;
        if let Some(pair) = state.idle.pop() {
            return Ok(pair);
        }
        drop(state);
        let opened = open(&self.path, Role::Reader).and_then(|history| {
            let keys = open(&self.keys_path, Role::Reader)?;
            Ok(ReadPair { history, keys })
        });
        if opened.is_err() {
            self.give_back(None);
        }
        opened
    }

    /// Takes a pair back.
    pub(super) fn give_back(&self, pair: Option<ReadPair>) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.lent -= 1;
        state.idle.extend(pair);
        self.returned.notify_one();
    }
}
