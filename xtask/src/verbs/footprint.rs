//! `cargo xtask footprint`: CPU and memory of each process of a stack without containers, idle and under load.

use std::time::Duration;

use anyhow::Result;
use devstack::cargo;
use devstack::report::Report;
use devstack::tools::require;
use proofs::footprint::{self, Options};
use proofs::load::Profile;

/// Measure CPU and memory of each process, idle and under load, and compare them with limits.
#[derive(clap::Args)]
pub struct Args {
    /// Install missing tools.
    #[arg(long)]
    install: bool,
    /// The load profile.
    #[arg(long, value_enum, default_value_t = Profile::Demo)]
    profile: Profile,
    /// Length of each of the two measurements, idle and under load, in seconds.
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u64).range(5..))]
    seconds: u64,
    /// Build optimised binaries.
    #[arg(long)]
    release: bool,
}

/// Runs the verb and returns whether it succeeded.
pub fn run(args: &Args) -> Result<bool> {
    require(&footprint::programs(), args.install)?;
    cargo::build(args.release, args.install)?;
    let mut report = Report::new("footprint");
    let length = Duration::from_secs(args.seconds);
    let settle = Duration::from_secs(20);
    footprint::add(&mut report, &Options { profile: args.profile, settle, length, release: args.release })?;
    report.finish()
}
