//! Single POSTs: authenticated, validated and durable at the 202, against the no-op.
//!
//! Pure acceptance: the requests carry a `not_before` a month away, so that nothing is decided or sent meanwhile.

use crate::figure::Name;
use crate::load::{Load, Tally, accepted};
use crate::measure::Bench;
use crate::stencil::Stencil;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

/// One round: no-op and gateway, with few and with many connections.
pub async fn round(bench: &mut Bench, round: u32) -> anyhow::Result<()> {
    for (name, connections) in [(Name::Intake32, 32), (Name::Intake128, 128)] {
        let idle = bench.noop.process.cpu()?;
        let noop = noop_rate(bench, connections, bench.sizes.time).await?;
        let noop_cpu = each(bench.noop.process.cpu()? - idle, noop.done);
        let label = format!("intake-{connections}-{round}");
        let load = waiting(bench, &label, connections, bench.sizes.time)?;
        let idle = bench.gateway()?.process.cpu()?;
        let mut tally = load.run().await.whole("single POST")?;
        let cpu = each(bench.gateway()?.process.cpu()? - idle, tally.done);
        let note = format!(
            "all of them waiting, none sent; {}; own CPU {cpu:.0} us a request, the no-op's {noop_cpu:.0}",
            tally.latency_note()
        );
        bench.figures.add(name, tally.rate(), Some(noop.rate()), note);
    }
    Ok(())
}

/// Microseconds each, of seconds for so many.
pub fn each(seconds: f64, count: u64) -> f64 {
    seconds * 1e6 / count.max(1) as f64
}

/// The no-op under the same generator with the same request.
pub async fn noop_rate(bench: &Bench, connections: usize, time: Duration) -> anyhow::Result<Tally> {
    let gateway = bench.gateway()?;
    let body = gateway.upstream.request_body("noop", true);
    let address = bench.noop.address;
    let request = Stencil::json("POST", "/v1/contact-requests", address, &gateway.upstream.key, &body);
    post(address, request, 0, bench.sizes.plain, connections, time).run().await.whole("no-op")
}

/// A load of requests that only wait.
pub fn waiting(bench: &Bench, label: &str, connections: usize, time: Duration) -> anyhow::Result<Load> {
    let upstream = &bench.gateway()?.upstream;
    let request = upstream.request(label, true);
    Ok(post(upstream.address, request, bench.plain_from(), bench.sizes.plain, connections, time))
}

fn post(
    address: SocketAddr,
    request: Stencil,
    first: u64,
    debtors: u64,
    connections: usize,
    time: Duration,
) -> Load {
    Load {
        address,
        connections,
        count: u64::MAX,
        time,
        streaming: false,
        compose: Rc::new(move |sequence, into| request.write(sequence, first + sequence % debtors, into)),
        judge: Rc::new(accepted),
    }
}
