//! The cost of following logs: how many lines per second one replica stores, live and while it catches up, and its CPU time and memory
//! meanwhile.
//!
//! Requires the `DATABASE_URL` of a superuser: run `eval "$(cargo xtask stores --detach)"`, then `cargo bench --bench logs`. The
//! simulated driver writes the lines in the same process, so the figures include its work. The benchmark prints its figures without
//! judging them.

use std::error::Error;
use std::sync::Arc;
use std::time::{Duration, Instant};

use clap::Parser;
use procfs::WithCurrentSystemInfo;
use secrecy::ExposeSecret;
use sqlx::postgres::PgPool;
use sqlx::{AssertSqlSafe, Connection, PgConnection};
use tokio_util::task::AbortOnDropHandle;
use url::Url;
use uuid::Uuid;
use vitrine::cache::RedisClient;
use vitrine::config::{Cli, Config};
use vitrine::db::Db;
use vitrine::fault_injection::FaultInjector;
use vitrine::features::environments::driver::{Engine, Image, Sim};
use vitrine::features::environments::logs::Follower;
use vitrine::metrics::exporter::Exporter;
use vitrine::realtime::Realtime;

#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

const ENVIRONMENTS: u32 = 5;
/// Lines per second that each environment writes.
const RATES: [u32; 3] = [400, 1_000, 2_000];
const WARM_UP: Duration = Duration::from_secs(5);
const MEASUREMENT: Duration = Duration::from_secs(20);
const POLL_INTERVAL: Duration = Duration::from_millis(100);
/// In the case `behind`, the logs of the environments begin this long before the follower starts.
const BEHIND: Duration = Duration::from_mins(10);

/// Everything that one measurement needs, in a database of its own.
struct LogFixture {
    maintenance: Url,
    database: String,
    pool: PgPool,
    db: Db,
    follower: Follower,
}

fn main() -> Result<()> {
    let runtime = vitrine::metrics::samplers::runtime::build()?;
    println!("{ENVIRONMENTS} environments, one replica{}", if cfg!(debug_assertions) { ", not optimised" } else { "" });
    println!("{:>11} {:>10} {:>10} {:>6} {:>12} {:>11}", "", "written/s", "stored/s", "CPU", "RSS before", "RSS after");
    for rate in RATES {
        runtime.block_on(measure("live", rate, Duration::ZERO))?;
    }
    runtime.block_on(measure("behind", RATES[0], BEHIND))
}

async fn measure(case: &str, rate: u32, behind: Duration) -> Result<()> {
    let fixture = LogFixture::new(rate, behind).await?;
    let follow_task = AbortOnDropHandle::new(tokio::spawn(fixture.follower.clone().follow()));
    if behind.is_zero() {
        tokio::time::sleep(WARM_UP).await;
    }
    let (start, (cpu_before, rss_before), stored_before) = (Instant::now(), process_usage()?, fixture.stored().await?);
    let backlog = u64::from(ENVIRONMENTS * rate) * behind.as_secs();
    let stored = loop {
        tokio::time::sleep(POLL_INTERVAL).await;
        let stored = fixture.stored().await? - stored_before;
        if start.elapsed() > MEASUREMENT || (backlog > 0 && stored > backlog) {
            break stored;
        }
    };
    let (seconds, (cpu, rss)) = (start.elapsed().as_secs_f64(), process_usage()?);
    println!(
        "{case:>11} {:>10} {:>10.0} {:>4.0} % {:>9.1} MB {:>8.1} MB",
        ENVIRONMENTS * rate,
        f64::from(u32::try_from(stored)?) / seconds,
        100.0 * (cpu - cpu_before) / seconds,
        rss_before,
        rss
    );
    drop(follow_task);
    fixture.remove().await
}

/// The CPU time of this process since its start in seconds, and its resident memory in megabytes.
#[expect(clippy::cast_precision_loss, reason = "far below 2^53")]
fn process_usage() -> Result<(f64, f64)> {
    let stat = procfs::process::Process::myself()?.stat()?;
    let cpu = (stat.utime + stat.stime) as f64 / procfs::ticks_per_second() as f64;
    Ok((cpu, stat.rss_bytes().get() as f64 / 1e6))
}

impl LogFixture {
    async fn new(rate: u32, behind: Duration) -> Result<Self> {
        let mut config: Config = Cli::parse_from(["vitrine"]).config;
        let maintenance = Url::parse(config.database_url.expose_secret())?;
        let database = format!("vitrine_bench_{}", Uuid::new_v4().simple());
        let mut connection = PgConnection::connect(maintenance.as_str()).await?;
        sqlx::query(AssertSqlSafe(format!("CREATE DATABASE {database}"))).execute(&mut connection).await?;
        let mut url = maintenance.clone();
        url.set_path(&database);
        config.database_url = url.as_str().into();
        config.sim_latency = Duration::ZERO;
        config.sim_failure_rate = 0.0;
        config.sim_lines_per_second = rate.into();
        let config = Arc::new(config);
        let exporter = Exporter::default();
        let metrics = exporter.metrics();
        tokio::spawn(exporter.upkeep());
        let db = Db::new(&config, metrics.clone())?;
        db.migrate(|_| ()).await?;
        let pool = PgPool::connect(url.as_str()).await?;
        let engine = Engine::new(Box::new(Sim::new(&config, db.clone())), config.environment_timeout, metrics.clone());
        make_environments(&pool, &engine, behind).await?;
        let realtime = Realtime::new(&config, RedisClient::new(&config, metrics.clone())?, FaultInjector::default(), metrics.clone())?;
        let follower = Follower::new(db.clone(), engine, &config, |_| {}, realtime, metrics);
        Ok(Self { maintenance, database, pool, db, follower })
    }

    /// The number of log lines stored so far.
    async fn stored(&self) -> Result<u64> {
        let total: i64 = sqlx::query_scalar("SELECT sum(last_seq)::bigint FROM log_streams").fetch_one(&self.pool).await?;
        Ok(total.try_into()?)
    }

    /// Closes the connections and drops the database.
    async fn remove(self) -> Result<()> {
        self.db.close().await;
        self.pool.close().await;
        let mut connection = PgConnection::connect(self.maintenance.as_str()).await?;
        sqlx::query(AssertSqlSafe(format!("DROP DATABASE {} WITH (FORCE)", self.database))).execute(&mut connection).await?;
        Ok(())
    }
}

/// Creates running environments whose logs began `behind` ago.
async fn make_environments(pool: &PgPool, engine: &Engine, behind: Duration) -> Result<()> {
    let (user, project) = (Uuid::now_v7(), Uuid::now_v7());
    sqlx::query("INSERT INTO users (id, email, display_name) VALUES ($1, 'ada@example.com', 'Ada')").bind(user).execute(pool).await?;
    let insert = "INSERT INTO projects (id, owner_id, name, slug, visibility) VALUES ($1, $2, 'P', 'p', 'private')";
    sqlx::query(insert).bind(project).bind(user).execute(pool).await?;
    for number in 0..ENVIRONMENTS {
        let environment = Uuid::now_v7();
        let insert = "INSERT INTO environments (id, project_id, created_by, name, image, driver, status)
                      VALUES ($1, $2, $3, $4, 'busybox:1.37', 'sim', 'running')";
        let name = format!("number {number}");
        sqlx::query(insert).bind(environment).bind(project).bind(user).bind(name).execute(pool).await?;
        sqlx::query("INSERT INTO log_streams (environment_id) VALUES ($1)").bind(environment).execute(pool).await?;
        engine.create(environment, Image::Busybox).await?;
        engine.start(environment).await?;
    }
    let backdate = "UPDATE sim_containers SET started_at = started_at - make_interval(secs => $1)";
    sqlx::query(backdate).bind(behind.as_secs_f64()).execute(pool).await?;
    Ok(())
}
