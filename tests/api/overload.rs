//! Load shedding: a replica refuses requests that come late from the edge. `strangers` tests the limits on expensive requests.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use reqwest::RequestBuilder;
use serde_json::json;

use crate::support::{Ask, Edge, TestApp, eventually, when};

/// The header in which the edge reports when it passed the request on.
const STARTED: &str = "x-request-start";

/// Adds the header as if the edge had passed the request on `wait` ago.
fn after(wait: Duration, request: RequestBuilder) -> RequestBuilder {
    let started = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().checked_sub(wait).unwrap();
    request.header(STARTED, started.as_millis().to_string())
}

fn late(request: RequestBuilder) -> RequestBuilder {
    after(Duration::from_secs(2), request)
}

#[tokio::test]
async fn late_requests_are_refused_before_any_work_is_done_once_lateness_lasts() {
    let app = TestApp::with(&["--queue-limit=150ms"]).await;
    // A single late request is served.
    late(app.get("/api/projects")).answer().await.problem(401, "unauthenticated");
    let refusal = eventually("a late request is refused", async || {
        let answer = late(app.get("/api/projects")).answer().await;
        when(answer.status == 503)?;
        Some(answer)
    })
    .await;
    assert_eq!(refusal.problem(503, "overloaded").header("retry-after"), "1");

    let account = json!({ "email": "late@example.com", "password": "a long pass phrase", "display_name": "Late" });
    late(app.post("/api/auth/register").json(&account)).answer().await.expect(503);
    // Requests that are not late are served. Late probes, scrapes and Socket.IO requests are served, too.
    after(Duration::ZERO, app.post("/api/auth/register").json(&account)).answer().await.expect(201);
    app.get("/api/showcase").answer().await.expect(200);
    for path in ["/health", "/health/live", "/health/ready", "/metrics", "/socket.io/?EIO=4&transport=polling"] {
        late(app.get(path)).answer().await.expect(200);
    }
    let scrape = app.scrape().await;
    assert_eq!(scrape.get("http_requests_shed_total", &[]), 2.0);
    assert!(scrape.get("http_queue_duration_seconds_count", &[]) >= 4.0);
}

#[tokio::test]
async fn a_client_cannot_pretend_that_its_request_is_late() {
    let app = TestApp::start().await;
    let Some(edge) = Edge::before(&[app.address]).await else { return };
    let user = app.user("punctual").await;
    for _ in 0..3 {
        late(edge.get("/api/auth/me").bearer_auth(&user.token)).answer().await.expect(200);
    }
    let scrape = app.scrape().await;
    assert_eq!(scrape.get("http_queue_duration_seconds_count", &[]), 3.0);
    assert!(scrape.get("http_queue_duration_seconds_sum", &[]) < 3.0, "the edge must set the header itself");
}
