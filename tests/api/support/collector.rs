//! An OTLP endpoint that keeps the traces it receives.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::routing::post;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::trace::v1::Span;
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use prost::Message;
use tokio::net::TcpListener;

use super::eventually;

/// A received span, with its identifiers in hexadecimal digits.
#[derive(Clone, Debug)]
pub struct Received {
    pub trace: String,
    pub id: String,
    pub parent: String,
    /// The replica that sent it.
    pub replica: String,
    pub span: Span,
}

impl Received {
    pub fn name(&self) -> &str {
        &self.span.name
    }

    pub fn kind(&self) -> SpanKind {
        self.span.kind()
    }

    /// Whether the span failed.
    pub fn is_error(&self) -> bool {
        self.span.status.as_ref().is_some_and(|status| status.code == 2)
    }

    /// The value of an attribute as text; empty if the span does not have it.
    pub fn attribute(&self, name: &str) -> String {
        let value = self.span.attributes.iter().find(|attribute| attribute.key == name);
        value.map(text_of).unwrap_or_default()
    }

    /// The traces that the span is linked to.
    pub fn links(&self) -> Vec<String> {
        self.span.links.iter().map(|link| hexadecimal(&link.trace_id)).collect()
    }
}

/// A running endpoint.
pub struct Collector {
    address: SocketAddr,
    requests: Arc<Mutex<Vec<ExportTraceServiceRequest>>>,
}

impl Collector {
    pub async fn start() -> Self {
        let requests: Arc<Mutex<Vec<ExportTraceServiceRequest>>> = Arc::default();
        let receive = async |State(requests): State<Arc<Mutex<Vec<_>>>>, body: Bytes| {
            requests.lock().unwrap().push(ExportTraceServiceRequest::decode(body).unwrap());
        };
        let router = Router::new().route("/v1/traces", post(receive)).with_state(requests.clone());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { address, requests }
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// All spans so far.
    pub fn spans(&self) -> Vec<Received> {
        let requests = self.requests.lock().unwrap();
        let mut spans = Vec::new();
        for resource in requests.iter().flat_map(|request| &request.resource_spans) {
            let attributes = &resource.resource.as_ref().unwrap().attributes;
            let replica = attributes.iter().find(|attribute| attribute.key == "service.instance.id").map(text_of).unwrap_or_default();
            spans.extend(resource.scope_spans.iter().flat_map(|scope| &scope.spans).map(|span| Received {
                trace: hexadecimal(&span.trace_id),
                id: hexadecimal(&span.span_id),
                parent: hexadecimal(&span.parent_span_id),
                replica: replica.clone(),
                span: span.clone(),
            }));
        }
        spans
    }

    /// The attributes of the resource that sent the first request.
    pub fn resource(&self) -> Vec<(String, String)> {
        let requests = self.requests.lock().unwrap();
        let resource = requests[0].resource_spans[0].resource.as_ref().unwrap();
        resource.attributes.iter().map(|attribute| (attribute.key.clone(), text_of(attribute))).collect()
    }

    /// Everything received so far, as text.
    pub fn text(&self) -> String {
        format!("{:?}", self.requests.lock().unwrap())
    }

    /// Waits for a span that satisfies the condition, and returns it with all spans of its trace.
    pub async fn trace_with(&self, what: &str, condition: impl Fn(&Received) -> bool) -> (Received, Vec<Received>) {
        eventually(&format!("{what} is exported"), async || {
            let spans = self.spans();
            let found = spans.iter().find(|span| condition(span)).cloned()?;
            let trace = spans.into_iter().filter(|span| span.trace == found.trace).collect();
            Some((found, trace))
        })
        .await
    }
}

fn hexadecimal(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").unwrap();
        text
    })
}

fn text_of(attribute: &KeyValue) -> String {
    match attribute.value.as_ref().and_then(|value| value.value.as_ref()) {
        Some(Value::StringValue(text)) => text.clone(),
        Some(Value::IntValue(number)) => number.to_string(),
        other => format!("{other:?}"),
    }
}
