//! The signals that start a graceful shutdown. [`App::run`](crate::app::App::run) performs its phases: report unready, wait until
//! the edge notices, stop accepting, finish in-flight requests, end the tasks, close the pools.

use tokio::signal::unix::{SignalKind, signal as listen};

/// Completes on SIGTERM or SIGINT. The handlers are installed by the call, not by the first poll: a signal in between would
/// end the process abruptly.
pub fn signal() -> impl Future<Output = ()> {
    let signals = (listen(SignalKind::terminate()), listen(SignalKind::interrupt()));
    async {
        let (Ok(mut terminate), Ok(mut interrupt)) = signals else {
            // Without signal handlers, the default action ends the process abruptly.
            return std::future::pending().await;
        };
        tokio::select! {
            _ = terminate.recv() => tracing::info!("received SIGTERM; shutting down"),
            _ = interrupt.recv() => tracing::info!("received SIGINT; shutting down"),
        }
    }
}
