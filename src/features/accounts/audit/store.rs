//! The SQL of `audit_events`.

use time::OffsetDateTime;
use uuid::Uuid;

use super::model::{AuditEntry, AuditEvent};
use crate::db::{Conn, StoreError, known};
use crate::domain::paging::PageRequest;
use crate::metrics::labels::Query;

struct Row {
    id: Uuid,
    event: String,
    network: Option<String>,
    created_at: OffsetDateTime,
}

impl TryFrom<Row> for AuditEntry {
    type Error = StoreError;

    fn try_from(Row { id, event, network, created_at }: Row) -> Result<Self, StoreError> {
        Ok(Self { id, event: known("event", &event, AuditEvent::parse)?, network, created_at })
    }
}

/// Has no effect if the account no longer exists: a failed sign-in is recorded after its response, perhaps after the deletion.
pub async fn insert(conn: &mut Conn, user: Uuid, event: AuditEvent, network: Option<&str>) -> Result<(), StoreError> {
    let insert = sqlx::query!(
        "INSERT INTO audit_events (id, user_id, event, network) SELECT $1, id, $3, $4 FROM users WHERE id = $2 FOR KEY SHARE",
        Uuid::now_v7(),
        user,
        event.name(),
        network
    );
    conn.execute(Query::InsertAuditEvents, insert).await.map(drop)
}

pub async fn list(conn: &mut Conn, user: Uuid, page: PageRequest) -> Result<Vec<AuditEntry>, StoreError> {
    let select = sqlx::query_as!(
        Row,
        "SELECT id, event, network, created_at FROM audit_events WHERE user_id = $1 AND id < $2 ORDER BY id DESC LIMIT $3",
        user,
        page.before,
        page.limit
    );
    conn.all(Query::SelectAuditEvents, select).await?.into_iter().map(TryInto::try_into).collect()
}

pub async fn delete_all(conn: &mut Conn, user: Uuid) -> Result<(), StoreError> {
    let delete = sqlx::query!("DELETE FROM audit_events WHERE user_id = $1", user);
    conn.execute(Query::DeleteAuditEvents, delete).await.map(drop)
}

/// Deletes at most 1,000 events that are older than 90 days.
pub async fn delete_old(conn: &mut Conn) -> Result<(), StoreError> {
    let delete = sqlx::query!(
        "DELETE FROM audit_events
         WHERE id IN (SELECT id FROM audit_events WHERE created_at < now() - interval '90 days' ORDER BY created_at LIMIT 1000)"
    );
    conn.execute(Query::DeleteAuditEvents, delete).await.map(drop)
}
