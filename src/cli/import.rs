//! `dunwell import`: what was before, from CSV or NDJSON, so that the caps are right on the first day.
//!
//! Rows are filed as the API would file them, each by itself; those that are refused go to a file of their own with the reason,
//! in a form that can be mended and imported itself. Importing a file again changes nothing. Contact requests are taken, and
//! decided by the next `serve`; nothing is sent from here.

mod answers;
mod columns;
mod kind;

use crate::app;
use crate::cli::import::columns::Plan;
use crate::cli::table::{Row, Sink, Source, Text};
use crate::cli::{Import, folio, print, progress};
use crate::config::Config;
use crate::config::environment::Environment;
use crate::domain::event::Actor;
use crate::pipeline::load::{Item, Loaded};
use crate::pipeline::{Pipeline, Refusal};
pub use answers::Query;
use anyhow::Context;
use indicatif::ProgressBar;
pub use kind::Kind;
use serde_json::{Map, Value};
use std::borrow::Cow;
use std::collections::HashSet;
use std::fs::File;
use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher};
use std::io::BufWriter;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;
use tokio::runtime::Runtime;
use tokio::task::JoinHandle;

/// Rows filed in one transaction.
const CHUNK: usize = 1_000;
/// The columns that tell why a row was rejected; importing the file of rejected rows passes over them.
static WHY: [&str; 2] = ["rejected_line", "rejected_because"];
/// How long the store may take to close.
const CLOSING: Duration = Duration::from_secs(30);

/// What is filed together: one row, or the rows of CSV that follow each other about one debtor.
struct Draft {
    rows: Vec<Row>,
    members: Map<String, Value>,
}

/// What became of the rows.
#[derive(Default)]
struct Tally {
    rows: u64,
    new: u64,
    changed: u64,
    there: u64,
    rejected: u64,
}

/// Files the rows of a list and says what became of them.
pub fn run(config: &Config, environment: &Environment, import: &Import) -> anyhow::Result<ExitCode> {
    let (source, length) = Source::open(&import.file, import.format)?;
    let plan = Plan::of(import.kind, &source)
        .map_err(|fault| anyhow::anyhow!("{}: {fault}", import.file.display()))?;
    let rejects = import.rejected.clone().unwrap_or_else(|| beside(&import.file));
    anyhow::ensure!(
        rejects != import.file,
        "{}: the rejected rows need a file of their own",
        rejects.display()
    );
    let runtime = app::runtime()?;
    let pipeline = {
        let _inside = runtime.enter();
        app::loader::open(config, environment, import.kind == Kind::ContactRequests)?
    };
    let bar = progress::over_bytes(length);
    bar.set_message("importing");
    let mut office = Office {
        kind: import.kind,
        plan,
        source,
        runtime: &runtime,
        pipeline: pipeline.clone(),
        rejects,
        sink: None,
        described: HashSet::new(),
        tally: Tally::default(),
        bar,
    };
    let done = office.work();
    office.bar.finish_and_clear();
    let finished = office.sink.as_mut().map_or(Ok(()), Sink::finish);
    runtime.block_on(pipeline.shutdown(CLOSING));
    print(&office.tally.summary(&import.file, &office.rejects))?;
    done?;
    finished?;
    let Tally { new, changed, there, rejected, .. } = office.tally;
    Ok(if rejected > 0 && new + changed + there == 0 { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// `debtors.csv` → `debtors.rejected.csv`.
fn beside(file: &Path) -> PathBuf {
    let ending =
        file.extension().map_or_else(|| "txt".into(), |ending| ending.to_string_lossy().into_owned());
    file.with_extension(format!("rejected.{ending}"))
}

struct Office<'a> {
    kind: Kind,
    plan: Plan,
    source: Source,
    runtime: &'a Runtime,
    pipeline: Pipeline,
    rejects: PathBuf,
    /// Made with the first rejected row.
    sink: Option<Sink<BufWriter<File>>>,
    /// Hashes of the debtors that rows of CSV have described: a later row by itself would replace them.
    described: HashSet<u64>,
    tally: Tally,
    bar: ProgressBar,
}

/// Rows on their way into the store, and those refused before, in order.
struct Flight {
    rows: Vec<(Vec<Row>, Option<String>)>,
    answers: JoinHandle<Vec<Result<Loaded, Refusal>>>,
}

impl Office<'_> {
    fn work(&mut self) -> anyhow::Result<()> {
        let mut pending: Option<Draft> = None;
        let mut chunk: Vec<(Vec<Row>, Result<Item, String>)> = Vec::with_capacity(CHUNK);
        let mut flight: Option<Flight> = None;
        while let Some(row) = self.source.next()? {
            self.tally.rows += 1;
            match self.read(&row) {
                Err(fault) => chunk.push((vec![row], Err(fault))),
                Ok(members) => match self.join(&mut pending, row, members) {
                    Ok(None) => {}
                    Ok(Some(draft)) => chunk.push(self.finish(draft)),
                    Err((row, fault)) => chunk.push((vec![row], Err(fault))),
                },
            }
            if chunk.len() >= CHUNK {
                // The next rows are read while these are written.
                let next = self.send(std::mem::take(&mut chunk));
                if let Some(earlier) = flight.replace(next) {
                    self.settle(earlier)?;
                }
                self.bar.set_position(self.source.position());
            }
        }
        chunk.extend(pending.map(|draft| self.finish(draft)));
        let last = self.send(chunk);
        if let Some(earlier) = flight {
            self.settle(earlier)?;
        }
        self.settle(last)
    }

    /// A row's members, whatever it is written in.
    fn read(&self, row: &Row) -> Result<Map<String, Value>, String> {
        if let Some(fault) = &row.fault {
            return Err(fault.clone());
        }
        let mut members = match &row.text {
            Text::Cells(cells) => self.plan.members(cells)?,
            Text::Line(line) => {
                crate::http::body::parse::<Map<String, Value>>(line).map_err(|problem| problem.in_words())?
            }
        };
        WHY.iter().for_each(|name| drop(members.remove(*name)));
        Ok(members)
    }

    /// Joins the rows of CSV that follow each other about one debtor; gives back what is complete.
    fn join(
        &mut self,
        pending: &mut Option<Draft>,
        row: Row,
        members: Map<String, Value>,
    ) -> Result<Option<Draft>, (Row, String)> {
        let joins = self.kind == Kind::Debtors && matches!(row.text, Text::Cells(_));
        if !joins {
            return Ok(Some(Draft { rows: vec![row], members }));
        }
        if let Some(draft) = pending.as_mut()
            && draft.members.get("debtor_id") == members.get("debtor_id")
        {
            return match columns::merge(&mut draft.members, members) {
                Ok(()) => {
                    draft.rows.push(row);
                    Ok(None)
                }
                Err(fault) => Err((row, fault)),
            };
        }
        let id = members.get("debtor_id").and_then(Value::as_str).unwrap_or_default();
        if !self.described.insert(BuildHasherDefault::<DefaultHasher>::default().hash_one(id)) {
            let fault = "/debtor_id: rows before these, and apart from them, describe this debtor: sort the list by \
                         debtor_id and import it again";
            return Err((row, fault.to_owned()));
        }
        Ok(pending.replace(Draft { rows: vec![row], members }))
    }

    fn finish(&self, draft: Draft) -> (Vec<Row>, Result<Item, String>) {
        (draft.rows, self.kind.item(draft.members))
    }

    fn send(&self, chunk: Vec<(Vec<Row>, Result<Item, String>)>) -> Flight {
        let (mut rows, mut items) = (Vec::with_capacity(chunk.len()), Vec::with_capacity(chunk.len()));
        for (lines, item) in chunk {
            match item {
                Ok(item) => {
                    items.push(item);
                    rows.push((lines, None));
                }
                Err(fault) => rows.push((lines, Some(fault))),
            }
        }
        let pipeline = self.pipeline.clone();
        let answers = self.runtime.spawn(async move { pipeline.load(&Actor::Operator, items).await });
        Flight { rows, answers }
    }

    /// Counts what was filed, and writes down what was not.
    fn settle(&mut self, flight: Flight) -> anyhow::Result<()> {
        let answers = self.runtime.block_on(flight.answers).context("the store's thread has ended")?;
        let mut answers = answers.into_iter();
        for (rows, fault) in flight.rows {
            let fault = match fault {
                Some(fault) => fault,
                None => match answers.next().unwrap_or(Err(Refusal::Unavailable)) {
                    Ok(loaded) => {
                        self.tally.count(loaded, rows.len());
                        continue;
                    }
                    Err(Refusal::Unavailable) => {
                        let line = rows.first().map_or(0, |row| row.line);
                        anyhow::bail!(
                            "the store cannot be written: what stands from line {line} on was not imported; import the file \
                             again once it can"
                        );
                    }
                    Err(refusal) => crate::http::problem::Problem::from(refusal).in_words(),
                },
            };
            for row in rows {
                self.reject(&row, &fault)?;
            }
        }
        Ok(())
    }

    fn reject(&mut self, row: &Row, fault: &str) -> anyhow::Result<()> {
        self.tally.rejected += 1;
        let sink = match &mut self.sink {
            Some(sink) => sink,
            None => self.sink.insert(self.source.sink(folio::create(&self.rejects)?, &WHY, true)?),
        };
        sink.write(&row.text, &[Cow::Owned(row.line.to_string()), Cow::Borrowed(fault)])
    }
}

impl Tally {
    fn count(&mut self, loaded: Loaded, rows: usize) {
        let count = match loaded {
            Loaded::New => &mut self.new,
            Loaded::Changed => &mut self.changed,
            Loaded::There => &mut self.there,
        };
        *count += rows as u64;
    }

    fn summary(&self, file: &Path, rejects: &Path) -> String {
        let Self { rows, new, changed, there, rejected } = self;
        let mut text = format!(
            "{}: {rows} rows: {new} new, {changed} changed, {there} there already, {rejected} rejected\n",
            file.display()
        );
        if *rejected > 0 {
            text.push_str(&format!("{}: the rejected rows, each with the reason\n", rejects.display()));
        }
        text
    }
}
