//! End to end: from the POST to the vendor's sink, every message counted; and the CPU that each takes.

use crate::child::own_cpu;
use crate::figure::Name;
use crate::intake::{each, noop_rate};
use crate::load::{Load, accepted, millis};
use crate::machine;
use crate::measure::Bench;
use crate::sink::Receipts;
use std::cell::RefCell;
use std::rc::Rc;
use std::time::{Duration, Instant};

/// Connections of the generator.
pub const CONNECTIONS: usize = 32;

/// How long the sink may hear nothing before what is missing is called lost.
pub const SILENCE: Duration = Duration::from_secs(10);

/// At most this long for one round.
const LONGEST: Duration = Duration::from_secs(120);

/// One round: the no-op, then one message to each debtor of a block.
pub async fn round(bench: &mut Bench, round: u32) -> anyhow::Result<()> {
    let idle = bench.noop.process.cpu()?;
    let noop = noop_rate(bench, CONNECTIONS, bench.sizes.time).await?;
    let noop_cpu = each(bench.noop.process.cpu()? - idle, noop.done);

    let first = bench.block(2 * u64::from(round));
    let before = (bench.gateway()?.process.cpu()?, own_cpu()?, machine::busy(), Instant::now());
    let label = format!("dispatch-{round}");
    let tally = load(bench, &label, first)?.run().await.whole("end to end")?;
    drain(&bench.sink.receipts, tally.done, SILENCE).await;
    // The last outcomes are still being recorded.
    tokio::time::sleep(Duration::from_millis(100)).await;
    let ours = bench.gateway()?.process.cpu()? - before.0;
    let (generator, busy) = (own_cpu()? - before.1, machine::busy() - before.2);
    let others = (busy - ours - generator).max(0.0) / before.3.elapsed().as_secs_f64();

    let note = account(bench, &label, &tally, first).await?;
    let (delivered, seconds) = {
        let receipts = bench.sink.receipts.borrow();
        (receipts.delivered, receipts.last.as_secs_f64().max(1e-9))
    };
    bench.figures.add(Name::Dispatch, delivered as f64 / seconds, Some(noop.rate()), note);
    let note = format!(
        "generator and sink {:.0} us a message; others kept {others:.2} cores busy",
        each(generator, delivered)
    );
    bench.figures.add(Name::Cpu, each(ours, delivered), Some(noop_cpu), note);
    Ok(())
}

/// A load of requests that are to go out at once, one to each debtor from the first on; the sink expects them.
pub fn load(bench: &Bench, label: &str, first: u64) -> anyhow::Result<Load> {
    let upstream = &bench.gateway()?.upstream;
    let request = upstream.request(label, false);
    let receipts = Rc::clone(&bench.sink.receipts);
    receipts.borrow_mut().begin(first, bench.sizes.messages);
    Ok(Load {
        address: upstream.address,
        connections: CONNECTIONS,
        count: bench.sizes.messages,
        time: LONGEST,
        streaming: false,
        compose: Rc::new(move |sequence, into| {
            receipts.borrow_mut().posting(first + sequence);
            request.write(sequence, first + sequence, into);
        }),
        judge: Rc::new(accepted),
    })
}

/// Waits until so many debtors were reached, or the sink has heard nothing for so long.
pub async fn drain(receipts: &RefCell<Receipts>, expected: u64, silence: Duration) {
    let (mut known, mut since) = (0, Instant::now());
    while since.elapsed() < silence {
        let delivered = receipts.borrow().delivered;
        if delivered >= expected {
            return;
        }
        if delivered != known {
            (known, since) = (delivered, Instant::now());
        }
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

/// Counts what was lost or repeated; a loss is explained by what the gateway says of the first one.
async fn account(
    bench: &mut Bench,
    label: &str,
    tally: &crate::load::Tally,
    first: u64,
) -> anyhow::Result<String> {
    let (lost, duplicates, strange, example, latency) = {
        let mut receipts = bench.sink.receipts.borrow_mut();
        let example = (0..tally.done).find(|sequence| receipts.count(first + sequence) == 0);
        let latency = format!(
            "p50 {} p99 {}",
            millis(&mut receipts.latencies, 0.5),
            millis(&mut receipts.latencies, 0.99)
        );
        (
            tally.done - receipts.delivered.min(tally.done),
            receipts.duplicates,
            receipts.strange,
            example,
            latency,
        )
    };
    if lost + duplicates + strange > 0 {
        let mut fault =
            format!("{label}: {lost} lost, {duplicates} duplicates, {strange} strange messages at the sink");
        if let Some(sequence) = example {
            let upstream = &bench.gateway()?.upstream;
            let path =
                format!("/v1/contact-requests?request_id=bench-{}-{label}-{sequence:010}", upstream.run);
            let request = crate::stencil::get(&path, upstream.address, &upstream.key);
            let (status, body) = bench.gateway()?.ask(request.as_bytes()).await?;
            fault += &format!("; one of the lost: {status} {}", body.chars().take(900).collect::<String>());
        }
        bench.figures.faults.push(fault);
    }
    Ok(format!("{} accepted, {lost} lost, {duplicates} duplicates; end to end {latency}", tally.done))
}
