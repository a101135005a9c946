//! What a limit is: a bucket that leaks. It holds so many counts and loses one after each interval (GCRA). No store here:
//! `script` does this arithmetic in Redis, [`State`] in memory, and one table of `tests/api/throttle_windows.rs` tests both.

use std::collections::BTreeMap;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::metrics::labels::Limiter;

/// How much a limit admits: `burst` at once, and one more after each `interval`.
#[derive(Clone, Copy, Debug)]
pub struct Rate {
    /// Counts that a bucket holds.
    pub burst: u32,
    /// Time after which it holds one less.
    pub interval: Duration,
}

impl Rate {
    /// So many at once, and as many again over each window.
    #[must_use]
    pub fn over(burst: u32, window: Duration) -> Self {
        Self { burst, interval: window / burst.max(1) }
    }
}

/// One limit on one subject.
#[derive(Clone, Debug)]
pub struct Bucket {
    pub(super) limiter: Limiter,
    pub(super) subject: String,
    /// Microseconds that one count takes to leak; 0 counts nothing.
    pub(super) interval: u64,
    /// Microseconds that a full bucket takes to leak.
    pub(super) capacity: u64,
    pub(super) at_once: u32,
}

impl Bucket {
    /// A limit on whatever the parts name together: neither an address nor an e-mail is kept, only their hash.
    #[must_use]
    pub fn new(limiter: Limiter, parts: &[&str], rate: Rate) -> Self {
        let interval = micros(rate.interval).max(1);
        Self { limiter, subject: digest(parts), interval, capacity: interval.saturating_mul(rate.burst.max(1).into()), at_once: u32::MAX }
    }

    /// The same, with so many attempts under way at once.
    #[must_use]
    pub fn at_once(self, at_once: u32) -> Self {
        Self { at_once, ..self }
    }

    /// The same, counting no failure: only attempts under way are bounded.
    #[must_use]
    pub fn uncounted(self) -> Self {
        Self { interval: 0, capacity: 0, ..self }
    }

    pub(super) fn key(&self, prefix: &str) -> String {
        format!("{prefix}:{:?}:{}", self.limiter, self.subject)
    }
}

/// A name for a combination of parts that does not tell them.
#[must_use]
pub fn digest(parts: &[&str]) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update(u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
        hash.update(part);
    }
    URL_SAFE_NO_PAD.encode(hash.finalize())
}

/// Why a bucket admits no more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// It is full.
    Full { bucket: usize, wait: Duration },
    /// It would be full if the attempts under way failed, or they are as many as there may be.
    Busy,
}

/// What memory holds of a bucket.
#[derive(Debug, Default)]
pub struct State {
    /// When the last count will have leaked, in microseconds.
    empty_at: u64,
    /// Attempts under way, and when their leases end.
    under_way: BTreeMap<Uuid, u64>,
}

impl State {
    pub fn check(&mut self, bucket: &Bucket, index: usize, now: u64) -> Result<(), Refusal> {
        self.under_way.retain(|_, until| *until > now);
        let under_way = u64::try_from(self.under_way.len()).unwrap_or(u64::MAX);
        let level = self.empty_at.saturating_sub(now);
        let with = |more: u64| level.saturating_add(bucket.interval.saturating_mul(more));
        if bucket.interval > 0 && with(1) > bucket.capacity {
            return Err(Refusal::Full { bucket: index, wait: Duration::from_micros(with(1) - bucket.capacity) });
        }
        let is_busy = under_way >= bucket.at_once.into() || (bucket.interval > 0 && with(under_way + 1) > bucket.capacity);
        if is_busy { Err(Refusal::Busy) } else { Ok(()) }
    }

    pub fn count(&mut self, bucket: &Bucket, now: u64) {
        if bucket.interval > 0 {
            self.empty_at = (self.empty_at.max(now) + bucket.interval).min(now + bucket.capacity);
        }
    }

    pub fn reserve(&mut self, id: Uuid, until: u64) {
        self.under_way.insert(id, until);
    }

    pub fn release(&mut self, id: Uuid) {
        self.under_way.remove(&id);
    }
}

pub fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}
