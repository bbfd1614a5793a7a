//! The loops that keep things moving: what is due is looked at, what may go is sent, what came of it is recorded.

use crate::channel::Gate;
use crate::coordination::breaker::Ticket;
use crate::domain::id::{AttemptId, DebtorKey};
use crate::domain::outcome::{Failure, FailureCause, FailureClass, Outcome};
use crate::domain::time::Span;
use crate::pipeline::agenda::{Agenda, Due, Task};
use crate::pipeline::amend::Effects;
use crate::pipeline::barrier::{Barrier, Refused};
use crate::pipeline::carriers::{Carrier, Slot};
use crate::pipeline::landing::Durable;
use crate::pipeline::metrics::Metrics;
use crate::pipeline::recorder::Recorder;
use crate::pipeline::step::{Departure, Step};
use crate::pipeline::webhooks::Courier;
use crate::pipeline::{Desk, dispatch, permits, polling};
use arc_swap::{ArcSwap, ArcSwapOption};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Requests looked at side by side: enough to fill a batch of the recorder.
const LOOKS: usize = 512;
/// The longest sleep: a clock that was set forward is noticed by then.
const NAP: Span = Span::seconds(1);
/// Between tries to record what came of an attempt, while the store is out of reach.
const RETRY: Duration = Duration::from_millis(200);

/// Everything that the loops share.
pub struct Workshop {
    /// Read-only context.
    pub desk: Arc<Desk>,
    /// The write door.
    pub recorder: Arc<Recorder>,
    /// What is to be done when.
    pub agenda: Arc<Agenda>,
    /// Between an acknowledged stop and the sends it forbids.
    pub barrier: Arc<Barrier>,
    /// What may be told of the log.
    pub durable: Arc<Durable>,
    /// What is counted.
    pub metrics: Arc<Metrics>,
    /// What the newest change of the law did to what was pending, once that is counted.
    pub amended: ArcSwapOption<Effects>,
    /// Who tells upstream what happened.
    pub(in crate::pipeline) couriers: ArcSwap<Vec<Arc<Courier>>>,
    /// Says when to begin nothing more.
    pub closing: CancellationToken,
    /// Everything that has begun.
    pub tasks: TaskTracker,
}

impl Workshop {
    /// Starts the loops.
    pub fn open(self: &Arc<Self>, steps: UnboundedReceiver<(Due, Step)>) {
        let shop = self.clone();
        self.tasks.spawn(async move { shop.attend_steps(steps).await });
        let looks = Arc::new(Semaphore::new(LOOKS));
        let main = self.clone();
        let limit = looks.clone();
        self.tasks.spawn(async move { main.attend(limit).await });
        for carrier in self.desk.carriers.all() {
            let (shop, carrier) = (self.clone(), carrier.clone());
            self.tasks.spawn(async move { shop.attend_lane(&carrier).await });
        }
    }

    /// Looks at whatever is due, many at a time.
    async fn attend(self: Arc<Self>, looks: Arc<Semaphore>) {
        while !self.closing.is_cancelled() {
            match self.agenda.next(self.desk.clock.now()) {
                Ok(due) => {
                    let Ok(permit) = looks.clone().acquire_owned().await else { return };
                    let shop = self.clone();
                    self.tasks.spawn(async move {
                        shop.handle(due, None).await;
                        drop(permit);
                    });
                }
                Err(next) => {
                    let nap = next.map_or(NAP, |at| at.since(self.desk.clock.now()).min(NAP));
                    tokio::select! {
                        () = self.agenda.changed() => {}
                        () = tokio::time::sleep(nap.max(Span::millis(1)).to_std()) => {}
                        () = self.closing.cancelled() => return,
                    }
                }
            }
        }
    }

    /// Sends what waits for one provider's slots, the most urgent first.
    async fn attend_lane(self: Arc<Self>, carrier: &Arc<Carrier>) {
        loop {
            while carrier.waiting.is_empty() {
                tokio::select! {
                    () = carrier.waiting.changed() => {}
                    () = self.closing.cancelled() => return,
                }
            }
            let slot = tokio::select! {
                slot = carrier.slot() => slot,
                () = self.closing.cancelled() => return,
            };
            let Some(slot) = slot else { return };
            if let Ok(due) = carrier.waiting.next(self.desk.clock.now()) {
                let shop = self.clone();
                self.tasks.spawn(async move { shop.handle(due, Some(slot)).await });
            }
        }
    }

    async fn handle(self: &Arc<Self>, due: Due, slot: Option<Slot>) {
        match due.task {
            Task::Permit(permit) => {
                if self.recorder.run(move |unit| permits::expire(unit, permit)).await.is_err() {
                    self.later(due).await;
                }
            }
            // Stands on its vendor's own agenda, and never on this one.
            Task::Poll(_) => {}
            Task::Request(id) => {
                let debtor = due.debtor;
                match self.recorder.run(move |unit| dispatch::look(unit, debtor, id, slot)).await {
                    Ok(step) => self.proceed(due, step),
                    Err(_) => self.later(due).await,
                }
            }
        }
    }

    /// Takes the next step for a request that was looked at.
    fn proceed(self: &Arc<Self>, due: Due, step: Step) {
        match step {
            Step::Rest => {}
            Step::NeedsSlot(carrier) => {
                let at = self.desk.clock.now();
                carrier.waiting.put(Due { at, ..due });
            }
            Step::Send(departure) => {
                // Sending holds no place among the looks: a slow provider must not stop the others.
                let shop = self.clone();
                // In a box: a task moves what it is made from, and this is large.
                self.tasks.spawn(Box::pin(shop.send(*departure)));
            }
        }
    }

    /// Takes the steps that intake decided upon; at the end those that were already taken.
    async fn attend_steps(self: Arc<Self>, mut steps: UnboundedReceiver<(Due, Step)>) {
        loop {
            tokio::select! {
                step = steps.recv() => match step {
                    Some((due, step)) => self.proceed(due, step),
                    None => return,
                },
                () = self.closing.cancelled() => break,
            }
        }
        while let Ok((due, step)) = steps.try_recv() {
            self.proceed(due, step);
        }
    }

    /// The store is out of reach: the same thing again in a while.
    async fn later(&self, due: Due) {
        tokio::time::sleep(RETRY).await;
        self.agenda.put(Due { at: self.desk.clock.now(), ..due });
    }

    async fn send(self: Arc<Self>, departure: Departure) {
        let Departure { attempt, request, debtor, message, carrier, slot, ticket } = departure;
        let barrier = self.barrier.clone();
        let refused = Arc::new(std::sync::OnceLock::new());
        let seen = refused.clone();
        let gate = move || match barrier.claim(attempt) {
            Ok(()) => true,
            Err(why) => seen.set(why).is_err(),
        };
        let mut outcome = carrier.send(&message, Gate::new(gate)).await;
        self.barrier.withdraw(attempt);
        if let Some(why) = refused.get() {
            outcome =
                Outcome::Failed(Failure::of(FailureClass::NeverLeft, FailureCause::Unspecified, code(*why)));
        }
        drop(slot);
        self.weigh(&carrier, ticket, &outcome);
        self.metrics.attempt(carrier.channel, &carrier.name, &outcome);
        if let Outcome::Failed(failure) = &outcome {
            tracing::warn!(attempt.id = %attempt, request.id = %request, provider = %carrier.name, failure.class = ?failure.class,
                failure.code = %failure.code, "attempt.not_accepted");
        }
        let (at_all, since) = (!outcome.surely_unsent(), self.desk.clock.now());
        self.settle(debtor, attempt, outcome).await;
        if at_all {
            polling::watch(&carrier, debtor, attempt, since);
        }
    }

    /// Takes in what an outcome says of its provider. What waits for one that no longer works looks for another way.
    fn weigh(&self, carrier: &Carrier, ticket: Ticket, outcome: &Outcome) {
        let now = self.desk.clock.now();
        if !carrier.learn(ticket, outcome, now) {
            return;
        }
        self.metrics.set_back(carrier.channel, &carrier.name);
        tracing::warn!(provider = %carrier.name, channel = %carrier.channel, standing = ?carrier.standing(now), "provider.set_back");
        for due in carrier.waiting.take_all() {
            self.agenda.put(Due { at: now, ..due });
        }
    }

    /// Records what came of an attempt. While the store is out of reach it is tried again; if the process ends before, the
    /// attempt is found in doubt at the next start.
    async fn settle(&self, debtor: DebtorKey, attempt: AttemptId, outcome: Outcome) {
        loop {
            let result = outcome.clone();
            if self.recorder.run(move |unit| dispatch::settle(unit, debtor, attempt, result)).await.is_ok() {
                return;
            }
            if self.closing.is_cancelled() {
                tracing::error!(attempt.id = %attempt, "attempt.left_in_doubt");
                return;
            }
            tokio::time::sleep(RETRY).await;
        }
    }
}

fn code(why: Refused) -> &'static str {
    match why {
        Refused::Overtaken => "overtaken",
        Refused::TooLate => "too_late",
    }
}
