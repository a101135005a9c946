//! Runs batches of drills, one batch after the other, on a stack under load. A run of all drills in the demo form ends with the proof of
//! Watchdog, and writes docs/ALERTS.md if everything passed. `quiet` proves the opposite: that no alert fires without a cause.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use devstack::form::Form;
use devstack::paths;
use devstack::ports::Port;
use devstack::process::{pause, wait_until};
use devstack::report::{Outcome, Report};
use devstack::stack::PROGRAMS;
use devstack::tools::{K6, SOCKET_IO_CLIENT, Tool};
use rustix::process::Signal;

use super::test_stack::TestStack;
use super::{Drill, document, run, schedule, watch};
use crate::load::{Load, Plan, Profile};

/// The tools that drills need.
#[must_use]
pub fn programs() -> Vec<&'static Tool> {
    PROGRAMS.into_iter().chain([&SOCKET_IO_CLIENT, &K6]).collect()
}

/// The drills to run.
pub enum Selection<'a> {
    /// Every drill.
    All,
    /// The drills of these alerts. The name of an alert selects all its variants; a key such as `MonitoringBroken:rules` selects one.
    Named(&'a [String]),
    /// The drills of the short check, which writes no document.
    Short,
}

impl Selection<'_> {
    /// The drills in batches, in the order of the schedule.
    fn batches(&self) -> Result<Vec<Vec<&'static Drill>>> {
        let whole = |batches: &'static [&'static [Drill]]| batches.iter().map(|batch| batch.iter().collect()).collect();
        match self {
            Self::All => Ok(whole(schedule::ALL)),
            Self::Named(names) => chosen(names),
            Self::Short => Ok(schedule::SHORT.iter().map(|batch| batch.iter().collect()).collect()),
        }
    }

    fn record(&self, form: Form) -> Record {
        match (form, self) {
            // The document describes the demo form only.
            (Form::Production, _) | (_, Self::Short) => Record::None,
            (Form::Demo, Self::All) => Record::Whole,
            (Form::Demo, Self::Named(_)) => Record::Rows,
        }
    }
}

/// Adds drills to a report.
pub fn add(report: &mut Report, selection: &Selection, speed: u32, form: Form) -> Result<()> {
    run_all(report, &selection.batches()?, speed, form, selection.record(form))
}

/// The drills of the named alerts, in the order of the schedule.
fn chosen(names: &[String]) -> Result<Vec<Vec<&'static Drill>>> {
    let is_of = |name: &String, drill: &Drill| drill.alerts.iter().any(|alert| *alert == name || watch::parts(alert).0 == name);
    for name in names {
        ensure!(schedule::ALL.iter().flat_map(|batch| batch.iter()).any(|drill| is_of(name, drill)), "{name} is not in the schedule");
    }
    let batches = schedule::ALL.iter().map(|batch| batch.iter().filter(|drill| names.iter().any(|name| is_of(name, drill))).collect());
    Ok(batches.filter(|batch: &Vec<&Drill>| !batch.is_empty()).collect())
}

/// Which part of docs/ALERTS.md to write.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Record {
    None,
    /// The rows of the alerts that passed.
    Rows,
    /// The whole document, if every alert passed.
    Whole,
}

fn run_all(report: &mut Report, batches: &[Vec<&Drill>], speed: u32, form: Form, record: Record) -> Result<()> {
    let folder = paths::temporary("drill")?;
    let started = report.obtain(format!("a stack under load, its monitoring at {speed} times the speed"), || {
        let test = TestStack::start(folder.path().to_owned(), speed, form)?;
        let load = load(&test, Duration::from_hours(2))?;
        Ok(((load, test), Outcome::passed()))
    })?;
    let Some((_load, mut test)) = started else { return Ok(()) };
    let mut drilled = Vec::new();
    for batch in batches {
        let mut of_batch = run::batch(report, &mut test, batch, speed)?;
        if record == Record::Rows {
            of_batch.retain(|drill| drill.times.are_complete());
            document::update(&test, &of_batch)?;
        }
        drilled.extend(of_batch);
    }
    if record == Record::Whole {
        report.step("Watchdog", || {
            let outcome = watchdog(&mut test, speed)?;
            if outcome.failed == 0 && drilled.iter().all(|drill| drill.times.are_complete()) {
                document::write(&test, speed, &drilled)?;
            }
            Ok(outcome)
        })?;
    }
    Ok(())
}

/// The load that runs during drills.
pub fn load(test: &TestStack, duration: Duration) -> Result<Load> {
    let prometheus = test.url(Port::Prometheus)?;
    let (edge, summary) = (test.stack.edge()?, test.folder().join("load"));
    let prometheus = Some(&*prometheus);
    Load::start(&Plan { edge: &edge, prometheus, profile: Profile::Demo, duration, rate: None, summary: &summary, page: None })
}

/// Proves that Watchdog, which always fires, notifies its receiver repeatedly, but not while Alertmanager is frozen.
fn watchdog(test: &mut TestStack, speed: u32) -> Result<Outcome> {
    // Far above Watchdog's `repeat_interval`, which is five minutes at speed 1.
    let limit = Duration::from_mins(30) / speed + Duration::from_secs(15);
    let received = watch::mail_to(test, "dead-man@vitrine.example")?;
    until_notified(test, received, limit)?;
    test.stack.signal("alertmanager", Signal::STOP)?;
    let silent = watch::mail_to(test, "dead-man@vitrine.example")?;
    let start = Instant::now();
    while start.elapsed() < limit {
        pause()?;
    }
    let still = watch::mail_to(test, "dead-man@vitrine.example")?;
    test.stack.signal("alertmanager", Signal::CONT)?;
    ensure!(still == silent, "a frozen Alertmanager sent {} notifications", still - silent);
    until_notified(test, still, limit)?;
    Ok(Outcome::passed().with_note("notified repeatedly, not while Alertmanager was frozen, and again afterwards"))
}

fn until_notified(test: &TestStack, before: usize, limit: Duration) -> Result<()> {
    wait_until("the dead man's switch is notified", limit, || Ok(watch::mail_to(test, "dead-man@vitrine.example")? > before))
}
