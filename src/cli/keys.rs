//! `dunwell keys`: who may call. The store holds only each key's hash.

use crate::app;
use crate::app::clock::{MachineClock, MachineEntropy};
use crate::app::keyring;
use crate::cli::{Keys, print};
use crate::config::Config;
use crate::config::environment::Environment;
use crate::domain::id::KeyId;
use crate::domain::time::Clock;
use std::process::ExitCode;

/// Creates, lists or revokes.
pub fn run(config: &Config, environment: &Environment, keys: &Keys) -> anyhow::Result<ExitCode> {
    let store = app::open_store(config, environment)?;
    match keys {
        Keys::Create { role, name } => {
            anyhow::ensure!(
                !name.trim().is_empty() && !name.chars().any(char::is_control),
                "--name must say whose key it is"
            );
            let key = keyring::create(&store, role, name, MachineClock.now(), &MachineEntropy)?;
            // The key comes last and alone on its line, for scripts.
            print(&format!(
                "{}  {role}  {name}\nShown this once; send it as `Authorization: Bearer KEY`:\n{}\n",
                key.id, key.text
            ))?;
        }
        Keys::List => {
            let mut text = String::new();
            for row in store.reader()?.api_keys()? {
                let state = match row.revoked_at {
                    Some(at) => format!("revoked {at}"),
                    None => "in force".to_owned(),
                };
                let line = format!(
                    "{}  {:<10}  since {}  {state}  {}\n",
                    row.id, row.role, row.created_at, row.name
                );
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
