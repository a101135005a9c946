//! Redis as a read-through cache. Concurrent requests at a replica share the load of a missing entry; such a shared load is
//! called a *flight*. A request never fails because Redis is unavailable.
//!
//! Postgres is the only source of truth. Each change records, in its own transaction, the entries that it
//! invalidates (`cache/invalidations.rs`). Removing an entry leaves a *tombstone* in its place for longer than any load takes. A load that
//! began before the change finds the tombstone and loads again, so it can neither store nor return the stale value.
//! If Redis did not accept a removal, the removal runs before this replica uses Redis again.

mod address;
mod client;
mod invalidations;
pub mod marks;
pub mod throttle;
mod trust;
mod unavailable;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use moka::future::Cache as Flights;
use serde::Serialize;
use serde::de::DeserializeOwned;
use uuid::Uuid;

pub use client::RedisClient;
pub use invalidations::Invalidation;
pub use trust::Stale;
pub use unavailable::RedisUnavailable;

use self::client::millis;
use self::trust::Invalidations;
use crate::db::Db;
use crate::metrics::Metrics;
use crate::metrics::labels::{CacheType, RedisCommand};
use crate::telemetry::spans::{self, Span};

/// Allowance for a busy machine, added to the longest load.
const TOMBSTONE_MARGIN: Duration = Duration::from_secs(1);
/// First character of a tombstone; no JSON text begins with it.
const TOMBSTONE_MARK: char = '!';
/// Writes a tombstone unless the same change has already left one: every replica removes the entries of a change.
const REMOVE: &str = "local found = redis.pcall('GET', KEYS[1])
if type(found) == 'string' and string.sub(found, 1, #ARGV[1]) == ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3]) return 1";
/// Maximum number of attempts to load and store a value that keeps changing. After the last attempt, the value is loaded once more and
/// returned without being stored.
const MAX_LOADS: u32 = 3;
/// Maximum number of completed flights whose values are kept in memory.
const FLIGHTS: u64 = 10_000;
/// Lifetime of the value of a completed flight. Normally a caller removes the value; this limit applies if all callers have disconnected.
const FLIGHT_MEMORY: Duration = Duration::from_secs(1);

impl CacheType {
    /// The longest lifetime of an entry. Each entry's own lifetime is up to a tenth shorter, so that entries stored together
    /// do not expire together.
    const fn time_to_live(self) -> Duration {
        match self {
            Self::Session | Self::User => Duration::from_mins(1),
            Self::Project => Duration::from_secs(30),
            Self::Showcase => Duration::from_secs(15),
            Self::Insights => Duration::from_mins(5),
        }
    }
}

/// The cache of one replica.
#[derive(Clone)]
pub struct Cache {
    redis: RedisClient,
    prefix: Arc<str>,
    flights: Flights<String, Option<Arc<str>>>,
    /// Number of removals so far, part of a flight's key: a caller never shares a load that began before a removal.
    removals: Arc<AtomicU64>,
    invalidations: Invalidations,
    /// Lifetime of a tombstone: longer than the longest load.
    tombstone: Duration,
    metrics: Metrics,
}

/// An entry as Redis held it at one moment.
pub struct Lookup {
    cache: CacheType,
    key: String,
    entry: Entry,
}

/// The content of a key.
enum Entry {
    Value(String),
    /// No value: the key is absent, or holds this tombstone. A load repeats if another tombstone appears meanwhile.
    Missing(Option<String>),
    /// Redis did not answer, or its answer may be stale.
    Unknown,
}

impl From<Option<String>> for Entry {
    fn from(held: Option<String>) -> Self {
        match held {
            Some(text) if !text.starts_with(TOMBSTONE_MARK) => Self::Value(text),
            tombstone => Self::Missing(tombstone),
        }
    }
}

impl Cache {
    /// A cache whose keys all begin with `prefix`, for values loaded from `db`. It serves entries only while [`Self::follow`] runs.
    #[must_use]
    pub fn new(redis: RedisClient, db: Db, prefix: &str, metrics: Metrics) -> Self {
        let flights = Flights::builder().max_capacity(FLIGHTS).time_to_live(FLIGHT_MEMORY).build();
        let tombstone = db.longest_load() + TOMBSTONE_MARGIN;
        let invalidations = Invalidations::new(db);
        Self { redis, prefix: prefix.into(), flights, removals: Arc::default(), invalidations, tombstone, metrics }
    }

    /// Returns the cached value, or loads and caches it; absence is not cached.
    ///
    /// # Errors
    /// The error of `load`. A failure of Redis is counted and bypassed.
    pub async fn get_or_load<T, E, F>(&self, cache: CacheType, id: &str, load: impl Fn() -> F + Send) -> Result<Option<T>, E>
    where
        T: Serialize + DeserializeOwned,
        E: Clone + Send + Sync + 'static,
        F: Future<Output = Result<Option<T>, E>> + Send,
    {
        let [lookup] = self.lookup([(cache, id)]).await;
        self.found_or_load(lookup, load).await
    }

    /// Reads several entries in one round trip, for requests that need more than one.
    pub async fn lookup<const N: usize>(&self, entries: [(CacheType, &str); N]) -> [Lookup; N] {
        let named = entries.map(|(cache, id)| (cache, self.key(cache, id)));
        let keys = named.each_ref().map(|(_, key)| key.as_str());
        let held = if self.invalidations.are_known() { self.read(&keys).await.ok() } else { None };
        let mut held = held.into_iter().flatten();
        named.map(|(cache, key)| Lookup { cache, key, entry: held.next().map_or(Entry::Unknown, Entry::from) })
    }

    /// As [`Self::get_or_load`], for an entry that [`Self::lookup`] has read.
    ///
    /// # Errors
    /// As [`Self::get_or_load`].
    pub async fn found_or_load<T, E, F>(&self, lookup: Lookup, load: impl Fn() -> F + Send) -> Result<Option<T>, E>
    where
        T: Serialize + DeserializeOwned,
        E: Clone + Send + Sync + 'static,
        F: Future<Output = Result<Option<T>, E>> + Send,
    {
        let Lookup { cache, key, entry } = lookup;
        if let Entry::Value(text) = &entry
            && let Ok(value) = serde_json::from_str(text)
        {
            self.metrics.cache_hits.increment(cache);
            spans::found(cache);
            return Ok(Some(value));
        }
        let span = spans::lookup(cache);
        // Most lookups are hits. The future of a load is large, and unless it is boxed, every hit moves it too.
        Box::pin(span.around(self.load_missing(&span, cache, key, entry, load))).await
    }

    async fn load_missing<T, E, F>(
        &self,
        span: &Span,
        cache: CacheType,
        key: String,
        entry: Entry,
        load: impl Fn() -> F + Send,
    ) -> Result<Option<T>, E>
    where
        T: Serialize + DeserializeOwned,
        E: Clone + Send + Sync + 'static,
        F: Future<Output = Result<Option<T>, E>> + Send,
    {
        self.metrics.cache_misses.increment(cache);
        span.looked_up("miss");
        if matches!(entry, Entry::Unknown) {
            self.metrics.cache_errors.increment(cache);
            if !self.invalidations.are_known() {
                // A shared load may have begun before an invalidation that this replica does not know yet.
                return load().await;
            }
        }
        let seen = if let Entry::Missing(Some(tombstone)) = &entry { tombstone.as_str() } else { "" };
        let flight = format!("{key} {} {seen}", self.removals.load(Ordering::Acquire));
        let mut is_shared = true;
        let own = async {
            is_shared = false;
            self.load_and_store(cache, &key, entry, &load).await
        };
        let shared = self.flights.try_get_with_by_ref(&flight, own).await;
        if is_shared {
            span.looked_up("shared");
        }
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
            let (Some(text), Entry::Missing(before)) = (&text, &seen) else { return Ok(text) };
            match self.store(cache, key, text).await {
                Entry::Missing(now) if now.is_some() && now != *before => seen = Entry::Missing(now),
                _ => return Ok(Some(text.clone())),
            }
        }
        load().await.map(|value| value.and_then(|value| serde_json::to_string(&value).ok()).map(Into::into))
    }

    /// Removes the entry from Redis, so that no replica reads it from there any more. Returns false when Redis did not accept
    /// the removal; this replica then repeats it before it uses Redis again.
    async fn remove(&self, Stale { cache, entry }: &Stale, transaction: &str) -> bool {
        self.removals.fetch_add(1, Ordering::AcqRel);
        let key = self.key(*cache, entry);
        let of_change = format!("{TOMBSTONE_MARK}{transaction}@");
        // Tombstones are unique, so that a load can tell whether a tombstone appeared after the load began.
        let tombstone = format!("{of_change}{}", Uuid::new_v4());
        let mut command = redis::cmd("EVAL");
        command.arg(REMOVE).arg(1).arg(&key).arg(of_change).arg(tombstone).arg(millis(self.tombstone));
        let is_removed = self.redis.run::<u32>(RedisCommand::Eval, &command).await.is_ok();
        if !is_removed {
            self.metrics.cache_errors.increment(*cache);
            self.redis.run_before_next_use(key, command, cache.time_to_live());
        }
        is_removed
    }

    async fn read(&self, keys: &[&str]) -> Result<Vec<Option<String>>, RedisUnavailable> {
        match keys {
            [key] => Ok(vec![self.redis.run(RedisCommand::Get, redis::cmd("GET").arg(key)).await?]),
            keys => self.redis.run(RedisCommand::Mget, redis::cmd("MGET").arg(keys)).await,
        }
    }

    /// Stores a value unless the key exists, and returns the previous content of the key.
    async fn store(&self, cache: CacheType, key: &str, text: &str) -> Entry {
        let full = millis(cache.time_to_live());
        let time_to_live = rand::random_range(full - full / 10..=full);
        let mut command = redis::cmd("SET");
        command.arg(key).arg(text).arg("NX").arg("GET").arg("PX").arg(time_to_live);
        self.redis.run::<Option<String>>(RedisCommand::Set, &command).await.map_or_else(
            |_| {
                self.metrics.cache_errors.increment(cache);
                Entry::Unknown
            },
            Entry::from,
        )
    }

    fn key(&self, cache: CacheType, id: &str) -> String {
        format!("{}:cache:{}:{id}", self.prefix, cache.name())
    }
}
