//! The signals that start a graceful shutdown. [`App::run`](crate::app::App::run) performs the shutdown in this order: report the
//! replica as not ready, release the fleet lease, give the edge time to notice, stop accepting connections. Then, at the same time,
//! finish in-flight requests, disconnect Socket.IO clients, and finish running jobs or give them back to the queue. Finally, release the
//! claims on logs, export the last telemetry, end the tasks, release the cache lease, and close the connections to Postgres.

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal as listen};

/// Completes on SIGTERM or SIGINT. The call itself installs the handlers. If the first poll installed them, a signal before that poll
/// would end the process abruptly.
pub fn signal() -> impl Future<Output = ()> {
    first(listen(SignalKind::terminate()), listen(SignalKind::interrupt()))
}

async fn first(terminate: io::Result<Signal>, interrupt: io::Result<Signal>) {
    tokio::select! {
        () = received(terminate) => tracing::info!("received SIGTERM; shutting down"),
        () = received(interrupt) => tracing::info!("received SIGINT; shutting down"),
    }
}

/// Never completes if the handler could not be installed: the default action of the signal then ends the process.
async fn received(signal: io::Result<Signal>) {
    match signal {
        Ok(mut signal) => _ = signal.recv().await,
        Err(_) => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests {
    use std::process::{Command, id};

    use super::*;

    const SIGKILL: i32 = 9;

    #[tokio::test]
    async fn a_signal_is_received_even_if_the_other_handler_could_not_be_installed() {
        let kill = || assert!(Command::new("kill").args(["-s", "USR1", &id().to_string()]).status().unwrap().success());
        let (refused, installed) = (listen(SignalKind::from_raw(SIGKILL)), listen(SignalKind::user_defined1()));
        assert!(refused.is_err());
        kill();
        first(refused, installed).await;
        let (installed, refused) = (listen(SignalKind::user_defined1()), listen(SignalKind::from_raw(SIGKILL)));
        kill();
        first(installed, refused).await;
    }
}
