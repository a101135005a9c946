//! The handler of the job that installs or removes an extension. When the job runs, the handler reads the desired
//! state and acts on it.

use async_trait::async_trait;
use uuid::Uuid;

use super::super::driver::Exit;
use super::super::service::{Environments, Parts};
use super::super::state::Status;
use super::super::{events, logs, store as environments};
use super::jobs::Change;
use super::model::{Extension, InstallStatus};
use super::{catalogue, store};
use crate::db::{Conn, StoreError};
use crate::jobs::{Failure, Handler, Job};

/// Handles [`job`](super::jobs::job).
pub struct ChangeExtension(pub Environments);

#[async_trait]
impl Handler for ChangeExtension {
    async fn run(&self, job: &Job) -> Result<(), Failure> {
        let change: Change = job.payload()?;
        let Change { environment, extension } = change;
        let Parts { background, engine, .. } = self.0.parts();
        let mut conn = background.acquire().await?;
        let running = environments::find(&mut conn, environment).await?.is_some_and(|found| found.status == Status::Running);
        let wanted = store::find(&mut conn, environment, extension).await?.map(|install| install.status);
        drop(conn);
        let (script, wanted) = match wanted {
            Some(wanted @ InstallStatus::Pending) if running => (catalogue::row(extension).install, wanted),
            Some(wanted @ InstallStatus::Removing) if running => (catalogue::row(extension).remove, wanted),
            // Nothing to do: the extension needs no change, or the next start of the environment enqueues another job.
            _ => return Ok(()),
        };
        let exit = engine.exec(environment, &script).await?;
        self.settle(job, &change, wanted, &exit).await
    }

    async fn give_up(&self, job: &Job, tx: &mut Conn, reason: &str) -> Result<(), StoreError> {
        let Ok(Change { environment, extension }) = job.payload() else { return Ok(()) };
        for wanted in [InstallStatus::Pending, InstallStatus::Removing] {
            if store::end(tx, environment, extension, wanted, InstallStatus::Failed, Some(reason)).await? {
                let (this, reason) = (Self(self.0.clone()), reason.to_owned());
                tx.when_committed(move || this.record_attempt(environment, extension, wanted, Some(&reason)));
            }
        }
        Ok(())
    }
}

impl ChangeExtension {
    async fn settle(&self, job: &Job, change: &Change, wanted: InstallStatus, exit: &Exit) -> Result<(), Failure> {
        let Change { environment, extension } = *change;
        let result = if exit.code == 0 { Ok(()) } else { Err(reason(exit)) };
        let mut tx = self.0.parts().background.begin().await?;
        let (next, line) = match (&result, wanted) {
            (Ok(()), InstallStatus::Removing) => (InstallStatus::Removing, format!("extension {} removed", extension.name())),
            (Ok(()), _) => (InstallStatus::Installed, format!("extension {} installed", extension.name())),
            (Err(reason), _) => (InstallStatus::Failed, format!("extension {} failed: {reason}", extension.name())),
        };
        let still = store::end(&mut tx, environment, extension, wanted, next, result.as_ref().err().map(String::as_str)).await?;
        if still {
            if next == InstallStatus::Removing {
                store::delete(&mut tx, environment, extension).await?;
            }
            logs::append_system(&mut tx, environment, &line).await?;
        }
        // If the desired state has changed in the meantime, a later job handles the new state.
        job.complete(&mut tx).await?;
        tx.commit().await?;
        if still {
            let Parts { realtime, metrics, .. } = self.0.parts();
            logs::system_line_stored(metrics, realtime, environment);
            self.record_attempt(environment, extension, wanted, result.as_ref().err().map(String::as_str));
        }
        Ok(())
    }

    fn record_attempt(&self, environment: Uuid, extension: Extension, wanted: InstallStatus, failure: Option<&str>) {
        if wanted == InstallStatus::Pending {
            events::extension_tried(&self.0.parts().metrics, environment, extension, failure);
        } else {
            events::removal_tried(environment, extension, failure);
        }
    }
}

/// The last line of the script's output that is not blank, or a text with the exit code if every line is blank.
fn reason(exit: &Exit) -> String {
    let last = exit.output.lines().rev().map(str::trim).find(|line| !line.is_empty());
    last.map_or_else(|| format!("the script exited with code {}", exit.code), str::to_owned)
}
