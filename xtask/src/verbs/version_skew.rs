//! `cargo xtask version-skew`: runs an earlier version beside the current one on one database, first as in a release, then as in a
//! rollback.

use anyhow::Result;
use devstack::cargo;
use devstack::report::Report;
use devstack::tools::require;
use proofs::version_skew;

/// Prove that no request fails during a release or a rollback, while two versions share one database.
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
