//! The published metadata of an `OpenID` provider: its discovery document (`OpenID` Connect Discovery, 3) and its keys.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::http::header::HOST;
use axum::http::uri::Authority;
use serde_json::{Value, json};

use crate::knobs::{ANOTHER_ISSUER, Lie};
use crate::provider::Provider;

/// The discovery document. The URL for browsers has the public address. The URLs that the client calls have the host of this request,
/// because a simulator in a container has different names for browsers and for the client.
pub async fn document(State(provider): State<Arc<Provider>>, headers: HeaderMap) -> Json<Value> {
    let issuer = provider.issuer();
    let host = headers.get(HOST).and_then(|host| host.to_str().ok()).filter(|host| host.parse::<Authority>().is_ok());
    let here = host.map_or_else(|| issuer.clone(), |host| format!("http://{host}/{}", provider.platform.name()));
    let documented = if provider.state().knobs.lie == Some(Lie::DiscoveryIssuer) { ANOTHER_ISSUER } else { &issuer };
    Json(json!({
        "issuer": documented,
        "authorization_endpoint": format!("{issuer}/oauth/authorize"),
        "token_endpoint": format!("{here}/oauth/token"),
        "revocation_endpoint": format!("{here}/oauth/revoke"),
        "userinfo_endpoint": format!("{here}/oauth/userinfo"),
        "jwks_uri": format!("{here}/oauth/jwks"),
        "scopes_supported": provider.platform.scopes(),
        "response_types_supported": ["code"],
        "response_modes_supported": ["query"],
        "grant_types_supported": ["authorization_code", "refresh_token"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["RS256"],
        "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
        "code_challenge_methods_supported": ["S256"],
        "claims_supported": ["iss", "sub", "aud", "exp", "iat", "nonce", "email", "email_verified", "name", "preferred_username"],
        "authorization_response_iss_parameter_supported": true,
    }))
}

/// The published keys for ID tokens (RFC 7517).
pub async fn keys(State(provider): State<Arc<Provider>>) -> Json<Value> {
    Json(json!({ "keys": [provider.site.keys.published()] }))
}
