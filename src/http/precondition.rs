//! Headers that make a request conditional or repeatable: `ETag` and `If-Match` (RFC 9110), `Idempotency-Key`
//! (IETF draft-ietf-httpapi-idempotency-key-header).

use std::fmt::Display;

use axum::extract::FromRequestParts;
use axum::http::header::{ETAG, HeaderName, IF_MATCH, IF_NONE_MATCH};
use axum::http::request::Parts;

use super::error::{ApiError, Code};
use super::extract::header;
use crate::state::AppState;

static IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
const KEY_LENGTH: usize = 255;

/// The header with the entity tag of a version: no two representations that an address has had may share one.
#[must_use]
pub fn etag(version: impl Display) -> [(HeaderName, String); 1] {
    [(ETAG, format!("\"{version}\""))]
}

/// The versions on which a change is conditional: a change without any is refused (RFC 6585, 428).
pub struct IfMatch(Vec<String>);

impl IfMatch {
    /// Whether the change may be made to this version. Weak tags never match (RFC 9110, 13.1.1).
    #[must_use]
    pub fn admits(&self, version: i64) -> bool {
        self.0.iter().any(|tag| tag == "*" || *tag == format!("\"{version}\""))
    }
}

impl FromRequestParts<AppState> for IfMatch {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &AppState) -> Result<Self, ApiError> {
        header(parts, &IF_MATCH)?.map(|tags| Self(split(tags))).ok_or_else(|| ApiError::new(Code::PreconditionRequired))
    }
}

/// The versions that the client already has.
pub struct IfNoneMatch(Vec<String>);

impl IfNoneMatch {
    /// Whether the client has this version.
    #[must_use]
    pub fn has(&self, version: impl Display) -> bool {
        self.0.iter().any(|tag| tag == "*" || tag.trim_start_matches("W/") == format!("\"{version}\""))
    }
}

impl FromRequestParts<AppState> for IfNoneMatch {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &AppState) -> Result<Self, ApiError> {
        Ok(Self(header(parts, &IF_NONE_MATCH)?.map(split).unwrap_or_default()))
    }
}

/// The client's name for this request: sent again, it has the effect and the answer of the first.
pub struct IdempotencyKey(pub Option<String>);

impl FromRequestParts<AppState> for IdempotencyKey {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &AppState) -> Result<Self, ApiError> {
        let Some(value) = header(parts, &IDEMPOTENCY_KEY)? else { return Ok(Self(None)) };
        let key = value.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(value);
        if key.is_empty() || key.len() > KEY_LENGTH {
            return Err(ApiError::new(Code::InvalidHeader).detail(format!("Idempotency-Key wants 1 to {KEY_LENGTH} characters")));
        }
        Ok(Self(Some(key.to_owned())))
    }
}

fn split(tags: &str) -> Vec<String> {
    tags.split(',').map(|tag| tag.trim().to_owned()).collect()
}
