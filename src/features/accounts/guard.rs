//! Who makes a request. A handler that takes [`CurrentUser`] cannot be reached without a session.

use axum::extract::FromRequestParts;
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum_extra::extract::CookieJar;
use axum_extra::headers::authorization::Bearer;
use axum_extra::headers::{Authorization, HeaderMapExt};
use uuid::Uuid;

use super::model::User;
use crate::http::{ApiError, Code, cookie};
use crate::state::AppState;

/// The cookie in which a browser keeps the token of its session.
pub const COOKIE: &str = "vitrine";

/// The user whose session came with the request: a bearer token, or the cookie of a browser.
pub struct CurrentUser {
    /// The account.
    pub user: User,
    /// The session that proved it.
    pub session: Uuid,
}

impl FromRequestParts<AppState> for CurrentUser {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, ApiError> {
        let bearer = parts.headers.typed_get::<Authorization<Bearer>>().map(|header| header.token().to_owned());
        let cookie =
            || CookieJar::from_headers(&parts.headers).get(&cookie::name(&state.config, COOKIE)).map(|cookie| cookie.value().to_owned());
        let token = bearer.or_else(cookie).ok_or_else(|| ApiError::new(Code::Unauthenticated))?;
        let (session, user) = state.accounts.authenticate(&token).await?;
        Ok(Self { user, session: session.id })
    }
}

/// The user whose session came with the request, if any: a session that has ended is none.
pub struct MaybeUser(pub Option<CurrentUser>);

impl FromRequestParts<AppState> for MaybeUser {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, ApiError> {
        match CurrentUser::from_request_parts(parts, state).await {
            Ok(current) => Ok(Self(Some(current))),
            Err(error) if error.status() == StatusCode::UNAUTHORIZED => Ok(Self(None)),
            Err(error) => Err(error),
        }
    }
}
