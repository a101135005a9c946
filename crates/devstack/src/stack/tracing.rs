//! The tracing of a stack: the collector, which receives the traces and logs of the edge and the replicas, and the store, which keeps them
//! for `cargo xtask trace`, in place of Tempo and Loki. They run if the ports of the stack have tracing.

use std::net::TcpStream;
use std::path::Path;
use std::process::ExitStatus;

use anyhow::Result;
use rustix::process::Signal;

use super::{START_LIMIT, Stack, say};
use crate::http;
use crate::ports::{Port, Ports};
use crate::process::{Daemon, Process};
use crate::settings::Settings;
use crate::tools::ROTEL;

/// The variables of replicas that turn the export on.
const ENDPOINT: &str = "OTEL_EXPORTER_OTLP_ENDPOINT";
const SHARE: &str = "OTEL_TRACES_SAMPLER_ARG";
const LOGS: &str = "OTEL_LOGS_EXPORTER";

/// The variables of tracing that the environment or `.env` contains. For replicas, they take precedence over those of the stack.
#[must_use]
pub fn settings(settings: &Settings, ports: &Ports) -> Vec<(String, String)> {
    let of = |name: &str| settings.get(name).map(|value| (name.to_owned(), ports.localise(&value)));
    [ENDPOINT, SHARE, LOGS].into_iter().filter_map(of).collect()
}

/// Starts a collector that listens on these addresses for OTLP over HTTP and over gRPC, with its files in this folder. `exporter` are the
/// options that name where it sends to.
pub fn collector(daemon: Daemon, [http, grpc]: &[String; 2], folder: &Path, exporter: &[&str]) -> Result<Process> {
    let mut collector = daemon
        .args(["start"])
        .args(exporter)
        .args([
            format!("--otlp-http-endpoint={http}"),
            format!("--otlp-grpc-endpoint={grpc}"),
            format!("--pid-file={}", folder.join("rotel.pid").display()),
            format!("--log-file={}", folder.join("rotel.log").display()),
        ])
        .start()?;
    // The collector has no route for its health.
    collector.wait_ready(START_LIMIT, || TcpStream::connect(http).is_ok())?;
    Ok(collector)
}

impl Stack {
    pub(super) fn start_tracing(&mut self) -> Result<()> {
        say("trace-store, rotel");
        let store = self.launch_trace_store()?;
        let collector = self.launch_collector()?;
        self.phases.push(vec![store, collector]);
        Ok(())
    }

    /// Stops the collector and returns its exit status.
    pub fn stop_collector(&mut self) -> Result<ExitStatus> {
        self.process("rotel")?.end(Signal::TERM)
    }

    /// Starts the collector on the same ports again.
    pub fn start_collector_again(&mut self) -> Result<()> {
        let collector = self.launch_collector()?;
        *self.process("rotel")? = collector;
        Ok(())
    }

    fn launch_trace_store(&self) -> Result<Process> {
        let ports = &self.plan.ports;
        let addresses = [ports.address(Port::Tempo)?, ports.address(Port::Loki)?].join(",");
        let program = self.plan.binary.with_file_name("trace-store");
        let mut store = self.daemon("trace-store", &program).env("LISTEN_ADDRESSES", addresses).start()?;
        let health = format!("{}/ready", ports.url(Port::Tempo)?);
        store.wait_ready(START_LIMIT, || http::is_ok(&health))?;
        Ok(store)
    }

    fn launch_collector(&self) -> Result<Process> {
        let ports = &self.plan.ports;
        let store = format!("--otlp-exporter-endpoint={}", ports.url(Port::Tempo)?);
        let daemon = self.daemon("rotel", &ROTEL.path()?);
        let addresses = [ports.address(Port::Collector)?, ports.address(Port::CollectorGrpc)?];
        collector(daemon, &addresses, &self.data("rotel")?, &["--exporter=otlp", "--otlp-exporter-protocol=http", &store])
    }

    /// The variables that make a replica export all of its traces, and its log lines.
    pub(super) fn tracing_of_replicas(&self) -> Result<Vec<(&'static str, String)>> {
        let ports = &self.plan.ports;
        if !ports.has_tracing() {
            return Ok(Vec::new());
        }
        Ok(vec![(ENDPOINT, ports.url(Port::Collector)?), (SHARE, "1".to_owned()), (LOGS, "otlp".to_owned())])
    }

    /// The variables that make the edge begin the traces of requests.
    pub(super) fn tracing_of_edge(&self) -> Result<Vec<(&'static str, String)>> {
        let ports = &self.plan.ports;
        if !ports.has_tracing() {
            return Ok(Vec::new());
        }
        // Otherwise, replicas would keep more than their own share, because they keep what the edge keeps.
        let share = self.plan.settings.iter().rev().find(|(name, _)| name == SHARE).map_or("1", |(_, share)| share);
        Ok(vec![
            ("EDGE_TRACING", "on".to_owned()),
            ("OTEL_SERVICE_NAME", "vitrine-edge".to_owned()),
            (ENDPOINT, ports.url(Port::Collector)?),
            ("OTEL_TRACES_SAMPLER", "traceidratio".to_owned()),
            (SHARE, share.to_owned()),
            // In milliseconds: as often as replicas. By default, `cargo xtask trace` would find the edge's spans only after five seconds.
            ("OTEL_BSP_SCHEDULE_DELAY", "1000".to_owned()),
            // Addresses, user agents and paths of clients are attributes of Caddy's spans.
            ("OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT", "0".to_owned()),
        ])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_settings_of_compose_apply_with_local_addresses() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join(".env");
        std::fs::write(&file, "OTEL_EXPORTER_OTLP_ENDPOINT=http://otel-collector:4318\nOTEL_TRACES_SAMPLER_ARG=0.5\nLOG=debug\n").unwrap();
        let found = settings(&Settings::read(&file).unwrap(), &Ports::fixed(1));
        let expected = [(ENDPOINT, "http://127.0.0.1:4318"), (SHARE, "0.5")].map(|(name, value)| (name.to_owned(), value.to_owned()));
        assert_eq!(found, expected);
    }
}
