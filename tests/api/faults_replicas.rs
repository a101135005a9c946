//! The scope of faults: which replicas and routes a fault affects, how often, and until when, also while Postgres is down.

use std::time::Duration;

use reqwest::Method;
use serde_json::json;

use crate::support::app::through;
use crate::support::{Ask, FAULTS, LONG_TIMEOUTS, Mode, Proxy, Stores, TestApp, eventually, when};

/// A route that needs no store. Only a fault can make it fail.
const ROUTE: &str = "/version";

async fn status(app: &TestApp) -> u16 {
    app.get(ROUTE).answer().await.status
}

#[tokio::test]
async fn a_fault_of_one_replica_affects_no_other_and_a_fault_of_all_replicas_affects_all() {
    let stores = Stores::new().await;
    let first = TestApp::on(&stores, &[FAULTS, LONG_TIMEOUTS[0], "--replica=backend-1"]).await;
    let second = TestApp::on(&stores, &[FAULTS, LONG_TIMEOUTS[0], "--replica=backend-2"]).await;
    let admin = first.admin().await;
    let of_one = json!({ "fault": "error", "status": 500, "route": ROUTE, "replica": "backend-2" });
    first.begin(&admin, &of_one).await;
    eventually("the fault affects its replica", async || when(status(&second).await == 500)).await;
    assert_eq!(status(&first).await, 200);
    assert_eq!(first.scrape().await.get("faults_injected_total", &[]), 0.0);
    second.end_faults(&admin).await;
    first.begin(&admin, &json!({ "fault": "error", "status": 503, "route": ROUTE })).await;
    for replica in [&first, &second] {
        eventually("the fault affects every replica", async || when(status(replica).await == 503)).await;
    }
}

#[tokio::test]
async fn a_fault_is_injected_about_as_often_as_configured() {
    let app = TestApp::with_faults(&[]).await;
    let admin = app.admin().await;
    app.begin(&admin, &json!({ "fault": "error", "status": 500, "route": ROUTE, "percent": 50 })).await;
    eventually("the fault takes effect", async || when(status(&app).await == 500)).await;
    let before = app.settled().await;
    for _ in 0..200 {
        status(&app).await;
    }
    let after = app.settled().await;
    let failed = after.since(&before, "http_requests_total", &[("route", ROUTE), ("status", "500")]);
    assert_eq!(after.since(&before, "faults_injected_total", &[("fault", "error")]), failed);
    // With a probability of one half, the count is outside these bounds less than once in ten million runs.
    assert!((62.0..=138.0).contains(&failed), "{failed} of 200");
}

#[tokio::test]
async fn a_fault_without_a_route_affects_every_route_except_those_that_operators_need() {
    let app = TestApp::with_faults(&[]).await;
    let admin = app.admin().await;
    app.begin(&admin, &json!({ "fault": "panic" })).await;
    eventually("the fault takes effect", async || when(status(&app).await == 500)).await;
    for path in ["/", "/api/projects", "/api/auth/me", "/studio", "/api/docs/"] {
        app.as_user(&admin, Method::GET, path).answer().await.expect(500);
    }
    for path in ["/health", "/health/live", "/health/ready", "/metrics", "/health/metrics", "/api/metrics", "/api/faults", "/login"] {
        let status = app.get(path).bearer_auth(&admin.token).answer().await.status;
        // The login page redirects signed-in users.
        assert!(matches!(status, 200 | 303), "{path}: {status}");
    }
    let cookie = format!("vitrine={}", app.token(&admin.email).await);
    app.get("/studio/faults").header("cookie", cookie).answer().await.expect(200);
    app.end_faults(&admin).await;
    eventually("the fault has no effect", async || when(status(&app).await == 200)).await;
}

#[tokio::test]
async fn while_postgres_is_down_known_faults_still_apply_and_expire() {
    let stores = Stores::new().await;
    let proxy = Proxy::before(&stores.database_url(), Mode::Pass).await;
    let app = TestApp::on(&stores, &[FAULTS, &through("database-url", &stores.database_url(), proxy.address)]).await;
    let admin = app.admin().await;
    app.begin(&admin, &json!({ "fault": "error", "status": 500, "route": ROUTE })).await;
    app.begin(&admin, &json!({ "fault": "error", "status": 503, "route": "/api/fleet", "expires_in": 8 })).await;
    let fleet = async || app.get("/api/fleet").answer().await.status;
    eventually("both faults take effect", async || when(status(&app).await == 500 && fleet().await == 503)).await;
    proxy.set(Mode::Refuse).await;
    app.until_status(Duration::from_mins(1), "unready").await;
    assert_eq!(status(&app).await, 500);
    eventually("one fault expires", async || when(fleet().await == 200)).await;
    assert_eq!(status(&app).await, 500);
    stores.execute("DELETE FROM faults").await;
    proxy.set(Mode::Pass).await;
    eventually("a fault that was deleted during the outage has no effect", async || when(status(&app).await == 200)).await;
}
