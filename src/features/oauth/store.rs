//! The SQL of `social_accounts` and `oauth_callbacks`. A missing row is `Ok(None)`; the service decides what that means.

use std::time::Duration;

use time::OffsetDateTime;
use uuid::Uuid;

use super::model::{Account, Identified, Status};
use crate::db::{Conn, StoreError, known};
use crate::domain::Platform;
use crate::metrics::labels::Query;

struct Row {
    id: Uuid,
    user_id: Uuid,
    platform: String,
    subject: String,
    handle: String,
    scopes: Vec<String>,
    status: String,
    expires_at: Option<OffsetDateTime>,
    created_at: OffsetDateTime,
    updated_at: OffsetDateTime,
}

impl TryFrom<Row> for Account {
    type Error = StoreError;

    fn try_from(row: Row) -> Result<Self, StoreError> {
        let Row { id, user_id, platform, subject, handle, scopes, status, expires_at, created_at, updated_at } = row;
        let platform = known("platform", &platform, Platform::named)?;
        let status = known("status", &status, Status::parse)?;
        Ok(Self { id, user_id, platform, subject, handle, scopes, status, expires_at, created_at, updated_at })
    }
}

/// Sealed tokens to be stored.
pub struct Sealed {
    pub access: Vec<u8>,
    pub refresh: Option<Vec<u8>>,
    pub expires_at: Option<OffsetDateTime>,
    pub scopes: Vec<String>,
}

/// Stored tokens of an account.
pub struct StoredTokens {
    pub id: Uuid,
    pub access: Vec<u8>,
    pub refresh: Option<Vec<u8>>,
}

/// Records the use of the `state` of a flow. Returns false if this state has been used before.
pub async fn note_callback(conn: &mut Conn, state_hash: &[u8], expires_at: OffsetDateTime) -> Result<bool, StoreError> {
    let insert =
        sqlx::query!("INSERT INTO oauth_callbacks (state_hash, expires_at) VALUES ($1, $2) ON CONFLICT DO NOTHING", state_hash, expires_at);
    Ok(conn.execute(Query::InsertOauthCallbacks, insert).await? == 1)
}

/// Deletes at most 1,000 states whose cookies have expired.
pub async fn forget_callbacks(conn: &mut Conn) -> Result<(), StoreError> {
    let delete = sqlx::query!(
        "DELETE FROM oauth_callbacks WHERE state_hash IN (SELECT state_hash FROM oauth_callbacks WHERE expires_at < now() LIMIT 1000)"
    );
    conn.execute(Query::DeleteOauthCallbacks, delete).await.map(drop)
}

/// Locks the account of an identity until the transaction ends.
pub async fn lock_identity(conn: &mut Conn, identified: &Identified) -> Result<Option<Account>, StoreError> {
    let select = sqlx::query_as!(
        Row,
        "SELECT id, user_id, platform, subject, handle, scopes, status, expires_at, created_at, updated_at
         FROM social_accounts WHERE platform = $1 AND issuer = $2 AND subject = $3 FOR UPDATE",
        identified.platform.name(),
        identified.issuer,
        identified.subject
    );
    conn.optional(Query::SelectSocialAccounts, select).await?.map(TryInto::try_into).transpose()
}

/// Fails with the conflict `social_accounts_identity_key` if the identity is already linked, or `social_accounts_platform_key` if the user
/// has another account on this platform.
pub async fn insert(conn: &mut Conn, id: Uuid, user: Uuid, identified: &Identified, sealed: &Sealed) -> Result<(), StoreError> {
    let insert = sqlx::query!(
        "INSERT INTO social_accounts (id, user_id, platform, issuer, subject, handle, scopes, access_token, refresh_token, expires_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
        id,
        user,
        identified.platform.name(),
        identified.issuer,
        identified.subject,
        identified.handle,
        &sealed.scopes,
        sealed.access,
        sealed.refresh,
        sealed.expires_at
    );
    conn.execute(Query::InsertSocialAccounts, insert).await.map(drop)
}

/// Stores the result of a new consent. Cancels the claim of a refresh in progress.
pub async fn renew(conn: &mut Conn, id: Uuid, handle: &str, sealed: &Sealed) -> Result<(), StoreError> {
    let update = sqlx::query!(
        "UPDATE social_accounts SET handle = $2, scopes = $3, access_token = $4, refresh_token = COALESCE($5, refresh_token), expires_at = $6,
             status = 'active', refresh_id = NULL, refresh_until = NULL, updated_at = now() WHERE id = $1",
        id,
        handle,
        &sealed.scopes,
        sealed.access,
        sealed.refresh,
        sealed.expires_at
    );
    conn.execute(Query::UpdateSocialAccounts, update).await.map(drop)
}

/// Lists the accounts of a user, oldest first.
pub async fn of_user(conn: &mut Conn, user: Uuid) -> Result<Vec<Account>, StoreError> {
    let select = sqlx::query_as!(
        Row,
        "SELECT id, user_id, platform, subject, handle, scopes, status, expires_at, created_at, updated_at
         FROM social_accounts WHERE user_id = $1 ORDER BY id",
        user
    );
    conn.all(Query::SelectSocialAccounts, select).await?.into_iter().map(TryInto::try_into).collect()
}

/// Loads an account with its tokens.
pub async fn find(conn: &mut Conn, id: Uuid) -> Result<Option<(Account, StoredTokens)>, StoreError> {
    let select = sqlx::query!(
        "SELECT id, user_id, platform, subject, handle, scopes, status, expires_at, created_at, updated_at, access_token, refresh_token
         FROM social_accounts WHERE id = $1",
        id
    );
    let Some(row) = conn.optional(Query::SelectSocialAccounts, select).await? else { return Ok(None) };
    let stored = StoredTokens { id, access: row.access_token, refresh: row.refresh_token };
    let account = Row {
        id,
        user_id: row.user_id,
        platform: row.platform,
        subject: row.subject,
        handle: row.handle,
        scopes: row.scopes,
        status: row.status,
        expires_at: row.expires_at,
        created_at: row.created_at,
        updated_at: row.updated_at,
    };
    Ok(Some((account.try_into()?, stored)))
}

/// Finds a user's linked account on a platform. Returns the `id` of its row, not the platform's identifier (`subject`).
pub async fn find_id(conn: &mut Conn, user: Uuid, platform: Platform) -> Result<Option<Uuid>, StoreError> {
    let select = sqlx::query!("SELECT id FROM social_accounts WHERE user_id = $1 AND platform = $2", user, platform.name());
    Ok(conn.optional(Query::SelectSocialAccounts, select).await?.map(|row| row.id))
}

/// Deletes the linked accounts of a user; returns their tokens.
pub async fn delete_of_user(conn: &mut Conn, user: Uuid) -> Result<Vec<(Platform, StoredTokens)>, StoreError> {
    let delete = sqlx::query!("DELETE FROM social_accounts WHERE user_id = $1 RETURNING id, platform, access_token, refresh_token", user);
    let rows = conn.all(Query::DeleteSocialAccounts, delete).await?.into_iter();
    let deleted = rows.map(|row| {
        let platform = known("platform", &row.platform, Platform::named)?;
        Ok((platform, StoredTokens { id: row.id, access: row.access_token, refresh: row.refresh_token }))
    });
    deleted.collect()
}

/// Deletes an account; returns its tokens.
pub async fn delete(conn: &mut Conn, id: Uuid) -> Result<Option<StoredTokens>, StoreError> {
    let delete = sqlx::query!("DELETE FROM social_accounts WHERE id = $1 RETURNING access_token, refresh_token", id);
    let deleted = conn.optional(Query::DeleteSocialAccounts, delete).await?;
    Ok(deleted.map(|row| StoredTokens { id, access: row.access_token, refresh: row.refresh_token }))
}

/// Claims the next refresh of an account. Returns false while another refresh is in progress, and when the account has expired, was
/// unlinked, or has an access token other than `known`.
pub async fn claim_refresh(conn: &mut Conn, known: &StoredTokens, claim: Uuid, term: Duration) -> Result<bool, StoreError> {
    let update = sqlx::query!(
        "UPDATE social_accounts SET refresh_id = $2, refresh_until = now() + make_interval(secs => $3)
         WHERE id = $1 AND status = 'active' AND access_token = $4 AND (refresh_until IS NULL OR refresh_until < now())",
        known.id,
        claim,
        term.as_secs_f64(),
        known.access
    );
    Ok(conn.execute(Query::UpdateSocialAccounts, update).await? == 1)
}

/// Stores the result of a claimed refresh. Returns false when, since the claim, the account has been unlinked, linked again, or claimed by
/// another refresh.
pub async fn refreshed(conn: &mut Conn, id: Uuid, claim: Uuid, sealed: &Sealed) -> Result<bool, StoreError> {
    let update = sqlx::query!(
        "UPDATE social_accounts SET access_token = $3, refresh_token = COALESCE($4, refresh_token), expires_at = $5, scopes = $6,
             refresh_id = NULL, refresh_until = NULL, updated_at = now() WHERE id = $1 AND refresh_id = $2",
        id,
        claim,
        sealed.access,
        sealed.refresh,
        sealed.expires_at,
        &sealed.scopes
    );
    Ok(conn.execute(Query::UpdateSocialAccounts, update).await? == 1)
}

/// Releases a claim without new tokens. `expired` marks the account as expired.
pub async fn release_refresh(conn: &mut Conn, id: Uuid, claim: Uuid, expired: bool) -> Result<(), StoreError> {
    let update = sqlx::query!(
        "UPDATE social_accounts SET refresh_id = NULL, refresh_until = NULL, status = CASE WHEN $3 THEN 'expired' ELSE status END,
             updated_at = CASE WHEN $3 THEN now() ELSE updated_at END WHERE id = $1 AND refresh_id = $2",
        id,
        claim,
        expired
    );
    conn.execute(Query::UpdateSocialAccounts, update).await.map(drop)
}

/// Marks the account as expired, unless its tokens have changed.
pub async fn expire(conn: &mut Conn, known: &StoredTokens) -> Result<(), StoreError> {
    let update = sqlx::query!(
        "UPDATE social_accounts SET status = 'expired', updated_at = now() WHERE id = $1 AND access_token = $2",
        known.id,
        known.access
    );
    conn.execute(Query::UpdateSocialAccounts, update).await.map(drop)
}

/// Locks at most 100 active accounts with a token that the first key of `TOKEN_KEYS` did not seal. `mark` identifies this key.
pub async fn lock_sealed_otherwise(conn: &mut Conn, mark: &[u8]) -> Result<Vec<StoredTokens>, StoreError> {
    let select = sqlx::query!(
        "SELECT id, access_token, refresh_token FROM social_accounts
         WHERE status = 'active' AND (substring(access_token FROM 1 FOR 4) <> $1 OR substring(refresh_token FROM 1 FOR 4) <> $1)
         LIMIT 100 FOR UPDATE SKIP LOCKED",
        mark
    );
    let rows = conn.all(Query::SelectSocialAccounts, select).await?;
    Ok(rows.into_iter().map(|row| StoredTokens { id: row.id, access: row.access_token, refresh: row.refresh_token }).collect())
}

/// Stores the same tokens, re-sealed.
pub async fn reseal(conn: &mut Conn, stored: &StoredTokens) -> Result<(), StoreError> {
    let update = sqlx::query!(
        "UPDATE social_accounts SET access_token = $2, refresh_token = $3 WHERE id = $1",
        stored.id,
        stored.access,
        stored.refresh
    );
    conn.execute(Query::UpdateSocialAccounts, update).await.map(drop)
}
