//! `cargo xtask dashboards`: the dashboards that Grafana reads, made anew from their sources or, with `--check`, compared; and what can be
//! checked of them without a stack. Whether they show what happens: `panels`.

use anyhow::Result;

use crate::dashboards;
use crate::report::Report;
use crate::tools::{PROMTOOL, require};

/// Write Grafana's dashboards anew from monitoring/grafana/src.
#[derive(clap::Args)]
pub struct Args {
    /// Install what is missing: Node.js, npm, and the packages of `monitoring/grafana/package-lock.json`.
    #[arg(long)]
    install: bool,
    /// Write nothing: fail when a file is not what the sources say.
    #[arg(long)]
    check: bool,
}

/// Runs the verb.
pub fn run(args: &Args) -> Result<bool> {
    require(&[&PROMTOOL], args.install)?;
    let mut report = Report::new("dashboards");
    if !args.check {
        report.step("dashboards are written", || dashboards::generate(args.install))?;
    }
    check(&mut report, args.install)?;
    report.finish()
}

/// Adds the checks to a report.
pub fn check(report: &mut Report, install: bool) -> Result<()> {
    report.step("dashboards fit Grafana's types", || dashboards::types(install))?;
    report.step("dashboards are what their sources say", || dashboards::compare(install))?;
    report.step("queries of dashboards parse", dashboards::parse)
}
