//! The events of log levels: each writes a log line. The lines are warnings, so that most levels show them.

use uuid::Uuid;

use super::model::Change;

/// A request has changed the levels of all replicas.
pub fn requested(user: Uuid, change: Option<&Change>) {
    tracing::warn!(%user, levels = change.map(|change| change.levels.as_str()), "change of log levels requested");
}

/// This replica has other levels from now on. Without a change, they are those of `LOG`.
pub fn changed(change: Option<&Change>) {
    tracing::warn!(levels = change.map(|change| change.levels.as_str()), "log levels changed");
}
