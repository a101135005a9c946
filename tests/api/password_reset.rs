//! Reset of a forgotten password by mail: the same response for everybody, links that work once, and the end of all sessions.

use futures_util::future::join_all;
use serde_json::json;

use crate::support::users::PASSWORD;
use crate::support::{Answer, Ask, Browser, MailServer, Platforms, TestApp, User, eventually, when};

const NEW: &str = "an entirely new pass phrase";
const PAGE: &str = "/password-reset";

async fn request(app: &TestApp, email: &str) -> Answer {
    app.post("/api/auth/password-resets").json(&json!({ "email": email })).answer().await
}

async fn redeem(app: &TestApp, token: &str, password: &str) -> Answer {
    app.post("/api/auth/password-resets/redeem").json(&json!({ "token": token, "password": password })).answer().await
}

/// An application with a mail server and a user whose first mail has been read.
async fn forgetful(arguments: &[&str]) -> (MailServer, TestApp, User) {
    let server = MailServer::start().await;
    let app = TestApp::with(&[&[server.argument().as_str()], arguments].concat()).await;
    let ada = app.user("ada").await;
    server.next().await;
    (server, app, ada)
}

/// The token of a new link for this user.
async fn link(server: &MailServer, app: &TestApp, user: &User) -> String {
    request(app, &user.email).await.expect(202);
    server.next().await.token(PAGE)
}

#[tokio::test]
async fn a_link_sets_a_new_password_once_and_ends_all_sessions() {
    let (server, app, ada) = forgetful(&[]).await;
    let other = app.token(&ada.email).await;
    let (first, token) = (link(&server, &app, &ada).await, link(&server, &app, &ada).await);
    redeem(&app, &token, NEW).await.expect(204);
    for session in [&ada.token, &other] {
        app.me(session).await.problem(401, "invalid_token");
    }
    app.login(&ada.email, PASSWORD).await.problem(401, "invalid_credentials");
    let login = app.login(&ada.email, NEW).await.expect(200).json();
    assert_eq!(login["user"]["email_confirmed"], true, "the link proves the address");
    for used in [&token, &first] {
        redeem(&app, used, "one more pass phrase").await.problem(400, "invalid_link");
    }
    let news = server.next().await;
    assert!(news.to == ada.email && news.content.contains("was changed"), "{news:?}");
    let scrape = app.settled().await;
    let count = |status| scrape.get("auth_events_total", &[("event", "password_reset"), ("status", status)]);
    assert_eq!((count("success"), count("failure")), (1.0, 2.0));
}

#[tokio::test]
async fn a_request_does_not_reveal_whether_an_account_has_the_address() {
    let (server, app, ada) = forgetful(&[]).await;
    let unknown = request(&app, "nobody@example.com").await.expect(202);
    let known = request(&app, &ada.email).await.expect(202);
    let names = |answer: &Answer| answer.headers.keys().map(ToString::to_string).collect::<Vec<_>>();
    assert_eq!((known.text(), names(&known)), (unknown.text(), names(&unknown)));
    for odd in ["not an address", "ADA@example.com", "a@b"] {
        request(&app, odd).await.expect(202);
    }
    assert_eq!(server.next().await.to, ada.email);
    let jobs = "SELECT count(*) FROM jobs WHERE kind = 'account_mail'";
    eventually("the jobs have ended", async || when(app.stores.count(jobs).await == 0)).await;
    // The account's address in upper case got a mail, too. The addresses without an account got none.
    assert_eq!(server.count(), 3);
}

#[tokio::test]
async fn a_request_looks_for_no_account() {
    let (_server, app, ada) = forgetful(&[]).await;
    // While the table is locked, a statement on it would wait until its time limit, and the request would fail. Jobs may wait.
    let mut lock = app.stores.pool().begin().await.unwrap();
    sqlx::query("LOCK TABLE users IN ACCESS EXCLUSIVE MODE").execute(&mut *lock).await.unwrap();
    request(&app, &ada.email).await.expect(202);
    request(&app, "nobody@example.com").await.expect(202);
    lock.rollback().await.unwrap();
}

#[tokio::test]
async fn expired_guessed_and_foreign_links_are_refused_and_change_nothing() {
    let (server, app, ada) = forgetful(&[]).await;
    let bob = app.user("bob").await;
    let confirmation = server.next().await.token("/confirm");
    let expired = link(&server, &app, &ada).await;
    app.stores.execute("UPDATE account_links SET expires_at = now() - interval '1 second' WHERE purpose = 'password_reset'").await;
    for token in [expired.as_str(), "guessed", &"A".repeat(43), &confirmation] {
        redeem(&app, token, NEW).await.problem(400, "invalid_link");
    }
    // A link of one account changes no other account.
    let token = link(&server, &app, &bob).await;
    redeem(&app, &token, NEW).await.expect(204);
    app.me(&ada.token).await.expect(200);
    app.login(&ada.email, PASSWORD).await.expect(200);
    app.login(&bob.email, PASSWORD).await.problem(401, "invalid_credentials");
}

#[tokio::test]
async fn a_weak_password_is_refused_and_the_link_still_works() {
    let (server, app, ada) = forgetful(&[]).await;
    let token = link(&server, &app, &ada).await;
    for (password, code) in [("short", "too_short"), ("password1", "too_common"), (ada.email.as_str(), "too_common")] {
        let refused = redeem(&app, &token, password).await.problem(422, "validation_failed");
        assert_eq!(refused.field_code("password").as_deref(), Some(code), "{password}");
    }
    redeem(&app, &token, NEW).await.expect(204);
}

#[tokio::test]
async fn of_concurrent_uses_of_one_link_one_succeeds() {
    let (server, app, ada) = forgetful(&["--database-acquire-timeout=9s"]).await;
    let token = link(&server, &app, &ada).await;
    let answers = join_all((0..6).map(|number| redeem(&app, &token, if number % 2 == 0 { NEW } else { "another pass phrase" }))).await;
    let count = |status| answers.iter().filter(|answer| answer.status == status).count();
    assert_eq!((count(204), count(400)), (1, 5));
}

#[tokio::test]
async fn requests_are_limited_whether_or_not_an_account_exists() {
    let (_server, app, ada) = forgetful(&["--mails-per-hour=3"]).await;
    // The mail of the registration counts, too.
    for (email, requests) in [(ada.email.as_str(), 2), ("nobody@example.com", 3)] {
        for _ in 0..requests {
            request(&app, email).await.expect(202);
        }
        let refused = request(&app, email).await.problem(429, "too_many_attempts");
        assert!((1..=3600).contains(&refused.header("retry-after").parse().unwrap()), "{email}");
    }
    let scrape = app.settled().await;
    assert_eq!(scrape.get("auth_events_total", &[("event", "password_reset_request"), ("status", "throttled")]), 2.0);
}

#[tokio::test]
async fn guesses_of_links_are_limited() {
    let (server, app, ada) = forgetful(&["--login-attempts-per-address=2"]).await;
    let token = link(&server, &app, &ada).await;
    for _ in 0..2 {
        redeem(&app, "guessed", NEW).await.problem(400, "invalid_link");
    }
    redeem(&app, &token, NEW).await.problem(429, "too_many_attempts");
}

#[tokio::test]
async fn an_account_without_a_password_gets_one_by_a_reset() {
    let (server, app, ada) = forgetful(&[]).await;
    app.stores.execute("UPDATE users SET password_hash = NULL").await;
    let token = link(&server, &app, &ada).await;
    redeem(&app, &token, NEW).await.expect(204);
    app.login(&ada.email, NEW).await.expect(200);
}

#[tokio::test]
async fn the_first_proof_of_an_address_removes_the_factor_of_whoever_registered_it() {
    let (server, app, ada) = forgetful(&["--token-keys=MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="]).await;
    let set_up = async |token: &str, password: &str| {
        let request = app.post("/api/auth/second-factor").bearer_auth(token);
        request.json(&json!({ "password": password })).answer().await.expect(200);
    };
    let factors = async || app.stores.count("SELECT count(*) FROM second_factors").await;
    set_up(&ada.token, PASSWORD).await;
    redeem(&app, &link(&server, &app, &ada).await, NEW).await.expect(204);
    server.next().await;
    assert_eq!(factors().await, 0);
    // The owner of a confirmed address keeps the factor.
    let login = app.login(&ada.email, NEW).await.expect(200).json();
    set_up(login["token"].as_str().unwrap(), NEW).await;
    redeem(&app, &link(&server, &app, &ada).await, PASSWORD).await.expect(204);
    assert_eq!(factors().await, 1);
}

#[tokio::test]
async fn the_first_proof_of_an_address_unlinks_the_accounts_of_whoever_registered_it() {
    let (platforms, server) = (Platforms::start().await, MailServer::start().await);
    let [file, keys] = platforms.arguments();
    let app = TestApp::with(&[&server.argument(), &file, &keys]).await;
    let ada = app.user("ada").await;
    server.next().await;
    let mut stranger = Browser::of(&ada.token);
    stranger.visit(&app, "github", "mallory").await.expect(303);
    redeem(&app, &link(&server, &app, &ada).await, NEW).await.expect(204);
    server.next().await;
    assert_eq!(app.stores.count("SELECT count(*) FROM social_accounts").await, 0);
    eventually("the platform has received the revocation", async || when(platforms.count("github", "revocations").await > 0)).await;
    // The owner of a confirmed address keeps the linked accounts.
    let mut owner = Browser::of(app.login(&ada.email, NEW).await.expect(200).json()["token"].as_str().unwrap());
    owner.visit(&app, "github", "ada").await.expect(303);
    redeem(&app, &link(&server, &app, &ada).await, PASSWORD).await.expect(204);
    assert_eq!(app.stores.count("SELECT count(*) FROM social_accounts").await, 1);
}

#[tokio::test]
async fn the_sign_in_page_leads_to_the_pages_of_a_reset() {
    let (_server, app, _) = forgetful(&[]).await;
    let html = async |path: &str| app.get(path).answer().await.expect(200).text();
    assert!(html("/login").await.contains("href=\"/password-reset\""));
    assert!(html(PAGE).await.contains("data-path=\"/api/auth/password-resets\""));
    assert!(html("/password-reset?token=abc").await.contains("name=\"token\" value=\"abc\""));
    let without = TestApp::start().await.get(PAGE).answer().await.expect(200).text();
    assert!(!without.contains("/api/auth/password-resets"), "{without}");
}
