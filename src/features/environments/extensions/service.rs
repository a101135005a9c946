//! The rules of extensions; `mod.rs` describes them.

use uuid::Uuid;

use super::super::service::{EnvironmentError, Environments, Parts};
use super::super::state::Status;
use super::model::{Extension, Install, InstallStatus};
use super::{jobs, store};
use crate::features::accounts::User;
use crate::features::projects::Action;

impl Environments {
    /// Lists the extensions of an environment.
    pub(super) async fn extensions(&self, user: &User, environment: Uuid) -> Result<Vec<Install>, EnvironmentError> {
        self.read(user, environment).await?;
        Ok(store::of_environment(&mut self.parts().db.acquire().await?, environment).await?)
    }

    /// Requests the installation of an extension, unless the extension is installed or waits for its installation. A failed extension is
    /// installed again, and the new request replaces a pending removal.
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

    /// Requests the removal of an extension. If the environment does not run, its next start removes the extension. An extension is
    /// removed even if it is not marked as installed: a failed, withdrawn or unfinished installation may have left it in the container.
    /// Removing an extension that is not in the container does no harm.
    pub(super) async fn unwant(&self, user: &User, environment: Uuid, extension: Extension) -> Result<Install, EnvironmentError> {
        let Parts { db, queue, .. } = self.parts();
        let mut tx = db.begin().await?;
        let held = self.lock(&mut tx, user, environment, Action::Change).await?;
        store::find(&mut tx, environment, extension).await?.ok_or(EnvironmentError::NotInstalled)?;
        let install = store::put(&mut tx, environment, extension, InstallStatus::Removing).await?;
        if held.status == Status::Running {
            queue.enqueue(&mut tx, &jobs::job(environment, extension)).await?;
        }
        tx.commit().await?;
        queue.wake();
        Ok(install)
    }
}
