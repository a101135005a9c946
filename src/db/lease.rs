//! Leases: one replica at a time holds a named lease; another takes over when the holder stops renewing it.

use std::time::Duration;

use uuid::Uuid;

use super::{Conn, StoreError};
use crate::metrics::labels::Query;

/// Acquires or renews the lease; true when `owner` holds it for the next `term`.
///
/// # Errors
/// When the database fails; the caller must then assume that it does not hold the lease.
pub async fn hold(conn: &mut Conn, name: &str, owner: Uuid, term: Duration) -> Result<bool, StoreError> {
    let statement = sqlx::query!(
        "INSERT INTO leases (name, owner, until) VALUES ($1, $2, now() + make_interval(secs => $3))
         ON CONFLICT (name) DO UPDATE SET owner = excluded.owner, until = excluded.until
         WHERE leases.owner = excluded.owner OR leases.until < now()",
        name,
        owner,
        term.as_secs_f64()
    );
    Ok(conn.execute(Query::UpdateLeases, statement).await? == 1)
}

/// Releases the lease, so that another replica need not wait for its expiry.
///
/// # Errors
/// When the database fails; the lease then expires by itself.
pub async fn release(conn: &mut Conn, name: &str, owner: Uuid) -> Result<(), StoreError> {
    conn.execute(Query::UpdateLeases, sqlx::query!("DELETE FROM leases WHERE name = $1 AND owner = $2", name, owner)).await.map(drop)
}
