//! Injects the faults kill, hang and slow into each dependency and a replica, and compares the reports of the probes, the edge and the
//! monitoring with the table in `cells`. Measures the time until the probes and the edge report a healthy service again.
//!
//! `cells` has the faults and the expected reports, `observe` reads the actual ones, `judge` compares them, and `document` writes
//! docs/RELIABILITY.md. `drill` proves that each alert notifies and resolves.

mod cells;
mod document;
mod judge;
mod observe;

use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use devstack::form::Form;
use devstack::paths;
use devstack::process::{pause, wait_until};
use devstack::report::{Outcome, Report};
use devstack::stack::PROGRAMS;
use devstack::tools::Tool;

use self::cells::{CELLS, Cell, Fault, REPLICA, Target};
use self::document::Measured;
use self::judge::{differences, is_normal};
use self::observe::{Observer, observe};
use crate::drill::test_stack::TestStack;
use crate::drill::watch;

/// The speed of the monitoring, as in the drills.
const SPEED: u32 = 30;
/// Time limit from a fault to the expected reports: at [`SPEED`], longer than the window and the `for` of any expected alert together.
const REPORT_LIMIT: Duration = Duration::from_secs(75);
/// How long the reports must stay as expected. The edge needs less time to exclude a replica: 2 s, for two failed health checks.
const HOLD: Duration = Duration::from_secs(3);
/// Time limit from the recovery until the alerts have resolved. Without this wait, they would count for the next fault.
const QUIET_LIMIT: Duration = Duration::from_mins(2);
/// Time limit in `counter_proof` from the fault until the comparison finds the unready replica, normally within two seconds.
const COUNTER_LIMIT: Duration = Duration::from_secs(6);

/// The tools that the proof needs.
pub const TOOLS: [&Tool; 10] = PROGRAMS;

/// Which cells to prove.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Extent {
    /// All cells; writes docs/RELIABILITY.md if they and the counter-proof pass.
    Whole,
    /// Only the hang of a replica and the kill of Redis: the form that `ci` runs without `--full`.
    Short,
}

impl Extent {
    fn cells(self) -> impl Iterator<Item = &'static Cell> {
        let is_short = |cell: &&Cell| matches!((cell.target, cell.fault), (Target::Replica, Fault::Hang) | (Target::Redis, Fault::Kill));
        CELLS.iter().filter(move |cell| self == Self::Whole || is_short(cell))
    }
}

/// Adds the proof to a report.
pub fn add(report: &mut Report, extent: Extent) -> Result<()> {
    let folder = paths::temporary("health-matrix")?;
    let started = report.obtain(format!("a stack, its monitoring at {SPEED} times the speed"), || {
        let test = TestStack::start(folder.path().to_owned(), SPEED, Form::Demo)?;
        let observer = Observer::new(&test)?;
        until_normal(&observer, Instant::now(), REPORT_LIMIT)?;
        Ok(((test, observer), Outcome::passed()))
    })?;
    let Some((mut test, observer)) = started else { return Ok(()) };
    let mut measured = Vec::new();
    for cell in extent.cells() {
        report.step(cell.name(), || {
            let found = prove(&mut test, &observer, cell)?;
            let note = format!("recovered in {:.1} s", found.recovery.as_secs_f64());
            measured.push(found);
            Ok(Outcome::passed().with_note(note))
        })?;
        // Leftovers of a failed cell must not affect the next one.
        test.resolved();
        test.end_faults()?;
    }
    report.step("a replica that wrongly requires Redis is found", || {
        let outcome = counter_proof(&mut test, &observer)?;
        if extent == Extent::Whole && measured.len() == CELLS.len() {
            document::write(&measured)?;
        }
        Ok(outcome)
    })
}

fn prove(test: &mut TestStack, observer: &Observer, cell: &'static Cell) -> Result<Measured> {
    let mitigation = (cell.drill.inject)(test)?;
    let injected = Instant::now();
    let reported = until_reported(test, observer, cell);
    // The fault ends even if the reports were wrong.
    let recovered = recovery(observer, cell.recovery, || mitigation(test));
    let slowest = reported.with_context(|| format!("after {} s", injected.elapsed().as_secs()))?;
    let recovery = recovered?;
    let is_quiet = |test: &TestStack| {
        let firing = watch::firing(test)?;
        Ok(!firing.iter().any(|labels| cell.drill.alerts.iter().any(|alert| watch::is(alert, labels)) || judge::is_down_alert(labels)))
    };
    wait_until("the alerts of the fault resolve", QUIET_LIMIT, || is_quiet(test))?;
    Ok(Measured { cell, slowest, recovery })
}

/// Waits until every report has been as expected for [`HOLD`]. Returns the duration of the slowest request in that time.
fn until_reported(test: &TestStack, observer: &Observer, cell: &Cell) -> Result<Duration> {
    let mut since: Option<(Instant, Duration)> = None;
    let mut wrong = Vec::new();
    let waited = wait_until(&format!("{} is reported as expected", cell.name()), REPORT_LIMIT, || {
        let reports = observe(test, observer)?;
        wrong = differences(cell, &reports);
        since = wrong.is_empty().then(|| {
            let (start, slowest) = since.unwrap_or((Instant::now(), Duration::ZERO));
            (start, slowest.max(reports.service.edge.slowest))
        });
        Ok(since.is_some_and(|(start, _)| start.elapsed() >= HOLD))
    });
    waited.with_context(|| wrong.join("; "))?;
    Ok(since.map(|(_, slowest)| slowest).unwrap_or_default())
}

/// Ends a fault and returns the time from the start of its repair until every probe and the edge report a healthy service.
fn recovery(observer: &Observer, limit: Duration, repair: impl FnOnce() -> Result<()>) -> Result<Duration> {
    let start = Instant::now();
    thread::scope(|scope| {
        let watching = scope.spawn(|| until_normal(observer, start, limit));
        let repaired = repair();
        let recovered = watching.join().map_err(|_| anyhow::anyhow!("the observer panicked"))?;
        repaired.and(recovered)
    })
}

fn until_normal(observer: &Observer, start: Instant, limit: Duration) -> Result<Duration> {
    loop {
        let service = observer.service()?;
        if is_normal(&service) {
            return Ok(start.elapsed());
        }
        ensure!(start.elapsed() < limit, "not recovered after {:.1} s: {service:?}", start.elapsed().as_secs_f64());
        pause()?;
    }
}

/// Restarts a replica with a readiness that depends on Redis, and kills Redis: the comparison must find the unready replica.
fn counter_proof(test: &mut TestStack, observer: &Observer) -> Result<Outcome> {
    let cell = CELLS.iter().find(|cell| (cell.target, cell.fault) == (Target::Redis, Fault::Kill)).context("no such cell")?;
    test.stack.end_replica(REPLICA, rustix::process::Signal::TERM)?;
    test.stack.launch_successor(REPLICA, &[("READINESS_REQUIRES", "postgres,redis")])?;
    until_normal(observer, Instant::now(), REPORT_LIMIT)?;
    let mitigation = (cell.drill.inject)(test)?;
    let mut found = Vec::new();
    let waited = wait_until("the unready replica is found", COUNTER_LIMIT, || {
        found = differences(cell, &observe(test, observer)?);
        Ok(found.iter().any(|difference| difference.contains("503 unready")))
    });
    mitigation(test)?;
    waited.with_context(|| found.join("; "))?;
    Ok(Outcome::passed().with_note(found.join("; ")))
}
