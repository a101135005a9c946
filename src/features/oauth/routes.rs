//! The HTTP routes for sign-in through platforms and for linked accounts: `/api/oauth/*` and `/api/accounts*`.

use axum::Json;
use axum::extract::State;
use axum::http::header::HeaderName;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Redirect, Response};
use axum_extra::extract::CookieJar;
use axum_extra::extract::cookie::Cookie;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use super::error::{Distrust, OauthError, ProviderError};
use super::flow::StateError;
use super::model::{Account, ReturnTo, Status};
use super::service::Answer;
use crate::config::Config;
use crate::domain::Platform;
use crate::features::accounts::{AccountError, Caller, CurrentUser, MaybeUser, known_device, session_cookie};
use crate::http::cookie::{self, cookie};
use crate::http::extract::{ApiPath, ApiQuery};
use crate::http::{ApiError, Code};
use crate::platforms::Settings;
use crate::state::AppState;

static SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// The routes `/api/oauth/*`, `/api/accounts` and `/api/accounts/*`.
pub fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(platforms))
        .routes(routes!(start))
        .routes(routes!(callback))
        .routes(routes!(accounts))
        .routes(routes!(refresh))
        .routes(routes!(unlink))
}

impl From<OauthError> for ApiError {
    fn from(error: OauthError) -> Self {
        match error {
            OauthError::NoSuchPlatform | OauthError::NoSuchAccount => Self::new(Code::NotFound),
            OauthError::LinkOnly => Self::new(Code::Unauthenticated).detail("This platform supports linking accounts, not signing in"),
            OauthError::ReturnTo => Self::new(Code::ReturnToRefused),
            OauthError::State(StateError::Missing) => Self::new(Code::OauthStateMissing),
            OauthError::State(StateError::Mismatch) => Self::new(Code::OauthStateMismatch),
            OauthError::State(StateError::Expired) => Self::new(Code::OauthStateExpired),
            OauthError::State(StateError::Used) => Self::new(Code::OauthStateUsed),
            OauthError::Denied(_) => Self::new(Code::OauthDenied),
            OauthError::SignedInAsOther => Self::new(Code::SignedInAsOther),
            OauthError::IdentityTaken => Self::new(Code::IdentityTaken),
            OauthError::PlatformTaken => Self::new(Code::PlatformTaken),
            OauthError::EmailUnverified => Self::new(Code::EmailUnverified),
            OauthError::LastSignIn => Self::new(Code::LastSignIn),
            OauthError::RefreshUnsupported => Self::new(Code::RefreshUnsupported),
            OauthError::RefreshInProgress => Self::new(Code::RefreshInProgress),
            OauthError::LinkExpired => Self::new(Code::LinkExpired),
            OauthError::Provider(error) => error.into(),
            OauthError::Account(error) => error.into(),
            OauthError::Store(error) => error.into(),
        }
    }
}

impl From<ProviderError> for ApiError {
    fn from(error: ProviderError) -> Self {
        match error {
            ProviderError::Unavailable { after, .. } => {
                Self::new(Code::PlatformUnavailable).retry_after(after.map_or(5, |after| after.as_secs())).source(error)
            }
            ProviderError::ClientRefused(_) => Self::new(Code::PlatformUnavailable).retry_after(60).source(error),
            ProviderError::GrantRefused => Self::new(Code::OauthCodeRefused),
            ProviderError::Distrusted(distrust) => Self::new(match distrust {
                Distrust::Issuer => Code::OauthIssuerMismatch,
                Distrust::Audience => Code::OauthAudienceMismatch,
                Distrust::Nonce => Code::OauthNonceMismatch,
                Distrust::Expired => Code::OauthTokenExpired,
                Distrust::UnknownKey | Distrust::Invalid => Code::OauthTokenInvalid,
            }),
        }
    }
}

/// A configured platform.
#[derive(Serialize, ToSchema)]
#[schema(as = PlatformInfo)]
struct PlatformView {
    platform: Platform,
    /// Whether users can sign in through it.
    sign_in: bool,
    /// Whether users can publish posts on it.
    post: bool,
}

impl From<&Settings> for PlatformView {
    fn from(settings: &Settings) -> Self {
        Self { platform: settings.platform, sign_in: settings.sign_in, post: settings.post }
    }
}

/// The configured platforms.
#[derive(Serialize, ToSchema)]
struct PlatformList {
    items: Vec<PlatformView>,
}

/// List the platforms for signing in and posting
#[utoipa::path(get, path = "/api/oauth/platforms", tag = "oauth", responses((status = 200, body = PlatformList)))]
async fn platforms(State(state): State<AppState>) -> Json<PlatformList> {
    Json(PlatformList { items: state.oauth.platforms().all().map(Into::into).collect() })
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct StartQuery {
    /// Path of this service to which the browser finally returns.
    #[param(schema_with = ReturnTo::schema)]
    return_to: Option<String>,
}

/// Redirect the browser to a platform, to sign in or, with a session, to link an account
#[utoipa::path(get, path = "/api/oauth/{platform}/start", tag = "oauth", params(("platform" = Platform, Path), StartQuery),
    security((), ("token" = []), ("cookie" = [])),
    responses((status = 303, description = "Redirect to the platform"), (status = 403), (status = 429)))]
async fn start(
    State(state): State<AppState>,
    MaybeUser(current): MaybeUser,
    caller: Caller,
    jar: CookieJar,
    headers: HeaderMap,
    ApiPath(platform): ApiPath<Platform>,
    ApiQuery(query): ApiQuery<StartQuery>,
) -> Result<Response, ApiError> {
    // Without this check, another site could link an attacker's identity to the signed-in user.
    if current.is_some() && headers.get(&SEC_FETCH_SITE).is_some_and(|site| site != "same-origin" && site != "none") {
        return Err(ApiError::new(Code::CrossSite));
    }
    let user = current.map(|current| current.user.id);
    let started = state.oauth.start(platform, query.return_to.as_deref(), user, &caller).await?;
    let jar = jar.add(flow_cookie(&state.config, platform, started.cookie));
    Ok((jar, Redirect::to(started.location.as_str())).into_response())
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct CallbackQuery {
    state: Option<String>,
    code: Option<String>,
    /// Issuer of the response (RFC 9207).
    iss: Option<String>,
    error: Option<String>,
}

/// Receive the browser's return from a platform
#[utoipa::path(get, path = "/api/oauth/{platform}/callback", tag = "oauth", params(("platform" = Platform, Path), CallbackQuery),
    responses((status = 303, description = "Redirect to the return path"), (status = 401), (status = 403), (status = 409),
        (status = 429)))]
async fn callback(
    State(state): State<AppState>,
    MaybeUser(current): MaybeUser,
    caller: Caller,
    jar: CookieJar,
    ApiPath(platform): ApiPath<Platform>,
    ApiQuery(CallbackQuery { state: flow, code, iss, error }): ApiQuery<CallbackQuery>,
) -> Response {
    let client = current.map(|current| current.client());
    let name = cookie::name(&state.config, &flow_cookie_name(platform));
    let cookie = jar.get(&name).map(|cookie| cookie.value().to_owned());
    let answer = Answer { state: flow, code, issuer: iss, error };
    let returned = state.oauth.finish(platform, cookie.as_deref(), answer, client, &caller).await;
    // Keep the flow's cookie if the callback belongs to another tab's flow or was throttled, or if the database failed.
    let is_usable = matches!(
        returned,
        Err(OauthError::State(StateError::Missing | StateError::Mismatch)
            | OauthError::Account(AccountError::Throttled(_))
            | OauthError::Store(_))
    );
    let jar = if is_usable { jar } else { jar.remove(flow_cookie(&state.config, platform, String::new())) };
    match returned {
        Ok(returned) => {
            let onward = Redirect::to(returned.return_to.as_str());
            let Some(signed_in) = &returned.signed_in else { return (jar, onward).into_response() };
            let device = known_device(&state, &signed_in.user, &caller).await;
            (jar.add(session_cookie(&state.config, signed_in)), device, onward).into_response()
        }
        Err(error) => (jar, ApiError::from(error)).into_response(),
    }
}

/// The cookie of a flow. The cookie expires when the flow does.
fn flow_cookie(config: &Config, platform: Platform, value: String) -> Cookie<'static> {
    let lifetime = time::Duration::try_from(config.oauth_lifetime).unwrap_or(time::Duration::ZERO);
    let mut cookie = cookie(config, &flow_cookie_name(platform), value);
    cookie.set_max_age(lifetime);
    cookie
}

fn flow_cookie_name(platform: Platform) -> String {
    format!("vitrine-oauth-{}", platform.name())
}

/// A linked account of a platform.
#[derive(Serialize, ToSchema)]
#[schema(as = LinkedAccount)]
struct AccountView {
    id: Uuid,
    platform: Platform,
    /// Identifier of the user on the platform.
    subject: String,
    /// Name of the user on the platform.
    handle: String,
    /// Scopes granted to Vitrine.
    scopes: Vec<String>,
    status: Status,
    /// Expiry of the access token. Before use, Vitrine refreshes a token that expires soon.
    #[serde(with = "time::serde::rfc3339::option")]
    expires_at: Option<OffsetDateTime>,
    #[serde(with = "time::serde::rfc3339")]
    created_at: OffsetDateTime,
    #[serde(with = "time::serde::rfc3339")]
    updated_at: OffsetDateTime,
}

impl From<Account> for AccountView {
    fn from(account: Account) -> Self {
        let Account { id, platform, subject, handle, scopes, status, expires_at, created_at, updated_at, user_id: _ } = account;
        Self { id, platform, subject, handle, scopes, status, expires_at, created_at, updated_at }
    }
}

/// The linked accounts, oldest first.
#[derive(Serialize, ToSchema)]
struct AccountList {
    items: Vec<AccountView>,
}

/// List the linked accounts
#[utoipa::path(get, path = "/api/accounts", tag = "oauth", security(("token" = []), ("cookie" = [])),
    responses((status = 200, body = AccountList)))]
async fn accounts(State(state): State<AppState>, current: CurrentUser) -> Result<Json<AccountList>, ApiError> {
    let linked = state.oauth.linked(current.user.id).await?;
    Ok(Json(AccountList { items: linked.into_iter().map(Into::into).collect() }))
}

/// Refresh the tokens of a linked account
#[utoipa::path(post, path = "/api/accounts/{id}/refresh", tag = "oauth", security(("token" = []), ("cookie" = [])), params(("id" = Uuid, Path)),
    responses((status = 200, body = AccountView), (status = 409)))]
async fn refresh(State(state): State<AppState>, current: CurrentUser, ApiPath(id): ApiPath<Uuid>) -> Result<Json<AccountView>, ApiError> {
    Ok(Json(state.oauth.refresh(current.user.id, id).await?.into()))
}

/// Unlink an account; its tokens are revoked at the platform
#[utoipa::path(delete, path = "/api/accounts/{id}", tag = "oauth", security(("token" = []), ("cookie" = [])), params(("id" = Uuid, Path)),
    responses((status = 204), (status = 409)))]
async fn unlink(
    State(state): State<AppState>,
    caller: Caller,
    current: CurrentUser,
    ApiPath(id): ApiPath<Uuid>,
) -> Result<StatusCode, ApiError> {
    state.oauth.unlink(current.client(), id, &caller).await?;
    Ok(StatusCode::NO_CONTENT)
}
