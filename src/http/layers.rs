//! The layers that every request passes. Their order is in [`router`](crate::router).

use std::any::Any;
use std::sync::Arc;

use axum::extract::{MatchedPath, Request, State};
use axum::http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, HeaderName, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS};
use axum::http::{HeaderMap, HeaderValue};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use tracing::Instrument;
use uuid::Uuid;

use super::context::RequestContext;
use super::error::{ApiError, Code};
use super::host;
use super::unread::UnreadBody;
use crate::state::AppState;

static REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
static SERVED_BY: HeaderName = HeaderName::from_static("x-served-by");
/// Probes, scrapes and files are many and do nothing that is worth a span; events of sockets have spans of their own.
const QUIET: [&str; 5] = ["/health", "/metrics", "/assets/", "/favicon", "/socket.io/"];
/// Longer ones are replaced: an identifier stands in every log line of its request.
const MAX_ID_LENGTH: usize = 64;

/// Gives the request its identifier and its span, and its connection an end of the body. An identifier from the edge is kept when it is
/// harmless. What has no proper `Host` goes no further, like any other head that is not HTTP: it is not counted for a route.
pub async fn identify(State(state): State<AppState>, request: Request, next: Next) -> Response {
    let id: Arc<str> = request.headers().get(&REQUEST_ID).and_then(harmless).map_or_else(|| Uuid::now_v7().to_string().into(), Into::into);
    let context = RequestContext { id: id.clone(), path: request.uri().path().into() };
    let span = match request.extensions().get::<MatchedPath>() {
        Some(route) if QUIET.iter().any(|quiet| route.as_str().starts_with(quiet)) => tracing::Span::none(),
        route => {
            tracing::info_span!("request", request_id = &*id, method = request.method().as_str(), route = route.map(MatchedPath::as_str))
        }
    };
    let (request, unread) = UnreadBody::of(request);
    let answer = async {
        match host::check(&request) {
            Ok(()) => next.run(request).await,
            Err(refusal) => refusal.into_response(),
        }
    };
    let mut response = context.scope(answer.instrument(span)).await;
    unread.discard().await;
    let headers = response.headers_mut();
    if let Ok(id) = HeaderValue::from_str(&id) {
        headers.insert(&REQUEST_ID, id);
    }
    if let Ok(replica) = HeaderValue::from_str(&state.config.replica) {
        headers.insert(&SERVED_BY, replica);
    }
    protect(headers);
    response
}

fn harmless(value: &HeaderValue) -> Option<&str> {
    let id = value.to_str().ok()?;
    let fits = !id.is_empty() && id.len() <= MAX_ID_LENGTH && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    fits.then_some(id)
}

/// Headers that keep an answer from being misused by a browser (OWASP Secure Headers); an answer's own stay.
fn protect(headers: &mut HeaderMap) {
    let defaults = [
        (CACHE_CONTROL, "no-store"),
        (CONTENT_SECURITY_POLICY, "default-src 'none'; frame-ancestors 'none'"),
        (REFERRER_POLICY, "no-referrer"),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ];
    for (name, value) in defaults {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    }
}

/// Gives up on an answer that takes too long; what it was doing is dropped.
pub async fn limit_time(State(state): State<AppState>, request: Request, next: Next) -> Response {
    let answer = tokio::time::timeout(state.config.request_timeout, next.run(request)).await;
    answer.unwrap_or_else(|_| ApiError::new(Code::Timeout).retry_after(1).into_response())
}

/// The answer to a request whose handler panicked. The panic hook has logged and counted it.
#[must_use]
pub fn panicked(_: Box<dyn Any + Send>) -> Response {
    ApiError::new(Code::Internal).into_response()
}
