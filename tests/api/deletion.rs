//! Deletion of an account: the data that is deleted with the account, the data that stays, and refusals of the deletion.

use reqwest::Method;
use serde_json::json;

use crate::support::users::PASSWORD;
use crate::support::{Answer, Ask, Platforms, PostFixture, RawSocket, Stores, Studio, TestApp, User, eventually, when};

async fn delete(app: &TestApp, user: &User, password: &str) -> Answer {
    app.as_user(user, Method::POST, "/api/auth/me/delete").json(&json!({ "password": password })).answer().await
}

#[tokio::test]
async fn a_deleted_account_takes_along_what_belongs_to_it() {
    let platforms = Platforms::start().await;
    let app = platforms.app().await;
    let desk = PostFixture::open(&app, &["mastodon"]).await;
    let author = desk.author.clone();
    let bob = app.user("bob").await;
    app.add_member(&author, &desk.project, &bob, "editor").await.expect(201);
    let foreign = app.project(&bob, "Of Bob", "private").await["id"].as_str().unwrap().to_owned();
    app.add_member(&bob, &foreign, &author, "editor").await.expect(201);
    let post = desk.post("Here it is", &["mastodon"]).await;
    desk.until(&post, "mastodon", "delivered").await;
    // Every replica may now answer from the caches.
    app.get("/api/showcase/one").answer().await.expect(200);
    app.as_user(&bob, Method::GET, &format!("/api/projects/{}", desk.project)).answer().await.expect(200);

    delete(&app, &author, PASSWORD).await.expect(204);
    app.me(&author.token).await.problem(401, "invalid_token");
    app.login(&author.email, PASSWORD).await.problem(401, "invalid_credentials");
    app.get("/api/showcase/one").answer().await.problem(404, "not_found");
    app.as_user(&bob, Method::GET, &format!("/api/projects/{}", desk.project)).answer().await.problem(404, "not_found");
    let members = app.as_user(&bob, Method::GET, &format!("/api/projects/{foreign}/members")).answer().await.expect(200).json();
    assert_eq!(members["items"].as_array().unwrap().len(), 1, "{members}");
    for table in ["posts", "post_deliveries", "social_accounts", "account_links"] {
        let count: i64 =
            sqlx::query_scalar(sqlx::AssertSqlSafe(format!("SELECT count(*) FROM {table}"))).fetch_one(app.stores.pool()).await.unwrap();
        assert_eq!(count, 0, "{table}");
    }
    eventually("the tokens are revoked", async || when(platforms.count("mastodon", "revocations").await > 0)).await;
    // The address is free again.
    app.register(&author.email).await.expect(201);
    let scrape = app.settled().await;
    assert_eq!(scrape.get("auth_events_total", &[("event", "deletion"), ("status", "success")]), 1.0);
}

#[tokio::test]
async fn the_audit_keeps_only_that_an_account_was_deleted() {
    let app = TestApp::start().await;
    let ada = app.user("ada").await;
    delete(&app, &ada, PASSWORD).await.expect(204);
    let kept: Vec<(String, Option<String>)> =
        sqlx::query_as("SELECT event, network FROM audit_events").fetch_all(app.stores.pool()).await.unwrap();
    assert_eq!(kept, [("account_deleted".to_owned(), None)]);
}

#[tokio::test]
async fn a_deletion_ends_sessions_and_sockets_on_every_replica() {
    let stores = Stores::new().await;
    let (one, two) = (TestApp::on(&stores, &[]).await, TestApp::on(&stores, &[]).await);
    let ada = one.user("ada").await;
    let other = two.token(&ada.email).await;
    two.me(&other).await.expect(200);
    let _socket = RawSocket::connected(two.address, &other).await;
    two.until_clients(1).await;
    delete(&one, &ada, PASSWORD).await.expect(204);
    two.me(&other).await.problem(401, "invalid_token");
    two.until_clients(0).await;
}

#[tokio::test]
async fn while_an_environment_runs_the_deletion_is_refused_and_changes_nothing() {
    let app = TestApp::start().await;
    let studio = Studio::open(&app).await;
    let environment = studio.running("box").await;
    let refused = delete(&app, &studio.user, PASSWORD).await.problem(409, "environment_running");
    assert!(refused.json()["detail"].as_str().unwrap().contains("stop your environments"), "{}", refused.text());
    assert_eq!(studio.read(&environment).await.expect(200).json()["status"], "running");
    app.me(&studio.user.token).await.expect(200);

    studio.operate(&environment, "stop").await.expect(202);
    studio.until(&environment, "stopped").await;
    delete(&app, &studio.user, PASSWORD).await.expect(204);
    let gone = "SELECT count(*) FROM environments";
    assert_eq!(app.stores.count(gone).await, 0);
    let containers = "SELECT count(*) FROM sim_containers";
    eventually("the container is removed", async || when(app.stores.count(containers).await == 0)).await;
}

#[tokio::test]
async fn environments_in_projects_of_others_stay() {
    let app = TestApp::start().await;
    let studio = Studio::open(&app).await;
    let bob = app.user("bob").await;
    app.add_member(&studio.user, &studio.project, &bob, "editor").await.expect(201);
    let guest = Studio { app: &app, user: bob.clone(), project: studio.project.clone() };
    let environment = guest.running("box").await;
    delete(&app, &bob, PASSWORD).await.expect(204);
    assert_eq!(studio.read(&environment).await.expect(200).json()["status"], "running");
    studio.operate(&environment, "stop").await.expect(202);
    studio.until(&environment, "stopped").await;
}

#[tokio::test]
async fn a_wrong_password_deletes_nothing_and_is_limited() {
    let app = TestApp::with(&["--login-attempts-per-account=2"]).await;
    let ada = app.user("ada").await;
    let before = app.stores.contents().await;
    for _ in 0..2 {
        delete(&app, &ada, "not the password").await.problem(403, "wrong_password");
    }
    delete(&app, &ada, PASSWORD).await.problem(429, "too_many_attempts");
    app.post("/api/auth/me/delete").json(&json!({ "password": PASSWORD })).answer().await.problem(401, "unauthenticated");
    assert_eq!(app.stores.contents().await, before);
}
