//! `cargo xtask version-skew`: an earlier version beside today's on one database, in the order of a release and of a rollback.

use anyhow::Result;
use devstack::cargo;
use devstack::report::Report;
use devstack::tools::require;
use proofs::version_skew;

/// Run an earlier version beside today's on one database: releases and rollbacks fail no request.
#[derive(clap::Args)]
pub struct Args {
    /// Install missing tools.
    #[arg(long)]
    install: bool,
}

/// Runs the verb and returns whether it succeeded.
pub fn run(args: &Args) -> Result<bool> {
    require(&version_skew::PROGRAMS, args.install)?;
    cargo::build(false, args.install)?;
    let mut report = Report::new("version-skew");
    version_skew::add(&mut report)?;
    report.finish()
}
