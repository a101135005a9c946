//! `cargo xtask growth`: how the cost of one unit of work grows with the amount of work.

use std::path::PathBuf;

use anyhow::Result;
use devstack::report::Report;
use proofs::growth::{self, Options};

/// Measure how cost grows with the work.
#[derive(clap::Args)]
pub struct Args {
    /// Install missing tools.
    #[arg(long)]
    install: bool,
    /// Measure at most a tenth of the rows, sockets and requests, in shorter rounds; leaves docs/PERFORMANCE.md unchanged.
    #[arg(long)]
    quick: bool,
    /// Number of rounds; each measures every amount once, but `requests` has a single round. Default: 5, or 1 with --quick. Fewer than 3
    /// leave docs/PERFORMANCE.md unchanged.
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=8))]
    rounds: Option<u32>,
    /// Measure only these subjects (edge, scrape, rows, sockets, requests); leaves docs/PERFORMANCE.md unchanged.
    #[arg(long, value_delimiter = ',', value_name = "SUBJECTS")]
    only: Vec<String>,
    /// Measure this binary, with provider-sim in the same folder, instead of building both; leaves docs/PERFORMANCE.md unchanged.
    #[arg(long, value_name = "PROGRAM")]
    program: Option<PathBuf>,
}

/// Runs the verb and returns whether it succeeded.
pub fn run(args: &Args) -> Result<bool> {
    let Args { install, quick, rounds, only, program } = args;
    let options = Options { install: *install, quick: *quick, rounds: *rounds, only: only.clone(), program: program.clone() };
    let mut report = Report::new("growth");
    growth::add(&mut report, &options)?;
    report.finish()
}
