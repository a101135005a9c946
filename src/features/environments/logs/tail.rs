//! One reader of a log: what is stored, and then for ever what is new; nothing is lost or doubled.

use std::sync::Arc;

use tokio::sync::broadcast;
use tokio::sync::broadcast::error::RecvError;
use uuid::Uuid;

use super::live::{BATCH, Live, Part, RETRY};
use super::model::Entry;

/// Entries that a tail begins with which was told of no number.
const LAST: usize = 100;

/// Follows a log. Where it cannot go on with what the feed finds, it reads the database itself.
pub struct Tail {
    live: Live,
    environment: Uuid,
    feed: broadcast::Receiver<Part>,
    /// The number of the last entry that was given; unknown before the first read of one that is to begin near the end.
    last: Option<i64>,
    /// Whether the database may have entries after it that the feed will not tell of.
    is_behind: bool,
}

impl Tail {
    pub(super) fn new(live: Live, environment: Uuid, after: Option<i64>) -> Self {
        // What is stored after the first read is the feed's to tell.
        let feed = live.subscribe(environment);
        Self { live, environment, feed, last: after, is_behind: true }
    }

    /// The next entries, one at least and two hundred at most. Their numbers ascend, and jump where entries were dropped
    /// before they could be read. A database that is away is waited for. Cancelled, it has given nothing.
    pub async fn next(&mut self) -> Arc<[Entry]> {
        loop {
            let entries = if self.is_behind { self.read().await } else { self.hear().await };
            if let Some(entry) = entries.last() {
                self.last = Some(entry.seq);
                return entries;
            }
        }
    }

    async fn read(&mut self) -> Arc<[Entry]> {
        let limit = if self.last.is_some() { BATCH } else { LAST };
        loop {
            match self.live.read(self.environment, self.last, limit).await {
                Ok(entries) => {
                    self.is_behind = entries.len() == limit;
                    self.last.get_or_insert(0);
                    return entries.into();
                }
                Err(_) => tokio::time::sleep(RETRY).await,
            }
        }
    }

    /// What is new of the feed's next part.
    async fn hear(&mut self) -> Arc<[Entry]> {
        let last = self.last.unwrap_or_default();
        match self.feed.recv().await {
            Ok(part) if part.after <= last => {
                let known = part.entries.partition_point(|entry| entry.seq <= last);
                if known == 0 { part.entries } else { part.entries[known..].into() }
            }
            Ok(_) | Err(RecvError::Lagged(_)) => self.fall_behind(),
            Err(RecvError::Closed) => {
                self.feed = self.live.subscribe(self.environment);
                self.fall_behind()
            }
        }
    }

    fn fall_behind(&mut self) -> Arc<[Entry]> {
        self.is_behind = true;
        Arc::default()
    }
}
