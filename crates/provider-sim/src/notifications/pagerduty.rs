//! `PagerDuty`'s Events API v2. <https://developer.pagerduty.com/docs/send-alert-event>
//!
//! Vitrine's Alertmanager sends the alert's name as the event's `class`. The action `acknowledge` is not implemented, because operators
//! acknowledge in `PagerDuty` itself.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::post;
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use time::OffsetDateTime;

use super::{Kind, Notification, Sink, Status};
use crate::body::{self, Received};

const KEY_LENGTH: usize = 32;
const SEVERITIES: [&str; 4] = ["critical", "error", "warning", "info"];

pub fn routes() -> Router<Arc<Sink>> {
    Router::new().route("/pagerduty/v2/enqueue", post(enqueue))
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Event {
    routing_key: String,
    #[serde(rename = "event_action")]
    action: String,
    dedup_key: String,
    links: Vec<Link>,
    payload: Payload,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Link {
    href: String,
    text: String,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Payload {
    summary: String,
    source: String,
    severity: String,
    class: String,
    custom_details: Map<String, Value>,
}

async fn enqueue(State(sink): State<Arc<Sink>>, body: Received) -> (StatusCode, Json<Value>) {
    let mut event = match body::read::<Event>(body) {
        Ok(event) => event,
        Err((_, reason)) => return refuse(&[reason]),
    };
    let (status, errors) = event.check();
    let (Some(status), true) = (status, errors.is_empty()) else {
        return refuse(&errors);
    };
    if event.dedup_key.is_empty() {
        event.dedup_key = format!("{:032x}", rand::random::<u128>());
    }
    let answer = json!({ "status": "success", "message": "Event processed", "dedup_key": event.dedup_key });
    sink.keep(event.read(status));
    (StatusCode::ACCEPTED, Json(answer))
}

fn refuse(errors: &[String]) -> (StatusCode, Json<Value>) {
    let answer = json!({ "status": "invalid event", "message": "Event object is invalid", "errors": errors });
    (StatusCode::BAD_REQUEST, Json(answer))
}

impl Event {
    /// The status for the action, if the action is known, and the errors in the event.
    fn check(&self) -> (Option<Status>, Vec<String>) {
        let status = match &*self.action {
            "trigger" => Some(Status::Firing),
            "resolve" => Some(Status::Resolved),
            _ => None,
        };
        let payload = &self.payload;
        let triggers = status == Some(Status::Firing);
        let requirements = [
            (self.routing_key.len() == KEY_LENGTH, "Length of 'routing_key' is incorrect (should be 32 characters)"),
            (status.is_some(), "'event_action' is missing or invalid (must be one of: 'trigger', 'resolve')"),
            (triggers || !self.dedup_key.is_empty(), "'dedup_key' is missing or blank"),
            (!triggers || !payload.summary.trim().is_empty(), "'payload.summary' is missing or blank"),
            (!triggers || !payload.source.trim().is_empty(), "'payload.source' is missing or blank"),
            (
                !triggers || SEVERITIES.contains(&&*payload.severity),
                "'payload.severity' is invalid (must be one of: 'critical', 'warning', 'error', 'info')",
            ),
        ];
        (status, requirements.into_iter().filter(|(is_met, _)| !is_met).map(|(_, error)| error.to_owned()).collect())
    }

    fn read(self, status: Status) -> Notification {
        let payload = self.payload;
        let details = payload.custom_details.iter().map(|(name, value)| match value {
            Value::String(text) => format!("{name}: {text}"),
            other => format!("{name}: {other}"),
        });
        let links = self.links.iter().map(|link| format!("{}: {}", link.text, link.href));
        let text = [payload.summary].into_iter().chain(details).chain(links).collect::<Vec<_>>().join("\n");
        Notification {
            kind: Kind::Pagerduty,
            receiver: None,
            alerts: (!payload.class.is_empty()).then_some(payload.class).into_iter().collect(),
            status,
            severity: (!payload.severity.is_empty()).then_some(payload.severity),
            key: Some(self.dedup_key),
            text,
            received_at: OffsetDateTime::now_utc(),
        }
    }
}
