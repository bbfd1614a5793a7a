//! The load generator: a closed loop over keep-alive connections, the same for Dunwell and for its references.
//!
//! Everything runs on one thread, so that the generator takes at most one core; what it takes is measured and shown.

use crate::wire::{Answer, Connection};
use std::cell::RefCell;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::{Duration, Instant};
use tokio::task::JoinSet;
use tokio::time::timeout;

/// A server that answers nothing for so long has stopped working.
const STALL: Duration = Duration::from_secs(20);

/// Writes the whole request with this sequence number.
pub type Compose = dyn Fn(u64, &mut Vec<u8>);
/// Looks at the answer to the request with this sequence number; gives the units it got done (0: refused).
pub type Judge = dyn Fn(u64, &Answer<'_>) -> u64;

/// A load, bounded in number and in time.
pub struct Load {
    /// The server.
    pub address: SocketAddr,
    /// Connections, each with one request in flight.
    pub connections: usize,
    /// At most so many requests.
    pub count: u64,
    /// No new request after this time.
    pub time: Duration,
    /// Bodies larger than a socket's buffer: write and read at the same time.
    pub streaming: bool,
    /// Writes a request.
    pub compose: Rc<Compose>,
    /// Judges an answer.
    pub judge: Rc<Judge>,
}

/// What a load came to.
#[derive(Default)]
pub struct Tally {
    /// Units done: requests, or lines of a batch.
    pub done: u64,
    /// Requests that were answered otherwise than wanted.
    pub refused: u64,
    /// Connections that broke.
    pub broken: u64,
    /// The first unwanted answer, or the first fault of a connection.
    pub first_fault: Option<String>,
    /// From the first request to the last answer.
    pub elapsed: Duration,
    /// Microseconds from request to answer, in no order.
    pub latencies: Vec<u32>,
}

struct State {
    next: u64,
    tally: Tally,
}

/// 202 and nothing else is a unit done.
pub fn accepted(_: u64, answer: &Answer<'_>) -> u64 {
    u64::from(answer.status == 202)
}

/// Any 2xx is a unit done.
pub fn succeeded(_: u64, answer: &Answer<'_>) -> u64 {
    u64::from((200..300).contains(&answer.status))
}

impl Load {
    /// Runs the load to its end.
    pub async fn run(self) -> Tally {
        let state = Rc::new(RefCell::new(State { next: 0, tally: Tally::default() }));
        let begun = Instant::now();
        let connections = self.connections;
        let load = Rc::new(self);
        let mut tasks = JoinSet::new();
        for _ in 0..connections {
            tasks.spawn_local(work(Rc::clone(&load), Rc::clone(&state), begun));
        }
        let (mut known, mut since) = (0, Instant::now());
        loop {
            match timeout(Duration::from_secs(1), tasks.join_next()).await {
                Ok(None) => break,
                Ok(Some(Err(fault))) if !fault.is_cancelled() => state.borrow_mut().broke(&fault.to_string()),
                Ok(Some(_)) => {}
                Err(_) => {
                    let answered = state.borrow().tally.answered();
                    if answered != known {
                        (known, since) = (answered, Instant::now());
                    } else if since.elapsed() > STALL {
                        state.borrow_mut().broke(&format!("no answer on any connection for {STALL:?}"));
                        tasks.abort_all();
                    }
                }
            }
        }
        std::mem::take(&mut state.borrow_mut().tally)
    }
}

impl State {
    fn broke(&mut self, fault: &str) {
        self.tally.broken += 1;
        self.tally.first_fault.get_or_insert_with(|| fault.to_owned());
    }
}

async fn work(load: Rc<Load>, state: Rc<RefCell<State>>, begun: Instant) {
    let mut connection = match Connection::open(load.address).await {
        Ok(connection) => connection,
        Err(fault) => return state.borrow_mut().broke(&format!("connecting: {fault}")),
    };
    let mut request = Vec::with_capacity(2 * 1024);
    loop {
        let sequence = state.borrow().next;
        if sequence >= load.count || begun.elapsed() >= load.time {
            return;
        }
        state.borrow_mut().next += 1;
        request.clear();
        (load.compose)(sequence, &mut request);
        let asked = Instant::now();
        let answer = match load.streaming {
            true => connection.exchange_streaming(&request).await,
            false => connection.exchange(&request).await,
        };
        match answer {
            Ok(answer) => {
                let done = (load.judge)(sequence, &answer);
                let mut state = state.borrow_mut();
                if done == 0 {
                    state.tally.refused += 1;
                    state.tally.first_fault.get_or_insert_with(|| shown(&answer));
                    continue;
                }
                state.tally.done += done;
                state.tally.elapsed = begun.elapsed();
                state.tally.latencies.push(asked.elapsed().as_micros().try_into().unwrap_or(u32::MAX));
            }
            Err(fault) => return state.borrow_mut().broke(&fault.to_string()),
        }
    }
}

/// An answer, as a fault shows it.
pub fn shown(answer: &Answer<'_>) -> String {
    let body = String::from_utf8_lossy(answer.body);
    format!("answered {}: {}", answer.status, body.chars().take(600).collect::<String>())
}

impl Tally {
    fn answered(&self) -> u64 {
        self.latencies.len() as u64 + self.refused
    }

    /// Units a second.
    pub fn rate(&self) -> f64 {
        self.done as f64 / self.elapsed.as_secs_f64().max(1e-9)
    }

    /// Fails unless every request was answered as wanted.
    pub fn whole(self, what: &str) -> anyhow::Result<Self> {
        if self.refused + self.broken > 0 || self.done == 0 {
            let fault = self.first_fault.as_deref().unwrap_or("nothing was answered");
            anyhow::bail!(
                "{what}: {} refused, {} connections broken; first: {fault}",
                self.refused,
                self.broken
            );
        }
        Ok(self)
    }

    /// The median and the 99th percentile of the latencies, as text.
    pub fn latency_note(&mut self) -> String {
        format!("p50 {} p99 {}", millis(&mut self.latencies, 0.5), millis(&mut self.latencies, 0.99))
    }
}

/// A quantile of microseconds, as milliseconds.
pub fn millis(micros: &mut [u32], quantile: f64) -> String {
    format!("{:.1} ms", f64::from(quantile_of(micros, quantile)) / 1e3)
}

/// The value below which this share of the values lies (0 where there is none).
pub fn quantile_of(values: &mut [u32], quantile: f64) -> u32 {
    if values.is_empty() {
        return 0;
    }
    let rank = ((values.len() - 1) as f64 * quantile).round() as usize;
    *values.select_nth_unstable(rank).1
}
