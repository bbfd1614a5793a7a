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
use tokio::sync::mpsc::UnboundedSender;

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
}

impl Landing {
    /// Waits until a batch is durable, and lets follow what follows from it. `false` if the disk failed: then nothing follows.
    pub fn land(&self, written: &Written, effects: Vec<Effect>) -> bool {
        match written.sync() {
            Ok(()) => {
                effects.into_iter().for_each(|effect| self.follow(effect));
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
