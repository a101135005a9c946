//! Replaces every replica while clients send requests through the edge. If the replicas drain, no request may fail. If they are killed, at
//! most the requests in flight may fail. In both cases, a request that is retried under its idempotency key must have one effect, and
//! clients that read a log over Socket.IO must read every line exactly once. `roll/edge` restarts and reloads the edge itself.

pub mod edge;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use anyhow::{Result, ensure};
use devstack::cargo;
use devstack::form::Form;
use devstack::http::{Answer, Client, send};
use devstack::paths;
use devstack::ports::{MAX_REPLICAS, Ports};
use devstack::process::wait_until;
use devstack::report::{Outcome, Report};
use devstack::stack::{Plan, Stack};
use devstack::tools::{CADDY, INITDB, REDIS, SOCKET_IO_CLIENT, Tool};
use rustix::process::Signal;
use serde_json::{Value, json};

use crate::sockets::Sockets;
use crate::users::{create_project, sign_up};

/// The tools that the proof needs.
pub const PROGRAMS: [&Tool; 4] = [&INITDB, &REDIS, &CADDY, &SOCKET_IO_CLIENT];
const CLIENTS: usize = 8;
/// Maximum number of attempts at a request under the same key.
const TRIES: usize = 20;
/// Pause after a request that got no response, or whose first attempt is still running.
const NAP: Duration = Duration::from_millis(50);
/// Number of clients that read a log during the proof.
const READERS: u64 = 9;
/// Longest time for which a reader may be disconnected.
const DISCONNECTED_LIMIT_MS: f64 = 5000.0;
/// Maximum time until a new environment can be started; longer than the five attempts that its job may need on a busy machine.
const OPERATION_LIMIT: Duration = Duration::from_mins(1);

/// Adds the proof to a report.
pub fn add(report: &mut Report, signal: Signal, form: Form) -> Result<()> {
    let name = if signal == Signal::KILL { "replicas killed under load" } else { "rolling restart under load" };
    report.step(name, || {
        let folder = paths::temporary("roll")?;
        let mut stack = start(folder.path(), form)?;
        let edge = stack.edge()?;
        let token = sign_up(&edge, "load@example.org")?;
        let mut readers = Readers::connect(&edge, &token, READERS, "hasty")?;
        let loads = under_load(&edge, &token, || replace_all(&mut stack, signal))?;
        let outcome = judge(&edge, &token, signal, &loads)?;
        let note = readers.judge(&edge, &token, signal)?;
        Ok(Outcome::passed().with_note(format!("{}; {note}", outcome.note)))
    })
}

fn start(folder: &Path, form: Form) -> Result<Stack> {
    Stack::start_service(Plan {
        folder: folder.to_owned(),
        ports: Ports::any(MAX_REPLICAS)?.in_form(form),
        replicas: MAX_REPLICAS,
        binary: cargo::binary(false),
        engine: None,
        // The load saturates the machine, and the replicas are unoptimised and share it. A request may therefore wait for a
        // database connection longer than production allows.
        settings: vec![("DATABASE_ACQUIRE_TIMEOUT".to_owned(), "5s".to_owned())],
    })
}

/// Replaces every replica, one after the other.
pub(crate) fn replace_all(stack: &mut Stack, signal: Signal) -> Result<()> {
    for number in 1..=MAX_REPLICAS {
        let status = stack.replace_replica(number, signal)?;
        ensure!(signal == Signal::KILL || status.success(), "backend-{number} ended with {status}");
    }
    Ok(())
}

/// The requests of one client and their results.
#[derive(Default)]
pub(crate) struct Load {
    /// Names of projects whose creation succeeded.
    created: Vec<String>,
    /// Number of responses that were not failures.
    pub(crate) answered: usize,
    /// Descriptions of the failed requests.
    pub(crate) failures: Vec<String>,
    /// Number of failed requests without any response.
    unanswered: usize,
}

impl Load {
    /// Records a request without a response, and waits, because an immediate retry would only fail again.
    fn unanswered(&mut self, method: &str, error: &anyhow::Error) {
        self.failures.push(format!("{method}: {error:#}"));
        self.unanswered += 1;
        thread::sleep(NAP);
    }
}

/// Runs an action while clients create and list projects as fast as the service responds.
pub(crate) fn under_load(edge: &str, token: &str, action: impl FnOnce() -> Result<()>) -> Result<Vec<Load>> {
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
                // An earlier request under this key is still in progress.
                Ok(answer) if answer.status == 409 => {
                    load.answered += 1;
                    thread::sleep(NAP);
                }
                Ok(answer) => load.failures.push(failure("POST", &answer)),
                Err(error) => load.unanswered("POST", &error),
            }
        }
        match http.send("GET", &format!("{edge}/api/projects?limit=1"), &headers[..1], None) {
            Ok(answer) if answer.status == 200 => load.answered += 1,
            Ok(answer) => load.failures.push(failure("GET", &answer)),
            Err(error) => load.unanswered("GET", &error),
        }
    }
    load
}

/// Describes a failed request. The problem's code shows whether the edge or a replica responded.
fn failure(method: &str, answer: &Answer) -> String {
    let code = answer.json().map(|problem| problem["code"].as_str().unwrap_or_default().to_owned()).unwrap_or_default();
    format!("{method}: {} {code}", answer.status)
}

fn judge(edge: &str, token: &str, signal: Signal, loads: &[Load]) -> Result<Outcome> {
    let answered: usize = loads.iter().map(|load| load.answered).sum();
    let failures: Vec<&str> = loads.iter().flat_map(|load| &load.failures).map(String::as_str).collect();
    // Each client has at most one request in flight when a replica is killed.
    let allowed = if signal == Signal::KILL { CLIENTS * usize::from(MAX_REPLICAS) } else { 0 };
    ensure!(failures.len() <= allowed, "{answered} answered, {} failed: {}", failures.len(), failures.join("; "));
    let created = nothing_lost(edge, token, loads)?;
    let note = format!("{answered} answered, {} failed, {created} created, 0 lost, 0 doubled", failures.len());
    Ok(Outcome::passed().with_note(note))
}

/// Checks that every acknowledged project exists, and that no project exists twice; returns the number of acknowledged projects.
pub(crate) fn nothing_lost(edge: &str, token: &str, loads: &[Load]) -> Result<usize> {
    ensure!(loads.iter().all(|load| !load.created.is_empty()), "a client created nothing, so nothing is proven");
    let stored = stored(edge, token)?;
    let created: Vec<&String> = loads.iter().flat_map(|load| &load.created).collect();
    let lost: Vec<_> = created.iter().filter(|name| !stored.contains_key(name.as_str())).collect();
    ensure!(lost.is_empty(), "acknowledged but lost: {lost:?}");
    let doubled: Vec<_> = stored.iter().filter(|(_, count)| **count > 1).collect();
    ensure!(doubled.is_empty(), "created more than once: {doubled:?}");
    Ok(created.len())
}

/// Clients that read a log during the proof.
struct Readers {
    sockets: Sockets,
    environment: String,
}

impl Readers {
    /// Connects this many clients; `pace` selects their reconnection delay (sockets.mjs).
    fn connect(edge: &str, token: &str, count: u64, pace: &str) -> Result<Self> {
        let bearer = format!("Bearer {token}");
        let headers = [("authorization", bearer.as_str())];
        let project = create_project(edge, token, "Read while it rolls")?;
        let url = format!("{edge}/api/projects/{project}/environments");
        let created = send("POST", &url, &headers, Some(&json!({ "name": "writer", "image": "busybox:1.37" })))?;
        ensure!(created.status == 201, "environment: {}", created.body);
        let environment = created.json()?["id"].as_str().unwrap_or_default().to_owned();
        wait_until("the environment can be started", OPERATION_LIMIT, || {
            let url = format!("{edge}/api/environments/{environment}/start");
            Ok(send("POST", &url, &headers, None)?.status == 202)
        })?;
        let mut sockets = Sockets::start()?;
        let command = json!({ "command": "read", "url": edge, "token": token, "environment": environment, "clients": count, "pace": pace });
        let answer = sockets.ask(&command)?;
        ensure!(answer["reading"] == count, "some clients do not read: {answer}");
        Ok(Self { sockets, environment })
    }

    /// Checks that the clients lost no line up to the current end of the log, and read none twice.
    fn read_all(&mut self, edge: &str, token: &str) -> Result<Value> {
        let url = format!("{edge}/api/environments/{}/logs?limit=1", self.environment);
        let last = send("GET", &url, &[("authorization", &format!("Bearer {token}"))], None)?.json()?["next_after"].clone();
        let read = self.sockets.ask(&json!({ "command": "readUpTo", "seq": last, "limit": 10_000 }))?;
        ensure!(
            read["late"].is_null() && read["lost"] == 0 && read["doubled"] == 0,
            "readers are late, or lines were lost or read twice: {read}"
        );
        Ok(read)
    }

    /// Checks that no log line was lost or read twice, and that no client was disconnected for long.
    fn judge(&mut self, edge: &str, token: &str, signal: Signal) -> Result<String> {
        let read = self.read_all(edge, token)?;
        let disconnected = read["disconnected"].as_f64().unwrap_or(f64::MAX);
        ensure!(disconnected < DISCONNECTED_LIMIT_MS, "a reader was disconnected for {disconnected:.0} ms");
        ensure!(read["interruptions"].as_u64() >= Some(1), "no reader was interrupted, so nothing is proven");
        // A killed replica sends no notice.
        ensure!(
            signal == Signal::KILL || read["announced"] == read["interruptions"],
            "some readers were disconnected without a notice: {read}"
        );
        Ok(format!("{READERS} readers of a log: {} lines, 0 lost, 0 doubled, disconnected {disconnected:.0} ms at most", read["lines"]))
    }
}

/// The number of stored projects with each name.
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
