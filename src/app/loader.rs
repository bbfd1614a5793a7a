//! A pipeline that only files: for loading what was before, while nothing is served.

use crate::app::clock::{MachineClock, MachineEntropy};
use crate::app::engines::{self, Engines};
use crate::app::gateway::{carriers, settings};
use crate::app::open_store;
use crate::cadence::Plans;
use crate::channel::fetch::Fetcher;
use crate::config::environment::Environment;
use crate::config::{Config, Refused};
use crate::coordination::once::Once;
use crate::domain::time::{Clock, Entropy};
use crate::pipeline::calls::Voice;
use crate::pipeline::carriers::Carriers;
use crate::pipeline::metrics::Metrics;
use crate::pipeline::parking::Parking;
use crate::pipeline::{Desk, Parts, Pipeline};
use crate::storage::Lookup;
use arc_swap::ArcSwap;
use prometheus_client::registry::Registry;
use std::sync::Arc;

/// Opens the store for filing, and makes it where there is none. Providers and their secrets are needed for contact requests
/// alone, which are refused where no provider could carry them.
///
/// # Errors
/// What is wrong with the configuration, the master key or the store; another process writes to it.
pub fn open(config: &Config, environment: &Environment, providers: bool) -> anyhow::Result<Pipeline> {
    let clock: Arc<dyn Clock> = Arc::new(MachineClock);
    let (policy, templates, carriers, voice) = if providers {
        let Engines { policy, templates, providers, webhooks: _, voice, plans: _ } =
            engines::load(config, environment).map_err(Refused)?;
        (policy, templates, carriers(providers, &clock)?, voice)
    } else {
        let (policy, _) = engines::policy(config).map_err(Refused)?;
        (policy, engines::templates(config).map_err(Refused)?, Carriers::default(), Voice::default())
    };
    let store = open_store(config, environment)?;
    let entropy: Arc<dyn Entropy> = Arc::new(MachineEntropy);
    let names: Arc<Lookup> = store.pseudonymiser();
    let desk = Desk {
        policy: ArcSwap::from_pointee(policy),
        templates: Arc::new(templates),
        carriers,
        plans: Plans::default(),
        voice,
        pauses: ArcSwap::default(),
        parking: Parking::default(),
        once: Once::default(),
        fetcher: Fetcher::new()?,
        names,
        clock,
        entropy,
        settings: settings(config),
    };
    let metrics = Arc::new(Metrics::register(&mut Registry::default()));
    Ok(Pipeline::idle(Parts { store, desk: Arc::new(desk), metrics })?)
}
