//! The events of environments' logs: counts their lines, notifies replicas of new lines, and writes to Vitrine's own log about claims.

use uuid::Uuid;

use super::model::NewEntry;
use crate::domain::LogStream;
use crate::metrics::Metrics;
use crate::realtime::{Realtime, Topic};

/// Counts the stored lines and the dropped lines; `dropped` is the number of dropped lines that the stored lines report. Notifies every
/// replica, for the clients that follow these logs.
pub fn stored<'a>(
    metrics: &Metrics,
    realtime: &Realtime,
    environments: &[Uuid],
    entries: impl Iterator<Item = &'a NewEntry>,
    dropped: u64,
) {
    for entry in entries {
        metrics.log_entries.increment(entry.stream);
    }
    metrics.log_entries_dropped.add((), dropped);
    realtime.signal(Topic::LogsGrown, &environments);
}

/// Like `stored`, for a line of [`append_system`](super::append_system).
pub fn system_line_stored(metrics: &Metrics, realtime: &Realtime, environment: Uuid) {
    metrics.log_entries.increment(LogStream::System);
    realtime.signal(Topic::LogsGrown, &[environment]);
}

pub fn claimed(environment: Uuid) {
    tracing::debug!(%environment, "log claimed");
}

pub fn claim_lost(environment: Uuid) {
    tracing::info!(%environment, "log claim lost: another replica has it, or the environment was deleted");
}

pub fn given_back(count: u64) {
    if count > 0 {
        tracing::info!(count, "log claims released");
    }
}
