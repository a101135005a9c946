//! A limit is a leaky bucket: it holds up to `burst` counts and loses one every interval (GCRA). `script` does this arithmetic
//! in Redis, and [`State`] does it in memory. One table of `tests/api/throttle_windows.rs` tests both.

use std::collections::BTreeMap;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::metrics::labels::Limiter;

/// The rate that a limit admits: `burst` at once, then one more every `interval`.
#[derive(Clone, Copy, Debug)]
pub struct Rate {
    /// Counts that a bucket holds when full.
    pub burst: u32,
    /// Time in which the bucket leaks one count.
    pub interval: Duration,
}

impl Rate {
    /// `burst` at once, and the same number again over each window.
    #[must_use]
    pub fn over(burst: u32, window: Duration) -> Self {
        Self { burst, interval: window / burst.max(1) }
    }
}

/// A limit on one subject, such as an address or an account.
#[derive(Clone, Debug)]
pub struct Bucket {
    pub(super) limiter: Limiter,
    pub(super) subject: String,
    /// Microseconds in which one count leaks; 0 disables counting.
    pub(super) interval: u64,
    /// Microseconds in which a full bucket leaks empty.
    pub(super) capacity: u64,
    pub(super) at_once: u32,
}

impl Bucket {
    /// A limit on the subject that the parts identify together. Only their hash is stored, no address and no e-mail.
    #[must_use]
    pub fn new(limiter: Limiter, parts: &[&str], rate: Rate) -> Self {
        let interval = micros(rate.interval).max(1);
        Self { limiter, subject: digest(parts), interval, capacity: interval.saturating_mul(rate.burst.max(1).into()), at_once: u32::MAX }
    }

    /// The same limit, with at most `at_once` attempts in progress.
    #[must_use]
    pub fn at_once(self, at_once: u32) -> Self {
        Self { at_once, ..self }
    }

    /// The same limit without counting failures: it bounds only the attempts in progress.
    #[must_use]
    pub fn uncounted(self) -> Self {
        Self { interval: 0, capacity: 0, ..self }
    }

    pub(super) fn key(&self, prefix: &str) -> String {
        format!("{prefix}:{:?}:{}", self.limiter, self.subject)
    }
}

/// A hash that identifies the parts together without revealing them. It includes their lengths, so that different splits of
/// the same text have different hashes.
#[must_use]
pub fn digest(parts: &[&str]) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update(u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
        hash.update(part);
    }
    URL_SAFE_NO_PAD.encode(hash.finalize())
}

/// Why a bucket refuses an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The bucket at this index is full; it admits one more after `wait`.
    Full { bucket: usize, wait: Duration },
    /// Too many attempts are in progress, or the bucket would overflow if this attempt and all of them failed.
    Busy,
}

/// The state of a bucket in memory.
#[derive(Debug, Default)]
pub struct State {
    /// When the bucket will be empty, in microseconds.
    empty_at: u64,
    /// The IDs of the attempts in progress, each with the time in microseconds from which the attempt no longer counts.
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
