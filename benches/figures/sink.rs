//! The vendor's side: answers as Twilio does, and counts for each debtor how often a message came.

use crate::portfolio::addressee;
use crate::wire::{find, header};
use std::cell::RefCell;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// The account that messages must be sent under.
pub const ACCOUNT: &str = "AC00000000000000000000000000000001";

/// What arrived since the last `begin`.
pub struct Receipts {
    begun: Instant,
    first: u64,
    sent_at: Vec<Duration>,
    counts: Vec<u8>,
    arrived_at: Vec<Duration>,
    /// Debtors reached.
    pub delivered: u64,
    /// Messages beyond the first to a debtor.
    pub duplicates: u64,
    /// Requests that were no message to a debtor of this phase.
    pub strange: u64,
    /// When the last message arrived, counted from the begin.
    pub last: Duration,
    /// Microseconds from a request's start to its arrival here.
    pub latencies: Vec<u32>,
}

/// A sink that runs for as long as the measurement.
pub struct Sink {
    /// Where it listens.
    pub address: SocketAddr,
    /// What arrived.
    pub receipts: Rc<RefCell<Receipts>>,
}

impl Receipts {
    fn new(first: u64, count: u64) -> Self {
        let count = usize::try_from(count).unwrap_or(0);
        Self {
            begun: Instant::now(),
            first,
            sent_at: vec![Duration::ZERO; count],
            counts: vec![0; count],
            arrived_at: vec![Duration::ZERO; count],
            delivered: 0,
            duplicates: 0,
            strange: 0,
            last: Duration::ZERO,
            latencies: Vec::with_capacity(count),
        }
    }

    /// Starts over: messages are expected for these debtors, one each.
    pub fn begin(&mut self, first: u64, count: u64) {
        *self = Self::new(first, count);
    }

    /// A request for this debtor is about to be posted.
    pub fn posting(&mut self, debtor: u64) {
        let now = self.begun.elapsed();
        if let Some(at) = self.place(debtor) {
            self.sent_at[at] = now;
        }
    }

    /// How often a message came for this debtor.
    pub fn count(&self, debtor: u64) -> u8 {
        self.place(debtor).map_or(0, |at| self.counts[at])
    }

    /// When the newest message came for this debtor, counted from the begin; none while none has.
    pub fn arrived(&self, debtor: u64) -> Option<Duration> {
        let at = self.place(debtor)?;
        (self.counts[at] > 0).then(|| self.arrived_at[at])
    }

    /// The time since the begin.
    pub fn now(&self) -> Duration {
        self.begun.elapsed()
    }

    fn place(&self, debtor: u64) -> Option<usize> {
        let at = usize::try_from(debtor.checked_sub(self.first)?).ok()?;
        (at < self.counts.len()).then_some(at)
    }

    fn receive(&mut self, form: &[u8]) {
        let Some(at) = addressee(form).and_then(|debtor| self.place(debtor)) else {
            self.strange += 1;
            return;
        };
        self.counts[at] = self.counts[at].saturating_add(1);
        self.arrived_at[at] = self.begun.elapsed();
        if self.counts[at] > 1 {
            self.duplicates += 1;
            return;
        }
        self.delivered += 1;
        self.last = self.begun.elapsed();
        let taken = self.last.saturating_sub(self.sent_at[at]);
        self.latencies.push(u32::try_from(taken.as_micros()).unwrap_or(u32::MAX));
    }
}

impl Sink {
    /// Opens the sink on a free port; it answers from this thread.
    pub async fn open() -> std::io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let receipts = Rc::new(RefCell::new(Receipts::new(0, 0)));
        let shared = Rc::clone(&receipts);
        tokio::task::spawn_local(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let receipts = Rc::clone(&shared);
                tokio::task::spawn_local(async move {
                    // A connection ends when the other side closes it, or dies.
                    let _ = converse(stream, &receipts).await;
                });
            }
        });
        Ok(Self { address, receipts })
    }
}

async fn converse(mut stream: TcpStream, receipts: &RefCell<Receipts>) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let route = format!("POST /2010-04-01/Accounts/{ACCOUNT}/Messages.json ");
    let (mut input, mut output) = (Vec::with_capacity(8 * 1024), Vec::with_capacity(1024));
    let mut serial = 0_u64;
    loop {
        let Some((body, end)) = whole_request(&input) else {
            if stream.read_buf(&mut input).await? == 0 {
                return Ok(());
            }
            continue;
        };
        output.clear();
        if input.starts_with(route.as_bytes()) {
            serial += 1;
            receipts.borrow_mut().receive(&input[body..end]);
            let sid = format!("SM{:016x}{serial:016x}", u64::from(stream.peer_addr()?.port()));
            answer(&mut output, "201 Created", &created(&sid));
        } else {
            receipts.borrow_mut().strange += 1;
            answer(&mut output, "404 Not Found", r#"{"code":20404,"message":"not found","status":404}"#);
        }
        input.drain(..end);
        stream.write_all(&output).await?;
    }
}

/// Where the first request's body begins and ends, once it is whole.
fn whole_request(input: &[u8]) -> Option<(usize, usize)> {
    let end = find(input, b"\r\n\r\n")?;
    let length = input[..end]
        .split(|byte| *byte == b'\n')
        .find_map(|line| header(line, b"content-length:"))
        .and_then(|value| std::str::from_utf8(value).ok()?.trim().parse().ok())
        .unwrap_or(0);
    let whole = end + 4 + length;
    (input.len() >= whole).then_some((end + 4, whole))
}

fn created(sid: &str) -> String {
    format!(
        r#"{{"account_sid":"{ACCOUNT}","api_version":"2010-04-01","direction":"outbound-api","error_code":null,"error_message":null,"messaging_service_sid":null,"num_media":"0","num_segments":"1","price":null,"price_unit":"USD","sid":"{sid}","status":"queued","uri":"/2010-04-01/Accounts/{ACCOUNT}/Messages/{sid}.json"}}"#
    )
}

fn answer(output: &mut Vec<u8>, status: &str, body: &str) {
    let head = format!(
        "HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    output.extend_from_slice(head.as_bytes());
    output.extend_from_slice(body.as_bytes());
}
