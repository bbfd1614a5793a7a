//! How the providers fare, for the people at the controls and for the meters.

use crate::coordination::breaker::Standing;
use crate::domain::channel::Channel;
use crate::domain::time::Timestamp;
use crate::pipeline::Pipeline;
use crate::pipeline::carriers::Carrier;

/// One provider of one channel, as of now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Provider {
    /// The channel.
    pub channel: Channel,
    /// The provider's name, `twilio`.
    pub name: String,
    /// At which place of its channel it stands, from 1.
    pub place: usize,
    /// How it fares.
    pub standing: Standing,
    /// The pauses that stop it.
    pub paused_by: Vec<String>,
    /// Whether debts that are collected for others may be sent over it.
    pub third_party_collections: bool,
    /// Messages a second that it takes, at most.
    pub rate_per_second: u32,
    /// Messages that wait for one of its slots.
    pub waiting: usize,
}

impl Provider {
    /// How much of its traffic it gets as far as its health goes, in hundredths.
    pub fn share(&self) -> u32 {
        share(self.standing)
    }
}

/// The hundredths of its traffic that a provider gets.
fn share(standing: Standing) -> u32 {
    match standing {
        Standing::InService => 100,
        Standing::Returning(share) => share,
        Standing::Resting(_) | Standing::OutOfService(_) | Standing::Probing => 0,
    }
}

impl Pipeline {
    /// Every provider, by channel, in the order to try them.
    pub fn providers(&self) -> Vec<Provider> {
        let (desk, now) = (self.desk(), self.desk().clock.now());
        let pauses = desk.pauses.load();
        let view = |carrier: &Carrier, place: usize, now: Timestamp| Provider {
            channel: carrier.channel,
            name: carrier.name.clone(),
            place,
            standing: carrier.standing(now),
            paused_by: pauses
                .iter()
                .filter(|pause| carrier.is_paused(pause, now))
                .map(|pause| pause.name.clone())
                .collect(),
            third_party_collections: carrier.third_party_collections(),
            rate_per_second: carrier.rate_per_second(),
            waiting: carrier.waiting.len(),
        };
        Channel::DISPATCHED
            .iter()
            .flat_map(|channel| desk.carriers.of(*channel).zip(1..))
            .map(|(carrier, place)| view(carrier, place, now))
            .collect()
    }

    /// Brings the meters that show a state to what it is now.
    pub fn take_stock(&self) {
        let now = self.desk().clock.now();
        let metrics = self.metrics();
        for carrier in self.desk().carriers.all() {
            metrics.share(carrier.channel, &carrier.name, share(carrier.standing(now)));
        }
    }
}
