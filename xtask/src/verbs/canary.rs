//! `cargo xtask canary`: operators see no secret and nothing personal.

use anyhow::Result;
use devstack::report::Report;
use devstack::tools::require;
use devstack::{cargo, stack};
use proofs::canary;

/// Prove that metrics, logs and alerts contain no secret and nothing personal.
#[derive(clap::Args)]
pub struct Args {
    /// Install missing tools.
    #[arg(long)]
    install: bool,
}

/// Runs the verb and returns whether it succeeded.
pub fn run(args: &Args) -> Result<bool> {
    require(&stack::PROGRAMS, args.install)?;
    cargo::build(false, args.install)?;
    let mut report = Report::new("canary");
    canary::add(&mut report)?;
    report.finish()
}
