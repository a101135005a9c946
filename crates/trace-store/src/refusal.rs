//! Refusals: a status and one line of plain text, as Tempo and Loki refuse.

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};

/// The reason why a request is refused.
#[derive(Debug)]
pub struct Refusal {
    status: StatusCode,
    reason: String,
}

impl Refusal {
    /// The request is malformed.
    pub fn malformed(reason: impl Into<String>) -> Self {
        Self { status: StatusCode::BAD_REQUEST, reason: reason.into() }
    }

    /// The store does not have what the request asks for.
    pub fn unknown(reason: impl Into<String>) -> Self {
        Self { status: StatusCode::NOT_FOUND, reason: reason.into() }
    }

    /// The body has a type that the store cannot read.
    pub fn unreadable(reason: impl Into<String>) -> Self {
        Self { status: StatusCode::UNSUPPORTED_MEDIA_TYPE, reason: reason.into() }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        (self.status, format!("{}\n", self.reason)).into_response()
    }
}
