//! The job that installs or removes an extension. `change` handles it.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::super::jobs::lane;
use super::model::{Extension, InstallStatus};
use super::store;
use crate::db::{Conn, StoreError};
use crate::jobs::{NewJob, Queue};
use crate::metrics::labels::JobKind;

/// The payload of the job.
#[derive(Debug, Serialize, Deserialize)]
pub struct Change {
    pub environment: Uuid,
    pub extension: Extension,
}

/// The job that brings an extension to its desired state.
pub fn job(environment: Uuid, extension: Extension) -> NewJob {
    NewJob::new(JobKind::ExtensionChange, &Change { environment, extension }).in_lane(lane(environment))
}

/// Enqueues a job for each extension that waits for its installation or removal. Called when an operation has started the
/// environment.
pub async fn enqueue_wanted(tx: &mut Conn, queue: &Queue, environment: Uuid) -> Result<(), StoreError> {
    for install in store::of_environment(tx, environment).await? {
        if matches!(install.status, InstallStatus::Pending | InstallStatus::Removing) {
            queue.enqueue(tx, &job(environment, install.extension)).await?;
        }
    }
    Ok(())
}
