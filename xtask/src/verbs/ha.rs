//! `cargo xtask ha`: the monitoring survives the loss of one of its servers, and grows beyond one. `proofs::ha` has the proof.

use anyhow::Result;
use devstack::report::Report;
use devstack::tools::require;
use proofs::ha::{self, Extent};

/// Prove that a pair of Prometheus and Alertmanagers survives the loss of one, and that a store and a federation agree with them.
#[derive(clap::Args)]
pub struct Args {
    /// Install missing tools.
    #[arg(long)]
    install: bool,
    /// Run only the part that `ci` runs: one alert, during which servers are killed.
    #[arg(long)]
    short: bool,
}

/// Runs the verb and returns whether it succeeded.
pub fn run(args: &Args) -> Result<bool> {
    require(&ha::programs(), args.install)?;
    let mut report = Report::new("ha");
    ha::add(&mut report, if args.short { Extent::Short } else { Extent::Whole })?;
    report.finish()
}
