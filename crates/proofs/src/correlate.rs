//! Proves that an operator gets from a slow panel to its cause, one hop after the other, on a stack whose traces and logs pass a real
//! collector: a fault makes one table slow; the panel names the route, a log line the request, and the trace of that request the statement,
//! the job that it wrote, the event of that job, and its delivery by the other replicas. Then it proves which traces are kept, and that
//! lost ones are counted.
//!
//! `correlate/stage` starts the stack, `correlate/hops` follows the request, `correlate/loss` stops the collector, and `correlate/sample`
//! counts the kept traces of several shares.

mod hops;
mod loss;
mod sample;
mod stage;

use anyhow::Result;
use devstack::paths;
use devstack::report::{Outcome, Report};
use devstack::stack::PROGRAMS;
use devstack::tools::{ROTEL, SOCKET_IO_CLIENT, Tool};

use stage::Stage;

/// The tools that the proof needs.
#[must_use]
pub fn programs() -> Vec<&'static Tool> {
    PROGRAMS.into_iter().chain([&SOCKET_IO_CLIENT, &ROTEL]).collect()
}

/// Adds the proof to a report.
pub fn add(report: &mut Report) -> Result<()> {
    let folder = paths::temporary("correlate")?;
    let started = report.obtain("a whole stack with traces", || Ok((Stage::set(folder.path().to_owned())?, Outcome::passed())))?;
    let Some(mut stage) = started else { return Ok(()) };
    hops::follow(report, &mut stage)?;
    report.step("`trace failed` finds the request that failed last", || hops::failure(&stage))?;
    loss::prove(report, &mut stage)?;
    sample::prove(report, &mut stage)
}
