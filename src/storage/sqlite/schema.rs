//! The schema's versions, each a file that is never edited once released; its digest is kept and compared.

use super::connection::failed;
use crate::storage::StorageError;
use aws_lc_rs::digest;
use rusqlite::{Connection, TransactionBehavior};

/// The history's database.
pub(super) const HISTORY: Schema = Schema {
    versions: &[
        include_str!("migrations/0001_history.sql"),
        include_str!("migrations/0002_webhooks.sql"),
        include_str!("migrations/0003_callbacks.sql"),
        include_str!("migrations/0004_moved.sql"),
    ],
};
/// The wrapped keys' database.
pub(super) const KEYS: Schema = Schema { versions: &[include_str!("keys/0001_keys.sql")] };

/// What a database should look like: the text of every version, from 1.
pub(super) struct Schema {
    versions: &'static [&'static str],
}

impl Schema {
    /// Whether every version has been applied, and no other.
    ///
    /// # Errors
    /// [`StorageError::Newer`] and [`StorageError::Schema`] for a database that is not ours to touch.
    pub(super) fn is_current(&self, connection: &Connection) -> Result<bool, StorageError> {
        Ok(self.applied(connection)? == self.versions.len())
    }

    /// Applies the versions that are missing, all or none.
    pub(super) fn apply(&self, connection: &mut Connection) -> Result<(), StorageError> {
        let failed = failed("preparing the schema");
        let transaction =
            connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(failed)?;
        transaction
            .execute_batch(
                "CREATE TABLE IF NOT EXISTS migrations (version INTEGER PRIMARY KEY, digest BLOB NOT NULL) STRICT",
            )
            .map_err(failed)?;
        let applied = self.applied(&transaction)?;
        for (version, text) in (1_i64..).zip(self.versions).skip(applied) {
            transaction.execute_batch(text).map_err(failed)?;
            transaction
                .execute("INSERT INTO migrations VALUES (?1, ?2)", (version, sha256(text)))
                .map_err(failed)?;
        }
        transaction.commit().map_err(failed)
    }

    /// How many versions have been applied.
    fn applied(&self, connection: &Connection) -> Result<usize, StorageError> {
        let failed = failed("reading the schema");
        if !connection.table_exists(None, "migrations").map_err(failed)? {
            return Ok(0);
        }
        let mut statement =
            connection.prepare("SELECT version, digest FROM migrations ORDER BY version").map_err(failed)?;
        let rows = statement
            .query_map([], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, Vec<u8>>(1)?)))
            .map_err(failed)?;
        let mut applied = 0;
        for row in rows {
            let (version, digest) = row.map_err(failed)?;
            let Some(text) = self.versions.get(applied) else {
                let known = i64::try_from(self.versions.len()).unwrap_or(i64::MAX);
                return Err(StorageError::Newer { found: version, known });
            };
            applied += 1;
            if digest != sha256(text) || i64::try_from(applied) != Ok(version) {
                return Err(StorageError::Schema { version });
            }
        }
        Ok(applied)
    }
}

fn sha256(text: &str) -> Vec<u8> {
    digest::digest(&digest::SHA256, text.as_bytes()).as_ref().to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIRST: &str = "CREATE TABLE one (a INTEGER);";
    const SECOND: &str = "CREATE TABLE two (a INTEGER);";

    #[test]
    fn versions_are_applied_once_and_in_order() {
        let mut connection = Connection::open_in_memory().expect("memory");
        let old = Schema { versions: &[FIRST] };
        let new = Schema { versions: &[FIRST, SECOND] };
        assert!(!old.is_current(&connection).expect("readable"));
        old.apply(&mut connection).expect("applied");
        old.apply(&mut connection).expect("applied again");
        assert!(old.is_current(&connection).expect("readable"));
        assert!(!new.is_current(&connection).expect("readable"));
        new.apply(&mut connection).expect("upgraded");
        assert!(connection.table_exists(None, "two").expect("readable"));
        let newer = old.is_current(&connection);
        assert!(matches!(newer, Err(StorageError::Newer { found: 2, known: 1 })), "{newer:?}");
        let edited = Schema { versions: &[FIRST, "CREATE TABLE two (b INTEGER);"] }.is_current(&connection);
        assert!(matches!(edited, Err(StorageError::Schema { version: 2 })), "{edited:?}");
    }
}
