//! `dunwell rnd`: query files for the FCC's Reassigned Numbers Database, and the answers that come back.
//!
//! The database is asked about telephone numbers, each with a date, and answers `yes` (permanently disconnected on that date or
//! since), `no` (not so) or `no_data` (47 CFR 64.1200(m); FCC, DA 20-423 and DA 21-1649). It takes files of at most 250,000
//! numbers, over its website, its interface or SFTP (reassigned.us, FAQ); numbers of ten digits without punctuation, dates as
//! `2026-04-01`, before today. What the head of a query file is called is in a guide for subscribers that was not at hand when this
//! was written: `tn`, `date` and `companyId` are the names of the database's own JSON interface, and `--no-head` leaves the head
//! away.
//!
//! An answer is worth something for the number *and* the date that was asked about, see [`crate::domain::number_check`].

use crate::app;
use crate::cli::import::{self, Query};
use crate::cli::{Import, folio, print, progress, table};
use crate::config::Config;
use crate::config::environment::Environment;
use crate::domain::contact_point::CheckSource;
use crate::domain::event::Stream;
use crate::domain::state::DebtorState;
use crate::domain::time::{Clock, Date};
use crate::domain::zone::day_of;
use crate::pipeline::numbers::{self, Question, Standing};
use anyhow::Context;
use clap::{Args, Subcommand};
use std::collections::HashSet;
use std::fs::File;
use std::io::BufWriter;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Numbers in one file (reassigned.us, FAQ: "up to 250,000 TNs per file").
const MOST_ROWS: u32 = 250_000;
/// Places of the log looked at together.
const CHUNK: usize = 4_096;

/// What is to be done.
#[derive(Debug, Subcommand)]
pub enum Work {
    /// Write query files of the numbers that are due to be asked about; works while `serve` runs
    ///
    /// A number is due if no answer on file covers the date of its newest consent, message or conversation, or if that answer
    /// is old. Each row asks about a number since that date.
    Export(Export),
    /// Store the answers that came back, for every debtor who has the number
    ///
    /// Rows that are refused go to a file with the reason; importing a file again changes nothing. `serve` must not run
    /// meanwhile. A number found reassigned is not texted or called any more; what was found not to be reassigned since the
    /// date asked about keeps its shelter.
    Import(Answers),
}

/// How to ask.
#[derive(Debug, Args)]
pub struct Export {
    /// The query file; a second one is called NAME.2.csv, and so on
    file: PathBuf,
    /// How many days an answer is good for
    #[arg(long, value_name = "DAYS", default_value_t = 30)]
    older_than: u16,
    /// Numbers in one file
    #[arg(long, value_name = "N", default_value_t = MOST_ROWS, value_parser = clap::value_parser!(u32).range(1..=i64::from(MOST_ROWS)))]
    rows: u32,
    /// Your company's identifier at the database, as a third column
    #[arg(long, value_name = "ID")]
    company_id: Option<String>,
    /// Leave the row of column names away
    #[arg(long)]
    no_head: bool,
}

/// What was answered.
#[derive(Debug, Args)]
pub struct Answers {
    /// The answer file: CSV with a head, or NDJSON; the columns tn, date and disconnected are read
    file: PathBuf,
    /// The day on which the database was asked, such as 2026-11-22
    #[arg(long, value_name = "DATE")]
    checked_on: Date,
    /// Which database: fcc, or commercial for another that is as complete
    #[arg(long, value_name = "WHICH", default_value = "fcc", value_parser = check_source)]
    source: CheckSource,
    /// How it is written [default: told by its name, or by its first character]
    #[arg(long, value_enum, value_name = "FORM")]
    format: Option<table::Form>,
    /// Where rejected rows go [default: beside the file, as NAME.rejected.csv]
    #[arg(long, value_name = "FILE")]
    rejected: Option<PathBuf>,
}

fn check_source(word: &str) -> Result<CheckSource, String> {
    CheckSource::from_word(word).ok_or_else(|| "expected fcc or commercial".to_owned())
}

/// Does what is asked for.
pub fn run(config: &Config, environment: &Environment, work: &Work) -> anyhow::Result<ExitCode> {
    match work {
        Work::Export(due) => export(config, environment, due),
        Work::Import(answers) => import(config, environment, answers),
    }
}

/// Writes the numbers that are due to be asked about.
fn export(config: &Config, environment: &Environment, export: &Export) -> anyhow::Result<ExitCode> {
    let store = app::open_existing_store(config, environment)?;
    let reader = store.reader()?;
    let today = app::clock::MachineClock.now().utc_date();
    let (size, mut leaf) = (reader.log_size()?, 0);
    let bar = progress::over_events(size);
    bar.set_message("exporting");
    // Made even where nothing is due: nobody is to send an earlier one again.
    let mut files = Files::new(export);
    files.open = Some(files.begin()?);
    let mut tally = Tally::default();
    while leaf < size {
        let places = reader.places_from(leaf, CHUNK)?;
        let Some(last) = places.last() else { break };
        leaf = last.leaf + 1;
        // Every debtor once, where its history begins.
        for place in places.iter().filter(|place| place.seq == 1) {
            let Stream::Debtor(_) = place.stream else { continue };
            let state = DebtorState::fold(reader.load(place.stream)?);
            for standing in numbers::standings(&state, today, export.older_than) {
                tally.count(&standing);
                if let Standing::Due(question) = standing {
                    files.ask(&question)?;
                }
            }
        }
        bar.set_position(leaf);
    }
    bar.finish_and_clear();
    files.finish()?;
    print(&tally.summary(&files))?;
    Ok(ExitCode::SUCCESS)
}

/// Stores the answers.
fn import(config: &Config, environment: &Environment, answers: &Answers) -> anyhow::Result<ExitCode> {
    let query = Query { checked_on: answers.checked_on, source: answers.source };
    let import = Import {
        kind: import::Kind::Answers(query),
        file: answers.file.clone(),
        format: answers.format,
        rejected: answers.rejected.clone(),
    };
    import::run(config, environment, &import)
}

/// The query files, one after the other as each is full.
struct Files<'a> {
    export: &'a Export,
    open: Option<csv::Writer<BufWriter<File>>>,
    rows: u32,
    paths: Vec<PathBuf>,
    /// What was asked: two debtors may share a number and a date. The number's ten digits and the day, in one word.
    asked: HashSet<u64>,
}

impl<'a> Files<'a> {
    fn new(export: &'a Export) -> Self {
        Self { export, open: None, rows: 0, paths: Vec::new(), asked: HashSet::new() }
    }

    fn ask(&mut self, question: &Question) -> anyhow::Result<()> {
        let Question { number, since } = question;
        let Some(national) = number.strip_prefix("+1") else { return Ok(()) };
        if !self.asked.insert(word(national, *since)) {
            return Ok(());
        }
        if self.rows == self.export.rows {
            self.finish()?;
        }
        let mut out = match self.open.take() {
            Some(out) => out,
            None => self.begin()?,
        };
        let date = since.to_string();
        let row = [Some(national), Some(&date), self.export.company_id.as_deref()];
        out.write_record(row.into_iter().flatten()).context("the query file cannot be written")?;
        self.rows += 1;
        self.open = Some(out);
        Ok(())
    }

    /// Opens the next file and writes its head.
    fn begin(&mut self) -> anyhow::Result<csv::Writer<BufWriter<File>>> {
        let path = numbered(&self.export.file, self.paths.len());
        let mut out = csv::Writer::from_writer(folio::create(&path)?);
        if !self.export.no_head {
            let company = self.export.company_id.as_ref().map(|_| "companyId");
            let head = ["tn", "date"].into_iter().chain(company);
            out.write_record(head).context("the query file cannot be written")?;
        }
        self.paths.push(path);
        Ok(out)
    }

    /// Sees to it that everything is written.
    fn finish(&mut self) -> anyhow::Result<()> {
        self.rows = 0;
        match self.open.take() {
            Some(mut out) => out.flush().context("the query file cannot be written"),
            None => Ok(()),
        }
    }
}

/// Ten digits take 34 bits, a day fewer than the rest.
fn word(national: &str, since: Date) -> u64 {
    let digits = national.bytes().fold(0, |sum: u64, byte| sum * 10 + u64::from(byte.wrapping_sub(b'0')));
    digits << 24 | u64::from(day_of(since).unsigned_abs() as u32 & 0xff_ffff)
}

/// `rnd.csv`, `rnd.2.csv`, `rnd.3.csv` …
fn numbered(path: &Path, place: usize) -> PathBuf {
    if place == 0 {
        return path.to_owned();
    }
    let ending =
        path.extension().map_or_else(|| "csv".into(), |ending| ending.to_string_lossy().into_owned());
    path.with_extension(format!("{}.{ending}", place + 1))
}

/// What became of the numbers on file.
#[derive(Default)]
struct Tally {
    due: u64,
    fresh: u64,
    closed: u64,
    undated: u64,
    abroad: u64,
}

impl Tally {
    fn count(&mut self, standing: &Standing) {
        let count = match standing {
            Standing::Due(_) => &mut self.due,
            Standing::Fresh => &mut self.fresh,
            Standing::Closed => &mut self.closed,
            Standing::Undated => &mut self.undated,
            Standing::Abroad => &mut self.abroad,
        };
        *count += 1;
    }

    fn summary(&self, files: &Files<'_>) -> String {
        let Self { due, fresh, closed, undated, abroad } = self;
        let queries = files.asked.len();
        let mut text = format!(
            "{due} numbers due, {queries} queries; not asked about: {fresh} checked lately, {closed} out of use, {undated} \
             without a date to ask since, {abroad} not of the United States\n"
        );
        for path in &files.paths {
            text.push_str(&format!("{}\n", path.display()));
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_numbered_from_the_second_on() {
        let path = Path::new("out/rnd.csv");
        let names: Vec<_> = (0..3).map(|n| numbered(path, n).display().to_string()).collect();
        assert_eq!(names, ["out/rnd.csv", "out/rnd.2.csv", "out/rnd.3.csv"]);
        assert_eq!(numbered(Path::new("rnd"), 1), Path::new("rnd.2.csv"));
    }

    #[test]
    fn no_two_queries_have_one_word() {
        let day = |text: &str| text.parse().expect("a date");
        let words = [
            word("3055550123", day("2026-01-01")),
            word("3055550124", day("2026-01-01")),
            word("3055550123", day("2026-01-02")),
            word("9999999999", day("2026-01-02")),
        ];
        assert_eq!(HashSet::from(words).len(), 4);
    }
}
