//! Postgres: the pool, the deadlines, and [`Conn`], which executes and measures the statements of the features.
//!
//! The statements belong to the `store.rs` of the feature that owns the table. A store takes a [`Conn`], so that the service
//! decides where a transaction begins and ends.

mod cause;
mod conn;
mod error;
mod failover;
pub mod idempotency;
pub mod invalidations;
pub mod lease;
mod listen;
mod login;
mod migration;
mod route;

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::try_join_all;
use secrecy::{ExposeSecret, SecretString};
use sqlx::pool::{PoolConnection, PoolConnectionMetadata};
use sqlx::postgres::{PgConnectOptions, PgConnection, PgPoolOptions};
use sqlx::{ConnectOptions, Connection, Postgres};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

pub use cause::cause;
pub use conn::Conn;
pub use error::{StoreError, known};

use self::failover::Failover;
use self::login::{Login, Pool};
use self::route::Route;
use crate::config::Config;
use crate::fault_injection::FaultInjector;
use crate::metrics::Metrics;
use crate::metrics::labels::{PoolState, Query, Severity, SystemError};

/// Time added to the statement timeout, which Postgres enforces, and to the acquire timeout, which the pool enforces. So Postgres or the
/// pool normally reports the timeout. When the statement timeout and this margin have passed without a result, the connection is closed.
const DEADLINE_MARGIN: Duration = Duration::from_millis(250);
/// Maximum time for which a transaction may be idle, so that a frozen or disconnected replica releases its locks. It is well below
/// the lease of a job.
const IDLE_IN_TRANSACTION: Duration = Duration::from_secs(5);
const SAMPLE_EVERY: Duration = Duration::from_secs(1);
/// Idle time after which a connection is pinged before use. sqlx already pings it on return to the pool. A second ping costs a round
/// trip on every request, and is useful only if the connection was idle in between.
const TRUSTED_FOR: Duration = Duration::from_secs(1);

/// The client of Postgres; clones share its pools.
#[derive(Clone)]
pub struct Db {
    pool: Pool,
    /// One reserved connection outside the pool, so that an exhausted pool does not look like a dead database.
    probe: Pool,
    /// One connection for notifications, which never leads through a pooler.
    listening: Pool,
    /// For migrations, which never run through a pooler.
    direct: Login,
    route: Route,
    failover: Failover,
    deadline: Duration,
    acquire_timeout: Duration,
    /// For background work: permits for the connections that it may hold at the same time.
    share: Option<Arc<Semaphore>>,
    faults: FaultInjector,
    metrics: Metrics,
}

impl Db {
    /// Prepares the pool. It connects on first use, so that the service can start while the database is unavailable.
    ///
    /// # Errors
    /// When `DATABASE_URL` or `DATABASE_DIRECT_URL` is invalid.
    pub fn new(config: &Config, metrics: Metrics) -> Result<Self, sqlx::Error> {
        let parse = |url: &SecretString| -> Result<PgConnectOptions, sqlx::Error> {
            let options: PgConnectOptions = url.expose_secret().parse()?;
            Ok(options.application_name(&format!("vitrine-{}", config.replica)).disable_statement_logging())
        };
        let login = |options| Login { options, file: config.database_password() };
        let milliseconds = |limit: Duration| limit.as_millis().to_string();
        let limits = [
            ("statement_timeout", milliseconds(config.database_statement_timeout)),
            ("idle_in_transaction_session_timeout", milliseconds(IDLE_IN_TRANSACTION)),
        ];
        let url = parse(&config.database_url)?;
        let direct = config.database_direct_url.as_ref().map_or_else(|| Ok(url.clone()), parse)?;
        let limited = login(direct.clone().options(limits.clone()));
        let (route, pooled) = match &config.database_direct_url {
            // A pooler refuses settings of a session that it does not know.
            Some(_) => (Route::pooler(&limits), login(url.extra_float_digits(None))),
            None => (Route::Direct, limited.clone()),
        };
        let failover = Failover::new();
        let pool = |size| {
            let (options, failover) = (PgPoolOptions::new().max_connections(size), failover.clone());
            options.acquire_timeout(config.database_acquire_timeout).test_before_acquire(false).before_acquire(move |connection, meta| {
                let failover = failover.clone();
                Box::pin(async move { is_usable(connection, meta, &failover).await })
            })
        };
        Ok(Self {
            pool: Pool::new(pool(config.database_max_connections), pooled.clone()),
            probe: Pool::new(pool(1), pooled),
            listening: Pool::new(pool(1).max_lifetime(None).idle_timeout(None), limited),
            direct: login(direct),
            route,
            failover,
            deadline: config.database_statement_timeout + DEADLINE_MARGIN,
            acquire_timeout: config.database_acquire_timeout,
            share: None,
            faults: FaultInjector::default(),
            metrics,
        })
    }

    /// The same client, with fault injection for its statements.
    #[must_use]
    pub fn with_faults(self, faults: FaultInjector) -> Self {
        Self { faults, ..self }
    }

    /// The same client for background work. It uses at most half of the pool and waits when that half is in use, so that requests
    /// always have the other half. A future must not hold two of these connections at the same time: it could wait for itself.
    #[must_use]
    pub fn for_background(&self) -> Self {
        let half = (self.pool.limit() / 2).max(1);
        Self { share: Some(Arc::new(Semaphore::new(half as usize))), ..self.clone() }
    }

    /// Takes a connection from the pool.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] when none becomes free or is opened within `DATABASE_ACQUIRE_TIMEOUT`; [`StoreError::Timeout`] when,
    /// shortly after that time, the pool has returned neither a connection nor this error. Background work first waits for its half of the
    /// pool, without a limit.
    pub async fn acquire(&self) -> Result<Conn, StoreError> {
        if self.faults.bypasses_pool() {
            return self.acquire_reserved().await;
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

    /// Fills the pool before the first requests: opening many connections together takes longer than a request may wait.
    ///
    /// # Errors
    /// When a connection is not made within `DATABASE_ACQUIRE_TIMEOUT`.
    pub async fn warm_up(&self) -> Result<(), StoreError> {
        let all = (0..self.pool.limit()).map(|_| self.pool.acquire());
        try_join_all(all).await.map(drop).map_err(StoreError::from)
    }

    /// Takes a connection and begins a transaction: [`Conn::commit`] commits it, a drop rolls it back.
    ///
    /// # Errors
    /// As [`Self::acquire`]; when the database fails.
    pub async fn begin(&self) -> Result<Conn, StoreError> {
        let mut conn = self.acquire().await?;
        conn.begin().await?;
        Ok(conn)
    }

    /// Checks that the database answers.
    ///
    /// # Errors
    /// When it does not answer within the limits of an ordinary statement.
    pub async fn ping(&self) -> Result<(), StoreError> {
        self.acquire_reserved().await?.execute(Query::Ping, sqlx::query("SELECT 1")).await.map(drop)
    }

    /// Takes the reserved connection outside the pool, for short work that must succeed even while the pool is exhausted.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] when the connection does not become free or is not opened within `DATABASE_ACQUIRE_TIMEOUT`.
    pub async fn acquire_reserved(&self) -> Result<Conn, StoreError> {
        let connection = self.probe.acquire().await.map_err(StoreError::from)?;
        Ok(self.conn(connection, None))
    }

    /// Reports the pool's connections. Runs until the task is aborted.
    pub async fn sample(self) {
        let mut ticks = tokio::time::interval(SAMPLE_EVERY);
        let gauge = &self.metrics.db_connection_pool_size;
        loop {
            ticks.tick().await;
            let pool = &self.pool.inner;
            let (size, idle) = (pool.size(), u32::try_from(pool.num_idle()).unwrap_or(u32::MAX));
            gauge.set(PoolState::Idle, f64::from(idle));
            gauge.set(PoolState::Used, f64::from(size.saturating_sub(idle)));
            gauge.set(PoolState::Max, f64::from(self.pool.limit()));
        }
    }

    /// Calls `wake` after each notification on a channel, and sometimes without one, because a notification may have been lost. Runs
    /// until the task is aborted. Only one task may listen, because there is only one connection for it.
    pub async fn listen(self, channel: &str, wake: impl Fn() + Send + Sync) {
        listen::listen(&self.listening, channel, self.deadline, &self.failover, wake).await;
    }

    /// Maximum time to acquire a connection and execute two statements.
    #[must_use]
    pub fn longest_load(&self) -> Duration {
        self.acquire_timeout + DEADLINE_MARGIN + 2 * self.deadline
    }

    /// Closes the connections of the pool and the reserved one; connections in use close on their return.
    pub async fn close(&self) {
        tokio::join!(self.pool.inner.close(), self.probe.inner.close());
    }

    fn conn(&self, connection: PoolConnection<Postgres>, share: Option<OwnedSemaphorePermit>) -> Conn {
        let (route, failover, faults) = (self.route.clone(), self.failover.clone(), self.faults.clone());
        Conn::new(connection, share, self.deadline, route, failover, faults, self.metrics.clone())
    }

    fn failed(&self, error: sqlx::Error) -> StoreError {
        self.metrics.system_errors.increment((SystemError::Database, Severity::Error));
        StoreError::from(error)
    }
}

/// Otherwise, the pool closes the connection and opens another.
async fn is_usable(connection: &mut PgConnection, meta: PoolConnectionMetadata, failover: &Failover) -> Result<bool, sqlx::Error> {
    if failover.has_outdated(meta.age) {
        return Ok(false);
    }
    if meta.idle_for > TRUSTED_FOR {
        connection.ping().await?;
    }
    Ok(true)
}
