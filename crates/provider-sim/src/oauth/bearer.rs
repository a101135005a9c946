//! Authenticates the caller of an API by its access token (RFC 6750), and applies the account's rate limit.

use std::sync::Arc;
use std::time::Instant;

use axum::extract::FromRequestParts;
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;

use crate::account::Account;
use crate::grants::Grant;
use crate::platform::Platform;
use crate::platforms::Problem;
use crate::provider::Provider;

/// The caller that an access token identifies. As a handler's argument it rejects requests without a valid token or above the rate limit.
pub struct Caller {
    /// The grant of the token.
    pub grant: Arc<Grant>,
    /// The token's scopes, a subset of the grant's.
    pub scopes: Vec<&'static str>,
    platform: Platform,
}

impl Caller {
    /// The account of the caller.
    pub fn account(&self) -> &Account {
        &self.grant.account
    }

    /// Checks that the token has one of these scopes.
    ///
    /// # Errors
    /// 403 with `insufficient_scope`.
    pub fn require(&self, any: &[&str]) -> Result<(), Problem> {
        if self.scopes.iter().any(|scope| any.contains(scope)) { Ok(()) } else { Err(Problem::insufficient_scope(self.platform, any)) }
    }
}

impl FromRequestParts<Arc<Provider>> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, provider: &Arc<Provider>) -> Result<Self, Problem> {
        let platform = provider.platform;
        let Some(header) = parts.headers.get(AUTHORIZATION) else { return Err(Problem::no_token(platform)) };
        let (scheme, token) = header.to_str().ok().and_then(|header| header.split_once(' ')).unwrap_or_default();
        if !scheme.eq_ignore_ascii_case("bearer") {
            return Err(Problem::no_token(platform));
        }
        let mut state = provider.state();
        let (grant, scopes) = state.grants.access(token.trim(), Instant::now()).ok_or_else(|| Problem::invalid_token(platform))?;
        if let Some(limit) = state.knobs.rate_limit {
            state.calls.admit(&grant.account.name, limit, Instant::now()).map_err(|seconds| Problem::rate_limited(platform, seconds))?;
        }
        Ok(Self { grant, scopes, platform })
    }
}
