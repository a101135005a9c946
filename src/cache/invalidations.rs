//! Delivers invalidations to every replica, even when the replica that made the change dies.
//!
//! A change records its invalidations in its own transaction ([`db::invalidations`](crate::db::invalidations)). Each replica
//! reads them on every notification and every second, and removes the entries from Redis itself. It serves cached entries
//! only for [`TRUST`] after its last read, and records in Postgres how far it has read. If Redis does not accept a removal, the
//! replica that made the change can therefore wait until no replica serves the stale entries. `docs/adr/0018-revocation.md`
//! gives the reasons.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::{StreamExt, stream};
use tokio::sync::broadcast;

use super::Cache;
use super::trust::{Inner, LEASE, Stale, TRUST};
use crate::db::invalidations::{self, Found, Row};
use crate::db::{Conn, StoreError};
use crate::metrics::labels::CacheType;
use crate::tasks::ticks;

const POLL_INTERVAL: Duration = Duration::from_secs(1);
/// Maximum number of concurrent removals from Redis.
const CONCURRENT_REMOVALS: usize = 64;

/// Invalidations recorded in the transaction of a change. Every replica removes the entries after the commit, even if this
/// value is dropped. Call [`Self::finish`] before answering the request that made the change.
#[must_use]
pub struct Invalidation {
    cache: Cache,
    transaction: String,
    entries: Vec<Stale>,
}

impl Cache {
    /// Records the entries that a change invalidates, in the transaction of the change.
    ///
    /// # Errors
    /// When the database fails.
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

    /// Subscribes to invalidated entries, whichever replica made the change.
    #[must_use]
    pub fn invalidated(&self) -> broadcast::Receiver<Arc<[Stale]>> {
        self.invalidations.subscribe()
    }

    /// Receives notifications of invalidations. Runs until the task is aborted.
    pub async fn listen(self) {
        let Inner { db, notified, .. } = &*self.invalidations.0;
        db.clone().listen(invalidations::CHANNEL, || notified.notify_one()).await;
    }

    /// Reads and applies the invalidations. Runs until the task is aborted. The cache serves no entry before the second read: the first
    /// read acquires the lease, and only a read with a lease permits serving.
    pub async fn follow(self) {
        let mut reader = Reader { applied: None, oldest: "0".to_owned(), seen: HashSet::new(), leased_until: None };
        let mut ticks = ticks(POLL_INTERVAL);
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

    /// Releases this replica's lease, so that no other replica waits for its expiry. Call it after the last request.
    pub async fn leave(&self) {
        let Inner { db, replica, .. } = &*self.invalidations.0;
        let released = async { invalidations::leave(&mut db.acquire_reserved().await?, *replica).await };
        if let Err(error) = released.await {
            tracing::debug!(error = &error as &dyn std::error::Error, "failed to release the cache lease; it will expire");
        }
    }
}

/// How far a replica has read the invalidations.
struct Reader {
    /// Snapshot of the last read, whose rows are all applied; `None` before the first read.
    applied: Option<String>,
    /// The oldest transaction that may still add rows: the next read starts there.
    oldest: String,
    /// Rows of the last read; the next read may return them again.
    seen: HashSet<Row>,
    /// The lease that Postgres holds for this replica lasts at least until this time.
    leased_until: Option<Instant>,
}

impl Reader {
    /// Reads the invalidations and applies them. Returns whether the caller must read again immediately. That is the case after new rows,
    /// because only the next read records in Postgres that they are applied. It is also the case after a read without a lease, because
    /// only the next read permits serving.
    async fn read(&mut self, cache: &Cache) -> Result<bool, StoreError> {
        let Inner { db, replica, published, .. } = &*cache.invalidations.0;
        let start = Instant::now();
        let mut conn = db.acquire_reserved().await?;
        let Found { snapshot, oldest, rows } =
            invalidations::read(&mut conn, *replica, self.applied.as_deref(), &self.oldest, LEASE).await?;
        drop(conn);
        // If the lease had expired, other replicas did not wait for this one. They may have completed requests whose changes are not in
        // this snapshot. The next read finds these changes.
        let was_leased = self.leased_until.is_some_and(|end| end > Instant::now());
        let new: Vec<Row> = rows.difference(&self.seen).cloned().collect();
        let found_new = !new.is_empty();
        // Skips caches that only a newer release knows.
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
        self.leased_until = Some(start + TRUST);
        if was_leased {
            cache.invalidations.trust_until(start + TRUST);
        }
        Ok(found_new || !was_leased)
    }
}

impl Invalidation {
    /// Waits until no replica serves the entries any more. Call it after the commit. Returns as soon as Redis has
    /// accepted the removals. If Redis does not accept one, waits until every replica has applied the invalidations or lost its lease.
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
