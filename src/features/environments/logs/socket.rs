//! Logs over Socket.IO. A client that is subscribed to an environment receives the environment's log, no faster than the client reads.

use serde::Serialize;
use uuid::Uuid;

use super::live::Live;
use super::model::Entry;
use crate::metrics::labels::EventOut;
use crate::realtime::Client;

/// Maximum total size, in bytes, of the lines in one event. A longer line has its own event. The maximum bounds the memory
/// that the queued events of a slow client use.
const PIECE: usize = 64 << 10;

#[derive(Serialize)]
struct Batch<'a> {
    environment_id: Uuid,
    entries: &'a [Entry],
}

/// Sends a client the log of an environment: first the entries after the number `after`, or the newest ones if it is `None`, then every
/// new entry. Ends when the client disconnects.
pub fn send_log(live: &Live, client: Client, environment: Uuid, after: Option<i64>) -> impl Future<Output = ()> + Send + use<> {
    let mut tail = live.follow(environment, after);
    async move {
        loop {
            for entries in pieces(&tail.next().await) {
                if client.send(EventOut::EnvLog, &Batch { environment_id: environment, entries }).await.is_err() {
                    return;
                }
            }
        }
    }
}

fn pieces(entries: &[Entry]) -> impl Iterator<Item = &[Entry]> {
    let mut bytes = 0;
    entries.chunk_by(move |entry, next| {
        bytes += entry.line.len();
        let fits = bytes + next.line.len() <= PIECE;
        if !fits {
            bytes = 0;
        }
        fits
    })
}

#[cfg(test)]
mod tests {
    use time::OffsetDateTime;

    use super::*;
    use crate::domain::LogStream;

    #[test]
    fn a_piece_holds_as_many_lines_as_fit() {
        let entry = |length| Entry { seq: 1, stream: LogStream::Stdout, line: "x".repeat(length), at: OffsetDateTime::UNIX_EPOCH };
        let lengths = |lines: &[usize]| pieces(&lines.iter().copied().map(entry).collect::<Vec<_>>()).map(<[_]>::len).collect::<Vec<_>>();
        assert_eq!(lengths(&[1; 200]), [200]);
        assert_eq!(lengths(&[PIECE, PIECE, 1]), [1, 1, 1]);
        assert_eq!(lengths(&[PIECE / 2, PIECE / 2, 1, PIECE - 1, 1]), [2, 2, 1]);
        assert!(lengths(&[]).is_empty());
    }
}
