//! Change of the password by a signed-in user, who repeats the current password.

use reqwest::Method;
use serde_json::json;

use crate::support::users::PASSWORD;
use crate::support::{Answer, Ask, MailServer, TestApp, User};

const NEW: &str = "an entirely new pass phrase";

async fn change(app: &TestApp, user: &User, current: &str, new: &str) -> Answer {
    let body = json!({ "current_password": current, "password": new });
    app.as_user(user, Method::PUT, "/api/auth/password").json(&body).answer().await
}

#[tokio::test]
async fn a_change_keeps_this_session_and_ends_all_others() {
    let app = TestApp::start().await;
    let ada = app.user("ada").await;
    let other = app.token(&ada.email).await;
    change(&app, &ada, PASSWORD, NEW).await.expect(204);
    app.me(&ada.token).await.expect(200);
    app.me(&other).await.problem(401, "invalid_token");
    app.login(&ada.email, PASSWORD).await.problem(401, "invalid_credentials");
    app.login(&ada.email, NEW).await.expect(200);
    let scrape = app.settled().await;
    assert_eq!(scrape.get("auth_events_total", &[("event", "password_change"), ("status", "success")]), 1.0);
}

#[tokio::test]
async fn a_wrong_or_weak_password_changes_nothing() {
    let app = TestApp::start().await;
    let ada = app.user("ada").await;
    let before = app.stores.contents().await;
    change(&app, &ada, "not the password", NEW).await.problem(403, "wrong_password");
    change(&app, &ada, "", NEW).await.problem(403, "wrong_password");
    let weak = change(&app, &ada, PASSWORD, "password1").await.problem(422, "validation_failed");
    assert_eq!(weak.field_code("password").as_deref(), Some("too_common"));
    let body = json!({ "current_password": PASSWORD, "password": NEW });
    app.request(Method::PUT, "/api/auth/password").json(&body).answer().await.problem(401, "unauthenticated");
    assert_eq!(app.stores.contents().await, before);
}

#[tokio::test]
async fn wrong_passwords_are_limited_like_failed_logins() {
    let app = TestApp::with(&["--login-attempts-per-account=3"]).await;
    let ada = app.user("ada").await;
    for _ in 0..3 {
        change(&app, &ada, "not the password", NEW).await.problem(403, "wrong_password");
    }
    change(&app, &ada, PASSWORD, NEW).await.problem(429, "too_many_attempts");
    app.login(&ada.email, PASSWORD).await.problem(429, "too_many_attempts");
}

#[tokio::test]
async fn an_account_without_a_password_cannot_change_it() {
    let app = TestApp::start().await;
    let ada = app.user("ada").await;
    app.stores.execute("UPDATE users SET password_hash = NULL").await;
    change(&app, &ada, PASSWORD, NEW).await.problem(403, "wrong_password");
}

#[tokio::test]
async fn changes_cannot_flood_a_mailbox() {
    let server = MailServer::start().await;
    let app = TestApp::with(&[&server.argument(), "--mails-per-hour=2"]).await;
    let ada = app.user("ada").await;
    change(&app, &ada, PASSWORD, NEW).await.expect(204);
    change(&app, &ada, NEW, PASSWORD).await.problem(429, "too_many_attempts");
    app.login(&ada.email, NEW).await.expect(200);
}
