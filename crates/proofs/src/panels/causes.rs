//! Causes that make panels react. Most of them are drills; the others raise no alert, or would take longer as a drill. `typescript` writes
//! the names of the causes for the dashboards' sources; each panel's cause is in `monitoring/grafana/causes.json`.

use std::fmt::{self, Display, Formatter};
use std::fs;
use std::io::Write as _;
use std::time::Duration;

use anyhow::{Result, bail};
use clap::ValueEnum;
use devstack::paths;
use devstack::ports::Port;
use rustix::process::Signal;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::drill::environments::Environments;
use crate::drill::proof::load;
use crate::drill::test_stack::{TestStack, send_and_forget};
use crate::drill::traffic::Traffic;
use crate::drill::watch::parts;
use crate::drill::{Drill, Mitigation, ends};
use crate::drill::{accounts, backup, cache, database, edge, environments, frontend, http, infra, jobs, meta, realtime, runtime};

/// Longer than the whole proof.
const LOAD_LASTS: Duration = Duration::from_hours(2);

/// Causes run in this order: those that leave little behind and do less harm come first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Cause {
    /// Users arrive: the demo load begins.
    Traffic,
    /// An alert fires.
    Alerts,
    /// Prometheus has more rules to evaluate: very many, a slow one, and an invalid one.
    Rules,
    /// A disk fills up.
    Disk,
    /// A program beside the service writes to the machine's disk.
    DiskTraffic,
    /// Clients download a lot of data.
    Downloads,
    /// Clients send invalid requests.
    ClientErrors,
    /// Browsers report slow and broken pages.
    BrowserReports,
    /// Logins with wrong passwords.
    LoginFailures,
    /// OAuth callbacks with a forged state.
    OauthFailures,
    /// A client exceeds its rate limit.
    RateLimits,
    /// Socket connections are refused.
    SocketErrors,
    /// Events do not reach clients.
    DroppedEvents,
    /// Jobs queue up.
    JobsBacklog,
    /// A platform fails.
    PlatformFailures,
    /// The environment driver fails.
    DriverFailures,
    /// The environment driver is slow.
    SlowDriver,
    /// Redis is slow.
    SlowRedis,
    /// Other clients hold Postgres connections and locks.
    DatabaseConnections,
    /// A replica's worker threads are busy.
    Busy,
    /// A replica uses too much memory.
    Memory,
    /// Responses are slow.
    Slowness,
    /// Statements are slow.
    SlowDatabase,
    /// Statements hold every connection of the pools.
    DatabasePool,
    /// A route fails.
    ServerErrors,
    /// A handler panics.
    Panic,
    /// Statements fail.
    DatabaseErrors,
    /// Every request fails, long enough to burn an error budget.
    ErrorBudget,
    /// Redis is down.
    RedisAway,
    /// Postgres is down.
    PostgresAway,
    /// A background task ends, and its replica shuts down.
    Task,
    /// A replica is replaced.
    ReplicaRestarted,
    /// A replica is down.
    ReplicaStopped,
    /// No replica responds to the edge.
    EdgeErrors,
    /// The certificate of the edge expires soon.
    Certificate,
    /// The last backup is too old.
    OldBackup,
    /// Containers run, which is so only under Compose.
    Containers,
}

impl Cause {
    /// Injects the cause and returns its mitigation.
    pub fn make(self, test: &mut TestStack) -> Result<Mitigation> {
        match self {
            Self::Traffic => traffic(test),
            Self::Rules => rules(test),
            Self::DiskTraffic => disk_traffic(),
            Self::Downloads => downloads(test),
            Self::ClientErrors => client_errors(test),
            Self::BrowserReports => browser_reports(test),
            Self::SlowDriver => slow_driver(test),
            Self::ServerErrors => server_errors(test),
            Self::ReplicaRestarted => replica_restarted(test),
            _ => self.drill().map_or_else(|| bail!("nothing injects {self}"), |drill| (drill.inject)(test)),
        }
    }

    /// The names of the alerts that its drill raises; none if it has no drill.
    #[must_use]
    pub fn alerts(self) -> Vec<&'static str> {
        self.drill().into_iter().flat_map(|drill| drill.alerts).map(|alert| parts(alert).0).collect()
    }

    /// The drill that injects this cause; `None` if this file injects it.
    fn drill(self) -> Option<Drill> {
        Some(match self {
            Self::Traffic
            | Self::Rules
            | Self::DiskTraffic
            | Self::Downloads
            | Self::ClientErrors
            | Self::BrowserReports
            | Self::SlowDriver
            | Self::ServerErrors
            | Self::ReplicaRestarted
            | Self::Containers => return None,
            Self::Alerts => meta::TARGET,
            Self::Disk => infra::DISK,
            Self::LoginFailures => accounts::FAILURES,
            Self::OauthFailures => accounts::OAUTH,
            Self::RateLimits => accounts::BRUTE_FORCE,
            Self::SocketErrors => realtime::REFUSED,
            Self::DroppedEvents => realtime::DROPPED,
            Self::JobsBacklog => jobs::BACKLOG,
            Self::PlatformFailures => jobs::PLATFORM,
            Self::DriverFailures => environments::FAILING,
            Self::DatabaseConnections => database::CONNECTIONS,
            Self::Busy => runtime::BUSY,
            Self::Memory => runtime::FULL,
            Self::SlowDatabase => database::VERY_SLOW,
            Self::DatabasePool => database::SLOW,
            Self::Slowness => http::SLOW,
            Self::Panic => runtime::PANIC,
            Self::DatabaseErrors => database::ERRORS,
            Self::ErrorBudget => http::OUTAGE,
            Self::SlowRedis => cache::SLOW,
            Self::RedisAway => cache::DOWN,
            Self::PostgresAway => database::DOWN,
            Self::Task => runtime::TASK,
            Self::ReplicaStopped => infra::REPLICA,
            Self::EdgeErrors => infra::SERVICE,
            Self::Certificate => edge::CERTIFICATE,
            Self::OldBackup => backup::OLD,
        })
    }

    /// Whether it makes the edge lose replicas. Such causes run last.
    #[must_use]
    pub fn is_of_replicas(self) -> bool {
        self >= Self::PostgresAway
    }

    /// Whether the proof can inject it. A stack of local processes has no containers.
    #[must_use]
    pub fn is_injectable(self) -> bool {
        self != Self::Containers
    }
}

impl Display for Cause {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        out.write_str(self.to_possible_value().as_ref().map_or("", |name| name.get_name()))
    }
}

/// The load continues until the stack stops, so that all later causes happen under load.
fn traffic(test: &mut TestStack) -> Result<Mitigation> {
    let load = load(test, LOAD_LASTS)?;
    test.keep(load);
    Ok(ends(()))
}

fn rules(test: &mut TestStack) -> Result<Mitigation> {
    let many = (meta::CARDINALITY.inject)(test)?;
    let long = meta::add_rule(test, "long", "count(rate({__name__=~\".+\"}[5m]))")?;
    let broken = (meta::RULE.inject)(test)?;
    Ok(Box::new(move |test| [many, long, broken].into_iter().try_for_each(|end| end(test))))
}

/// Writes more than the other programs of the machine: 8 MiB that must reach the disk, sixteen times per second. It writes to the disk of
/// the checkout, since a temporary folder may be in memory.
fn disk_traffic() -> Result<Mitigation> {
    let folder = tempfile::tempdir_in(paths::target())?;
    let file = folder.path().join("written");
    let bytes = vec![7; 8 << 20];
    let writer = Traffic::start(16, 1, move |_, _| {
        let written = fs::File::create(&file).and_then(|mut file| file.write_all(&bytes).and_then(|()| file.sync_all()));
        if let Err(error) = written {
            eprintln!("{}: {error}", file.display());
        }
    });
    Ok(ends((writer, folder)))
}

/// Makes a replica send more over loopback than the other programs: 180 KB, a hundred times per second.
fn downloads(test: &TestStack) -> Result<Mitigation> {
    let url = format!("{}/api/openapi.json", test.url(Port::Backend(1))?);
    let downloads = Traffic::start(100, 4, move |client, _| send_and_forget(client, "GET", &url, &[], None));
    Ok(ends(downloads))
}

/// Requests without a session, for a missing project, and with an invalid body.
fn client_errors(test: &TestStack) -> Result<Mitigation> {
    let edge = test.stack.edge()?;
    let wrong = Traffic::start(12, 2, move |client, number| match number % 3 {
        0 => send_and_forget(client, "GET", &format!("{edge}/api/projects"), &[], None),
        1 => send_and_forget(client, "GET", &format!("{edge}/api/showcase/no-such-project"), &[], None),
        _ => send_and_forget(client, "POST", &format!("{edge}/api/auth/login"), &[], Some(&json!({ "email": 1 }))),
    });
    Ok(ends(wrong))
}

/// Beacons with events of every kind, as a browser sends them after a bad visit.
fn browser_reports(test: &TestStack) -> Result<Mitigation> {
    let vital = |vital: &str, value: Value| json!({ "kind": "web_vital", "route": "/about", "vital": vital, "value": value });
    let error = |kind: &str| json!({ "kind": "client_error", "type": kind });
    let asset = |kind: &str| json!({ "kind": "asset", "type": kind, "value": 9000 });
    let call = |status: u16| json!({ "kind": "api_call", "endpoint": "/api/projects", "status": status });
    let waits = ["fcp", "inp", "lcp", "ttfb"].map(|name| vital(name, json!(9000)));
    let errors = ["csp_violation", "error", "resource", "unhandled_rejection"].map(error);
    let assets = ["font", "image", "script", "style"].map(asset);
    let rest = [
        json!({ "kind": "page_view", "route": "/about" }),
        json!({ "kind": "error_boundary", "route": "/about" }),
        vital("cls", json!(0.5)),
        call(200),
        call(404),
        call(500),
        // A call without a response.
        call(0),
    ];
    let events: Vec<Value> = [&waits[..], &errors, &assets, &rest].concat();
    Ok(ends(frontend::beacons(test, 4, &json!(events))?))
}

/// Like the drill of the slow driver, but shorter: four environments, each of which takes 4 s longer to start.
fn slow_driver(test: &TestStack) -> Result<Mitigation> {
    let fault = test.known_fault(json!({ "fault": "driver", "operation": "start", "delay_ms": 4000 }))?;
    let some = Environments::make(test, 4)?;
    some.all("start", 202)?;
    Ok(Box::new(move |test| {
        test.end_fault(&fault)?;
        some.delete()
    }))
}

fn server_errors(test: &TestStack) -> Result<Mitigation> {
    let fault = test.fault(json!({ "fault": "error", "status": 500, "route": "/api/showcase" }))?;
    let failing = http::readers(test, 15, 2)?;
    Ok(Box::new(move |test| {
        test.end_fault(&fault)?;
        drop(failing);
        Ok(())
    }))
}

fn replica_restarted(test: &mut TestStack) -> Result<Mitigation> {
    // No earlier cause restarts replica 3, so its uptime drops far.
    test.stack.replace_replica(3, Signal::TERM)?;
    Ok(ends(()))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use rule_tools::dashboards;

    use super::*;

    /// A panel that could react to an injected cause must not escape the proof by naming a cause that is not injected.
    #[test]
    fn exactly_the_panels_that_query_only_containers_have_a_cause_that_is_not_injected() {
        let causes = dashboards::causes::<Cause>().unwrap();
        let (mut declared, mut found) = (BTreeSet::new(), BTreeSet::new());
        for dashboard in dashboards::committed().unwrap() {
            for panel in dashboard.shown() {
                let name = format!("{} / {}", dashboard.title, panel.title);
                let of_containers = |expr: &str| expr.matches("job=").count() == expr.matches("job=\"cadvisor\"").count();
                if panel.targets.iter().all(|target| target.expr.contains("job=") && of_containers(&target.expr)) {
                    found.insert(name.clone());
                }
                if !causes[&dashboard.uid][&panel.id].is_injectable() {
                    declared.insert(name);
                }
            }
            let is_shown_everywhere = |panel: &&dashboards::Panel| causes[&dashboard.uid][&panel.id].is_injectable();
            assert!(dashboard.first_row().iter().all(is_shown_everywhere), "{}: containers in the first row", dashboard.title);
        }
        assert!(!declared.is_empty());
        assert_eq!(declared, found);
    }

    #[test]
    fn causes_have_the_same_names_in_commands_and_in_files() {
        for cause in Cause::value_variants() {
            assert_eq!(serde_json::from_value::<Cause>(json!(cause.to_string())).unwrap(), *cause);
        }
    }
}
