//! The job that makes a change of an environment true. It may be repeated at any point: it looks at what there is,
//! calls the driver, and stores the end together with its own.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::driver::DriverError;
use super::model::Environment;
use super::service::{Environments, Parts};
use super::state::{Operation, Status};
use super::{events, extensions, logs, store};
use crate::db::{Conn, StoreError};
use crate::jobs::{Failure, Handler, Job, NewJob};
use crate::metrics::labels::JobKind;

/// What a job is to do.
#[derive(Debug, Serialize, Deserialize)]
pub struct Change {
    environment: Uuid,
    operation: Operation,
    /// The version that began the operation: with another one it has been overtaken.
    version: i64,
}

impl Change {
    /// The job that makes the operation true which the environment has begun.
    pub fn job(environment: &Environment, operation: Operation) -> NewJob {
        let change = Self { environment: environment.id, operation, version: environment.version };
        NewJob::new(JobKind::EnvironmentChange, &change).in_lane(lane(environment.id))
    }
}

/// Jobs of one environment run one at a time.
pub fn lane(environment: Uuid) -> String {
    format!("environment {environment}")
}

impl From<DriverError> for Failure {
    fn from(error: DriverError) -> Self {
        match error {
            DriverError::Unavailable(_) | DriverError::Timeout | DriverError::Failed(_) => Self::retry(error),
            DriverError::NoContainer | DriverError::Refused(_) => Self::Permanent(error.to_string()),
        }
    }
}

/// Does the jobs of [`Change`].
pub struct ChangeEnvironment(pub Environments);

#[async_trait]
impl Handler for ChangeEnvironment {
    async fn run(&self, job: &Job) -> Result<(), Failure> {
        let change: Change = job.payload()?;
        let Parts { background, engine, .. } = self.0.parts();
        let found = store::find(&mut background.acquire().await?, change.environment).await?;
        // When its project was deleted, a container of it may still be there.
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
        logs::append_system(tx, environment.id, &format!("could not {}: {reason}", change.operation.name())).await?;
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
    /// Calls the driver; answers the container's identifier when it is another one than is stored.
    async fn operate(&self, operation: Operation, environment: &Environment) -> Result<Option<String>, Failure> {
        let Parts { engine, .. } = self.0.parts();
        let id = environment.id;
        if environment.driver != engine.name() {
            // During a change of drivers a replica that still has the other one may take the next attempt.
            return if operation == Operation::Delete { Ok(None) } else { Err(Failure::retry("another driver runs it")) };
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

    /// Makes sure that there is a container, whatever an operation that was overtaken has left; answers its identifier when
    /// it is another one than is stored.
    async fn have_container(&self, operation: Operation, environment: &Environment) -> Result<Option<String>, DriverError> {
        let Parts { engine, .. } = self.0.parts();
        // Its creation or an earlier attempt may have made it and not stored which.
        if let Some(found) = engine.inspect(environment.id).await? {
            return Ok(Some(found.reference).filter(|found| environment.container.as_ref() != Some(found)));
        }
        // Whoever starts it need not know that its container is gone. Who stops it learns of it, unless there never was one.
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

    /// Stores what became true, together with the end of the job.
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
