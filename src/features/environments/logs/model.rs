//! The types of logs: stored lines, lines to be stored, and claims.

use serde::Serialize;
use time::OffsetDateTime;
use utoipa::ToSchema;
use uuid::Uuid;

use super::position::Position;
use crate::domain::LogStream;

/// A line of an environment's log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = LogEntry)]
pub struct Entry {
    /// Consecutive number, starting at 1. A gap means that older entries were deleted.
    pub seq: i64,
    /// Origin of the line.
    pub stream: LogStream,
    /// Text of the line.
    pub line: String,
    /// Time by the engine's clock for output and for reports of dropped lines; by the database's clock for Vitrine's other lines.
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

/// The right to store the output of an environment. Each claim has its own identifier, so that lines read under an earlier claim of the
/// same replica are not stored under this one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Claim {
    pub environment: Uuid,
    pub follower: Uuid,
}

/// A message from a reader to the writer.
#[derive(Debug)]
pub struct Step {
    pub claim: Claim,
    /// The reader's position after this step.
    pub position: Position,
    /// Number of dropped lines that this entry reports.
    pub dropped: u32,
    /// `None` when the reader has finished and releases its claim.
    pub entry: Option<NewEntry>,
}
