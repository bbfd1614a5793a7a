//! `dunwell keys`: who may call. The store holds only each key's hash.

use crate::app;
use crate::app::clock::{MachineClock, MachineEntropy};
use crate::cli::{Keys, print};
use crate::config::Config;
use crate::config::environment::Environment;
use crate::domain::id::KeyId;
use crate::domain::time::{Clock, Entropy};
use crate::http::auth;
use crate::storage::ApiKeyRow;
use base64::Engine;
use std::process::ExitCode;

/// What a key begins with, so that a leaked one is recognised.
const PREFIX: &str = "dunwell_";

/// Creates, lists or revokes.
pub fn run(config: &Config, environment: &Environment, keys: &Keys) -> anyhow::Result<ExitCode> {
    let store = app::open_store(config, environment)?;
    match keys {
        Keys::Create { role, name } => {
            anyhow::ensure!(
                !name.trim().is_empty() && !name.chars().any(char::is_control),
                "--name must say whose key it is"
            );
            let now = MachineClock.now();
            let (key, hash) = new_key(&MachineEntropy);
            let id = KeyId::new(now, &MachineEntropy.ten());
            store.put_api_key(&ApiKeyRow {
                id,
                hash,
                role: role.clone(),
                name: name.clone(),
                created_at: now,
                revoked_at: None,
            })?;
            // The key comes last and alone on its line, for scripts.
            print(&format!("{id}  {role}  {name}\nShown this once; send it as `Authorization: Bearer KEY`:\n{key}\n"))?;
        }
        Keys::List => {
            let mut text = String::new();
            for row in store.reader()?.api_keys()? {
                let state = match row.revoked_at {
                    Some(at) => format!("revoked {at}"),
                    None => "in force".to_owned(),
                };
                let line = format!("{}  {:<10}  since {}  {state}  {}\n", row.id, row.role, row.created_at, row.name);
                text.push_str(&line);
            }
            print(if text.is_empty() { "no keys; make one with `dunwell keys create`\n" } else { &text })?;
        }
        Keys::Revoke { id } => {
            let key: KeyId = id.parse()?;
            if !store.revoke_api_key(key, MachineClock.now())? {
                anyhow::bail!("there is no key {id} in force; see `dunwell keys list`");
            }
            print(&format!("{id}  revoked\n"))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// A key of 256 random bits, and the hash it is known by.
pub fn new_key(entropy: &dyn Entropy) -> (String, auth::KeyDigest) {
    let mut bytes = [0; 32];
    entropy.fill(&mut bytes);
    let key = format!("{PREFIX}{}", base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(bytes));
    let hash = auth::digest_of(&key);
    (key, hash)
}
