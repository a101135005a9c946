//! Limits the attempts that reach this replica while Redis is unavailable: applies the arithmetic of `bucket` in memory.

use std::sync::Arc;
use std::time::Duration;

use moka::future::Cache;
use parking_lot::Mutex;
use uuid::Uuid;

use super::bucket::{Bucket, Refusal, State, micros};

/// Maximum number of buckets in memory; an evicted bucket starts again empty.
const BUCKETS: u64 = 100_000;
/// Idle time until eviction. With the default limits, every bucket leaks empty sooner.
const IDLE: Duration = Duration::from_hours(3);

/// This replica's own buckets.
pub struct Local {
    buckets: Cache<String, Arc<Mutex<State>>>,
    /// Held while several buckets are checked and changed as one.
    together: Mutex<()>,
}

impl Default for Local {
    fn default() -> Self {
        Self { buckets: Cache::builder().max_capacity(BUCKETS).time_to_idle(IDLE).build(), together: Mutex::default() }
    }
}

impl Local {
    pub async fn take(&self, prefix: &str, buckets: &[Bucket], now: u64) -> Result<(), Refusal> {
        let states = self.states(prefix, buckets).await;
        self.admit(&states, buckets, now, |state, bucket| state.count(bucket, now))
    }

    pub async fn begin(&self, prefix: &str, buckets: &[Bucket], now: u64, id: Uuid, lease: Duration) -> Result<(), Refusal> {
        let states = self.states(prefix, buckets).await;
        self.admit(&states, buckets, now, |state, _| state.reserve(id, now.saturating_add(micros(lease))))
    }

    pub async fn settle(&self, prefix: &str, buckets: &[Bucket], now: u64, id: Uuid, has_failed: bool) {
        let states = self.states(prefix, buckets).await;
        let _together = self.together.lock();
        for (state, bucket) in states.iter().zip(buckets) {
            let mut state = state.lock();
            state.release(id);
            if has_failed {
                state.count(bucket, now);
            }
        }
    }

    /// Applies `each` to every state if every bucket admits one more attempt, else to none.
    fn admit(&self, states: &[Arc<Mutex<State>>], buckets: &[Bucket], now: u64, each: impl Fn(&mut State, &Bucket)) -> Result<(), Refusal> {
        let _together = self.together.lock();
        for (index, (state, bucket)) in states.iter().zip(buckets).enumerate() {
            state.lock().check(bucket, index, now)?;
        }
        states.iter().zip(buckets).for_each(|(state, bucket)| each(&mut state.lock(), bucket));
        Ok(())
    }

    async fn states(&self, prefix: &str, buckets: &[Bucket]) -> Vec<Arc<Mutex<State>>> {
        let mut states = Vec::with_capacity(buckets.len());
        for bucket in buckets {
            states.push(self.buckets.get_with(bucket.key(prefix), async { Arc::default() }).await);
        }
        states
    }
}
