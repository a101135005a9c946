//! `cargo xtask fanout`: proves that every client of every replica receives each event exactly once. With `--idle`, measures the memory of
//! a silent client instead.

use anyhow::Result;
use devstack::cargo;
use devstack::report::Report;
use devstack::tools::require;
use proofs::fanout::{self, Options};

/// Prove that every client on every replica receives each event of one replica.
#[derive(clap::Args)]
pub struct Args {
    /// Install missing tools.
    #[arg(long)]
    install: bool,
    /// Number of clients; the edge spreads them over the replicas.
    #[arg(long, default_value_t = 300, value_parser = clap::value_parser!(u32).range(1..=i64::from(fanout::MOST_CLIENTS)))]
    clients: u32,
    /// Number of events in a round.
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..))]
    events: u32,
    /// Kill Redis, restart it, and check that events cross replicas again.
    #[arg(long)]
    restart_redis: bool,
    /// Measure the memory that this many silent clients use on one replica, instead of running the proof.
    #[arg(long, value_name = "CLIENTS", value_parser = clap::value_parser!(u32).range(1..))]
    idle: Option<u32>,
    /// Build optimised binaries.
    #[arg(long)]
    release: bool,
}

/// Runs the verb and returns whether it succeeded.
pub fn run(args: &Args) -> Result<bool> {
    require(&fanout::PROGRAMS, args.install)?;
    cargo::build(args.release, args.install)?;
    let mut report = Report::new("fanout");
    if let Some(clients) = args.idle {
        fanout::measure_idle(&mut report, clients, args.release)?;
    } else {
        let Args { clients, events, restart_redis, release, .. } = *args;
        fanout::add(&mut report, &Options { clients, events, restart_redis, release })?;
    }
    report.finish()
}
