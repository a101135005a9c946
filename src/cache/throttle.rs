//! Limits on attempts, counted over the whole fleet in Redis, and per replica while Redis is away.
//!
//! An attempt is counted before it is made, so that many at once cannot slip through, and given back when it succeeds.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use moka::future::Cache as Local;
use redis::Cmd;

use super::{Link, millis};
use crate::metrics::Metrics;
use crate::metrics::labels::{Limiter, RedisCommand};

/// Counts one more and answers the count and the milliseconds until it starts anew.
const TAKE: &str = "local n = redis.call('INCR', KEYS[1])
if n == 1 then redis.call('PEXPIRE', KEYS[1], ARGV[1]) end
return {n, redis.call('PTTL', KEYS[1])}";
/// Counts one less, but never below none.
const GIVE_BACK: &str = "if (tonumber(redis.call('GET', KEYS[1])) or 0) > 0 then redis.call('DECR', KEYS[1]) end return 0";
const LOCAL_KEYS: u64 = 100_000;

/// One more attempt is refused for so long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Throttled {
    /// Time until the window ends.
    pub retry_after: Duration,
}

/// Counts attempts in windows of one length.
#[derive(Clone)]
pub struct Throttle {
    link: Link,
    prefix: Arc<str>,
    window: Duration,
    local: Local<String, Arc<AtomicU32>>,
    metrics: Metrics,
}

impl Throttle {
    /// A throttle over a link, all keys below `prefix`.
    #[must_use]
    pub fn new(link: Link, prefix: &str, window: Duration, metrics: Metrics) -> Self {
        let local = Local::builder().max_capacity(LOCAL_KEYS).time_to_live(window).build();
        Self { link, prefix: prefix.into(), window, local, metrics }
    }

    /// Counts an attempt of `subject`.
    ///
    /// # Errors
    /// [`Throttled`] when it is one more than `limit` within the window.
    pub async fn take(&self, limiter: Limiter, subject: &str, limit: u32) -> Result<(), Throttled> {
        let key = self.key(limiter, subject);
        let mut command = script(TAKE, &key);
        command.arg(millis(self.window));
        let counted = self.link.run::<(u32, u64)>(RedisCommand::Eval, &command).await;
        let (count, left) = if let Ok((count, left)) = counted {
            (count, Duration::from_millis(left))
        } else {
            let count = self.local.get_with(key, async { Arc::default() }).await;
            (count.fetch_add(1, Ordering::Relaxed) + 1, self.window)
        };
        if count <= limit {
            return Ok(());
        }
        self.metrics.rate_limited.increment(limiter);
        Err(Throttled { retry_after: left })
    }

    /// Takes back one counted attempt: it was not a failure.
    pub async fn give_back(&self, limiter: Limiter, subject: &str) {
        let key = self.key(limiter, subject);
        if self.link.run::<u32>(RedisCommand::Eval, &script(GIVE_BACK, &key)).await.is_err()
            && let Some(count) = self.local.get(&key).await
        {
            let _none = count.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |count| count.checked_sub(1));
        }
    }

    fn key(&self, limiter: Limiter, subject: &str) -> String {
        format!("{}:throttle:{limiter:?}:{subject}", self.prefix)
    }
}

fn script(text: &str, key: &str) -> Cmd {
    let mut command = redis::cmd("EVAL");
    command.arg(text).arg(1).arg(key);
    command
}
