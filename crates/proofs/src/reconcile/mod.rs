//! Replaces replicas one after the other under load, and checks that Prometheus' sums over all replicas equal the clients' counts exactly.
//! Both sides count requests (by method, route and status), Socket.IO connections and messages, and cache look-ups.
//!
//! `counts` holds and compares counts, `requests` and `talkers` are the clients, and `sums` reads Prometheus. The crate's module
//! [`load`](crate::load) generates load without exact counts, and [`roll`](crate::roll) proves how a rolling restart affects clients.

mod counts;
mod requests;
mod sums;
mod talkers;

use std::time::Duration;

use anyhow::{Result, ensure};
use devstack::cargo;
use devstack::http::get;
use devstack::paths;
use devstack::ports::{MAX_REPLICAS, Ports};
use devstack::process::rest;
use devstack::report::{Outcome, Report};
use devstack::stack::{PROGRAMS, Plan, Stack};
use devstack::tools::{SOCKET_IO_CLIENT, Tool};
use rustix::process::Signal;

use self::counts::Counts;
use self::requests::Requests;
use self::talkers::Talkers;

/// The monitoring's intervals are divided by this number: Prometheus scrapes once per second.
const SPEED: u32 = 15;
/// Time for which a stopping replica still answers scrapes. The edge sends it no more requests after two seconds. From then on, its
/// counts of client requests do not change, so the last scrapes have the final values.
const DRAIN_DELAY: &str = "6s";
/// Time for which requests arrive before the first replica is replaced, and after the last replica is replaced.
const CALM: Duration = Duration::from_secs(3);

/// The tools that the proof needs.
#[must_use]
pub fn programs() -> Vec<&'static Tool> {
    PROGRAMS.into_iter().chain([&SOCKET_IO_CLIENT]).collect()
}

/// Adds the proof to a report; `replaced` is the number of replicas to replace.
pub fn add(report: &mut Report, replaced: u16) -> Result<()> {
    let folder = paths::temporary("reconcile")?;
    let started = report.obtain("a stack that is scraped every second", || {
        let mut stack = Stack::start_at(
            Plan {
                folder: folder.path().to_owned(),
                ports: Ports::any(MAX_REPLICAS)?,
                replicas: MAX_REPLICAS,
                binary: cargo::binary(false),
                engine: None,
                // The load, the replicas and the monitoring share one machine. A request may therefore wait for a database connection
                // longer than production allows.
                settings: [("DRAIN_DELAY", DRAIN_DELAY), ("DATABASE_ACQUIRE_TIMEOUT", "5s")]
                    .map(|(name, value)| (name.to_owned(), value.to_owned()))
                    .to_vec(),
            },
            SPEED,
        )?;
        // The replicas also count the requests of the probes.
        stack.signal("blackbox-exporter", Signal::STOP)?;
        rest(CALM)?;
        sums::await_scrapes(&stack)?;
        let before = sums::read(&stack)?;
        Ok(((stack, before), Outcome::passed()))
    })?;
    let Some((mut stack, before)) = started else { return Ok(()) };
    let mut counted = Counts::default();
    report.step(format!("clients, while {replaced} replicas are replaced"), || {
        counted = drive(&mut stack, replaced)?;
        Ok(Outcome::passed().with_note(counted.summary()))
    })?;
    report.step("Prometheus' sums equal the clients' counts", || {
        ensure!(!counted.is_empty(), "the clients counted nothing, so nothing is proven");
        counted.merge(before);
        sums::await_scrapes(&stack)?;
        let differences = counted.differences(&sums::read(&stack)?);
        for difference in &differences {
            eprintln!("{difference}");
        }
        ensure!(differences.is_empty(), "{} differences, first {}", differences.len(), differences[0]);
        Ok(Outcome::passed().with_note(format!("{} series, {} processes", counted.len(), sums::processes(&stack)?.len())))
    })?;
    report.step("Prometheus' sums show one request that no client counted", || counter_proof(&stack, &counted))
}

/// Runs the clients while replicas are replaced; returns the clients' counts.
fn drive(stack: &mut Stack, replaced: u16) -> Result<Counts> {
    let edge = stack.edge()?;
    let mut talkers = Talkers::connect(&edge)?;
    talkers.talk()?;
    let requests = Requests::start(&edge)?;
    rest(CALM)?;
    let rolled = (1..=replaced).try_for_each(|number| {
        // The talkers are silent while a replica stops, because Prometheus does not count messages after the replica's last scrape.
        let status = stack.replace_replica(number, Signal::TERM)?;
        ensure!(status.success(), "backend-{number} exited with {status}");
        talkers.talk()
    });
    rest(CALM)?;
    let mut counted = requests.stop()?;
    rolled?;
    counted.merge(talkers.counts()?);
    Ok(counted)
}

/// Sends a replica one request that no client counts. Exactly two counts must differ: those of the request's route and its cache look-up.
fn counter_proof(stack: &Stack, counted: &Counts) -> Result<Outcome> {
    ensure!(get(&format!("{}/api/showcase", stack.backend(1)?))?.status == 200, "the showcase does not answer");
    sums::await_scrapes(stack)?;
    let found = counted.differences(&sums::read(stack)?);
    ensure!(found.len() == 2 && found.iter().all(|difference| difference.contains("showcase")), "found: {}", found.join("; "));
    Ok(Outcome::passed().with_note(found.join("; ")))
}
