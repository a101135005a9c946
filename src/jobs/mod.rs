//! Background jobs: what must happen after an answer was given, whatever becomes of the replica that gave it.
//!
//! - A job is written in the transaction of its cause and deleted in the transaction of its effect ([`Job::complete`]):
//!   it runs at least once, and has its effect once.
//! - A replica leases a job and renews the lease while it works. When the replica dies, the lease ends and another
//!   takes the job; a replica that lost its lease can no longer complete. Only the database's clock decides.
//! - Jobs of a *lane* run one at a time in the order in which they were written. Of a *unique key* one job waits or runs.
//! - A failed attempt is repeated after a random pause, longer each time; its handler may say why ([`Handler::put_back`]). After [`MAX_ATTEMPTS`] the job is dead: it is
//!   kept with its last error, and its handler says what that means ([`Handler::give_up`]).
//!
//! A new kind: one member of [`JobKind`], one [`Handler`] and one line in its feature's `handlers()`.

mod attempt;
mod store;
mod terms;
mod worker;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::sync::Notify;
use uuid::Uuid;

pub use terms::Terms;
pub use worker::Workers;

use crate::db::{Conn, StoreError};
use crate::metrics::Metrics;
use crate::metrics::labels::JobKind;

/// Attempts at a job, those that died with their replica included.
pub const MAX_ATTEMPTS: i32 = 5;

/// A job to be.
#[derive(Debug)]
pub struct NewJob {
    kind: JobKind,
    payload: Value,
    lane: Option<String>,
    unique_key: Option<String>,
}

impl NewJob {
    /// A job that may run at once, beside any other.
    #[must_use]
    pub fn new(kind: JobKind, payload: &impl Serialize) -> Self {
        Self { kind, payload: serde_json::to_value(payload).unwrap_or_default(), lane: None, unique_key: None }
    }

    /// Runs it after every earlier job of the lane.
    #[must_use]
    pub fn in_lane(self, lane: impl Into<String>) -> Self {
        Self { lane: Some(lane.into()), ..self }
    }

    /// Writes it only if no job with this key waits or runs: what arises while one runs does not run it again.
    #[must_use]
    pub fn unique(self, key: impl Into<String>) -> Self {
        Self { unique_key: Some(key.into()), ..self }
    }
}

/// Where jobs are written; clones share it.
#[derive(Clone, Default)]
pub struct Queue {
    wake: Arc<Notify>,
}

impl Queue {
    /// Writes a job in the transaction of its cause. Jobs of its lane that wait for another try become due, so that it
    /// need not wait for them. Other writers to the lane wait until the transaction ends: to be called late in it.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn enqueue(&self, tx: &mut Conn, job: &NewJob) -> Result<(), StoreError> {
        store::insert(tx, job.kind, &job.payload, job.lane.as_deref(), job.unique_key.as_deref()).await?;
        if let Some(lane) = &job.lane {
            store::make_due(tx, lane).await?;
        }
        Ok(())
    }

    /// As [`Self::enqueue`], in place of the jobs of its kind that wait in its lane: those would do nothing any more. One that runs
    /// goes on, and this one follows it.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn replace(&self, tx: &mut Conn, job: &NewJob) -> Result<(), StoreError> {
        if let Some(lane) = &job.lane {
            store::delete_waiting(tx, lane, job.kind).await?;
        }
        self.enqueue(tx, job).await
    }

    /// Tells this replica's workers that a transaction with a job was committed. Without it they find the job when they
    /// look next.
    pub fn wake(&self) {
        self.wake.notify_one();
    }
}

/// A job that this replica has leased.
#[derive(Clone, Debug)]
pub struct Job {
    id: i64,
    kind: JobKind,
    payload: Value,
    /// Attempts so far, this one included.
    attempt: i32,
    /// Never used twice, so that whoever has an older one can change nothing.
    lease: Uuid,
    completed: Arc<AtomicBool>,
}

impl Job {
    /// What it does.
    #[must_use]
    pub fn kind(&self) -> JobKind {
        self.kind
    }

    /// Attempts so far, this one included, and those that died with their replica. Beyond [`MAX_ATTEMPTS`] it is not
    /// attempted again, but given up.
    #[must_use]
    pub fn attempt(&self) -> i32 {
        self.attempt
    }

    /// What it was written with.
    ///
    /// # Errors
    /// [`Failure::Permanent`] when it is of another shape.
    pub fn payload<T: DeserializeOwned>(&self) -> Result<T, Failure> {
        T::deserialize(&self.payload).map_err(|error| Failure::Permanent(format!("failed to parse the payload: {error}")))
    }

    /// Ends the job in the transaction of its effect, once that is written. Only jobs that follow come after it: they
    /// may have its unique key.
    ///
    /// # Errors
    /// [`Failure::LeaseLost`] when another replica may have the job: the transaction must be rolled back.
    pub async fn complete(&self, tx: &mut Conn) -> Result<(), Failure> {
        if !store::delete(tx, self).await? {
            return Err(Failure::LeaseLost);
        }
        self.completed.store(true, Ordering::Release);
        Ok(())
    }

    /// Whether its row is gone, or will be when the handler's transaction is committed.
    fn is_completed(&self) -> bool {
        self.completed.load(Ordering::Acquire)
    }
}

/// Why an attempt had no effect.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The next attempt may succeed.
    #[error("{reason}")]
    Retry {
        /// For whoever reads the job's last error.
        reason: String,
        /// Not before this has passed, when the other side has said so.
        after: Option<Duration>,
    },
    /// No attempt can succeed.
    #[error("{0}")]
    Permanent(String),
    /// The job is another replica's.
    #[error("the lease was lost")]
    LeaseLost,
}

impl Failure {
    /// The next attempt may succeed.
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

/// Does the jobs of one kind.
#[async_trait]
pub trait Handler: Send + Sync + 'static {
    /// Does the job. May be cancelled at any await, and repeated after that; may not block its thread, since the lease is
    /// renewed by the same task; ends with [`Job::complete`] in the
    /// transaction of its effect, if it has one. A panic is a failed attempt.
    async fn run(&self, job: &Job) -> Result<(), Failure>;

    /// Says, in the transaction that puts the job back, why there will be another attempt, for those who wait for the effect.
    async fn put_back(&self, _job: &Job, _tx: &mut Conn, _reason: &str) -> Result<(), StoreError> {
        Ok(())
    }

    /// Says, in the transaction that buries the job, what it means that it was given up. While it fails the job stays,
    /// and so does its lane; after [`MAX_ATTEMPTS`] more it is not asked again.
    async fn give_up(&self, job: &Job, tx: &mut Conn, reason: &str) -> Result<(), StoreError>;
}

/// Reports the jobs of the whole fleet and forgets those that died long ago: for one replica at a time.
///
/// # Errors
/// When the store fails.
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

/// Reports that another replica reports.
pub fn report_nothing(metrics: &Metrics) {
    for kind in JobKind::MEMBERS {
        metrics.jobs_pending.set_count(*kind, 0);
    }
    metrics.jobs_oldest_due.set((), 0.0);
}
