//! The effect of each kind of fault, as metrics show it. A fault affects only its target, until it expires or an admin ends it.

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::users::PASSWORD;
use crate::support::{Answer, Ask, FAULTS, Scrape, Sockets, Studio, TestApp, User, eventually, when};

const MEBIBYTE: f64 = 1_048_576.0;

/// An application with fault injection, and an admin.
struct Fixture {
    app: TestApp,
    admin: User,
}

/// A request during which a fault took effect: its response, and the metrics before and after the request.
struct Struck {
    answer: Answer,
    before: Scrape,
    after: Scrape,
}

impl Struck {
    fn since(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        self.after.since(&self.before, name, labels)
    }
}

impl Fixture {
    async fn new() -> Self {
        Self::with(TestApp::with_faults(&[]).await).await
    }

    async fn with(app: TestApp) -> Self {
        let admin = app.admin().await;
        Self { app, admin }
    }

    async fn get(&self, path: &str) -> Answer {
        self.app.as_user(&self.admin, Method::GET, path).answer().await
    }

    /// Injects a fault and sends requests until the fault takes effect.
    async fn struck(&self, fault: &Value, ask: impl AsyncFn() -> Answer) -> Struck {
        self.app.begin(&self.admin, fault).await;
        self.until_struck(fault, ask).await
    }

    async fn until_struck(&self, fault: &Value, ask: impl AsyncFn() -> Answer) -> Struck {
        let kind = fault["fault"].as_str().unwrap();
        eventually(&format!("the fault {kind} takes effect"), async || {
            let before = self.app.settled().await;
            let answer = ask().await;
            let after = self.app.settled().await;
            (after.since(&before, "faults_injected_total", &[("fault", kind)]) > 0.0).then_some(Struck { answer, before, after })
        })
        .await
    }

    /// Ends the fault and sends requests until it has no effect. Then injects the fault again for two seconds, and sends requests until it
    /// has taken effect and expired.
    async fn ends(&self, fault: &Value, ask: impl AsyncFn() -> Answer) {
        self.app.end_faults(&self.admin).await;
        self.until_over(fault, &ask).await;
        let mut brief = fault.clone();
        brief["expires_in"] = json!(2);
        self.struck(&brief, &ask).await;
        self.until_over(fault, &ask).await;
    }

    async fn until_over(&self, fault: &Value, ask: &impl AsyncFn() -> Answer) {
        let kind = fault["fault"].as_str().unwrap();
        eventually(&format!("the fault {kind} has no effect"), async || {
            let before = self.app.settled().await;
            ask().await;
            let after = self.app.settled().await;
            when(after.since(&before, "faults_injected_total", &[("fault", kind)]) == 0.0)
        })
        .await;
    }
}

#[tokio::test]
async fn latency_makes_a_handler_slow() {
    let fixture = Fixture::new().await;
    let (fault, route) = (json!({ "fault": "latency", "delay_ms": 120, "route": "/version" }), [("route", "/version")]);
    let ask = async || fixture.get("/version").await.expect(200);
    let struck = fixture.struck(&fault, ask).await;
    let seconds = struck.since("http_request_duration_seconds_sum", &route);
    assert!(seconds >= 0.12, "{seconds}");
    assert_eq!(struck.since("http_requests_total", &[route[0], ("status", "200")]), 1.0);
    let before = fixture.app.settled().await;
    fixture.get("/api/extensions").await.expect(200);
    assert_eq!(fixture.app.settled().await.since(&before, "faults_injected_total", &[]), 0.0, "another route must not be affected");
    fixture.ends(&fault, ask).await;
}

#[tokio::test]
async fn latency_beyond_the_time_limit_is_a_timeout() {
    let fixture = Fixture::with(TestApp::with_faults(&["--request-timeout=4s"]).await).await;
    let fault = json!({ "fault": "latency", "delay_ms": 30_000, "route": "/version" });
    let struck = fixture.struck(&fault, async || fixture.get("/version").await).await;
    struck.answer.problem(503, "timeout");
}

#[tokio::test]
async fn an_injected_error_is_answered_and_counted_like_an_error_of_the_handler() {
    let fixture = Fixture::new().await;
    for (status, code) in [(500, "internal"), (503, "unavailable")] {
        let fault = json!({ "fault": "error", "status": status, "route": "/api/projects" });
        let ask = async || fixture.get("/api/projects").await;
        let struck = fixture.struck(&fault, ask).await;
        let labels = [("route", "/api/projects"), ("status", if status == 500 { "500" } else { "503" })];
        assert_eq!([struck.since("http_requests_total", &labels), struck.since("api_errors_total", &labels)], [1.0, 1.0]);
        struck.answer.problem(status, code);
        fixture.ends(&fault, ask).await;
        fixture.get("/api/projects").await.expect(200);
    }
}

#[tokio::test]
async fn a_panic_ends_only_its_request_and_is_counted() {
    let fixture = Fixture::new().await;
    let fault = json!({ "fault": "panic", "route": "/api/projects" });
    let ask = async || fixture.get("/api/projects").await;
    let struck = fixture.struck(&fault, ask).await;
    assert_eq!(struck.since("uncaught_exceptions_total", &[]), 1.0);
    assert_eq!(struck.since("http_requests_total", &[("route", "/api/projects"), ("status", "500")]), 1.0);
    struck.answer.problem(500, "internal");
    fixture.ends(&fault, ask).await;
}

#[tokio::test]
async fn memory_is_held_until_the_fault_ends() {
    let fixture = Fixture::new().await;
    let fault = json!({ "fault": "memory", "mebibytes": 200 });
    let resident = async || fixture.app.settled().await.get("process_resident_memory_bytes", &[]) / MEBIBYTE;
    let before = resident().await;
    let holds = async || eventually("the memory is held", async || when(resident().await > before + 190.0)).await;
    let is_free = async || eventually("the memory is released", async || when(resident().await < before + 100.0)).await;
    fixture.app.begin(&fixture.admin, &fault).await;
    holds().await;
    fixture.app.end_faults(&fixture.admin).await;
    is_free().await;
    fixture.app.begin(&fixture.admin, &json!({ "fault": "memory", "mebibytes": 200, "expires_in": 6 })).await;
    holds().await;
    is_free().await;
    assert_eq!(fixture.app.settled().await.get("faults_injected_total", &[("fault", "memory")]), 2.0);
}

#[tokio::test]
async fn busy_worker_threads_delay_tasks_but_do_not_block_them() {
    let fixture = Fixture::new().await;
    let late = |scrape: &Scrape| {
        let count = scrape.get("runtime_scheduling_delay_seconds_count", &[]);
        count - scrape.get("runtime_scheduling_delay_seconds_bucket", &[("le", "0.05")])
    };
    for percent in [100, 80] {
        let before = fixture.app.scrape().await;
        let fault = json!({ "fault": "block", "delay_ms": 60, "percent": percent });
        fixture.app.begin(&fixture.admin, &fault).await;
        eventually("tasks wake late", async || when(late(&fixture.app.scrape().await) > late(&before) + 2.0)).await;
        fixture.app.end_faults(&fixture.admin).await;
        quiet(&fixture).await;
    }
    fixture.app.begin(&fixture.admin, &json!({ "fault": "block", "delay_ms": 60, "expires_in": 1 })).await;
    quiet(&fixture).await;
}

/// Waits until no worker thread is busy.
async fn quiet(fixture: &Fixture) {
    let spins = async || fixture.app.scrape().await.get("faults_injected_total", &[("fault", "block")]);
    eventually("no worker thread is busy", async || {
        let before = spins().await;
        fixture.get("/version").await.expect(200);
        when(spins().await == before)
    })
    .await;
}

#[tokio::test]
async fn a_slow_statement_is_measured_and_a_statement_over_the_time_limit_is_cancelled() {
    let fixture = Fixture::new().await;
    let (table, ask) = ([("table", "projects")], async || fixture.get("/api/projects").await);
    let slow = json!({ "fault": "database", "delay_ms": 150, "table": "projects" });
    let struck = fixture.struck(&slow, ask).await;
    struck.answer.expect(200);
    let seconds = struck.after.since(&struck.before, "db_query_duration_seconds_sum", &table);
    assert!(seconds >= 0.15, "{seconds}");
    let seconds = struck.after.since(&struck.before, "db_query_duration_seconds_sum", &[("table", "auth_sessions")]);
    assert!(seconds < 0.15, "another table must not be affected: {seconds}");
    fixture.ends(&slow, ask).await;

    let endless = json!({ "fault": "database", "delay_ms": 30_000, "table": "projects" });
    let struck = fixture.struck(&endless, ask).await;
    assert_eq!(struck.since("db_queries_total", &[table[0], ("status", "timeout")]), 1.0);
    struck.answer.problem(503, "unavailable");
}

#[tokio::test]
async fn slow_statements_affect_neither_health_nor_the_removal_of_faults() {
    let fixture = Fixture::with(TestApp::with(&[FAULTS, "--database-max-connections=2"]).await).await;
    let fault = json!({ "fault": "database", "delay_ms": 30_000 });
    let struck = fixture.struck(&fault, async || fixture.get("/api/projects").await).await;
    struck.answer.problem(503, "unavailable");
    // A new session is not in the cache. Authentication therefore needs a statement, which must not be delayed.
    let token = fixture.app.token(&fixture.admin.email).await;
    fixture.app.get("/health/ready").answer().await.expect(200);
    let faults = async || fixture.app.get("/api/faults").bearer_auth(&token).answer().await;
    eventually("an admin can list the faults", async || when(faults().await.status == 200)).await;
    fixture.app.end_faults(&User { token, ..fixture.admin.clone() }).await;
    eventually("statements are quick again", async || when(fixture.get("/api/projects").await.status == 200)).await;
}

#[tokio::test]
async fn events_to_clients_are_dropped_and_counted() {
    let Some(sockets) = Sockets::start() else { return };
    let fixture = Fixture::with(TestApp::emitting(&[FAULTS]).await).await;
    let socket = sockets.connect(&fixture.app, &fixture.admin.token).await;
    let path = format!("/test/emit/{}", fixture.admin.id);
    let ask = async || fixture.app.post(&path).json(&json!({ "from": 1, "count": 1, "size": 1 })).answer().await.expect(200);
    let struck = fixture.struck(&json!({ "fault": "drop_event" }), ask).await;
    assert_eq!(struck.since("websocket_messages_dropped_total", &[("reason", "fault")]), 1.0);
    assert_eq!(struck.since("websocket_messages_total", &[("event_type", "post:delivered"), ("direction", "out")]), 0.0);
    fixture.ends(&json!({ "fault": "drop_event" }), ask).await;
    let before = socket.events("post:delivered").len();
    ask().await;
    eventually("events reach the client again", async || when(socket.events("post:delivered").len() > before)).await;
}

#[tokio::test]
async fn the_driver_fails_or_takes_too_long() {
    let fixture = Fixture::with(TestApp::with_faults(&["--environment-timeout=2s"]).await).await;
    let studio = Studio::open(&fixture.app).await;
    for delay in [None, Some(30_000)] {
        let mut fault = json!({ "fault": "driver", "operation": "create" });
        if let Some(delay) = delay {
            fault["delay_ms"] = json!(delay);
        }
        fixture.app.begin(&fixture.admin, &fault).await;
        let before = fixture.app.scrape().await;
        let id = studio.create("box").await.expect(201).json()["id"].as_str().unwrap().to_owned();
        let failed = [("operation", "create"), ("status", "failure")];
        eventually("the driver has failed", async || {
            let now = fixture.app.scrape().await;
            let counts = [
                now.since(&before, "docker_operations_total", &failed),
                now.since(&before, "faults_injected_total", &[("fault", "driver")]),
            ];
            when(counts.iter().all(|count| *count > 0.0))
        })
        .await;
        fixture.app.end_faults(&fixture.admin).await;
        // The job is retried, and succeeds after the end of the fault.
        studio.until(&id, "stopped").await;
        studio.delete(&id).await.expect(202);
        studio.until_gone(&id).await;
    }
    fixture.app.begin(&fixture.admin, &json!({ "fault": "driver", "operation": "ping", "expires_in": 5 })).await;
    fixture.app.until_status(Duration::from_mins(1), "degraded").await;
    fixture.app.until_status(Duration::from_mins(1), "ready").await;
}

#[tokio::test]
async fn correct_passwords_are_refused_except_those_of_admins() {
    // The number of attempts until the fault ends varies, and must not reach a rate limit.
    let fixture =
        Fixture::with(TestApp::with_faults(&["--login-attempts-per-account=10000", "--login-attempts-per-address=10000"]).await).await;
    let ada = fixture.app.user("ada").await;
    let ask = async || fixture.app.login(&ada.email, PASSWORD).await;
    let struck = fixture.struck(&json!({ "fault": "login" }), ask).await;
    assert_eq!(struck.since("auth_attempts_total", &[("method", "password"), ("status", "failure")]), 1.0);
    struck.answer.problem(401, "invalid_credentials");
    fixture.app.login(&fixture.admin.email, PASSWORD).await.expect(200);
    fixture.ends(&json!({ "fault": "login" }), ask).await;
    fixture.app.login(&ada.email, PASSWORD).await.expect(200);
}

#[tokio::test]
async fn a_failed_task_stops_its_replica_and_the_same_fault_does_not_stop_the_next_replica() {
    let fixture = Fixture::new().await;
    let stores = fixture.app.stores.clone();
    fixture.app.begin(&fixture.admin, &json!({ "fault": "task" })).await;
    let Fixture { app, admin } = fixture;
    eventually("the replica has shut down", async || when(app.get("/health/live").try_answer().await.is_err())).await;
    let error = app.leave().await.expect_err("the shutdown must return an error");
    assert_eq!(error.to_string(), "background task ended: fault injection");
    let next = TestApp::on(&stores, &[FAULTS]).await;
    let listed = next.as_user(&admin, Method::GET, "/api/faults").answer().await.expect(200).json();
    assert_eq!(listed["items"][0]["fault"], "task");
    // Once this later fault takes effect, the replica has read the list of faults. The list still contains the old fault.
    next.begin(&admin, &json!({ "fault": "error", "status": 500, "route": "/version" })).await;
    eventually("the replica reads the list and stays up", async || when(next.get("/version").answer().await.status == 500)).await;
    next.begin(&admin, &json!({ "fault": "task" })).await;
    eventually("a new fault stops the replica", async || when(next.get("/health/live").try_answer().await.is_err())).await;
}
