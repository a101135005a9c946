//! Terminals of sessions over Socket.IO: input, output, access and closing. The tests that need a real container engine are in
//! `terminals_engine`.

use reqwest::Method;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::support::socket_client::{Kind, Socket, Sockets};
use crate::support::{Ask, Studio, TestApp, eventually, when};

/// The environment's prompt.
const PROMPT: &str = "$ ";

/// The terminal of a session, opened by a client.
pub struct At<'a> {
    socket: &'a Socket,
    session: String,
}

impl<'a> At<'a> {
    pub async fn open(socket: &'a Socket, session: &str) -> Self {
        let this = Self { socket, session: session.to_owned() };
        assert_eq!(socket.emit("session:open", sized(session, 80, 24)).await, json!({}));
        this
    }

    pub async fn types(&self, text: &str) {
        assert_eq!(self.socket.emit("session:input", typed(&self.session, text)).await, json!({}));
    }

    fn screen(&self) -> String {
        let mine = |output: &Value| (output["session_id"] == *self.session).then(|| output["data"].as_str().unwrap().to_owned());
        self.socket.events("session:output").iter().filter_map(mine).collect()
    }

    pub async fn sees(&self, text: &str) {
        eventually(&format!("the terminal shows {text:?}"), async || when(self.screen().contains(text))).await;
    }

    /// Waits until the terminal closes, and returns the reason; asserts that only one closing was reported.
    async fn ended(&self) -> String {
        let mine = |closed: &Value| closed["session_id"] == *self.session;
        let closed = self.socket.until("session:closed", mine).await;
        assert_eq!(closed, json!({ "session_id": self.session, "reason": closed["reason"] }));
        assert_eq!(self.socket.events("session:closed").iter().filter(|closed| mine(closed)).count(), 1);
        closed["reason"].as_str().unwrap().to_owned()
    }
}

pub fn sized(session: &str, cols: u16, rows: u16) -> Value {
    json!({ "session_id": session, "cols": cols, "rows": rows })
}

pub fn typed(session: &str, data: &str) -> Value {
    json!({ "session_id": session, "data": data })
}

/// The stored status of each session in an environment, newest first.
pub async fn statuses(studio: &Studio<'_>, environment: &str) -> Vec<Value> {
    let list = studio.request(Method::GET, &format!("/api/environments/{environment}/sessions")).answer().await.expect(200).json();
    list["items"].as_array().unwrap().iter().map(|session| session["status"].clone()).collect()
}

#[tokio::test]
async fn a_terminal_can_be_opened_used_resized_and_closed() {
    let Some(sockets) = Sockets::start() else { return };
    let app = TestApp::start().await;
    let studio = Studio::open(&app).await;
    let environment = studio.running("web").await;
    let (shell, tmux) = (studio.session(&environment, "shell").await, studio.session(&environment, "tmux").await);
    let ada = sockets.connect(&app, &studio.user.token).await;
    let before = app.scrape().await;

    let at = At::open(&ada, &shell).await;
    at.sees(PROMPT).await;
    let received = ada.history();
    let first = |kind| received.iter().position(|message| message.kind == kind);
    assert!(first(Kind::Ack) < first(Kind::Event), "the acknowledgement must arrive before any output: {received:?}");
    at.types("echo grüße \u{1f600}\r").await;
    at.sees("\ngrüße \u{1f600}\r\n").await;
    at.types("stty size\r").await;
    at.sees("\n24 80\r\n").await;
    assert_eq!(ada.emit("session:resize", sized(&shell, 132, 50)).await, json!({}));
    at.types("stty size\r").await;
    at.sees("\n50 132\r\n").await;

    let other = At::open(&ada, &tmux).await;
    other.types("echo another\r").await;
    other.sees("\nanother\r\n").await;
    assert!(!at.screen().contains("another"));

    assert_eq!(ada.emit("session:close", json!({ "session_id": shell })).await, json!({}));
    assert_eq!(at.ended().await, "closed");
    assert_eq!(statuses(&studio, &environment).await, ["active", "closed"]);
    assert_eq!(ada.emit_refused("session:input", typed(&shell, "x")).await, "not_found");
    other.types("echo and it continues\r").await;
    other.sees("\nand it continues\r\n").await;

    let scrape = app.scrape().await;
    let grown = |name, labels: &[(&str, &str)]| scrape.get(name, labels) - before.get(name, labels);
    assert_eq!(grown("docker_operations_total", &[("driver", "sim"), ("operation", "exec"), ("status", "success")]), 2.0);
    let sent = |event, direction| grown("websocket_messages_total", &[("event_type", event), ("direction", direction)]);
    assert_eq!((sent("session:open", "in"), sent("session:resize", "in"), sent("session:closed", "out")), (2.0, 1.0, 1.0));
    assert_eq!(sent("session:output", "out"), ada.events("session:output").len() as f64);
}

#[tokio::test]
async fn a_program_that_exits_closes_its_session() {
    let Some(sockets) = Sockets::start() else { return };
    let app = TestApp::start().await;
    let studio = Studio::open(&app).await;
    let environment = studio.running("web").await;
    let session = studio.session(&environment, "shell").await;
    let ada = sockets.connect(&app, &studio.user.token).await;
    let at = At::open(&ada, &session).await;
    at.types("exit\r").await;
    assert_eq!(at.ended().await, "exited");
    assert_eq!(statuses(&studio, &environment).await, ["closed"]);
    assert_eq!(ada.emit_refused("session:open", sized(&session, 80, 24)).await, "session_closed");
}

#[tokio::test]
async fn invalid_and_forbidden_requests_are_refused_with_a_reason() {
    let Some(sockets) = Sockets::start() else { return };
    let app = TestApp::start().await;
    let studio = Studio::open(&app).await;
    let (editor, viewer, stranger) = (app.user("bob").await, app.user("eve").await, app.user("mallory").await);
    app.add_member(&studio.user, &studio.project, &editor, "editor").await.expect(201);
    app.add_member(&studio.user, &studio.project, &viewer, "viewer").await.expect(201);
    let environment = studio.running("web").await;
    let session = studio.session(&environment, "shell").await;
    let vscode_session = studio.session(&environment, "vscode").await;

    for (user, code) in [(&editor, "forbidden"), (&viewer, "forbidden"), (&stranger, "not_found")] {
        let socket = sockets.connect(&app, &user.token).await;
        assert_eq!(socket.emit_refused("session:open", sized(&session, 80, 24)).await, code);
        for (event, payload) in [
            ("session:input", typed(&session, "x")),
            ("session:resize", sized(&session, 80, 24)),
            ("session:close", json!({ "session_id": session })),
        ] {
            assert_eq!(socket.emit_refused(event, payload).await, "not_found", "{event}");
        }
    }
    let ada = sockets.connect(&app, &studio.user.token).await;
    assert_eq!(ada.emit_refused("session:open", sized(&vscode_session, 80, 24)).await, "not_a_terminal");
    assert_eq!(ada.emit_refused("session:open", sized(&Uuid::now_v7().to_string(), 80, 24)).await, "not_found");
    for (cols, rows, fields) in [(0, 24, vec!["cols"]), (80, 501, vec!["rows"]), (0, 0, vec!["cols", "rows"])] {
        let answer = ada.emit("session:open", sized(&session, cols, rows)).await;
        assert_eq!(answer["error"]["code"], "validation_failed");
        let named: Vec<&str> = answer["error"]["errors"].as_array().unwrap().iter().map(|error| error["field"].as_str().unwrap()).collect();
        assert_eq!(named, fields);
    }
    for payload in [
        json!({ "session_id": session, "cols": 80 }),
        json!({ "session_id": session, "cols": -1, "rows": 24 }),
        json!({ "session_id": session, "cols": 80.5, "rows": 24 }),
        json!({ "session_id": "mine", "cols": 80, "rows": 24 }),
        json!({ "session_id": session, "cols": 80, "rows": 24, "command": "sh" }),
        json!([]),
        Value::Null,
    ] {
        assert_eq!(ada.emit_refused("session:open", payload.clone()).await, "validation_failed", "{payload}");
    }

    let at = At::open(&ada, &session).await;
    at.sees(PROMPT).await;
    assert_eq!(ada.emit_refused("session:open", sized(&session, 80, 24)).await, "terminal_busy");
    assert_eq!(ada.emit_refused("session:resize", sized(&session, 80, 0)).await, "validation_failed");
    assert_eq!(ada.emit_refused("session:input", typed(&session, &"x".repeat((16 << 10) + 1))).await, "payload_too_large");
    assert_eq!(ada.emit_refused("session:input", json!({ "session_id": session, "data": [1] })).await, "validation_failed");
    at.types("echo unharmed\r").await;
    at.sees("\nunharmed\r\n").await;
    assert!(!at.screen().contains("xx"), "refused input must not reach the terminal");
    assert_eq!(statuses(&studio, &environment).await, ["active", "active"]);
}

#[tokio::test]
async fn a_connection_can_have_at_most_eight_open_terminals() {
    let Some(sockets) = Sockets::start() else { return };
    let app = TestApp::start().await;
    let studio = Studio::open(&app).await;
    let environment = studio.running("web").await;
    let mut sessions = Vec::new();
    for _ in 0..9 {
        sessions.push(studio.session(&environment, "shell").await);
    }
    let ada = sockets.connect(&app, &studio.user.token).await;
    for session in &sessions[..8] {
        At::open(&ada, session).await;
    }
    assert_eq!(ada.emit_refused("session:open", sized(&sessions[8], 80, 24)).await, "too_many_terminals");
    let tab = sockets.connect(&app, &studio.user.token).await;
    At::open(&tab, &sessions[8]).await.sees(PROMPT).await;
    assert_eq!(ada.emit("session:close", json!({ "session_id": sessions[0] })).await, json!({}));
    ada.until("session:closed", |closed| closed["session_id"] == *sessions[0]).await;
    At::open(&ada, &sessions[8]).await.sees(PROMPT).await;
}

#[tokio::test]
async fn the_largest_input_arrives_whole() {
    let Some(sockets) = Sockets::start() else { return };
    let app = TestApp::start().await;
    let studio = Studio::open(&app).await;
    let session = studio.session(&studio.running("web").await, "shell").await;
    let ada = sockets.connect(&app, &studio.user.token).await;
    let at = At::open(&ada, &session).await;
    let lines = (0..(16 << 10) / 8).map(|n| format!("#{n:06}\r")).collect::<Vec<_>>().concat();
    assert_eq!(lines.len(), 16 << 10);
    at.types(&lines).await;
    at.sees(&format!("sh: #{:06}: not found\r\n", (16 << 10) / 8 - 1)).await;
    let screen = at.screen();
    assert_eq!(screen.matches(": not found\r\n").count(), (16 << 10) / 8);
    assert!(ada.events("session:output").iter().all(|output| output["data"].as_str().unwrap().len() <= 16 << 10));
}

#[tokio::test]
async fn a_terminal_closes_when_its_environment_stops() {
    let Some(sockets) = Sockets::start() else { return };
    let app = TestApp::start().await;
    let studio = Studio::open(&app).await;
    let environment = studio.running("web").await;
    let ada = sockets.connect(&app, &studio.user.token).await;
    let open_new = async || {
        let session = studio.session(&environment, "shell").await;
        let at = At::open(&ada, &session).await;
        at.sees(PROMPT).await;
        at
    };
    let at = open_new().await;
    studio.operate(&environment, "restart").await.expect(202);
    assert_eq!(at.ended().await, "stopped");
    studio.until(&environment, "running").await;
    let at = open_new().await;
    studio.operate(&environment, "stop").await.expect(202);
    assert_eq!(at.ended().await, "stopped");
    studio.until(&environment, "stopped").await;
    assert_eq!(ada.emit_refused("session:open", sized(&at.session, 80, 24)).await, "session_closed");

    studio.operate(&environment, "start").await.expect(202);
    studio.until(&environment, "running").await;
    let at = open_new().await;
    let exit_container = "UPDATE sim_containers SET state = 'exited', exit_code = 1, stopped_at = now() WHERE environment_id = $1::uuid";
    sqlx::query(exit_container).bind(&environment).execute(app.stores.pool()).await.unwrap();
    assert_eq!(at.ended().await, "stopped");

    studio.until(&environment, "error").await;
    studio.operate(&environment, "start").await.expect(202);
    studio.until(&environment, "running").await;
    let at = open_new().await;
    studio.delete(&environment).await.expect(202);
    assert_eq!(at.ended().await, "stopped");
}

#[tokio::test]
async fn closing_a_session_closes_its_terminals_on_every_replica() {
    let Some(sockets) = Sockets::start() else { return };
    let app = TestApp::start().await;
    let neighbour = TestApp::on(&app.stores, &[]).await;
    let studio = Studio::open(&app).await;
    let environment = studio.running("web").await;
    let (session, other) = (studio.session(&environment, "shell").await, studio.session(&environment, "shell").await);
    let (here, there) = (sockets.connect(&app, &studio.user.token).await, sockets.connect(&neighbour, &studio.user.token).await);
    let (on_this_replica, on_the_other, unaffected) =
        (At::open(&here, &session).await, At::open(&there, &session).await, At::open(&there, &other).await);
    on_this_replica.types("echo mine\r").await;
    on_this_replica.sees("\nmine\r\n").await;
    on_the_other.sees(PROMPT).await;
    assert!(!on_the_other.screen().contains("mine"), "the output of a shell must reach only its own socket");
    studio.request(Method::DELETE, &format!("/api/sessions/{session}")).answer().await.expect(204);
    assert_eq!((on_this_replica.ended().await, on_the_other.ended().await), ("closed".to_owned(), "closed".to_owned()));
    unaffected.types("echo on\r").await;
    unaffected.sees("\non\r\n").await;
}

#[tokio::test]
async fn a_closed_session_is_detected_without_an_event() {
    let Some(sockets) = Sockets::start() else { return };
    let app = TestApp::start().await;
    let studio = Studio::open(&app).await;
    let environment = studio.running("web").await;
    let session = studio.session(&environment, "shell").await;
    let ada = sockets.connect(&app, &studio.user.token).await;
    let at = At::open(&ada, &session).await;
    let closed = "UPDATE env_sessions SET status = 'closed', closed_at = now() WHERE id = $1::uuid";
    sqlx::query(closed).bind(&session).execute(app.stores.pool()).await.unwrap();
    assert_eq!(at.ended().await, "closed");
}

#[tokio::test]
async fn a_member_who_loses_access_loses_the_terminal() {
    let Some(sockets) = Sockets::start() else { return };
    let app = TestApp::start().await;
    let neighbour = TestApp::on(&app.stores, &[]).await;
    let studio = Studio::open(&app).await;
    let environment = studio.running("web").await;
    let (bob, eve) = (app.user("bob").await, app.user("eve").await);
    let mut sessions = Vec::new();
    for member in [&bob, &eve] {
        app.add_member(&studio.user, &studio.project, member, "editor").await.expect(201);
        let open = app.as_user(member, Method::POST, &format!("/api/environments/{environment}/sessions"));
        let session = open.json(&json!({ "type": "shell" })).answer().await.expect(201).json();
        sessions.push(session["id"].as_str().unwrap().to_owned());
    }
    let (bobs, eves) = (sockets.connect(&neighbour, &bob.token).await, sockets.connect(&app, &eve.token).await);
    let (bob_at, eve_at) = (At::open(&bobs, &sessions[0]).await, At::open(&eves, &sessions[1]).await);
    bob_at.sees(PROMPT).await;
    eve_at.sees(PROMPT).await;
    let membership = format!("/api/projects/{}/members/{}", studio.project, bob.id);
    studio.request(Method::DELETE, &membership).answer().await.expect(204);
    app.add_member(&studio.user, &studio.project, &eve, "viewer").await.expect(201);
    assert_eq!((bob_at.ended().await, eve_at.ended().await), ("access_lost".to_owned(), "access_lost".to_owned()));
    assert_eq!(bobs.emit_refused("session:open", sized(&sessions[0], 80, 24)).await, "not_found");
    assert_eq!(eves.emit_refused("session:open", sized(&sessions[1], 80, 24)).await, "forbidden");
}

#[tokio::test]
async fn a_user_reopens_the_session_on_another_replica() {
    let Some(sockets) = Sockets::start() else { return };
    let app = TestApp::start().await;
    let neighbour = TestApp::on(&app.stores, &[]).await;
    let studio = Studio::open(&app).await;
    let environment = studio.running("web").await;
    let session = studio.session(&environment, "shell").await;
    let ada = sockets.connect(&app, &studio.user.token).await;
    At::open(&ada, &session).await.sees(PROMPT).await;
    ada.kill();
    ada.closed().await;
    assert_eq!(statuses(&studio, &environment).await, ["active"]);
    let back = sockets.connect(&neighbour, &studio.user.token).await;
    let at = At::open(&back, &session).await;
    at.types("echo back\r").await;
    at.sees("\nback\r\n").await;
}
