//! The HTTP route of visits: `POST /api/rum`, the target of `navigator.sendBeacon`.

use axum::extract::State;
use axum::http::header::USER_AGENT;
use axum::http::{HeaderMap, StatusCode};
use serde::Deserialize;
use utoipa::ToSchema;
use utoipa::openapi::schema::ArrayBuilder;
use utoipa::openapi::{RefOr, Schema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::model::Report;
use super::service::QuotaExceeded;
use crate::domain::validation::FieldError;
use crate::http::address::ClientNetwork;
use crate::http::extract::ApiJson;
use crate::http::{ApiError, Code};
use crate::state::AppState;

/// Maximum number of reports per beacon.
const MOST: usize = 50;
/// `Retry-After` for a network above its quota. The quota refills gradually, so the client need not wait a whole minute.
const PAUSE_SECONDS: u64 = 10;

/// The route of beacons.
pub fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(report))
}

impl From<QuotaExceeded> for ApiError {
    fn from(error: QuotaExceeded) -> Self {
        Self::new(Code::TooManyAttempts).retry_after(PAUSE_SECONDS).source(error)
    }
}

/// The reports of a browser.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Beacon {
    #[schema(schema_with = events)]
    events: Vec<Report>,
}

fn events() -> Schema {
    ArrayBuilder::new().items(RefOr::T(Report::schema())).max_items(Some(MOST)).into()
}

/// Report what a browser has measured
///
/// Routes, vitals, endpoints and types come from fixed lists. A beacon with any other name or an implausible value is rejected as a whole.
#[utoipa::path(post, path = "/api/rum", tag = "visits", request_body = Beacon,
    responses((status = 204), (status = 429)))]
async fn report(
    State(state): State<AppState>,
    ClientNetwork(network): ClientNetwork,
    headers: HeaderMap,
    body: Result<ApiJson<Beacon>, ApiError>,
) -> Result<StatusCode, ApiError> {
    // Applies the limit before it rejects an invalid body, so that invalid beacons count as well.
    state.visits.admit(network).await?;
    let ApiJson(Beacon { events }) = body?;
    if events.len() > MOST {
        let (field, message) = ("events".to_owned(), format!("must have at most {MOST} items"));
        return Err(ApiError::validation(vec![FieldError { field, code: "too_long", message }]));
    }
    let agent = headers.get(USER_AGENT).and_then(|agent| agent.to_str().ok()).unwrap_or_default();
    state.visits.report(agent, &events);
    Ok(StatusCode::NO_CONTENT)
}
