//! Members of a project receive its events over Socket.IO, on every replica. Former members receive none.

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::support::app::through;
use crate::support::{Ask, Mode, Proxy, Socket, Sockets, Stores, TestApp, User, eventually, when, within};

/// Without a signal, a lost membership is detected within five seconds; the rest is for a busy machine.
const DETECTION_LIMIT: Duration = Duration::from_secs(15);

/// A project with an owner and a viewer.
struct Team {
    ada: User,
    bob: User,
    project: String,
}

impl Team {
    async fn of(app: &TestApp) -> Self {
        let (ada, bob) = (app.user("ada").await, app.user("bob").await);
        let project = app.project(&ada, "One", "private").await["id"].as_str().unwrap().to_owned();
        app.add_member(&ada, &project, &bob, "viewer").await.expect(201);
        Self { ada, bob, project }
    }

    async fn ask(&self, app: &TestApp, method: Method, path: &str) {
        let answer = app.as_user(&self.ada, method, &format!("/api/projects/{}{path}", self.project)).json(&json!({})).answer().await;
        assert!(answer.status < 300, "{}", answer.text());
    }

    async fn rename(&self, app: &TestApp, name: &str) {
        let path = format!("/api/projects/{}", self.project);
        let read = app.as_user(&self.ada, Method::GET, &path).answer().await.expect(200);
        let tag = read.header("etag").to_owned();
        app.as_user(&self.ada, Method::PATCH, &path).header("if-match", tag).json(&json!({ "name": name })).answer().await.expect(200);
    }

    async fn remove_bob(&self, app: &TestApp) {
        self.ask(app, Method::DELETE, &format!("/members/{}", self.bob.id)).await;
    }

    /// Changes the project and asserts that these clients receive the change.
    async fn assert_received_by(&self, app: &TestApp, sockets: &[&Socket]) {
        let before: Vec<usize> = sockets.iter().map(|socket| changes(socket).len()).collect();
        self.rename(app, &Uuid::new_v4().to_string()).await;
        for (socket, before) in sockets.iter().zip(before) {
            eventually("the change has arrived", async || when(changes(socket).len() > before)).await;
        }
    }
}

async fn subscribe(socket: &Socket, project: &str) {
    assert_eq!(socket.emit("project:subscribe", json!({ "project_id": project })).await, json!({}));
}

/// The changes of projects that a client has received.
fn changes(socket: &Socket) -> Vec<String> {
    socket.events("project:changed").iter().map(|changed| changed["change"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn members_receive_each_change_once_on_every_replica() {
    let Some(sockets) = Sockets::start() else { return };
    let replicas = TestApp::replicas(2, &[]).await;
    let [a, b] = &replicas[..] else { unreachable!() };
    let team = Team::of(a).await;
    let cleo = a.user("cleo").await;
    let (ada, bob, other) =
        (sockets.connect(a, &team.ada.token).await, sockets.connect(b, &team.bob.token).await, sockets.connect(b, &cleo.token).await);
    for socket in [&ada, &bob] {
        subscribe(socket, &team.project).await;
        // Subscribing again has no further effect.
        subscribe(socket, &team.project).await;
    }
    team.rename(b, "Two").await;
    team.ask(a, Method::POST, "/publish").await;
    a.add_member(&team.ada, &team.project, &cleo, "viewer").await.expect(201);
    team.ask(b, Method::DELETE, &format!("/members/{}", cleo.id)).await;
    team.ask(a, Method::DELETE, "/publish").await;
    for socket in [&ada, &bob] {
        socket.until("project:changed", |changed| changed["change"] == "unpublished").await;
    }
    team.ask(b, Method::DELETE, "").await;
    let expected = ["updated", "published", "member_added", "member_removed", "unpublished", "access_lost"];
    for socket in [&ada, &bob] {
        socket.until("project:changed", |changed| changed["change"] == "access_lost").await;
        let mut received = changes(socket);
        assert_eq!(received.last().map(String::as_str), Some("access_lost"), "access_lost must be the last event");
        // Access may end before the event `deleted` is sent, which then reaches nobody.
        assert!(received.iter().filter(|change| *change == "deleted").count() <= 1, "{received:?}");
        received.retain(|change| change != "deleted");
        // Events that two replicas emit at almost the same time may arrive in either order.
        received.sort_unstable();
        let mut expected = expected.map(str::to_owned);
        expected.sort_unstable();
        assert_eq!(received, expected);
        let versions = |change: &str| {
            let events = socket.events("project:changed");
            events.into_iter().filter(|event| event["change"] == change).map(|event| event["version"].clone()).collect::<Vec<_>>()
        };
        assert_eq!([versions("updated"), versions("published"), versions("unpublished")], [[json!(2)], [json!(3)], [json!(4)]]);
        let added = socket.events("project:changed").into_iter().find(|event| event["change"] == "member_added");
        assert_eq!(added, Some(json!({ "project_id": team.project, "change": "member_added" })));
    }
    assert_eq!(changes(&other), Vec::<String>::new(), "a client without a subscription must receive nothing");
}

#[tokio::test]
async fn an_unsubscribed_client_receives_no_more_events() {
    let Some(sockets) = Sockets::start() else { return };
    let app = TestApp::start().await;
    let team = Team::of(&app).await;
    let (ada, bob) = (sockets.connect(&app, &team.ada.token).await, sockets.connect(&app, &team.bob.token).await);
    for socket in [&ada, &bob] {
        subscribe(socket, &team.project).await;
    }
    team.assert_received_by(&app, &[&ada, &bob]).await;
    let named = json!({ "project_id": team.project });
    assert_eq!(bob.emit("project:unsubscribe", named.clone()).await, json!({}));
    assert_eq!(bob.emit("project:unsubscribe", named).await, json!({}), "unsubscribing twice must succeed");
    team.assert_received_by(&app, &[&ada]).await;
    assert_eq!(changes(&bob), ["updated"]);
}

#[tokio::test]
async fn a_removed_member_receives_no_more_events_of_the_project_and_its_environments_on_another_replica() {
    let Some(sockets) = Sockets::start() else { return };
    let replicas = TestApp::replicas(2, &["--sim-lines-per-second=100"]).await;
    let [a, b] = &replicas[..] else { unreachable!() };
    let team = Team::of(a).await;
    let create = a.as_user(&team.ada, Method::POST, &format!("/api/projects/{}/environments", team.project));
    let created = create.json(&json!({ "name": "web", "image": "busybox:1.37" })).answer().await.expect(201).json();
    let environment = created["id"].as_str().unwrap();
    let operate = async |operation: &str| {
        let path = format!("/api/environments/{environment}/{operation}");
        eventually(operation, async || when(a.as_user(&team.ada, Method::POST, &path).answer().await.status == 202)).await;
    };
    operate("start").await;
    let (ada, bob) = (sockets.connect(b, &team.ada.token).await, sockets.connect(b, &team.bob.token).await);
    // A client that subscribes only to the environment.
    let tab = sockets.connect(b, &team.bob.token).await;
    for socket in [&ada, &bob] {
        subscribe(socket, &team.project).await;
    }
    for socket in [&ada, &bob, &tab] {
        let subscribed = socket.emit("env:subscribe", json!({ "environment_id": environment })).await;
        assert_eq!(subscribed["environment_id"], environment);
        socket.until("env:log", |log| log["entries"].as_array().unwrap().iter().any(|entry| entry["stream"] == "stdout")).await;
    }
    team.remove_bob(a).await;
    for socket in [&bob, &tab] {
        let lost = socket.until("project:changed", |changed| changed["change"] == "access_lost").await;
        assert_eq!(lost, json!({ "project_id": team.project, "change": "access_lost" }));
    }
    let before = [bob.history().len(), tab.history().len()];
    let lines = ada.events("env:log").len();
    eventually("lines continue", async || when(ada.events("env:log").len() > lines + 3)).await;
    operate("stop").await;
    team.assert_received_by(a, &[&ada]).await;
    ada.until("env:status", |status| status["status"] == "stopped").await;
    assert_eq!([bob.history().len(), tab.history().len()], before, "no event may follow");
    assert!(!changes(&ada).contains(&"access_lost".to_owned()));
    for (event, payload) in
        [("project:subscribe", json!({ "project_id": team.project })), ("env:subscribe", json!({ "environment_id": environment }))]
    {
        assert_eq!(bob.emit_refused(event, payload).await, "not_found");
    }
}

#[tokio::test]
async fn a_removal_is_detected_without_a_signal() {
    let Some(sockets) = Sockets::start() else { return };
    let stores = Stores::new().await;
    let a = TestApp::on(&stores, &[]).await;
    let redis = Proxy::before(&stores.redis_url(), Mode::Pass).await;
    let b = TestApp::on(&stores, &[&through("redis-url", &stores.redis_url(), redis.address)]).await;
    let team = Team::of(&a).await;
    let (ada, bob) = (sockets.connect(&b, &team.ada.token).await, sockets.connect(&b, &team.bob.token).await);
    for socket in [&ada, &bob] {
        subscribe(socket, &team.project).await;
    }
    redis.set(Mode::Refuse).await;
    team.remove_bob(&a).await;
    within(DETECTION_LIMIT, "the lost membership is detected", async || when(changes(&bob).contains(&"access_lost".to_owned()))).await;
    let before = bob.history().len();
    team.assert_received_by(&b, &[&ada]).await;
    assert_eq!(bob.history().len(), before);
}

#[tokio::test]
async fn subscriptions_follow_the_same_access_rules_as_requests() {
    let Some(sockets) = Sockets::start() else { return };
    let app = TestApp::start().await;
    let team = Team::of(&app).await;
    let public = app.project(&team.ada, "Public", "public").await["id"].as_str().unwrap().to_owned();
    let (eve, root) = (app.user("eve").await, app.user("root").await);
    app.stores.execute("UPDATE users SET role = 'admin' WHERE email = 'root@example.com'").await;
    let mut environments = Vec::new();
    for project in [&team.project, &public] {
        let create = app.as_user(&team.ada, Method::POST, &format!("/api/projects/{project}/environments"));
        let created = create.json(&json!({ "name": "web", "image": "busybox:1.37" })).answer().await.expect(201).json();
        environments.push(created["id"].as_str().unwrap().to_owned());
    }
    let stranger = sockets.connect(&app, &eve.token).await;
    let nothing = Uuid::now_v7().to_string();
    for (event, field, targets) in [
        ("project:subscribe", "project_id", [&team.project, &public, &nothing]),
        ("env:subscribe", "environment_id", [&environments[0], &environments[1], &nothing]),
    ] {
        for (target, code) in targets.into_iter().zip(["not_found", "forbidden", "not_found"]) {
            let answer = stranger.emit(event, json!({ field: target })).await;
            assert_eq!(answer["error"]["code"], code, "{event} {target}: {answer}");
            assert!(answer["error"]["title"].is_string() && answer["error"].get("status").is_none());
        }
    }
    let administrator = sockets.connect(&app, &root.token).await;
    subscribe(&administrator, &team.project).await;
    administrator.until("presence", |presence| presence["users"][0]["user_id"] == root.id).await;
    team.assert_received_by(&app, &[&administrator]).await;
    assert_eq!(changes(&stranger), Vec::<String>::new());
    assert_eq!(stranger.events("presence"), Vec::<Value>::new());
    assert_eq!(stranger.events("env:status"), Vec::<Value>::new());
}

#[tokio::test]
async fn an_invalid_subscription_is_refused_and_changes_nothing() {
    let Some(sockets) = Sockets::start() else { return };
    let app = TestApp::start().await;
    let team = Team::of(&app).await;
    let ada = sockets.connect(&app, &team.ada.token).await;
    let before = app.scrape().await;
    let id = Uuid::now_v7();
    let mut refused = 0.0;
    for event in ["project:subscribe", "project:unsubscribe", "env:subscribe", "env:unsubscribe"] {
        let field = if event.starts_with("project") { "project_id" } else { "environment_id" };
        let bad = [
            json!(null),
            json!([]),
            json!([id]),
            json!("x"),
            json!(7),
            json!({}),
            json!({ field: null }),
            json!({ field: 7 }),
            json!({ field: "" }),
            json!({ field: "../../etc" }),
            json!({ field: "0".repeat(40_000) }),
            json!({ field: { "$ne": null } }),
            json!({ field: [id] }),
            json!({ field: id, "more": 1 }),
        ];
        for payload in bad {
            let shown = payload.to_string();
            assert_eq!(ada.emit_refused(event, payload).await, "validation_failed", "{event} {}", &shown[..shown.len().min(80)]);
            refused += 1.0;
        }
    }
    for last_seq in [json!(-1), json!(i64::MIN), json!(1.5), json!("1"), json!([]), json!(1e300), json!(u64::MAX)] {
        let payload = json!({ "environment_id": id, "last_seq": last_seq });
        assert_eq!(ada.emit_refused("env:subscribe", payload).await, "validation_failed", "{last_seq}");
        refused += 1.0;
    }
    let after = app.scrape().await;
    assert_eq!(after.since(&before, "websocket_errors_total", &[("error_type", "refused")]), refused);
    assert_eq!(after.since(&before, "websocket_errors_total", &[("error_type", "failed")]), 0.0);
    assert_eq!(after.since(&before, "uncaught_exceptions_total", &[]), 0.0);
    team.assert_received_by(&app, &[]).await;
    assert_eq!(ada.events("project:changed"), Vec::<Value>::new());
}
