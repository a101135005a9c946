//! Rate limits, counted for the whole fleet in Redis, and by each replica alone while Redis is unavailable.
//!
//! [`Throttle::take`] counts every attempt that it admits. [`Throttle::begin`] counts only failures, and reserves a slot while
//! the attempt runs, so that concurrent attempts cannot exceed the limit. A refused attempt changes nothing. `bucket`
//! defines a limit; the features choose limits and subjects.

mod bucket;
mod local;
mod script;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::runtime::Handle;
use tokio::task::JoinHandle;
use uuid::Uuid;

pub use bucket::{Bucket, Rate, digest};
use bucket::{Refusal, micros};
use local::Local;

use super::RedisClient;
use crate::metrics::Metrics;
use crate::metrics::labels::{Limiter, RedisCommand};

/// `Retry-After` when attempts in progress leave no room for another: they end soon.
const BUSY: Duration = Duration::from_secs(1);

/// An attempt was refused by a limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Throttled {
    /// Time until the limit admits another attempt.
    pub retry_after: Duration,
}

impl Throttled {
    /// `retry_after` in whole seconds, rounded up, at least one.
    #[must_use]
    pub fn seconds(self) -> u64 {
        u64::try_from(self.retry_after.as_millis().div_ceil(1000)).unwrap_or(u64::MAX).max(1)
    }
}

enum Clock {
    /// The clock of Redis for the fleet's count; the machine's clock for the local count.
    System(Instant),
    /// A clock that a test sets, in microseconds.
    Fixed(Arc<AtomicU64>),
}

impl Clock {
    /// Microseconds for the local count.
    fn now(&self) -> u64 {
        match self {
            Self::System(start) => micros(start.elapsed()),
            Self::Fixed(now) => now.load(Ordering::Relaxed),
        }
    }

    /// Microseconds for the script; 0 makes it use the clock of Redis.
    fn script_time(&self) -> u64 {
        if let Self::Fixed(now) = self { now.load(Ordering::Relaxed) } else { 0 }
    }
}

/// Admits or refuses attempts; clones share the counts.
#[derive(Clone)]
pub struct Throttle(Arc<Inner>);

struct Inner {
    redis: RedisClient,
    prefix: String,
    /// Lifetime of a slot whose replica died before releasing it.
    lease: Duration,
    local: Local,
    clock: Clock,
    metrics: Metrics,
}

impl Throttle {
    /// A throttle whose keys all begin with `prefix`, for attempts that take at most `longest_attempt`.
    #[must_use]
    pub fn new(redis: RedisClient, prefix: &str, longest_attempt: Duration, metrics: Metrics) -> Self {
        Self::with(redis, prefix, longest_attempt, Clock::System(Instant::now()), metrics)
    }

    /// As [`Self::new`], with a clock that a test sets, in microseconds.
    #[must_use]
    pub fn at(redis: RedisClient, prefix: &str, longest_attempt: Duration, now: Arc<AtomicU64>, metrics: Metrics) -> Self {
        Self::with(redis, prefix, longest_attempt, Clock::Fixed(now), metrics)
    }

    fn with(redis: RedisClient, prefix: &str, lease: Duration, clock: Clock, metrics: Metrics) -> Self {
        Self(Arc::new(Inner { redis, prefix: format!("{prefix}:throttle"), lease, local: Local::default(), clock, metrics }))
    }

    /// Counts an attempt, or refuses it.
    ///
    /// # Errors
    /// [`Throttled`] when the bucket is full.
    pub async fn take(&self, bucket: Bucket) -> Result<(), Throttled> {
        let Inner { redis, prefix, local, clock, .. } = &*self.0;
        let buckets = [bucket];
        let command = script::admit(prefix, &buckets, clock.script_time(), None);
        let admitted = match redis.run::<script::Reply>(RedisCommand::Eval, &command).await {
            Ok(reply) => script::read(reply),
            Err(_) => local.take(prefix, &buckets, clock.now()).await,
        };
        admitted.map_err(|refusal| self.refuse(&buckets, refusal))
    }

    /// Begins an attempt: reserves one slot in each of the buckets. If one bucket refuses, no slot is reserved.
    ///
    /// # Errors
    /// [`Throttled`] when a bucket is full, when it would overflow if this attempt and all attempts in progress failed, or when too
    /// many attempts are in progress.
    pub async fn begin(&self, buckets: Vec<Bucket>) -> Result<Attempt, Throttled> {
        let Inner { redis, prefix, lease, local, clock, .. } = &*self.0;
        let id = Uuid::new_v4();
        let command = script::admit(prefix, &buckets, clock.script_time(), Some((id, *lease)));
        // Created before the script is sent: if the caller is cancelled before the reply, the drop releases the slots.
        let mut attempt = Attempt { throttle: self.clone(), buckets, id, is_local: false, has_failed: false };
        let admitted = if let Ok(reply) = redis.run::<script::Reply>(RedisCommand::Eval, &command).await {
            script::read(reply)
        } else {
            attempt.is_local = true;
            local.begin(prefix, &attempt.buckets, clock.now(), id, *lease).await
        };
        match admitted {
            Ok(()) => Ok(attempt),
            Err(refusal) => Err(self.refuse(&std::mem::take(&mut attempt.buckets), refusal)),
        }
    }

    fn refuse(&self, buckets: &[Bucket], refusal: Refusal) -> Throttled {
        let (limiter, retry_after) = match refusal {
            Refusal::Full { bucket, wait } => (buckets.get(bucket).map_or(Limiter::LoginsAtOnce, |full| full.limiter), wait),
            Refusal::Busy => (Limiter::LoginsAtOnce, BUSY),
        };
        self.0.metrics.rate_limited.increment(limiter);
        Throttled { retry_after }
    }

    async fn settle(&self, buckets: &[Bucket], id: Uuid, is_local: bool, has_failed: bool) {
        let Inner { redis, prefix, local, clock, .. } = &*self.0;
        let is_settled = !is_local && {
            let command = script::settle(prefix, buckets, clock.script_time(), id, has_failed);
            redis.run::<u32>(RedisCommand::Eval, &command).await.is_ok()
        };
        if !is_settled {
            // Redis may not have recorded the end. A slot in Redis expires by itself, but a failure must be counted, so this replica counts it
            // in memory.
            local.settle(prefix, buckets, clock.now(), id, has_failed).await;
        }
    }
}

/// An admitted attempt. If it is dropped before [`Self::end`] or [`Self::fail`] is called, its slots are released and no failure is
/// counted, because the outcome is unknown.
#[must_use]
pub struct Attempt {
    throttle: Throttle,
    /// Empty once the attempt has ended.
    buckets: Vec<Bucket>,
    id: Uuid,
    is_local: bool,
    has_failed: bool,
}

impl Attempt {
    /// Ends the attempt without counting it.
    pub async fn end(mut self) {
        self.settle().await;
    }

    /// Ends the attempt and counts it as a failure.
    pub async fn fail(mut self) {
        self.has_failed = true;
        self.settle().await;
    }

    /// Records the end of the attempt in a separate task. If the client disconnects before the task has finished, the request is cancelled
    /// but the task continues, so that a failure is counted, and only once.
    async fn settle(&mut self) {
        if let Some(task) = self.start_settling() {
            let _settled = task.await;
        }
    }

    /// `None` if the attempt has already ended, or without a runtime: then the process is shutting down, and the lease expires by itself.
    fn start_settling(&mut self) -> Option<JoinHandle<()>> {
        let (buckets, runtime) = (std::mem::take(&mut self.buckets), Handle::try_current().ok()?);
        let (throttle, id, is_local, has_failed) = (self.throttle.clone(), self.id, self.is_local, self.has_failed);
        (!buckets.is_empty()).then(|| runtime.spawn(async move { throttle.settle(&buckets, id, is_local, has_failed).await }))
    }
}

impl Drop for Attempt {
    fn drop(&mut self) {
        drop(self.start_settling());
    }
}
