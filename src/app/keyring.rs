//! Who may call: the API keys in force, from the store to the gate, also while it runs.

use crate::app::clock::timer;
use crate::config::Config;
use crate::domain::id::KeyId;
use crate::domain::time::{Entropy, Timestamp};
use crate::http::api::keys::make;
use crate::http::auth::{Gate, digest_of};
use crate::storage::{ApiKeyRow, StorageError, Store};
use secrecy::ExposeSecret;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Between two looks at the store: how long a revoked key may still open, at most.
pub const REFRESH: Duration = Duration::from_millis(500);
/// Between two looks for the sake of unknown keys, which wait for it: whoever guesses must not keep the store busy.
const PATIENCE: Duration = Duration::from_millis(50);
/// The keys of the store, and the one from the environment.
pub struct Keyring {
    store: Store,
    gate: Arc<Gate>,
    seen: Mutex<Seen>,
}

struct Seen {
    rows: Vec<ApiKeyRow>,
    looked: Instant,
}

impl Keyring {
    /// Reads the keys in force.
    ///
    /// # Errors
    /// The store cannot be read.
    pub fn open(config: &Config, store: Store) -> Result<Arc<Self>, StorageError> {
        let gate = Gate::new(config.bootstrap_key.as_ref().map(ExposeSecret::expose_secret));
        let looked = timer();
        let rows = store.reader()?.api_keys()?;
        gate.load(&rows);
        let seen = Mutex::new(Seen { rows, looked });
        let keyring = Arc::new(Self { store, gate: Arc::new(gate), seen });
        // A key made a moment ago, by another process, opens at once.
        let looking = Arc::downgrade(&keyring);
        keyring.gate.when_unknown(move |key| {
            let keyring = looking.upgrade();
            async move {
                if let Some(keyring) = keyring {
                    keyring.look_for(&key).await;
                }
            }
        });
        Ok(keyring)
    }

    /// The gate that the keys open.
    pub fn gate(&self) -> Arc<Gate> {
        Arc::clone(&self.gate)
    }

    /// Looks at the store again; other processes create and revoke keys there.
    ///
    /// # Errors
    /// The store cannot be read; the gate then knows what it knew.
    pub fn refresh(&self) -> Result<(), StorageError> {
        let began = timer();
        let rows = self.store.reader()?.api_keys()?;
        let mut seen = self.seen();
        seen.looked = seen.looked.max(began);
        if seen.rows != rows {
            self.gate.load(&rows);
            seen.rows = rows;
        }
        Ok(())
    }

    /// Sees to it that a key which was in the store when it was shown to us is known; those that are take no lock.
    async fn look_for(self: &Arc<Self>, key: &str) {
        let shown = timer();
        while self.gate.admit(key).is_none() {
            let looked = self.seen().looked;
            if looked >= shown {
                return;
            }
            let wait = PATIENCE.saturating_sub(timer().duration_since(looked));
            if wait.is_zero() {
                let keyring = Arc::clone(self);
                if tokio::task::spawn_blocking(move || keyring.refresh()).await.is_ok_and(|done| done.is_ok())
                {
                    continue;
                }
                return tracing::warn!("keys.not_refreshed");
            }
            tokio::time::sleep(wait).await;
        }
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Looks at the store; a failure is logged and changes nothing.
    pub fn refresh_or_warn(&self) {
        if let Err(error) = self.refresh() {
            tracing::warn!(error = %error, "keys.not_refreshed");
        }
    }
}

/// A key as it was just made: its text is shown once and kept nowhere.
pub struct NewKey {
    /// Its identifier.
    pub id: KeyId,
    /// What a caller sends.
    pub text: String,
}

/// Makes a key of 256 random bits; the store keeps its hash.
///
/// # Errors
/// The store cannot be written.
pub fn create(
    store: &Store,
    role: &str,
    name: &str,
    now: Timestamp,
    entropy: &dyn Entropy,
) -> Result<NewKey, StorageError> {
    let text = make(entropy);
    let id = KeyId::new(now, &entropy.ten());
    store.put_api_key(&ApiKeyRow {
        id,
        hash: digest_of(&text),
        role: role.to_owned(),
        name: name.to_owned(),
        created_at: now,
        revoked_at: None,
    })?;
    Ok(NewKey { id, text })
}
