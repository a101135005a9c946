//! The canary: a message that this replica publishes every second. All other replicas reply to it. The replies show the
//! latency of events between replicas; the canary itself shows whether this replica can publish and receive at all.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use crate::metrics::Metrics;

/// Interval between canaries.
pub const EVERY: Duration = Duration::from_secs(1);
/// A replica that has not received its own canary for this long reports itself as disconnected.
const DISCONNECTED_AFTER: Duration = Duration::from_secs(3);
/// Replies that arrive later than this are ignored. The time is long, so that slow replies are still measured.
const LOST_AFTER: Duration = Duration::from_secs(15);

/// The canaries of one replica.
pub struct Canary {
    next: u64,
    /// The canaries of the last `LOST_AFTER` and when each was sent. A reply does not remove its canary: all other replicas reply.
    out: HashMap<u64, Instant>,
    own_received_at: Option<Instant>,
    metrics: Metrics,
}

impl Canary {
    pub fn new(metrics: Metrics) -> Self {
        Self { next: 0, out: HashMap::new(), own_received_at: None, metrics }
    }

    /// Registers a new canary, and returns its number. Also updates `websocket_adapter_connected`.
    pub fn start(&mut self) -> u64 {
        let connected = self.own_received_at.is_some_and(|at| at.elapsed() < DISCONNECTED_AFTER);
        self.metrics.websocket_adapter_connected.set((), f64::from(u8::from(connected)));
        self.out.retain(|_, started| started.elapsed() < LOST_AFTER);
        self.next += 1;
        self.out.insert(self.next, Instant::now());
        self.next
    }

    /// Records that this replica has received its own canary.
    pub fn record_own(&mut self) {
        self.own_received_at = Some(Instant::now());
        self.metrics.websocket_adapter_connected.set((), 1.0);
    }

    /// Records a reply from another replica. The one-way latency is half of the round trip.
    pub fn record_reply(&self, number: u64) {
        if let Some(started) = self.out.get(&number) {
            self.metrics.websocket_fanout.record((), started.elapsed().as_secs_f64() / 2.0);
        }
    }
}
