//! The rules of extensions; see the module.

use uuid::Uuid;

use super::super::service::{EnvironmentError, Environments, Parts};
use super::super::state::Status;
use super::model::{Extension, Install, InstallStatus};
use super::{store, work};
use crate::features::accounts::User;
use crate::features::projects::Action;

/// What became of a removal.
pub enum Removal {
    /// There was nothing to undo.
    Done,
    /// A job undoes it.
    Begun(Install),
}

impl Environments {
    /// The extensions of an environment.
    pub(crate) async fn extensions(&self, user: &User, environment: Uuid) -> Result<Vec<Install>, EnvironmentError> {
        self.read(user, environment).await?;
        Ok(store::of_environment(&mut self.parts().db.acquire().await?, environment).await?)
    }

    /// Wants an extension; one that failed is tried again.
    pub(super) async fn want(&self, user: &User, environment: Uuid, extension: Extension) -> Result<Install, EnvironmentError> {
        let Parts { db, queue, .. } = self.parts();
        let mut tx = db.begin().await?;
        let held = self.hold(&mut tx, user, environment, Action::Change).await?;
        let known = store::find(&mut tx, environment, extension).await?;
        if let Some(known) = known.filter(|known| matches!(known.status, InstallStatus::Pending | InstallStatus::Installed)) {
            return Ok(known);
        }
        let install = store::put(&mut tx, environment, extension, InstallStatus::Pending).await?;
        if held.status == Status::Running {
            queue.enqueue(&mut tx, &work::job(environment, extension)).await?;
        }
        tx.commit().await?;
        queue.wake();
        Ok(install)
    }

    /// Wants an extension no longer.
    pub(super) async fn unwant(&self, user: &User, environment: Uuid, extension: Extension) -> Result<Removal, EnvironmentError> {
        let Parts { db, queue, .. } = self.parts();
        let mut tx = db.begin().await?;
        let held = self.hold(&mut tx, user, environment, Action::Change).await?;
        let known = store::find(&mut tx, environment, extension).await?.ok_or(EnvironmentError::NotInstalled)?;
        let running = held.status == Status::Running;
        // Outside a running environment nothing is being installed.
        if !running && matches!(known.status, InstallStatus::Pending | InstallStatus::Failed) {
            store::delete(&mut tx, environment, extension).await?;
            tx.commit().await?;
            return Ok(Removal::Done);
        }
        let install = store::put(&mut tx, environment, extension, InstallStatus::Removing).await?;
        if running {
            queue.enqueue(&mut tx, &work::job(environment, extension)).await?;
        }
        tx.commit().await?;
        queue.wake();
        Ok(Removal::Begun(install))
    }
}
