//! The events of posts: each writes a log line and, where needed, increments a counter. The author is notified of the end of each delivery.

use serde::Serialize;
use uuid::Uuid;

use super::model::Post;
use crate::domain::Platform;
use crate::metrics::Metrics;
use crate::metrics::labels::EventOut;
use crate::realtime::{Realtime, Room};

pub fn created(metrics: &Metrics, post: &Post) {
    metrics.posts_created.increment(());
    tracing::info!(post = %post.id, project = %post.project_id, author = %post.author_id, deliveries = post.deliveries.len(), "post created");
}

pub fn delivered(realtime: &Realtime, author: Uuid, post: Uuid, platform: Platform, attempts: i32, url: Option<&str>) {
    realtime.emit(&[Room::User(author)], EventOut::PostDelivered, &Delivered { post_id: post, platform, url });
    tracing::info!(%post, platform = platform.name(), attempts, "post delivered");
}

pub fn put_off(post: Uuid, platform: Platform, attempts: i32, reason: &str) {
    tracing::info!(%post, platform = platform.name(), attempts, reason, "delivery postponed");
}

pub fn failed(realtime: &Realtime, author: Uuid, post: Uuid, platform: Platform, attempts: i32, reason: &str) {
    realtime.emit(&[Room::User(author)], EventOut::PostFailed, &Failed { post_id: post, platform, reason });
    tracing::warn!(%post, platform = platform.name(), attempts, reason, "delivery failed");
}

#[derive(Serialize)]
struct Delivered<'a> {
    post_id: Uuid,
    platform: Platform,
    /// URL of the post on the platform, if the platform returned one.
    url: Option<&'a str>,
}

#[derive(Serialize)]
struct Failed<'a> {
    post_id: Uuid,
    platform: Platform,
    reason: &'a str,
}
