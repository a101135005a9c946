//! Receivers of alerts: Slack's incoming webhooks, `PagerDuty`'s Events API v2 and Alertmanager's own webhook, one file each. They accept
//! the requests that Alertmanager sends, and respond as the real services do. `sink` stores the notifications.

mod kind;
mod pagerduty;
mod sink;
mod slack;
mod webhook;

use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::middleware::{Next, from_fn_with_state as layer};
use axum::response::{IntoResponse, Response};

pub use kind::Kind;
pub use sink::{Disorder, Notification, Sink, Status};

use crate::faults;

/// The routes of every receiver.
pub fn routes(sink: &Arc<Sink>) -> Router {
    Kind::ALL
        .into_iter()
        .fold(Router::new(), |router, kind| router.merge(routes_of(kind).layer(layer((sink.clone(), kind), outage))))
        .with_state(sink.clone())
}

fn routes_of(kind: Kind) -> Router<Arc<Sink>> {
    match kind {
        Kind::Slack => slack::routes(),
        Kind::Pagerduty => pagerduty::routes(),
        Kind::Webhook => webhook::routes(),
    }
}

/// Applies the outage knob of a receiver.
async fn outage(State((sink, kind)): State<(Arc<Sink>, Kind)>, request: Request, next: Next) -> Response {
    match sink.disorder(kind).outage {
        None => next.run(request).await,
        Some(outage) => {
            faults::down(outage, (StatusCode::SERVICE_UNAVAILABLE, "the receiver is down because of its knobs").into_response()).await
        }
    }
}
