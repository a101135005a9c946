//! Conditional and idempotent requests: `ETag`, `If-Match` and `If-None-Match` (RFC 9110), `Idempotency-Key`
//! (IETF draft-ietf-httpapi-idempotency-key-header). `domain::preconditions` evaluates the conditions.

use std::fmt::Display;

use axum::extract::FromRequestParts;
use axum::http::header::{ETAG, HeaderName, IF_MATCH, IF_NONE_MATCH};
use axum::http::request::Parts;
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::IntoParams;
use utoipa::openapi::path::{Parameter, ParameterBuilder, ParameterIn};
use utoipa::openapi::{ObjectBuilder, Required, Type};
use uuid::Uuid;

use super::error::{ApiError, Code};
use super::extract::header;
use crate::db::idempotency::IdempotentRequest;
use crate::domain::preconditions::{Conditions, TagList};
use crate::domain::validation::characters;

static IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
/// Maximum length of a key, without the quotation marks around it.
const KEY_LENGTH: usize = 255;
/// 1 to [`KEY_LENGTH`] visible ASCII characters and spaces, without inner quotation marks. The draft requires quotation marks around the
/// key (a structured-field string). A quoted key may begin or end with spaces; a bare key may not.
const KEY_PATTERN: &str = r#"^([!#-~]([ !#-~]{0,253}[!#-~])?|"[ !#-~]{1,255}")$"#;
/// `*`, or a list of entity tags (RFC 9110, 8.8.3). The list may be empty, and may have empty elements.
const TAGS_PATTERN: &str = r#"^(\*|[ ,]*((W/)?"[!#-~]*"( *,[ ,]*(W/)?"[!#-~]*")*[ ,]*)?)$"#;

/// The `ETag` header for a version. Two different representations of one resource must never share a version.
#[must_use]
pub fn etag(version: impl Display) -> [(HeaderName, String); 1] {
    [(ETAG, format!("\"{version}\""))]
}

impl Conditions {
    /// Responds to a read of this version with `answer`, or with 304 when the client already has the version.
    ///
    /// # Errors
    /// `precondition_failed` when `If-Match` excludes the version.
    pub fn answer_read(&self, version: impl Display + Copy, answer: impl IntoResponse) -> Result<Response, ApiError> {
        if !self.admit(version) {
            return Err(ApiError::new(Code::PreconditionFailed));
        }
        if self.client_has(version) {
            return Ok((StatusCode::NOT_MODIFIED, etag(version)).into_response());
        }
        Ok((etag(version), answer).into_response())
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Conditions {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        let tags = |name: HeaderName| {
            let refused = |error| ApiError::new(Code::InvalidHeader).detail(format!("{name} {error}"));
            TagList::parse(parts.headers.get_all(&name).iter().map(HeaderValue::as_bytes)).map_err(refused)
        };
        Ok(Self::new(tags(IF_MATCH)?, tags(IF_NONE_MATCH)?))
    }
}

/// [`Conditions`] for a change that must name the version it is based on: a request without `If-Match` gets 428 (RFC 6585).
pub struct RequiredConditions(pub Conditions);

impl<S: Send + Sync> FromRequestParts<S> for RequiredConditions {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let conditions = Conditions::from_request_parts(parts, state).await?;
        if !conditions.names_a_version() {
            return Err(ApiError::new(Code::PreconditionRequired));
        }
        Ok(Self(conditions))
    }
}

/// The client's key for this request. A repeated request with the key has no further effect and returns the first response.
pub struct IdempotencyKey(Option<String>);

impl IdempotencyKey {
    /// The idempotent request with this key; `None` if the client sent no key. See [`IdempotentRequest::new`].
    #[must_use]
    pub fn request(self, scope: Uuid, operation: &str, body: &impl Serialize) -> Option<IdempotentRequest> {
        self.0.map(|key| IdempotentRequest::new(scope, key, operation, body))
    }
}

impl<S: Send + Sync> FromRequestParts<S> for IdempotencyKey {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        let Some(value) = header(parts, &IDEMPOTENCY_KEY)? else { return Ok(Self(None)) };
        let key = value.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(value);
        if key.is_empty() || key.len() > KEY_LENGTH || key.contains(['"', '\t']) {
            let detail = format!("Idempotency-Key must have 1 to {KEY_LENGTH} characters and no inner quotation marks or tabs");
            return Err(ApiError::new(Code::InvalidHeader).detail(detail));
        }
        Ok(Self(Some(key.to_owned())))
    }
}

impl IntoParams for Conditions {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        vec![if_match(Required::False), if_none_match()]
    }
}

impl IntoParams for RequiredConditions {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        vec![if_match(Required::True), if_none_match()]
    }
}

impl IntoParams for IdempotencyKey {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        // The maximum length includes quotation marks around the key. The pattern limits the key itself to `KEY_LENGTH`.
        let key = characters(1, KEY_LENGTH + 2).pattern(Some(KEY_PATTERN));
        vec![parameter(
            "Idempotency-Key",
            Required::False,
            "For 24 hours, a repeated request with this key has no further effect and returns the first response",
            key,
        )]
    }
}

fn if_match(required: Required) -> Parameter {
    parameter("If-Match", required, "The `ETag` that you read, a list of them, or `*`", tags())
}

fn if_none_match() -> Parameter {
    parameter("If-None-Match", Required::False, "The `ETag` that you already have, a list of them, or `*`", tags())
}

fn tags() -> ObjectBuilder {
    ObjectBuilder::new().schema_type(Type::String).pattern(Some(TAGS_PATTERN))
}

fn parameter(name: &str, required: Required, description: &str, schema: ObjectBuilder) -> Parameter {
    let parameter = ParameterBuilder::new().name(name).parameter_in(ParameterIn::Header).required(required);
    parameter.description(Some(description)).schema(Some(schema)).build()
}

#[cfg(test)]
mod tests {
    use axum::http::Request;
    use regex_lite::Regex;

    use super::*;

    async fn is_accepted(value: &str) -> bool {
        let request = Request::builder().header(&IDEMPOTENCY_KEY, value).body(()).unwrap();
        let (mut parts, ()) = request.into_parts();
        IdempotencyKey::from_request_parts(&mut parts, &()).await.is_ok()
    }

    #[tokio::test]
    async fn the_schema_of_a_key_admits_exactly_the_accepted_keys() {
        let parameters = serde_json::to_value(IdempotencyKey::into_params(|| None)).unwrap();
        let schema = &parameters[0]["schema"];
        let length = |name: &str| usize::try_from(schema[name].as_u64().unwrap()).unwrap();
        let lengths = length("minLength")..=length("maxLength");
        let pattern = Regex::new(schema["pattern"].as_str().unwrap()).unwrap();
        let key = |length: usize| "k".repeat(length);
        let quoted = |key: &str| format!("\"{key}\"");
        let table = [
            (key(1), true),
            (key(255), true),
            ("a key".to_owned(), true),
            (quoted(&key(1)), true),
            (quoted(&key(255)), true),
            (quoted(" "), true),
            (String::new(), false),
            (key(256), false),
            (key(257), false),
            (quoted(""), false),
            (quoted(&key(256)), false),
            (quoted("k\"k"), false),
            (quoted("k\tk"), false),
            ("\"".to_owned(), false),
            ("\"k".to_owned(), false),
            ("k\"".to_owned(), false),
            ("k\"k".to_owned(), false),
            ("k\tk".to_owned(), false),
        ];
        for (value, accepted) in table {
            assert_eq!(is_accepted(&value).await, accepted, "the service: {value}");
            assert_eq!(lengths.contains(&value.len()) && pattern.is_match(&value), accepted, "the schema: {value}");
        }
    }
}
