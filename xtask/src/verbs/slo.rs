//! `cargo xtask slo`: regenerates the rules and tests that come from monitoring/slo.yml or, with `--check`, compares them.

use anyhow::Result;
use devstack::report::{Outcome, Report};
use rule_tools::generated::Generated;
use rule_tools::slo::generated;

/// Regenerate the rules of the service level objectives, and their tests.
#[derive(clap::Args)]
pub struct Args {
    /// Write nothing; fail when a file differs from monitoring/slo.yml.
    #[arg(long)]
    check: bool,
}

/// Runs the verb and returns whether every step passed.
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
