//! Environments: their life cycle, refused operations, limits, and statuses that match the containers.

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{Ask, Studio, TestApp, eventually, when};

#[tokio::test]
async fn an_environment_is_created_started_restarted_stopped_and_deleted() {
    let app = TestApp::start().await;
    let studio = Studio::open(&app).await;
    let before = app.settled().await;

    let answer = studio.create("web").await.expect(201);
    let created = answer.json();
    let id = created["id"].as_str().unwrap();
    assert_eq!(answer.header("location"), format!("/api/environments/{id}"));
    let expected = json!({
        "id": id, "project_id": studio.project, "name": "web", "image": "busybox:1.37", "driver": "sim", "status": "creating",
        "last_error": null, "created_at": created["created_at"], "updated_at": created["updated_at"],
    });
    assert_eq!(created, expected);
    studio.until(id, "stopped").await;
    for (operation, under_way, done) in
        [("start", "starting", "running"), ("restart", "starting", "running"), ("stop", "stopping", "stopped")]
    {
        assert_eq!(studio.operate(id, operation).await.expect(202).json()["status"], under_way, "{operation}");
        studio.until(id, done).await;
    }
    assert_eq!(studio.delete(id).await.expect(202).json()["status"], "deleting");
    studio.until_gone(id).await;
    assert_eq!(app.stores.count("SELECT count(*) FROM sim_containers").await, 0);
    eventually("no job is left", async || when(app.stores.count("SELECT count(*) FROM jobs WHERE lane IS NOT NULL").await == 0)).await;

    let after = app.settled().await;
    for operation in ["pull", "create", "start", "restart", "stop", "remove"] {
        let labels = [("driver", "sim"), ("operation", operation), ("status", "success")];
        assert_eq!(after.since(&before, "docker_operations_total", &labels), 1.0, "{operation}");
        let labels = [("driver", "sim"), ("operation", operation)];
        assert_eq!(after.since(&before, "docker_operation_duration_seconds_count", &labels), 1.0, "{operation}");
    }
    assert_eq!(after.since(&before, "jobs_total", &[("kind", "environment_change"), ("outcome", "success")]), 5.0);
}

#[tokio::test]
async fn completed_operations_are_written_to_the_log_of_their_environment() {
    let app = TestApp::start().await;
    let studio = Studio::open(&app).await;
    let id = studio.running("web").await;
    studio.operate(&id, "stop").await.expect(202);
    studio.until(&id, "stopped").await;
    assert_eq!(studio.system_lines(&id).await, ["stopped in a new container", "running in its container", "stopped in its container"]);
}

#[tokio::test]
async fn an_illegal_operation_is_refused_with_its_code_and_changes_nothing() {
    let app = TestApp::start().await;
    let studio = Studio::open(&app).await;
    let id = studio.environment("web").await;
    let rows = app.stores.contents().await;
    for operation in ["stop", "restart"] {
        studio.operate(&id, operation).await.problem(409, "environment_not_running");
    }
    assert_eq!(app.stores.contents().await, rows);
    studio.operate(&id, "start").await.expect(202);
    studio.until(&id, "running").await;
    let rows = app.stores.contents().await;
    studio.operate(&id, "start").await.problem(409, "environment_running");
    assert_eq!(app.stores.contents().await, rows);
}

#[tokio::test]
async fn an_operation_waits_until_the_previous_operation_has_ended() {
    let app = TestApp::with(&["--sim-latency=200ms"]).await;
    let studio = Studio::open(&app).await;
    let id = studio.create("web").await.expect(201).json()["id"].as_str().unwrap().to_owned();
    // While the environment is being created, there is nothing to stop.
    for operation in ["stop", "restart"] {
        studio.operate(&id, operation).await.problem(409, "environment_not_running");
    }
    assert_eq!(studio.operate(&id, "start").await.expect(202).json()["status"], "starting");
    studio.operate(&id, "start").await.problem(409, "environment_running");
    studio.until(&id, "running").await;

    assert_eq!(studio.operate(&id, "stop").await.expect(202).json()["status"], "stopping");
    studio.operate(&id, "stop").await.problem(409, "environment_not_running");
    assert_eq!(studio.operate(&id, "start").await.expect(202).json()["status"], "starting");
    assert_eq!(studio.operate(&id, "stop").await.expect(202).json()["status"], "stopping");
    studio.until(&id, "stopped").await;

    studio.operate(&id, "start").await.expect(202);
    studio.operate(&id, "restart").await.expect(202);
    studio.until(&id, "running").await;

    studio.delete(&id).await.expect(202);
    studio.until_gone(&id).await;
    assert_eq!(app.stores.count("SELECT count(*) FROM sim_containers").await, 0);
    eventually("no job is left", async || when(app.stores.count("SELECT count(*) FROM jobs WHERE lane IS NOT NULL").await == 0)).await;
    assert_eq!(app.settled().await.get("jobs_total", &[("kind", "environment_change"), ("outcome", "dead")]), 0.0);
}

#[tokio::test]
async fn an_environment_that_is_being_deleted_accepts_only_another_deletion() {
    let app = TestApp::start().await;
    let studio = Studio::open(&app).await;
    let id = studio.environment("web").await;
    // This deletion never ends, because no job carries it out.
    app.stores.execute("UPDATE environments SET status = 'deleting'").await;
    let rows = app.stores.contents().await;
    assert_eq!(studio.delete(&id).await.expect(202).json()["status"], "deleting");
    for operation in ["start", "stop", "restart"] {
        studio.operate(&id, operation).await.problem(409, "environment_busy");
    }
    assert_eq!(app.stores.contents().await, rows);
}

/// An accepted stop happens, even when a start is requested before the stop has begun.
#[tokio::test]
async fn a_start_during_a_stop_runs_after_the_stop() {
    let app = TestApp::with(&["--sim-latency=50ms"]).await;
    let studio = Studio::open(&app).await;
    let id = studio.running("web").await;
    let started = async || {
        let started_at = "SELECT started_at::text FROM sim_containers";
        sqlx::query_scalar::<_, String>(started_at).fetch_one(app.stores.pool()).await.unwrap()
    };
    let before = started().await;
    studio.operate(&id, "stop").await.expect(202);
    studio.operate(&id, "start").await.expect(202);
    studio.until(&id, "running").await;
    assert_ne!(started().await, before);
}

/// Whatever the order of requests, the operation accepted last takes effect, and at most one job waits.
#[tokio::test]
async fn the_last_accepted_operation_takes_effect() {
    let app = TestApp::with(&["--sim-latency=20ms"]).await;
    let studio = Studio::open(&app).await;
    let id = studio.create("web").await.expect(201).json()["id"].as_str().unwrap().to_owned();
    let mut end = "stopped";
    for round in 0..30 {
        let operation = ["start", "restart", "stop", "restart", "stop", "start"][round % 6];
        let answer = studio.operate(&id, operation).await;
        match answer.status {
            202 => end = if operation == "stop" { "stopped" } else { "running" },
            409 => {}
            _ => panic!("{operation}: {}", answer.text()),
        }
        let waiting = "SELECT count(*) FROM jobs WHERE kind = 'environment_change' AND lease_until IS NULL";
        assert!(app.stores.count(waiting).await <= 1);
    }
    studio.until(&id, end).await;
    let running = app.stores.count("SELECT count(*) FROM sim_containers WHERE state = 'running'").await;
    assert_eq!(running, i64::from(end == "running"));
    assert_eq!(app.stores.count("SELECT count(*) FROM environments WHERE container IS NULL").await, 0);
}

#[tokio::test]
async fn only_one_of_several_concurrent_starts_is_accepted() {
    let app = TestApp::start().await;
    let studio = Studio::open(&app).await;
    let id = studio.environment("web").await;
    let before = app.settled().await;
    let answers = futures_util::future::join_all((0..20).map(|_| studio.operate(&id, "start"))).await;
    assert_eq!(answers.iter().filter(|answer| answer.status == 202).count(), 1);
    assert!(answers.iter().all(|answer| matches!(answer.status, 202 | 409)));
    studio.until(&id, "running").await;
    let labels = [("operation", "start"), ("status", "success")];
    assert_eq!(app.settled().await.since(&before, "docker_operations_total", &labels), 1.0);
}

#[tokio::test]
async fn a_name_is_unique_in_a_project() {
    let app = TestApp::start().await;
    let studio = Studio::open(&app).await;
    studio.environment("web").await;
    let rows = app.stores.contents().await;
    studio.create(" web ").await.problem(409, "environment_name_taken");
    assert_eq!(app.stores.contents().await, rows);
    let other = app.project(&studio.user, "Two", "private").await["id"].as_str().unwrap().to_owned();
    Studio { app: &app, user: studio.user.clone(), project: other }.create("web").await.expect(201);
}

#[tokio::test]
async fn a_repeated_creation_has_one_effect() {
    let app = TestApp::start().await;
    let studio = Studio::open(&app).await;
    let path = format!("/api/projects/{}/environments", studio.project);
    let send = async |name: &str| {
        let body = json!({ "name": name, "image": "busybox:1.37" });
        studio.request(Method::POST, &path).header("idempotency-key", "k1").json(&body).answer().await
    };
    let first = send("web").await.expect(201).json();
    assert_eq!(send("web").await.expect(201).json(), first);
    send("other").await.problem(422, "idempotency_key_reused");
    assert_eq!(app.stores.count("SELECT count(*) FROM environments").await, 1);
}

#[tokio::test]
async fn invalid_environments_are_refused() {
    let app = TestApp::start().await;
    let studio = Studio::open(&app).await;
    let path = format!("/api/projects/{}/environments", studio.project);
    let rows = app.stores.contents().await;
    let cases: [(Value, &str, &str); 8] = [
        (json!({ "name": "", "image": "busybox:1.37" }), "name", "too_short"),
        (json!({ "name": "a".repeat(61), "image": "busybox:1.37" }), "name", "too_long"),
        (json!({ "name": "a\u{7}b", "image": "busybox:1.37" }), "name", "control_character"),
        (json!({ "name": "web", "image": "evil:latest" }), "image", "invalid"),
        (json!({ "name": "web" }), "image", "required"),
        (json!({ "name": "web", "image": "busybox:1.37", "privileged": true }), "privileged", "unknown"),
        (json!({ "name": "web", "image": "busybox:1.37", "binds": ["/:/host"] }), "binds", "unknown"),
        (json!({ "name": "web", "image": "busybox:1.37", "command": ["sh"] }), "command", "unknown"),
    ];
    for (body, field, code) in cases {
        let refused = studio.request(Method::POST, &path).json(&body).answer().await.problem(422, "validation_failed");
        assert_eq!(refused.field_code(field).as_deref(), Some(code), "{body}");
    }
    assert_eq!(app.stores.contents().await, rows);
}

#[tokio::test]
async fn the_environments_of_a_project_and_of_an_account_are_limited() {
    let app = TestApp::with(&["--environments-per-project=2", "--environments-per-user=3"]).await;
    let studio = Studio::open(&app).await;
    let answers = futures_util::future::join_all(["a", "b", "c", "d"].map(|name| studio.create(name))).await;
    assert_eq!(answers.iter().filter(|answer| answer.status == 201).count(), 2);
    let refused = studio.create("e").await.problem(409, "too_many_environments");
    assert!(refused.json()["detail"].as_str().unwrap().contains("A project may have at most 2"));

    let other = app.project(&studio.user, "Two", "private").await["id"].as_str().unwrap().to_owned();
    let other = Studio { app: &app, user: studio.user.clone(), project: other };
    let third = other.environment("a").await;
    let refused = other.create("b").await.problem(409, "too_many_environments");
    assert!(refused.json()["detail"].as_str().unwrap().contains("An account may have at most 3"));

    other.delete(&third).await.expect(202);
    other.until_gone(&third).await;
    other.create("b").await.expect(201);
}

#[tokio::test]
async fn environments_are_listed_page_by_page() {
    let app = TestApp::start().await;
    let studio = Studio::open(&app).await;
    for name in ["a", "b", "c"] {
        studio.create(name).await.expect(201);
    }
    let path = format!("/api/projects/{}/environments?limit=2", studio.project);
    let first = studio.request(Method::GET, &path).answer().await.expect(200).json();
    let next = format!("{path}&cursor={}", first["next_cursor"].as_str().unwrap());
    let second = studio.request(Method::GET, &next).answer().await.expect(200).json();
    let names: Vec<&str> =
        [&first, &second].iter().flat_map(|page| page["items"].as_array().unwrap()).map(|item| item["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["c", "b", "a"]);
    assert_eq!(second["next_cursor"], Value::Null);
}

#[tokio::test]
async fn a_failed_driver_call_is_retried() {
    let app = TestApp::with(&["--sim-failure-rate=0.2"]).await;
    let studio = Studio::open(&app).await;
    for number in 0..10 {
        studio.create(&format!("env-{number}")).await.expect(201);
    }
    let creating = "SELECT count(*) FROM environments WHERE status = 'creating'";
    eventually("every creation has ended", async || when(app.stores.count(creating).await == 0)).await;
    // An attempt makes two calls. All five attempts fail for fewer than one environment in a hundred.
    assert!(app.stores.count("SELECT count(*) FROM environments WHERE status = 'stopped'").await >= 8);
    let scrape = app.settled().await;
    assert!(scrape.get("docker_operations_total", &[("status", "failure")]) >= 1.0);
    assert!(scrape.get("jobs_total", &[("kind", "environment_change"), ("outcome", "retry")]) >= 1.0);
}

#[tokio::test]
async fn an_impossible_operation_ends_in_an_error_with_a_reason_and_allows_a_new_start() {
    let app = TestApp::start().await;
    let studio = Studio::open(&app).await;
    let id = studio.running("web").await;
    // Removes the container without a call of the driver. The reconciler may notice the loss before or after the request to stop.
    app.stores.execute("DELETE FROM sim_containers").await;
    let stop = studio.operate(&id, "stop").await;
    assert!(matches!(stop.status, 202 | 409), "{}", stop.text());
    let error = studio.until(&id, "error").await;
    assert!(error["last_error"].as_str().unwrap().contains("container"), "{error}");
    studio.operate(&id, "start").await.expect(202);
    assert_eq!(studio.until(&id, "running").await["last_error"], Value::Null);
}

#[tokio::test]
async fn external_changes_are_detected() {
    let app = TestApp::start().await;
    let studio = Studio::open(&app).await;
    let (died, removed, gone) = (studio.running("died").await, studio.running("removed").await, studio.environment("gone").await);
    let (started, healthy) = (studio.environment("started").await, studio.running("healthy").await);
    let behind = |statement: &'static str, id: &str| {
        let (pool, id) = (app.stores.pool().clone(), id.to_owned());
        async move { assert_eq!(sqlx::query(statement).bind(id).execute(&pool).await.unwrap().rows_affected(), 1) }
    };
    behind("UPDATE sim_containers SET state = 'exited', exit_code = 137 WHERE environment_id = $1::uuid", &died).await;
    behind("DELETE FROM sim_containers WHERE environment_id = $1::uuid", &removed).await;
    behind("DELETE FROM sim_containers WHERE environment_id = $1::uuid", &gone).await;
    behind("UPDATE sim_containers SET state = 'running', started_at = now() WHERE environment_id = $1::uuid", &started).await;
    // A container that belongs to no environment.
    let orphan = "INSERT INTO sim_containers (namespace, environment_id, image, state)
                  VALUES ('vitrine', gen_random_uuid(), 'busybox:1.37', 'running')";
    app.stores.execute(orphan).await;

    assert_eq!(studio.until(&died, "error").await["last_error"], "the container exited with code 137");
    assert_eq!(studio.until(&removed, "error").await["last_error"], "the container was removed");
    assert_eq!(studio.until(&gone, "error").await["last_error"], "the container was removed");
    assert_eq!(studio.until(&started, "running").await["last_error"], Value::Null);
    let orphans = "SELECT count(*) FROM sim_containers c WHERE NOT EXISTS (SELECT FROM environments e WHERE e.id = c.environment_id)";
    eventually("the orphan is removed", async || when(app.stores.count(orphans).await == 0)).await;
    assert_eq!(studio.read(&healthy).await.json()["status"], "running");
    assert!(studio.system_lines(&died).await.contains(&"the container exited with code 137".to_owned()));
}

#[tokio::test]
async fn a_deleted_project_leaves_no_container() {
    let app = TestApp::start().await;
    let studio = Studio::open(&app).await;
    studio.running("a").await;
    studio.create("b").await.expect(201);
    studio.request(Method::DELETE, &format!("/api/projects/{}", studio.project)).answer().await.expect(204);
    eventually("no container is left", async || when(app.stores.count("SELECT count(*) FROM sim_containers").await == 0)).await;
    assert_eq!(app.stores.count("SELECT count(*) FROM log_entries").await, 0);
}

#[tokio::test]
async fn an_environment_of_another_driver_can_be_deleted_but_not_stopped() {
    let app = TestApp::start().await;
    let studio = Studio::open(&app).await;
    let id = studio.running("web").await;
    app.stores.execute("UPDATE environments SET driver = 'docker'").await;
    studio.operate(&id, "stop").await.problem(409, "other_driver");
    studio.delete(&id).await.expect(202);
    studio.until_gone(&id).await;
}

#[tokio::test]
async fn the_fleet_counts_environments_by_status() {
    let app = TestApp::start().await;
    let studio = Studio::open(&app).await;
    studio.running("a").await;
    studio.environment("b").await;
    eventually("the gauges are up to date", async || {
        let scrape = app.scrape().await;
        let count = |status| scrape.get("environments", &[("status", status)]);
        when(count("running") == 1.0 && count("stopped") == 1.0 && count("creating") == 0.0)
    })
    .await;
}

#[tokio::test]
async fn readiness_names_the_driver() {
    let app = TestApp::start().await;
    eventually("readiness reports that the driver is up", async || {
        let readiness = app.get("/health/ready").answer().await.expect(200).json();
        let check = &readiness["checks"]["environment_driver"];
        when(check["status"] == "up" && check["detail"] == "sim" && check["required"] == false && readiness["status"] == "ready")
    })
    .await;
    assert_eq!(app.scrape().await.get("service_ready", &[("dependency", "environment_driver")]), 1.0);
}
