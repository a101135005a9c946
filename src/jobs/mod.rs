//! Background jobs: work that must happen after a response, even if the replica that sent the response dies.
//!
//! - A job is inserted in the transaction that makes it necessary, and deleted in the transaction of its effect ([`Job::complete`]).
//!   So it runs at least once, and its effect in the database happens at most once. An effect elsewhere can happen again.
//! - A replica leases a job and renews the lease while it works. When the replica dies, the lease expires and another replica
//!   takes the job; a replica that lost its lease cannot complete the job. The database's clock alone decides when a lease
//!   expires.
//! - Jobs in a *lane* run one at a time, in insertion order. At most one job per *unique key* waits or runs.
//! - A failed attempt is retried after a random pause with a growing bound; its handler can record the reason
//!   ([`Handler::put_back`]). After [`MAX_ATTEMPTS`], or after a permanent failure, the job becomes a dead letter: its row
//!   keeps the last error, and its handler applies the consequences ([`Handler::give_up`]).
//!
//! To add a kind, add a member to [`JobKind`], a [`Handler`], and a line to its feature's `handlers()`.

mod attempt;
mod job;
mod lease_policy;
mod store;
mod worker;

use std::sync::Arc;
use std::sync::atomic::Ordering;

use async_trait::async_trait;
use serde::Serialize;
use serde_json::Value;
use tokio::sync::Notify;

pub use job::{Failure, Job};
pub use lease_policy::LeasePolicy;
pub use worker::Workers;

use crate::db::{Conn, StoreError};
use crate::metrics::Metrics;
use crate::metrics::labels::JobKind;
use crate::telemetry::trace_context::TraceContext;

/// Maximum number of attempts at a job, including those whose replica died.
pub const MAX_ATTEMPTS: i32 = 5;

/// A job to enqueue.
#[derive(Debug)]
pub struct NewJob {
    kind: JobKind,
    payload: Value,
    lane: Option<String>,
    unique_key: Option<String>,
}

impl NewJob {
    /// A job that may run immediately and concurrently with any other.
    #[must_use]
    pub fn new(kind: JobKind, payload: &impl Serialize) -> Self {
        Self { kind, payload: serde_json::to_value(payload).unwrap_or_default(), lane: None, unique_key: None }
    }

    /// Runs the job after every earlier job of the lane.
    #[must_use]
    pub fn in_lane(self, lane: impl Into<String>) -> Self {
        Self { lane: Some(lane.into()), ..self }
    }

    /// Enqueues the job only if no job with this key waits or runs. A change that occurs while such a job runs therefore gets no job
    /// of its own.
    #[must_use]
    pub fn unique(self, key: impl Into<String>) -> Self {
        Self { unique_key: Some(key.into()), ..self }
    }
}

/// The queue of jobs. [`Self::wake`] on any clone wakes the workers.
#[derive(Clone, Default)]
pub struct Queue {
    wake: Arc<Notify>,
}

impl Queue {
    /// Inserts a job in the transaction that makes it necessary. Jobs of its lane that wait for a retry become due, so that the new job
    /// does not wait for their pause. The insert locks the lane until the transaction ends, so call this late in the transaction.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn enqueue(&self, tx: &mut Conn, job: &NewJob) -> Result<(), StoreError> {
        let cause = TraceContext::current().map(|cause| cause.traceparent());
        store::insert(tx, job.kind, &job.payload, job.lane.as_deref(), job.unique_key.as_deref(), cause).await?;
        if let Some(lane) = &job.lane {
            store::make_due(tx, lane).await?;
        }
        Ok(())
    }

    /// Like [`Self::enqueue`], but first deletes the waiting jobs of the same kind in the lane: the new job makes them obsolete. A
    /// running job continues, and the new job runs after it.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn replace(&self, tx: &mut Conn, job: &NewJob) -> Result<(), StoreError> {
        if let Some(lane) = &job.lane {
            store::delete_waiting(tx, lane, job.kind).await?;
        }
        self.enqueue(tx, job).await
    }

    /// Wakes this replica's workers. Call this after the commit of a transaction that inserts a job. Without the call, workers find the
    /// job at their next poll.
    pub fn wake(&self) {
        self.wake.notify_one();
    }
}

impl Job {
    /// Ends the job in the transaction of its effect. Call it after writing the effect, but before enqueueing a follow-up job
    /// with the same unique key.
    ///
    /// # Errors
    /// [`Failure::LeaseLost`] when another replica may have the job; [`Failure::Retry`] when the database fails. On either error, roll
    /// the transaction back.
    pub async fn complete(&self, tx: &mut Conn) -> Result<(), Failure> {
        if !store::delete(tx, self).await? {
            return Err(Failure::LeaseLost);
        }
        self.completed.store(true, Ordering::Release);
        Ok(())
    }
}

/// Runs the jobs of one kind.
#[async_trait]
pub trait Handler: Send + Sync + 'static {
    /// Runs the job. The call can be cancelled at any await, and repeated later. It must not block its thread, because the same
    /// task renews the lease. If the job has an effect in the database, the call ends with [`Job::complete`] in the transaction of
    /// that effect. A panic is a failed attempt.
    async fn run(&self, job: &Job) -> Result<(), Failure>;

    /// Records the reason for the retry, so that users who wait for the job's effect can see it. Runs in the transaction that puts the
    /// job back.
    async fn put_back(&self, _job: &Job, _tx: &mut Conn, _reason: &str) -> Result<(), StoreError> {
        Ok(())
    }

    /// Applies the consequences of giving up, in the transaction that makes the job a dead letter. While this fails, the job
    /// remains and blocks its lane; attempt number 2 * [`MAX_ATTEMPTS`] makes the job a dead letter without calling this.
    async fn give_up(&self, job: &Job, tx: &mut Conn, reason: &str) -> Result<(), StoreError>;
}

/// Reports the unfinished jobs of the whole fleet, and deletes old dead letters. One replica at a time calls this.
///
/// # Errors
/// When the database fails.
pub async fn report(conn: &mut Conn, metrics: &Metrics) -> Result<(), StoreError> {
    let pending = store::pending(conn).await?;
    for kind in JobKind::MEMBERS {
        let count = pending.iter().find(|pending| pending.kind == kind.name()).map_or(0, |pending| pending.count);
        metrics.jobs_pending.set_count(*kind, count);
    }
    let oldest = pending.iter().map(|pending| pending.seconds_due).fold(0.0, f64::max);
    metrics.jobs_oldest_due.set((), oldest);
    store::forget_dead(conn).await
}

/// Sets the fleet's gauges to zero on a replica that does not report them.
pub fn report_nothing(metrics: &Metrics) {
    for kind in JobKind::MEMBERS {
        metrics.jobs_pending.set_count(*kind, 0);
    }
    metrics.jobs_oldest_due.set((), 0.0);
}
