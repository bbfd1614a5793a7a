//! API keys: written by the command line while the service runs, read by the service.

use super::Database;
use super::connection::{self, Role, failed};
use super::rows::unreadable;
use crate::domain::id::KeyId;
use crate::domain::time::Timestamp;
use crate::storage::{ApiKeyRow, StorageError};
use rusqlite::{Connection, OptionalExtension, Row};

impl Database {
    pub(in crate::storage) fn put_api_key(&self, key: &ApiKeyRow) -> Result<(), StorageError> {
        let failed = failed("keeping an API key");
        connection::open(&self.path, Role::Side)?
            .execute(
                "INSERT INTO api_keys (id, hash, role, name, created_at, revoked_at)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6)
                 ON CONFLICT (id) DO UPDATE SET hash = excluded.hash, role = excluded.role,
                     name = excluded.name, created_at = excluded.created_at, revoked_at = excluded.revoked_at",
                (
                    key.id.as_bytes(),
                    key.hash,
                    &key.role,
                    &key.name,
                    key.created_at.millis(),
                    key.revoked_at.map(Timestamp::millis),
                ),
            )
            .map(|_| ())
            .map_err(failed)
    }

    pub(in crate::storage) fn revoke_api_key(&self, id: KeyId, at: Timestamp) -> Result<bool, StorageError> {
        connection::open(&self.path, Role::Side)?
            .execute(
                "UPDATE api_keys SET revoked_at = ?2 WHERE id = ?1 AND revoked_at IS NULL",
                (id.as_bytes(), at.millis()),
            )
            .map(|changed| changed > 0)
            .map_err(failed("revoking an API key"))
    }
}

fn read(row: &Row<'_>) -> rusqlite::Result<ApiKeyRow> {
    Ok(ApiKeyRow {
        id: KeyId::from_bytes(row.get(0)?),
        hash: row.get(1)?,
        role: row.get(2)?,
        name: row.get(3)?,
        created_at: Timestamp::from_millis(row.get(4)?),
        revoked_at: row.get::<_, Option<i64>>(5)?.map(Timestamp::from_millis),
    })
}

pub(super) fn list(connection: &Connection) -> Result<Vec<ApiKeyRow>, StorageError> {
    let mut statement = connection
        .prepare_cached("SELECT id, hash, role, name, created_at, revoked_at FROM api_keys ORDER BY id")
        .map_err(failed("listing API keys"))?;
    let rows = statement.query_map([], read).map_err(unreadable("api_keys"))?;
    rows.collect::<Result<_, _>>().map_err(unreadable("api_keys"))
}

pub(super) fn by_hash(connection: &Connection, hash: &[u8; 32]) -> Result<Option<ApiKeyRow>, StorageError> {
    connection
        .prepare_cached("SELECT id, hash, role, name, created_at, revoked_at FROM api_keys WHERE hash = ?1")
        .map_err(failed("looking an API key up"))?
        .query_row([hash], read)
        .optional()
        .map_err(unreadable("api_keys"))
}
