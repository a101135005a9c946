//! Environments that write logs, and replicas that follow them.

use std::ops::RangeInclusive;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::StreamExt;
use time::OffsetDateTime;
use tokio_util::task::AbortOnDropHandle;
use uuid::Uuid;
use vitrine::cache::RedisClient;
use vitrine::config::Config;
use vitrine::db::Db;
use vitrine::domain::LogStream;
use vitrine::fault_injection::FaultInjector;
use vitrine::features::environments::driver::{Engine, Image, Line, Sim};
use vitrine::features::environments::logs::{Follower, Live};
use vitrine::metrics::exporter::Exporter;
use vitrine::realtime::Realtime;

use super::app::{configuration, through};
use super::{Mode, Proxy, Scrape, Stores, eventually, when};

/// Environments whose lines can be read independently of any follower.
pub struct Fixture {
    pub stores: Stores,
    arguments: Vec<String>,
    pub db: Db,
    pub engine: Engine,
    pub environments: Vec<Uuid>,
}

/// A replica that only follows logs.
pub struct Replica {
    exporter: Exporter,
    /// The live logs of this replica.
    pub live: Live,
    pub follower: Follower,
    /// Environments whose output ended although their status is running: one entry per report of the follower.
    pub ended: Arc<Mutex<Vec<Uuid>>>,
    pub following: AbortOnDropHandle<()>,
    _hearing: AbortOnDropHandle<()>,
}

/// A line without its time.
pub type Text = (LogStream, String);

impl Fixture {
    /// Creates running environments, each of which writes this many lines per second.
    pub async fn new(environments: usize, lines_per_second: u32, arguments: &[&str]) -> Self {
        let stores = Stores::new().await;
        let sim = ["--sim-latency=0s".to_owned(), "--sim-failure-rate=0".to_owned(), format!("--sim-lines-per-second={lines_per_second}")];
        // Keeps all lines, because they are compared at the end. On a busy machine, a test may write more lines than the default limit.
        let keeps_all = !arguments.iter().any(|argument| argument.starts_with("--log-lines-kept="));
        let kept = keeps_all.then(|| "--log-lines-kept=10000000".to_owned());
        let given = arguments.iter().map(|argument| (*argument).to_owned());
        let arguments: Vec<String> = sim.into_iter().chain(kept).chain(given).collect();
        let (mut config, exporter) = (configured(&stores, &arguments), Exporter::default());
        // Only the fixture waits this long for a connection, so that its statements do not fail on a busy machine. The replicas keep their
        // limit, because outages are tested on them.
        config.database_acquire_timeout = Duration::from_secs(30);
        let db = Db::new(&config, exporter.metrics()).unwrap();
        db.migrate(|_| ()).await.unwrap();
        let engine = engine(&config, &db, &exporter);
        let (user, project) = (Uuid::now_v7(), Uuid::now_v7());
        sqlx::query("INSERT INTO users (id, email, display_name) VALUES ($1, 'ada@example.com', 'Ada')")
            .bind(user)
            .execute(stores.pool())
            .await
            .unwrap();
        sqlx::query("INSERT INTO projects (id, owner_id, name, slug, description, visibility) VALUES ($1, $2, 'P', 'p', '', 'private')")
            .bind(project)
            .bind(user)
            .execute(stores.pool())
            .await
            .unwrap();
        let mut stage = Self { stores, arguments, db, engine, environments: Vec::new() };
        for number in 0..environments {
            stage.add(user, project, number).await;
        }
        stage
    }

    async fn add(&mut self, user: Uuid, project: Uuid, number: usize) {
        let environment = Uuid::now_v7();
        sqlx::query(
            "INSERT INTO environments (id, project_id, created_by, name, image, driver, status) VALUES ($1, $2, $3, $4, 'busybox:1.37', 'sim', 'stopped')",
        )
        .bind(environment)
        .bind(project)
        .bind(user)
        .bind(format!("number {number}"))
        .execute(self.stores.pool())
        .await
        .unwrap();
        let stream = "INSERT INTO log_streams (environment_id) VALUES ($1)";
        sqlx::query(stream).bind(environment).execute(self.stores.pool()).await.unwrap();
        self.engine.create(environment, Image::Busybox).await.unwrap();
        self.start(environment).await;
        self.environments.push(environment);
    }

    pub fn environment(&self) -> Uuid {
        self.environments[0]
    }

    pub async fn start(&self, environment: Uuid) {
        self.engine.start(environment).await.unwrap();
        self.set_status(environment, "running").await;
    }

    /// Stops an environment as a job does: sets its status before it stops the container.
    pub async fn stop(&self, environment: Uuid) {
        self.set_status(environment, "stopping").await;
        self.engine.stop(environment).await.unwrap();
        self.set_status(environment, "stopped").await;
    }

    pub async fn set_status(&self, environment: Uuid, status: &str) {
        let update = "UPDATE environments SET status = $2 WHERE id = $1";
        sqlx::query(update).bind(environment).bind(status).execute(self.stores.pool()).await.unwrap();
    }

    /// Starts another replica; its arguments override those of the fixture.
    pub fn replica(&self, arguments: &[&str]) -> Replica {
        let name = |argument: &str| argument.split('=').next().map(str::to_owned);
        let is_given = |standard: &String| arguments.iter().any(|argument| name(argument) == name(standard));
        let standard = self.arguments.iter().filter(|standard| !is_given(standard)).cloned();
        let arguments: Vec<String> = standard.chain(arguments.iter().map(|argument| (*argument).to_owned())).collect();
        let (config, exporter) = (Arc::new(configured(&self.stores, &arguments)), Exporter::default());
        let db = Db::new(&config, exporter.metrics()).unwrap();
        let engine = engine(&config, &db, &exporter);
        let ended: Arc<Mutex<Vec<Uuid>>> = Arc::default();
        let ends = ended.clone();
        let (live, on_end) = (Live::new(db.for_background()), move |environment| ends.lock().unwrap().push(environment));
        let realtime =
            Realtime::new(&config, RedisClient::new(&config, exporter.metrics()).unwrap(), FaultInjector::default(), exporter.metrics())
                .unwrap();
        let follower = Follower::new(db, engine, &config, on_end, realtime.clone(), exporter.metrics());
        let receiving = AbortOnDropHandle::new(tokio::spawn(live.clone().receive_signals(realtime)));
        let following = AbortOnDropHandle::new(tokio::spawn(follower.clone().follow()));
        Replica { exporter, live, follower, ended, following, _hearing: receiving }
    }

    /// Starts a replica whose connection to Postgres can fail.
    pub async fn replica_behind_a_proxy(&self) -> (Replica, Proxy) {
        let proxy = Proxy::before(&self.stores.database_url(), Mode::Pass).await;
        let replica = self.replica(&[&through("database-url", &self.stores.database_url(), proxy.address)]);
        (replica, proxy)
    }

    /// The lines of a container's current or last run: all until its end, or the first `limit`.
    pub async fn written(&self, environment: Uuid, limit: usize) -> Vec<Line> {
        let lines = self.engine.logs(environment, OffsetDateTime::UNIX_EPOCH).await.unwrap();
        lines.take(limit).map(Result::unwrap).collect().await
    }

    pub async fn until_written(&self, environment: Uuid, lines: usize) {
        assert_eq!(self.written(environment, lines).await.len(), lines);
    }

    /// The stored lines, with their range of numbers; asserts that the numbers have no gaps.
    pub async fn stored(&self, environment: Uuid) -> (RangeInclusive<i64>, Vec<Text>) {
        let rows: Vec<(i64, String, String)> =
            sqlx::query_as("SELECT seq, stream, line FROM log_entries WHERE environment_id = $1 ORDER BY seq")
                .bind(environment)
                .fetch_all(self.stores.pool())
                .await
                .unwrap();
        let first = rows.first().map_or(1, |row| row.0);
        assert!(rows.iter().zip(first..).all(|(row, number)| row.0 == number), "the numbers of the stored lines have a gap");
        let last = rows.last().map_or(0, |row| row.0);
        (first..=last, rows.into_iter().map(|row| (LogStream::named(&row.1).unwrap(), row.2)).collect())
    }

    pub async fn until_stored(&self, environment: Uuid, entries: usize) {
        eventually("the lines are stored", async || when(self.stored(environment).await.1.len() >= entries)).await;
    }

    /// Waits until no replica follows any log. By then, the last lines of a stopped container are stored, unless its follower was killed.
    pub async fn until_released(&self) {
        eventually("the claims are released", async || when(self.followed().await == 0)).await;
    }

    pub async fn followed(&self) -> i64 {
        self.stores.count("SELECT count(*) FROM log_streams WHERE followed_until > now()").await
    }

    /// Stops all environments and asserts that every written line was stored and counted exactly once.
    pub async fn assert_complete(&self, replicas: &[&Replica]) {
        for environment in &self.environments {
            self.stop(*environment).await;
        }
        self.until_released().await;
        let mut total = 0;
        for environment in &self.environments {
            let written = texts(&self.written(*environment, usize::MAX).await);
            let (numbers, stored) = self.stored(*environment).await;
            assert_eq!(*numbers.start(), 1);
            assert_eq!(stored.len(), written.len());
            assert!(stored == written, "stored and written lines differ");
            total += stored.len();
        }
        let counted: f64 = replicas.iter().map(|replica| replica.scrape().get("log_entries_total", &[])).sum();
        assert_eq!(counted, total as f64);
    }
}

impl Replica {
    pub fn scrape(&self) -> Scrape {
        Scrape::parse(&self.exporter.render())
    }

    pub fn stored(&self) -> f64 {
        self.scrape().get("log_entries_total", &[])
    }

    /// Stops following, without releasing the claims.
    pub fn kill(self) -> Self {
        self.following.abort();
        self
    }
}

fn configured(stores: &Stores, arguments: &[String]) -> Config {
    configuration(stores, &arguments.iter().map(String::as_str).collect::<Vec<_>>())
}

fn engine(config: &Config, db: &Db, exporter: &Exporter) -> Engine {
    Engine::new(Box::new(Sim::new(config, db.clone())), config.environment_timeout, exporter.metrics())
}

pub fn texts(lines: &[Line]) -> Vec<Text> {
    lines.iter().map(|line| (line.stream, line.text.clone())).collect()
}
