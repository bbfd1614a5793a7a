//! NDJSON batches of 1,000 requests, each line durable when its result comes, against SQLite alone.

use crate::figure::Name;
use crate::intake::each;
use crate::load::Load;
use crate::measure::Bench;
use crate::portfolio::Upstream;
use crate::reference::sqlite_rate;
use crate::stencil::{Stencil, head};
use crate::wire::{Answer, find};
use std::rc::Rc;
use std::time::Duration;

/// Requests in a batch.
pub const LINES: u64 = 1_000;

/// Batches in flight.
const CONNECTIONS: usize = 4;

/// One round: SQLite, then the gateway.
pub async fn round(bench: &mut Bench, round: u32) -> anyhow::Result<()> {
    let reference = sqlite_rate(&bench.folder, bench.sizes.time)?;
    let upstream = &bench.gateway()?.upstream;
    let line = Stencil::new(&(upstream.request_body(&format!("batch-{round}"), true) + "\n"));
    let debtors = (bench.plain_from(), bench.sizes.plain);
    let load = Load {
        time: bench.sizes.time,
        ..lines(upstream, "/v1/contact-requests/batch", line, debtors, u64::MAX)
    };
    let idle = bench.gateway()?.process.cpu()?;
    let mut tally = load.run().await.whole("NDJSON batch")?;
    let cpu = each(bench.gateway()?.process.cpu()? - idle, tally.done);
    let note = format!(
        "{CONNECTIONS} batches of {LINES} in flight; a batch: {}; own CPU {cpu:.0} us a row",
        tally.latency_note()
    );
    bench.figures.add(Name::Batch, tally.rate(), Some(reference), note);
    Ok(())
}

/// So many batches, each line about the next of `debtors` (the first, and how many).
pub fn lines(upstream: &Upstream, path: &str, line: Stencil, debtors: (u64, u64), batches: u64) -> Load {
    let mut one = Vec::new();
    line.write(0, 0, &mut one);
    let bytes = one.len() * LINES as usize;
    let head = head("POST", path, upstream.address, &upstream.key, "application/x-ndjson", bytes);
    Load {
        address: upstream.address,
        connections: CONNECTIONS,
        count: batches,
        time: Duration::from_secs(3_600),
        streaming: true,
        compose: Rc::new(move |batch, into| {
            into.extend_from_slice(head.as_bytes());
            for number in batch * LINES..(batch + 1) * LINES {
                line.write(number, debtors.0 + number % debtors.1, into);
            }
        }),
        judge: Rc::new(judge),
    }
}

/// The lines that got a good answer, if all did.
fn judge(_: u64, answer: &Answer<'_>) -> u64 {
    let lines = answer.body.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).count() as u64;
    let good = answer.status == 200 && lines == LINES && find(answer.body, b"\"problem\"").is_none();
    if good { lines } else { 0 }
}
