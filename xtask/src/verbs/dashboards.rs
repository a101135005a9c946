//! `cargo xtask dashboards`: generates Grafana's dashboards from their sources or, with `--check`, checks that they are up to date.
//! It also checks that they fit Grafana's types and that their queries parse. `tests/contract/dashboards` checks their contents, and the
//! verb `panels` proves that they show real events.

use anyhow::Result;
use devstack::report::Report;
use devstack::tools::{PROMTOOL, require};
use proofs::panels;
use rule_tools::dashboards;

/// Regenerate Grafana's dashboards from monitoring/grafana/src.
#[derive(clap::Args)]
pub struct Args {
    /// Install missing tools: promtool, Node.js, npm, and the packages of `monitoring/grafana/package-lock.json`.
    #[arg(long)]
    install: bool,
    /// Write nothing; fail if a generated file is out of date.
    #[arg(long)]
    check: bool,
}

/// Runs the verb and returns whether it succeeded.
pub fn run(args: &Args) -> Result<bool> {
    require(&[&PROMTOOL], args.install)?;
    let mut report = Report::new("dashboards");
    if !args.check {
        report.step("write the list of causes", || panels::causes().write())?;
        report.step("write the dashboards", || dashboards::generate(args.install))?;
    }
    check(&mut report, args.install)?;
    report.finish()
}

/// Adds the checks to a report.
pub fn check(report: &mut Report, install: bool) -> Result<()> {
    report.step("the list of causes matches the proof", || panels::causes().compare())?;
    report.step("dashboards fit Grafana's types", || dashboards::types(install))?;
    report.step("dashboards match their sources", || dashboards::compare(install))?;
    report.step("queries of dashboards parse", dashboards::parse)
}
