//! An environment driver, which tests call through the service's `Engine`. Each test has a namespace of its own; after the test, the
//! containers of the namespace are removed.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use bollard::API_DEFAULT_VERSION;
use bollard::query_parameters::{ListContainersOptions, RemoveContainerOptions};
use futures_util::StreamExt;
use time::OffsetDateTime;
use uuid::Uuid;
use vitrine::config::Config;
use vitrine::db::Db;
use vitrine::domain::DriverName;
use vitrine::features::environments::driver::{
    Container, ContainerState, Docker, Driver, DriverError, Engine, Exit, Image, Line, Lines, Program, Script, Sim, Terminal, TerminalSize,
};
use vitrine::metrics::exporter::Exporter;
use vitrine::telemetry;

use super::app::configuration;
use super::engine::{FakeEngine, Mode};
use super::{Scrape, Stores, eventually};

/// Long enough for any call to succeed on a busy machine.
const TIMEOUT: Duration = Duration::from_secs(30);
/// Arguments: no simulated latency or failures, and long time limits, because other tests may keep the database busy.
const QUICK: [&str; 6] = [
    // At this level, the docker driver logs the engine's error messages.
    "--log=info",
    "--sim-latency=0s",
    "--sim-failure-rate=0",
    "--sim-lines-per-second=200",
    "--database-acquire-timeout=20s",
    "--database-statement-timeout=20s",
];
/// The image that every engine under test has.
pub const IMAGE: Image = Image::Busybox;

/// A driver and its metrics.
pub struct DriverFixture {
    pub engine: Engine,
    exporter: Exporter,
    config: Config,
    stores: Stores,
    /// The database of the simulated driver's containers.
    db: Option<Db>,
    _made: Option<Namespace>,
}

impl DriverFixture {
    /// The simulated driver, fast and without failures.
    pub async fn sim() -> Self {
        Self::new(&["--environment-driver=sim"]).await
    }

    /// The docker driver for the engine at `DOCKER_HOST`; `None` if the variable is not set.
    pub async fn docker() -> Option<Self> {
        if has_engine() { Some(Self::new(&["--environment-driver=docker"]).await) } else { None }
    }

    /// The docker driver for a fake engine.
    pub async fn before(engine: &FakeEngine) -> Self {
        Self::new(&["--environment-driver=docker", &format!("--docker-host={}", engine.host())]).await
    }

    async fn new(arguments: &[&str]) -> Self {
        Self::on(Stores::new().await, arguments).await
    }

    async fn on(stores: Stores, arguments: &[&str]) -> Self {
        let namespace = format!("--environment-namespace=test-{}", &Uuid::new_v4().simple().to_string()[..12]);
        let config = configuration(&stores, &[&QUICK, arguments, &[&namespace]].concat());
        telemetry::init(&config);
        let exporter = Exporter::default();
        let (mut db, mut made) = (None, None);
        match config.environment_driver {
            DriverName::Sim => {
                let migrated = Db::new(&config, exporter.metrics()).unwrap();
                migrated.migrate(|_| ()).await.unwrap();
                db = Some(migrated);
            }
            DriverName::Docker => made = Namespace::of(&config),
        }
        let engine = Engine::new(driver(&config, db.as_ref()), TIMEOUT, exporter.metrics());
        Self { engine, exporter, config, stores, db, _made: made }
    }

    /// A second driver of the same namespace, as on another replica. Both drivers share their metrics.
    pub fn replica(&self) -> Engine {
        self.engine(&self.config, TIMEOUT)
    }

    /// A driver that never responds, with this time limit for calls. It shares the metrics of this fixture.
    pub async fn silent(&self, timeout: Duration) -> (Engine, FakeEngine) {
        let fake = FakeEngine::start(Mode::Hang).await;
        let docker_host = fake.host().parse().unwrap();
        let config = Config { sim_latency: Duration::from_hours(1), docker_host, ..self.config.clone() };
        (self.engine(&config, timeout), fake)
    }

    fn engine(&self, config: &Config, timeout: Duration) -> Engine {
        Engine::new(driver(config, self.db.as_ref()), timeout, self.exporter.metrics())
    }

    /// The same kind of driver in another namespace.
    pub async fn neighbour(&self) -> Self {
        let driver = format!("--environment-driver={}", self.config.environment_driver.name());
        let host = format!("--docker-host={}", self.config.docker_host);
        Self::on(self.stores.clone(), &[&driver, &host]).await
    }

    pub fn namespace(&self) -> &str {
        &self.config.environment_namespace
    }

    /// Creates an environment's container without starting it.
    pub async fn created(&self) -> Uuid {
        let environment = Uuid::now_v7();
        self.engine.create(environment, IMAGE).await.unwrap();
        environment
    }

    /// Creates and starts an environment's container.
    pub async fn running(&self) -> Uuid {
        let environment = self.created().await;
        self.start(environment).await;
        environment
    }

    /// Starts a stopped container and waits until its program runs.
    pub async fn start(&self, environment: Uuid) {
        let since = OffsetDateTime::now_utc();
        self.engine.start(environment).await.unwrap();
        self.until_ready(environment, since).await;
    }

    /// Waits until the container has written a line after `since`. Before its first line, the program might not handle signals yet.
    pub async fn until_ready(&self, environment: Uuid, since: OffsetDateTime) {
        take(&mut self.lines(environment, since).await, 1).await;
    }

    pub async fn state(&self, environment: Uuid) -> Option<ContainerState> {
        self.engine.inspect(environment).await.unwrap().map(|container| container.state)
    }

    /// All containers of the namespace, sorted by environment.
    pub async fn listed(&self) -> Vec<Container> {
        let mut containers = self.engine.list().await.unwrap();
        containers.sort_by_key(|container| container.environment);
        containers
    }

    pub async fn lines(&self, environment: Uuid, since: OffsetDateTime) -> Lines {
        self.engine.logs(environment, since).await.unwrap()
    }

    pub async fn exec(&self, environment: Uuid, text: &'static str) -> Result<Exit, DriverError> {
        self.engine.exec(environment, &Script { requires: None, text }).await
    }

    /// A terminal of 80 columns and 24 rows.
    pub async fn terminal(&self, environment: Uuid, program: Program) -> Result<Terminal, DriverError> {
        self.engine.terminal(environment, program, TerminalSize::new(80, 24).unwrap()).await
    }

    /// A client of the engine that bypasses the driver.
    pub fn client(&self) -> bollard::Docker {
        client(self.config.docker_host.path())
    }

    pub fn scrape(&self) -> Scrape {
        Scrape::parse(&self.exporter.render())
    }

    /// The growth of `docker_operations_total` since `before`, with keys such as `create success`. Asserts that each operation has as many
    /// measured durations as counted calls.
    pub fn calls_since(&self, before: &Scrape) -> BTreeMap<String, f64> {
        let now = self.scrape();
        let driver = self.config.environment_driver.name();
        let mut calls = BTreeMap::new();
        let mut measured = BTreeMap::new();
        for (labels, growth) in now.grown(before, "docker_operations_total") {
            let value = |key: &str| labels.split(',').find_map(|pair| pair.strip_prefix(key)).unwrap().to_owned();
            assert_eq!(value("driver="), driver);
            *measured.entry(format!("driver={driver},operation={}", value("operation="))).or_default() += growth;
            calls.insert(format!("{} {}", value("operation="), value("status=")), growth);
        }
        assert_eq!(now.grown(before, "docker_operation_duration_seconds_count"), measured);
        calls
    }
}

/// Whether `DOCKER_HOST` names an engine to test with; prints a line if it does not.
pub fn has_engine() -> bool {
    let has = std::env::var_os("DOCKER_HOST").is_some();
    if !has {
        eprintln!("SKIPPED: DOCKER_HOST is not set: the docker driver is NOT tested");
    }
    has
}

/// The next `count` lines.
pub async fn take(lines: &mut Lines, count: usize) -> Vec<Line> {
    let taken = lines.take(count).map(Result::unwrap).collect::<Vec<_>>();
    let taken = tokio::time::timeout(TIMEOUT, taken).await.expect("the lines did not arrive");
    assert_eq!(taken.len(), count, "the log ended early");
    taken
}

/// Every line up to the end of the log.
pub async fn to_end(lines: Lines) -> Vec<Line> {
    tokio::time::timeout(TIMEOUT, lines.map(Result::unwrap).collect()).await.expect("the log did not end")
}

fn driver(config: &Config, db: Option<&Db>) -> Box<dyn Driver> {
    match db {
        Some(db) => Box::new(Sim::new(config, db.clone())),
        None => Box::new(Docker::new(config).unwrap()),
    }
}

/// Everything that the docker driver has created in a namespace; removed on drop, even when the test fails.
pub struct Namespace {
    name: String,
    socket: String,
}

impl Namespace {
    /// `None` for an engine other than the one at `DOCKER_HOST`: a fake engine needs no clean-up.
    pub fn of(config: &Config) -> Option<Self> {
        let is_real = std::env::var("DOCKER_HOST").is_ok_and(|host| host == config.docker_host.as_str());
        is_real.then(|| Self { name: config.environment_namespace.clone(), socket: config.docker_host.path().to_owned() })
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    async fn remove(&self) {
        let client = client(&self.socket);
        let filters = Some(HashMap::from([("label".to_owned(), vec![format!("vitrine.namespace={}", self.name)])]));
        let options = ListContainersOptions { all: true, filters, ..ListContainersOptions::default() };
        eventually("the engine is clean", async || {
            for container in client.list_containers(Some(options.clone())).await.ok()? {
                let options = RemoveContainerOptions { force: true, v: true, link: false };
                client.remove_container(&container.id?, Some(options)).await.ok()?;
            }
            match client.remove_network(&format!("{}-environments", self.name)).await {
                Err(bollard::errors::Error::DockerResponseServerError { status_code: 404, .. }) => Some(()),
                _ => None,
            }
        })
        .await;
    }
}

impl Drop for Namespace {
    /// Runs in a new runtime on a thread of its own: `drop` cannot await, Tokio forbids `block_on` on a thread of the test's runtime, and
    /// that runtime may already be shutting down.
    fn drop(&mut self) {
        std::thread::scope(|scope| {
            let removed = scope.spawn(|| {
                tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(self.remove());
            });
            assert!(removed.join().is_ok() || std::thread::panicking(), "failed to remove the containers of {}", self.name);
        });
    }
}

fn client(socket: &str) -> bollard::Docker {
    bollard::Docker::connect_with_unix(socket, 60, API_DEFAULT_VERSION).unwrap()
}
