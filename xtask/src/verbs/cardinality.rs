//! `cargo xtask cardinality`: prints the worst-case number of samples in a scrape of each job. With `--attack`, proves instead that hostile
//! clients create no series at the replicas, and that every scrape stays below a third of its sample limit.

use anyhow::Result;
use devstack::report::Report;
use devstack::tools::require;
use devstack::{cargo, web};
use proofs::cardinality;

/// Print the worst-case number of samples in a scrape or, with --attack, prove that clients create no series.
#[derive(clap::Args)]
pub struct Args {
    /// Install missing tools.
    #[arg(long)]
    install: bool,
    /// Start a stack and attack it.
    #[arg(long)]
    attack: bool,
    /// Attack with less traffic, as `ci` does.
    #[arg(long, requires = "attack")]
    short: bool,
}

/// Runs the verb and returns whether it succeeded.
pub fn run(args: &Args) -> Result<bool> {
    let mut report = Report::new("cardinality");
    if args.attack {
        require(&cardinality::programs(), args.install)?;
        cargo::build(false, args.install)?;
        cardinality::attack(&mut report, if args.short { cardinality::SHORT } else { cardinality::LONG })?;
    } else {
        web::bundle(args.install)?;
        cardinality::worst_case(&mut report)?;
    }
    report.finish()
}
