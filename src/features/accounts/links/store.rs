//! The SQL of `account_links`.

use std::time::Duration;

use uuid::Uuid;

use super::super::model::TokenHash;
use crate::db::{Conn, StoreError};
use crate::metrics::labels::Query;

pub async fn insert(conn: &mut Conn, token: &TokenHash, user: Uuid, purpose: &str, lifetime: Duration) -> Result<(), StoreError> {
    let insert = sqlx::query!(
        "INSERT INTO account_links (token_hash, user_id, purpose, expires_at) VALUES ($1, $2, $3, now() + make_interval(secs => $4))",
        token.0,
        user,
        purpose,
        lifetime.as_secs_f64()
    );
    conn.execute(Query::InsertAccountLinks, insert).await.map(drop)
}

pub async fn find(conn: &mut Conn, token: &TokenHash, purpose: &str) -> Result<Option<Uuid>, StoreError> {
    let select =
        sqlx::query!("SELECT user_id FROM account_links WHERE token_hash = $1 AND purpose = $2 AND expires_at > now()", token.0, purpose);
    Ok(conn.optional(Query::SelectAccountLinks, select).await?.map(|row| row.user_id))
}

pub async fn delete_all(conn: &mut Conn, user: Uuid, purpose: &str) -> Result<(), StoreError> {
    let delete = sqlx::query!("DELETE FROM account_links WHERE user_id = $1 AND purpose = $2", user, purpose);
    conn.execute(Query::DeleteAccountLinks, delete).await.map(drop)
}

/// Deletes at most 1,000 expired links.
pub async fn delete_expired(conn: &mut Conn) -> Result<(), StoreError> {
    let delete = sqlx::query!(
        "DELETE FROM account_links
         WHERE token_hash IN (SELECT token_hash FROM account_links WHERE expires_at <= now() ORDER BY expires_at LIMIT 1000)"
    );
    conn.execute(Query::DeleteAccountLinks, delete).await.map(drop)
}
