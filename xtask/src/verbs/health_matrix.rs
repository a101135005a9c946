//! `cargo xtask health-matrix`: injects the faults kill, hang and slow into Postgres, Redis, the environment driver and a replica.

use anyhow::Result;
use devstack::cargo;
use devstack::report::Report;
use devstack::tools::require;
use proofs::health_matrix::{self, Extent};

/// Prove what probes, edge, Prometheus and alerts report under each fault, and measure how fast the service recovers.
#[derive(clap::Args)]
pub struct Args {
    /// Install missing tools.
    #[arg(long)]
    install: bool,
    /// Prove two of the faults only, as `ci` does without `--full`. Without `--short`, docs/RELIABILITY.md is written if all steps pass.
    #[arg(long)]
    short: bool,
}

/// Runs the verb and returns whether it succeeded.
pub fn run(args: &Args) -> Result<bool> {
    require(&health_matrix::TOOLS, args.install)?;
    cargo::build(false, args.install)?;
    let mut report = Report::new("health-matrix");
    health_matrix::add(&mut report, if args.short { Extent::Short } else { Extent::Whole })?;
    report.finish()
}
