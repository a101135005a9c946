//! Traces: what arrives is read and found as in Tempo.

use opentelemetry_proto::tonic::trace::v1::span::{Link, SpanKind};
use opentelemetry_proto::tonic::trace::v1::status::StatusCode as Code;
use opentelemetry_proto::tonic::trace::v1::{Span, Status};
use prost::Message;
use reqwest::StatusCode;
use serde_json::json;

use crate::support::{Running, TRACE, bytes, request, server_span};

const OTHER: &str = "00000000000000000000000000000abc";

#[tokio::test]
async fn a_trace_is_written_as_tempo_writes_it() {
    let store = Running::start().await;
    let status = Some(Status { code: Code::Error.into(), ..Status::default() });
    let child = Span { span_id: bytes("00f067aa0ba90200"), parent_span_id: bytes("00f067aa0ba902b7"), status, ..server_span(TRACE, 5) };
    assert_eq!(store.send_spans(vec![server_span(TRACE, 20), child]).await, StatusCode::OK);
    let (status, trace) = store.get(&format!("/api/traces/{TRACE}"), &[]).await;
    assert_eq!(status, StatusCode::OK);
    let batch = &trace["batches"][0];
    assert_eq!(batch["resource"]["attributes"][1], json!({ "key": "service.instance.id", "value": { "stringValue": "backend-1" } }));
    let spans = &batch["scopeSpans"][0]["spans"];
    assert_eq!(
        [&spans[0]["traceId"], &spans[0]["spanId"], &spans[0]["kind"], &spans[0]["endTimeUnixNano"], &spans[0]["status"]],
        [&json!("S/kvNXezTaajzpKdDg5HNg=="), &json!("APBnqgupArc="), &json!("SPAN_KIND_SERVER"), &json!("1700000000020000000"), &json!({})]
    );
    assert_eq!((&spans[1]["parentSpanId"], &spans[1]["status"]["code"]), (&json!("APBnqgupArc="), &json!("STATUS_CODE_ERROR")));
    assert!(spans[0]["parentSpanId"].is_null());
}

#[tokio::test]
async fn an_unknown_trace_is_404_and_an_identifier_that_is_none_is_400() {
    let store = Running::start().await;
    assert_eq!(store.get("/ready", &[]).await.0, StatusCode::OK);
    assert_eq!(store.get(&format!("/api/traces/{TRACE}"), &[]).await.0, StatusCode::NOT_FOUND);
    for id in ["xyz", "00000000000000000000000000000000", "4bf92f3577b34da6a3ce929d0e0e473600"] {
        assert_eq!(store.get(&format!("/api/traces/{id}"), &[]).await.0, StatusCode::BAD_REQUEST, "{id}");
    }
}

#[tokio::test]
async fn a_search_finds_the_newest_traces_that_satisfy_it() {
    let store = Running::start().await;
    let failed = Some(Status { code: Code::Error.into(), ..Status::default() });
    let links = vec![Link { trace_id: bytes(TRACE), span_id: bytes("00f067aa0ba902b7"), ..Link::default() }];
    store.send_spans(vec![server_span(TRACE, 700)]).await;
    store.send_spans(vec![Span { kind: SpanKind::Consumer.into(), status: failed, links, ..server_span(OTHER, 20) }]).await;
    for (query, found) in [
        ("{}", vec![OTHER, TRACE]),
        ("{ kind = server }", vec![TRACE]),
        ("{ status = error }", vec![OTHER]),
        ("{ duration >= 300ms && span.http.route != nil }", vec![TRACE]),
        ("{ link:traceID = \"4bf92f3577b34da6a3ce929d0e0e4736\" }", vec![OTHER]),
        ("{ kind = server && status = error }", vec![]),
    ] {
        assert_eq!(store.search(query).await, found, "{query}");
    }
    let (_, found) =
        store.get("/api/search", &[("q", "{ kind = server }"), ("limit", "1"), ("start", "1700000000"), ("end", "1700000001")]).await;
    let trace = &found["traces"][0];
    assert_eq!(
        (&trace["rootTraceName"], &trace["rootServiceName"], &trace["durationMs"]),
        (&json!("GET /api/projects"), &json!("vitrine"), &json!(700))
    );
    assert_eq!(trace["spanSets"][0]["spans"][0]["durationNanos"], "700000000");
    let (_, later) = store.get("/api/search", &[("start", "1700000001")]).await;
    assert_eq!(later["traces"], json!([]));
}

#[tokio::test]
async fn what_the_store_cannot_search_for_is_refused() {
    let store = Running::start().await;
    for parameters in [[("q", "{ resource.a = 1 }")], [("q", "rate()")], [("tags", "a=b")], [("limit", "many")]] {
        assert_eq!(store.get("/api/search", &parameters).await.0, StatusCode::BAD_REQUEST, "{parameters:?}");
    }
}

#[tokio::test]
async fn a_compressed_body_is_read_unless_it_is_too_large() {
    let store = Running::start().await;
    let body = request(vec![server_span(TRACE, 1)]).encode_to_vec();
    assert_eq!(store.send_compressed("/v1/traces", &body).await, StatusCode::OK);
    assert_eq!(store.search("{ kind = server }").await, [TRACE]);
    assert_eq!(store.send_compressed("/v1/traces", &vec![0; 9 << 20]).await, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn malformed_spans_are_refused_and_nothing_of_their_request_is_kept() {
    let store = Running::start().await;
    let headless = Span { span_id: Vec::new(), ..server_span(TRACE, 1) };
    let nameless = Span { trace_id: vec![0; 16], ..server_span(TRACE, 1) };
    for malformed in [headless, nameless] {
        assert_eq!(store.send_spans(vec![server_span(TRACE, 1), malformed]).await, StatusCode::BAD_REQUEST);
    }
    assert_eq!(store.send("/v1/traces", b"\xff not protobuf".to_vec()).await, StatusCode::BAD_REQUEST);
    assert_eq!(store.get("/counts", &[]).await.1, json!({ "spans": 0, "lines": 0, "dropped": 0, "forgotten": 0 }));
}
