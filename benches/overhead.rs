//! The cost of the layers around the routes: compares the throughput of the service, of its routes without layers, and of bare axum.
//! The three alternate in short rounds of one run. The benchmark also measures the time to render `/metrics`, the time to start a
//! replica, and its memory when idle.
//!
//! `cargo xtask overhead` starts a Postgres and a Redis and runs this benchmark. The benchmark prints its figures without judging them,
//! because they depend on the other load of the machine.

use std::error::Error;
use std::net::SocketAddr;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use axum::routing::get;
use axum::{Json, Router};
use clap::Parser;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;
use vitrine::app::App;
use vitrine::config::Cli;
use vitrine::router;
use vitrine::server::{self, Limits};

#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

/// Many short rounds, so that other load on the machine affects all targets equally.
const ROUNDS: usize = 45;
const ROUND: Duration = Duration::from_millis(300);
const CONNECTIONS: usize = 32;
const RENDERS: usize = 20;
const REQUEST: &[u8] = b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n";

fn main() -> Result<()> {
    let runtime = vitrine::metrics::samplers::runtime::build()?;
    runtime.block_on(measure_throughput())?;
    drop(runtime);
    measure_start_and_memory()
}

/// Prints how many `GET /health` each target answers per second, and the service's rate as a percentage of the target's rate. Then
/// prints the number of series and the size of `/metrics`, and the time to render it.
async fn measure_throughput() -> Result<()> {
    let app = App::build(Cli::parse_from(["vitrine", "--listen-address=127.0.0.1:0"]).config)?;
    let state = app.state().clone();
    let exporter = state.exporter.clone();
    tokio::spawn(exporter.clone().upkeep());
    let started = Instant::now();
    let health = async move || Json(json!({ "status": "ok", "version": "0.1.0", "uptime": started.elapsed().as_secs() }));
    let targets = [
        ("the service", serve(router::build(router::routes(), state.clone())?, &app).await?),
        ("its routes without layers", serve(router::build_bare(router::routes(), state), &app).await?),
        ("bare axum", serve(Router::new().route("/health", get(health)), &app).await?),
    ];
    // Warm up.
    for (_, address) in targets {
        run_round(address).await?;
    }
    let mut rates = [const { Vec::new() }; 3];
    for round in 0..ROUNDS {
        // Each round starts with another target.
        for index in (0..targets.len()).map(|offset| (offset + round) % targets.len()) {
            rates[index].push(run_round(targets[index].1).await?);
        }
    }
    let service = rates[0].clone();
    for ((name, _), rates) in targets.iter().zip(rates) {
        let shares = service.iter().zip(&rates).map(|(service, rate)| service / rate).collect();
        let share = 100.0 * median(shares);
        println!("GET /health, {name}: {:.0}/s; the service reaches {share:.1} % of it (medians of {ROUNDS} rounds)", median(rates));
    }

    let (mut renders, mut text) = (Vec::new(), String::new());
    for _ in 0..RENDERS {
        let start = Instant::now();
        text = exporter.render();
        renders.push(start.elapsed().as_secs_f64());
    }
    let series = text.lines().filter(|line| !line.starts_with('#') && !line.is_empty()).count();
    println!("/metrics: {series} series, {} bytes, rendered in {:.2} ms (median)", text.len(), 1e3 * median(renders));
    Ok(())
}

/// Serves a router on a free port, until the runtime is dropped.
async fn serve(router: Router, app: &App) -> Result<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let limits = Limits {
        connections: 1024,
        header_timeout: Duration::from_mins(1),
        write_timeout: Duration::from_mins(1),
        drain_timeout: Duration::ZERO,
    };
    tokio::spawn(server::serve(listener, router, limits, app.state().metrics.clone(), CancellationToken::new()));
    Ok(address)
}

/// Runs one round against a target and returns its requests per second. Each connection sends one request at a time.
async fn run_round(address: SocketAddr) -> Result<f64> {
    let until = Instant::now() + ROUND;
    let clients: Vec<_> = (0..CONNECTIONS).map(|_| tokio::spawn(client(address, until))).collect();
    let mut requests = 0_u32;
    for client in clients {
        requests += client.await??;
    }
    Ok(f64::from(requests) / ROUND.as_secs_f64())
}

async fn client(address: SocketAddr, until: Instant) -> std::io::Result<u32> {
    let mut stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let (mut requests, mut response) = (0, [0; 2048]);
    while Instant::now() < until {
        stream.write_all(REQUEST).await?;
        let mut length = 0;
        // The response ends with the closing brace of its JSON body.
        while !response[..length].ends_with(b"}") {
            let read = stream.read(&mut response[length..]).await?;
            assert_ne!(read, 0, "the connection must stay open, and the response must fit into the buffer");
            length += read;
        }
        assert!(response.starts_with(b"HTTP/1.1 200 "), "the response must have status 200");
        requests += 1;
    }
    Ok(requests)
}

/// Prints the time from the start of the program until it is ready, and its memory when idle.
fn measure_start_and_memory() -> Result<()> {
    let port = std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
    let address = format!("127.0.0.1:{port}");
    let program = env!("CARGO_BIN_EXE_vitrine");
    let start = Instant::now();
    let mut replica = Command::new(program).env("LISTEN_ADDRESS", &address).env("DRAIN_DELAY", "0s").stdout(Stdio::null()).spawn()?;
    let probe = || Command::new(program).arg("healthcheck").env("LISTEN_ADDRESS", &address).stdout(Stdio::null()).status();
    while !probe()?.success() {
        std::thread::yield_now();
    }
    println!("ready after {} ms", start.elapsed().as_millis());
    // The memory of an idle replica is stable only after a while, so this pause is part of the measurement.
    std::thread::park_timeout(Duration::from_secs(10));
    let status = std::fs::read_to_string(format!("/proc/{}/status", replica.id()))?;
    let resident = status.lines().find(|line| line.starts_with("VmRSS")).unwrap_or("VmRSS unknown");
    println!("idle: {resident}");
    replica.kill()?;
    replica.wait()?;
    Ok(())
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
