//! `dunwell simulate`: the recorded history against another policy directory.
//!
//! Every decision that would differ, with both explanations, and a count of them by the rule that makes the difference.
//! Decisions that were taken under the very policy that is asked must come out the same to the last word; one that does not
//! is a fault of this program or of its store, and the command ends with 1.

mod difference;

use crate::app::{self, engines};
use crate::cli::simulate::difference::{Difference, Turn};
use crate::cli::{Simulate, folio, print, progress};
use crate::config::document::Place;
use crate::config::environment::Environment;
use crate::config::section::Located;
use crate::config::{Config, Refused};
use crate::pipeline::replay::{Replay, Replayed, Verdict};
use crate::policy::Policy;
use anyhow::Context;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs::File;
use std::io::BufWriter;
use std::process::ExitCode;

/// How the decisions came out.
#[derive(Default)]
struct Tally {
    same: u64,
    erased: u64,
    reasons: u64,
    answers: u64,
    /// Of all: taken under the policy that is asked.
    own: u64,
    /// Of these: not the same.
    broken: u64,
    /// By the rule that makes the difference, with its citation, and how the answer turns.
    rules: BTreeMap<(String, String), BTreeMap<Turn, u64>>,
}

/// Replays, prints, and says whether the history stands by itself.
pub fn run(mut config: Config, environment: &Environment, simulate: &Simulate) -> anyhow::Result<ExitCode> {
    config.policy.dir.clone_from(&simulate.policy);
    if !simulate.packs.is_empty() {
        let place = Place::Named("--packs".to_owned());
        let located = |pack: &String| Located { value: pack.clone(), place: place.clone() };
        config.policy.packs = simulate.packs.iter().map(located).collect();
    }
    let (policy, _) = engines::policy(&config).map_err(Refused)?;
    let store = app::open_existing_store(&config, environment)?;
    let mut table = simulate.csv.as_deref().map(folio::create).transpose()?.map(csv::Writer::from_writer);
    if let Some(table) = &mut table {
        table.write_record(Difference::COLUMNS).context("the table cannot be written")?;
    }
    let (reader, names) = (store.reader()?, store.pseudonymiser());
    let replay = Replay::new(&reader, &*names, &policy)?;
    let bar = progress::over_events(replay.leaves());
    bar.set_message("replaying");
    let mut tally = Tally::default();
    replay.run(
        |one| -> anyhow::Result<()> {
            let Some(difference) = tally.take(&one) else { return Ok(()) };
            match &mut table {
                Some(table) => write_row(table, &difference),
                None => bar.suspend(|| print(&difference.to_string())),
            }
        },
        |leaf| bar.set_position(leaf),
    )?;
    bar.finish_and_clear();
    if let Some(mut table) = table {
        table.flush().context("the table cannot be written")?;
    }
    print(&tally.summary(&policy, simulate))?;
    anyhow::ensure!(
        tally.broken == 0,
        "{} of the {} decisions that were taken under this very policy do not come out as recorded: `dunwell verify --log` \
         says whether the history was altered; if it was not, this is a fault of dunwell",
        tally.broken,
        tally.own
    );
    Ok(ExitCode::SUCCESS)
}

fn write_row(table: &mut csv::Writer<BufWriter<File>>, difference: &Difference<'_>) -> anyhow::Result<()> {
    table.write_record(difference.row()).context("the table cannot be written")
}

impl Tally {
    fn take<'r>(&mut self, one: &'r Replayed) -> Option<Difference<'r>> {
        self.own += u64::from(one.same_law);
        let again = match &one.verdict {
            Verdict::Same => {
                self.same += 1;
                return None;
            }
            Verdict::Erased => {
                self.erased += 1;
                return None;
            }
            Verdict::Reasons(again) => {
                self.reasons += 1;
                again
            }
            Verdict::Answer(again) => {
                self.answers += 1;
                again
            }
        };
        self.broken += u64::from(one.same_law);
        let difference = Difference::of(one, again);
        let rule = (difference.rule.to_owned(), difference.citation.to_owned());
        *self.rules.entry(rule).or_default().entry(difference.turn()).or_default() += 1;
        Some(difference)
    }

    fn summary(&self, policy: &Policy, simulate: &Simulate) -> String {
        let all = self.same + self.erased + self.reasons + self.answers;
        let stamp = policy.stamp();
        let mut text = String::new();
        // Writing to a string does not fail.
        let _ok = writeln!(
            text,
            "{}: {all} recorded decisions taken again under {} ({}), {} of which it took",
            simulate.policy.display(),
            stamp.packs.join(", "),
            stamp.digest,
            self.own
        );
        for (count, what) in [
            (self.answers, "another answer"),
            (self.reasons, "the same answer for other reasons, or in other words"),
            (self.same, "the same"),
            (self.erased, "erased: the person is forgotten"),
        ] {
            let _ok = writeln!(text, "{count:>9}  {what}");
        }
        let mut rules: Vec<_> = self.rules.iter().collect();
        rules.sort_by_key(|(rule, turns)| (std::cmp::Reverse(turns.values().sum::<u64>()), *rule));
        for ((rule, citation), turns) in rules {
            let counts: Vec<String> = turns.iter().map(|(turn, count)| format!("{count} {turn}")).collect();
            let _ok = writeln!(text, "{rule} ({citation}): {}", counts.join(", "));
        }
        if let Some(path) = simulate.csv.as_deref().filter(|_| self.answers + self.reasons > 0) {
            let _ok = writeln!(text, "each of them is in {}", path.display());
        }
        text
    }
}
