//! Shared code of the platforms that accept posts: request bodies, lengths and idempotency keys.

use axum::http::{HeaderMap, StatusCode};
use serde::de::DeserializeOwned;
use time::OffsetDateTime;

use super::problem::Problem;
use crate::body::{self, Received};
use crate::oauth::Caller;
use crate::posts::{Post, Published};
use crate::provider::Provider;

/// Deserializes a body. Errors are in the platform's format.
pub fn read<T: DeserializeOwned>(provider: &Provider, body: Received) -> Result<T, Problem> {
    body::read(body).map_err(|(status, reason)| Problem::new(provider.platform, status, &reason))
}

/// The length of a text. As on X and Mastodon, each link counts as 23 characters. Each character outside of links counts as one, although
/// X counts some of them as two.
pub fn length(text: &str) -> usize {
    let word = |word: &str| if word.starts_with("http://") || word.starts_with("https://") { 23 } else { word.chars().count() };
    text.split(char::is_whitespace).map(word).sum::<usize>() + text.chars().filter(|c| c.is_whitespace()).count()
}

/// Creates a post. If an earlier request of the account had the same `Idempotency-Key`, returns the post of that request instead.
pub fn publish(provider: &Provider, caller: &Caller, headers: &HeaderMap, text: &str) -> Result<Post, Problem> {
    let key = headers.get("idempotency-key").map(|key| key.to_str()).transpose();
    let key = key.map_err(|_| Problem::new(provider.platform, StatusCode::BAD_REQUEST, "Idempotency-Key must be ASCII text"))?;
    let mut state = provider.state();
    Ok(match state.posts.publish(&caller.account().name, text, key, OffsetDateTime::now_utc()) {
        Published::Made(post) => {
            state.counts.posts += 1;
            post
        }
        Published::Repeated(post) => {
            state.counts.repeated_posts += 1;
            post
        }
    })
}
