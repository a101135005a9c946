//! How long jobs wait and leases last. Production uses the defaults; tests have no time for them.

use std::time::Duration;

const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// What another side may ask for at most: what it says is not ours.
const LONGEST_AFTER: Duration = Duration::from_hours(24);

/// The times by which workers go.
#[derive(Clone, Copy, Debug)]
pub struct Terms {
    /// How long a job waits for another replica after its own has died.
    pub lease: Duration,
    /// How soon a job is found that another replica has written or given back.
    pub look_every: Duration,
    /// Bound of the random pause after a job's first failure; it doubles with each.
    pub first_pause: Duration,
    /// Longest time of an attempt, so that a handler that hangs does not keep its lane and its slot for ever. Handlers
    /// limit what they call themselves.
    pub attempt: Duration,
}

impl Default for Terms {
    fn default() -> Self {
        Self {
            lease: Duration::from_secs(10),
            look_every: Duration::from_millis(500),
            first_pause: Duration::from_secs(1),
            attempt: Duration::from_mins(10),
        }
    }
}

impl Terms {
    pub(super) fn renew_every(&self) -> Duration {
        self.lease * 3 / 10
    }

    /// After a renewal, or a note of how an attempt ended, that failed.
    pub(super) fn try_again(&self) -> Duration {
        self.lease / 20
    }

    /// How long after it was asked for a lease is relied on: less than its term, so that work has ended when another
    /// replica begins.
    pub(super) fn sure_for(&self) -> Duration {
        self.lease * 4 / 5
    }

    /// Full jitter: any time up to a bound that doubles with each attempt, after the time that the other side asked for.
    pub(super) fn pause(&self, attempt: i32, after: Option<Duration>) -> Duration {
        let doublings = u32::try_from(attempt.clamp(1, 16) - 1).unwrap_or_default();
        let bound = self.first_pause.saturating_mul(1 << doublings).min(LONGEST_PAUSE);
        after.unwrap_or_default().min(LONGEST_AFTER) + bound.mul_f64(rand::random())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pause_is_random_and_its_bound_doubles_up_to_a_limit() {
        let terms = Terms::default();
        for (attempt, bound) in [(1, 1), (2, 2), (3, 4), (4, 8), (30, 30)] {
            let pauses: Vec<Duration> = (0..200).map(|_| terms.pause(attempt, None)).collect();
            let bound = Duration::from_secs(bound);
            assert!(pauses.iter().all(|pause| *pause <= bound), "{attempt}");
            assert!(pauses.iter().any(|pause| *pause > bound / 2) && pauses.iter().any(|pause| *pause < bound / 2), "{attempt}");
        }
    }

    #[test]
    fn a_pause_follows_what_the_other_side_asked_for_within_reason() {
        let terms = Terms::default();
        assert!(terms.pause(1, Some(Duration::from_mins(1))) >= Duration::from_mins(1));
        assert!(terms.pause(1, Some(Duration::MAX)) <= LONGEST_AFTER + terms.first_pause);
    }
}
