//! The facts of posts: each is one log line and, where it matters, one count. What the author is told in real time is told
//! beside these: when a delivery ended.

use uuid::Uuid;

use super::model::Post;
use crate::metrics::Metrics;
use crate::metrics::labels::Platform;

pub fn created(metrics: &Metrics, post: &Post) {
    metrics.posts_created.increment(());
    tracing::info!(post = %post.id, project = %post.project_id, author = %post.author_id, deliveries = post.deliveries.len(), "post created");
}

pub fn delivered(post: Uuid, platform: Platform, attempts: i32) {
    tracing::info!(%post, platform = platform.name(), attempts, "post delivered");
}

pub fn put_off(post: Uuid, platform: Platform, attempts: i32, reason: &str) {
    tracing::info!(%post, platform = platform.name(), attempts, reason, "delivery put off");
}

pub fn failed(post: Uuid, platform: Platform, attempts: i32, reason: &str) {
    tracing::warn!(%post, platform = platform.name(), attempts, reason, "delivery failed");
}
