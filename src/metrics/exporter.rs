//! Exports the catalogue in Prometheus' text format, all families in the catalogue's order, and regularly drains histogram samples.
//!
//! Metrics are defined in [`catalogue`](super::catalogue); `operations` has the route that serves them.

use std::sync::Arc;
use std::time::Duration;

use super::catalogue::{Catalogue, rows};
use super::family::Family;
use super::kinds::Registrar;
use super::{Metrics, samplers};

/// Interval at which accumulated histogram samples are drained.
const UPKEEP: Duration = Duration::from_secs(1);
/// Initial capacity of the rendered text in bytes, so that the text is rarely reallocated.
const CAPACITY: usize = 512 * 1024;

/// Owns and renders the metrics of one application.
#[derive(Clone)]
pub struct Exporter {
    families: Arc<[Arc<Family>]>,
    metrics: Metrics,
}

impl Default for Exporter {
    /// Registers all metrics; the series of closed label sets start at zero.
    fn default() -> Self {
        let families: Arc<[_]> = rows().iter().map(|row| Arc::new(Family::new(row.name, row.kind, row.help, row.buckets))).collect();
        let metrics = Arc::new(Catalogue::register(&Registrar::new(families.clone())));
        metrics.build_info.with(&[env!("CARGO_PKG_VERSION"), super::REVISION, super::RUSTC]).set(1.0);
        Self { families, metrics }
    }
}

impl Exporter {
    /// The handle to the metrics that this exporter renders.
    #[must_use]
    pub fn metrics(&self) -> Metrics {
        self.metrics.clone()
    }

    /// Renders everything in the text exposition format, version 0.0.4, after sampling the process metrics.
    #[must_use]
    pub fn render(&self) -> String {
        samplers::process::sample(&self.metrics);
        let mut text = String::with_capacity(CAPACITY);
        for family in &*self.families {
            family.render(&mut text);
        }
        text
    }

    /// Drains histogram samples periodically; never returns.
    pub async fn upkeep(self) {
        let mut ticks = tokio::time::interval(UPKEEP);
        loop {
            ticks.tick().await;
            self.families.iter().for_each(|family| family.drain());
        }
    }
}
