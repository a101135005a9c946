//! The token endpoint: exchanges a code or a refresh token for new tokens.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Json;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use super::error::{OAuthError, uncached};
use super::parameters::{Form, Parameters};
use super::{claims, client, scopes};
use crate::grants::{Grant, Refused, Tokens};
use crate::provider::Provider;

/// Allowed lengths of a code verifier (RFC 7636, 4.1).
const VERIFIER_LENGTHS: std::ops::RangeInclusive<usize> = 43..=128;

/// The success response of RFC 6749, 5.1.
#[derive(Serialize)]
struct Answer {
    access_token: String,
    token_type: &'static str,
    expires_in: u64,
    refresh_token: String,
    scope: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    id_token: Option<String>,
}

/// New tokens, with the grant and the scopes that they are for.
struct Issued {
    tokens: Tokens,
    grant: Arc<Grant>,
    scopes: Vec<&'static str>,
    /// The nonce for the ID token; `None` after a refresh (`OpenID` Connect Core, 12.2).
    nonce: Option<String>,
    lifetime: Duration,
}

/// Authenticates the client, and exchanges its code or refresh token for new tokens.
///
/// # Errors
/// Those of RFC 6749, 5.2, and `server_error` when the ID token cannot be signed.
pub async fn issue(State(provider): State<Arc<Provider>>, headers: HeaderMap, Form(form): Form) -> Result<Response, OAuthError> {
    client::authenticate(&provider.site, &headers, &form)?;
    let issued = match form.require("grant_type")? {
        "authorization_code" => redeem(&provider, &form),
        "refresh_token" => refresh(&provider, &form),
        _ => Err(OAuthError::UnsupportedGrantType),
    }?;
    let id_token = if issued.scopes.contains(&"openid") {
        Some(claims::id_token(&provider, &issued.grant, &issued.scopes, issued.nonce).await.map_err(OAuthError::ServerError)?)
    } else {
        None
    };
    let answer = Answer {
        access_token: issued.tokens.access,
        token_type: "Bearer",
        expires_in: issued.lifetime.as_secs(),
        refresh_token: issued.tokens.refresh,
        scope: issued.scopes.join(" "),
        id_token,
    };
    Ok(uncached(Json(answer)).into_response())
}

fn redeem(provider: &Provider, form: &Parameters) -> Result<Issued, OAuthError> {
    let (code, redirect_uri, verifier) = (form.require("code")?, form.require("redirect_uri")?, form.require("code_verifier")?);
    let is_unreserved = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    if !VERIFIER_LENGTHS.contains(&verifier.len()) || !verifier.bytes().all(is_unreserved) {
        return Err(OAuthError::InvalidRequest("code_verifier must have 43 to 128 unreserved characters".to_owned()));
    }
    let mut state = provider.state();
    let lifetime = Duration::from_secs(state.knobs.token_s);
    let (tokens, grant) = state.grants.redeem(code, redirect_uri, verifier, lifetime, Instant::now())?;
    state.counts.tokens += 1;
    Ok(Issued { tokens, scopes: grant.scopes.clone(), nonce: grant.nonce.clone(), grant, lifetime })
}

fn refresh(provider: &Provider, form: &Parameters) -> Result<Issued, OAuthError> {
    let token = form.require("refresh_token")?;
    let requested = form.get("scope").map(|text| scopes::read(provider.platform, text)).transpose();
    let requested = requested.map_err(|word| OAuthError::InvalidScope(format!("the platform does not support the scope {word}")))?;
    let mut state = provider.state();
    let lifetime = Duration::from_secs(state.knobs.token_s);
    let refreshed = state.grants.refresh(token, requested, lifetime, Instant::now());
    match &refreshed {
        Ok(_) => state.counts.refreshes += 1,
        Err(Refused::Reused) => state.counts.reused_refresh_tokens += 1,
        Err(_) => {}
    }
    let (tokens, grant, scopes) = refreshed?;
    Ok(Issued { tokens, grant, scopes, nonce: None, lifetime })
}

impl From<Refused> for OAuthError {
    fn from(refused: Refused) -> Self {
        Self::InvalidGrant(match refused {
            Refused::Scope => return Self::InvalidScope("the grant does not include a requested scope".to_owned()),
            Refused::Unknown => "the code or token is unknown or no longer valid",
            Refused::Reused => "the code or token was used before: all tokens issued from the same code are now invalid",
            Refused::RedirectUri => "redirect_uri differs from the one that the code was sent to",
            Refused::Verifier => "code_verifier does not match the code_challenge",
        })
    }
}
