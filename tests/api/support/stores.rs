//! A database and a Redis prefix that belong to one test.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use sqlx::postgres::{PgPool, PgPoolOptions};
use sqlx::{AssertSqlSafe, Connection, PgConnection};
use url::Url;
use uuid::Uuid;

use super::{eventually, when};

const NAME: &str = "vitrine_test_";
/// A database older than this is left over from a killed test.
const LEFT_OVER_SECONDS: u64 = 600;

/// The stores of one test; dropping the last clone drops the database.
#[derive(Clone)]
pub struct Stores(Arc<Inner>);

struct Inner {
    maintenance: Url,
    database: String,
    redis: Url,
    prefix: String,
    pool: PgPool,
}

impl Stores {
    /// Creates an empty database, which the application migrates, and a unique prefix.
    pub async fn new() -> Self {
        let maintenance = variable("DATABASE_URL");
        let unique = Uuid::new_v4().simple().to_string();
        let database = format!("{NAME}{}_{}", now(), &unique[..12]);
        let mut connection = PgConnection::connect(maintenance.as_str()).await.expect("failed to connect to DATABASE_URL");
        remove_left_overs(&mut connection).await;
        sqlx::query(AssertSqlSafe(format!("CREATE DATABASE {database}"))).execute(&mut connection).await.unwrap();
        let pool = PgPoolOptions::new().max_connections(2).connect_lazy(with_path(&maintenance, &database).as_str()).unwrap();
        Self(Arc::new(Inner { maintenance, database, redis: variable("REDIS_URL"), prefix: format!("test-{unique}"), pool }))
    }

    pub fn database_url(&self) -> Url {
        with_path(&self.0.maintenance, &self.0.database)
    }

    pub fn redis_url(&self) -> Url {
        self.0.redis.clone()
    }

    pub fn prefix(&self) -> &str {
        &self.0.prefix
    }

    /// A pool that bypasses the application.
    pub fn pool(&self) -> &PgPool {
        &self.0.pool
    }

    /// The number that a statement returns.
    pub async fn count(&self, statement: &'static str) -> i64 {
        sqlx::query_scalar(statement).fetch_one(self.pool()).await.unwrap()
    }

    /// Changes rows, bypassing the application; returns their number.
    pub async fn execute(&self, statement: &'static str) -> u64 {
        sqlx::query(statement).execute(self.pool()).await.unwrap().rows_affected()
    }

    /// The rows of most tables, to assert that a request changes none of them. Sessions of accounts contribute only their identifiers, and
    /// jobs only their payloads. Jobs of the kind `environment_reconcile` are left out.
    pub async fn contents(&self) -> Vec<String> {
        let all = "SELECT 'users' || u::text FROM users u UNION ALL SELECT 'sessions' || s.id FROM auth_sessions s
                   UNION ALL SELECT 'links' || l::text FROM account_links l
                   UNION ALL SELECT 'projects' || p::text FROM projects p UNION ALL SELECT 'members' || m::text FROM project_members m
                   UNION ALL SELECT 'keys' || k::text FROM idempotency_keys k UNION ALL SELECT 'environments' || e::text FROM environments e
                   UNION ALL SELECT 'env_sessions' || s::text FROM env_sessions s
                   UNION ALL SELECT 'social' || s::text FROM social_accounts s
                   UNION ALL SELECT 'posts' || p::text FROM posts p UNION ALL SELECT 'deliveries' || d::text FROM post_deliveries d
                   UNION ALL SELECT 'faults' || f::text FROM faults f UNION ALL SELECT 'installs' || i::text FROM extension_installs i
                   UNION ALL SELECT 'jobs' || j.payload::text FROM jobs j WHERE kind <> 'environment_reconcile' ORDER BY 1";
        sqlx::query_scalar(all).fetch_all(self.pool()).await.unwrap()
    }

    /// Waits until all cache invalidations are applied by every replica that still trusts its cache.
    pub async fn until_invalidations_are_applied(&self) {
        let pending = "SELECT count(*) FROM cache_readers r CROSS JOIN cache_invalidations i WHERE r.trusts_until > now()
                       AND (r.applied IS NULL OR NOT pg_visible_in_snapshot(i.transaction, r.applied))";
        eventually("every invalidation is applied", async || when(self.count(pending).await == 0)).await;
    }

    /// A Redis connection that bypasses the application.
    pub async fn redis(&self) -> redis::aio::MultiplexedConnection {
        redis::Client::open(self.0.redis.as_str()).unwrap().get_multiplexed_async_connection().await.unwrap()
    }
}

impl Drop for Inner {
    /// Runs on a thread of its own, because the test's runtime may already be shutting down.
    fn drop(&mut self) {
        let (maintenance, database) = (self.maintenance.clone(), self.database.clone());
        let dropped = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let mut connection = PgConnection::connect(maintenance.as_str()).await.unwrap();
                drop_database(&mut connection, &database).await.unwrap();
            });
        });
        assert!(dropped.join().is_ok() || std::thread::panicking(), "failed to drop the database {}", self.database);
    }
}

async fn remove_left_overs(connection: &mut PgConnection) {
    let names: Vec<String> = sqlx::query_scalar("SELECT datname FROM pg_database WHERE starts_with(datname, $1)")
        .bind(NAME)
        .fetch_all(&mut *connection)
        .await
        .unwrap();
    for name in names {
        let made = name[NAME.len()..].split('_').next().and_then(|seconds| seconds.parse::<u64>().ok());
        if made.is_none_or(|made| made + LEFT_OVER_SECONDS < now()) {
            // Another test may be dropping the same leftover.
            let _gone = drop_database(connection, &name).await;
        }
    }
}

async fn drop_database(connection: &mut PgConnection, name: &str) -> Result<(), sqlx::Error> {
    sqlx::query(AssertSqlSafe(format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)"))).execute(connection).await.map(drop)
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

fn variable(name: &str) -> Url {
    let value = std::env::var(name).unwrap_or_else(|_| panic!("{name} is not set; run: eval \"$(cargo xtask stores --detach)\""));
    Url::parse(&value).unwrap()
}

fn with_path(url: &Url, database: &str) -> Url {
    let mut url = url.clone();
    url.set_path(database);
    url
}
