//! Postgres notifications. A broken connection loses notifications, so callers must also poll.
//!
//! The statements here only maintain the connection and are not measured. Callers read the data over [`Conn`](super::Conn).

use std::convert::Infallible;
use std::time::Duration;

use sqlx::postgres::PgListener;

use super::failover::Failover;
use super::login::Pool;

/// Interval of probes, which detect a connection that the network dropped without notice.
const PROBE_INTERVAL: Duration = Duration::from_secs(5);
const RECONNECT_INTERVAL: Duration = Duration::from_millis(500);

/// Calls `wake` after each notification on the channel, after each new connection, and after each probe. Runs until the task is aborted.
pub(super) async fn listen(pool: &Pool, channel: &str, deadline: Duration, failover: &Failover, wake: impl Fn() + Send + Sync) {
    loop {
        pool.read_password();
        tokio::select! {
            Err(error) = listen_once(pool, channel, deadline, &wake) => {
                tracing::debug!(error = &error as &dyn std::error::Error, channel, "failed to listen for notifications; reconnecting");
            }
            () = failover.outdates_connection() => {}
        }
        tokio::time::sleep(RECONNECT_INTERVAL).await;
    }
}

async fn listen_once(pool: &Pool, channel: &str, deadline: Duration, wake: &(impl Fn() + Send + Sync)) -> Result<Infallible, sqlx::Error> {
    let mut listener = PgListener::connect_with(&pool.inner).await?;
    within(deadline, listener.listen(channel)).await?;
    loop {
        wake();
        // Cancelling a receive loses nothing: a message is taken from the buffer only when it is complete.
        match tokio::time::timeout(PROBE_INTERVAL, listener.try_recv()).await {
            // `None` means that the connection was lost and has been re-established.
            Ok(received) => drop(received?),
            Err(_) => within(deadline, sqlx::query("SELECT 1").execute(&mut listener)).await.map(drop)?,
        }
    }
}

async fn within<T>(deadline: Duration, statement: impl Future<Output = Result<T, sqlx::Error>>) -> Result<T, sqlx::Error> {
    tokio::time::timeout(deadline, statement).await.map_err(|_| sqlx::Error::PoolTimedOut)?
}
