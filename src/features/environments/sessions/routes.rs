//! The HTTP routes of sessions: `/api/environments/{id}/sessions` and `/api/sessions/{id}`.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use super::model::{Session, SessionStatus, SessionType};
use crate::domain::paging::Page;
use crate::features::accounts::CurrentUser;
use crate::http::ApiError;
use crate::http::extract::{ApiJson, ApiPath, ApiQuery};
use crate::http::page::PageQuery;
use crate::http::precondition::IdempotencyKey;
use crate::state::AppState;

pub fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(list, open)).routes(routes!(close))
}

/// A session in an environment.
#[derive(Serialize, ToSchema)]
#[schema(as = WorkspaceSession)]
struct SessionView {
    id: Uuid,
    environment_id: Uuid,
    user_id: Uuid,
    r#type: SessionType,
    status: SessionStatus,
    /// URL that opens an editor attached to the environment. Null for terminals and for sessions that have ended.
    link: Option<String>,
    #[serde(with = "time::serde::rfc3339")]
    created_at: OffsetDateTime,
    #[serde(with = "time::serde::rfc3339::option")]
    closed_at: Option<OffsetDateTime>,
}

impl SessionView {
    fn of(state: &AppState, session: Session) -> Self {
        let link = state.environments.link(&session);
        let Session { id, environment_id, user_id, kind, status, created_at, closed_at } = session;
        Self { id, environment_id, user_id, r#type: kind, status, link, created_at, closed_at }
    }
}

/// List the sessions in an environment
#[utoipa::path(get, path = "/api/environments/{id}/sessions", tag = "environments", security(("token" = []), ("cookie" = [])), params(("id" = Uuid, Path), PageQuery),
    responses((status = 200, body = Page<SessionView>), (status = 403)))]
async fn list(
    State(state): State<AppState>,
    CurrentUser { user, .. }: CurrentUser,
    ApiPath(id): ApiPath<Uuid>,
    ApiQuery(query): ApiQuery<PageQuery>,
) -> Result<Json<Page<SessionView>>, ApiError> {
    let page = query.validate()?;
    let sessions = state.environments.sessions(&user, id, page).await?;
    Ok(Json(page.into_page(sessions, |session| session.id, |session| SessionView::of(&state, session))))
}

/// A request to open a session.
#[derive(Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct OpenSession {
    r#type: SessionType,
}

/// Open a session in a running environment
#[utoipa::path(post, path = "/api/environments/{id}/sessions", tag = "environments", security(("token" = []), ("cookie" = [])), request_body = OpenSession,
    params(("id" = Uuid, Path), IdempotencyKey),
    responses((status = 201, body = SessionView), (status = 409)))]
async fn open(
    State(state): State<AppState>,
    CurrentUser { user, .. }: CurrentUser,
    ApiPath(id): ApiPath<Uuid>,
    key: IdempotencyKey,
    ApiJson(body): ApiJson<OpenSession>,
) -> Result<(StatusCode, Json<SessionView>), ApiError> {
    let request = key.request(user.id, "open session", &(id, &body));
    let session = state.environments.open_session(&user, id, body.r#type, request).await?;
    Ok((StatusCode::CREATED, Json(SessionView::of(&state, session))))
}

/// Close a session
#[utoipa::path(delete, path = "/api/sessions/{id}", tag = "environments", security(("token" = []), ("cookie" = [])), params(("id" = Uuid, Path)),
    responses((status = 204)))]
async fn close(
    State(state): State<AppState>,
    CurrentUser { user, .. }: CurrentUser,
    ApiPath(id): ApiPath<Uuid>,
) -> Result<StatusCode, ApiError> {
    state.environments.close_session(&user, id).await?;
    Ok(StatusCode::NO_CONTENT)
}
