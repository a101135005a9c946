//! The outermost layer of a platform. Counts all requests to create a post, even during an outage, and all responses with 401, 403 or 429.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::middleware::Next;
use axum::response::Response;

use crate::provider::Provider;

/// Recognises a request to create a post by its method and path.
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
