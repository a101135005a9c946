//! What each replica says of itself every second, so that any of them can tell visitors of the whole fleet.
//!
//! Nothing of this is stored, and nothing is decided by it: a replica that has said nothing for a while is not told of. What
//! operators go by is in [`metrics`](crate::metrics) and [`health`](crate::health).

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::time::MissedTickBehavior;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::health::Health;
use crate::realtime::{Realtime, Topic};

/// Between two words of a replica.
const BEAT: Duration = Duration::from_secs(1);
/// How long the word of a replica holds.
const MEMORY: Duration = Duration::from_secs(5);
/// Replicas that are remembered; more than any fleet that one channel serves.
const MOST: usize = 1000;

/// What one replica says of itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Replica {
    /// Its name.
    pub name: String,
    /// What it runs.
    pub version: String,
    /// Seconds since its start.
    pub uptime_seconds: u64,
    /// Requests that it has answered since its start.
    pub requests: u64,
    /// Socket.IO connections that it holds.
    pub sockets: u64,
    /// Whether the edge may send it requests.
    pub is_ready: bool,
}

/// What is known of the fleet.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Fleet)]
pub struct Numbers {
    /// Every replica that was heard of lately, by name.
    pub replicas: Vec<Replica>,
    /// Requests that they have answered since their starts.
    pub requests: u64,
    /// Socket.IO connections that they hold.
    pub sockets: u64,
    /// The replica that answers.
    pub served_by: String,
}

/// A word on the bus.
#[derive(Serialize, Deserialize)]
struct Word {
    from: Uuid,
    replica: Replica,
}

/// The fleet as one replica knows it; clones share it.
#[derive(Clone)]
pub struct Pulse(Arc<Inner>);

struct Inner {
    name: String,
    realtime: Realtime,
    health: Health,
    answered: Arc<AtomicU64>,
    others: Mutex<HashMap<Uuid, (Replica, Instant)>>,
}

impl Pulse {
    /// Knows of this replica alone.
    #[must_use]
    pub fn new(name: String, realtime: Realtime, health: Health) -> Self {
        Self(Arc::new(Inner { name, realtime, health, answered: Arc::default(), others: Mutex::default() }))
    }

    /// Where answered requests are counted.
    #[must_use]
    pub fn answered(&self) -> Arc<AtomicU64> {
        self.0.answered.clone()
    }

    /// The fleet now.
    #[must_use]
    pub fn fleet(&self) -> Numbers {
        let mut replicas = vec![self.me()];
        replicas.extend(self.others().values().filter(|(_, heard)| heard.elapsed() < MEMORY).map(|(replica, _)| replica.clone()));
        replicas.sort_by(|a, b| a.name.cmp(&b.name));
        let sum = |count: fn(&Replica) -> u64| replicas.iter().map(count).fold(0, u64::saturating_add);
        let (requests, sockets) = (sum(|replica| replica.requests), sum(|replica| replica.sockets));
        Numbers { replicas, requests, sockets, served_by: self.0.name.clone() }
    }

    /// Tells the other replicas and hears them, for ever.
    pub async fn beat(self) {
        let mut signals = self.0.realtime.signals(Topic::Pulse);
        let mut beats = tokio::time::interval(BEAT);
        beats.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                _ = beats.tick() => {
                    self.others().retain(|_, (_, heard)| heard.elapsed() < MEMORY);
                    self.0.realtime.signal(Topic::Pulse, &Word { from: self.0.realtime.replica(), replica: self.me() });
                }
                signal = signals.recv() => self.hear(signal.unwrap_or_default()),
            }
        }
    }

    fn hear(&self, signal: Value) {
        // Another version may say what this one does not know.
        let Ok(Word { from, replica }) = serde_json::from_value(signal) else { return };
        let mut others = self.others();
        if from != self.0.realtime.replica() && (others.len() < MOST || others.contains_key(&from)) {
            others.insert(from, (replica, Instant::now()));
        }
    }

    fn me(&self) -> Replica {
        Replica {
            name: self.0.name.clone(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            uptime_seconds: self.0.health.uptime().as_secs(),
            requests: self.0.answered.load(Ordering::Relaxed),
            sockets: self.0.realtime.connections(),
            is_ready: self.0.health.readiness().is_ready(),
        }
    }

    fn others(&self) -> MutexGuard<'_, HashMap<Uuid, (Replica, Instant)>> {
        self.0.others.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
