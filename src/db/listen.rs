//! Notifications of Postgres. One may be lost with its connection, so what is notified must also be polled for.
//!
//! The statements here are the connection's own upkeep and are not measured: what is notified is read over [`Conn`](super::Conn).

use std::convert::Infallible;
use std::time::Duration;

use sqlx::postgres::{PgListener, PgPool};

/// Between signs of life: a connection that the network has forgotten would stay silent for ever.
const PROBE_INTERVAL: Duration = Duration::from_secs(5);
const RECONNECT_INTERVAL: Duration = Duration::from_millis(500);

/// Calls `wake` after each notification on the channel, and whenever one may have been lost; for ever.
pub(super) async fn listen(pool: &PgPool, channel: &str, deadline: Duration, wake: impl Fn() + Send + Sync) {
    loop {
        let Err(error) = listen_once(pool, channel, deadline, &wake).await;
        tracing::debug!(error = &error as &dyn std::error::Error, channel, "failed to listen for notifications; reconnecting");
        tokio::time::sleep(RECONNECT_INTERVAL).await;
    }
}

async fn listen_once(
    pool: &PgPool,
    channel: &str,
    deadline: Duration,
    wake: &(impl Fn() + Send + Sync),
) -> Result<Infallible, sqlx::Error> {
    let mut listener = PgListener::connect_with(pool).await?;
    within(deadline, listener.listen(channel)).await?;
    loop {
        wake();
        // Cancelling a receive loses nothing: a message is taken from the buffer only when it is complete.
        match tokio::time::timeout(PROBE_INTERVAL, listener.try_recv()).await {
            // Without a notification the connection was lost and has been made anew.
            Ok(received) => drop(received?),
            Err(_) => within(deadline, sqlx::query("SELECT 1").execute(&mut listener)).await.map(drop)?,
        }
    }
}

async fn within<T>(deadline: Duration, statement: impl Future<Output = Result<T, sqlx::Error>>) -> Result<T, sqlx::Error> {
    tokio::time::timeout(deadline, statement).await.map_err(|_| sqlx::Error::PoolTimedOut)?
}
