//! The recording of one request, job or event: its span and those of its parts, until the work ends. Most work is not kept, so recording
//! costs little, and spans take the form of OpenTelemetry only when they are exported.
//!
//! Clients choose the identifiers of their traces, so one identifier may belong to many requests. Each is recorded by itself.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use opentelemetry::trace::{Link, SpanContext, SpanKind, Status, TraceFlags, TraceState};
use opentelemetry::{InstrumentationScope, KeyValue};
use opentelemetry_sdk::trace::{SpanData, SpanEvents, SpanLinks};
use parking_lot::Mutex;

use super::Subject;
use crate::telemetry::export::Queue;
use crate::telemetry::trace_context::{SpanId, TraceContext, TraceId, Traceparent};

/// Maximum number of parts of a recording. The newest are kept.
const MAX_PARTS: usize = 511;
/// Outside of the sample, a part is recorded if it takes at least this share of the time that makes a request slow, or if it fails.
const NOTABLE: u32 = 100;

/// Decides what is kept, and queues it.
pub struct Recorder {
    share: f64,
    slow: Duration,
    queue: Queue<Vec<SpanData>>,
    scope: InstrumentationScope,
}

impl Recorder {
    /// Keeps this share of all traces, those that the sender of `traceparent` keeps, failures, and requests that take at least `slow`.
    pub fn new(share: f64, slow: Duration, queue: Queue<Vec<SpanData>>) -> Self {
        Self { share, slow, queue, scope: InstrumentationScope::builder(env!("CARGO_CRATE_NAME")).build() }
    }
}

/// A span that has not ended.
struct Open {
    id: SpanId,
    parent: Option<Parent>,
    subject: Subject,
    begun: SystemTime,
    later: Mutex<Later>,
}

#[derive(Clone, Copy)]
struct Parent {
    span: SpanId,
    /// Whether it belongs to another process, or to another recording of this one.
    is_remote: bool,
}

/// What a span gets after its beginning.
#[derive(Default)]
struct Later {
    attributes: Vec<KeyValue>,
    is_error: bool,
    /// Whether a span elsewhere has this one as its parent.
    is_parent: bool,
}

impl Open {
    fn new(id: SpanId, parent: Option<Parent>, subject: Subject) -> Self {
        Self { id, parent, subject, begun: SystemTime::now(), later: Mutex::default() }
    }

    fn elapsed(&self) -> Duration {
        self.begun.elapsed().unwrap_or_default()
    }

    fn fail(&self, attribute: KeyValue) {
        let mut later = self.later.lock();
        later.attributes.push(attribute);
        later.is_error = true;
    }

    /// The span in the form of OpenTelemetry. It ends now.
    fn close(&self, work: &Work) -> SpanData {
        let later = std::mem::take(&mut *self.later.lock());
        let mut attributes = self.subject.attributes();
        attributes.extend(later.attributes);
        let mut links = SpanLinks::default();
        let cause = self.subject.cause().map(|cause| context_of(cause.trace, cause.span, cause.is_sampled, true));
        links.links.extend(cause.map(Link::with_context));
        SpanData {
            span_context: context_of(work.context.trace, self.id, true, false),
            parent_span_id: self
                .parent
                .map_or(opentelemetry::SpanId::INVALID, |parent| opentelemetry::SpanId::from_bytes(parent.span.to_bytes())),
            parent_span_is_remote: self.parent.is_some_and(|parent| parent.is_remote),
            span_kind: self.subject.kind(),
            name: self.subject.name(),
            start_time: self.begun,
            end_time: SystemTime::now(),
            attributes,
            dropped_attributes_count: 0,
            events: SpanEvents::default(),
            links,
            status: if later.is_error { Status::error("") } else { Status::Unset },
            instrumentation_scope: work.recorder.scope.clone(),
        }
    }
}

fn context_of(trace: TraceId, span: SpanId, is_sampled: bool, is_remote: bool) -> SpanContext {
    let trace = opentelemetry::TraceId::from_bytes(trace.to_bytes());
    let span = opentelemetry::SpanId::from_bytes(span.to_bytes());
    SpanContext::new(trace, span, TraceFlags::default().with_sampled(is_sampled), is_remote, TraceState::default())
}

/// A request, job or event.
pub struct Work {
    recorder: Arc<Recorder>,
    context: TraceContext,
    /// Whether it is kept in any case.
    is_sampled: bool,
    open: Open,
    /// The parts that have ended; `None` once the work has ended.
    parts: Mutex<Option<VecDeque<SpanData>>>,
}

impl Work {
    /// Begins to record work.
    pub fn begin(recorder: &Arc<Recorder>, context: &TraceContext, subject: Subject) -> Arc<Self> {
        let parent = context.parent.map(|parent| Parent { span: parent.span, is_remote: true });
        let is_sampled = context.parent.is_some_and(|parent| parent.is_sampled) || context.trace.is_among(recorder.share);
        let open = Open::new(context.span, parent, subject);
        Arc::new(Self { recorder: recorder.clone(), context: *context, is_sampled, open, parts: Mutex::new(Some(VecDeque::new())) })
    }

    /// Adds an attribute.
    pub fn set(&self, attribute: KeyValue) {
        self.open.later.lock().attributes.push(attribute);
    }

    /// Adds an attribute that only traces in the sample have.
    pub fn note(&self, attribute: impl FnOnce() -> KeyValue) {
        if self.is_sampled {
            self.set(attribute());
        }
    }

    /// Records that the work failed, with the reason as an attribute.
    pub fn fail(&self, reason: KeyValue) {
        self.open.fail(reason);
    }

    /// Whether it is certain by now that the work is kept.
    pub fn is_kept(&self) -> bool {
        self.is_sampled || self.is_remarkable()
    }

    /// Whether the work is kept for what happened in it. A client can have any other work kept, by the choice of its identifier.
    fn is_remarkable(&self) -> bool {
        let is_request = self.open.subject.kind() == SpanKind::Server;
        self.open.later.lock().is_error || (is_request && self.open.elapsed() >= self.recorder.slow)
    }

    /// Ends the work, and queues its spans if it is kept.
    pub fn end(&self) {
        let Some(parts) = self.parts.lock().take() else { return };
        let is_remarkable = self.is_remarkable();
        if !self.is_sampled && !is_remarkable {
            return;
        }
        let spans = parts.into_iter().chain([self.open.close(self)]).collect();
        if is_remarkable {
            self.recorder.queue.put(spans);
        } else {
            self.recorder.queue.put_in_first_half(spans);
        }
    }
}

/// Where work runs: the work, and the span that is the parent of its next part.
#[derive(Clone)]
pub struct Place {
    pub work: Arc<Work>,
    pub span: SpanId,
}

impl Place {
    /// In the work itself.
    pub fn of_work(work: &Arc<Work>) -> Self {
        Self { work: work.clone(), span: work.open.id }
    }
}

/// A part of a request, job or event.
pub struct Part {
    work: Arc<Work>,
    open: Open,
}

impl Part {
    /// Begins to record a part.
    pub fn begin(place: &Place, subject: Subject) -> Self {
        let parent = Parent { span: place.span, is_remote: false };
        Self { work: place.work.clone(), open: Open::new(SpanId::random(), Some(parent), subject) }
    }

    /// In this part of the work.
    pub fn place(&self) -> Place {
        Place { work: self.work.clone(), span: self.open.id }
    }

    /// Adds an attribute.
    pub fn set(&self, attribute: KeyValue) {
        self.open.later.lock().attributes.push(attribute);
    }

    /// Records that the part failed, with the reason as an attribute.
    pub fn fail(&self, reason: KeyValue) {
        self.open.fail(reason);
    }

    /// The part as the parent of work elsewhere. The flag is set if it is certain by now that this work is kept.
    pub fn handed_on(&self) -> Traceparent {
        let is_sampled = self.work.is_kept();
        self.open.later.lock().is_parent |= is_sampled;
        Traceparent { trace: self.work.context.trace, span: self.open.id, is_sampled }
    }

    /// Ends the part.
    pub fn end(&self) {
        let is_wanted = {
            let later = self.open.later.lock();
            self.work.is_sampled || later.is_error || later.is_parent
        };
        if !is_wanted && self.open.elapsed() < self.work.recorder.slow / NOTABLE {
            return;
        }
        let span = self.open.close(&self.work);
        let mut parts = self.work.parts.lock();
        // A part that outlives the work is not in its trace.
        let Some(parts) = parts.as_mut() else { return };
        if parts.len() == MAX_PARTS {
            parts.pop_front();
        }
        parts.push_back(span);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex as StdMutex;

    use opentelemetry_sdk::error::OTelSdkResult;

    use super::*;
    use crate::metrics::exporter::Exporter;
    use crate::metrics::labels::{Query, RedisCommand, TelemetrySignal};
    use crate::telemetry::export::{Export, Signal};

    /// Keeps the names of exported spans.
    #[derive(Clone, Default)]
    struct Names(Arc<StdMutex<Vec<Vec<String>>>>);

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
        recorder: Arc<Recorder>,
        export: Export<Names>,
        names: Names,
    }

    impl Fixture {
        fn new(share: f64, slow: Duration) -> Self {
            let names = Names::default();
            let (export, queue) = Export::new(names.clone());
            Self { recorder: Arc::new(Recorder::new(share, slow, queue)), export, names }
        }

        /// Records a request with parts, of which this number fail. Those that do not fail are quick.
        fn request(&self, trace: u128, failed_parts: usize, finish: impl FnOnce(&Arc<Work>)) {
            let context = TraceContext::in_trace(TraceId::of_bytes(trace.to_be_bytes()));
            let work = Work::begin(&self.recorder, &context, Subject::Request { method: "GET", route: None });
            let place = Place::of_work(&work);
            Part::begin(&place, Subject::Command(RedisCommand::Get)).end();
            for _ in 0..failed_parts {
                let part = Part::begin(&place, Subject::Statement(Query::Ping));
                part.fail(KeyValue::new("error.type", "error"));
                part.end();
            }
            finish(&work);
            work.end();
        }

        async fn exported(&self) -> Vec<Vec<String>> {
            let metrics = Exporter::default().metrics();
            tokio::select! {
                () = self.export.run(&metrics) => {}
                () = self.export.flush() => {}
            }
            self.names.0.lock().unwrap().clone()
        }
    }

    fn fail(work: &Arc<Work>) {
        work.fail(KeyValue::new("error.type", "500"));
    }

    const LONG: Duration = Duration::from_hours(100);

    #[tokio::test]
    async fn work_in_the_sample_is_exported_whole_and_other_work_not_at_all() {
        for (share, expected) in [(1.0, vec![vec!["get".to_owned(), "GET".to_owned()]]), (0.0, vec![])] {
            let fixture = Fixture::new(share, LONG);
            fixture.request(7, 0, |_| {});
            assert_eq!(fixture.exported().await, expected, "{share}");
        }
    }

    #[tokio::test]
    async fn a_failure_outside_of_the_sample_is_exported_without_its_quick_parts() {
        let fixture = Fixture::new(0.0, LONG);
        fixture.request(7, 1, fail);
        assert_eq!(fixture.exported().await, [["select health", "GET"]]);
    }

    #[tokio::test]
    async fn a_slow_request_is_exported_and_is_known_to_be_kept_while_it_runs() {
        let fixture = Fixture::new(0.0, Duration::ZERO);
        fixture.request(7, 0, |work| assert!(work.is_kept()));
        assert_eq!(fixture.exported().await, [["get", "GET"]]);
        Fixture::new(0.0, LONG).request(7, 0, |work| assert!(!work.is_kept()));
    }

    #[tokio::test]
    async fn requests_with_one_identifier_are_independent_and_a_large_one_has_a_limit() {
        let fixture = Fixture::new(0.0, LONG);
        fixture.request(7, 0, |_| fixture.request(7, MAX_PARTS + 5, fail));
        let exported = fixture.exported().await;
        assert_eq!((exported.len(), exported[0].len(), exported[0].last().map(String::as_str)), (1, MAX_PARTS + 1, Some("GET")));
    }

    #[tokio::test]
    async fn a_part_that_outlives_its_request_is_left_out() {
        let fixture = Fixture::new(1.0, LONG);
        let mut late = None;
        fixture.request(7, 0, |work| late = Some(Part::begin(&Place::of_work(work), Subject::Command(RedisCommand::Get))));
        late.unwrap().end();
        assert_eq!(fixture.exported().await, [["get", "GET"]]);
    }

    #[tokio::test]
    async fn a_flood_of_sampled_requests_leaves_room_for_failures() {
        let fixture = Fixture::new(1.0, LONG);
        for trace in 0..100 {
            fixture.request(100 + trace, 0, |_| {});
        }
        fixture.request(7, 0, fail);
        let exported = fixture.exported().await;
        assert_eq!(exported.len(), Names::QUEUE / 2 + 1);
    }
}
