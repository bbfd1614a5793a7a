//! One receiver's courier: reads the log on, tells what is due, and keeps how far it has got.

use crate::channel::webhook::{Answer, Teller};
use crate::domain::time::Timestamp;
use crate::pipeline::Desk;
use crate::pipeline::landing::Durable;
use crate::pipeline::metrics::Metrics;
use crate::pipeline::recorder::{Recorder, Unavailable};
use crate::pipeline::webhooks::follow::{Follower, Told};
use crate::pipeline::webhooks::lines::{Health, Lines, Tried};
use crate::pipeline::webhooks::{Webhook, filter};
use crate::pipeline::worker::Workshop;
use crate::storage::{StorageError, Store};
use bytes::Bytes;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// The longest sleep: new events, and a clock that was set forward, are noticed by then.
const NAP: Duration = Duration::from_millis(50);
/// Between two keepings of the position, where nothing failed: what a crash makes us tell twice.
const KEEP: Duration = Duration::from_secs(1);
/// How long what is on its way may take once we are told to stop.
const FINISH: Duration = Duration::from_secs(5);

/// Tells one receiver.
pub struct Courier {
    pub(super) webhook: Webhook,
    teller: Teller,
    store: Store,
    desk: Arc<Desk>,
    recorder: Arc<Recorder>,
    metrics: Arc<Metrics>,
    durable: Arc<Durable>,
    lines: Mutex<Lines>,
    /// The newest success and failure, for whoever looks.
    last: Mutex<Last>,
    /// Keeping is done by one at a time, so that an older position never replaces a newer one.
    keeping: tokio::sync::Mutex<()>,
}

/// How the newest tries went.
#[derive(Clone, Debug, Default)]
pub struct Last {
    /// When a notice was last taken.
    pub taken_at: Option<Timestamp>,
    /// When one was last not taken, and why.
    pub failed: Option<(Timestamp, String)>,
}

impl Courier {
    /// One that goes on where the store says; a receiver that was never heard of is told what happens from now on.
    pub fn open(
        webhook: Webhook,
        teller: Teller,
        store: Store,
        shop: &Workshop,
    ) -> Result<Self, StorageError> {
        let reader = store.reader()?;
        let known = reader.webhook_position(&webhook.name)?;
        let position = known.map_or_else(|| reader.log_size(), Ok)?;
        let lines = Lines::restore(position, known.is_some(), reader.webhook_waiting(&webhook.name)?);
        drop(reader);
        Ok(Self {
            webhook,
            teller,
            store,
            desk: shop.desk.clone(),
            recorder: shop.recorder.clone(),
            metrics: shop.metrics.clone(),
            durable: shop.durable.clone(),
            lines: Mutex::new(lines),
            last: Mutex::default(),
            keeping: tokio::sync::Mutex::default(),
        })
    }

    pub(super) fn lines(&self) -> MutexGuard<'_, Lines> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn last(&self) -> Last {
        self.last.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Works until it is told to stop.
    pub async fn run(self: Arc<Self>, closing: CancellationToken) {
        let mut follower = Some(Follower::default());
        let mut bodies: HashMap<u64, Told> = HashMap::new();
        let mut under_way = JoinSet::new();
        let mut kept = tokio::time::Instant::now();
        while !closing.is_cancelled() {
            let more = self.read_on(&mut follower, &mut bodies).await;
            self.set_out(&mut bodies, &mut under_way);
            if self.lines().is_urgent() || kept.elapsed() >= KEEP {
                // What could not be kept is kept with the next.
                let _later = self.keep().await;
                kept = tokio::time::Instant::now();
            }
            self.meter();
            if more && under_way.is_empty() {
                continue;
            }
            tokio::select! {
                Some(_done) = under_way.join_next() => while under_way.try_join_next().is_some() {},
                () = tokio::time::sleep(NAP) => {}
                () = closing.cancelled() => {}
            }
        }
        let rest = async { while under_way.join_next().await.is_some() {} };
        if tokio::time::timeout(FINISH, rest).await.is_err() {
            tracing::info!(webhook = %self.webhook.name, "webhook.cut_off");
        }
        if self.keep().await.is_err() {
            tracing::warn!(webhook = %self.webhook.name, "webhook.position_not_kept");
        }
    }

    /// Reads a page of the log, if there is room for it. True if there was something.
    async fn read_on(
        self: &Arc<Self>,
        follower: &mut Option<Follower>,
        bodies: &mut HashMap<u64, Told>,
    ) -> bool {
        let wanted = self.lines().wants();
        let mut reading = follower.take().unwrap_or_default();
        let courier = Arc::clone(self);
        let read = tokio::task::spawn_blocking(move || {
            let page = courier.page(&mut reading, wanted);
            (reading, page)
        });
        let (from, told, next) = match read.await {
            Ok((reading, Ok(page))) => {
                *follower = Some(reading);
                let Some((from, told, next)) = page else { return false };
                (from, told, next)
            }
            Ok((_, Err(error))) => {
                tracing::error!(webhook = %self.webhook.name, error = %error, "webhook.log_not_read");
                return false;
            }
            Err(_) => return false,
        };
        let wanted = told.into_iter().filter(|told| filter::wants(&self.webhook.events, told.type_name));
        let wanted: Vec<Told> = wanted.collect();
        let found: Vec<_> =
            wanted.iter().map(|told| (told.leaf, told.stream, told.type_name.to_owned())).collect();
        bodies.extend(wanted.into_iter().map(|told| (told.leaf, told)));
        self.lines().read(from, next, found, self.desk.clock.now());
        next > from
    }

    /// A page of the log from a leaf on; none where nothing is wanted or nothing new is durable. Where it was read from, what is
    /// to be told, and where to go on.
    fn page(
        &self,
        follower: &mut Follower,
        wanted: Option<u64>,
    ) -> Result<Option<(u64, Vec<Told>, u64)>, StorageError> {
        let end = self.durable.log_size();
        let Some(from) = wanted.filter(|from| *from < end) else { return Ok(None) };
        follower.page(&self.store.reader()?, from, end).map(|(told, next)| Some((from, told, next)))
    }

    /// Sends on their way as many as may go now.
    fn set_out(self: &Arc<Self>, bodies: &mut HashMap<u64, Told>, under_way: &mut JoinSet<()>) {
        let now = self.desk.clock.now();
        loop {
            let Some(leaf) = self.lines().take(now) else { break };
            let (courier, told) = (Arc::clone(self), bodies.remove(&leaf));
            under_way.spawn(async move { courier.tell(leaf, told).await });
        }
        if bodies.len() > 4 * self.lines().len().max(256) {
            bodies.clear();
        }
    }

    async fn tell(self: Arc<Self>, leaf: u64, told: Option<Told>) {
        let told = match told {
            Some(told) => Ok(Some((told.id, told.body))),
            None => self.look_up(leaf).await,
        };
        let answer = match told {
            Ok(Some((id, body))) => self.teller.tell(&id, body, self.desk.clock.now()).await,
            // This version has nothing to tell of it.
            Ok(None) => Answer::Taken,
            Err(error) => {
                tracing::error!(webhook = %self.webhook.name, error = %error, "webhook.notice_not_read");
                Answer::Not { why: "store".to_owned(), rest: None }
            }
        };
        let now = self.desk.clock.now();
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let how = match answer {
            Answer::Taken => {
                last.taken_at = Some(now);
                self.metrics.webhook(&self.webhook.name, "sent");
                Tried::Taken
            }
            Answer::Not { why, rest } => {
                last.failed = Some((now, why.clone()));
                self.metrics.webhook(&self.webhook.name, "failed");
                tracing::warn!(webhook = %self.webhook.name, leaf, why = %why, "webhook.not_taken");
                Tried::Not { why, rest }
            }
        };
        drop(last);
        if self.lines().tried(leaf, how, now, self.jitter()) {
            self.metrics.webhook(&self.webhook.name, "dead");
            tracing::error!(webhook = %self.webhook.name, leaf, "webhook.given_up");
        }
    }

    async fn look_up(self: &Arc<Self>, leaf: u64) -> Result<Option<(String, Bytes)>, StorageError> {
        let courier = Arc::clone(self);
        let found = tokio::task::spawn_blocking(move || Follower::one(&courier.store.reader()?, leaf));
        match found.await {
            Ok(found) => found.map(|told| told.map(|told| (told.id, told.body))),
            Err(_) => Err(StorageError::Unreadable { leaf }),
        }
    }

    /// Between 0 and 1.
    fn jitter(&self) -> f64 {
        let mut byte = [0];
        self.desk.entropy.fill(&mut byte);
        f64::from(byte[0]) / 255.0
    }

    /// Brings the store up to date; durable when it returns.
    pub async fn keep(&self) -> Result<(), Unavailable> {
        let _one = self.keeping.lock().await;
        let Some(progress) = self.lines().progress() else { return Ok(()) };
        let (name, brought) = (self.webhook.name.clone(), progress.clone());
        let kept = self.recorder.run(move |unit| unit.batch.keep_webhook(&name, &brought)).await;
        if kept.is_err() {
            self.lines().not_kept(progress);
        }
        kept
    }

    fn meter(&self) {
        let lines = self.lines();
        let (backlog, position, health) = (lines.len(), lines.position(), lines.health());
        drop(lines);
        let behind = self.durable.log_size().saturating_sub(position);
        self.metrics.webhook_standing(&self.webhook.name, backlog, behind, health == Health::Away);
    }
}
