//! The HTTP routes of extensions: `/api/extensions` and `/api/environments/{id}/extensions*`.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::Serialize;
use time::OffsetDateTime;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use super::catalogue;
use super::model::{Extension, Install, InstallStatus};
use crate::domain::paging::Page;
use crate::features::accounts::CurrentUser;
use crate::http::ApiError;
use crate::http::extract::ApiPath;
use crate::state::AppState;

pub fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(available)).routes(routes!(list)).routes(routes!(want, unwant))
}

/// An extension in the catalogue.
#[derive(Serialize, ToSchema)]
#[schema(as = AvailableExtension)]
struct AvailableView {
    extension: Extension,
    title: &'static str,
    description: &'static str,
    /// Program that the environment's image must contain.
    requires: Option<&'static str>,
}

/// An extension requested for an environment.
#[derive(Serialize, ToSchema)]
#[schema(as = InstalledExtension)]
struct InstallView {
    extension: Extension,
    status: InstallStatus,
    /// Reason for the status `failed`.
    reason: Option<String>,
    #[serde(with = "time::serde::rfc3339")]
    created_at: OffsetDateTime,
    #[serde(with = "time::serde::rfc3339")]
    updated_at: OffsetDateTime,
}

impl From<Install> for InstallView {
    fn from(Install { extension, status, reason, created_at, updated_at }: Install) -> Self {
        Self { extension, status, reason, created_at, updated_at }
    }
}

/// List the available extensions
#[utoipa::path(get, path = "/api/extensions", tag = "environments", security(("token" = []), ("cookie" = [])),
    responses((status = 200, body = Page<AvailableView>)))]
async fn available(_: CurrentUser) -> Json<Page<AvailableView>> {
    let items = Extension::MEMBERS.iter().map(|extension| {
        let catalogue::Row { title, description, install, .. } = catalogue::row(*extension);
        AvailableView { extension: *extension, title, description, requires: install.requires }
    });
    Json(Page { items: items.collect(), next_cursor: None })
}

/// List the extensions of an environment
#[utoipa::path(get, path = "/api/environments/{id}/extensions", tag = "environments", security(("token" = []), ("cookie" = [])), params(("id" = Uuid, Path)),
    responses((status = 200, body = Page<InstallView>), (status = 403)))]
async fn list(
    State(state): State<AppState>,
    CurrentUser { user, .. }: CurrentUser,
    ApiPath(id): ApiPath<Uuid>,
) -> Result<Json<Page<InstallView>>, ApiError> {
    let installs = state.environments.extensions(&user, id).await?;
    Ok(Json(Page { items: installs.into_iter().map(Into::into).collect(), next_cursor: None }))
}

/// Install an extension, now or at the environment's next start
#[utoipa::path(put, path = "/api/environments/{id}/extensions/{extension}", tag = "environments", security(("token" = []), ("cookie" = [])),
    params(("id" = Uuid, Path), ("extension" = Extension, Path)),
    responses((status = 200, body = InstallView, description = "The extension is installed"), (status = 202, body = InstallView, description = "The extension will be installed")))]
async fn want(
    State(state): State<AppState>,
    CurrentUser { user, .. }: CurrentUser,
    ApiPath((id, extension)): ApiPath<(Uuid, Extension)>,
) -> Result<(StatusCode, Json<InstallView>), ApiError> {
    let install = state.environments.want(&user, id, extension).await?;
    let status = if install.status == InstallStatus::Installed { StatusCode::OK } else { StatusCode::ACCEPTED };
    Ok((status, Json(install.into())))
}

/// Remove an extension, now or at the environment's next start
#[utoipa::path(delete, path = "/api/environments/{id}/extensions/{extension}", tag = "environments", security(("token" = []), ("cookie" = [])),
    params(("id" = Uuid, Path), ("extension" = Extension, Path)),
    responses((status = 202, body = InstallView, description = "The extension will be removed")))]
async fn unwant(
    State(state): State<AppState>,
    CurrentUser { user, .. }: CurrentUser,
    ApiPath((id, extension)): ApiPath<(Uuid, Extension)>,
) -> Result<(StatusCode, Json<InstallView>), ApiError> {
    let install = state.environments.unwant(&user, id, extension).await?;
    Ok((StatusCode::ACCEPTED, Json(install.into())))
}
