//! Marks: flags that expire, kept in Redis and in the memory of the replica that set them. A mark may be lost: features must tolerate
//! that.

use std::time::Duration;

use moka::future::Cache as Local;
use redis::Value;

use super::client::{RedisClient, millis};
use crate::metrics::labels::RedisCommand;

/// Maximum number of marks in a replica's own memory.
const MAX_LOCAL: u64 = 100_000;

/// The marks under one prefix; clones share them.
#[derive(Clone)]
pub struct Marks {
    redis: RedisClient,
    prefix: String,
    lifetime: Duration,
    local: Local<String, ()>,
}

impl Marks {
    /// Creates marks whose keys all begin with `prefix`. A mark expires `lifetime` after it was last set.
    #[must_use]
    pub fn new(redis: RedisClient, prefix: &str, lifetime: Duration) -> Self {
        let local = Local::builder().max_capacity(MAX_LOCAL).time_to_live(lifetime).build();
        Self { redis, prefix: format!("{prefix}:mark"), lifetime, local }
    }

    /// Sets a mark, or extends its lifetime.
    pub async fn make(&self, name: &str) {
        let key = self.key(name);
        let mut command = redis::cmd("SET");
        command.arg(&key).arg(1).arg("PX").arg(millis(self.lifetime));
        // While Redis is unavailable, only this replica knows the mark.
        let _unavailable = self.redis.run::<Value>(RedisCommand::Set, &command).await;
        self.local.insert(key, ()).await;
    }

    /// Whether the mark is set, in Redis or by this replica.
    pub async fn has(&self, name: &str) -> bool {
        let key = self.key(name);
        self.local.contains_key(&key)
            || self.redis.run::<Option<Value>>(RedisCommand::Get, redis::cmd("GET").arg(&key)).await.is_ok_and(|mark| mark.is_some())
    }

    fn key(&self, name: &str) -> String {
        format!("{}:{name}", self.prefix)
    }
}
