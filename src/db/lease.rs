//! Leases: one replica at a time does a thing, and another takes over when it falls silent.

use std::time::Duration;

use uuid::Uuid;

use super::{Conn, StoreError};
use crate::metrics::labels::Query;

/// Takes or extends the lease; true when `owner` holds it for the next `term`.
///
/// # Errors
/// When the store fails: then nobody may believe to hold the lease.
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

/// Gives the lease back, so that another replica need not wait for its end.
///
/// # Errors
/// When the store fails: then the lease ends by itself.
pub async fn release(conn: &mut Conn, name: &str, owner: Uuid) -> Result<(), StoreError> {
    conn.execute(Query::UpdateLeases, sqlx::query!("DELETE FROM leases WHERE name = $1 AND owner = $2", name, owner)).await.map(drop)
}
