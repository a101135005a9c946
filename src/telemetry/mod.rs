//! Initialization of logging, and the panic hook. Metrics belong to [`metrics`](crate::metrics).
//!
//! Log lines are formatted in `lines`, filtered by `levels`, and identified by `trace_context`.

pub mod levels;
mod lines;
pub mod trace_context;

use std::sync::OnceLock;

use tracing_subscriber::fmt::format::JsonFields;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Layer, Registry};

use self::lines::{JsonLines, TextLines};
use crate::config::{Config, LogFormat};
use crate::metrics::Metrics;
use crate::metrics::labels::{Severity, SystemError};

/// The process-wide hook counts panics in these metrics. They belong to the first application that the process built.
static PANICS: OnceLock<Metrics> = OnceLock::new();

/// Initializes logging to standard output, one line per event.
pub fn init(config: &Config) {
    let output = tracing_subscriber::fmt::layer::<Registry>();
    let output = match config.log_format {
        LogFormat::Json => output.fmt_fields(JsonFields::new()).event_format(JsonLines).boxed(),
        LogFormat::Text => output.event_format(TextLines::default()).boxed(),
    };
    let (filter, levels) = levels::filter(&config.log);
    if tracing_subscriber::registry().with(output.with_filter(filter)).try_init().is_ok() {
        levels.install();
    } else {
        tracing::debug!("logging is already initialized");
    }
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
