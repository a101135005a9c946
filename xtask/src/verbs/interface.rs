//! `cargo xtask interface`: tests the service against its OpenAPI description.

use anyhow::Result;
use devstack::cargo;
use devstack::report::Report;
use devstack::tools::require;
use proofs::interface::{self, Options};

/// Check every response of the service against its OpenAPI description.
#[derive(clap::Args)]
pub struct Args {
    /// Install missing tools.
    #[arg(long)]
    install: bool,
    /// Maximum number of random requests per operation, and of chains of requests.
    #[arg(long, default_value_t = interface::FEW)]
    examples: u32,
    /// Seed of the generated requests: the same seed generates the same requests.
    #[arg(long, default_value_t = 1)]
    seed: u32,
    /// Build optimised binaries.
    #[arg(long)]
    release: bool,
}

/// Runs the verb and returns whether it succeeded.
pub fn run(args: &Args) -> Result<bool> {
    require(&interface::PROGRAMS, args.install)?;
    cargo::build(args.release, args.install)?;
    let mut report = Report::new("interface");
    let Args { examples, seed, release, .. } = *args;
    interface::add(&mut report, &Options { examples, seed, release })?;
    report.finish()
}
