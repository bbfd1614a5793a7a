//! From a reply to the barrier: how soon a STOP is durable and answered while texts go out, and that it holds from then on.

use crate::figure::Name;
use crate::gateway::{SENDER, TOKEN};
use crate::load::{millis, quantile_of, shown};
use crate::measure::Bench;
use crate::portfolio::{Upstream, phone};
use crate::sink::{ACCOUNT, Receipts};
use crate::stencil::{Stencil, get};
use crate::wire::Connection;
use aws_lc_rs::hmac;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;
use std::time::{Duration, Instant};
use tokio::task::JoinSet;

/// Texts asked for each second.
const RATE: u64 = 1_000;
/// One debtor of so many says STOP, right when a text was asked for: twenty a second.
const EVERY: u64 = 50;
/// Connections that ask for texts; each has one request in flight.
const ASKING: u64 = 32;
/// Connections of the vendor's, over which replies come.
const REPLYING: u64 = 4;
/// A text that passed the barrier before the stop was recorded may still be on its way, but no longer than this: what has not
/// begun to leave within a second is abandoned.
const UNDERWAY: Duration = Duration::from_secs(1);
/// How long what is missing may take at the end, after the last text.
const PATIENCE: Duration = Duration::from_secs(20);

/// A debtor who said STOP.
struct Stop {
    debtor: u64,
    /// When it was answered, by the sink's clock.
    acknowledged: Duration,
    /// Microseconds from the reply to its 200.
    taken: u32,
}

/// One round's work, shared by its connections.
struct Round {
    upstream: Upstream,
    label: String,
    first: u64,
    texts: u64,
    begun: Instant,
    receipts: Rc<RefCell<Receipts>>,
    text: Stencil,
    after: Stencil,
    /// Debtors who are about to say STOP.
    saying: RefCell<VecDeque<u64>>,
    /// Texts that were taken.
    asked: RefCell<u64>,
    stops: RefCell<Vec<Stop>>,
}

/// One round: texts at a steady rate, a STOP now and then, and afterwards the reckoning.
pub async fn round(bench: &mut Bench, round: u32) -> anyhow::Result<()> {
    let upstream = bench.gateway()?.upstream.clone();
    let (label, texts) = (format!("barrier-{round}"), bench.sizes.barrier);
    let first = bench.barrier_from() + u64::from(round) * texts;
    bench.sink.receipts.borrow_mut().begin(first, texts);
    let work = Rc::new(Round {
        text: upstream.request(&label, false),
        after: upstream.request(&format!("{label}-after"), false),
        upstream,
        label,
        first,
        texts,
        begun: Instant::now(),
        receipts: Rc::clone(&bench.sink.receipts),
        saying: RefCell::default(),
        asked: RefCell::default(),
        stops: RefCell::default(),
    });
    let mut tasks = JoinSet::new();
    for lane in 0..ASKING {
        tasks.spawn_local(ask(Rc::clone(&work), lane));
    }
    for lane in 0..REPLYING {
        tasks.spawn_local(reply(Rc::clone(&work), lane));
    }
    while let Some(ended) = tasks.join_next().await {
        ended??;
    }
    let rate = texts as f64 / work.begun.elapsed().as_secs_f64();
    work.settle(bench).await?;
    let underway = work.reckon(bench);
    let mut taken: Vec<u32> = work.stops.borrow().iter().map(|stop| stop.taken).collect();
    let note = format!(
        "{} stops among {rate:.0} texts/s: p50 {}, worst {}; {underway}",
        taken.len(),
        millis(&mut taken, 0.5),
        millis(&mut taken, 1.0),
    );
    if rate < RATE as f64 * 0.9 {
        let why = format!("only {rate:.0} texts/s were asked for, not {RATE}");
        bench.figures.of(Name::Barrier).not_judged = Some(why);
    }
    bench.figures.add(Name::Barrier, f64::from(quantile_of(&mut taken, 0.99)) / 1e3, None, note);
    Ok(())
}

/// Asks for every so manieth text, each when its time has come.
async fn ask(work: Rc<Round>, lane: u64) -> anyhow::Result<()> {
    let mut connection = Connection::open(work.upstream.address).await?;
    let mut request = Vec::with_capacity(2 * 1024);
    for sequence in (lane..work.texts).step_by(ASKING as usize) {
        let due = work.begun + Duration::from_micros(sequence * 1_000_000 / RATE);
        tokio::time::sleep_until(due.into()).await;
        let debtor = work.first + sequence;
        request.clear();
        work.text.write(sequence, debtor, &mut request);
        work.receipts.borrow_mut().posting(debtor);
        if sequence % EVERY == EVERY - 1 {
            work.saying.borrow_mut().push_back(debtor);
        }
        let answer = connection.exchange(&request).await?;
        anyhow::ensure!(answer.status == 202, "a text: {}", shown(&answer));
        *work.asked.borrow_mut() += 1;
    }
    Ok(())
}

/// Brings the replies, and asks once more for whoever has just been told that no text will come.
async fn reply(work: Rc<Round>, lane: u64) -> anyhow::Result<()> {
    let mut connection = Connection::open(work.upstream.address).await?;
    let mut request = Vec::with_capacity(2 * 1024);
    loop {
        let Some(debtor) = work.saying.borrow_mut().pop_front() else {
            if *work.asked.borrow() == work.texts {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(1 + lane % 2)).await;
            continue;
        };
        let stop = stop(&work.upstream, debtor);
        let said = Instant::now();
        let answer = connection.exchange(stop.as_bytes()).await?;
        let taken = u32::try_from(said.elapsed().as_micros()).unwrap_or(u32::MAX);
        anyhow::ensure!(answer.status == 200, "a STOP: {}", shown(&answer));
        let acknowledged = work.receipts.borrow().now();
        work.stops.borrow_mut().push(Stop { debtor, acknowledged, taken });
        request.clear();
        work.after.write(debtor - work.first, debtor, &mut request);
        let answer = connection.exchange(&request).await?;
        anyhow::ensure!(answer.status == 202, "a text after a STOP: {}", shown(&answer));
    }
}

/// A STOP as the vendor brings it: a form, signed as Twilio signs (base64 of HMAC-SHA1 over the URL and the sorted fields).
fn stop(upstream: &Upstream, debtor: u64) -> String {
    let path = "/callbacks/sms/twilio/inbound";
    let (from, sid) = (phone(debtor), format!("SM{:016x}{debtor:016x}", upstream.run));
    let fields =
        [("AccountSid", ACCOUNT), ("Body", "STOP"), ("From", &from), ("MessageSid", &sid), ("To", SENDER)];
    let mut signed = format!("http://{}{path}", upstream.address);
    let mut form = String::new();
    for (name, value) in fields {
        signed += name;
        signed += value;
        form += &format!("{}{name}={}", if form.is_empty() { "" } else { "&" }, value.replace('+', "%2B"));
    }
    let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, TOKEN.as_bytes());
    let signature = BASE64_STANDARD.encode(hmac::sign(&key, signed.as_bytes()));
    format!(
        "POST {path} HTTP/1.1\r\nHost: {}\r\nContent-Type: application/x-www-form-urlencoded\r\n\
         X-Twilio-Signature: {signature}\r\nContent-Length: {}\r\n\r\n{form}",
        upstream.address,
        form.len()
    )
}

impl Round {
    /// Waits until everybody else has got the text, and until what was asked for after a STOP has been refused.
    async fn settle(&self, bench: &mut Bench) -> anyhow::Result<()> {
        let begun = Instant::now();
        while begun.elapsed() < PATIENCE && self.missing() > 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        let stopped: Vec<u64> = self.stops.borrow().iter().map(|stop| stop.debtor).collect();
        for debtor in stopped {
            let id = format!("bench-{}-{}-after-{:010}", self.upstream.run, self.label, debtor - self.first);
            let path = format!("/v1/contact-requests?request_id={id}");
            let request = get(&path, self.upstream.address, &self.upstream.key);
            loop {
                let (_, body) = bench.gateway()?.ask(request.as_bytes()).await?;
                if body.contains(r#""status":"blocked""#) {
                    break;
                }
                if begun.elapsed() > PATIENCE {
                    let said: String = body.chars().take(600).collect();
                    bench.figures.faults.push(format!("a text after a STOP was not refused: {said}"));
                    return Ok(());
                }
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        }
        Ok(())
    }

    /// How many debtors who said nothing have not got their text.
    fn missing(&self) -> usize {
        let receipts = self.receipts.borrow();
        let silent = (0..self.texts).filter(|sequence| sequence % EVERY != EVERY - 1);
        silent.filter(|sequence| receipts.count(self.first + sequence) == 0).count()
    }

    /// Counts what should never have happened; says what was on its way when a STOP was answered.
    fn reckon(&self, bench: &mut Bench) -> String {
        let missing = self.missing();
        let receipts = self.receipts.borrow();
        let (mut sent_before, mut sent_after, mut underway, mut longest) = (0, 0, 0, Duration::ZERO);
        for stop in self.stops.borrow().iter() {
            match (receipts.count(stop.debtor), receipts.arrived(stop.debtor)) {
                (0, _) | (_, None) => {}
                (1, Some(at)) if at <= stop.acknowledged => sent_before += 1,
                (1, Some(at)) if at <= stop.acknowledged + UNDERWAY => {
                    underway += 1;
                    longest = longest.max(at - stop.acknowledged);
                }
                (_, Some(_)) => sent_after += 1,
            }
        }
        let stops = self.stops.borrow().len();
        if sent_after + missing + stops.abs_diff((self.texts / EVERY) as usize) > 0 || receipts.duplicates > 0
        {
            bench.figures.faults.push(format!(
                "{}: {sent_after} of {stops} stopped debtors were sent a text after their stop was answered, {missing} texts \
                 lost, {} repeated",
                self.label, receipts.duplicates
            ));
        }
        format!(
            "{sent_before} had their text before, {underway} had it on its way then (the last for {:.1} ms), none after",
            longest.as_secs_f64() * 1e3
        )
    }
}
