//! `cargo xtask panels`: every panel of every dashboard shows data under load, and reacts to its cause.
//! The stack is the same as for `drill`.

use anyhow::Result;
use devstack::cargo;
use devstack::report::Report;
use devstack::tools::require;
use proofs::drill::proof::programs;
use proofs::panels::{Cause, Proof};

use crate::form::Choice;

/// Check that every panel shows data under load and reacts to its cause.
#[derive(clap::Args)]
pub struct Args {
    /// Install missing tools.
    #[arg(long)]
    install: bool,
    /// Check only the panels that react to these causes.
    #[arg(value_name = "CAUSE", value_enum)]
    causes: Vec<Cause>,
    /// Divide every interval and wait of the monitoring by this number.
    #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u32).range(1..=60))]
    speed: u32,
    #[command(flatten)]
    form: Choice,
}

/// Runs the verb and returns whether it succeeded.
pub fn run(args: &Args) -> Result<bool> {
    require(&programs(), args.install)?;
    let proof = Proof::read(args.speed, &args.causes)?;
    cargo::build(false, args.install)?;
    let mut report = Report::new("panels");
    proof.on_a_stack(&mut report, args.form.form())?;
    report.finish()
}
