//! One connection while it is bound: what is written, what is awaited, what comes in.

use crate::channel::smpp::Taker;
use crate::channel::smpp::link::{Link, Part};
use crate::channel::smpp::repeats::{Answers, Mark};
use crate::channel::smpp::wire::{Frames, Writer};
use crate::channel::{Gate, failed, overtaken};
use crate::domain::id::AttemptId;
use crate::domain::outcome::{FailureCause, FailureClass, Outcome};
use crate::provider::callback::{CallbackEvent, Delivery, DeliveryStatus};
use crate::provider::smpp::pdu::{self, Body, INVALID_COMMAND, OK, Pdu, REJECTED, ShortMessage, TRY_AGAIN};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;
use tokio::io::AsyncWriteExt;
use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// Receipts that are being recorded at once.
const RECEIPTS: usize = 128;
/// Unanswered messages that are remembered, at most: an answer that late is no news any more.
const UNANSWERED: usize = 10_000;
/// What people wrote and nobody has recorded yet, at most: the reader waits where there is more.
const TEXTS: usize = 128;
/// How long the history may be out of reach before the centre keeps what people write. Most centres wait longer for an answer.
const PATIENCE: Duration = Duration::from_secs(5);
/// Before something is recorded that could not be just now.
const AGAIN: Duration = Duration::from_millis(250);
/// Lines that wait to be written, at most: who has another waits.
const LINES: usize = 256;
/// How long the centre may take to answer our leave-taking.
const LEAVE: Duration = Duration::from_millis(500);

/// What is to be written.
struct Line {
    bytes: Vec<u8>,
    /// Asked right before the first byte of a message; with the sequence number by which it waits.
    gate: Option<(Arc<Gate>, u32)>,
    /// Of a text that this answers.
    answers: Option<Mark>,
}

/// What somebody wrote, by which number it is acknowledged, and who records it.
struct Text {
    sequence: u32,
    mark: Mark,
    event: CallbackEvent,
    taker: Taker,
}

/// Who waits for an answer.
struct Waiting {
    attempt: AttemptId,
    last: bool,
    /// Whether its first byte may have left. What is another part's says nothing of this one's.
    written: Arc<AtomicBool>,
    answer: oneshot::Sender<Pdu>,
}

/// A bound connection.
pub(in crate::channel::smpp) struct Session {
    link: Weak<Link>,
    enquire_link: Duration,
    lines: mpsc::Sender<Line>,
    texts: mpsc::Sender<Text>,
    /// Nothing more comes of it: whoever finds that out says so here.
    over: CancellationToken,
    sequence: AtomicU32,
    window: Semaphore,
    receipts: Arc<Semaphore>,
    /// None once the connection is lost.
    waiting: Mutex<Option<BTreeMap<u32, Waiting>>>,
}

impl Session {
    /// Takes the writing half into its keeping.
    pub fn new(link: &Arc<Link>, writer: Writer) -> Arc<Self> {
        let plan = &link.plan;
        let answers = link.repeats.connection();
        let (lines, to_write) = mpsc::channel(LINES);
        let (texts, to_take) = mpsc::channel(TEXTS);
        let over = CancellationToken::new();
        let session = Arc::new(Self {
            link: Arc::downgrade(link),
            enquire_link: plan.enquire_link,
            lines,
            texts,
            over: over.clone(),
            // The bind was the first.
            sequence: AtomicU32::new(2),
            window: Semaphore::new(plan.window),
            receipts: Arc::new(Semaphore::new(RECEIPTS)),
            waiting: Mutex::new(Some(BTreeMap::new())),
        });
        let writing = Arc::downgrade(&session);
        tokio::spawn(write(writing, writer, to_write, plan.enquire_link, over, answers.clone()));
        tokio::spawn(take(Arc::downgrade(&session), to_take, answers));
        session
    }

    /// Hands one part over and waits for its answer.
    pub async fn submit(&self, part: Part, gate: &Arc<Gate>, deadline: Instant) -> Outcome {
        let never_left = |code| failed(FailureClass::NeverLeft, FailureCause::Provider, code);
        let Ok(Ok(_place)) = tokio::time::timeout_at(deadline, self.window.acquire()).await else {
            return never_left("window_full");
        };
        let sequence = self.next_sequence();
        let (answer, mut answered) = oneshot::channel();
        let written = Arc::<AtomicBool>::default();
        let waiting =
            Waiting { attempt: part.attempt, last: part.last, written: Arc::clone(&written), answer };
        if !self.wait(sequence, waiting) {
            return never_left("connection_lost");
        }
        let bytes = Pdu::new(sequence, Body::Submit(Box::new(part.message))).write();
        let line = Line { bytes, gate: Some((Arc::clone(gate), sequence)), answers: None };
        let Ok(Ok(())) = tokio::time::timeout_at(deadline, self.lines.send(line)).await else {
            self.give_up(sequence);
            return never_left("connection_lost");
        };
        let answer = match tokio::time::timeout_at(deadline, &mut answered).await {
            Ok(answer) => answer.map_err(|_| "connection_lost"),
            Err(_) => {
                // From here on it cannot be written any more. What was goes on waiting: an answer may still come.
                self.give_up(sequence);
                // One that came meanwhile is the answer; a later one is told as a receipt is.
                answered.close();
                answered.try_recv().map_err(|_| "timeout")
            }
        };
        match answer {
            Ok(answer) => match self.link.upgrade() {
                Some(link) => link.plan.outcome(&answer),
                None => failed(FailureClass::Uncertain, FailureCause::Provider, "connection_lost"),
            },
            Err(_) if gate.refused() => overtaken(),
            Err(code) if written.load(Ordering::Acquire) => {
                failed(FailureClass::Uncertain, FailureCause::Provider, code)
            }
            Err(code) => never_left(code),
        }
    }

    /// Reads until the connection ends; says why it did.
    pub async fn run(self: Arc<Self>, mut frames: Frames) -> &'static str {
        let stop = self.link.upgrade().map(|link| link.stop.clone()).unwrap_or_default();
        let mut asked = false;
        let why = loop {
            let frame = tokio::select! {
                frame = tokio::time::timeout(self.enquire_link, frames.next()) => frame,
                () = self.over.cancelled() => break "given_up",
                () = stop.cancelled() => {
                    self.leave(&mut frames).await;
                    break "closed";
                }
            };
            match frame {
                Ok(Ok(Some(frame))) => {
                    asked = false;
                    if !self.read(&frame).await {
                        break "unbound";
                    }
                }
                Ok(Ok(None)) => break "hung_up",
                Ok(Err(error)) if error.kind() == std::io::ErrorKind::InvalidData => break "no_pdu",
                Ok(Err(_)) => break "broken",
                Err(_) if asked => break "silent",
                Err(_) => {
                    asked = true;
                    self.say(Pdu::new(self.next_sequence(), Body::EnquireLink)).await;
                }
            }
        };
        // Whoever waits learns that no answer comes any more, and the writer lets go of the socket.
        drop(self.waiting().take());
        self.over.cancel();
        why
    }

    /// Reads one unit. `false` if the centre takes its leave.
    async fn read(self: &Arc<Self>, frame: &[u8]) -> bool {
        let Ok(pdu) = Pdu::read(frame) else {
            tracing::error!(octets = frame.len(), "smpp.unreadable");
            let (command, sequence) = pdu::head(frame).unwrap_or_default();
            let body = if command == 0x0000_0005 { Body::DeliverAnswer } else { Body::GenericNack };
            self.say(Pdu { status: REJECTED, sequence, body }).await;
            return true;
        };
        let Pdu { status: _, sequence, body } = pdu;
        match body {
            Body::SubmitAnswer(_) | Body::GenericNack => {
                self.answered(Pdu { status: pdu.status, sequence, body }).await;
            }
            Body::Deliver(message) => self.delivered(sequence, &message).await,
            Body::EnquireLink => self.say(Pdu::new(sequence, Body::EnquireLinkAnswer)).await,
            Body::Unbind => {
                self.say(Pdu::new(sequence, Body::UnbindAnswer)).await;
                return false;
            }
            Body::EnquireLinkAnswer | Body::UnbindAnswer | Body::BindAnswer | Body::DeliverAnswer => {}
            // `alert_notification` wants no answer (section 4.12.1).
            Body::Other(0x0000_0102) => {}
            Body::Other(command) if command & 0x8000_0000 != 0 => {}
            Body::Bind(_) | Body::Submit(_) | Body::Other(_) => {
                // `data_sm` (section 4.7) may bear what somebody wrote: a centre must be told to hand that over by `deliver_sm`.
                let (command, _) = pdu::head(frame).unwrap_or_default();
                tracing::error!(command = format!("{command:#010x}"), "smpp.not_understood");
                self.say(Pdu { status: INVALID_COMMAND, sequence, body: Body::GenericNack }).await;
            }
        }
        true
    }

    /// Hands an answer to whoever waits; where nobody does any more, what it says is told as a receipt is.
    async fn answered(&self, answer: Pdu) {
        let waiting = self.waiting().as_mut().and_then(|waiting| waiting.remove(&answer.sequence));
        let Some(Waiting { attempt, last, answer: wanted, .. }) = waiting else { return };
        let Some(link) = self.link.upgrade() else { return };
        let outcome = link.plan.outcome(&answer);
        // The next frame may be its receipt, and is read before whoever waits here comes to his turn.
        if let Outcome::Accepted { provider_ref: Some(reference) } = &outcome {
            // A centre that counts anew gives an identifier twice: the newer message is meant.
            link.forget(reference);
            if !last {
                link.remember(reference, attempt, last);
            }
        }
        let Err(_late) = wanted.send(answer) else { return };
        let Outcome::Accepted { provider_ref: Some(reference) } = outcome else { return };
        link.remember(&reference, attempt, last);
        if let (Some(taker), true) = (link.taker(), last) {
            let status = DeliveryStatus::Pending;
            let said = Delivery {
                provider_ref: Some(reference),
                attempt: Some(attempt),
                status,
                code: None,
                cause: FailureCause::Unspecified,
                at: None,
            };
            tokio::spawn(taker(CallbackEvent::Delivery(said)));
        }
    }

    /// Takes what the centre hands over. It is acknowledged once it is durable, and not before.
    async fn delivered(self: &Arc<Self>, sequence: u32, message: &ShortMessage) {
        let Some(link) = self.link.upgrade() else { return };
        let Some(mut event) = link.plan.hear(message) else {
            tracing::error!("smpp.receipt_of_nothing");
            return self.say(Pdu { status: REJECTED, sequence, body: Body::DeliverAnswer }).await;
        };
        if let CallbackEvent::Delivery(delivery) = &mut event
            && !link.name(delivery)
        {
            return self.say(Pdu::new(sequence, Body::DeliverAnswer)).await;
        }
        let Some(taker) = link.taker() else {
            return self.say(Pdu { status: TRY_AGAIN, sequence, body: Body::DeliverAnswer }).await;
        };
        // What people write is recorded in the order they wrote it; receipts move only forward, in whatever order.
        if matches!(event, CallbackEvent::Inbound(_)) {
            // Where nobody takes any more the connection is over, and the centre keeps it.
            let _ = self.texts.send(Text { sequence, mark: Mark::of(message), event, taker }).await;
            return;
        }
        let Ok(place) = Arc::clone(&self.receipts).acquire_owned().await else { return };
        let session = Arc::clone(self);
        tokio::spawn(async move {
            let status = if taker(event).await { OK } else { TRY_AGAIN };
            session.say(Pdu { status, sequence, body: Body::DeliverAnswer }).await;
            drop(place);
        });
    }

    /// Takes leave (section 4.2). What comes in meanwhile is not taken: the centre keeps it.
    async fn leave(&self, frames: &mut Frames) {
        let answered = async {
            self.say(Pdu::new(self.next_sequence(), Body::Unbind)).await;
            while let Ok(Some(frame)) = frames.next().await {
                match Pdu::read(&frame) {
                    Ok(Pdu { body: Body::UnbindAnswer, .. }) | Err(_) => return,
                    Ok(answer @ Pdu { body: Body::SubmitAnswer(_), .. }) => self.answered(answer).await,
                    Ok(_) => {}
                }
            }
        };
        // A centre that does not answer our leave-taking has no say in our shutdown.
        let _in_time = tokio::time::timeout(LEAVE, answered).await;
    }

    async fn say(&self, pdu: Pdu) {
        self.line(Line { bytes: pdu.write(), gate: None, answers: None }).await;
    }

    /// Acknowledges what somebody wrote.
    async fn acknowledge(&self, sequence: u32, mark: Mark) {
        let bytes = Pdu::new(sequence, Body::DeliverAnswer).write();
        self.line(Line { bytes, gate: None, answers: Some(mark) }).await;
    }

    async fn line(&self, line: Line) {
        // Where the writer is gone, so is the connection: the reader is told.
        let _ = self.lines.send(line).await;
    }

    /// From 1 to 0x7fffffff, and around (section 3.2).
    fn next_sequence(&self) -> u32 {
        self.sequence.fetch_add(1, Ordering::Relaxed) % 0x7fff_ffff + 1
    }

    fn wait(&self, sequence: u32, who: Waiting) -> bool {
        let mut waiting = self.waiting();
        let Some(waiting) = waiting.as_mut() else { return false };
        if waiting.len() >= UNANSWERED {
            waiting.pop_first();
        }
        waiting.insert(sequence, who);
        true
    }

    /// Asks a message's gate, unless nobody waits for its answer any more: whoever gave it up has called it unsent.
    fn may_go(&self, sequence: u32, gate: &Gate) -> bool {
        let mut waiting = self.waiting();
        let Some(waiting) = waiting.as_mut() else { return false };
        let Some(Waiting { written, .. }) = waiting.get(&sequence) else { return false };
        let open = gate.pass();
        written.store(open, Ordering::Release);
        if !open {
            waiting.remove(&sequence);
        }
        open
    }

    /// Forgets a message that was not written yet.
    fn give_up(&self, sequence: u32) {
        if let Some(waiting) = self.waiting().as_mut() {
            waiting.retain(|waits, who| *waits != sequence || who.written.load(Ordering::Acquire));
        }
    }

    fn waiting(&self) -> MutexGuard<'_, Option<BTreeMap<u32, Waiting>>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Has what people write recorded, one after another and beside the reader, so that no answer waits behind it. It is acknowledged
/// once it is durable. Where that takes too long the connection is given up without a word on it: put off alone, it would come
/// again behind what was written after it, and an old START would lift a newer STOP.
async fn take(session: Weak<Session>, mut texts: mpsc::Receiver<Text>, answers: Answers) {
    while let Some(Text { sequence, mark, event, taker }) = texts.recv().await {
        let since = Instant::now();
        loop {
            let turn = answers.turn().await;
            // The centre hands it over again, to the connection after this one.
            let Some(session) = session.upgrade().filter(|session| !session.over.is_cancelled()) else {
                return;
            };
            let repeated = answers.is_repeated(&mark, Instant::now());
            if repeated || taker(event.clone()).await {
                if !repeated {
                    answers.recorded(&mark, Instant::now());
                }
                drop(turn);
                session.acknowledge(sequence, mark).await;
                break;
            }
            drop(turn);
            if since.elapsed() >= PATIENCE {
                return session.over.cancel();
            }
            drop(session);
            tokio::time::sleep(AGAIN).await;
        }
    }
}

/// Writes one line after another. A task of its own, so that no unit is ever left half written. A centre that takes nothing for
/// `patience` is given up, and one that is given up is written what waits already, if it takes it.
async fn write(
    session: Weak<Session>,
    mut writer: Writer,
    mut lines: mpsc::Receiver<Line>,
    patience: Duration,
    over: CancellationToken,
    answers: Answers,
) {
    loop {
        let Line { bytes, gate, answers: answered } = tokio::select! {
            biased;
            Some(line) = lines.recv() => line,
            () = over.cancelled() => break,
            // Nobody is left to say anything.
            else => break,
        };
        let may_go = gate.is_none_or(|(gate, sequence)| {
            session.upgrade().is_some_and(|session| session.may_go(sequence, &gate))
        });
        if !may_go {
            continue;
        }
        let written = async {
            writer.write_all(&bytes).await?;
            writer.flush().await
        };
        if !matches!(tokio::time::timeout(patience, written).await, Ok(Ok(()))) {
            break;
        }
        // What is written to a connection that is over arrives nowhere.
        if let Some(mark) = answered.filter(|_| !over.is_cancelled()) {
            answers.written(&mark);
        }
    }
    over.cancel();
    let _in_time = tokio::time::timeout(LEAVE, writer.shutdown()).await;
}
