//! The spans of a trace: one constructor for each kind, with the names and attributes of OpenTelemetry's semantic conventions.
//!
//! Features contain no tracing code: the modules through which all work passes, such as `db`, `cache` and `jobs`, create these spans.
//! Attributes are closed labels, templates and identifiers, never a parameter, a body, a query string or a text of a user. While traces are
//! off, a span is nothing and costs one comparison. The spans of log lines are in `log_spans`.

use std::borrow::Cow;

use opentelemetry::context::{FutureExt, WithContext};
use opentelemetry::trace::{Span as _, SpanContext, SpanKind, Status, TraceContextExt, TraceFlags, TraceState, Tracer};
use opentelemetry::{Context, KeyValue, SpanId, TraceId};

use super::trace_context::{self, TraceContext, Traceparent};
use super::traces;
use crate::domain::{DriverName, DriverOperation, Platform};
use crate::metrics::labels::{ApiEndpoint, CacheType, EventIn, EventOut, JobKind, Query, RedisCommand};

/// A span of a trace; nothing while traces are off. It ends when its last clone is dropped.
#[derive(Clone, Debug, Default)]
pub struct Span(Option<Context>);

impl Span {
    /// The innermost span around the current code.
    #[must_use]
    pub fn current() -> Self {
        Self(traces::tracer().map(|_| Context::current()))
    }

    /// The span of a request, job or event, below the parent of the work, if any.
    fn of_work(work: &TraceContext, name: impl Into<Cow<'static, str>>, kind: SpanKind, attributes: Vec<KeyValue>) -> Self {
        let Some(tracer) = traces::tracer() else { return Self::default() };
        let parent = work.parent.map(|parent| Context::new().with_remote_span_context(remote(parent))).unwrap_or_default();
        let builder = tracer.span_builder("").with_kind(kind);
        let mut span = traces::with_identifiers(work, || builder.start_with_context(tracer, &parent));
        // Now, because the library copies what a span has when it begins.
        span.update_name(name);
        span.set_attributes(attributes);
        Self(Some(Context::new().with_span(span)))
    }

    /// The span of a part of the current work.
    fn of_part<N: Into<Cow<'static, str>>>(kind: SpanKind, describe: impl FnOnce() -> (N, Vec<KeyValue>)) -> Self {
        let Some(tracer) = traces::tracer() else { return Self::default() };
        let (name, attributes) = describe();
        let span = Context::map_current(|parent| {
            tracer.span_builder(name).with_kind(kind).with_attributes(attributes).start_with_context(tracer, parent)
        });
        Self(Some(Context::new().with_span(span)))
    }

    /// Runs a future in this span: the spans that it creates are below.
    pub fn around<F: Future>(&self, future: F) -> WithContext<F> {
        future.with_context(self.0.clone().unwrap_or_default())
    }

    /// Links the span to its cause, which has a trace of its own.
    pub fn link(&self, cause: Traceparent) {
        if let Some(context) = &self.0 {
            context.span().add_link(remote(cause), Vec::new());
        }
    }

    /// The span as the parent of what other replicas do for it. `None` while traces are off, and outside of a request, job or event. The
    /// flag is set if this replica is certain to keep the trace, so that the others keep their part, too.
    #[must_use]
    pub fn handed_on(&self) -> Option<Traceparent> {
        let span = self.0.as_ref()?.span();
        if !span.is_recording() {
            return None;
        }
        let (trace, span) = (span.span_context().trace_id(), span.span_context().span_id());
        let trace = trace_context::TraceId::of_bytes(trace.to_bytes());
        let span = trace_context::SpanId::of_bytes(span.to_bytes());
        Some(Traceparent { trace, span, is_sampled: traces::keeps(trace) })
    }

    /// Records that the work of the span failed. `kind` is a closed label.
    pub fn failed(&self, kind: &'static str) {
        self.set(KeyValue::new("error.type", kind));
        self.set_error();
    }

    /// Records the response to a request. Only a failure of the service is an error of its span, as the conventions say for servers. `path`
    /// is absent if it contains anything but a route and identifiers.
    pub fn answered(&self, path: Option<&str>, status: u16) {
        self.received(status);
        if let Some(path) = path {
            self.set(KeyValue::new("url.path", path.to_owned()));
        }
        if status >= 500 {
            self.set(KeyValue::new("error.type", status.to_string()));
            self.set_error();
        }
    }

    /// Records the status of a response.
    pub fn received(&self, status: u16) {
        self.set(KeyValue::new("http.response.status_code", i64::from(status)));
    }

    /// Records how a load for a cache began: `miss`, or `shared` if it waited for the load of another request.
    pub fn looked_up(&self, result: &'static str) {
        self.set(KeyValue::new("vitrine.cache.result", result));
    }

    /// Whether the span is nothing.
    #[must_use]
    pub fn is_none(&self) -> bool {
        self.0.is_none()
    }

    fn set(&self, attribute: KeyValue) {
        if let Some(context) = &self.0 {
            context.span().set_attribute(attribute);
        }
    }

    fn set_error(&self) {
        if let Some(context) = &self.0 {
            context.span().set_status(Status::error(""));
        }
    }
}

fn remote(Traceparent { trace, span, is_sampled }: Traceparent) -> SpanContext {
    let (trace, span) = (TraceId::from_bytes(trace.to_bytes()), SpanId::from_bytes(span.to_bytes()));
    SpanContext::new(trace, span, TraceFlags::default().with_sampled(is_sampled), true, TraceState::default())
}

/// An HTTP request to the service. The template of its route is absent if none matched.
#[must_use]
pub fn request(work: &TraceContext, method: &'static str, route: Option<&str>) -> Span {
    if traces::tracer().is_none() {
        return Span::default();
    }
    let name = route.map_or(Cow::Borrowed(method), |route| Cow::Owned(format!("{method} {route}")));
    let mut attributes = vec![KeyValue::new("http.request.method", method)];
    attributes.extend(route.map(|route| KeyValue::new("http.route", route.to_owned())));
    Span::of_work(work, name, SpanKind::Server, attributes)
}

/// An attempt at a job, linked to the work that enqueued it.
#[must_use]
pub fn job(work: &TraceContext, id: i64, kind: JobKind, attempt: i32, cause: Option<Traceparent>) -> Span {
    let mut attributes =
        vec![KeyValue::new("job_id", id), KeyValue::new("kind", kind.name()), KeyValue::new("attempt", i64::from(attempt))];
    attributes.extend(cause.map(|cause| KeyValue::new("enqueued_by", cause.trace.to_string())));
    let span = Span::of_work(work, format!("job {}", kind.name()), SpanKind::Consumer, attributes);
    if let Some(cause) = cause {
        span.link(cause);
    }
    span
}

/// An event of a Socket.IO client.
#[must_use]
pub fn event(work: &TraceContext, event: EventIn, user: uuid::Uuid) -> Span {
    let attributes = vec![KeyValue::new("event", event.name()), KeyValue::new("user", user.to_string())];
    Span::of_work(work, format!("receive {}", event.name()), SpanKind::Consumer, attributes)
}

/// The delivery of an event that another replica emitted, to the clients of this replica.
#[must_use]
pub fn delivery(work: &TraceContext, event: EventOut) -> Span {
    let attributes = vec![KeyValue::new("event", event.name())];
    Span::of_work(work, format!("deliver {}", event.name()), SpanKind::Consumer, attributes)
}

/// The emission of an event to the clients of all replicas.
#[must_use]
pub fn emission(event: EventOut) -> Span {
    Span::of_part(SpanKind::Producer, || (format!("emit {}", event.name()), vec![KeyValue::new("event", event.name())]))
}

/// A database statement.
#[must_use]
pub fn statement(query: Query) -> Span {
    Span::of_part(SpanKind::Client, || {
        let values = query.values();
        let (operation, table) = (values[0], values[1]);
        let attributes = vec![
            KeyValue::new("db.system.name", "postgresql"),
            KeyValue::new("db.operation.name", operation),
            KeyValue::new("db.collection.name", table),
        ];
        (format!("{operation} {table}"), attributes)
    })
}

/// A Redis command.
#[must_use]
pub fn command(command: RedisCommand) -> Span {
    Span::of_part(SpanKind::Client, || {
        let attributes = vec![KeyValue::new("db.system.name", "redis"), KeyValue::new("db.operation.name", command.name())];
        (command.name(), attributes)
    })
}

/// A lookup in a cache that does not find the entry, with its load.
#[must_use]
pub fn lookup(cache: CacheType) -> Span {
    Span::of_part(SpanKind::Internal, || (format!("lookup {}", cache.name()), vec![KeyValue::new("vitrine.cache.type", cache.name())]))
}

/// Records that the current work found a value in a cache. A hit has no span of its own, because most requests have several.
pub fn found(cache: CacheType) {
    if traces::tracer().is_none() {
        return;
    }
    let hit = match cache {
        CacheType::Session => KeyValue::new("vitrine.cache.session", "hit"),
        CacheType::User => KeyValue::new("vitrine.cache.user", "hit"),
        CacheType::Project => KeyValue::new("vitrine.cache.project", "hit"),
        CacheType::Showcase => KeyValue::new("vitrine.cache.showcase", "hit"),
        CacheType::Insights => KeyValue::new("vitrine.cache.insights", "hit"),
    };
    Context::map_current(|current| current.span().set_attribute(hit));
}

/// A call to a platform. The platform receives no trace context.
#[must_use]
pub fn platform_call(platform: Platform, endpoint: ApiEndpoint, method: &str, host: Option<&str>) -> Span {
    Span::of_part(SpanKind::Client, || {
        let (platform, endpoint) = (platform.name(), endpoint.name());
        let mut attributes = vec![
            KeyValue::new("http.request.method", method.to_owned()),
            KeyValue::new("vitrine.platform", platform),
            KeyValue::new("vitrine.endpoint", endpoint),
        ];
        attributes.extend(host.map(|host| KeyValue::new("server.address", host.to_owned())));
        (format!("{method} {platform} {endpoint}"), attributes)
    })
}

/// A call to the driver of environments.
#[must_use]
pub fn driver_call(driver: DriverName, operation: DriverOperation) -> Span {
    Span::of_part(SpanKind::Internal, || {
        let (driver, operation) = (driver.name(), operation.name());
        let attributes = vec![KeyValue::new("vitrine.driver", driver), KeyValue::new("vitrine.operation", operation)];
        (format!("{driver} {operation}"), attributes)
    })
}
