//! The pipeline of traces: from the spans of the program to the OTLP endpoint, if `OTEL_EXPORTER_OTLP_ENDPOINT` is set.
//!
//! Every span of a request, a job or an event is recorded. When the work ends, its spans are kept if the trace is in the sample, or if the
//! work failed or was slow (`kept`). Kept traces are exported in batches (`export`, `collector`). Nothing here ever blocks the work:
//! a collector that does not respond costs the traces, which are counted (`docs/adr/0025-traces.md`).

mod collector;
mod export;
mod kept;

use std::cell::Cell;
use std::sync::OnceLock;

use opentelemetry::trace::{SpanId, SpanKind, TraceContextExt, TraceId, TraceState, TracerProvider};
use opentelemetry::{Context, KeyValue};
use opentelemetry_otlp::ExporterBuildError;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{IdGenerator, SamplingDecision, SamplingResult, SdkTracerProvider, ShouldSample};
use tracing::Subscriber;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::Layer;
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::registry::LookupSpan;

use self::export::Export;
use self::kept::KeptTraces;
use super::levels::PARTS;
use super::trace_context::{self, TraceContext};
use crate::config::Config;
use crate::metrics::Metrics;

/// The crate whose spans are exported; the targets of spans begin with it.
const CRATE: &str = env!("CARGO_CRATE_NAME");

static INSTALLED: OnceLock<Traces> = OnceLock::new();

thread_local! {
    /// The identifiers for the span that begins now, if it is the one of a request, job or event.
    static IDENTIFIERS: Cell<Option<TraceContext>> = const { Cell::new(None) };
}

/// The traces of the running process.
pub(super) struct Traces {
    /// Dropped only with the process: a provider without owner exports nothing.
    provider: SdkTracerProvider,
    export: Export,
}

impl Traces {
    /// `None` while no endpoint is configured.
    ///
    /// # Errors
    /// When the exporter cannot be built.
    pub fn of(config: &Config) -> Result<Option<Self>, ExporterBuildError> {
        let Some(endpoint) = &config.otel_exporter_otlp_endpoint else { return Ok(None) };
        let resource = Resource::builder_empty()
            .with_service_name(config.otel_service_name.clone())
            .with_attributes([
                KeyValue::new("service.version", env!("CARGO_PKG_VERSION")),
                KeyValue::new("service.instance.id", config.replica.clone()),
                KeyValue::new("deployment.environment.name", config.environment.name()),
            ])
            .build();
        let (export, queue) = Export::new(endpoint, &resource)?;
        let provider = SdkTracerProvider::builder()
            .with_resource(resource)
            .with_sampler(WholeWork)
            .with_id_generator(Identifiers)
            .with_span_processor(KeptTraces::new(config.otel_traces_sampler_arg, config.slow_request, queue))
            .build();
        Ok(Some(Self { provider, export }))
    }

    /// The layer that turns the spans of this crate into those of traces. Events stay in the log: it names the trace.
    pub fn layer<S>(&self) -> impl Layer<S> + use<S>
    where
        S: Subscriber + for<'a> LookupSpan<'a>,
    {
        let is_ours = |target: &str| target == PARTS || target.starts_with(CRATE);
        tracing_opentelemetry::layer()
            .with_tracer(self.provider.tracer(CRATE))
            .with_location(false)
            .with_threads(false)
            .with_target(false)
            .with_tracked_inactivity(false)
            .with_context_activation(false)
            .with_filter(filter_fn(move |metadata| metadata.is_span() && is_ours(metadata.target())).with_max_level_hint(LevelFilter::INFO))
    }

    pub fn install(self) {
        // A process initializes traces once.
        let _first = INSTALLED.set(self);
    }
}

/// Whether this process exports traces.
#[must_use]
pub fn are_on() -> bool {
    INSTALLED.get().is_some()
}

/// Exports traces; never returns. Waits forever if traces are off, or if another application of the process exports them.
pub async fn export(metrics: Metrics) {
    if let Some(Traces { export, .. }) = INSTALLED.get() {
        export.run(&metrics).await;
    }
    std::future::pending::<()>().await;
}

/// Exports the traces so far, within a limit.
pub async fn flush() {
    if let Some(Traces { export, .. }) = INSTALLED.get() {
        export.flush().await;
    }
}

/// Runs code in which a span begins that has the identifiers of this work.
pub(super) fn with_identifiers(work: &TraceContext, begin: impl FnOnce()) {
    IDENTIFIERS.set(Some(*work));
    begin();
    IDENTIFIERS.set(None);
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
