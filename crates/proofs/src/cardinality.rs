//! Runs `tests/contract/cardinality.rs`, which derives the worst-case number of samples in a scrape of each job. Attacks a whole stack to
//! prove that hostile clients create no series at the replicas, and that every scrape has less than a third of its sample limit. The proof
//! ends with its own counter-proof: without the relabelling of prometheus.yml, a scrape of the edge exceeds that third.

use std::fs;

use anyhow::{Context, Result, ensure};
use devstack::cargo;
use devstack::configuration;
use devstack::form::Form;
use devstack::paths;
use devstack::ports::Port;
use devstack::report::{Outcome, Report};
use devstack::stack::{PROGRAMS, all_up};
use devstack::tools::{SOCKET_IO_CLIENT, Tool};
use serde_json::{Value, json};

use crate::attack::{Attack, Statuses, series};
use crate::drill::test_stack::TestStack;
use crate::sockets::Sockets;

/// The share of the job's sample limit that a scrape may use, whatever clients send.
const SHARE: f64 = 1.0 / 3.0;
/// The speed of the monitoring: one scrape per five seconds, which an unoptimised replica on a busy machine can serve.
const SPEED: u32 = 3;
/// The percentage of the traffic that is Socket.IO events.
const EVENTS_PERCENT: usize = 20;
/// The number of Socket.IO clients, below the limit of connections per account.
const SOCKETS: usize = 20;
/// The number of requests, beacons and events of a short attack, as `ci` runs it.
pub const SHORT: usize = 1_500;
/// The number of requests, beacons and events of a long attack.
pub const LONG: usize = 10_000;
/// An attack must receive more different statuses than this; otherwise it did not reach the service.
const MIN_STATUSES: usize = 10;

/// The tools that an attack needs.
#[must_use]
pub fn programs() -> Vec<&'static Tool> {
    PROGRAMS.into_iter().chain([&SOCKET_IO_CLIENT]).collect()
}

/// Adds a step in which the tests derive and print the worst case of every job.
pub fn worst_case(report: &mut Report) -> Result<()> {
    report.step("worst case of every job", || {
        let mut tests = cargo::command();
        tests.args(["test", "--quiet", "--test", "contract", "cardinality::", "--", "--nocapture"]);
        cargo::test(&mut tests)
    })
}

/// Adds the steps of an attack; `count` is the total number of its requests, beacons and events.
pub fn attack(report: &mut Report, count: usize) -> Result<()> {
    let folder = paths::temporary("cardinality")?;
    let started = report.obtain("a stack for hostile clients", || {
        let test = TestStack::start(folder.path().to_owned(), SPEED, Form::Demo)?;
        let token = test.new_account()?;
        let before = series::of_replicas(&test.stack)?;
        Ok(((test, token, before), Outcome::passed()))
    })?;
    let Some((test, token, before)) = started else { return Ok(()) };
    report.step(format!("{count} requests, beacons and events"), || send(&test, &token, count))?;
    report.step("no new series at the replicas", || {
        let after = series::of_replicas(&test.stack)?;
        ensure!(before.iter().chain(&after).all(|series| !series.is_empty()), "a replica has no series, so nothing is proven");
        let new: Vec<&String> = after.iter().zip(&before).flat_map(|(after, before)| after.difference(before)).collect();
        for series in &new {
            eprintln!("new: {series}");
        }
        let note = format!("{} series per replica", after.iter().map(|series| series.len().to_string()).collect::<Vec<_>>().join(", "));
        Ok(if new.is_empty() { Outcome::passed().with_note(note) } else { Outcome::failed(format!("{} new series", new.len())) })
    })?;
    report.step("every target is UP", || {
        test.wait_for_scrapes()?;
        all_up(&test.url(Port::Prometheus)?)
    })?;
    let jobs = jobs(&test)?;
    report.step("every job has samples", || Ok(Outcome::from(!jobs.is_empty()).with_note(format!("{} jobs", jobs.len()))))?;
    for job in jobs {
        report.step(format!("samples of a scrape: {}", job.name), || {
            let note = format!("{} of {} ({:.0} %)", job.samples, job.limit, job.share() * 100.0);
            Ok(Outcome::from(job.share() < SHARE).with_note(note))
        })?;
    }
    report.step("without its relabelling the edge uses more than its share", || without_relabelling(&test))
}

/// Sends the attack; the outcome lists the statuses received.
fn send(test: &TestStack, token: &str, count: usize) -> Result<Outcome> {
    // Injects failures, so that some valid requests fail, too.
    let faults = [500, 503].map(|status| test.known_fault(json!({ "fault": "error", "status": status, "percent": 4 })));
    let faults = faults.into_iter().collect::<Result<Vec<_>>>()?;
    let edge = test.stack.edge()?;
    let events = count * EVENTS_PERCENT / 100;
    let mut sockets = Sockets::start()?;
    let command = json!({ "command": "attack", "url": edge, "token": token, "clients": SOCKETS, "events": events });
    let sent = sockets.ask(&command)?;
    let statuses = Attack::new(test.stack.ports().address(Port::Edge)?, token.to_owned())?.send(count - events);
    for fault in &faults {
        test.end_fault(fault)?;
    }
    let answered: usize = statuses.iter().filter(|(status, _)| **status > 0).map(|(_, count)| count).sum();
    ensure!(answered * 2 > count - events, "most requests received no response: {}", listed(&statuses));
    ensure!(statuses.len() > MIN_STATUSES, "only a few different statuses came back: {}", listed(&statuses));
    ensure!(sent["sent"].as_u64() >= u64::try_from(events).ok(), "too few events were sent: {sent}");
    Ok(Outcome::passed().with_note(format!("{} events, {}", sent["sent"], listed(&statuses))))
}

fn listed(statuses: &Statuses) -> String {
    let listed = |(status, count): (&u16, &usize)| if *status == 0 { format!("none {count}") } else { format!("{status} {count}") };
    statuses.iter().map(listed).collect::<Vec<_>>().join(", ")
}

/// The number of samples in the largest scrape of a job, and the job's limit.
struct Job {
    name: String,
    samples: f64,
    limit: f64,
}

impl Job {
    fn share(&self) -> f64 {
        self.samples / self.limit
    }
}

fn jobs(test: &TestStack) -> Result<Vec<Job>> {
    let samples = values_by_job(test, "max by (job) (scrape_samples_post_metric_relabeling)")?;
    let limits = values_by_job(test, "max by (job) (scrape_sample_limit)")?;
    let limit = |name: &str| limits.iter().find(|(job, _)| job == name).map(|(_, limit)| *limit);
    samples
        .into_iter()
        .map(|(name, samples)| {
            let limit = limit(&name).with_context(|| format!("Prometheus has no sample limit for job {name}"))?;
            Ok(Job { name, samples, limit })
        })
        .collect()
}

/// The results of an instant query, by job.
fn values_by_job(test: &TestStack, query: &str) -> Result<Vec<(String, f64)>> {
    let results = test.query(query)?;
    let read = |result: &Value| Some((result["metric"]["job"].as_str()?.to_owned(), result["value"][1].as_str()?.parse().ok()?));
    Ok(results.iter().filter_map(read).collect())
}

/// Removes the relabelling; passes when the edge then exceeds its share.
fn without_relabelling(test: &TestStack) -> Result<Outcome> {
    let file = test.folder().join("config/prometheus/prometheus.yml");
    let written = fs::read_to_string(&file)?;
    fs::write(&file, configuration::without_relabelling(&written))?;
    ensure!(test.reload()?, "Prometheus rejected the changed configuration");
    test.wait_for_scrapes()?;
    let edge = jobs(test)?.into_iter().find(|job| job.name == "caddy").context("the edge has no scrape")?;
    Ok(Outcome::from(edge.share() > SHARE).with_note(format!("{} of {}", edge.samples, edge.limit)))
}
