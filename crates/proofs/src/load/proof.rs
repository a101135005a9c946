//! The load as a proof: on the running stack of `up` or else on one of its own, with the results of every scenario.

use std::time::Duration;

use anyhow::Result;
use devstack::ports::{MAX_REPLICAS, Port, Ports};
use devstack::report::{Outcome, Report};
use devstack::stack::{self, PROGRAMS, Plan, Stack, fixed_ports};
use devstack::tools::require;
use devstack::{cargo, paths};
use tempfile::TempDir;

use super::{Load, Summary, refuses_idle_scenarios};

/// The load to run.
pub struct Options {
    /// The name of a script in `load/`.
    pub profile: &'static str,
    /// Duration of the load.
    pub duration: Duration,
    /// Whether the proof fails when a threshold is not met.
    pub gate: bool,
    /// Whether missing tools of a stack may be installed.
    pub install: bool,
}

/// Adds the load and the results of its scenarios to a report.
pub fn add(report: &mut Report, options: &Options) -> Result<()> {
    let Options { profile, duration, gate, install } = *options;
    if gate {
        report.step("the gate rejects a run in which no journey completes", || {
            let folder = paths::temporary("load-gate")?;
            let scenarios = refuses_idle_scenarios(folder.path())?;
            Ok(Outcome::passed().with_note(format!("{scenarios} scenarios")))
        })?;
    }
    let mut target = None;
    report.step("a stack for the load", || {
        let (found, note) = Target::find(install)?;
        target = Some(found);
        Ok(Outcome::passed().with_note(note))
    })?;
    let Some(target) = target else { return Ok(()) };
    let mut summary = None;
    report.step(format!("{profile} for {} s", duration.as_secs()), || {
        let written = paths::proofs().join("load-k6.json");
        let load = Load::start(&target.edge, Some(&target.prometheus), profile, duration, &written)?;
        let result = load.finish()?;
        let outcome = Outcome::from(result.requests > 0.0).with_note(figures(&result));
        summary = Some(result);
        Ok(outcome)
    })?;
    drop(target.own);
    if let Some(summary) = summary {
        judge(report, &summary, gate)?;
    }
    Ok(())
}

/// The target of the load.
struct Target {
    edge: String,
    prometheus: String,
    /// The stack started for the load; it stops when this value is dropped.
    own: Option<(Stack, TempDir)>,
}

impl Target {
    /// Finds the stack of `up` or starts a new one; also returns which of them.
    fn find(install: bool) -> Result<(Self, &'static str)> {
        if stack::SLOT.ready_text()?.is_some() {
            return Ok((Self::at(&fixed_ports(MAX_REPLICAS)?)?, "that of `up`"));
        }
        require(&PROGRAMS, install)?;
        cargo::build(false, install)?;
        let folder = paths::temporary("load")?;
        let stack = Stack::start(Plan {
            folder: folder.path().to_owned(),
            ports: Ports::any(MAX_REPLICAS)?,
            replicas: MAX_REPLICAS,
            binary: cargo::binary(false),
            engine: None,
            settings: Vec::new(),
        })?;
        let target = Self::at(stack.ports())?;
        Ok((Self { own: Some((stack, folder)), ..target }, "started for it"))
    }

    fn at(ports: &Ports) -> Result<Self> {
        Ok(Self { edge: ports.url(Port::Edge)?, prometheus: ports.url(Port::Prometheus)?, own: None })
    }
}

fn figures(summary: &Summary) -> String {
    let Summary { requests, rate, failed, p50, p95, p99, checks, sockets, .. } = summary;
    format!(
        "{requests} requests, {rate:.1} per second, {:.2} % failed; p50 {p50:.0} ms, p95 {p95:.0} ms, p99 {p99:.0} ms; {sockets} sockets; \
         {:.2} % of the checks passed",
        failed * 100.0,
        checks * 100.0,
    )
}

/// Reports the result of every scenario; with the gate, also whether every threshold was met.
fn judge(report: &mut Report, summary: &Summary, gate: bool) -> Result<()> {
    for (scenario, journeys) in &summary.journeys {
        let note = format!("{} done, {} failed", journeys.done, journeys.failed);
        report.step(scenario, || Ok(Outcome::from(journeys.done > 0.0).with_note(note)))?;
    }
    if gate {
        report.step("there are thresholds", || Ok(Outcome::from(!summary.thresholds.is_empty())))?;
        for (threshold, held) in &summary.thresholds {
            report.step(threshold, || Ok(Outcome::from(*held)))?;
        }
    }
    Ok(())
}
