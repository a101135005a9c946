//! Which traces are kept: the decision is made when the work ends, so that failures and slow requests are kept whatever the sample is.
//!
//! Clients choose the identifiers of their traces, so one identifier may belong to many requests at the same time. A request that does not
//! end must neither hold back the traces of others with its identifier, nor collect their spans without limit.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use opentelemetry::Context;
use opentelemetry::trace::{Span as _, SpanId, SpanKind, Status, TraceContextExt, TraceId};
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{Span, SpanData, SpanProcessor};
use parking_lot::Mutex;

use crate::telemetry::export::Queue;
use crate::telemetry::trace_context;

/// Maximum number of traces in progress. The spans of further ones are not recorded.
const MAX_TRACES: usize = 4096;
/// Maximum number of spans of a trace that wait on this replica. The newest are kept: the span of the work itself is its last one.
const MAX_SPANS: usize = 512;

/// Collects the spans of each trace until a request, job or event of it ends that is kept, or until all of them have ended. Clones share
/// the traces.
#[derive(Clone, Debug)]
pub struct KeptTraces(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    share: f64,
    slow: Duration,
    queue: Queue<Vec<SpanData>>,
    traces: Mutex<HashMap<TraceId, Trace>>,
}

#[derive(Debug, Default)]
struct Trace {
    /// The requests, jobs and events that have not ended. Their number is limited by that of connections and workers.
    open: Vec<Open>,
    is_kept: bool,
    /// Whether it is kept for what happened in it. A client can have any other trace kept, by the choice of its identifier.
    is_remarkable: bool,
    spans: VecDeque<SpanData>,
}

/// A request, job or event that has not ended.
#[derive(Debug)]
struct Open {
    span: SpanId,
    /// From then on it is slow; `None` if it is no request.
    slow_from: Option<Instant>,
}

impl KeptTraces {
    /// Keeps this share of all traces, those that the sender of `traceparent` keeps, those with a failure, and those with a request that
    /// takes at least `slow`.
    pub fn new(share: f64, slow: Duration, queue: Queue<Vec<SpanData>>) -> Self {
        Self(Arc::new(Inner { share, slow, queue, traces: Mutex::default() }))
    }

    /// Whether it is certain already that a trace in progress is kept.
    pub fn keeps(&self, id: trace_context::TraceId) -> bool {
        let traces = self.0.traces.lock();
        let Some(trace) = traces.get(&TraceId::from_bytes(id.to_bytes())) else { return false };
        trace.is_kept || trace.is_remarkable || trace.open.iter().any(|open| open.slow_from.is_some_and(|slow| slow <= Instant::now()))
    }

    /// Whether a request, job or event is kept for what happened in it.
    fn is_remarkable(&self, span: &SpanData) -> bool {
        let is_slow = || span.end_time.duration_since(span.start_time).is_ok_and(|time| time >= self.0.slow);
        matches!(span.status, Status::Error { .. }) || (span.span_kind == SpanKind::Server && is_slow())
    }
}

impl SpanProcessor for KeptTraces {
    /// The sampler records a span without a local parent only if it is the one of a request, job or event.
    fn on_start(&self, span: &mut Span, parent: &Context) {
        let parent = parent.span().span_context().clone();
        if parent.is_valid() && !parent.is_remote() {
            return;
        }
        let context = span.span_context();
        let id = context.trace_id();
        let is_request = span.exported_data().is_some_and(|span| span.span_kind == SpanKind::Server);
        let slow_from = if is_request { Instant::now().checked_add(self.0.slow) } else { None };
        let mut traces = self.0.traces.lock();
        if traces.len() >= MAX_TRACES && !traces.contains_key(&id) {
            return;
        }
        let trace = traces.entry(id).or_default();
        trace.open.push(Open { span: context.span_id(), slow_from });
        trace.is_kept |= parent.is_sampled() || trace_context::TraceId::of_bytes(id.to_bytes()).is_among(self.0.share);
    }

    fn on_end(&self, span: SpanData) {
        let (id, span_id) = (span.span_context.trace_id(), span.span_context.span_id());
        let is_work = span.parent_span_id == SpanId::INVALID || span.parent_span_is_remote;
        let mut traces = self.0.traces.lock();
        let Some(trace) = traces.get_mut(&id) else { return };
        if is_work {
            if let Some(index) = trace.open.iter().position(|open| open.span == span_id) {
                trace.open.swap_remove(index);
            }
            trace.is_remarkable |= self.is_remarkable(&span);
        }
        if trace.spans.len() == MAX_SPANS {
            trace.spans.pop_front();
        }
        trace.spans.push_back(span);
        let is_remarkable = trace.is_remarkable;
        let ended = if is_work && (trace.is_kept || is_remarkable) { std::mem::take(&mut trace.spans) } else { VecDeque::new() };
        if trace.open.is_empty() {
            traces.remove(&id);
        }
        drop(traces);
        if ended.is_empty() {
            return;
        }
        if is_remarkable {
            self.0.queue.put(ended.into());
        } else {
            self.0.queue.put_in_first_half(ended.into());
        }
    }

    fn force_flush(&self) -> OTelSdkResult {
        Ok(())
    }

    fn shutdown_with_timeout(&self, _: Duration) -> OTelSdkResult {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use opentelemetry::trace::{SpanContext, TraceFlags, TraceState, Tracer, TracerProvider};
    use opentelemetry_sdk::trace::{Sampler, SdkTracer, SdkTracerProvider};

    use super::*;
    use crate::metrics::exporter::Exporter;
    use crate::metrics::labels::TelemetrySignal;
    use crate::telemetry::export::{Export, Signal};

    /// A signal that keeps the names of the spans of each exported item.
    #[derive(Clone, Default)]
    struct Names(Arc<Mutex<Vec<Vec<String>>>>);

    impl Signal for Names {
        type Item = Vec<SpanData>;
        const NAME: TelemetrySignal = TelemetrySignal::Traces;
        const QUEUE: usize = 16;
        const BATCH: usize = 16;

        async fn export(&self, traces: Vec<Vec<SpanData>>) -> OTelSdkResult {
            let names = traces.into_iter().map(|spans| spans.into_iter().map(|span| span.name.into_owned()).collect());
            self.0.lock().unwrap().extend(names);
            Ok(())
        }
    }

    struct Fixture {
        tracer: SdkTracer,
        kept: KeptTraces,
        names: Names,
        export: Export<Names>,
        /// A provider without owner exports nothing.
        _provider: SdkTracerProvider,
    }

    impl Fixture {
        /// Traces of which none is in the sample.
        fn new(slow: Duration) -> Self {
            let names = Names::default();
            let (export, queue) = Export::new(names.clone());
            let kept = KeptTraces::new(0.0, slow, queue);
            let provider = SdkTracerProvider::builder().with_sampler(Sampler::AlwaysOn).with_span_processor(kept.clone()).build();
            Self { tracer: provider.tracer("test"), kept, names, export, _provider: provider }
        }

        /// Begins a request in this trace.
        fn request(&self, trace: u128, name: &'static str) -> Context {
            self.request_with(trace, name, TraceFlags::default())
        }

        fn request_with(&self, trace: u128, name: &'static str, flags: TraceFlags) -> Context {
            let caller = SpanContext::new(TraceId::from(trace), SpanId::from(1), flags, true, TraceState::default());
            let caller = Context::new().with_remote_span_context(caller);
            let span = self.tracer.span_builder(name).with_kind(SpanKind::Server).start_with_context(&self.tracer, &caller);
            Context::new().with_span(span)
        }

        /// Adds parts to a request.
        fn parts(&self, request: &Context, count: usize) {
            for _ in 0..count {
                drop(self.tracer.start_with_context("part", request));
            }
        }

        /// The number of spans, and the last one, of each trace exported so far.
        async fn exported(&self) -> Vec<(usize, String)> {
            let metrics = Exporter::default().metrics();
            tokio::select! {
                () = self.export.run(&metrics) => {}
                () = self.export.flush() => {}
            }
            self.names.0.lock().unwrap().iter().map(|names| (names.len(), names.last().unwrap().clone())).collect()
        }
    }

    fn fail(request: &Context) {
        request.span().set_status(Status::error(""));
        request.span().end();
    }

    #[test]
    fn a_trace_is_certain_to_be_kept_after_a_failure_and_while_a_request_is_slow() {
        let (fast, slow) = (Fixture::new(Duration::from_hours(1)), Fixture::new(Duration::ZERO));
        let id = trace_context::TraceId::of_bytes(7_u128.to_be_bytes());
        let open = [fast.request(7, "open"), slow.request(7, "open")];
        assert_eq!([fast.kept.keeps(id), slow.kept.keeps(id)], [false, true]);
        fail(&fast.request(7, "failing"));
        assert!(fast.kept.keeps(id));
        for request in &open {
            request.span().end();
        }
        assert_eq!([fast.kept.keeps(id), slow.kept.keeps(id)], [false, false]);
    }

    #[tokio::test]
    async fn a_request_that_hangs_holds_back_no_failure_with_its_identifier() {
        let fixture = Fixture::new(Duration::from_hours(1));
        let hanging = fixture.request(7, "hanging");
        // More spans than a trace may have.
        for _ in 0..200 {
            let other = fixture.request(7, "other");
            fixture.parts(&other, 4);
            other.span().end();
        }
        let failing = fixture.request(7, "failing");
        fixture.parts(&failing, 3);
        fail(&failing);
        assert_eq!(fixture.exported().await, [(MAX_SPANS, "failing".to_owned())]);
        hanging.span().end();
        assert_eq!(fixture.exported().await.last(), Some(&(1, "hanging".to_owned())));
    }

    #[tokio::test]
    async fn ten_thousand_requests_with_one_identifier_are_recorded_within_the_limits_of_one_trace() {
        let fixture = Fixture::new(Duration::from_hours(1));
        let flood: Vec<Context> = (0..10_000).map(|_| fixture.request(7, "flood")).collect();
        let other = fixture.request(8, "other");
        fixture.parts(&other, 1);
        for request in &flood {
            request.span().end();
        }
        fail(&other);
        assert_eq!(fixture.exported().await, [(2, "other".to_owned())]);
        fail(&fixture.request(7, "later"));
        assert_eq!(fixture.exported().await.last(), Some(&(1, "later".to_owned())));
    }

    #[tokio::test]
    async fn a_request_beyond_the_limit_of_traces_ends_no_recorded_one() {
        let fixture = Fixture::new(Duration::from_hours(1));
        let open: Vec<Context> = (0..MAX_TRACES as u128).map(|index| fixture.request(100 + index, "open")).collect();
        let unrecorded = fixture.request(7, "unrecorded");
        open[0].span().end();
        let recorded = fixture.request(7, "recorded");
        unrecorded.span().end();
        fixture.parts(&recorded, 1);
        fail(&recorded);
        // The span of the unrecorded request ended while its trace was recorded.
        assert_eq!(fixture.exported().await, [(3, "recorded".to_owned())]);
    }

    #[tokio::test]
    async fn a_flood_of_kept_traces_leaves_room_for_failures() {
        let fixture = Fixture::new(Duration::from_hours(1));
        for index in 0..100 {
            fixture.request_with(100 + index, "flood", TraceFlags::SAMPLED).span().end();
        }
        fail(&fixture.request(7, "failing"));
        let exported = fixture.exported().await;
        assert_eq!((exported.len(), exported.last()), (Names::QUEUE / 2 + 1, Some(&(1, "failing".to_owned()))));
    }
}
