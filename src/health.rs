//! Health checks of the dependencies. They run in the background, so that probes are cheap and do not pile up.
//!
//! While a dependency that `READINESS_REQUIRES` names is down, the replica is unready. While any other dependency is down, the replica is
//! degraded. The routes are in [`operations`](crate::operations).

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::error::Error;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::RwLock;
use serde::Serialize;
use time::OffsetDateTime;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;
use utoipa::ToSchema;

use crate::cache::RedisClient;
use crate::config::Requirement;
use crate::db::{self, Db, StoreError};
use crate::diagnosis::Cause;
use crate::domain::DriverName;
use crate::metrics::Metrics;
use crate::metrics::labels::{Dependency, Severity, SystemError};
use crate::tasks::ticks;

const CHECK_EVERY: Duration = Duration::from_millis(500);
const CHECK_TIMEOUT: Duration = Duration::from_millis(400);
/// Consecutive failures until a required dependency counts as down. If one failure were enough, one slow answer of Postgres would remove
/// every replica from the edge's pool at once.
const FAILURES_TO_BE_DOWN: u32 = 2;
/// First pause between attempts to migrate. The pause doubles after each attempt, so that a failing migration does not flood the log.
const MIGRATE_PAUSE: Duration = Duration::from_millis(250);
/// Upper bound of the pause between attempts to migrate.
const MAX_MIGRATE_PAUSE: Duration = Duration::from_secs(2);
const READINESS_TIMEOUT: Duration = Duration::from_secs(3);

/// Whether a dependency can be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum DependencyStatus {
    /// The last check succeeded. A required dependency is still up after one failure.
    Up,
    /// The last check failed, or no check has succeeded yet. A required dependency goes down only after two consecutive failures.
    Down,
}

impl DependencyStatus {
    const fn name(self) -> &'static str {
        match self {
            Self::Up => "up",
            Self::Down => "down",
        }
    }
}

/// Whether a replica accepts requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum ReadinessStatus {
    /// Every dependency is up.
    Ready,
    /// Every required dependency is up, but another one is down.
    Degraded,
    /// A required dependency is down.
    Unready,
    /// The replica is shutting down.
    Draining,
}

/// The state of one dependency.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Check {
    /// Whether the dependency can be used.
    pub status: DependencyStatus,
    /// Whether the replica is unready while this dependency is down.
    pub required: bool,
    /// Duration of the last check in milliseconds.
    pub latency_ms: u64,
    /// Time of the last change of the status.
    #[serde(with = "time::serde::rfc3339")]
    pub since: OffsetDateTime,
    /// Class of the last failure: `not_checked` before the first check, `refused` if `detail` has the reason, null if no check has failed
    /// since the dependency came up.
    pub last_error: Option<&'static str>,
    /// For the environment driver, its name; for a store, why it refuses connections and what to check, or the sessions that block a
    /// migration.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub detail: Option<Cow<'static, str>>,
    #[serde(skip)]
    failures: u32,
}

/// Whether the replica accepts requests, and why.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Readiness {
    /// Whether the replica accepts requests.
    pub status: ReadinessStatus,
    /// One entry for each dependency.
    pub checks: BTreeMap<&'static str, Check>,
}

impl Readiness {
    /// Whether the edge should send requests.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        matches!(self.status, ReadinessStatus::Ready | ReadinessStatus::Degraded)
    }
}

/// The health of one replica; clones share it.
#[derive(Clone)]
pub struct Health(Arc<Inner>);

struct Inner {
    started: Instant,
    known: RwLock<Known>,
    migrated: CancellationToken,
    metrics: Metrics,
}

struct Known {
    draining: bool,
    checks: BTreeMap<&'static str, Check>,
}

impl Health {
    /// Every dependency is down until its first successful check. `requires` lists the dependencies that readiness requires.
    #[must_use]
    pub fn new(driver: DriverName, requires: &[Requirement], metrics: Metrics) -> Self {
        let unknown = |dependency| Check {
            status: DependencyStatus::Down,
            required: requires.iter().any(|requirement| requirement.dependency() == dependency),
            latency_ms: 0,
            since: OffsetDateTime::now_utc(),
            last_error: Some("not_checked"),
            detail: None,
            failures: FAILURES_TO_BE_DOWN,
        };
        let checks = [Dependency::Postgres, Dependency::Redis, Dependency::EnvironmentDriver];
        let mut checks: BTreeMap<_, _> = checks.map(|dependency| (dependency.name(), unknown(dependency))).into();
        if let Some(check) = checks.get_mut(Dependency::EnvironmentDriver.name()) {
            check.detail = Some(driver.name().into());
        }
        Self(Arc::new(Inner {
            started: Instant::now(),
            known: RwLock::new(Known { draining: false, checks }),
            migrated: CancellationToken::new(),
            metrics,
        }))
    }

    /// Time since the replica started.
    #[must_use]
    pub fn uptime(&self) -> Duration {
        self.0.started.elapsed()
    }

    /// The current readiness.
    #[must_use]
    pub fn readiness(&self) -> Readiness {
        let known = self.0.known.read();
        let down = |required| known.checks.values().any(|check| check.status == DependencyStatus::Down && check.required == required);
        let status = match (known.draining, down(true), down(false)) {
            (true, ..) => ReadinessStatus::Draining,
            (_, true, _) => ReadinessStatus::Unready,
            (.., true) => ReadinessStatus::Degraded,
            _ => ReadinessStatus::Ready,
        };
        Readiness { status, checks: known.checks.clone() }
    }

    /// Waits until the schema is migrated: before that, tables may be missing.
    pub async fn migrated(&self) {
        self.0.migrated.cancelled().await;
    }

    /// Reports `draining` from now on, so that the edge sends no more requests.
    pub fn drain(&self) {
        self.0.known.write().draining = true;
        self.0.metrics.service_draining.set((), 1.0);
        self.0.metrics.service_ready.set(Dependency::All, 0.0);
    }

    /// Migrates the schema as soon as Postgres is available, then checks Postgres and Redis. Runs until the task is aborted.
    pub async fn watch(self, db: Db, redis: RedisClient) {
        let mut pause = MIGRATE_PAUSE;
        while let Err(error) = db.migrate(|holders| self.wait_for_migration(holders)).await {
            self.0.metrics.system_errors.increment((SystemError::Migration, Severity::Error));
            let cause = db::cause(&error);
            if cause.is_none() {
                tracing::warn!(error = &error as &dyn Error, "failed to migrate the schema; retrying");
            }
            self.check(Dependency::Postgres, Duration::ZERO, Err(Failure { class: "migration", cause }));
            self.check(Dependency::Redis, Duration::ZERO, redis_state(&redis));
            tokio::time::sleep(pause).await;
            pause = MAX_MIGRATE_PAUSE.min(2 * pause);
        }
        self.explain(Dependency::Postgres, None);
        if let Err(error) = db.warm_up().await {
            tracing::debug!(error = &error as &dyn Error, "failed to warm up the pool; it fills on demand");
        }
        self.0.migrated.cancel();
        let mut ticks = ticks(CHECK_EVERY);
        let mut postgres = Postgres { db, pending: None };
        loop {
            ticks.tick().await;
            let start = Instant::now();
            let result = tokio::time::timeout(CHECK_TIMEOUT, postgres.ping()).await.unwrap_or(Err("timeout".into()));
            self.check(Dependency::Postgres, start.elapsed(), result);
            self.check(Dependency::Redis, Duration::ZERO, redis_state(&redis));
        }
    }

    /// Records that other database sessions, usually those of a migrating replica, block the migration.
    fn wait_for_migration(&self, holders: &str) {
        self.explain(Dependency::Postgres, Some(format!("migration is waiting for {holders}").into()));
        self.note(Dependency::Postgres, Duration::ZERO, Err("migration_waiting"));
    }

    fn explain(&self, dependency: Dependency, detail: Option<Cow<'static, str>>) {
        let mut known = self.0.known.write();
        if let Some(check) = known.checks.get_mut(dependency.name()) {
            check.detail = detail;
        }
    }

    /// Records the result of one check of a store. The log names the reason of a refusal once, and again only after another result.
    fn check(&self, store: Dependency, latency: Duration, result: Result<(), Failure>) {
        let cause = result.as_ref().err().and_then(|failure| failure.cause);
        let reason = cause.map(|cause| cause.sentence(store));
        if let Some(reason) = &reason {
            let is_known = self.0.known.read().checks.get(store.name()).is_some_and(|check| check.detail.as_deref() == Some(reason));
            if !is_known {
                tracing::warn!(store = store.name(), reason, "failed to connect to a store; retrying");
            }
        }
        self.explain(store, reason.map(Cow::from));
        self.note(store, latency, result.map_err(|failure| failure.cause.map_or(failure.class, |_| "refused")));
    }

    /// Records the result of one check of a dependency.
    pub fn note(&self, dependency: Dependency, latency: Duration, result: Result<(), &'static str>) {
        let mut known = self.0.known.write();
        let Some(check) = known.checks.get_mut(dependency.name()) else { return };
        check.latency_ms = u64::try_from(latency.as_millis()).unwrap_or(u64::MAX);
        check.failures = if result.is_ok() { 0 } else { check.failures.saturating_add(1) };
        check.last_error = result.err().or(check.last_error.filter(|_| check.status == DependencyStatus::Up));
        let status = if check.failures == 0 {
            DependencyStatus::Up
        } else if check.failures >= FAILURES_TO_BE_DOWN || !check.required {
            DependencyStatus::Down
        } else {
            check.status
        };
        if status != check.status {
            check.status = status;
            check.since = OffsetDateTime::now_utc();
            if status == DependencyStatus::Up {
                check.last_error = None;
            }
            tracing::info!(dependency = dependency.name(), status = status.name(), "dependency status changed");
        }
        drop(known);
        self.0.metrics.service_ready.set(dependency, f64::from(u8::from(status == DependencyStatus::Up)));
        self.0.metrics.service_ready.set(Dependency::All, f64::from(u8::from(self.readiness().is_ready())));
    }
}

/// A failed check: its class, and why the store refuses connections, if it does.
struct Failure {
    class: &'static str,
    cause: Option<Cause>,
}

impl From<&'static str> for Failure {
    fn from(class: &'static str) -> Self {
        Self { class, cause: None }
    }
}

/// Pings Postgres, one ping at a time.
struct Postgres {
    db: Db,
    /// A ping that had not ended when its check timed out.
    pending: Option<AbortOnDropHandle<Result<(), StoreError>>>,
}

impl Postgres {
    /// Pings after the previous ping has ended. A check never cancels a ping, because a cancelled ping loses its connection. On a busy
    /// replica, opening a new connection takes much longer than a check: SCRAM in sqlx yields to other tasks eight hundred times.
    async fn ping(&mut self) -> Result<(), Failure> {
        if let Some(late) = &mut self.pending {
            let _whatever_it_was = late.await;
        }
        let db = self.db.clone();
        let pending = self.pending.insert(AbortOnDropHandle::new(tokio::spawn(async move { db.ping().await })));
        let answer = pending.await;
        self.pending = None;
        match answer {
            Ok(Ok(())) => Ok(()),
            Ok(Err(StoreError::Unavailable(error))) => Err(Failure { class: "unavailable", cause: db::cause(&*error) }),
            Ok(Err(StoreError::Timeout)) => Err("timeout".into()),
            Ok(Err(StoreError::Contended | StoreError::Conflict(_) | StoreError::Internal(_))) | Err(_) => Err("internal".into()),
        }
    }
}

fn redis_state(redis: &RedisClient) -> Result<(), Failure> {
    if redis.is_connected() { Ok(()) } else { Err(Failure { class: "unavailable", cause: redis.cause() }) }
}

/// Checks the readiness of the replica in this container, for the health check of an image without a shell.
///
/// # Errors
/// When the replica is not ready, or does not answer within three seconds.
pub async fn check_replica(port: u16) -> Result<(), Box<dyn Error + Send + Sync>> {
    let answer = tokio::time::timeout(READINESS_TIMEOUT, async {
        let mut stream = TcpStream::connect(("127.0.0.1", port)).await?;
        stream.write_all(b"GET /health/ready HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").await?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await?;
        std::io::Result::Ok(answer)
    })
    .await??;
    if answer.starts_with("HTTP/1.1 200 ") { Ok(()) } else { Err(answer.lines().next().unwrap_or("no response").to_owned().into()) }
}
