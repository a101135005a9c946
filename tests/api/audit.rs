//! The events of an account: sign-ins, failed sign-ins and changes of credentials, for the owner only.

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::users::PASSWORD;
use crate::support::{Answer, Ask, Browser, MailServer, Platforms, Stores, TestApp, User, eventually, when};

async fn login_from(app: &TestApp, forwarded: &str, email: &str, password: &str) -> Answer {
    let body = json!({ "email": email, "password": password });
    app.post("/api/auth/login").header("x-forwarded-for", forwarded).json(&body).answer().await
}

async fn page(app: &TestApp, user: &User, query: &str) -> Value {
    app.as_user(user, Method::GET, &format!("/api/auth/events{query}")).answer().await.expect(200).json()
}

/// The names of the events, newest first.
async fn events(app: &TestApp, user: &User) -> Vec<String> {
    let page = page(app, user, "").await;
    page["items"].as_array().unwrap().iter().map(|item| item["event"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn sign_ins_and_failures_are_listed_with_their_network() {
    let app = TestApp::start().await;
    let ada = app.user("ada").await;
    login_from(&app, "203.0.113.7", &ada.email, "not the password").await.problem(401, "invalid_credentials");
    eventually("the failure is listed", async || when(events(&app, &ada).await.len() == 2)).await;
    login_from(&app, "2001:db8::1", &ada.email, PASSWORD).await.expect(200);
    let listed = page(&app, &ada, "").await;
    let shown: Vec<_> = listed["items"].as_array().unwrap().iter().map(|item| (item["event"].clone(), item["network"].clone())).collect();
    let expected = [("sign_in", "2001:db8::/64"), ("sign_in_failed", "203.0.113.7"), ("sign_in", "127.0.0.1")];
    assert_eq!(shown, expected.map(|(event, network)| (json!(event), json!(network))));
    let html = app.get("/studio/accounts/events").header("cookie", format!("vitrine={}", ada.token)).answer().await.expect(200).text();
    assert!(html.contains("203.0.113.7") && html.contains("Wrong password or code at a sign-in"), "{html}");
}

#[tokio::test]
async fn changes_of_credentials_are_listed() {
    let server = MailServer::start().await;
    let app = TestApp::with(&[&server.argument()]).await;
    let ada = app.user("ada").await;
    let token = server.next().await.token("/confirm");
    app.post("/api/auth/confirmations/redeem").json(&json!({ "token": token })).answer().await.expect(204);
    let body = json!({ "current_password": PASSWORD, "password": "an entirely new pass phrase" });
    app.as_user(&ada, Method::PUT, "/api/auth/password").json(&body).answer().await.expect(204);
    assert!(server.next().await.content.contains("was changed"));
    app.post("/api/auth/password-resets").json(&json!({ "email": ada.email })).answer().await.expect(202);
    let body = json!({ "token": server.next().await.token("/password-reset"), "password": PASSWORD });
    app.post("/api/auth/password-resets/redeem").json(&body).answer().await.expect(204);
    let again = User { token: app.token(&ada.email).await, ..ada };
    assert_eq!(events(&app, &again).await, ["sign_in", "password_reset", "password_changed", "address_confirmed", "sign_in"]);
}

#[tokio::test]
async fn links_to_platforms_are_listed() {
    let platforms = Platforms::start().await;
    let app = platforms.app().await;
    let ada = app.user("ada").await;
    let mut browser = Browser::of(&ada.token);
    browser.visit(&app, "github", "ada").await.expect(303);
    let account = browser.account_path(&app, "github").await;
    browser.send(&app, Method::DELETE, &account).await.expect(204);
    assert_eq!(events(&app, &ada).await, ["platform_unlinked", "platform_linked", "sign_in"]);
}

#[tokio::test]
async fn nobody_else_sees_the_events_and_unknown_addresses_have_none() {
    let app = TestApp::start().await;
    let (ada, bob) = (app.user("ada").await, app.user("bob").await);
    app.login("nobody@example.com", "not the password").await.problem(401, "invalid_credentials");
    app.login(&ada.email, "not the password").await.problem(401, "invalid_credentials");
    eventually("the failure is listed", async || when(events(&app, &ada).await.len() == 2)).await;
    assert_eq!(events(&app, &bob).await, ["sign_in"]);
    assert_eq!(app.stores.count("SELECT count(*) FROM audit_events").await, 3);
}

#[tokio::test]
async fn the_list_is_paged_and_old_events_are_deleted() {
    let stores = Stores::new().await;
    let app = TestApp::on(&stores, &[]).await;
    let ada = app.user("ada").await;
    for _ in 0..4 {
        app.token(&ada.email).await;
    }
    let first = page(&app, &ada, "?limit=3").await;
    let rest = page(&app, &ada, &format!("?limit=3&cursor={}", first["next_cursor"].as_str().unwrap())).await;
    assert_eq!((first["items"].as_array().unwrap().len(), rest["items"].as_array().unwrap().len()), (3, 2));
    assert!(rest["next_cursor"].is_null());
    app.as_user(&ada, Method::GET, "/api/auth/events?cursor=x").answer().await.problem(400, "invalid_cursor");
    app.stores.execute("UPDATE audit_events SET created_at = now() - interval '91 days'").await;
    eventually("the old events are deleted", async || when(stores.count("SELECT count(*) FROM audit_events").await == 0)).await;
}
