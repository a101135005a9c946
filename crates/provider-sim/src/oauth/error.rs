//! Errors of the token and revocation endpoints, in the format of RFC 6749, 5.2.

use std::io;

use axum::Json;
use axum::http::StatusCode;
use axum::http::header::{CACHE_CONTROL, PRAGMA, WWW_AUTHENTICATE};
use axum::response::{IntoResponse, Response};
use serde_json::json;

/// An error with a description for developers.
#[derive(Debug)]
pub enum OAuthError {
    /// A parameter is missing, repeated or malformed, or the client uses two authentication methods.
    InvalidRequest(String),
    /// Client authentication failed.
    InvalidClient(&'static str),
    /// The code or the refresh token is invalid.
    InvalidGrant(&'static str),
    /// A scope is unknown or exceeds the grant.
    InvalidScope(String),
    /// The grant type is neither `authorization_code` nor `refresh_token`.
    UnsupportedGrantType,
    /// The simulator itself failed.
    ServerError(io::Error),
}

impl IntoResponse for OAuthError {
    fn into_response(self) -> Response {
        let (status, error, description) = match self {
            Self::InvalidRequest(reason) => (StatusCode::BAD_REQUEST, "invalid_request", reason),
            Self::InvalidClient(reason) => (StatusCode::UNAUTHORIZED, "invalid_client", reason.to_owned()),
            Self::InvalidGrant(reason) => (StatusCode::BAD_REQUEST, "invalid_grant", reason.to_owned()),
            Self::InvalidScope(reason) => (StatusCode::BAD_REQUEST, "invalid_scope", reason),
            Self::UnsupportedGrantType => {
                (StatusCode::BAD_REQUEST, "unsupported_grant_type", "grant_type must be authorization_code or refresh_token".to_owned())
            }
            Self::ServerError(error) => (StatusCode::INTERNAL_SERVER_ERROR, "server_error", error.to_string()),
        };
        let challenge = (status == StatusCode::UNAUTHORIZED).then_some([(WWW_AUTHENTICATE, r#"Basic realm="provider-sim""#)]);
        (status, challenge, uncached(Json(json!({ "error": error, "error_description": description })))).into_response()
    }
}

/// Adds the headers that forbid caching (RFC 6749, 5.1).
pub fn uncached(body: impl IntoResponse) -> impl IntoResponse {
    ([(CACHE_CONTROL, "no-store"), (PRAGMA, "no-cache")], body)
}
