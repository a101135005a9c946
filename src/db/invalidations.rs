//! Invalidations of cached entries, as rows: written in the transaction of the change that makes the entries untrue, read
//! by every replica. What a replica does with them is in `cache/feed.rs`; why they are rows is in `docs/adr/0018-revocation.md`.
//!
//! Transactions do not commit in the order of their numbers, so "all rows after the last one that I saw" would miss some.
//! A reader keeps the snapshot of its last read: every transaction that is not visible in it is at or after its `oldest`.

use std::collections::HashSet;
use std::time::Duration;

use uuid::Uuid;

use super::{Conn, StoreError};
use crate::metrics::labels::Query;

/// The channel on which a commit with invalidations is notified.
pub const CHANNEL: &str = "cache_invalidations";
/// Longer than any entry lives that was loaded before its invalidation: after this, a row makes no difference.
const KEEP: Duration = Duration::from_mins(3);

/// One entry that is no longer true.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Row {
    /// The transaction of the change.
    pub transaction: String,
    /// The cache.
    pub cache: String,
    /// The entry's name in that cache.
    pub entry: String,
}

/// What one read found.
pub struct Found {
    /// Every invalidation that is visible in this snapshot has been read by now.
    pub snapshot: String,
    /// No transaction before this can add a row any more.
    pub oldest: String,
    /// Every row from the previous read's `oldest` on; some may have been found before.
    pub rows: HashSet<Row>,
}

/// Writes invalidations into the transaction of the change, and answers the number of that transaction. When it commits,
/// every replica that listens to [`CHANNEL`] is notified.
///
/// # Errors
/// When the store fails.
pub async fn record(tx: &mut Conn, caches: &[String], entries: &[String]) -> Result<String, StoreError> {
    let insert = sqlx::query!(
        r#"WITH recorded AS (
               INSERT INTO cache_invalidations (cache, entry) SELECT DISTINCT * FROM unnest($1::text[], $2::text[])
               ON CONFLICT DO NOTHING
           )
           SELECT pg_current_xact_id()::text AS "transaction!" FROM pg_notify($3, '')"#,
        caches,
        entries,
        CHANNEL
    );
    Ok(tx.one(Query::InsertCacheInvalidations, insert).await?.transaction)
}

/// Notes that the replica has applied everything in the snapshot `applied`, extends the time for which it may answer from
/// the caches by `lease`, and reads what it has not applied, from `oldest` on.
///
/// # Errors
/// When the store fails.
pub async fn read(conn: &mut Conn, replica: Uuid, applied: Option<&str>, oldest: &str, lease: Duration) -> Result<Found, StoreError> {
    // After a restore into another cluster, numbers of transactions begin anew: hence `least`.
    let select = sqlx::query!(
        r#"WITH reader AS (
               INSERT INTO cache_readers (replica, applied, trusts_until)
               VALUES ($1, $2::text::pg_snapshot, clock_timestamp() + make_interval(secs => $4))
               ON CONFLICT (replica) DO UPDATE SET applied = excluded.applied, trusts_until = excluded.trusts_until
           )
           SELECT pg_current_snapshot()::text AS "snapshot!", pg_snapshot_xmin(pg_current_snapshot())::text AS "oldest!",
                  i.transaction::text AS "transaction?", i.cache AS "cache?", i.entry AS "entry?"
           FROM (VALUES (1)) AS always
           LEFT JOIN cache_invalidations i
               ON i.transaction >= least($3::text::xid8, pg_snapshot_xmin(pg_current_snapshot()))
               AND i.created_at > now() - make_interval(secs => $5)"#,
        replica,
        applied,
        oldest,
        lease.as_secs_f64(),
        KEEP.as_secs_f64()
    );
    let mut found = Found { snapshot: String::new(), oldest: oldest.to_owned(), rows: HashSet::new() };
    for row in conn.all(Query::SelectCacheInvalidations, select).await? {
        (found.snapshot, found.oldest) = (row.snapshot, row.oldest);
        if let (Some(transaction), Some(cache), Some(entry)) = (row.transaction, row.cache, row.entry) {
            found.rows.insert(Row { transaction, cache, entry });
        }
    }
    Ok(found)
}

/// Whether some replica may still answer what a transaction, which has been committed, made untrue.
///
/// # Errors
/// When the store fails.
pub async fn is_pending(conn: &mut Conn, transaction: &str) -> Result<bool, StoreError> {
    let select = sqlx::query!(
        r#"SELECT EXISTS (
               SELECT FROM cache_readers
               WHERE trusts_until > clock_timestamp() AND (applied IS NULL OR NOT pg_visible_in_snapshot($1::text::xid8, applied))
           ) AS "is_pending!""#,
        transaction
    );
    Ok(conn.one(Query::SelectCacheReaders, select).await?.is_pending)
}

/// Notes that the replica does not answer from the caches any more.
///
/// # Errors
/// When the store fails: then its time ends by itself.
pub async fn leave(conn: &mut Conn, replica: Uuid) -> Result<(), StoreError> {
    let delete = sqlx::query!("DELETE FROM cache_readers WHERE replica = $1", replica);
    conn.execute(Query::DeleteCacheReaders, delete).await.map(drop)
}

/// Removes rows that make no difference any more: invalidations, at most ten thousand, and replicas that are gone.
///
/// # Errors
/// When the store fails.
pub async fn prune(conn: &mut Conn) -> Result<(), StoreError> {
    let invalidations = sqlx::query!(
        "DELETE FROM cache_invalidations WHERE (transaction, cache, entry) IN (
             SELECT transaction, cache, entry FROM cache_invalidations WHERE created_at < now() - make_interval(secs => $1) LIMIT 10000
         )",
        KEEP.as_secs_f64()
    );
    conn.execute(Query::DeleteCacheInvalidations, invalidations).await?;
    let readers = sqlx::query!("DELETE FROM cache_readers WHERE trusts_until < now() - make_interval(secs => $1)", KEEP.as_secs_f64());
    conn.execute(Query::DeleteCacheReaders, readers).await.map(drop)
}
