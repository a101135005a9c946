//! `cargo xtask roll`: every replica is replaced under load through the edge. Without `--kill` no request may fail; with
//! it, no more than were in flight, and a request that is sent again under its key still has one effect.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use anyhow::{Result, ensure};
use rustix::process::Signal;
use serde_json::json;

use crate::http::{Client, send};
use crate::paths;
use crate::ports::{MAX_REPLICAS, Ports};
use crate::report::{Outcome, Report};
use crate::stack::{Plan, Stack};
use crate::tools::{CADDY, INITDB, REDIS, require};
use crate::users::sign_up;
use crate::verbs::up;

const CLIENTS: usize = 8;
/// A request that failed is sent again this often under the same key.
const TRIES: usize = 20;

/// Replace every replica under load.
#[derive(clap::Args)]
pub struct Args {
    /// Install what is missing.
    #[arg(long)]
    install: bool,
    /// Kill the replicas instead of asking them to leave.
    #[arg(long)]
    kill: bool,
}

/// Runs the verb.
pub fn run(args: &Args) -> Result<bool> {
    require(&[&INITDB, &REDIS, &CADDY], args.install)?;
    up::build(false)?;
    let mut report = Report::new("roll");
    add(&mut report, if args.kill { Signal::KILL } else { Signal::TERM })?;
    report.finish()
}

/// Adds the proof to a report.
pub fn add(report: &mut Report, signal: Signal) -> Result<()> {
    let name = if signal == Signal::KILL { "replicas killed under load" } else { "rolling restart under load" };
    report.step(name, || {
        let folder = paths::temporary("roll")?;
        let mut stack = Stack::start_service(Plan {
            folder: folder.path().to_owned(),
            ports: Ports::any(MAX_REPLICAS)?,
            replicas: MAX_REPLICAS,
            binary: up::binary(false),
            engine: None,
            settings: Vec::new(),
        })?;
        let edge = stack.edge()?;
        let token = sign_up(&edge, "load@example.org")?;
        let loads = under_load(&edge, &token, || replace_all(&mut stack, signal))?;
        judge(&edge, &token, signal, &loads)
    })
}

fn replace_all(stack: &mut Stack, signal: Signal) -> Result<()> {
    for number in 1..=MAX_REPLICAS {
        let status = stack.replace_replica(number, signal)?;
        ensure!(signal == Signal::KILL || status.success(), "backend-{number} ended with {status}");
    }
    Ok(())
}

/// What one client saw.
#[derive(Default)]
struct Load {
    /// Names of projects whose creation was answered with success.
    created: Vec<String>,
    answered: usize,
    failures: Vec<String>,
}

/// Runs an action while clients create and list projects as fast as they are answered.
fn under_load(edge: &str, token: &str, action: impl FnOnce() -> Result<()>) -> Result<Vec<Load>> {
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        let clients: Vec<_> = (0..CLIENTS)
            .map(|number| {
                scope.spawn({
                    let stop = &stop;
                    move || client(edge, token, number, stop)
                })
            })
            .collect();
        let acted = action();
        stop.store(true, Ordering::Relaxed);
        let loads = clients.into_iter().map(|client| client.join().map_err(|_| anyhow::anyhow!("a client panicked"))).collect();
        acted.and(loads)
    })
}

fn client(edge: &str, token: &str, number: usize, stop: &AtomicBool) -> Load {
    let http = Client::new();
    let bearer = format!("Bearer {token}");
    let mut load = Load::default();
    for turn in 0.. {
        if stop.load(Ordering::Relaxed) {
            break;
        }
        let name = format!("load-{number}-{turn}");
        let headers = [("authorization", bearer.as_str()), ("idempotency-key", name.as_str())];
        for _ in 0..TRIES {
            match http.send("POST", &format!("{edge}/api/projects"), &headers, Some(&json!({ "name": name }))) {
                Ok(answer) if answer.status == 201 => {
                    load.answered += 1;
                    load.created.push(name.clone());
                    break;
                }
                // The first one under this key is still being worked on by the replica that did not answer.
                Ok(answer) if answer.status == 409 => load.answered += 1,
                Ok(answer) => load.failures.push(format!("POST: {}", answer.status)),
                Err(error) => load.failures.push(format!("POST: {error:#}")),
            }
        }
        match http.send("GET", &format!("{edge}/api/projects?limit=1"), &headers[..1], None) {
            Ok(answer) if answer.status == 200 => load.answered += 1,
            Ok(answer) => load.failures.push(format!("GET: {}", answer.status)),
            Err(error) => load.failures.push(format!("GET: {error:#}")),
        }
    }
    load
}

fn judge(edge: &str, token: &str, signal: Signal, loads: &[Load]) -> Result<Outcome> {
    let answered: usize = loads.iter().map(|load| load.answered).sum();
    let failures: Vec<&str> = loads.iter().flat_map(|load| &load.failures).map(String::as_str).collect();
    // Each client has one request in flight when a replica dies.
    let allowed = if signal == Signal::KILL { CLIENTS * usize::from(MAX_REPLICAS) } else { 0 };
    ensure!(failures.len() <= allowed, "{} of {answered} requests failed: {}", failures.len(), failures.join("; "));

    let stored = stored(edge, token)?;
    let created: Vec<&String> = loads.iter().flat_map(|load| &load.created).collect();
    let lost: Vec<_> = created.iter().filter(|name| !stored.contains_key(name.as_str())).collect();
    ensure!(lost.is_empty(), "acknowledged and lost: {lost:?}");
    let doubled: Vec<_> = stored.iter().filter(|(_, count)| **count > 1).collect();
    ensure!(doubled.is_empty(), "created twice: {doubled:?}");
    let note = format!("{answered} answered, {} failed, {} created, 0 lost, 0 doubled", failures.len(), created.len());
    Ok(Outcome::passed().with_note(note))
}

/// How often each project is there, by its name.
fn stored(edge: &str, token: &str) -> Result<BTreeMap<String, usize>> {
    let bearer = format!("Bearer {token}");
    let mut stored = BTreeMap::new();
    let mut cursor = String::new();
    loop {
        let page = send("GET", &format!("{edge}/api/projects?limit=100{cursor}"), &[("authorization", &bearer)], None)?.json()?;
        for item in page["items"].as_array().into_iter().flatten() {
            *stored.entry(item["name"].as_str().unwrap_or_default().to_owned()).or_default() += 1;
        }
        let Some(next) = page["next_cursor"].as_str() else { return Ok(stored) };
        cursor = format!("&cursor={next}");
    }
}
