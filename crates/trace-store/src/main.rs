//! The store as a program: reads its configuration, runs until a signal stops it, and decides the exit code.

use std::io;
use std::process::ExitCode;

use clap::Parser;
use tokio::signal::unix::{SignalKind, signal};
use trace_store::{Config, TraceStore};

#[derive(Parser)]
#[command(name = "trace-store", version, about = "Keeps recent traces and log lines in memory, in place of Tempo and Loki")]
struct Cli {
    #[command(flatten)]
    config: Config,
}

#[tokio::main]
async fn main() -> ExitCode {
    serve(&Cli::parse().config).await.map_or_else(
        |error| {
            eprintln!("trace-store failed: {error}");
            ExitCode::FAILURE
        },
        |()| ExitCode::SUCCESS,
    )
}

async fn serve(config: &Config) -> io::Result<()> {
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let store = TraceStore::start(config).await?;
    for address in store.addresses() {
        eprintln!("trace-store listening on http://{address}");
    }
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    eprintln!("trace-store stopped");
    Ok(())
}
