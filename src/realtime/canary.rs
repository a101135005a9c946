//! The canary: a message that this replica publishes every second. Every other replica replies to it. It measures the latency of
//! events between replicas, and shows whether this replica can publish and receive at all.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use crate::metrics::Metrics;

/// Interval between canaries.
pub const EVERY: Duration = Duration::from_secs(1);
/// A replica that has not received its own canary for this long reports itself as disconnected.
const DEAF_AFTER: Duration = Duration::from_secs(3);
/// Replies that arrive later than this are ignored. The time is long, so that slow replies are still measured.
const LOST_AFTER: Duration = Duration::from_secs(15);

/// The canaries of one replica.
pub struct Canary {
    next: u64,
    /// The canaries of the last `LOST_AFTER` and when each was sent. A reply does not remove its canary: every replica replies.
    out: HashMap<u64, Instant>,
    heard_myself: Option<Instant>,
    metrics: Metrics,
}

impl Canary {
    pub fn new(metrics: Metrics) -> Self {
        Self { next: 0, out: HashMap::new(), heard_myself: None, metrics }
    }

    /// Registers a new canary, and returns its number. Also updates `websocket_adapter_connected`.
    pub fn set_out(&mut self) -> u64 {
        let connected = self.heard_myself.is_some_and(|heard| heard.elapsed() < DEAF_AFTER);
        self.metrics.websocket_adapter_connected.set((), f64::from(u8::from(connected)));
        self.out.retain(|_, set_out| set_out.elapsed() < LOST_AFTER);
        self.next += 1;
        self.out.insert(self.next, Instant::now());
        self.next
    }

    /// Records that this replica has received its own canary.
    pub fn hear_myself(&mut self) {
        self.heard_myself = Some(Instant::now());
        self.metrics.websocket_adapter_connected.set((), 1.0);
    }

    /// Records a reply from another replica. The one-way latency is half of the round trip.
    pub fn is_back(&self, number: u64) {
        if let Some(set_out) = self.out.get(&number) {
            self.metrics.websocket_fanout.record((), set_out.elapsed().as_secs_f64() / 2.0);
        }
    }
}
