//! Traces: which of them are kept, and how the OTLP endpoint gets them.
//!
//! Each request, job and event is recorded by itself (`recording`). When it ends, its spans are exported if the trace is in the sample, or if
//! the work failed or was slow (`docs/adr/0025-traces.md`). `subjects` has the names and attributes of spans.

mod recording;
mod subjects;

use std::sync::{Arc, OnceLock};

use opentelemetry_otlp::{ExporterBuildError, SpanExporter};
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{SpanData, SpanExporter as _};

pub(super) use self::recording::{Part, Place, Recorder, Work};
pub(super) use self::subjects::Subject;
use super::export::{Endpoint, Export, Signal};
use crate::config::Config;
use crate::metrics::Metrics;
use crate::metrics::labels::TelemetrySignal;

static INSTALLED: OnceLock<Traces> = OnceLock::new();

/// The traces of the running process.
pub(super) struct Traces {
    recorder: Arc<Recorder>,
    export: Export<Spans>,
}

/// The exporter of spans. An item is a request, job or event with its parts.
struct Spans(SpanExporter);

impl Signal for Spans {
    type Item = Vec<SpanData>;
    const NAME: TelemetrySignal = TelemetrySignal::Traces;
    const QUEUE: usize = 1024;
    const BATCH: usize = 128;

    fn export(&self, traces: Vec<Vec<SpanData>>) -> impl Future<Output = OTelSdkResult> + Send {
        self.0.export(traces.into_iter().flatten().collect())
    }
}

impl Traces {
    /// The pipeline to an endpoint.
    ///
    /// # Errors
    /// When the exporter cannot be built.
    pub fn to(endpoint: &Endpoint, config: &Config) -> Result<Self, ExporterBuildError> {
        let mut exporter = endpoint.configure(SpanExporter::builder().with_http(), "/v1/traces").build()?;
        exporter.set_resource(&endpoint.resource);
        let (export, queue) = Export::new(Spans(exporter));
        Ok(Self { recorder: Arc::new(Recorder::new(config.otel_traces_sampler_arg, config.slow_request, queue)), export })
    }

    pub fn install(self) {
        // A process initializes traces once.
        let _first = INSTALLED.set(self);
    }
}

/// The recorder of this process; `None` while traces are off.
pub(super) fn recorder() -> Option<&'static Arc<Recorder>> {
    INSTALLED.get().map(|traces| &traces.recorder)
}

/// Exports traces; returns only if they are off.
pub(super) async fn export(metrics: &Metrics) {
    if let Some(Traces { export, .. }) = INSTALLED.get() {
        export.run(metrics).await;
    }
}

/// Exports the traces so far, within a limit.
pub(super) async fn flush() {
    if let Some(Traces { export, .. }) = INSTALLED.get() {
        export.flush().await;
    }
}
