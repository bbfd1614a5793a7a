//! The run: the processes, the portfolio, the rounds, and the table at the end.

use crate::child::{Noop, start_noop};
use crate::clock::zone_near_noon;
use crate::figure::{Figures, Name, Verdict};
use crate::gateway::{Gateway, Setup};
use crate::load::{Load, Tally, succeeded};
use crate::options::{Options, Section, Sizes};
use crate::portfolio::{OHIO, Upstream};
use crate::sink::Sink;
use crate::{barrier, batch, crash, decision, dispatch, intake, machine, scrub, start, table};
use anyhow::Context;
use std::path::PathBuf;
use std::rc::Rc;
use std::time::Duration;
use tokio::signal::unix::{SignalKind, signal};

/// Texts that one debtor may get in a run. No federal rule counts texts; a state's cap would make this smaller.
const TEXTS_EACH: u64 = 6;

/// At most this long for preparing a set of debtors.
const PREPARE: Duration = Duration::from_secs(3_600);

/// Everything that a section needs.
pub struct Bench {
    /// How much is done.
    pub sizes: Sizes,
    /// The figures so far.
    pub figures: Figures,
    /// The reference server.
    pub noop: Noop,
    /// The vendor.
    pub sink: Sink,
    /// Where the run's stores are.
    pub folder: PathBuf,
    /// How a gateway is started.
    pub setup: Setup,
    gateway: Option<Gateway>,
    blocks: u64,
}

impl Bench {
    /// The gateway under load.
    pub fn gateway(&self) -> anyhow::Result<&Gateway> {
        self.gateway.as_ref().context("the gateway is not running")
    }

    /// Takes the gateway out, to end it.
    pub fn take_gateway(&mut self) -> anyhow::Result<Gateway> {
        self.gateway.take().context("the gateway is not running")
    }

    /// Puts the next gateway in.
    pub fn put_gateway(&mut self, gateway: Gateway) {
        self.gateway = Some(gateway);
    }

    /// The first debtor of the block that this phase sends to.
    pub fn block(&self, phase: u64) -> u64 {
        phase % self.blocks * self.sizes.messages
    }

    /// The first of the debtors of whom some say STOP: they are nobody else's.
    pub fn barrier_from(&self) -> u64 {
        self.plain_from() + self.sizes.plain
    }

    /// The first of the debtors whose requests only wait.
    pub fn plain_from(&self) -> u64 {
        self.blocks * self.sizes.messages
    }
}

/// Measures what is wanted and prints the table; false where something was lost or repeated, or a floor is enforced and missed.
pub fn run(options: &Options) -> anyhow::Result<bool> {
    let data = options.data();
    std::fs::create_dir_all(&data)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let mut facts = vec![
        machine::facts(),
        machine::sync_latency(&data, options.sizes().time / 4)?,
        format!("load average before: {}", machine::load_average()),
    ];
    let figures = tokio::task::LocalSet::new().block_on(&runtime, async {
        // Told to stop, we leave by the ordinary way, so that every child is ended.
        let (mut told, mut asked) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
        tokio::select! {
            figures = measure(options, data) => figures,
            _ = told.recv() => anyhow::bail!("told to stop"),
            _ = asked.recv() => anyhow::bail!("interrupted"),
        }
    })?;
    facts.push(format!("load average after: {}", machine::load_average()));
    println!("{}\n\n{}\n{}", facts.join("\n"), table::text(&figures), table::notes(&figures));
    if let Some(file) = &options.markdown {
        std::fs::write(file, table::markdown(&figures, &facts))
            .with_context(|| format!("writing {}", file.display()))?;
    }
    let below = |name: &Name| {
        figures.get(*name).is_some_and(|figure| {
            figure.not_judged.is_none() && figure.verdict(&name.goal()) == Verdict::BelowFloor
        })
    };
    Ok(figures.faults.is_empty() && !(options.enforce && Name::ALL.iter().any(below)))
}

async fn measure(options: &Options, data: PathBuf) -> anyhow::Result<Figures> {
    let sizes = options.sizes();
    let folder = data.join("run");
    start::clear(&folder)?;
    let (zone, local) = zone_near_noon()?;
    eprintln!("debtors have stated {zone}, where it is {local}");
    let (sink, noop) = (Sink::open().await?, start_noop()?);
    let run = jiff::Timestamp::now().as_second();
    let setup = Setup {
        binary: options.binary(),
        folder: folder.join("main"),
        vendor: sink.address,
        log_filter: options.log.clone(),
        zone,
        run,
    };
    let blocks = (2 * u64::from(sizes.rounds)).div_ceil(TEXTS_EACH);
    let stopping = if options.wants(Section::Barrier) { u64::from(sizes.rounds) * sizes.barrier } else { 0 };
    let debtors = blocks * sizes.messages + sizes.plain + stopping;
    anyhow::ensure!(debtors <= OHIO, "more debtors than phones in Ohio");
    let mut bench =
        Bench { sizes, figures: Figures::default(), noop, sink, folder, setup, gateway: None, blocks };
    if [Section::Intake, Section::Batch, Section::Dispatch, Section::Barrier, Section::Crash]
        .iter()
        .any(|part| options.wants(*part))
    {
        // What was measured before a fault is still worth printing; the fault fails the run.
        let done = under_load(&mut bench, options).await;
        bench.figures.faults.extend(done.err().map(|fault| format!("{fault:#}")));
        bench.gateway = None;
    }
    if options.wants(Section::Decision) {
        let done = decision::measure(&mut bench);
        bench.figures.faults.extend(done.err().map(|fault| format!("{fault:#}")));
    }
    if options.wants(Section::Start) {
        let done = start::measure(&mut bench, options.rebuild).await;
        bench.figures.faults.extend(done.err().map(|fault| format!("{fault:#}")));
    }
    if options.wants(Section::Scrub) {
        let done = scrub::measure(&mut bench, options.rebuild && !options.wants(Section::Start)).await;
        bench.figures.faults.extend(done.err().map(|fault| format!("{fault:#}")));
    }
    if bench.figures.faults.is_empty() {
        start::clear(&bench.folder)?;
    }
    Ok(bench.figures)
}

/// The figures that share one store and one server.
async fn under_load(bench: &mut Bench, options: &Options) -> anyhow::Result<()> {
    bench.gateway = Some(Gateway::ready(bench.setup.clone()).await?);
    let upstream = bench.gateway()?.upstream.clone();
    let (reached, all) = (bench.plain_from(), bench.plain_from() + bench.sizes.plain);
    let put = |upstream: &Upstream, debtor, into: &mut Vec<u8>| upstream.put_debtor(debtor, into);
    prepare(&upstream, 0, all, "debtors", put).await?;
    for scope in ["automated", "electronic"] {
        let grant =
            move |upstream: &Upstream, debtor, into: &mut Vec<u8>| upstream.consent(debtor, scope, into);
        prepare(&upstream, 0, reached, "consents", grant).await?;
    }
    if options.wants(Section::Barrier) {
        let (first, count) = (bench.barrier_from(), u64::from(bench.sizes.rounds) * bench.sizes.barrier);
        prepare(&upstream, first, count, "debtors", put).await?;
        for scope in ["automated", "electronic"] {
            let grant =
                move |upstream: &Upstream, debtor, into: &mut Vec<u8>| upstream.consent(debtor, scope, into);
            prepare(&upstream, first, count, "consents", grant).await?;
        }
    }
    let warm = bench.sizes.time / 4;
    intake::noop_rate(bench, 32, warm).await?;
    intake::waiting(bench, "warm", 32, warm)?.run().await.whole("warm-up")?;
    for round in 0..bench.sizes.rounds {
        eprintln!("round {} of {}, load average {}", round + 1, bench.sizes.rounds, machine::load_average());
        if options.wants(Section::Intake) {
            intake::round(bench, round).await?;
        }
        if options.wants(Section::Batch) {
            batch::round(bench, round).await?;
        }
        if options.wants(Section::Dispatch) {
            dispatch::round(bench, round).await?;
        }
        if options.wants(Section::Barrier) {
            barrier::round(bench, round).await?;
        }
        if options.wants(Section::Crash) {
            crash::round(bench, round).await?;
        }
    }
    let gateway = bench.take_gateway()?;
    eprintln!("resident at the end: {:.0} MiB", gateway.process.memory()? / 1_048_576.0);
    gateway.stop()?;
    Ok(())
}

/// Posts one request for each of these debtors, and fails unless all are taken.
pub async fn prepare(
    upstream: &Upstream,
    first: u64,
    count: u64,
    what: &str,
    write: impl Fn(&Upstream, u64, &mut Vec<u8>) + 'static,
) -> anyhow::Result<Tally> {
    let shared = upstream.clone();
    let load = Load {
        address: upstream.address,
        connections: 64,
        count,
        time: PREPARE,
        streaming: false,
        compose: Rc::new(move |sequence, into| write(&shared, first + sequence, into)),
        judge: Rc::new(succeeded),
    };
    let tally = load.run().await.whole(what)?;
    eprintln!("  {count} {what} in {:.1} s ({:.0}/s)", tally.elapsed.as_secs_f64(), tally.rate());
    Ok(tally)
}
