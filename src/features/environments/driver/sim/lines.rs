//! The log lines of a simulated container. Line `n` of a run is a function of the seed, the environment and `n`, and so
//! is its time: whichever replica follows, and wherever it starts, it reads the same lines.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

use futures_util::stream;
use time::OffsetDateTime;
use uuid::Uuid;

use super::super::{DriverError, Line, Lines};
use crate::metrics::labels::LogStream;

/// How often a run is asked whether it goes on.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Lines that come faster are told together.
const SHORTEST_WAIT: Duration = Duration::from_millis(50);
/// A line in so many is an error's.
const ERROR_EVERY: u64 = 20;
const PATHS: [&str; 4] = ["/", "/items", "/items/7", "/assets/app.js"];

/// What makes lines up.
#[derive(Clone, Copy)]
pub struct Source {
    pub seed: u64,
    pub per_second: f64,
}

/// Where a follower is.
struct Follower<F> {
    source: Source,
    environment: Uuid,
    started_at: OffsetDateTime,
    next: u64,
    ended_at: F,
    /// Until when the run is known to have gone on.
    looked_at: OffsetDateTime,
}

impl Source {
    /// The lines of a run from `since` on, as they are written; `ended_at` tells when the run ended, if it has.
    pub fn follow<F, R>(self, environment: Uuid, started_at: OffsetDateTime, since: OffsetDateTime, ended_at: F) -> Lines
    where
        F: Fn() -> R + Send + 'static,
        R: Future<Output = Result<Option<OffsetDateTime>, DriverError>> + Send + 'static,
    {
        let mut next = self.first_after(started_at, since);
        while self.time(environment, started_at, next) < since {
            next += 1;
        }
        let follower = Follower { source: self, environment, started_at, next, ended_at, looked_at: started_at };
        Box::pin(stream::try_unfold(follower, Follower::step))
    }

    /// A line at or before the first one that is not older than `since`.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a count of lines that is not negative")]
    fn first_after(self, started_at: OffsetDateTime, since: OffsetDateTime) -> u64 {
        (((since - started_at).as_seconds_f64() * self.per_second).floor() - 1.0).max(0.0) as u64
    }

    /// Each line has its own slot of time, within which chance places it.
    #[expect(clippy::cast_precision_loss, reason = "a share of one")]
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
        // A line may be told when the run is known to have gone on past its time.
        while self.looked_at < line.at {
            let now = OffsetDateTime::now_utc();
            let wait: Duration = (line.at - now).try_into().unwrap_or_default();
            tokio::time::sleep(wait.clamp(SHORTEST_WAIT, LOOK_EVERY)).await;
            let now = OffsetDateTime::now_utc();
            match (self.ended_at)().await? {
                Some(end) if end < line.at => return Ok(None),
                Some(end) => self.looked_at = end,
                None => self.looked_at = now,
            }
        }
        self.next += 1;
        Ok(Some((line, self)))
    }
}
