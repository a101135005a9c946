//! `cargo xtask catalogue`: regenerates the documents that come from the code or, with `--check`, compares them.
//! Their contents and the comparison belong to `tests/contract/`.

use anyhow::Result;

use crate::report::Report;
use crate::verbs::test::{cargo, cargo_tests};
use crate::web;

/// Regenerate docs/METRICS.md and docs/openapi.json, and check names in rules and dashboards against them.
#[derive(clap::Args)]
pub struct Args {
    /// Write nothing; fail when a document differs from the code.
    #[arg(long)]
    check: bool,
}

/// Runs the verb and returns whether every step passed.
pub fn run(args: &Args) -> Result<bool> {
    web::bundle(false)?;
    let mut report = Report::new("catalogue");
    report.step("contract tests", || {
        let mut tests = cargo();
        tests.args(["test", "--quiet", "--test", "contract"]);
        if !args.check {
            tests.env("UPDATE_GENERATED", "1");
        }
        cargo_tests(&mut tests)
    })?;
    report.finish()
}
