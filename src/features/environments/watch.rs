//! Checks the environment driver for the replica's readiness. While the driver is unavailable, the replica is degraded, or unready if
//! `READINESS_REQUIRES` names the driver.

use std::time::{Duration, Instant};

use super::driver::{DriverError, Engine};
use crate::health::Health;
use crate::metrics::labels::Dependency;
use crate::tasks::ticks;

const PING_EVERY: Duration = Duration::from_millis(500);

/// Pings the engine. Runs until the task is aborted.
pub async fn watch_engine(engine: Engine, health: Health) {
    let mut ticks = ticks(PING_EVERY);
    loop {
        ticks.tick().await;
        let start = Instant::now();
        let result = engine.ping().await.map_err(|error| match error {
            DriverError::Unavailable(_) => "unavailable",
            DriverError::Timeout => "timeout",
            DriverError::NoContainer | DriverError::Failed(_) | DriverError::Refused(_) => "internal",
        });
        health.note(Dependency::EnvironmentDriver, start.elapsed(), result);
    }
}
