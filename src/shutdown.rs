//! The signals that start a graceful shutdown. [`App::run`](crate::app::App::run) performs the shutdown in this order: report unready,
//! give up the work for the fleet, wait until the edge notices, stop accepting, finish in-flight requests and disconnect Socket.IO
//! clients, give up the logs, end jobs and tasks, release the cache lease, close the connections to Postgres.

use tokio::signal::unix::{SignalKind, signal as listen};

/// Completes on SIGTERM or SIGINT. The call itself installs the handlers: if the first poll did, a signal before it would end the
/// process abruptly.
pub fn signal() -> impl Future<Output = ()> {
    let signals = (listen(SignalKind::terminate()), listen(SignalKind::interrupt()));
    async {
        let (Ok(mut terminate), Ok(mut interrupt)) = signals else {
            // The handlers could not be installed, so the default action of a signal ends the process.
            return std::future::pending().await;
        };
        tokio::select! {
            _ = terminate.recv() => tracing::info!("received SIGTERM; shutting down"),
            _ = interrupt.recv() => tracing::info!("received SIGINT; shutting down"),
        }
    }
}
