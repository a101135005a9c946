//! The shape of a log line. In JSON: the fields of OpenTelemetry's log data model, under the names that its specification gives them in
//! formats other than OTLP (`docs/adr/0024-identifiers-and-log-lines.md`). As text: for a terminal, behind the trace that the line belongs to.

use std::borrow::Cow;
use std::fmt;

use serde::Serialize;
use serde_json::{Map, Value};
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::field::RecordFields;
use tracing_subscriber::fmt::format::{Compact, Format, Writer, debug_fn};
use tracing_subscriber::fmt::time::{FormatTime, SystemTime};
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields, FormattedFields};
use tracing_subscriber::registry::LookupSpan;

use super::trace_context::{SpanId, TraceContext, TraceId};

/// A log line, without its time.
#[derive(Serialize)]
pub struct Line {
    #[serde(skip)]
    pub level: Level,
    pub severity_text: &'static str,
    severity_number: u8,
    pub body: String,
    /// The module that wrote the line: the name of OpenTelemetry's instrumentation scope.
    pub scope: Cow<'static, str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trace_id: Option<TraceId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub span_id: Option<SpanId>,
    #[serde(skip_serializing_if = "Map::is_empty")]
    pub attributes: Map<String, Value>,
    /// The work during which the line was written, for readers without its trace.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub span: Option<Map<String, Value>>,
}

impl Line {
    /// The line of an event, during a span with this name and these fields, if any.
    pub fn of(event: &Event<'_>, span: Option<(&'static str, Map<String, Value>)>) -> Self {
        let mut fields = Fields::default();
        event.record(&mut fields);
        let level = *event.metadata().level();
        let (severity_text, severity_number) = severity(level);
        let current = TraceContext::current();
        Self {
            level,
            severity_text,
            severity_number,
            body: fields.body,
            scope: fields.log_target.map_or(Cow::Borrowed(event.metadata().target()), Cow::Owned),
            trace_id: current.map(|current| current.trace),
            span_id: current.map(|current| current.span),
            attributes: fields.attributes,
            span: span.map(|(name, mut fields)| {
                fields.insert("name".to_owned(), name.into());
                fields
            }),
        }
    }
}

/// The fields of a span.
pub fn attributes_of(fields: &impl RecordFields) -> Map<String, Value> {
    let mut found = Fields::default();
    fields.record(&mut found);
    found.attributes
}

/// Formats each event as one JSON object.
pub struct JsonLines;

#[derive(Serialize)]
struct Timed {
    timestamp: String,
    #[serde(flatten)]
    line: Line,
}

impl<S> FormatEvent<S, JsonSpan> for JsonLines
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    fn format_event(&self, context: &FmtContext<'_, S, JsonSpan>, mut writer: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let mut timestamp = String::new();
        SystemTime.format_time(&mut Writer::new(&mut timestamp))?;
        let span = context.lookup_current().map(|span| {
            let extensions = span.extensions();
            let fields = extensions.get::<FormattedFields<JsonSpan>>().and_then(|fields| serde_json::from_str(fields).ok());
            (span.name(), fields.unwrap_or_default())
        });
        let line = Timed { timestamp, line: Line::of(event, span) };
        writeln!(writer, "{}", serde_json::to_string(&line).map_err(|_| fmt::Error)?)
    }
}

/// Formats the fields of a span as a JSON object.
pub struct JsonSpan;

impl<'writer> FormatFields<'writer> for JsonSpan {
    fn format_fields<R: RecordFields>(&self, mut writer: Writer<'writer>, fields: R) -> fmt::Result {
        writer.write_str(&serde_json::to_string(&attributes_of(&fields)).map_err(|_| fmt::Error)?)
    }
}

/// Formats the fields of an event or a span as text.
pub fn text_fields() -> impl for<'writer> FormatFields<'writer> {
    debug_fn(|writer, field, value| match field.name() {
        "message" => write!(writer, "{value:?} "),
        name if is_hidden(name) => Ok(()),
        name => write!(writer, "{name}={value:?} "),
    })
}

/// Whether the field describes an event of the crate `log`.
fn is_hidden(name: &str) -> bool {
    name.starts_with("log.")
}

/// Formats each event as text.
pub struct TextLines(Format<Compact>);

impl Default for TextLines {
    fn default() -> Self {
        Self(Format::default().compact().with_target(false))
    }
}

impl<S, N> FormatEvent<S, N> for TextLines
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(&self, context: &FmtContext<'_, S, N>, mut writer: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        if let Some(current) = TraceContext::current() {
            write!(writer, "{} ", current.trace)?;
        }
        self.0.format_event(context, writer, event)
    }
}

/// The text and the number of a level in OpenTelemetry's log data model.
fn severity(level: Level) -> (&'static str, u8) {
    match level {
        Level::ERROR => ("ERROR", 17),
        Level::WARN => ("WARN", 13),
        Level::INFO => ("INFO", 9),
        Level::DEBUG => ("DEBUG", 5),
        Level::TRACE => ("TRACE", 1),
    }
}

/// The message and the other fields of an event.
#[derive(Default)]
struct Fields {
    body: String,
    attributes: Map<String, Value>,
    /// The module of an event that a library wrote with the crate `log`. All of these events have the same target.
    log_target: Option<String>,
}

impl Fields {
    fn add(&mut self, field: &Field, value: Value) {
        match (field.name(), value) {
            ("message", Value::String(text)) => self.body = text,
            ("log.target", Value::String(text)) => self.log_target = Some(text),
            (name, _) if is_hidden(name) => {}
            (name, value) => drop(self.attributes.insert(name.to_owned(), value)),
        }
    }
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if !is_hidden(field.name()) {
            self.add(field, format!("{value:?}").into());
        }
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.add(field, value.into());
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.add(field, value.into());
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.add(field, value.into());
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.add(field, value.into());
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.add(field, value.into());
    }
}
