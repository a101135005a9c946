//! The types of faults, and the validation of requests.

use std::collections::BTreeSet;
use std::ops::RangeInclusive;
use std::time::Duration;

use serde::Deserialize;
use utoipa::ToSchema;
use utoipa::openapi::{ObjectBuilder, Schema, Type};

use crate::domain::validation::FieldError;
use crate::domain::validation::{Fields, Line, integer, not_null, whole, whole_or_absent};
use crate::domain::{DriverOperation, FaultKind};
use crate::fault_injection::is_exempt_route;
use crate::fault_injection::{Effect, tables};

const LIFETIME_SECONDS: RangeInclusive<u32> = 1..=3600;
const PERCENT: RangeInclusive<u32> = 1..=100;
const LATENCY_MS: RangeInclusive<u32> = 1..=30_000;
/// Longer periods would starve the tasks that end the fault.
const BLOCK_MS: RangeInclusive<u32> = 1..=1000;
const MEBIBYTES: RangeInclusive<u32> = 1..=2048;
type ReplicaName = Line<1, 64>;
const STATUSES: [u16; 2] = [500, 503];

/// A valid request for a fault.
#[derive(Debug)]
pub struct NewFault {
    pub replica: Option<String>,
    pub percent: u8,
    pub effect: Effect,
    pub lifetime: Duration,
}

/// A request for a fault: its kind, the parameters of that kind, and its lifetime.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewFault)]
pub struct Order {
    fault: FaultKind,
    /// Lifetime in seconds.
    #[serde(deserialize_with = "whole")]
    #[schema(schema_with = lifetime)]
    expires_in: u32,
    /// Name of the only affected replica. By default, every replica is affected.
    #[serde(default, deserialize_with = "not_null")]
    #[schema(schema_with = ReplicaName::schema, required = false)]
    replica: Option<String>,
    /// Share of calls that the fault affects, in percent; for `block`, the share of time that workers are busy. Must
    /// be 100 or absent for `memory` and `task`.
    #[serde(default, deserialize_with = "whole_or_absent")]
    #[schema(schema_with = percent, required = false)]
    percent: Option<u32>,
    /// For `latency`, `error` and `panic`: template of the affected route. Default: all except health, metrics, login, assets and faults.
    #[serde(default, deserialize_with = "not_null")]
    #[schema(example = "/api/projects/{id}", nullable = false)]
    route: Option<String>,
    /// Delay in milliseconds, at most 30000, for `latency`, `database` and `driver`. For `block`: milliseconds, at most 1000, for which a
    /// worker is busy without a break.
    #[serde(default, deserialize_with = "whole_or_absent")]
    #[schema(schema_with = delay, required = false)]
    delay_ms: Option<u32>,
    /// For `error`: 500 or 503.
    #[serde(default, deserialize_with = "whole_or_absent")]
    #[schema(schema_with = status, required = false)]
    status: Option<u16>,
    /// For `memory`: MiB to allocate.
    #[serde(default, deserialize_with = "whole_or_absent")]
    #[schema(schema_with = mebibytes, required = false)]
    mebibytes: Option<u32>,
    /// For `database`: the table whose statements are affected. Default: every table; some statements, such as health checks, are exempt.
    #[serde(default, deserialize_with = "not_null")]
    #[schema(example = "projects", nullable = false)]
    table: Option<String>,
    /// For `driver`: the affected call. By default, every call is affected.
    #[serde(default, deserialize_with = "not_null")]
    #[schema(nullable = false)]
    operation: Option<DriverOperation>,
}

fn number_in(range: &RangeInclusive<u32>) -> ObjectBuilder {
    integer((*range.start()).into(), (*range.end()).into())
}

fn lifetime() -> Schema {
    number_in(&LIFETIME_SECONDS).into()
}

fn percent() -> Schema {
    number_in(&PERCENT).default(Some(100.into())).into()
}

fn delay() -> Schema {
    number_in(&LATENCY_MS).into()
}

fn mebibytes() -> Schema {
    number_in(&MEBIBYTES).into()
}

fn status() -> Schema {
    ObjectBuilder::new().schema_type(Type::Integer).enum_values(Some(STATUSES)).into()
}

impl Order {
    /// Validates the request. `routes` has the templates of the existing routes.
    pub fn check(mut self, routes: &BTreeSet<String>) -> Result<NewFault, Vec<FieldError>> {
        let mut fields = Fields::default();
        let replica = self.replica.take().map(|replica| ReplicaName::read(&mut fields, "replica", &replica));
        let percent = self.percent(&mut fields);
        let effect = self.effect(&mut fields, routes);
        within(&mut fields, "expires_in", self.expires_in, LIFETIME_SECONDS);
        self.refuse_the_rest(&mut fields);
        fields.finish(NewFault { replica, percent, effect, lifetime: Duration::from_secs(self.expires_in.into()) })
    }

    fn percent(&mut self, fields: &mut Fields) -> u8 {
        let percent = self.percent.take().unwrap_or(100);
        within(fields, "percent", percent, PERCENT);
        if matches!(self.fault, FaultKind::Memory | FaultKind::Task) && percent != 100 {
            fields.refuse("percent", "not_allowed", format!("must be 100 for {}", self.fault.name()));
        }
        u8::try_from(percent).unwrap_or(100)
    }

    /// Takes the parameters of the kind out of the request.
    fn effect(&mut self, fields: &mut Fields, routes: &BTreeSet<String>) -> Effect {
        match self.fault {
            FaultKind::Latency => Effect::Latency { delay_ms: self.delay(fields, LATENCY_MS), route: self.route(fields, routes) },
            FaultKind::Error => Effect::Error { status: self.status(fields), route: self.route(fields, routes) },
            FaultKind::Panic => Effect::Panic { route: self.route(fields, routes) },
            FaultKind::Memory => Effect::Memory { mebibytes: needed(fields, "mebibytes", self.mebibytes.take(), MEBIBYTES) },
            FaultKind::Block => Effect::Block { delay_ms: self.delay(fields, BLOCK_MS) },
            FaultKind::Database => Effect::Database { delay_ms: self.delay(fields, LATENCY_MS), table: self.table(fields) },
            FaultKind::DropEvent => Effect::DropEvent {},
            FaultKind::Driver => {
                let delay_ms = self.delay_ms.is_some().then(|| self.delay(fields, LATENCY_MS));
                Effect::Driver { delay_ms, operation: self.operation.take() }
            }
            FaultKind::Login => Effect::Login {},
            FaultKind::Task => Effect::Task {},
        }
    }

    fn delay(&mut self, fields: &mut Fields, range: RangeInclusive<u32>) -> u32 {
        needed(fields, "delay_ms", self.delay_ms.take(), range)
    }

    fn status(&mut self, fields: &mut Fields) -> u16 {
        match self.status.take() {
            Some(status) if STATUSES.contains(&status) => status,
            Some(_) => refused(fields, "status", "invalid", "must be 500 or 503"),
            None => refused(fields, "status", "required", "must be 500 or 503"),
        }
    }

    fn route(&mut self, fields: &mut Fields, routes: &BTreeSet<String>) -> Option<String> {
        let route = self.route.take()?;
        if is_exempt_route(&route) {
            fields.refuse("route", "not_allowed", "is exempt from fault injection");
        } else if !routes.contains(&route) {
            fields.refuse("route", "unknown", "must be the template of a route, such as /api/projects/{id}");
        }
        Some(route)
    }

    fn table(&mut self, fields: &mut Fields) -> Option<String> {
        let table = self.table.take()?;
        if !tables().contains(table.as_str()) {
            fields.refuse("table", "unknown", "must be a table that faults can affect, such as projects");
        }
        Some(table)
    }

    /// Rejects the remaining parameters, which belong to other kinds.
    fn refuse_the_rest(&self, fields: &mut Fields) {
        let left = [
            ("route", self.route.is_some()),
            ("delay_ms", self.delay_ms.is_some()),
            ("status", self.status.is_some()),
            ("mebibytes", self.mebibytes.is_some()),
            ("table", self.table.is_some()),
            ("operation", self.operation.is_some()),
        ];
        for (field, _) in left.iter().filter(|(_, is_left)| *is_left) {
            fields.refuse(field, "not_allowed", format!("is not allowed for {}", self.fault.name()));
        }
    }
}

fn needed(fields: &mut Fields, field: &str, given: Option<u32>, range: RangeInclusive<u32>) -> u32 {
    let Some(given) = given else {
        return refused(fields, field, "required", format!("must be {} to {}", range.start(), range.end()));
    };
    within(fields, field, given, range);
    given
}

fn within(fields: &mut Fields, field: &str, given: u32, range: RangeInclusive<u32>) {
    if !range.contains(&given) {
        fields.refuse(field, "out_of_range", format!("must be {} to {}", range.start(), range.end()));
    }
}

/// Records an error and returns a default, so that validation can continue and report every error.
fn refused<T: Default>(fields: &mut Fields, field: &str, code: &'static str, message: impl Into<String>) -> T {
    fields.refuse(field, code, message);
    T::default()
}
