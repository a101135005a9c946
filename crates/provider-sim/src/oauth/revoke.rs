//! The revocation endpoint (RFC 7009). Revoking an unknown token succeeds, too.

use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};

use super::client;
use super::error::OAuthError;
use super::parameters::Form;
use crate::provider::Provider;

/// Revokes an access token, or a refresh token with all tokens of its grant.
///
/// # Errors
/// When client authentication fails, or the request has no token.
pub async fn revoke(State(provider): State<Arc<Provider>>, headers: HeaderMap, Form(form): Form) -> Result<StatusCode, OAuthError> {
    client::authenticate(&provider.site, &headers, &form)?;
    let token = form.require("token")?;
    let mut state = provider.state();
    if state.grants.revoke(token) {
        state.counts.revocations += 1;
    }
    Ok(StatusCode::OK)
}
