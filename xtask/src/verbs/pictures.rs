//! `cargo xtask pictures`: the pictures in README.md.

use anyhow::Result;
use devstack::report::Report;
use devstack::tools::require;
use proofs::{browser, pictures};

/// Take the pictures of README.md from a running stack, or check that they are up to date.
#[derive(clap::Args)]
pub struct Args {
    /// Install missing tools.
    #[arg(long)]
    install: bool,
    /// Only report each picture whose sources have changed since it was taken.
    #[arg(long)]
    check: bool,
}

/// Runs the verb and returns whether it succeeded.
pub fn run(args: &Args) -> Result<bool> {
    let mut report = Report::new("pictures");
    if args.check {
        pictures::check(&mut report)?;
    } else {
        require(&browser::programs(), args.install)?;
        pictures::take(&mut report)?;
    }
    report.finish()
}
