//! Extractors for JSON bodies, paths, queries and headers; they reject invalid requests with a problem. [`from_value`] applies the rules
//! of JSON bodies to Socket.IO payloads.

use axum::body::{Body, HttpBody};
use axum::extract::{FromRequest, FromRequestParts, Path, Query, Request};
use axum::http::header::{CONTENT_TYPE, HeaderName};
use axum::http::request::Parts;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::error::{ApiError, Code};
use crate::config::Config;
use crate::domain::validation::FieldError;

/// Maximum number of bytes to read of a body that exceeds its limit. The excess is discarded.
const DISCARD_LIMIT: usize = 8 << 20;

/// A request body that consists of one JSON object, deserialized to `T`. `T` decides whether unknown fields are rejected.
pub struct ApiJson<T>(pub T);

impl<S: AsRef<Config> + Sync, T: DeserializeOwned> FromRequest<S> for ApiJson<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        let (parts, body) = request.into_parts();
        let Config { request_timeout, body_limit, .. } = state.as_ref();
        // Half of the request timeout, so that a slow client receives a 408. The request timeout itself would answer 503, which counts as
        // a failure of the service.
        let received = tokio::time::timeout(*request_timeout / 2, read(body, *body_limit)).await;
        let bytes = received.map_err(|_| ApiError::new(Code::RequestTimeout))??;
        if !is_json(&parts) {
            return Err(ApiError::new(Code::UnsupportedMediaType));
        }
        // Without this check, serde would also deserialize a struct from an array.
        if !bytes.trim_ascii_start().starts_with(b"{") && is_json_text(&bytes) {
            return Err(not_an_object());
        }
        let mut deserializer = serde_json::Deserializer::from_slice(&bytes);
        let value = serde_path_to_error::deserialize(&mut deserializer).map_err(|error| {
            let inner = error.inner();
            // Where an enum is expected, serde_json reports a value of another type as a syntax error, although the body is valid JSON.
            if inner.is_data() || is_json_text(&bytes) {
                shape_error(&error)
            } else {
                ApiError::new(Code::MalformedJson).detail(inner.to_string())
            }
        })?;
        deserializer.end().map_err(|error| ApiError::new(Code::MalformedJson).detail(error.to_string()))?;
        Ok(Self(value))
    }
}

/// Deserializes the payload of a Socket.IO event.
///
/// # Errors
/// `validation_failed` with the path of the field.
pub fn from_value<T: DeserializeOwned>(value: Value) -> Result<T, ApiError> {
    if !value.is_object() {
        return Err(not_an_object());
    }
    serde_path_to_error::deserialize(value).map_err(|error| shape_error(&error))
}

fn not_an_object() -> ApiError {
    let (field, message) = (".".to_owned(), "must be a JSON object".to_owned());
    ApiError::validation(vec![FieldError { field, code: "invalid", message }])
}

fn is_json(parts: &Parts) -> bool {
    let Some(media) = parts.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()) else { return false };
    media.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case("application/json")
}

/// Reads a body of at most `limit` bytes. Reads and discards the excess, up to [`DISCARD_LIMIT`]: if the connection closed while the
/// client was still sending, the client would not receive the response.
async fn read(mut body: Body, limit: usize) -> Result<Vec<u8>, ApiError> {
    let (mut bytes, mut length) = (Vec::new(), 0_usize);
    while let Some(frame) = std::future::poll_fn(|context| std::pin::Pin::new(&mut body).poll_frame(context)).await {
        let frame = frame.map_err(|error| ApiError::new(Code::IncompleteBody).source(error))?;
        let Ok(data) = frame.into_data() else { continue };
        length += data.len();
        if length <= limit {
            bytes.extend_from_slice(&data);
        } else if length > DISCARD_LIMIT {
            break;
        }
    }
    if length > limit {
        return Err(ApiError::new(Code::PayloadTooLarge).detail(format!("The limit is {limit} bytes")));
    }
    Ok(bytes)
}

fn is_json_text(bytes: &[u8]) -> bool {
    std::str::from_utf8(bytes).is_ok_and(|text| serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok())
}

fn shape_error(error: &serde_path_to_error::Error<serde_json::Error>) -> ApiError {
    ApiError::validation(vec![field_error(error)])
}

fn field_error(error: &serde_path_to_error::Error<serde_json::Error>) -> FieldError {
    let message = error.inner().to_string();
    let code = if message.starts_with("unknown field") {
        "unknown"
    } else if message.starts_with("missing field") {
        "required"
    } else if message.starts_with("duplicate field") {
        "duplicate"
    } else {
        "invalid"
    };
    // The path of a missing or duplicate field ends at the field's parent, and only the message names the field. The path of an unknown
    // field includes the field, except in a tagged enum.
    let named = message.split('`').nth(1).filter(|_| code != "invalid");
    let field = match (error.path().to_string(), named) {
        (path, Some(name)) if path == "." => name.to_owned(),
        (path, Some(name)) if code != "unknown" || path.rsplit('.').next() != Some(name) => format!("{path}.{name}"),
        (path, _) => path,
    };
    FieldError { field, code, message }
}

/// Path parameters. The rejection is `not_found` when a value has the wrong type, because no such resource can exist.
pub struct ApiPath<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned + Send> FromRequestParts<S> for ApiPath<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let Path(value) = Path::from_request_parts(parts, state).await.map_err(|error| ApiError::new(Code::NotFound).source(error))?;
        Ok(Self(value))
    }
}

/// Query parameters. The rejection is `invalid_query` when they do not deserialize.
pub struct ApiQuery<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for ApiQuery<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let Query(value) =
            Query::from_request_parts(parts, state).await.map_err(|error| ApiError::new(Code::InvalidQuery).detail(error.body_text()))?;
        Ok(Self(value))
    }
}

/// The value of a header that must not be repeated; `None` without the header.
///
/// # Errors
/// `invalid_header` when the header is repeated, or its value is not visible ASCII.
pub fn header<'a>(parts: &'a Parts, name: &HeaderName) -> Result<Option<&'a str>, ApiError> {
    let invalid = |must: &str| ApiError::new(Code::InvalidHeader).detail(format!("{name} must {must}"));
    let mut lines = parts.headers.get_all(name).iter();
    let Some(value) = lines.next() else { return Ok(None) };
    if lines.next().is_some() {
        return Err(invalid("not be sent more than once"));
    }
    value.to_str().map(Some).map_err(|_| invalid("contain only visible ASCII characters"))
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;
    use serde_json::json;

    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only errors are read")]
    struct Outer {
        rename: Inner,
    }

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only errors are read")]
    struct Inner {
        name: String,
    }

    #[test]
    fn an_error_has_the_whole_path_of_its_field() {
        for (value, field, code) in [
            (json!({}), "rename", "required"),
            (json!({ "rename": {} }), "rename.name", "required"),
            (json!({ "rename": { "name": "a", "other": 1 } }), "rename.other", "unknown"),
            (json!({ "rename": { "name": 1 } }), "rename.name", "invalid"),
        ] {
            let error = field_error(&serde_path_to_error::deserialize::<_, Outer>(value).unwrap_err());
            assert_eq!((&*error.field, error.code), (field, code));
        }
    }
}
