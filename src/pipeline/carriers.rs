//! Who carries what: the providers of each channel in their order, with their slots.

use crate::channel::{Gate, Transport};
use crate::coordination::throttle::Throttles;
use crate::domain::channel::Channel;
use crate::domain::event::Pause;
use crate::domain::message::Outgoing;
use crate::domain::outcome::Outcome;
use crate::domain::time::Timestamp;
use crate::pipeline::agenda::Agenda;
use crate::provider::callback::CallbackKind;
use crate::provider::manifest::Manifest;
use crate::provider::settings::Settings;
use std::sync::Arc;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// A provider that can carry messages of one channel.
pub struct Carrier {
    /// The channel.
    pub channel: Channel,
    /// The provider's name, `twilio`.
    pub name: String,
    /// What waits for one of its slots.
    pub waiting: Agenda,
    manifest: Arc<Manifest>,
    settings: Settings,
    transport: Transport,
    throttles: Arc<Throttles>,
    label: String,
    places: Arc<Semaphore>,
}

/// What a provider is made of.
pub struct CarrierParts {
    /// The channel.
    pub channel: Channel,
    /// The provider's name, `twilio`.
    pub name: String,
    /// How it is spoken to.
    pub manifest: Arc<Manifest>,
    /// With what: credentials and sender.
    pub settings: Settings,
    /// What moves the bytes.
    pub transport: Transport,
    /// The throttles of all providers, by `sms/twilio`.
    pub throttles: Arc<Throttles>,
    /// Messages on their way at once, at most.
    pub places: usize,
}

/// A place at a provider: taken before the decision, given back when the provider has answered.
pub struct Slot {
    carrier: Arc<Carrier>,
    _place: OwnedSemaphorePermit,
}

impl Slot {
    /// Whether it is a slot of this provider.
    pub fn is_of(&self, carrier: &Arc<Carrier>) -> bool {
        Arc::ptr_eq(&self.carrier, carrier)
    }
}

impl Carrier {
    /// Puts a provider together.
    pub fn new(parts: CarrierParts) -> Self {
        let CarrierParts { channel, name, manifest, settings, transport, throttles, places } = parts;
        let label = format!("{channel}/{name}");
        let places = Arc::new(Semaphore::new(places));
        let waiting = Agenda::default();
        Self { channel, name, waiting, manifest, settings, transport, throttles, label, places }
    }

    /// A slot, if there is one right now.
    pub fn try_slot(self: &Arc<Self>) -> Option<Slot> {
        let place = self.places.clone().try_acquire_owned().ok()?;
        self.throttles.try_take(&self.label).ok()?;
        Some(Slot { carrier: self.clone(), _place: place })
    }

    /// A slot, as soon as there is one; none once the provider is closed.
    pub async fn slot(self: &Arc<Self>) -> Option<Slot> {
        let place = self.places.clone().acquire_owned().await.ok()?;
        self.throttles.take(&self.label).await;
        Some(Slot { carrier: self.clone(), _place: place })
    }

    /// Hands a message over; asks the gate right before the first byte leaves.
    pub async fn send(&self, message: &Outgoing, gate: Gate) -> Outcome {
        self.transport.send(message, gate).await
    }

    /// Whether it reports what becomes of a message to an address of ours.
    pub fn reports(&self) -> bool {
        self.manifest.hears(CallbackKind::Status)
    }

    /// Whether it asks, once a call is taken, what to say on it.
    pub fn is_told_what_to_say(&self) -> bool {
        self.manifest.dialect.is_some()
    }

    /// How it is spoken to, and with what.
    pub fn vendor(&self) -> (&Manifest, &Settings) {
        (&self.manifest, &self.settings)
    }

    /// What moves the bytes.
    pub fn transport(&self) -> &Transport {
        &self.transport
    }
}

/// Every provider, by channel, in the order to try them.
#[derive(Default)]
pub struct Carriers {
    all: Vec<Arc<Carrier>>,
}

impl Carriers {
    /// In the order of the configuration.
    pub fn new(all: Vec<Arc<Carrier>>) -> Self {
        Self { all }
    }

    /// Every one.
    pub fn all(&self) -> impl Iterator<Item = &Arc<Carrier>> {
        self.all.iter()
    }

    /// Whether a channel has any.
    pub fn has(&self, channel: Channel) -> bool {
        self.all.iter().any(|carrier| carrier.channel == channel)
    }

    /// A provider by channel and name.
    pub fn find(&self, channel: Channel, name: &str) -> Option<&Arc<Carrier>> {
        self.all.iter().find(|carrier| carrier.channel == channel && carrier.name == name)
    }

    /// The provider to use on a channel: the first that no pause stops.
    pub fn pick(&self, channel: Channel, pauses: &[Pause], now: Timestamp) -> Option<Arc<Carrier>> {
        let paused = |carrier: &Carrier| {
            pauses.iter().any(|pause| {
                let named = pause.provider.as_deref().is_some_and(|provider| {
                    let bare =
                        provider.strip_prefix(carrier.channel.as_str()).and_then(|p| p.strip_prefix('/'));
                    bare.unwrap_or(provider) == carrier.name
                });
                let on_channel = pause.channel.is_none_or(|on| on == carrier.channel);
                named && on_channel && pause.until.is_none_or(|until| now < until)
            })
        };
        self.all.iter().find(|carrier| carrier.channel == channel && !paused(carrier)).cloned()
    }
}
