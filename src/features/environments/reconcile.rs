//! The handler of the reconcile job. It compares the database with the driver, corrects statuses that do not match the container, and
//! removes containers without an environment. The replica that works for the fleet (`src/fleet.rs`) enqueues the job every few seconds;
//! any replica enqueues it when the output of an environment that should run has ended.

use std::collections::HashMap;

use async_trait::async_trait;
use uuid::Uuid;

use super::driver::{Container, DriverError};
use super::model::Environment;
use super::service::{Environments, Parts};
use super::state::{Status, observed};
use super::{events, extensions, logs, sessions, store};
use crate::db::{Conn, StoreError};
use crate::jobs::{Failure, Handler, Job};

/// Handles [`reconciliation`](super::jobs::reconciliation).
pub struct Reconcile(pub Environments);

#[async_trait]
impl Handler for Reconcile {
    async fn run(&self, _: &Job) -> Result<(), Failure> {
        let Parts { background, engine, .. } = self.0.parts();
        // The two lists are not one snapshot: `correct` and `remove_orphan` check each difference again before they act.
        let containers = match engine.list().await {
            Ok(containers) => containers,
            // No retry is needed: readiness reports the driver's failure, and the job is soon enqueued again.
            Err(DriverError::Unavailable(_) | DriverError::Timeout) => return Ok(()),
            Err(error) => return Err(error.into()),
        };
        let mut containers: HashMap<Uuid, Container> = containers.into_iter().map(|container| (container.environment, container)).collect();
        let environments = store::of_driver(&mut background.acquire().await?, engine.name()).await?;
        for environment in environments {
            let listed = containers.remove(&environment.id);
            if observed(environment.status, listed.map(|container| container.state)).is_some() {
                self.correct(&environment).await?;
            }
        }
        for orphan in containers.into_keys() {
            self.remove_orphan(orphan).await?;
        }
        Ok(())
    }

    async fn give_up(&self, _: &Job, _: &mut Conn, _: &str) -> Result<(), StoreError> {
        Ok(())
    }
}

impl Reconcile {
    /// Inspects the container again, because the list may be stale. Stores the observed status unless the environment has changed
    /// meanwhile.
    async fn correct(&self, seen: &Environment) -> Result<(), Failure> {
        let Parts { background, engine, queue, realtime, metrics, .. } = self.0.parts();
        let container = engine.inspect(seen.id).await?;
        let Some((status, reason)) = observed(seen.status, container.map(|container| container.state)) else { return Ok(()) };
        let mut tx = background.begin().await?;
        let now = store::lock(&mut tx, seen.id).await?;
        if now.is_none_or(|now| now.version != seen.version) {
            return Ok(());
        }
        let environment = store::set_status(&mut tx, seen.id, status, (status == Status::Error).then_some(reason.as_str()), None).await?;
        if seen.status == Status::Running {
            sessions::close_all(&mut tx, seen.id).await?;
        }
        if status == Status::Running {
            extensions::enqueue_wanted(&mut tx, queue, seen.id).await?;
        }
        logs::append_system(&mut tx, seen.id, &reason).await?;
        tx.commit().await?;
        queue.wake();
        logs::system_line_stored(metrics, realtime, seen.id);
        events::reconciled(realtime, &environment, seen.status, &reason);
        if seen.status == Status::Running {
            events::sessions_closed(realtime, seen.id);
        }
        Ok(())
    }

    /// Removes the container of an environment that no longer exists, for example because its project was deleted.
    async fn remove_orphan(&self, environment: Uuid) -> Result<(), Failure> {
        let Parts { background, engine, .. } = self.0.parts();
        if store::find(&mut background.acquire().await?, environment).await?.is_none() {
            engine.remove(environment).await?;
            events::orphan_removed(environment);
        }
        Ok(())
    }
}
