//! `dunwell backup` and `restore`.

use crate::app;
use crate::cli::{Backup, Restore, print};
use crate::config::Config;
use crate::config::environment::Environment;
use crate::storage;
use std::process::ExitCode;

/// Copies the history, and the wrapped keys if asked for, while the store is in use.
pub fn back_up(config: &Config, environment: &Environment, backup: &Backup) -> anyhow::Result<ExitCode> {
    let store = app::open_existing_store(config, environment)?;
    store.backup(&backup.history, backup.keys.as_deref())?;
    let mut text = format!("{}: a copy of the history\n", backup.history.display());
    match &backup.keys {
        Some(keys) => text.push_str(&format!(
            "{}: a copy of the wrapped keys; keep it apart, and 30 days at most\n",
            keys.display()
        )),
        None => text.push_str(
            "the wrapped keys were not copied (--keys FILE): without them nothing personal can be read\n",
        ),
    }
    print(&text)?;
    Ok(ExitCode::SUCCESS)
}

/// Puts copies back where there is no store.
pub fn restore(config: &Config, environment: &Environment, restore: &Restore) -> anyhow::Result<ExitCode> {
    let settings = app::store_settings(config, environment)?;
    storage::restore(&settings, &restore.history, restore.keys.as_deref())?;
    print(&format!("{}: restored from {}\n", config.store.display(), restore.history.display()))?;
    Ok(ExitCode::SUCCESS)
}
