//! Traces: which spans are recorded, and how OpenTelemetry gets them.
//!
//! Every span of a request, a job or an event is recorded. When the work ends, its spans are kept if the trace is in the sample, or if the
//! work failed or was slow (`kept`). Kept traces wait for their export (`docs/adr/0025-traces.md`).

mod kept;

use std::cell::Cell;
use std::sync::OnceLock;

use opentelemetry::trace::{SpanId, SpanKind, TraceContextExt, TraceId, TraceState, TracerProvider};
use opentelemetry::{Context, KeyValue};
use opentelemetry_otlp::{ExporterBuildError, SpanExporter};
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{
    IdGenerator, SamplingDecision, SamplingResult, SdkTracer, SdkTracerProvider, ShouldSample, SpanData, SpanExporter as _,
};

use self::kept::KeptTraces;
use super::export::{Endpoint, Export, Signal};
use super::trace_context::{self, TraceContext};
use crate::config::Config;
use crate::metrics::Metrics;
use crate::metrics::labels::TelemetrySignal;

/// The name of the instrumentation scope.
const CRATE: &str = env!("CARGO_CRATE_NAME");

static INSTALLED: OnceLock<Traces> = OnceLock::new();

thread_local! {
    /// The identifiers for the span that begins now, if it is the one of a request, job or event.
    static IDENTIFIERS: Cell<Option<TraceContext>> = const { Cell::new(None) };
}

/// The traces of the running process.
pub(super) struct Traces {
    /// Dropped only with the process: a provider without owner exports nothing.
    _provider: SdkTracerProvider,
    tracer: SdkTracer,
    kept: KeptTraces,
    export: Export<Spans>,
}

/// The exporter of spans. An item is a trace, or the part of it that this replica keeps at a time.
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
        let kept = KeptTraces::new(config.otel_traces_sampler_arg, config.slow_request, queue);
        let provider = SdkTracerProvider::builder()
            .with_resource(endpoint.resource.clone())
            .with_sampler(WholeWork)
            .with_id_generator(Identifiers)
            .with_span_processor(kept.clone())
            .build();
        let tracer = provider.tracer(CRATE);
        Ok(Self { _provider: provider, tracer, kept, export })
    }

    pub fn install(self) {
        // A process initializes traces once.
        let _first = INSTALLED.set(self);
    }
}

/// The source of spans; `None` while traces are off.
pub(super) fn tracer() -> Option<&'static SdkTracer> {
    INSTALLED.get().map(|traces| &traces.tracer)
}

/// Whether it is certain already that this replica keeps a trace in progress.
pub(super) fn keeps(trace: trace_context::TraceId) -> bool {
    INSTALLED.get().is_some_and(|traces| traces.kept.keeps(trace))
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

/// Runs code in which a span begins that has the identifiers of this work.
pub(super) fn with_identifiers<T>(work: &TraceContext, begin: impl FnOnce() -> T) -> T {
    IDENTIFIERS.set(Some(*work));
    let result = begin();
    IDENTIFIERS.set(None);
    result
}

/// Gives spans the identifiers of log lines.
#[derive(Debug)]
struct Identifiers;

impl IdGenerator for Identifiers {
    fn new_trace_id(&self) -> TraceId {
        let trace = IDENTIFIERS.get().map_or_else(trace_context::TraceId::random, |work| work.trace);
        TraceId::from_bytes(trace.to_bytes())
    }

    fn new_span_id(&self) -> SpanId {
        let span = IDENTIFIERS.get().map_or_else(trace_context::SpanId::random, |work| work.span);
        SpanId::from_bytes(span.to_bytes())
    }
}

/// Records requests, jobs and events, with everything below them. Other work, such as the polls of the workers, has no trace.
#[derive(Clone, Debug)]
struct WholeWork;

impl ShouldSample for WholeWork {
    fn should_sample(
        &self,
        parent: Option<&Context>,
        _: TraceId,
        _: &str,
        kind: &SpanKind,
        _: &[KeyValue],
        _: &[opentelemetry::trace::Link],
    ) -> SamplingResult {
        let local = parent.map(|parent| parent.span().span_context().clone()).filter(|parent| parent.is_valid() && !parent.is_remote());
        let is_recorded = match local {
            Some(parent) => parent.is_sampled(),
            None => matches!(kind, SpanKind::Server | SpanKind::Consumer),
        };
        let decision = if is_recorded { SamplingDecision::RecordAndSample } else { SamplingDecision::Drop };
        SamplingResult { decision, attributes: Vec::new(), trace_state: TraceState::default() }
    }
}
