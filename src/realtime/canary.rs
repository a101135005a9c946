//! The canary: each second it goes from this replica to every other and back, and so tells how long an event takes, and
//! whether this replica is heard, and hears, at all.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use crate::metrics::Metrics;

/// Between two canaries.
pub const EVERY: Duration = Duration::from_secs(1);
/// Without a word of its own for this long, a replica takes itself for deaf.
const DEAF_AFTER: Duration = Duration::from_secs(3);
/// One that is still out after that never comes back: above what anybody would call slow, so that slowness is seen.
const LOST_AFTER: Duration = Duration::from_secs(15);

/// What one replica knows of its canaries.
pub struct Canary {
    next: u64,
    /// When those set out that may still come back.
    out: HashMap<u64, Instant>,
    heard_myself: Option<Instant>,
    metrics: Metrics,
}

impl Canary {
    pub fn new(metrics: Metrics) -> Self {
        Self { next: 0, out: HashMap::new(), heard_myself: None, metrics }
    }

    /// Another one sets out; answers its number.
    pub fn set_out(&mut self) -> u64 {
        let connected = self.heard_myself.is_some_and(|heard| heard.elapsed() < DEAF_AFTER);
        self.metrics.websocket_adapter_connected.set((), f64::from(u8::from(connected)));
        self.out.retain(|_, set_out| set_out.elapsed() < LOST_AFTER);
        self.next += 1;
        self.out.insert(self.next, Instant::now());
        self.next
    }

    /// This replica has heard its own canary.
    pub fn hear_myself(&mut self) {
        self.heard_myself = Some(Instant::now());
        self.metrics.websocket_adapter_connected.set((), 1.0);
    }

    /// One is back from another replica.
    pub fn is_back(&self, number: u64) {
        if let Some(set_out) = self.out.get(&number) {
            self.metrics.websocket_fanout.record((), set_out.elapsed().as_secs_f64() / 2.0);
        }
    }
}
