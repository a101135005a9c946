//! The whole stack as local processes: programs, arguments, start order and health checks. `ports` assigns the ports and `configuration`
//! writes the configuration. `stack/scope` selects a part of the stack, `stack/edge` runs the edge, `stack/monitoring` the monitoring,
//! `stack/tracing` the collector and the store of traces. `stack/controls` controls a running stack, `stack/table` lists its addresses, and
//! `stack/demo` adds demo projects and traffic.

mod controls;
mod demo;
mod edge;
mod monitoring;
mod scope;
mod table;
mod tracing;

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};
use rustix::process::Signal;

use crate::configuration;
use crate::engine::{self, Engine};
use crate::form::Form;
use crate::http;
use crate::paths;
use crate::ports::{Port, Ports};
use crate::process::{Daemon, Process};
use crate::settings::Settings;
use crate::stores::{self, Durability, StorePlan};
use crate::tools::{GRAFANA, MAILDEV};

pub use demo::Demo;
pub use monitoring::{alertmanager, all_up, mail_sink, runbooks};
pub use scope::{PROGRAMS, SLOT, Scope};
pub use tracing::{collector, settings as tracing_settings};

/// The environment variable that marks the processes of a stack with the stack's folder. Postgres and Redis do not have it.
pub const MARK: &str = "VITRINE_STACK";
const START_LIMIT: Duration = Duration::from_mins(1);
/// Longer than the application's `DRAIN_DELAY` and `DRAIN_TIMEOUT` together.
const DRAIN_GRACE: Duration = Duration::from_secs(40);

/// The file of the token that replicas require of scrapers.
const METRICS_TOKEN: &str = "metrics_token";

/// The ports of `up`; Grafana has one only if it is installed.
pub fn fixed_ports(replicas: u16) -> Result<Ports> {
    let ports = Ports::configured(replicas, &Settings::of_checkout()?)?;
    Ok(installed(ports))
}

fn installed(ports: Ports) -> Ports {
    if GRAFANA.find().is_some() { ports } else { ports.without(Port::Grafana) }
}

/// The parameters of a stack.
pub struct Plan {
    /// The folder of the stack's data, logs and generated configuration.
    pub folder: PathBuf,
    /// The stack's ports and form.
    pub ports: Ports,
    /// The number of replicas.
    pub replicas: u16,
    /// The application's binary.
    pub binary: PathBuf,
    /// The engine for environments; without one they are simulated.
    pub engine: Option<Engine>,
    /// The application's variables that differ from those of `up`.
    pub settings: Vec<(String, String)>,
}

/// A running stack, or a part of one; dropping it stops it.
pub struct Stack {
    plan: Plan,
    scope: Scope,
    password: String,
    logs: PathBuf,
    /// In start order; the processes of one phase stop together.
    phases: Vec<Vec<Process>>,
}

impl Stack {
    /// Starts all processes and waits until all of them are healthy and every target has been scraped.
    pub fn start(plan: Plan) -> Result<Self> {
        Self::start_at(plan, 1)
    }

    /// As [`Self::start`], with the monitoring's intervals and waits divided by `speed`.
    pub fn start_at(plan: Plan, speed: u32) -> Result<Self> {
        Self::start_parts(plan, Scope::Whole, speed)
    }

    /// Starts the processes that serve users, without the monitoring.
    pub fn start_service(plan: Plan) -> Result<Self> {
        Self::start_only(plan, Scope::Service)
    }

    /// Starts the processes of this extent.
    pub fn start_only(plan: Plan, scope: Scope) -> Result<Self> {
        Self::start_parts(plan, scope, 1)
    }

    fn start_parts(plan: Plan, scope: Scope, speed: u32) -> Result<Self> {
        let plan = Plan { ports: installed(plan.ports), ..plan };
        plan.ports.ensure_free_if(|port| scope.has(port))?;
        let logs = plan.folder.join("logs");
        paths::ensure(&logs)?;
        let password = lasting(&plan.folder, "password", paths::random_password)?;
        let mut stack = Self { plan, scope, password, logs, phases: Vec::new() };
        if scope.has_stores() {
            stack.start_stores()?;
        }
        if scope.has_mail_sink() {
            stack.start_mail_sink()?;
        }
        if scope.has_service() {
            stack.start_platforms()?;
            if stack.plan.ports.has_tracing() {
                stack.start_tracing()?;
            }
            stack.start_replicas()?;
        }
        if scope.has_edge() {
            stack.start_edge()?;
        }
        if scope.has_exporters() {
            stack.start_exporters()?;
            stack.start_runbooks()?;
        }
        if scope.has_monitoring() {
            stack.start_monitoring(speed)?;
        }
        // Without the service, some targets are down.
        if scope == Scope::Whole {
            stack.await_targets()?;
        }
        Ok(stack)
    }

    fn daemon(&self, name: impl Into<String>, program: &Path) -> Daemon {
        Daemon::new(name, program, &self.logs).env(MARK, &self.plan.folder)
    }

    /// As [`Self::daemon`], for a program with its own stop signal.
    fn daemon_stopped_by(&self, name: &str, program: &Path, stop: Signal) -> Daemon {
        Daemon::stopped_by(name, program, &self.logs, None, stop).env(MARK, &self.plan.folder)
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
        let postgres = stores::postgres(&self.store_plan(&postgres_folder, Port::Postgres)?)?;
        let redis = stores::redis(&self.store_plan(&redis_folder, Port::Redis)?)?;
        let secrets = self.secrets();
        paths::write_secret(&secrets.join("database_url"), &postgres.url)?;
        paths::write_secret(&secrets.join("redis_url"), &redis.url)?;
        self.phases.push(vec![postgres.process, redis.process]);
        Ok(())
    }

    fn store_plan<'a>(&'a self, folder: &'a Path, port: Port) -> Result<StorePlan<'a>> {
        let port = self.plan.ports.of(port)?;
        Ok(StorePlan { folder, logs: &self.logs, port, password: &self.password, durability: Durability::Durable })
    }

    fn start_platforms(&mut self) -> Result<()> {
        say("simulated platforms");
        lasting(&self.plan.folder, "token_keys", paths::random_key)?;
        lasting(&self.plan.folder, "provider_sim_client_secret", paths::random_password)?;
        configuration::write_platforms(&self.config(), &self.plan.ports, &self.secrets())?;
        let platforms = self.launch_platforms()?;
        self.phases.push(vec![platforms]);
        Ok(())
    }

    fn launch_platforms(&self) -> Result<Process> {
        let ports = &self.plan.ports;
        let mut platforms = self
            .daemon("provider-sim", &self.plan.binary.with_file_name("provider-sim"))
            .env("LISTEN_ADDRESS", ports.address(Port::ProviderSim)?)
            .env("PUBLIC_URL", ports.page(Port::ProviderSim)?)
            .env("CLIENT_SECRET_FILE", self.secrets().join("provider_sim_client_secret"))
            .env("CALLBACK_BASE", format!("{}/api/oauth", ports.page(Port::Edge)?))
            .start()?;
        let health = format!("{}/health", ports.url(Port::ProviderSim)?);
        platforms.wait_ready(START_LIMIT, || http::is_ok(&health))?;
        Ok(platforms)
    }

    fn start_replicas(&mut self) -> Result<()> {
        say("replicas");
        if self.plan.ports.form() == Form::Production {
            self.metrics_token()?;
        }
        // Starts all replicas simultaneously, as compose does, and then waits for them.
        let mut replicas = (1..=self.plan.replicas).map(|number| self.launch_replica(number, &[])).collect::<Result<Vec<_>>>()?;
        for (number, replica) in (1..).zip(&mut replicas) {
            self.await_replica(number, replica)?;
        }
        self.phases.push(replicas);
        Ok(())
    }

    fn launch_replica(&self, number: u16, settings: &[(&str, &str)]) -> Result<Process> {
        let (ports, secrets) = (&self.plan.ports, self.secrets());
        let name = format!("backend-{number}");
        let mut replica = self
            .daemon(&name, &self.plan.binary)
            .args(["serve"])
            .env("REPLICA", &name)
            .env("LISTEN_ADDRESS", ports.address(Port::Backend(number))?)
            .env("PUBLIC_URL", ports.page(Port::Edge)?)
            .env("DATABASE_URL_FILE", secrets.join("database_url"))
            .env("REDIS_URL_FILE", secrets.join("redis_url"))
            .env("PLATFORMS_FILE", self.config().join("platforms/simulated.toml"))
            .env("TOKEN_KEYS_FILE", secrets.join("token_keys"))
            .grace(DRAIN_GRACE);
        for (name, page) in ports.tools()? {
            replica = replica.env(name, page);
        }
        if ports.form() == Form::Production {
            replica = replica.env("ENVIRONMENT", "production").env("METRICS_TOKEN_FILE", secrets.join(METRICS_TOKEN));
        }
        for (name, value) in self.tracing_of_replicas()? {
            replica = replica.env(name, value);
        }
        for (name, value) in &self.plan.settings {
            replica = replica.env(name, value);
        }
        for (name, value) in settings {
            replica = replica.env(name, value);
        }
        if MAILDEV.find().is_some() {
            replica = replica.env("SMTP_URL", format!("smtp://{}", ports.address(Port::MailSmtp)?));
        }
        if let Some(engine) = &self.plan.engine {
            replica = replica
                .env("ENVIRONMENT_DRIVER", "docker")
                .env(engine::HOST_VARIABLE, &engine.host)
                .env("ENVIRONMENT_NAMESPACE", engine::namespace(&self.plan.folder));
        }
        replica.start()
    }

    /// The token that replicas of the production form require at `/metrics`.
    pub fn metrics_token(&self) -> Result<String> {
        lasting(&self.plan.folder, METRICS_TOKEN, paths::random_password)
    }

    fn await_replica(&self, number: u16, replica: &mut Process) -> Result<()> {
        let ready = format!("{}/health/ready", self.plan.ports.url(Port::Backend(number))?);
        replica.wait_ready(START_LIMIT, || http::is_ok(&ready))
    }

    /// The edge's address.
    pub fn edge(&self) -> Result<String> {
        self.plan.ports.url(Port::Edge)
    }

    /// The stack's ports.
    #[must_use]
    pub fn ports(&self) -> &Ports {
        &self.plan.ports
    }

    /// A replica's own URL.
    pub fn backend(&self, number: u16) -> Result<String> {
        self.plan.ports.url(Port::Backend(number))
    }

    /// Fails when any process of the stack has exited.
    pub fn check(&mut self) -> Result<()> {
        self.phases.iter_mut().flatten().try_for_each(Process::check)
    }

    /// The folder of the stack's secrets.
    fn secrets(&self) -> PathBuf {
        secrets_of(&self.plan.folder)
    }

    /// The folder of the stack's generated configuration.
    fn config(&self) -> PathBuf {
        self.plan.folder.join("config")
    }
}

impl Drop for Stack {
    /// Stops the phases in reverse start order: the demo traffic stops first, then the monitoring. The edge stops before the replicas
    /// drain, and the stores stop last.
    fn drop(&mut self) {
        while let Some(phase) = self.phases.pop() {
            phase.iter().for_each(Process::ask_to_stop);
            drop(phase);
        }
        // Environments stop after the replicas, because a running replica could start another environment.
        if let Some(engine) = &self.plan.engine
            && let Err(error) = engine.stop(&engine::namespace(&self.plan.folder))
        {
            eprintln!("failed to stop environments, some may still run: {error:#}");
        }
    }
}

fn secrets_of(folder: &Path) -> PathBuf {
    folder.join("secrets")
}

/// A secret of this stack. The first start creates it in a file; later starts read the file.
fn lasting(folder: &Path, name: &str, make: fn() -> Result<String>) -> Result<String> {
    let secrets = secrets_of(folder);
    paths::ensure(&secrets)?;
    let file = secrets.join(name);
    match fs::read_to_string(&file) {
        Err(error) if error.kind() == ErrorKind::NotFound => {
            let secret = make()?;
            paths::write_secret(&file, &secret)?;
            Ok(secret)
        }
        read => read.with_context(|| format!("failed to read {}", file.display())),
    }
}

fn say(what: &str) {
    eprintln!("waiting for: {what}");
}
