//! The OpenTelemetry collector that receives the traces of a measured replica, and discards them.

use std::net::TcpStream;
use std::path::Path;
use std::time::Duration;

use anyhow::Result;
use devstack::ports;
use devstack::process::{Daemon, Process};
use devstack::tools::ROTEL;

const START_LIMIT: Duration = Duration::from_secs(20);

/// Starts the collector, with its files in this folder. Returns its process and the URL for OTLP over HTTP.
pub fn start(folder: &Path) -> Result<(Process, String)> {
    let ports = ports::free(2)?;
    let [http, grpc] = [ports[0], ports[1]].map(|port| format!("127.0.0.1:{port}"));
    let mut collector = Daemon::new("rotel", &ROTEL.path()?, folder)
        .args(["start", "--exporter=blackhole"])
        .args([
            format!("--otlp-http-endpoint={http}"),
            format!("--otlp-grpc-endpoint={grpc}"),
            format!("--pid-file={}", folder.join("rotel.pid").display()),
            format!("--log-file={}", folder.join("rotel.log").display()),
        ])
        .start()?;
    // The collector has no route for its health.
    collector.wait_ready(START_LIMIT, || TcpStream::connect(&http).is_ok())?;
    Ok((collector, format!("http://{http}")))
}
