//! `dunwell scrub`: may they be contacted, and if not, when: asked about every row of a list.
//!
//! The list is read in chunks, asked about on every core, and written in its order, so that memory does not grow with it. The
//! whole list is asked about one moment, unless its rows name their own.

use crate::app::{self, engines};
use crate::cli::table::{Row, Source, Text};
use crate::cli::{Scrub, folio, progress};
use crate::config::environment::Environment;
use crate::config::{Config, Refused};
use crate::domain::channel::Channel;
use crate::domain::contact_point::PointKind;
use crate::domain::decision::{Decision, Outcome};
use crate::domain::statement::DecisionQuery;
use crate::domain::time::{Clock, Timestamp};
use crate::http::body;
use crate::http::problem::Problem;
use crate::pipeline::Refusal;
use crate::pipeline::decide::Circumstances;
use crate::pipeline::preview::{self, Counsel, Known};
use crate::storage::{Reader, Store};
use anyhow::Context;
use serde_json::{Map, Value};
use std::borrow::Cow;
use std::io::{BufWriter, Write};
use std::process::ExitCode;

/// Rows asked about together, for each core.
const CHUNK: usize = 1_024;
/// The columns that are added.
static ANSWER: [&str; 6] = ["outcome", "permitted_from", "permitted_until", "rule", "citation", "reason"];
/// The columns and members that are read.
const ASKED: &[&str] =
    &["debtor_id", "channel", "account_ids", "contact_point", "party", "purpose", "automated", "at"];
/// What stands for the accounts where those are not named: the one there is.
const ACCOUNT: &str = "account_id";
/// What stands for the contact point where that is not named, by the kind of point that the channel reaches.
const POINTS: &[(&str, PointKind)] = &[("phone", PointKind::Phone), ("email", PointKind::Email)];

/// One row's answer, a value for each added column.
type Answer = [Cow<'static, str>; ANSWER.len()];

#[derive(Default)]
struct Tally {
    rows: u64,
    allow: u64,
    defer: u64,
    block: u64,
    error: u64,
}

/// Asks about every row.
pub fn run(config: &Config, environment: &Environment, scrub: &Scrub) -> anyhow::Result<ExitCode> {
    let (mut source, length) = Source::open(&scrub.file, scrub.format)?;
    let sheet =
        Sheet::of(&source, scrub).map_err(|fault| anyhow::anyhow!("{}: {fault}", scrub.file.display()))?;
    let out: Box<dyn Write> = match &scrub.out {
        Some(path) => {
            let same = std::fs::canonicalize(path).ok();
            let over = same.is_some() && same == std::fs::canonicalize(&scrub.file).ok();
            anyhow::ensure!(!over, "{}: the answers need a file of their own", path.display());
            Box::new(folio::create(path)?)
        }
        None => Box::new(BufWriter::new(std::io::stdout())),
    };
    let (policy, _) = engines::policy(config).map_err(Refused)?;
    let store = app::open_existing_store(config, environment)?;
    let (names, pauses) = (store.pseudonymiser(), store.reader()?.pauses()?);
    let now = scrub.at.unwrap_or_else(|| app::clock::MachineClock.now());
    let here = Circumstances { names: &*names, pauses: &pauses };
    let office = Office {
        counsel: Counsel { here, policy: &policy, now, explain_all: false },
        store: &store,
        sheet: &sheet,
    };
    let mut sink = source.sink(out, &ANSWER, false)?;
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let (bar, mut tally) = (progress::over_bytes(length), Tally::default());
    bar.set_message("scrubbing");
    loop {
        let mut rows = Vec::with_capacity(CHUNK * cores);
        while rows.len() < CHUNK * cores
            && let Some(row) = source.next()?
        {
            rows.push(row);
        }
        if rows.is_empty() {
            break;
        }
        for (row, answer) in rows.iter().zip(office.ask_all(&rows, cores)?) {
            tally.count(&answer[0]);
            match sink.write(&row.text, &answer) {
                Err(error) if broken(&error) => return Ok(ExitCode::SUCCESS),
                written => written?,
            }
        }
        bar.set_position(source.position());
    }
    match sink.finish() {
        Err(error) if broken(&error) => return Ok(ExitCode::SUCCESS),
        finished => finished?,
    }
    bar.finish_and_clear();
    let Tally { rows, allow, defer, block, error } = tally;
    eprintln!(
        "{}: {rows} rows asked about {now}: {allow} allow, {defer} defer, {block} block, {error} error",
        scrub.file.display()
    );
    Ok(ExitCode::SUCCESS)
}

/// A reader that has gone away (`dunwell scrub … | head`) is no failure.
fn broken(error: &anyhow::Error) -> bool {
    let gone = |error: &std::io::Error| error.kind() == std::io::ErrorKind::BrokenPipe;
    error.chain().any(|cause| {
        cause.downcast_ref::<std::io::Error>().is_some_and(gone)
            || cause
                .downcast_ref::<csv::Error>()
                .is_some_and(|error| matches!(error.kind(), csv::ErrorKind::Io(error) if gone(error)))
    })
}

/// What questions are asked with.
struct Office<'a> {
    counsel: Counsel<'a>,
    store: &'a Store,
    sheet: &'a Sheet,
}

impl Office<'_> {
    /// The answers to a chunk of rows, in order.
    fn ask_all(&self, rows: &[Row], cores: usize) -> anyhow::Result<Vec<Answer>> {
        let share = rows.len().div_ceil(cores).max(1);
        std::thread::scope(|scope| {
            let parts: Vec<_> = rows.chunks(share).map(|part| scope.spawn(|| self.ask_some(part))).collect();
            let mut answers = Vec::with_capacity(rows.len());
            for part in parts {
                let part = part.join().map_err(|_| anyhow::anyhow!("a thread has ended early"))?;
                answers.extend(part?);
            }
            Ok(answers)
        })
    }

    fn ask_some(&self, rows: &[Row]) -> anyhow::Result<Vec<Answer>> {
        let reader = self.store.reader()?;
        // Lists tend to be sorted: whoever was looked up is asked about again.
        let mut last: Option<(String, Option<Known>)> = None;
        rows.iter().map(|row| self.ask(&reader, row, &mut last)).collect()
    }

    fn ask(
        &self,
        reader: &Reader,
        row: &Row,
        last: &mut Option<(String, Option<Known>)>,
    ) -> anyhow::Result<Answer> {
        let query = match self.sheet.query(row) {
            Ok(query) => query,
            Err(fault) => return Ok(failed(fault)),
        };
        if last.as_ref().is_none_or(|(id, _)| *id != query.debtor_id) {
            let key = self.counsel.here.names.debtor(&query.debtor_id);
            let known = Known::look_up(reader, key).context("the store cannot be read")?;
            *last = Some((query.debtor_id.clone(), known));
        }
        let known = last.as_ref().and_then(|(_, known)| known.as_ref());
        match preview::decide_known(self.counsel, known, &query) {
            Ok(answer) => Ok(told(&answer.decision)),
            Err(Refusal::Unavailable) => anyhow::bail!("the store cannot be read"),
            Err(refusal) => Ok(failed(Problem::from(refusal).in_words())),
        }
    }
}

fn told(decision: &Decision) -> Answer {
    let moment = |at: Option<Timestamp>| Cow::Owned(at.map(|at| at.to_string()).unwrap_or_default());
    let first = decision.findings.first();
    let said = |word: Option<&String>| Cow::Owned(word.cloned().unwrap_or_default());
    [
        Cow::Borrowed(decision.outcome.as_str()),
        moment(decision.permitted_from),
        moment(decision.permitted_until),
        said(first.map(|finding| &finding.rule)),
        said(first.map(|finding| &finding.citation)),
        said(first.map(|finding| &finding.reason)),
    ]
}

fn failed(fault: String) -> Answer {
    let nothing = || Cow::Borrowed("");
    [Cow::Borrowed("error"), nothing(), nothing(), nothing(), nothing(), Cow::Owned(fault)]
}

impl Tally {
    fn count(&mut self, outcome: &str) {
        self.rows += 1;
        match Outcome::from_word(outcome) {
            Some(Outcome::Allow) => self.allow += 1,
            Some(Outcome::Defer) => self.defer += 1,
            Some(Outcome::Block) => self.block += 1,
            None => self.error += 1,
        }
    }
}

/// Where in a list the questions stand.
struct Sheet {
    /// For CSV: the name and its column.
    columns: Vec<(&'static str, usize)>,
    /// For rows that name none.
    channel: Option<Value>,
}

impl Sheet {
    fn of(source: &Source, scrub: &Scrub) -> Result<Self, String> {
        let channel = scrub.channel.map(|channel| Value::from(channel.as_str()));
        let column = |name: &str| source.head.iter().position(|head| head.eq_ignore_ascii_case(name));
        let columns: Vec<_> = names().filter_map(|name| column(name).map(|place| (name, place))).collect();
        let named = |member: &str| columns.iter().any(|(known, _)| *known == member);
        if !source.head.is_empty() && !named("debtor_id") {
            return Err("there is no column `debtor_id`".to_owned());
        }
        if !source.head.is_empty() && !named("channel") && channel.is_none() {
            return Err("there is no column `channel`: add it, or name the channel with --channel".to_owned());
        }
        Ok(Self { columns, channel })
    }

    /// The question that a row asks, or what is wrong with it.
    fn query(&self, row: &Row) -> Result<DecisionQuery, String> {
        if let Some(fault) = &row.fault {
            return Err(fault.clone());
        }
        let mut members: Map<String, Value> = match &row.text {
            Text::Cells(cells) => self
                .columns
                .iter()
                .filter_map(|(name, place)| {
                    let cell = std::str::from_utf8(cells.get(*place)?).ok()?.trim();
                    (!cell.is_empty()).then(|| ((*name).to_owned(), value(name, cell)))
                })
                .collect(),
            Text::Line(line) => body::parse(line).map_err(|problem| problem.in_words())?,
        };
        members.retain(|name, said| names().any(|known| known == name) && !said.is_null());
        if let Some(channel) = &self.channel {
            members.entry("channel").or_insert_with(|| channel.clone());
        }
        let question = Value::from(plainly(members)).to_string();
        body::parse(question.as_bytes()).map_err(|problem| problem.in_words())
    }
}

fn names() -> impl Iterator<Item = &'static str> {
    let others = POINTS.iter().map(|(name, _)| *name);
    ASKED.iter().copied().chain([ACCOUNT]).chain(others)
}

/// The members by their proper names: lists hold an account, a telephone number and an email address in columns of their own,
/// and the channel says which of them is meant.
fn plainly(mut members: Map<String, Value>) -> Map<String, Value> {
    if let Some(account) = members.remove(ACCOUNT) {
        let accounts = if account.is_array() { account } else { vec![account].into() };
        members.entry("account_ids").or_insert(accounts);
    }
    let channel = members.get("channel").and_then(Value::as_str).and_then(Channel::from_word);
    for (name, kind) in POINTS {
        let Some(point) = members.remove(*name) else { continue };
        if channel.and_then(PointKind::of) == Some(*kind) {
            members.entry("contact_point").or_insert(point);
        }
    }
    members
}

fn value(member: &str, cell: &str) -> Value {
    match member {
        "account_ids" | ACCOUNT if cell.starts_with('[') => {
            serde_json::from_str(cell).unwrap_or_else(|_| cell.into())
        }
        "account_ids" | ACCOUNT => {
            cell.split([',', ';', '|']).map(str::trim).filter(|id| !id.is_empty()).map(Value::from).collect()
        }
        "automated" => match cell.to_ascii_lowercase().as_str() {
            "true" | "yes" | "1" => true.into(),
            "false" | "no" | "0" => false.into(),
            _ => cell.into(),
        },
        _ => cell.into(),
    }
}
