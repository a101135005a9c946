//! A connection whose statements are measured and bounded. sqlx is used for everything but one thing: what becomes of
//! a connection whose statement was cancelled, timed out or left open. sqlx keeps its place in the pool until
//! Postgres answers; here it is closed at once, so that a hung database cannot use up the pool.

use std::time::{Duration, Instant};

use sqlx::pool::PoolConnection;
use sqlx::postgres::{PgArguments, PgRow};
use sqlx::query::{Map, Query as Statement};
use sqlx::{Connection, PgConnection, Postgres};
use tokio::sync::OwnedSemaphorePermit;

use super::StoreError;
use crate::faults::Armed;
use crate::metrics::Metrics;
use crate::metrics::labels::{Query, QueryStatus};

type Mapped<'q, F> = Map<'q, Postgres, F, PgArguments>;

/// A connection of the pool, within a transaction or not.
pub struct Conn {
    connection: Option<PoolConnection<Postgres>>,
    /// Of a connection for background work: its part of what that may hold.
    share: Option<OwnedSemaphorePermit>,
    /// A statement was begun and has not ended.
    busy: bool,
    in_transaction: bool,
    /// What is to be told of the transaction once it is true.
    facts: Vec<Box<dyn FnOnce() + Send>>,
    deadline: Duration,
    faults: Armed,
    pub(super) metrics: Metrics,
}

/// Runs a statement on the connection of `$conn`.
macro_rules! observed {
    ($conn:expr, $query:expr, |$connection:ident| $future:expr) => {{
        let Conn { connection, busy, deadline, faults, metrics, .. } = $conn;
        let $connection = &mut **connection.as_mut().expect("the connection exists until drop");
        let statement = async {
            if let Some(delay) = faults.statement($query) {
                sleep(&mut *$connection, delay).await?;
            }
            $future.await
        };
        observe(metrics, *deadline, busy, $query, statement).await
    }};
}

impl Conn {
    pub(super) fn new(
        connection: PoolConnection<Postgres>,
        share: Option<OwnedSemaphorePermit>,
        deadline: Duration,
        faults: Armed,
        metrics: Metrics,
    ) -> Self {
        Self { connection: Some(connection), share, busy: false, in_transaction: false, facts: Vec::new(), deadline, faults, metrics }
    }

    /// The row, if there is one.
    ///
    /// # Errors
    /// As [`StoreError`] says.
    pub async fn optional<F, O>(&mut self, query: Query, statement: Mapped<'_, F>) -> Result<Option<O>, StoreError>
    where
        F: FnMut(PgRow) -> Result<O, sqlx::Error> + Send,
        O: Send + Unpin,
    {
        observed!(self, query, |connection| statement.fetch_optional(connection))
    }

    /// The one row that the statement always answers.
    ///
    /// # Errors
    /// As [`StoreError`] says.
    pub async fn one<F, O>(&mut self, query: Query, statement: Mapped<'_, F>) -> Result<O, StoreError>
    where
        F: FnMut(PgRow) -> Result<O, sqlx::Error> + Send,
        O: Send + Unpin,
    {
        observed!(self, query, |connection| statement.fetch_one(connection))
    }

    /// Every row.
    ///
    /// # Errors
    /// As [`StoreError`] says.
    pub async fn all<F, O>(&mut self, query: Query, statement: Mapped<'_, F>) -> Result<Vec<O>, StoreError>
    where
        F: FnMut(PgRow) -> Result<O, sqlx::Error> + Send,
        O: Send + Unpin,
    {
        observed!(self, query, |connection| statement.fetch_all(connection))
    }

    /// How many rows were changed.
    ///
    /// # Errors
    /// As [`StoreError`] says.
    pub async fn execute(&mut self, query: Query, statement: Statement<'_, Postgres, PgArguments>) -> Result<u64, StoreError> {
        observed!(self, query, |connection| statement.execute(connection)).map(|result| result.rows_affected())
    }

    pub(super) async fn begin(&mut self) -> Result<(), StoreError> {
        self.in_transaction = true;
        self.execute(Query::Begin, sqlx::query("BEGIN")).await.map(drop)
    }

    /// Tells a fact once the transaction is committed, and not at all when it is not: for those who write into a
    /// transaction that somebody else commits.
    pub fn when_committed(&mut self, tell: impl FnOnce() + Send + 'static) {
        self.facts.push(Box::new(tell));
    }

    /// Makes the transaction's changes true.
    ///
    /// # Errors
    /// As [`StoreError`] says; after a time-out it is not known whether they became true.
    pub async fn commit(mut self) -> Result<(), StoreError> {
        self.execute(Query::Commit, sqlx::query("COMMIT")).await?;
        self.in_transaction = false;
        for tell in std::mem::take(&mut self.facts) {
            tell();
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
        let rollback = tokio::time::timeout(deadline, sqlx::query("ROLLBACK").execute(&mut *connection)).await;
        if !matches!(rollback, Ok(Ok(_))) {
            drop(connection.detach().close_hard().await);
            return;
        }
    }
    // sqlx asks the connection for a sign of life first, and would wait for it for ever.
    let _in_time = tokio::time::timeout(deadline, connection.return_to_pool()).await;
}

/// What a fault does to a statement: Postgres itself takes the time, and ends it when that is too long.
async fn sleep(connection: &mut PgConnection, delay: Duration) -> Result<(), sqlx::Error> {
    sqlx::query("SELECT pg_sleep($1)").bind(delay.as_secs_f64()).execute(connection).await.map(drop)
}

async fn observe<T>(
    metrics: &Metrics,
    deadline: Duration,
    busy: &mut bool,
    query: Query,
    statement: impl Future<Output = Result<T, sqlx::Error>>,
) -> Result<T, StoreError> {
    let mut report = Report { metrics, query, start: Instant::now(), status: QueryStatus::Cancelled };
    *busy = true;
    let Ok(result) = tokio::time::timeout(deadline, statement).await else {
        report.status = QueryStatus::Timeout;
        return Err(StoreError::Timeout);
    };
    let result = result.map_err(StoreError::from);
    // A connection on which the database is away, or read-only after a failover, is not one to keep.
    *busy = matches!(result, Err(StoreError::Unavailable(_)));
    report.status = match &result {
        // A uniqueness rule that refuses a row is an answer, not a failure of the database.
        Ok(_) | Err(StoreError::Conflict(_)) => QueryStatus::Success,
        Err(StoreError::Timeout) => QueryStatus::Timeout,
        Err(_) => QueryStatus::Error,
    };
    result
}

/// Reports on drop, and so also when the statement's future is cancelled.
struct Report<'a> {
    metrics: &'a Metrics,
    query: Query,
    start: Instant,
    status: QueryStatus,
}

impl Drop for Report<'_> {
    fn drop(&mut self) {
        self.metrics.db_query_duration.record(self.query, self.start.elapsed().as_secs_f64());
        self.metrics.db_queries.increment((self.query, self.status));
    }
}
