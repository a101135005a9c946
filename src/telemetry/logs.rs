//! Log lines for the OTLP endpoint, beside those on standard output (`OTEL_LOGS_EXPORTER`). Both have the same fields, from the same
//! event (`lines`), and pass the same filter of levels.
//!
//! Lines about the export itself go to standard output only: exported, each of them would cause another export.

use std::sync::OnceLock;
use std::time::SystemTime;

use opentelemetry::logs::{AnyValue, LogRecord as _, Logger as _, LoggerProvider as _, Severity};
use opentelemetry::{InstrumentationScope, Key, SpanId, TraceId};
use opentelemetry_otlp::{ExporterBuildError, LogExporter};
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::logs::{LogBatch, LogExporter as _, SdkLogRecord, SdkLogger, SdkLoggerProvider};
use serde_json::{Map, Value};
use tracing::span::{Attributes, Id};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::LookupSpan;

use super::export::{Endpoint, Export, Queue, Signal, is_exporting};
use super::lines::{Line, attributes_of};
use crate::metrics::Metrics;
use crate::metrics::labels::TelemetrySignal;

static INSTALLED: OnceLock<Logs> = OnceLock::new();

/// The exported log of the running process.
pub struct Logs {
    export: Export<Lines>,
}

/// The exporter of lines.
struct Lines(LogExporter);

impl Signal for Lines {
    type Item = SdkLogRecord;
    const NAME: TelemetrySignal = TelemetrySignal::Logs;
    const QUEUE: usize = 4096;
    const BATCH: usize = 512;

    async fn export(&self, lines: Vec<SdkLogRecord>) -> OTelSdkResult {
        // The target of a record takes the place of the scope's name.
        let scope = InstrumentationScope::default();
        let lines: Vec<_> = lines.iter().map(|line| (line, &scope)).collect();
        self.0.export(LogBatch::new(&lines)).await
    }
}

impl Logs {
    /// The export to an endpoint, and the layer that hands it the lines.
    ///
    /// # Errors
    /// When the exporter cannot be built.
    pub fn to(endpoint: &Endpoint) -> Result<(Self, ExportedLines), ExporterBuildError> {
        let mut exporter = endpoint.configure(LogExporter::builder().with_http(), "/v1/logs").build()?;
        exporter.set_resource(&endpoint.resource);
        let (export, queue) = Export::new(Lines(exporter));
        let records = SdkLoggerProvider::builder().build().logger("");
        Ok((Self { export }, ExportedLines { records, queue }))
    }

    pub fn install(self) {
        // A process initializes its log once.
        let _first = INSTALLED.set(self);
    }
}

/// Exports lines; returns only if they are not exported.
pub async fn export(metrics: &Metrics) {
    if let Some(Logs { export }) = INSTALLED.get() {
        export.run(metrics).await;
    }
}

/// Exports the lines so far, within a limit.
pub async fn flush() {
    if let Some(Logs { export }) = INSTALLED.get() {
        export.flush().await;
    }
}

/// Queues each line for its export.
pub struct ExportedLines {
    /// The library creates records only through a logger.
    records: SdkLogger,
    queue: Queue<SdkLogRecord>,
}

/// The fields of a span, for the lines that are written in it.
struct SpanFields(Map<String, Value>);

impl<S> Layer<S> for ExportedLines
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        if let Some(span) = context.span(id) {
            span.extensions_mut().insert(SpanFields(attributes_of(attributes)));
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        if is_exporting() {
            return;
        }
        let span = context.lookup_current().map(|span| {
            let fields = span.extensions().get::<SpanFields>().map(|fields| fields.0.clone());
            (span.name(), fields.unwrap_or_default())
        });
        self.queue.put(self.record_of(Line::of(event, span)));
    }
}

impl ExportedLines {
    fn record_of(&self, line: Line) -> SdkLogRecord {
        let now = SystemTime::now();
        let mut record = self.records.create_log_record();
        record.set_timestamp(now);
        record.set_observed_timestamp(now);
        record.set_severity_text(line.severity_text);
        record.set_severity_number(severity(line.level));
        record.set_target(line.scope);
        if let (Some(trace), Some(span)) = (line.trace_id, line.span_id) {
            record.set_trace_context(TraceId::from_bytes(trace.to_bytes()), SpanId::from_bytes(span.to_bytes()), None);
        }
        record.add_attributes(line.attributes.into_iter().map(|(name, value)| (name, any(value))));
        if let Some(span) = line.span {
            record.add_attribute("span", any(Value::Object(span)));
        }
        record.set_body(line.body.into());
        record
    }
}

fn severity(level: Level) -> Severity {
    match level {
        Level::ERROR => Severity::Error,
        Level::WARN => Severity::Warn,
        Level::INFO => Severity::Info,
        Level::DEBUG => Severity::Debug,
        Level::TRACE => Severity::Trace,
    }
}

fn any(value: Value) -> AnyValue {
    match value {
        // The JSON of a number that is not finite.
        Value::Null => AnyValue::Double(f64::NAN),
        Value::Bool(value) => value.into(),
        Value::Number(number) => match (number.as_i64(), number.as_f64()) {
            (Some(integer), _) => integer.into(),
            (None, Some(float)) if number.is_f64() => float.into(),
            // OTLP has no unsigned integers.
            (None, _) => number.to_string().into(),
        },
        Value::String(text) => text.into(),
        Value::Array(values) => values.into_iter().map(any).collect(),
        Value::Object(fields) => fields.into_iter().map(|(name, value)| (Key::from(name), any(value))).collect(),
    }
}
