//! Routes for operators: health, metrics, version. The edge refuses the metrics routes and the details of readiness.

use axum::Json;
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum_extra::headers::authorization::Bearer;
use axum_extra::headers::{Authorization, HeaderMapExt};
use secrecy::ExposeSecret;
use serde::Serialize;
use subtle::ConstantTimeEq;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::health::Readiness;
use crate::http::{ApiError, Code};
use crate::metrics::{REVISION, RUSTC};
use crate::pulse::Numbers;
use crate::state::AppState;

/// The text exposition format that Prometheus reads.
const EXPOSITION: &str = "text/plain; version=0.0.4; charset=utf-8";

/// The routes that the edge refuses: Prometheus and the edge's health check ask the replicas. The public description
/// leaves them out.
pub const INTERNAL: [&str; 4] = ["/health/ready", "/metrics", "/health/metrics", "/api/metrics"];

/// The routes of this file.
#[must_use]
pub fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(health))
        .routes(routes!(live))
        .routes(routes!(ready))
        .routes(routes!(metrics))
        .routes(routes!(health_metrics))
        .routes(routes!(api_metrics))
        .routes(routes!(version))
        .routes(routes!(fleet))
}

/// The process serves.
#[derive(Serialize, ToSchema)]
struct Alive {
    status: &'static str,
    version: &'static str,
    /// Seconds since the start.
    uptime: u64,
}

/// Whether the process serves
#[utoipa::path(get, path = "/health", tag = "operations", responses((status = 200, body = Alive)))]
async fn health(State(state): State<AppState>) -> Json<Alive> {
    Json(Alive { status: "ok", version: env!("CARGO_PKG_VERSION"), uptime: state.health.uptime().as_secs() })
}

/// Whether the event loop turns; depends on nothing else
#[utoipa::path(get, path = "/health/live", tag = "operations", responses((status = 200, description = "It does")))]
async fn live() -> &'static str {
    "ok"
}

/// Whether the replica should be sent requests
#[utoipa::path(get, path = "/health/ready", tag = "operations",
    responses((status = 200, body = Readiness), (status = 503, body = Readiness)))]
async fn ready(State(state): State<AppState>) -> (StatusCode, Json<Readiness>) {
    let readiness = state.health.readiness();
    let status = if readiness.is_ready() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(readiness))
}

/// What Prometheus scrapes
#[utoipa::path(get, path = "/metrics", tag = "operations",
    responses((status = 200, description = "Text exposition format", content_type = "text/plain"), (status = 401)))]
async fn metrics(State(state): State<AppState>, headers: HeaderMap) -> Result<Response, ApiError> {
    if let Some(wanted) = &state.config.metrics_token {
        let given = headers.typed_get::<Authorization<Bearer>>().ok_or_else(|| ApiError::new(Code::Unauthenticated))?;
        if !bool::from(given.token().as_bytes().ct_eq(wanted.expose_secret().as_bytes())) {
            return Err(ApiError::new(Code::InvalidToken));
        }
    }
    Ok(([(CONTENT_TYPE, EXPOSITION)], state.exporter.render()).into_response())
}

/// The same as `/metrics`
#[utoipa::path(get, path = "/health/metrics", tag = "operations",
    responses((status = 200, description = "Text exposition format", content_type = "text/plain"), (status = 401)))]
async fn health_metrics(state: State<AppState>, headers: HeaderMap) -> Result<Response, ApiError> {
    metrics(state, headers).await
}

/// The same as `/metrics`
#[utoipa::path(get, path = "/api/metrics", tag = "operations",
    responses((status = 200, description = "Text exposition format", content_type = "text/plain"), (status = 401)))]
async fn api_metrics(state: State<AppState>, headers: HeaderMap) -> Result<Response, ApiError> {
    metrics(state, headers).await
}

/// Every replica, as the one that answers has heard of it lately
#[utoipa::path(get, path = "/api/fleet", tag = "operations", responses((status = 200, body = Numbers)))]
async fn fleet(State(state): State<AppState>) -> Json<Numbers> {
    Json(state.pulse.fleet())
}

/// What is running.
#[derive(Serialize, ToSchema)]
struct Running {
    name: &'static str,
    version: &'static str,
    revision: &'static str,
    rustc: &'static str,
    replica: String,
}

/// What is running
#[utoipa::path(get, path = "/version", tag = "operations", responses((status = 200, body = Running)))]
async fn version(State(state): State<AppState>) -> Json<Running> {
    let replica = state.config.replica.clone();
    Json(Running { name: env!("CARGO_PKG_NAME"), version: env!("CARGO_PKG_VERSION"), revision: REVISION, rustc: RUSTC, replica })
}
