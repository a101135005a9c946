//! The events of environments: each writes a log line, updates a metric, or both. Where needed, it also notifies clients or replicas.

use serde::Serialize;
use uuid::Uuid;

use super::model::Environment;
use super::sessions::{Closed, Session, TerminalEnd};
use super::state::{Operation, Status};
use crate::domain::{Extension, SessionStatus, SessionType};
use crate::metrics::Metrics;
use crate::metrics::labels::{Ending, EventOut};
use crate::realtime::{Realtime, Room, Topic};

pub fn began(realtime: &Realtime, environment: &Environment, user: Uuid, operation: Operation) {
    announce(realtime, environment);
    let Environment { id, status, .. } = environment;
    tracing::info!(environment = %id, %user, operation = operation.name(), status = status.name(), "operation started");
}

pub fn done(realtime: &Realtime, environment: &Environment, operation: Operation) {
    announce(realtime, environment);
    tracing::info!(environment = %environment.id, operation = operation.name(), "operation finished");
}

pub fn deleted(realtime: &Realtime, environment: &Environment) {
    let Environment { id, project_id, version, .. } = *environment;
    emit(realtime, &StatusChange { environment_id: id, project_id, status: "deleted", last_error: None, version: version + 1 });
    tracing::info!(environment = %id, "environment deleted");
}

pub fn given_up(realtime: &Realtime, environment: &Environment, operation: Operation, reason: &str) {
    announce(realtime, environment);
    tracing::warn!(environment = %environment.id, operation = operation.name(), reason, "operation failed permanently");
}

pub fn overtaken(environment: Uuid, operation: Operation) {
    tracing::info!(%environment, operation = operation.name(), "operation superseded, or environment deleted");
}

pub fn reconciled(realtime: &Realtime, environment: &Environment, from: Status, reason: &str) {
    announce(realtime, environment);
    let Environment { id, status, .. } = environment;
    tracing::warn!(environment = %id, from = from.name(), to = status.name(), reason, "environment status corrected");
}

pub fn orphan_removed(environment: Uuid) {
    tracing::warn!(%environment, "orphaned container removed");
}

pub fn extension_tried(metrics: &Metrics, environment: Uuid, extension: Extension, failure: Option<&str>) {
    let ending = if failure.is_none() { Ending::Success } else { Ending::Failure };
    metrics.extension_installations.increment((extension, ending));
    tracing::info!(%environment, extension = extension.name(), failure, "extension installation finished");
}

pub fn removal_tried(environment: Uuid, extension: Extension, failure: Option<&str>) {
    tracing::info!(%environment, extension = extension.name(), failure, "extension removal finished");
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

/// Also ends the session's terminals, on every replica.
pub fn session_closed(realtime: &Realtime, session: &Session, user: Uuid) {
    realtime.signal(Topic::TerminalsClosed, &Closed::Session(session.id));
    let Session { id, environment_id, .. } = session;
    tracing::info!(session = %id, environment = %environment_id, %user, "session closed");
}

/// Also ends all terminals of the environment, on every replica.
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

/// The payload of `env:status`.
#[derive(Serialize)]
struct StatusChange<'a> {
    environment_id: Uuid,
    project_id: Uuid,
    status: &'a str,
    last_error: Option<&'a str>,
    /// Orders the `env:status` events of an environment: the latest event has the highest version.
    version: i64,
}

fn announce(realtime: &Realtime, environment: &Environment) {
    let Environment { id, project_id, status, last_error, version, .. } = environment;
    let (status, last_error) = (status.name(), last_error.as_deref());
    emit(realtime, &StatusChange { environment_id: *id, project_id: *project_id, status, last_error, version: *version });
}

fn emit(realtime: &Realtime, change: &StatusChange<'_>) {
    let StatusChange { environment_id: id, project_id: project, .. } = *change;
    realtime.emit(&[Room::Project(project), Room::Environment { id, project }], EventOut::EnvStatus, change);
}
