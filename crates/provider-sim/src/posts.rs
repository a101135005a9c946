//! The posts of a platform. All requests of one account with the same idempotency key create at most one post. Callers pass the current
//! time.

use std::collections::HashMap;

use serde::Serialize;
use time::OffsetDateTime;

/// Number of low bits of an identifier that distinguish posts of the same millisecond.
const SEQUENCE_BITS: u32 = 16;

/// A post.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Post {
    /// Identifier. It contains the time, so that no later run of the simulator uses it again.
    pub id: String,
    /// The name of the author's account.
    pub account: String,
    /// The text as published.
    pub text: String,
    /// The idempotency key of the request, if it had one.
    pub key: Option<String>,
    /// Time of creation.
    #[serde(with = "time::serde::rfc3339")]
    pub at: OffsetDateTime,
}

/// The posts of a platform, oldest first.
#[derive(Default)]
pub struct Posts {
    made: Vec<Post>,
    keys: HashMap<(String, String), usize>,
}

/// The result of a request to create a post.
#[derive(Debug, PartialEq, Eq)]
pub enum Published {
    /// The post was created.
    Made(Post),
    /// The post already existed.
    Repeated(Post),
}

impl Posts {
    /// Creates a post. If this account already has a post with the same key, returns that post instead.
    pub fn publish(&mut self, account: &str, text: &str, key: Option<&str>, now: OffsetDateTime) -> Published {
        let key = key.map(|key| (account.to_owned(), key.to_owned()));
        if let Some(at) = key.as_ref().and_then(|key| self.keys.get(key)) {
            return Published::Repeated(self.made[*at].clone());
        }
        let milliseconds = now.unix_timestamp_nanos() / 1_000_000;
        let sequence = self.made.len() & ((1 << SEQUENCE_BITS) - 1);
        let post = Post {
            id: ((milliseconds << SEQUENCE_BITS) + sequence as i128).to_string(),
            account: account.to_owned(),
            text: text.to_owned(),
            key: key.as_ref().map(|(_, key)| key.clone()),
            at: now,
        };
        if let Some(key) = key {
            self.keys.insert(key, self.made.len());
        }
        self.made.push(post.clone());
        Published::Made(post)
    }

    /// All posts, oldest first.
    pub fn all(&self) -> &[Post] {
        &self.made
    }

    /// The number of an account's posts.
    pub fn count(&self, account: &str) -> usize {
        self.made.iter().filter(|post| post.account == account).count()
    }
}
