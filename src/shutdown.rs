//! The way out, phase by phase: unready, wait for the edge to see it, stop accepting, finish what is in flight,
//! end the tasks, close the pools. The phases are called by [`App::run`](crate::app::App::run).

use tokio::signal::unix::{SignalKind, signal as listen};

/// Ends when the operating system asks the process to end: SIGTERM or SIGINT. Listens from the call on, not from the
/// first poll: a signal in between would end the process ungracefully.
pub fn signal() -> impl Future<Output = ()> {
    let signals = (listen(SignalKind::terminate()), listen(SignalKind::interrupt()));
    async {
        let (Ok(mut terminate), Ok(mut interrupt)) = signals else {
            // Without signal handlers the default action ends the process, ungracefully.
            return std::future::pending().await;
        };
        tokio::select! {
            _ = terminate.recv() => tracing::info!("received SIGTERM; shutting down"),
            _ = interrupt.recv() => tracing::info!("received SIGINT; shutting down"),
        }
    }
}
