//! `cargo xtask roll`: replaces every replica under load or, with `--edge`, stops, starts and reloads the edge.

use anyhow::Result;
use devstack::cargo;
use devstack::report::Report;
use devstack::tools::require;
use proofs::roll;
use rustix::process::Signal;

use crate::form::Choice;

/// Replace every replica, or restart the edge, under load.
#[derive(clap::Args)]
pub struct Args {
    /// Install missing tools.
    #[arg(long)]
    install: bool,
    /// Kill the replicas instead of shutting them down gracefully.
    #[arg(long)]
    kill: bool,
    /// Stop, start and reload the edge instead of replacing the replicas.
    #[arg(long, conflicts_with = "kill")]
    edge: bool,
    #[command(flatten)]
    form: Choice,
}

/// Runs the verb and returns whether it succeeded.
pub fn run(args: &Args) -> Result<bool> {
    require(&roll::PROGRAMS, args.install)?;
    cargo::build(false, args.install)?;
    let mut report = Report::new("roll");
    if args.edge {
        roll::edge::add(&mut report, args.form.form())?;
    } else {
        roll::add(&mut report, if args.kill { Signal::KILL } else { Signal::TERM }, args.form.form())?;
    }
    report.finish()
}
