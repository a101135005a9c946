//! `cargo xtask panels`: every panel of every dashboard shows data under load, and reacts to the failure it exists to show.
//! The judgement is in `panels`. The stack is that of drills.

use anyhow::Result;

use super::drill::programs;
use super::up;
use crate::drill::bench::Bench;
use crate::form::Choice;
use crate::panels::{Cause, Proof};
use crate::paths;
use crate::report::{Outcome, Report};
use crate::tools::require;

/// Cause the failures that panels exist to show, and check that each panel reacts.
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

/// Runs the verb and returns whether every step passed.
pub fn run(args: &Args) -> Result<bool> {
    require(&programs(), args.install)?;
    let proof = Proof::read(args.speed, &args.causes)?;
    up::build(false, args.install)?;
    let mut report = Report::new("panels");
    let folder = paths::temporary("panels")?;
    let mut started = None;
    report.step(format!("a stack, its monitoring at {} times the speed", args.speed), || {
        started = Some(Bench::start(folder.path().to_owned(), args.speed, args.form.form())?);
        Ok(Outcome::passed())
    })?;
    if let Some(mut bench) = started {
        proof.run(&mut report, &mut bench)?;
    }
    report.finish()
}
