//! The SQL of `environments`. A missing row is `Ok(None)`; the service decides what that means.

use time::OffsetDateTime;
use uuid::Uuid;

use super::driver::Image;
use super::model::{Environment, NewEnvironment};
use super::state::Status;
use crate::db::{Conn, StoreError, known};
use crate::domain::DriverName;
use crate::domain::paging::PageRequest;
use crate::metrics::labels::Query;

struct EnvironmentRow {
    id: Uuid,
    project_id: Uuid,
    name: String,
    image: String,
    driver: String,
    status: String,
    last_error: Option<String>,
    container: Option<String>,
    version: i64,
    created_at: OffsetDateTime,
    updated_at: OffsetDateTime,
}

impl TryFrom<EnvironmentRow> for Environment {
    type Error = StoreError;

    fn try_from(row: EnvironmentRow) -> Result<Self, StoreError> {
        let EnvironmentRow { id, project_id, name, image, driver, status, last_error, container, version, created_at, updated_at } = row;
        let image = known("image", &image, Image::named)?;
        let driver = known("driver", &driver, DriverName::named)?;
        let status = known("status", &status, Status::named)?;
        Ok(Self { id, project_id, name, image, driver, status, last_error, container, version, created_at, updated_at })
    }
}

/// Fails with the conflict `environments_name_key` when the project has an environment of this name.
pub async fn insert(
    tx: &mut Conn,
    project: Uuid,
    user: Uuid,
    new: &NewEnvironment,
    driver: DriverName,
    status: Status,
) -> Result<Environment, StoreError> {
    let insert = sqlx::query_as!(
        EnvironmentRow,
        "INSERT INTO environments (id, project_id, created_by, name, image, driver, status) VALUES ($1, $2, $3, $4, $5, $6, $7)
         RETURNING id, project_id, name, image, driver, status, last_error, container, version, created_at, updated_at",
        Uuid::now_v7(),
        project,
        user,
        new.name,
        new.image.reference(),
        driver.name(),
        status.name()
    );
    tx.one(Query::InsertEnvironments, insert).await?.try_into()
}

pub async fn find(conn: &mut Conn, id: Uuid) -> Result<Option<Environment>, StoreError> {
    let select = sqlx::query_as!(
        EnvironmentRow,
        "SELECT id, project_id, name, image, driver, status, last_error, container, version, created_at, updated_at
         FROM environments WHERE id = $1",
        id
    );
    conn.optional(Query::SelectEnvironments, select).await?.map(TryInto::try_into).transpose()
}

/// Returns the given environments that no longer exist.
pub async fn deleted_among(conn: &mut Conn, ids: &[Uuid]) -> Result<Vec<Uuid>, StoreError> {
    let select = sqlx::query!(
        r#"SELECT ids.id AS "id!" FROM unnest($1::uuid[]) AS ids (id)
           WHERE NOT EXISTS (SELECT FROM environments e WHERE e.id = ids.id)"#,
        ids
    );
    Ok(conn.all(Query::SelectEnvironments, select).await?.into_iter().map(|row| row.id).collect())
}

/// Whether an environment of a user's own projects runs, or is about to run or to stop.
pub async fn has_running(conn: &mut Conn, owner: Uuid) -> Result<bool, StoreError> {
    let select = sqlx::query!(
        r#"SELECT EXISTS (SELECT FROM environments e JOIN projects p ON p.id = e.project_id
                          WHERE p.owner_id = $1 AND e.status IN ('starting', 'running', 'stopping')) AS "has_running!""#,
        owner
    );
    Ok(conn.one(Query::SelectEnvironments, select).await?.has_running)
}

/// Makes the owners of projects the creators of the environments that a user created there.
pub async fn hand_over(conn: &mut Conn, user: Uuid) -> Result<(), StoreError> {
    let update = sqlx::query!(
        "UPDATE environments e SET created_by = p.owner_id FROM projects p
         WHERE p.id = e.project_id AND e.created_by = $1 AND p.owner_id <> $1",
        user
    );
    conn.execute(Query::UpdateEnvironments, update).await.map(drop)
}

/// Locks an environment until the transaction ends.
pub async fn lock(tx: &mut Conn, id: Uuid) -> Result<Option<Environment>, StoreError> {
    let select = sqlx::query_as!(
        EnvironmentRow,
        "SELECT id, project_id, name, image, driver, status, last_error, container, version, created_at, updated_at
         FROM environments WHERE id = $1 FOR UPDATE",
        id
    );
    tx.optional(Query::SelectEnvironments, select).await?.map(TryInto::try_into).transpose()
}

/// One page of a project's environments.
pub async fn of_project(conn: &mut Conn, project: Uuid, page: PageRequest) -> Result<Vec<Environment>, StoreError> {
    let select = sqlx::query_as!(
        EnvironmentRow,
        "SELECT id, project_id, name, image, driver, status, last_error, container, version, created_at, updated_at
         FROM environments WHERE project_id = $1 AND id < $2 ORDER BY id DESC LIMIT $3",
        project,
        page.before,
        page.limit
    );
    conn.all(Query::SelectEnvironments, select).await?.into_iter().map(TryInto::try_into).collect()
}

/// Every environment of a driver.
pub async fn of_driver(conn: &mut Conn, driver: DriverName) -> Result<Vec<Environment>, StoreError> {
    let select = sqlx::query_as!(
        EnvironmentRow,
        "SELECT id, project_id, name, image, driver, status, last_error, container, version, created_at, updated_at
         FROM environments WHERE driver = $1",
        driver.name()
    );
    conn.all(Query::SelectEnvironments, select).await?.into_iter().map(TryInto::try_into).collect()
}

/// Counts the project's environments, and the environments that the account has created. Until the transaction ends, other creations in
/// this project or by this account wait.
pub async fn counts(tx: &mut Conn, project: Uuid, user: Uuid) -> Result<(i64, i64), StoreError> {
    // A separate statement: the count needs a snapshot that is taken after the locks are held.
    let hold = sqlx::query!(
        r#"SELECT pg_advisory_xact_lock(hashtextextended('environments in ' || $1::text, 0))::text AS "project",
                  pg_advisory_xact_lock(hashtextextended('environments of ' || $2::text, 0))::text AS "user""#,
        project.to_string(),
        user.to_string()
    );
    tx.one(Query::SelectEnvironments, hold).await?;
    let count = sqlx::query!(
        r#"SELECT count(*) FILTER (WHERE project_id = $1) AS "of_project!", count(*) FILTER (WHERE created_by = $2) AS "of_user!"
           FROM environments WHERE project_id = $1 OR created_by = $2"#,
        project,
        user
    );
    let row = tx.one(Query::SelectEnvironments, count).await?;
    Ok((row.of_project, row.of_user))
}

/// Sets the status and increments the version. A `container` of `None` keeps the stored one.
pub async fn set_status(
    tx: &mut Conn,
    id: Uuid,
    status: Status,
    last_error: Option<&str>,
    container: Option<&str>,
) -> Result<Environment, StoreError> {
    let update = sqlx::query_as!(
        EnvironmentRow,
        "UPDATE environments
         SET status = $2, last_error = $3, container = coalesce($4, container), version = version + 1, updated_at = now()
         WHERE id = $1
         RETURNING id, project_id, name, image, driver, status, last_error, container, version, created_at, updated_at",
        id,
        status.name(),
        last_error,
        container
    );
    tx.one(Query::UpdateEnvironments, update).await?.try_into()
}

pub async fn delete(tx: &mut Conn, id: Uuid) -> Result<(), StoreError> {
    tx.execute(Query::DeleteEnvironments, sqlx::query!("DELETE FROM environments WHERE id = $1", id)).await.map(drop)
}

/// Number of environments by status; `None` is a status that this version does not know.
pub async fn count_by_status(conn: &mut Conn) -> Result<Vec<(Option<Status>, i64)>, StoreError> {
    let count = sqlx::query!(r#"SELECT status, count(*) AS "count!" FROM environments GROUP BY status"#);
    Ok(conn.all(Query::SelectEnvironments, count).await?.into_iter().map(|row| (Status::named(&row.status), row.count)).collect())
}
