//! How many API calls an account made lately. Time is an argument.

use std::collections::{HashMap, VecDeque};
use std::time::{Duration, Instant};

use crate::knobs::RateLimit;

/// The calls of each account within the window of its limit.
#[derive(Default)]
pub struct Throttle(HashMap<String, VecDeque<Instant>>);

impl Throttle {
    /// Takes note of a call.
    ///
    /// # Errors
    /// After how many whole seconds the next one will be taken, if this one is too many.
    pub fn admit(&mut self, account: &str, limit: RateLimit, now: Instant) -> Result<(), u64> {
        let window = Duration::from_secs(limit.per_s);
        let calls = self.0.entry(account.to_owned()).or_default();
        while calls.front().is_some_and(|at| now.duration_since(*at) >= window) {
            calls.pop_front();
        }
        if calls.len() < limit.requests as usize {
            calls.push_back(now);
            return Ok(());
        }
        let wait = calls.front().map_or(window, |oldest| window.saturating_sub(now.duration_since(*oldest)));
        Err(wait.as_secs() + u64::from(wait.subsec_nanos() > 0))
    }
}
