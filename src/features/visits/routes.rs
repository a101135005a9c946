//! The HTTP interface of visits: `POST /api/rum`, to which `navigator.sendBeacon` reports.

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
use super::service::TooMuch;
use crate::http::address::ClientNetwork;
use crate::http::extract::ApiJson;
use crate::http::{ApiError, Code, FieldError};
use crate::state::AppState;

/// Reports of one beacon.
const MOST: usize = 50;
/// Until an address that has reported too much may go on: its share of a minute comes back little by little.
const PAUSE_SECONDS: u64 = 10;

/// The routes of this file.
pub fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(report))
}

impl From<TooMuch> for ApiError {
    fn from(error: TooMuch) -> Self {
        Self::new(Code::TooManyAttempts).retry_after(PAUSE_SECONDS).source(error)
    }
}

/// What a browser reports at once.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Beacon {
    #[schema(schema_with = events)]
    events: Vec<Report>,
}

fn events() -> Schema {
    ArrayBuilder::new().items(RefOr::T(Report::schema())).max_items(Some(MOST)).into()
}

/// Reports what a browser saw
///
/// Routes, endpoints and types come from lists of the service; a beacon with anything else is refused as a whole.
#[utoipa::path(post, path = "/api/rum", tag = "visits", request_body = Beacon,
    responses((status = 204), (status = 429)))]
async fn report(
    State(state): State<AppState>,
    ClientNetwork(network): ClientNetwork,
    headers: HeaderMap,
    body: Result<ApiJson<Beacon>, ApiError>,
) -> Result<StatusCode, ApiError> {
    // First, so that what is refused for its content costs as much as what is taken.
    state.visits.admit(network).await?;
    let ApiJson(Beacon { events }) = body?;
    if events.len() > MOST {
        let (field, message) = ("events".to_owned(), format!("must be at most {MOST}"));
        return Err(ApiError::validation(vec![FieldError { field, code: "too_long", message }]));
    }
    let agent = headers.get(USER_AGENT).and_then(|agent| agent.to_str().ok()).unwrap_or_default();
    state.visits.report(agent, &events);
    Ok(StatusCode::NO_CONTENT)
}
