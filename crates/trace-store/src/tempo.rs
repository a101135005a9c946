//! The part of Tempo's HTTP API that `cargo xtask trace` uses: readiness, a trace by its identifier, and searches. Other parameters than
//! those listed here are refused, so that no filter is silently ignored.

use std::sync::Arc;

use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::routing::get;
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::id::{TraceId, hexadecimal};
use crate::json::{self, attribute};
use crate::memory::{Memory, StoredSpan, Trace};
use crate::query::{Filter, duration};
use crate::refusal::Refusal;

/// Number of traces in the answer to a search without a limit; Tempo's default.
const LIMIT: usize = 20;
/// Number of found spans listed for each trace; Tempo's default.
const SPANS_PER_TRACE: usize = 3;
const NANOSECONDS: u64 = 1_000_000_000;

pub fn routes() -> Router<Arc<Memory>> {
    Router::new().route("/ready", get(async || "ready\n")).route("/api/traces/{id}", get(trace)).route("/api/search", get(search))
}

async fn trace(State(memory): State<Arc<Memory>>, Path(id): Path<String>) -> Result<Json<Value>, Refusal> {
    let id = TraceId::parse(&id).ok_or_else(|| Refusal::malformed("a trace ID must be up to 32 hexadecimal digits, not all zero"))?;
    let found = memory.read(id, |trace| (!trace.spans.is_empty()).then(|| json::trace(&trace.spans)));
    found.flatten().map(Json).ok_or_else(|| Refusal::unknown(format!("no trace {id} here")))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Search {
    /// A filter in `TraceQL`.
    q: Option<String>,
    /// Maximum number of traces.
    limit: Option<usize>,
    /// Maximum number of found spans for each trace.
    spss: Option<usize>,
    /// The traces with a found span that began in these Unix seconds.
    start: Option<u64>,
    end: Option<u64>,
}

async fn search(State(memory): State<Arc<Memory>>, search: Result<Query<Search>, QueryRejection>) -> Result<Json<Value>, Refusal> {
    let Query(search) = search.map_err(|error| Refusal::malformed(error.body_text()))?;
    let filter = search.q.as_deref().map_or_else(|| Ok(Filter::default()), Filter::parse)?;
    let (start, end) =
        (search.start.unwrap_or_default().saturating_mul(NANOSECONDS), search.end.map_or(u64::MAX, |end| end.saturating_mul(NANOSECONDS)));
    let is_found = |stored: &&StoredSpan| (start..=end).contains(&stored.span.start_time_unix_nano) && filter.finds(&stored.span);
    let traces = memory.newest(|id, trace| {
        let found: Vec<&StoredSpan> = trace.spans.iter().filter(is_found).collect();
        (!found.is_empty()).then(|| summary(id, trace, &found, search.spss.unwrap_or(SPANS_PER_TRACE)))
    });
    let traces: Vec<Value> = traces.into_iter().take(search.limit.unwrap_or(LIMIT)).collect();
    Ok(Json(json!({ "traces": traces, "metrics": {} })))
}

/// A trace in the answer to a search.
fn summary(id: TraceId, trace: &Trace, found: &[&StoredSpan], listed: usize) -> Value {
    let times = || trace.spans.iter().map(|stored| (stored.span.start_time_unix_nano, stored.span.end_time_unix_nano));
    let (start, end) = times().fold((u64::MAX, 0), |(start, end), (began, ended)| (start.min(began), end.max(ended)));
    let root = trace.spans.iter().find(|stored| stored.span.parent_span_id.is_empty());
    let service = root.and_then(|root| attribute(&root.origin.resource.attributes, "service.name"));
    let spans: Vec<Value> = found.iter().take(listed).map(|stored| span(stored)).collect();
    json!({
        "traceID": id.to_string(),
        "rootServiceName": service.unwrap_or_default(),
        "rootTraceName": root.map_or("<root span not yet received>", |root| root.span.name.as_str()),
        "startTimeUnixNano": start.to_string(),
        "durationMs": end.saturating_sub(start) / 1_000_000,
        "spanSets": [{ "spans": spans, "matched": found.len() }],
    })
}

fn span(StoredSpan { span, .. }: &StoredSpan) -> Value {
    json!({
        "spanID": hexadecimal(&span.span_id),
        "name": span.name,
        "startTimeUnixNano": span.start_time_unix_nano.to_string(),
        "durationNanos": duration(span).as_nanos().to_string(),
    })
}
