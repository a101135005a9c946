//! The spans of a trace: one constructor for each kind. Features contain no tracing code: the modules through which all work passes, such as
//! `db`, `cache` and `jobs`, create these spans. While traces are off, a span is nothing and costs one comparison. The spans of log lines
//! are in `log_spans`; `traces` has the names and attributes, and decides what is kept.

use std::sync::Arc;

use futures_util::future::Either;
use opentelemetry::KeyValue;
use uuid::Uuid;

use super::trace_context::{TraceContext, Traceparent};
use super::traces::{self, Part, Place, Subject, Work};
use crate::domain::{DriverName, DriverOperation, Platform};
use crate::metrics::labels::{ApiEndpoint, CacheType, EventIn, EventOut, JobKind, Query, RedisCommand};

tokio::task_local! {
    static CURRENT: Place;
}

/// A span of a trace, which ends when it is dropped. Nothing while traces are off, and for parts outside of a request, job or event.
#[derive(Default)]
pub struct Span(Option<Recorded>);

enum Recorded {
    Work(Arc<Work>),
    Part(Part),
}

impl Span {
    fn of_work(work: &TraceContext, subject: impl FnOnce() -> Subject) -> Self {
        Self(traces::recorder().map(|recorder| Recorded::Work(Work::begin(recorder, work, subject()))))
    }

    fn of_part(subject: impl FnOnce() -> Subject) -> Self {
        if traces::recorder().is_none() {
            return Self::default();
        }
        Self(CURRENT.try_with(|place| Recorded::Part(Part::begin(place, subject()))).ok())
    }

    /// Runs a future in this span: the spans that it creates are below.
    pub fn around<F: Future>(&self, future: F) -> impl Future<Output = F::Output> + use<F> {
        self.inside().around(future)
    }

    /// Like [`Self::around`], for a future that owns this span.
    #[must_use]
    pub fn inside(&self) -> Inside {
        Inside(match &self.0 {
            Some(Recorded::Work(work)) => Some(Place::of_work(work)),
            Some(Recorded::Part(part)) => Some(part.place()),
            None => None,
        })
    }

    /// The span as the parent of what other replicas do for it. `None` while traces are off, and outside of a request, job or event. The
    /// flag is set if this replica is certain to keep the trace, so that the others keep their part, too.
    #[must_use]
    pub fn handed_on(&self) -> Option<Traceparent> {
        match &self.0 {
            Some(Recorded::Part(part)) => Some(part.handed_on()),
            Some(Recorded::Work(_)) | None => None,
        }
    }

    /// Records that the work of the span failed. `kind` is a closed label.
    pub fn failed(&self, kind: &'static str) {
        self.fail(KeyValue::new("error.type", kind));
    }

    /// Records the response to a request. Only a failure of the service is an error of its span, as the conventions say for servers. `path`
    /// is `None` if it contains anything but a route and identifiers; it is asked only for work that is kept.
    pub fn answered(&self, path: impl FnOnce() -> Option<String>, status: u16) {
        if status >= 500 {
            self.fail(KeyValue::new("error.type", status.to_string()));
        }
        if !matches!(&self.0, Some(Recorded::Work(work)) if work.is_kept()) {
            return;
        }
        self.received(status);
        if let Some(path) = path() {
            self.set(|| KeyValue::new("url.path", path));
        }
    }

    /// Records the status of a response.
    pub fn received(&self, status: u16) {
        self.set(|| KeyValue::new("http.response.status_code", i64::from(status)));
    }

    /// Records how a load for a cache began: `miss`, or `shared` if it waited for the load of another request.
    pub fn looked_up(&self, result: &'static str) {
        self.set(|| KeyValue::new("vitrine.cache.result", result));
    }

    /// Whether the span is nothing.
    #[must_use]
    pub fn is_none(&self) -> bool {
        self.0.is_none()
    }

    fn set(&self, attribute: impl FnOnce() -> KeyValue) {
        match &self.0 {
            Some(Recorded::Work(work)) => work.set(attribute()),
            Some(Recorded::Part(part)) => part.set(attribute()),
            None => {}
        }
    }

    fn fail(&self, reason: KeyValue) {
        match &self.0 {
            Some(Recorded::Work(work)) => work.fail(reason),
            Some(Recorded::Part(part)) => part.fail(reason),
            None => {}
        }
    }
}

/// The inside of a span.
pub struct Inside(Option<Place>);

impl Inside {
    /// Runs a future here.
    pub fn around<F: Future>(self, future: F) -> impl Future<Output = F::Output> + use<F> {
        match self.0 {
            Some(place) => Either::Left(CURRENT.scope(place, future)),
            None => Either::Right(future),
        }
    }
}

impl Drop for Span {
    fn drop(&mut self) {
        match &self.0 {
            Some(Recorded::Work(work)) => work.end(),
            Some(Recorded::Part(part)) => part.end(),
            None => {}
        }
    }
}

/// Records that the current request, job or event failed. `kind` is a closed label.
pub fn work_failed(kind: &'static str) {
    // Fails only outside of such work, or while traces are off.
    let _recorded = CURRENT.try_with(|place| place.work.fail(KeyValue::new("error.type", kind)));
}

/// Records that the current work found a value in a cache. A hit has no span of its own, because most requests have several.
pub fn found(cache: CacheType) {
    let hit = || match cache {
        CacheType::Session => KeyValue::new("vitrine.cache.session", "hit"),
        CacheType::User => KeyValue::new("vitrine.cache.user", "hit"),
        CacheType::Project => KeyValue::new("vitrine.cache.project", "hit"),
        CacheType::Showcase => KeyValue::new("vitrine.cache.showcase", "hit"),
        CacheType::Insights => KeyValue::new("vitrine.cache.insights", "hit"),
    };
    // Fails only outside of such work, or while traces are off.
    let _recorded = CURRENT.try_with(|place| place.work.note(hit));
}

/// An HTTP request to the service. The template of its route is absent if none matched.
#[must_use]
pub fn request(work: &TraceContext, method: &'static str, route: Option<&str>) -> Span {
    Span::of_work(work, || Subject::Request { method, route: route.map(str::to_owned) })
}

/// An attempt at a job, linked to the work that enqueued it.
#[must_use]
pub fn job(work: &TraceContext, id: i64, kind: JobKind, attempt: i32, cause: Option<Traceparent>) -> Span {
    Span::of_work(work, || Subject::Job { id, kind, attempt, cause })
}

/// An event of a Socket.IO client.
#[must_use]
pub fn event(work: &TraceContext, event: EventIn, user: Uuid) -> Span {
    Span::of_work(work, || Subject::Event { event, user })
}

/// The delivery of an event that another replica emitted, to the clients of this replica.
#[must_use]
pub fn delivery(work: &TraceContext, event: EventOut) -> Span {
    Span::of_work(work, || Subject::Delivery(event))
}

/// The emission of an event to the clients of all replicas.
#[must_use]
pub fn emission(event: EventOut) -> Span {
    Span::of_part(|| Subject::Emission(event))
}

/// A database statement.
#[must_use]
pub fn statement(query: Query) -> Span {
    Span::of_part(|| Subject::Statement(query))
}

/// A Redis command.
#[must_use]
pub fn command(command: RedisCommand) -> Span {
    Span::of_part(|| Subject::Command(command))
}

/// A lookup in a cache that does not find the entry, with its load.
#[must_use]
pub fn lookup(cache: CacheType) -> Span {
    Span::of_part(|| Subject::Lookup(cache))
}

/// A call to a platform. The platform receives no trace context.
#[must_use]
pub fn platform_call(platform: Platform, endpoint: ApiEndpoint, method: &str, host: Option<&str>) -> Span {
    Span::of_part(|| Subject::PlatformCall { platform, endpoint, method: method.to_owned(), host: host.map(str::to_owned) })
}

/// A call to the driver of environments.
#[must_use]
pub fn driver_call(driver: DriverName, operation: DriverOperation) -> Span {
    Span::of_part(|| Subject::DriverCall { driver, operation })
}
