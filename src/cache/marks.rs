//! Marks: that something was so once, kept for a while in Redis and by the replica that saw it. Losing one must do no harm.

use std::time::Duration;

use moka::future::Cache as Local;
use redis::Value;

use super::{Link, millis};
use crate::metrics::labels::RedisCommand;

/// Marks that a replica remembers by itself.
const REMEMBERED: u64 = 100_000;

/// Marks below one prefix; clones share them.
#[derive(Clone)]
pub struct Marks {
    link: Link,
    prefix: String,
    lifetime: Duration,
    local: Local<String, ()>,
}

impl Marks {
    /// Marks over a link, all keys below `prefix`, each for `lifetime` after it was made last.
    #[must_use]
    pub fn new(link: Link, prefix: &str, lifetime: Duration) -> Self {
        let local = Local::builder().max_capacity(REMEMBERED).time_to_live(lifetime).build();
        Self { link, prefix: format!("{prefix}:mark"), lifetime, local }
    }

    /// Makes a mark, or makes it last longer.
    pub async fn make(&self, name: &str) {
        let key = self.key(name);
        let mut command = redis::cmd("SET");
        command.arg(&key).arg(1).arg("PX").arg(millis(self.lifetime));
        // Without Redis the other replicas do not know it.
        let _unavailable = self.link.run::<Value>(RedisCommand::Set, &command).await;
        self.local.insert(key, ()).await;
    }

    /// Whether there is such a mark, as far as this replica knows.
    pub async fn has(&self, name: &str) -> bool {
        let key = self.key(name);
        self.local.contains_key(&key)
            || self.link.run::<Option<Value>>(RedisCommand::Get, redis::cmd("GET").arg(&key)).await.is_ok_and(|mark| mark.is_some())
    }

    fn key(&self, name: &str) -> String {
        format!("{}:{name}", self.prefix)
    }
}
