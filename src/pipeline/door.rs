//! The door: everything that the floors above may ask of the pipeline.

use crate::domain::consent::{HoldKind, Preferences};
use crate::domain::debtor::DebtorFile;
use crate::domain::event::{Actor, Pause, Stream};
use crate::domain::id::{AttemptId, DebtorKey, PermitId, RequestId, ReviewId};
use crate::domain::request::{ContactRequest, RequestStatus};
use crate::domain::state::DebtorState;
use crate::domain::statement::{
    ConsentStatement, ContactEvent, DecisionQuery, HoldStatement, OptOutStatement, PauseStatement,
    PermitOutcome, PermitQuery, ReviewAnswer,
};
use crate::pipeline::agenda::{Agenda, Due};
use crate::pipeline::amend::{self, Effects};
use crate::pipeline::barrier::Barrier;
use crate::pipeline::decide::Circumstances;
use crate::pipeline::filing::Filed;
use crate::pipeline::landing::{Durable, Landing};
use crate::pipeline::metrics::Metrics;
use crate::pipeline::permits::Permit;
use crate::pipeline::preview::{Counsel, Standing};
use crate::pipeline::receive::Report;
use crate::pipeline::recorder::{Bench, Recorder, Unavailable};
use crate::pipeline::recovery::StartError;
use crate::pipeline::roster::Roster;
use crate::pipeline::step::Step;
use crate::pipeline::unit::{InForce, Unit};
use crate::pipeline::worker::Workshop;
use crate::pipeline::{
    Accepted, DecisionAnswer, Desk, Refusal, filing, intake, oversight, permits, preview, receive, recovery,
    writing,
};
use crate::policy::Policy;
use crate::storage::{RequestRow, StorageError, Store};
use arc_swap::{ArcSwap, ArcSwapOption};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// What a pipeline is made of.
pub struct Parts {
    /// The store.
    pub store: Store,
    /// Everything read-only.
    pub desk: Arc<Desk>,
    /// What is counted.
    pub metrics: Arc<Metrics>,
}

/// Whether a reported contact was new.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Recorded {
    /// It was recorded before, with the same body.
    pub repeated: bool,
}

/// The running pipeline. Cheap to clone.
#[derive(Clone)]
pub struct Pipeline {
    pub(in crate::pipeline) shop: Arc<Workshop>,
    pub(in crate::pipeline) store: Store,
}

impl Pipeline {
    /// Opens the write door, settles what a crash left in doubt, puts what is pending on the agenda, and starts the loops.
    ///
    /// # Errors
    /// The store is out of reach, or another process writes to it.
    pub async fn start(parts: Parts) -> Result<Self, StartError> {
        let (pipeline, taken) = Self::assemble(parts)?;
        let (store, shop) = (&pipeline.store, &pipeline.shop);
        let amended = recovery::recover(store, &shop.desk, &shop.recorder, &shop.agenda).await?;
        let pending = if amended { amend::pending(store)? } else { Vec::new() };
        pipeline.hear_carriers();
        if amended {
            pipeline.weigh(pending);
        }
        pipeline.shop.open(taken);
        Ok(pipeline)
    }

    /// Opens the write door and nothing else: what is filed is recorded, nothing is decided or sent before the next start.
    ///
    /// # Errors
    /// The store is out of reach, or another process writes to it.
    pub fn idle(parts: Parts) -> Result<Self, StartError> {
        Self::assemble(parts).map(|(pipeline, _nothing_is_taken)| pipeline)
    }

    fn assemble(parts: Parts) -> Result<(Self, UnboundedReceiver<(Due, Step)>), StartError> {
        let Parts { store, desk, metrics } = parts;
        let (agenda, barrier) = (Arc::new(Agenda::default()), Arc::new(Barrier::new(desk.clock.clone())));
        let (steps, taken) = tokio::sync::mpsc::unbounded_channel();
        let writer = store.writer()?;
        let durable = Arc::new(Durable::new(writer.log_size()));
        desk.pauses.store(Arc::new(store.reader()?.pauses()?));
        let bench = Bench {
            writer,
            roster: Roster::new(desk.settings.roster),
            desk: desk.clone(),
            in_force: InForce { policy: desk.policy.load_full(), pauses: desk.pauses.load_full() },
        };
        let landing = Landing {
            desk: desk.clone(),
            agenda: agenda.clone(),
            barrier: barrier.clone(),
            steps,
            durable: durable.clone(),
        };
        let recorder = Recorder::start(bench, landing).map_err(|error| StartError::Thread(error.kind()))?;
        let recorder = Arc::new(recorder);
        let shop = Arc::new(Workshop {
            desk,
            recorder,
            agenda,
            barrier,
            durable,
            metrics,
            amended: ArcSwapOption::empty(),
            couriers: ArcSwap::default(),
            closing: CancellationToken::new(),
            tasks: TaskTracker::new(),
        });
        Ok((Self { shop, store }, taken))
    }

    /// Whether the history can be written; once it cannot, only a new start can tell what the disk has.
    pub fn is_writable(&self) -> bool {
        self.shop.recorder.is_sound()
    }

    /// The law in force.
    pub fn policy(&self) -> Arc<Policy> {
        self.desk().policy.load_full()
    }

    /// Begins nothing more, waits for what has begun, and closes the write door.
    pub async fn shutdown(&self, deadline: Duration) {
        self.shop.closing.cancel();
        self.shop.tasks.close();
        if tokio::time::timeout(deadline, self.shop.tasks.wait()).await.is_err() {
            tracing::warn!("shutdown.deadline_passed");
        }
        for carrier in self.desk().carriers.all() {
            carrier.transport().close().await;
        }
        let recorder = self.shop.recorder.clone();
        // The recorder's thread is joined where waiting does no harm.
        if tokio::task::spawn_blocking(move || recorder.close()).await.is_err() {
            tracing::error!("shutdown.recorder_not_closed");
        }
    }

    /// Read-only context: policy, words, providers, clock.
    pub fn desk(&self) -> &Arc<Desk> {
        &self.shop.desk
    }

    /// The store, for reading.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// What is counted.
    pub fn metrics(&self) -> &Metrics {
        self.shop.metrics.agenda(self.shop.agenda.len());
        &self.shop.metrics
    }

    /// Creates or replaces a debtor; `true` if it was not on file.
    pub async fn put_debtor(
        &self,
        actor: &Actor,
        debtor_id: &str,
        file: DebtorFile,
    ) -> Result<bool, Refusal> {
        let (actor, debtor_id) = (actor.clone(), debtor_id.to_owned());
        self.file(move |unit| filing::put_debtor(unit, &actor, debtor_id, file)).await
    }

    /// Records a consent.
    pub async fn add_consent(
        &self,
        actor: &Actor,
        debtor_id: &str,
        said: ConsentStatement,
    ) -> Result<(), Refusal> {
        let (actor, key) = (actor.clone(), self.key(debtor_id));
        self.file(move |unit| filing::add_consent(unit, &actor, key, said)).await
    }

    /// Records a stop; once this returns, no send that it forbids starts.
    pub async fn add_opt_out(
        &self,
        actor: &Actor,
        debtor_id: &str,
        said: OptOutStatement,
    ) -> Result<(), Refusal> {
        let (actor, key) = (actor.clone(), self.key(debtor_id));
        self.file(move |unit| filing::add_opt_out(unit, &actor, key, said)).await
    }

    /// Replaces what the debtor prefers.
    pub async fn put_preferences(
        &self,
        actor: &Actor,
        debtor_id: &str,
        said: Preferences,
    ) -> Result<(), Refusal> {
        let (actor, key) = (actor.clone(), self.key(debtor_id));
        self.file(move |unit| filing::put_preferences(unit, &actor, key, said)).await
    }

    /// Places a hold.
    pub async fn place_hold(
        &self,
        actor: &Actor,
        debtor_id: &str,
        kind: HoldKind,
        said: HoldStatement,
    ) -> Result<(), Refusal> {
        let (actor, key) = (actor.clone(), self.key(debtor_id));
        self.file(move |unit| filing::place_hold(unit, &actor, key, kind, said)).await
    }

    /// Lifts a hold.
    pub async fn lift_hold(&self, actor: &Actor, debtor_id: &str, kind: HoldKind) -> Result<(), Refusal> {
        let (actor, key) = (actor.clone(), self.key(debtor_id));
        self.file(move |unit| filing::lift_hold(unit, &actor, key, kind)).await
    }

    /// Erases a person; the history stays provable.
    pub async fn erase(&self, actor: &Actor, debtor_id: &str) -> Result<(), Refusal> {
        let (actor, key) = (actor.clone(), self.key(debtor_id));
        self.file(move |unit| filing::erase(unit, &actor, key)).await
    }

    /// Records contacts made elsewhere, each by itself, in order.
    pub async fn record_contacts(
        &self,
        actor: &Actor,
        said: Vec<ContactEvent>,
    ) -> Vec<Result<Recorded, Refusal>> {
        let actor = actor.clone();
        let record = move |unit: &mut Unit<'_>, one| filing::record_contact(unit, &actor, one);
        let results = self.each(said, record).await;
        results.into_iter().map(|result| result.map(|repeated| Recorded { repeated })).collect()
    }

    /// Takes contact requests, each by itself, in order.
    pub async fn accept(&self, actor: &Actor, said: Vec<ContactRequest>) -> Vec<Result<Accepted, Refusal>> {
        let desk = self.desk().clone();
        let prepared: Vec<_> = said.into_iter().map(|request| intake::prepare(&desk, request)).collect();
        let actor = actor.clone();
        let accept = move |unit: &mut Unit<'_>, prepared| intake::accept(unit, &actor, prepared);
        let results = self.each(prepared, accept).await;
        let new = results.iter().flatten().filter(|accepted| !accepted.repeated).count();
        self.shop.metrics.accepted(u64::try_from(new).unwrap_or(0));
        results
    }

    /// Takes a request back.
    pub async fn cancel(&self, actor: &Actor, id: RequestId) -> Result<RequestStatus, Refusal> {
        let actor = actor.clone();
        self.file(move |unit| intake::cancel(unit, &actor, id)).await
    }

    /// Answers questions, each by itself; nothing is recorded or counted.
    pub async fn decide(
        &self,
        said: Vec<DecisionQuery>,
        explain_all: bool,
    ) -> Vec<Result<DecisionAnswer, Refusal>> {
        let pipeline = self.clone();
        let count = said.len();
        let answers = tokio::task::spawn_blocking(move || {
            let Ok(reader) = pipeline.store.reader() else { return Vec::new() };
            let desk = pipeline.desk();
            let (policy, pauses) = (desk.policy.load(), desk.pauses.load());
            let here = Circumstances { names: &*desk.names, pauses: &pauses };
            let counsel = Counsel { here, policy: &policy, now: desk.clock.now(), explain_all };
            said.iter().map(|query| preview::decide(counsel, &reader, query)).collect()
        });
        let mut answers = answers.await.unwrap_or_default();
        answers.resize_with(count, || Err(Refusal::Unavailable));
        answers
    }

    /// Reserves a contact for somebody else, or refuses with the decision.
    pub async fn issue_permit(&self, actor: &Actor, said: PermitQuery) -> Result<Permit, Refusal> {
        let actor = actor.clone();
        self.file(move |unit| permits::issue(unit, &actor, said)).await
    }

    /// Says what became of a permitted contact.
    pub async fn permit_outcome(
        &self,
        actor: &Actor,
        id: PermitId,
        said: PermitOutcome,
    ) -> Result<(), Refusal> {
        let actor = actor.clone();
        self.file(move |unit| permits::used(unit, &actor, id, said)).await
    }

    /// Gives a permit back unused.
    pub async fn return_permit(&self, actor: &Actor, id: PermitId) -> Result<(), Refusal> {
        let actor = actor.clone();
        self.file(move |unit| permits::returned(unit, &actor, id)).await
    }

    /// Places or replaces a pause: in force for the next send.
    pub async fn put_pause(&self, actor: &Actor, name: &str, said: PauseStatement) -> Result<(), Refusal> {
        let (actor, name) = (actor.clone(), name.to_owned());
        self.file(move |unit| oversight::pause(unit, &actor, name, said)).await
    }

    /// Lifts a pause; what waited for it is decided anew.
    pub async fn lift_pause(&self, actor: &Actor, name: &str) -> Result<(), Refusal> {
        let (actor, name) = (actor.clone(), name.to_owned());
        self.file(move |unit| oversight::lift(unit, &actor, name)).await?;
        let (store, shop) = (self.store.clone(), self.shop.clone());
        let renewed =
            tokio::task::spawn_blocking(move || recovery::renew(&store, &shop.agenda, shop.desk.clock.now()));
        match renewed.await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) | Err(_) => Err(Refusal::Unavailable),
        }
    }

    /// Puts another policy in force: recorded, everything pending decided anew. `false` if it is the one in force.
    pub async fn change_policy(&self, actor: &Actor, policy: Policy) -> Result<bool, Refusal> {
        let (actor, next) = (actor.clone(), Arc::new(policy));
        let pending = self.read(amend::pending).await?;
        if !self.file(move |unit| amend::adopt(unit, &actor, next)).await? {
            return Ok(false);
        }
        let shop = self.shop.clone();
        self.read(move |store| recovery::renew(store, &shop.agenda, shop.desk.clock.now())).await?;
        self.weigh(pending);
        Ok(true)
    }

    /// Counts beside everything else what a change of the law did to what was pending.
    fn weigh(&self, pending: Vec<RequestRow>) {
        let (store, shop) = (self.store.clone(), self.shop.clone());
        tokio::task::spawn_blocking(move || {
            let stop = || shop.closing.is_cancelled();
            let counted = store.reader().and_then(|reader| amend::weigh(&shop.desk, &reader, &pending, stop));
            match counted {
                Ok(effects) => {
                    let changed: u64 = effects.changed.values().sum();
                    tracing::info!(policy = %effects.digest, pending = effects.pending, changed, "policy.changed");
                    shop.amended.store(Some(Arc::new(effects)));
                }
                Err(error) => tracing::error!(error = %error, "policy.change_not_counted"),
            }
        });
    }

    /// What the newest change of the law since the start did to what was pending, once that is counted.
    pub fn amended(&self) -> Option<Arc<Effects>> {
        self.shop.amended.load_full()
    }

    /// The pauses on file, ended ones too.
    pub fn pauses(&self) -> Vec<Pause> {
        self.desk().pauses.load().as_ref().clone()
    }

    /// A person has understood a held reply.
    pub async fn resolve_review(
        &self,
        actor: &Actor,
        id: ReviewId,
        said: ReviewAnswer,
    ) -> Result<(), Refusal> {
        let actor = actor.clone();
        self.file(move |unit| oversight::resolve(unit, &actor, id, said)).await
    }

    /// Whom and what an unsubscribe link closes; none if it is not one of ours.
    pub fn knows_link(&self, token: &str) -> bool {
        writing::read_token(self.desk(), token).is_some()
    }

    /// One click of an unsubscribe link (RFC 8058).
    pub async fn unsubscribe(&self, token: &str) -> Result<(), Refusal> {
        let Some((debtor, point)) = writing::read_token(self.desk(), token) else {
            return Err(Refusal::NotFound("link"));
        };
        self.file(move |unit| receive::unsubscribe(unit, debtor, point).map(Ok)).await
    }

    /// What a provider of ours says became of an attempt.
    pub async fn report(&self, actor: Actor, attempt: AttemptId, said: Report) -> Result<(), Refusal> {
        self.file(move |unit| {
            let Some(row) = unit.batch.attempt(attempt)? else {
                return Ok(Err(Refusal::NotFound("attempt")));
            };
            receive::report(unit, &actor, row.debtor, attempt, &said).map(Ok)
        })
        .await
    }

    /// A debtor's state by upstream's identifier; none if nothing was ever recorded.
    pub async fn debtor(&self, debtor_id: &str) -> Result<Option<DebtorState>, Refusal> {
        let key = self.key(debtor_id);
        self.read(move |store| preview::fold(&store.reader()?, key))
            .await
            .map(|state| state.is_known().then_some(state))
    }

    /// A request with the state of its debtor.
    pub async fn request(&self, id: RequestId) -> Result<Option<DebtorState>, Refusal> {
        self.read(move |store| {
            // One reader for both: whoever holds one and waits for another may wait for ever.
            let reader = store.reader()?;
            let row = reader.request(id)?;
            row.map(|row| preview::fold(&reader, row.debtor)).transpose()
        })
        .await
    }

    /// How far each cap is used.
    pub async fn caps(&self, debtor_id: &str) -> Result<Vec<Standing>, Refusal> {
        let (key, desk) = (self.key(debtor_id), self.desk().clone());
        self.read(move |store| preview::caps(&desk, &store.reader()?, key)).await
    }

    /// The key of a debtor's chain.
    pub fn key(&self, debtor_id: &str) -> DebtorKey {
        self.desk().names.debtor(debtor_id)
    }

    /// The stream of a debtor's chain.
    pub fn stream(&self, debtor_id: &str) -> Stream {
        Stream::Debtor(self.key(debtor_id))
    }

    /// Reads the store where waiting does no harm.
    pub async fn read<T, F>(&self, work: F) -> Result<T, Refusal>
    where
        T: Send + 'static,
        F: FnOnce(&Store) -> Result<T, StorageError> + Send + 'static,
    {
        let store = self.store.clone();
        match tokio::task::spawn_blocking(move || work(&store)).await {
            Ok(Ok(found)) => Ok(found),
            Ok(Err(error)) => {
                tracing::error!(error = %error, "store.read_failed");
                Err(Refusal::Unavailable)
            }
            Err(_) => Err(Refusal::Unavailable),
        }
    }

    pub(in crate::pipeline) async fn file<T, F>(&self, work: F) -> Result<T, Refusal>
    where
        T: Send + 'static,
        F: FnOnce(&mut Unit<'_>) -> Filed<T> + Send + 'static,
    {
        self.shop.recorder.run(work).await.unwrap_or(Err(Refusal::Unavailable))
    }

    /// One command for many like things; each is done or refused by itself.
    pub(in crate::pipeline) async fn each<I, T, F>(&self, items: Vec<I>, work: F) -> Vec<Result<T, Refusal>>
    where
        I: Send + 'static,
        T: Send + 'static,
        F: Fn(&mut Unit<'_>, I) -> Filed<T> + Send + 'static,
    {
        let count = items.len();
        let run = self.shop.recorder.run(move |unit| {
            let one = |item| match unit.alone(|unit| work(unit, item))? {
                Ok(done) => Ok(done),
                Err(_told) => Ok(Err(Refusal::Unavailable)),
            };
            items.into_iter().map(one).collect()
        });
        match run.await {
            Ok(results) => results,
            Err(Unavailable) => (0..count).map(|_| Err(Refusal::Unavailable)).collect(),
        }
    }
}
