//! Receivers of alerts: Slack's incoming webhooks, `PagerDuty`'s Events API v2 and Alertmanager's own webhook, one file each. They accept
//! the same requests as the real services, and send the same responses. `sink` stores the notifications.

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

pub use sink::{Disorder, Notification, Sink, Status};

use crate::faults;

/// A simulated receiver.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// A Slack channel.
    Slack,
    /// The `PagerDuty` service of the person on call.
    Pagerduty,
    /// Any program that accepts Alertmanager's own webhook.
    Webhook,
}

impl Kind {
    /// All kinds, in display order.
    pub const ALL: [Self; 3] = [Self::Slack, Self::Pagerduty, Self::Webhook];

    /// The name in paths.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Slack => "slack",
            Self::Pagerduty => "pagerduty",
            Self::Webhook => "webhook",
        }
    }

    /// The name for people.
    pub const fn title(self) -> &'static str {
        match self {
            Self::Slack => "Slack",
            Self::Pagerduty => "PagerDuty",
            Self::Webhook => "webhook",
        }
    }

    fn routes(self) -> Router<Arc<Sink>> {
        match self {
            Self::Slack => slack::routes(),
            Self::Pagerduty => pagerduty::routes(),
            Self::Webhook => webhook::routes(),
        }
    }
}

/// The routes of every receiver.
pub fn routes(sink: &Arc<Sink>) -> Router {
    Kind::ALL
        .into_iter()
        .fold(Router::new(), |router, kind| router.merge(kind.routes().layer(layer((sink.clone(), kind), outage))))
        .with_state(sink.clone())
}

/// Applies the outage knob of a receiver.
async fn outage(State((sink, kind)): State<(Arc<Sink>, Kind)>, request: Request, next: Next) -> Response {
    match sink.disorder(kind).outage {
        None => next.run(request).await,
        Some(outage) => faults::down(outage, (StatusCode::SERVICE_UNAVAILABLE, "down because of the knobs").into_response()).await,
    }
}
