//! `kill -9` under full load: how soon the next request is accepted, and that nothing acknowledged is lost or repeated.

use crate::dispatch;
use crate::figure::Name;
use crate::gateway::{Gateway, KEY};
use crate::load::Load;
use crate::measure::Bench;
use crate::stencil::get;
use serde::Deserialize;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::{Duration, Instant};

/// How long every accepted request may take to reach a final status after the restart.
const SETTLE: Duration = Duration::from_secs(60);

#[derive(Deserialize)]
struct Accepted<'a> {
    id: &'a str,
}

#[derive(Deserialize)]
struct Status<'a> {
    status: &'a str,
}

/// An accepted request: the debtor it is for, and the identifier it got.
type Promise = (u64, String);

/// What became of the accepted requests.
#[derive(Default)]
struct Fates {
    missing: u64,
    unsent: u64,
    unsettled: u64,
    statuses: BTreeMap<String, u64>,
}

/// One round: load, kill, restart, first accept, and the reckoning.
pub async fn round(bench: &mut Bench, round: u32) -> anyhow::Result<()> {
    let first = bench.block(2 * u64::from(round) + 1);
    let promises = Rc::new(RefCell::new(Vec::<Promise>::new()));
    let mut load = dispatch::load(bench, &format!("crash-{round}"), first)?;
    let kept = Rc::clone(&promises);
    load.judge = Rc::new(move |sequence, answer| match serde_json::from_slice::<Accepted<'_>>(answer.body) {
        Ok(accepted) if answer.status == 202 => {
            kept.borrow_mut().push((first + sequence, accepted.id.to_owned()));
            1
        }
        _ => 0,
    });
    let running = tokio::task::spawn_local(load.run());
    let half = bench.sizes.messages / 2;
    let begun = Instant::now();
    while (promises.borrow().len() as u64) < half && begun.elapsed() < bench.sizes.time {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let setup = bench.take_gateway()?.kill()?;
    let tally = running.await?;
    anyhow::ensure!(tally.broken > 0, "the load had ended before the kill: more messages are needed");
    anyhow::ensure!(tally.refused == 0, "crash: {} refused; first: {:?}", tally.refused, tally.first_fault);

    let probe = |gateway: &Gateway| {
        let mut request = Vec::new();
        gateway.upstream.request(&format!("restart-{round}"), true).write(
            0,
            bench.plain_from(),
            &mut request,
        );
        request
    };
    let mut gateway = Gateway::start(setup)?;
    let request = probe(&gateway);
    let taken = gateway.first_accepted(&request).await?;
    bench.put_gateway(gateway);

    let promises = promises.take();
    dispatch::drain(&bench.sink.receipts, promises.len() as u64, dispatch::SILENCE).await;
    let note = reckon(bench, &promises, round).await?;
    bench.figures.add(Name::Restart, taken.as_secs_f64(), None, note);
    Ok(())
}

async fn reckon(bench: &mut Bench, promises: &[Promise], round: u32) -> anyhow::Result<String> {
    let fates = settle(bench, promises).await?;
    // Requests that were stored but whose answer the kill cut off are sent too: none of them may spill into the next round.
    dispatch::drain(&bench.sink.receipts, u64::MAX, Duration::from_millis(500)).await;
    let (delivered, duplicates) = {
        let receipts = bench.sink.receipts.borrow();
        (receipts.delivered, receipts.duplicates)
    };
    let lost = fates.missing + fates.unsent + fates.unsettled;
    if lost + duplicates > 0 {
        bench.figures.faults.push(format!(
            "crash-{round}: {} accepted requests not on file, {} said to be sent and never seen at the sink, {} not \
             settled within {SETTLE:?}, {duplicates} duplicates at the sink",
            fates.missing, fates.unsent, fates.unsettled
        ));
    }
    let statuses: Vec<String> =
        fates.statuses.iter().map(|(status, count)| format!("{count} {status}")).collect();
    Ok(format!(
        "{} accepted before the kill: {lost} lost, {duplicates} duplicates; {} ({delivered} reached the sink)",
        promises.len(),
        statuses.join(", ")
    ))
}

/// Asks for every accepted request until each has settled, or the time is up.
async fn settle(bench: &Bench, promises: &[Promise]) -> anyhow::Result<Fates> {
    let mut fates = Fates::default();
    let mut pending = promises.to_vec();
    let begun = Instant::now();
    while !pending.is_empty() && begun.elapsed() < SETTLE {
        let answers = statuses(bench, &pending).await?;
        let mut still = Vec::new();
        for (promise, status) in pending.into_iter().zip(answers) {
            match status.as_deref() {
                None => fates.missing += 1,
                Some("sent" | "delivered") if bench.sink.receipts.borrow().count(promise.0) == 0 => {
                    fates.unsent += 1
                }
                Some(
                    settled @ ("sent" | "delivered" | "failed" | "blocked" | "expired" | "cancelled"
                    | "unknown"),
                ) => {
                    *fates.statuses.entry(settled.to_owned()).or_default() += 1;
                }
                Some(_) => still.push(promise),
            }
        }
        pending = still;
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    fates.unsettled = pending.len() as u64;
    Ok(fates)
}

/// The status of each request; none where it is not on file.
async fn statuses(bench: &Bench, promises: &[Promise]) -> anyhow::Result<Vec<Option<String>>> {
    let address = bench.gateway()?.upstream.address;
    let found = Rc::new(RefCell::new(vec![None; promises.len()]));
    let ids: Vec<String> = promises.iter().map(|(_, id)| id.clone()).collect();
    let kept = Rc::clone(&found);
    let load = Load {
        address,
        connections: dispatch::CONNECTIONS,
        count: promises.len() as u64,
        time: SETTLE,
        streaming: false,
        compose: Rc::new(move |sequence, into| {
            let path = format!("/v1/contact-requests/{}", ids[sequence as usize]);
            into.extend_from_slice(get(&path, address, KEY).as_bytes());
        }),
        judge: Rc::new(move |sequence, answer| match serde_json::from_slice::<Status<'_>>(answer.body) {
            Ok(status) if answer.status == 200 => {
                kept.borrow_mut()[sequence as usize] = Some(status.status.to_owned());
                1
            }
            _ => u64::from(answer.status == 404),
        }),
    };
    load.run().await.whole("asking for the accepted requests")?;
    Ok(found.take())
}
