//! Where alerts go: Slack's incoming webhooks, `PagerDuty`'s Events API v2 and Alertmanager's own webhook, one file each. They take
//! what the real ones take and answer as those do. What they were told is kept in `sink`.

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

/// Who is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// A channel of Slack's.
    Slack,
    /// Whoever is on call.
    Pagerduty,
    /// A program.
    Webhook,
}

impl Kind {
    /// All of them, in the order in which they are listed.
    pub const ALL: [Self; 3] = [Self::Slack, Self::Pagerduty, Self::Webhook];

    /// As it stands in paths.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Slack => "slack",
            Self::Pagerduty => "pagerduty",
            Self::Webhook => "webhook",
        }
    }

    /// As people write it.
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

/// All that can be told something.
pub fn routes(sink: &Arc<Sink>) -> Router {
    Kind::ALL
        .into_iter()
        .fold(Router::new(), |router, kind| router.merge(kind.routes().layer(layer((sink.clone(), kind), outage))))
        .with_state(sink.clone())
}

/// It may be down.
async fn outage(State((sink, kind)): State<(Arc<Sink>, Kind)>, request: Request, next: Next) -> Response {
    match sink.disorder(kind).outage {
        None => next.run(request).await,
        Some(outage) => faults::down(outage, (StatusCode::SERVICE_UNAVAILABLE, "down, as the knobs say").into_response()).await,
    }
}
