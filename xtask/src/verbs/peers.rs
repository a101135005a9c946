//! `cargo xtask peers`: compares one replica with a Fastify service, plain axum and bare axum, alternating in one run on the same cores.

use std::path::PathBuf;

use anyhow::Result;
use devstack::report::Report;
use proofs::peers::{self, Options};

/// Compare one replica with services that do the same work.
#[derive(clap::Args)]
pub struct Args {
    /// Install missing tools.
    #[arg(long)]
    install: bool,
    /// Number of rounds; each measures every target once. Fewer than 3 leave docs/PERFORMANCE.md unchanged.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=100))]
    rounds: u32,
    /// Seconds per measurement.
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u32).range(1..=600))]
    seconds: u32,
    /// Number of silent Socket.IO clients; 0 skips their measurement and leaves docs/PERFORMANCE.md unchanged.
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u32).range(..=10_000))]
    sockets: u32,
    /// Compare only with these peers (fastify, plain-axum, bare-axum); leaves docs/PERFORMANCE.md unchanged.
    #[arg(long, value_delimiter = ',', value_name = "PEERS")]
    only: Vec<String>,
    /// Also compare with another Vitrine: a revision, which is built, or a binary.
    #[arg(long, value_name = "REVISION_OR_PROGRAM")]
    baseline: Option<String>,
    /// Measure this binary instead of building one; leaves docs/PERFORMANCE.md unchanged.
    #[arg(long, value_name = "PROGRAM")]
    program: Option<PathBuf>,
    /// Check that targets give equivalent responses, and measure nothing.
    #[arg(long)]
    check: bool,
}

/// Runs the verb and returns whether it succeeded.
pub fn run(args: &Args) -> Result<bool> {
    let mut report = Report::new("peers");
    peers::add(&mut report, &args.options())?;
    report.finish()
}

impl Args {
    fn options(&self) -> Options {
        Options {
            rounds: self.rounds,
            seconds: self.seconds,
            sockets: self.sockets,
            only: self.only.clone(),
            baseline: self.baseline.clone(),
            program: self.program.clone(),
            check: self.check,
            install: self.install,
        }
    }
}
