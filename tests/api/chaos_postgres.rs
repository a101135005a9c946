//! Tests in which Postgres is stopped, frozen, disconnected, unreachable, slow or read-only. Every response arrives in time, a failure is a
//! clear 503, and recovery is automatic.

use std::time::Duration;

use futures_util::future::join_all;
use reqwest::{Method, RequestBuilder};
use serde_json::json;
use sqlx::AssertSqlSafe;

use crate::support::app::through;
use crate::support::{Ask, Mode, Proxy, RECOVERY, Stores, TestApp, User, eventually, when, within};

/// A client's time limit for a response, whatever the failure of Postgres.
const CLIENT_PATIENCE: Duration = Duration::from_secs(3);

/// An application whose Postgres can fail, and a user with a project.
struct Fixture {
    app: TestApp,
    postgres: Proxy,
    ada: User,
    project: String,
}

impl Fixture {
    async fn new(arguments: &[&str]) -> Self {
        let stores = Stores::new().await;
        let postgres = Proxy::before(&stores.database_url(), Mode::Pass).await;
        let database = through("database-url", &stores.database_url(), postgres.address);
        let app = TestApp::on(&stores, &[&[&*database], arguments].concat()).await;
        let ada = app.user("ada").await;
        let project = app.project(&ada, "One", "private").await["id"].as_str().unwrap().to_owned();
        app.me(&ada.token).await.expect(200);
        Self { app, postgres, ada, project }
    }

    fn ask(&self, method: Method, path: &str) -> RequestBuilder {
        self.app.as_user(&self.ada, method, path).timeout(CLIENT_PATIENCE)
    }

    fn path(&self) -> String {
        format!("/api/projects/{}", self.project)
    }

    /// A request that changes the project.
    fn change(&self, name: &str) -> RequestBuilder {
        self.ask(Method::PATCH, &self.path()).header("if-match", "*").json(&json!({ "name": name }))
    }

    /// Requests that use Postgres in different ways.
    fn requests(&self) -> Vec<RequestBuilder> {
        let login = json!({ "email": "ada@example.com", "password": "not the password" });
        let register = json!({ "email": "bob@example.com", "password": "correct horse battery", "display_name": "Bob" });
        vec![
            self.ask(Method::GET, "/api/projects"),
            self.ask(Method::POST, "/api/projects").json(&json!({ "name": "Two" })),
            self.change("New"),
            self.ask(Method::GET, &format!("{}/members", self.path())),
            self.ask(Method::GET, "/api/auth/sessions"),
            self.ask(Method::POST, "/api/auth/login").json(&login),
            self.ask(Method::POST, "/api/auth/register").json(&register),
            // An unknown token, which no cache contains.
            self.app.get("/api/auth/me").timeout(CLIENT_PATIENCE).bearer_auth("A".repeat(43)),
        ]
    }

    /// Asserts that each request of `requests` gets a 503 in time and changes nothing, and that the process stays alive.
    async fn assert_unavailable(&self) {
        let rows = self.app.stores.contents().await;
        let answers = join_all(self.requests().into_iter().map(Ask::try_answer)).await;
        for answer in answers {
            let answer = answer.expect("no response within the client's time limit").problem(503, "unavailable");
            assert!(answer.header("retry-after").parse::<u64>().is_ok_and(|seconds| seconds > 0));
            assert!(answer.json().get("detail").is_none(), "a problem must not reveal the cause: {}", answer.text());
        }
        self.app.get("/health/live").answer().await.expect(200);
        assert_eq!(self.app.stores.contents().await, rows);
    }

    /// Asserts that requests succeed again, that the replica is ready, that no connection of the pool stays in use, and that no request
    /// received a 500.
    async fn assert_recovers(&self) {
        within(RECOVERY, "requests succeed again", async || {
            when(self.ask(Method::GET, "/api/projects").try_answer().await.is_ok_and(|answer| answer.status == 200))
        })
        .await;
        self.app.until_status(RECOVERY, "ready").await;
        let answers = join_all((0..20).map(|_| self.ask(Method::GET, "/api/projects").answer())).await;
        assert!(answers.iter().all(|answer| answer.status == 200), "{:?}", answers.iter().map(|answer| answer.status).collect::<Vec<_>>());
        self.assert_pool_is_whole().await;
        assert_eq!(self.app.settled().await.get("api_errors_total", &[("status", "500")]), 0.0);
    }

    async fn assert_pool_is_whole(&self) {
        eventually("no connection of the pool is in use", async || {
            when(self.app.scrape().await.get("db_connection_pool_size", &[("state", "used")]) == 0.0)
        })
        .await;
    }
}

#[tokio::test]
async fn requests_get_503_while_postgres_is_stopped_and_succeed_afterwards() {
    let fixture = Fixture::new(&[]).await;
    let before = fixture.app.settled().await;
    fixture.postgres.set(Mode::Refuse).await;
    fixture.assert_unavailable().await;
    fixture.app.until_status(RECOVERY, "unready").await;
    fixture.assert_unavailable().await;
    fixture.postgres.set(Mode::Pass).await;
    fixture.assert_recovers().await;
    let after = fixture.app.settled().await;
    assert!(after.since(&before, "system_errors_total", &[("error_type", "database")]) >= 1.0);
    assert!(after.since(&before, "api_errors_total", &[("type", "unavailable"), ("status", "503")]) >= 16.0);
}

#[tokio::test]
async fn requests_get_503_while_postgres_hangs_and_succeed_afterwards() {
    let fixture = Fixture::new(&[]).await;
    fixture.postgres.set(Mode::Hang).await;
    fixture.assert_unavailable().await;
    fixture.app.until_status(RECOVERY, "unready").await;
    fixture.assert_unavailable().await;
    fixture.postgres.set(Mode::Pass).await;
    fixture.assert_recovers().await;
}

#[tokio::test]
async fn a_running_statement_times_out_when_postgres_starts_to_hang() {
    let fixture = Fixture::new(&[]).await;
    let mut lock = fixture.app.stores.pool().begin().await.unwrap();
    sqlx::query("SELECT 1 FROM projects FOR UPDATE").execute(&mut *lock).await.unwrap();
    let before = fixture.app.settled().await;
    let change = fixture.change("New").try_answer();
    let hanging = async {
        until_blocked(&fixture).await;
        fixture.postgres.set(Mode::Hang).await;
    };
    let (answer, ()) = tokio::join!(change, hanging);
    answer.expect("no response within the client's time limit").problem(503, "unavailable");
    let after = fixture.app.settled().await;
    assert_eq!(after.since(&before, "db_queries_total", &[("table", "projects"), ("status", "timeout")]), 1.0);
    lock.rollback().await.unwrap();
    fixture.postgres.set(Mode::Pass).await;
    fixture.assert_recovers().await;
}

/// Waits until a statement of the application is blocked by a lock.
async fn until_blocked(fixture: &Fixture) {
    let blocked = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";
    eventually("a statement waits for the lock", async || when(fixture.app.stores.count(blocked).await > 0)).await;
}

#[tokio::test]
async fn broken_connections_to_postgres_cause_no_500() {
    let fixture = Fixture::new(&[]).await;
    for _ in 0..5 {
        join_all((0..5).map(|_| fixture.ask(Method::GET, "/api/projects").answer())).await;
        fixture.postgres.cut();
        let answers = join_all((0..5).map(|_| fixture.ask(Method::GET, "/api/projects").answer())).await;
        assert!(answers.iter().all(|answer| matches!(answer.status, 200 | 503)));
    }
    fixture.assert_recovers().await;
}

#[tokio::test]
async fn postgres_closing_every_connection_causes_no_500() {
    let fixture = Fixture::new(&[]).await;
    for _ in 0..3 {
        join_all((0..5).map(|_| fixture.ask(Method::GET, "/api/projects").answer())).await;
        let end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND application_name LIKE 'vitrine-%'";
        fixture.app.stores.execute(end).await;
        let answers = join_all((0..5).map(|_| fixture.ask(Method::GET, "/api/projects").answer())).await;
        assert!(answers.iter().all(|answer| matches!(answer.status, 200 | 503)));
    }
    fixture.assert_recovers().await;
}

#[tokio::test]
async fn connections_that_become_silent_do_not_block_requests() {
    let fixture = Fixture::new(&[]).await;
    join_all((0..5).map(|_| fixture.ask(Method::GET, "/api/projects").answer())).await;
    fixture.postgres.lose();
    let answers = join_all((0..20).map(|_| fixture.ask(Method::GET, "/api/projects").try_answer())).await;
    for answer in answers {
        let status = answer.expect("no response within the client's time limit").status;
        assert!(matches!(status, 200 | 503), "{status}");
    }
    fixture.assert_recovers().await;
}

#[tokio::test]
async fn a_replica_whose_first_connection_is_lost_still_becomes_ready() {
    let stores = Stores::new().await;
    let postgres = Proxy::before(&stores.database_url(), Mode::Hang).await;
    let app = TestApp::launch(&stores, &[&through("database-url", &stores.database_url(), postgres.address)], None);
    app.get("/health/ready").answer().await.expect(503);
    eventually("the replica tries to connect", async || when(postgres.connections() > 0)).await;
    postgres.lose();
    postgres.set(Mode::Pass).await;
    app.until_status(RECOVERY, "ready").await;
}

#[tokio::test]
async fn a_replica_whose_connections_take_longer_than_a_check_still_becomes_ready() {
    let stores = Stores::new().await;
    let postgres = Proxy::before(&stores.database_url(), Mode::Slow(Duration::from_millis(50))).await;
    let app = TestApp::launch(&stores, &[&through("database-url", &stores.database_url(), postgres.address)], None);
    // The time limit is long, because the proxy also delays each statement of the migrations.
    app.until_status(Duration::from_mins(1), "ready").await;
}

#[tokio::test]
async fn a_slow_postgres_delays_requests_without_failures() {
    let fixture = Fixture::new(&[]).await;
    let before = fixture.app.settled().await;
    fixture.postgres.set(Mode::Slow(Duration::from_millis(20))).await;
    for request in [fixture.ask(Method::GET, "/api/projects"), fixture.change("New"), fixture.ask(Method::GET, "/api/auth/sessions")] {
        request.answer().await.expect(200);
    }
    let after = fixture.app.settled().await;
    assert_eq!(after.since(&before, "api_errors_total", &[]), 0.0);
    let of_updates = [("operation", "update"), ("table", "projects")];
    assert!(
        after.since(&before, "db_query_duration_seconds_sum", &of_updates) >= 0.04,
        "the duration must include both directions through the proxy"
    );
}

#[tokio::test]
async fn connections_that_cannot_write_are_not_kept_after_a_failover() {
    let fixture = Fixture::new(&[]).await;
    let database = fixture.app.stores.database_url().path().trim_start_matches('/').to_owned();
    let alter = async |setting: &str| {
        sqlx::query(AssertSqlSafe(format!("ALTER DATABASE {database} {setting}"))).execute(fixture.app.stores.pool()).await.unwrap();
    };
    alter("SET default_transaction_read_only = on").await;
    fixture.postgres.cut();
    eventually("new connections serve reads", async || {
        // The request has no session, because loading a session that is not in the cache writes to the database.
        when(fixture.app.get("/api/showcase?limit=19").timeout(CLIENT_PATIENCE).answer().await.status == 200)
    })
    .await;
    fixture.change("New").answer().await.problem(503, "unavailable");
    sqlx::raw_sql(AssertSqlSafe(format!(
        "SET default_transaction_read_only = off; ALTER DATABASE {database} RESET default_transaction_read_only"
    )))
    .execute(fixture.app.stores.pool())
    .await
    .unwrap();
    within(RECOVERY, "writes are accepted again", async || when(fixture.change("New").answer().await.status == 200)).await;
    fixture.assert_recovers().await;
}

#[tokio::test]
async fn a_client_that_disconnects_cancels_its_statement_and_releases_its_connection() {
    let fixture = Fixture::new(&["--database-max-connections=1", "--database-statement-timeout=15s"]).await;
    let mut lock = fixture.app.stores.pool().begin().await.unwrap();
    sqlx::query("SELECT 1 FROM projects FOR UPDATE").execute(&mut *lock).await.unwrap();
    let before = fixture.app.settled().await;
    let mut raw = fixture.app.raw().await;
    let body = r#"{"name":"New"}"#;
    let head = format!("PATCH {} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\nIf-Match: *\r\n", fixture.path(), fixture.ada.token);
    raw.send(format!("{head}Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}", body.len())).await;
    until_blocked(&fixture).await;
    drop(raw);
    let after = fixture.app.settled().await;
    let cancelled = [("operation", "select"), ("table", "projects"), ("status", "cancelled")];
    assert_eq!(after.since(&before, "db_queries_total", &cancelled), 1.0);
    assert_eq!(after.since(&before, "http_requests_cancelled_total", &[("route", "/api/projects/{id}")]), 1.0);
    // The replica has closed the statement's connection, so the pool can open another one. In Postgres, the statement still waits.
    fixture.ask(Method::GET, "/api/projects").answer().await.expect(200);
    lock.rollback().await.unwrap();
    fixture.assert_pool_is_whole().await;
    assert_eq!(fixture.app.stores.count("SELECT version FROM projects").await, 1, "a cancelled statement must have no effect");
}

#[tokio::test]
async fn postgres_cancels_a_statement_that_takes_too_long() {
    let fixture = Fixture::new(&["--database-statement-timeout=300ms"]).await;
    let mut lock = fixture.app.stores.pool().begin().await.unwrap();
    sqlx::query("SELECT 1 FROM projects FOR UPDATE").execute(&mut *lock).await.unwrap();
    let before = fixture.app.settled().await;
    fixture.change("New").answer().await.problem(503, "unavailable");
    let after = fixture.app.settled().await;
    assert_eq!(after.since(&before, "db_queries_total", &[("table", "projects"), ("status", "timeout")]), 1.0);
    let blocked = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";
    eventually("Postgres has cancelled the statement", async || when(fixture.app.stores.count(blocked).await == 0)).await;
    lock.rollback().await.unwrap();
    fixture.assert_recovers().await;
}

#[tokio::test]
async fn an_exhausted_pool_refuses_requests_and_recovers() {
    let fixture =
        Fixture::new(&["--database-max-connections=1", "--database-acquire-timeout=200ms", "--database-statement-timeout=15s"]).await;
    let mut lock = fixture.app.stores.pool().begin().await.unwrap();
    sqlx::query("SELECT 1 FROM projects FOR UPDATE").execute(&mut *lock).await.unwrap();
    let blocked = async {
        fixture
            .app
            .as_user(&fixture.ada, Method::PATCH, &fixture.path())
            .header("if-match", "*")
            .json(&json!({ "name": "New" }))
            .answer()
            .await
    };
    let meanwhile = async {
        until_blocked(&fixture).await;
        let before = fixture.app.scrape().await;
        let answers = join_all((0..10).map(|_| fixture.ask(Method::GET, "/api/projects").answer())).await;
        for answer in answers {
            answer.problem(503, "unavailable");
        }
        // A saturated pool does not mean that the database is down.
        fixture.app.until_status(RECOVERY, "ready").await;
        let after = fixture.app.scrape().await;
        assert!(after.since(&before, "db_pool_wait_seconds_count", &[]) >= 10.0);
        lock.rollback().await.unwrap();
    };
    let (changed, ()) = tokio::join!(blocked, meanwhile);
    changed.expect(200);
    fixture.assert_recovers().await;
}

#[tokio::test]
async fn acknowledged_writes_are_stored_and_repeated_ones_are_stored_once() {
    let fixture = Fixture::new(&[]).await;
    let create = |number: usize| {
        let request = fixture.ask(Method::POST, "/api/projects").header("idempotency-key", format!("k-{number}"));
        request.json(&json!({ "name": format!("number {number}") }))
    };
    let creating = join_all((0..30).map(|number| async move {
        eventually("a repeated request succeeds", async || match create(number).try_answer().await {
            Ok(answer) if answer.status == 201 => Some(answer.json()["id"].as_str().unwrap().to_owned()),
            Ok(answer) => {
                assert!(matches!(answer.status, 409 | 503), "{}", answer.text());
                None
            }
            Err(_) => None,
        })
        .await
    }));
    let failing = async {
        for _ in 0..5 {
            fixture.postgres.cut();
            fixture.ask(Method::GET, "/api/projects").answer().await;
        }
    };
    let (ids, ()) = tokio::join!(creating, failing);
    assert_eq!(fixture.app.stores.count("SELECT count(*) FROM projects WHERE name LIKE 'number %'").await, 30);
    let stored: Vec<String> = sqlx::query_scalar("SELECT id::text FROM projects").fetch_all(fixture.app.stores.pool()).await.unwrap();
    assert!(ids.iter().all(|id| stored.contains(id)));
    fixture.assert_recovers().await;
}
