//! The SQL of `users` and `auth_sessions`. A missing row is `Ok(None)`; the service decides how to handle it.

use std::time::Duration;

use time::OffsetDateTime;
use uuid::Uuid;

use super::model::{EndedSession, Role, Session, SessionEntry, TokenHash, User};
use crate::db::{Conn, StoreError, known};
use crate::domain::paging::PageRequest;
use crate::metrics::labels::Query;

struct UserRow {
    id: Uuid,
    email: String,
    email_confirmed: bool,
    display_name: String,
    role: String,
    created_at: OffsetDateTime,
}

impl TryFrom<UserRow> for User {
    type Error = StoreError;

    fn try_from(row: UserRow) -> Result<Self, StoreError> {
        let UserRow { id, email, email_confirmed, display_name, role, created_at } = row;
        Ok(Self { id, email, email_confirmed, display_name, role: known("role", &role, Role::parse)?, created_at })
    }
}

/// Fails with the conflict `users_email_key` when another account has the address.
pub async fn insert_user(
    conn: &mut Conn,
    email: &str,
    display_name: &str,
    password_hash: Option<&str>,
    is_confirmed: bool,
) -> Result<User, StoreError> {
    let insert = sqlx::query_as!(
        UserRow,
        r#"INSERT INTO users (id, email, display_name, password_hash, confirmed_at)
           VALUES ($1, $2::text::citext, $3, $4, CASE WHEN $5 THEN now() END)
           RETURNING id, email::text AS "email!", confirmed_at IS NOT NULL AS "email_confirmed!", display_name, role, created_at"#,
        Uuid::now_v7(),
        email,
        display_name,
        password_hash,
        is_confirmed
    );
    conn.one(Query::InsertUsers, insert).await?.try_into()
}

pub async fn user(conn: &mut Conn, id: Uuid) -> Result<Option<User>, StoreError> {
    let select = sqlx::query_as!(
        UserRow,
        r#"SELECT id, email::text AS "email!", confirmed_at IS NOT NULL AS "email_confirmed!", display_name, role, created_at
           FROM users WHERE id = $1"#,
        id
    );
    conn.optional(Query::SelectUsers, select).await?.map(TryInto::try_into).transpose()
}

/// Locks a user's row until the transaction ends. Returns whether the account has a password, or `None` if there is no such account.
pub async fn lock_user(conn: &mut Conn, id: Uuid) -> Result<Option<bool>, StoreError> {
    let select = sqlx::query!(r#"SELECT password_hash IS NOT NULL AS "has_password!" FROM users WHERE id = $1 FOR NO KEY UPDATE"#, id);
    Ok(conn.optional(Query::SelectUsers, select).await?.map(|row| row.has_password))
}

/// Whether the session exists. It may have expired.
pub async fn has_session(conn: &mut Conn, user: Uuid, session: Uuid) -> Result<bool, StoreError> {
    let select = sqlx::query!("SELECT id FROM auth_sessions WHERE id = $1 AND user_id = $2", session, user);
    Ok(conn.optional(Query::SelectAuthSessions, select).await?.is_some())
}

pub async fn user_by_email(conn: &mut Conn, email: &str) -> Result<Option<User>, StoreError> {
    let select = sqlx::query_as!(
        UserRow,
        r#"SELECT id, email::text AS "email!", confirmed_at IS NOT NULL AS "email_confirmed!", display_name, role, created_at
           FROM users WHERE email = $1::text::citext"#,
        email
    );
    conn.optional(Query::SelectUsers, select).await?.map(TryInto::try_into).transpose()
}

/// Grants the admin role to the account with this e-mail address. The lock of the user's row blocks new sessions, which reference the row,
/// until the transaction ends. [`tokens`] in the same transaction therefore finds all sessions.
pub async fn set_admin(conn: &mut Conn, email: &str) -> Result<Option<Uuid>, StoreError> {
    let hold = sqlx::query!("SELECT id FROM users WHERE email = $1::text::citext FOR UPDATE", email);
    let Some(user) = conn.optional(Query::SelectUsers, hold).await?.map(|row| row.id) else { return Ok(None) };
    let update = sqlx::query!("UPDATE users SET role = 'admin' WHERE id = $1", user);
    conn.execute(Query::UpdateUsers, update).await?;
    Ok(Some(user))
}

/// An account and its credentials.
pub struct Stored {
    pub user: User,
    /// `None` for an account that signs in only through a platform.
    pub password_hash: Option<String>,
    /// Grows with every change of the credentials.
    pub version: i64,
}

/// A single statement reads account and credentials, so that its duration does not reveal whether the account exists.
pub async fn credentials(conn: &mut Conn, email: &str) -> Result<Option<Stored>, StoreError> {
    let select = sqlx::query!(
        r#"SELECT id, email::text AS "email!", confirmed_at IS NOT NULL AS "email_confirmed!", display_name, role, created_at,
                  password_hash, credentials_version AS version
           FROM users WHERE email = $1::text::citext"#,
        email
    );
    let row = conn.optional(Query::SelectUsers, select).await?;
    row.map(|row| {
        let role = known("role", &row.role, Role::parse)?;
        let (id, email, display_name, created_at) = (row.id, row.email, row.display_name, row.created_at);
        let user = User { id, email, email_confirmed: row.email_confirmed, display_name, role, created_at };
        Ok(Stored { user, password_hash: row.password_hash, version: row.version })
    })
    .transpose()
}

/// Deletes a user with the rows that reference it, except projects and environments, which must be gone.
pub async fn delete_user(conn: &mut Conn, id: Uuid) -> Result<(), StoreError> {
    conn.execute(Query::DeleteUsers, sqlx::query!("DELETE FROM users WHERE id = $1", id)).await.map(drop)
}

/// Locks a user's row against changes and against new sessions, which reference the row, until the transaction ends.
pub async fn hold_user(conn: &mut Conn, id: Uuid) -> Result<(), StoreError> {
    let hold = sqlx::query!("SELECT id FROM users WHERE id = $1 FOR UPDATE", id);
    conn.optional(Query::SelectUsers, hold).await.map(drop)
}

/// Records that the account's address belongs to its owner.
pub async fn set_confirmed(conn: &mut Conn, id: Uuid) -> Result<(), StoreError> {
    let update = sqlx::query!("UPDATE users SET confirmed_at = now() WHERE id = $1 AND confirmed_at IS NULL", id);
    conn.execute(Query::UpdateUsers, update).await.map(drop)
}

/// Records a change of the credentials, so that sign-ins that began before create no session.
pub async fn bump_credentials(conn: &mut Conn, id: Uuid) -> Result<(), StoreError> {
    let update = sqlx::query!("UPDATE users SET credentials_version = credentials_version + 1 WHERE id = $1", id);
    conn.execute(Query::UpdateUsers, update).await.map(drop)
}

/// Stores another hash of the same password, unless the credentials have changed.
pub async fn renew_password_hash(conn: &mut Conn, id: Uuid, hash: &str, version: i64) -> Result<(), StoreError> {
    let update = sqlx::query!("UPDATE users SET password_hash = $2 WHERE id = $1 AND credentials_version = $3", id, hash, version);
    conn.execute(Query::UpdateUsers, update).await.map(drop)
}

/// Stores the hash of a new password. False if the credentials no longer have this version.
pub async fn set_password(conn: &mut Conn, id: Uuid, hash: &str, version: Option<i64>) -> Result<bool, StoreError> {
    let update = sqlx::query!(
        "UPDATE users SET password_hash = $2, credentials_version = credentials_version + 1
         WHERE id = $1 AND ($3::bigint IS NULL OR credentials_version = $3)",
        id,
        hash,
        version
    );
    Ok(conn.execute(Query::UpdateUsers, update).await? == 1)
}

/// Creates a session, unless the account is gone or its credentials no longer have this version. Waits for a change of the credentials
/// that is under way.
pub async fn insert_session(
    conn: &mut Conn,
    user: Uuid,
    token: &TokenHash,
    device: &str,
    lifetime: Duration,
    version: Option<i64>,
) -> Result<Option<Session>, StoreError> {
    let insert = sqlx::query_as!(
        Session,
        "INSERT INTO auth_sessions (id, user_id, token_hash, device, expires_at)
         SELECT $1, users.id, $3, $4, now() + make_interval(secs => $5) FROM users
         WHERE users.id = $2 AND ($6::bigint IS NULL OR credentials_version = $6) FOR KEY SHARE
         RETURNING id, user_id, expires_at",
        Uuid::now_v7(),
        user,
        token.0,
        device,
        lifetime.as_secs_f64(),
        version
    );
    conn.optional(Query::InsertAuthSessions, insert).await
}

/// Finds the session of a token and records its use. An expired or idle session counts as missing.
pub async fn touch_session(conn: &mut Conn, token: &TokenHash, idle: Duration) -> Result<Option<Session>, StoreError> {
    let update = sqlx::query_as!(
        Session,
        "UPDATE auth_sessions SET last_seen_at = now()
         WHERE token_hash = $1 AND expires_at > now() AND last_seen_at > now() - make_interval(secs => $2)
         RETURNING id, user_id, expires_at",
        token.0,
        idle.as_secs_f64()
    );
    conn.optional(Query::UpdateAuthSessions, update).await
}

pub async fn sessions(conn: &mut Conn, user: Uuid, idle: Duration, page: PageRequest) -> Result<Vec<SessionEntry>, StoreError> {
    let select = sqlx::query_as!(
        SessionEntry,
        "SELECT id, device, created_at, last_seen_at, expires_at FROM auth_sessions
         WHERE user_id = $1 AND id < $2 AND expires_at > now() AND last_seen_at > now() - make_interval(secs => $3)
         ORDER BY id DESC LIMIT $4",
        user,
        page.before,
        idle.as_secs_f64(),
        page.limit
    );
    conn.all(Query::SelectAuthSessions, select).await
}

/// The token hashes of every session of a user.
pub async fn tokens(conn: &mut Conn, user: Uuid) -> Result<Vec<TokenHash>, StoreError> {
    let select = sqlx::query!("SELECT token_hash FROM auth_sessions WHERE user_id = $1", user);
    Ok(conn.all(Query::SelectAuthSessions, select).await?.into_iter().map(|row| TokenHash(row.token_hash)).collect())
}

pub async fn delete_session(conn: &mut Conn, user: Uuid, id: Uuid) -> Result<Option<EndedSession>, StoreError> {
    let delete = sqlx::query!("DELETE FROM auth_sessions WHERE id = $1 AND user_id = $2 RETURNING token_hash", id, user);
    let row = conn.optional(Query::DeleteAuthSessions, delete).await?;
    Ok(row.map(|row| EndedSession { id, token: TokenHash(row.token_hash) }))
}

/// Deletes the sessions of a user, except one to keep.
pub async fn delete_sessions(conn: &mut Conn, user: Uuid, kept: Option<Uuid>) -> Result<Vec<EndedSession>, StoreError> {
    let delete =
        sqlx::query!("DELETE FROM auth_sessions WHERE user_id = $1 AND id IS DISTINCT FROM $2 RETURNING id, token_hash", user, kept);
    let rows = conn.all(Query::DeleteAuthSessions, delete).await?;
    Ok(rows.into_iter().map(|row| EndedSession { id: row.id, token: TokenHash(row.token_hash) }).collect())
}

/// Returns the given sessions that have ended: deleted, expired or idle for too long.
pub async fn ended_among(conn: &mut Conn, ids: &[Uuid], idle: Duration) -> Result<Vec<Uuid>, StoreError> {
    let select = sqlx::query!(
        r#"SELECT ids.id AS "id!" FROM unnest($1::uuid[]) AS ids (id)
           WHERE NOT EXISTS (
               SELECT FROM auth_sessions s
               WHERE s.id = ids.id AND s.expires_at > now() AND s.last_seen_at > now() - make_interval(secs => $2)
           )"#,
        ids,
        idle.as_secs_f64()
    );
    Ok(conn.all(Query::SelectAuthSessions, select).await?.into_iter().map(|row| row.id).collect())
}

/// Deletes sessions past their lifetime, at most 1,000, so that the statement finishes within its time limit. Sessions that are only idle
/// remain until their lifetime ends.
pub async fn delete_expired_sessions(conn: &mut Conn) -> Result<u64, StoreError> {
    let delete = sqlx::query!(
        "DELETE FROM auth_sessions WHERE id IN (SELECT id FROM auth_sessions WHERE expires_at <= now() ORDER BY expires_at LIMIT 1000)"
    );
    conn.execute(Query::DeleteAuthSessions, delete).await
}

pub async fn count_sessions(conn: &mut Conn, idle: Duration) -> Result<i64, StoreError> {
    let count = sqlx::query!(
        r#"SELECT count(*) AS "count!" FROM auth_sessions WHERE expires_at > now() AND last_seen_at > now() - make_interval(secs => $1)"#,
        idle.as_secs_f64()
    );
    Ok(conn.one(Query::SelectAuthSessions, count).await?.count)
}
