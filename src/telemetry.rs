//! Initialization of logging, and the panic hook. Metrics belong to [`metrics`](crate::metrics).

use std::sync::OnceLock;

use tracing_subscriber::EnvFilter;

use crate::config::{Config, LogFormat};
use crate::metrics::Metrics;
use crate::metrics::labels::{Severity, SystemError};

/// The process-wide hook counts panics in these metrics. They belong to the first application that the process built.
static PANICS: OnceLock<Metrics> = OnceLock::new();

/// Initializes logging to standard output, one line per event.
pub fn init(config: &Config) {
    let filter = EnvFilter::try_new(&config.log).unwrap_or_else(|_| EnvFilter::new("info"));
    let lines = tracing_subscriber::fmt().with_env_filter(filter).with_target(false);
    let started = match config.log_format {
        LogFormat::Json => lines.json().flatten_event(true).with_span_list(false).try_init(),
        LogFormat::Text => lines.compact().try_init(),
    };
    if started.is_err() {
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
