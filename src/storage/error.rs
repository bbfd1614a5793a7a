//! Everything that can go wrong in the store, and what to do about it. No SQL text, no personal data.

use crate::ledger::canonical::NotCanonical;
use crate::ledger::verify::Breach;
use std::path::PathBuf;

/// The store could not do it.
#[derive(Debug, thiserror::Error)]
pub enum StorageError {
    /// The store's address is of a kind that is not built in.
    #[error("the store {scheme}:// is not supported yet: use sqlite:PATH")]
    Unsupported {
        /// The scheme asked for.
        scheme: String,
    },
    /// The store's address is not one.
    #[error("the store's url must be sqlite:PATH")]
    Url,
    /// The master key is too short to protect anything.
    #[error("the master key must have at least 32 bytes")]
    MasterKeyTooShort,
    /// The master key does not open the wrapped keys.
    #[error("the master key is not the one that this store's keys are wrapped with: check [keys] master")]
    WrongMasterKey,
    /// The history has been written, and its keys are not there.
    #[error("the wrapped keys of this store are missing: restore {path}")]
    KeysMissing {
        /// Where they should be.
        path: PathBuf,
    },
    /// The keys' file belongs to another history.
    #[error("the wrapped keys at {path} belong to another store")]
    KeysOfAnother {
        /// Where they are.
        path: PathBuf,
    },
    /// Another process writes.
    #[error("another process writes to this store: stop it first")]
    Locked,
    /// A file that must not exist does.
    #[error("{path} exists already: choose another place, or remove it")]
    Exists {
        /// The file.
        path: PathBuf,
    },
    /// There is no store there.
    #[error("there is no store at {path}")]
    Missing {
        /// Where it was looked for.
        path: PathBuf,
    },
    /// A newer version has written to the store.
    #[error(
        "the store's schema is at version {found}, this program knows up to {known}: use the newer program"
    )]
    Newer {
        /// The version found.
        found: i64,
        /// The newest version known.
        known: i64,
    },
    /// The schema was made by something else.
    #[error("the store's schema version {version} is not the one that this program makes")]
    Schema {
        /// The version that differs.
        version: i64,
    },
    /// The disk is full, or the database at its limit.
    #[error("the store is full: free disk space")]
    Full,
    /// The database file is damaged.
    #[error("the store's file is damaged ({doing}): restore a backup")]
    Corrupt {
        /// What was being done.
        doing: &'static str,
    },
    /// Someone else holds the database for too long.
    #[error("the store is busy ({doing}): try again")]
    Busy {
        /// What was being done.
        doing: &'static str,
    },
    /// Any other answer of the database.
    #[error("the store failed while {doing} (SQLite code {code})")]
    Database {
        /// What was being done.
        doing: &'static str,
        /// SQLite's extended result code.
        code: i32,
    },
    /// A file could not be read or written.
    #[error("{path}: {kind}")]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        kind: std::io::ErrorKind,
    },
    /// The chain that was passed in is not the stream's newest.
    #[error("the stream has moved on: load it again")]
    StaleChain,
    /// An earlier step of this batch failed, so none of it may be kept.
    #[error("an earlier step of this batch failed: nothing of it is kept")]
    Spoiled,
    /// An event cannot be written in canonical form.
    #[error("{type_name} cannot be recorded: {fault}")]
    Form {
        /// The event's type.
        type_name: &'static str,
        /// What is wrong.
        fault: NotCanonical,
    },
    /// A stored event cannot be read.
    #[error("the event at leaf {leaf} cannot be read: verify the log")]
    Unreadable {
        /// Its leaf.
        leaf: u64,
    },
    /// A stored row cannot be read.
    #[error("a row of {table} cannot be read: rebuild the projections")]
    Row {
        /// The table.
        table: &'static str,
    },
    /// The cryptographic library refused.
    #[error("sealing failed")]
    Sealing,
}

impl StorageError {
    /// Of a file that could not be opened, made or removed.
    pub(in crate::storage) fn file(path: &std::path::Path, error: &std::io::Error) -> Self {
        Self::File { path: path.to_owned(), kind: error.kind() }
    }
}

/// Why a log did not pass.
#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    /// The log is not what was recorded.
    #[error(transparent)]
    Breach(#[from] Breach),
    /// A column says something else than the entry it stands beside.
    #[error("leaf {leaf}: the column {column} does not match the entry")]
    Column {
        /// The leaf's index.
        leaf: u64,
        /// The column.
        column: &'static str,
    },
    /// The log could not be read.
    #[error(transparent)]
    Storage(#[from] StorageError),
}
