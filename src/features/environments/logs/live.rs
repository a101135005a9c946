//! Live reading of logs: what is stored is read once per replica and log, however many follow it there.
//!
//! A log that somebody follows here has a *feed*: one task that reads what is new when it is told that the log grew, or
//! else after a second, and gives it to every [`Tail`]. The database is the truth and hints only save time: a feed that
//! hears none is late and misses nothing.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, broadcast};
use uuid::Uuid;

use super::model::Entry;
use super::store;
use super::tail::Tail;
use crate::db::{Db, StoreError};
use crate::realtime::{Realtime, Topic};

/// How late a line is of which no hint came.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Between two attempts to read from a database that is away.
pub const RETRY: Duration = Duration::from_secs(1);
/// Entries of one read: at 4 KiB a line, less than a mebibyte.
pub const BATCH: usize = 200;
/// Parts that are kept for slow tails; one that is slower reads the database.
const PARTS: usize = 16;

/// The live logs of one replica; clones share them.
#[derive(Clone)]
pub struct Live(Arc<Inner>);

struct Inner {
    db: Db,
    feeds: Mutex<HashMap<Uuid, Feed>>,
}

/// How to reach the task that reads a log. The task itself has the only lasting sender, so that tails learn of its end.
struct Feed {
    parts: broadcast::WeakSender<Part>,
    grown: Arc<Notify>,
}

/// What a feed found in one read.
#[derive(Clone, Debug)]
pub struct Part {
    /// It holds everything after this number: a jump above it is one of the log, not of the feed.
    pub after: i64,
    /// At least one, ascending.
    pub entries: Arc<[Entry]>,
}

impl Live {
    /// Live reading from `db`, to be one for background work: readers that all come at once wait in turn.
    #[must_use]
    pub fn new(db: Db) -> Self {
        Self(Arc::new(Inner { db, feeds: Mutex::default() }))
    }

    /// The entries of a log after a number, or else the last hundred, and then every new one.
    #[must_use]
    pub fn follow(&self, environment: Uuid, after: Option<i64>) -> Tail {
        Tail::new(self.clone(), environment, after)
    }

    /// Hears for ever of logs that have grown.
    pub async fn hear(self, realtime: Realtime) {
        let mut signals = realtime.signals(Topic::LogsGrown);
        loop {
            // What is not heard or understood is found a second later.
            let environments = signals.recv().await.ok().and_then(|signal| serde_json::from_value::<Vec<Uuid>>(signal).ok());
            self.grown(&environments.unwrap_or_default());
        }
    }

    /// Has those who follow these logs here look at once.
    pub fn grown(&self, environments: &[Uuid]) {
        let feeds = self.feeds();
        for feed in environments.iter().filter_map(|environment| feeds.get(environment)) {
            feed.grown.notify_one();
        }
    }

    /// What the feed of a log finds from now on.
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

    /// As [`store::read`].
    pub(super) async fn read(&self, environment: Uuid, after: Option<i64>, limit: usize) -> Result<Vec<Entry>, StoreError> {
        let mut conn = self.0.db.acquire().await?;
        store::read(&mut conn, environment, after, limit.try_into().unwrap_or(i64::MAX)).await
    }

    /// Reads until nobody listens. It begins with the last entry of all, by which tails find out what they miss.
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
                // Without a listener the next look ends the feed.
                let _heard = parts.send(Part { after: after.unwrap_or(last - 1), entries: entries.into() });
            }
            after = Some(last);
            if is_all {
                tokio::select! {
                    () = grown.notified() => {}
                    () = tokio::time::sleep(LOOK_EVERY) => {}
                    () = parts.closed() => {}
                }
            }
        }
    }

    /// Whether a feed has lost its last tail: then it is forgotten before another tail can find it.
    fn ends(&self, environment: Uuid, parts: &broadcast::Sender<Part>) -> bool {
        let mut feeds = self.feeds();
        let ends = parts.receiver_count() == 0;
        if ends {
            feeds.remove(&environment);
        }
        ends
    }

    fn feeds(&self) -> MutexGuard<'_, HashMap<Uuid, Feed>> {
        self.0.feeds.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
