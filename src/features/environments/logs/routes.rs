//! The HTTP route of logs: `/api/environments/{id}/logs`.

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::openapi::Schema;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use super::model::Entry;
use crate::domain::validation::integer;
use crate::features::accounts::CurrentUser;
use crate::http::extract::{ApiPath, ApiQuery};
use crate::http::{ApiError, Code};
use crate::state::AppState;

const DEFAULT_LIMIT: i64 = 100;
const MAX_LIMIT: i64 = 1000;

/// The route of an environment's log.
pub fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(list))
}

/// Range of entries to return.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct LogQuery {
    /// Return only entries after this number, the `next_after` of a previous response. By default, the newest entries are returned.
    #[param(schema_with = after)]
    after: Option<i64>,
    /// Maximum number of entries, 1 to 1000; 100 by default.
    #[param(schema_with = limit)]
    limit: Option<i64>,
}

fn after() -> Schema {
    integer(0, i64::MAX).into()
}

fn limit() -> Schema {
    integer(1, MAX_LIMIT).default(Some(DEFAULT_LIMIT.into())).into()
}

impl LogQuery {
    fn check(&self) -> Result<(Option<i64>, i64), ApiError> {
        let limit = self.limit.unwrap_or(DEFAULT_LIMIT);
        if !(1..=MAX_LIMIT).contains(&limit) {
            return Err(ApiError::new(Code::InvalidQuery).detail(format!("limit must be 1 to {MAX_LIMIT}")));
        }
        if self.after.is_some_and(|after| after < 0) {
            return Err(ApiError::new(Code::InvalidQuery).detail("after must not be negative"));
        }
        Ok((self.after, limit))
    }
}

/// Log entries, oldest first.
#[derive(Serialize, ToSchema)]
#[schema(as = LogEntries)]
struct EntriesView {
    items: Vec<Entry>,
    /// Value of `after` for the next request.
    next_after: i64,
}

/// Get entries of an environment's log
#[utoipa::path(get, path = "/api/environments/{id}/logs", tag = "environments", security(("token" = []), ("cookie" = [])),
    params(("id" = Uuid, Path), LogQuery),
    responses((status = 200, body = EntriesView), (status = 403)))]
async fn list(
    State(state): State<AppState>,
    CurrentUser { user, .. }: CurrentUser,
    ApiPath(id): ApiPath<Uuid>,
    ApiQuery(query): ApiQuery<LogQuery>,
) -> Result<Json<EntriesView>, ApiError> {
    let (after, limit) = query.check()?;
    let entries = state.environments.log(&user, id, after, limit).await?;
    let next_after = entries.last().map_or(after.unwrap_or_default(), |entry| entry.seq);
    Ok(Json(EntriesView { items: entries, next_after }))
}
