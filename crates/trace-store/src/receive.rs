//! OTLP over HTTP in protobuf: `/v1/traces` and `/v1/logs`, as a collector sends them, and `/counts` of what was received.

use std::io::Read;
use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use flate2::read::GzDecoder;
use opentelemetry_proto::tonic::collector::logs::v1::{ExportLogsServiceRequest, ExportLogsServiceResponse};
use opentelemetry_proto::tonic::collector::trace::v1::{ExportTraceServiceRequest, ExportTraceServiceResponse};
use prost::Message;

use crate::memory::{Counts, Memory};
use crate::refusal::Refusal;

/// Largest body, also after its decompression. Collectors send batches of thousands of spans.
const BODY_LIMIT: usize = 8 << 20;
const PROTOBUF: &str = "application/x-protobuf";

pub fn routes() -> Router<Arc<Memory>> {
    Router::new()
        .route("/v1/traces", post(traces))
        .route("/v1/logs", post(logs))
        .layer(DefaultBodyLimit::max(BODY_LIMIT))
        .route("/counts", get(counts))
}

async fn traces(State(memory): State<Arc<Memory>>, headers: HeaderMap, body: Bytes) -> Result<Response, Refusal> {
    let request: ExportTraceServiceRequest = decoded(&headers, body)?;
    memory.add_spans(request)?;
    Ok(answer(&ExportTraceServiceResponse::default()))
}

async fn logs(State(memory): State<Arc<Memory>>, headers: HeaderMap, body: Bytes) -> Result<Response, Refusal> {
    let request: ExportLogsServiceRequest = decoded(&headers, body)?;
    memory.add_lines(request)?;
    Ok(answer(&ExportLogsServiceResponse::default()))
}

async fn counts(State(memory): State<Arc<Memory>>) -> Json<Counts> {
    Json(memory.counts())
}

fn decoded<M: Message + Default>(headers: &HeaderMap, body: Bytes) -> Result<M, Refusal> {
    if headers.get(header::CONTENT_TYPE).is_none_or(|kind| kind != PROTOBUF) {
        return Err(Refusal::unreadable(format!("the Content-Type must be {PROTOBUF}")));
    }
    let body = match headers.get(header::CONTENT_ENCODING).map(HeaderValue::as_bytes) {
        None | Some(b"identity") => body,
        Some(b"gzip") => inflated(&body)?,
        Some(_) => return Err(Refusal::unreadable("the Content-Encoding must be gzip or identity")),
    };
    M::decode(body).map_err(|error| Refusal::malformed(format!("the body must be an export request of OTLP: {error}")))
}

fn inflated(body: &[u8]) -> Result<Bytes, Refusal> {
    let mut inflated = Vec::new();
    let limit = BODY_LIMIT as u64 + 1;
    GzDecoder::new(body)
        .take(limit)
        .read_to_end(&mut inflated)
        .map_err(|error| Refusal::malformed(format!("the body must be compressed by gzip: {error}")))?;
    if inflated.len() > BODY_LIMIT {
        return Err(Refusal::malformed(format!("the inflated body must have at most {BODY_LIMIT} bytes")));
    }
    Ok(inflated.into())
}

fn answer(message: &impl Message) -> Response {
    ([(header::CONTENT_TYPE, PROTOBUF)], message.encode_to_vec()).into_response()
}
