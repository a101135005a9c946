//! The HTTP routes of faults: `/api/faults*`. They exist only where `FAULTS` is on, and only admins may use them.

use axum::Json;
use axum::extract::FromRequestParts;
use axum::http::StatusCode;
use axum::http::request::Parts;
use serde::Serialize;
use time::OffsetDateTime;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use super::model::Order;
use super::service::{FaultError, Faults};
use crate::domain::paging::Page;
use crate::fault_injection::{Effect, Fault};
use crate::features::accounts::{Admin, User};
use crate::http::extract::{ApiJson, ApiPath};
use crate::http::{ApiError, Code};
use crate::state::AppState;

/// Routes below `/api/faults`. The router adds them only where `FAULTS` is on.
pub fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(list, end_all)).routes(routes!(read, put, end))
}

impl From<FaultError> for ApiError {
    fn from(error: FaultError) -> Self {
        match error {
            FaultError::NoSuchFault => Self::new(Code::NotFound),
            FaultError::Invalid(errors) => Self::validation(errors),
            FaultError::Store(error) => error.into(),
        }
    }
}

/// The requesting admin, and the faults service. Where fault injection is off, the extractor answers `not_found`.
pub struct Operator {
    /// The account.
    pub user: User,
    /// The faults service.
    pub faults: Faults,
}

impl FromRequestParts<AppState> for Operator {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, ApiError> {
        let faults = state.faults.clone().ok_or_else(|| ApiError::new(Code::NotFound))?;
        let Admin(user) = Admin::from_request_parts(parts, state).await?;
        Ok(Self { user, faults })
    }
}

/// A fault with the parameters of its kind.
#[derive(Serialize, ToSchema)]
#[schema(as = Fault)]
struct FaultView {
    id: Uuid,
    #[serde(flatten)]
    effect: Effect,
    /// Name of the only affected replica. Absent if every replica is affected.
    #[serde(skip_serializing_if = "Option::is_none")]
    replica: Option<String>,
    /// Share of calls that the fault affects, in percent; for `block`, the share of time that workers are busy.
    percent: u8,
    #[serde(with = "time::serde::rfc3339")]
    begun_at: OffsetDateTime,
    /// Time at which the fault expires.
    #[serde(with = "time::serde::rfc3339")]
    expires_at: OffsetDateTime,
}

impl From<Fault> for FaultView {
    fn from(Fault { id, replica, percent, effect, begun_at, expires_at }: Fault) -> Self {
        Self { id, effect, replica, percent, begun_at, expires_at }
    }
}

/// List the active faults, newest first
///
/// All operations on faults are for admins only and exist only where `FAULTS` is on.
#[utoipa::path(get, path = "/api/faults", tag = "faults", security(("token" = []), ("cookie" = [])),
    responses((status = 200, body = Page<FaultView>), (status = 403)))]
async fn list(Operator { faults, .. }: Operator) -> Result<Json<Page<FaultView>>, ApiError> {
    let items = faults.list().await?.into_iter().map(Into::into).collect();
    Ok(Json(Page { items, next_cursor: None }))
}

/// End every fault
#[utoipa::path(delete, path = "/api/faults", tag = "faults", security(("token" = []), ("cookie" = [])),
    responses((status = 204)))]
async fn end_all(Operator { user, faults }: Operator) -> Result<StatusCode, ApiError> {
    faults.end_all(user.id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Get a fault
#[utoipa::path(get, path = "/api/faults/{id}", tag = "faults", security(("token" = []), ("cookie" = [])), params(("id" = Uuid, Path)),
    responses((status = 200, body = FaultView), (status = 403)))]
async fn read(Operator { faults, .. }: Operator, ApiPath(id): ApiPath<Uuid>) -> Result<Json<FaultView>, ApiError> {
    Ok(Json(faults.find(id).await?.into()))
}

/// Create a fault, or replace the one with this identifier
///
/// The fault takes effect on every affected replica within two seconds.
#[utoipa::path(put, path = "/api/faults/{id}", tag = "faults", security(("token" = []), ("cookie" = [])), request_body = Order,
    params(("id" = Uuid, Path, description = "A UUID chosen by the client")),
    responses((status = 200, body = FaultView), (status = 201, body = FaultView)))]
async fn put(
    Operator { user, faults }: Operator,
    ApiPath(id): ApiPath<Uuid>,
    ApiJson(order): ApiJson<Order>,
) -> Result<(StatusCode, Json<FaultView>), ApiError> {
    let (fault, is_new) = faults.put(user.id, id, order).await?;
    Ok((if is_new { StatusCode::CREATED } else { StatusCode::OK }, Json(fault.into())))
}

/// End a fault
#[utoipa::path(delete, path = "/api/faults/{id}", tag = "faults", security(("token" = []), ("cookie" = [])), params(("id" = Uuid, Path)),
    responses((status = 204)))]
async fn end(Operator { user, faults }: Operator, ApiPath(id): ApiPath<Uuid>) -> Result<StatusCode, ApiError> {
    faults.end(user.id, id).await?;
    Ok(StatusCode::NO_CONTENT)
}
