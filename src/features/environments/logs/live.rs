//! Live reading of logs. Each replica reads new entries of a log once, however many clients follow the log there.
//!
//! A followed log has a *feed*: one task that reads new entries when a signal reports them, or after a second without a signal, and passes
//! them to every [`Tail`](super::tail::Tail). The database is authoritative, and signals only save time: without a signal, a feed is late
//! but misses nothing.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::{Mutex, MutexGuard};
use tokio::sync::{Notify, broadcast};
use uuid::Uuid;

use super::model::Entry;
use super::store;
use crate::db::{Db, StoreError};
use crate::realtime::{Realtime, Topic};

/// Poll interval without a signal.
const POLL_INTERVAL: Duration = Duration::from_secs(1);
/// Delay between attempts to read while the database is unavailable.
pub const RETRY: Duration = Duration::from_secs(1);
/// Maximum number of entries per read: less than 1 MiB at 4 KiB per line.
pub const BATCH: usize = 200;
/// Number of parts buffered for slow tails. A tail that lags further reads the database.
const PARTS: usize = 16;

/// The followed logs of one replica. Clones share them.
#[derive(Clone)]
pub struct Live(Arc<Inner>);

struct Inner {
    db: Db,
    feeds: Mutex<HashMap<Uuid, Feed>>,
}

/// Access to a feed's task. Only the task holds a strong sender, so that tails notice when the task ends.
struct Feed {
    parts: broadcast::WeakSender<Part>,
    grown: Arc<Notify>,
}

/// The entries of one read of a feed.
#[derive(Clone, Debug)]
pub struct Part {
    /// The entries follow this number. If a number between it and the last entry is missing, the log itself has no such entry.
    pub after: i64,
    /// At least one, in ascending order.
    pub entries: Arc<[Entry]>,
}

impl Live {
    /// Creates the live logs. `db` should be for background work, so that many concurrent readers queue for its connections instead of
    /// competing with requests.
    #[must_use]
    pub fn new(db: Db) -> Self {
        Self(Arc::new(Inner { db, feeds: Mutex::default() }))
    }

    /// Wakes feeds when a replica signals new entries. Runs until the task is aborted.
    pub async fn receive_signals(self, realtime: Realtime) {
        let mut signals = realtime.signals(Topic::LogsGrown);
        loop {
            // If a signal is missed or unreadable, the feeds' poll interval makes up for it.
            let environments = signals.recv().await.ok().and_then(|signal| serde_json::from_value::<Vec<Uuid>>(signal).ok());
            self.grown(&environments.unwrap_or_default());
        }
    }

    /// Wakes the feeds of these logs.
    pub fn grown(&self, environments: &[Uuid]) {
        let feeds = self.feeds();
        for feed in environments.iter().filter_map(|environment| feeds.get(environment)) {
            feed.grown.notify_one();
        }
    }

    /// Subscribes to the feed of a log; starts the feed if there is none.
    pub(super) fn subscribe(&self, environment: Uuid) -> broadcast::Receiver<Part> {
        let mut feeds = self.feeds();
        if let Some(parts) = feeds.get(&environment).and_then(|feed| feed.parts.upgrade()) {
            return parts.subscribe();
        }
        let (parts, receiver) = broadcast::channel(PARTS);
        let grown = Arc::new(Notify::new());
        feeds.insert(environment, Feed { parts: parts.downgrade(), grown: grown.clone() });
        tokio::spawn(self.clone().feed(environment, parts, grown));
        receiver
    }

    /// See [`store::read`].
    pub(super) async fn read(&self, environment: Uuid, after: Option<i64>, limit: usize) -> Result<Vec<Entry>, StoreError> {
        let mut conn = self.0.db.acquire().await?;
        store::read(&mut conn, environment, after, limit.try_into().unwrap_or(i64::MAX)).await
    }

    /// Reads a log until its last tail is dropped. The first part is the newest entry, which shows tails whether they are behind.
    async fn feed(self, environment: Uuid, parts: broadcast::Sender<Part>, grown: Arc<Notify>) {
        let mut after = None;
        while !self.ends(environment, &parts) {
            let limit = if after.is_some() { BATCH } else { 1 };
            let Ok(entries) = self.read(environment, after, limit).await else {
                tokio::select! {
                    () = tokio::time::sleep(RETRY) => {}
                    () = parts.closed() => {}
                }
                continue;
            };
            let is_all = entries.len() < BATCH;
            let last = entries.last().map_or(after.unwrap_or_default(), |entry| entry.seq);
            if !entries.is_empty() {
                // Without a receiver, the loop condition ends the feed.
                let _heard = parts.send(Part { after: after.unwrap_or(last - 1), entries: entries.into() });
            }
            after = Some(last);
            if is_all {
                tokio::select! {
                    () = grown.notified() => {}
                    () = tokio::time::sleep(POLL_INTERVAL) => {}
                    () = parts.closed() => {}
                }
            }
        }
    }

    /// Whether a feed has lost its last tail. If so, removes the feed under the same lock, so that no new tail can subscribe to it.
    fn ends(&self, environment: Uuid, parts: &broadcast::Sender<Part>) -> bool {
        let mut feeds = self.feeds();
        let ends = parts.receiver_count() == 0;
        if ends {
            feeds.remove(&environment);
        }
        ends
    }

    fn feeds(&self) -> MutexGuard<'_, HashMap<Uuid, Feed>> {
        self.0.feeds.lock()
    }
}
