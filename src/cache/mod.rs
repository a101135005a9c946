//! Redis as a cache: read-through, one load per key and replica at a time, and never in the way when it is away.
//!
//! Nothing is true only because a cache says so. A change removes the entry by leaving a *tombstone* in its place
//! for longer than any load takes: a load that began before the change finds it and loads again, so that it can
//! neither store nor answer what was true before. A removal that Redis did not hear is told before it is used again.

mod link;
pub mod marks;
pub mod throttle;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use moka::future::Cache as Flights;
use serde::Serialize;
use serde::de::DeserializeOwned;
use uuid::Uuid;

pub use link::{Away, Link};

use crate::metrics::Metrics;
use crate::metrics::labels::{CacheType, RedisCommand};

/// What a busy machine may add to the longest load.
const TOMBSTONE_MARGIN: Duration = Duration::from_secs(1);
/// No JSON text begins so.
const TOMBSTONE_MARK: char = '!';
/// A load that changes overtake this often answers what it has: there will never be a quiet moment.
const MAX_LOADS: u32 = 3;
const FLIGHTS: u64 = 10_000;
/// A flight whose callers have all left is forgotten after this.
const FLIGHT_MEMORY: Duration = Duration::from_secs(1);

impl CacheType {
    /// How long an entry is believed; each entry's own time is up to a tenth shorter, so that entries that were made
    /// together do not end together.
    const fn time_to_live(self) -> Duration {
        match self {
            Self::Session | Self::User => Duration::from_mins(1),
            Self::Project => Duration::from_secs(30),
            Self::Showcase => Duration::from_secs(15),
            Self::Insights => Duration::from_mins(5),
        }
    }

    const fn key_part(self) -> &'static str {
        match self {
            Self::Session => "session",
            Self::User => "user",
            Self::Project => "project",
            Self::Showcase => "showcase",
            Self::Insights => "insights",
        }
    }
}

/// The cache of one replica.
#[derive(Clone)]
pub struct Cache {
    link: Link,
    prefix: Arc<str>,
    flights: Flights<String, Option<Arc<str>>>,
    /// Removals so far: a load that began before one is not shared with who asks after it.
    removals: Arc<AtomicU64>,
    /// Longer than the longest load.
    tombstone: Duration,
    metrics: Metrics,
}

/// What Redis holds under a key.
enum Entry {
    Value(String),
    /// Nothing to use, and what must still be there when a loaded value is stored.
    Gone(Option<String>),
    Failed,
}

impl Cache {
    /// A cache over a link, all keys below `prefix`, of things that are loaded within `longest_load`.
    #[must_use]
    pub fn new(link: Link, prefix: &str, longest_load: Duration, metrics: Metrics) -> Self {
        let flights = Flights::builder().max_capacity(FLIGHTS).time_to_live(FLIGHT_MEMORY).build();
        Self { link, prefix: prefix.into(), flights, removals: Arc::default(), tombstone: longest_load + TOMBSTONE_MARGIN, metrics }
    }

    /// The cached value, or what `load` answers; absence is not cached.
    ///
    /// # Errors
    /// What `load` fails with. Redis fails nothing: it is gone around and counted.
    pub async fn get_or_load<T, E, F>(&self, cache: CacheType, id: &str, load: impl Fn() -> F + Send) -> Result<Option<T>, E>
    where
        T: Serialize + DeserializeOwned,
        E: Clone + Send + Sync + 'static,
        F: Future<Output = Result<Option<T>, E>> + Send,
    {
        let key = self.key(cache, id);
        let entry = self.read(cache, &key).await;
        if let Entry::Value(text) = &entry
            && let Ok(value) = serde_json::from_str(text)
        {
            self.metrics.cache_hits.increment(cache);
            return Ok(Some(value));
        }
        self.metrics.cache_misses.increment(cache);
        let seen = if let Entry::Gone(Some(tombstone)) = &entry { tombstone.as_str() } else { "" };
        let flight = format!("{key} {} {seen}", self.removals.load(Ordering::Acquire));
        let shared = self.flights.try_get_with_by_ref(&flight, self.load_and_store(cache, &key, entry, &load)).await;
        self.flights.invalidate(&flight).await;
        let text = shared.map_err(|error| E::clone(&error))?;
        Ok(text.and_then(|text| serde_json::from_str(&text).ok()))
    }

    async fn load_and_store<T, E, F>(
        &self,
        cache: CacheType,
        key: &str,
        entry: Entry,
        load: &(impl Fn() -> F + Send),
    ) -> Result<Option<Arc<str>>, E>
    where
        T: Serialize,
        F: Future<Output = Result<Option<T>, E>>,
    {
        let mut seen = entry;
        for _ in 0..MAX_LOADS {
            let text: Option<Arc<str>> = load().await?.and_then(|value| serde_json::to_string(&value).ok()).map(Into::into);
            let (Some(text), Entry::Gone(before)) = (&text, &seen) else { return Ok(text) };
            match self.store(cache, key, text).await {
                Entry::Gone(now) if now.is_some() && now != *before => seen = Entry::Gone(now),
                _ => return Ok(Some(text.clone())),
            }
        }
        load().await.map(|value| value.and_then(|value| serde_json::to_string(&value).ok()).map(Into::into))
    }

    /// Prepares the removal of entries that a change is about to make untrue: to be made before the change is committed.
    pub fn removal(&self, cache: CacheType, ids: impl IntoIterator<Item = String>) -> Removal {
        Removal { cache: self.clone(), kind: cache, ids: ids.into_iter().collect() }
    }

    /// Makes sure that no replica answers the entry any more.
    async fn remove(&self, cache: CacheType, id: &str) {
        self.removals.fetch_add(1, Ordering::AcqRel);
        let key = self.key(cache, id);
        let tombstone = format!("{TOMBSTONE_MARK}{}", Uuid::new_v4());
        let mut command = redis::cmd("SET");
        command.arg(&key).arg(&tombstone).arg("PX").arg(millis(self.tombstone));
        if self.link.run::<()>(RedisCommand::Set, &command).await.is_err() {
            self.metrics.cache_errors.increment(cache);
            self.link.run_before_next_use(key, command, cache.time_to_live());
        }
    }

    async fn read(&self, cache: CacheType, key: &str) -> Entry {
        self.entry(cache, RedisCommand::Get, redis::cmd("GET").arg(key)).await
    }

    /// Stores a value unless something is there, and answers what was there.
    async fn store(&self, cache: CacheType, key: &str, text: &str) -> Entry {
        let full = millis(cache.time_to_live());
        let time_to_live = rand::random_range(full - full / 10..=full);
        let mut command = redis::cmd("SET");
        command.arg(key).arg(text).arg("NX").arg("GET").arg("PX").arg(time_to_live);
        self.entry(cache, RedisCommand::Set, &command).await
    }

    async fn entry(&self, cache: CacheType, label: RedisCommand, command: &redis::Cmd) -> Entry {
        match self.link.run::<Option<String>>(label, command).await {
            Ok(Some(text)) if !text.starts_with(TOMBSTONE_MARK) => Entry::Value(text),
            Ok(gone) => Entry::Gone(gone),
            Err(_) => {
                self.metrics.cache_errors.increment(cache);
                Entry::Failed
            }
        }
    }

    fn key(&self, cache: CacheType, id: &str) -> String {
        format!("{}:cache:{}:{id}", self.prefix, cache.key_part())
    }
}

/// Entries to remove when a change is done. Dropped before that, because the client left or the outcome of the commit is
/// not known, it removes them in the background: what may have become true must reach the caches.
#[must_use]
pub struct Removal {
    cache: Cache,
    kind: CacheType,
    ids: Vec<String>,
}

impl Removal {
    /// Removes the entries.
    pub async fn finish(mut self) {
        while let Some(id) = self.ids.last() {
            self.cache.remove(self.kind, id).await;
            self.ids.pop();
        }
    }
}

impl Drop for Removal {
    fn drop(&mut self) {
        if self.ids.is_empty() {
            return;
        }
        let mut unfinished = Self { cache: self.cache.clone(), kind: self.kind, ids: std::mem::take(&mut self.ids) };
        // Without a runtime the process is on its way out, and the entries end by themselves.
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(unfinished.finish());
        } else {
            unfinished.ids.clear();
        }
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
