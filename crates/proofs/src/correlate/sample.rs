//! Which traces are kept: failures and slow requests always, others by a share that is the same on every replica.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use devstack::http::is_ok;
use devstack::ports::MAX_REPLICAS;
use devstack::process::wait_until;
use devstack::report::{Outcome, Report};
use devstack::traces::TraceId;
use rustix::process::Signal;

use super::stage::{FAILING, LATE, SLOW, Stage, id_of};
use crate::drill::test_stack::uuid;

/// Number of requests without a fault to each replica.
const REQUESTS: usize = 60;
/// The number of these that may be kept at a share of one half: the mean and nearly four standard deviations.
const HALF: std::ops::RangeInclusive<usize> = 15..=45;
/// Time limit for a replica to start, and to know the faults.
const LIMIT: Duration = Duration::from_mins(1);

/// Runs the replicas with two shares, one after the other.
pub fn prove(report: &mut Report, stage: &mut Stage) -> Result<()> {
    report.step("at a share of 0, only failures and slow requests are kept", || {
        restart(stage, "0")?;
        let (plain, _) = send(stage)?;
        let special = send_special(stage)?;
        stage.wait_for(&special)?;
        let kept = stage.kept(&plain)?;
        let note = format!("{kept} of {} requests, and all {} failures and slow ones", plain.len(), special.len());
        ensure!(kept == 0, "{note}");
        Ok(Outcome::passed().with_note(note))
    })?;
    report.step("at a share of one half, every replica keeps the same half", || {
        restart(stage, "0.5")?;
        let (_, ids) = send(stage)?;
        // A replica sends its traces in the order in which they ended.
        let last = send_special(stage)?;
        stage.wait_for(&last)?;
        let mut kept = 0;
        for id in &ids {
            let spans = stage.store.spans(*id)?.unwrap_or_default();
            let replicas = spans.iter().filter(|span| span.kind == "server").count();
            ensure!(replicas == 0 || replicas == usize::from(MAX_REPLICAS), "{replicas} replicas kept {id}");
            kept += usize::from(replicas > 0);
        }
        let note = format!("{kept} of {} traces, each by {MAX_REPLICAS} replicas", ids.len());
        ensure!(HALF.contains(&kept), "{note}");
        Ok(Outcome::passed().with_note(note))
    })
}

/// Restarts every replica with this share.
fn restart(stage: &mut Stage, share: &str) -> Result<()> {
    let stack = &mut stage.test.stack;
    for number in 1..=MAX_REPLICAS {
        stack.end_replica(number, Signal::KILL)?;
    }
    for number in 1..=MAX_REPLICAS {
        stack.launch_successor(number, &[("OTEL_TRACES_SAMPLER_ARG", share)])?;
    }
    for number in 1..=MAX_REPLICAS {
        let ready = format!("{}/health/ready", stack.backend(number)?);
        wait_until("a replica is ready", LIMIT, || Ok(is_ok(&ready)))?;
    }
    for number in 1..=MAX_REPLICAS {
        wait_until("a replica knows the faults", LIMIT, || Ok(stage.ask_replica(number, FAILING, &uuid()?)?.status == 500))?;
    }
    Ok(())
}

/// Sends each identifier to every replica. Returns the identifiers whose requests were all fast, and all identifiers.
fn send(stage: &Stage) -> Result<(Vec<TraceId>, Vec<TraceId>)> {
    let (mut fast, mut all) = (Vec::new(), Vec::new());
    for _ in 0..REQUESTS {
        let id = uuid()?;
        let (begun, mut trace) = (Instant::now(), None);
        for number in 1..=MAX_REPLICAS {
            let answer = stage.ask_replica(number, "/api/projects", &id)?;
            ensure!(answer.status == 200, "{} {}", answer.status, answer.body);
            trace = Some(id_of(&answer)?);
        }
        all.extend(trace);
        fast.extend(trace.filter(|_| begun.elapsed() < SLOW));
    }
    Ok((fast, all))
}

/// Sends a request that fails, and one that is slow, to every replica.
fn send_special(stage: &Stage) -> Result<Vec<TraceId>> {
    let mut sent = Vec::new();
    for number in 1..=MAX_REPLICAS {
        for (path, status) in [(FAILING, 500), (LATE, 200)] {
            let answer = stage.ask_replica(number, path, &uuid()?)?;
            ensure!(answer.status == status, "{path}: {} {}", answer.status, answer.body);
            sent.push(id_of(&answer)?);
        }
    }
    Ok(sent)
}
