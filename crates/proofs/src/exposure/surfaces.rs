//! Internal paths of the services, and the texts that identify their responses. Clients must not reach these paths.

use anyhow::{Result, ensure};
use devstack::http::get;
use devstack::ports::{Port, Ports};

/// A path of an internal service.
pub struct Surface {
    /// The service that serves this path on a port of its own.
    pub port: Port,
    pub path: &'static str,
    /// A text that identifies the response; `None` for a path that proofs must not call, or whose response has no such text.
    mark: Option<&'static str>,
}

type Row = (&'static str, Option<&'static str>);

/// Metrics in the exposition format of Prometheus.
const EXPOSITION: Row = ("/metrics", Some("# TYPE "));
/// The profiler of programs written in Go.
const PROFILER: Row = ("/debug/pprof/", Some("Types of profiles available"));

const SURFACES: [(Port, &[Row]); 13] = [
    (
        Port::Backend(1),
        &[EXPOSITION, ("/health/metrics", Some("# TYPE ")), ("/api/metrics", Some("# TYPE ")), ("/health/ready", Some("\"checks\":{"))],
    ),
    (
        Port::Prometheus,
        &[
            ("/api/v1/targets", Some("\"activeTargets\"")),
            ("/api/v1/status/config", Some("scrape_configs")),
            ("/api/v1/query", None),
            ("/api/v1/write", None),
            ("/api/v1/admin/tsdb/snapshot", None),
            ("/graph", None),
            ("/federate", None),
            ("/-/ready", Some("Prometheus Server is Ready")),
            ("/-/reload", None),
            ("/-/quit", None),
            PROFILER,
        ],
    ),
    (
        Port::Alertmanager,
        &[("/api/v2/status", Some("\"versionInfo\"")), ("/api/v2/alerts", None), ("/api/v2/silences", None), ("/-/healthy", None)],
    ),
    (
        Port::CaddyAdmin,
        &[
            ("/config/", Some("\"apps\":")),
            ("/reverse_proxy/upstreams", Some("\"num_requests\"")),
            ("/load", None),
            ("/adapt", None),
            ("/stop", None),
            ("/pki/ca/local", None),
            PROFILER,
        ],
    ),
    (Port::CaddyMetrics, &[EXPOSITION]),
    (
        Port::Grafana,
        &[
            ("/api/health", Some("\"database\"")),
            ("/api/datasources", None),
            ("/api/datasources/proxy/1/api/v1/query", None),
            ("/api/admin/settings", None),
            ("/d/vitrine-infrastructure-slo", None),
        ],
    ),
    (Port::Runbooks, &[("/Watchdog", Some(">Watchdog</h1>")), ("/docs/OPERATIONS.md", Some(">Operations</h1>"))]),
    (
        Port::ProviderSim,
        &[
            ("/knobs", Some("\"latency_ms\"")),
            ("/counts", None),
            ("/notifications", None),
            ("/google/.well-known/openid-configuration", Some("\"authorization_endpoint\"")),
            ("/google/oauth/authorize", None),
            ("/mastodon/posts", None),
            ("/slack/services/simulated", None),
        ],
    ),
    (Port::MailPage, &[("/config", Some("\"smtpPort\"")), ("/email", None), ("/email/all", None)]),
    (Port::PostgresExporter, &[EXPOSITION, ("/probe", None)]),
    (Port::RedisExporter, &[EXPOSITION, ("/scrape", None)]),
    (Port::NodeExporter, &[EXPOSITION]),
    (Port::BlackboxExporter, &[EXPOSITION, ("/config", None)]),
];

/// Paths of files that no server may send.
pub const FILES: [&str; 5] = ["/.env", "/Caddyfile", "/.git/config", "/assets/..%2f..%2fCargo.toml", "/run/vitrine/token_keys"];

/// The internal paths of the services that have a port in this stack.
pub fn all(ports: &Ports) -> Vec<Surface> {
    let here = SURFACES.into_iter().filter(|(port, _)| ports.of(*port).is_ok());
    here.flat_map(|(port, rows)| rows.iter().map(move |(path, mark)| Surface { port, path, mark: *mark })).collect()
}

impl Surface {
    /// Requests the path on the service's own port, and returns the text that identifies the response. For a path without such a text,
    /// requests nothing and returns `None`.
    pub fn control(&self, ports: &Ports) -> Result<Option<&'static str>> {
        let Some(mark) = self.mark else { return Ok(None) };
        let url = format!("{}{}", ports.url(self.port)?, self.path);
        let answer = get(&url)?;
        ensure!(
            answer.status == 200 && answer.body.contains(mark),
            "{url} must return 200 with the text {mark}; its status is {}",
            answer.status
        );
        Ok(Some(mark))
    }
}
