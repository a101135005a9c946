//! Sessions in environments: opened while the environment runs, closed when it stops.

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{Answer, Ask, Studio, TestApp, eventually, when};

async fn open(studio: &Studio<'_>, id: &str, kind: &str) -> Answer {
    studio.request(Method::POST, &format!("/api/environments/{id}/sessions")).json(&json!({ "type": kind })).answer().await
}

async fn listed(studio: &Studio<'_>, id: &str) -> Vec<Value> {
    let list = studio.request(Method::GET, &format!("/api/environments/{id}/sessions")).answer().await.expect(200).json();
    list["items"].as_array().unwrap().clone()
}

#[tokio::test]
async fn a_session_of_each_type_is_opened_listed_and_closed() {
    let app = TestApp::start().await;
    let studio = Studio::open(&app).await;
    let id = studio.running("web").await;
    let mut opened = Vec::new();
    for kind in ["vscode", "tmux", "shell"] {
        let session = open(&studio, &id, kind).await.expect(201).json();
        let expected = json!({
            "id": session["id"], "environment_id": id, "user_id": studio.user.id, "type": kind, "status": "active",
            "link": session["link"], "created_at": session["created_at"], "closed_at": null,
        });
        assert_eq!(session, expected);
        assert_eq!(session["link"].is_string(), kind == "vscode");
        opened.insert(0, session);
    }
    assert!(opened[2]["link"].as_str().unwrap().starts_with("vscode://vscode-remote/attached-container+"));
    assert_eq!(listed(&studio, &id).await, opened);

    let close = format!("/api/sessions/{}", opened[2]["id"].as_str().unwrap());
    for _ in 0..2 {
        studio.request(Method::DELETE, &close).answer().await.expect(204);
    }
    let closed = listed(&studio, &id).await.remove(2);
    assert_eq!((&closed["status"], &closed["link"]), (&json!("closed"), &Value::Null));
    assert!(closed["closed_at"].is_string());
    eventually("the gauges are up to date", async || {
        let scrape = app.scrape().await;
        let count = |kind, status| scrape.get("workspace_sessions", &[("type", kind), ("status", status)]);
        when(count("vscode", "closed") == 1.0 && count("tmux", "active") == 1.0 && count("shell", "active") == 1.0)
    })
    .await;
}

#[tokio::test]
async fn a_session_requires_a_running_environment_and_ends_with_it() {
    let app = TestApp::start().await;
    let studio = Studio::open(&app).await;
    let id = studio.environment("web").await;
    open(&studio, &id, "shell").await.problem(409, "environment_not_running");
    studio.operate(&id, "start").await.expect(202);
    studio.until(&id, "running").await;
    open(&studio, &id, "shell").await.expect(201);
    studio.operate(&id, "restart").await.expect(202);
    assert_eq!(listed(&studio, &id).await[0]["status"], "closed");
    studio.until(&id, "running").await;

    open(&studio, &id, "tmux").await.expect(201);
    app.stores.execute("UPDATE sim_containers SET state = 'exited', exit_code = 1").await;
    studio.until(&id, "error").await;
    assert_eq!(listed(&studio, &id).await[0]["status"], "closed");
}

#[tokio::test]
async fn the_concurrent_sessions_of_an_environment_are_limited() {
    let app = TestApp::start().await;
    let studio = Studio::open(&app).await;
    let id = studio.running("web").await;
    let answers = futures_util::future::join_all((0..12).map(|_| open(&studio, &id, "shell"))).await;
    assert_eq!(answers.iter().filter(|answer| answer.status == 201).count(), 10);
    open(&studio, &id, "shell").await.problem(409, "too_many_sessions");
    let first = answers.iter().find(|answer| answer.status == 201).unwrap().json();
    studio.request(Method::DELETE, &format!("/api/sessions/{}", first["id"].as_str().unwrap())).answer().await.expect(204);
    open(&studio, &id, "shell").await.expect(201);
}

#[tokio::test]
async fn a_session_is_closed_by_its_user_or_by_an_owner() {
    let app = TestApp::start().await;
    let studio = Studio::open(&app).await;
    let id = studio.running("web").await;
    let (bob, eve) = (app.user("bob").await, app.user("eve").await);
    app.add_member(&studio.user, &studio.project, &bob, "editor").await.expect(201);
    let path = format!("/api/environments/{id}/sessions");
    let of_bob = app.as_user(&bob, Method::POST, &path).json(&json!({ "type": "shell" })).answer().await.expect(201).json();
    let of_ada = open(&studio, &id, "shell").await.expect(201).json();
    let session = |session: &Value| format!("/api/sessions/{}", session["id"].as_str().unwrap());
    app.as_user(&bob, Method::DELETE, &session(&of_ada)).answer().await.problem(403, "forbidden");
    app.as_user(&eve, Method::DELETE, &session(&of_ada)).answer().await.problem(404, "not_found");
    app.as_user(&bob, Method::DELETE, &session(&of_bob)).answer().await.expect(204);
    let again = app.as_user(&bob, Method::POST, &path).json(&json!({ "type": "shell" })).answer().await.expect(201).json();
    studio.request(Method::DELETE, &session(&again)).answer().await.expect(204);
}
