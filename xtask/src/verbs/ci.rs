//! `cargo xtask ci`: everything that must pass before a change is merged. `.ci/run` calls it.
//! The report shows how long each step takes, because people tend to skip slow steps.

mod checks;

use std::time::Duration;

use anyhow::Result;
use devstack::form::Form;
use devstack::ports::MAX_REPLICAS;
use devstack::process::{capture, run as run_task, task};
use devstack::report::{Outcome, Report};
use devstack::tools::{DENY, Tool, require};
use devstack::{cargo, paths, stack, web};
use proofs::drill::proof::Selection;
use proofs::health_matrix::{self, Extent};
use proofs::{
    canary, cardinality, correlate, deploy, doctest, dr_drill, drill, fanout, footprint, ha, interface, pictures, prose, reconcile, roll,
    smoke, suite, version_skew,
};
use rustix::process::Signal;

use self::checks::Checks;
use super::{dashboards, slo};

/// Run everything that must pass before a change is merged.
#[derive(clap::Args)]
pub struct Args {
    /// Install missing tools.
    #[arg(long)]
    install: bool,
    /// Run only the proof of a stack behind a host name, with HTTPS, Secure cookies and a token for the metrics.
    #[arg(long)]
    production: bool,
    /// Run all cells of health-matrix, and replace every replica in reconcile.
    #[arg(long, conflicts_with = "production")]
    full: bool,
}

/// Runs the verb and returns whether it succeeded.
pub fn run(args: &Args) -> Result<bool> {
    let programs: Vec<&Tool> = suite::programs(args.install)
        .into_iter()
        .chain(stack::PROGRAMS)
        .chain(smoke::PROGRAMS)
        .chain(drill::proof::programs())
        .chain(interface::PROGRAMS)
        .chain(correlate::programs())
        .chain(prose::PROGRAMS)
        .chain(doctest::programs())
        .chain(deploy::programs())
        .chain(ha::programs())
        .chain([&DENY])
        .collect();
    if args.production {
        return production(args.install);
    }
    let mut report = Report::new("ci");
    report.step("programs", || {
        require(&programs, args.install)?;
        Ok(Outcome::passed())
    })?;
    suite::bundle(&mut report, args.install)?;
    report.step("web types", || Ok(web::check(args.install)?.into()))?;
    report.step("format", || Ok(run_task(cargo::command().args(["fmt", "--all", "--check"]))?.into()))?;
    prose::add(&mut report)?;
    let checks = Checks::start();
    suite::all(&mut report)?;
    checks.finish(&mut report)?;
    report.step("deny", || deny(&["bans", "licenses", "sources"]))?;
    report.step("deny advisories", advisories)?;
    slo::check(&mut report)?;
    dashboards::check(&mut report, args.install)?;
    pictures::check(&mut report)?;
    deploy::add(&mut report)?;
    doctest::check(&mut report, &crate::command_line())?;
    smoke::all(&mut report)?;
    roll::add(&mut report, Signal::TERM, Form::Demo)?;
    roll::add(&mut report, Signal::KILL, Form::Demo)?;
    fanout::add(&mut report, &fanout::Options::SHORT)?;
    interface::add(&mut report, &interface::Options::SHORT)?;
    cardinality::attack(&mut report, cardinality::SHORT)?;
    canary::with_exposure(&mut report)?;
    correlate::add(&mut report)?;
    drill::proof::add(&mut report, &Selection::Short, 30, Form::Demo)?;
    ha::add(&mut report, ha::Extent::Short)?;
    reconcile::add(&mut report, if args.full { MAX_REPLICAS } else { 1 })?;
    footprint::add(&mut report, &footprint::Options::short())?;
    health_matrix::add(&mut report, if args.full { Extent::Whole } else { Extent::Short })?;
    version_skew::add(&mut report)?;
    dr_drill::add(&mut report, dr_drill::Extent::Short)?;
    smoke::production::all(&mut report)?;
    compose(&mut report)?;
    report.finish()
}

/// Runs only the proof of a stack behind a host name.
fn production(install: bool) -> Result<bool> {
    require(&drill::proof::programs(), install)?;
    cargo::build(false, install)?;
    let mut report = Report::new("production");
    smoke::production::all(&mut report)?;
    report.finish()
}

fn deny(checks: &[&str]) -> Result<Outcome> {
    let mut command = task(DENY.path()?);
    command.args(["--workspace", "check", "--hide-inclusion-graph"]);
    Ok(run_task(command.args(checks).current_dir(paths::root()))?.into())
}

/// Checks for known vulnerabilities. Skipped where the repository that lists them is unreachable.
fn advisories() -> Result<Outcome> {
    let limit = Duration::from_secs(20).as_secs().to_string();
    let reached = capture(
        task("timeout")
            .args([&limit, "git", "ls-remote", "--exit-code"])
            .args(["https://github.com/rustsec/advisory-db", "HEAD"])
            .env("GIT_TERMINAL_PROMPT", "0"),
    )?;
    if reached.success {
        return deny(&["advisories"]);
    }
    let note = "SKIPPED: the advisory database is unreachable";
    eprintln!("{note}\n{}", reached.text.trim_end());
    Ok(Outcome::skipped(note))
}

/// Runs the script that tests the Compose stack. Without a Docker engine, the script reports that it skipped the test.
fn compose(report: &mut Report) -> Result<()> {
    let script = paths::root().join(".ci/compose-smoke");
    if !script.exists() {
        return Ok(());
    }
    report.step("compose smoke", || {
        // Builds without optimisation: the script proves only that the parts fit together, and an optimised build would take longer than
        // all other steps.
        let captured = capture(task(&script).env("PROFILE", "dev").current_dir(paths::root()))?;
        eprintln!("{}", captured.text.trim_end());
        match Outcome::from_summary(&captured.text) {
            Some(outcome) if captured.success || outcome.failed > 0 => Ok(outcome),
            _ => Ok(Outcome::failed("the script did not finish")),
        }
    })
}
