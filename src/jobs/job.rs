//! A leased job, and the ways in which an attempt at it can fail. The code that leases, attempts and ends jobs is in the sibling modules.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde::de::DeserializeOwned;
use serde_json::Value;
use uuid::Uuid;

use crate::db::StoreError;
use crate::metrics::labels::JobKind;
use crate::telemetry::trace_context::Traceparent;

/// A job that this replica has leased.
#[derive(Clone, Debug)]
pub struct Job {
    pub(super) id: i64,
    pub(super) kind: JobKind,
    pub(super) payload: Value,
    /// Attempts so far, including this one.
    pub(super) attempt: i32,
    /// The request, job or event that enqueued the job.
    pub(super) cause: Option<Traceparent>,
    /// Never reused, so that the holder of an older lease can change nothing.
    pub(super) lease: Uuid,
    pub(super) completed: Arc<AtomicBool>,
}

impl Job {
    /// The kind, which selects the handler.
    #[must_use]
    pub fn kind(&self) -> JobKind {
        self.kind
    }

    /// Attempts so far, including this one and those whose replica died. If the number is above
    /// [`MAX_ATTEMPTS`](super::MAX_ATTEMPTS), the job becomes a dead letter without a call of [`Handler::run`](super::Handler::run).
    #[must_use]
    pub fn attempt(&self) -> i32 {
        self.attempt
    }

    /// The payload that was passed to [`NewJob::new`](super::NewJob::new).
    ///
    /// # Errors
    /// [`Failure::Permanent`] when the payload does not parse as `T`.
    pub fn payload<T: DeserializeOwned>(&self) -> Result<T, Failure> {
        T::deserialize(&self.payload).map_err(|error| Failure::Permanent(format!("failed to parse the payload: {error}")))
    }

    /// Whether the job's row is deleted, or will be when the handler's transaction commits.
    pub(super) fn is_completed(&self) -> bool {
        self.completed.load(Ordering::Acquire)
    }
}

/// Why an attempt failed.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The next attempt may succeed.
    #[error("{reason}")]
    Retry {
        /// Stored as the job's last error.
        reason: String,
        /// The delay that the called service requested, if any.
        after: Option<Duration>,
    },
    /// The job must not be retried.
    #[error("{0}")]
    Permanent(String),
    /// Another replica may have the job.
    #[error("the lease was lost")]
    LeaseLost,
}

impl Failure {
    /// A failure after which the job is retried, with the usual pause.
    #[expect(clippy::needless_pass_by_value, reason = "callers pass errors and strings by value")]
    pub fn retry(reason: impl ToString) -> Self {
        Self::Retry { reason: reason.to_string(), after: None }
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self::retry(error)
    }
}
