//! NDJSON batches of 1,000 requests, each line durable when its result comes, against SQLite alone.

use crate::figure::Name;
use crate::load::Load;
use crate::measure::Bench;
use crate::reference::sqlite_rate;
use crate::stencil::{Stencil, head};
use crate::wire::{Answer, find};
use std::rc::Rc;

/// Requests in a batch.
pub const LINES: u64 = 1_000;

/// Batches in flight.
const CONNECTIONS: usize = 4;

/// One round: SQLite, then the gateway.
pub async fn round(bench: &mut Bench, round: u32) -> anyhow::Result<()> {
    let reference = sqlite_rate(&bench.folder, bench.sizes.time)?;
    let upstream = bench.gateway()?.upstream.clone();
    let line = Stencil::new(&(upstream.request_body(&format!("batch-{round}"), true) + "\n"));
    let mut one = Vec::new();
    line.write(0, 0, &mut one);
    let bytes = one.len() * LINES as usize;
    let path = "/v1/contact-requests/batch";
    let head = head("POST", path, upstream.address, &upstream.key, "application/x-ndjson", bytes);
    let (first, debtors) = (bench.plain_from(), bench.sizes.plain);
    let load = Load {
        address: upstream.address,
        connections: CONNECTIONS,
        count: u64::MAX,
        time: bench.sizes.time,
        streaming: true,
        compose: Rc::new(move |batch, into| {
            into.extend_from_slice(head.as_bytes());
            for request in batch * LINES..(batch + 1) * LINES {
                line.write(request, first + request % debtors, into);
            }
        }),
        judge: Rc::new(judge),
    };
    let mut tally = load.run().await.whole("NDJSON batch")?;
    let note = format!("{CONNECTIONS} batches of {LINES} in flight; a batch: {}", tally.latency_note());
    bench.figures.add(Name::Batch, tally.rate(), Some(reference), note);
    Ok(())
}

/// The lines that were accepted, if all were.
pub fn judge(_: u64, answer: &Answer<'_>) -> u64 {
    let lines = answer.body.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).count() as u64;
    let good = answer.status == 200 && lines == LINES && find(answer.body, b"\"problem\"").is_none();
    if good { lines } else { 0 }
}
