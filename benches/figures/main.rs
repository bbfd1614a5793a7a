//! The figures that Dunwell holds itself to, each beside a reference measured in the same run.
//!
//! `cargo bench` black-boxes the release binary `dunwell serve` through its outside contract, over loopback, and prints a
//! table. Absolute rates mean little on another machine; the ratios are what the goals are made of. `README.md` beside
//! the folder says what each figure is, and how to read it.

#![expect(clippy::disallowed_methods, reason = "a measurement reads the real clock")]

mod barrier;
mod batch;
mod child;
mod clock;
mod crash;
mod decision;
mod dispatch;
mod figure;
mod gateway;
mod intake;
mod load;
mod machine;
mod measure;
mod noop;
mod options;
mod portfolio;
mod reference;
mod scrub;
mod sink;
mod start;
mod stencil;
mod table;
mod wire;

use clap::Parser;
use options::{Options, Role};
use std::process::ExitCode;

fn main() -> ExitCode {
    let options = Options::parse();
    let done = match options.role {
        Some(Role::Noop) => noop::serve(),
        Some(Role::BareMap { entries }) => reference::print_map_memory(entries),
        // `cargo test --all-targets` runs benches too, without this flag: a measurement is no test.
        None if !options.bench => {
            println!("figures: measured under `cargo bench` only (or with --bench)");
            Ok(true)
        }
        None => measure::run(&options),
    };
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(fault) => {
            eprintln!("figures: {fault:#}");
            ExitCode::FAILURE
        }
    }
}
