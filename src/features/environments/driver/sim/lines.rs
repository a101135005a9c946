//! The log of a simulated container. The text of line `n` of a run depends only on the seed, the environment and `n`; the line's time also
//! depends on the start of the run and the rate. Every replica therefore reads the same lines from any starting point.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

use futures_util::stream;
use time::OffsetDateTime;
use uuid::Uuid;

use super::super::{DriverError, Line, Lines};
use crate::domain::LogStream;

/// Poll interval for the end of a run.
const POLL_INTERVAL: Duration = Duration::from_secs(1);
/// Lower bound of a wait; lines that follow each other faster are returned in bursts.
const SHORTEST_WAIT: Duration = Duration::from_millis(50);
/// Upper bound of the time between the end of a run and the commit that makes its end visible.
const COMMIT_DELAY: Duration = Duration::from_millis(500);
/// On average, one line out of this many is an error on stderr.
const ERROR_EVERY: u64 = 20;
const PATHS: [&str; 4] = ["/", "/items", "/items/7", "/assets/app.js"];

/// Generates lines.
#[derive(Clone, Copy)]
pub struct Source {
    pub seed: u64,
    pub per_second: f64,
}

/// The state of a log that is being followed.
struct Follower<F> {
    source: Source,
    environment: Uuid,
    started_at: OffsetDateTime,
    next: u64,
    ended_at: F,
    /// Time until which the run is known to have continued.
    looked_at: OffsetDateTime,
    /// Whether the run ended at `looked_at`.
    has_ended: bool,
}

impl Source {
    /// Follows the lines of a run from `since` on. `ended_at` returns the time at which the run ended, or `None` while it continues.
    pub fn follow<F, R>(self, environment: Uuid, started_at: OffsetDateTime, since: OffsetDateTime, ended_at: F) -> Lines
    where
        F: Fn() -> R + Send + 'static,
        R: Future<Output = Result<Option<OffsetDateTime>, DriverError>> + Send + 'static,
    {
        let mut next = self.first_after(started_at, since);
        while self.time(environment, started_at, next) < since {
            next += 1;
        }
        let follower = Follower { source: self, environment, started_at, next, ended_at, looked_at: started_at, has_ended: false };
        Box::pin(stream::try_unfold(follower, Follower::step))
    }

    /// A lower bound for the number of the first line at or after `since`.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a count of lines that is not negative")]
    fn first_after(self, started_at: OffsetDateTime, since: OffsetDateTime) -> u64 {
        (((since - started_at).as_seconds_f64() * self.per_second).floor() - 1.0).max(0.0) as u64
    }

    /// The time of a line: a pseudo-random point within the line's own time slot.
    #[expect(clippy::cast_precision_loss, reason = "a fraction, and a line number far below 2^53")]
    fn time(self, environment: Uuid, started_at: OffsetDateTime, line: u64) -> OffsetDateTime {
        let share = (self.chance(environment, line) % 1_000_000) as f64 / 1_000_000.0;
        started_at + time::Duration::seconds_f64((line as f64 + share) / self.per_second)
    }

    fn line(self, environment: Uuid, started_at: OffsetDateTime, line: u64) -> Line {
        let chance = self.chance(environment, line) >> 20;
        let path = PATHS[usize::try_from(chance % 4).unwrap_or_default()];
        let milliseconds = 1 + chance / 4 % 90;
        let (stream, text) = if chance.is_multiple_of(ERROR_EVERY) {
            (LogStream::Stderr, format!("{line} error: GET {path} gave up after {milliseconds} ms"))
        } else {
            (LogStream::Stdout, format!("{line} GET {path} 200 {milliseconds} ms"))
        };
        Line::new(stream, self.time(environment, started_at, line), text.as_bytes())
    }

    fn chance(self, environment: Uuid, line: u64) -> u64 {
        let mut hasher = DefaultHasher::new();
        (self.seed, environment, line).hash(&mut hasher);
        hasher.finish()
    }
}

impl<F, R> Follower<F>
where
    F: Fn() -> R + Send + 'static,
    R: Future<Output = Result<Option<OffsetDateTime>, DriverError>> + Send + 'static,
{
    async fn step(mut self) -> Result<Option<(Line, Self)>, DriverError> {
        let line = self.source.line(self.environment, self.started_at, self.next);
        // A line may be returned only once the run is known to have continued until the line's time.
        while self.looked_at < line.at {
            if self.has_ended {
                return Ok(None);
            }
            if let Ok(wait) = Duration::try_from(line.at + COMMIT_DELAY - OffsetDateTime::now_utc()) {
                tokio::time::sleep(wait.clamp(SHORTEST_WAIT, POLL_INTERVAL)).await;
            }
            let known_until = OffsetDateTime::now_utc() - COMMIT_DELAY;
            let end = (self.ended_at)().await?;
            self.has_ended = end.is_some();
            self.looked_at = end.unwrap_or(known_until);
        }
        self.next += 1;
        Ok(Some((line, self)))
    }
}

#[cfg(test)]
mod tests {
    use std::future::ready;

    use futures_util::StreamExt;
    use time::macros::datetime;

    use super::*;

    const STARTED: OffsetDateTime = datetime!(2026-11-21 10:00 UTC);

    /// The lines of a run of ten seconds.
    async fn read(source: Source, environment: Uuid, since: OffsetDateTime) -> Vec<Line> {
        let ended_at = || ready(Ok(Some(STARTED + time::Duration::seconds(10))));
        source.follow(environment, STARTED, since, ended_at).map(Result::unwrap).collect().await
    }

    #[tokio::test]
    async fn a_follower_reads_the_same_lines_from_any_starting_point() {
        for per_second in [0.7, 3.0, 50.0] {
            let (source, environment) = (Source { seed: 1, per_second }, Uuid::from_u128(1));
            let all = read(source, environment, OffsetDateTime::UNIX_EPOCH).await;
            assert!(all.len() > 5, "{all:?}");
            assert!(all.iter().all(|line| line.at >= STARTED && line.at <= STARTED + time::Duration::seconds(10)));
            for (n, line) in all.iter().enumerate() {
                assert_eq!(read(source, environment, line.at).await, all[n..], "a line at exactly `since` must be read");
                assert_eq!(read(source, environment, line.at + time::Duration::nanoseconds(1)).await, all[n + 1..]);
            }
        }
    }

    #[tokio::test]
    async fn lines_are_in_order_of_time_and_match_the_rate() {
        let source = Source { seed: 1, per_second: 50.0 };
        let all = read(source, Uuid::from_u128(1), STARTED).await;
        assert!(all.is_sorted_by_key(|line| line.at));
        assert!((499..=501).contains(&all.len()), "{}", all.len());
    }

    #[tokio::test]
    async fn the_seed_and_the_environment_determine_the_lines() {
        let texts = async |seed, environment| {
            let lines = read(Source { seed, per_second: 3.0 }, Uuid::from_u128(environment), STARTED).await;
            lines.into_iter().map(|line| line.text).collect::<Vec<_>>()
        };
        assert_eq!(texts(1, 1).await, texts(1, 1).await);
        assert_ne!(texts(1, 1).await, texts(2, 1).await);
        assert_ne!(texts(1, 1).await, texts(1, 2).await);
    }

    #[tokio::test]
    async fn a_continuing_run_is_followed_until_it_ends() {
        let (started_at, source) = (OffsetDateTime::now_utc(), Source { seed: 1, per_second: 1000.0 });
        let looks = std::sync::atomic::AtomicU32::new(0);
        let ended_at = move || {
            let ends = looks.fetch_add(1, std::sync::atomic::Ordering::Relaxed) >= 2;
            ready(Ok(ends.then(|| started_at + time::Duration::milliseconds(30))))
        };
        let lines: Vec<_> = source.follow(Uuid::from_u128(1), started_at, started_at, ended_at).map(Result::unwrap).collect().await;
        assert!(lines.len() >= 29 && lines.is_sorted_by_key(|line| line.at), "{}", lines.len());
    }
}
