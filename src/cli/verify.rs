//! `dunwell verify --log`: walks the whole history.

use crate::cli::print;
use crate::config::Config;
use crate::storage;
use std::process::ExitCode;

/// Walks every chain and every leaf hash; fails with the first fault. Needs no key.
pub fn run(config: &Config) -> anyhow::Result<ExitCode> {
    match storage::verify_log(&config.store) {
        Ok(walked) => {
            let last =
                walked.last.map(|hash| format!(", the last with leaf hash {hash}")).unwrap_or_default();
            print(&format!(
                "{}: whole: {} events in {} chains{last}\n",
                config.store.display(),
                walked.entries,
                walked.streams
            ))?;
            Ok(ExitCode::SUCCESS)
        }
        Err(error) => anyhow::bail!("{}: {error}", config.store.display()),
    }
}
