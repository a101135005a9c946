//! Which traces are kept: the decision is made when the work ends, so that failures and slow requests are kept whatever the sample is.

use std::collections::HashMap;
use std::time::Duration;

use opentelemetry::Context;
use opentelemetry::trace::{Span as _, SpanId, SpanKind, Status, TraceContextExt, TraceId};
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{Span, SpanData, SpanProcessor};
use parking_lot::Mutex;

use crate::telemetry::export::Queue;
use crate::telemetry::trace_context;

/// Maximum number of traces in progress. The spans of further ones are not recorded.
const MAX_TRACES: usize = 4096;
/// Maximum number of spans of a trace on this replica. Further ones are not recorded.
const MAX_SPANS: usize = 512;

/// Collects the spans of each trace until all of its requests, jobs and events on this replica have ended.
#[derive(Debug)]
pub struct KeptTraces {
    share: f64,
    slow: Duration,
    queue: Queue<Vec<SpanData>>,
    traces: Mutex<HashMap<TraceId, Trace>>,
}

#[derive(Debug, Default)]
struct Trace {
    /// Number of requests, jobs and events that have not ended.
    open: u32,
    is_kept: bool,
    spans: Vec<SpanData>,
}

impl KeptTraces {
    /// Keeps this share of all traces, those that the sender of `traceparent` keeps, those with a failure, and those with a request that
    /// takes at least `slow`.
    pub fn new(share: f64, slow: Duration, queue: Queue<Vec<SpanData>>) -> Self {
        Self { share, slow, queue, traces: Mutex::default() }
    }
}

impl SpanProcessor for KeptTraces {
    /// The sampler records a span without a local parent only if it is the one of a request, job or event.
    fn on_start(&self, span: &mut Span, parent: &Context) {
        let parent = parent.span().span_context().clone();
        if parent.is_valid() && !parent.is_remote() {
            return;
        }
        let id = span.span_context().trace_id();
        let mut traces = self.traces.lock();
        if traces.len() >= MAX_TRACES && !traces.contains_key(&id) {
            return;
        }
        let trace = traces.entry(id).or_default();
        trace.open += 1;
        trace.is_kept |= parent.is_sampled() || trace_context::TraceId::of_bytes(id.to_bytes()).is_among(self.share);
    }

    fn on_end(&self, span: SpanData) {
        let id = span.span_context.trace_id();
        let is_work = span.parent_span_id == SpanId::INVALID || span.parent_span_is_remote;
        let is_slow =
            || span.span_kind == SpanKind::Server && span.end_time.duration_since(span.start_time).is_ok_and(|time| time >= self.slow);
        let mut traces = self.traces.lock();
        let Some(trace) = traces.get_mut(&id) else { return };
        if is_work {
            trace.open -= 1;
            trace.is_kept |= matches!(span.status, Status::Error { .. }) || is_slow();
        }
        if trace.spans.len() < MAX_SPANS {
            trace.spans.push(span);
        }
        if trace.open > 0 {
            return;
        }
        let ended = traces.remove(&id);
        drop(traces);
        if let Some(Trace { is_kept: true, spans, .. }) = ended {
            self.queue.put(spans);
        }
    }

    fn force_flush(&self) -> OTelSdkResult {
        Ok(())
    }

    fn shutdown_with_timeout(&self, _: Duration) -> OTelSdkResult {
        Ok(())
    }
}
