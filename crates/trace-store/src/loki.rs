//! The part of Loki's HTTP API that `cargo xtask trace` uses: the log lines of one trace. Like Loki, the store writes the attributes of a
//! line as labels, with underscores in place of other characters.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::routing::get;
use axum::{Json, Router};
use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::id::{TraceId, hexadecimal};
use crate::json::text;
use crate::memory::{Memory, StoredLine};
use crate::refusal::Refusal;

/// Number of lines in an answer without a limit; Loki's default.
const LIMIT: usize = 100;

pub fn routes() -> Router<Arc<Memory>> {
    Router::new().route("/loki/api/v1/query_range", get(lines))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Range {
    /// A query such as `{service_name="vitrine"} | trace_id="4bf9…"`. The selector in braces is not read: the trace says enough.
    query: String,
    limit: Option<usize>,
    /// Accepted for Loki's sake. A trace is short, so its lines are not cut to a range.
    #[serde(rename = "start")]
    _start: Option<String>,
    #[serde(rename = "end")]
    _end: Option<String>,
    #[serde(rename = "direction")]
    _direction: Option<String>,
}

async fn lines(State(memory): State<Arc<Memory>>, range: Result<Query<Range>, QueryRejection>) -> Result<Json<Value>, Refusal> {
    let Query(Range { query, limit, .. }) = range.map_err(|error| Refusal::malformed(error.body_text()))?;
    let id = trace_of(&query)
        .ok_or_else(|| Refusal::malformed("this store knows only queries such as {service_name=\"vitrine\"} | trace_id=\"4bf9…\""))?;
    let streams = memory.read(id, |trace| trace.lines.iter().take(limit.unwrap_or(LIMIT)).map(stream).collect::<Vec<_>>());
    Ok(Json(json!({ "status": "success", "data": { "resultType": "streams", "result": streams.unwrap_or_default() } })))
}

fn trace_of(query: &str) -> Option<TraceId> {
    let (_, filter) = query.trim().strip_prefix('{')?.split_once('}')?;
    let filter = filter.trim().strip_prefix('|')?.trim();
    TraceId::parse(filter.strip_prefix("trace_id=\"")?.strip_suffix('"')?)
}

/// A line as a stream of its own, with its labels.
fn stream(StoredLine { origin, line }: &StoredLine) -> Value {
    let mut labels: BTreeMap<String, String> = BTreeMap::new();
    add("", &origin.resource.attributes, &mut labels);
    add("", &line.attributes, &mut labels);
    for (name, value) in [("scope_name", &origin.scope.name), ("severity_text", &line.severity_text)] {
        labels.insert(name.to_owned(), value.clone());
    }
    for (name, bytes) in [("trace_id", &line.trace_id), ("span_id", &line.span_id)] {
        labels.insert(name.to_owned(), hexadecimal(bytes));
    }
    labels.retain(|_, value| !value.is_empty());
    let time = if line.time_unix_nano == 0 { line.observed_time_unix_nano } else { line.time_unix_nano };
    json!({ "stream": labels, "values": [[time.to_string(), text(line.body.as_ref())]] })
}

/// Adds attributes as labels; those of a map get its name as a prefix.
fn add(prefix: &str, attributes: &[KeyValue], labels: &mut BTreeMap<String, String>) {
    for KeyValue { key, value, .. } in attributes {
        let name = format!("{prefix}{}", label(key));
        match value.as_ref().and_then(|value| value.value.as_ref()) {
            Some(Any::KvlistValue(map)) => add(&format!("{name}_"), &map.values, labels),
            _ => drop(labels.insert(name, text(value.as_ref()))),
        }
    }
}

fn label(name: &str) -> String {
    name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_queries_for_one_trace_are_read() {
        let id = "4bf92f3577b34da6a3ce929d0e0e4736";
        assert_eq!(trace_of(&format!("{{service_name=\"vitrine\"}} | trace_id=\"{id}\"")).map(|id| id.to_string()).as_deref(), Some(id));
        for other in ["", "{a=\"b\"}", "trace_id=\"1\"", "{a=\"b\"} |= \"x\"", "{a=\"b\"} | trace_id=\"x\""] {
            assert_eq!(trace_of(other), None, "{other}");
        }
    }
}
