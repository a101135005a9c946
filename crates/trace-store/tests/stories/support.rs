//! A running store and its client, and messages of OTLP.

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};
use prost::Message;
use reqwest::{Client, StatusCode};
use serde_json::Value;
use trace_store::{Config, TraceStore};

/// A trace, in hexadecimal digits.
pub const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

pub struct Running {
    store: TraceStore,
    client: Client,
}

impl Running {
    pub async fn start() -> Self {
        let listen_addresses = vec!["127.0.0.1:0".parse().unwrap()];
        let store = TraceStore::start(&Config { listen_addresses }).await.unwrap();
        Self { store, client: Client::builder().no_proxy().build().unwrap() }
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.store.addresses()[0])
    }

    /// Sends a body in protobuf and returns the status.
    pub async fn send(&self, path: &str, body: Vec<u8>) -> StatusCode {
        let request = self.client.post(self.url(path)).header("content-type", "application/x-protobuf");
        request.body(body).send().await.unwrap().status()
    }

    /// As [`Self::send`], compressed by gzip.
    pub async fn send_compressed(&self, path: &str, body: &[u8]) -> StatusCode {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(body).unwrap();
        let request = self.client.post(self.url(path)).header("content-type", "application/x-protobuf").header("content-encoding", "gzip");
        request.body(encoder.finish().unwrap()).send().await.unwrap().status()
    }

    /// Sends spans of one process.
    pub async fn send_spans(&self, spans: Vec<Span>) -> StatusCode {
        self.send("/v1/traces", request(spans).encode_to_vec()).await
    }

    /// The status and the body of a GET; the body is null if it is not JSON.
    pub async fn get(&self, path: &str, parameters: &[(&str, &str)]) -> (StatusCode, Value) {
        let mut url = reqwest::Url::parse(&self.url(path)).unwrap();
        url.query_pairs_mut().extend_pairs(parameters);
        let answer = self.client.get(url).send().await.unwrap();
        let status = answer.status();
        (status, serde_json::from_str(&answer.text().await.unwrap()).unwrap_or_default())
    }

    /// The identifiers of the traces that a search finds.
    pub async fn search(&self, query: &str) -> Vec<String> {
        let (status, found) = self.get("/api/search", &[("q", query)]).await;
        assert_eq!(status, StatusCode::OK, "{query}");
        found["traces"].as_array().unwrap().iter().map(|trace| trace["traceID"].as_str().unwrap().to_owned()).collect()
    }
}

/// The resource of a replica.
pub fn replica() -> Resource {
    let attributes = vec![attribute("service.name", "vitrine"), attribute("service.instance.id", "backend-1")];
    Resource { attributes, ..Resource::default() }
}

pub fn attribute(name: &str, value: &str) -> KeyValue {
    let value = Some(AnyValue { value: Some(Any::StringValue(value.to_owned())) });
    KeyValue { key: name.to_owned(), value, ..KeyValue::default() }
}

pub fn request(spans: Vec<Span>) -> ExportTraceServiceRequest {
    let scope_spans = vec![ScopeSpans { spans, ..ScopeSpans::default() }];
    ExportTraceServiceRequest { resource_spans: vec![ResourceSpans { resource: Some(replica()), scope_spans, ..ResourceSpans::default() }] }
}

/// The bytes of an identifier.
pub fn bytes(id: &str) -> Vec<u8> {
    (0..id.len()).step_by(2).map(|at| u8::from_str_radix(&id[at..at + 2], 16).unwrap()).collect()
}

/// The span of a request that takes this time.
pub fn server_span(trace: &str, milliseconds: u64) -> Span {
    let start = 1_700_000_000_000_000_000;
    Span {
        trace_id: bytes(trace),
        span_id: bytes("00f067aa0ba902b7"),
        name: "GET /api/projects".to_owned(),
        kind: SpanKind::Server.into(),
        start_time_unix_nano: start,
        end_time_unix_nano: start + milliseconds * 1_000_000,
        attributes: vec![attribute("http.route", "/api/projects")],
        ..Span::default()
    }
}
