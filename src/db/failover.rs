//! A failover that changes the server behind an address. The connections that are already open lead to the old server, which has become
//! read-only: after its first refusal of a change, none of them is used again.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::watch;

/// Refusals that follow one another within this time are one failover in the log.
const QUIET: Duration = Duration::from_secs(10);
/// Time after the last refusal during which new connections may still lead to the old server. Each replica writes to Postgres every second
/// (`cache::invalidations`), so the address leads elsewhere when this time has passed without another refusal.
const SETTLE: Duration = Duration::from_secs(2);

/// The time of the last refusal; clones share it.
#[derive(Clone)]
pub(super) struct Failover(Arc<watch::Sender<Option<Instant>>>);

impl Failover {
    pub(super) fn new() -> Self {
        Self(Arc::new(watch::Sender::new(None)))
    }

    /// Notes a failover if this error says that the server is read-only.
    pub(super) fn note(&self, error: &sqlx::Error) {
        if !matches!(error, sqlx::Error::Database(error) if error.code().as_deref() == Some("25006")) {
            return;
        }
        let before = self.0.send_replace(Some(Instant::now()));
        if before.is_none_or(|before| before.elapsed() > QUIET) {
            tracing::warn!("postgres refuses changes, as after a failover; replacing all connections");
        }
    }

    /// Whether a connection of this age may lead to the old server: it is older than the last refusal or, once the address has settled,
    /// older than that moment.
    pub(super) fn has_outdated(&self, age: Duration) -> bool {
        self.0.borrow().is_some_and(|refused| {
            let since = refused.elapsed();
            age > since.checked_sub(SETTLE).unwrap_or(since)
        })
    }

    /// Waits until a connection that is opened now may lead to the old server.
    pub(super) async fn outdates_connection(&self) {
        let mut refusals = self.0.subscribe();
        let last = *refusals.borrow_and_update();
        let rest = last.and_then(|refused| SETTLE.checked_sub(refused.elapsed()));
        // The sender lives as long as `self`, so there is always a next refusal to wait for.
        let _refused = match rest {
            Some(rest) => tokio::time::timeout(rest, refusals.changed()).await,
            None => Ok(refusals.changed().await),
        };
    }
}
