//! `cargo xtask panels`: every panel of every dashboard shows data under load, and reacts to its cause.
//! The stack is the same as for `drill`. With `--first-rows`: the first rows of the running stack of `up` show data.

use std::time::Duration;

use anyhow::Result;
use devstack::cargo;
use devstack::report::Report;
use devstack::speed;
use devstack::tools::require;
use proofs::drill::proof::programs;
use proofs::panels::{Cause, Proof, first_rows};

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
    /// Check only that every panel in the first row of a dashboard shows data in the stack that `up` has started.
    #[arg(long, conflicts_with_all = ["causes", "speed", "production"])]
    first_rows: bool,
    /// Time limit for the first rows, such as `120s`.
    #[arg(long, value_name = "DURATION", default_value = "120s", value_parser = duration, requires = "first_rows")]
    within: Duration,
    #[command(flatten)]
    form: Choice,
}

fn duration(text: &str) -> Result<Duration, &'static str> {
    speed::parse(text).ok_or("must be a duration such as 120s or 2m")
}

/// Runs the verb and returns whether it succeeded.
pub fn run(args: &Args) -> Result<bool> {
    let mut report = Report::new("panels");
    if args.first_rows {
        first_rows::check(&mut report, args.within)?;
        return report.finish();
    }
    require(&programs(), args.install)?;
    let proof = Proof::read(args.speed, &args.causes)?;
    cargo::build(false, args.install)?;
    proof.on_a_stack(&mut report, args.form.form())?;
    report.finish()
}
