//! What goes wrong with calls, whatever they ask for. Lies are told where the truth would be.

use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use crate::knobs::Outage;
use crate::platforms::Problem;
use crate::provider::Provider;
use crate::server::hang_up;

/// For everything of a platform: it may be down.
pub async fn outage(State(provider): State<Arc<Provider>>, request: Request, next: Next) -> Response {
    let outage = provider.state().knobs.outage;
    match outage {
        None => next.run(request).await,
        Some(outage) => {
            let error = Problem::new(provider.platform, StatusCode::SERVICE_UNAVAILABLE, "the platform is down, as its knobs say");
            down(outage, error.into_response()).await
        }
    }
}

/// What one gets from something that is down.
pub async fn down(outage: Outage, error: Response) -> Response {
    match outage {
        Outage::Refuse => hang_up(),
        Outage::Hang => pending().await,
        Outage::Error => error,
    }
}

/// For everything of a platform but its pages: a call may fail, and its answer may be late.
///
/// A call that fails has no effect. One whose answer is late has had its effect when the wait begins, so that a client that
/// gives up cannot know.
pub async fn trouble(State(provider): State<Arc<Provider>>, request: Request, next: Next) -> Response {
    let (error_rate, latency) = {
        let knobs = &provider.state().knobs;
        (knobs.error_rate, Duration::from_millis(knobs.latency_ms))
    };
    let response = if rand::random_bool(error_rate) {
        Problem::new(provider.platform, StatusCode::INTERNAL_SERVER_ERROR, "the call failed, as the knobs say").into_response()
    } else {
        next.run(request).await
    };
    if !latency.is_zero() {
        tokio::time::sleep(latency).await;
    }
    response
}
