//! The logs of environments: followed by one replica at a time, and nothing lost or stored twice whatever fails.
//!
//! The simulated driver writes lines that are a function of its seed, so what is stored is compared with what was written.

use std::ops::RangeInclusive;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::StreamExt;
use reqwest::Method;
use serde_json::{Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use tokio_util::task::AbortOnDropHandle;
use uuid::Uuid;
use vitrine::config::Config;
use vitrine::db::Db;
use vitrine::features::environments::driver::{Engine, Image, Line, Sim};
use vitrine::features::environments::logs::{self, Follower};
use vitrine::metrics::exporter::Exporter;
use vitrine::metrics::labels::{LogStream, Query};

use crate::support::app::{configuration, through};
use crate::support::{Ask, Mode, Proxy, Scrape, Stores, Studio, TestApp, eventually, when};

/// Environments whose lines can be read apart from any follower.
struct Stage {
    stores: Stores,
    arguments: Vec<String>,
    db: Db,
    engine: Engine,
    environments: Vec<Uuid>,
}

/// A replica that does nothing but follow.
struct Replica {
    exporter: Exporter,
    follower: Follower,
    /// Environments whose output ended although they run, as often as that was told.
    ended: Arc<Mutex<Vec<Uuid>>>,
    following: AbortOnDropHandle<()>,
}

/// A line without its time.
type Text = (LogStream, String);

impl Stage {
    /// That many environments that run, each writing so many lines a second.
    async fn set(environments: usize, lines_per_second: u32, arguments: &[&str]) -> Self {
        let stores = Stores::new().await;
        let sim = ["--sim-latency=0s".to_owned(), "--sim-failure-rate=0".to_owned(), format!("--sim-lines-per-second={lines_per_second}")];
        // However long a busy machine takes: what is compared must still be there.
        let keeps_all = !arguments.iter().any(|argument| argument.starts_with("--log-lines-kept="));
        let kept = keeps_all.then(|| "--log-lines-kept=10000000".to_owned());
        let given = arguments.iter().map(|argument| (*argument).to_owned());
        let arguments: Vec<String> = sim.into_iter().chain(kept).chain(given).collect();
        let (mut config, exporter) = (configured(&stores, &arguments), Exporter::new("").unwrap());
        // The stage itself has no outage to ride out; the replicas keep the limit that they have.
        config.database_acquire_timeout = Duration::from_secs(30);
        let db = Db::new(&config, exporter.metrics()).unwrap();
        db.migrate().await.unwrap();
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

    fn environment(&self) -> Uuid {
        self.environments[0]
    }

    async fn start(&self, environment: Uuid) {
        self.engine.start(environment).await.unwrap();
        self.set_status(environment, "running").await;
    }

    /// As a job does it: the status says first what is to come.
    async fn stop(&self, environment: Uuid) {
        self.set_status(environment, "stopping").await;
        self.engine.stop(environment).await.unwrap();
        self.set_status(environment, "stopped").await;
    }

    async fn set_status(&self, environment: Uuid, status: &str) {
        let update = "UPDATE environments SET status = $2 WHERE id = $1";
        sqlx::query(update).bind(environment).bind(status).execute(self.stores.pool()).await.unwrap();
    }

    /// One more replica; its arguments win over the stage's.
    fn replica(&self, arguments: &[&str]) -> Replica {
        let name = |argument: &str| argument.split('=').next().map(str::to_owned);
        let is_given = |standard: &String| arguments.iter().any(|argument| name(argument) == name(standard));
        let standard = self.arguments.iter().filter(|standard| !is_given(standard)).cloned();
        let arguments: Vec<String> = standard.chain(arguments.iter().map(|argument| (*argument).to_owned())).collect();
        let (config, exporter) = (configured(&self.stores, &arguments), Exporter::new("").unwrap());
        let db = Db::new(&config, exporter.metrics()).unwrap();
        let engine = engine(&config, &db, &exporter);
        let ended: Arc<Mutex<Vec<Uuid>>> = Arc::default();
        let tell = ended.clone();
        let follower = Follower::new(db, engine, &config, move |environment| tell.lock().unwrap().push(environment), exporter.metrics());
        let following = AbortOnDropHandle::new(tokio::spawn(follower.clone().follow()));
        Replica { exporter, follower, ended, following }
    }

    /// A replica whose Postgres can be made to fail.
    async fn replica_behind_a_proxy(&self) -> (Replica, Proxy) {
        let proxy = Proxy::before(&self.stores.database_url(), Mode::Pass).await;
        let replica = self.replica(&[&through("database-url", &self.stores.database_url(), proxy.address)]);
        (replica, proxy)
    }

    /// The lines of the current run of a container, up to its end or the first `limit`.
    async fn written(&self, environment: Uuid, limit: usize) -> Vec<Line> {
        let lines = self.engine.logs(environment, OffsetDateTime::UNIX_EPOCH).await.unwrap();
        lines.take(limit).map(Result::unwrap).collect().await
    }

    async fn until_written(&self, environment: Uuid, lines: usize) {
        assert_eq!(self.written(environment, lines).await.len(), lines);
    }

    /// What is stored: numbered without gaps up to the last number.
    async fn stored(&self, environment: Uuid) -> (RangeInclusive<i64>, Vec<Text>) {
        let rows: Vec<(i64, String, String)> =
            sqlx::query_as("SELECT seq, stream, line FROM log_entries WHERE environment_id = $1 ORDER BY seq")
                .bind(environment)
                .fetch_all(self.stores.pool())
                .await
                .unwrap();
        let first = rows.first().map_or(1, |row| row.0);
        assert!(rows.iter().zip(first..).all(|(row, number)| row.0 == number), "no gap and no line twice");
        let last = rows.last().map_or(0, |row| row.0);
        (first..=last, rows.into_iter().map(|row| (LogStream::named(&row.1).unwrap(), row.2)).collect())
    }

    async fn until_stored(&self, environment: Uuid, entries: usize) {
        eventually("lines are stored", async || when(self.stored(environment).await.1.len() >= entries)).await;
    }

    /// Waits until nobody follows any log, which is after the last line of what stands was stored.
    async fn until_released(&self) {
        eventually("the claims are given back", async || when(self.followed().await == 0)).await;
    }

    async fn followed(&self) -> i64 {
        self.stores.count("SELECT count(*) FROM log_streams WHERE followed_until > now()").await
    }

    /// Stops everything: what was written is stored, once, and counted once.
    async fn assert_complete(&self, replicas: &[&Replica]) {
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
            assert!(stored == written, "every line is the one that was written");
            total += stored.len();
        }
        let counted: f64 = replicas.iter().map(|replica| replica.scrape().get("log_entries_total", &[])).sum();
        assert_eq!(counted, total as f64);
    }
}

impl Replica {
    fn scrape(&self) -> Scrape {
        Scrape::parse(&self.exporter.render())
    }

    fn stored(&self) -> f64 {
        self.scrape().get("log_entries_total", &[])
    }

    /// Without a word to anybody.
    fn kill(self) -> Self {
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

fn texts(lines: &[Line]) -> Vec<Text> {
    lines.iter().map(|line| (line.stream, line.text.clone())).collect()
}

#[tokio::test]
async fn what_an_environment_writes_is_stored_in_order_and_read_in_parts() {
    let stage = Stage::set(1, 200, &[]).await;
    let replica = stage.replica(&[]);
    stage.until_stored(stage.environment(), 300).await;
    stage.assert_complete(&[&replica]).await;

    let mut conn = stage.db.acquire().await.unwrap();
    let (numbers, stored) = stage.stored(stage.environment()).await;
    let (mut after, mut read) = (0, Vec::new());
    loop {
        let part = logs::read(&mut conn, stage.environment(), Some(after), 100).await.unwrap();
        let Some(last) = part.last() else { break };
        assert!(part.len() <= 100 && part[0].seq == after + 1);
        after = last.seq;
        read.extend(part.into_iter().map(|entry| (entry.stream, entry.line)));
    }
    assert_eq!(read, stored);
    let tail = logs::read(&mut conn, stage.environment(), None, 10).await.unwrap();
    assert_eq!(tail.iter().map(|entry| entry.seq).collect::<Vec<_>>(), (numbers.end() - 9..=*numbers.end()).collect::<Vec<_>>());
    let written = stage.written(stage.environment(), usize::MAX).await;
    let microseconds = |at: OffsetDateTime| at.unix_timestamp_nanos() / 1000;
    assert!(tail.iter().zip(&written[written.len() - 10..]).all(|(entry, line)| microseconds(entry.at) == microseconds(line.at)));
}

#[tokio::test]
async fn replicas_share_the_logs_and_each_line_is_stored_once() {
    let stage = Stage::set(6, 100, &[]).await;
    let replicas = [stage.replica(&[]), stage.replica(&[])];
    for environment in &stage.environments {
        stage.until_stored(*environment, 200).await;
    }
    assert_eq!(stage.followed().await, 6);
    stage.assert_complete(&[&replicas[0], &replicas[1]]).await;
}

#[tokio::test]
async fn when_a_replica_dies_another_goes_on_where_it_was() {
    let stage = Stage::set(3, 500, &[]).await;
    let first = stage.replica(&[]);
    for environment in &stage.environments {
        stage.until_stored(*environment, 500).await;
    }
    let second = stage.replica(&[]);
    let first = first.kill();
    eventually("the other replica stores lines", async || when(second.stored() > 0.0)).await;
    for environment in &stage.environments {
        let before = stage.stored(*environment).await.1.len();
        stage.until_stored(*environment, before + 500).await;
    }
    // What the dead one committed and did not live to count is no line of the other's.
    let (counted, rows) = (first.stored() + second.stored(), "SELECT sum(last_seq)::bigint FROM log_streams");
    assert!(counted <= stage.stores.count(rows).await as f64);
    for environment in &stage.environments {
        stage.stop(*environment).await;
    }
    stage.until_released().await;
    for environment in &stage.environments {
        assert!(stage.stored(*environment).await.1 == texts(&stage.written(*environment, usize::MAX).await));
    }
}

#[tokio::test]
async fn a_replica_that_leaves_gives_its_logs_back_at_once() {
    let stage = Stage::set(3, 500, &[]).await;
    let first = stage.replica(&[]);
    for environment in &stage.environments {
        stage.until_stored(*environment, 100).await;
    }
    first.follower.leave().await;
    assert_eq!(stage.followed().await, 0);
    let second = stage.replica(&[]);
    eventually("the other replica follows", async || when(stage.followed().await == 3)).await;
    eventually("the other replica stores lines", async || when(second.stored() > 300.0)).await;
    assert!(!first.following.is_finished(), "it is a task that never ends");
    stage.assert_complete(&[&first, &second]).await;
}

#[tokio::test]
async fn an_outage_of_postgres_loses_no_line_and_doubles_none() {
    for outage in [Mode::Refuse, Mode::Hang] {
        let stage = Stage::set(2, 500, &[]).await;
        let (replica, postgres) = stage.replica_behind_a_proxy().await;
        stage.until_stored(stage.environment(), 500).await;
        postgres.set(outage).await;
        let before = stage.written(stage.environment(), 500).await.len() + stage.stored(stage.environment()).await.1.len();
        stage.until_written(stage.environment(), before + 1500).await;
        postgres.set(Mode::Pass).await;
        stage.until_stored(stage.environment(), before + 1500).await;
        stage.assert_complete(&[&replica]).await;
    }
}

#[tokio::test]
async fn a_commit_whose_answer_was_lost_is_neither_repeated_nor_forgotten() {
    let stage = Stage::set(2, 500, &[]).await;
    let (replica, postgres) = stage.replica_behind_a_proxy().await;
    for _ in 0..3 {
        let before = stage.stored(stage.environment()).await.1.len();
        stage.until_stored(stage.environment(), before + 100).await;
        postgres.set(Mode::HoldAnswersWith(b"COMMIT\0".to_vec())).await;
        postgres.until_holding().await;
        postgres.lose();
        postgres.set(Mode::Pass).await;
    }
    stage.assert_complete(&[&replica]).await;
    assert!(replica.scrape().get("db_queries_total", &[("operation", "commit"), ("status", "timeout")]) >= 1.0);
}

#[tokio::test]
async fn connections_that_break_again_and_again_lose_no_line() {
    let stage = Stage::set(3, 500, &[]).await;
    let (replica, postgres) = stage.replica_behind_a_proxy().await;
    for _ in 0..5 {
        let before = stage.stored(stage.environment()).await.1.len();
        stage.until_stored(stage.environment(), before + 100).await;
        postgres.cut();
    }
    stage.assert_complete(&[&replica]).await;
}

#[tokio::test]
async fn a_flood_is_cut_by_the_clock_of_its_environment_and_the_rest_is_counted() {
    let stage = Stage::set(1, 20_000, &["--log-lines-per-second=1000", "--log-lines-kept=100000"]).await;
    let environment = stage.environment();
    let replica = stage.replica(&[]);
    stage.until_stored(environment, 3000).await;
    // Another replica goes on in the middle of a second.
    replica.follower.leave().await;
    let second = stage.replica(&[]);
    let before = stage.stored(environment).await.1.len();
    stage.until_stored(environment, before + 2000).await;
    stage.stop(environment).await;
    stage.until_released().await;

    let (mut expected, mut dropped) = (Vec::new(), 0);
    let written = stage.written(environment, usize::MAX).await;
    for lines in written.chunk_by(|a, b| a.at.unix_timestamp() == b.at.unix_timestamp()) {
        let kept = lines.len().min(1000);
        expected.extend(texts(&lines[..kept]));
        dropped += lines.len() - kept;
    }
    let (_, stored) = stage.stored(environment).await;
    let (told, stored): (Vec<Text>, Vec<Text>) = stored.into_iter().partition(|text| text.0 == LogStream::System);
    assert!(stored == expected, "of each second the first lines are stored: {} of {}", stored.len(), expected.len());
    let count = |text: &Text| text.1.strip_suffix(" lines were dropped: more than 1000 in one second").unwrap().parse::<usize>().unwrap();
    assert_eq!(told.iter().map(count).sum::<usize>(), dropped);
    let counted = |name| replica.scrape().get(name, &[]) + second.scrape().get(name, &[]);
    assert_eq!(counted("log_entries_dropped_total"), dropped as f64);
    assert_eq!(counted("log_entries_total"), (stored.len() + told.len()) as f64);
    assert!(dropped > 10_000, "the environment wrote far more than it may: {dropped}");
}

#[tokio::test]
async fn a_log_keeps_its_last_lines_and_no_more() {
    let stage = Stage::set(1, 1000, &["--log-lines-kept=200"]).await;
    let environment = stage.environment();
    let replica = stage.replica(&[]);
    let last = "SELECT last_seq FROM log_streams";
    eventually("ten times as many lines came", async || {
        let (numbers, stored) = stage.stored(environment).await;
        assert!(stored.len() <= 200, "{}", stored.len());
        when(*numbers.end() > 2000)
    })
    .await;
    let mut conn = stage.db.acquire().await.unwrap();
    for _ in 0..5 {
        logs::append_system(&mut conn, environment, "said\0 by\nVitrine").await.unwrap();
    }
    let before = stage.stores.count(last).await;
    eventually("the writer has gone on", async || when(stage.stores.count(last).await > before + 200)).await;
    stage.stop(environment).await;
    stage.until_released().await;
    let (numbers, stored) = stage.stored(environment).await;
    assert_eq!(stored.len(), 200);
    let written = texts(&stage.written(environment, usize::MAX).await);
    assert_eq!(usize::try_from(*numbers.end()).unwrap(), written.len() + 5, "lines of Vitrine's own have numbers too");
    assert!(stored == written[written.len() - 200..]);

    // A smaller log is made when it is next followed.
    logs::append_system(&mut conn, environment, "said\0 by\nVitrine").await.unwrap();
    replica.follower.leave().await;
    let _smaller = stage.replica(&["--log-lines-kept=50", "--sim-lines-per-second=0.001"]);
    stage.set_status(environment, "running").await;
    eventually("the log is smaller", async || when(stage.stored(environment).await.1.len() == 50)).await;
    assert_eq!(stage.stored(environment).await.1.last().unwrap(), &(LogStream::System, "said byVitrine".to_owned()));
}

#[tokio::test]
async fn a_container_that_is_started_again_goes_on_in_the_same_log() {
    let stage = Stage::set(1, 200, &[]).await;
    let environment = stage.environment();
    let replica = stage.replica(&[]);
    stage.until_stored(environment, 100).await;
    stage.stop(environment).await;
    stage.until_released().await;
    let mut written = texts(&stage.written(environment, usize::MAX).await);
    assert_eq!(stage.stored(environment).await.1, written);
    stage.start(environment).await;
    stage.until_stored(environment, written.len() + 100).await;
    stage.stop(environment).await;
    stage.until_released().await;
    written.extend(texts(&stage.written(environment, usize::MAX).await));
    assert_eq!(stage.stored(environment).await.1, written);
    assert!(replica.ended.lock().unwrap().is_empty(), "nothing ended that was to run");
}

#[tokio::test]
async fn a_restart_that_nobody_saw_loses_nothing_of_the_new_run() {
    let stage = Stage::set(1, 200, &[]).await;
    let environment = stage.environment();
    let _replica = stage.replica(&[]);
    stage.until_stored(environment, 100).await;
    stage.engine.restart(environment).await.unwrap();
    let before = stage.stored(environment).await.1.len();
    stage.until_stored(environment, before + 200).await;
    stage.stop(environment).await;
    stage.until_released().await;
    let (_, mut earlier) = stage.stored(environment).await;
    let new = texts(&stage.written(environment, usize::MAX).await);
    let stored = earlier.split_off(earlier.len() - new.len());
    assert!(stored == new);
    // Each line begins with its number in its run.
    assert!(earlier.iter().enumerate().all(|(number, text)| text.1.starts_with(&format!("{number} "))));
}

#[tokio::test]
async fn output_that_ends_too_early_is_told_and_taken_up_again() {
    let stage = Stage::set(1, 200, &[]).await;
    let environment = stage.environment();
    let replica = stage.replica(&[]);
    stage.until_stored(environment, 100).await;
    stage.engine.stop(environment).await.unwrap();
    let dead = texts(&stage.written(environment, usize::MAX).await);
    eventually("the end is told", async || when(replica.ended.lock().unwrap().contains(&environment))).await;
    eventually("the last line is stored", async || when(stage.stored(environment).await.1 == dead)).await;
    assert_eq!(stage.followed().await, 1);
    stage.engine.start(environment).await.unwrap();
    stage.until_stored(environment, dead.len() + 100).await;
    stage.stop(environment).await;
    stage.until_released().await;
    let both = [dead, texts(&stage.written(environment, usize::MAX).await)].concat();
    assert_eq!(stage.stored(environment).await.1, both);
}

#[tokio::test]
async fn a_log_is_given_back_whose_environment_is_said_not_to_run_though_it_writes() {
    let stage = Stage::set(1, 200, &[]).await;
    let environment = stage.environment();
    let replica = stage.replica(&[]);
    stage.until_stored(environment, 100).await;
    stage.set_status(environment, "error").await;
    stage.until_released().await;
    let stored = stage.stored(environment).await.1;
    stage.start(environment).await;
    stage.until_stored(environment, stored.len() + 100).await;
    stage.assert_complete(&[&replica]).await;
}

#[tokio::test]
async fn an_environment_that_is_removed_while_it_writes_leaves_nothing() {
    let stage = Stage::set(2, 500, &[]).await;
    let replica = stage.replica(&[]);
    for environment in &stage.environments {
        stage.until_stored(*environment, 100).await;
    }
    sqlx::query("DELETE FROM environments WHERE id = $1").bind(stage.environments[1]).execute(stage.stores.pool()).await.unwrap();
    let before = stage.stored(stage.environments[0]).await.1.len();
    stage.until_stored(stage.environments[0], before + 500).await;
    assert_eq!(stage.stores.count("SELECT count(DISTINCT environment_id) FROM log_entries").await, 1);
    assert_eq!(replica.scrape().get("db_queries_total", &[("status", "error")]), 0.0);
}

#[tokio::test]
async fn a_change_of_an_environment_and_its_log_do_not_lock_each_other_out() {
    let stage = Stage::set(1, 500, &[]).await;
    let environment = stage.environment();
    let replica = stage.replica(&[]);
    stage.until_stored(environment, 100).await;
    // As a job does it: the environment first, then a line in its log.
    let mut change = stage.db.begin().await.unwrap();
    let lock = sqlx::query("SELECT FROM environments WHERE id = $1 FOR UPDATE").bind(environment);
    change.execute(Query::SelectEnvironments, lock).await.unwrap();
    let blocked = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";
    eventually("the writer waits for the environment", async || when(stage.stores.count(blocked).await > 0)).await;
    logs::append_system(&mut change, environment, "changed").await.unwrap();
    change.commit().await.unwrap();
    let before = stage.stored(environment).await.1.len();
    stage.until_stored(environment, before + 100).await;
    assert_eq!(replica.scrape().get("db_queries_total", &[("status", "error")]), 0.0);
}

#[tokio::test]
async fn a_log_is_read_from_its_end_or_from_where_one_was() {
    let app = TestApp::with(&["--sim-lines-per-second=200"]).await;
    let studio = Studio::open(&app).await;
    let id = studio.running("web").await;
    let read =
        async |query: String| studio.request(Method::GET, &format!("/api/environments/{id}/logs{query}")).answer().await.expect(200).json();
    let numbers = |part: &Value| part["items"].as_array().unwrap().iter().map(|item| item["seq"].as_i64().unwrap()).collect::<Vec<_>>();
    eventually("lines are stored", async || when(read(String::new()).await["next_after"].as_i64() > Some(150))).await;
    studio.operate(&id, "stop").await.expect(202);
    studio.until(&id, "stopped").await;
    let followed = "SELECT count(*) FROM log_streams WHERE followed_until > now()";
    eventually("the last line is stored", async || when(app.stores.count(followed).await == 0)).await;

    let tail = read(String::new()).await;
    let last = tail["next_after"].as_i64().unwrap();
    assert_eq!(numbers(&tail), (last - 99..=last).collect::<Vec<_>>());
    assert_eq!(numbers(&read("?limit=1".to_owned()).await), [last]);
    let part = read("?after=10&limit=5".to_owned()).await;
    assert_eq!((numbers(&part), &part["next_after"]), (vec![11, 12, 13, 14, 15], &json!(15)));
    assert_eq!(read(format!("?after={last}")).await, json!({ "items": [], "next_after": last }));
    let all = read("?after=0&limit=1000".to_owned()).await;
    assert_eq!(numbers(&all)[..100], (1..=100).collect::<Vec<_>>());
    let line = all["items"].as_array().unwrap().iter().find(|item| item["stream"] == "stdout").unwrap();
    let at = line["at"].as_str().and_then(|at| OffsetDateTime::parse(at, &Rfc3339).ok()).expect("an RFC 3339 time");
    assert_eq!(*line, json!({ "seq": line["seq"], "stream": "stdout", "line": line["line"], "at": line["at"] }));
    assert!(at < OffsetDateTime::now_utc() && line["line"].as_str().unwrap().contains(" GET /"));
}

#[tokio::test]
async fn a_query_that_no_log_understands_is_refused() {
    let app = TestApp::start().await;
    let studio = Studio::open(&app).await;
    let path = format!("/api/environments/{}/logs", studio.environment("web").await);
    for query in
        ["limit=0", "limit=1001", "limit=-1", "limit=ten", "limit=", "after=-1", "after=1.5", "after=x", "after=9223372036854775808"]
    {
        studio.request(Method::GET, &format!("{path}?{query}")).answer().await.problem(400, "invalid_query");
    }
    let far = studio.request(Method::GET, &format!("{path}?after=9223372036854775807")).answer().await.expect(200).json();
    assert_eq!(far, json!({ "items": [], "next_after": i64::MAX }));
}
