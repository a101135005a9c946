//! The HTTP routes of links in mails, below `/api/auth`.

use axum::extract::State;
use axum::http::StatusCode;
use serde::Deserialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::super::guard::CurrentUser;
use super::super::limits::Caller;
use super::super::model::LinkToken;
use crate::domain::validation::Fields;
use crate::http::ApiError;
use crate::http::extract::ApiJson;
use crate::state::AppState;

/// The routes.
pub fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(request_confirmation)).routes(routes!(confirm))
}

/// Send the mail that confirms the account's address again
///
/// The first mail is sent at the registration. If the address is confirmed already, no mail is sent.
#[utoipa::path(post, path = "/api/auth/confirmations", tag = "accounts", security(("token" = []), ("cookie" = [])),
    responses((status = 202), (status = 409), (status = 429)))]
async fn request_confirmation(State(state): State<AppState>, caller: Caller, current: CurrentUser) -> Result<StatusCode, ApiError> {
    state.accounts.request_confirmation(&current.user, &caller).await?;
    Ok(StatusCode::ACCEPTED)
}

/// The token of a link in a mail.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Redeem {
    #[schema(schema_with = LinkToken::schema)]
    token: String,
}

/// Confirm the address to which a mail with a link was sent
///
/// A link works once, within three days. Needs no session: the browser that opens the link may be another one.
#[utoipa::path(post, path = "/api/auth/confirmations/redeem", tag = "accounts", request_body = Redeem,
    responses((status = 204), (status = 400), (status = 429)))]
async fn confirm(State(state): State<AppState>, caller: Caller, ApiJson(body): ApiJson<Redeem>) -> Result<StatusCode, ApiError> {
    let mut fields = Fields::default();
    let token = LinkToken::read(&mut fields, "token", &body.token);
    let token = fields.finish(token).map_err(ApiError::validation)?;
    state.accounts.confirm(&token, &caller).await?;
    Ok(StatusCode::NO_CONTENT)
}
