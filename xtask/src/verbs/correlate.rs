//! `cargo xtask correlate`: from a slow panel to its cause, one hop after the other.

use anyhow::Result;
use devstack::cargo;
use devstack::report::Report;
use devstack::tools::require;
use proofs::correlate;

/// Prove that a slow panel leads to the log line, the trace, the statement, the job and its event.
#[derive(clap::Args)]
pub struct Args {
    /// Install missing tools.
    #[arg(long)]
    install: bool,
}

/// Runs the verb and returns whether it succeeded.
pub fn run(args: &Args) -> Result<bool> {
    require(&correlate::programs(), args.install)?;
    cargo::build(false, args.install)?;
    let mut report = Report::new("correlate");
    correlate::add(&mut report)?;
    report.finish()
}
