//! A list scrubbed: how many rows a second `dunwell scrub` asks about, and the memory that takes at most.
//!
//! The list is in no order, so that every row's debtor is looked up; every other row asks about a call, the others about a text.

use crate::child::Process;
use crate::figure::Name;
use crate::gateway::{Gateway, Setup};
use crate::measure::Bench;
use crate::portfolio::phone;
use anyhow::Context;
use std::fmt::Write;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

/// Rows that the floor is about.
const JUDGED_AT: u64 = 1_000_000;

/// At most this long for a list.
const PATIENCE: Duration = Duration::from_secs(3_600);

/// Measures every round's scrub of the same list.
pub async fn measure(bench: &mut Bench, rebuild: bool) -> anyhow::Result<()> {
    let (debtors, rows) = (bench.sizes.on_file, bench.sizes.rows);
    let kept = crate::start::store(bench, debtors, rebuild).await?;
    // A store that was kept has the settings of its own run; a start writes those of this one.
    let setup = Gateway::ready(kept).await?.stop()?;
    let (list, out) = (bench.folder.join("list.csv"), bench.folder.join("scrubbed.csv"));
    std::fs::create_dir_all(&bench.folder)?;
    std::fs::write(&list, written(rows, debtors))?;
    for _ in 0..bench.sizes.rounds {
        let begun = Instant::now();
        let process =
            Process::start(&mut command(bench, &setup, &list, &out), &setup.folder.join("scrub.log"))?;
        let peak = process.finish(PATIENCE).context("dunwell scrub")?;
        let taken = begun.elapsed();
        let (answered, refused) = counted(&out)?;
        anyhow::ensure!(answered == rows, "{answered} of {rows} rows were answered");
        anyhow::ensure!(refused == 0, "{refused} of {rows} rows could not be asked about");
        let note = format!(
            "{rows} rows over {debtors} debtors in {:.1} s; resident at most {:.0} MiB",
            taken.as_secs_f64(),
            peak / 1_048_576.0
        );
        bench.figures.add(Name::Scrub, rows as f64 / taken.as_secs_f64(), None, note);
    }
    if rows < JUDGED_AT {
        let reason = format!("not judged: {rows} rows (--large: {JUDGED_AT})");
        bench.figures.of(Name::Scrub).not_judged = Some(reason);
    }
    Ok(())
}

fn command(bench: &Bench, setup: &Setup, list: &Path, out: &Path) -> Command {
    let mut command = Command::new(&bench.setup.binary);
    command.arg("scrub").arg(list).arg("--out").arg(out);
    command.arg("--config").arg(setup.folder.join("dunwell.toml")).arg("--data").arg(&setup.folder);
    command.env_remove("RUST_LOG").current_dir(env!("CARGO_MANIFEST_DIR"));
    command
}

/// The list: debtors far apart from row to row, each as often as any other.
fn written(rows: u64, debtors: u64) -> String {
    const STRIDE: u64 = 7_919;
    let mut text = "debtor_id,account_id,phone,channel\n".to_owned();
    for row in 0..rows {
        let debtor = row * STRIDE % debtors;
        let channel = if row % 2 == 0 { "voice" } else { "sms" };
        let _infallible = writeln!(text, "B-{debtor:07},BA-{debtor:07},{},{channel}", phone(debtor));
    }
    text
}

/// The rows that were answered, and those of them that could not be asked about.
fn counted(out: &Path) -> anyhow::Result<(u64, u64)> {
    let text = std::fs::read_to_string(out).with_context(|| format!("reading {}", out.display()))?;
    let rows = text.lines().skip(1);
    let error = |row: &&str| row.split(',').nth(4) == Some("error");
    Ok((rows.clone().count() as u64, rows.filter(error).count() as u64))
}
