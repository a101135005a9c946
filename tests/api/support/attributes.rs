//! The attributes of spans: each with the values that it may have. Every domain is closed or bounded, so that no span can contain a text of
//! a user.

use std::collections::BTreeSet;

use uuid::Uuid;
use vitrine::domain::{DriverName, DriverOperation, Platform};
use vitrine::http::Code;
use vitrine::metrics::http::METHODS;
use vitrine::metrics::labels::{
    ApiEndpoint, CacheType, CallStatus, Ending, EventIn, EventOut, JobKind, JobOutcome, Labels, Outcome, Query, QueryStatus, RedisCommand,
};
use vitrine::router;

/// The values of an attribute.
pub enum Domain {
    OneOf(BTreeSet<String>),
    Number,
    Uuid,
    Trace,
    /// A route with UUIDs as parameters.
    Path,
    /// The host of a configured platform.
    Host,
}

/// Every attribute with its domain.
pub fn attributes() -> Vec<(&'static str, Domain)> {
    use Domain::{Host, Number, OneOf, Path, Trace, Uuid};
    vec![
        ("attempt", Number),
        ("db.collection.name", of::<Query>(1)),
        ("db.operation.name", one_of(names::<Query>(0).into_iter().chain(names::<RedisCommand>(0)))),
        ("db.system.name", one_of(["postgresql", "redis"])),
        ("enqueued_by", Trace),
        ("error.type", one_of(errors())),
        ("event", one_of(names::<EventIn>(0).into_iter().chain(names::<EventOut>(0)))),
        ("http.request.method", one_of(METHODS.into_iter().chain(["_OTHER", "CONNECT", "TRACE"]))),
        ("http.response.status_code", Number),
        ("http.route", OneOf(router::templates(&router::with_faults(router::routes(), true)))),
        ("job_id", Number),
        ("kind", of::<JobKind>(0)),
        ("server.address", Host),
        ("url.path", Path),
        ("user", Uuid),
        ("vitrine.cache.insights", one_of(["hit"])),
        ("vitrine.cache.project", one_of(["hit"])),
        ("vitrine.cache.result", one_of(["miss", "shared"])),
        ("vitrine.cache.session", one_of(["hit"])),
        ("vitrine.cache.showcase", one_of(["hit"])),
        ("vitrine.cache.type", of::<CacheType>(0)),
        ("vitrine.cache.user", one_of(["hit"])),
        ("vitrine.driver", of::<DriverName>(0)),
        ("vitrine.endpoint", of::<ApiEndpoint>(0)),
        ("vitrine.operation", of::<DriverOperation>(0)),
        ("vitrine.platform", of::<Platform>(0)),
    ]
}

impl Domain {
    pub fn contains(&self, value: &str) -> bool {
        match self {
            Self::OneOf(values) => values.contains(value),
            Self::Number => value.parse::<i64>().is_ok(),
            Self::Uuid => Uuid::try_parse(value).is_ok(),
            Self::Trace => value.len() == 32 && value.bytes().all(|byte| byte.is_ascii_hexdigit()),
            Self::Path => value.split('/').all(|segment| is_plain(segment) || Uuid::try_parse(segment).is_ok()),
            Self::Host => value == "127.0.0.1",
        }
    }
}

fn is_plain(segment: &str) -> bool {
    segment.len() < 30 && segment.bytes().all(|byte| byte.is_ascii_lowercase() || b"-_.".contains(&byte))
}

fn names<L: Labels>(key: usize) -> Vec<&'static str> {
    L::all().into_iter().map(|values| values[key]).collect()
}

fn of<L: Labels>(key: usize) -> Domain {
    one_of(names::<L>(key))
}

fn one_of(values: impl IntoIterator<Item = &'static str>) -> Domain {
    Domain::OneOf(values.into_iter().map(str::to_owned).collect())
}

fn errors() -> Vec<&'static str> {
    let outcomes = [names::<QueryStatus>(0), names::<CallStatus>(0), names::<Ending>(0), names::<JobOutcome>(0), names::<Outcome>(0)];
    let codes = Code::ALL.iter().map(|code| code.as_str());
    outcomes.concat().into_iter().chain(codes).chain(["500", "502", "503", "504"]).collect()
}
