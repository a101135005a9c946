//! JSON bodies: objects whose fields have the expected types.

use axum::Json;
use axum::extract::rejection::JsonRejection;
use axum::http::StatusCode;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

/// A received body. Deserializing the target type directly would accept an array in place of an object.
pub type Received = Result<Json<Map<String, Value>>, JsonRejection>;

/// Deserializes a body.
///
/// # Errors
/// The status of the refusal, and a sentence that names the field.
pub fn read<T: DeserializeOwned>(body: Received) -> Result<T, (StatusCode, String)> {
    let Json(object) = body.map_err(|rejection| (rejection.status(), rejection.body_text()))?;
    serde_path_to_error::deserialize(Value::Object(object)).map_err(|error| (StatusCode::UNPROCESSABLE_ENTITY, error.to_string()))
}
