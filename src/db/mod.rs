//! Postgres: the pool, deadlines, and the only road from a statement to its result and its metrics.
//!
//! Statements themselves belong to the `store.rs` of the feature that owns the table. A store takes a [`Conn`], so
//! that a service decides what is one transaction.

mod conn;
mod error;
pub mod idempotency;
pub mod invalidations;
pub mod lease;
mod listen;
mod migration;

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::try_join_all;
use secrecy::ExposeSecret;
use sqlx::pool::{PoolConnection, PoolConnectionMetadata};
use sqlx::postgres::{PgConnectOptions, PgConnection, PgPool, PgPoolOptions};
use sqlx::{ConnectOptions, Connection, Postgres};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

pub use conn::Conn;
pub use error::StoreError;

use crate::config::Config;
use crate::faults::Armed;
use crate::metrics::Metrics;
use crate::metrics::labels::{PoolState, Query, Severity, SystemError};

/// The network may add this much to a statement's own limit before the connection is given up.
const DEADLINE_MARGIN: Duration = Duration::from_millis(250);
/// A replica that freezes or is cut off in the middle of a transaction keeps its locks no longer: well within a job's lease.
const IDLE_IN_TRANSACTION: Duration = Duration::from_secs(5);
const SAMPLE_EVERY: Duration = Duration::from_secs(1);
/// sqlx pings a connection when it is returned to the pool. A second ping before the next use costs a round trip on every
/// request, and finds something only after a pause.
const TRUSTED_FOR: Duration = Duration::from_secs(1);

/// The way to Postgres.
#[derive(Clone)]
pub struct Db {
    pool: PgPool,
    /// One connection outside the pool, so that a busy pool does not look like a dead database.
    probe: PgPool,
    /// One more on which notifications are received.
    listening: PgPool,
    options: PgConnectOptions,
    deadline: Duration,
    acquire_timeout: Duration,
    /// Of background work: the connections that it may hold at once.
    share: Option<Arc<Semaphore>>,
    faults: Armed,
    metrics: Metrics,
}

impl Db {
    /// Prepares the pool; connects when first used, so that a database that is away does not keep the service from starting.
    ///
    /// # Errors
    /// When `DATABASE_URL` is not understood.
    pub fn new(config: &Config, metrics: Metrics) -> Result<Self, sqlx::Error> {
        let options: PgConnectOptions = config.database_url.expose_secret().parse()?;
        let options = options.application_name(&format!("vitrine-{}", config.replica)).disable_statement_logging();
        let milliseconds = |limit: Duration| limit.as_millis().to_string();
        let limited = options.clone().options([
            ("statement_timeout", milliseconds(config.database_statement_timeout)),
            ("idle_in_transaction_session_timeout", milliseconds(IDLE_IN_TRANSACTION)),
        ]);
        let pool = |size| {
            let options = PgPoolOptions::new().max_connections(size).acquire_timeout(config.database_acquire_timeout);
            options.test_before_acquire(false).before_acquire(|connection, meta| Box::pin(is_usable(connection, meta)))
        };
        Ok(Self {
            pool: pool(config.database_max_connections).connect_lazy_with(limited.clone()),
            probe: pool(1).connect_lazy_with(limited.clone()),
            listening: pool(1).max_lifetime(None).idle_timeout(None).connect_lazy_with(limited),
            options,
            deadline: config.database_statement_timeout + DEADLINE_MARGIN,
            acquire_timeout: config.database_acquire_timeout,
            share: None,
            faults: Armed::default(),
            metrics,
        })
    }

    /// The same, whose statements faults may strike.
    #[must_use]
    pub fn with_faults(self, faults: Armed) -> Self {
        Self { faults, ..self }
    }

    /// The same for background work, which waits rather than hold more than half of the connections: requests find the
    /// other half. One future must not hold two of these at once.
    #[must_use]
    pub fn for_background(&self) -> Self {
        let half = (self.pool.options().get_max_connections() / 2).max(1);
        Self { share: Some(Arc::new(Semaphore::new(half as usize))), ..self.clone() }
    }

    /// Takes a connection.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] when there is none within `DATABASE_ACQUIRE_TIMEOUT`.
    pub async fn acquire(&self) -> Result<Conn, StoreError> {
        if self.faults.has_to_go_aside() {
            return self.acquire_aside().await;
        }
        let share = match &self.share {
            Some(share) => share.clone().acquire_owned().await.ok(),
            None => None,
        };
        let _wait = self.metrics.db_pool_wait.time(());
        let acquired = tokio::time::timeout(self.acquire_timeout + DEADLINE_MARGIN, self.pool.acquire()).await;
        let connection = acquired.map_err(|_| StoreError::Timeout)?.map_err(|error| self.failed(error))?;
        Ok(self.conn(connection, share))
    }

    /// Fills the pool, so that the first requests find connections: many that connect at once wait longer than a request may.
    ///
    /// # Errors
    /// When one of them cannot be had within `DATABASE_ACQUIRE_TIMEOUT`.
    pub async fn warm_up(&self) -> Result<(), StoreError> {
        let all = (0..self.pool.options().get_max_connections()).map(|_| self.pool.acquire());
        try_join_all(all).await.map(drop).map_err(StoreError::from)
    }

    /// Takes a connection and opens a transaction, which ends with [`Conn::commit`] or is rolled back on drop.
    ///
    /// # Errors
    /// As [`Self::acquire`].
    pub async fn begin(&self) -> Result<Conn, StoreError> {
        let mut conn = self.acquire().await?;
        conn.begin().await?;
        Ok(conn)
    }

    /// Asks the database for a sign of life.
    ///
    /// # Errors
    /// When it gives none within the limits of any other statement.
    pub async fn ping(&self) -> Result<(), StoreError> {
        self.acquire_aside().await?.execute(Query::Ping, sqlx::query("SELECT 1")).await.map(drop)
    }

    /// Takes the one connection outside the pool: for what must work when the pool is busy, and is done at once.
    ///
    /// # Errors
    /// As [`Self::acquire`].
    pub async fn acquire_aside(&self) -> Result<Conn, StoreError> {
        let connection = self.probe.acquire().await.map_err(StoreError::from)?;
        Ok(self.conn(connection, None))
    }

    /// Reports the pool's connections for ever.
    pub async fn sample(self) {
        let mut ticks = tokio::time::interval(SAMPLE_EVERY);
        let gauge = &self.metrics.db_connection_pool_size;
        loop {
            ticks.tick().await;
            let (size, idle) = (self.pool.size(), u32::try_from(self.pool.num_idle()).unwrap_or(u32::MAX));
            gauge.set(PoolState::Idle, f64::from(idle));
            gauge.set(PoolState::Used, f64::from(size.saturating_sub(idle)));
            gauge.set(PoolState::Max, f64::from(self.pool.options().get_max_connections()));
        }
    }

    /// Calls `wake` after each notification on a channel, and whenever one may have been lost; for ever. One task at a time.
    pub async fn listen(self, channel: &str, wake: impl Fn() + Send + Sync) {
        listen::listen(&self.listening, channel, self.deadline, wake).await;
    }

    /// The longest time that a load of one or two statements may take.
    #[must_use]
    pub fn longest_load(&self) -> Duration {
        self.acquire_timeout + DEADLINE_MARGIN + 2 * self.deadline
    }

    /// Closes every connection, those in use when they come back.
    pub async fn close(&self) {
        tokio::join!(self.pool.close(), self.probe.close());
    }

    fn conn(&self, connection: PoolConnection<Postgres>, share: Option<OwnedSemaphorePermit>) -> Conn {
        Conn::new(connection, share, self.deadline, self.faults.clone(), self.metrics.clone())
    }

    fn failed(&self, error: sqlx::Error) -> StoreError {
        self.metrics.system_errors.increment((SystemError::Database, Severity::Error));
        StoreError::from(error)
    }
}

/// False or an error closes the connection, and the pool makes another.
async fn is_usable(connection: &mut PgConnection, meta: PoolConnectionMetadata) -> Result<bool, sqlx::Error> {
    if meta.idle_for > TRUSTED_FOR {
        connection.ping().await?;
    }
    Ok(true)
}
