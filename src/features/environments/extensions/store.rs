//! The SQL of `extension_installs`. A missing row is `Ok(None)`; the service decides what that means.

use time::OffsetDateTime;
use uuid::Uuid;

use super::model::{Extension, Install, InstallStatus};
use crate::db::{Conn, StoreError, known};
use crate::metrics::labels::Query;

struct InstallRow {
    extension: String,
    status: String,
    reason: Option<String>,
    created_at: OffsetDateTime,
    updated_at: OffsetDateTime,
}

impl TryFrom<InstallRow> for Install {
    type Error = StoreError;

    fn try_from(row: InstallRow) -> Result<Self, StoreError> {
        let InstallRow { extension, status, reason, created_at, updated_at } = row;
        let extension = known("extension", &extension, Extension::named)?;
        let status = known("status", &status, InstallStatus::parse)?;
        Ok(Self { extension, status, reason, created_at, updated_at })
    }
}

/// Inserts or updates the row of an extension, and clears its failure.
pub async fn put(tx: &mut Conn, environment: Uuid, extension: Extension, status: InstallStatus) -> Result<Install, StoreError> {
    let insert = sqlx::query_as!(
        InstallRow,
        "INSERT INTO extension_installs (environment_id, extension, status) VALUES ($1, $2, $3)
         ON CONFLICT (environment_id, extension) DO UPDATE SET status = excluded.status, reason = NULL, updated_at = now()
         RETURNING extension, status, reason, created_at, updated_at",
        environment,
        extension.name(),
        status.as_str()
    );
    tx.one(Query::InsertExtensionInstalls, insert).await?.try_into()
}

pub async fn find(conn: &mut Conn, environment: Uuid, extension: Extension) -> Result<Option<Install>, StoreError> {
    let select = sqlx::query_as!(
        InstallRow,
        "SELECT extension, status, reason, created_at, updated_at FROM extension_installs WHERE environment_id = $1 AND extension = $2",
        environment,
        extension.name()
    );
    conn.optional(Query::SelectExtensionInstalls, select).await?.map(TryInto::try_into).transpose()
}

/// Lists the extensions of an environment, ordered by name.
pub async fn of_environment(conn: &mut Conn, environment: Uuid) -> Result<Vec<Install>, StoreError> {
    let select = sqlx::query_as!(
        InstallRow,
        "SELECT extension, status, reason, created_at, updated_at FROM extension_installs WHERE environment_id = $1 ORDER BY extension",
        environment
    );
    conn.all(Query::SelectExtensionInstalls, select).await?.into_iter().map(TryInto::try_into).collect()
}

/// Sets the status and its reason if the status is still `from`. Returns whether it was.
pub async fn end(
    tx: &mut Conn,
    environment: Uuid,
    extension: Extension,
    from: InstallStatus,
    to: InstallStatus,
    reason: Option<&str>,
) -> Result<bool, StoreError> {
    let update = sqlx::query!(
        "UPDATE extension_installs SET status = $4, reason = $5, updated_at = now()
         WHERE environment_id = $1 AND extension = $2 AND status = $3",
        environment,
        extension.name(),
        from.as_str(),
        to.as_str(),
        reason
    );
    Ok(tx.execute(Query::UpdateExtensionInstalls, update).await? == 1)
}

pub async fn delete(tx: &mut Conn, environment: Uuid, extension: Extension) -> Result<(), StoreError> {
    let delete = sqlx::query!("DELETE FROM extension_installs WHERE environment_id = $1 AND extension = $2", environment, extension.name());
    tx.execute(Query::DeleteExtensionInstalls, delete).await.map(drop)
}

/// Adapts the rows to a new container, which has nothing installed: makes installed extensions pending again, and deletes the rows of
/// extensions that wait for their removal.
pub async fn forget_installed(tx: &mut Conn, environment: Uuid) -> Result<(), StoreError> {
    let delete = sqlx::query!("DELETE FROM extension_installs WHERE environment_id = $1 AND status = 'removing'", environment);
    tx.execute(Query::DeleteExtensionInstalls, delete).await?;
    let update = sqlx::query!(
        "UPDATE extension_installs SET status = 'pending', updated_at = now() WHERE environment_id = $1 AND status = 'installed'",
        environment
    );
    tx.execute(Query::UpdateExtensionInstalls, update).await.map(drop)
}
