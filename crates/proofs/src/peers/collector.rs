//! The OpenTelemetry collector that receives the traces of a measured replica, and discards them.

use std::path::Path;

use anyhow::Result;
use devstack::process::{Daemon, Process};
use devstack::tools::ROTEL;
use devstack::{ports, stack};

/// Starts the collector, with its files in this folder. Returns its process and the URL for OTLP over HTTP.
pub fn start(folder: &Path) -> Result<(Process, String)> {
    let ports = ports::free(2)?;
    let addresses = [ports[0], ports[1]].map(|port| format!("127.0.0.1:{port}"));
    let collector = stack::collector(Daemon::new("rotel", &ROTEL.path()?, folder), &addresses, folder, &["--exporter=blackhole"])?;
    Ok((collector, format!("http://{}", addresses[0])))
}
