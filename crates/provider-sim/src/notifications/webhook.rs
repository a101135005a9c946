//! Alertmanager's webhook, version 4. <https://prometheus.io/docs/alerting/latest/configuration/#webhook_config>

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::post;
use serde::Deserialize;
use time::OffsetDateTime;

use super::{Kind, Notification, Sink, Status};
use crate::body::{self, Received};

const VERSION: &str = "4";

pub fn routes() -> Router<Arc<Sink>> {
    Router::new().route("/webhook", post(take))
}

type Pairs = BTreeMap<String, String>;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Message {
    version: String,
    group_key: String,
    status: Status,
    receiver: String,
    common_labels: Pairs,
    alerts: Vec<Alert>,
}

#[derive(Deserialize)]
struct Alert {
    labels: Pairs,
    annotations: Pairs,
}

async fn take(State(sink): State<Arc<Sink>>, body: Received) -> Result<StatusCode, (StatusCode, String)> {
    let message: Message = body::read(body)?;
    if message.version != VERSION || message.alerts.is_empty() {
        return Err((StatusCode::UNPROCESSABLE_ENTITY, format!("version must be {VERSION}, alerts must not be empty")));
    }
    sink.keep(message.read());
    Ok(StatusCode::OK)
}

impl Message {
    fn read(self) -> Notification {
        let names = self.alerts.iter().filter_map(|alert| alert.labels.get("alertname")).collect::<BTreeSet<_>>();
        let shown = ["summary", "description", "runbook_url", "dashboard_url"];
        let lines = self.alerts.iter().flat_map(|alert| shown.map(|name| alert.annotations.get(name)));
        Notification {
            kind: Kind::Webhook,
            alerts: names.into_iter().cloned().collect(),
            status: self.status,
            severity: self.common_labels.get("severity").cloned(),
            text: lines.flatten().map(String::as_str).collect::<Vec<_>>().join("\n"),
            receiver: Some(self.receiver),
            key: Some(self.group_key),
            received_at: OffsetDateTime::now_utc(),
        }
    }
}
