//! The connection kept up: it is opened, bound, and opened again when it is lost.

use crate::channel::smpp::Taker;
use crate::channel::smpp::repeats::Repeats;
use crate::channel::smpp::session::Session;
use crate::channel::smpp::wire;
use crate::channel::{ChannelError, Gate};
use crate::domain::id::AttemptId;
use crate::domain::outcome::{Failure, FailureCause, FailureClass, Outcome};
use crate::provider::callback::{Delivery, DeliveryStatus};
use crate::provider::smpp::pdu::{Body, Pdu, ShortMessage};
use crate::provider::smpp::plan::Plan;
use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;
use tokio::io::AsyncWriteExt;
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_rustls::TlsConnector;
use tokio_util::sync::CancellationToken;

/// How long opening and binding may take.
const CONNECT: Duration = Duration::from_secs(10);
/// How long a message waits for a connection that is just being opened: less than the second within which it must leave.
const PATIENCE: Duration = Duration::from_millis(900);
/// Before the first try to bind again; doubled with each one …
const FIRST_PAUSE: Duration = Duration::from_secs(1);
/// … up to this.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// A connection that held for so long was a good one: it is opened again at once.
const GOOD: Duration = Duration::from_secs(5);
/// How long taking leave may take.
const LEAVE: Duration = Duration::from_secs(1);
/// Identifiers that are remembered, at most.
const REMEMBERED: usize = 10_000;

/// One part of a message.
pub(in crate::channel::smpp) struct Part {
    pub message: ShortMessage,
    pub attempt: AttemptId,
    /// The last one stands for the whole: by its identifier the message is known.
    pub last: bool,
}

#[derive(Clone)]
enum State {
    Opening,
    Down(Failure),
    Bound(Arc<Session>),
    Closed,
}

/// Identifiers that name a message, but are not the one that the attempt is known by.
#[derive(Default)]
struct Aliases {
    known: HashMap<String, (AttemptId, bool)>,
    order: VecDeque<String>,
}

/// The connection.
pub(in crate::channel::smpp) struct Link {
    pub plan: Plan,
    pub stop: CancellationToken,
    tls: Option<TlsConnector>,
    taker: OnceLock<Taker>,
    begun: AtomicBool,
    state: watch::Sender<State>,
    aliases: Mutex<Aliases>,
    pub repeats: Arc<Repeats>,
}

impl Link {
    pub fn new(plan: Plan) -> Result<Self, ChannelError> {
        let tls = wire::connector(&plan)?;
        Ok(Self {
            plan,
            stop: CancellationToken::new(),
            tls,
            taker: OnceLock::new(),
            begun: AtomicBool::new(false),
            state: watch::Sender::new(State::Opening),
            aliases: Mutex::default(),
            repeats: Arc::default(),
        })
    }

    pub fn listen(&self, taker: Taker) {
        // A second taker would record everything twice; the first keeps its place.
        let _ = self.taker.set(taker);
    }

    pub fn taker(&self) -> Option<Taker> {
        self.taker.get().cloned()
    }

    /// Starts to keep the connection up, the first time.
    pub fn begin(self: &Arc<Self>) {
        if !self.begun.swap(true, Ordering::AcqRel) {
            let link = Arc::clone(self);
            tokio::spawn(async move { link.keep().await });
        }
    }

    /// Hands one part over.
    pub async fn submit(&self, part: Part, gate: &Arc<Gate>, deadline: Instant) -> Outcome {
        match self.session().await {
            Ok(session) => session.submit(part, gate, deadline).await,
            Err(failure) => Outcome::Failed(failure),
        }
    }

    async fn session(&self) -> Result<Arc<Session>, Failure> {
        let mut state = self.state.subscribe();
        let opened = state.wait_for(|state| !matches!(state, State::Opening));
        let found = tokio::time::timeout(PATIENCE, opened).await;
        match found.as_ref().map(|found| found.as_deref()) {
            Ok(Ok(State::Bound(session))) => Ok(Arc::clone(session)),
            Ok(Ok(State::Down(failure))) => Err(failure.clone()),
            Ok(Ok(State::Opening | State::Closed) | Err(_)) | Err(_) => Err(never_left("not_bound")),
        }
    }

    async fn keep(self: Arc<Self>) {
        let mut pause = FIRST_PAUSE;
        while !self.stop.is_cancelled() {
            let opened = tokio::select! {
                opened = tokio::time::timeout(CONNECT, self.open()) => opened,
                () = self.stop.cancelled() => break,
            };
            match opened.unwrap_or_else(|_| Err(never_left("connect"))) {
                Ok((session, frames)) => {
                    tracing::info!(host = %self.plan.host, "smpp.bound");
                    self.state.send_replace(State::Bound(Arc::clone(&session)));
                    let since = Instant::now();
                    let why = session.run(frames).await;
                    tracing::warn!(host = %self.plan.host, why, "smpp.connection_ended");
                    if since.elapsed() >= GOOD {
                        pause = FIRST_PAUSE;
                        self.state.send_replace(State::Opening);
                        continue;
                    }
                    self.state.send_replace(State::Down(never_left("connection_lost")));
                }
                Err(failure) => {
                    tracing::warn!(host = %self.plan.host, failure.code = %failure.code, "smpp.not_bound");
                    self.state.send_replace(State::Down(failure));
                }
            }
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = self.stop.cancelled() => break,
            }
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
        self.state.send_replace(State::Closed);
    }

    /// Opens the socket and binds.
    async fn open(self: &Arc<Self>) -> Result<(Arc<Session>, wire::Frames), Failure> {
        let opened = wire::open(&self.plan, self.tls.as_ref()).await;
        let (mut frames, mut writer) = opened.map_err(|_| never_left("connect"))?;
        let lost = |_| never_left("handshake");
        let bind = Pdu::new(1, Body::Bind(Box::new(self.plan.bind.clone())));
        writer.write_all(&bind.write()).await.map_err(lost)?;
        writer.flush().await.map_err(lost)?;
        loop {
            let frame = frames.next().await.map_err(lost)?.ok_or_else(|| never_left("handshake"))?;
            match Pdu::read(&frame) {
                Ok(Pdu { body: Body::BindAnswer | Body::GenericNack, status, .. }) if status != 0 => {
                    return Err(self.plan.unbound(status));
                }
                Ok(Pdu { body: Body::BindAnswer, .. }) => break,
                // Whatever else comes before the answer is not meant for us yet.
                Ok(_) | Err(_) => {}
            }
        }
        Ok((Session::new(self, writer), frames))
    }

    /// Takes leave, within its time.
    pub async fn close(&self) {
        self.stop.cancel();
        if self.begun.load(Ordering::Acquire) {
            let mut state = self.state.subscribe();
            let closed = state.wait_for(|state| matches!(state, State::Closed));
            let _in_time = tokio::time::timeout(LEAVE, closed).await;
        }
    }

    /// Keeps an identifier by which a receipt may name an attempt.
    pub fn remember(&self, reference: &str, attempt: AttemptId, last: bool) {
        let mut aliases = self.aliases();
        if aliases.order.len() >= REMEMBERED
            && let Some(oldest) = aliases.order.pop_front()
        {
            aliases.known.remove(&oldest);
        }
        if aliases.known.insert(reference.to_owned(), (attempt, last)).is_none() {
            aliases.order.push_back(reference.to_owned());
        }
    }

    /// The identifier names another message from here on.
    pub fn forget(&self, reference: &str) {
        let mut aliases = self.aliases();
        if aliases.known.remove(reference).is_some() {
            aliases.order.retain(|known| known != reference);
        }
    }

    /// Puts the attempt to a receipt, where its identifier alone would not find it. `false` if the receipt says nothing of the
    /// whole: a part that arrived is no message that did.
    pub fn name(&self, delivery: &mut Delivery) -> bool {
        let Some(reference) = &delivery.provider_ref else { return true };
        let Some((attempt, last)) = self.aliases().known.get(reference).copied() else { return true };
        delivery.attempt = Some(attempt);
        if !last {
            // It is the part's, and not what the message is known by.
            delivery.provider_ref = None;
        }
        last || delivery.status == DeliveryStatus::Failed
    }

    fn aliases(&self) -> MutexGuard<'_, Aliases> {
        self.aliases.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn never_left(code: &str) -> Failure {
    Failure::of(FailureClass::NeverLeft, FailureCause::Provider, code)
}
