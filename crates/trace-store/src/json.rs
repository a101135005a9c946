//! Spans as Tempo's `GET /api/traces/{id}` writes them: OTLP in the JSON of Go's protobuf library. It differs from OTLP's own JSON in two
//! ways: the list is called `batches`, and identifiers are in Base64, not in hexadecimal digits (Tempo's issues 3802 and 5437).

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use opentelemetry_proto::tonic::trace::v1::Span;
use opentelemetry_proto::tonic::trace::v1::span::Link;
use serde_json::{Map, Value, json};

use crate::memory::StoredSpan;

/// A trace: its spans by their senders.
pub fn trace(spans: &[StoredSpan]) -> Value {
    let of_one_sender = spans.chunk_by(|one, other| Arc::ptr_eq(&one.origin, &other.origin));
    json!({ "batches": of_one_sender.map(batch).collect::<Vec<_>>() })
}

fn batch(spans: &[StoredSpan]) -> Value {
    let origin = &spans[0].origin;
    json!({
        "resource": { "attributes": attributes(&origin.resource.attributes) },
        "scopeSpans": [{
            "scope": { "name": origin.scope.name, "version": origin.scope.version },
            "spans": spans.iter().map(|stored| span(&stored.span)).collect::<Vec<_>>(),
        }],
    })
}

fn span(span: &Span) -> Value {
    let mut written = json!({
        "traceId": STANDARD.encode(&span.trace_id),
        "spanId": STANDARD.encode(&span.span_id),
        "name": span.name,
        "kind": span.kind().as_str_name(),
        "startTimeUnixNano": span.start_time_unix_nano.to_string(),
        "endTimeUnixNano": span.end_time_unix_nano.to_string(),
        "attributes": attributes(&span.attributes),
        "links": span.links.iter().map(link).collect::<Vec<_>>(),
        "status": {},
    });
    if !span.parent_span_id.is_empty() {
        written["parentSpanId"] = STANDARD.encode(&span.parent_span_id).into();
    }
    if let Some(status) = span.status.as_ref().filter(|status| status.code != 0) {
        written["status"] = json!({ "code": status.code().as_str_name(), "message": status.message });
    }
    written
}

fn link(link: &Link) -> Value {
    let [trace, span] = [&link.trace_id, &link.span_id].map(|id| STANDARD.encode(id));
    json!({ "traceId": trace, "spanId": span, "attributes": attributes(&link.attributes) })
}

fn attributes(attributes: &[KeyValue]) -> Vec<Value> {
    attributes.iter().map(|attribute| json!({ "key": attribute.key, "value": value(attribute.value.as_ref()) })).collect()
}

fn value(value_of: Option<&AnyValue>) -> Value {
    match value_of.and_then(|value| value.value.as_ref()) {
        Some(Any::StringValue(text)) => json!({ "stringValue": text }),
        Some(Any::BoolValue(is_true)) => json!({ "boolValue": is_true }),
        Some(Any::IntValue(number)) => json!({ "intValue": number.to_string() }),
        Some(Any::DoubleValue(number)) => json!({ "doubleValue": number }),
        Some(Any::BytesValue(bytes)) => json!({ "bytesValue": STANDARD.encode(bytes) }),
        Some(Any::ArrayValue(list)) => {
            json!({ "arrayValue": { "values": list.values.iter().map(|item| value(Some(item))).collect::<Vec<_>>() } })
        }
        Some(Any::KvlistValue(map)) => json!({ "kvlistValue": { "values": attributes(&map.values) } }),
        _ => Value::Object(Map::new()),
    }
}

/// A value as text, as labels and lines of logs have it.
pub fn text(value_of: Option<&AnyValue>) -> String {
    match value_of.and_then(|value| value.value.as_ref()) {
        Some(Any::StringValue(text)) => text.clone(),
        Some(Any::BoolValue(is_true)) => is_true.to_string(),
        Some(Any::IntValue(number)) => number.to_string(),
        Some(Any::DoubleValue(number)) => number.to_string(),
        Some(_) => value(value_of).to_string(),
        None => String::new(),
    }
}

/// The text of the attribute with this name.
pub fn attribute(attributes: &[KeyValue], name: &str) -> Option<String> {
    attributes.iter().find(|attribute| attribute.key == name).map(|attribute| text(attribute.value.as_ref()))
}
