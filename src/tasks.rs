//! Supervision of background tasks that run as long as the service. A task that ends earlier is counted as a failure, and ends the service.

use std::time::Duration;

use tokio::task::{JoinError, JoinSet};
use tokio::time::{Interval, MissedTickBehavior, interval};

use crate::metrics::Metrics;
use crate::metrics::labels::{Severity, SystemError};

/// Ticks immediately, then after each period. After a late tick, the next one follows a whole period later; missed ticks are skipped.
#[must_use]
pub fn ticks(period: Duration) -> Interval {
    let mut ticks = interval(period);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks
}

/// The tasks of one application. Dropping this value aborts the tasks.
pub struct Tasks {
    running: JoinSet<&'static str>,
    metrics: Metrics,
}

/// A task has ended although it must run until the service shuts down.
#[derive(Debug, thiserror::Error)]
#[error("background task ended: {0}")]
pub struct TaskEnded(String);

impl Tasks {
    /// A supervisor without tasks.
    #[must_use]
    pub fn new(metrics: Metrics) -> Self {
        Self { running: JoinSet::new(), metrics }
    }

    /// Starts a task that must never end.
    pub fn spawn<F>(&mut self, name: &'static str, task: F)
    where
        F: Future<Output: Send> + Send + 'static,
    {
        self.running.spawn(async move {
            task.await;
            name
        });
    }

    /// Waits until a task ends, and counts the failure.
    pub async fn failed(&mut self) -> TaskEnded {
        let ended = match self.running.join_next().await {
            Some(Ok(name)) => name.to_owned(),
            Some(Err(error)) => error.to_string(),
            None => return std::future::pending().await,
        };
        self.count(ended)
    }

    /// Counts the failure of a task that the caller started without [`Self::spawn`] and that ended too early.
    #[must_use]
    pub fn lost(&self, name: &str, error: Option<JoinError>) -> TaskEnded {
        self.count(error.map_or_else(|| name.to_owned(), |error| error.to_string()))
    }

    fn count(&self, ended: String) -> TaskEnded {
        self.metrics.unhandled_rejections.increment(());
        self.metrics.system_errors.increment((SystemError::Task, Severity::Critical));
        TaskEnded(ended)
    }

    /// Aborts every task and waits for its end.
    pub async fn end(mut self) {
        self.running.shutdown().await;
    }
}
