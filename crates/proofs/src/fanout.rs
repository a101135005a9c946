//! Proves that an event emitted by one replica reaches every client of every replica exactly once, before Redis is killed and after it is
//! restarted. The clients use the official library and connect through the edge.
//!
//! [`measure_idle`] measures the memory that a silent client takes on a replica. Its clients use no library and connect to the replica
//! directly.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use devstack::cargo;
use devstack::http::send;
use devstack::paths;
use devstack::ports::{MAX_REPLICAS, Ports};
use devstack::process::wait_until;
use devstack::report::{Outcome, Report};
use devstack::stack::{Plan, Stack};
use devstack::tools::{CADDY, INITDB, REDIS, SOCKET_IO_CLIENT, Tool};
use serde_json::{Value, json};

use crate::scrape;
use crate::sockets::Sockets;
use crate::users::{create_project, sign_up};

/// Maximum number of clients per account. With more clients, several accounts receive each event.
const CLIENTS_PER_USER: u32 = 50;
/// Maximum number of members of a project besides its owner.
const MAX_USERS: u32 = 99;
/// The largest number of clients that the members of one project can have.
pub const MOST_CLIENTS: u32 = CLIENTS_PER_USER * MAX_USERS;
/// Tools that the proof needs.
pub const PROGRAMS: [&Tool; 4] = [&INITDB, &REDIS, &CADDY, &SOCKET_IO_CLIENT];
/// Maximum time until the last client has received the event of a change, and until the replicas count all clients.
const EVENT_LIMIT: Duration = Duration::from_secs(10);
/// Additional connections that a replica accepts, such as those of the edge and of scrapes.
const OTHER_CONNECTIONS: u32 = 1000;
const MIB: f64 = 1_048_576.0;
/// Maximum time for all replicas to connect to Redis, at the start and after its restart.
const RECOVERY: Duration = Duration::from_secs(5);

/// The size of the proof.
pub struct Options {
    /// Number of clients, at most [`MOST_CLIENTS`]; the edge spreads them over the replicas.
    pub clients: u32,
    /// Number of events in a round.
    pub events: u32,
    /// Whether to kill Redis, restart it, and check that events cross replicas again.
    pub restart_redis: bool,
    /// Whether to run the release build.
    pub release: bool,
}

impl Options {
    /// The short proof that `ci` runs.
    pub const SHORT: Self = Self { clients: 60, events: 20, restart_redis: true, release: false };
}

/// Adds the proof to a report.
pub fn add(report: &mut Report, options: &Options) -> Result<()> {
    let folder = paths::temporary("fanout")?;
    let started = report.obtain(format!("{} clients on three replicas", options.clients), || {
        let (opened, outcome) = Subscribers::open(folder.path().to_owned(), options)?;
        Ok((opened, outcome))
    })?;
    let Some(mut subscribers) = started else { return Ok(()) };
    report.step(format!("{} events", options.events), || subscribers.round(options.events))?;
    if options.restart_redis {
        report.step("Redis killed: only the emitting replica's clients receive an event", || subscribers.round_without_redis())?;
        report.step("Redis restarted: every replica is connected again", || subscribers.recover())?;
        report.step(format!("{} events after recovery", options.events), || subscribers.round(options.events))?;
    }
    Ok(())
}

/// A stack, its clients, and the project that they subscribe to.
struct Subscribers {
    clients: Sockets,
    stack: Stack,
    token: String,
    project: String,
    count: u32,
}

impl Subscribers {
    fn open(folder: PathBuf, options: &Options) -> Result<(Self, Outcome)> {
        let stack = start(folder, MAX_REPLICAS, options.release, options.clients)?;
        let edge = stack.edge()?;
        let users = options.clients.div_ceil(CLIENTS_PER_USER);
        let token = sign_up(&edge, "owner@example.org")?;
        let project = create_project(&edge, &token, "Fan-out")?;
        let tokens = (0..users).map(|number| member(&edge, &token, &project, number)).collect::<Result<Vec<_>>>()?;
        let mut clients = Sockets::start()?;
        let command = json!({ "command": "connect", "url": edge, "tokens": tokens, "clients": options.clients, "project": project });
        let answer = clients.ask(&command)?;
        ensure!(answer["subscribed"] == options.clients, "some clients failed to subscribe: {answer}");
        let mut subscribers = Self { clients, stack, token, project, count: options.clients };
        let spread = subscribers.clients_per_replica()?;
        // The proof would not cover delivery to a replica without clients.
        ensure!(spread.iter().all(|count| *count > 0.0), "a replica has no clients: {spread:?}");
        let outcome = Outcome::passed().with_note(format!("{spread:?} per replica"));
        subscribers.wait_for_redis()?;
        Ok((subscribers, outcome))
    }

    /// The number of clients that each replica counts. Waits until the sum is the number of all clients.
    fn clients_per_replica(&self) -> Result<Vec<f64>> {
        let mut spread = Vec::new();
        wait_until("the replicas count every client", EVENT_LIMIT, || {
            let each = (1..=MAX_REPLICAS).map(|number| self.sum(number, "websocket_connections_active"));
            spread = each.collect::<Result<_>>()?;
            Ok((spread.iter().sum::<f64>() - f64::from(self.count)).abs() < 0.5)
        })?;
        Ok(spread)
    }

    fn sum(&self, replica: u16, metric: &str) -> Result<f64> {
        scrape::sum(&self.stack.backend(replica)?, metric, "")
    }

    fn wait_for_redis(&mut self) -> Result<()> {
        wait_until("every replica is connected to Redis for events", RECOVERY, || {
            let connected = (1..=MAX_REPLICAS).map(|number| self.sum(number, "websocket_adapter_connected"));
            Ok(connected.collect::<Result<Vec<_>>>()?.iter().all(|connected| *connected > 0.5))
        })
    }

    /// Changes the project `events` times through one replica. Returns how many receipts were lost or doubled, and quantiles of the delays.
    fn emit(&mut self, events: u32, limit: Duration) -> Result<Value> {
        let limit = u64::try_from(limit.as_millis())?;
        let replica = self.stack.backend(1)?;
        let Self { token, project, .. } = self;
        let command =
            json!({ "command": "round", "replica": replica, "token": token, "project": project, "events": events, "limit": limit });
        self.clients.ask(&command)
    }

    fn round(&mut self, events: u32) -> Result<Outcome> {
        let receipts = self.emit(events, EVENT_LIMIT)?;
        ensure!(receipts["lost"] == 0 && receipts["doubled"] == 0, "events were lost or doubled: {receipts}");
        let quantile = |name: &str| receipts[name].as_f64().unwrap_or_default();
        let note = format!(
            "0 lost, 0 doubled; time from change to receipt: p50 {:.1} ms, p90 {:.1} ms, p99 {:.1} ms, max {:.1} ms",
            quantile("p50"),
            quantile("p90"),
            quantile("p99"),
            quantile("max")
        );
        Ok(Outcome::passed().with_note(note))
    }

    /// Kills Redis, emits an event, and restarts Redis. The clients of the emitting replica must receive the event, and no other clients.
    fn round_without_redis(&mut self) -> Result<Outcome> {
        let on_emitter = self.sum(1, "websocket_connections_active")?;
        self.stack.kill_redis()?;
        let emitted = self.emit(1, Duration::from_secs(1));
        self.stack.start_redis()?;
        let receipts = emitted.context("failed to emit an event while Redis was down")?;
        let reached = f64::from(self.count) - receipts["lost"].as_f64().unwrap_or_default();
        ensure!(
            (reached - on_emitter).abs() < 0.5,
            "{reached} clients received the event, {on_emitter} are connected to the emitting replica"
        );
        let dropped = self.sum(1, "websocket_messages_dropped_total")?;
        ensure!(dropped >= 1.0, "the emitting replica did not count the event that the other replicas missed");
        Ok(Outcome::passed().with_note(format!(
            "{reached} of {} clients received the event; {dropped} events counted as not delivered to other replicas",
            self.count
        )))
    }

    fn recover(&mut self) -> Result<Outcome> {
        let start = std::time::Instant::now();
        self.wait_for_redis()?;
        Ok(Outcome::passed().with_note(format!("after {:.1} s", start.elapsed().as_secs_f64())))
    }
}

/// Measures the memory of silent clients on one replica.
pub fn measure_idle(report: &mut Report, clients: u32, release: bool) -> Result<()> {
    report.step(format!("{clients} silent clients on one replica"), || {
        let folder = paths::temporary("idle")?;
        let stack = start(folder.path().to_owned(), 1, release, clients)?;
        let edge = stack.edge()?;
        let token = sign_up(&edge, "owner@example.org")?;
        let replica = stack.backend(1)?;
        let before = scrape::sum(&replica, "process_resident_memory_bytes", "")?;
        let mut sockets = Sockets::start()?;
        let answer = sockets.ask(&json!({ "command": "idle", "url": replica, "token": token, "clients": clients }))?;
        ensure!(answer["connected"] == clients, "some clients failed to connect: {answer}");
        let counted = || Ok((scrape::sum(&replica, "websocket_connections_active", "")? - f64::from(clients)).abs() < 0.5);
        wait_until("the replica counts every client", EVENT_LIMIT, counted)?;
        let after = scrape::sum(&replica, "process_resident_memory_bytes", "")?;
        let each = (after - before) / f64::from(clients) / 1024.0;
        let note = format!("{:.0} MiB before, {:.0} MiB after: {each:.1} KiB per client", before / MIB, after / MIB);
        Ok(Outcome::passed().with_note(note))
    })
}

fn start(folder: PathBuf, replicas: u16, release: bool, clients: u32) -> Result<Stack> {
    // All clients have the same address, and silent clients also have the same account: many of them would exceed the default limits.
    let limits = [("SOCKETS_PER_ADDRESS", clients), ("SOCKETS_PER_USER", clients), ("MAX_CONNECTIONS", clients + OTHER_CONNECTIONS)];
    let settings = limits.map(|(name, limit)| (name.to_owned(), limit.to_string()));
    let plan = Plan {
        folder,
        ports: Ports::any(MAX_REPLICAS)?,
        replicas,
        binary: cargo::binary(release),
        engine: None,
        settings: settings.to_vec(),
    };
    Stack::start_service(plan)
}

/// Registers an account, adds it to the project as a member, and returns its token.
fn member(edge: &str, owner: &str, project: &str, number: u32) -> Result<String> {
    let email = format!("fan-{number}@example.org");
    let token = sign_up(edge, &email)?;
    let bearer = format!("Bearer {owner}");
    let body = json!({ "email": email, "role": "viewer" });
    let added = send("POST", &format!("{edge}/api/projects/{project}/members"), &[("authorization", &bearer)], Some(&body))?;
    ensure!(added.status == 201, "failed to add a member: {}", added.body);
    Ok(token)
}
