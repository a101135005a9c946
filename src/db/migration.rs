//! Migrates the schema: one replica at a time, on a separate connection, which never leads through a pooler: it holds a lock.
//!
//! The migrations are in `migrations/`. [`health`](crate::health) decides when to retry.

use std::convert::Infallible;
use std::time::{Duration, Instant};

use sqlx::migrate::{MigrateError, Migrator};
use sqlx::postgres::PgConnectOptions;
use sqlx::{Connection, PgConnection};
use tokio::time::timeout;

use super::{Db, StoreError};
use crate::metrics::labels::Query;

/// Maximum duration of the migrations, including the wait for another migrating replica. It is rarely reached: every migration must be
/// short, because replicas of the previous release keep running meanwhile.
const LIMIT: Duration = Duration::from_mins(2);
/// Interval at which to check whether other sessions block a running migration.
const POLL_INTERVAL: Duration = Duration::from_secs(1);
/// Interval at which Postgres checks that the migrating replica is still connected. If the replica has died, Postgres ends the session
/// and thereby releases its lock.
const CLIENT_CHECK: &str = "1s";

impl Db {
    /// Migrates the schema. Replicas that start together take turns: the migrator holds an advisory lock.
    /// `on_wait` receives the application names of the sessions that block the migration, whenever they change.
    ///
    /// The connection is always closed. sqlx releases its lock only after a success, and a replica whose migration fails must not block
    /// the others.
    ///
    /// # Errors
    /// When the database is unavailable, a migration fails, or the migrations do not end within two minutes.
    pub async fn migrate(&self, on_wait: impl Fn(&str) + Send + Sync) -> Result<(), MigrateError> {
        let start = Instant::now();
        let options = self.direct.current().options([("client_connection_check_interval", CLIENT_CHECK)]);
        let mut connection = connect(&options, self.acquire_timeout).await?;
        let outcome = timeout(LIMIT, self.run_migrations(&mut connection, on_wait)).await;
        let closed = timeout(self.deadline, connection.close()).await;
        outcome.map_err(|_| sqlx::Error::PoolTimedOut)??;
        // The migrator has already released its lock, so a connection that does not close cleanly does no harm.
        drop(closed);
        tracing::info!(milliseconds = u64::try_from(start.elapsed().as_millis()).unwrap_or(u64::MAX), "schema is up to date");
        Ok(())
    }

    async fn run_migrations(&self, connection: &mut PgConnection, on_wait: impl Fn(&str) + Send + Sync) -> Result<(), MigrateError> {
        let backend: i32 = sqlx::query_scalar("SELECT pg_backend_pid()").fetch_one(&mut *connection).await?;
        let migrator = migrator();
        tokio::select! {
            done = migrator.run_direct(None, connection, false) => done,
            never = self.watch_waits(backend, on_wait) => match never {},
        }
    }

    /// Reports the sessions that block the session with the process ID `backend`, until the future is dropped.
    async fn watch_waits(&self, backend: i32, on_wait: impl Fn(&str) + Send + Sync) -> Infallible {
        let mut reported = String::new();
        loop {
            tokio::time::sleep(POLL_INTERVAL).await;
            // If this check fails, the migration continues.
            if let Ok(holders) = self.holders(backend).await
                && !holders.is_empty()
                && holders != reported
            {
                tracing::warn!(holders, "migration is waiting for a lock that another session holds");
                on_wait(&holders);
                reported = holders;
            }
        }
    }

    /// Application names of the sessions that block the one with the process ID `backend`; empty if there are none.
    async fn holders(&self, backend: i32) -> Result<String, StoreError> {
        let mut conn = self.acquire_reserved().await?;
        let select = sqlx::query!(
            r#"SELECT coalesce(string_agg(DISTINCT application_name, ', ' ORDER BY application_name), '') AS "names!"
               FROM pg_stat_activity WHERE pid = ANY(pg_blocking_pids($1))"#,
            backend
        );
        Ok(conn.one(Query::Ping, select).await?.names)
    }
}

/// Ignores applied migrations that only a newer release contains: during a roll-out, a replica of the previous release must be able
/// to restart.
fn migrator() -> Migrator {
    let mut migrator = sqlx::migrate!();
    migrator.set_ignore_missing(true);
    migrator
}

async fn connect(options: &PgConnectOptions, limit: Duration) -> Result<PgConnection, sqlx::Error> {
    timeout(limit, PgConnection::connect_with(options)).await.map_err(|_| sqlx::Error::PoolTimedOut)?
}
