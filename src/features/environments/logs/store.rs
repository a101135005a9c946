//! The SQL of `log_streams` and `log_entries`.
//!
//! Every statement that locks several rows of `log_streams` locks them in the order of their environments.

use std::collections::HashMap;
use std::time::Duration;

use serde_json::Value;
use time::OffsetDateTime;
use uuid::Uuid;

use super::model::{Claim, Entry, NewEntry};
use super::position::Position;
use crate::db::{Conn, StoreError, known};
use crate::domain::{DriverName, LogStream};
use crate::features::environments::driver::Line;
use crate::metrics::labels::Query;

/// Maximum number of entries that one call of [`remove`] deletes.
pub const BITE: i64 = 5_000;
/// Expected maximum number of Vitrine's own lines in a log between two additions by the writer. Each addition also deletes the entries that
/// these lines push out.
const OWN_LINES: i64 = 100;

/// Appends one of Vitrine's own lines, in the transaction of the event that the line reports. Call
/// [`system_line_stored`](super::system_line_stored) after the commit. The first line creates the log; environments without a log are not
/// followed. Entries beyond `LOG_LINES_KEPT` remain until the writer's next addition to the log or the next claim on it.
///
/// # Errors
/// When the database fails.
pub async fn append_system(tx: &mut Conn, environment: Uuid, line: &str) -> Result<(), StoreError> {
    let line = Line::new(LogStream::System, OffsetDateTime::UNIX_EPOCH, line.as_bytes()).text;
    let insert = sqlx::query!(
        "WITH stream AS (
             INSERT INTO log_streams (environment_id, last_seq) VALUES ($1, 1)
             ON CONFLICT (environment_id) DO UPDATE SET last_seq = log_streams.last_seq + 1
             RETURNING last_seq
         )
         INSERT INTO log_entries (environment_id, seq, stream, line, at) SELECT $1, last_seq, 'system', $2, clock_timestamp() FROM stream",
        environment,
        line
    );
    tx.execute(Query::InsertLogEntries, insert).await.map(drop)
}

struct EntryRow {
    seq: i64,
    stream: String,
    line: String,
    at: OffsetDateTime,
}

impl TryFrom<EntryRow> for Entry {
    type Error = StoreError;

    fn try_from(EntryRow { seq, stream, line, at }: EntryRow) -> Result<Self, StoreError> {
        Ok(Self { seq, stream: known("stream", &stream, LogStream::named)?, line, at })
    }
}

/// Reads up to `limit` entries in ascending order: those after a number, or else the newest ones.
///
/// # Errors
/// When the database fails.
pub async fn read(conn: &mut Conn, environment: Uuid, after: Option<i64>, limit: i64) -> Result<Vec<Entry>, StoreError> {
    let rows = if let Some(after) = after {
        let select = sqlx::query_as!(
            EntryRow,
            "SELECT seq, stream, line, at FROM log_entries WHERE environment_id = $1 AND seq > $2 ORDER BY seq LIMIT $3",
            environment,
            after,
            limit
        );
        conn.all(Query::SelectLogEntries, select).await?
    } else {
        let select = sqlx::query_as!(
            EntryRow,
            "SELECT seq, stream, line, at FROM log_entries WHERE environment_id = $1 ORDER BY seq DESC LIMIT $2",
            environment,
            limit
        );
        let mut rows = conn.all(Query::SelectLogEntries, select).await?;
        rows.reverse();
        rows
    };
    rows.into_iter().map(TryInto::try_into).collect()
}

/// A newly claimed log.
pub struct Claimed {
    pub claim: Claim,
    pub position: Position,
    pub last_seq: i64,
}

/// Claims up to `limit` logs of running environments that no replica follows.
pub async fn claim(conn: &mut Conn, driver: DriverName, term: Duration, limit: i64) -> Result<Vec<Claimed>, StoreError> {
    let update = sqlx::query!(
        r#"WITH free AS MATERIALIZED (
             SELECT s.environment_id FROM environments e JOIN log_streams s ON s.environment_id = e.id
             WHERE e.status = 'running' AND e.driver = $1 AND (s.followed_until IS NULL OR s.followed_until < now())
             ORDER BY s.environment_id LIMIT $2
             FOR UPDATE OF s SKIP LOCKED
         )
         UPDATE log_streams s SET follower = gen_random_uuid(), followed_until = now() + make_interval(secs => $3)
         FROM free WHERE s.environment_id = free.environment_id
         RETURNING s.environment_id, s.follower AS "follower!", s.position, s.last_seq"#,
        driver.name(),
        limit,
        term.as_secs_f64()
    );
    let rows = conn.all(Query::UpdateLogStreams, update).await?;
    let claimed = rows.into_iter().map(|row| Claimed {
        claim: Claim { environment: row.environment_id, follower: row.follower },
        position: position(row.position),
        last_seq: row.last_seq,
    });
    Ok(claimed.collect())
}

/// Renews claims. Returns, for the follower of each claim that is still held, whether the environment is running.
pub async fn renew(conn: &mut Conn, claims: &[Claim], term: Duration) -> Result<HashMap<Uuid, bool>, StoreError> {
    let (environments, followers) = columns(claims);
    let update = sqlx::query!(
        r#"WITH mine AS MATERIALIZED (
             SELECT s.environment_id, e.status = 'running' AS runs FROM log_streams s JOIN environments e ON e.id = s.environment_id
             WHERE s.environment_id = ANY($1) AND s.follower = ANY($2)
             ORDER BY s.environment_id
             FOR UPDATE OF s
         )
         UPDATE log_streams s SET followed_until = now() + make_interval(secs => $3)
         FROM mine WHERE s.environment_id = mine.environment_id
         RETURNING s.follower AS "follower!", mine.runs AS "runs!""#,
        &environments,
        &followers,
        term.as_secs_f64()
    );
    let rows = conn.all(Query::UpdateLogStreams, update).await?;
    Ok(rows.into_iter().map(|row| (row.follower, row.runs)).collect())
}

/// Releases claims. Returns how many of them were still held.
pub async fn release(conn: &mut Conn, claims: &[Claim]) -> Result<u64, StoreError> {
    let (environments, followers) = columns(claims);
    let update = sqlx::query!(
        "WITH mine AS MATERIALIZED (
             SELECT environment_id FROM log_streams WHERE environment_id = ANY($1) AND follower = ANY($2)
             ORDER BY environment_id
             FOR UPDATE
         )
         UPDATE log_streams s SET follower = NULL, followed_until = NULL FROM mine WHERE s.environment_id = mine.environment_id",
        &environments,
        &followers
    );
    conn.execute(Query::UpdateLogStreams, update).await
}

fn columns(claims: &[Claim]) -> (Vec<Uuid>, Vec<Uuid>) {
    claims.iter().map(|claim| (claim.environment, claim.follower)).unzip()
}

/// The state of a log.
pub struct Stream {
    pub follower: Option<Uuid>,
    pub position: Position,
    pub last_seq: i64,
}

/// Locks these logs until the transaction ends, and returns their state. First locks each environment against deletion, and then its log:
/// a deletion locks in the same order.
pub async fn lock(tx: &mut Conn, environments: &[Uuid]) -> Result<HashMap<Uuid, Stream>, StoreError> {
    let select = sqlx::query!(
        "SELECT s.environment_id, s.follower, s.position, s.last_seq FROM log_streams s JOIN environments e ON e.id = s.environment_id
         WHERE s.environment_id = ANY($1)
         ORDER BY s.environment_id
         FOR KEY SHARE OF e FOR UPDATE OF s",
        environments
    );
    let rows = tx.all(Query::UpdateLogStreams, select).await?;
    let streams = rows.into_iter().map(|row| {
        let stream = Stream { follower: row.follower, position: position(row.position), last_seq: row.last_seq };
        (row.environment_id, stream)
    });
    Ok(streams.collect())
}

/// Entries to add to a locked log.
pub struct Addition<'a> {
    pub environment: Uuid,
    /// Number of the last stored entry.
    pub last_seq: i64,
    pub entries: &'a [NewEntry],
    pub position: Position,
    /// Whether to release the claim.
    pub is_last: bool,
}

impl Addition<'_> {
    /// The numbers that the entries receive.
    fn numbers(&self) -> std::ops::RangeInclusive<i64> {
        self.last_seq + 1..=self.last_seq + i64::try_from(self.entries.len()).unwrap_or(i64::MAX)
    }
}

/// Updates the logs to their state after the additions.
pub async fn advance(tx: &mut Conn, additions: &[Addition<'_>]) -> Result<(), StoreError> {
    let environments: Vec<Uuid> = additions.iter().map(|addition| addition.environment).collect();
    let last: Vec<i64> = additions.iter().map(|addition| *addition.numbers().end()).collect();
    let positions: Vec<Value> =
        additions.iter().map(|addition| serde_json::to_value(addition.position)).collect::<Result<_, _>>().map_err(encoding)?;
    let ends: Vec<bool> = additions.iter().map(|addition| addition.is_last).collect();
    let update = sqlx::query!(
        "UPDATE log_streams s
         SET last_seq = a.last_seq, position = a.position,
             follower = CASE WHEN a.is_last THEN NULL ELSE s.follower END,
             followed_until = CASE WHEN a.is_last THEN NULL ELSE s.followed_until END
         FROM unnest($1::uuid[], $2::bigint[], $3::jsonb[], $4::bool[]) AS a (environment_id, last_seq, position, is_last)
         WHERE s.environment_id = a.environment_id",
        &environments,
        &last,
        &positions,
        &ends
    );
    tx.execute(Query::UpdateLogStreams, update).await.map(drop)
}

pub async fn insert(tx: &mut Conn, additions: &[Addition<'_>]) -> Result<(), StoreError> {
    let (mut environments, mut numbers) = (Vec::new(), Vec::new());
    let (mut streams, mut lines, mut times) = (Vec::new(), Vec::new(), Vec::new());
    for addition in additions {
        for (number, entry) in addition.numbers().zip(addition.entries) {
            environments.push(addition.environment);
            numbers.push(number);
            streams.push(entry.stream.name());
            lines.push(entry.line.as_str());
            times.push(entry.at);
        }
    }
    if numbers.is_empty() {
        return Ok(());
    }
    let insert = sqlx::query!(
        "INSERT INTO log_entries (environment_id, seq, stream, line, at)
         SELECT * FROM unnest($1::uuid[], $2::bigint[], $3::text[], $4::text[], $5::timestamptz[])",
        &environments,
        &numbers,
        &streams as &[&str],
        &lines as &[&str],
        &times
    );
    tx.execute(Query::InsertLogEntries, insert).await.map(drop)
}

/// Deletes the entries that the additions push out of the newest `kept` entries, and up to `OWN_LINES` older ones. The ranges have a lower
/// bound: recently deleted entries are still in the index, and a scan from the start of a log would pass all of them.
pub async fn push_out(tx: &mut Conn, additions: &[Addition<'_>], kept: i64) -> Result<(), StoreError> {
    let (mut environments, mut above, mut to) = (Vec::new(), Vec::new(), Vec::new());
    for addition in additions.iter().filter(|addition| *addition.numbers().end() > kept) {
        environments.push(addition.environment);
        above.push(addition.last_seq - kept - OWN_LINES);
        to.push(addition.numbers().end() - kept);
    }
    if environments.is_empty() {
        return Ok(());
    }
    let delete = sqlx::query!(
        "DELETE FROM log_entries e USING unnest($1::uuid[], $2::bigint[], $3::bigint[]) AS a (environment_id, above, upto)
         WHERE e.environment_id = a.environment_id AND e.seq > a.above AND e.seq <= a.upto",
        &environments,
        &above,
        &to
    );
    tx.execute(Query::DeleteLogEntries, delete).await.map(drop)
}

/// Deletes the oldest entries up to a number, at most [`BITE`] of them. Returns the number of deleted entries.
pub async fn remove(conn: &mut Conn, environment: Uuid, to: i64) -> Result<u64, StoreError> {
    let delete = sqlx::query!(
        "DELETE FROM log_entries WHERE environment_id = $1
         AND seq IN (SELECT seq FROM log_entries WHERE environment_id = $1 AND seq <= $2 ORDER BY seq LIMIT $3)",
        environment,
        to,
        BITE
    );
    conn.execute(Query::DeleteLogEntries, delete).await
}

/// Decodes a stored position. If the position is missing or invalid, the replica follows the log from the oldest output that the engine
/// still has.
fn position(note: Option<Value>) -> Position {
    note.and_then(|note| serde_json::from_value(note).ok()).unwrap_or_default()
}

fn encoding(error: serde_json::Error) -> StoreError {
    StoreError::from(sqlx::Error::Encode(error.into()))
}
