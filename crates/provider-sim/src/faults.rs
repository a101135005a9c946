//! The knobs that apply to every call alike: outage, error rate and latency. Lies (wrong values in otherwise valid responses) are
//! implemented where the value is produced.

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

/// Middleware for every route of a platform: applies the outage knob.
pub async fn outage(State(provider): State<Arc<Provider>>, request: Request, next: Next) -> Response {
    let outage = provider.state().knobs.outage;
    match outage {
        None => next.run(request).await,
        Some(outage) => {
            let error = Problem::new(provider.platform, StatusCode::SERVICE_UNAVAILABLE, "the platform is down because of its knobs");
            down(outage, error.into_response()).await
        }
    }
}

/// How a service in an outage responds; `error` is the response of [`Outage::Error`].
pub async fn down(outage: Outage, error: Response) -> Response {
    match outage {
        Outage::Refuse => hang_up(),
        Outage::Hang => pending().await,
        Outage::Error => error,
    }
}

/// Middleware for every route of a platform except its pages: applies the error and latency knobs.
///
/// A failing call has no effect. A delayed call takes effect before the delay, so a client that times out cannot know whether the call
/// took effect.
pub async fn trouble(State(provider): State<Arc<Provider>>, request: Request, next: Next) -> Response {
    let (error_rate, latency) = {
        let knobs = &provider.state().knobs;
        (knobs.error_rate, Duration::from_millis(knobs.latency_ms))
    };
    let response = if rand::random_bool(error_rate) {
        Problem::new(provider.platform, StatusCode::INTERNAL_SERVER_ERROR, "the call failed because of the platform's knobs")
            .into_response()
    } else {
        next.run(request).await
    };
    if !latency.is_zero() {
        tokio::time::sleep(latency).await;
    }
    response
}
