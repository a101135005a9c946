//! The cost of the layers around the routes, as ratios within one run: the service, its routes without layers, and bare axum
//! alternate.
//!
//! `cargo xtask overhead` runs it with its own Postgres and Redis. It prints and asserts nothing: a busy machine must not fail a
//! build.

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

/// Many short rounds, so that other load on the machine affects all targets alike.
const ROUNDS: usize = 45;
const ROUND: Duration = Duration::from_millis(300);
const CONNECTIONS: usize = 32;
const RENDERS: usize = 20;
const REQUEST: &[u8] = b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n";

fn main() -> Result<()> {
    let runtime = vitrine::metrics::samplers::runtime::build()?;
    runtime.block_on(throughput())?;
    drop(runtime);
    start_and_memory()
}

/// Requests per second of `GET /health`, and the share that the service reaches of its routes without layers and of bare axum.
async fn throughput() -> Result<()> {
    let app = App::build(Cli::parse_from(["vitrine", "--listen-address=127.0.0.1:0"]).config)?;
    let state = app.state().clone();
    let exporter = state.exporter.clone();
    tokio::spawn(exporter.clone().upkeep());
    let started = Instant::now();
    let health = async move || Json(json!({ "status": "ok", "version": "0.1.0", "uptime": started.elapsed().as_secs() }));
    let targets = [
        ("the service", start(router::build(router::routes(), state.clone())?, &app).await?),
        ("its routes without layers", start(router::build_bare(router::routes(), state), &app).await?),
        ("bare axum", start(Router::new().route("/health", get(health)), &app).await?),
    ];
    for (_, address) in targets {
        load(address).await?;
    }
    let mut rates = [const { Vec::new() }; 3];
    for round in 0..ROUNDS {
        // The order rotates, so that the first target differs from round to round.
        for number in (0..targets.len()).map(|turn| (turn + round) % targets.len()) {
            rates[number].push(load(targets[number].1).await?);
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

async fn start(router: Router, app: &App) -> Result<SocketAddr> {
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

/// Requests per second over one round; each connection sends one request at a time.
async fn load(address: SocketAddr) -> Result<f64> {
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
    let (mut requests, mut answer) = (0, [0; 2048]);
    while Instant::now() < until {
        stream.write_all(REQUEST).await?;
        let mut length = 0;
        // The response body is one small JSON object.
        while !answer[..length].ends_with(b"}") {
            length += stream.read(&mut answer[length..]).await?;
        }
        assert!(answer.starts_with(b"HTTP/1.1 200 "), "the response has status 200");
        requests += 1;
    }
    Ok(requests)
}

/// Time from the start of the program to readiness, and its idle memory.
fn start_and_memory() -> Result<()> {
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
    // Memory settles only after some idle time, so this pause is part of the measurement.
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
