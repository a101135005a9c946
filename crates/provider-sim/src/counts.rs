//! How often what happened on a platform: the JSON of `GET /counts`. What an answer's status tells is counted here for
//! every route; the rest is counted where it happens.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::middleware::Next;
use axum::response::Response;
use serde::{Deserialize, Serialize};

use crate::provider::Provider;

/// Counters of one platform since the simulator's start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Consents given.
    pub authorizations: u64,
    /// Consents denied.
    pub denials: u64,
    /// Codes that became tokens.
    pub tokens: u64,
    /// Refresh tokens that became new ones.
    pub refreshes: u64,
    /// Tokens that the client gave back.
    pub revocations: u64,
    /// Refresh tokens that came a second time.
    pub reused_refresh_tokens: u64,
    /// Posts made.
    pub posts: u64,
    /// Requests for a post that arrived, whatever became of them.
    pub post_requests: u64,
    /// Requests for a post that was there already, told by their idempotency key.
    pub repeated_posts: u64,
    /// Answers 401 and 403.
    pub refused: u64,
    /// Answers 429.
    pub rate_limited: u64,
}

/// The outermost layer of a platform.
pub async fn observe(State(provider): State<Arc<Provider>>, request: Request, next: Next) -> Response {
    if provider.platform.is_posting(request.method(), request.uri().path()) {
        provider.state().counts.post_requests += 1;
    }
    let response = next.run(request).await;
    match response.status() {
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => provider.state().counts.refused += 1,
        StatusCode::TOO_MANY_REQUESTS => provider.state().counts.rate_limited += 1,
        _ => {}
    }
    response
}
