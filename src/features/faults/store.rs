//! The SQL of `faults`. A missing row is `Ok(None)`; the service decides what that means.

use serde_json::Value;
use time::OffsetDateTime;
use uuid::Uuid;

use super::model::NewFault;
use crate::db::{Conn, StoreError, known};
use crate::fault_injection::Fault;
use crate::metrics::labels::Query;

struct Row {
    id: Uuid,
    replica: Option<String>,
    percent: i16,
    effect: Value,
    begun_at: OffsetDateTime,
    expires_at: OffsetDateTime,
}

impl TryFrom<Row> for Fault {
    type Error = StoreError;

    fn try_from(row: Row) -> Result<Self, StoreError> {
        let Row { id, replica, percent, effect, begun_at, expires_at } = row;
        let effect = known("effect", &effect.to_string(), |effect| serde_json::from_str(effect).ok())?;
        Ok(Self { id, replica, percent: u8::try_from(percent).unwrap_or(100), effect, begun_at, expires_at })
    }
}

/// Lists the faults that have not expired, newest first.
pub async fn all(conn: &mut Conn) -> Result<Vec<Fault>, StoreError> {
    let select = sqlx::query_as!(
        Row,
        "SELECT id, replica, percent, effect, begun_at, expires_at FROM faults WHERE expires_at > now() ORDER BY begun_at DESC, id DESC"
    );
    conn.all(Query::SelectFaults, select).await?.into_iter().map(TryInto::try_into).collect()
}

pub async fn find(conn: &mut Conn, id: Uuid) -> Result<Option<Fault>, StoreError> {
    let select = sqlx::query_as!(
        Row,
        "SELECT id, replica, percent, effect, begun_at, expires_at FROM faults WHERE id = $1 AND expires_at > now()",
        id
    );
    conn.optional(Query::SelectFaults, select).await?.map(TryInto::try_into).transpose()
}

/// Inserts or replaces a fault. Returns whether it is new.
pub async fn put(conn: &mut Conn, id: Uuid, new: &NewFault) -> Result<(Fault, bool), StoreError> {
    let effect = serde_json::to_value(&new.effect).map_err(|error| StoreError::from(sqlx::Error::Encode(error.into())))?;
    let upsert = sqlx::query!(
        r#"INSERT INTO faults (id, replica, percent, effect, expires_at) VALUES ($1, $2, $3, $4, now() + make_interval(secs => $5))
           ON CONFLICT (id) DO UPDATE SET replica = excluded.replica, percent = excluded.percent, effect = excluded.effect,
               begun_at = now(), expires_at = excluded.expires_at
           RETURNING begun_at, expires_at, xmax = 0 AS "is_new!""#,
        id,
        new.replica,
        i16::from(new.percent),
        effect,
        new.lifetime.as_secs_f64()
    );
    let row = conn.one(Query::UpdateFaults, upsert).await?;
    let NewFault { replica, percent, effect, .. } = new;
    let (begun_at, expires_at) = (row.begun_at, row.expires_at);
    Ok((Fault { id, replica: replica.clone(), percent: *percent, effect: effect.clone(), begun_at, expires_at }, row.is_new))
}

/// Deletes a fault. Returns false if the fault does not exist or has expired.
pub async fn delete(conn: &mut Conn, id: Uuid) -> Result<bool, StoreError> {
    let delete = sqlx::query!("DELETE FROM faults WHERE id = $1 AND expires_at > now()", id);
    Ok(conn.execute(Query::UpdateFaults, delete).await? == 1)
}

/// Deletes every fault, including expired ones. Returns the number of deleted faults.
pub async fn delete_all(conn: &mut Conn) -> Result<u64, StoreError> {
    conn.execute(Query::UpdateFaults, sqlx::query!("DELETE FROM faults")).await
}

pub async fn delete_expired(conn: &mut Conn) -> Result<(), StoreError> {
    conn.execute(Query::UpdateFaults, sqlx::query!("DELETE FROM faults WHERE expires_at <= now()")).await.map(drop)
}
