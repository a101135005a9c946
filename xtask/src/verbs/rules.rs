//! `cargo xtask rules`: checks that every alert and every recorded series has a test, and runs the tests. With `--mutate`, checks that a
//! test fails for every mutant of a rule, except for those in `equivalent.yml`.

use anyhow::{Result, ensure};
use devstack::paths;
use devstack::report::Report;
use devstack::tools::{PROMTOOL, require};
use rule_tools::checks::copy_configuration;
use rule_tools::mutants::trial;
use rule_tools::rules;

/// Check Prometheus' rules and their tests.
#[derive(clap::Args)]
pub struct Args {
    /// Install missing tools.
    #[arg(long)]
    install: bool,
    /// Make one small change to a rule at a time, and fail if no test detects the change.
    #[arg(long)]
    mutate: bool,
    /// Rule files to mutate, without `.yml` (default: all).
    #[arg(requires = "mutate")]
    files: Vec<String>,
}

/// Runs the verb and returns whether it succeeded.
pub fn run(args: &Args) -> Result<bool> {
    require(&[&PROMTOOL], args.install)?;
    let mut report = Report::new("rules");
    if args.mutate {
        mutate(&mut report, &args.files)?;
    } else {
        check(&mut report)?;
    }
    report.finish()
}

fn check(report: &mut Report) -> Result<()> {
    let folder = paths::temporary("rules")?;
    copy_configuration(report, folder.path())?;
    rules::all(report, &folder.path().join("prometheus"))
}

fn mutate(report: &mut Report, files: &[String]) -> Result<()> {
    let prometheus = paths::root().join("monitoring/prometheus");
    let all = rules::names(&prometheus.join("rules"))?;
    let unknown: Vec<&str> = files.iter().filter(|file| !all.contains(file)).map(String::as_str).collect();
    ensure!(unknown.is_empty(), "{} is not one of the rule files {}", unknown.join(", "), all.join(", "));
    for file in all.iter().filter(|file| files.is_empty() || files.contains(file)) {
        report.step(format!("mutants of {file}"), || trial::run(&prometheus, file))?;
    }
    Ok(())
}
