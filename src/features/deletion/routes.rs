//! The HTTP route that deletes an account.

use axum::extract::State;
use axum::http::StatusCode;
use axum_extra::extract::CookieJar;
use secrecy::SecretString;
use serde::Deserialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::service::DeletionError;
use crate::features::accounts::{Caller, CurrentUser, ended_cookie, tried_password};
use crate::features::environments::EnvironmentError;
use crate::http::ApiError;
use crate::http::extract::ApiJson;
use crate::state::AppState;

/// The routes.
pub fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(delete))
}

impl From<DeletionError> for ApiError {
    fn from(error: DeletionError) -> Self {
        match error {
            DeletionError::Account(error) => error.into(),
            DeletionError::Environment(error @ EnvironmentError::Illegal(_)) => {
                Self::from(error).detail("stop your environments before you delete your account")
            }
            DeletionError::Environment(error) => error.into(),
            DeletionError::Project(error) => error.into(),
            DeletionError::Store(error) => error.into(),
        }
    }
}

/// The repeated password, which confirms the deletion.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct DeleteAccount {
    #[schema(schema_with = tried_password)]
    password: SecretString,
}

/// Delete the account and everything that belongs to it
///
/// Deletes its projects with their environments and posts, its memberships, linked accounts, sessions and events. Refused while an
/// environment of its projects runs. For 90 days, a record remains that an account was deleted, without address, name or network. Published
/// posts stay on the platforms. An account without a password gets one by a reset first.
#[utoipa::path(post, path = "/api/auth/me/delete", tag = "accounts", security(("token" = []), ("cookie" = [])),
    request_body = DeleteAccount, responses((status = 204), (status = 403), (status = 409), (status = 429), (status = 503)))]
async fn delete(
    State(state): State<AppState>,
    caller: Caller,
    current: CurrentUser,
    jar: CookieJar,
    ApiJson(body): ApiJson<DeleteAccount>,
) -> Result<(StatusCode, CookieJar), ApiError> {
    state.deletion.delete(&current.user, &body.password, &caller).await?;
    Ok((StatusCode::NO_CONTENT, jar.remove(ended_cookie(&state.config))))
}
