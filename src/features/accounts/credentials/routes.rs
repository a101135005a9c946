//! The HTTP routes of links in mails and of passwords, below `/api/auth`.

use axum::extract::State;
use axum::http::StatusCode;
use secrecy::SecretString;
use serde::Deserialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::super::guard::CurrentUser;
use super::super::limits::Caller;
use super::super::model::{LinkToken, LoginEmail, new_password, tried_password};
use super::service::PasswordChange;
use crate::domain::validation::Fields;
use crate::http::ApiError;
use crate::http::extract::ApiJson;
use crate::state::AppState;

/// The routes.
pub fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(request_confirmation))
        .routes(routes!(confirm))
        .routes(routes!(request_reset))
        .routes(routes!(reset))
        .routes(routes!(change_password))
}

/// Send another mail with a link that confirms the account's address
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
    state.accounts.confirm(&read_token(&body.token)?, &caller).await?;
    Ok(StatusCode::NO_CONTENT)
}

fn read_token(token: &str) -> Result<String, ApiError> {
    let mut fields = Fields::default();
    let token = LinkToken::read(&mut fields, "token", token);
    fields.finish(token).map_err(ApiError::validation)
}

/// A request for the mail that sets a new password.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Forgotten {
    #[schema(schema_with = LoginEmail::schema)]
    email: String,
}

/// Request a mail with a link that sets a new password
///
/// The response is the same, and takes the same time, whether or not an account has the address. The link works once, within an hour.
#[utoipa::path(post, path = "/api/auth/password-resets", tag = "accounts", request_body = Forgotten,
    responses((status = 202), (status = 409), (status = 429)))]
async fn request_reset(State(state): State<AppState>, caller: Caller, ApiJson(body): ApiJson<Forgotten>) -> Result<StatusCode, ApiError> {
    let mut fields = Fields::default();
    let email = LoginEmail::read(&mut fields, "email", &body.email);
    let email = fields.finish(email).map_err(ApiError::validation)?;
    state.accounts.request_reset(email, &caller).await?;
    Ok(StatusCode::ACCEPTED)
}

/// A new password, with the token of a link in a mail.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Reset {
    #[schema(schema_with = LinkToken::schema)]
    token: String,
    #[schema(schema_with = new_password)]
    password: SecretString,
}

/// Set a new password with the link of a mail
///
/// Ends every session of the account, and confirms its address. If the address was not confirmed before, also removes the second factor
/// and the linked accounts, because a stranger may have added them.
#[utoipa::path(post, path = "/api/auth/password-resets/redeem", tag = "accounts", request_body = Reset,
    responses((status = 204), (status = 400), (status = 429), (status = 503)))]
async fn reset(State(state): State<AppState>, caller: Caller, ApiJson(body): ApiJson<Reset>) -> Result<StatusCode, ApiError> {
    state.accounts.reset_password(&read_token(&body.token)?, body.password, &state.oauth, &caller).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// A new password, with the current one.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct ChangePassword {
    #[schema(schema_with = tried_password)]
    current_password: SecretString,
    #[schema(schema_with = new_password)]
    password: SecretString,
}

/// Change the password
///
/// Ends every other session of the account. An account without a password gets one by a reset.
#[utoipa::path(put, path = "/api/auth/password", tag = "accounts", security(("token" = []), ("cookie" = [])),
    request_body = ChangePassword, responses((status = 204), (status = 403), (status = 429), (status = 503)))]
async fn change_password(
    State(state): State<AppState>,
    caller: Caller,
    current: CurrentUser,
    ApiJson(body): ApiJson<ChangePassword>,
) -> Result<StatusCode, ApiError> {
    let ChangePassword { current_password, password } = body;
    let change = PasswordChange { user: current.user, session: current.session, current: current_password, new: password };
    state.accounts.change_password(change, &caller).await?;
    Ok(StatusCode::NO_CONTENT)
}
