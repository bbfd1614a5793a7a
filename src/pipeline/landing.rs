//! What was written becomes durable, and only then follows what follows: sends, barriers, answers.
//!
//! A thread of its own waits for the disk, while the recorder makes the next batch. Batches land in the order in which they were
//! written.

use crate::pipeline::Desk;
use crate::pipeline::agenda::{Agenda, Due};
use crate::pipeline::barrier::Barrier;
use crate::pipeline::step::Step;
use crate::pipeline::unit::Effect;
use crate::storage::Written;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::sync::mpsc::UnboundedSender;

/// How much of the log is durable. What stands behind it can be read, but nobody may hear of it.
#[derive(Debug)]
pub struct Durable(AtomicU64);

impl Durable {
    /// Of a log as it was found.
    pub fn new(log_size: u64) -> Self {
        Self(AtomicU64::new(log_size))
    }

    /// How many events of the log, from its first.
    pub fn log_size(&self) -> u64 {
        self.0.load(Ordering::Acquire)
    }

    fn reach(&self, log_size: u64) {
        self.0.fetch_max(log_size, Ordering::Release);
    }
}

/// Where what follows from a batch goes.
pub struct Landing {
    /// Where the law and the pauses in force stand for everybody else.
    pub desk: Arc<Desk>,
    /// Where new due work goes.
    pub agenda: Arc<Agenda>,
    /// Where new attempts stand.
    pub barrier: Arc<Barrier>,
    /// Where messages go that may leave at once.
    pub steps: UnboundedSender<(Due, Step)>,
    /// What may be told of the log.
    pub durable: Arc<Durable>,
}

impl Landing {
    /// Waits until a batch is durable, and lets follow what follows from it. `false` if the disk failed: then nothing follows.
    pub fn land(&self, written: &Written, effects: Vec<Effect>) -> bool {
        match written.sync() {
            Ok(()) => {
                effects.into_iter().for_each(|effect| self.follow(effect));
                // Last: whoever is told of a stop may rely on it.
                self.durable.reach(written.log_size());
                true
            }
            Err(error) => {
                tracing::error!(error = %error, "recorder.disk_failed");
                false
            }
        }
    }

    /// Before anybody hears of the batch: a stop is a barrier once it is acknowledged.
    fn follow(&self, effect: Effect) {
        match effect {
            Effect::Step(due, step) => {
                // Only a shutdown that is past sending does not listen; the attempt is then found in doubt at the next start.
                let _past_sending = self.steps.send((due, step));
            }
            Effect::Due(due) => self.agenda.put(due),
            Effect::Done(task) => self.agenda.drop_task(task),
            Effect::Standing(attempt, debtor, since) => self.barrier.stand(attempt, debtor, since),
            Effect::Overtaken(debtor) => self.barrier.overtake(debtor),
            Effect::AllOvertaken => self.barrier.overtake_all(),
            Effect::Pauses(pauses) => self.desk.pauses.store(pauses),
            Effect::Policy(policy) => self.desk.policy.store(policy),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_durable_stays_so() {
        let durable = Durable::new(7);
        assert_eq!(durable.log_size(), 7);
        durable.reach(12);
        durable.reach(9);
        assert_eq!(durable.log_size(), 12);
    }
}
