//! Reads JSON request bodies: each must be an object whose fields have the expected types.

use axum::Json;
use axum::extract::rejection::JsonRejection;
use axum::http::StatusCode;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

/// A request body that is a JSON object, or a rejection. It is read as an object first, because serde also accepts an array for a struct.
pub type Received = Result<Json<Map<String, Value>>, JsonRejection>;

/// Deserializes a body.
///
/// # Errors
/// The response's status and its message. If a field is invalid, the message names it.
pub fn read<T: DeserializeOwned>(body: Received) -> Result<T, (StatusCode, String)> {
    let Json(object) = body.map_err(|rejection| (rejection.status(), rejection.body_text()))?;
    serde_path_to_error::deserialize(Value::Object(object)).map_err(|error| (StatusCode::UNPROCESSABLE_ENTITY, error.to_string()))
}
