//! CPU and memory of each process of a stack without containers, idle and under load, compared with the limits in `limits`.
//!
//! `load` judges the gates of a load profile; `peers` compares the cost of one replica with that of other servers.

mod limits;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use devstack::cargo;
use devstack::paths;
use devstack::ports::{MAX_REPLICAS, Port, Ports};
use devstack::process::rest;
use devstack::report::{Outcome, Report};
use devstack::stack::{PROGRAMS, Plan, Stack};
use devstack::tools::{K6, Tool};

use self::limits::{Limit, Phase, STACK_MIB, limit_of};
use crate::load::{self, Load, Profile};
use crate::machine::{TICKS_PER_SECOND, cpu_ticks, shared_out_kib};

const KIB_PER_MIB: f64 = 1024.0;
/// Number of connections that `counter_proof` opens, so that Postgres exceeds its memory limit.
const HELD: u16 = 150;
/// Time for these connections to open.
const HOLD: Duration = Duration::from_secs(4);

/// The tools that the proof needs.
#[must_use]
pub fn programs() -> Vec<&'static Tool> {
    PROGRAMS.into_iter().chain([&K6]).collect()
}

/// What to measure, and how long.
pub struct Options {
    /// The load during the second measurement.
    pub profile: Profile,
    /// Waiting time before each measurement, in which the use of CPU and memory becomes steady.
    pub settle: Duration,
    /// Length of each measurement.
    pub length: Duration,
    /// Whether the binaries are optimised.
    pub release: bool,
}

impl Options {
    /// The short form that `ci` runs.
    #[must_use]
    pub fn short() -> Self {
        Self { profile: Profile::Demo, settle: Duration::from_secs(3), length: Duration::from_secs(6), release: false }
    }
}

/// The figures of a process over a period.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Figures {
    /// Share of one core, in percent.
    cpu: f64,
    /// Memory at the end in MiB; shared pages are divided among the processes that share them.
    memory: f64,
}

/// Adds the proof to a report.
pub fn add(report: &mut Report, options: &Options) -> Result<()> {
    let folder = paths::temporary("footprint")?;
    let started = report.obtain("a stack", || {
        let stack = Stack::start(Plan {
            folder: folder.path().to_owned(),
            ports: Ports::any(MAX_REPLICAS)?,
            replicas: MAX_REPLICAS,
            binary: cargo::binary(options.release),
            engine: None,
            settings: Vec::new(),
        })?;
        Ok((stack, Outcome::passed()))
    })?;
    let Some(mut stack) = started else { return Ok(()) };
    measured(report, &mut stack, Phase::Idle, options)?;
    let phase = Phase::of(options.profile);
    let started = report.obtain(format!("load: {}", options.profile.name()), || {
        let summary = folder.path().join("load/k6.json");
        let prometheus = stack.ports().url(Port::Prometheus)?;
        let load = Load::start(&load::Plan {
            edge: &stack.edge()?,
            prometheus: Some(&prometheus),
            profile: options.profile,
            // Longer than the measurement, after which the load is stopped.
            duration: Duration::from_hours(1),
            rate: None,
            summary: &summary,
            page: None,
        })?;
        Ok((load, Outcome::passed()))
    })?;
    let Some(load) = started else { return Ok(()) };
    measured(report, &mut stack, phase, options)?;
    report.step("the load sent requests", || {
        let summary = load.stop()?;
        Ok(Outcome::from(summary.requests > 0.0).with_note(format!("{} requests", summary.requests)))
    })?;
    report.step("a Postgres with 150 more connections exceeds its limit", || counter_proof(&mut stack))
}

/// Adds a row for each process, and one for the sum of all processes.
fn measured(report: &mut Report, stack: &mut Stack, phase: Phase, options: &Options) -> Result<()> {
    let start = Instant::now();
    let mut figures = BTreeMap::new();
    report.step(format!("{}: measured for {} s", phase.name(), options.length.as_secs()), || {
        rest(options.settle)?;
        figures = measure(stack, options.length)?;
        Ok(Outcome::passed().with_note(format!("{} processes", figures.len())))
    })?;
    for (name, figures) in &figures {
        let outcome = limit_of(name, phase).map_or_else(|error| Outcome::failed(format!("{error:#}")), |limit| judged(*figures, limit));
        report.add(format!("{}: {name}", phase.name()), start.elapsed(), outcome);
    }
    let memory: f64 = figures.values().map(|figures| figures.memory).sum();
    let cpu: f64 = figures.values().map(|figures| figures.cpu).sum();
    let note = format!("{cpu:.0} % of a core, {memory:.0} of {STACK_MIB:.0} MiB");
    report.add(format!("{}: all", phase.name()), start.elapsed(), Outcome::from(memory < STACK_MIB).with_note(note));
    Ok(())
}

fn judged(figures: Figures, limit: Limit) -> Outcome {
    let note = format!("{:.1} of {:.0} % of a core, {:.0} of {:.0} MiB", figures.cpu, limit.cpu, figures.memory, limit.memory);
    Outcome::from(figures.cpu < limit.cpu && figures.memory < limit.memory).with_note(note)
}

/// The figures of each process, by name.
fn measure(stack: &Stack, length: Duration) -> Result<BTreeMap<String, Figures>> {
    let processes = stack.processes();
    let before: Vec<u64> = processes.iter().map(|(_, pid)| cpu_ticks(*pid)).collect();
    let start = Instant::now();
    rest(length)?;
    let seconds = start.elapsed().as_secs_f64();
    let figures = processes.iter().zip(before).map(|((name, pid), before)| {
        #[expect(clippy::cast_precision_loss, reason = "ticks and KiB are far below 2^52")]
        let (ticks, kib) = (cpu_ticks(*pid).saturating_sub(before) as f64, shared_out_kib(*pid) as f64);
        ensure!(kib > 0.0, "{name} has no memory: it ended, or belongs to another user");
        Ok((name.clone(), Figures { cpu: ticks / TICKS_PER_SECOND / seconds * 100.0, memory: kib / KIB_PER_MIB }))
    });
    figures.collect()
}

/// Opens connections to Postgres, which starts a process for each connection: Postgres must then exceed its limit of memory.
fn counter_proof(stack: &mut Stack) -> Result<Outcome> {
    let held = stack.hold_connections(HELD)?;
    rest(HOLD)?;
    let figures = measure(stack, Duration::from_secs(1))?;
    drop(held);
    let postgres = figures.get("postgres").context("there is no process postgres")?;
    let limit = limit_of("postgres", Phase::Idle)?;
    let is_too_large = postgres.memory > limit.memory;
    let outcome = judged(*postgres, limit);
    Ok(Outcome::from(outcome.failed == 1 && is_too_large).with_note(outcome.note))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn either_figure_above_its_limit_fails() {
        let limit = Limit { cpu: 5.0, memory: 100.0 };
        let outcome = |cpu, memory| judged(Figures { cpu, memory }, limit).failed;
        assert_eq!(outcome(4.9, 99.0), 0);
        assert_eq!(outcome(5.1, 99.0), 1);
        assert_eq!(outcome(4.9, 101.0), 1);
    }
}
