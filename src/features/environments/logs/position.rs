//! Positions in the output of a container. A position suffices to resume after the last stored line, on any replica.
//!
//! An engine can only return the lines since a given time. The lines of one stream are ordered by time. The time of the last line, and the
//! number of lines with exactly that time, therefore identify the returned lines that are already known.

use serde::{Deserialize, Serialize};
use time::{Duration, OffsetDateTime};

use crate::domain::LogStream;
use crate::features::environments::driver::Line;

/// Maximum time by which a line may be older than a preceding line of the other stream. Engines record the time of a line before they
/// merge the streams, so times in the merged output can decrease.
const MAX_SKEW: Duration = Duration::seconds(5);

/// A position in the output of a container. Stored as JSON in `log_streams.position`: fields may be added if they have a default.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Position {
    stdout: Mark,
    stderr: Mark,
    second: Second,
}

/// The last line read of a stream.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
struct Mark {
    /// The line's time in nanoseconds since the Unix epoch.
    at: i64,
    /// Number of lines so far with exactly this time.
    lines: u32,
}

/// Counts of the current second, by the engine's clock.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
struct Second {
    /// Start, in seconds since the Unix epoch.
    start: i64,
    kept: u32,
    dropped: u32,
    /// Number of dropped lines that the log has already reported.
    #[serde(rename = "told")]
    reported: u32,
}

impl Position {
    /// The time from which the next lines must be requested from the engine.
    pub fn since(&self) -> OffsetDateTime {
        let oldest = time_of(self.stdout.at.min(self.stderr.at));
        oldest.max(self.newest().checked_sub(MAX_SKEW).unwrap_or(oldest))
    }

    /// The time of the newest line.
    pub fn newest(&self) -> OffsetDateTime {
        time_of(self.stdout.at.max(self.stderr.at))
    }

    /// Recognises known lines in the output that the engine returns for [`Self::since`].
    pub fn known(&self) -> Known {
        Known { stdout: self.stdout, stderr: self.stderr }
    }

    /// Whether the line belongs to a later second.
    pub fn is_left_by(&self, line: &Line) -> bool {
        line.at.unix_timestamp() > self.second.start
    }

    /// Advances past a line. Returns false if the line exceeds the limit of the current second.
    pub fn pass(&mut self, line: &Line, limit: u32) -> bool {
        let mark = if line.stream == LogStream::Stderr { &mut self.stderr } else { &mut self.stdout };
        let at = nanoseconds(line.at);
        *mark = if at > mark.at { Mark { at, lines: 1 } } else { Mark { lines: mark.lines.saturating_add(1), ..*mark } };
        if self.is_left_by(line) {
            self.second = Second { start: line.at.unix_timestamp(), ..Second::default() };
        }
        let is_kept = self.second.kept < limit;
        let count = if is_kept { &mut self.second.kept } else { &mut self.second.dropped };
        *count = count.saturating_add(1);
        is_kept
    }

    /// Number of dropped lines that the log has not reported yet.
    pub fn unreported(&self) -> u32 {
        self.second.dropped - self.second.reported.min(self.second.dropped)
    }

    /// Marks every dropped line as reported.
    pub fn report_dropped(&mut self) {
        self.second.reported = self.second.dropped;
    }
}

/// Recognises the lines that were already read. In each stream, the engine returns them before the new lines.
#[derive(Debug)]
pub struct Known {
    stdout: Mark,
    stderr: Mark,
}

impl Known {
    /// Whether the next returned line is already known.
    pub fn includes(&mut self, line: &Line) -> bool {
        let mark = if line.stream == LogStream::Stderr { &mut self.stderr } else { &mut self.stdout };
        let at = nanoseconds(line.at);
        if at == mark.at && mark.lines > 0 {
            mark.lines -= 1;
            return true;
        }
        at < mark.at
    }
}

/// Valid until the year 2262.
fn nanoseconds(at: OffsetDateTime) -> i64 {
    i64::try_from(at.unix_timestamp_nanos()).unwrap_or(i64::MAX)
}

fn time_of(nanoseconds: i64) -> OffsetDateTime {
    OffsetDateTime::from_unix_timestamp_nanos(nanoseconds.into()).unwrap_or(OffsetDateTime::UNIX_EPOCH)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(stream: LogStream, nanoseconds: i64) -> Line {
        Line::new(stream, time_of(nanoseconds), b"")
    }

    /// Output of both streams. Some lines have equal times, and one stream is slightly ahead of the other.
    fn output() -> Vec<Line> {
        let times = [10, 20, 19, 20, 20, 20, 31, 30, 30, 45].map(|at| 1_700_000_000_000_000_000 + at);
        let is_error = [0, 0, 1, 0, 1, 0, 0, 1, 1, 0].map(|error| error == 1);
        times.into_iter().zip(is_error).map(|(at, error)| line(if error { LogStream::Stderr } else { LogStream::Stdout }, at)).collect()
    }

    #[test]
    fn a_reader_that_resumes_at_a_position_reads_every_later_line_once() {
        let all = output();
        for stop in 0..=all.len() {
            let mut position = Position::default();
            for line in &all[..stop] {
                assert!(position.pass(line, 100));
            }
            let stored = serde_json::to_value(position).unwrap();
            let resumed: Position = serde_json::from_value(stored).unwrap();
            let mut known = resumed.known();
            let since = resumed.since();
            let rest: Vec<&Line> = all.iter().filter(|line| line.at >= since).filter(|line| !known.includes(line)).collect();
            assert_eq!(rest, all[stop..].iter().collect::<Vec<_>>(), "after {stop} lines");
        }
    }

    #[test]
    fn a_silent_stream_does_not_move_the_position_back_to_old_lines() {
        let mut position = Position::default();
        position.pass(&line(LogStream::Stderr, 1_000_000_000), 100);
        position.pass(&line(LogStream::Stdout, 3_600_000_000_000), 100);
        assert_eq!(position.since(), time_of(3_595_000_000_000));
    }

    #[test]
    fn lines_over_the_limit_of_a_second_are_counted() {
        let mut position = Position::default();
        let second = |second: i64, lines: i64| (0..lines).map(move |n| line(LogStream::Stdout, (second * 1_000 + n) * 1_000_000));
        let kept = second(7, 5).filter(|line| position.pass(line, 3)).count();
        assert_eq!((kept, position.unreported()), (3, 2));
        position.report_dropped();
        assert_eq!(position.unreported(), 0);
        // A late line of the other stream counts towards the current second.
        assert!(!position.is_left_by(&line(LogStream::Stderr, 6_999_999_999)));
        assert!(!position.pass(&line(LogStream::Stderr, 6_999_999_999), 3));
        assert_eq!(position.unreported(), 1);
        let next = line(LogStream::Stdout, 8_000_000_000);
        assert!(position.is_left_by(&next) && position.pass(&next, 3));
        assert_eq!(position.unreported(), 0);
    }
}
