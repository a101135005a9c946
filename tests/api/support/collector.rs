//! An OTLP endpoint that keeps the traces and log lines it receives.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::post;
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue, any_value};
use opentelemetry_proto::tonic::logs::v1::LogRecord;
use opentelemetry_proto::tonic::trace::v1::Span;
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use prost::Message;
use serde_json::{Map, Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
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
    requests: Requests<ExportTraceServiceRequest>,
    logs: Requests<ExportLogsServiceRequest>,
}

type Requests<R> = Arc<Mutex<Vec<R>>>;

async fn receive<R: Message + Default>(State(requests): State<Requests<R>>, body: Bytes) {
    requests.lock().unwrap().push(R::decode(body).unwrap());
}

async fn serve(router: Router) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, router).await });
    address
}

/// The URL of an endpoint that answers every request with 503.
pub async fn failing() -> String {
    format!("http://{}", serve(Router::new().fallback(async || StatusCode::SERVICE_UNAVAILABLE)).await)
}

impl Collector {
    pub async fn start() -> Self {
        let (requests, logs) = (Requests::default(), Requests::default());
        let traces = Router::new().route("/v1/traces", post(receive::<ExportTraceServiceRequest>)).with_state(requests.clone());
        let router = Router::new().route("/v1/logs", post(receive::<ExportLogsServiceRequest>)).with_state(logs.clone()).merge(traces);
        Self { address: serve(router).await, requests, logs }
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

    /// All log lines so far, in the shape that they have on standard output.
    pub fn lines(&self) -> Vec<Value> {
        let requests = self.logs.lock().unwrap();
        let scopes = requests.iter().flat_map(|request| &request.resource_logs).flat_map(|resource| &resource.scope_logs);
        scopes.flat_map(|scope| scope.log_records.iter().map(|record| line_of(&scope.scope.as_ref().unwrap().name, record))).collect()
    }

    /// The attributes of the resource that sent the first request.
    pub fn resource(&self) -> Vec<(String, String)> {
        let requests = self.requests.lock().unwrap();
        let resource = requests[0].resource_spans[0].resource.as_ref().unwrap();
        resource.attributes.iter().map(|attribute| (attribute.key.clone(), text_of(attribute))).collect()
    }

    /// Everything received so far, as text.
    pub fn text(&self) -> String {
        format!("{:?} {:?}", self.requests.lock().unwrap(), self.logs.lock().unwrap())
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

fn line_of(scope: &str, record: &LogRecord) -> Value {
    let mut attributes: Map<String, Value> =
        record.attributes.iter().map(|attribute| (attribute.key.clone(), json_of(attribute.value.as_ref()))).collect();
    let time = OffsetDateTime::from_unix_timestamp_nanos(i128::from(record.time_unix_nano)).unwrap();
    let mut line = json!({
        "timestamp": time.format(&Rfc3339).unwrap(),
        "severity_text": record.severity_text,
        "severity_number": record.severity_number,
        "body": json_of(record.body.as_ref()),
        "scope": scope,
    });
    for (name, id) in [("trace_id", &record.trace_id), ("span_id", &record.span_id)] {
        if !id.is_empty() {
            line[name] = hexadecimal(id).into();
        }
    }
    if let Some(span) = attributes.remove("span") {
        line["span"] = span;
    }
    if !attributes.is_empty() {
        line["attributes"] = attributes.into();
    }
    line
}

fn json_of(value: Option<&AnyValue>) -> Value {
    match value.and_then(|value| value.value.clone()) {
        Some(any_value::Value::StringValue(text)) => text.into(),
        Some(any_value::Value::IntValue(number)) => number.into(),
        Some(any_value::Value::DoubleValue(number)) => number.into(),
        Some(any_value::Value::BoolValue(value)) => value.into(),
        Some(any_value::Value::KvlistValue(list)) => {
            list.values.into_iter().map(|field| (field.key, json_of(field.value.as_ref()))).collect::<Map<_, _>>().into()
        }
        other => panic!("{other:?}"),
    }
}

fn text_of(attribute: &KeyValue) -> String {
    match attribute.value.as_ref().and_then(|value| value.value.as_ref()) {
        Some(any_value::Value::StringValue(text)) => text.clone(),
        Some(any_value::Value::IntValue(number)) => number.to_string(),
        other => format!("{other:?}"),
    }
}
