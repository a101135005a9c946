//! `cargo xtask exposure`: nothing internal answers at the edge.

use anyhow::Result;
use devstack::report::Report;
use devstack::tools::{CURL, require};
use devstack::{cargo, stack};
use proofs::exposure;

use crate::form::Choice;

/// Prove that nothing internal answers at the edge.
#[derive(clap::Args)]
pub struct Args {
    /// Install missing tools.
    #[arg(long)]
    install: bool,
    #[command(flatten)]
    form: Choice,
}

/// Runs the verb and returns whether it succeeded.
pub fn run(args: &Args) -> Result<bool> {
    require(&stack::PROGRAMS, args.install)?;
    require(&[&CURL], args.install)?;
    cargo::build(false, args.install)?;
    let mut report = Report::new("exposure");
    exposure::add(&mut report, args.form.form())?;
    report.finish()
}
