//! `PgBouncer` in transaction mode between a replica and Postgres: a session belongs to nobody for longer than a transaction.

use futures_util::future::join_all;
use reqwest::Method;
use serde_json::json;
use sqlx::AssertSqlSafe;
use url::Url;

use crate::support::servers::PgBouncer;
use crate::support::{Ask, RECOVERY, Stores, TestApp, eventually, when};

/// A role whose sessions are those of the pooler, which distinguishes them from direct ones.
struct Pooled {
    role: String,
    stores: Stores,
    pooler: PgBouncer,
}

impl Pooled {
    async fn start() -> Option<Self> {
        let stores = Stores::new().await;
        let role = format!("pooled_{}", stores.prefix().replace('-', "_"));
        sqlx::query(AssertSqlSafe(format!("CREATE ROLE {role} LOGIN SUPERUSER PASSWORD 'pooled'"))).execute(stores.pool()).await.unwrap();
        let mut url = stores.database_url();
        url.set_username(&role).unwrap();
        url.set_password(Some("pooled")).unwrap();
        let pooler = PgBouncer::before(&url)?;
        Some(Self { role, stores, pooler })
    }

    /// The number of sessions of the pooler for which a condition holds.
    async fn sessions(&self, condition: &str) -> i64 {
        let sessions = "SELECT count(*) FROM pg_stat_activity a WHERE datname = current_database() AND usename";
        let count = sqlx::query_scalar(AssertSqlSafe(format!("{sessions} = '{}' AND {condition}", self.role)));
        count.fetch_one(self.stores.pool()).await.unwrap()
    }

    fn arguments(&self, direct: Option<&Url>) -> Vec<String> {
        let given = ["--database-max-connections=10".to_owned(), format!("--database-url={}", self.pooler.url)];
        given.into_iter().chain(direct.map(|url| format!("--database-direct-url={url}"))).collect()
    }

    async fn end(self) {
        let Self { role, stores, pooler } = self;
        drop(pooler);
        eventually("the role is dropped", async || {
            let dropped = sqlx::raw_sql(AssertSqlSafe(format!("DROP OWNED BY {role}; DROP ROLE {role}"))).execute(stores.pool()).await;
            when(dropped.is_ok())
        })
        .await;
    }
}

#[tokio::test]
async fn a_replica_works_behind_a_pooler_with_two_connections_to_postgres() {
    let Some(pooled) = Pooled::start().await else { return };
    let arguments = pooled.arguments(Some(&pooled.stores.database_url()));
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).chain(crate::support::LONG_TIMEOUTS).collect();
    let [app, other] = [TestApp::on(&pooled.stores, &arguments).await, TestApp::on(&pooled.stores, &arguments).await];
    let before = app.settled().await;

    let ada = app.user("ada").await;
    let create = |number: usize| {
        let app = if number.is_multiple_of(2) { &app } else { &other };
        app.as_user(&ada, Method::POST, "/api/projects").json(&json!({ "name": format!("number {number}") }))
    };
    let created = join_all((0..40).map(|number| create(number).answer())).await;
    let paths: Vec<String> =
        created.into_iter().map(|answer| format!("/api/projects/{}", answer.expect(201).json()["id"].as_str().unwrap())).collect();
    let changed = join_all(paths.iter().map(|path| {
        let change = app.as_user(&ada, Method::PATCH, path).header("if-match", "*").json(&json!({ "name": "changed" }));
        async move { change.answer().await.expect(200) }
    }));
    let read = join_all(paths.iter().map(|path| {
        let ask = other.as_user(&ada, Method::GET, path);
        async move { ask.answer().await.expect(200) }
    }));
    tokio::join!(changed, read);
    let after = app.settled().await;
    assert_eq!(after.since(&before, "api_errors_total", &[]), 0.0);
    assert_eq!(after.since(&before, "db_queries_total", &[("status", "error")]), 0.0);

    assert!((1..=2).contains(&pooled.sessions("true").await), "the pooler has at most two connections");
    let session_lock = "EXISTS (SELECT FROM pg_locks l WHERE l.pid = a.pid AND l.locktype = 'advisory' AND a.state = 'idle')";
    assert_eq!(pooled.sessions(session_lock).await, 0, "a lock of a session went through the pooler");
    let direct = "application_name = 'vitrine-backend-1' AND datname = current_database()";
    let listening = format!("SELECT count(*) FROM pg_stat_activity WHERE {direct} AND usename <> '{}'", pooled.role);
    eventually("each replica listens over a session of its own", async || {
        let count: i64 = sqlx::query_scalar(AssertSqlSafe(listening.as_str())).fetch_one(pooled.stores.pool()).await.unwrap();
        when(count == 2)
    })
    .await;
    drop((app, other));
    pooled.end().await;
}

#[tokio::test]
async fn limits_of_statements_apply_behind_a_pooler() {
    let Some(pooled) = Pooled::start().await else { return };
    let arguments = pooled.arguments(Some(&pooled.stores.database_url()));
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).chain(["--database-statement-timeout=300ms"]).collect();
    let app = TestApp::on(&pooled.stores, &arguments).await;
    let ada = app.user("ada").await;
    let created = app.as_user(&ada, Method::POST, "/api/projects").json(&json!({ "name": "locked" })).answer().await.expect(201).json();
    let mut lock = pooled.stores.pool().begin().await.unwrap();
    sqlx::query("SELECT 1 FROM projects FOR UPDATE").execute(&mut *lock).await.unwrap();
    let path = format!("/api/projects/{}", created["id"].as_str().unwrap());
    let change = || app.as_user(&ada, Method::PATCH, &path).header("if-match", "*").json(&json!({ "name": "changed" }));
    change().answer().await.problem(503, "unavailable");
    eventually("Postgres has cancelled the statement", async || when(pooled.sessions("wait_event_type = 'Lock'").await == 0)).await;
    lock.rollback().await.unwrap();
    app.until_status(RECOVERY, "ready").await;
    change().answer().await.expect(200);
    drop(app);
    pooled.end().await;
}

#[tokio::test]
async fn without_a_direct_url_a_pooler_is_named_as_the_reason() {
    let Some(pooled) = Pooled::start().await else { return };
    let arguments = pooled.arguments(None);
    let app = TestApp::launch(&pooled.stores, &arguments.iter().map(String::as_str).collect::<Vec<_>>(), None);
    let reason = "DATABASE_URL leads to a pooler: set DATABASE_DIRECT_URL to the address of Postgres itself";
    app.until_refused("postgres", reason, "pooled").await;
    drop(app);
    pooled.end().await;
}
