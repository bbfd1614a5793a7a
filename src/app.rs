//! Floor 6, the composition root: builds everything from the configuration, owns clock, dice and shutdown.

pub mod clock;
pub mod demo;
pub mod engines;
pub mod gateway;
pub mod keyring;
pub mod loader;
pub mod mailroom;
pub mod opt_out_notice;
pub mod telemetry;

use crate::app::clock::{MachineClock, MachineEntropy};
use crate::app::gateway::Gateway;
use crate::app::telemetry::LogForm;
use crate::config::environment::Environment;
use crate::config::{Config, Refused};
use crate::domain::event::Actor;
use crate::pipeline::Pipeline;
use crate::storage::{self, Store};
use anyhow::Context;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

/// Readers of the store that may read at once.
const READERS: usize = 8;

/// Serves until it is told to stop; finishes then what it has begun.
///
/// # Errors
/// Everything that is wrong with the configuration and what it points to, at once; or why it cannot start.
pub fn serve(file: &Path, data: &Path, environment: &Environment) -> anyhow::Result<()> {
    let (config, engines) = load(file, data, environment)?;
    telemetry::start(LogForm::Json, environment.get("RUST_LOG"));
    for warning in &config.warnings {
        tracing::warn!(warning = %warning, "config.warning");
    }
    runtime()?.block_on(async {
        // Taken first, so that a port in use is said before the store is touched.
        let listener = TcpListener::bind(config.listen)
            .await
            .with_context(|| format!("cannot listen on {}", config.listen))?;
        let mail = match &config.inbound_email {
            Some(inbound) => Some((mailroom::bind(inbound).await?, inbound.clone())),
            None => None,
        };
        let gateway =
            Gateway::start(&config, engines, environment, Arc::new(MachineClock), Arc::new(MachineEntropy))
                .await?;
        let stop = CancellationToken::new();
        tokio::spawn(stop_on_signal(stop.clone()));
        let place = (file.to_owned(), data.to_owned(), environment.clone());
        tokio::spawn(reload_on_signal(gateway.pipeline().clone(), place));
        if let Some((mail, inbound)) = mail {
            tracing::info!(listen = %mail.local_addr()?, "mail.started");
            tokio::spawn(mailroom::serve(mail, inbound, gateway.pipeline().clone(), stop.clone()));
        }
        tracing::info!(listen = %listener.local_addr()?, version = env!("CARGO_PKG_VERSION"), "serve.started");
        gateway.serve(listener, stop).await?;
        tracing::info!("serve.ended");
        Ok(())
    })
}

/// The configuration and everything that it points to.
fn load(file: &Path, data: &Path, environment: &Environment) -> Result<(Config, engines::Engines), Refused> {
    let (config, mut faults) = Config::survey(file, data, environment);
    let Some(config) = config else { return Err(Refused(faults)) };
    match engines::load(&config, environment) {
        Ok(engines) if faults.is_empty() => Ok((config, engines)),
        Ok(_) => Err(Refused(faults)),
        Err(found) => {
            faults.extend(found);
            faults.sort();
            Err(Refused(faults))
        }
    }
}

/// The runtime that everything waits on.
pub fn runtime() -> anyhow::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .thread_name("dunwell")
        .build()
        .context("the runtime cannot start")
}

/// Where the configuration is read from.
type ConfigPlace = (PathBuf, PathBuf, Environment);

/// Reads the law again at every SIGHUP. Law with a fault in it is said and not put in force.
async fn reload_on_signal(pipeline: Pipeline, place: ConfigPlace) {
    #[cfg(unix)]
    if let Ok(mut hangup) = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::hangup()) {
        while hangup.recv().await.is_some() {
            reload(&pipeline, place.clone()).await;
        }
    }
    #[cfg(not(unix))]
    let _only_at_the_start = (pipeline, place);
}

async fn reload(pipeline: &Pipeline, place: ConfigPlace) {
    let read = tokio::task::spawn_blocking(move || {
        let (file, data, environment) = place;
        let (config, faults) = Config::survey(&file, &data, &environment);
        match config {
            Some(config) if faults.is_empty() => engines::policy(&config).map(|(policy, _)| policy),
            Some(_) | None => Err(faults),
        }
    });
    match read.await {
        Ok(Ok(policy)) => match pipeline.change_policy(&Actor::Operator, policy).await {
            Ok(true) => tracing::info!("policy.reloaded"),
            Ok(false) => tracing::info!("policy.unchanged"),
            Err(_) => tracing::error!("policy.not_recorded"),
        },
        Ok(Err(faults)) => {
            for fault in faults {
                tracing::error!(fault = %fault, "policy.fault");
            }
            tracing::error!("policy.not_reloaded");
        }
        Err(_) => tracing::error!("policy.not_read"),
    }
}

/// Waits for SIGTERM or SIGINT. A second one ends the process at once, as a last resort of whoever sent it.
async fn stop_on_signal(stop: CancellationToken) {
    wait_for_signal().await;
    tracing::info!("serve.stopping");
    stop.cancel();
    wait_for_signal().await;
    std::process::exit(130);
}

#[cfg(unix)]
async fn wait_for_signal() {
    use tokio::signal::unix::{SignalKind, signal};
    match signal(SignalKind::terminate()) {
        Ok(mut terminate) => tokio::select! {
            _ = terminate.recv() => {}
            _ = tokio::signal::ctrl_c() => {}
        },
        Err(_) => {
            let _interrupted = tokio::signal::ctrl_c().await;
        }
    }
}

#[cfg(not(unix))]
async fn wait_for_signal() {
    let _interrupted = tokio::signal::ctrl_c().await;
}

/// Where the store is and what opens it; makes the master key's file on the first start.
///
/// # Errors
/// What is wrong with the master key.
pub fn store_settings(config: &Config, environment: &Environment) -> anyhow::Result<storage::Settings> {
    let key = config.master_key(environment, &MachineEntropy)?;
    Ok(storage::Settings {
        url: format!("sqlite:{}", config.store.display()),
        data_dir: config.data.clone(),
        master_key: key.to_vec().into(),
        readers: READERS,
        bulk: storage::BULK,
    })
}

/// Opens the store, and makes it where there is none.
///
/// # Errors
/// What is wrong with the master key or the store.
pub fn open_store(config: &Config, environment: &Environment) -> anyhow::Result<Store> {
    let settings = store_settings(config, environment)?;
    make_folders(config)?;
    Ok(Store::open(&settings, Arc::new(MachineEntropy))?)
}

/// Opens a store that is there.
///
/// # Errors
/// There is none, or what is wrong with the master key or the store.
pub fn open_existing_store(config: &Config, environment: &Environment) -> anyhow::Result<Store> {
    anyhow::ensure!(config.store.exists(), "there is no store at {}", config.store.display());
    open_store(config, environment)
}

fn make_folders(config: &Config) -> anyhow::Result<()> {
    for dir in [Some(config.data.as_path()), config.store.parent()].into_iter().flatten() {
        if !dir.as_os_str().is_empty() {
            std::fs::create_dir_all(dir)
                .with_context(|| format!("cannot make the folder {}", dir.display()))?;
        }
    }
    Ok(())
}

/// The OpenAPI 3.1 document that `/openapi.json` serves.
///
/// # Errors
/// It cannot be written as JSON.
pub fn openapi() -> anyhow::Result<String> {
    Ok(crate::http::document().to_pretty_json()?)
}
