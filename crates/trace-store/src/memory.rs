//! What the store keeps: the spans and the log lines of each trace, up to [`MAX_TRACES`] traces with [`MAX_ITEMS`] spans and lines
//! together. When either is exceeded, the traces that began to arrive first are forgotten.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::InstrumentationScope;
use opentelemetry_proto::tonic::logs::v1::LogRecord;
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::Span;
use serde::Serialize;

use crate::id::TraceId;
use crate::refusal::Refusal;

/// Maximum number of traces.
pub const MAX_TRACES: usize = 10_000;
/// Maximum number of spans and lines of all traces. A span of the service takes less than a kilobyte.
pub const MAX_ITEMS: usize = 100_000;
/// Maximum number of spans and lines of one trace. Further ones are dropped.
const MAX_ITEMS_OF_TRACE: usize = 5_000;

/// The sender of a span or line: the process, and the part of its code.
#[derive(Clone, Debug, Default)]
pub struct Origin {
    pub resource: Resource,
    pub scope: InstrumentationScope,
}

/// A span and its sender.
#[derive(Clone, Debug)]
pub struct StoredSpan {
    pub origin: Arc<Origin>,
    pub span: Span,
}

/// A log line and its sender.
#[derive(Clone, Debug)]
pub struct StoredLine {
    pub origin: Arc<Origin>,
    pub line: LogRecord,
}

/// What has arrived of a trace. Lines may arrive without spans: processes log requests whose traces they do not keep.
#[derive(Debug, Default)]
pub struct Trace {
    pub spans: Vec<StoredSpan>,
    pub lines: Vec<StoredLine>,
}

impl Trace {
    fn items(&self) -> usize {
        self.spans.len() + self.lines.len()
    }
}

/// What was received since the start.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct Counts {
    /// Spans.
    pub spans: u64,
    /// Log lines, with or without a trace.
    pub lines: u64,
    /// Spans and lines that were dropped on arrival, because their trace is too large.
    pub dropped: u64,
    /// Traces that were forgotten to make room.
    pub forgotten: u64,
}

/// The bounded memory of the store.
#[derive(Default)]
pub struct Memory(Mutex<Inner>);

#[derive(Default)]
struct Inner {
    traces: HashMap<TraceId, Trace>,
    /// The traces in the order of their arrival.
    order: VecDeque<TraceId>,
    items: usize,
    counts: Counts,
}

impl Memory {
    /// Keeps the spans of a request; keeps none if one of them is malformed.
    pub fn add_spans(&self, request: ExportTraceServiceRequest) -> Result<(), Refusal> {
        let mut spans = Vec::new();
        for of_resource in request.resource_spans {
            for of_scope in of_resource.scope_spans {
                let origin = origin(of_resource.resource.as_ref(), of_scope.scope);
                for span in of_scope.spans {
                    let id = TraceId::of_bytes(&span.trace_id).filter(|_| span.span_id.len() == 8);
                    let id = id.ok_or_else(|| Refusal::malformed("a span must have a trace_id of 16 bytes and a span_id of 8 bytes"))?;
                    spans.push((id, StoredSpan { origin: origin.clone(), span }));
                }
            }
        }
        let mut inner = self.lock();
        for (id, span) in spans {
            inner.counts.spans += 1;
            inner.add(id, |trace| trace.spans.push(span));
        }
        Ok(())
    }

    /// Keeps the lines of a request that belong to traces; keeps none if one of them is malformed.
    pub fn add_lines(&self, request: ExportLogsServiceRequest) -> Result<(), Refusal> {
        let mut lines = Vec::new();
        for of_resource in request.resource_logs {
            for of_scope in of_resource.scope_logs {
                let origin = origin(of_resource.resource.as_ref(), of_scope.scope);
                for line in of_scope.log_records {
                    let id = TraceId::of_bytes(&line.trace_id);
                    if id.is_none() && !line.trace_id.is_empty() {
                        return Err(Refusal::malformed("a log record must have a trace_id of 16 bytes, or none"));
                    }
                    lines.push((id, StoredLine { origin: origin.clone(), line }));
                }
            }
        }
        let mut inner = self.lock();
        for (id, line) in lines {
            inner.counts.lines += 1;
            if let Some(id) = id {
                inner.add(id, |trace| trace.lines.push(line));
            }
        }
        Ok(())
    }

    /// Reads a trace; `None` if nothing of it is kept.
    pub fn read<T>(&self, id: TraceId, read: impl FnOnce(&Trace) -> T) -> Option<T> {
        self.lock().traces.get(&id).map(read)
    }

    /// Reads every trace, the one that began to arrive last first.
    pub fn newest<T>(&self, mut read: impl FnMut(TraceId, &Trace) -> Option<T>) -> Vec<T> {
        let inner = self.lock();
        inner.order.iter().rev().filter_map(|id| read(*id, inner.traces.get(id)?)).collect()
    }

    pub fn counts(&self) -> Counts {
        self.lock().counts
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn add(&mut self, id: TraceId, add: impl FnOnce(&mut Trace)) {
        let order = &mut self.order;
        let trace = self.traces.entry(id).or_insert_with(|| {
            order.push_back(id);
            Trace::default()
        });
        if trace.items() >= MAX_ITEMS_OF_TRACE {
            self.counts.dropped += 1;
            return;
        }
        add(trace);
        self.items += 1;
        while self.traces.len() > MAX_TRACES || self.items > MAX_ITEMS {
            let Some(oldest) = self.order.pop_front().and_then(|id| self.traces.remove(&id)) else { return };
            self.items -= oldest.items();
            self.counts.forgotten += 1;
        }
    }
}

fn origin(resource: Option<&Resource>, scope: Option<InstrumentationScope>) -> Arc<Origin> {
    Arc::new(Origin { resource: resource.cloned().unwrap_or_default(), scope: scope.unwrap_or_default() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(number: u128) -> TraceId {
        TraceId::of_bytes(&number.to_be_bytes()).expect("not zero")
    }

    fn span() -> StoredSpan {
        StoredSpan { origin: Arc::default(), span: Span::default() }
    }

    #[test]
    fn the_oldest_traces_are_forgotten_first() {
        let mut inner = Inner::default();
        for number in 1..=MAX_TRACES as u128 + 3 {
            inner.add(id(number), |trace| trace.spans.push(span()));
        }
        assert_eq!((inner.traces.len(), inner.items, inner.counts.forgotten), (MAX_TRACES, MAX_TRACES, 3));
        assert!(!inner.traces.contains_key(&id(3)) && inner.traces.contains_key(&id(4)));
    }

    #[test]
    fn a_large_trace_neither_grows_without_limit_nor_displaces_all_others() {
        let mut inner = Inner::default();
        inner.add(id(1), |trace| trace.spans.push(span()));
        for _ in 0..MAX_ITEMS_OF_TRACE + 5 {
            inner.add(id(2), |trace| trace.spans.push(span()));
        }
        assert_eq!((inner.traces[&id(2)].items(), inner.counts.dropped, inner.items), (MAX_ITEMS_OF_TRACE, 5, MAX_ITEMS_OF_TRACE + 1));
        for number in 3..=MAX_ITEMS as u128 / MAX_ITEMS_OF_TRACE as u128 + 3 {
            for _ in 0..MAX_ITEMS_OF_TRACE {
                inner.add(id(number), |trace| trace.spans.push(span()));
            }
        }
        assert!(inner.items <= MAX_ITEMS && !inner.traces.contains_key(&id(1)), "{}", inner.items);
    }
}
