//! The HTTP route of an account's events.

use axum::Json;
use axum::extract::State;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::super::guard::CurrentUser;
use super::model::AuditEntry;
use crate::domain::paging::Page;
use crate::http::ApiError;
use crate::http::extract::ApiQuery;
use crate::http::page::PageQuery;
use crate::state::AppState;

/// The routes.
pub fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(events))
}

/// List the account's sign-ins, failed sign-ins and changes of credentials
///
/// Events are kept for 90 days.
#[utoipa::path(get, path = "/api/auth/events", tag = "accounts", security(("token" = []), ("cookie" = [])), params(PageQuery),
    responses((status = 200, body = Page<AuditEntry>)))]
async fn events(
    State(state): State<AppState>,
    current: CurrentUser,
    ApiQuery(query): ApiQuery<PageQuery>,
) -> Result<Json<Page<AuditEntry>>, ApiError> {
    let page = query.validate()?;
    let entries = state.accounts.events(current.user.id, page).await?;
    Ok(Json(page.into_page(entries, |entry| entry.id, |entry| entry)))
}
