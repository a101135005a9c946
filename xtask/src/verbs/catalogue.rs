//! `cargo xtask catalogue`: the documents that the code generates, written anew or, with `--check`, compared.
//! What they hold and how they are compared belongs to `tests/contract/`.

use anyhow::Result;

use crate::report::Report;
use crate::verbs::test::{cargo, cargo_tests};
use crate::web;

/// Write docs/METRICS.md and docs/openapi.json anew, and check names in rules and dashboards against them.
#[derive(clap::Args)]
pub struct Args {
    /// Write nothing: fail when a document is not what the code says.
    #[arg(long)]
    check: bool,
}

/// Runs the verb.
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
