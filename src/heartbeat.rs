//! Heartbeats: every replica publishes its status every second, so that any replica can show the whole fleet to visitors.
//!
//! Heartbeats are not stored. They decide only what visitors see: a replica without a recent heartbeat is not shown. Operators use
//! [`metrics`](crate::metrics) and [`health`](crate::health) instead.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use parking_lot::{Mutex, MutexGuard};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::health::Health;
use crate::realtime::{Realtime, Topic};
use crate::tasks::ticks;

const INTERVAL: Duration = Duration::from_secs(1);
/// A replica is not shown if its last heartbeat is older than this.
const LIFETIME: Duration = Duration::from_secs(5);
/// Maximum number of other replicas in memory. One Redis channel cannot serve a fleet of this size.
const MAX_REPLICAS: usize = 1000;

/// The status of one replica.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Replica {
    /// Name of the replica.
    pub name: String,
    /// Version that the replica runs.
    pub version: String,
    /// Seconds since the replica's start.
    pub uptime_seconds: u64,
    /// Requests answered since the replica's start.
    pub requests: u64,
    /// Open Socket.IO connections.
    pub sockets: u64,
    /// Whether the replica is ready for requests.
    pub is_ready: bool,
}

/// The status of the fleet.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Fleet)]
pub struct FleetStatus {
    /// Every replica with a recent heartbeat, ordered by name.
    pub replicas: Vec<Replica>,
    /// Sum of the replicas' answered requests.
    pub requests: u64,
    /// Sum of the replicas' open Socket.IO connections.
    pub sockets: u64,
    /// Name of the replica that answers this request.
    pub served_by: String,
}

/// A heartbeat on the bus.
#[derive(Serialize, Deserialize)]
struct Beat {
    from: Uuid,
    replica: Replica,
}

/// One replica's view of the fleet; clones share it.
#[derive(Clone)]
pub struct Heartbeat(Arc<Inner>);

struct Inner {
    name: String,
    realtime: Realtime,
    health: Health,
    answered: Arc<AtomicU64>,
    others: Mutex<HashMap<Uuid, (Replica, Instant)>>,
}

impl Heartbeat {
    /// A view that contains only this replica until heartbeats arrive.
    #[must_use]
    pub fn new(name: String, realtime: Realtime, health: Health) -> Self {
        Self(Arc::new(Inner { name, realtime, health, answered: Arc::default(), others: Mutex::default() }))
    }

    /// The counter of this replica's answered requests.
    #[must_use]
    pub fn answered(&self) -> Arc<AtomicU64> {
        self.0.answered.clone()
    }

    /// The current status of the fleet.
    #[must_use]
    pub fn fleet(&self) -> FleetStatus {
        let mut replicas = vec![self.me()];
        replicas.extend(self.others().values().filter(|(_, received)| received.elapsed() < LIFETIME).map(|(replica, _)| replica.clone()));
        replicas.sort_by(|a, b| a.name.cmp(&b.name));
        let sum = |count: fn(&Replica) -> u64| replicas.iter().map(count).fold(0, u64::saturating_add);
        let (requests, sockets) = (sum(|replica| replica.requests), sum(|replica| replica.sockets));
        FleetStatus { replicas, requests, sockets, served_by: self.0.name.clone() }
    }

    /// Publishes and receives heartbeats. Runs until the task is aborted.
    pub async fn beat(self) {
        let mut signals = self.0.realtime.signals(Topic::Heartbeat);
        let mut beats = ticks(INTERVAL);
        loop {
            tokio::select! {
                _ = beats.tick() => {
                    self.others().retain(|_, (_, received)| received.elapsed() < LIFETIME);
                    self.0.realtime.signal(Topic::Heartbeat, &Beat { from: self.0.realtime.replica(), replica: self.me() });
                }
                signal = signals.recv() => self.handle(signal.unwrap_or_default()),
            }
        }
    }

    fn handle(&self, signal: Value) {
        // Ignores missed heartbeats, which are `null` here, and heartbeats that cannot be parsed, because another version sent them.
        let Ok(Beat { from, replica }) = serde_json::from_value(signal) else { return };
        let mut others = self.others();
        if from != self.0.realtime.replica() && (others.len() < MAX_REPLICAS || others.contains_key(&from)) {
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
        self.0.others.lock()
    }
}
