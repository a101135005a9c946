//! The injection point for faults in HTTP: the innermost layer around the handlers. The layers outside measure, catch, time-limit
//! and report an injected failure as if the handler had failed.

use axum::extract::{MatchedPath, Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::error::{ApiError, Code};
use crate::fault_injection::{Failure, FaultInjector, exempt};

/// Routes that are exempt: those that report the state of the service, and those that an admin needs to end a fault.
const SPARED: [&str; 9] =
    ["/health", "/metrics", "/api/metrics", "/api/faults", "/studio/faults", "/login", "/api/auth/login", "/assets", "/favicon.ico"];

/// Whether this route is exempt from fault injection.
#[must_use]
pub fn is_spared(route: &str) -> bool {
    SPARED.iter().any(|spared| route.strip_prefix(spared).is_some_and(|rest| rest.is_empty() || rest.starts_with('/')))
}

/// Injects the active faults that target this route. A request without a matched route is exempt: no handler could fail.
///
/// # Panics
/// When an active fault injects a panic.
pub async fn inject(State(injector): State<FaultInjector>, request: Request, next: Next) -> Response {
    let Some(route) = request.extensions().get::<MatchedPath>().cloned().filter(|route| !is_spared(route.as_str())) else {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_admin_needs_is_spared_and_nothing_that_is_called_alike() {
        for route in ["/health", "/health/ready", "/metrics", "/api/metrics", "/api/faults/{id}", "/login", "/assets/{file}"] {
            assert!(is_spared(route), "{route}");
        }
        for route in ["/", "/healthy", "/api/auth/logout", "/api/auth/me", "/studio", "/api/projects"] {
            assert!(!is_spared(route), "{route}");
        }
    }
}
