//! `cargo xtask prose`: finds misspellings and the phrases that docs/STYLE.md rules out. `proofs::prose` implements the check.

use anyhow::Result;
use devstack::report::Report;
use devstack::tools::require;
use proofs::prose;

/// Check the language of documents, messages and comments.
#[derive(clap::Args)]
pub struct Args {
    /// Install missing tools.
    #[arg(long)]
    install: bool,
}

/// Runs the verb and returns whether it succeeded.
pub fn run(args: &Args) -> Result<bool> {
    require(&prose::PROGRAMS, args.install)?;
    let mut report = Report::new("prose");
    prose::add(&mut report)?;
    report.finish()
}
