//! Callbacks that count once: which were taken, for as long as they would be believed again.

use super::connection::failed;
use super::read::Reader;
use super::write::Batch;
use crate::domain::id::Pseudonym;
use crate::domain::time::Timestamp;
use crate::storage::StorageError;

impl Batch<'_> {
    /// Keeps that a callback was taken, by the keyed hash of what was signed, until nobody would believe it again; and forgets
    /// those of which that is so by now.
    pub fn keep_callback(
        &mut self,
        signed: Pseudonym,
        until: Timestamp,
        now: Timestamp,
    ) -> Result<(), StorageError> {
        self.sound()?;
        let kept =
            self.write_callback(signed, until, now).map_err(failed("keeping that a callback was taken"));
        self.spoil_on(kept)
    }

    fn write_callback(&self, signed: Pseudonym, until: Timestamp, now: Timestamp) -> rusqlite::Result<()> {
        let history = &self.writer.history;
        history
            .prepare_cached("DELETE FROM callbacks_taken WHERE believed_until < ?1")?
            .execute([now.millis()])?;
        history
            .prepare_cached("INSERT OR REPLACE INTO callbacks_taken VALUES (?1, ?2)")?
            .execute((signed.as_bytes(), until.millis()))
            .map(|_| ())
    }
}

impl Reader {
    /// Whether a callback was taken.
    pub fn has_callback(&self, signed: Pseudonym) -> Result<bool, StorageError> {
        self.history()
            .prepare_cached("SELECT 1 FROM callbacks_taken WHERE signed = ?1")
            .and_then(|mut statement| statement.exists([signed.as_bytes()]))
            .map_err(failed("looking for a callback"))
    }
}
