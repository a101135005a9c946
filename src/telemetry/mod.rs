//! Initialization of logs and traces, and the panic hook. Metrics belong to [`metrics`](crate::metrics).
//!
//! `trace_context` identifies work in both. `lines` formats log lines, `log_spans` says what they belong to, and `levels` filters them.
//! `spans` names the parts of a trace, and `traces` decides which traces are kept. `logs` and `traces` go to the OTLP endpoint through `export`.

mod export;
pub mod levels;
mod lines;
pub mod log_spans;
mod logs;
pub mod spans;
pub mod trace_context;
pub mod traces;

use std::sync::OnceLock;

use opentelemetry_otlp::ExporterBuildError;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Layer, Registry};

use self::export::Endpoint;
use self::lines::{JsonLines, JsonSpan, TextLines, text_fields};
use self::logs::{ExportedLines, Logs};
use self::traces::Traces;
use crate::config::{Config, LogFormat, LogsExporter};
use crate::metrics::Metrics;
use crate::metrics::labels::{Severity, SystemError};

/// The process-wide hook counts panics in these metrics. They belong to the first application that the process built.
static PANICS: OnceLock<Metrics> = OnceLock::new();

/// Initializes logging to standard output, one line per event, and the export of lines and traces if it is configured.
pub fn init(config: &Config) {
    let output = tracing_subscriber::fmt::layer::<Registry>();
    let output = match config.log_format {
        LogFormat::Json => output.fmt_fields(JsonSpan).event_format(JsonLines).boxed(),
        LogFormat::Text => output.fmt_fields(text_fields()).event_format(TextLines::default()).boxed(),
    };
    let (filter, levels) = levels::filter(&config.log);
    let (exports, failure) = Exports::of(config).map_or_else(|error| (Exports::default(), Some(error)), |exports| (exports, None));
    let Exports { traces, logs } = exports;
    let (logs, lines) = logs.unzip();
    let outputs: Vec<_> = [output].into_iter().chain(lines.map(Layer::boxed)).collect();
    // One filter for all outputs: what is not printed is not exported.
    let initialized = tracing_subscriber::registry().with(filter.and_then(outputs)).try_init();
    if initialized.is_err() {
        tracing::debug!("logging is already initialized");
        return;
    }
    levels.install();
    if let Some(traces) = traces {
        traces.install();
    }
    if let Some(logs) = logs {
        logs.install();
    }
    if let Some(error) = failure {
        tracing::error!(error = &error as &dyn std::error::Error, "failed to start the export of telemetry");
    }
}

/// What is exported.
#[derive(Default)]
struct Exports {
    traces: Option<Traces>,
    logs: Option<(Logs, ExportedLines)>,
}

impl Exports {
    fn of(config: &Config) -> Result<Self, ExporterBuildError> {
        let Some(endpoint) = Endpoint::of(config) else { return Ok(Self::default()) };
        let logs = match config.otel_logs_exporter {
            LogsExporter::None => None,
            LogsExporter::Otlp => Some(Logs::to(&endpoint)?),
        };
        Ok(Self { traces: Some(Traces::to(&endpoint, config)?), logs })
    }
}

/// Exports telemetry; never returns. Waits forever if nothing is exported, or if another application of the process exports it.
pub async fn export(metrics: Metrics) {
    tokio::join!(traces::export(&metrics), logs::export(&metrics));
    std::future::pending::<()>().await;
}

/// Exports the telemetry so far, within a limit.
pub async fn flush() {
    tokio::join!(traces::flush(), logs::flush());
}

/// Installs the hook that counts and logs every panic. The message may contain client data, so it goes to the log only.
pub fn watch_panics(metrics: &Metrics) {
    if PANICS.set(metrics.clone()).is_err() {
        return;
    }
    std::panic::set_hook(Box::new(|panic| {
        if let Some(metrics) = PANICS.get() {
            metrics.uncaught_exceptions.increment(());
            metrics.system_errors.increment((SystemError::Panic, Severity::Critical));
        }
        let location = panic.location().map(ToString::to_string);
        let payload = panic.payload_as_str().unwrap_or("no message");
        tracing::error!(location, payload, backtrace = %std::backtrace::Backtrace::capture(), "panic");
    }));
}
