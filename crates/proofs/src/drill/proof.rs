//! The proof: a stack under load, the batches of drills one after the other, and Watchdog's own drill. `quiet` proves the opposite: that
//! no alert fires without a cause.

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

use super::bench::Bench;
use super::{Drill, document, run, schedule, watch};
use crate::load::Load;

/// The tools that a drill needs.
#[must_use]
pub fn programs() -> Vec<&'static Tool> {
    PROGRAMS.into_iter().chain([&SOCKET_IO_CLIENT, &K6]).collect()
}

/// The drills to run.
pub enum Selection<'a> {
    /// Every alert's.
    All,
    /// Those of these alerts, or of single variants of one.
    Named(&'a [String]),
    /// Those of a short check, which writes no document.
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

    fn account(&self, form: Form) -> Account {
        match (form, self) {
            // The document describes the demo form only.
            (Form::Production, _) | (_, Self::Short) => Account::None,
            (Form::Demo, Self::All) => Account::Whole,
            (Form::Demo, Self::Named(_)) => Account::Rows,
        }
    }
}

/// Adds drills to a report.
pub fn add(report: &mut Report, selection: &Selection, speed: u32, form: Form) -> Result<()> {
    run_all(report, &selection.batches()?, speed, form, selection.account(form))
}

/// The drills of the named alerts, in the order of the schedule.
fn chosen(names: &[String]) -> Result<Vec<Vec<&'static Drill>>> {
    let is_of = |name: &String, drill: &Drill| drill.alerts.iter().any(|alert| *alert == name || watch::parts(alert).0 == name);
    for name in names {
        ensure!(schedule::ALL.iter().flat_map(|batch| batch.iter()).any(|drill| is_of(name, drill)), "{name} has no drill");
    }
    let batches = schedule::ALL.iter().map(|batch| batch.iter().filter(|drill| names.iter().any(|name| is_of(name, drill))).collect());
    Ok(batches.filter(|batch: &Vec<&Drill>| !batch.is_empty()).collect())
}

/// Which part of docs/ALERTS.md to write.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Account {
    None,
    /// The rows of the drilled alerts.
    Rows,
    /// The whole document, when every drill passed.
    Whole,
}

fn run_all(report: &mut Report, batches: &[Vec<&Drill>], speed: u32, form: Form, account: Account) -> Result<()> {
    let folder = paths::temporary("drill")?;
    let mut started = None;
    report.step(format!("a stack under load, its monitoring at {speed} times the speed"), || {
        let bench = Bench::start(folder.path().to_owned(), speed, form)?;
        let load = load(&bench, Duration::from_hours(2))?;
        started = Some((load, bench));
        Ok(Outcome::passed())
    })?;
    let Some((_load, mut bench)) = started else { return Ok(()) };
    let mut drilled = Vec::new();
    for batch in batches {
        let mut of_batch = run::batch(report, &mut bench, batch, speed)?;
        if account == Account::Rows {
            of_batch.retain(|drill| drill.times.are_complete());
            document::update(&bench, &of_batch)?;
        }
        drilled.extend(of_batch);
    }
    if account == Account::Whole {
        report.step("Watchdog", || watchdog(&mut bench, speed))?;
        if drilled.iter().all(|drill| drill.times.are_complete()) {
            document::write(&bench, speed, &drilled)?;
        }
    }
    Ok(())
}

/// The load that runs during drills.
pub fn load(bench: &Bench, duration: Duration) -> Result<Load> {
    let prometheus = bench.url(Port::Prometheus)?;
    Load::start(&bench.stack.edge()?, Some(&prometheus), "demo", duration, &bench.folder().join("load"))
}

/// Proves that the alert that always fires notifies its receiver repeatedly, and stops doing so while nobody sends it.
fn watchdog(bench: &mut Bench, speed: u32) -> Result<Outcome> {
    // `repeat_interval` of its route, plus a margin.
    let limit = Duration::from_mins(30) / speed + Duration::from_secs(15);
    let heard = watch::mail_to(bench, "dead-man@vitrine.example")?;
    until_heard(bench, heard, limit)?;
    bench.stack.signal("alertmanager", Signal::STOP)?;
    let silent = watch::mail_to(bench, "dead-man@vitrine.example")?;
    let start = Instant::now();
    while start.elapsed() < limit {
        pause()?;
    }
    let still = watch::mail_to(bench, "dead-man@vitrine.example")?;
    bench.stack.signal("alertmanager", Signal::CONT)?;
    ensure!(still == silent, "a frozen Alertmanager sent {} notifications", still - silent);
    until_heard(bench, still, limit)?;
    Ok(Outcome::passed().with_note("notified repeatedly, not while Alertmanager was frozen, and again afterwards"))
}

fn until_heard(bench: &Bench, before: usize, limit: Duration) -> Result<()> {
    wait_until("the dead man's switch notifies", limit, || Ok(watch::mail_to(bench, "dead-man@vitrine.example")? > before))
}
