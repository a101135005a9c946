//! `cargo xtask catalogue`: generates documents from the code or, with `--check`, checks that they are up to date.
//! It runs all contract tests; those in `tests/contract/documents.rs` write and compare the documents.

use anyhow::Result;
use devstack::cargo;
use devstack::report::Report;
use devstack::web;

/// Regenerate docs/METRICS.md and docs/openapi.json, and run all contract tests.
#[derive(clap::Args)]
pub struct Args {
    /// Write nothing; fail if a document is out of date.
    #[arg(long)]
    check: bool,
}

/// Runs the verb and returns whether it succeeded.
pub fn run(args: &Args) -> Result<bool> {
    web::bundle(false)?;
    let mut report = Report::new("catalogue");
    report.step("contract tests", || {
        let mut tests = cargo::command();
        tests.args(["test", "--quiet", "--test", "contract"]);
        if !args.check {
            tests.env("UPDATE_GENERATED", "1");
        }
        cargo::test(&mut tests)
    })?;
    report.finish()
}
