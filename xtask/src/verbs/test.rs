//! `cargo xtask test`: runs the Rust tests, the doc tests and the browser tests, and checks the configuration of Prometheus, Alertmanager
//! and Caddy.

use anyhow::Result;
use devstack::report::Report;
use devstack::tools::require;
use proofs::suite;

/// Run every test with a private Postgres and Redis.
#[derive(clap::Args)]
pub struct Args {
    /// Install missing tools.
    #[arg(long)]
    install: bool,
    /// Arguments for `cargo nextest run` in place of `--workspace`. If there are any, no other tests or checks run.
    #[arg(last = true)]
    nextest: Vec<String>,
}

/// Runs the verb and returns whether it succeeded.
pub fn run(args: &Args) -> Result<bool> {
    let mut report = Report::new("test");
    if args.nextest.is_empty() {
        require(&suite::programs(args.install), args.install)?;
        suite::bundle(&mut report, args.install)?;
        suite::all(&mut report)?;
    } else {
        require(&suite::rust_programs(args.install), args.install)?;
        suite::bundle(&mut report, args.install)?;
        suite::selected(&mut report, &args.nextest)?;
    }
    report.finish()
}
