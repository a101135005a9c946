//! Traces that no collector receives are counted, delay no request, and are the only ones that are lost.

use std::time::Duration;

use anyhow::{Result, ensure};
use devstack::process::{rest, wait_until};
use devstack::report::{Outcome, Report};
use devstack::traces::TraceId;
use rustix::process::Signal;
use serde_json::json;

use super::stage::{Stage, id_of};

/// Number of requests without a collector, and after its restart.
const REQUESTS: u32 = 40;
/// Longer than replicas gather traces.
const QUIET: Duration = Duration::from_millis(1500);
/// Time limit for replicas to count what they have lost.
const LIMIT: Duration = Duration::from_mins(1);

/// Counts of the replicas.
#[derive(Clone, Copy, PartialEq)]
struct Counts {
    lost: f64,
    /// Attempts at jobs: each has a trace, too.
    jobs: f64,
}

impl Counts {
    fn of(stage: &Stage) -> Result<Self> {
        let lost = stage.sum("telemetry_export_failures_total", "signal=\"traces\"")?;
        Ok(Self { lost, jobs: stage.sum("jobs_total", "")? })
    }

    /// The counts when no trace waits for its export.
    fn at_rest(stage: &Stage) -> Result<Self> {
        let mut counts = Self::of(stage)?;
        wait_until("no trace waits for its export", LIMIT, || {
            rest(QUIET)?;
            let last = std::mem::replace(&mut counts, Self::of(stage)?);
            Ok(last == counts)
        })?;
        Ok(counts)
    }

    fn since(self, before: Self) -> Self {
        Self { lost: self.lost - before.lost, jobs: self.jobs - before.jobs }
    }
}

/// Stops the collector, sends requests, starts it again, and sends more.
pub fn prove(report: &mut Report, stage: &mut Stage) -> Result<()> {
    // The requests of the probes have traces, too, as have the subscriptions of clients that reconnect.
    stage.test.stack.signal("blackbox-exporter", Signal::STOP)?;
    stage.listeners.ask(&json!({ "command": "leave" }))?;
    report.step("without a collector every request succeeds, and each lost trace is counted", || {
        stage.test.stack.stop_collector()?;
        let before = Counts::at_rest(stage)?;
        let sent = send(stage)?;
        let mut note = String::new();
        let waited = wait_until("the loss is counted", LIMIT, || {
            let (Counts { lost, jobs }, received) = (Counts::of(stage)?.since(before), stage.kept(&sent)?);
            note = format!("{REQUESTS} requests and {jobs} jobs, {received} received, {lost} counted as lost");
            // Every trace is either received or counted.
            let missing = f64::from(REQUESTS) + jobs - lost - f64::from(u32::try_from(received)?);
            Ok(missing.abs() < 0.5)
        });
        ensure!(waited.is_ok(), "{note}");
        Ok(Outcome::passed().with_note(note))
    })?;
    report.step("after its restart the collector receives every trace", || {
        stage.test.stack.start_collector_again()?;
        let between = Counts::of(stage)?;
        let sent = send(stage)?;
        stage.wait_for(&sent)?;
        let lost = Counts::of(stage)?.since(between).lost;
        ensure!(lost < 0.5, "{lost} counted as lost");
        Ok(Outcome::passed().with_note(format!("{REQUESTS} sent, {REQUESTS} received, 0 counted as lost")))
    })
}

fn send(stage: &Stage) -> Result<Vec<TraceId>> {
    let request = |_| {
        let answer = stage.request("GET", "/api/projects", None)?;
        ensure!(answer.status == 200, "{} {}", answer.status, answer.body);
        id_of(&answer)
    };
    (0..REQUESTS).map(request).collect()
}
