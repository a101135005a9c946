//! `cargo xtask load`: k6 through the edge, on the running stack of `up` or else on one of its own. The journeys are in `load/`; `load`
//! runs k6.

use std::time::Duration;

use anyhow::{Result, ensure};
use tempfile::TempDir;

use super::up;
use crate::load::{Load, Summary, refuses_idle_scenarios};
use crate::paths;
use crate::ports::{MAX_REPLICAS, Port, Ports};
use crate::report::{Outcome, Report};
use crate::speed;
use crate::stack::{PROGRAMS, Plan, Stack, fixed_ports};
use crate::tools::{K6, require};

/// In a shorter run, some journeys do not even begin.
const SHORTEST: Duration = Duration::from_secs(30);

/// The load profiles.
#[derive(Clone, Copy, clap::ValueEnum)]
enum Profile {
    /// The whole journey at a gentle pace.
    Demo,
}

impl Profile {
    /// The name of the script.
    fn name(self) -> &'static str {
        match self {
            Self::Demo => "demo",
        }
    }
}

/// Put load on the service, through the edge.
#[derive(clap::Args)]
pub struct Args {
    /// Install missing tools.
    #[arg(long)]
    install: bool,
    /// Which load profile to run.
    #[arg(long, value_enum, default_value_t = Profile::Demo)]
    profile: Profile,
    /// How long to run, such as 90s, 5m or 2h.
    #[arg(long, default_value = "5m", value_parser = duration)]
    duration: Duration,
    /// Fail when a threshold is not met.
    #[arg(long)]
    gate: bool,
}

/// Runs the verb and returns whether every step passed.
pub fn run(args: &Args) -> Result<bool> {
    require(&[&K6], args.install)?;
    let mut report = Report::new("load");
    if args.gate {
        report.step("the gate rejects a run in which no journey completes", || {
            let folder = paths::temporary("load-gate")?;
            let scenarios = refuses_idle_scenarios(folder.path())?;
            Ok(Outcome::passed().with_note(format!("{scenarios} scenarios")))
        })?;
    }
    let mut place = None;
    report.step("a stack for the load", || {
        let (found, note) = Place::find(args.install)?;
        place = Some(found);
        Ok(Outcome::passed().with_note(note))
    })?;
    let Some(place) = place else { return report.finish() };
    let mut summary = None;
    report.step(format!("{} for {} s", args.profile.name(), args.duration.as_secs()), || {
        let written = paths::proofs().join("load-k6.json");
        let load = Load::start(&place.edge, Some(&place.prometheus), args.profile.name(), args.duration, &written)?;
        let told = load.finish()?;
        let outcome = Outcome::from(told.requests > 0.0).with_note(figures(&told));
        summary = Some(told);
        Ok(outcome)
    })?;
    drop(place.own);
    if let Some(summary) = summary {
        judge(&mut report, &summary, args.gate)?;
    }
    report.finish()
}

/// The target of the load.
struct Place {
    edge: String,
    prometheus: String,
    /// The stack started for the load; it stops when this value is dropped.
    own: Option<(Stack, TempDir)>,
}

impl Place {
    /// Finds the stack of `up` or starts a new one; also returns which of them.
    fn find(install: bool) -> Result<(Self, &'static str)> {
        if up::SLOT.ready_text()?.is_some() {
            return Ok((Self::at(&fixed_ports(MAX_REPLICAS)?)?, "that of `up`"));
        }
        require(&PROGRAMS, install)?;
        up::build(false, install)?;
        let folder = paths::temporary("load")?;
        let stack = Stack::start(Plan {
            folder: folder.path().to_owned(),
            ports: Ports::any(MAX_REPLICAS)?,
            replicas: MAX_REPLICAS,
            binary: up::binary(false),
            engine: None,
            settings: Vec::new(),
        })?;
        let place = Self::at(stack.ports())?;
        Ok((Self { own: Some((stack, folder)), ..place }, "started for it"))
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

fn duration(text: &str) -> Result<Duration> {
    let duration = speed::parse(text).ok_or_else(|| anyhow::anyhow!("must be a duration such as 90s, 5m or 2h"))?;
    ensure!(duration >= SHORTEST, "must be at least {} s", SHORTEST.as_secs());
    Ok(duration)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_is_long_enough_for_every_journey() {
        assert_eq!(duration("1m30s").unwrap(), Duration::from_secs(90));
        for wrong in ["29s", "5", "soon", ""] {
            assert!(duration(wrong).is_err(), "{wrong}");
        }
    }
}
