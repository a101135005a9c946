//! `cargo xtask reconcile`: Prometheus' sums over all replicas equal the clients' counts, across a rolling restart.

use anyhow::Result;
use devstack::cargo;
use devstack::ports::MAX_REPLICAS;
use devstack::report::Report;
use devstack::tools::require;
use proofs::reconcile;

/// Prove that metrics count exactly what clients count, across a rolling restart.
#[derive(clap::Args)]
pub struct Args {
    /// Install missing tools.
    #[arg(long)]
    install: bool,
    /// Replace one replica only, as `ci` does.
    #[arg(long)]
    short: bool,
}

/// Runs the verb and returns whether it succeeded.
pub fn run(args: &Args) -> Result<bool> {
    require(&reconcile::programs(), args.install)?;
    cargo::build(false, args.install)?;
    let mut report = Report::new("reconcile");
    reconcile::add(&mut report, if args.short { 1 } else { MAX_REPLICAS })?;
    report.finish()
}
