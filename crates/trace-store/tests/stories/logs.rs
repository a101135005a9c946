//! Log lines: those of a trace are read as in Loki.

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
use opentelemetry_proto::tonic::common::v1::{AnyValue, InstrumentationScope, KeyValue, KeyValueList};
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
use prost::Message;
use reqwest::StatusCode;
use serde_json::json;

use crate::support::{Running, TRACE, attribute, bytes, replica};

fn line(body: &str, trace: &str) -> LogRecord {
    LogRecord {
        time_unix_nano: 1_700_000_000_000_000_000,
        severity_text: "WARN".to_owned(),
        body: Some(AnyValue { value: Some(Any::StringValue(body.to_owned())) }),
        attributes: vec![attribute("http.route", "/api/projects"), map("span", vec![attribute("name", "request")])],
        trace_id: bytes(trace),
        span_id: if trace.is_empty() { Vec::new() } else { bytes("00f067aa0ba902b7") },
        ..LogRecord::default()
    }
}

fn map(name: &str, values: Vec<KeyValue>) -> KeyValue {
    let value = Some(AnyValue { value: Some(Any::KvlistValue(KeyValueList { values })) });
    KeyValue { key: name.to_owned(), value, ..KeyValue::default() }
}

fn request(log_records: Vec<LogRecord>) -> Vec<u8> {
    let scope = Some(InstrumentationScope { name: "access".to_owned(), ..InstrumentationScope::default() });
    let scope_logs = vec![ScopeLogs { scope, log_records, ..ScopeLogs::default() }];
    let resource_logs = vec![ResourceLogs { resource: Some(replica()), scope_logs, ..ResourceLogs::default() }];
    ExportLogsServiceRequest { resource_logs }.encode_to_vec()
}

#[tokio::test]
async fn the_lines_of_a_trace_have_its_attributes_as_labels() {
    let store = Running::start().await;
    assert_eq!(store.send("/v1/logs", request(vec![line("request slow", TRACE), line("started", "")])).await, StatusCode::OK);
    let query = format!("{{service_name=\"vitrine\"}} | trace_id=\"{TRACE}\"");
    let (status, answer) = store.get("/loki/api/v1/query_range", &[("query", &query), ("limit", "10"), ("direction", "forward")]).await;
    assert_eq!(status, StatusCode::OK);
    let streams = answer["data"]["result"].as_array().unwrap();
    assert_eq!(streams.len(), 1, "{streams:?}");
    assert_eq!(streams[0]["values"], json!([["1700000000000000000", "request slow"]]));
    let labels = json!({
        "service_name": "vitrine", "service_instance_id": "backend-1", "scope_name": "access", "severity_text": "WARN",
        "http_route": "/api/projects", "span_name": "request", "trace_id": TRACE, "span_id": "00f067aa0ba902b7",
    });
    assert_eq!(streams[0]["stream"], labels);
    assert_eq!(store.get("/counts", &[]).await.1["lines"], 2, "a line without a trace is counted");
    assert_eq!(store.get(&format!("/api/traces/{TRACE}"), &[]).await.0, StatusCode::NOT_FOUND, "lines alone are no trace");
}

#[tokio::test]
async fn malformed_lines_and_queries_are_refused() {
    let store = Running::start().await;
    let odd = LogRecord { trace_id: vec![1, 2], ..line("request slow", TRACE) };
    assert_eq!(store.send("/v1/logs", request(vec![line("request slow", TRACE), odd])).await, StatusCode::BAD_REQUEST);
    assert_eq!(store.get("/counts", &[]).await.1["lines"], 0);
    for query in ["{service_name=\"vitrine\"}", "{service_name=\"vitrine\"} |= \"slow\""] {
        assert_eq!(store.get("/loki/api/v1/query_range", &[("query", query)]).await.0, StatusCode::BAD_REQUEST, "{query}");
    }
}
