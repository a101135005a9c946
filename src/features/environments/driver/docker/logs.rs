//! Follows a container's log and assembles the engine's frames into lines.
//!
//! A frame contains a timestamp, a space and a line. The engine splits a line longer than 16 KiB into several frames with the same
//! timestamp; only the last of these frames ends with a newline. At most [`LINE_LIMIT`] bytes of a line are kept, even if the line never
//! ends.

use std::collections::VecDeque;

use bollard::container::LogOutput;
use bollard::query_parameters::LogsOptions;
use futures_util::stream::{self, BoxStream, StreamExt};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::super::{DriverError, LINE_LIMIT, Line, Lines};
use super::error::log_message;
use crate::domain::LogStream;

/// Follows the log of a container from `since` on. If the container no longer exists, the first item is an error.
pub fn follow(client: &bollard::Docker, container: &str, since: OffsetDateTime) -> Lines {
    let options = LogsOptions {
        follow: true,
        stdout: true,
        stderr: true,
        timestamps: true,
        // The option is a 32-bit number of whole seconds, so the engine also returns earlier lines; `Reader` drops them. Times after
        // January 2038 do not fit: the log is then read from its start, which is slower but correct.
        since: i32::try_from(since.unix_timestamp()).unwrap_or_default().max(0),
        ..LogsOptions::default()
    };
    let frames = client.logs(container, Some(options)).map(|frame| frame.map_err(DriverError::from)).boxed();
    lines(frames, since)
}

/// The state of a log that is being followed.
struct Reader {
    frames: BoxStream<'static, Result<LogOutput, DriverError>>,
    since: OffsetDateTime,
    stdout: Assembler,
    stderr: Assembler,
    ready: VecDeque<Line>,
    has_ended: bool,
}

fn lines(frames: BoxStream<'static, Result<LogOutput, DriverError>>, since: OffsetDateTime) -> Lines {
    let (stdout, stderr) = (Assembler::new(LogStream::Stdout), Assembler::new(LogStream::Stderr));
    let reader = Reader { frames, since, stdout, stderr, ready: VecDeque::new(), has_ended: false };
    Box::pin(stream::try_unfold(reader, async |mut reader| Ok(reader.next().await?.map(|line| (line, reader)))))
}

impl Reader {
    async fn next(&mut self) -> Result<Option<Line>, DriverError> {
        loop {
            if let Some(line) = self.ready.pop_front() {
                if line.at >= self.since {
                    return Ok(Some(line));
                }
                continue;
            }
            if self.has_ended {
                return Ok(None);
            }
            match self.frames.next().await.transpose()? {
                Some(LogOutput::StdOut { message }) => self.stdout.add(&message, &mut self.ready)?,
                Some(LogOutput::StdErr { message }) => self.stderr.add(&message, &mut self.ready)?,
                Some(LogOutput::StdIn { message } | LogOutput::Console { message }) => {
                    log_message(&String::from_utf8_lossy(&message));
                    return Err(DriverError::Failed("it cannot read the container's log".to_owned()));
                }
                // The last output of a container need not end with a newline.
                None => {
                    self.ready.extend(self.stdout.take());
                    self.ready.extend(self.stderr.take());
                    self.has_ended = true;
                }
            }
        }
    }
}

/// Assembles the lines of one stream.
struct Assembler {
    stream: LogStream,
    /// Timestamp and first bytes of an incomplete line.
    begun: Option<(OffsetDateTime, Vec<u8>)>,
}

impl Assembler {
    fn new(stream: LogStream) -> Self {
        Self { stream, begun: None }
    }

    fn add(&mut self, frame: &[u8], ready: &mut VecDeque<Line>) -> Result<(), DriverError> {
        for piece in frame.split_inclusive(|byte| *byte == b'\n') {
            let (at, text) = with_time(piece).ok_or_else(|| DriverError::Failed("a log line has no valid timestamp".to_owned()))?;
            // A different timestamp starts a new line: the program exited before it wrote the newline of the previous line.
            if self.begun.as_ref().is_some_and(|(begun_at, _)| *begun_at != at) {
                ready.extend(self.take());
            }
            let (_, line) = self.begun.get_or_insert_with(|| (at, Vec::new()));
            let rest = text.strip_suffix(b"\n").unwrap_or(text);
            line.extend_from_slice(&rest[..rest.len().min(LINE_LIMIT - line.len())]);
            if rest.len() < text.len() {
                ready.extend(self.take());
            }
        }
        Ok(())
    }

    fn take(&mut self) -> Option<Line> {
        self.begun.take().map(|(at, bytes)| Line::new(self.stream, at, &bytes))
    }
}

/// Splits a piece at the first space into its timestamp and its text.
fn with_time(piece: &[u8]) -> Option<(OffsetDateTime, &[u8])> {
    let space = piece.iter().position(|byte| *byte == b' ')?;
    let at = OffsetDateTime::parse(str::from_utf8(&piece[..space]).ok()?, &Rfc3339).ok()?;
    Some((at, &piece[space + 1..]))
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    fn out(text: impl Into<Vec<u8>>) -> LogOutput {
        LogOutput::StdOut { message: text.into().into() }
    }

    fn error(text: &str) -> LogOutput {
        LogOutput::StdErr { message: text.to_owned().into() }
    }

    async fn read(frames: Vec<LogOutput>, since: OffsetDateTime) -> Vec<Result<Line, DriverError>> {
        lines(stream::iter(frames).map(Ok).boxed(), since).collect().await
    }

    async fn texts(frames: Vec<LogOutput>) -> Vec<String> {
        read(frames, OffsetDateTime::UNIX_EPOCH).await.into_iter().map(|line| line.unwrap().text).collect()
    }

    #[tokio::test]
    async fn frames_become_lines_with_their_stream_and_time() {
        let read = read(
            vec![out("2026-11-21T10:00:00.000000001Z one\n"), error("2026-11-21T10:00:00.000000002Z two\n")],
            OffsetDateTime::UNIX_EPOCH,
        );
        let [one, two] = read.await.try_into().unwrap();
        assert_eq!(one.unwrap(), Line::new(LogStream::Stdout, datetime!(2026-11-21 10:00:00.000000001 UTC), b"one"));
        assert_eq!(two.unwrap(), Line::new(LogStream::Stderr, datetime!(2026-11-21 10:00:00.000000002 UTC), b"two"));
    }

    #[tokio::test]
    async fn parts_of_a_line_are_put_together_and_the_streams_kept_apart() {
        let read = texts(vec![
            out("2026-11-21T10:00:00.1Z be"),
            error("2026-11-21T10:00:00.2Z other\n"),
            out("2026-11-21T10:00:00.1Z gun\n"),
            out("2026-11-21T10:00:00.3Z a\n2026-11-21T10:00:00.4Z \n2026-11-21T10:00:00.5Z c"),
        ]);
        assert_eq!(read.await, ["other", "begun", "a", "", "c"]);
    }

    #[tokio::test]
    async fn a_line_without_a_newline_does_not_absorb_the_next() {
        let read = texts(vec![out("2026-11-21T10:00:00.1Z last words"), out("2026-11-21T10:05:00.1Z ready\n")]);
        assert_eq!(read.await, ["last words", "ready"]);
    }

    #[tokio::test]
    async fn lines_before_the_requested_time_are_omitted() {
        let frames = (0..4).map(|n| out(format!("2026-11-21T10:00:00.{n}Z {n}\n"))).collect();
        let read = read(frames, datetime!(2026-11-21 10:00:00.2 UTC)).await;
        assert_eq!(read.into_iter().map(|line| line.unwrap().text).collect::<Vec<_>>(), ["2", "3"]);
    }

    #[test]
    fn a_line_that_never_ends_is_truncated_to_the_limit() {
        let (mut assembler, mut ready) = (Assembler::new(LogStream::Stdout), VecDeque::new());
        let frame = [b"2026-11-21T10:00:00.1Z ".as_slice(), &b"x".repeat(16 << 10)].concat();
        for _ in 0..100 {
            assembler.add(&frame, &mut ready).unwrap();
        }
        assert!(ready.is_empty());
        assert_eq!(assembler.begun.as_ref().unwrap().1.len(), LINE_LIMIT);
        assembler.add(b"2026-11-21T10:00:00.1Z \n", &mut ready).unwrap();
        assert_eq!(ready.pop_front().unwrap().text.len(), LINE_LIMIT);
    }

    #[tokio::test]
    async fn an_invalid_frame_is_an_error_and_ends_the_log() {
        for frame in [out("no time\n"), out(b"\xff\xff \n".to_vec()), LogOutput::Console { message: "torn".into() }] {
            let read = read(vec![frame, out("2026-11-21T10:00:00.1Z after\n")], OffsetDateTime::UNIX_EPOCH).await;
            assert!(matches!(&read[..], [Err(DriverError::Failed(_))]), "{read:?}");
        }
    }

    #[tokio::test]
    async fn a_line_that_is_cut_by_a_broken_connection_is_not_returned() {
        let cut = Err(DriverError::Unavailable("the connection was lost".to_owned()));
        let frames = stream::iter([Ok(out("2026-11-21T10:00:00.1Z half a li")), cut]);
        let read: Vec<_> = lines(frames.boxed(), OffsetDateTime::UNIX_EPOCH).collect().await;
        assert!(matches!(&read[..], [Err(DriverError::Unavailable(_))]), "{read:?}");
    }
}
