//! The one write door: a thread that takes commands, runs many of them in one transaction, and answers once it is durable.
//!
//! A command reads state and appends events through its [`Unit`]; it decides and records in one step, and since there is one
//! thread, nothing comes between (invariant 2). While the disk takes one batch, the next is made; it is written once the one
//! before has landed ([`Landing`]). A batch that cannot be written leaves nothing behind: its callers hear [`Unavailable`], and
//! the state at hand is forgotten. If the disk fails to keep what was written, nothing more is taken until the next start.

use crate::pipeline::Desk;
use crate::pipeline::landing::Landing;
use crate::pipeline::roster::Roster;
use crate::pipeline::unit::{Effect, Ended, InForce, Unit};
use crate::storage::{StorageError, Writer, Written};
use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvError, Sender};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender};
use tokio::sync::oneshot;

/// Commands in one transaction, at most: enough to make the sync cheap, few enough to answer soon.
const BATCH: usize = 512;

/// Commands after which a batch ends as soon as the one before has landed: its callers are answered while the next is made,
/// instead of all of them waiting for all.
const ENOUGH: usize = 24;

/// Events in one transaction after which it takes no further command: a command may hold hundreds of rows.
const EVENTS: u64 = 4_096;

/// The history cannot be written now; nothing was recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the contact history cannot be written now; nothing was recorded, try again")]
pub struct Unavailable;

/// The door to the recorder's thread.
pub struct Recorder {
    calls: Mutex<Sender<Call>>,
    threads: Mutex<Vec<JoinHandle<()>>>,
    sound: Arc<AtomicBool>,
}

/// What the recorder's thread works with.
pub struct Bench {
    /// The store's write side.
    pub writer: Writer,
    /// The debtors at hand.
    pub roster: Roster,
    /// Everything read-only that a command needs.
    pub desk: Arc<Desk>,
    /// What the next decision is taken under.
    pub in_force: InForce,
}

/// What the recorder's thread hears.
enum Call {
    /// Something to be done.
    Command(Box<dyn Command>),
    /// What was written last is durable, or (`false`) the disk failed.
    Landed(bool),
    /// Nothing more is to be done.
    Close,
}

impl Recorder {
    /// Starts the threads, and the task that answers for them. Must be called from within a runtime.
    pub fn start(bench: Bench, landing: Landing) -> std::io::Result<Self> {
        let (calls, inbox) = std::sync::mpsc::channel();
        let (flights, arrivals) = std::sync::mpsc::channel();
        let (answers, answered) = tokio::sync::mpsc::unbounded_channel();
        let sound = Arc::new(AtomicBool::new(true));
        tokio::spawn(answer(answered));
        let (landed, told, health) = (calls.clone(), answers.clone(), Arc::clone(&sound));
        let disk = std::thread::Builder::new()
            .name("disk".to_owned())
            .spawn(move || land(&landing, &arrivals, &landed, &told, &health))?;
        let work = std::thread::Builder::new()
            .name("recorder".to_owned())
            .spawn(move || work(bench, &Outward { flights, answers }, Line::new(&inbox)))?;
        Ok(Self { calls: Mutex::new(calls), threads: Mutex::new(vec![work, disk]), sound })
    }

    /// Runs a command and answers once everything it recorded is durable.
    pub async fn run<T, F>(&self, work: F) -> Result<T, Unavailable>
    where
        T: Send + 'static,
        F: FnOnce(&mut Unit<'_>) -> Result<T, StorageError> + Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        let command = Box::new(Job { work: Some(work), result: None, reply });
        // A closed door drops the command, and its caller hears that.
        let _closed = self.call(Call::Command(command));
        answer.await.unwrap_or(Err(Unavailable))
    }

    /// Whether what is recorded becomes durable. Once it does not, only a new start can tell what the disk has.
    pub fn is_sound(&self) -> bool {
        self.sound.load(Ordering::Relaxed)
    }

    /// Takes no more commands, finishes those taken, and waits for the threads.
    pub fn close(&self) {
        let _closed_before = self.call(Call::Close);
        let threads = std::mem::take(&mut *self.threads.lock().unwrap_or_else(PoisonError::into_inner));
        for thread in threads {
            if thread.join().is_err() {
                tracing::error!("recorder.panicked");
            }
        }
    }

    fn call(&self, call: Call) -> bool {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner).send(call).is_ok()
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        let _closed_before = self.call(Call::Close);
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
            self.result = unit.alone(work)?.ok();
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
struct Answers {
    commands: Vec<Box<dyn Command>>,
    durable: bool,
}

/// Answers callers from within the runtime: the threads wake one task a batch, and not one a command.
async fn answer(mut answers: UnboundedReceiver<Answers>) {
    while let Some(Answers { commands, durable }) = answers.recv().await {
        for command in commands {
            command.answer(durable);
        }
    }
}

/// A batch on its way to the disk.
struct Flight {
    written: Written,
    effects: Vec<Effect>,
    commands: Vec<Box<dyn Command>>,
}

/// The disk's thread: one batch after the other becomes durable, what follows from it follows, and its callers are answered.
fn land(
    landing: &Landing,
    arrivals: &Receiver<Flight>,
    landed: &Sender<Call>,
    answers: &UnboundedSender<Answers>,
    sound: &AtomicBool,
) {
    let _farewell = Farewell { landed, sound };
    while let Ok(Flight { written, effects, commands }) = arrivals.recv() {
        let durable = landing.land(&written, effects);
        sound.fetch_and(durable, Ordering::Relaxed);
        // Whoever does not listen any more has ended, and what waits for it with it.
        let _ended = landed.send(Call::Landed(durable));
        let _ended = answers.send(Answers { commands, durable });
    }
}

/// Tells the recorder's thread that nothing becomes durable any more, should the disk's thread panic.
struct Farewell<'a> {
    landed: &'a Sender<Call>,
    sound: &'a AtomicBool,
}

impl Drop for Farewell<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.sound.store(false, Ordering::Relaxed);
            let _ended = self.landed.send(Call::Landed(false));
        }
    }
}

/// Where the recorder's thread sends what it has done.
struct Outward {
    flights: Sender<Flight>,
    answers: UnboundedSender<Answers>,
}

/// What the recorder's thread has heard and not taken yet.
struct Line<'a> {
    inbox: &'a Receiver<Call>,
    waiting: VecDeque<Box<dyn Command>>,
    in_flight: bool,
    open: bool,
    sound: bool,
}

impl<'a> Line<'a> {
    fn new(inbox: &'a Receiver<Call>) -> Self {
        Self { inbox, waiting: VecDeque::new(), in_flight: false, open: true, sound: true }
    }

    fn hear(&mut self, call: Result<Call, RecvError>) {
        match call {
            Ok(Call::Command(command)) => self.waiting.push_back(command),
            Ok(Call::Landed(durable)) => {
                self.in_flight = false;
                self.sound &= durable;
            }
            Ok(Call::Close) | Err(RecvError) => self.open = false,
        }
    }

    /// The first command of a batch; none once the door is closed and everything was taken.
    fn first(&mut self) -> Option<Box<dyn Command>> {
        while self.waiting.is_empty() && self.open {
            self.hear(self.inbox.recv());
        }
        self.waiting.pop_front()
    }

    /// A further command for a batch of so many: one that waits, or one that comes while the batch before is on its way.
    fn further(&mut self, taken: usize) -> Option<Box<dyn Command>> {
        if taken >= ENOUGH && self.has_landed() {
            return None;
        }
        while self.waiting.is_empty() {
            match self.inbox.try_recv() {
                Ok(call) => self.hear(Ok(call)),
                Err(_) if self.in_flight && self.open => self.hear(self.inbox.recv()),
                Err(_) => break,
            }
        }
        self.waiting.pop_front()
    }

    /// Whether the batch before has landed, without waiting for it.
    fn has_landed(&mut self) -> bool {
        while self.in_flight {
            match self.inbox.try_recv() {
                Ok(call) => self.hear(Ok(call)),
                Err(_) => break,
            }
        }
        !self.in_flight
    }

    /// Waits until the batch before has landed.
    fn landed(&mut self) {
        while self.in_flight {
            match self.inbox.recv() {
                Ok(call) => self.hear(Ok(call)),
                // The disk's thread has ended without a word.
                Err(RecvError) => (self.in_flight, self.sound) = (false, false),
            }
        }
    }
}

fn work(mut bench: Bench, outward: &Outward, mut line: Line<'_>) {
    while let Some(first) = line.first() {
        let mut commands = Vec::with_capacity(BATCH);
        bench.roster.trim();
        let made = catch_unwind(AssertUnwindSafe(|| batch(&mut bench, &mut line, first, &mut commands)));
        match made {
            Ok(Ok(Some(Ended { written, effects, in_force }))) => {
                bench.in_force = in_force;
                destroy_keys(&mut bench.writer);
                line.in_flight = outward.flights.send(Flight { written, effects, commands }).is_ok();
                continue;
            }
            Ok(Ok(None)) => {}
            Ok(Err(error)) => {
                tracing::error!(error = %error, commands = commands.len(), "recorder.batch_failed");
                bench.roster.forget();
            }
            Err(_panic) => {
                tracing::error!(commands = commands.len(), "recorder.command_panicked");
                bench.roster.forget();
            }
        }
        // The runtime may have ended, and the callers with it.
        let _ended = outward.answers.send(Answers { commands, durable: false });
    }
    line.landed();
    if !line.sound {
        return;
    }
    if let Err(error) = bench.writer.settle() {
        tracing::warn!(error = %error, "recorder.indexes_left_behind");
    }
}

/// Runs the first command and whatever else comes, and writes them together; nothing where the disk has failed.
fn batch(
    bench: &mut Bench,
    line: &mut Line<'_>,
    first: Box<dyn Command>,
    commands: &mut Vec<Box<dyn Command>>,
) -> Result<Option<Ended>, StorageError> {
    commands.push(first);
    if !line.sound {
        return Ok(None);
    }
    let batch = bench.writer.begin()?;
    let mut unit = Unit::new(batch, &mut bench.roster, &bench.desk, bench.in_force.clone());
    loop {
        if let Some(command) = commands.last_mut() {
            unit.begin_command();
            command.run(&mut unit)?;
        }
        if commands.len() >= BATCH || unit.batch.appended() >= EVENTS {
            break;
        }
        match line.further(commands.len()) {
            Some(next) => commands.push(next),
            None => break,
        }
    }
    line.landed();
    if line.sound { unit.write().map(Some) } else { Ok(None) }
}

/// The keys of whoever was erased go once the erasure is durable, and before anybody hears of it.
fn destroy_keys(writer: &mut Writer) {
    if !writer.owes_erasures() {
        return;
    }
    // The disk's thread hears of a disk that fails here too, where the batch lands.
    if let Err(error) = writer.sync().and_then(|()| writer.finish_erasures()) {
        tracing::error!(error = %error, "recorder.keys_not_destroyed");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Idle;
    impl Command for Idle {
        fn run(&mut self, _: &mut Unit<'_>) -> Result<(), StorageError> {
            Ok(())
        }
        fn answer(self: Box<Self>, _: bool) {}
    }

    fn command() -> Call {
        Call::Command(Box::new(Idle))
    }

    #[test]
    fn a_batch_grows_while_the_one_before_is_on_its_way_and_ends_when_that_has_landed() {
        let (calls, inbox) = std::sync::mpsc::channel();
        let mut line = Line::new(&inbox);
        line.in_flight = true;
        for call in [command(), command(), Call::Landed(true)] {
            calls.send(call).expect("heard");
        }
        assert!(line.first().is_some());
        assert!(line.further(1).is_some());
        assert!(line.further(1).is_none(), "it has landed, and nobody waits");
        assert!(!line.in_flight && line.sound);
    }

    #[test]
    fn a_disk_that_failed_is_not_trusted_again() {
        let (calls, inbox) = std::sync::mpsc::channel();
        let mut line = Line::new(&inbox);
        line.in_flight = true;
        for call in [Call::Landed(false), command(), Call::Landed(true), Call::Close] {
            calls.send(call).expect("heard");
        }
        line.landed();
        assert!(!line.sound);
        assert!(line.first().is_some(), "what was taken before the door closed is answered");
        assert!(line.first().is_none());
        assert!(!line.sound);
    }

    #[test]
    fn a_disk_that_ends_without_a_word_has_failed() {
        let (calls, inbox) = std::sync::mpsc::channel::<Call>();
        let mut line = Line::new(&inbox);
        line.in_flight = true;
        drop(calls);
        line.landed();
        assert!(!line.sound && !line.in_flight);
    }

    #[test]
    fn a_disk_thread_that_panics_is_heard_of() {
        let (calls, inbox) = std::sync::mpsc::channel();
        let thread = std::thread::spawn(move || {
            let _farewell = Farewell { landed: &calls, sound: &AtomicBool::new(true) };
            panic!("sample");
        });
        assert!(thread.join().is_err());
        assert!(matches!(inbox.recv(), Ok(Call::Landed(false))));
    }
}
