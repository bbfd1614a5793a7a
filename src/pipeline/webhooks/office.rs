//! What the door says of webhooks, and what an operator may do about them.

use crate::channel::ChannelError;
use crate::channel::webhook::Teller;
use crate::domain::event::{Access, Actor, EventBody, Sealed};
use crate::domain::time::Timestamp;
use crate::pipeline::recorder::Unavailable;
use crate::pipeline::webhooks::follow::Follower;
use crate::pipeline::webhooks::{Courier, Health, Webhook, notice};
use crate::pipeline::{Pipeline, Refusal};
use crate::storage::{NoticeRow, StorageError, Store};
use std::sync::Arc;

/// A webhook as of now.
#[derive(Clone, Debug)]
pub struct WebhookState {
    /// Its name.
    pub name: String,
    /// Where it is.
    pub url: url::Url,
    /// The types it wants.
    pub events: Vec<String>,
    /// Where its receiver stands.
    pub health: Health,
    /// Everything before this leaf was taken, waits to be told again, or was given up.
    pub position: u64,
    /// How many events of the log are behind that.
    pub behind: u64,
    /// Notices that wait to be told again, or behind such a one.
    pub waiting: usize,
    /// Notices that were given up.
    pub dead: u64,
    /// When a notice was last taken, since the start.
    pub taken_at: Option<Timestamp>,
    /// When one was last not taken, and why, since the start.
    pub failed: Option<(Timestamp, String)>,
}

/// A notice that was given up.
#[derive(Clone, Debug)]
pub struct DeadLetter {
    /// Its `webhook-id`.
    pub id: String,
    /// What the store keeps of it.
    pub row: NoticeRow,
}

/// What to tell again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReplayWish {
    /// Everything that was given up.
    DeadLetters,
    /// These, whatever became of them, by their `webhook-id`.
    Ids(Vec<String>),
    /// Everything behind this leaf.
    After(u64),
    /// Everything recorded at this moment or later.
    Since(Timestamp),
}

/// What is told again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Replayed {
    /// How many notices, where they are named.
    pub notices: Option<u64>,
    /// From which leaf on, where they are not.
    pub from: Option<u64>,
}

/// Dead letters brought back in one go.
const STRIDE: usize = 1_000;
/// The most notices that one wish may name.
const MOST_IDS: usize = 1_000;

impl Pipeline {
    /// Starts telling these receivers. Where each begins is durable when this returns.
    ///
    /// # Errors
    /// The store is out of reach, or the client library does not start.
    pub async fn tell(&self, webhooks: Vec<Webhook>) -> Result<(), OpenError> {
        let mut couriers = Vec::with_capacity(webhooks.len());
        for webhook in webhooks {
            let teller = Teller::new(webhook.receiver.clone())?;
            couriers.push(Arc::new(Courier::open(webhook, teller, self.store.clone(), &self.shop)?));
        }
        for courier in &couriers {
            courier.keep().await?;
            self.shop.tasks.spawn(courier.clone().run(self.shop.closing.clone()));
        }
        self.shop.couriers.store(Arc::new(couriers));
        Ok(())
    }

    /// Every webhook that is configured.
    pub async fn webhooks(&self) -> Result<Vec<WebhookState>, Refusal> {
        let couriers = self.shop.couriers.load_full();
        self.read(move |store| couriers.iter().map(|courier| courier.state(store)).collect()).await
    }

    /// The notices of a webhook that were given up, from a leaf on.
    pub async fn dead_letters(&self, name: &str, from: u64, most: usize) -> Result<Vec<DeadLetter>, Refusal> {
        let name = self.courier(name)?.webhook.name.clone();
        self.read(move |store| {
            let reader = store.reader()?;
            let rows = reader.webhook_dead(&name, from, most)?;
            let named = |row: NoticeRow| {
                let place = reader.places_from(row.leaf, 1)?.pop().filter(|place| place.leaf == row.leaf);
                Ok(place.map(|place| DeadLetter { id: notice::id(place.leaf, &place.leaf_hash), row }))
            };
            rows.into_iter().map(named).filter_map(Result::transpose).collect()
        })
        .await
    }

    /// Tells a receiver something again, with the same ids as before. Durable when it returns.
    pub async fn replay_webhook(
        &self,
        actor: &Actor,
        name: &str,
        wish: ReplayWish,
    ) -> Result<Replayed, Refusal> {
        let courier = self.courier(name)?;
        let subject = format!("webhooks/{name}/replay {}", said(&wish));
        let access = EventBody::AccessRecorded(Access { subject }, Sealed::Gone);
        let replayed = match wish {
            ReplayWish::DeadLetters => self.dead_again(&courier).await?,
            ReplayWish::Ids(ids) => self.named_again(&courier, ids).await?,
            ReplayWish::After(leaf) => courier.from(leaf.saturating_add(1)),
            ReplayWish::Since(at) => {
                courier.from(self.read(move |store| store.reader()?.first_leaf_since(at)).await?)
            }
        };
        courier.lines().give_it_a_chance();
        courier.keep().await.map_err(|_| Refusal::Unavailable)?;
        let actor = actor.clone();
        self.file(move |unit| unit.record_installation(&actor, &access).map(Ok)).await?;
        Ok(replayed)
    }

    fn courier(&self, name: &str) -> Result<Arc<Courier>, Refusal> {
        let couriers = self.shop.couriers.load();
        let found = couriers.iter().find(|courier| courier.webhook.name == name);
        found.cloned().ok_or(Refusal::NotFound("webhook"))
    }

    async fn dead_again(&self, courier: &Arc<Courier>) -> Result<Replayed, Refusal> {
        let (mut from, mut count) = (0, 0);
        loop {
            let name = courier.webhook.name.clone();
            let rows = self.read(move |store| store.reader()?.webhook_dead(&name, from, STRIDE)).await?;
            let Some(last) = rows.last().map(|row| row.leaf) else { break };
            (from, count) = (last + 1, count + rows.len() as u64);
            let now = self.desk().clock.now();
            let mut lines = courier.lines();
            rows.into_iter().for_each(|row| lines.again(row.leaf, row.stream, row.type_name, now));
        }
        Ok(Replayed { notices: Some(count), from: None })
    }

    async fn named_again(&self, courier: &Arc<Courier>, ids: Vec<String>) -> Result<Replayed, Refusal> {
        if ids.is_empty() || ids.len() > MOST_IDS {
            return Err(Refusal::invalid("/ids", format!("must name 1 to {MOST_IDS} notices")));
        }
        let look = move |store: &Store| -> Result<_, StorageError> {
            let reader = store.reader()?;
            let found = |id: &String| match notice::leaf_of(id) {
                Some(leaf) => Follower::one(&reader, leaf).map(|told| told.filter(|told| told.id == *id)),
                None => Ok(None),
            };
            ids.iter().map(found).collect::<Result<Vec<_>, _>>()
        };
        let found = self.read(look).await?;
        let unknown = found.iter().enumerate().filter(|(_, told)| told.is_none());
        let faults: Vec<_> = unknown
            .map(|(index, _)| crate::domain::statement::FieldFault {
                pointer: format!("/ids/{index}"),
                detail: "is not the webhook-id of a notice of ours".to_owned(),
            })
            .collect();
        if !faults.is_empty() {
            return Err(Refusal::Invalid(faults));
        }
        let (now, count) = (self.desk().clock.now(), found.len() as u64);
        let mut lines = courier.lines();
        for told in found.into_iter().flatten() {
            lines.again(told.leaf, told.stream, told.type_name.to_owned(), now);
        }
        Ok(Replayed { notices: Some(count), from: None })
    }
}

/// Telling could not begin.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The store cannot be read.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// The client library does not start.
    #[error(transparent)]
    Channel(#[from] ChannelError),
    /// Where it begins could not be recorded.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
}

/// A wish as the history has it.
fn said(wish: &ReplayWish) -> String {
    match wish {
        ReplayWish::DeadLetters => "dead_letters".to_owned(),
        ReplayWish::Ids(ids) => format!("ids={}", ids.len()),
        ReplayWish::After(leaf) => format!("after={leaf}"),
        ReplayWish::Since(at) => format!("since={at}"),
    }
}

impl Courier {
    fn state(&self, store: &Store) -> Result<WebhookState, StorageError> {
        let reader = store.reader()?;
        let (dead, size) = (reader.webhook_dead_count(&self.webhook.name)?, reader.log_size()?);
        drop(reader);
        let lines = self.lines();
        let (health, position, waiting) = (lines.health(), lines.position(), lines.backlog());
        drop(lines);
        let last = self.last();
        Ok(WebhookState {
            name: self.webhook.name.clone(),
            url: self.webhook.receiver.url.clone(),
            events: self.webhook.events.clone(),
            health,
            position,
            behind: size.saturating_sub(position),
            waiting,
            dead,
            taken_at: last.taken_at,
            failed: last.failed,
        })
    }

    /// Tells everything from a leaf on again, as far as it was told.
    fn from(&self, leaf: u64) -> Replayed {
        self.lines().rewind(leaf);
        Replayed { notices: None, from: Some(leaf) }
    }
}
