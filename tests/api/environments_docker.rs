//! Environments on the docker driver. On a fake engine: no request changes a container's configuration, and a replica stays ready while
//! the engine is down. On a real engine: the life cycle of an environment.

use std::collections::BTreeSet;

use reqwest::Method;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::support::app::configuration;
use crate::support::driver_fixture::{Namespace, has_engine};
use crate::support::engine::{FakeEngine, Mode};
use crate::support::{Ask, Stores, Studio, TestApp, eventually, when};

/// A marker in texts that the client sends. No request to the engine may contain the marker.
const MARK: &str = "mallory";

async fn on_fake(engine: &FakeEngine) -> TestApp {
    TestApp::with(&["--environment-driver=docker", &format!("--docker-host={}", engine.host())]).await
}

#[tokio::test]
async fn no_request_can_change_the_container_that_the_engine_creates() {
    let engine = FakeEngine::start(Mode::Answer).await;
    let app = on_fake(&engine).await;
    let studio = Studio::open(&app).await;
    let path = format!("/api/projects/{}/environments", studio.project);

    // The service refuses fields with container settings, and images that are not on its list.
    for field in
        ["binds", "Binds", "privileged", "cap_add", "CapAdd", "host_config", "HostConfig", "network_mode", "pid_mode", "user", "env", "cmd"]
    {
        let body = json!({ "name": "web", "image": "busybox:1.37", field: MARK });
        let refused = studio.request(Method::POST, &path).json(&body).answer().await.problem(422, "validation_failed");
        assert_eq!(refused.field_code(field).as_deref(), Some("unknown"));
    }
    for image in ["mallory/evil:latest", "busybox:1.37 --privileged", "busybox:1.37\",\"HostConfig\":{\"Privileged\":true}"] {
        let body = json!({ "name": "web", "image": image });
        studio.request(Method::POST, &path).json(&body).answer().await.problem(422, "validation_failed");
    }
    // Unusual names are accepted, but the service does not send them to the engine.
    let names = ["mallory --privileged", "mallory$(reboot)", "mallory\",\"HostConfig\":{\"Privileged\":true}", "../../mallory", "plain"];
    let mut ids = Vec::new();
    for name in names {
        let id = studio.running(name).await;
        studio.request(Method::PUT, &format!("/api/environments/{id}/extensions/shell-prompt")).answer().await.expect(202);
        studio.request(Method::PUT, &format!("/api/environments/{id}/extensions/{MARK}")).answer().await.expect(404);
        let session = json!({ "type": "shell", "command": MARK });
        studio.request(Method::POST, &format!("/api/environments/{id}/sessions")).json(&session).answer().await.expect(422);
        ids.push(id);
    }

    let mut bodies = engine.bodies("POST /containers/create");
    assert_eq!(bodies.len(), names.len());
    for body in &mut bodies {
        let owner = body["Labels"]["vitrine.environment"].take();
        assert!(ids.iter().any(|id| owner == *id.as_str()), "{owner}");
        let host = &body["HostConfig"];
        assert_eq!((&host["Privileged"], &host["CapDrop"]), (&json!(false), &json!(["ALL"])));
        for absent in
            ["Binds", "Mounts", "CapAdd", "Devices", "PidMode", "UTSMode", "UsernsMode", "VolumesFrom", "PortBindings", "ExtraHosts"]
        {
            assert_eq!(host[absent], Value::Null, "{absent}");
        }
        assert_eq!(host["SecurityOpt"], json!(["no-new-privileges:true"]));
    }
    let distinct: BTreeSet<String> = bodies.iter().map(Value::to_string).collect();
    assert_eq!(distinct.len(), 1, "containers must differ only in the label with their environment");
    let requests_sent = engine.requests();
    assert!(
        !requests_sent.iter().any(|request| request.path.contains(MARK) || request.body.to_string().contains(MARK)),
        "{requests_sent:?}"
    );
}

#[tokio::test]
async fn a_stopped_engine_degrades_a_replica_but_does_not_make_it_unready() {
    let mut engine = FakeEngine::start(Mode::NoSocket).await;
    let app = on_fake(&engine).await;
    let is_reported = async |status: &str, driver: &str| {
        let answer = app.get("/health/ready").answer().await;
        assert_eq!(answer.status, 200);
        let check = &answer.json()["checks"]["environment_driver"];
        when(answer.json()["status"] == status && check["status"] == driver && check["detail"] == "docker")
    };
    eventually("readiness reports that the engine is down", async || is_reported("degraded", "down").await).await;
    assert_eq!(app.scrape().await.get("service_ready", &[("dependency", "environment_driver")]), 0.0);
    assert_eq!(app.scrape().await.get("service_ready", &[("dependency", "all")]), 1.0);

    // The service retries an operation while the engine is down. The operation succeeds if the engine is back before the last attempt.
    let studio = Studio::open(&app).await;
    let id = studio.create("web").await.expect(201).json()["id"].as_str().unwrap().to_owned();
    eventually("a call to the engine has failed", async || {
        when(app.scrape().await.get("docker_operations_total", &[("operation", "pull"), ("status", "failure")]) >= 1.0)
    })
    .await;
    engine.set(Mode::Answer).await;
    eventually("readiness reports that the engine is up", async || is_reported("ready", "up").await).await;
    studio.until(&id, "stopped").await;
}

#[tokio::test]
async fn an_environment_has_its_whole_life_cycle_on_a_real_engine() {
    if !has_engine() {
        return;
    }
    let stores = Stores::new().await;
    let namespace = format!("--environment-namespace=test-{}", &Uuid::new_v4().simple().to_string()[..12]);
    let arguments = ["--environment-driver=docker", &namespace, "--environment-timeout=30s"];
    let _made = Namespace::of(&configuration(&stores, &arguments)).expect("the driver does not use the engine at DOCKER_HOST");
    let app = TestApp::on(&stores, &arguments).await;
    let studio = Studio::open(&app).await;

    let id = studio.running("web").await;
    let lines = async |wanted: &str| {
        let log = studio.request(Method::GET, &format!("/api/environments/{id}/logs?after=0&limit=1000")).answer().await.expect(200).json();
        let count = log["items"].as_array().unwrap().iter().filter(|entry| entry["line"] == wanted).count();
        (count > 0).then_some(count)
    };
    eventually("the container's first line is stored", async || lines("ready: busybox:1.37").await).await;
    studio.request(Method::PUT, &format!("/api/environments/{id}/extensions/heartbeat")).answer().await.expect(202);
    eventually("the extension writes to the log", async || lines("heartbeat").await).await;
    for operation in ["restart", "stop", "start"] {
        studio.operate(&id, operation).await.expect(202);
        studio.until(&id, if operation == "stop" { "stopped" } else { "running" }).await;
    }
    eventually("the first line of each of the three runs is stored once", async || when(lines("ready: busybox:1.37").await? == 3)).await;
    studio.delete(&id).await.expect(202);
    studio.until_gone(&id).await;
}
