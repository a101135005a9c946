//! The table: each fault, how it is injected, and what the probes, the edge and the monitoring must report meanwhile. The proof and
//! docs/RELIABILITY.md both use it.

use std::time::Duration;

use rustix::process::Signal;
use serde_json::json;

use crate::drill::test_stack::TestStack;
use crate::drill::{Drill, Mitigation, cache, database, environments, http, infra};

/// The faulty replica of the cells with [`Target::Replica`].
pub const REPLICA: u16 = 2;
/// Time limit of a recovery without the start of a process.
const RETURN: Duration = Duration::from_secs(5);
/// Time limit of a recovery that includes the start of a process. The replicas of this proof are unoptimised.
const RESTART: Duration = Duration::from_secs(10);

/// What is faulty.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    Postgres,
    Redis,
    Driver,
    Replica,
}

impl Target {
    /// Its name in the document.
    pub fn name(self) -> &'static str {
        match self {
            Self::Postgres => "Postgres",
            Self::Redis => "Redis",
            Self::Driver => "environment driver",
            Self::Replica => "one replica",
        }
    }
}

/// How the target fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// It is down: connections are refused, calls fail immediately.
    Kill,
    /// It accepts connections and calls, but never answers.
    Hang,
    /// It answers late.
    Slow,
}

impl Fault {
    /// Its name in the document.
    pub fn name(self) -> &'static str {
        match self {
            Self::Kill => "kill",
            Self::Hang => "hang",
            Self::Slow => "slow",
        }
    }
}

/// The edge's answers to clients.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Edge {
    /// 200; every replica is chosen.
    All,
    /// 200; every replica but the faulty one is chosen.
    Others,
    /// 503 with `Retry-After`.
    Unavailable,
}

/// The expected reports of a probe at a replica.
pub const OK: &str = "200";
pub const READY: &str = "200 ready";
pub const DEGRADED: &str = "200 degraded";
pub const UNREADY: &str = "503 unready";
pub const NOTHING: &str = "no answer";

/// One fault and the expected reports.
pub struct Cell {
    pub target: Target,
    pub fault: Fault,
    /// The injection, its repair, and the alerts that must fire.
    pub drill: Drill,
    /// `/health/live` of the affected replicas: of [`REPLICA`] if it is the target, otherwise of all replicas.
    pub live: &'static str,
    /// `/health/ready` of the affected replicas: the status and the field `status`.
    pub ready: &'static str,
    pub edge: Edge,
    /// The series that must be 0: `pg_up`, `redis_up`, or `up` of a job, written as `up{job="…"}`. The others must not be 0.
    pub down: &'static [&'static str],
    /// Time limit of the recovery.
    pub recovery: Duration,
}

impl Cell {
    /// The name of its step.
    pub fn name(&self) -> String {
        format!("{}: {}", self.target.name(), self.fault.name())
    }

    /// Whether `live` and `ready` apply to this replica.
    pub fn affects(&self, replica: u16) -> bool {
        self.target != Target::Replica || replica == REPLICA
    }
}

pub const CELLS: &[Cell] = &[
    Cell {
        target: Target::Postgres,
        fault: Fault::Kill,
        drill: database::DOWN,
        live: OK,
        ready: UNREADY,
        edge: Edge::Unavailable,
        // Here, the scrape times out while the exporter still tries to connect, so `up` is 0. In production, Prometheus waits 10 s and
        // reads a `pg_up` of 0.
        down: &["up{job=\"postgres\"}"],
        recovery: RESTART,
    },
    Cell {
        target: Target::Postgres,
        fault: Fault::Hang,
        drill: Drill {
            alerts: &["PostgresDown"],
            cause: "every process of Postgres is frozen",
            mitigation: "they are unfrozen",
            inject: |test| freeze(test, "postgres"),
        },
        live: OK,
        ready: UNREADY,
        edge: Edge::Unavailable,
        down: &["up{job=\"postgres\"}"],
        recovery: RETURN,
    },
    Cell {
        target: Target::Postgres,
        fault: Fault::Slow,
        drill: Drill {
            alerts: &["SlowDatabaseQueries"],
            cause: "every statement takes 0.7 s longer",
            mitigation: "the delay is removed: the fault `database` is ended",
            inject: |test| {
                let readers = database::project_readers(test, 6, 12)?;
                test.keep_until_resolved(readers);
                let fault = test.fault(json!({ "fault": "database", "delay_ms": 700 }))?;
                Ok(Box::new(move |test| test.end_fault(&fault)))
            },
        },
        live: OK,
        ready: READY,
        edge: Edge::All,
        down: &[],
        recovery: RETURN,
    },
    Cell {
        target: Target::Redis,
        fault: Fault::Kill,
        drill: Drill { alerts: &["RedisDown"], ..cache::DOWN },
        live: OK,
        ready: DEGRADED,
        edge: Edge::All,
        down: &["redis_up"],
        recovery: RESTART,
    },
    Cell {
        target: Target::Redis,
        fault: Fault::Hang,
        drill: Drill {
            alerts: &["RedisDown"],
            cause: "Redis is frozen",
            mitigation: "it is unfrozen",
            inject: |test| freeze(test, "redis"),
        },
        live: OK,
        ready: DEGRADED,
        edge: Edge::All,
        down: &["up{job=\"redis\"}"],
        recovery: RETURN,
    },
    Cell {
        target: Target::Redis,
        fault: Fault::Slow,
        drill: cache::SLOW,
        live: OK,
        ready: READY,
        edge: Edge::All,
        down: &[],
        recovery: RETURN,
    },
    Cell {
        target: Target::Driver,
        fault: Fault::Kill,
        drill: Drill {
            alerts: &["HighDockerFailureRate"],
            cause: "every call of the driver fails",
            mitigation: "the driver is repaired: the fault `driver` is ended",
            inject: |test| {
                let fault = test.fault(json!({ "fault": "driver" }))?;
                Ok(Box::new(move |test| test.end_fault(&fault)))
            },
        },
        live: OK,
        ready: DEGRADED,
        edge: Edge::All,
        down: &[],
        recovery: RETURN,
    },
    Cell {
        target: Target::Driver,
        fault: Fault::Hang,
        drill: Drill {
            alerts: &["HighDockerFailureRate"],
            cause: "no call of the driver returns before its deadline",
            mitigation: "the driver is repaired: the fault `driver` is ended",
            inject: |test| {
                let fault = test.fault(json!({ "fault": "driver", "delay_ms": 30_000 }))?;
                Ok(Box::new(move |test| test.end_fault(&fault)))
            },
        },
        live: OK,
        ready: DEGRADED,
        edge: Edge::All,
        down: &[],
        recovery: RETURN,
    },
    Cell {
        target: Target::Driver,
        fault: Fault::Slow,
        drill: environments::SLOW,
        live: OK,
        ready: READY,
        edge: Edge::All,
        down: &[],
        recovery: RETURN,
    },
    Cell {
        target: Target::Replica,
        fault: Fault::Kill,
        drill: infra::REPLICA,
        live: NOTHING,
        ready: NOTHING,
        edge: Edge::Others,
        down: &["up{job=\"backend\"}"],
        recovery: RESTART,
    },
    Cell {
        target: Target::Replica,
        fault: Fault::Hang,
        drill: Drill {
            alerts: &["ServiceDown"],
            cause: "backend-2 is frozen",
            mitigation: "it is unfrozen",
            inject: |test| freeze(test, "backend-2"),
        },
        live: NOTHING,
        ready: NOTHING,
        edge: Edge::Others,
        down: &["up{job=\"backend\"}"],
        recovery: RETURN,
    },
    Cell {
        target: Target::Replica,
        fault: Fault::Slow,
        drill: Drill {
            alerts: &["HighAPILatency"],
            cause: "every response of backend-2 takes 2 s longer, while clients send 3 requests per second",
            mitigation: "the delay is removed: the fault `latency` is ended",
            inject: |test| {
                let fault = test.fault(json!({ "fault": "latency", "delay_ms": 2000, "replica": "backend-2" }))?;
                let readers = http::readers(test, 3, 10)?;
                test.keep_until_resolved(readers);
                Ok(Box::new(move |test| test.end_fault(&fault)))
            },
        },
        live: OK,
        ready: READY,
        edge: Edge::All,
        down: &[],
        recovery: RETURN,
    },
];

/// Freezes a process with its children, until the mitigation.
fn freeze(test: &mut TestStack, name: &'static str) -> anyhow::Result<Mitigation> {
    test.stack.signal_family(name, Signal::STOP)?;
    Ok(Box::new(move |test| test.stack.signal_family(name, Signal::CONT)))
}
