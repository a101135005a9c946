//! Follows a log for one client: stored entries first, then every new one, each once. Entries are missing only if they were deleted
//! before they could be read.

use std::sync::Arc;

use tokio::sync::broadcast;
use tokio::sync::broadcast::error::RecvError;
use uuid::Uuid;

use super::live::{BATCH, Live, Part, RETRY};
use super::model::Entry;

/// If `after` is `None`, the client first receives up to this many of the newest entries.
const INITIAL_ENTRIES: usize = 100;

/// Follows a log. Where the feed's parts leave a gap, the tail reads the database.
pub struct Tail {
    live: Live,
    environment: Uuid,
    feed: broadcast::Receiver<Part>,
    /// Number of the last returned entry; initially the `after` of [`Live::follow`]. No longer `None` after the first read.
    last: Option<i64>,
    /// Whether the database may hold later entries that the feed will not deliver.
    is_behind: bool,
}

impl Live {
    /// Follows a log: the entries after a number, or else the last hundred, and then every new one.
    #[must_use]
    pub fn follow(&self, environment: Uuid, after: Option<i64>) -> Tail {
        // Subscribe before the first read: the feed then delivers every later entry, or a part that reveals a gap.
        let feed = self.subscribe(environment);
        Tail { live: self.clone(), environment, feed, last: after, is_behind: true }
    }
}

impl Tail {
    /// The next entries: at least one, at most 200. Their numbers ascend, with gaps where entries were deleted before they could be read.
    /// Waits while the database is unavailable. Cancel-safe: a cancelled call consumes nothing.
    pub async fn next(&mut self) -> Arc<[Entry]> {
        loop {
            let entries = if self.is_behind { self.read().await } else { self.receive().await };
            if let Some(entry) = entries.last() {
                self.last = Some(entry.seq);
                return entries;
            }
        }
    }

    async fn read(&mut self) -> Arc<[Entry]> {
        let limit = if self.last.is_some() { BATCH } else { INITIAL_ENTRIES };
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

    /// The new entries of the feed's next part.
    async fn receive(&mut self) -> Arc<[Entry]> {
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
