//! The right of one replica to serve cached entries. The replica keeps this right only while it reads the invalidations regularly. A
//! change can wait until every replica has applied the change's invalidations or has lost the right.
//! [`invalidations`](super::invalidations) records, reads and applies invalidations.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::sync::{Notify, broadcast};
use uuid::Uuid;

use super::client::millis;
use crate::db::{Db, invalidations};
use crate::metrics::labels::CacheType;

/// Time for which a replica may serve cached entries, from the start of its last read of the invalidations.
pub const TRUST: Duration = Duration::from_secs(4);
/// Duration of the lease that Postgres holds for the same right. It is longer than [`TRUST`], because the clocks of the replica
/// and of Postgres may drift apart in this time.
pub const LEASE: Duration = Duration::from_secs(5);
/// Maximum number of unread batches of a subscriber. Beyond that, the subscriber misses the oldest ones.
const BACKLOG: usize = 256;
/// First and longest pause between two checks whether every replica has applied an invalidation.
const PENDING_INTERVAL: (Duration, Duration) = (Duration::from_millis(5), Duration::from_millis(200));

/// An entry that a change invalidates.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stale {
    /// The cache that holds the entry.
    pub cache: CacheType,
    /// The entry's name within that cache.
    pub entry: String,
}

impl Stale {
    /// The entry named `entry` of `cache`.
    #[must_use]
    pub fn new(cache: CacheType, entry: String) -> Self {
        Self { cache, entry }
    }
}

/// The state of one replica as a reader of the invalidations; clones share it.
#[derive(Clone)]
pub struct Invalidations(pub(super) Arc<Inner>);

/// The state of [`Invalidations`].
pub struct Inner {
    pub(super) db: Db,
    pub(super) replica: Uuid,
    started: Instant,
    /// End of the right to serve cached entries, in milliseconds after `started`; 0 until the right first begins.
    trusted_until: AtomicU64,
    pub(super) notified: Notify,
    pub(super) published: broadcast::Sender<Arc<[Stale]>>,
}

impl Invalidations {
    /// The state of a replica that has not read any invalidation yet.
    pub fn new(db: Db) -> Self {
        Self(Arc::new(Inner {
            db,
            replica: Uuid::new_v4(),
            started: Instant::now(),
            trusted_until: AtomicU64::new(0),
            notified: Notify::new(),
            published: broadcast::Sender::new(BACKLOG),
        }))
    }

    /// Whether this replica has read the invalidations recently enough to serve cached entries.
    pub fn are_known(&self) -> bool {
        millis(self.0.started.elapsed()) < self.0.trusted_until.load(Ordering::Acquire)
    }

    /// Subscribes to the invalidated entries, whichever replica made the change.
    pub fn subscribe(&self) -> broadcast::Receiver<Arc<[Stale]>> {
        self.0.published.subscribe()
    }

    /// Extends the right to serve cached entries until `end`.
    pub fn trust_until(&self, end: Instant) {
        self.0.trusted_until.store(millis(end.saturating_duration_since(self.0.started)), Ordering::Release);
    }

    /// Waits until every replica has applied the invalidations of a transaction or lost its lease.
    pub async fn until_applied(&self, transaction: &str) {
        // Only a read renews a lease, so at `end` every replica has either read the invalidation or lost its lease.
        let end = Instant::now() + LEASE;
        let (mut pause, longest) = PENDING_INTERVAL;
        while Instant::now() < end {
            let pending = async { invalidations::is_pending(&mut self.0.db.acquire().await?, transaction).await };
            match pending.await {
                Ok(false) => return,
                Ok(true) => {}
                Err(error) => tracing::debug!(error = &error as &dyn std::error::Error, "failed to check pending invalidations"),
            }
            tokio::time::sleep(pause.min(end.saturating_duration_since(Instant::now()))).await;
            pause = (2 * pause).min(longest);
        }
    }
}
