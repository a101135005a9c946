//! The rules of visits: which beacons are counted, and how many are accepted from one network.

use std::num::NonZeroU32;
use std::sync::Arc;

use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};
use ipnet::IpNet;
use moka::future::Cache;

use super::events;
use super::model::Report;
use crate::metrics::Metrics;
use crate::metrics::labels::Limiter;

/// Maximum number of networks with a limiter. A network whose limiter was evicted starts again with a full quota.
const MAX_NETWORKS: u64 = 100_000;
/// Substrings of the user agents of robots that declare themselves.
const ROBOTS: [&str; 6] = ["bot", "crawl", "spider", "slurp", "preview", "archiver"];

/// The network has exceeded its quota of beacons.
#[derive(Debug, thiserror::Error)]
#[error("too many beacons from this network")]
pub struct QuotaExceeded;

/// The visits service. Clones share the limiters.
#[derive(Clone)]
pub struct Visits {
    quota: Quota,
    networks: Cache<IpNet, Arc<DefaultDirectRateLimiter>>,
    metrics: Metrics,
}

impl Visits {
    /// Creates the service. Each network may send `beacons_per_minute` beacons per minute, even in one burst.
    #[must_use]
    pub fn new(beacons_per_minute: u32, metrics: Metrics) -> Self {
        let quota = Quota::per_minute(NonZeroU32::new(beacons_per_minute).unwrap_or(NonZeroU32::MIN));
        Self { quota, networks: Cache::builder().max_capacity(MAX_NETWORKS).build(), metrics }
    }

    /// Admits one beacon of a network.
    pub(super) async fn admit(&self, network: IpNet) -> Result<(), QuotaExceeded> {
        let limiter = self.networks.get_with(network, async { Arc::new(RateLimiter::direct(self.quota)) }).await;
        limiter.check().map_err(|_| {
            self.metrics.rate_limited.increment(Limiter::Beacons);
            QuotaExceeded
        })
    }

    /// Counts the reports of a browser. Ignores clients that declare themselves robots or send no user agent.
    pub(super) fn report(&self, agent: &str, reports: &[Report]) {
        if is_robot(agent) {
            return;
        }
        for report in reports {
            events::reported(&self.metrics, *report);
        }
    }
}

fn is_robot(agent: &str) -> bool {
    let agent = agent.to_ascii_lowercase();
    agent.is_empty() || ROBOTS.iter().any(|robot| agent.contains(robot))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn robots_are_detected_by_user_agent() {
        assert!(is_robot("Mozilla/5.0 (compatible; Googlebot/2.1)"));
        assert!(is_robot(""));
        assert!(!is_robot("Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0 Safari/537.36"));
    }
}
