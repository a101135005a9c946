//! The rows that invalidate cached entries. The transaction of a change writes them, and every replica reads them.
//! `cache/invalidations.rs` applies them; `docs/adr/0018-revocation.md` explains why they are rows.
//!
//! Transactions do not commit in the order of their numbers, so a reader that continues after the highest number it has read would miss
//! rows. A reader therefore keeps `oldest`: the number of the oldest transaction that was still running at its last read. Every
//! transaction whose rows this read missed has that number or a higher one, so the next read starts there. The reader also keeps the
//! snapshot of its last read: the next read reports it as applied.

use std::collections::HashSet;
use std::time::Duration;

use uuid::Uuid;

use super::{Conn, StoreError};
use crate::metrics::labels::Query;

/// The channel that a commit with invalidations notifies.
pub const CHANNEL: &str = "cache_invalidations";
/// Retention of a row: longer than the lifetime of any cached entry that a change can invalidate.
const RETENTION: Duration = Duration::from_mins(3);

/// One invalidated entry.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Row {
    /// The number of the transaction that made the change.
    pub transaction: String,
    /// The name of the cache. A replica of a newer release may use caches that this one does not know.
    pub cache: String,
    /// The entry's name within that cache.
    pub entry: String,
}

/// The result of one read.
pub struct Found {
    /// The snapshot of the read: every invalidation that is visible in it has now been read.
    pub snapshot: String,
    /// The number of the oldest transaction that may still add rows.
    pub oldest: String,
    /// The rows since the `oldest` of the previous read. Earlier reads may have returned some of them.
    pub rows: HashSet<Row>,
}

/// Writes invalidations in the transaction of the change and returns the transaction's number. The commit notifies every replica that
/// listens to [`CHANNEL`].
///
/// # Errors
/// When the database fails.
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

/// Reads the rows since `oldest`. Also records that the replica has applied every invalidation in the snapshot `applied`, and renews its
/// right to serve cached entries for the duration `lease`.
///
/// # Errors
/// When the database fails.
pub async fn read(conn: &mut Conn, replica: Uuid, applied: Option<&str>, oldest: &str, lease: Duration) -> Result<Found, StoreError> {
    // `least`, because after a restore into another cluster, transaction numbers may be lower than `oldest`.
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
        RETENTION.as_secs_f64()
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

/// Whether any replica may still serve entries that this committed transaction has invalidated.
///
/// # Errors
/// When the database fails.
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

/// Ends a replica's right to serve cached entries.
///
/// # Errors
/// When the database fails; the right then expires by itself.
pub async fn leave(conn: &mut Conn, replica: Uuid) -> Result<(), StoreError> {
    let delete = sqlx::query!("DELETE FROM cache_readers WHERE replica = $1", replica);
    conn.execute(Query::DeleteCacheReaders, delete).await.map(drop)
}

/// Deletes old rows: at most ten thousand invalidations, and the rows of replicas whose right expired more than `RETENTION` ago.
///
/// # Errors
/// When the database fails.
pub async fn prune(conn: &mut Conn) -> Result<(), StoreError> {
    let invalidations = sqlx::query!(
        "DELETE FROM cache_invalidations WHERE (transaction, cache, entry) IN (
             SELECT transaction, cache, entry FROM cache_invalidations WHERE created_at < now() - make_interval(secs => $1) LIMIT 10000
         )",
        RETENTION.as_secs_f64()
    );
    conn.execute(Query::DeleteCacheInvalidations, invalidations).await?;
    let readers = sqlx::query!("DELETE FROM cache_readers WHERE trusts_until < now() - make_interval(secs => $1)", RETENTION.as_secs_f64());
    conn.execute(Query::DeleteCacheReaders, readers).await.map(drop)
}
