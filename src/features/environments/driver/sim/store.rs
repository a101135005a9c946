//! The SQL of `sim_containers`. `start`, `restart` and `stop` return the number of matching containers: 0 if the container does not exist.

use time::OffsetDateTime;
use uuid::Uuid;

use super::super::{Container, ContainerState, Image, container_name};
use crate::db::{Conn, StoreError, known};
use crate::metrics::labels::Query;

pub struct Row {
    pub environment_id: Uuid,
    pub image: String,
    pub state: String,
    pub exit_code: Option<i64>,
    pub started_at: Option<OffsetDateTime>,
    pub stopped_at: Option<OffsetDateTime>,
}

impl Row {
    pub fn is_running(&self) -> bool {
        self.state == "running"
    }

    pub fn container(&self, namespace: &str) -> Result<Container, StoreError> {
        let state = known("state", &self.state, |state| match state {
            "created" => Some(ContainerState::Created),
            "running" => Some(ContainerState::Running),
            "exited" => Some(ContainerState::Exited { code: self.exit_code.unwrap_or_default() }),
            _ => None,
        })?;
        Ok(Container { environment: self.environment_id, reference: container_name(namespace, self.environment_id), state })
    }

    pub fn image(&self) -> Result<Image, StoreError> {
        known("image", &self.image, Image::named)
    }
}

/// Leaves an existing container unchanged.
pub async fn insert(conn: &mut Conn, namespace: &str, environment: Uuid, image: &str) -> Result<(), StoreError> {
    let insert = sqlx::query!(
        "INSERT INTO sim_containers (namespace, environment_id, image, state) VALUES ($1, $2, $3, 'created') ON CONFLICT DO NOTHING",
        namespace,
        environment,
        image
    );
    conn.execute(Query::UpdateSimContainers, insert).await.map(drop)
}

/// Leaves a running container unchanged.
pub async fn start(conn: &mut Conn, namespace: &str, environment: Uuid) -> Result<u64, StoreError> {
    let update = sqlx::query!(
        "UPDATE sim_containers
         SET state = 'running', exit_code = NULL, stopped_at = NULL,
             started_at = CASE WHEN state = 'running' THEN started_at ELSE clock_timestamp() END
         WHERE namespace = $1 AND environment_id = $2",
        namespace,
        environment
    );
    conn.execute(Query::UpdateSimContainers, update).await
}

/// Starts a new run, whatever the current state.
pub async fn restart(conn: &mut Conn, namespace: &str, environment: Uuid) -> Result<u64, StoreError> {
    let update = sqlx::query!(
        "UPDATE sim_containers SET state = 'running', exit_code = NULL, stopped_at = NULL, started_at = clock_timestamp()
         WHERE namespace = $1 AND environment_id = $2",
        namespace,
        environment
    );
    conn.execute(Query::UpdateSimContainers, update).await
}

/// Changes only a running container.
pub async fn stop(conn: &mut Conn, namespace: &str, environment: Uuid) -> Result<u64, StoreError> {
    let update = sqlx::query!(
        "UPDATE sim_containers
         SET state = CASE WHEN state = 'running' THEN 'exited' ELSE state END,
             exit_code = CASE WHEN state = 'running' THEN 0 ELSE exit_code END,
             stopped_at = CASE WHEN state = 'running' THEN clock_timestamp() ELSE stopped_at END
         WHERE namespace = $1 AND environment_id = $2",
        namespace,
        environment
    );
    conn.execute(Query::UpdateSimContainers, update).await
}

pub async fn delete(conn: &mut Conn, namespace: &str, environment: Uuid) -> Result<(), StoreError> {
    let delete = sqlx::query!("DELETE FROM sim_containers WHERE namespace = $1 AND environment_id = $2", namespace, environment);
    conn.execute(Query::UpdateSimContainers, delete).await.map(drop)
}

pub async fn find(conn: &mut Conn, namespace: &str, environment: Uuid) -> Result<Option<Row>, StoreError> {
    let select = sqlx::query_as!(
        Row,
        "SELECT environment_id, image, state, exit_code, started_at, stopped_at FROM sim_containers
         WHERE namespace = $1 AND environment_id = $2",
        namespace,
        environment
    );
    conn.optional(Query::SelectSimContainers, select).await
}

pub async fn all(conn: &mut Conn, namespace: &str) -> Result<Vec<Row>, StoreError> {
    let select = sqlx::query_as!(
        Row,
        "SELECT environment_id, image, state, exit_code, started_at, stopped_at FROM sim_containers WHERE namespace = $1",
        namespace
    );
    conn.all(Query::SelectSimContainers, select).await
}
