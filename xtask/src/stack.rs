//! The whole stack as local processes: what is started with which arguments, in which order, and
//! when it is healthy. Which ports: `ports`. Which configuration: `configuration`.

use std::fmt::{self, Display, Formatter};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use rustix::process::Signal;
use serde_json::Value;

use crate::configuration;
use crate::engine::{self, Engine};
use crate::http;
use crate::paths;
use crate::ports::{Port, Ports};
use crate::process::{Daemon, Process, wait_until};
use crate::stores::{self, Durability, Place};
use crate::tools::{
    ALERTMANAGER, CADDY, GRAFANA, INITDB, MAILDEV, NODE_EXPORTER, POSTGRES_EXPORTER, PROMETHEUS, REDIS, REDIS_EXPORTER, Tool,
};

/// The environment variable by which every process of a stack can be told from others.
pub const MARK: &str = "VITRINE_STACK";
const START_LIMIT: Duration = Duration::from_mins(1);
/// Two scrape intervals and a little.
const SCRAPE_LIMIT: Duration = Duration::from_secs(45);
/// Above the application's drain delay and drain time together.
const DRAIN_GRACE: Duration = Duration::from_secs(40);

/// What must be there before a stack can start.
pub const PROGRAMS: [&Tool; 9] =
    [&INITDB, &REDIS, &CADDY, &PROMETHEUS, &ALERTMANAGER, &NODE_EXPORTER, &POSTGRES_EXPORTER, &REDIS_EXPORTER, &MAILDEV];

/// Compose's ports, of the services that a stack here has.
pub fn fixed_ports(replicas: u16) -> Ports {
    let ports = Ports::fixed(replicas);
    if GRAFANA.find().is_some() { ports } else { ports.without(Port::Grafana) }
}

/// What a stack is started from.
pub struct Plan {
    /// Where its data, logs and generated configuration go.
    pub folder: PathBuf,
    /// Where it listens.
    pub ports: Ports,
    /// How many replicas.
    pub replicas: u16,
    /// The application.
    pub binary: PathBuf,
    /// What runs environments; without one they are simulated.
    pub engine: Option<Engine>,
}

/// A running stack; dropping it stops it.
pub struct Stack {
    plan: Plan,
    password: String,
    logs: PathBuf,
    /// In the order of their start; those of one phase stop together.
    phases: Vec<Vec<Process>>,
}

impl Stack {
    /// Starts everything and waits until all of it is healthy and every target is scraped.
    pub fn start(plan: Plan) -> Result<Self> {
        let mut stack = Self::start_service(plan)?;
        stack.start_exporters()?;
        stack.start_monitoring()?;
        stack.await_targets()?;
        Ok(stack)
    }

    /// Starts what answers users, and nothing that watches it.
    pub fn start_service(plan: Plan) -> Result<Self> {
        plan.ports.ensure_free()?;
        let logs = plan.folder.join("logs");
        paths::ensure(&logs)?;
        let password = lasting_password(&plan.folder)?;
        let mut stack = Self { plan, password, logs, phases: Vec::new() };
        stack.start_stores()?;
        stack.start_replicas()?;
        stack.start_edge()?;
        Ok(stack)
    }

    fn daemon(&self, name: impl Into<String>, program: &Path) -> Daemon {
        Daemon::new(name, program, &self.logs).env(MARK, &self.plan.folder)
    }

    fn data(&self, name: &str) -> Result<PathBuf> {
        let folder = self.plan.folder.join("data").join(name);
        paths::ensure(&folder)?;
        Ok(folder)
    }

    fn start_stores(&mut self) -> Result<()> {
        say("postgres, redis");
        let postgres_folder = stores::lasting_folder(&self.data("postgres")?)?;
        let redis_folder = self.data("redis")?;
        let place = |folder, port| Place { folder, logs: &self.logs, port, password: &self.password, durability: Durability::Durable };
        let ports = &self.plan.ports;
        let postgres = stores::postgres(&place(&postgres_folder, ports.of(Port::Postgres)?))?;
        let redis = stores::redis(&place(&redis_folder, ports.of(Port::Redis)?))?;
        let secrets = self.secrets();
        paths::write_secret(&secrets.join("database_url"), &postgres.url)?;
        paths::write_secret(&secrets.join("redis_url"), &redis.url)?;
        self.phases.push(vec![postgres.process, redis.process]);
        Ok(())
    }

    fn start_replicas(&mut self) -> Result<()> {
        say("replicas");
        // All start at once, as in compose; only then each is waited for.
        let mut replicas = (1..=self.plan.replicas).map(|number| self.launch_replica(number)).collect::<Result<Vec<_>>>()?;
        for (number, replica) in (1..).zip(&mut replicas) {
            self.await_replica(number, replica)?;
        }
        self.phases.push(replicas);
        Ok(())
    }

    fn launch_replica(&self, number: u16) -> Result<Process> {
        let (ports, secrets) = (&self.plan.ports, self.secrets());
        let name = format!("backend-{number}");
        let mut replica = self
            .daemon(&name, &self.plan.binary)
            .args(["serve"])
            .env("REPLICA", &name)
            .env("LISTEN_ADDRESS", ports.address(Port::Backend(number))?)
            .env("PUBLIC_URL", format!("http://localhost:{}", ports.of(Port::Edge)?))
            .env("DATABASE_URL_FILE", secrets.join("database_url"))
            .env("REDIS_URL_FILE", secrets.join("redis_url"))
            .grace(DRAIN_GRACE);
        if let Some(engine) = &self.plan.engine {
            replica = replica
                .env("ENVIRONMENT_DRIVER", "docker")
                .env(engine::HOST_VARIABLE, &engine.host)
                .env("ENVIRONMENT_NAMESPACE", engine::namespace(&self.plan.folder));
        }
        replica.start()
    }

    fn await_replica(&self, number: u16, replica: &mut Process) -> Result<()> {
        let ready = format!("{}/health/ready", self.plan.ports.url(Port::Backend(number))?);
        replica.wait_ready(START_LIMIT, || http::is_ok(&ready))
    }

    /// Ends a replica by a signal and starts another in its place; answers how the first ended.
    pub fn replace_replica(&mut self, number: u16, signal: Signal) -> Result<ExitStatus> {
        let status = self.replica(number)?.end(signal)?;
        let mut successor = self.launch_replica(number)?;
        self.await_replica(number, &mut successor)?;
        *self.replica(number)? = successor;
        Ok(status)
    }

    fn replica(&mut self, number: u16) -> Result<&mut Process> {
        let name = format!("backend-{number}");
        self.phases.iter_mut().flatten().find(|process| process.name == name).with_context(|| format!("there is no {name}"))
    }

    /// The edge's address.
    pub fn edge(&self) -> Result<String> {
        self.plan.ports.url(Port::Edge)
    }

    fn start_edge(&mut self) -> Result<()> {
        say("caddy");
        let ports = &self.plan.ports;
        let upstreams = (1..=self.plan.replicas).map(|number| ports.address(Port::Backend(number))).collect::<Result<Vec<_>>>()?;
        let data = self.data("caddy")?;
        let mut caddy = self
            .daemon("caddy", &CADDY.path()?)
            .args(["run", "--adapter", "caddyfile", "--config"])
            .args([paths::root().join("Caddyfile")])
            .env("XDG_DATA_HOME", &data)
            .env("XDG_CONFIG_HOME", &data)
            .env("EDGE_BIND", "127.0.0.1")
            .env("EDGE_HTTP_PORT", ports.of(Port::Edge)?.to_string())
            .env("EDGE_HTTPS_PORT", ports.of(Port::EdgeTls)?.to_string())
            .env("CADDY_METRICS", ports.address(Port::CaddyMetrics)?)
            .env("CADDY_ADMIN", ports.address(Port::CaddyAdmin)?)
            .env("UPSTREAMS", upstreams.join(" "))
            // Above the Caddyfile's own grace period.
            .grace(Duration::from_secs(20))
            .start()?;
        let health = format!("{}/health", ports.url(Port::Edge)?);
        caddy.wait_ready(START_LIMIT, || http::is_ok(&health))?;
        self.phases.push(vec![caddy]);
        Ok(())
    }

    fn start_exporters(&mut self) -> Result<()> {
        say("exporters, mail sink");
        let ports = &self.plan.ports;
        let listen = |port| Ok::<_, anyhow::Error>(format!("--web.listen-address={}", ports.address(port)?));
        let postgres = format!("postgres://vitrine:{}@{}/vitrine?sslmode=disable", self.password, ports.address(Port::Postgres)?);
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
                self.daemon("node-exporter", &NODE_EXPORTER.path()?).args([listen(Port::NodeExporter)?]).start()?,
                format!("{}/metrics", ports.url(Port::NodeExporter)?),
            ),
            (
                self.daemon("maildev", &MAILDEV.path()?)
                    .args(["--ip", "127.0.0.1", "--web-ip", "127.0.0.1"])
                    .args(["--smtp".into(), ports.of(Port::MailSmtp)?.to_string()])
                    .args(["--web".into(), ports.of(Port::MailPage)?.to_string()])
                    .start()?,
                format!("{}/healthz", ports.url(Port::MailPage)?),
            ),
        ];
        for (process, url) in &mut exporters {
            process.wait_ready(START_LIMIT, || http::is_ok(url))?;
        }
        self.phases.push(exporters.into_iter().map(|(process, _)| process).collect());
        Ok(())
    }

    fn start_monitoring(&mut self) -> Result<()> {
        say("alertmanager, prometheus");
        let ports = &self.plan.ports;
        let grafana = GRAFANA.find();
        let config = self.plan.folder.join("config");
        configuration::write(&config, ports, self.plan.replicas, grafana.is_some())?;

        let url = ports.url(Port::Alertmanager)?;
        let mut alertmanager = self
            .daemon("alertmanager", &ALERTMANAGER.path()?)
            .args([
                format!("--config.file={}", config.join("alertmanager/alertmanager.yml").display()),
                format!("--storage.path={}", self.data("alertmanager")?.display()),
                format!("--web.listen-address={}", ports.address(Port::Alertmanager)?),
                format!("--web.external-url=http://localhost:{}", ports.of(Port::Alertmanager)?),
                // One instance has no peers to gossip with.
                "--cluster.listen-address=".to_owned(),
            ])
            .start()?;
        alertmanager.wait_ready(START_LIMIT, || http::is_ok(&format!("{url}/-/ready")))?;

        let url = ports.url(Port::Prometheus)?;
        let mut prometheus = self
            .daemon("prometheus", &PROMETHEUS.path()?)
            .args([
                format!("--config.file={}", config.join("prometheus/prometheus.yml").display()),
                format!("--storage.tsdb.path={}", self.data("prometheus")?.display()),
                "--storage.tsdb.retention.time=30d".to_owned(),
                "--storage.tsdb.retention.size=5GB".to_owned(),
                format!("--web.listen-address={}", ports.address(Port::Prometheus)?),
                format!("--web.external-url=http://localhost:{}", ports.of(Port::Prometheus)?),
                "--web.enable-remote-write-receiver".to_owned(),
                "--web.enable-lifecycle".to_owned(),
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
        let config = self.plan.folder.join("config/grafana");
        let url = self.plan.ports.url(Port::Grafana)?;
        let mut grafana = self
            .daemon("grafana", program)
            .args(["server", "--homepath", "/usr/share/grafana"])
            .env("GF_SERVER_HTTP_ADDR", "127.0.0.1")
            .env("GF_SERVER_HTTP_PORT", self.plan.ports.of(Port::Grafana)?.to_string())
            .env("GF_PATHS_DATA", self.data("grafana")?)
            .env("GF_PATHS_PROVISIONING", config.join("provisioning"))
            .env("GF_SECURITY_ADMIN_PASSWORD", &self.password)
            .env("GF_AUTH_ANONYMOUS_ENABLED", "true")
            .env("GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH", config.join("dashboards/overview.json"))
            .env("GF_ANALYTICS_REPORTING_ENABLED", "false")
            .env("GF_ANALYTICS_CHECK_FOR_UPDATES", "false")
            .start()?;
        grafana.wait_ready(START_LIMIT, || http::is_ok(&format!("{url}/api/health")))?;
        self.phases.push(vec![grafana]);
        Ok(())
    }

    fn await_targets(&mut self) -> Result<()> {
        say("every target is scraped");
        let url = self.plan.ports.url(Port::Prometheus)?;
        let mut missing = String::new();
        let waited = wait_until("every target UP", SCRAPE_LIMIT, || {
            self.check()?;
            let targets = targets(&url)?;
            let down = targets.iter().filter(|target| !target.up);
            missing = down.map(Target::to_string).collect::<Vec<_>>().join("\n");
            // It knows of none at first.
            Ok(!targets.is_empty() && missing.is_empty())
        });
        if let Err(error) = waited {
            bail!("{error}\n{missing}");
        }
        Ok(())
    }

    /// Fails when any of its processes has ended.
    pub fn check(&mut self) -> Result<()> {
        self.phases.iter_mut().flatten().try_for_each(Process::check)
    }

    /// Where its secrets lie.
    fn secrets(&self) -> PathBuf {
        secrets_of(&self.plan.folder)
    }

    /// The URLs and credentials, one a line.
    pub fn table(&self) -> Result<String> {
        let ports = &self.plan.ports;
        let local = |port| Ok::<_, anyhow::Error>(format!("http://localhost:{}", ports.of(port)?));
        let mut rows = vec![
            ("Vitrine", local(Port::Edge)?),
            ("API documentation", format!("{}/api/docs", local(Port::Edge)?)),
            ("Prometheus", local(Port::Prometheus)?),
            ("Alertmanager", local(Port::Alertmanager)?),
            ("Mail sink", local(Port::MailPage)?),
        ];
        if GRAFANA.find().is_some() {
            let login = format!("{}  (admin, {})", local(Port::Grafana)?, self.password);
            rows.push(("Grafana", login));
        }
        for number in 1..=self.plan.replicas {
            rows.push(("Replica", ports.url(Port::Backend(number))?));
        }
        for (name, file) in [("Postgres", "database_url"), ("Redis", "redis_url")] {
            rows.push((name, fs::read_to_string(self.secrets().join(file))?));
        }
        let environments = self.plan.engine.as_ref().map_or_else(
            || "simulated".to_owned(),
            |engine| format!("Docker Engine {}, containers {}-*", engine.version, engine::namespace(&self.plan.folder)),
        );
        rows.push(("Environments", environments));
        rows.push(("Logs", self.logs.display().to_string()));
        let lines: Vec<String> = rows.iter().map(|(name, place)| format!("{name:18} {place}\n")).collect();
        Ok(lines.concat())
    }
}

impl Drop for Stack {
    /// Last started, first stopped: nobody scrapes what leaves, the edge closes before the replicas
    /// drain, and the stores go when nobody needs them any more.
    fn drop(&mut self) {
        while let Some(phase) = self.phases.pop() {
            phase.iter().for_each(Process::ask_to_stop);
            drop(phase);
        }
        // After the replicas, which could start another.
        if let Some(engine) = &self.plan.engine
            && let Err(error) = engine.stop(&engine::namespace(&self.plan.folder))
        {
            eprintln!("environments may still run: {error:#}");
        }
    }
}

/// What Prometheus scrapes.
pub struct Target {
    /// Its job.
    pub job: String,
    /// Its address.
    pub url: String,
    /// Whether the last scrape worked.
    pub up: bool,
    /// Why not.
    pub error: String,
}

impl Display for Target {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        write!(out, "{} {}: {}", self.job, self.url, self.error)
    }
}

/// All targets of the Prometheus at `url`.
pub fn targets(url: &str) -> Result<Vec<Target>> {
    let answer = http::get(&format!("{url}/api/v1/targets?state=active"))?.json()?;
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let targets = answer["data"]["activeTargets"].as_array().context("Prometheus answered no list of targets")?;
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

fn secrets_of(folder: &Path) -> PathBuf {
    folder.join("secrets")
}

/// The password of this stack's stores, which lasts as long as their data.
fn lasting_password(folder: &Path) -> Result<String> {
    let secrets = secrets_of(folder);
    paths::ensure(&secrets)?;
    let file = secrets.join("password");
    if let Ok(password) = fs::read_to_string(&file) {
        return Ok(password);
    }
    let password = paths::random_password()?;
    paths::write_secret(&file, &password)?;
    Ok(password)
}

fn say(what: &str) {
    eprintln!("waiting for: {what}");
}
