//! Headers that make a request conditional or repeatable: `ETag`, `If-Match` and `If-None-Match` (RFC 9110), `Idempotency-Key`
//! (IETF draft-ietf-httpapi-idempotency-key-header). How lists of entity tags are read: `entity_tag`.

use std::fmt::Display;

use axum::extract::FromRequestParts;
use axum::http::StatusCode;
use axum::http::header::{ETAG, HeaderName, IF_MATCH, IF_NONE_MATCH};
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};

use utoipa::IntoParams;
use utoipa::openapi::path::{Parameter, ParameterBuilder, ParameterIn};
use utoipa::openapi::{ObjectBuilder, Required, Type};

use super::entity_tag::TagList;
use super::error::{ApiError, Code};
use super::extract::header;
use super::fields::characters;
use crate::state::AppState;

static IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
const KEY_LENGTH: usize = 255;
/// Visible ASCII without quotation marks, with spaces inside; or the same within quotation marks, as the draft writes it.
const KEY_PATTERN: &str = r#"^([!#-~]([ !#-~]*[!#-~])?|"[ !#-~]+")$"#;
/// A list of entity tags (RFC 9110, 8.8.3), which may be empty and have empty members, or a star.
const TAGS_PATTERN: &str = r#"^(\*|[ ,]*((W/)?"[!#-~]*"( *,[ ,]*(W/)?"[!#-~]*")*[ ,]*)?)$"#;

/// The header with the entity tag of a version: no two representations that an address has had may share one.
#[must_use]
pub fn etag(version: impl Display) -> [(HeaderName, String); 1] {
    [(ETAG, format!("\"{version}\""))]
}

/// The conditions of a request (RFC 9110, 13): on which versions it may be made, and which versions its client has.
pub struct Conditions {
    if_match: Option<TagList>,
    if_none_match: Option<TagList>,
}

impl Conditions {
    /// Whether a change may be made to this version. Without a condition it may.
    #[must_use]
    pub fn admit_change(&self, version: i64) -> bool {
        self.admit(version) && !self.client_has(version)
    }

    /// Whether this version may be read. One that the client has is not sent again: see [`Self::client_has`].
    #[must_use]
    pub fn admit(&self, version: impl Display) -> bool {
        self.if_match.as_ref().is_none_or(|tags| tags.matches_strongly(version))
    }

    /// Whether the client has this version.
    #[must_use]
    pub fn client_has(&self, version: impl Display) -> bool {
        self.if_none_match.as_ref().is_some_and(|tags| tags.matches_weakly(version))
    }

    /// Answers a read of this version: with `answer`, with nothing when the client has it (304), or with a refusal (412).
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

impl FromRequestParts<AppState> for Conditions {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &AppState) -> Result<Self, ApiError> {
        let tags = |name: HeaderName| {
            let refused = |error| ApiError::new(Code::InvalidHeader).detail(format!("{name} {error}"));
            TagList::parse(parts.headers.get_all(&name)).map_err(refused)
        };
        Ok(Self { if_match: tags(IF_MATCH)?, if_none_match: tags(IF_NONE_MATCH)? })
    }
}

/// As [`Conditions`], for a change that must name the version that was read: without `If-Match` it is refused (RFC 6585, 428).
pub struct RequiredConditions(pub Conditions);

impl FromRequestParts<AppState> for RequiredConditions {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, ApiError> {
        let conditions = Conditions::from_request_parts(parts, state).await?;
        if conditions.if_match.is_none() {
            return Err(ApiError::new(Code::PreconditionRequired));
        }
        Ok(Self(conditions))
    }
}

/// The client's name for this request: sent again, it has the effect and the answer of the first.
pub struct IdempotencyKey(pub Option<String>);

impl FromRequestParts<AppState> for IdempotencyKey {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &AppState) -> Result<Self, ApiError> {
        let Some(value) = header(parts, &IDEMPOTENCY_KEY)? else { return Ok(Self(None)) };
        let key = value.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(value);
        if key.is_empty() || key.len() > KEY_LENGTH || key.contains(['"', '\t']) {
            let detail = format!("Idempotency-Key must be 1 to {KEY_LENGTH} characters without quotation marks");
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
        // The quotation marks do not count.
        let key = characters(1, KEY_LENGTH).pattern(Some(KEY_PATTERN));
        vec![parameter("Idempotency-Key", Required::False, "Sent again, the request has the effect and the answer of the first", key)]
    }
}

fn if_match(required: Required) -> Parameter {
    parameter("If-Match", required, "The `ETag` that was read, several of them, or `*`", tags())
}

fn if_none_match() -> Parameter {
    parameter("If-None-Match", Required::False, "The `ETag` that the client has, several of them, or `*`", tags())
}

fn tags() -> ObjectBuilder {
    ObjectBuilder::new().schema_type(Type::String).pattern(Some(TAGS_PATTERN))
}

fn parameter(name: &str, required: Required, description: &str, schema: ObjectBuilder) -> Parameter {
    let parameter = ParameterBuilder::new().name(name).parameter_in(ParameterIn::Header).required(required);
    parameter.description(Some(description)).schema(Some(schema)).build()
}
