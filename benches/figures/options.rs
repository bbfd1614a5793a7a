//! What may be asked for on the command line, and the sizes that follow from it.

use clap::{Parser, Subcommand, ValueEnum};
use std::path::PathBuf;
use std::time::Duration;

/// Measures Dunwell's figures, each beside a reference from the same run.
#[derive(Parser)]
#[command(name = "figures")]
pub struct Options {
    /// Given by `cargo bench`; without it nothing is measured.
    #[arg(long, hide = true)]
    pub bench: bool,
    /// One short round on small data: shows that everything works, its figures mean nothing.
    #[arg(long)]
    pub quick: bool,
    /// Start with 1,000,000 debtors and 5,000,000 events on file, and scrub as many rows (made once, then kept; takes minutes).
    #[arg(long)]
    pub large: bool,
    /// Rounds, each measuring every figure and its reference in turn.
    #[arg(long, default_value_t = 3)]
    pub rounds: u32,
    /// Only these figures.
    #[arg(long, value_delimiter = ',')]
    pub only: Vec<Section>,
    /// Write the table as Markdown to this file too.
    #[arg(long)]
    pub markdown: Option<PathBuf>,
    /// Measure this program instead of the one that cargo has just built.
    #[arg(long)]
    pub binary: Option<PathBuf>,
    /// What Dunwell logs meanwhile, in the syntax of `RUST_LOG`; as shipped, where absent.
    #[arg(long)]
    pub log: Option<String>,
    /// Where stores are made; on the disk that is to be measured.
    #[arg(long)]
    pub data: Option<PathBuf>,
    /// Make the large store again even if it is there.
    #[arg(long)]
    pub rebuild: bool,
    /// Fail (exit code 1) where a figure is below its floor.
    #[arg(long)]
    pub enforce: bool,
    /// A part of the measurement that runs as its own process.
    #[command(subcommand)]
    pub role: Option<Role>,
}

/// What this executable does when it starts itself as a child.
#[derive(Subcommand)]
pub enum Role {
    /// The no-op server that HTTP figures are measured against.
    #[command(hide = true)]
    Noop,
    /// Fills a bare hash map and prints the memory it takes, in bytes.
    #[command(hide = true)]
    BareMap {
        /// How many entries.
        entries: u64,
    },
}

/// A figure, or figures that are measured together.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Section {
    /// Single POST, durable.
    Intake,
    /// NDJSON batch, durable.
    Batch,
    /// End to end over an HTTP vendor, and the CPU that takes.
    Dispatch,
    /// `kill -9` under full load.
    Crash,
    /// A STOP while texts go out.
    Barrier,
    /// The decision alone, in process.
    Decision,
    /// Start with debtors on file, and the memory they take.
    Start,
    /// A list scrubbed.
    Scrub,
}

/// How much is done for each figure.
pub struct Sizes {
    /// Rounds.
    pub rounds: u32,
    /// How long a rate is measured, after the warm-up.
    pub time: Duration,
    /// Debtors whose requests only wait.
    pub plain: u64,
    /// Messages sent end to end in a round, one to each debtor.
    pub messages: u64,
    /// Texts in a round while some debtors say STOP.
    pub barrier: u64,
    /// Debtors on file at the measured start.
    pub on_file: u64,
    /// Decisions of each kind, timed alone.
    pub decisions: i64,
    /// Rows of the list that is scrubbed.
    pub rows: u64,
}

impl Options {
    /// Whether this section is to be measured.
    pub fn wants(&self, section: Section) -> bool {
        self.only.is_empty() || self.only.contains(&section)
    }

    /// The sizes that follow from the options.
    pub fn sizes(&self) -> Sizes {
        let on_file = if self.large { 1_000_000 } else { 50_000 };
        let rows = if self.large { 1_000_000 } else { 100_000 };
        if self.quick {
            let time = Duration::from_millis(500);
            let (on_file, rows) = if self.large { (on_file, rows) } else { (1_000, 2_000) };
            return Sizes {
                rounds: 1,
                time,
                plain: 500,
                messages: 500,
                barrier: 500,
                on_file,
                decisions: 200,
                rows,
            };
        }
        Sizes {
            rounds: self.rounds.max(1),
            time: Duration::from_secs(4),
            plain: 50_000,
            messages: 30_000,
            barrier: 12_000,
            on_file,
            decisions: 20_000,
            rows,
        }
    }

    /// The program that is measured.
    pub fn binary(&self) -> PathBuf {
        self.binary.clone().unwrap_or_else(|| PathBuf::from(env!("CARGO_BIN_EXE_dunwell")))
    }

    /// Where stores are made: beside cargo's own output, so on the disk of the checkout, not in memory.
    pub fn data(&self) -> PathBuf {
        self.data
            .clone()
            .unwrap_or_else(|| PathBuf::from(env!("CARGO_TARGET_TMPDIR")).with_file_name("bench-data"))
    }
}
