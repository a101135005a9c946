//! Members of a project: their roles, and the loss of access on every replica after their removal.

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{Ask, Stores, TestApp};

#[tokio::test]
async fn the_owner_adds_a_member_changes_the_role_and_removes_the_member() {
    let app = TestApp::start().await;
    let (ada, bob) = (app.user("ada").await, app.user("bob").await);
    let project = app.project(&ada, "One", "private").await;
    let id = project["id"].as_str().unwrap();
    let path = format!("/api/projects/{id}/members");

    let added = app.add_member(&ada, id, &bob, "viewer").await.expect(201).json();
    assert_eq!(added, json!({ "user_id": bob.id, "display_name": "Somebody", "role": "viewer", "added_at": added["added_at"] }));
    let roles = async || {
        let list = app.as_user(&ada, Method::GET, &path).answer().await.expect(200).json();
        list["items"].as_array().unwrap().iter().map(|member| member["role"].clone()).collect::<Vec<Value>>()
    };
    assert_eq!(roles().await, ["viewer", "owner"]);
    let seen = app.as_user(&bob, Method::GET, &format!("/api/projects/{id}")).answer().await.expect(200).json();
    assert_eq!(seen["role"], "viewer");
    assert_eq!(app.as_user(&bob, Method::GET, "/api/projects").answer().await.json()["items"][0]["role"], "viewer");

    let again = app.add_member(&ada, id, &bob, "editor").await.expect(201).json();
    assert_eq!((&again["role"], &again["added_at"]), (&json!("editor"), &added["added_at"]));
    assert_eq!(roles().await, ["editor", "owner"]);

    app.as_user(&ada, Method::DELETE, &format!("{path}/{}", bob.id)).answer().await.expect(204);
    assert_eq!(roles().await, ["owner"]);
    app.as_user(&ada, Method::DELETE, &format!("{path}/{}", bob.id)).answer().await.problem(404, "not_found");
    app.as_user(&bob, Method::GET, &format!("/api/projects/{id}")).answer().await.problem(404, "not_found");
    assert_eq!(app.as_user(&bob, Method::GET, "/api/projects").answer().await.json()["items"], json!([]));
}

#[tokio::test]
async fn a_project_keeps_its_owner() {
    let app = TestApp::start().await;
    let (ada, bob) = (app.user("ada").await, app.user("bob").await);
    let project = app.project(&ada, "One", "private").await;
    let id = project["id"].as_str().unwrap();
    let rows = app.stores.contents().await;
    app.add_member(&ada, id, &ada, "viewer").await.problem(409, "owner_required");
    app.as_user(&ada, Method::DELETE, &format!("/api/projects/{id}/members/{}", ada.id)).answer().await.problem(409, "owner_required");
    let refused = app.add_member(&ada, id, &bob, "owner").await.problem(422, "validation_failed");
    assert_eq!(refused.field_code("role").as_deref(), Some("invalid"));
    assert_eq!(app.stores.contents().await, rows);
}

#[tokio::test]
async fn a_member_may_leave() {
    let app = TestApp::start().await;
    let (ada, bob) = (app.user("ada").await, app.user("bob").await);
    let project = app.project(&ada, "One", "private").await;
    let id = project["id"].as_str().unwrap();
    app.add_member(&ada, id, &bob, "viewer").await.expect(201);
    app.as_user(&bob, Method::DELETE, &format!("/api/projects/{id}/members/{}", bob.id)).answer().await.expect(204);
    app.as_user(&bob, Method::GET, &format!("/api/projects/{id}")).answer().await.problem(404, "not_found");
}

#[tokio::test]
async fn only_accounts_become_members() {
    let app = TestApp::start().await;
    let ada = app.user("ada").await;
    let project = app.project(&ada, "One", "private").await;
    let path = format!("/api/projects/{}/members", project["id"].as_str().unwrap());
    for email in ["nobody@example.com", "", "nonsense", "%", "ada@example.com' --"] {
        let body = json!({ "email": email, "role": "viewer" });
        let refused = app.post(&path).bearer_auth(&ada.token).json(&body).answer().await.problem(422, "validation_failed");
        assert!(refused.field_code("email").is_some(), "{email}: {}", refused.text());
    }
    assert_eq!(app.stores.count("SELECT count(*) FROM project_members").await, 1);
}

#[tokio::test]
async fn a_full_project_accepts_no_new_member_but_allows_changes_of_roles() {
    let app = TestApp::start().await;
    let (ada, bob, eve) = (app.user("ada").await, app.user("bob").await, app.user("eve").await);
    let project = app.project(&ada, "One", "private").await;
    let id = project["id"].as_str().unwrap();
    app.add_member(&ada, id, &bob, "viewer").await.expect(201);
    app.stores.execute("INSERT INTO users (id, email, display_name) SELECT gen_random_uuid(), n || '@many.example', 'Many' FROM generate_series(1, 98) n").await;
    app.stores
        .execute("INSERT INTO project_members (project_id, user_id, role) SELECT p.id, u.id, 'viewer' FROM projects p, users u WHERE u.display_name = 'Many'")
        .await;
    app.add_member(&ada, id, &eve, "viewer").await.problem(409, "too_many_members");
    app.add_member(&ada, id, &bob, "editor").await.expect(201);
    assert_eq!(app.stores.count("SELECT count(*) FROM project_members").await, 100);
}

#[tokio::test]
async fn a_removed_member_loses_access_at_once_on_a_replica_that_had_cached_the_role() {
    let stores = Stores::new().await;
    let (one, two) = (TestApp::on(&stores, &[]).await, TestApp::on(&stores, &[]).await);
    let (ada, bob) = (one.user("ada").await, one.user("bob").await);
    let project = one.project(&ada, "One", "private").await;
    let (id, path) = (project["id"].as_str().unwrap(), format!("/api/projects/{}", project["id"].as_str().unwrap()));
    for _ in 0..5 {
        one.add_member(&ada, id, &bob, "viewer").await.expect(201);
        two.as_user(&bob, Method::GET, &path).answer().await.expect(200);
        one.as_user(&ada, Method::DELETE, &format!("{path}/members/{}", bob.id)).answer().await.expect(204);
        two.as_user(&bob, Method::GET, &path).answer().await.problem(404, "not_found");
        two.as_user(&bob, Method::GET, &format!("{path}/members")).answer().await.problem(404, "not_found");
    }
}
