//! The posts of a platform, and that the same idempotency key makes no second one. Time is an argument.

use std::collections::HashMap;

use serde::Serialize;
use time::OffsetDateTime;

/// Bits of an identifier that tell posts of one millisecond apart.
const SEQUENCE_BITS: u32 = 16;

/// Something that somebody posted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Post {
    /// Never used again, not even by the next simulator.
    pub id: String,
    /// Who.
    pub account: String,
    /// What.
    pub text: String,
    /// The idempotency key that came with it.
    pub key: Option<String>,
    /// When.
    #[serde(with = "time::serde::rfc3339")]
    pub at: OffsetDateTime,
}

/// The posts of a platform, oldest first.
#[derive(Default)]
pub struct Posts {
    made: Vec<Post>,
    keys: HashMap<(String, String), usize>,
}

/// What became of a request for a post.
#[derive(Debug, PartialEq, Eq)]
pub enum Published {
    /// It was made.
    Made(Post),
    /// It had been made before.
    Repeated(Post),
}

impl Posts {
    /// Makes a post, unless this account made one with this key.
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

    /// All of them.
    pub fn all(&self) -> &[Post] {
        &self.made
    }

    /// How many an account has made.
    pub fn count(&self, account: &str) -> usize {
        self.made.iter().filter(|post| post.account == account).count()
    }
}
