//! Each platform's authorization server: OAuth 2 (RFC 6749) with PKCE (7636) and revocation (7009). Platforms with `OpenID` Connect also
//! send the issuer in authorization responses (9207).

mod authorize;
mod bearer;
mod claims;
mod client;
mod discovery;
mod error;
mod parameters;
mod revoke;
mod scopes;
mod token;
mod userinfo;

use std::sync::Arc;

use axum::Router;
use axum::routing::{get, post};

pub use bearer::Caller;

use crate::platform::Platform;
use crate::provider::Provider;

/// The routes that the user's browser opens.
pub fn pages() -> Router<Arc<Provider>> {
    Router::new().route("/oauth/authorize", get(authorize::show).post(authorize::decide))
}

/// The routes that the client calls.
pub fn calls(platform: Platform) -> Router<Arc<Provider>> {
    let calls = Router::new().route("/oauth/token", post(token::issue)).route("/oauth/revoke", post(revoke::revoke));
    if !platform.is_oidc() {
        return calls;
    }
    calls
        .route("/.well-known/openid-configuration", get(discovery::document))
        .route("/oauth/jwks", get(discovery::keys))
        .route("/oauth/userinfo", get(userinfo::userinfo).post(userinfo::userinfo))
}
