//! The rules of extensions, which `mod.rs` describes.

use uuid::Uuid;

use super::super::service::{EnvironmentError, Environments, Parts};
use super::super::state::Status;
use super::model::{Extension, Install, InstallStatus};
use super::{jobs, store};
use crate::features::accounts::User;
use crate::features::projects::Action;

/// The outcome of a removal request.
pub enum Removal {
    /// The extension is deleted from the database; no job follows.
    Done,
    /// A job will remove it.
    Begun(Install),
}

impl Environments {
    /// Lists the extensions of an environment.
    pub(super) async fn extensions(&self, user: &User, environment: Uuid) -> Result<Vec<Install>, EnvironmentError> {
        self.read(user, environment).await?;
        Ok(store::of_environment(&mut self.parts().db.acquire().await?, environment).await?)
    }

    /// Requests an extension. Retries one that failed.
    pub(super) async fn want(&self, user: &User, environment: Uuid, extension: Extension) -> Result<Install, EnvironmentError> {
        let Parts { db, queue, .. } = self.parts();
        let mut tx = db.begin().await?;
        let held = self.lock(&mut tx, user, environment, Action::Change).await?;
        let known = store::find(&mut tx, environment, extension).await?;
        if let Some(known) = known.filter(|known| matches!(known.status, InstallStatus::Pending | InstallStatus::Installed)) {
            return Ok(known);
        }
        let install = store::put(&mut tx, environment, extension, InstallStatus::Pending).await?;
        if held.status == Status::Running {
            queue.enqueue(&mut tx, &jobs::job(environment, extension)).await?;
        }
        tx.commit().await?;
        queue.wake();
        Ok(install)
    }

    /// Requests the removal of an extension.
    pub(super) async fn unwant(&self, user: &User, environment: Uuid, extension: Extension) -> Result<Removal, EnvironmentError> {
        let Parts { db, queue, .. } = self.parts();
        let mut tx = db.begin().await?;
        let held = self.lock(&mut tx, user, environment, Action::Change).await?;
        let known = store::find(&mut tx, environment, extension).await?.ok_or(EnvironmentError::NotInstalled)?;
        let running = held.status == Status::Running;
        // Jobs start scripts only while the environment runs, so usually the container does not have the extension. It may have it after
        // a failed or withdrawn removal, or if a job that began before the environment was stopped still installs it.
        if !running && matches!(known.status, InstallStatus::Pending | InstallStatus::Failed) {
            store::delete(&mut tx, environment, extension).await?;
            tx.commit().await?;
            return Ok(Removal::Done);
        }
        let install = store::put(&mut tx, environment, extension, InstallStatus::Removing).await?;
        if running {
            queue.enqueue(&mut tx, &jobs::job(environment, extension)).await?;
        }
        tx.commit().await?;
        queue.wake();
        Ok(Removal::Begun(install))
    }
}
