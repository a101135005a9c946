//! A stored value that this version does not know is an error. It is never replaced with a default that grants or denies access.

use reqwest::Method;

use crate::support::users::PASSWORD;
use crate::support::{Ask, Stores, TestApp, User};

async fn execute(stores: &Stores, statement: &'static str) {
    sqlx::query(statement).execute(stores.pool()).await.unwrap();
}

/// Requests a path as the user; asserts that the response is 500 `internal` and is counted once.
async fn assert_internal(app: &TestApp, user: &User, path: &str) {
    let before = app.settled().await;
    app.as_user(user, Method::GET, path).answer().await.problem(500, "internal");
    let after = app.settled().await;
    assert_eq!(after.since(&before, "api_errors_total", &[("type", "internal")]), 1.0, "{path}");
}

#[tokio::test]
async fn an_unknown_project_role_is_not_read_as_viewer() {
    let app = TestApp::start().await;
    let (ada, bob) = (app.user("ada").await, app.user("bob").await);
    let project = app.project(&ada, "One", "private").await;
    let id = project["id"].as_str().unwrap();
    app.add_member(&ada, id, &bob, "editor").await.expect(201);
    execute(&app.stores, "ALTER TABLE project_members DROP CONSTRAINT project_members_role_check").await;
    execute(&app.stores, "UPDATE project_members SET role = 'auditor' WHERE role = 'editor'").await;

    for path in ["/api/projects".to_owned(), format!("/api/projects/{id}"), format!("/api/projects/{id}/members")] {
        assert_internal(&app, &bob, &path).await;
    }
    let change = app.as_user(&bob, Method::PATCH, &format!("/api/projects/{id}")).header("if-match", "*");
    change.json(&serde_json::json!({ "name": "Two" })).answer().await.problem(500, "internal");
    assert_eq!(app.stores.count("SELECT count(*) FROM project_members WHERE role = 'auditor'").await, 1);

    execute(&app.stores, "UPDATE project_members SET role = 'editor' WHERE role = 'auditor'").await;
    let seen = app.as_user(&bob, Method::GET, &format!("/api/projects/{id}")).answer().await.expect(200).json();
    assert_eq!((&seen["role"], &seen["name"]), (&"editor".into(), &"One".into()));
}

#[tokio::test]
async fn an_unknown_visibility_is_not_read_as_private() {
    let app = TestApp::start().await;
    let (ada, eve) = (app.user("ada").await, app.user("eve").await);
    let project = app.project(&ada, "One", "public").await;
    let path = format!("/api/projects/{}", project["id"].as_str().unwrap());
    execute(&app.stores, "ALTER TABLE projects DROP CONSTRAINT projects_visibility_check").await;
    execute(&app.stores, "UPDATE projects SET visibility = 'team'").await;

    assert_internal(&app, &eve, &path).await;
    assert_internal(&app, &ada, &path).await;
    assert_internal(&app, &ada, "/api/projects").await;
}

#[tokio::test]
async fn an_unknown_account_role_is_not_read_as_member() {
    let app = TestApp::start().await;
    let ada = app.user("ada").await;
    execute(&app.stores, "ALTER TABLE users DROP CONSTRAINT users_role_check").await;
    execute(&app.stores, "UPDATE users SET role = 'auditor'").await;

    assert_internal(&app, &ada, "/api/auth/me").await;
    app.login(&ada.email, PASSWORD).await.problem(500, "internal");
    assert_eq!(app.stores.count("SELECT count(*) FROM auth_sessions").await, 1);
}
