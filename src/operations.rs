//! Routes for operators: health, metrics, version, fleet. The edge refuses the routes of metrics and readiness.

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
use crate::heartbeat::FleetStatus;
use crate::http::{ApiError, Code};
use crate::metrics::{REVISION, RUSTC};
use crate::state::AppState;

/// The text exposition format that Prometheus reads.
const EXPOSITION: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Routes that the edge refuses and the public description omits. Prometheus reads `/metrics` on each replica directly, and the edge's
/// health check reads `/health/ready`.
pub const INTERNAL: [&str; 4] = ["/health/ready", "/metrics", "/health/metrics", "/api/metrics"];

/// The routes for operators.
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

/// The version and uptime of a running process.
#[derive(Serialize, ToSchema)]
struct Alive {
    status: &'static str,
    version: &'static str,
    /// Seconds since the start of the process.
    uptime: u64,
}

/// Check health
#[utoipa::path(get, path = "/health", tag = "operations", responses((status = 200, body = Alive)))]
async fn health(State(state): State<AppState>) -> Json<Alive> {
    Json(Alive { status: "ok", version: env!("CARGO_PKG_VERSION"), uptime: state.health.uptime().as_secs() })
}

/// Check liveness: the event loop responds; no dependency is checked
#[utoipa::path(get, path = "/health/live", tag = "operations", responses((status = 200, description = "The event loop responds")))]
async fn live() -> &'static str {
    "ok"
}

/// Check readiness: whether the replica accepts requests
#[utoipa::path(get, path = "/health/ready", tag = "operations",
    responses((status = 200, body = Readiness), (status = 503, body = Readiness)))]
async fn ready(State(state): State<AppState>) -> (StatusCode, Json<Readiness>) {
    let readiness = state.health.readiness();
    let status = if readiness.is_ready() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(readiness))
}

/// Get the metrics for Prometheus
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

/// List the replicas that have a recent heartbeat
#[utoipa::path(get, path = "/api/fleet", tag = "operations", responses((status = 200, body = FleetStatus)))]
async fn fleet(State(state): State<AppState>) -> Json<FleetStatus> {
    Json(state.heartbeat.fleet())
}

/// The running version.
#[derive(Serialize, ToSchema)]
struct Running {
    name: &'static str,
    version: &'static str,
    revision: &'static str,
    rustc: &'static str,
    replica: String,
}

/// Get the running version
#[utoipa::path(get, path = "/version", tag = "operations", responses((status = 200, body = Running)))]
async fn version(State(state): State<AppState>) -> Json<Running> {
    let replica = state.config.replica.clone();
    Json(Running { name: env!("CARGO_PKG_NAME"), version: env!("CARGO_PKG_VERSION"), revision: REVISION, rustc: RUSTC, replica })
}
