//! The rules of sessions. `mod.rs` describes what a session is and when it ends.

use uuid::Uuid;

use super::super::driver::{ContainerState, Terminal, TerminalSize, container_name};
use super::super::events;
use super::super::service::{EnvironmentError, Environments, Parts};
use super::super::state::{Illegal, Status};
use super::model::{MAX_SESSIONS, Session, SessionStatus, SessionType, TerminalEnd};
use super::store;
use crate::db::idempotency::{IdempotentRequest, Outcome};
use crate::db::{Conn, StoreError};
use crate::domain::paging::PageRequest;
use crate::features::accounts::User;
use crate::features::projects::{Action, ProjectError};
use crate::metrics::Metrics;

impl Environments {
    pub(super) async fn open_session(
        &self,
        user: &User,
        environment: Uuid,
        kind: SessionType,
        request: Option<IdempotentRequest>,
    ) -> Result<Session, EnvironmentError> {
        let mut tx = self.parts().db.begin().await?;
        let held = self.lock(&mut tx, user, environment, Action::Change).await?;
        let insert = async |tx: &mut Conn| {
            if held.status != Status::Running {
                return Err(Illegal::NotRunning.into());
            }
            if store::count_active(tx, environment).await? >= i64::from(MAX_SESSIONS) {
                return Err(EnvironmentError::SessionsFull(MAX_SESSIONS));
            }
            Ok(store::insert(tx, environment, user.id, kind).await?)
        };
        let Outcome { result: session, is_replay } = tx.commit_idempotent(request.as_ref(), insert).await?;
        if !is_replay {
            events::session_opened(&session.id, environment, user.id, kind);
        }
        Ok(session)
    }

    /// One page of an environment's sessions.
    pub(super) async fn sessions(&self, user: &User, environment: Uuid, page: PageRequest) -> Result<Vec<Session>, EnvironmentError> {
        self.read(user, environment).await?;
        Ok(store::of_environment(&mut self.parts().db.acquire().await?, environment, page).await?)
    }

    /// Closes a session, if [`Session::action_to_close`] is permitted.
    pub(super) async fn close_session(&self, user: &User, id: Uuid) -> Result<(), EnvironmentError> {
        let Parts { db, realtime, .. } = self.parts();
        let session = store::find(&mut db.acquire().await?, id).await?.ok_or(EnvironmentError::NoSuchSession)?;
        self.permitted(user, session.environment_id, session.action_to_close(user.id)).await?;
        if store::close(&mut db.acquire().await?, id).await? {
            events::session_closed(realtime, &session, user.id);
        }
        Ok(())
    }

    /// Starts the program of one of the user's own sessions.
    pub(super) async fn open_terminal(&self, user: &User, id: Uuid, size: TerminalSize) -> Result<(Session, Terminal), EnvironmentError> {
        let Parts { db, engine, projects, .. } = self.parts();
        let session = store::find(&mut db.acquire().await?, id).await?.ok_or(EnvironmentError::NoSuchSession)?;
        let environment = self.read(user, session.environment_id).await?;
        projects.permit(user, environment.project_id, Action::Change).await?;
        if session.user_id != user.id {
            return Err(ProjectError::Forbidden.into());
        }
        let program = session.program().ok_or(EnvironmentError::NoTerminal)?;
        if session.status != SessionStatus::Active {
            return Err(EnvironmentError::SessionClosed);
        }
        if environment.status != Status::Running {
            return Err(Illegal::NotRunning.into());
        }
        if environment.driver != engine.name() {
            return Err(EnvironmentError::OtherDriver);
        }
        let terminal = engine.terminal(environment.id, program, size).await?;
        events::terminal_opened(&session);
        Ok((session, terminal))
    }

    /// Returns why a terminal of a session must end, or `None` if it may continue.
    pub(super) async fn terminal_end(&self, user: &User, session: &Session) -> Result<Option<TerminalEnd>, EnvironmentError> {
        let Parts { db, projects, .. } = self.parts();
        let found = store::find(&mut db.acquire().await?, session.id).await?;
        // The row was deleted together with its environment.
        let Some(now) = found else { return Ok(Some(TerminalEnd::Stopped)) };
        let seen = async {
            let environment = self.read(user, session.environment_id).await?;
            projects.permit(user, environment.project_id, Action::Change).await?;
            Ok(environment)
        };
        let environment = match seen.await {
            Ok(environment) => environment,
            Err(EnvironmentError::NoSuchEnvironment) => return Ok(Some(TerminalEnd::Stopped)),
            Err(EnvironmentError::Project(ProjectError::NoSuchProject | ProjectError::Forbidden)) => {
                return Ok(Some(TerminalEnd::AccessLost));
            }
            Err(error) => return Err(error),
        };
        Ok(match now.closed_at {
            None => None,
            // The environment stopped, even if it is running again by now.
            Some(closed_at) if environment.status != Status::Running || environment.updated_at >= closed_at => Some(TerminalEnd::Stopped),
            Some(_) => Some(TerminalEnd::Closed),
        })
    }

    /// Returns why a terminal's output has ended, and closes the session if its program has exited. `is_whole` tells whether the output
    /// ended without an error.
    pub(super) async fn terminal_output_ended(&self, user: &User, session: &Session, is_whole: bool) -> TerminalEnd {
        let Parts { db, engine, realtime, .. } = self.parts();
        if let Ok(Some(end)) = self.terminal_end(user, session).await {
            return end;
        }
        let container = engine.inspect(session.environment_id).await.ok().flatten();
        if !is_whole || container.is_none_or(|container| container.state != ContainerState::Running) {
            return TerminalEnd::Stopped;
        }
        let closed = async { store::close(&mut db.acquire().await?, session.id).await };
        if matches!(closed.await, Ok(true)) {
            events::session_closed(realtime, session, user.id);
        }
        TerminalEnd::Exited
    }

    /// The link that attaches an editor to a session.
    pub(crate) fn link(&self, session: &Session) -> Option<String> {
        session.link(&container_name(self.namespace(), session.environment_id))
    }
}

/// Updates the fleet's gauges of sessions and deletes old closed sessions.
///
/// # Errors
/// When the database fails.
pub async fn report(conn: &mut Conn, metrics: &Metrics) -> Result<(), StoreError> {
    let counts = store::counts(conn).await?;
    for (kind, status) in every() {
        let count = counts.iter().find(|counted| (counted.0, counted.1) == (Some(kind), Some(status))).map_or(0, |counted| counted.2);
        events::sessions_counted(metrics, kind, status, count);
    }
    store::forget_closed(conn).await
}

/// Sets the fleet's gauges to zero on a replica that does not report them.
pub fn report_nothing(metrics: &Metrics) {
    every().for_each(|(kind, status)| events::sessions_counted(metrics, kind, status, 0));
}

fn every() -> impl Iterator<Item = (SessionType, SessionStatus)> {
    SessionType::MEMBERS.iter().flat_map(|kind| SessionStatus::MEMBERS.iter().map(|status| (*kind, *status)))
}
