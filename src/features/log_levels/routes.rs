//! The HTTP route of log levels: `/api/log-levels`, for admins only.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::Serialize;
use time::OffsetDateTime;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::model::{Change, NewLogLevels};
use crate::features::accounts::Admin;
use crate::http::ApiError;
use crate::http::extract::ApiJson;
use crate::state::AppState;

/// The routes.
pub fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(read, put, reset))
}

/// The levels of log lines.
#[derive(Serialize, ToSchema)]
#[schema(as = LogLevels)]
struct LogLevelsView {
    /// The levels that apply now.
    levels: String,
    /// The levels that apply without a change.
    configured: String,
    /// Time at which the change expires. Absent without a change.
    #[serde(with = "time::serde::rfc3339::option", skip_serializing_if = "Option::is_none")]
    expires_at: Option<OffsetDateTime>,
}

impl LogLevelsView {
    fn of(state: &AppState, change: Option<Change>) -> Json<Self> {
        let configured = state.log_levels.configured().to_owned();
        let (levels, expires_at) = change.map_or_else(|| (configured.clone(), None), |change| (change.levels, Some(change.expires_at)));
        Json(Self { levels, configured, expires_at })
    }
}

/// Get the levels of log lines, as the replica that answers applies them
///
/// All operations on log levels are for admins only.
#[utoipa::path(get, path = "/api/log-levels", tag = "operations", security(("token" = []), ("cookie" = [])),
    responses((status = 200, body = LogLevelsView), (status = 403)))]
async fn read(Admin(_): Admin, State(state): State<AppState>) -> Json<LogLevelsView> {
    LogLevelsView::of(&state, state.log_levels.current())
}

/// Change the levels of log lines on every replica, for at most an hour
#[utoipa::path(put, path = "/api/log-levels", tag = "operations", security(("token" = []), ("cookie" = [])), request_body = NewLogLevels,
    responses((status = 200, body = LogLevelsView)))]
async fn put(
    Admin(user): Admin,
    State(state): State<AppState>,
    ApiJson(new): ApiJson<NewLogLevels>,
) -> Result<Json<LogLevelsView>, ApiError> {
    let change = state.log_levels.put(user.id, new).map_err(ApiError::validation)?;
    Ok(LogLevelsView::of(&state, Some(change)))
}

/// Return to the configured levels of log lines
#[utoipa::path(delete, path = "/api/log-levels", tag = "operations", security(("token" = []), ("cookie" = [])),
    responses((status = 204)))]
async fn reset(Admin(user): Admin, State(state): State<AppState>) -> StatusCode {
    state.log_levels.reset(user.id);
    StatusCode::NO_CONTENT
}
