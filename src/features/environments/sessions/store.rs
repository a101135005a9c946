//! The SQL of `env_sessions`. A missing row is `Ok(None)`; the service decides what that means.

use time::OffsetDateTime;
use uuid::Uuid;

use super::model::{Session, SessionStatus, SessionType};
use crate::db::{Conn, StoreError, known};
use crate::domain::paging::PageRequest;
use crate::metrics::labels::Query;

struct SessionRow {
    id: Uuid,
    environment_id: Uuid,
    user_id: Uuid,
    r#type: String,
    status: String,
    created_at: OffsetDateTime,
    closed_at: Option<OffsetDateTime>,
}

impl TryFrom<SessionRow> for Session {
    type Error = StoreError;

    fn try_from(row: SessionRow) -> Result<Self, StoreError> {
        let SessionRow { id, environment_id, user_id, r#type, status, created_at, closed_at } = row;
        let kind = known("type", &r#type, SessionType::named)?;
        let status = known("status", &status, SessionStatus::named)?;
        Ok(Self { id, environment_id, user_id, kind, status, created_at, closed_at })
    }
}

pub async fn insert(tx: &mut Conn, environment: Uuid, user: Uuid, kind: SessionType) -> Result<Session, StoreError> {
    let insert = sqlx::query_as!(
        SessionRow,
        "INSERT INTO env_sessions (id, environment_id, user_id, type) VALUES ($1, $2, $3, $4)
         RETURNING id, environment_id, user_id, type, status, created_at, closed_at",
        Uuid::now_v7(),
        environment,
        user,
        kind.name()
    );
    tx.one(Query::InsertEnvSessions, insert).await?.try_into()
}

pub async fn find(conn: &mut Conn, id: Uuid) -> Result<Option<Session>, StoreError> {
    let select = sqlx::query_as!(
        SessionRow,
        "SELECT id, environment_id, user_id, type, status, created_at, closed_at FROM env_sessions WHERE id = $1",
        id
    );
    conn.optional(Query::SelectEnvSessions, select).await?.map(TryInto::try_into).transpose()
}

/// One page of an environment's sessions.
pub async fn of_environment(conn: &mut Conn, environment: Uuid, page: PageRequest) -> Result<Vec<Session>, StoreError> {
    let select = sqlx::query_as!(
        SessionRow,
        "SELECT id, environment_id, user_id, type, status, created_at, closed_at
         FROM env_sessions WHERE environment_id = $1 AND id < $2 ORDER BY id DESC LIMIT $3",
        environment,
        page.before,
        page.limit
    );
    conn.all(Query::SelectEnvSessions, select).await?.into_iter().map(TryInto::try_into).collect()
}

/// All active sessions of an environment, and its last `newest` sessions, active or closed. The newest session comes first.
pub async fn active_and_newest(conn: &mut Conn, environment: Uuid, newest: i64) -> Result<Vec<Session>, StoreError> {
    let select = sqlx::query_as!(
        SessionRow,
        "SELECT id, environment_id, user_id, type, status, created_at, closed_at FROM env_sessions
         WHERE environment_id = $1
             AND (status = 'active' OR id IN (SELECT id FROM env_sessions WHERE environment_id = $1 ORDER BY id DESC LIMIT $2))
         ORDER BY id DESC",
        environment,
        newest
    );
    conn.all(Query::SelectEnvSessions, select).await?.into_iter().map(TryInto::try_into).collect()
}

pub async fn count_active(tx: &mut Conn, environment: Uuid) -> Result<i64, StoreError> {
    let count =
        sqlx::query!(r#"SELECT count(*) AS "count!" FROM env_sessions WHERE environment_id = $1 AND status = 'active'"#, environment);
    Ok(tx.one(Query::SelectEnvSessions, count).await?.count)
}

/// Closes a session. Returns false if it was closed before.
pub async fn close(conn: &mut Conn, id: Uuid) -> Result<bool, StoreError> {
    let update = sqlx::query!("UPDATE env_sessions SET status = 'closed', closed_at = now() WHERE id = $1 AND status = 'active'", id);
    Ok(conn.execute(Query::UpdateEnvSessions, update).await? == 1)
}

/// Closes every session of an environment that stops or has stopped.
pub async fn close_all(tx: &mut Conn, environment: Uuid) -> Result<(), StoreError> {
    let update = sqlx::query!(
        "UPDATE env_sessions SET status = 'closed', closed_at = now() WHERE environment_id = $1 AND status = 'active'",
        environment
    );
    tx.execute(Query::UpdateEnvSessions, update).await.map(drop)
}

/// Number of sessions by type and status; `None` is a value that this version does not know.
pub async fn counts(conn: &mut Conn) -> Result<Vec<(Option<SessionType>, Option<SessionStatus>, i64)>, StoreError> {
    let count = sqlx::query!(r#"SELECT type, status, count(*) AS "count!" FROM env_sessions GROUP BY type, status"#);
    let rows = conn.all(Query::SelectEnvSessions, count).await?;
    Ok(rows.into_iter().map(|row| (SessionType::named(&row.r#type), SessionStatus::named(&row.status), row.count)).collect())
}

/// Deletes at most 1,000 sessions that were closed more than a week ago.
pub async fn forget_closed(conn: &mut Conn) -> Result<(), StoreError> {
    let delete = sqlx::query!(
        "DELETE FROM env_sessions WHERE id IN (SELECT id FROM env_sessions WHERE closed_at < now() - interval '7 days' LIMIT 1000)"
    );
    conn.execute(Query::DeleteEnvSessions, delete).await.map(drop)
}
