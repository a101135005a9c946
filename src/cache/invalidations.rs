//! How every replica learns which entries are no longer true, whatever happens to the replica that made the change.
//!
//! A change writes its invalidations in its own transaction ([`db::invalidations`](crate::db::invalidations)). Each replica
//! reads them, when it is notified and every second, and removes the entries from Redis itself. It answers from the cache
//! only for [`TRUST`] after its last read, and notes in Postgres how far it has read, so that a replica whose removals Redis
//! did not take can wait until no replica believes the entries any more. The reasons are in `docs/adr/0018-revocation.md`.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use futures_util::{StreamExt, stream};
use tokio::sync::{Notify, broadcast};
use uuid::Uuid;

use super::{Cache, millis};
use crate::db::invalidations::{self, Found, Row};
use crate::db::{Conn, Db, StoreError};
use crate::metrics::labels::CacheType;

/// How long a replica answers from the cache after the beginning of its last read of the invalidations.
const TRUST: Duration = Duration::from_secs(4);
/// For how long it says in Postgres that it may do so: longer by what two clocks may differ in this time.
const LEASE: Duration = Duration::from_secs(5);
const POLL_INTERVAL: Duration = Duration::from_secs(1);
/// Entries that are removed from Redis at the same time.
const CONCURRENT_REMOVALS: usize = 64;
/// Batches that a subscriber may leave unread before it misses some.
const BACKLOG: usize = 256;
/// Between two looks at whether the other replicas have read an invalidation.
const PENDING_INTERVAL: (Duration, Duration) = (Duration::from_millis(5), Duration::from_millis(200));

/// An entry of a cache.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stale {
    /// The cache.
    pub cache: CacheType,
    /// The entry's name in it.
    pub entry: String,
}

impl Stale {
    /// An entry that a change makes untrue.
    #[must_use]
    pub fn new(cache: CacheType, entry: String) -> Self {
        Self { cache, entry }
    }
}

/// What one replica knows of the invalidations; clones share it.
#[derive(Clone)]
pub(super) struct Invalidations(Arc<Inner>);

struct Inner {
    db: Db,
    replica: Uuid,
    started: Instant,
    /// In milliseconds since the start; 0 for never.
    trusted_until: AtomicU64,
    notified: Notify,
    published: broadcast::Sender<Arc<[Stale]>>,
}

impl Invalidations {
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

    /// Whether this replica knows every invalidation that it must know to answer from the cache.
    pub fn are_known(&self) -> bool {
        millis(self.0.started.elapsed()) < self.0.trusted_until.load(Ordering::Acquire)
    }

    pub fn subscribe(&self) -> broadcast::Receiver<Arc<[Stale]>> {
        self.0.published.subscribe()
    }

    fn trust_until(&self, end: Instant) {
        self.0.trusted_until.store(millis(end.saturating_duration_since(self.0.started)), Ordering::Release);
    }
}

/// Entries that a change makes untrue, written into its transaction. They are removed by every replica once that has been
/// committed, also when this is dropped; [`Self::finish`] is for changes that are answered.
#[must_use]
pub struct Invalidation {
    cache: Cache,
    transaction: String,
    entries: Vec<Stale>,
}

impl Cache {
    /// Writes into the transaction of a change which entries it makes untrue.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn invalidate(&self, tx: &mut Conn, entries: impl IntoIterator<Item = Stale>) -> Result<Invalidation, StoreError> {
        let entries: Vec<Stale> = entries.into_iter().collect();
        let transaction = if entries.is_empty() {
            String::new()
        } else {
            let caches: Vec<String> = entries.iter().map(|stale| stale.cache.name().to_owned()).collect();
            let names: Vec<String> = entries.iter().map(|stale| stale.entry.clone()).collect();
            invalidations::record(tx, &caches, &names).await?
        };
        Ok(Invalidation { cache: self.clone(), transaction, entries })
    }

    /// What is removed from the caches from now on, on behalf of any replica.
    #[must_use]
    pub fn invalidated(&self) -> broadcast::Receiver<Arc<[Stale]>> {
        self.invalidations.subscribe()
    }

    /// Receives notifications of invalidations, for ever.
    pub async fn listen(self) {
        let Inner { db, notified, .. } = &*self.invalidations.0;
        db.clone().listen(invalidations::CHANNEL, || notified.notify_one()).await;
    }

    /// Reads and applies the invalidations, for ever. Until it has, nothing is answered from the cache.
    pub async fn follow(self) {
        let mut reader = Reader { applied: None, oldest: "0".to_owned(), seen: HashSet::new(), leased_until: None };
        let mut ticks = tokio::time::interval(POLL_INTERVAL);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut is_in_use = false;
        loop {
            tokio::select! {
                _ = ticks.tick() => {}
                () = self.invalidations.0.notified.notified() => {}
            }
            let error = loop {
                match reader.read(&self).await {
                    Ok(true) => {}
                    Ok(false) => break None,
                    Err(error) => break Some(error),
                }
            };
            if std::mem::replace(&mut is_in_use, self.invalidations.are_known()) != is_in_use {
                if is_in_use {
                    tracing::info!("the cache is in use");
                } else {
                    let error = error.as_ref().map(|error| error as &dyn std::error::Error);
                    tracing::warn!(error, "the cache is not in use: failed to read its invalidations");
                }
            }
        }
    }

    /// Tells the other replicas that this one answers nothing any more.
    pub async fn leave(&self) {
        let Inner { db, replica, .. } = &*self.invalidations.0;
        let left = async { invalidations::leave(&mut db.acquire_aside().await?, *replica).await };
        if let Err(error) = left.await {
            tracing::debug!(error = &error as &dyn std::error::Error, "failed to release the cache lease; waiting for its expiry");
        }
    }
}

/// How far a replica has read.
struct Reader {
    applied: Option<String>,
    oldest: String,
    /// The rows of the last read: the next one may find them again.
    seen: HashSet<Row>,
    /// Until when, at least, Postgres says that this replica may answer from the cache.
    leased_until: Option<Instant>,
}

impl Reader {
    /// Reads and applies once; whether to do so again at once, to note what was applied.
    async fn read(&mut self, cache: &Cache) -> Result<bool, StoreError> {
        let Inner { db, replica, published, .. } = &*cache.invalidations.0;
        let begun = Instant::now();
        let mut conn = db.acquire_aside().await?;
        let Found { snapshot, oldest, rows } =
            invalidations::read(&mut conn, *replica, self.applied.as_deref(), &self.oldest, LEASE).await?;
        drop(conn);
        // Without a lease during the read, others did not have to wait for this replica: what they changed after the
        // snapshot of the read, and answered before its lease, is found by the next read.
        let was_leased = self.leased_until.is_some_and(|end| end > Instant::now());
        let new: Vec<Row> = rows.difference(&self.seen).cloned().collect();
        let found_new = !new.is_empty();
        // A newer replica may have a cache that this one has not.
        let known = |row: Row| Some((Stale::new(CacheType::named(&row.cache)?, row.entry), row.transaction));
        let stale: Vec<(Stale, String)> = new.into_iter().filter_map(known).collect();
        let removals = stream::iter(stale.clone()).for_each_concurrent(CONCURRENT_REMOVALS, |(stale, transaction)| async move {
            cache.remove(&stale, &transaction).await;
        });
        removals.await;
        if !stale.is_empty() {
            let _subscribers = published.send(stale.into_iter().map(|(stale, _)| stale).collect());
        }
        (self.applied, self.oldest, self.seen) = (Some(snapshot), oldest, rows);
        self.leased_until = Some(begun + TRUST);
        if was_leased {
            cache.invalidations.trust_until(begun + TRUST);
        }
        Ok(found_new || !was_leased)
    }
}

impl Invalidation {
    /// After the commit: returns when no replica answers the entries any more. While Redis takes the removals, that is at
    /// once; otherwise it is when every replica has read the invalidations, or has had to stop answering from the cache.
    pub async fn finish(self) {
        let Self { cache, transaction, entries } = self;
        let mut are_removed = true;
        for stale in &entries {
            are_removed &= cache.remove(stale, &transaction).await;
        }
        if !are_removed {
            cache.invalidations.until_applied(&transaction).await;
        }
    }
}

impl Invalidations {
    async fn until_applied(&self, transaction: &str) {
        // A replica that has not read it by then has lost its lease, and extends it only by reading.
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
