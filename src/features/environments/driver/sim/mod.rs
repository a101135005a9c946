//! The simulated driver. Containers are rows in Postgres, so that every replica sees all containers. Latencies, failures and log lines are
//! derived from a seed, so that they are reproducible.

mod editor;
mod lines;
mod shell;
mod store;
mod terminal;

use std::time::Duration;

use async_trait::async_trait;
use futures_util::future::BoxFuture;
use parking_lot::Mutex;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use time::OffsetDateTime;
use uuid::Uuid;

use super::{Container, Driver, DriverError, Exit, Image, Lines, Program, Script, Terminal, TerminalSize, container_name};
use crate::config::Config;
use crate::db::{Conn, Db, StoreError};
use crate::domain::DriverName;

/// Exit code of a shell that does not find a program.
const NOT_FOUND: i64 = 127;

/// The simulated driver.
pub struct Sim {
    db: Db,
    namespace: String,
    latency: Duration,
    failure_rate: f64,
    lines: lines::Source,
    random: Mutex<StdRng>,
}

impl From<StoreError> for DriverError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Unavailable(_) | StoreError::Timeout => Self::Unavailable(error.to_string()),
            StoreError::Contended | StoreError::Conflict(_) | StoreError::Internal(_) => Self::Failed(error.to_string()),
        }
    }
}

impl Sim {
    /// Creates a driver that stores its containers in the database.
    #[must_use]
    pub fn new(config: &Config, db: Db) -> Self {
        let lines = lines::Source { seed: config.sim_seed, per_second: config.sim_lines_per_second };
        Self {
            db,
            namespace: config.environment_namespace.clone(),
            latency: config.sim_latency,
            failure_rate: config.sim_failure_rate,
            lines,
            random: Mutex::new(StdRng::seed_from_u64(config.sim_seed)),
        }
    }

    /// Simulates the latency and the failures of a call. On success, returns a database connection for the call.
    async fn act(&self) -> Result<Conn, DriverError> {
        let (pause, fails) = {
            let mut random = self.random.lock();
            (self.latency.mul_f64(random.random_range(0.5..1.5)), random.random_bool(self.failure_rate))
        };
        tokio::time::sleep(pause).await;
        if fails {
            return Err(DriverError::Failed("simulated failure (SIM_FAILURE_RATE)".to_owned()));
        }
        Ok(self.db.acquire().await?)
    }

    async fn running(&self, environment: Uuid) -> Result<store::Row, DriverError> {
        let found = store::find(&mut self.act().await?, &self.namespace, environment).await?.ok_or(DriverError::NoContainer)?;
        if found.is_running() { Ok(found) } else { Err(DriverError::Refused("the container is not running".to_owned())) }
    }

    /// Returns a function that looks up the time at which the given run ended. The time is `None` while the run continues.
    fn end_of_run(&self, environment: Uuid, started_at: OffsetDateTime) -> impl Fn() -> EndOfRun + Send + 'static {
        let (db, namespace) = (self.db.clone(), self.namespace.clone());
        move || {
            let (db, namespace) = (db.clone(), namespace.clone());
            Box::pin(async move {
                let now = store::find(&mut db.acquire().await?, &namespace, environment).await?;
                Ok(match now {
                    Some(row) if row.started_at == Some(started_at) && row.is_running() => None,
                    Some(row) if row.started_at == Some(started_at) => row.stopped_at,
                    // This run has ended, but its end is no longer stored. The start of the next run is the latest possible end. Without a
                    // next run (the container was removed), only the start of this run is known.
                    other => other.and_then(|row| row.started_at).or(Some(started_at)),
                })
            })
        }
    }
}

/// Looks up the end of a run; returns `None` while the run continues.
type EndOfRun = BoxFuture<'static, Result<Option<OffsetDateTime>, DriverError>>;

fn there(changed: u64) -> Result<(), DriverError> {
    if changed == 0 { Err(DriverError::NoContainer) } else { Ok(()) }
}

#[async_trait]
impl Driver for Sim {
    fn name(&self) -> DriverName {
        DriverName::Sim
    }

    async fn ping(&self) -> Result<(), DriverError> {
        Ok(())
    }

    async fn pull(&self, _: Image) -> Result<(), DriverError> {
        self.act().await.map(drop)
    }

    async fn create(&self, environment: Uuid, image: Image) -> Result<String, DriverError> {
        store::insert(&mut self.act().await?, &self.namespace, environment, image.reference()).await?;
        Ok(container_name(&self.namespace, environment))
    }

    async fn start(&self, environment: Uuid) -> Result<(), DriverError> {
        there(store::start(&mut self.act().await?, &self.namespace, environment).await?)
    }

    async fn stop(&self, environment: Uuid) -> Result<(), DriverError> {
        there(store::stop(&mut self.act().await?, &self.namespace, environment).await?)
    }

    async fn restart(&self, environment: Uuid) -> Result<(), DriverError> {
        there(store::restart(&mut self.act().await?, &self.namespace, environment).await?)
    }

    async fn remove(&self, environment: Uuid) -> Result<(), DriverError> {
        Ok(store::delete(&mut self.act().await?, &self.namespace, environment).await?)
    }

    async fn inspect(&self, environment: Uuid) -> Result<Option<Container>, DriverError> {
        let found = store::find(&mut self.act().await?, &self.namespace, environment).await?;
        Ok(found.map(|row| row.container(&self.namespace)).transpose()?)
    }

    async fn list(&self) -> Result<Vec<Container>, DriverError> {
        let all = store::all(&mut self.act().await?, &self.namespace).await?;
        Ok(all.into_iter().map(|row| row.container(&self.namespace)).collect::<Result<_, _>>()?)
    }

    async fn exec(&self, environment: Uuid, script: &Script) -> Result<Exit, DriverError> {
        let found = self.running(environment).await?;
        let image = found.image()?;
        let missing = script.requires.filter(|program| !image.has(program));
        Ok(match missing {
            Some(program) => Exit { code: NOT_FOUND, output: format!("{program} is not in this image") },
            None => Exit { code: 0, output: String::new() },
        })
    }

    async fn terminal(&self, environment: Uuid, _: Program, size: TerminalSize) -> Result<Terminal, DriverError> {
        let started_at = self.running(environment).await?.started_at.unwrap_or(OffsetDateTime::UNIX_EPOCH);
        let hostname = container_name(&self.namespace, environment);
        Ok(terminal::open(hostname, started_at, size, self.end_of_run(environment, started_at)))
    }

    async fn logs(&self, environment: Uuid, since: OffsetDateTime) -> Result<Lines, DriverError> {
        let found = store::find(&mut self.act().await?, &self.namespace, environment).await?.ok_or(DriverError::NoContainer)?;
        let Some(started_at) = found.started_at else { return Ok(Box::pin(futures_util::stream::empty())) };
        Ok(self.lines.follow(environment, started_at, since, self.end_of_run(environment, started_at)))
    }
}
