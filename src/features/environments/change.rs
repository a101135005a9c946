//! The handler of the job that carries out an operation on an environment. The job may be interrupted at any point and retried: the
//! driver tolerates repeated calls, and the handler stores the outcome in the transaction that completes the job.

use async_trait::async_trait;

use super::driver::DriverError;
use super::jobs::Change;
use super::model::Environment;
use super::service::{Environments, Parts};
use super::state::{Operation, Status};
use super::{events, extensions, logs, store};
use crate::db::{Conn, StoreError};
use crate::jobs::{Failure, Handler, Job};

/// Handles [`Change`].
pub struct ChangeEnvironment(pub Environments);

#[async_trait]
impl Handler for ChangeEnvironment {
    async fn run(&self, job: &Job) -> Result<(), Failure> {
        let change: Change = job.payload()?;
        let Parts { background, engine, .. } = self.0.parts();
        let found = store::find(&mut background.acquire().await?, change.environment).await?;
        // The environment was deleted, for example with its project, but the container may still exist.
        let Some(environment) = found else { return Ok(engine.remove(change.environment).await?) };
        if environment.version != change.version {
            events::overtaken(change.environment, change.operation);
            return Ok(());
        }
        let container = self.operate(change.operation, &environment).await?;
        self.settle(job, &change, container.as_deref()).await
    }

    async fn give_up(&self, job: &Job, tx: &mut Conn, reason: &str) -> Result<(), StoreError> {
        let Ok(change) = job.payload::<Change>() else { return Ok(()) };
        let Some(environment) = store::lock(tx, change.environment).await? else { return Ok(()) };
        if environment.version != change.version {
            return Ok(());
        }
        let environment = store::set_status(tx, environment.id, Status::Error, Some(reason), None).await?;
        logs::append_system(tx, environment.id, &format!("failed to {}: {reason}", change.operation.name())).await?;
        let (environments, reason) = (self.0.clone(), reason.to_owned());
        tx.when_committed(move || {
            let Parts { realtime, metrics, .. } = environments.parts();
            logs::system_line_stored(metrics, realtime, environment.id);
            events::given_up(realtime, &environment, change.operation, &reason);
        });
        Ok(())
    }
}

impl ChangeEnvironment {
    /// Calls the driver. Returns the container's identifier if it differs from the stored one.
    async fn operate(&self, operation: Operation, environment: &Environment) -> Result<Option<String>, Failure> {
        let Parts { engine, .. } = self.0.parts();
        let id = environment.id;
        if environment.driver != engine.name() {
            // During a change of drivers, a replica that still has the environment's driver may take the next attempt.
            return if operation == Operation::Delete { Ok(None) } else { Err(Failure::retry("the environment uses a different driver")) };
        }
        let made = match operation {
            Operation::Create => return Ok(Some(self.create(environment).await?)),
            Operation::Delete => None,
            Operation::Start | Operation::Stop | Operation::Restart => self.have_container(operation, environment).await?,
        };
        match operation {
            Operation::Create => {}
            Operation::Start => engine.start(id).await?,
            Operation::Stop => engine.stop(id).await?,
            Operation::Restart => engine.restart(id).await?,
            Operation::Delete => engine.remove(id).await?,
        }
        Ok(made)
    }

    /// Ensures that the container exists: a superseded creation may not have created it. Returns its identifier if it differs from the
    /// stored one.
    async fn have_container(&self, operation: Operation, environment: &Environment) -> Result<Option<String>, DriverError> {
        let Parts { engine, .. } = self.0.parts();
        // A superseded creation or an earlier attempt may have created the container without storing its identifier.
        if let Some(found) = engine.inspect(environment.id).await? {
            return Ok(Some(found.reference).filter(|found| environment.container.as_ref() != Some(found)));
        }
        // A start or restart replaces a lost container. A stop reports the loss if the container's identifier was stored.
        if operation == Operation::Stop && environment.container.is_some() {
            return Err(DriverError::NoContainer);
        }
        self.create(environment).await.map(Some)
    }

    async fn create(&self, environment: &Environment) -> Result<String, DriverError> {
        let Parts { engine, .. } = self.0.parts();
        engine.pull(environment.image).await?;
        engine.create(environment.id, environment.image).await
    }

    /// Stores the outcome and completes the job, in one transaction.
    async fn settle(&self, job: &Job, change: &Change, container: Option<&str>) -> Result<(), Failure> {
        let Parts { background, queue, realtime, metrics, .. } = self.0.parts();
        let mut tx = background.begin().await?;
        let now = store::lock(&mut tx, change.environment).await?;
        let Some(environment) = now.filter(|environment| environment.version == change.version) else {
            events::overtaken(change.environment, change.operation);
            return Ok(());
        };
        let changed = match change.operation.done() {
            None => {
                store::delete(&mut tx, environment.id).await?;
                None
            }
            Some(status) => {
                let environment = store::set_status(&mut tx, environment.id, status, None, container).await?;
                let word = if container.is_some() { "in a new container" } else { "in its container" };
                logs::append_system(&mut tx, environment.id, &format!("{} {word}", status.name())).await?;
                if container.is_some() {
                    extensions::forget_installed(&mut tx, environment.id).await?;
                }
                if status == Status::Running {
                    extensions::enqueue_wanted(&mut tx, queue, environment.id).await?;
                }
                Some(environment)
            }
        };
        job.complete(&mut tx).await?;
        tx.commit().await?;
        queue.wake();
        match changed {
            Some(changed) => {
                logs::system_line_stored(metrics, realtime, changed.id);
                events::done(realtime, &changed, change.operation);
            }
            None => events::deleted(realtime, &environment),
        }
        Ok(())
    }
}
