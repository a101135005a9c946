//! The HTTP routes of accounts: `/api/auth/*`.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::{HeaderName, SET_COOKIE};
use axum::response::{AppendHeaders, IntoResponse};
use axum_extra::extract::CookieJar;
use axum_extra::extract::cookie::Cookie;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use time::OffsetDateTime;
use utoipa::ToSchema;
use utoipa::openapi::{ObjectBuilder, OneOfBuilder, Schema, Type};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use super::device::KNOWN_FOR;
use super::guard::{COOKIE, CurrentUser, DEVICE_COOKIE};
use super::limits::Caller;
use super::model::{
    CodeText, Credentials, Device, DisplayName, LoginEmail, NewUser, SessionEntry, SignedIn, User, new_email, new_password, tried_password,
};
use super::password::PasswordError;
use super::service::AccountError;
use super::{audit, credentials, second_factor};
use crate::config::Config;
use crate::domain::paging::Page;
use crate::http::cookie::cookie;
use crate::http::extract::{ApiJson, ApiPath, ApiQuery};
use crate::http::page::PageQuery;
use crate::http::precondition::IdempotencyKey;
use crate::http::{ApiError, Code};
use crate::state::AppState;

/// Routes below `/api/auth`.
pub fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(register))
        .routes(routes!(login))
        .routes(routes!(logout))
        .routes(routes!(logout_all))
        .routes(routes!(me))
        .routes(routes!(sessions))
        .routes(routes!(end_session))
        .merge(credentials::routes())
        .merge(audit::routes())
        .merge(second_factor::routes())
}

impl From<AccountError> for ApiError {
    fn from(error: AccountError) -> Self {
        match error {
            AccountError::EmailTaken => Self::new(Code::EmailTaken),
            AccountError::InvalidCredentials => Self::new(Code::InvalidCredentials),
            AccountError::InvalidToken => Self::new(Code::InvalidToken),
            AccountError::NoSuchSession => Self::new(Code::NotFound),
            AccountError::WrongPassword => Self::new(Code::WrongPassword),
            AccountError::Invalid(errors) => Self::validation(errors),
            AccountError::CodeRequired => Self::new(Code::SecondFactorRequired),
            AccountError::WrongCode => Self::new(Code::WrongCode),
            AccountError::SecondFactorActive => Self::new(Code::SecondFactorActive),
            AccountError::NoPendingFactor => Self::new(Code::NoPendingFactor),
            AccountError::NoSecondFactors => Self::new(Code::SecondFactorsOff),
            AccountError::UnreadableFactor => Self::new(Code::Internal).source(error),
            AccountError::InvalidLink => Self::new(Code::InvalidLink),
            AccountError::NoMail => Self::new(Code::MailOff),
            AccountError::Throttled(throttled) => Self::new(Code::TooManyAttempts).retry_after(throttled.seconds()),
            AccountError::Password(PasswordError::Overloaded) => Self::new(Code::Overloaded).retry_after(1),
            AccountError::Password(error @ PasswordError::Failed(_)) => Self::new(Code::Internal).source(error),
            AccountError::Repeated(refusal) => refusal.into(),
            AccountError::Store(error) => error.into(),
        }
    }
}

/// Builds the cookie that holds a browser's session token.
#[must_use]
pub fn session_cookie(config: &Config, signed_in: &SignedIn) -> Cookie<'static> {
    let mut cookie = cookie(config, COOKIE, signed_in.token.expose().to_owned());
    cookie.set_expires(signed_in.expires_at);
    cookie
}

/// The cookie that replaces the session cookie of an ended session.
#[must_use]
pub fn ended_cookie(config: &Config) -> Cookie<'static> {
    cookie(config, COOKIE, String::new())
}

/// Remembers a client that has just registered or signed in as the user. Returns the `Set-Cookie` header of its device cookie.
pub async fn known_device(state: &AppState, user: &User, caller: &Caller) -> AppendHeaders<[(HeaderName, String); 1]> {
    let mut cookie = cookie(&state.config, DEVICE_COOKIE, state.accounts.remember(user, caller).await);
    cookie.set_max_age(KNOWN_FOR);
    AppendHeaders([(SET_COOKIE, cookie.to_string())])
}

/// A registration.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Register {
    #[schema(schema_with = new_email)]
    email: String,
    #[schema(schema_with = new_password)]
    password: SecretString,
    #[schema(schema_with = DisplayName::schema)]
    display_name: String,
}

/// Register an account
#[utoipa::path(post, path = "/api/auth/register", tag = "accounts", request_body = Register,
    params(IdempotencyKey),
    responses((status = 201, body = User), (status = 409), (status = 429)))]
async fn register(
    State(state): State<AppState>,
    caller: Caller,
    key: IdempotencyKey,
    ApiJson(body): ApiJson<Register>,
) -> Result<impl IntoResponse, ApiError> {
    let new = NewUser::parse(&body.email, body.password, &body.display_name).map_err(ApiError::validation)?;
    // The stored fingerprint of the request leaves the password out. Otherwise, it would contain a fast hash of the password.
    let request = key.request(scope_of(&new.email), "register", &(&new.email, &new.display_name));
    let user = state.accounts.register(new, request, &caller).await?;
    let device = known_device(&state, &user, &caller).await;
    Ok((StatusCode::CREATED, device, Json(user)))
}

/// Derives the scope of an idempotency key from the e-mail address. There is no session yet, and keys of different accounts must not
/// collide.
fn scope_of(email: &str) -> Uuid {
    let hash: [u8; 32] = Sha256::digest(email.to_lowercase()).into();
    Uuid::from_u128(u128::from_be_bytes(*hash.first_chunk().unwrap_or(&[0; 16])))
}

/// A login attempt.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Login {
    #[schema(schema_with = LoginEmail::schema)]
    email: String,
    #[schema(schema_with = tried_password)]
    password: SecretString,
    /// Code of the second factor, if the account has one: of an authenticator, or a recovery code.
    #[schema(schema_with = code, required = false)]
    code: Option<String>,
    /// Name for this session in the list of sessions.
    #[schema(schema_with = device, required = false)]
    device: Option<String>,
}

/// The schema of the optional device name: clients may send `null`.
fn device() -> Schema {
    nullable(Device::schema())
}

/// The schema of the optional code.
fn code() -> Schema {
    nullable(CodeText::schema())
}

fn nullable(schema: Schema) -> Schema {
    OneOfBuilder::new().item(schema).item(ObjectBuilder::new().schema_type(Type::Null)).into()
}

/// A new session.
#[derive(Serialize, ToSchema)]
struct LoggedIn {
    /// Bearer token for the `Authorization` header.
    token: String,
    #[serde(with = "time::serde::rfc3339")]
    expires_at: OffsetDateTime,
    user: User,
}

/// Sign in; the response also sets the token as a cookie
#[utoipa::path(post, path = "/api/auth/login", tag = "accounts", request_body = Login,
    responses((status = 200, body = LoggedIn), (status = 401), (status = 429)))]
async fn login(
    State(state): State<AppState>,
    caller: Caller,
    jar: CookieJar,
    ApiJson(body): ApiJson<Login>,
) -> Result<impl IntoResponse, ApiError> {
    let credentials =
        Credentials::parse(&body.email, body.password, body.code.as_deref(), body.device.as_deref()).map_err(ApiError::validation)?;
    let signed_in = state.accounts.login(credentials, &caller).await?;
    let device = known_device(&state, &signed_in.user, &caller).await;
    let cookie = session_cookie(&state.config, &signed_in);
    let answer = LoggedIn { token: signed_in.token.expose().to_owned(), expires_at: signed_in.expires_at, user: signed_in.user };
    Ok((jar.add(cookie), device, Json(answer)))
}

/// End the current session
#[utoipa::path(post, path = "/api/auth/logout", tag = "accounts", security(("token" = []), ("cookie" = [])),
    responses((status = 204)))]
async fn logout(State(state): State<AppState>, current: CurrentUser, jar: CookieJar) -> Result<(StatusCode, CookieJar), ApiError> {
    match state.accounts.end_session(current.user.id, current.session).await {
        // `NoSuchSession`: a concurrent request has ended the session already.
        Ok(()) | Err(AccountError::NoSuchSession) => {}
        Err(error) => return Err(error.into()),
    }
    Ok((StatusCode::NO_CONTENT, jar.remove(ended_cookie(&state.config))))
}

/// End every session of the account
#[utoipa::path(post, path = "/api/auth/logout-all", tag = "accounts", security(("token" = []), ("cookie" = [])),
    responses((status = 204)))]
async fn logout_all(State(state): State<AppState>, current: CurrentUser, jar: CookieJar) -> Result<(StatusCode, CookieJar), ApiError> {
    state.accounts.end_sessions(current.user.id).await?;
    Ok((StatusCode::NO_CONTENT, jar.remove(ended_cookie(&state.config))))
}

/// Get the signed-in account
#[utoipa::path(get, path = "/api/auth/me", tag = "accounts", security(("token" = []), ("cookie" = [])),
    responses((status = 200, body = User)))]
async fn me(current: CurrentUser) -> Json<User> {
    Json(current.user)
}

/// A session of the account.
#[derive(Serialize, ToSchema)]
struct SessionView {
    id: Uuid,
    device: String,
    #[serde(with = "time::serde::rfc3339")]
    created_at: OffsetDateTime,
    #[serde(with = "time::serde::rfc3339")]
    last_seen_at: OffsetDateTime,
    #[serde(with = "time::serde::rfc3339")]
    expires_at: OffsetDateTime,
    /// Whether this session authenticated the request.
    current: bool,
}

/// List the account's active sessions
#[utoipa::path(get, path = "/api/auth/sessions", tag = "accounts", security(("token" = []), ("cookie" = [])), params(PageQuery),
    responses((status = 200, body = Page<SessionView>)))]
async fn sessions(
    State(state): State<AppState>,
    current: CurrentUser,
    ApiQuery(query): ApiQuery<PageQuery>,
) -> Result<Json<Page<SessionView>>, ApiError> {
    let page = query.validate()?;
    let entries = state.accounts.sessions(current.user.id, page).await?;
    let view = |SessionEntry { id, device, created_at, last_seen_at, expires_at }| SessionView {
        id,
        device,
        created_at,
        last_seen_at,
        expires_at,
        current: id == current.session,
    };
    Ok(Json(page.into_page(entries, |entry| entry.id, view)))
}

/// End one session of the account
#[utoipa::path(delete, path = "/api/auth/sessions/{id}", tag = "accounts", security(("token" = []), ("cookie" = [])), params(("id" = Uuid, Path)),
    responses((status = 204)))]
async fn end_session(State(state): State<AppState>, current: CurrentUser, ApiPath(id): ApiPath<Uuid>) -> Result<StatusCode, ApiError> {
    state.accounts.end_session(current.user.id, id).await?;
    Ok(StatusCode::NO_CONTENT)
}
