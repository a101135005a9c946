//! The edge of a stack: starts, stops and reloads Caddy with the Caddyfile of the repository.

use std::fs;
use std::path::Path;
use std::process::ExitStatus;
use std::time::Duration;

use anyhow::{Result, ensure};
use rustix::process::Signal;

use super::{START_LIMIT, Stack, say};
use crate::http;
use crate::paths;
use crate::ports::Port;
use crate::process::{Process, capture, task};
use crate::tools::CADDY;

impl Stack {
    pub(super) fn start_edge(&mut self) -> Result<()> {
        say("caddy");
        let caddy = self.launch_edge(&[])?;
        self.phases.push(vec![caddy]);
        Ok(())
    }

    /// Stops the edge gracefully and returns its exit status.
    pub fn stop_edge(&mut self) -> Result<ExitStatus> {
        self.process("caddy")?.end(Signal::TERM)
    }

    /// Starts the edge on the same ports again.
    pub fn start_edge_again(&mut self) -> Result<()> {
        let caddy = self.launch_edge(&[])?;
        *self.process("caddy")? = caddy;
        Ok(())
    }

    /// Restarts the edge with a new certificate for `edge.localhost`, which has this lifetime, such as `1h`, or else its usual one.
    pub fn replace_certificate(&mut self, lifetime: Option<&str>) -> Result<()> {
        self.stop_edge()?;
        // Otherwise Caddy continues with this certificate until it is due for renewal.
        fs::remove_dir_all(self.data("caddy")?.join("caddy/certificates/local/edge.localhost"))?;
        let lifetime = lifetime.map(|lifetime| ("EDGE_CERTIFICATE_LIFETIME", lifetime));
        let caddy = self.launch_edge(lifetime.as_slice())?;
        *self.process("caddy")? = caddy;
        Ok(())
    }

    /// Reloads the Caddyfile, as an operator does after a change. Returns once the new configuration is in use.
    pub fn reload_edge(&self) -> Result<()> {
        self.reload_edge_from(&paths::root().join("Caddyfile"))
    }

    /// As [`Self::reload_edge`], from another file.
    pub fn reload_edge_from(&self, caddyfile: &Path) -> Result<()> {
        let mut reload = task(CADDY.path()?);
        reload.args(["reload", "--force", "--address", &self.plan.ports.address(Port::CaddyAdmin)?, "--adapter", "caddyfile", "--config"]);
        let reloaded = capture(reload.arg(caddyfile).envs(self.edge_variables()?))?;
        ensure!(reloaded.success, "the edge failed to reload its configuration: {}", reloaded.text);
        Ok(())
    }

    fn launch_edge(&self, settings: &[(&str, &str)]) -> Result<Process> {
        let daemon = self.daemon("caddy", &CADDY.path()?).args(["run", "--adapter", "caddyfile", "--config"]);
        let daemon = self.edge_variables()?.into_iter().fold(daemon, |daemon, (name, value)| daemon.env(name, value));
        let daemon = settings.iter().fold(daemon, |daemon, (name, value)| daemon.env(name, value));
        // The time to stop must be longer than the grace period in the Caddyfile, so that Caddy can complete the requests in flight.
        let mut caddy = daemon.args([paths::root().join("Caddyfile")]).grace(Duration::from_secs(20)).start()?;
        let ports = &self.plan.ports;
        let health = format!("{}/health", ports.url(Port::Edge)?);
        // Caddy creates its certificate authority while it starts: until then, there is no root certificate to trust.
        let root = self.data("caddy")?.join("caddy/pki/authorities/local/root.crt");
        let is_trusted = || ports.form().site().is_none() || http::trust(&root).is_ok();
        caddy.wait_ready(START_LIMIT, || is_trusted() && http::is_ok(&health))?;
        Ok(caddy)
    }

    /// The environment variables that a stack sets for the Caddyfile, and those that select Caddy's own folders.
    fn edge_variables(&self) -> Result<Vec<(&'static str, String)>> {
        let ports = &self.plan.ports;
        let upstreams = (1..=self.plan.replicas).map(|number| ports.address(Port::Backend(number))).collect::<Result<Vec<_>>>()?;
        let data = self.data("caddy")?.display().to_string();
        let variables = vec![
            ("XDG_DATA_HOME", data.clone()),
            ("XDG_CONFIG_HOME", data),
            ("EDGE_BIND", "127.0.0.1".to_owned()),
            ("EDGE_HTTP_PORT", ports.of(Port::Edge)?.to_string()),
            ("EDGE_HTTPS_PORT", ports.of(Port::EdgeTls)?.to_string()),
            ("CADDY_METRICS", format!(":{}", ports.of(Port::CaddyMetrics)?)),
            ("CADDY_ADMIN", ports.address(Port::CaddyAdmin)?),
            ("UPSTREAMS", upstreams.join(" ")),
        ];
        let site = ports.form().site().map(|site| ("SITE_ADDRESS", site.to_owned()));
        Ok(variables.into_iter().chain(site).chain(self.tracing_of_edge()?).collect())
    }
}
