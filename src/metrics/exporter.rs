//! Exports the catalogue in Prometheus' text format: recorder, buckets, HELP, upkeep.
//!
//! Metrics are defined in [`catalogue`](super::catalogue); `operations` has the route that serves them.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use metrics::{Recorder, SharedString};
use metrics_exporter_prometheus::{BuildError, Matcher, PrometheusBuilder, PrometheusHandle};

use super::catalogue::{Catalogue, rows};
use super::kinds::Registrar;
use super::{Metrics, samplers};

/// Interval at which accumulated histogram samples are drained.
const UPKEEP: Duration = Duration::from_secs(1);
/// Summaries cover one scrape interval (15 s): this many windows of [`SUMMARY_WINDOW`].
const SUMMARY_WINDOWS: NonZeroU32 = NonZeroU32::new(3).expect("three is not zero");
const SUMMARY_WINDOW: Duration = Duration::from_secs(5);

/// Owns and renders the metrics of one application.
#[derive(Clone)]
pub struct Exporter {
    handle: PrometheusHandle,
    metrics: Metrics,
}

impl Exporter {
    /// Registers all metrics; the series of closed label sets start at zero.
    ///
    /// # Errors
    /// When a histogram in the catalogue has an empty list of buckets.
    pub fn new() -> Result<Self, BuildError> {
        let mut builder = PrometheusBuilder::new()
            .set_quantiles(&[0.5, 0.9, 0.95, 0.99])?
            .set_bucket_duration(SUMMARY_WINDOW)?
            .set_bucket_count(SUMMARY_WINDOWS);
        let rows = rows();
        for row in rows.iter().filter(|row| !row.buckets.is_empty()) {
            builder = builder.set_buckets_for_metric(Matcher::Full(row.name.to_owned()), row.buckets)?;
        }
        let recorder = builder.build_recorder();
        for row in &rows {
            let (name, help) = (row.name.into(), SharedString::const_str(row.help));
            match row.kind {
                "counter" => recorder.describe_counter(name, None, help),
                "gauge" => recorder.describe_gauge(name, None, help),
                _ => recorder.describe_histogram(name, None, help),
            }
        }
        let handle = recorder.handle();
        let metrics = Arc::new(Catalogue::register(&Registrar::new(recorder)));
        metrics.build_info.with(&[env!("CARGO_PKG_VERSION"), super::REVISION, super::RUSTC]).set(1.0);
        Ok(Self { handle, metrics })
    }

    /// The handle to the metrics that this exporter renders.
    #[must_use]
    pub fn metrics(&self) -> Metrics {
        self.metrics.clone()
    }

    /// Renders everything in the text exposition format, version 0.0.4, after sampling the process figures.
    #[must_use]
    pub fn render(&self) -> String {
        samplers::process::sample(&self.metrics);
        let mut text = self.handle.render();
        if let Some(row) = rows().iter().find(|row| row.name == "process_cpu_seconds_total") {
            text.push_str(&self.metrics.process_cpu.render(row.help));
        }
        text
    }

    /// Drains histogram samples periodically; never returns.
    pub async fn upkeep(self) {
        let mut ticks = tokio::time::interval(UPKEEP);
        loop {
            ticks.tick().await;
            self.handle.run_upkeep();
        }
    }
}
