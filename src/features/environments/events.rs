//! The facts of environments: each is one log line and, where it matters, one count.

use uuid::Uuid;

use super::model::Environment;
use super::sessions::{Closed, Session, TerminalEnd};
use super::state::{Operation, Status};
use crate::metrics::Metrics;
use crate::metrics::labels::{Ending, Extension, SessionStatus, SessionType};
use crate::realtime::{Realtime, Topic};

pub fn began(environment: &Environment, user: Uuid, operation: Operation) {
    let Environment { id, status, .. } = environment;
    tracing::info!(environment = %id, %user, operation = operation.name(), status = status.name(), "operation began");
}

pub fn done(environment: Uuid, operation: Operation) {
    tracing::info!(%environment, operation = operation.name(), "operation done");
}

pub fn given_up(environment: Uuid, operation: Operation, reason: &str) {
    tracing::warn!(%environment, operation = operation.name(), reason, "operation given up");
}

pub fn overtaken(environment: Uuid, operation: Operation) {
    tracing::info!(%environment, operation = operation.name(), "operation overtaken by another");
}

pub fn reconciled(environment: Uuid, from: Status, to: Status, reason: &str) {
    tracing::warn!(%environment, from = from.name(), to = to.name(), reason, "environment was not what it was said to be");
}

pub fn orphan_removed(environment: Uuid) {
    tracing::warn!(%environment, "container without an environment removed");
}

pub fn extension_tried(metrics: &Metrics, environment: Uuid, extension: Extension, failure: Option<&str>) {
    let ending = if failure.is_none() { Ending::Success } else { Ending::Failure };
    metrics.extension_installations.increment((extension, ending));
    tracing::info!(%environment, extension = extension.name(), failure, "extension installation ended");
}

pub fn removal_tried(environment: Uuid, extension: Extension, failure: Option<&str>) {
    tracing::info!(%environment, extension = extension.name(), failure, "extension removal ended");
}

pub fn counted(metrics: &Metrics, counts: &[(Option<Status>, i64)]) {
    for status in Status::MEMBERS {
        let count = counts.iter().find(|(counted, _)| *counted == Some(*status)).map_or(0, |(_, count)| *count);
        metrics.environments.set_count(*status, count);
    }
}

pub fn session_opened(session: &Uuid, environment: Uuid, user: Uuid, kind: SessionType) {
    tracing::info!(%session, %environment, %user, kind = kind.name(), "session opened");
}

/// Whoever has a terminal of the session, wherever, learns that it has ended.
pub fn session_closed(realtime: &Realtime, session: &Session, user: Uuid) {
    realtime.signal(Topic::TerminalsClosed, &Closed::Session(session.id));
    let Session { id, environment_id, .. } = session;
    tracing::info!(session = %id, environment = %environment_id, %user, "session closed");
}

/// As above, for every session in an environment that does not run any more.
pub fn sessions_closed(realtime: &Realtime, environment: Uuid) {
    realtime.signal(Topic::TerminalsClosed, &Closed::Environment(environment));
    tracing::info!(%environment, "sessions closed");
}

pub fn terminal_opened(session: &Session) {
    let Session { id, environment_id, user_id, .. } = session;
    tracing::info!(session = %id, environment = %environment_id, user = %user_id, "terminal opened");
}

pub fn terminal_ended(session: &Session, end: TerminalEnd) {
    let Session { id, environment_id, user_id, .. } = session;
    tracing::info!(session = %id, environment = %environment_id, user = %user_id, reason = end.name(), "terminal ended");
}

pub fn sessions_counted(metrics: &Metrics, kind: SessionType, status: SessionStatus, count: i64) {
    metrics.workspace_sessions.set_count((kind, status), count);
}
