//! The SQL of `second_factors` and `recovery_codes`.

use uuid::Uuid;

use crate::db::{Conn, StoreError};
use crate::metrics::labels::Query;

/// A stored second factor.
pub struct Factor {
    pub sealed: Vec<u8>,
    pub is_active: bool,
    pub last_step: i64,
}

/// Stores a factor that is not active yet, and replaces an earlier one that is not active. False if the account has an active factor.
pub async fn put_pending(conn: &mut Conn, user: Uuid, sealed: &[u8]) -> Result<bool, StoreError> {
    let insert = sqlx::query!(
        "INSERT INTO second_factors (user_id, sealed) VALUES ($1, $2)
         ON CONFLICT (user_id) DO UPDATE SET sealed = $2 WHERE second_factors.activated_at IS NULL",
        user,
        sealed
    );
    Ok(conn.execute(Query::InsertSecondFactors, insert).await? == 1)
}

pub async fn find(conn: &mut Conn, user: Uuid) -> Result<Option<Factor>, StoreError> {
    let select = sqlx::query_as!(
        Factor,
        r#"SELECT sealed, activated_at IS NOT NULL AS "is_active!", last_step FROM second_factors WHERE user_id = $1"#,
        user
    );
    conn.optional(Query::SelectSecondFactors, select).await
}

/// Locks a factor until the transaction ends.
pub async fn lock(conn: &mut Conn, user: Uuid) -> Result<Option<Factor>, StoreError> {
    let select = sqlx::query_as!(
        Factor,
        r#"SELECT sealed, activated_at IS NOT NULL AS "is_active!", last_step FROM second_factors WHERE user_id = $1 FOR UPDATE"#,
        user
    );
    conn.optional(Query::SelectSecondFactors, select).await
}

pub async fn activate(conn: &mut Conn, user: Uuid, sealed: &[u8], step: i64) -> Result<(), StoreError> {
    let update =
        sqlx::query!("UPDATE second_factors SET sealed = $2, activated_at = now(), last_step = $3 WHERE user_id = $1", user, sealed, step);
    conn.execute(Query::UpdateSecondFactors, update).await.map(drop)
}

pub async fn set_last_step(conn: &mut Conn, user: Uuid, step: i64) -> Result<(), StoreError> {
    let update = sqlx::query!("UPDATE second_factors SET last_step = $2 WHERE user_id = $1", user, step);
    conn.execute(Query::UpdateSecondFactors, update).await.map(drop)
}

/// At most 100 factors that another key has sealed. Their order is random: otherwise, factors that no key opens could fill every batch.
pub async fn sealed_otherwise(conn: &mut Conn, mark: &[u8]) -> Result<Vec<(Uuid, Vec<u8>)>, StoreError> {
    let select = sqlx::query!(
        "SELECT user_id, sealed FROM second_factors WHERE substring(sealed FROM 1 FOR 4) <> $1 ORDER BY random() LIMIT 100",
        mark
    );
    Ok(conn.all(Query::SelectSecondFactors, select).await?.into_iter().map(|row| (row.user_id, row.sealed)).collect())
}

/// Replaces the sealed content, unless it has changed.
pub async fn reseal(conn: &mut Conn, user: Uuid, before: &[u8], after: &[u8]) -> Result<(), StoreError> {
    let update = sqlx::query!("UPDATE second_factors SET sealed = $3 WHERE user_id = $1 AND sealed = $2", user, before, after);
    conn.execute(Query::UpdateSecondFactors, update).await.map(drop)
}

/// Deletes a factor with its recovery codes. False if there is none.
pub async fn delete(conn: &mut Conn, user: Uuid) -> Result<bool, StoreError> {
    let codes = sqlx::query!("DELETE FROM recovery_codes WHERE user_id = $1", user);
    conn.execute(Query::DeleteRecoveryCodes, codes).await?;
    let factor = sqlx::query!("DELETE FROM second_factors WHERE user_id = $1", user);
    Ok(conn.execute(Query::DeleteSecondFactors, factor).await? == 1)
}

pub async fn insert_codes(conn: &mut Conn, user: Uuid, hashes: &[Vec<u8>]) -> Result<(), StoreError> {
    let insert =
        sqlx::query!("INSERT INTO recovery_codes (code_hash, user_id) SELECT hash, $1 FROM unnest($2::bytea[]) AS hash", user, hashes);
    conn.execute(Query::InsertRecoveryCodes, insert).await.map(drop)
}

/// Uses a recovery code up. False if there is no such code.
pub async fn take_code(conn: &mut Conn, user: Uuid, hash: &[u8]) -> Result<bool, StoreError> {
    let delete = sqlx::query!("DELETE FROM recovery_codes WHERE code_hash = $1 AND user_id = $2", hash, user);
    Ok(conn.execute(Query::DeleteRecoveryCodes, delete).await? == 1)
}

pub async fn count_codes(conn: &mut Conn, user: Uuid) -> Result<i64, StoreError> {
    let count = sqlx::query!(r#"SELECT count(*) AS "count!" FROM recovery_codes WHERE user_id = $1"#, user);
    Ok(conn.one(Query::SelectRecoveryCodes, count).await?.count)
}
