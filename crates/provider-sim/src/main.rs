//! The simulator as a program: reads its configuration, runs until a signal stops it, and decides the exit code.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::process::ExitCode;
use std::time::Duration;

use clap::{Parser, Subcommand};
use provider_sim::{Config, Simulator};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::signal::unix::{SignalKind, signal};

/// Time limit for the response to a health check.
const ASK_TIMEOUT: Duration = Duration::from_secs(3);

#[derive(Parser)]
#[command(name = "provider-sim", version, about = "Simulates login and social platforms, including their faults, with invented accounts")]
struct Cli {
    #[command(subcommand)]
    verb: Option<Verb>,
    #[command(flatten)]
    config: Config,
}

#[derive(Clone, Copy, Subcommand)]
enum Verb {
    /// Serve requests until stopped by a signal (the default)
    Serve,
    /// Check the health of the simulator on this machine: exit code 0 or 1
    Healthcheck,
}

#[tokio::main]
async fn main() -> ExitCode {
    let cli = Cli::parse();
    let outcome = match cli.verb.unwrap_or(Verb::Serve) {
        Verb::Serve => serve(cli.config.for_this_machine()).await,
        Verb::Healthcheck => ask(cli.config.listen_address).await,
    };
    outcome.map_or_else(
        |error| {
            eprintln!("provider-sim failed: {error}");
            ExitCode::FAILURE
        },
        |()| ExitCode::SUCCESS,
    )
}

async fn serve(config: Config) -> io::Result<()> {
    // Install the signal handlers first: process 1 of a container ignores signals without a handler.
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let simulator = Simulator::start(config).await?;
    eprintln!("provider-sim listening on http://{}", simulator.address());
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    simulator.stop().await;
    eprintln!("provider-sim stopped");
    Ok(())
}

/// Checks the health of the simulator that listens on an address of this machine.
async fn ask(mut address: SocketAddr) -> io::Result<()> {
    if address.ip().is_unspecified() {
        let loopback = if address.is_ipv4() { IpAddr::from(Ipv4Addr::LOCALHOST) } else { IpAddr::from(Ipv6Addr::LOCALHOST) };
        address.set_ip(loopback);
    }
    let answer = tokio::time::timeout(ASK_TIMEOUT, async {
        let mut stream = TcpStream::connect(address).await?;
        stream.write_all(b"GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").await?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await?;
        io::Result::Ok(answer)
    })
    .await??;
    if answer.starts_with("HTTP/1.1 200 ") {
        Ok(())
    } else {
        Err(io::Error::other(answer.lines().next().unwrap_or("no response").to_owned()))
    }
}
