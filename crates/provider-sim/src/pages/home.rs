//! The home page: an introduction, the knobs and counts of the platforms, and the latest notifications.

use std::collections::BTreeMap;
use std::fmt::Write;

use axum::http::StatusCode;
use axum::response::Response;
use serde_json::Value;

use super::{escape, page};
use crate::counts::Counts;
use crate::knobs::Knobs;
use crate::notifications::{Notification, Sink, Status};
use crate::platform::Platform;

/// Maximum number of notifications on the page; `GET /notifications` returns all stored ones.
const NOTIFICATIONS: usize = 20;

pub fn home(platforms: &BTreeMap<Platform, (Knobs, Counts)>, sink: &Sink) -> Response {
    let mut body = INTRODUCTION.to_owned();
    let each = |of: fn(&(Knobs, Counts)) -> Option<Value>| -> Vec<(Platform, Value)> {
        platforms.iter().map(|(platform, known)| (*platform, of(known).unwrap_or_default())).collect()
    };
    table(&mut body, "Knobs", &each(|(knobs, _)| serde_json::to_value(knobs).ok()));
    table(&mut body, "Counts", &each(|(_, counts)| serde_json::to_value(counts).ok()));
    notifications(&mut body, &sink.all());
    page(StatusCode::OK, "Simulated platforms", &body)
}

/// Renders notifications, newest first.
fn notifications(body: &mut String, all: &[Notification]) {
    body.push_str("<h2>Notifications of alerts</h2>\n");
    if all.is_empty() {
        body.push_str("<p>None yet.</p>\n");
    }
    for notification in all.iter().rev().take(NOTIFICATIONS) {
        let status = match notification.status {
            Status::Firing => "firing",
            Status::Resolved => "resolved",
        };
        let _ = write!(
            body,
            "<h3>{}: {} <small>{}</small></h3>\n<p class=\"quiet\">{}, severity {}, at {}</p>\n<pre>{}</pre>\n",
            status,
            escape(&notification.alerts.join(", ")),
            notification.kind.title(),
            escape(notification.receiver.as_deref().unwrap_or("no receiver named")),
            escape(notification.severity.as_deref().unwrap_or("none")),
            notification.received_at,
            escape(notification.text.trim_end())
        );
    }
}

/// Renders a table with a column per platform and a row per field.
fn table(body: &mut String, caption: &str, columns: &[(Platform, Value)]) {
    let _ = write!(body, "<div class=\"scroll\" tabindex=\"0\">\n<table>\n<caption>{caption}</caption>\n<thead><tr><td></td>");
    for (platform, _) in columns {
        let _ = write!(body, "<th scope=\"col\">{}</th>", platform.title());
    }
    body.push_str("</tr></thead>\n<tbody>\n");
    for field in columns.first().and_then(|(_, value)| value.as_object()).into_iter().flat_map(|object| object.keys()) {
        let _ = write!(body, "<tr><th scope=\"row\">{}</th>", escape(field));
        for (_, value) in columns {
            let _ = write!(body, "<td>{}</td>", escape(&text(&value[field])));
        }
        body.push_str("</tr>\n");
    }
    body.push_str("</tbody>\n</table>\n</div>\n");
}

fn text(value: &Value) -> String {
    match value {
        Value::Null => "none".to_owned(),
        Value::String(text) => text.clone(),
        Value::Object(fields) => fields.iter().map(|(name, value)| format!("{name} {value}")).collect::<Vec<_>>().join(", "),
        other => other.to_string(),
    }
}

const INTRODUCTION: &str = r#"<h1>Simulated platforms</h1>
<p>This program simulates six platforms for Vitrine. Use it to test sign-in, posts and their failures without external
services. Every account that you name exists. Posts do not leave this program. All data is lost when the program stops. The
program also simulates Slack, PagerDuty and a webhook, which receive alerts.</p>
<p class="quiet">To cause a fault, use <code>PUT /knobs/{name}</code> with the name of a platform or receiver. To end all faults, use
<code>DELETE /knobs</code>. In JSON: <a href="/knobs">knobs</a>, <a href="/counts">counts</a>,
<a href="/mastodon/posts">posts on Mastodon</a>, <a href="/linkedin/posts">posts on LinkedIn</a>, <a href="/x/posts">posts on X</a>,
<a href="/notifications">notifications</a>.</p>
"#;
