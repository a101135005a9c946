//! The monitoring of the service: exporters, the page of the runbooks, Alertmanager, Prometheus, and Grafana where it is installed; the
//! mail sink, which also receives the mails of the service; and the check that every target is scraped. `configuration` writes their
//! configuration.

use std::fmt::{self, Display, Formatter};
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;

use super::{START_LIMIT, Stack, say};
use crate::backup;
use crate::configuration;
use crate::form::Form;
use crate::http;
use crate::paths;
use crate::ports::{Port, Ports};
use crate::process::{Daemon, Process, wait_until};
use crate::report::Outcome;
use crate::tools::{
    ALERTMANAGER, BLACKBOX_EXPORTER, CADDY, GRAFANA, MAILDEV, NODE_EXPORTER, POSTGRES_EXPORTER, PROMETHEUS, REDIS_EXPORTER,
};

/// Two scrape intervals and a margin.
const SCRAPE_LIMIT: Duration = Duration::from_secs(45);

impl Stack {
    pub(super) fn start_exporters(&mut self) -> Result<()> {
        say("exporters");
        let ports = &self.plan.ports;
        let listen = |port| Ok::<_, anyhow::Error>(format!("--web.listen-address={}", ports.address(port)?));
        let postgres = format!("postgres://vitrine:{}@{}/vitrine?sslmode=disable", self.password, ports.address(Port::Postgres)?);
        let textfile = format!("--collector.textfile.directory={}", backup::metrics_folder(&self.plan.folder)?.display());
        let mut exporters = vec![
            (
                self.daemon("postgres-exporter", &POSTGRES_EXPORTER.path()?)
                    .args([listen(Port::PostgresExporter)?])
                    .env("DATA_SOURCE_NAME", postgres)
                    .start()?,
                format!("{}/metrics", ports.url(Port::PostgresExporter)?),
            ),
            (
                self.daemon("redis-exporter", &REDIS_EXPORTER.path()?)
                    .args([listen(Port::RedisExporter)?])
                    .env("REDIS_ADDR", format!("redis://{}", ports.address(Port::Redis)?))
                    .env("REDIS_PASSWORD", &self.password)
                    .start()?,
                format!("{}/metrics", ports.url(Port::RedisExporter)?),
            ),
            (
                self.daemon("node-exporter", &NODE_EXPORTER.path()?).args([listen(Port::NodeExporter)?, textfile]).start()?,
                format!("{}/metrics", ports.url(Port::NodeExporter)?),
            ),
            (self.probes()?, format!("{}/metrics", ports.url(Port::BlackboxExporter)?)),
        ];
        for (process, url) in &mut exporters {
            process.wait_ready(START_LIMIT, || http::is_ok(url))?;
        }
        self.phases.push(exporters.into_iter().map(|(process, _)| process).collect());
        Ok(())
    }

    /// Starts the mail sink, unless another part of the stack runs it or it is not installed. Without it, the service sends no mail.
    pub(super) fn start_mail_sink(&mut self) -> Result<()> {
        let ports = &self.plan.ports;
        let health = format!("{}/healthz", ports.url(Port::MailPage)?);
        let Some(program) = MAILDEV.find().filter(|_| !http::is_ok(&health)) else { return Ok(()) };
        say("mail sink");
        let mut sink = mail_sink(self.daemon("maildev", &program), ports)?;
        sink.wait_ready(START_LIMIT, || http::is_ok(&health))?;
        self.phases.push(vec![sink]);
        Ok(())
    }

    /// Starts the exporter that requests the service through the edge.
    fn probes(&self) -> Result<Process> {
        let mut exporter = self.daemon("blackbox-exporter", &BLACKBOX_EXPORTER.path()?).args([
            format!("--config.file={}", paths::root().join("monitoring/blackbox/blackbox.yml").display()),
            format!("--web.listen-address={}", self.plan.ports.address(Port::BlackboxExporter)?),
        ]);
        if let Some(authority) = http::trusted() {
            // Programs written in Go trust the authorities in this file.
            exporter = exporter.env("SSL_CERT_FILE", authority);
        }
        exporter.start()
    }

    pub(super) fn start_runbooks(&mut self) -> Result<()> {
        say("runbooks");
        let page = runbooks(self.daemon("runbooks", &CADDY.path()?), &self.plan.ports, &self.data("runbooks")?)?;
        self.phases.push(vec![page]);
        Ok(())
    }

    pub(super) fn start_monitoring(&mut self, speed: u32) -> Result<()> {
        say("alertmanager, prometheus");
        let ports = &self.plan.ports;
        let grafana = GRAFANA.find();
        let config = self.config();
        configuration::write(&config, ports, self.plan.replicas, grafana.is_some())?;
        if ports.form() == Form::Production {
            configuration::write_metrics_token(&config, &self.metrics_token()?)?;
        }
        configuration::speed_up(&config, speed)?;

        let url = ports.url(Port::Alertmanager)?;
        let mut alertmanager =
            alertmanager(self.daemon("alertmanager", &ALERTMANAGER.path()?), ports, &config, &self.data("alertmanager")?)?;
        alertmanager.wait_ready(START_LIMIT, || http::is_ok(&format!("{url}/-/ready")))?;

        let url = ports.url(Port::Prometheus)?;
        // At a higher speed, Prometheus needs a whole core. Its nice value gives the service priority: if a busy replica and Prometheus
        // share a core, the replica gets 90 % of it. HighCPUUsage needs 80 %, so it can fire. The scheduling policy
        // SCHED_IDLE would be too much: on a saturated machine, Prometheus would get almost no time. GOGC=400 (Go's default is 100) causes
        // fewer garbage collections, which reduces the CPU use of Prometheus by a sixth.
        let (niceness, garbage) = if speed > 1 { ("10", "400") } else { ("0", "100") };
        let mut prometheus = self
            .daemon("prometheus", Path::new("nice"))
            .env("GOGC", garbage)
            .args(["-n", niceness])
            .args([PROMETHEUS.path()?])
            .args([
                format!("--config.file={}", config.join("prometheus/prometheus.yml").display()),
                format!("--storage.tsdb.path={}", self.data("prometheus")?.display()),
                "--storage.tsdb.retention.time=30d".to_owned(),
                "--storage.tsdb.retention.size=5GB".to_owned(),
                format!("--web.listen-address={}", ports.address(Port::Prometheus)?),
                format!("--web.external-url={}", ports.page(Port::Prometheus)?),
                "--web.enable-remote-write-receiver".to_owned(),
                "--web.enable-lifecycle".to_owned(),
                // Exposes each job's sample_limit as a series; CardinalityGrowth compares the samples of a scrape with it.
                "--enable-feature=extra-scrape-metrics".to_owned(),
                // Prometheus' default of one minute, divided by the speed.
                format!("--rules.alert.resend-delay={}ms", 60_000 / speed),
                // Prometheus' default of 5 minutes, divided by the speed. For this time, queries still return the last samples of a job
                // that is no longer configured.
                format!("--query.lookback-delta={}ms", 300_000 / speed),
            ])
            .start()?;
        prometheus.wait_ready(START_LIMIT, || http::is_ok(&format!("{url}/-/ready")))?;
        self.phases.push(vec![alertmanager, prometheus]);
        if let Some(program) = grafana {
            self.start_grafana(&program)?;
        }
        Ok(())
    }

    fn start_grafana(&mut self, program: &Path) -> Result<()> {
        say("grafana");
        let config = self.config().join("grafana");
        let url = self.plan.ports.url(Port::Grafana)?;
        let mut grafana = self
            .daemon("grafana", program)
            .args(["server", "--homepath", "/usr/share/grafana"])
            .env("GF_SERVER_HTTP_ADDR", "127.0.0.1")
            .env("GF_SERVER_HTTP_PORT", self.plan.ports.of(Port::Grafana)?.to_string())
            .env("GF_SERVER_ROOT_URL", self.plan.ports.page(Port::Grafana)?)
            .env("GF_PATHS_DATA", self.data("grafana")?)
            .env("GF_PATHS_PROVISIONING", config.join("provisioning"))
            .env("GF_SECURITY_ADMIN_PASSWORD", &self.password)
            .env("GF_AUTH_ANONYMOUS_ENABLED", "true")
            .env("GF_USERS_VIEWERS_CAN_EDIT", "true")
            .env("GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH", config.join("dashboards/service/overview.json"))
            .env("GF_ANALYTICS_REPORTING_ENABLED", "false")
            .env("GF_ANALYTICS_CHECK_FOR_UPDATES", "false")
            .start()?;
        grafana.wait_ready(START_LIMIT, || http::is_ok(&format!("{url}/api/health")))?;
        self.phases.push(vec![grafana]);
        Ok(())
    }

    pub(super) fn await_targets(&mut self) -> Result<()> {
        say("every target is UP");
        let url = self.plan.ports.url(Port::Prometheus)?;
        let mut missing = String::new();
        let waited = wait_until("every target UP", SCRAPE_LIMIT, || {
            self.check()?;
            let targets = targets(&url)?;
            let down = targets.iter().filter(|target| !target.up);
            missing = down.map(Target::to_string).collect::<Vec<_>>().join("\n");
            // Prometheus has no targets at first.
            Ok(!targets.is_empty() && missing.is_empty())
        });
        if let Err(error) = waited {
            bail!("{error}\n{missing}");
        }
        Ok(())
    }
}

/// Starts Alertmanager with the configuration in `config`; its silences and its notification log go into `data`.
pub fn alertmanager(daemon: Daemon, ports: &Ports, config: &Path, data: &Path) -> Result<Process> {
    daemon
        .args([
            format!("--config.file={}", config.join("alertmanager/alertmanager.yml").display()),
            format!("--storage.path={}", data.display()),
            format!("--web.listen-address={}", ports.address(Port::Alertmanager)?),
            format!("--web.external-url={}", ports.page(Port::Alertmanager)?),
            // The empty address disables clustering: a single instance has no peers.
            "--cluster.listen-address=".to_owned(),
        ])
        .start()
}

/// Starts the mail sink, which accepts all mail and shows it.
pub fn mail_sink(daemon: Daemon, ports: &Ports) -> Result<Process> {
    daemon
        .args(["--ip", "127.0.0.1", "--web-ip", "127.0.0.1"])
        .args(["--smtp".into(), ports.of(Port::MailSmtp)?.to_string()])
        .args(["--web".into(), ports.of(Port::MailPage)?.to_string()])
        .start()
}

/// Starts the server that renders the checkout's runbooks, and waits until it is ready; its state goes into `data`.
pub fn runbooks(daemon: Daemon, ports: &Ports, data: &Path) -> Result<Process> {
    let mut daemon = daemon
        .args(["run", "--adapter", "caddyfile", "--config"])
        .args([paths::root().join("monitoring/runbooks/site/Caddyfile")])
        .env("XDG_DATA_HOME", data)
        .env("XDG_CONFIG_HOME", data)
        .env("RUNBOOKS_BIND", "127.0.0.1")
        .env("RUNBOOKS_LISTEN", ports.of(Port::Runbooks)?.to_string())
        .env("RUNBOOKS_ROOT", paths::root());
    for (variable, page) in ports.pages()? {
        daemon = daemon.env(variable, page);
    }
    let mut page = daemon.start()?;
    let ready = format!("{}/Watchdog", ports.url(Port::Runbooks)?);
    page.wait_ready(START_LIMIT, || http::is_ok(&ready))?;
    Ok(page)
}

/// A scrape target.
pub struct Target {
    pub job: String,
    pub url: String,
    /// Whether the last scrape succeeded.
    pub up: bool,
    /// The error of a failed scrape.
    pub error: String,
}

impl Display for Target {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        write!(out, "{} {}: {}", self.job, self.url, self.error)
    }
}

/// Passes when the Prometheus at `url` has targets, and every one of them is UP.
pub fn all_up(url: &str) -> Result<Outcome> {
    up(&targets(url)?)
}

fn up(targets: &[Target]) -> Result<Outcome> {
    ensure!(!targets.is_empty(), "Prometheus has no targets");
    let down: Vec<String> = targets.iter().filter(|target| !target.up).map(ToString::to_string).collect();
    ensure!(down.is_empty(), "{}", down.join("; "));
    Ok(Outcome::passed().with_note(format!("{} targets", targets.len())))
}

/// All targets of the Prometheus at `url`.
fn targets(url: &str) -> Result<Vec<Target>> {
    let answer = http::get(&format!("{url}/api/v1/targets?state=active"))?.json()?;
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let targets = answer["data"]["activeTargets"].as_array().context("Prometheus returned no list of targets")?;
    Ok(targets
        .iter()
        .map(|target| Target {
            job: text(&target["labels"]["job"]),
            url: text(&target["scrapeUrl"]),
            up: target["health"] == "up",
            error: text(&target["lastError"]),
        })
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(up: bool) -> Target {
        Target { job: "backend".to_owned(), url: "http://127.0.0.1:1/metrics".to_owned(), up, error: "refused".to_owned() }
    }

    #[test]
    fn no_targets_or_a_target_that_is_down_is_an_error() {
        assert!(up(&[]).is_err());
        assert!(up(&[target(true), target(false)]).unwrap_err().to_string().contains("refused"));
        assert_eq!(up(&[target(true)]).unwrap().passed, 1);
    }
}
