//! `cargo xtask slo`: the rules and tests that follow from monitoring/slo.yml, written anew or, with `--check`, compared.

use anyhow::Result;

use crate::report::{Outcome, Report};
use crate::slo::{Generated, generated};

/// Write the rules of the service level objectives, and their tests, anew.
#[derive(clap::Args)]
pub struct Args {
    /// Write nothing: fail when a file is not what monitoring/slo.yml says.
    #[arg(long)]
    check: bool,
}

/// Runs the verb.
pub fn run(args: &Args) -> Result<bool> {
    let mut report = Report::new("slo");
    for file in generated()? {
        report.step(file.path, || if args.check { file.compare() } else { file.write() })?;
    }
    report.finish()
}

/// Adds the comparison to a report, as one step.
pub fn check(report: &mut Report) -> Result<()> {
    report.step("the rules of the objectives are up to date", || {
        let outcomes = generated()?.iter().map(Generated::compare).collect::<Result<Vec<_>>>()?;
        Ok(outcomes.into_iter().find(|outcome| outcome.failed > 0).unwrap_or_else(Outcome::passed))
    })
}
