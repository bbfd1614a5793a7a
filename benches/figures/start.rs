//! Start with a large store: the time from exec to the first accepted request, and the memory that debtors take.
//!
//! The store is made through the API and kept for later runs; the files are in the page cache when it is measured.

use crate::batch::{LINES, lines};
use crate::child::map_memory;
use crate::figure::Name;
use crate::gateway::{Gateway, Setup};
use crate::load::{Load, succeeded};
use crate::measure::{Bench, prepare};
use crate::portfolio::Upstream;
use crate::stencil::head;
use crate::wire::find;
use anyhow::Context;
use std::path::Path;
use std::rc::Rc;
use std::time::Duration;

/// Contact events of each debtor; with the debtor's own that makes five.
const CONTACTS: u64 = 4;

/// The debtors that the floor and the aim are about.
const JUDGED_AT: u64 = 1_000_000;

/// At most this long for making the store.
const BUILD: Duration = Duration::from_secs(3_600);

/// Measures every round's start, one after the other; the memory once, in the last.
pub async fn measure(bench: &mut Bench, rebuild: bool) -> anyhow::Result<()> {
    let debtors = bench.sizes.on_file;
    let setup = store(bench, debtors, rebuild).await?;
    for round in 0..bench.sizes.rounds {
        let (gateway, taken) = started(setup.clone(), &format!("start-{round}"), debtors / 2).await?;
        let at_start = gateway.process.memory()?;
        let note = format!(
            "{debtors} debtors, {} events on file; resident then {:.0} MiB",
            debtors * (1 + CONTACTS),
            mebibytes(at_start)
        );
        bench.figures.add(Name::Start, taken.as_secs_f64(), None, note);
        if round + 1 == bench.sizes.rounds {
            memory(bench, &gateway, debtors).await?;
        }
        gateway.stop()?;
    }
    if debtors < JUDGED_AT {
        let reason = format!("not judged: {debtors} debtors (--large: {JUDGED_AT})");
        bench.figures.of(Name::Start).not_judged = Some(reason.clone());
        bench.figures.of(Name::Memory).not_judged = Some(reason);
    }
    Ok(())
}

/// A gateway that has just accepted its first request, and the time that took from exec.
async fn started(setup: Setup, label: &str, debtor: u64) -> anyhow::Result<(Gateway, Duration)> {
    let mut gateway = Gateway::start(setup)?;
    let mut request = Vec::new();
    gateway.upstream.request(label, true).write(0, debtor, &mut request);
    let taken = gateway.first_accepted(&request).await?;
    Ok((gateway, taken))
}

/// What debtors take in memory once each of them has been decided about, beyond what the same work takes with one debtor.
async fn memory(bench: &mut Bench, gateway: &Gateway, debtors: u64) -> anyhow::Result<()> {
    let (full, rate) = decided_about(gateway, debtors).await?;
    let folder = bench.folder.join("empty");
    clear(&folder)?;
    let bare = Gateway::ready(Setup { folder, ..bench.setup.clone() }).await?;
    prepare(&bare.upstream, 0, 1, "one debtor", |upstream, debtor, into| upstream.put_debtor(debtor, into))
        .await?;
    let (empty, _) = decided_about(&bare, 1).await?;
    bare.stop()?;
    let million = mebibytes((full - empty).max(0.0)) * 1e6 / debtors as f64;
    let map = mebibytes(map_memory(1_000_000)?);
    let note = format!(
        "resident {:.0} MiB once each of {debtors} debtors was decided about ({rate:.0} decisions/s), {:.0} MiB with one \
         debtor",
        mebibytes(full),
        mebibytes(empty)
    );
    bench.figures.add(Name::Memory, million, Some(map), note);
    Ok(())
}

/// Resident bytes after a decision about each debtor on file (at least so many that buffers have grown), and decisions/s.
async fn decided_about(gateway: &Gateway, debtors: u64) -> anyhow::Result<(f64, f64)> {
    let upstream = &gateway.upstream;
    let batches = debtors.div_ceil(LINES).max(20);
    let load = lines(upstream, "/v1/decisions/batch", upstream.question(), (0, debtors), batches);
    let tally = load.run().await.whole("decisions")?;
    Ok((gateway.process.memory()?, tally.rate()))
}

fn mebibytes(bytes: f64) -> f64 {
    bytes / 1_048_576.0
}

/// The store with so many debtors: kept from an earlier run, or made now.
pub async fn store(bench: &Bench, debtors: u64, rebuild: bool) -> anyhow::Result<Setup> {
    let folder = bench.folder.with_file_name(format!("store-{debtors}"));
    let setup = Setup { folder: folder.clone(), ..bench.setup.clone() };
    let mark = folder.join("complete");
    if mark.exists() && !rebuild {
        eprintln!("using the store in {} (--rebuild makes it again)", folder.display());
        return Ok(setup);
    }
    eprintln!("making a store with {debtors} debtors in {}", folder.display());
    clear(&folder)?;
    let gateway = Gateway::ready(setup).await?;
    let put = |upstream: &Upstream, debtor, into: &mut Vec<u8>| upstream.put_debtor(debtor, into);
    prepare(&gateway.upstream, 0, debtors, "debtors", put).await?;
    record_contacts(&gateway.upstream, debtors).await?;
    let setup = gateway.stop()?;
    std::fs::write(mark, "")?;
    Ok(setup)
}

async fn record_contacts(upstream: &Upstream, debtors: u64) -> anyhow::Result<()> {
    let (shared, events) = (upstream.clone(), debtors * CONTACTS);
    let load = Load {
        address: upstream.address,
        connections: 4,
        count: events.div_ceil(LINES),
        time: BUILD,
        streaming: true,
        compose: Rc::new(move |batch, into| {
            let mut body = String::new();
            for event in batch * LINES..((batch + 1) * LINES).min(events) {
                body += &shared.contact_event(event % debtors, event / debtors);
                body.push('\n');
            }
            let path = "/v1/contact-events/batch";
            let head = head("POST", path, shared.address, &shared.key, "application/x-ndjson", body.len());
            into.extend_from_slice(head.as_bytes());
            into.extend_from_slice(body.as_bytes());
        }),
        judge: Rc::new(|sequence, answer| match find(answer.body, b"\"problem\"") {
            Some(_) => 0,
            None => succeeded(sequence, answer),
        }),
    };
    let tally = load.run().await.whole("contact events")?;
    eprintln!("  {events} contact events in {:.1} s", tally.elapsed.as_secs_f64());
    Ok(())
}

/// An empty folder.
pub fn clear(folder: &Path) -> anyhow::Result<()> {
    if folder.exists() {
        std::fs::remove_dir_all(folder).with_context(|| format!("clearing {}", folder.display()))?;
    }
    std::fs::create_dir_all(folder).with_context(|| format!("making {}", folder.display()))
}
