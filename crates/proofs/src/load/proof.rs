//! The load as a proof: runs a profile on a stack, reports the results of every scenario, checks the gates, and writes a page with graphs.

use std::fs;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, ensure};
use devstack::paths;
use devstack::process::rest;
use devstack::report::{Outcome, Report};

use super::disturbance::Disturbance;
use super::idle::refuses_idle_scenarios;
use super::progress::Progress;
use super::target::{Choice, Target};
use super::{Load, Plan, Profile, Summary, gates, knee};

/// The load to run.
pub struct Options<'a> {
    /// Its profile.
    pub profile: Profile,
    /// How long it lasts; by default, the profile's duration.
    pub duration: Option<Duration>,
    /// Requests per second, instead of the profile's own.
    pub rate: Option<u32>,
    /// Whether the proof fails when a threshold or a gate is not met.
    pub gate: bool,
    /// The disturbance after a third of the run; it requires a stack that is started for the load.
    pub during: Option<Disturbance>,
    /// Where it runs.
    pub target: Choice<'a>,
}

/// Adds the load and the results of its scenarios to a report.
pub fn add(report: &mut Report, options: &Options) -> Result<()> {
    let Options { profile, gate, .. } = *options;
    let duration = options.duration.unwrap_or_else(|| profile.lasts());
    let fails_requests = options.during.is_some_and(|disturbance| !disturbance.is_hidden());
    ensure!(!(gate && fails_requests), "--gate cannot be used while Postgres restarts: requests fail on purpose, and k6 counts them");
    let rate = match (profile, options.rate) {
        (Profile::Overload, None) => Some(knee::overload()?),
        (_, rate) => rate,
    };
    if gate {
        report.step("the gate rejects a run in which no journey completes", || {
            let folder = paths::temporary("load-gate")?;
            let scenarios = refuses_idle_scenarios(profile, folder.path())?;
            Ok(Outcome::passed().with_note(format!("{scenarios} scenarios")))
        })?;
    }
    let started = report.obtain("a stack for the load", || {
        let (found, note) = Target::find(&options.target)?;
        ensure!(
            !gate || profile.gates().is_empty() || found.prometheus.is_some(),
            "the gates of {} are read from the Prometheus of `up`: with --gate, --edge must be the edge of `up`",
            profile.name()
        );
        ensure!(options.during.is_none() || found.own.is_some(), "--during needs a stack of its own: run `cargo xtask down` first");
        Ok((found, Outcome::passed().with_note(note)))
    })?;
    let Some(mut target) = started else { return Ok(()) };
    let Some(Run { summary, took, disturbed }) = run(report, &mut target, options, duration, rate)? else { return Ok(()) };
    if let (Some(disturbance), Some(outcome)) = (options.during, disturbed) {
        report.step(disturbance.name(), || outcome)?;
        if disturbance.is_hidden() {
            report.step("no request failed", || Ok(Outcome::from(summary.failed == 0.0).with_note(format!("of {}", summary.requests))))?;
        }
    }
    judge(report, &summary, profile, gate)?;
    if let (true, Some(prometheus)) = (gate, &target.prometheus) {
        gates::add(report, profile.gates(), prometheus, took)?;
    }
    drop(target.own);
    Ok(())
}

/// A finished run.
struct Run {
    summary: Summary,
    took: Duration,
    /// The result of the disturbance, if there was one.
    disturbed: Option<Result<Outcome>>,
}

fn run(report: &mut Report, target: &mut Target, options: &Options, duration: Duration, rate: Option<u32>) -> Result<Option<Run>> {
    let Options { profile, during, .. } = *options;
    let file = |name: &str| paths::proofs().join(format!("load-{}{name}", profile.name()));
    let page = file(".html");
    let result = report.obtain(format!("{} for {} s", profile.name(), duration.as_secs()), || {
        let Target { edge, prometheus, own } = target;
        let began = Instant::now();
        let summary = file("-k6.json");
        let prometheus = prometheus.as_deref();
        let plan = Plan { edge, prometheus, profile, duration, rate, summary: &summary, page: Some(&page) };
        let mut progress = prometheus.map(Progress::new);
        let load = Load::start(&plan)?;
        // The disturbance stays in this thread: the processes that it starts end with the thread that started them.
        let (summary, disturbed) = thread::scope(|scope| {
            let running = scope.spawn(move || load.finish(|| progress.iter_mut().for_each(Progress::tick)));
            let disturbed = during.zip(own.as_mut()).map(|(disturbance, (stack, _))| {
                rest(duration / 3)?;
                disturbance.cause(stack)
            });
            (running.join().unwrap_or_else(|_| Err(anyhow!("the thread of the load panicked"))), disturbed)
        });
        let summary = summary?;
        let outcome = Outcome::from(summary.requests > 0.0).with_note(figures(&summary));
        Ok((Run { summary, took: began.elapsed(), disturbed }, outcome))
    })?;
    report.step("a page with graphs", || {
        let size = fs::metadata(&page).with_context(|| format!("k6 left no {}", page.display()))?.len();
        ensure!(size > 0, "{} is empty", page.display());
        Ok(Outcome::passed().with_note(page.display().to_string()))
    })?;
    Ok(result)
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

/// Reports the result of every scenario; with `gate`, also whether every threshold was met. `peak` raises its rate until a gate breaks, so
/// the knee is reported instead of the thresholds.
fn judge(report: &mut Report, summary: &Summary, profile: Profile, gate: bool) -> Result<()> {
    for (scenario, journeys) in &summary.journeys {
        let note = format!("{} done, {} failed", journeys.done, journeys.failed);
        report.step(scenario, || Ok(Outcome::from(journeys.done > 0.0).with_note(note)))?;
    }
    if profile == Profile::Peak {
        return report.step("the knee", || knee::keep(&paths::proofs().join("k6.log")));
    }
    if gate {
        report.step("there are thresholds", || Ok(Outcome::from(!summary.thresholds.is_empty())))?;
        for (threshold, held) in &summary.thresholds {
            report.step(threshold, || Ok(Outcome::from(*held)))?;
        }
    }
    Ok(())
}
