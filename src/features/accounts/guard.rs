//! Authentication of requests and Socket.IO events. A handler that takes [`CurrentUser`] cannot run without a session.

use axum::extract::FromRequestParts;
use axum::http::HeaderMap;
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum_extra::extract::CookieJar;
use axum_extra::headers::authorization::Bearer;
use axum_extra::headers::{Authorization, HeaderMapExt};
use uuid::Uuid;

use super::limits::Caller;
use super::model::{Role, SignedInClient, Token, TokenHash, User};
use crate::cache::Lookup;
use crate::config::Config;
use crate::http::address::ClientNetwork;
use crate::http::{ApiError, Code, cookie};
use crate::metrics::labels::CacheType;
use crate::realtime::{Client, Identity};
use crate::state::AppState;

/// The cookie that holds a browser's session token.
pub const COOKIE: &str = "vitrine";

/// The cookie by which an account recognizes a browser that has signed in to it.
pub const DEVICE_COOKIE: &str = "vitrine-device";

impl FromRequestParts<AppState> for Caller {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, ApiError> {
        let ClientNetwork(network) = ClientNetwork::from_request_parts(parts, state).await?;
        let jar = CookieJar::from_headers(&parts.headers);
        let device = jar.get(&cookie::name(&state.config, DEVICE_COOKIE)).map(|cookie| cookie.value().to_owned());
        Ok(Self { network, device })
    }
}

/// The authenticated user of a request, from a bearer token or a browser's session cookie.
pub struct CurrentUser {
    /// The account.
    pub user: User,
    /// The session that authenticated the request.
    pub session: Uuid,
}

impl FromRequestParts<AppState> for CurrentUser {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, ApiError> {
        let token = token(&state.config, &parts.headers).ok_or_else(|| ApiError::new(Code::Unauthenticated))?;
        let (session, user) = state.accounts.authenticate(&token).await?;
        Ok(Self { user, session: session.id })
    }
}

fn token(config: &Config, headers: &HeaderMap) -> Option<String> {
    let bearer = headers.typed_get::<Authorization<Bearer>>().map(|header| header.token().to_owned());
    bearer.or_else(|| CookieJar::from_headers(headers).get(&cookie::name(config, COOKIE)).map(|cookie| cookie.value().to_owned()))
}

impl CurrentUser {
    /// The identifiers of the account and of the session.
    #[must_use]
    pub fn client(&self) -> SignedInClient {
        SignedInClient { user: self.user.id, session: self.session }
    }

    /// Authenticates the request and looks up the entry `id` of `cache`, in one round trip to Redis instead of two.
    ///
    /// # Errors
    /// Those of the extractor.
    pub async fn and_lookup(parts: &Parts, state: &AppState, cache: CacheType, id: &str) -> Result<(Self, Lookup), ApiError> {
        let token = token(&state.config, &parts.headers).ok_or_else(|| ApiError::new(Code::Unauthenticated))?;
        let (session, user, lookup) = state.accounts.authenticate_and_lookup(&token, cache, id).await?;
        Ok((Self { user, session: session.id }, lookup))
    }

    /// The user of a connected client. Checks the session again at each call, so that an ended session is refused immediately.
    ///
    /// # Errors
    /// `invalid_token` when the session has ended.
    pub async fn of(state: &AppState, client: &Client) -> Result<Self, ApiError> {
        let token = TokenHash(client.identity().token_hash.to_vec());
        let (session, user) = state.accounts.recognize(token).await?;
        Ok(Self { user, session: session.id })
    }
}

/// The authenticated user of a request that only admins may make. Other users get `forbidden`.
pub struct Admin(pub User);

impl FromRequestParts<AppState> for Admin {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, ApiError> {
        let CurrentUser { user, .. } = CurrentUser::from_request_parts(parts, state).await?;
        if user.role == Role::Admin { Ok(Self(user)) } else { Err(ApiError::new(Code::Forbidden)) }
    }
}

/// Authenticates a client that connects: by the token in its handshake or, without one, by its request headers.
///
/// # Errors
/// `unauthenticated` without a token, `invalid_token` when the session is unknown or has ended.
pub async fn admit(state: AppState, headers: HeaderMap, introduced: Option<String>) -> Result<Identity, ApiError> {
    let token = introduced.or_else(|| token(&state.config, &headers)).ok_or_else(|| ApiError::new(Code::Unauthenticated))?;
    let (session, user) = state.accounts.authenticate(&token).await?;
    let token_hash = Token::parse(&token).map(|token| token.hash().0).unwrap_or_default();
    Ok(Identity { user: user.id, session: session.id, token_hash: token_hash.into() })
}

/// The authenticated user of a request, or none if the request has no token or its session is unknown or has ended.
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
