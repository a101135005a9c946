//! A connection whose statements are measured and have a deadline. It differs from sqlx in one point. After a cancelled statement or
//! a missed deadline, or when a transaction is still open on drop, sqlx keeps the connection's place in the pool until Postgres answers,
//! so a hung database could exhaust the pool. This module closes the connection after a cancelled statement or a missed deadline. On drop,
//! it rolls back an open transaction, and closes the connection only if the rollback fails or takes too long.

use std::time::{Duration, Instant};

use sqlx::pool::PoolConnection;
use sqlx::postgres::{PgArguments, PgRow};
use sqlx::query::{Map, Query as Statement};
use sqlx::{AssertSqlSafe, Connection, Executor, Postgres};
use tokio::sync::OwnedSemaphorePermit;

use super::StoreError;
use super::failover::Failover;
use super::route::{Route, control};
use crate::fault_injection::FaultInjector;
use crate::metrics::Metrics;
use crate::metrics::labels::{Query, QueryStatus};
use crate::telemetry::spans::{self, Span};

type Mapped<'q, F> = Map<'q, Postgres, F, PgArguments>;

/// A pooled connection, optionally in a transaction.
pub struct Conn {
    connection: Option<PoolConnection<Postgres>>,
    /// For background work: the permit that bounds its connections.
    share: Option<OwnedSemaphorePermit>,
    /// True while the connection must not return to the pool, because a statement has begun and has not ended, or because the last
    /// statement failed as [`StoreError::Unavailable`].
    busy: bool,
    in_transaction: bool,
    /// Callbacks to run after the commit.
    callbacks: Vec<Box<dyn FnOnce() + Send>>,
    deadline: Duration,
    route: Route,
    failover: Failover,
    faults: FaultInjector,
    pub(super) metrics: Metrics,
}

/// Runs a statement on the connection of `$conn`, in a transaction of its own if the route requires one.
macro_rules! observed {
    ($conn:expr, $query:expr, |$connection:ident| $future:expr) => {{
        let Conn { connection, busy, in_transaction, deadline, route, failover, faults, metrics, .. } = $conn;
        let session = &mut **connection.as_mut().expect("the connection exists until drop");
        let begin = if *in_transaction { None } else { route.begin_for_one() };
        let statement = async {
            if let Some(begin) = begin {
                control(session, begin).await?;
            }
            let result = async {
                if let Some(delay) = faults.statement($query) {
                    sleep(route.over(&mut *session), delay).await?;
                }
                let $connection = route.over(&mut *session);
                $future.await
            }
            .await;
            if begin.is_some() {
                control(session, if result.is_ok() { "COMMIT" } else { "ROLLBACK" }).await?;
            }
            result
        };
        observe(metrics, *deadline, failover, busy, $query, statement).await
    }};
}

impl Conn {
    pub(super) fn new(
        connection: PoolConnection<Postgres>,
        share: Option<OwnedSemaphorePermit>,
        deadline: Duration,
        route: Route,
        failover: Failover,
        faults: FaultInjector,
        metrics: Metrics,
    ) -> Self {
        let (in_transaction, callbacks) = (false, Vec::new());
        Self { connection: Some(connection), share, busy: false, in_transaction, callbacks, deadline, route, failover, faults, metrics }
    }

    /// Fetches at most one row.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn optional<F, O>(&mut self, query: Query, statement: Mapped<'_, F>) -> Result<Option<O>, StoreError>
    where
        F: FnMut(PgRow) -> Result<O, sqlx::Error> + Send,
        O: Send + Unpin,
    {
        observed!(self, query, |connection| statement.fetch_optional(connection))
    }

    /// Fetches the one row that the statement always returns.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn one<F, O>(&mut self, query: Query, statement: Mapped<'_, F>) -> Result<O, StoreError>
    where
        F: FnMut(PgRow) -> Result<O, sqlx::Error> + Send,
        O: Send + Unpin,
    {
        observed!(self, query, |connection| statement.fetch_one(connection))
    }

    /// Fetches every row.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn all<F, O>(&mut self, query: Query, statement: Mapped<'_, F>) -> Result<Vec<O>, StoreError>
    where
        F: FnMut(PgRow) -> Result<O, sqlx::Error> + Send,
        O: Send + Unpin,
    {
        observed!(self, query, |connection| statement.fetch_all(connection))
    }

    /// Executes the statement and returns the number of affected rows.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn execute(&mut self, query: Query, statement: Statement<'_, Postgres, PgArguments>) -> Result<u64, StoreError> {
        observed!(self, query, |connection| statement.execute(connection)).map(|result| result.rows_affected())
    }

    pub(super) async fn begin(&mut self) -> Result<(), StoreError> {
        self.in_transaction = true;
        let begin = AssertSqlSafe(self.route.begin().to_owned());
        observed!(self, Query::Begin, |connection| connection.execute(begin)).map(drop)
    }

    /// Runs `callback` after a successful commit, and never if the transaction is rolled back. Use it in code whose caller commits the
    /// transaction.
    pub fn when_committed(&mut self, callback: impl FnOnce() + Send + 'static) {
        self.callbacks.push(Box::new(callback));
    }

    /// Commits the transaction, then runs its callbacks.
    ///
    /// # Errors
    /// See [`StoreError`]. After [`StoreError::Timeout`] or [`StoreError::Unavailable`], the outcome of the commit is unknown.
    pub async fn commit(mut self) -> Result<(), StoreError> {
        observed!(&mut self, Query::Commit, |connection| connection.execute("COMMIT"))?;
        self.in_transaction = false;
        for callback in std::mem::take(&mut self.callbacks) {
            callback();
        }
        Ok(())
    }
}

impl Drop for Conn {
    fn drop(&mut self) {
        let Some(connection) = self.connection.take() else { return };
        if self.busy {
            drop(connection.detach());
        } else {
            tokio::spawn(give_back(connection, self.share.take(), self.in_transaction, self.deadline));
        }
    }
}

async fn give_back(
    mut connection: PoolConnection<Postgres>,
    _share: Option<OwnedSemaphorePermit>,
    in_transaction: bool,
    deadline: Duration,
) {
    if in_transaction {
        let rollback = tokio::time::timeout(deadline, control(&mut connection, "ROLLBACK")).await;
        if !matches!(rollback, Ok(Ok(()))) {
            drop(connection.detach().close_hard().await);
            return;
        }
    }
    // sqlx pings the connection first, and would wait forever for the reply.
    let _in_time = tokio::time::timeout(deadline, connection.return_to_pool()).await;
}

/// Delays a statement for fault injection. The delay happens in Postgres, so its statement timeout applies to the delay.
async fn sleep(connection: impl Executor<'_, Database = Postgres>, delay: Duration) -> Result<(), sqlx::Error> {
    sqlx::query("SELECT pg_sleep($1)").bind(delay.as_secs_f64()).execute(connection).await.map(drop)
}

async fn observe<T>(
    metrics: &Metrics,
    deadline: Duration,
    failover: &Failover,
    busy: &mut bool,
    query: Query,
    statement: impl Future<Output = Result<T, sqlx::Error>>,
) -> Result<T, StoreError> {
    let mut report = Report { metrics, query, start: Instant::now(), status: QueryStatus::Cancelled, span: spans::statement(query) };
    *busy = true;
    let Ok(result) = tokio::time::timeout(deadline, statement).await else {
        report.status = QueryStatus::Timeout;
        return Err(StoreError::Timeout);
    };
    let result = result.inspect_err(|error| failover.note(error)).map_err(StoreError::from);
    // Do not reuse a connection whose database is unavailable, or read-only after a failover.
    *busy = matches!(result, Err(StoreError::Unavailable(_)));
    report.status = match &result {
        // A unique violation is a valid answer, not a failure of the database.
        Ok(_) | Err(StoreError::Conflict(_)) => QueryStatus::Success,
        Err(StoreError::Timeout) => QueryStatus::Timeout,
        Err(_) => QueryStatus::Error,
    };
    result
}

/// Records the metrics and the span on drop, so that a cancelled statement is counted too.
struct Report<'a> {
    metrics: &'a Metrics,
    query: Query,
    start: Instant,
    status: QueryStatus,
    span: Span,
}

impl Drop for Report<'_> {
    fn drop(&mut self) {
        if self.status != QueryStatus::Success {
            self.span.failed(self.status.name());
        }
        self.metrics.db_query_duration.record(self.query, self.start.elapsed().as_secs_f64());
        self.metrics.db_queries.increment((self.query, self.status));
    }
}
