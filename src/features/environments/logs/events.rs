//! The facts of logs: counts of lines, and who follows whom.

use uuid::Uuid;

use super::model::NewEntry;
use crate::metrics::Metrics;
use crate::metrics::labels::LogStream;
use crate::realtime::{Realtime, Topic};

/// Counts lines of these logs whose transaction was committed, and those that they say were dropped. Whoever follows one of the
/// logs, wherever, looks.
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

/// As for other lines, of one of [`append_system`](super::append_system).
pub fn system_line_stored(metrics: &Metrics, realtime: &Realtime, environment: Uuid) {
    metrics.log_entries.increment(LogStream::System);
    realtime.signal(Topic::LogsGrown, &[environment]);
}

pub fn claimed(environment: Uuid) {
    tracing::debug!(%environment, "following the log");
}

pub fn claim_lost(environment: Uuid) {
    tracing::info!(%environment, "another replica follows the log");
}

pub fn given_back(count: u64) {
    if count > 0 {
        tracing::info!(count, "logs given back to be followed elsewhere");
    }
}
