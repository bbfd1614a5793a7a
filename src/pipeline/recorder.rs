//! The one write door: a thread that takes commands, runs many of them in one transaction, and answers once it is durable.
//!
//! A command reads state and appends events through its [`Unit`]; it decides and records in one step, and since there is one
//! thread, nothing comes between (invariant 2). A batch that cannot be committed leaves nothing behind: its callers hear
//! [`Unavailable`], and the state at hand is forgotten.

use crate::pipeline::Desk;
use crate::pipeline::agenda::{Agenda, Due};
use crate::pipeline::barrier::Barrier;
use crate::pipeline::roster::Roster;
use crate::pipeline::step::Step;
use crate::pipeline::unit::{Effect, Unit};
use crate::storage::{StorageError, Writer};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, Sender};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender};
use tokio::sync::oneshot;

/// Commands in one transaction, at most: enough to make the sync cheap, few enough to answer soon.
const BATCH: usize = 512;

/// The history cannot be written now; nothing was recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the contact history cannot be written now; nothing was recorded, try again")]
pub struct Unavailable;

/// The door to the recorder's thread.
pub struct Recorder {
    commands: Mutex<Option<Sender<Box<dyn Command>>>>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

/// What the recorder's thread works with.
pub struct Bench {
    /// The store's write side.
    pub writer: Writer,
    /// The debtors at hand.
    pub roster: Roster,
    /// Everything read-only that a command needs.
    pub desk: Arc<Desk>,
    /// Where new due work goes after a commit.
    pub agenda: Arc<Agenda>,
    /// Where new attempts stand after a commit.
    pub barrier: Arc<Barrier>,
    /// Where messages go that may leave at once.
    pub steps: UnboundedSender<(Due, Step)>,
}

impl Recorder {
    /// Starts the thread, and the task that answers for it. Must be called from within a runtime.
    pub fn start(bench: Bench) -> std::io::Result<Self> {
        let (commands, inbox) = std::sync::mpsc::channel();
        let (ended, endings) = tokio::sync::mpsc::unbounded_channel();
        tokio::spawn(answer(endings));
        let thread = std::thread::Builder::new()
            .name("recorder".to_owned())
            .spawn(move || work(bench, &inbox, &ended))?;
        Ok(Self { commands: Mutex::new(Some(commands)), thread: Mutex::new(Some(thread)) })
    }

    /// Runs a command and answers once everything it recorded is durable.
    pub async fn run<T, F>(&self, work: F) -> Result<T, Unavailable>
    where
        T: Send + 'static,
        F: FnOnce(&mut Unit<'_>) -> Result<T, StorageError> + Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        let command = Box::new(Job { work: Some(work), result: None, reply });
        let sent = match &*self.commands.lock().unwrap_or_else(PoisonError::into_inner) {
            Some(commands) => commands.send(command).is_ok(),
            None => false,
        };
        if sent { answer.await.unwrap_or(Err(Unavailable)) } else { Err(Unavailable) }
    }

    /// Takes no more commands, finishes those taken, and waits for the thread.
    pub fn close(&self) {
        self.commands.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take()
            && thread.join().is_err()
        {
            tracing::error!("recorder.panicked");
        }
    }
}

/// A command with its caller's ear.
trait Command: Send {
    fn run(&mut self, unit: &mut Unit<'_>) -> Result<(), StorageError>;
    fn answer(self: Box<Self>, committed: bool);
}

struct Job<T, F> {
    work: Option<F>,
    result: Option<T>,
    reply: oneshot::Sender<Result<T, Unavailable>>,
}

impl<T, F> Command for Job<T, F>
where
    T: Send,
    F: FnOnce(&mut Unit<'_>) -> Result<T, StorageError> + Send,
{
    fn run(&mut self, unit: &mut Unit<'_>) -> Result<(), StorageError> {
        if let Some(work) = self.work.take() {
            self.result = Some(work(unit)?);
        }
        Ok(())
    }

    fn answer(self: Box<Self>, committed: bool) {
        let result = self.result.filter(|_| committed).ok_or(Unavailable);
        // A caller that has gone away does not undo what was recorded.
        let _gone = self.reply.send(result);
    }
}

/// Commands that were run, and whether they are durable now.
struct Ended {
    commands: Vec<Box<dyn Command>>,
    committed: bool,
}

/// Answers callers from within the runtime: the thread wakes one task a batch, and not one a command.
async fn answer(mut endings: UnboundedReceiver<Ended>) {
    while let Some(Ended { commands, committed }) = endings.recv().await {
        for command in commands {
            command.answer(committed);
        }
    }
}

fn work(mut bench: Bench, inbox: &Receiver<Box<dyn Command>>, ended: &UnboundedSender<Ended>) {
    while let Ok(first) = inbox.recv() {
        let mut taken = Vec::with_capacity(BATCH);
        bench.roster.trim();
        let outcome = catch_unwind(AssertUnwindSafe(|| commit(&mut bench, inbox, first, &mut taken)));
        let committed = match outcome {
            Ok(Ok(effects)) => {
                apply(&bench, effects);
                true
            }
            Ok(Err(error)) => {
                tracing::error!(error = %error, commands = taken.len(), "recorder.batch_failed");
                bench.roster.forget();
                false
            }
            Err(_panic) => {
                tracing::error!(commands = taken.len(), "recorder.command_panicked");
                bench.roster.forget();
                false
            }
        };
        if let Err(gone) = ended.send(Ended { commands: taken, committed }) {
            // The runtime has ended, and its callers with it.
            drop(gone);
        }
    }
    if let Err(error) = bench.writer.settle() {
        tracing::warn!(error = %error, "recorder.indexes_left_behind");
    }
}

/// Runs the first command and whatever else waits, and commits them together.
fn commit(
    bench: &mut Bench,
    inbox: &Receiver<Box<dyn Command>>,
    first: Box<dyn Command>,
    taken: &mut Vec<Box<dyn Command>>,
) -> Result<Vec<Effect>, StorageError> {
    taken.push(first);
    let batch = bench.writer.begin()?;
    let mut unit = Unit::new(batch, &mut bench.roster, &bench.desk);
    loop {
        if let Some(command) = taken.last_mut() {
            unit.begin_command();
            command.run(&mut unit)?;
        }
        if taken.len() >= BATCH {
            break;
        }
        match inbox.try_recv() {
            Ok(next) => taken.push(next),
            Err(_) => break,
        }
    }
    unit.commit()
}

/// What follows from a commit, before anybody hears of it: a stop is a barrier once it is acknowledged.
fn apply(bench: &Bench, effects: Vec<Effect>) {
    for effect in effects {
        match effect {
            Effect::Step(due, step) => {
                // Only a shutdown that is past sending does not listen; the attempt is then found in doubt at the next start.
                let _past_sending = bench.steps.send((due, step));
            }
            Effect::Due(due) => bench.agenda.put(due),
            Effect::Done(task) => bench.agenda.drop_task(task),
            Effect::Standing(attempt, debtor, since) => bench.barrier.stand(attempt, debtor, since),
            Effect::Overtaken(debtor) => bench.barrier.overtake(debtor),
            Effect::AllOvertaken => bench.barrier.overtake_all(),
            Effect::Pauses(pauses) => bench.desk.pauses.store(Arc::new(pauses)),
        }
    }
}
