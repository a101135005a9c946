//! The requests, jobs and events that log lines name as their `span`. The spans of traces are in `spans`: they are measured, and have more
//! attributes.

use tracing::{Level, Span, span};

use super::trace_context::Traceparent;
use crate::metrics::labels::{EventIn, JobKind};

/// An HTTP request to the service.
#[must_use]
pub fn request(method: &'static str, route: Option<&str>) -> Span {
    span!(Level::INFO, "request", http.request.method = method, http.route = route)
}

/// An attempt at a job.
#[must_use]
pub fn job(id: i64, kind: JobKind, attempt: i32, cause: Option<Traceparent>) -> Span {
    let enqueued_by = cause.map(|cause| tracing::field::display(cause.trace));
    span!(Level::INFO, "job", job_id = id, kind = kind.name(), attempt, enqueued_by)
}

/// An event of a Socket.IO client.
#[must_use]
pub fn event(event: EventIn, user: uuid::Uuid) -> Span {
    span!(Level::INFO, "event", event = event.name(), %user)
}
