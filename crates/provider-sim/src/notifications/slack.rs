//! Slack's incoming webhooks. <https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks>
//!
//! Slack has no standard fields for alerts. Vitrine's Alertmanager sends the name and the severity of the alerts in attachment fields
//! titled `Alert` and `Severity`.

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::post;
use serde::Deserialize;
use time::OffsetDateTime;

use super::{Kind, Notification, Sink, Status};
use crate::body::{self, Received};

/// Alertmanager's colour for resolved alerts.
const OVER: &str = "good";

/// Every path below `/slack/services/` is a webhook. The paths of real webhooks are secret; these are not.
pub fn routes() -> Router<Arc<Sink>> {
    Router::new().route("/slack/services/{*hook}", post(message))
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Message {
    text: String,
    channel: Option<String>,
    attachments: Vec<Attachment>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Attachment {
    title: String,
    title_link: String,
    text: String,
    fallback: String,
    color: String,
    fields: Vec<Field>,
}

#[derive(Deserialize)]
struct Field {
    title: String,
    value: String,
}

async fn message(State(sink): State<Arc<Sink>>, body: Received) -> (StatusCode, &'static str) {
    let Ok(message) = body::read::<Message>(body) else {
        return (StatusCode::BAD_REQUEST, "invalid_payload");
    };
    let Some(notification) = message.read() else {
        return (StatusCode::BAD_REQUEST, "no_text");
    };
    sink.keep(notification);
    (StatusCode::OK, "ok")
}

impl Message {
    /// The message as a notification; `None` if the message has no text.
    fn read(self) -> Option<Notification> {
        let mut lines = vec![self.text.as_str()];
        for attachment in &self.attachments {
            lines.extend([&*attachment.title, &*attachment.title_link, &*attachment.text]);
            if attachment.title.is_empty() && attachment.text.is_empty() {
                lines.push(&attachment.fallback);
            }
        }
        lines.retain(|line| !line.trim().is_empty());
        let text = lines.join("\n");
        let over = !self.attachments.is_empty() && self.attachments.iter().all(|attachment| attachment.color == OVER);
        (!text.is_empty()).then(|| Notification {
            kind: Kind::Slack,
            receiver: self.channel.clone(),
            alerts: self.field("Alert").collect::<BTreeSet<_>>().into_iter().map(str::to_owned).collect(),
            status: if over { Status::Resolved } else { Status::Firing },
            severity: self.field("Severity").next().map(str::to_owned),
            key: None,
            text,
            received_at: OffsetDateTime::now_utc(),
        })
    }

    fn field(&self, title: &str) -> impl Iterator<Item = &str> {
        let fields = self.attachments.iter().flat_map(|attachment| &attachment.fields);
        fields.filter(move |field| field.title == title).map(|field| field.value.as_str())
    }
}
