//! The injection point for faults in HTTP: the innermost layer around the handlers. The outer layers treat an injected delay or failure
//! as if the handler had caused it: they measure and report it, catch a panic, and apply the request timeout.

use axum::extract::{MatchedPath, Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::error::{ApiError, Code};
use crate::fault_injection::{Failure, FaultInjector, exempt, is_exempt_route};

/// Injects the active faults that target this route. Exempts the routes of [`is_exempt_route`]. Requests that match no route are exempt,
/// too, because they have no handler that could fail.
///
/// # Panics
/// When an active fault injects a panic.
pub async fn inject(State(injector): State<FaultInjector>, request: Request, next: Next) -> Response {
    let Some(route) = request.extensions().get::<MatchedPath>().cloned().filter(|route| !is_exempt_route(route.as_str())) else {
        return exempt(next.run(request)).await;
    };
    if let Some(delay) = injector.latency(route.as_str()) {
        tokio::time::sleep(delay).await;
    }
    match injector.failure(route.as_str()) {
        Some(Failure::Status(503)) => ApiError::new(Code::Unavailable).retry_after(1).source("injected fault").into_response(),
        Some(Failure::Status(_)) => ApiError::new(Code::Internal).source("injected fault").into_response(),
        Some(Failure::Panic) => panic!("injected fault"),
        None => next.run(request).await,
    }
}
