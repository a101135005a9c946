//! `cargo xtask slo`: generates rules and their tests from monitoring/slo.yml or, with `--check`, checks that the files are up to date.

use anyhow::Result;
use devstack::report::{Outcome, Report};
use rule_tools::generated::Generated;
use rule_tools::slo::generated;

/// Regenerate the rules of the service level objectives, and their tests.
#[derive(clap::Args)]
pub struct Args {
    /// Write nothing; fail if a generated file is out of date.
    #[arg(long)]
    check: bool,
}

/// Runs the verb and returns whether it succeeded.
pub fn run(args: &Args) -> Result<bool> {
    let mut report = Report::new("slo");
    for file in generated()? {
        report.step(file.path, || if args.check { file.compare() } else { file.write() })?;
    }
    report.finish()
}

/// Adds one step to a report: it checks that the generated files are up to date.
pub fn check(report: &mut Report) -> Result<()> {
    report.step("rules of the service level objectives are up to date", || {
        let outcomes = generated()?.iter().map(Generated::compare).collect::<Result<Vec<_>>>()?;
        Ok(outcomes.into_iter().find(|outcome| outcome.failed > 0).unwrap_or_else(Outcome::passed))
    })
}
