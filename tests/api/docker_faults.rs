//! The docker driver's requests to an engine, and its handling of responses, failures and missing responses.

use std::time::Duration;

use futures_util::StreamExt;
use serde_json::{Value, json};
use time::OffsetDateTime;
use uuid::Uuid;
use vitrine::features::environments::driver::{Docker, DriverError, Engine, Program, Script, TerminalSize};

use crate::support::Stores;
use crate::support::app::configuration;
use crate::support::driver_fixture::{DriverFixture, IMAGE, to_end};
use crate::support::engine::{FakeEngine, Mode, response};

/// Internal details in an engine's error, which must not reach clients.
const WORDS: &str = "dial tcp: proxy http://somebody:hunter2@10.0.0.1 in /var/lib/docker";

/// Makes every call once and returns the results.
async fn every_call(engine: &Engine) -> Vec<(&'static str, Result<(), DriverError>)> {
    let (environment, size) = (Uuid::now_v7(), TerminalSize::new(80, 24).unwrap());
    vec![
        ("ping", engine.ping().await),
        ("pull", engine.pull(IMAGE).await),
        ("create", engine.create(environment, IMAGE).await.map(drop)),
        ("start", engine.start(environment).await),
        ("stop", engine.stop(environment).await),
        ("restart", engine.restart(environment).await),
        ("remove", engine.remove(environment).await),
        ("inspect", engine.inspect(environment).await.map(drop)),
        ("list", engine.list().await.map(drop)),
        ("exec", engine.exec(environment, &Script { requires: None, text: "true" }).await.map(drop)),
        ("terminal", engine.terminal(environment, Program::Shell, size).await.map(drop)),
        ("logs", engine.logs(environment, OffsetDateTime::UNIX_EPOCH).await.map(drop)),
    ]
}

async fn assert_every_call(engine: &Engine, how: &str, is_right: impl Fn(&DriverError) -> bool) {
    for (call, result) in every_call(engine).await {
        let error = result.expect_err(call);
        assert!(is_right(&error), "{how}: {call}: {error:?}");
        assert!(error.to_string().len() < 100, "{how}: {call}: {error}");
        assert!(!error.to_string().contains("hunter2"), "{how}: {call}: {error}");
    }
}

fn is_unavailable(error: &DriverError) -> bool {
    matches!(error, DriverError::Unavailable(_))
}

fn is_failed(error: &DriverError) -> bool {
    matches!(error, DriverError::Failed(_))
}

#[tokio::test]
async fn a_container_and_its_network_are_created_by_exactly_the_expected_requests() {
    let fake = FakeEngine::start(Mode::Answer).await;
    let fixture = DriverFixture::before(&fake).await;
    let (environment, namespace) = (fixture.created().await, fixture.namespace());
    fixture.engine.start(environment).await.unwrap();
    fixture.created().await;
    let requested: Vec<String> = fake.requests().iter().map(|request| format!("{} {}", request.method, request.path)).collect();
    let (container, network) = (format!("{namespace}-{environment}"), format!("{namespace}-environments"));
    assert_eq!(
        requested[..6],
        [
            format!("GET /networks/{network}"),
            "POST /networks/create".to_owned(),
            format!("POST /containers/create?name={container}&platform="),
            format!("POST /containers/{container}/start"),
            format!("GET /networks/{network}"),
            format!("POST /containers/create?name={}&platform=", fixture.listed().await[1].reference.trim_start_matches("id-of-")),
        ],
        "paths must not contain an API version: without one, the engine uses its own version"
    );
    let networks = fake.bodies("POST /networks/create");
    let bridge = networks[0]["Options"]["com.docker.network.bridge.name"].as_str().unwrap();
    assert!(bridge.len() == 15 && bridge.starts_with("vt-"), "{bridge}");
    let expected = json!({
        "Name": network,
        "Driver": "bridge",
        "Internal": true,
        "EnableIPv6": false,
        "Options": {
            "com.docker.network.bridge.name": bridge,
            "com.docker.network.bridge.enable_icc": "false",
            "com.docker.network.bridge.inhibit_ipv4": "true",
        },
        "Labels": { "vitrine.namespace": namespace },
    });
    assert_eq!(networks, [expected]);
    let command = "trap 'exit 0' TERM\nmkdir -p \"$HOME\"\necho \"ready: $0\"\nfor program in \"$HOME\"/.start/*; do\n    [ -f \"$program\" ] && /bin/sh \"$program\" &\ndone\nwhile :; do\n    sleep 3600 &\n    wait \"$!\"\ndone";
    let expected = json!({
        "Image": "busybox:1.37",
        "Entrypoint": ["/bin/sh", "-c", command, "busybox:1.37"],
        "User": "1000:1000",
        "Env": ["HOME=/tmp/home"],
        "WorkingDir": "/tmp",
        "Labels": { "vitrine.namespace": namespace, "vitrine.environment": environment },
        "StopSignal": "SIGTERM",
        "StopTimeout": 3,
        "HostConfig": {
            "Memory": 536_870_912,
            "MemorySwap": 536_870_912,
            "NanoCpus": 1_000_000_000,
            "PidsLimit": 256,
            "OomScoreAdj": 500,
            "Privileged": false,
            "CapDrop": ["ALL"],
            "SecurityOpt": ["no-new-privileges:true"],
            "IpcMode": "private",
            "CgroupnsMode": "private",
            "NetworkMode": network,
            "Dns": ["127.0.0.1"],
            "RestartPolicy": { "Name": "no" },
            "LogConfig": { "Type": "json-file", "Config": { "max-size": "10m", "max-file": "3" } },
        },
    });
    assert_eq!(fake.bodies("POST /containers/create")[0], expected);
    assert_eq!(fake.bodies("POST /containers/test-"), [Value::Null], "a request to start a container must have no body");
}

#[tokio::test]
async fn a_script_runs_with_the_privileges_of_its_container() {
    let fake = FakeEngine::start(Mode::Answer).await;
    let fixture = DriverFixture::before(&fake).await;
    let environment = fixture.created().await;
    fixture.engine.start(environment).await.unwrap();
    fixture.exec(environment, "echo hello").await.unwrap();
    let [body] = fake.bodies(&format!("POST /containers/{}-{environment}/exec", fixture.namespace())).try_into().unwrap();
    let command = body["Cmd"].as_array().unwrap();
    assert_eq!((&command[..2], &command[3..]), (&[json!("sh"), json!("-c")][..], &[json!("sh"), json!("echo hello"), json!("")][..]));
    let keys: Vec<&String> = body.as_object().unwrap().keys().collect();
    assert_eq!(
        keys,
        ["AttachStderr", "AttachStdin", "AttachStdout", "Cmd"],
        "a script must have no user, privileges or environment variables of its own"
    );
}

#[tokio::test]
async fn a_terminal_has_the_privileges_of_its_container_and_a_guard() {
    let fake = FakeEngine::start(Mode::Answer).await;
    let fixture = DriverFixture::before(&fake).await;
    let environment = fixture.created().await;
    fixture.engine.start(environment).await.unwrap();
    // The engine sends this response twice. When the driver starts the guard, it expects a frame with the guard's PID. When the driver
    // starts the program, it expects plain output.
    let upgraded = "HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n\u{1}\0\0\0\0\0\0\u{3}42\n";
    fake.respond_to("POST /exec/exec/start", upgraded.to_owned());
    let mut terminal = fixture.terminal(environment, Program::Shell).await.unwrap();
    assert_eq!(terminal.output.next().await.unwrap().unwrap(), "\u{1}\0\0\0\0\0\0\u{3}42\n");
    assert!(terminal.output.next().await.is_none());
    assert_eq!(fake.requests().pop().unwrap().path, "/exec/exec/resize?h=24&w=80");
    let [guard, program] = fake.bodies(&format!("POST /containers/{}-{environment}/exec", fixture.namespace())).try_into().unwrap();
    let keys = |body: &Value| body.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    assert_eq!(keys(&guard), ["AttachStdin", "AttachStdout", "Cmd"]);
    assert_eq!(keys(&program), ["AttachStderr", "AttachStdin", "AttachStdout", "Cmd", "DetachKeys", "Env", "Tty"]);
    let token = guard["Cmd"][4].as_str().unwrap();
    assert_eq!(program["Cmd"][3], format!("terminal-{token}"));
    assert_eq!(program["Cmd"].as_array().unwrap()[4..], [json!("42"), json!(""), json!("")]);

    let session = Uuid::now_v7();
    drop(fixture.terminal(environment, Program::Tmux(session)).await.unwrap());
    let program = fake.bodies(&format!("POST /containers/{}-{environment}/exec", fixture.namespace())).pop().unwrap();
    assert_eq!(program["Cmd"].as_array().unwrap()[5..], [json!("tmux"), json!(session)]);
}

#[tokio::test]
async fn a_terminal_whose_guard_fails_is_not_opened() {
    let fake = FakeEngine::start(Mode::Answer).await;
    let fixture = DriverFixture::before(&fake).await;
    let environment = fixture.created().await;
    fixture.engine.start(environment).await.unwrap();
    for (guard_output, message) in [
        ("", "the engine failed: the guard did not report a PID"),
        ("\u{1}\0\0\0\0\0\0\u{8}hunter2\n", "the engine failed: the guard did not report a PID"),
        ("\u{1}\0\0\0\0\0\0\u{8}missing\n", "the engine refused the call: tmux is not in this image"),
    ] {
        fake.respond_to(
            "POST /exec/exec/start",
            format!("HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n{guard_output}"),
        );
        let error = fixture.terminal(environment, Program::Tmux(Uuid::now_v7())).await.err().unwrap();
        assert_eq!(error.to_string(), message);
    }
    let made = fake.bodies(&format!("POST /containers/{}-{environment}/exec", fixture.namespace()));
    assert!(made.iter().all(|body| body.get("Tty").is_none()), "{made:?}");
}

#[tokio::test]
async fn a_stopped_engine_is_unavailable_until_it_runs_again() {
    let mut fake = FakeEngine::start(Mode::NoSocket).await;
    let fixture = DriverFixture::before(&fake).await;
    for mode in [Mode::NoSocket, Mode::Refuse, Mode::Respond(String::new())] {
        fake.set(mode.clone()).await;
        assert_every_call(&fixture.engine, &format!("{mode:?}"), is_unavailable).await;
        fake.set(Mode::Answer).await;
        let environment = fixture.created().await;
        fixture.engine.start(environment).await.unwrap();
        fixture.engine.remove(environment).await.unwrap();
    }
}

#[tokio::test]
async fn a_docker_host_that_is_not_an_absolute_local_path_is_refused_before_any_request() {
    for host in ["unix://elsewhere/docker.sock", "unix:docker.sock"] {
        let config = configuration(&Stores::new().await, &["--environment-driver=docker", &format!("--docker-host={host}")]);
        assert!(matches!(Docker::new(&config), Err(DriverError::Refused(_))), "{host}");
    }
}

#[tokio::test]
async fn a_request_to_a_hanging_engine_fails_at_the_time_limit() {
    let fake = FakeEngine::start(Mode::Answer).await;
    let fixture = DriverFixture::before(&fake).await;
    let before = fixture.scrape();
    let (silent, _hanging) = fixture.silent(Duration::from_millis(10)).await;
    assert_every_call(&silent, "hang", |error| matches!(error, DriverError::Timeout)).await;
    let calls = fixture.calls_since(&before);
    assert_eq!((calls.len(), calls.values().sum::<f64>()), (11, 12.0), "a terminal must count as an `exec`: {calls:?}");
    assert!(calls.keys().all(|call| call.ends_with(" failure")), "{calls:?}");
    fixture.engine.ping().await.unwrap();
}

#[tokio::test]
async fn an_engine_error_is_a_failure_or_a_refusal_without_the_text_of_the_engine() {
    let mut fake = FakeEngine::start(Mode::Answer).await;
    let fixture = DriverFixture::before(&fake).await;
    for status in [500, 503] {
        for body in [json!({ "message": WORDS }).to_string(), WORDS.to_owned(), String::new()] {
            fake.set(Mode::Respond(response(status, body))).await;
            assert_every_call(&fixture.engine, "a failure", is_failed).await;
        }
    }
    fake.set(Mode::Respond(response(400, json!({ "message": WORDS })))).await;
    assert_every_call(&fixture.engine, "a refusal", |error| matches!(error, DriverError::Refused(_))).await;
    fake.set(Mode::Answer).await;
    fixture.created().await;
}

#[tokio::test]
async fn the_response_of_a_server_that_is_not_an_engine_is_an_error() {
    let mut fake = FakeEngine::start(Mode::Answer).await;
    let fixture = DriverFixture::before(&fake).await;
    fake.set(Mode::Respond("220 mail.example ESMTP hunter2\r\n".to_owned())).await;
    assert_every_call(&fixture.engine, "mail", is_failed).await;
    for body in ["<html>hunter2</html>", "", "{", "7", "[{}]", "\u{0}\u{0}"] {
        fake.set(Mode::Respond(response(200, body))).await;
        for (call, result) in every_call(&fixture.engine).await {
            // The other calls may succeed: most of them use only the status, and `list` ignores a container without labels.
            if ["create", "inspect", "exec", "terminal", "logs"].contains(&call) {
                assert!(is_failed(&result.unwrap_err()), "{body}: {call}");
            }
        }
    }
}

#[tokio::test]
async fn an_image_is_pulled_only_if_the_engine_lacks_it_and_a_failed_pull_is_an_error() {
    let fake = FakeEngine::start(Mode::Answer).await;
    let fixture = DriverFixture::before(&fake).await;
    fixture.engine.pull(IMAGE).await.unwrap();
    assert_eq!(fake.bodies("POST ").len(), 0, "an existing image must not be pulled");

    fake.respond_to("GET /images", response(404, json!({ "message": "no such image" })));
    fake.respond_to("POST /images", response(200, "{\"status\":\"Pulling\"}\r\n{\"status\":\"Done\"}\r\n"));
    fixture.engine.pull(IMAGE).await.unwrap();
    let request = fake.requests().pop().unwrap();
    assert_eq!((&*request.path, request.body), ("/images/create?fromImage=busybox%3A1.37&platform=", Value::Null));

    let half = format!("{{\"status\":\"Pulling\"}}\r\n{}\r\n", json!({ "error": WORDS, "errorDetail": { "message": WORDS } }));
    fake.respond_to("POST /images", response(200, half));
    let error = fixture.engine.pull(IMAGE).await.unwrap_err();
    assert_eq!(error.to_string(), "the engine failed: its response ended with an error");

    fake.respond_to("POST /images", response(404, json!({ "message": WORDS })));
    let error = fixture.engine.pull(IMAGE).await.unwrap_err();
    assert_eq!(error.to_string(), "the engine refused the call: the registry does not have the image");

    fake.respond_to("POST /containers/create", response(404, json!({ "message": "No such image: busybox:1.37" })));
    let error = fixture.engine.create(Uuid::now_v7(), IMAGE).await.unwrap_err();
    assert_eq!(error.to_string(), "the engine refused the call: the image has not been pulled");
}

#[tokio::test]
async fn no_container_is_created_without_the_network_of_its_namespace() {
    let fake = FakeEngine::start(Mode::Answer).await;
    let fixture = DriverFixture::before(&fake).await;
    for (answers, message) in [
        (
            vec![("GET /networks/", 200, json!({ "Internal": false }))],
            "the engine refused the call: the network of this namespace is not internal: another program created it",
        ),
        (
            vec![("GET /networks/", 404, json!({})), ("POST /networks/", 404, json!({}))],
            "the engine failed: no address pool is available for a network",
        ),
        (vec![("POST /networks/", 403, json!({}))], "the engine refused the call: status 403"),
        (vec![("POST /networks/", 500, json!({}))], "the engine failed: status 500"),
    ] {
        for (beginning, status, body) in answers {
            fake.respond_to(beginning, response(status, body));
        }
        let error = fixture.engine.create(Uuid::now_v7(), IMAGE).await.unwrap_err();
        assert_eq!(error.to_string(), message);
    }
    assert_eq!(fake.bodies("POST /containers"), [] as [Value; 0]);
}

#[tokio::test]
async fn a_truncated_log_is_an_error() {
    let fake = FakeEngine::start(Mode::Answer).await;
    let fixture = DriverFixture::before(&fake).await;
    let environment = fixture.created().await;
    let frame =
        |stream: u8, text: &str| format!("{}\0\0\0\0\0\0{}{text}", char::from(stream), char::from(u8::try_from(text.len()).unwrap()));
    let frames =
        [frame(1, "2026-11-21T10:00:00.1Z one\n"), frame(2, "2026-11-21T10:00:00.2Z two\n"), frame(1, "2026-11-21T10:00:00.3Z thr")]
            .concat();
    let log = format!("GET /containers/{}-{environment}/logs", fixture.namespace());

    fake.respond_to(&log, response(200, &frames));
    let whole = to_end(fixture.lines(environment, OffsetDateTime::UNIX_EPOCH).await).await;
    assert_eq!(whole.iter().map(|line| &*line.text).collect::<Vec<_>>(), ["one", "two", "thr"]);
    let path = fake.requests().pop().unwrap().path;
    assert!(path.ends_with("/logs?follow=true&stdout=true&stderr=true&since=0&until=0&timestamps=true&tail=all"), "{path}");

    fake.respond_to(&log, format!("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n{frames}"));
    let mut lines = fixture.lines(environment, whole[1].at).await;
    assert_eq!(lines.next().await.unwrap().unwrap(), whole[1]);
    assert!(is_unavailable(&lines.next().await.unwrap().unwrap_err()), "a truncated log must end with an error");
    assert!(lines.next().await.is_none());

    fake.respond_to(&log, response(404, json!({ "message": WORDS })));
    let mut lines = fixture.lines(environment, OffsetDateTime::UNIX_EPOCH).await;
    assert!(
        matches!(lines.next().await, Some(Err(DriverError::NoContainer))),
        "a container removed before the log opens must be reported as missing"
    );
}

#[tokio::test]
async fn the_status_that_an_engine_reports_becomes_a_stable_state_or_no_container() {
    use vitrine::features::environments::driver::ContainerState::{Created, Exited, Running};
    let fake = FakeEngine::start(Mode::Answer).await;
    let fixture = DriverFixture::before(&fake).await;
    let environment = fixture.created().await;
    for (status, state) in [
        ("created", Some(Created)),
        ("running", Some(Running)),
        ("paused", Some(Running)),
        ("restarting", Some(Running)),
        ("exited", Some(Exited { code: 137 })),
        ("dead", Some(Exited { code: 137 })),
        ("removing", None),
    ] {
        let inspection = json!({ "Id": "id", "State": { "Status": status, "ExitCode": 137 } });
        fake.respond_to(&format!("GET /containers/{}-", fixture.namespace()), response(200, inspection));
        assert_eq!(fixture.state(environment).await, state, "{status}");
        assert_eq!(fixture.listed().await.len(), usize::from(state.is_some()), "{status}");
    }
}
