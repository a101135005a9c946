//! The HTTP routes of environments: `/api/projects/{id}/environments` and `/api/environments/{id}*`. Sessions, extensions and logs have
//! their own files.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::LOCATION;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use super::driver::{DriverError, Image};
use super::model::{Environment, Name, NewEnvironment};
use super::service::EnvironmentError;
use super::state::{Illegal, Operation, Status};
use super::{extensions, logs, sessions};
use crate::domain::DriverName;
use crate::domain::paging::Page;
use crate::features::accounts::CurrentUser;
use crate::http::extract::{ApiJson, ApiPath, ApiQuery};
use crate::http::page::PageQuery;
use crate::http::precondition::IdempotencyKey;
use crate::http::{ApiError, Code};
use crate::state::AppState;

/// Routes of environments and of their sessions, extensions and logs.
pub fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(list, create))
        .routes(routes!(read, delete))
        .routes(routes!(start))
        .routes(routes!(stop))
        .routes(routes!(restart))
        .merge(sessions::routes())
        .merge(extensions::routes())
        .merge(logs::routes())
}

impl From<EnvironmentError> for ApiError {
    fn from(error: EnvironmentError) -> Self {
        match error {
            EnvironmentError::NoSuchEnvironment | EnvironmentError::NoSuchSession | EnvironmentError::NotInstalled => {
                Self::new(Code::NotFound)
            }
            EnvironmentError::Illegal(Illegal::Absent) => Self::new(Code::NotFound),
            EnvironmentError::Illegal(Illegal::Busy) => Self::new(Code::EnvironmentBusy),
            EnvironmentError::Illegal(Illegal::Running) => Self::new(Code::EnvironmentRunning),
            EnvironmentError::Illegal(Illegal::NotRunning) | EnvironmentError::Driver(DriverError::NoContainer) => {
                Self::new(Code::EnvironmentNotRunning)
            }
            EnvironmentError::OtherDriver => Self::new(Code::OtherDriver),
            EnvironmentError::NameTaken => Self::new(Code::EnvironmentNameTaken),
            EnvironmentError::ProjectFull(max) => {
                Self::new(Code::TooManyEnvironments).detail(format!("A project may have at most {max} environments. Delete one first."))
            }
            EnvironmentError::UserFull(max) => {
                Self::new(Code::TooManyEnvironments).detail(format!("An account may have at most {max} environments. Delete one first."))
            }
            EnvironmentError::SessionsFull(max) => {
                Self::new(Code::TooManySessions).detail(format!("An environment may have at most {max} open sessions. Close one first."))
            }
            EnvironmentError::SessionClosed => Self::new(Code::SessionClosed),
            EnvironmentError::NoTerminal => Self::new(Code::NotATerminal),
            EnvironmentError::Driver(DriverError::Refused(reason)) => Self::new(Code::TerminalRefused).detail(reason),
            EnvironmentError::Driver(error) => Self::new(Code::Unavailable).retry_after(1).source(error),
            EnvironmentError::Project(error) => error.into(),
            EnvironmentError::Repeated(refusal) => refusal.into(),
            EnvironmentError::Store(error) => error.into(),
        }
    }
}

/// An environment of a project.
#[derive(Serialize, ToSchema)]
#[schema(as = Environment)]
struct EnvironmentView {
    id: Uuid,
    project_id: Uuid,
    name: String,
    image: Image,
    driver: DriverName,
    status: Status,
    /// Reason for the status `error`.
    last_error: Option<String>,
    #[serde(with = "time::serde::rfc3339")]
    created_at: OffsetDateTime,
    #[serde(with = "time::serde::rfc3339")]
    updated_at: OffsetDateTime,
}

impl From<Environment> for EnvironmentView {
    fn from(environment: Environment) -> Self {
        let Environment { id, project_id, name, image, driver, status, last_error, container: _, version: _, created_at, updated_at } =
            environment;
        Self { id, project_id, name, image, driver, status, last_error, created_at, updated_at }
    }
}

/// List the environments of a project
#[utoipa::path(get, path = "/api/projects/{id}/environments", tag = "environments", security(("token" = []), ("cookie" = [])), params(("id" = Uuid, Path), PageQuery),
    responses((status = 200, body = Page<EnvironmentView>), (status = 403)))]
async fn list(
    State(state): State<AppState>,
    CurrentUser { user, .. }: CurrentUser,
    ApiPath(id): ApiPath<Uuid>,
    ApiQuery(query): ApiQuery<PageQuery>,
) -> Result<Json<Page<EnvironmentView>>, ApiError> {
    let page = query.validate()?;
    let environments = state.environments.list(&user, id, page).await?;
    Ok(Json(page.into_page(environments, |environment| environment.id, EnvironmentView::from)))
}

/// A request to create an environment.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct CreateEnvironment {
    /// Unique within the project.
    #[schema(schema_with = Name::schema)]
    name: String,
    image: Image,
}

/// Create an environment; its status is `creating`, then `stopped`
#[utoipa::path(post, path = "/api/projects/{id}/environments", tag = "environments", security(("token" = []), ("cookie" = [])), request_body = CreateEnvironment,
    params(("id" = Uuid, Path), IdempotencyKey),
    responses((status = 201, body = EnvironmentView, headers(("Location"))), (status = 409)))]
async fn create(
    State(state): State<AppState>,
    CurrentUser { user, .. }: CurrentUser,
    ApiPath(id): ApiPath<Uuid>,
    key: IdempotencyKey,
    ApiJson(body): ApiJson<CreateEnvironment>,
) -> Result<Response, ApiError> {
    let new = NewEnvironment::parse(&body.name, body.image).map_err(ApiError::validation)?;
    let request = key.request(user.id, "create environment", &(id, &new));
    let environment = state.environments.create(&user, id, new, request).await?;
    let location = [(LOCATION, format!("/api/environments/{}", environment.id))];
    Ok((StatusCode::CREATED, location, Json(EnvironmentView::from(environment))).into_response())
}

/// Get an environment
#[utoipa::path(get, path = "/api/environments/{id}", tag = "environments", security(("token" = []), ("cookie" = [])), params(("id" = Uuid, Path)),
    responses((status = 200, body = EnvironmentView), (status = 403)))]
async fn read(
    State(state): State<AppState>,
    CurrentUser { user, .. }: CurrentUser,
    ApiPath(id): ApiPath<Uuid>,
) -> Result<Json<EnvironmentView>, ApiError> {
    Ok(Json(state.environments.read(&user, id).await?.into()))
}

/// Delete an environment and everything in it, even while another operation is in progress
///
/// Repeating the request has no further effect.
#[utoipa::path(delete, path = "/api/environments/{id}", tag = "environments", security(("token" = []), ("cookie" = [])), params(("id" = Uuid, Path)),
    responses((status = 202, body = EnvironmentView), (status = 409)))]
async fn delete(state: State<AppState>, user: CurrentUser, id: ApiPath<Uuid>) -> Result<(StatusCode, Json<EnvironmentView>), ApiError> {
    begin(state, user, id, Operation::Delete).await
}

/// Start an environment that is stopped or in error
///
/// An environment that is being created or stopped starts once that operation is done.
#[utoipa::path(post, path = "/api/environments/{id}/start", tag = "environments", security(("token" = []), ("cookie" = [])), params(("id" = Uuid, Path)),
    responses((status = 202, body = EnvironmentView), (status = 409)))]
async fn start(state: State<AppState>, user: CurrentUser, id: ApiPath<Uuid>) -> Result<(StatusCode, Json<EnvironmentView>), ApiError> {
    begin(state, user, id, Operation::Start).await
}

/// Stop a running environment and close its sessions
///
/// Also accepted while the environment is starting.
#[utoipa::path(post, path = "/api/environments/{id}/stop", tag = "environments", security(("token" = []), ("cookie" = [])), params(("id" = Uuid, Path)),
    responses((status = 202, body = EnvironmentView), (status = 409)))]
async fn stop(state: State<AppState>, user: CurrentUser, id: ApiPath<Uuid>) -> Result<(StatusCode, Json<EnvironmentView>), ApiError> {
    begin(state, user, id, Operation::Stop).await
}

/// Restart a running environment and close its sessions
///
/// Also accepted while the environment is starting.
#[utoipa::path(post, path = "/api/environments/{id}/restart", tag = "environments", security(("token" = []), ("cookie" = [])), params(("id" = Uuid, Path)),
    responses((status = 202, body = EnvironmentView), (status = 409)))]
async fn restart(state: State<AppState>, user: CurrentUser, id: ApiPath<Uuid>) -> Result<(StatusCode, Json<EnvironmentView>), ApiError> {
    begin(state, user, id, Operation::Restart).await
}

async fn begin(
    State(state): State<AppState>,
    CurrentUser { user, .. }: CurrentUser,
    ApiPath(id): ApiPath<Uuid>,
    operation: Operation,
) -> Result<(StatusCode, Json<EnvironmentView>), ApiError> {
    let environment = state.environments.begin(&user, id, operation).await?;
    Ok((StatusCode::ACCEPTED, Json(environment.into())))
}
