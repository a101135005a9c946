//! `cargo xtask dr-drill`: loses everything and returns it from backups.

use anyhow::Result;
use devstack::cargo;
use devstack::report::Report;
use devstack::tools::require;
use proofs::dr_drill::{self, Extent};

/// Prove that everything returns from backups: under load, after the loss of all stores, row by row and to just before a bad DELETE.
#[derive(clap::Args)]
pub struct Args {
    /// Install missing tools.
    #[arg(long)]
    install: bool,
    /// One replica without the monitoring; leaves docs/DISASTER-RECOVERY.md unchanged.
    #[arg(long)]
    short: bool,
}

/// Runs the verb and returns whether it succeeded.
pub fn run(args: &Args) -> Result<bool> {
    require(&dr_drill::programs(), args.install)?;
    cargo::build(false, args.install)?;
    let mut report = Report::new("dr-drill");
    dr_drill::add(&mut report, if args.short { Extent::Short } else { Extent::Whole })?;
    report.finish()
}
