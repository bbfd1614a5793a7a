//! A gateway put together: store, engines, providers, pipeline and router; and how it ends.

use crate::app::clock::timer;
use crate::app::engines::{Engines, Provider};
use crate::app::keyring::{Keyring, REFRESH};
use crate::app::open_store;
use crate::channel::Transport;
use crate::channel::fetch::Fetcher;
use crate::config::Config;
use crate::config::environment::Environment;
use crate::coordination::once::Once;
use crate::coordination::throttle::Throttles;
use crate::domain::debtor::{CollectorRole, DebtType};
use crate::domain::time::{Clock, Entropy};
use crate::http::telemetry::Meters;
use crate::http::{Setup, router_with};
use crate::pipeline::carriers::{Carrier, CarrierParts, Carriers};
use crate::pipeline::metrics::Metrics;
use crate::pipeline::parking::Parking;
use crate::pipeline::{Desk, Parts, Pipeline, Settings};
use crate::portal;
use crate::storage::Store;
use crate::template::context::Collector;
use anyhow::Context;
use arc_swap::ArcSwap;
use axum::Router;
use axum::serve::ListenerExt;
use prometheus_client::registry::Registry;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

/// Debtors kept at hand, at most: some 300 MiB.
const ROSTER: usize = 150_000;
/// Messages on their way to one provider at once, at most.
const PLACES: usize = 256;
/// How long requests that have begun may take to end, once it is told to stop …
const DRAIN: Duration = Duration::from_secs(10);
/// … and then the sends that have begun: longer than the longest deadline of a provider.
const FINISH: Duration = Duration::from_secs(30);
/// Between two checkpoints of the store's write-ahead log.
const CHECKPOINT: Duration = Duration::from_secs(1);

/// Everything running.
pub struct Gateway {
    store: Store,
    keyring: Arc<Keyring>,
    pipeline: Pipeline,
    router: Router,
}

impl Gateway {
    /// Puts it together and starts it; it answers nothing before [`Self::serve`].
    ///
    /// # Errors
    /// What is wrong with the master key, the store or a provider's settings.
    pub async fn start(
        config: &Config,
        engines: Engines,
        environment: &Environment,
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Entropy>,
    ) -> anyhow::Result<Self> {
        let store = open_store(config, environment)?;
        let mut registry = Registry::default();
        let meters = Meters::register(&mut registry);
        let metrics = Arc::new(Metrics::register(&mut registry));
        let Engines { policy, templates, providers, webhooks, voice, plans } = engines;
        let desk = Arc::new(Desk {
            policy: ArcSwap::from_pointee(policy),
            templates: Arc::new(templates),
            carriers: carriers(providers, &clock)?,
            plans,
            voice,
            pauses: ArcSwap::default(),
            parking: Parking::default(),
            once: Once::default(),
            fetcher: Fetcher::new()?,
            names: store.pseudonymiser(),
            clock: Arc::clone(&clock),
            entropy: Arc::clone(&entropy),
            settings: settings(config),
        });
        let pipeline = Pipeline::start(Parts { store: store.clone(), desk, metrics }).await?;
        pipeline.tell(webhooks).await?;
        let keyring = Keyring::open(config, store.clone())?;
        let faces = portal::router(pipeline.clone());
        let setup = Setup {
            pipeline: pipeline.clone(),
            gate: keyring.gate(),
            registry: Arc::new(registry),
            meters,
            readiness: readiness(&pipeline),
            public_url: public_url(config),
            clock,
            timer,
            entropy,
        };
        let router = router_with(setup, faces);
        Ok(Self { store, keyring, pipeline, router })
    }

    /// The router, for requests that need no socket.
    pub fn router(&self) -> Router {
        self.router.clone()
    }

    /// The pipeline, for mail and for a change of the law.
    pub fn pipeline(&self) -> &Pipeline {
        &self.pipeline
    }

    /// The store, for keys.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// The keys.
    pub fn keyring(&self) -> &Keyring {
        &self.keyring
    }

    /// Answers until it is told to stop; then finishes what has begun, each part within its deadline.
    ///
    /// # Errors
    /// The listener failed.
    pub async fn serve(self, listener: TcpListener, stop: CancellationToken) -> anyhow::Result<()> {
        let chores = self.chores(&stop);
        let listener = listener.tap_io(|stream| {
            if let Err(error) = stream.set_nodelay(true) {
                tracing::debug!(error = %error, "listener.nodelay");
            }
        });
        let told = stop.clone();
        let server =
            axum::serve(listener, self.router).with_graceful_shutdown(async move { told.cancelled().await });
        let server = tokio::spawn(server.into_future());
        stop.cancelled().await;
        // Requests come to their end first, so that what they accept is still recorded.
        let served = match tokio::time::timeout(DRAIN, server).await {
            Ok(joined) => joined.context("the listener's task ended early")?.context("the listener failed"),
            Err(_) => {
                tracing::warn!("serve.requests_cut_off");
                Ok(())
            }
        };
        self.pipeline.shutdown(FINISH).await;
        for chore in chores {
            chore.abort();
        }
        served
    }

    /// What is done now and then.
    fn chores(&self, stop: &CancellationToken) -> Vec<tokio::task::JoinHandle<()>> {
        let (store, keyring) = (self.store.clone(), Arc::clone(&self.keyring));
        let checkpoint = move || {
            if let Err(error) = store.checkpoint() {
                tracing::warn!(error = %error, "store.not_checkpointed");
            }
        };
        vec![
            every(CHECKPOINT, stop.clone(), Arc::new(checkpoint)),
            every(REFRESH, stop.clone(), Arc::new(move || keyring.refresh_or_warn())),
        ]
    }
}

/// Does something now and then, where waiting does no harm.
fn every(
    pause: Duration,
    stop: CancellationToken,
    work: Arc<dyn Fn() + Send + Sync>,
) -> tokio::task::JoinHandle<()> {
    tokio::spawn(async move {
        while tokio::time::timeout(pause, stop.cancelled()).await.is_err() {
            let work = Arc::clone(&work);
            if tokio::task::spawn_blocking(move || work()).await.is_err() {
                tracing::error!("chore.panicked");
            }
        }
    })
}

pub(super) fn carriers(providers: Vec<Provider>, clock: &Arc<dyn Clock>) -> anyhow::Result<Carriers> {
    let rates = providers.iter().map(|provider| {
        let rate = provider.settings.rate_per_second().unwrap_or(provider.manifest.limits.rate_per_second);
        (format!("{}/{}", provider.channel, provider.name), rate)
    });
    let began = timer();
    let throttles = Arc::new(Throttles::new(rates, Arc::new(move || began.elapsed())));
    let carrier = |provider: Provider| {
        let Provider { channel, name, manifest, settings } = provider;
        let transport = Transport::open(&manifest, settings.clone(), Arc::clone(clock))
            .with_context(|| format!("[providers.{channel}.{name}]"))?;
        let throttles = Arc::clone(&throttles);
        let parts = CarrierParts { channel, name, manifest, settings, transport, throttles, places: PLACES };
        Ok(Arc::new(Carrier::new(parts)))
    };
    Ok(Carriers::new(providers.into_iter().map(carrier).collect::<anyhow::Result<_>>()?))
}

pub(super) fn settings(config: &Config) -> Settings {
    let collector = config.collector.clone();
    Settings {
        collector: Collector {
            address: collector.address,
            licences: collector.licences,
            name: collector.name,
            neutral_name: collector.neutral_name,
            phone: collector.phone,
        },
        // The law of third-party collectors is the strictest, so it holds where nobody says.
        collector_role: collector.role.unwrap_or(CollectorRole::ThirdParty),
        debt_type: collector.debt_type.unwrap_or(DebtType::Consumer),
        expire_after: config.expire_after,
        public_url: public_url(config),
        rejoinders: config.rejoinders.clone(),
        roster: ROSTER,
    }
}

fn public_url(config: &Config) -> String {
    config.public_url.as_str().trim_end_matches('/').to_owned()
}

/// Store and policy are loaded before anything answers; what remains to ask is whether the store can still be read and written.
fn readiness(pipeline: &Pipeline) -> Arc<dyn Fn() -> Result<(), &'static str> + Send + Sync> {
    let pipeline = pipeline.clone();
    Arc::new(move || {
        if !pipeline.is_writable() {
            return Err("the disk failed to keep what was written: stop, look at the disk, start again");
        }
        pipeline.store().reader().map(|_| ()).map_err(|_| "the store cannot be read")
    })
}
