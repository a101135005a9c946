//! The userinfo endpoint (`OpenID` Connect Core, 5.3).

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde_json::{Map, Value};

use super::bearer::Caller;
use super::claims;
use crate::platforms::Problem;
use crate::provider::Provider;

/// The claims that the token's scopes allow.
///
/// # Errors
/// 403 for a token without the scope `openid`.
pub async fn userinfo(State(provider): State<Arc<Provider>>, caller: Caller) -> Result<Json<Map<String, Value>>, Problem> {
    caller.require(&["openid"])?;
    Ok(Json(claims::person(&provider, &caller.grant, &caller.scopes)))
}
