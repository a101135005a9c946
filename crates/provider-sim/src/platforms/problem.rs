//! Errors of the platforms' APIs. All platforms have the same errors, but not the same JSON format.

use axum::Json;
use axum::http::header::{RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderName, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use crate::platform::Platform;

/// An error response.
#[derive(Debug)]
pub struct Problem {
    platform: Platform,
    status: StatusCode,
    message: String,
    header: Option<(HeaderName, String)>,
}

impl Problem {
    /// An error with a message for developers.
    pub fn new(platform: Platform, status: StatusCode, message: &str) -> Self {
        Self { platform, status, message: message.to_owned(), header: None }
    }

    /// The request has no token. The challenge then has no error code (RFC 6750, 3.1).
    pub fn no_token(platform: Platform) -> Self {
        Self::new(platform, StatusCode::UNAUTHORIZED, "an access token is required").challenge("")
    }

    /// The token is invalid.
    pub fn invalid_token(platform: Platform) -> Self {
        Self::new(platform, StatusCode::UNAUTHORIZED, "the access token is unknown, revoked or expired")
            .challenge(r#", error="invalid_token", error_description="the access token is unknown, revoked or expired""#)
    }

    /// The token has none of the scopes in `any`. One of them is required; the challenge names the first.
    pub fn insufficient_scope(platform: Platform, any: &[&str]) -> Self {
        Self::new(platform, StatusCode::FORBIDDEN, &format!("the access token lacks the scope {}", any.join(" or ")))
            .challenge(&format!(r#", error="insufficient_scope", scope="{}""#, any[0]))
    }

    /// The account exceeds its rate limit. `seconds` is the time until it may call again.
    pub fn rate_limited(platform: Platform, seconds: u64) -> Self {
        let mut problem = Self::new(platform, StatusCode::TOO_MANY_REQUESTS, "the account exceeds its rate limit");
        problem.header = Some((RETRY_AFTER, seconds.to_string()));
        problem
    }

    fn challenge(mut self, details: &str) -> Self {
        self.header = Some((WWW_AUTHENTICATE, format!(r#"Bearer realm="{}"{details}"#, self.platform.name())));
        self
    }

    fn body(&self) -> Value {
        let (status, message) = (self.status.as_u16(), &self.message);
        let title = self.status.canonical_reason().unwrap_or_default();
        match self.platform {
            Platform::Github => json!({ "message": message, "status": status.to_string() }),
            Platform::Gitlab | Platform::Google => json!({ "error": title.to_lowercase().replace(' ', "_"), "error_description": message }),
            Platform::Mastodon => json!({ "error": message }),
            Platform::Linkedin => json!({ "message": message, "status": status }),
            Platform::X => json!({ "title": title, "detail": message, "type": "about:blank", "status": status }),
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        (self.status, self.header.clone().map(|header| [header]), Json(self.body())).into_response()
    }
}
