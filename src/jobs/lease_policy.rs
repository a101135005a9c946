//! The durations of leases, polls, pauses and attempts. Production uses the defaults; tests use shorter ones.

use std::time::Duration;

const MAX_PAUSE: Duration = Duration::from_secs(30);
/// Maximum for the delay that an external service requests. A longer delay is shortened, because external services are not trusted.
const MAX_RETRY_AFTER: Duration = Duration::from_hours(24);

/// The durations that workers use.
#[derive(Clone, Copy, Debug)]
pub struct LeasePolicy {
    /// Duration of a lease. After a replica dies, its jobs wait until their leases expire.
    pub lease: Duration,
    /// Poll interval: how soon a worker finds a job that another replica has enqueued or given back.
    pub poll_interval: Duration,
    /// Bound of the random pause after a job's first attempt. The bound doubles with each attempt, up to 30 s.
    pub first_pause: Duration,
    /// Time limit of an attempt, so that a handler that hangs does not hold its lane and its slot forever. Handlers set
    /// limits for their own calls.
    pub attempt: Duration,
}

impl Default for LeasePolicy {
    fn default() -> Self {
        Self {
            lease: Duration::from_secs(10),
            poll_interval: Duration::from_millis(500),
            first_pause: Duration::from_secs(1),
            attempt: Duration::from_mins(10),
        }
    }
}

impl LeasePolicy {
    pub(super) fn renew_every(&self) -> Duration {
        self.lease * 3 / 10
    }

    /// Pause after a failure to renew the lease or to store an outcome.
    pub(super) fn try_again(&self) -> Duration {
        self.lease / 20
    }

    /// How long a replica relies on a lease after requesting it: less than the duration of the lease, so that its work has stopped
    /// before another replica begins.
    pub(super) fn sure_for(&self) -> Duration {
        self.lease * 4 / 5
    }

    /// The pause before a retry: the requested delay, at most [`MAX_RETRY_AFTER`], plus full jitter. The bound of the jitter doubles with
    /// each attempt, up to [`MAX_PAUSE`].
    pub(super) fn pause(&self, attempt: i32, after: Option<Duration>) -> Duration {
        let doublings = u32::try_from(attempt.clamp(1, 16) - 1).unwrap_or_default();
        let bound = self.first_pause.saturating_mul(1 << doublings).min(MAX_PAUSE);
        after.unwrap_or_default().min(MAX_RETRY_AFTER) + bound.mul_f64(rand::random())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pause_is_random_and_its_bound_doubles_up_to_a_limit() {
        let policy = LeasePolicy::default();
        for (attempt, bound) in [(1, 1), (2, 2), (3, 4), (4, 8), (30, 30)] {
            let pauses: Vec<Duration> = (0..200).map(|_| policy.pause(attempt, None)).collect();
            let bound = Duration::from_secs(bound);
            assert!(pauses.iter().all(|pause| *pause <= bound), "{attempt}");
            assert!(pauses.iter().any(|pause| *pause > bound / 2) && pauses.iter().any(|pause| *pause < bound / 2), "{attempt}");
        }
    }

    #[test]
    fn a_pause_includes_the_requested_delay_up_to_a_day() {
        let policy = LeasePolicy::default();
        assert!(policy.pause(1, Some(Duration::from_mins(1))) >= Duration::from_mins(1));
        assert!(policy.pause(1, Some(Duration::MAX)) <= MAX_RETRY_AFTER + policy.first_pause);
    }
}
