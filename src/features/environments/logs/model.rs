//! The types of logs: a stored line, one that will be, and who may store it.

use serde::Serialize;
use time::OffsetDateTime;
use utoipa::ToSchema;
use uuid::Uuid;

use super::position::Position;
use crate::metrics::labels::LogStream;

/// A line of an environment's log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = LogEntry)]
pub struct Entry {
    /// From 1 and without gaps: after a jump, older entries were dropped.
    pub seq: i64,
    /// Where it comes from.
    pub stream: LogStream,
    /// What was written.
    pub line: String,
    /// By the clock of who wrote it.
    #[serde(with = "time::serde::rfc3339")]
    pub at: OffsetDateTime,
}

/// A line to be stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewEntry {
    pub stream: LogStream,
    pub line: String,
    pub at: OffsetDateTime,
}

/// The right to store what an environment writes. Each has an identifier of its own, so that what was read under an
/// earlier one of the same replica is not taken for this one's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Claim {
    pub environment: Uuid,
    pub follower: Uuid,
}

/// A step of a reader, for the writer.
#[derive(Debug)]
pub struct Step {
    pub claim: Claim,
    /// Where the reader is after it.
    pub position: Position,
    /// Lines that this entry says were dropped.
    pub dropped: u32,
    /// Nothing when the reader has ended and gives its claim back.
    pub entry: Option<NewEntry>,
}
