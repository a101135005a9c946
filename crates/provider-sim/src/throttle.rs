//! Limits the rate of each account's API calls. The current time is a parameter, so that tests need not wait.

use std::collections::{HashMap, VecDeque};
use std::time::{Duration, Instant};

use crate::knobs::RateLimit;

/// The admitted calls of each account within the window of the limit.
#[derive(Default)]
pub struct Throttle(HashMap<String, VecDeque<Instant>>);

impl Throttle {
    /// Admits and counts a call, unless it exceeds the limit.
    ///
    /// # Errors
    /// When the call exceeds the limit. The error is the number of seconds, rounded up, until the account may call again. With a limit
    /// of 0, it is the length of the window.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_are_accepted_again_when_the_oldest_leaves_the_window() {
        let (mut throttle, start) = (Throttle::default(), Instant::now());
        let limit = RateLimit { requests: 2, per_s: 10 };
        let after = |milliseconds| start + Duration::from_millis(milliseconds);
        assert_eq!(throttle.admit("ada", limit, start), Ok(()));
        assert_eq!(throttle.admit("ada", limit, after(4_000)), Ok(()));
        assert_eq!(throttle.admit("ada", limit, after(4_000)), Err(6));
        assert_eq!(throttle.admit("ada", limit, after(4_500)), Err(6), "seconds are rounded up, because a retry must not come too soon");
        assert_eq!(throttle.admit("grace", limit, after(4_500)), Ok(()));
        assert_eq!(throttle.admit("ada", limit, after(9_999)), Err(1));
        assert_eq!(throttle.admit("ada", limit, after(10_000)), Ok(()), "refused calls are not counted");
        assert_eq!(throttle.admit("ada", limit, after(10_000)), Err(4));
    }
}
