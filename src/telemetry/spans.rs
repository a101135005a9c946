//! The spans of a trace: one constructor for each kind, with the names and attributes of OpenTelemetry's semantic conventions.
//!
//! Features contain no tracing code: the modules through which all work passes, such as `db`, `cache` and `jobs`, create these spans.
//! Attributes are closed labels, templates and identifiers, never a parameter, a body, a query string or a text of a user. While traces are
//! off, the filters of the subscriber disable the spans of parts, so that a part costs one comparison.

use opentelemetry::trace::{SpanContext, Status, TraceContextExt, TraceFlags, TraceState};
use opentelemetry::{Context, SpanId, TraceId};
use tracing::{Level, Span, span};
use tracing_opentelemetry::OpenTelemetrySpanExt;

use super::levels::PARTS;
use super::trace_context::{TraceContext, Traceparent};
use super::traces;
use crate::domain::{DriverName, DriverOperation, Platform};
use crate::metrics::labels::{ApiEndpoint, CacheType, EventIn, EventOut, JobKind, Query, RedisCommand};

/// Makes a span the one of this piece of work, below the parent of the work, if any. Call this before the span has children.
pub fn begin(span: &Span, work: &TraceContext) {
    if !traces::are_on() || span.is_disabled() {
        return;
    }
    if let Some(parent) = work.parent {
        // Fails only if the span has begun.
        let _begun = span.set_parent(Context::new().with_remote_span_context(remote(parent)));
    }
    traces::with_identifiers(work, || drop(span.context()));
}

/// The span as the parent of what other replicas do for it. `None` while traces are off, and outside of a request, job or event. The flag
/// is set if this replica is certain to keep the trace, so that the others keep their part, too.
#[must_use]
pub fn handed_on(span: &Span) -> Option<Traceparent> {
    if !traces::are_on() || span.is_disabled() {
        return None;
    }
    let trace = TraceContext::current()?.trace;
    let part = TraceContext::in_trace(trace);
    traces::with_identifiers(&part, || drop(span.context()));
    Some(Traceparent { is_sampled: traces::keeps(trace), ..part.traceparent() })
}

/// Links a span to its cause, which has a trace of its own.
pub fn link(span: &Span, cause: Traceparent) {
    if traces::are_on() && !span.is_disabled() {
        span.add_link(remote(cause));
    }
}

fn remote(Traceparent { trace, span, is_sampled }: Traceparent) -> SpanContext {
    let (trace, span) = (TraceId::from_bytes(trace.to_bytes()), SpanId::from_bytes(span.to_bytes()));
    SpanContext::new(trace, span, TraceFlags::default().with_sampled(is_sampled), true, TraceState::default())
}

/// Records that the work of a span failed. `kind` is a closed label.
pub fn failed(span: &Span, kind: &'static str) {
    if traces::are_on() && !span.is_disabled() {
        span.set_attribute("error.type", kind);
        span.set_status(Status::error(""));
    }
}

/// Records the response to a request. Only a failure of the service is an error of its span, as the conventions say for servers. `path` is
/// absent if it contains anything but a route and identifiers.
pub fn answered(span: &Span, path: Option<&str>, status: u16) {
    if !traces::are_on() || span.is_disabled() {
        return;
    }
    span.set_attribute("http.response.status_code", i64::from(status));
    if let Some(path) = path {
        span.set_attribute("url.path", path.to_owned());
    }
    if status >= 500 {
        span.set_attribute("error.type", status.to_string());
        span.set_status(Status::error(""));
    }
}

/// Records the status of a response that another service sent.
pub fn received(span: &Span, status: u16) {
    if traces::are_on() && !span.is_disabled() {
        span.set_attribute("http.response.status_code", i64::from(status));
    }
}

/// Records how a lookup in a cache ended: `hit`, `miss`, or `shared` if it waited for the load of another request.
pub fn looked_up(span: &Span, result: &'static str) {
    if traces::are_on() && !span.is_disabled() {
        span.set_attribute("vitrine.cache.result", result);
    }
}

/// An HTTP request to the service. It is also part of log lines, so it exists if the levels of the log enable it.
#[must_use]
pub fn request(method: &'static str, route: Option<&str>) -> Span {
    span!(
        Level::INFO,
        "request",
        otel.kind = "server",
        otel.name = format_args!("{method} {}", route.unwrap_or_default()),
        http.request.method = method,
        http.route = route,
    )
}

/// An attempt at a job. Like [`request`], it is part of log lines.
#[must_use]
pub fn job(id: i64, kind: JobKind, attempt: i32, cause: Option<Traceparent>) -> Span {
    let kind = kind.name();
    let enqueued_by = cause.map(|cause| tracing::field::display(cause.trace));
    span!(Level::INFO, "job", otel.kind = "consumer", otel.name = format_args!("job {kind}"), id, kind, attempt, enqueued_by,)
}

/// An event of a Socket.IO client. Like [`request`], it is part of log lines.
#[must_use]
pub fn event(event: EventIn, user: uuid::Uuid) -> Span {
    let event = event.name();
    span!(Level::INFO, "event", otel.kind = "consumer", otel.name = format_args!("receive {event}"), event, %user)
}

/// The emission of an event to the clients of all replicas.
#[must_use]
pub fn emission(event: EventOut) -> Span {
    let event = event.name();
    span!(target: PARTS, Level::INFO, "emission", otel.kind = "producer", otel.name = format_args!("emit {event}"), event)
}

/// The delivery of an event that another replica emitted, to the clients of this replica.
#[must_use]
pub fn delivery(event: EventOut) -> Span {
    let event = event.name();
    span!(target: PARTS, Level::INFO, "delivery", otel.kind = "consumer", otel.name = format_args!("deliver {event}"), event)
}

/// A database statement.
#[must_use]
pub fn statement(query: Query) -> Span {
    let values = query.values();
    let (operation, table) = (values[0], values[1]);
    span!(
        target: PARTS,
        Level::INFO,
        "statement",
        otel.kind = "client",
        otel.name = format_args!("{operation} {table}"),
        db.system.name = "postgresql",
        db.operation.name = operation,
        db.collection.name = table,
    )
}

/// A Redis command.
#[must_use]
pub fn command(command: RedisCommand) -> Span {
    let command = command.name();
    span!(
        target: PARTS,
        Level::INFO,
        "command",
        otel.kind = "client",
        otel.name = command,
        db.system.name = "redis",
        db.operation.name = command,
    )
}

/// A lookup in a cache, with the load of a missing entry.
#[must_use]
pub fn lookup(cache: CacheType) -> Span {
    let cache = cache.name();
    span!(target: PARTS, Level::INFO, "lookup", otel.name = format_args!("lookup {cache}"), "vitrine.cache.type" = cache)
}

/// A call to a platform. The platform receives no trace context.
#[must_use]
pub fn platform_call(platform: Platform, endpoint: ApiEndpoint, method: &str, host: Option<&str>) -> Span {
    let (platform, endpoint) = (platform.name(), endpoint.name());
    span!(
        target: PARTS,
        Level::INFO,
        "platform call",
        otel.kind = "client",
        otel.name = format_args!("{method} {platform} {endpoint}"),
        http.request.method = method,
        server.address = host,
        vitrine.platform = platform,
        vitrine.endpoint = endpoint,
    )
}

/// A call to the driver of environments.
#[must_use]
pub fn driver_call(driver: DriverName, operation: DriverOperation) -> Span {
    let (driver, operation) = (driver.name(), operation.name());
    span!(
        target: PARTS,
        Level::INFO,
        "driver call",
        otel.name = format_args!("{driver} {operation}"),
        vitrine.driver = driver,
        vitrine.operation = operation,
    )
}
