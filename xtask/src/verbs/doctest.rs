//! `cargo xtask doctest`: the commands, queries and snippets of the documents work as they stand.

use anyhow::Result;
use devstack::cargo;
use devstack::report::Report;
use devstack::tools::require;
use proofs::doctest;

/// Run the commands, queries and snippets of the documents.
#[derive(clap::Args)]
pub struct Args {
    /// Install missing tools.
    #[arg(long)]
    install: bool,
}

/// Runs the verb and returns whether it succeeded.
pub fn run(args: &Args) -> Result<bool> {
    require(&doctest::programs(), args.install)?;
    cargo::build(false, args.install)?;
    let mut report = Report::new("doctest");
    doctest::add(&mut report, &crate::command_line())?;
    report.finish()
}
