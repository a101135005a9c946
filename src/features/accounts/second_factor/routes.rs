//! The HTTP routes of the second factor: `/api/auth/second-factor*`.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use secrecy::SecretString;
use serde::Deserialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::super::guard::CurrentUser;
use super::super::limits::Caller;
use super::super::model::{CodeText, tried_password};
use super::model::{Code, Overview, Pending};
use crate::domain::validation::Fields;
use crate::http::ApiError;
use crate::http::extract::ApiJson;
use crate::state::AppState;

/// The routes.
pub fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(read, set_up)).routes(routes!(activate)).routes(routes!(remove))
}

/// Get the state of the account's second factor
#[utoipa::path(get, path = "/api/auth/second-factor", tag = "accounts", security(("token" = []), ("cookie" = [])),
    responses((status = 200, body = Overview)))]
async fn read(State(state): State<AppState>, current: CurrentUser) -> Result<Json<Overview>, ApiError> {
    Ok(Json(state.accounts.second_factor(current.user.id).await?))
}

/// The repeated password.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct PasswordProof {
    #[schema(schema_with = tried_password)]
    password: SecretString,
}

/// Begin the set-up of a second factor (TOTP)
///
/// Returns the secret for the authenticator and ten recovery codes. Nothing changes until the activation; another set-up replaces this one.
#[utoipa::path(post, path = "/api/auth/second-factor", tag = "accounts", security(("token" = []), ("cookie" = [])), request_body = PasswordProof,
    responses((status = 200, body = Pending), (status = 403), (status = 409), (status = 429), (status = 503)))]
async fn set_up(
    State(state): State<AppState>,
    caller: Caller,
    current: CurrentUser,
    ApiJson(body): ApiJson<PasswordProof>,
) -> Result<Json<Pending>, ApiError> {
    Ok(Json(state.accounts.set_up(&current.user, &body.password, &caller).await?))
}

/// The repeated password, and a code of the authenticator.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Activate {
    #[schema(schema_with = tried_password)]
    password: SecretString,
    #[schema(schema_with = CodeText::schema)]
    code: String,
}

/// Activate the second factor with a code of the authenticator
///
/// From now on, a sign-in with the password needs a code. An authenticator shows a new code every 30 seconds. A code works once, and also
/// 30 seconds earlier or later than it is shown.
#[utoipa::path(post, path = "/api/auth/second-factor/activate", tag = "accounts", security(("token" = []), ("cookie" = [])),
    request_body = Activate, responses((status = 204), (status = 403), (status = 409), (status = 429), (status = 503)))]
async fn activate(
    State(state): State<AppState>,
    caller: Caller,
    current: CurrentUser,
    ApiJson(body): ApiJson<Activate>,
) -> Result<StatusCode, ApiError> {
    let mut fields = Fields::default();
    let code = CodeText::read(&mut fields, "code", &body.code);
    let code = fields.finish(Code::parse(&code)).map_err(ApiError::validation)?;
    state.accounts.activate(&current.user, &body.password, &code, &caller).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Remove the second factor
#[utoipa::path(post, path = "/api/auth/second-factor/remove", tag = "accounts", security(("token" = []), ("cookie" = [])),
    request_body = PasswordProof, responses((status = 204), (status = 403), (status = 429), (status = 503)))]
async fn remove(
    State(state): State<AppState>,
    caller: Caller,
    current: CurrentUser,
    ApiJson(body): ApiJson<PasswordProof>,
) -> Result<StatusCode, ApiError> {
    state.accounts.remove_factor(&current.user, &body.password, &caller).await?;
    Ok(StatusCode::NO_CONTENT)
}
