//! The types of log levels, and the validation of requests.

use std::ops::RangeInclusive;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use utoipa::ToSchema;
use utoipa::openapi::Schema;

use crate::domain::validation::{FieldError, Fields, characters, integer, whole};
use crate::telemetry::levels;

const LIFETIME_SECONDS: RangeInclusive<u32> = 1..=3600;

/// Levels that apply until a time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    pub levels: String,
    #[serde(with = "time::serde::rfc3339")]
    pub expires_at: OffsetDateTime,
}

/// A request for other levels.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewLogLevels {
    /// A level for everything, and a level for each target, which is a module of the service or of a library. The levels are `off`,
    /// `error`, `warn`, `info`, `debug` and `trace`.
    #[schema(schema_with = levels_schema, example = "info,vitrine::jobs=debug")]
    levels: String,
    /// Seconds until the levels are those of the configuration again.
    #[serde(deserialize_with = "whole")]
    #[schema(schema_with = lifetime)]
    expires_in: u32,
}

fn levels_schema() -> Schema {
    characters(1, levels::MAX_LENGTH).pattern(Some(levels::PATTERN)).into()
}

fn lifetime() -> Schema {
    integer((*LIFETIME_SECONDS.start()).into(), (*LIFETIME_SECONDS.end()).into()).into()
}

impl NewLogLevels {
    /// Validates the request.
    pub fn check(self, now: OffsetDateTime) -> Result<Change, Vec<FieldError>> {
        let Self { levels, expires_in } = self;
        let mut fields = Fields::default();
        if let Err(requirement) = levels::parse(&levels) {
            fields.refuse("levels", "invalid", format!("must be {requirement}"));
        }
        if !LIFETIME_SECONDS.contains(&expires_in) {
            fields.refuse("expires_in", "out_of_range", format!("must be {} to {}", LIFETIME_SECONDS.start(), LIFETIME_SECONDS.end()));
        }
        fields.finish(Change { levels, expires_at: now + Duration::from_secs(expires_in.into()) })
    }
}
