//! The types of the configuration variables, and the functions that parse the variables' texts.

use std::ops::RangeInclusive;
use std::str::FromStr;
use std::time::Duration;

use clap::ValueEnum;
use ipnet::IpNet;

use crate::metrics::labels::Dependency;

/// The longest accepted duration: above any sensible limit, within the range of Postgres' intervals.
const MAX_DURATION: Duration = Duration::from_hours(10 * 365 * 24);

/// The longest accepted time limit for platform calls: a claim on a refresh of tokens lasts 20 s, and must not expire before the new tokens
/// are stored.
const MAX_PLATFORM_LIMIT: Duration = Duration::from_secs(15);
/// The range of Postgres' `statement_timeout`: whole milliseconds, and at most as many as an `i32` can hold (24.8 days). Zero would disable
/// the limit.
const STATEMENT_LIMITS: RangeInclusive<Duration> = Duration::from_millis(1)..=Duration::from_hours(24 * 24);

/// Where the service runs. Production rejects unsafe settings that development accepts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Environment {
    /// A developer's machine or a test.
    Development,
    /// Any deployment that others can reach.
    Production,
}

impl Environment {
    /// The name, as the variable has it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Development => "development",
            Self::Production => "production",
        }
    }
}

/// The format of log lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// One JSON object per line.
    Json,
    /// Human-readable text for a terminal.
    Text,
}

/// Where log lines go besides standard output.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogsExporter {
    /// Nowhere.
    None,
    /// To the OTLP endpoint.
    Otlp,
}

/// A dependency that readiness can require.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "snake_case")]
pub enum Requirement {
    /// Postgres.
    Postgres,
    /// Redis.
    Redis,
    /// The environment driver.
    EnvironmentDriver,
}

impl Requirement {
    /// The dependency as named in metrics and health routes.
    #[must_use]
    pub fn dependency(self) -> Dependency {
        match self {
            Self::Postgres => Dependency::Postgres,
            Self::Redis => Dependency::Redis,
            Self::EnvironmentDriver => Dependency::EnvironmentDriver,
        }
    }
}

/// A comma-separated list of networks; `none` for an empty list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Networks(pub Vec<IpNet>);

impl FromStr for Networks {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text.trim() == "none" {
            return Ok(Self(Vec::new()));
        }
        let network = |part: &str| part.trim().parse().map_err(|_| format!("{part:?} is not a network such as 10.0.0.0/8"));
        text.split(',').map(network).collect::<Result<_, _>>().map(Self)
    }
}

/// A duration with its unit, such as `500ms`.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    let duration = humantime::parse_duration(text).map_err(|error| format!("must be a duration such as 500ms, 5s or 7d: {error}"))?;
    if duration > MAX_DURATION { Err("must be at most 10 years".to_owned()) } else { Ok(duration) }
}

/// A duration above zero. A limit of zero would reject everything.
pub(super) fn limit(text: &str) -> Result<Duration, String> {
    duration(text).and_then(|limit| if limit.is_zero() { Err("must be more than zero".to_owned()) } else { Ok(limit) })
}

/// A [`limit`] for platform calls.
pub(super) fn platform_limit(text: &str) -> Result<Duration, String> {
    limit(text).and_then(|limit| if limit > MAX_PLATFORM_LIMIT { Err("must be at most 15 seconds".to_owned()) } else { Ok(limit) })
}

/// A [`limit`] that Postgres can enforce.
pub(super) fn statement_limit(text: &str) -> Result<Duration, String> {
    limit(text).and_then(
        |limit| {
            if STATEMENT_LIMITS.contains(&limit) { Ok(limit) } else { Err("must be 1 millisecond to 24 days".to_owned()) }
        },
    )
}
