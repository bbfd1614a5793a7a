//! Who carries what: the providers of each channel in their order, with their slots, and how each of them fares.

use crate::channel::{Gate, Transport};
use crate::coordination::breaker::{Admission, Breaker, Sign, Standing, Ticket};
use crate::coordination::throttle::Throttles;
use crate::domain::channel::Channel;
use crate::domain::event::Pause;
use crate::domain::message::Outgoing;
use crate::domain::outcome::{FailureClass, Outcome};
use crate::domain::time::{Span, Timestamp};
use crate::pipeline::agenda::Agenda;
use crate::provider::callback::CallbackKind;
use crate::provider::manifest::Manifest;
use crate::provider::settings::Settings;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// A provider that can carry messages of one channel.
pub struct Carrier {
    /// The channel.
    pub channel: Channel,
    /// The provider's name, `twilio`.
    pub name: String,
    /// What waits for one of its slots.
    pub waiting: Agenda,
    /// What it is to be asked about, where it does not report by itself.
    pub polls: Agenda,
    manifest: Arc<Manifest>,
    settings: Settings,
    transport: Transport,
    throttles: Arc<Throttles>,
    label: String,
    places: Arc<Semaphore>,
    breaker: Mutex<Breaker>,
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
        let (waiting, polls) = (Agenda::default(), Agenda::default());
        let breaker = Mutex::default();
        Self {
            channel,
            name,
            waiting,
            polls,
            manifest,
            settings,
            transport,
            throttles,
            label,
            places,
            breaker,
        }
    }

    /// A slot, if there is one right now and nobody waits for it: what comes later stands in line behind them.
    pub fn try_slot(self: &Arc<Self>) -> Option<Slot> {
        if !self.waiting.is_empty() {
            return None;
        }
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

    /// Whether debts that are collected for others may be sent over it.
    pub fn third_party_collections(&self) -> bool {
        self.settings.third_party_collections()
    }

    /// Messages a second that it takes, at most.
    pub fn rate_per_second(&self) -> u32 {
        self.manifest.rate_per_second(&self.settings)
    }

    /// Whether an operator's pause stops it.
    pub fn is_paused(&self, pause: &Pause, now: Timestamp) -> bool {
        let named = pause.provider.as_deref().is_some_and(|provider| {
            let bare = provider.strip_prefix(self.channel.as_str()).and_then(|p| p.strip_prefix('/'));
            bare.unwrap_or(provider) == self.name
        });
        let on_channel = pause.channel.is_none_or(|on| on == self.channel);
        named && on_channel && pause.until.is_none_or(|until| now < until)
    }

    /// How it fares.
    pub fn standing(&self, now: Timestamp) -> Standing {
        self.breaker().standing(now)
    }

    /// Whether the next message may go to it, as far as its health goes; asking counts.
    pub fn admit(&self, now: Timestamp) -> Admission {
        self.breaker().admit(now)
    }

    /// The same without counting.
    pub fn outlook(&self, now: Timestamp) -> Admission {
        self.breaker().outlook(now)
    }

    /// A message sets out to it.
    pub fn depart(&self, now: Timestamp) -> Ticket {
        self.breaker().depart(now)
    }

    /// What became of a message. `true` if that put it out of service, or told it to be left alone.
    pub fn learn(&self, ticket: Ticket, outcome: &Outcome, now: Timestamp) -> bool {
        let sign = if self.transport.tells_health() { sign(outcome) } else { Sign::Well };
        self.breaker().learn(ticket, sign, now)
    }

    fn breaker(&self) -> MutexGuard<'_, Breaker> {
        self.breaker.lock().unwrap_or_else(PoisonError::into_inner)
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

    /// Those of a channel, in the order to try them.
    pub fn of(&self, channel: Channel) -> impl Iterator<Item = &Arc<Carrier>> {
        self.all.iter().filter(move |carrier| carrier.channel == channel)
    }

    /// A provider by channel and name.
    pub fn find(&self, channel: Channel, name: &str) -> Option<&Arc<Carrier>> {
        self.all.iter().find(|carrier| carrier.channel == channel && carrier.name == name)
    }
}

/// What an outcome says of the provider, whatever it says of the message.
fn sign(outcome: &Outcome) -> Sign {
    let Outcome::Failed(failure) = outcome else { return Sign::Well };
    let its_own = failure.cause.is_the_providers();
    match failure.class {
        FailureClass::Throttled => {
            Sign::Patience(failure.retry_after_seconds.map(|seconds| Span::seconds(seconds.into())))
        }
        FailureClass::Uncertain => Sign::Ill,
        FailureClass::Refused | FailureClass::NeverLeft if its_own => Sign::Ill,
        FailureClass::Refused => Sign::Well,
        FailureClass::NeverLeft => Sign::Nothing,
    }
}
