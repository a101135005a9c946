//! `cargo xtask fanout`: proves that every client of every replica receives each event of one replica exactly once, before and after Redis
//! is killed and restarted. With `--idle`, measures the memory of a silent connected client.
//!
//! The clients are those of `sockets`: the official ones, through the edge.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use crate::http::{get, send};
use crate::paths;
use crate::ports::{MAX_REPLICAS, Ports};
use crate::process::wait_until;
use crate::report::{Outcome, Report};
use crate::sockets::Sockets;
use crate::stack::{Plan, Stack};
use crate::tools::{CADDY, INITDB, REDIS, SOCKET_IO_CLIENT, require};
use crate::users::{create_project, sign_up};
use crate::verbs::up;

/// Connections per account, below the limit of a replica.
const CLIENTS_OF_A_USER: u32 = 50;
/// The limit of members in a project beside its owner.
const MOST_USERS: u32 = 99;
/// Time limit from a change to its receipt by the last client.
const EVENT_LIMIT: Duration = Duration::from_secs(10);
/// Connections reserved for the edge and for scrapes.
const OTHER_CONNECTIONS: u32 = 1000;
const MIB: f64 = 1_048_576.0;
/// Time limit for Redis to carry events again after its restart.
const RECOVERY: Duration = Duration::from_secs(5);

/// Prove that every client on every replica receives each event of one replica.
#[derive(clap::Args)]
pub struct Args {
    /// Install missing tools.
    #[arg(long)]
    install: bool,
    /// Number of clients; the edge spreads them over the replicas.
    #[arg(long, default_value_t = 300, value_parser = clap::value_parser!(u32).range(1..=i64::from(CLIENTS_OF_A_USER * MOST_USERS)))]
    clients: u32,
    /// Number of events in a round.
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..))]
    events: u32,
    /// Kill Redis, restart it, and check that events cross replicas again.
    #[arg(long)]
    restart_redis: bool,
    /// Instead, measure the memory that this many silent clients take on one replica.
    #[arg(long, value_name = "CLIENTS", value_parser = clap::value_parser!(u32).range(1..))]
    idle: Option<u32>,
    /// Build optimised binaries.
    #[arg(long)]
    release: bool,
}

/// Runs the verb and returns whether every step passed.
pub fn run(args: &Args) -> Result<bool> {
    require(&[&INITDB, &REDIS, &CADDY, &SOCKET_IO_CLIENT], args.install)?;
    up::build(args.release, args.install)?;
    let mut report = Report::new("fanout");
    match args.idle {
        Some(clients) => measure_idle(&mut report, clients, args.release)?,
        None => add(&mut report, args)?,
    }
    report.finish()
}

/// Adds the short form that `ci` runs.
pub fn short(report: &mut Report) -> Result<()> {
    add(report, &Args { install: false, clients: 60, events: 20, restart_redis: true, idle: None, release: false })
}

fn add(report: &mut Report, args: &Args) -> Result<()> {
    let folder = paths::temporary("fanout")?;
    let mut bench = None;
    report.step(format!("{} clients on three replicas", args.clients), || {
        let (opened, outcome) = Bench::open(folder.path().to_owned(), args)?;
        bench = Some(opened);
        Ok(outcome)
    })?;
    let Some(mut bench) = bench else { return Ok(()) };
    report.step(format!("{} events", args.events), || bench.round(args.events))?;
    if args.restart_redis {
        report.step("Redis killed: the emitting replica's clients receive events", || bench.round_without_redis())?;
        report.step("Redis is back: every replica receives events", || bench.recover())?;
        report.step(format!("{} events after recovery", args.events), || bench.round(args.events))?;
    }
    Ok(())
}

/// A stack, its clients, and the project that they subscribe to.
struct Bench {
    clients: Sockets,
    stack: Stack,
    token: String,
    project: String,
    count: u32,
}

impl Bench {
    fn open(folder: PathBuf, args: &Args) -> Result<(Self, Outcome)> {
        let stack = start(folder, MAX_REPLICAS, args.release, args.clients)?;
        let edge = stack.edge()?;
        let users = args.clients.div_ceil(CLIENTS_OF_A_USER);
        let token = sign_up(&edge, "owner@example.org")?;
        let project = create_project(&edge, &token, "Fan-out")?;
        let tokens = (0..users).map(|number| member(&edge, &token, &project, number)).collect::<Result<Vec<_>>>()?;
        let mut clients = Sockets::start()?;
        let asked = json!({ "command": "connect", "url": edge, "tokens": tokens, "clients": args.clients, "project": project });
        let answer = clients.ask(&asked)?;
        ensure!(answer["subscribed"] == args.clients, "some clients failed to subscribe: {answer}");
        let mut bench = Self { clients, stack, token, project, count: args.clients };
        let spread = bench.spread()?;
        // If a replica had no clients, nothing would be proven.
        ensure!(spread.iter().all(|count| *count > 0.0), "a replica has no clients: {spread:?}");
        let outcome = Outcome::passed().with_note(format!("{spread:?} per replica"));
        bench.await_bus()?;
        Ok((bench, outcome))
    }

    /// The number of clients that each replica counts; waits until they add up to all clients.
    fn spread(&self) -> Result<Vec<f64>> {
        let mut spread = Vec::new();
        wait_until("the replicas count every client", EVENT_LIMIT, || {
            let each = (1..=MAX_REPLICAS).map(|number| self.sum(number, "websocket_connections_active"));
            spread = each.collect::<Result<_>>()?;
            Ok((spread.iter().sum::<f64>() - f64::from(self.count)).abs() < 0.5)
        })?;
        Ok(spread)
    }

    fn sum(&self, replica: u16, metric: &str) -> Result<f64> {
        sum(&self.stack.backend(replica)?, metric)
    }

    fn await_bus(&mut self) -> Result<()> {
        wait_until("every replica receives events from the others", RECOVERY, || {
            let connected = (1..=MAX_REPLICAS).map(|number| self.sum(number, "websocket_adapter_connected"));
            Ok(connected.collect::<Result<Vec<_>>>()?.iter().all(|connected| *connected > 0.5))
        })
    }

    /// Makes this many changes through one replica and returns the clients' receipts.
    fn emit(&mut self, events: u32, limit: Duration) -> Result<Value> {
        let limit = u64::try_from(limit.as_millis())?;
        let replica = self.stack.backend(1)?;
        let Self { token, project, .. } = self;
        let asked = json!({ "command": "round", "replica": replica, "token": token, "project": project, "events": events, "limit": limit });
        self.clients.ask(&asked)
    }

    fn round(&mut self, events: u32) -> Result<Outcome> {
        let heard = self.emit(events, EVENT_LIMIT)?;
        ensure!(heard["lost"] == 0 && heard["doubled"] == 0, "{heard}");
        let quantile = |name: &str| heard[name].as_f64().unwrap_or_default();
        let note = format!(
            "0 lost, 0 doubled; from the change to the receipt p50 {:.1} ms, p90 {:.1} ms, p99 {:.1} ms, max {:.1} ms",
            quantile("p50"),
            quantile("p90"),
            quantile("p99"),
            quantile("max")
        );
        Ok(Outcome::passed().with_note(note))
    }

    /// Kills Redis, emits an event, and restarts Redis.
    fn round_without_redis(&mut self) -> Result<Outcome> {
        let here = self.sum(1, "websocket_connections_active")?;
        self.stack.kill_redis()?;
        let emitted = self.emit(1, Duration::from_secs(1));
        self.stack.start_redis()?;
        let heard = emitted.context("while Redis was down")?;
        let reached = f64::from(self.count) - heard["lost"].as_f64().unwrap_or_default();
        ensure!((reached - here).abs() < 0.5, "{reached} clients received the event, {here} are connected to the emitting replica");
        let dropped = self.sum(1, "websocket_messages_dropped_total")?;
        ensure!(dropped >= 1.0, "events that did not cross replicas were not counted");
        Ok(Outcome::passed()
            .with_note(format!("{reached} of {} received, {dropped} counted as not delivered to other replicas", self.count)))
    }

    fn recover(&mut self) -> Result<Outcome> {
        let start = std::time::Instant::now();
        self.await_bus()?;
        Ok(Outcome::passed().with_note(format!("after {:.1} s", start.elapsed().as_secs_f64())))
    }
}

/// Measures silent clients on one replica.
fn measure_idle(report: &mut Report, clients: u32, release: bool) -> Result<()> {
    report.step(format!("{clients} silent clients on one replica"), || {
        let folder = paths::temporary("idle")?;
        let stack = start(folder.path().to_owned(), 1, release, clients)?;
        let edge = stack.edge()?;
        let token = sign_up(&edge, "owner@example.org")?;
        let replica = stack.backend(1)?;
        let before = sum(&replica, "process_resident_memory_bytes")?;
        let mut process = Sockets::start()?;
        let answer = process.ask(&json!({ "command": "idle", "url": replica, "token": token, "clients": clients }))?;
        ensure!(answer["connected"] == clients, "some clients failed to connect: {answer}");
        let counted = || Ok((sum(&replica, "websocket_connections_active")? - f64::from(clients)).abs() < 0.5);
        wait_until("the replica counts every client", EVENT_LIMIT, counted)?;
        let after = sum(&replica, "process_resident_memory_bytes")?;
        let each = (after - before) / f64::from(clients) / 1024.0;
        let note = format!("{:.0} MiB before, {:.0} MiB after: {each:.1} KiB each", before / MIB, after / MIB);
        Ok(Outcome::passed().with_note(note))
    })
}

fn start(folder: PathBuf, replicas: u16, release: bool, clients: u32) -> Result<Stack> {
    // All clients come from one address here.
    let limits = [("SOCKETS_PER_ADDRESS", clients), ("SOCKETS_PER_USER", clients), ("MAX_CONNECTIONS", clients + OTHER_CONNECTIONS)];
    let settings = limits.map(|(name, limit)| (name.to_owned(), limit.to_string()));
    let plan =
        Plan { folder, ports: Ports::any(MAX_REPLICAS)?, replicas, binary: up::binary(release), engine: None, settings: settings.to_vec() };
    Stack::start_service(plan)
}

/// The sum of a metric's series on a replica.
fn sum(replica: &str, metric: &str) -> Result<f64> {
    let text = get(&format!("{replica}/metrics"))?.body;
    let series = text.lines().filter(|line| line.strip_prefix(metric).is_some_and(|rest| rest.starts_with([' ', '{'])));
    Ok(series.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).sum())
}

/// Adds a new member to the project and returns their token.
fn member(edge: &str, owner: &str, project: &str, number: u32) -> Result<String> {
    let email = format!("fan-{number}@example.org");
    let token = sign_up(edge, &email)?;
    let bearer = format!("Bearer {owner}");
    let body = json!({ "email": email, "role": "viewer" });
    let added = send("POST", &format!("{edge}/api/projects/{project}/members"), &[("authorization", &bearer)], Some(&body))?;
    ensure!(added.status == 201, "member: {}", added.body);
    Ok(token)
}
