//! Limits on attempts, counted over the whole fleet in Redis, and by each replica alone while Redis is unavailable.
//!
//! Two questions, two methods: [`Throttle::take`] counts everything that it admits, [`Throttle::begin`] counts only what
//! fails. The latter reserves a place while the attempt runs, so that many attempts at once cannot pass the limit. A
//! refused attempt changes nothing. What a limit is, is in `bucket`; who is limited by which is the features'.

mod bucket;
mod local;
mod script;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use uuid::Uuid;

pub use bucket::{Bucket, Rate, digest};
use bucket::{Refusal, micros};
use local::Local;

use super::Link;
use crate::metrics::Metrics;
use crate::metrics::labels::{Limiter, RedisCommand};

/// What an attempt waits for that found too many under way: they end within moments.
const BUSY: Duration = Duration::from_secs(1);

/// One more attempt is refused for so long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Throttled {
    /// Time until one more is admitted.
    pub retry_after: Duration,
}

impl Throttled {
    /// The time in whole seconds, none of them too few.
    #[must_use]
    pub fn seconds(self) -> u64 {
        u64::try_from(self.retry_after.as_millis().div_ceil(1000)).unwrap_or(u64::MAX).max(1)
    }
}

/// What tells the time.
enum Clock {
    /// Redis does, for the whole fleet; locally the machine.
    System(Instant),
    /// A test does, in microseconds.
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

    /// Microseconds for the script; at 0 it asks Redis.
    fn told(&self) -> u64 {
        if let Self::Fixed(now) = self { now.load(Ordering::Relaxed) } else { 0 }
    }
}

/// Admits or refuses; clones share what is counted.
#[derive(Clone)]
pub struct Throttle(Arc<Inner>);

struct Inner {
    link: Link,
    prefix: String,
    /// A place that nobody gives back, because its replica died, is free again after this.
    lease: Duration,
    local: Local,
    clock: Clock,
    metrics: Metrics,
}

impl Throttle {
    /// A throttle over a link, all keys below `prefix`, of attempts that take at most `longest_attempt`.
    #[must_use]
    pub fn new(link: Link, prefix: &str, longest_attempt: Duration, metrics: Metrics) -> Self {
        Self::with(link, prefix, longest_attempt, Clock::System(Instant::now()), metrics)
    }

    /// As [`Self::new`], with a clock that a test sets, in microseconds.
    #[must_use]
    pub fn at(link: Link, prefix: &str, longest_attempt: Duration, now: Arc<AtomicU64>, metrics: Metrics) -> Self {
        Self::with(link, prefix, longest_attempt, Clock::Fixed(now), metrics)
    }

    fn with(link: Link, prefix: &str, lease: Duration, clock: Clock, metrics: Metrics) -> Self {
        Self(Arc::new(Inner { link, prefix: format!("{prefix}:throttle"), lease, local: Local::default(), clock, metrics }))
    }

    /// Counts one, or refuses it.
    ///
    /// # Errors
    /// [`Throttled`] when the bucket is full.
    pub async fn take(&self, bucket: Bucket) -> Result<(), Throttled> {
        let Inner { link, prefix, local, clock, .. } = &*self.0;
        let buckets = [bucket];
        let command = script::admit(prefix, &buckets, clock.told(), None);
        let admitted = match link.run::<script::Reply>(RedisCommand::Eval, &command).await {
            Ok(reply) => script::read(reply),
            Err(_) => local.take(prefix, &buckets, clock.now()).await,
        };
        admitted.map_err(|refusal| self.refuse(&buckets, refusal))
    }

    /// Reserves a place for an attempt in every bucket, or in none.
    ///
    /// # Errors
    /// [`Throttled`] when a bucket is full, or would be if all attempts under way failed.
    pub async fn begin(&self, buckets: Vec<Bucket>) -> Result<Attempt, Throttled> {
        let Inner { link, prefix, lease, local, clock, .. } = &*self.0;
        let id = Uuid::new_v4();
        let command = script::admit(prefix, &buckets, clock.told(), Some((id, *lease)));
        // Before the script is sent: a caller that leaves before the reply must release what the script reserves.
        let mut attempt = Attempt { throttle: self.clone(), buckets, id, is_local: false, has_failed: false };
        let admitted = if let Ok(reply) = link.run::<script::Reply>(RedisCommand::Eval, &command).await {
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
        let Inner { link, prefix, local, clock, .. } = &*self.0;
        let is_settled = !is_local && {
            let command = script::settle(prefix, buckets, clock.told(), id, has_failed);
            link.run::<u32>(RedisCommand::Eval, &command).await.is_ok()
        };
        if !is_settled {
            // Redis forgets the place by itself; the failure must count somewhere.
            local.settle(prefix, buckets, clock.now(), id, has_failed).await;
        }
    }
}

/// An attempt that was admitted. Dropped before its outcome is known it ends and counts no more: nobody learns how it would have ended.
#[must_use]
pub struct Attempt {
    throttle: Throttle,
    /// Empty once it has ended.
    buckets: Vec<Bucket>,
    id: Uuid,
    is_local: bool,
    has_failed: bool,
}

impl Attempt {
    /// Ends it; it counts no more.
    pub async fn end(mut self) {
        self.settle().await;
    }

    /// Ends it and counts it.
    pub async fn fail(mut self) {
        self.has_failed = true;
        self.settle().await;
    }

    async fn settle(&mut self) {
        self.throttle.settle(&self.buckets, self.id, self.is_local, self.has_failed).await;
        self.buckets.clear();
    }
}

impl Drop for Attempt {
    fn drop(&mut self) {
        let (buckets, runtime) = (std::mem::take(&mut self.buckets), tokio::runtime::Handle::try_current());
        // Without a runtime the process is on its way out, and the lease ends by itself.
        if let (false, Ok(runtime)) = (buckets.is_empty(), runtime) {
            let (throttle, id, is_local, has_failed) = (self.throttle.clone(), self.id, self.is_local, self.has_failed);
            runtime.spawn(async move { throttle.settle(&buckets, id, is_local, has_failed).await });
        }
    }
}
