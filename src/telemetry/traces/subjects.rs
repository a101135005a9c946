//! What spans measure: the name, the kind and the attributes of each, by OpenTelemetry's semantic conventions. Attributes are closed labels,
//! templates and identifiers, never a parameter, a body, a query string or a text of a user.

use std::borrow::Cow;

use opentelemetry::KeyValue;
use opentelemetry::trace::SpanKind;
use uuid::Uuid;

use crate::domain::{DriverName, DriverOperation, Platform};
use crate::metrics::labels::{ApiEndpoint, CacheType, EventIn, EventOut, JobKind, Query, RedisCommand};
use crate::telemetry::trace_context::Traceparent;

/// What a span measures. The first four are work of its own; the others are parts of such work.
#[derive(Debug)]
pub enum Subject {
    /// An HTTP request to the service. The template of its route is absent if none matched.
    Request { method: &'static str, route: Option<String> },
    /// An attempt at a job, and the work that enqueued it.
    Job { id: i64, kind: JobKind, attempt: i32, cause: Option<Traceparent> },
    /// An event of a Socket.IO client.
    Event { event: EventIn, user: Uuid },
    /// The delivery of an event that another replica emitted, to the clients of this replica.
    Delivery(EventOut),
    /// The emission of an event to the clients of all replicas.
    Emission(EventOut),
    /// A database statement.
    Statement(Query),
    /// A Redis command.
    Command(RedisCommand),
    /// A lookup in a cache that does not find the entry, with its load.
    Lookup(CacheType),
    /// A call to a platform.
    PlatformCall { platform: Platform, endpoint: ApiEndpoint, method: String, host: Option<String> },
    /// A call to the driver of environments.
    DriverCall { driver: DriverName, operation: DriverOperation },
}

impl Subject {
    /// The name of the span.
    pub fn name(&self) -> Cow<'static, str> {
        match self {
            Self::Request { method, route: None } => (*method).into(),
            Self::Request { method, route: Some(route) } => format!("{method} {route}").into(),
            Self::Job { kind, .. } => format!("job {}", kind.name()).into(),
            Self::Event { event, .. } => format!("receive {}", event.name()).into(),
            Self::Delivery(event) => format!("deliver {}", event.name()).into(),
            Self::Emission(event) => format!("emit {}", event.name()).into(),
            Self::Statement(query) => {
                let values = query.values();
                format!("{} {}", values[0], values[1]).into()
            }
            Self::Command(command) => command.name().into(),
            Self::Lookup(cache) => format!("lookup {}", cache.name()).into(),
            Self::PlatformCall { platform, endpoint, method, .. } => format!("{method} {} {}", platform.name(), endpoint.name()).into(),
            Self::DriverCall { driver, operation } => format!("{} {}", driver.name(), operation.name()).into(),
        }
    }

    /// The kind of the span.
    pub fn kind(&self) -> SpanKind {
        match self {
            Self::Request { .. } => SpanKind::Server,
            Self::Job { .. } | Self::Event { .. } | Self::Delivery(_) => SpanKind::Consumer,
            Self::Emission(_) => SpanKind::Producer,
            Self::Statement(_) | Self::Command(_) | Self::PlatformCall { .. } => SpanKind::Client,
            Self::Lookup(_) | Self::DriverCall { .. } => SpanKind::Internal,
        }
    }

    /// The attributes that the span has from its beginning.
    pub fn attributes(&self) -> Vec<KeyValue> {
        match self {
            Self::Request { method, route } => {
                let route = route.clone().map(|route| KeyValue::new("http.route", route));
                [KeyValue::new("http.request.method", *method)].into_iter().chain(route).collect()
            }
            Self::Job { id, kind, attempt, cause } => {
                let cause = cause.map(|cause| KeyValue::new("enqueued_by", cause.trace.to_string()));
                let own = [KeyValue::new("job_id", *id), KeyValue::new("kind", kind.name()), KeyValue::new("attempt", i64::from(*attempt))];
                own.into_iter().chain(cause).collect()
            }
            Self::Event { event, user } => vec![KeyValue::new("event", event.name()), KeyValue::new("user", user.to_string())],
            Self::Delivery(event) | Self::Emission(event) => vec![KeyValue::new("event", event.name())],
            Self::Statement(query) => {
                let values = query.values();
                vec![
                    KeyValue::new("db.system.name", "postgresql"),
                    KeyValue::new("db.operation.name", values[0]),
                    KeyValue::new("db.collection.name", values[1]),
                ]
            }
            Self::Command(command) => {
                vec![KeyValue::new("db.system.name", "redis"), KeyValue::new("db.operation.name", command.name())]
            }
            Self::Lookup(cache) => vec![KeyValue::new("vitrine.cache.type", cache.name())],
            Self::PlatformCall { platform, endpoint, method, host } => {
                let host = host.clone().map(|host| KeyValue::new("server.address", host));
                let own = [
                    KeyValue::new("http.request.method", method.clone()),
                    KeyValue::new("vitrine.platform", platform.name()),
                    KeyValue::new("vitrine.endpoint", endpoint.name()),
                ];
                own.into_iter().chain(host).collect()
            }
            Self::DriverCall { driver, operation } => {
                vec![KeyValue::new("vitrine.driver", driver.name()), KeyValue::new("vitrine.operation", operation.name())]
            }
        }
    }

    /// The work that caused this work, in a trace of its own.
    pub fn cause(&self) -> Option<Traceparent> {
        match self {
            Self::Job { cause, .. } => *cause,
            _ => None,
        }
    }
}
