//! Interfaces for operators and the edge: readiness, startup, shutdown, the version, the metrics and their token, and the description of
//! the API.

use std::time::Duration;

use futures_util::future::join_all;
use reqwest::redirect::Policy;
use tokio::net::TcpStream;
use vitrine::operations::INTERNAL;

use crate::support::app::through;
use crate::support::routes::misbehaving;
use crate::support::{Answer, Ask, Edge, Mode, Proxy, RECOVERY, Raw, Stores, TestApp, eventually, when};

/// The first half of a request, which is in flight until the second half is sent.
const HALF: &str =
    "POST /api/auth/login HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 50\r\n\r\n{\"email\":\"ada@exampl";
const OTHER_HALF: &str = "e.com\",\"password\":\"wrong one\"}";

async fn half_a_request(app: &TestApp) -> Raw {
    let mut raw = app.raw().await;
    raw.send(HALF).await;
    eventually("half a request is in flight", async || when(app.scrape().await.get("http_requests_in_flight", &[]) >= 2.0)).await;
    raw
}

#[tokio::test]
async fn a_replica_starts_without_its_stores_and_gets_ready_when_they_are_available() {
    let stores = Stores::new().await;
    let postgres = Proxy::before(&stores.database_url(), Mode::Refuse).await;
    let redis = Proxy::before(&stores.redis_url(), Mode::Refuse).await;
    let arguments =
        [through("database-url", &stores.database_url(), postgres.address), through("redis-url", &stores.redis_url(), redis.address)];
    let app = TestApp::launch(&stores, &arguments.each_ref().map(String::as_str), None);

    let readiness = app.get("/health/ready").answer().await.expect(503).json();
    assert_eq!((&readiness["status"], &readiness["checks"]["postgres"]["required"]), (&"unready".into(), &true.into()), "{readiness}");
    assert_eq!((&readiness["checks"]["postgres"]["status"], &readiness["checks"]["redis"]["status"]), (&"down".into(), &"down".into()));
    app.get("/health/live").answer().await.expect(200);
    assert_eq!(app.get("/health").answer().await.expect(200).json()["status"], "ok");
    let refused = app.login("ada@example.com", "whatever it is").await.problem(503, "unavailable");
    assert!(!refused.header("retry-after").is_empty());
    let scrape = app.scrape().await;
    assert_eq!(
        (scrape.get("service_ready", &[("dependency", "all")]), scrape.get("service_ready", &[("dependency", "postgres")])),
        (0.0, 0.0)
    );

    postgres.set(Mode::Pass).await;
    app.until_status(RECOVERY, "degraded").await;
    app.register("ada@example.com").await.expect(201);
    redis.set(Mode::Pass).await;
    app.until_status(RECOVERY, "ready").await;
    let scrape = app.scrape().await;
    for dependency in ["all", "postgres", "redis"] {
        assert_eq!(scrape.get("service_ready", &[("dependency", dependency)]), 1.0, "{dependency}");
    }
}

#[tokio::test]
async fn without_redis_a_replica_is_ready_and_reports_that_it_is_degraded() {
    let stores = Stores::new().await;
    let redis = Proxy::before(&stores.redis_url(), Mode::Pass).await;
    let app = TestApp::on(&stores, &[&through("redis-url", &stores.redis_url(), redis.address)]).await;
    app.until_status(RECOVERY, "ready").await;
    redis.set(Mode::Refuse).await;
    app.until_status(RECOVERY, "degraded").await;
    let readiness = app.get("/health/ready").answer().await.expect(200).json();
    assert_eq!(
        (&readiness["checks"]["redis"]["status"], &readiness["checks"]["redis"]["last_error"]),
        (&"down".into(), &"unavailable".into())
    );
    assert_eq!(readiness["checks"]["postgres"]["status"], "up");
    eventually("the gauges are up to date", async || {
        let scrape = app.scrape().await;
        when(scrape.get("service_ready", &[("dependency", "redis")]) == 0.0 && scrape.get("service_ready", &[("dependency", "all")]) == 1.0)
    })
    .await;
    redis.set(Mode::Pass).await;
    app.until_status(RECOVERY, "ready").await;
}

#[tokio::test]
async fn a_replica_that_requires_redis_is_unready_without_it() {
    let stores = Stores::new().await;
    let redis = Proxy::before(&stores.redis_url(), Mode::Pass).await;
    let through = through("redis-url", &stores.redis_url(), redis.address);
    let app = TestApp::on(&stores, &[&through, "--readiness-requires=postgres,redis"]).await;
    app.until_status(RECOVERY, "ready").await;
    redis.set(Mode::Refuse).await;
    app.until_status(RECOVERY, "unready").await;
    let readiness = app.get("/health/ready").answer().await.expect(503).json();
    let (checks, required) = (&readiness["checks"], ["postgres", "redis", "environment_driver"]);
    assert_eq!(required.map(|name| checks[name]["required"].as_bool().unwrap()), [true, true, false], "{readiness}");
    eventually("the gauge is up to date", async || when(app.scrape().await.get("service_ready", &[("dependency", "all")]) == 0.0)).await;
    app.get("/health/live").answer().await.expect(200);
    redis.set(Mode::Pass).await;
    app.until_status(RECOVERY, "ready").await;
}

#[tokio::test]
async fn a_stopping_replica_reports_draining_and_finishes_requests_in_flight() {
    let app = TestApp::with(&["--drain-delay=1s"]).await;
    let mut in_flight = half_a_request(&app).await;
    let mut idle = app.raw().await;
    idle.send("GET /health HTTP/1.1\r\nHost: x\r\n\r\n").await;
    idle.answer().await.expect(200);

    app.stop();
    eventually("readiness reports draining", async || {
        let answer = app.get("/health/ready").answer().await;
        when(answer.status == 503 && answer.json()["status"] == "draining")
    })
    .await;
    assert_eq!(app.scrape().await.get("service_draining", &[]), 1.0);
    // The replica still serves requests during the drain delay, because the edge needs time to detect the change.
    app.get("/health").answer().await.expect(200);

    eventually("new connections are refused", async || when(TcpStream::connect(app.address).await.is_err())).await;
    assert_eq!(idle.rest().await, b"", "an idle connection must be closed");
    in_flight.send(OTHER_HALF).await;
    let answer = in_flight.answer().await.problem(401, "invalid_credentials");
    assert_eq!(answer.header("connection"), "close");
    assert!(app.leave().await.is_ok());
}

#[tokio::test]
async fn a_request_that_never_ends_does_not_prevent_a_shutdown() {
    let app = TestApp::with_routes(misbehaving(), &["--drain-timeout=200ms"]).await;
    let mut raw = app.raw().await;
    raw.send("GET /test/endless HTTP/1.1\r\nHost: x\r\n\r\n").await;
    raw.until(b"and so on").await.unwrap();
    assert!(app.leave().await.is_ok());
}

#[tokio::test]
async fn replicas_that_start_together_migrate_the_schema_once() {
    let stores = Stores::new().await;
    let apps: Vec<_> = (0..3).map(|_| TestApp::launch(&stores, &[], None)).collect();
    join_all(apps.iter().map(TestApp::until_ready)).await;
    let migrations = std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/migrations")).unwrap().count();
    let applied = stores.count("SELECT count(*) FROM _sqlx_migrations WHERE success").await;
    assert_eq!(usize::try_from(applied).unwrap(), migrations);
    for app in &apps {
        assert_eq!(app.scrape().await.get("system_errors_total", &[("error_type", "migration")]), 0.0);
    }
    apps[0].register("ada@example.com").await.expect(201);
    apps[2].login("ada@example.com", crate::support::users::PASSWORD).await.expect(200);
}

#[tokio::test]
async fn one_replica_at_a_time_reports_the_counts_of_the_fleet() {
    let stores = Stores::new().await;
    let (one, two) = (TestApp::on(&stores, &[]).await, TestApp::on(&stores, &[]).await);
    one.user("ada").await;
    one.token("ada@example.com").await;
    let sessions = async |app: &TestApp| app.scrape().await.get("auth_sessions_active", &[]);
    eventually("the fleet's sum is correct", async || when(sessions(&one).await + sessions(&two).await == 2.0)).await;
    let (leader, other) = if sessions(&one).await == 2.0 { (one, two) } else { (two, one) };
    let owner: uuid::Uuid = sqlx::query_scalar("SELECT owner FROM leases").fetch_one(stores.pool()).await.unwrap();
    // The leader releases its lease when it shuts down: the other replica need not wait until the lease expires.
    leader.leave().await.unwrap();
    let held: i64 = sqlx::query_scalar("SELECT count(*) FROM leases WHERE owner = $1").bind(owner).fetch_one(stores.pool()).await.unwrap();
    assert_eq!(held, 0);
    eventually("the other replica reports the count", async || when(sessions(&other).await == 2.0)).await;
}

#[tokio::test]
async fn metrics_require_their_token_under_every_path() {
    let app = TestApp::with(&["--metrics-token=a-token-that-is-long-enough"]).await;
    for path in ["/metrics", "/health/metrics", "/api/metrics"] {
        app.get(path).answer().await.problem(401, "unauthenticated");
        for wrong in ["a-token-that-is-long-enoug", "A-token-that-is-long-enough", "x"] {
            app.get(path).bearer_auth(wrong).answer().await.problem(401, "invalid_token");
        }
        let answer = app.get(path).bearer_auth("a-token-that-is-long-enough").answer().await.expect(200);
        assert_eq!(answer.header("content-type"), "text/plain; version=0.0.4; charset=utf-8");
        assert!(answer.text().contains("http_requests_total{") && !answer.text().contains("long-enough"));
    }
    let ready = app.get("/health/ready").answer().await.expect(200);
    assert!(!ready.text().contains("long-enough"));
}

#[tokio::test]
async fn an_operator_can_read_the_running_version() {
    let app = TestApp::with(&["--replica=backend-7"]).await;
    let version = app.get("/version").answer().await.expect(200);
    let running = version.json();
    assert_eq!((&running["name"], &running["replica"]), (&"vitrine".into(), &"backend-7".into()));
    assert_eq!(running["version"], env!("CARGO_PKG_VERSION"));
    for field in ["revision", "rustc"] {
        assert!(running[field].as_str().is_some_and(|text| !text.is_empty()), "{running}");
    }
    assert_eq!(version.header("x-served-by"), "backend-7");
    let health = app.get("/health").answer().await.expect(200).json();
    assert_eq!((&health["status"], health["uptime"].is_u64()), (&"ok".into(), true), "{health}");
    assert_eq!(app.get("/health/live").answer().await.expect(200).text(), "ok");
}

#[tokio::test]
async fn the_description_of_the_api_and_its_page_are_served() {
    let app = TestApp::start().await;
    let description = app.get("/api/openapi.json").answer().await.expect(200).json();
    assert_eq!(description["info"]["title"], "Vitrine");
    assert!(description["paths"]["/api/projects/{id}"]["patch"].is_object());
    let page = app.get("/api/docs/").answer().await.expect(200);
    assert!(page.header("content-type").starts_with("text/html"), "{:?}", page.headers);
    for line in page.text().lines().filter(|line| line.contains("src=") || line.contains("href=")) {
        assert!(!line.contains("http://") && !line.contains("https://"), "the page must load nothing from other origins: {line}");
    }
    let counted = app.settled().await;
    assert_eq!(counted.get("http_requests_total", &[("route", "/api/openapi.json"), ("status", "200")]), 1.0);
    assert_eq!(counted.get("http_requests_total", &[("route", "other")]), 0.0);
}

#[tokio::test]
async fn the_edge_exposes_described_routes_and_no_internal_ones() {
    let app = TestApp::start().await;
    let Some(edge) = Edge::before(&[app.address]).await else { return };
    let client = reqwest::Client::builder().no_proxy().redirect(Policy::none()).build().unwrap();
    let ask = async |path: &str| client.get(format!("{}{path}", edge.url())).answer().await;
    let description = ask("/api/openapi.json").await.expect(200).json();
    let is_the_edge = |answer: &Answer| answer.header("x-served-by").is_empty();
    for path in description["paths"].as_object().unwrap().keys() {
        let answer = ask(path).await;
        assert!(!is_the_edge(&answer), "{path} is described but answered by the edge: {}", answer.text());
    }
    for path in INTERNAL {
        assert_eq!(app.get(path).answer().await.status, 200, "{path}");
        let answer = ask(path).await;
        assert!(is_the_edge(&answer) && answer.status == 404, "{path}: {}", answer.text());
        assert!(description["paths"][path].is_null(), "{path} is described");
    }
}

#[tokio::test]
async fn a_probe_of_readiness_does_not_wait_for_postgres() {
    let stores = Stores::new().await;
    let postgres = Proxy::before(&stores.database_url(), Mode::Pass).await;
    let app = TestApp::on(&stores, &[&through("database-url", &stores.database_url(), postgres.address)]).await;
    postgres.set(Mode::Hang).await;
    // Each probe returns the result of the latest check, however long Postgres hangs.
    let probes = join_all((0..200).map(|_| app.get("/health/ready").timeout(Duration::from_secs(3)).answer())).await;
    assert_eq!(probes.len(), 200);
    app.until_status(RECOVERY, "unready").await;
}
