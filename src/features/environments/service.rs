//! The rules of environments; `mod.rs` lists them.
//!
//! A request stores the new status and the job that carries out the operation, in one transaction. `change` handles the job. `reconcile`
//! handles changes of containers that no request caused.

use std::sync::Arc;

use uuid::Uuid;

use super::driver::{DriverError, Engine};
use super::jobs::{Change, reconciliation};
use super::logs::{Follower, Live};
use super::model::{Environment, NewEnvironment, Quotas};
use super::sessions::Terminals;
use super::state::{Illegal, Operation, Status};
use super::{events, sessions, store};
use crate::config::Config;
use crate::db::idempotency::{IdempotentRequest, Outcome, Refusal};
use crate::db::{Conn, Db, StoreError};
use crate::domain::paging::PageRequest;
use crate::features::accounts::User;
use crate::features::projects::{Action, ProjectError, Projects};
use crate::jobs::Queue;
use crate::metrics::Metrics;
use crate::realtime::Realtime;

/// Why a request on environments is refused.
#[derive(Debug, thiserror::Error)]
pub enum EnvironmentError {
    #[error("there is no such environment")]
    NoSuchEnvironment,
    #[error("there is no such session")]
    NoSuchSession,
    #[error("the extension is not installed")]
    NotInstalled,
    #[error(transparent)]
    Illegal(#[from] Illegal),
    #[error("the environment uses a different driver")]
    OtherDriver,
    #[error("the project has an environment of this name")]
    NameTaken,
    #[error("the project has its maximum of {0} environments")]
    ProjectFull(u32),
    #[error("the account has its maximum of {0} environments")]
    UserFull(u32),
    #[error("the environment has its maximum of {0} active sessions")]
    SessionsFull(u32),
    #[error("the session has ended")]
    SessionClosed,
    #[error("a session of this type has no terminal")]
    NoTerminal,
    #[error(transparent)]
    Driver(#[from] DriverError),
    #[error(transparent)]
    Project(#[from] ProjectError),
    #[error(transparent)]
    Repeated(#[from] Refusal),
    #[error(transparent)]
    Store(StoreError),
}

impl From<StoreError> for EnvironmentError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Conflict(rule) if rule == "environments_name_key" => Self::NameTaken,
            error => Self::Store(error),
        }
    }
}

/// The environments service; cheap to clone.
#[derive(Clone)]
pub struct Environments(Arc<Inner>);

/// The dependencies of [`Environments`].
pub struct Parts {
    /// Connections for requests.
    pub db: Db,
    /// Connections for background work.
    pub background: Db,
    /// Runs environments.
    pub engine: Engine,
    /// Authorizes access to environments: each belongs to a project.
    pub projects: Projects,
    /// Queue for the jobs of environments.
    pub queue: Queue,
    /// Notifies clients and other replicas.
    pub realtime: Realtime,
    /// Records this feature's metrics.
    pub metrics: Metrics,
}

struct Inner {
    parts: Parts,
    quotas: Quotas,
    /// Prefix of container names.
    namespace: String,
    live: Live,
    terminals: Terminals,
}

impl Environments {
    /// Creates the service.
    #[must_use]
    pub fn new(parts: Parts, config: &Config) -> Self {
        let quotas = Quotas { per_project: config.environments_per_project, per_user: config.environments_per_user };
        let namespace = config.environment_namespace.clone();
        let live = Live::new(parts.background.clone());
        Self(Arc::new(Inner { parts, quotas, namespace, live, terminals: Terminals::default() }))
    }

    /// The service's dependencies.
    pub(super) fn parts(&self) -> &Parts {
        &self.0.parts
    }

    /// Prefix of container names.
    pub(super) fn namespace(&self) -> &str {
        &self.0.namespace
    }

    /// The logs that clients of this replica follow.
    pub(super) fn live(&self) -> &Live {
        &self.0.live
    }

    /// The open terminals of this replica's clients.
    pub(super) fn terminals(&self) -> &Terminals {
        &self.0.terminals
    }

    pub(crate) async fn create(
        &self,
        user: &User,
        project: Uuid,
        new: NewEnvironment,
        request: Option<IdempotentRequest>,
    ) -> Result<Environment, EnvironmentError> {
        let (Parts { db, engine, projects, queue, realtime, .. }, quotas) = (self.parts(), self.0.quotas);
        let mut tx = db.begin().await?;
        projects.lock(&mut tx, user, project, Action::Change).await?;
        let insert = async |tx: &mut Conn| {
            let (of_project, of_user) = store::counts(tx, project, user.id).await?;
            if of_project >= i64::from(quotas.per_project) {
                return Err(EnvironmentError::ProjectFull(quotas.per_project));
            }
            if of_user >= i64::from(quotas.per_user) {
                return Err(EnvironmentError::UserFull(quotas.per_user));
            }
            let status = Operation::Create.begin(None)?;
            let environment = store::insert(tx, project, user.id, &new, engine.name(), status).await?;
            queue.enqueue(tx, &Change::job(&environment, Operation::Create)).await?;
            Ok(environment)
        };
        let Outcome { result: environment, is_replay } = tx.commit_idempotent(request.as_ref(), insert).await?;
        if !is_replay {
            queue.wake();
            events::began(realtime, &environment, user.id, Operation::Create);
        }
        Ok(environment)
    }

    /// One page of a project's environments.
    pub(crate) async fn list(&self, user: &User, project: Uuid, page: PageRequest) -> Result<Vec<Environment>, EnvironmentError> {
        let Parts { db, projects, .. } = self.parts();
        projects.permit(user, project, Action::Enter).await?;
        Ok(store::of_project(&mut db.acquire().await?, project, page).await?)
    }

    /// An environment that the user may read.
    pub(super) async fn read(&self, user: &User, id: Uuid) -> Result<Environment, EnvironmentError> {
        self.permitted(user, id, Action::Enter).await
    }

    /// An environment, if the user may perform `action` on its project.
    pub(super) async fn permitted(&self, user: &User, id: Uuid, action: Action) -> Result<Environment, EnvironmentError> {
        let Parts { db, projects, .. } = self.parts();
        let found = store::find(&mut db.acquire().await?, id).await?;
        let environment = found.ok_or(EnvironmentError::NoSuchEnvironment)?;
        projects.permit(user, environment.project_id, action).await?;
        Ok(environment)
    }

    /// Returns the given environments that no longer exist.
    pub(super) async fn deleted_among(&self, ids: &[Uuid]) -> Result<Vec<Uuid>, StoreError> {
        store::deleted_among(&mut self.parts().db.acquire().await?, ids).await
    }

    /// Begins an operation on an environment. The operation's job replaces waiting jobs of earlier operations, and runs after the remaining
    /// jobs of the environment. Deleting an environment that is already being deleted changes nothing.
    pub(crate) async fn begin(&self, user: &User, id: Uuid, operation: Operation) -> Result<Environment, EnvironmentError> {
        let Parts { db, engine, queue, realtime, .. } = self.parts();
        let mut tx = db.begin().await?;
        let before = self.lock(&mut tx, user, id, Action::Change).await?;
        let status = operation.begin(Some(before.status))?;
        let Some(task) = operation.job(before.status) else { return Ok(before) };
        // Only the environment's own driver can carry out an operation. A delete is allowed anyway: it can still remove the row.
        if before.driver != engine.name() && operation != Operation::Delete {
            return Err(EnvironmentError::OtherDriver);
        }
        if before.status == Status::Running {
            sessions::close_all(&mut tx, id).await?;
        }
        let environment = store::set_status(&mut tx, id, status, None, None).await?;
        queue.replace(&mut tx, &Change::job(&environment, task)).await?;
        tx.commit().await?;
        queue.wake();
        events::began(realtime, &environment, user.id, operation);
        if before.status == Status::Running {
            events::sessions_closed(realtime, id);
        }
        Ok(environment)
    }

    /// Locks an environment, if the user may perform `action` on its project.
    pub(super) async fn lock(&self, tx: &mut Conn, user: &User, id: Uuid, action: Action) -> Result<Environment, EnvironmentError> {
        // Lock order: first the project, then the environment. Deleting a project locks in the same order.
        let seen = store::find(tx, id).await?.ok_or(EnvironmentError::NoSuchEnvironment)?;
        self.parts().projects.lock(tx, user, seen.project_id, action).await?;
        store::lock(tx, id).await?.ok_or(EnvironmentError::NoSuchEnvironment)
    }

    /// Creates the follower that reads and stores the logs of running environments.
    #[must_use]
    pub fn follower(&self, config: &Config) -> Follower {
        let Parts { db, engine, realtime, metrics, .. } = self.parts();
        let this = self.clone();
        // The end of a container's output may mean that the container died.
        let on_end = move |_| drop(tokio::spawn(this.clone().reconcile_soon()));
        Follower::new(db.clone(), engine.clone(), config, on_end, realtime.clone(), metrics.clone())
    }

    /// Receives the signals of new log lines and wakes the tasks that read those logs for this replica's clients.
    pub fn receive_log_signals(&self) -> impl Future<Output = ()> + Send + use<> {
        self.live().clone().receive_signals(self.parts().realtime.clone())
    }

    async fn reconcile_soon(self) {
        let Parts { background, queue, .. } = self.parts();
        let enqueued = async { queue.enqueue(&mut background.acquire().await?, &reconciliation()).await };
        if enqueued.await.is_ok() {
            queue.wake();
        }
    }

    /// Updates the fleet's gauges of environments and sessions, deletes old closed sessions, and enqueues the reconcile job. Only one
    /// replica at a time may call this function.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn report(&self, conn: &mut Conn) -> Result<(), StoreError> {
        let Parts { queue, metrics, .. } = self.parts();
        events::counted(metrics, &store::count_by_status(conn).await?);
        sessions::report(conn, metrics).await?;
        queue.enqueue(conn, &reconciliation()).await?;
        queue.wake();
        Ok(())
    }

    /// Sets the fleet's gauges to zero on a replica that does not report them.
    pub fn report_nothing(&self) {
        events::counted(&self.parts().metrics, &[]);
        sessions::report_nothing(&self.parts().metrics);
    }
}
