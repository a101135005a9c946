//! The second factor of a password sign-in: codes of an authenticator, accepted once, and recovery codes.

use std::time::{SystemTime, UNIX_EPOCH};

use reqwest::Method;
use serde_json::{Value, json};
use totp_rs::{Builder, Secret};

use crate::support::users::PASSWORD;
use crate::support::{Answer, Ask, TestApp, User, eventually, when};

const KEYS: &str = "--token-keys=MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=";

/// A user with a second factor.
struct Protected {
    app: TestApp,
    user: User,
    secret: String,
    recovery_codes: Vec<String>,
    /// The code that activated the factor.
    spent: String,
}

/// The code that an authenticator with this secret shows `offset` seconds from now.
fn code(secret: &str, offset: i64) -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let totp = Builder::new().with_secret(Secret::try_from_base32(secret).unwrap()).build_noncompliant();
    totp.generate(now.checked_add_signed(offset).unwrap()).to_string()
}

async fn post(app: &TestApp, user: &User, path: &str, body: Value) -> Answer {
    app.as_user(user, Method::POST, &format!("/api/auth/second-factor{path}")).json(&body).answer().await
}

async fn login(app: &TestApp, email: &str, code: &str) -> Answer {
    app.post("/api/auth/login").json(&json!({ "email": email, "password": PASSWORD, "code": code })).answer().await
}

impl Protected {
    async fn new(arguments: &[&str]) -> Self {
        let app = TestApp::with(&[&[KEYS], arguments].concat()).await;
        let user = app.user("ada").await;
        let pending = post(&app, &user, "", json!({ "password": PASSWORD })).await.expect(200).json();
        let secret = pending["secret"].as_str().unwrap().to_owned();
        let texts = |values: &Value| values.as_array().unwrap().iter().map(|code| code.as_str().unwrap().to_owned()).collect();
        let recovery_codes = texts(&pending["recovery_codes"]);
        let spent = code(&secret, 0);
        post(&app, &user, "/activate", json!({ "password": PASSWORD, "code": spent })).await.expect(204);
        Self { app, user, secret, recovery_codes, spent }
    }

    async fn login(&self, code: &str) -> Answer {
        login(&self.app, &self.user.email, code).await
    }

    async fn state(&self) -> Value {
        self.app.as_user(&self.user, Method::GET, "/api/auth/second-factor").answer().await.expect(200).json()
    }
}

#[tokio::test]
async fn a_sign_in_needs_a_code_once_the_factor_is_active() {
    let protected = Protected::new(&[]).await;
    let (app, user) = (&protected.app, &protected.user);
    app.me(&user.token).await.expect(200);
    app.login(&user.email, PASSWORD).await.problem(401, "second_factor_required");
    // Without the password, nobody learns that there is a second factor.
    app.login(&user.email, "not the password").await.problem(401, "invalid_credentials");
    let code = code(&protected.secret, 30);
    let spaced = format!(" {} {} ", &code[..3], &code[3..]);
    protected.login(&spaced).await.expect(200);
    let scrape = app.settled().await;
    assert_eq!(scrape.get("auth_events_total", &[("event", "second_factor"), ("status", "success")]), 1.0);
    assert_eq!(app.stores.count("SELECT count(*) FROM auth_sessions").await, 2);
}

#[tokio::test]
async fn a_code_is_accepted_once_and_no_older_one_after_it() {
    let protected = Protected::new(&[]).await;
    // The activation has used this code up.
    protected.login(&protected.spent).await.problem(401, "wrong_code");
    let next = code(&protected.secret, 30);
    protected.login(&next).await.expect(200);
    protected.login(&next).await.problem(401, "wrong_code");
    protected.login(&code(&protected.secret, 0)).await.problem(401, "wrong_code");
    assert_eq!(protected.app.stores.count("SELECT count(*) FROM auth_sessions").await, 2);
}

#[tokio::test]
async fn codes_of_a_clock_that_is_90_seconds_off_and_guesses_are_refused() {
    let protected = Protected::new(&[]).await;
    for wrong in [code(&protected.secret, 90), code(&protected.secret, -90), "abcd-efgh".to_owned(), "12345".to_owned()] {
        protected.login(&wrong).await.problem(401, "wrong_code");
    }
    protected.login(&"1".repeat(41)).await.problem(422, "validation_failed");
    protected.login("").await.problem(422, "validation_failed");
    let failures = "SELECT count(*) FROM audit_events WHERE event = 'sign_in_failed'";
    eventually("the failures are listed", async || when(protected.app.stores.count(failures).await == 4)).await;
}

#[tokio::test]
async fn wrong_codes_are_limited_like_wrong_passwords() {
    let protected = Protected::new(&["--login-attempts-per-account=2"]).await;
    for _ in 0..2 {
        protected.login("000000x").await.problem(401, "wrong_code");
    }
    protected.login(&protected.recovery_codes[0]).await.problem(429, "too_many_attempts");
}

#[tokio::test]
async fn a_recovery_code_replaces_the_authenticator_once() {
    let protected = Protected::new(&[]).await;
    assert_eq!(protected.state().await, json!({ "active": true, "recovery_codes_left": 10 }));
    let code = &protected.recovery_codes[3];
    protected.login(&code.to_uppercase()).await.expect(200);
    protected.login(code).await.problem(401, "wrong_code");
    assert_eq!(protected.state().await["recovery_codes_left"], 9);
    let rows: Vec<String> = sqlx::query_scalar("SELECT c::text FROM recovery_codes c UNION ALL SELECT f::text FROM second_factors f")
        .fetch_all(protected.app.stores.pool())
        .await
        .unwrap();
    assert!(rows.iter().all(|row| !row.contains(&protected.recovery_codes[0].replace('-', ""))), "{rows:?}");
}

#[tokio::test]
async fn recovery_codes_of_another_account_are_refused() {
    let protected = Protected::new(&[]).await;
    let bob = protected.app.user("bob").await;
    let pending = post(&protected.app, &bob, "", json!({ "password": PASSWORD })).await.expect(200).json();
    let secret = pending["secret"].as_str().unwrap();
    post(&protected.app, &bob, "/activate", json!({ "password": PASSWORD, "code": code(secret, 0) })).await.expect(204);
    login(&protected.app, &bob.email, &protected.recovery_codes[0]).await.problem(401, "wrong_code");
    protected.login(&protected.recovery_codes[0]).await.expect(200);
}

#[tokio::test]
async fn a_factor_that_was_not_activated_changes_nothing() {
    let app = TestApp::with(&[KEYS]).await;
    let ada = app.user("ada").await;
    post(&app, &ada, "", json!({ "password": "not the password" })).await.problem(403, "wrong_password");
    post(&app, &ada, "/activate", json!({ "password": PASSWORD, "code": "123456" })).await.problem(409, "second_factor_not_pending");
    let first = post(&app, &ada, "", json!({ "password": PASSWORD })).await.expect(200).json();
    let second = post(&app, &ada, "", json!({ "password": PASSWORD })).await.expect(200).json();
    app.login(&ada.email, PASSWORD).await.expect(200);
    // A stolen session, which shows the set-up, activates nothing.
    let right = code(second["secret"].as_str().unwrap(), 0);
    post(&app, &ada, "/activate", json!({ "password": "not the password", "code": right })).await.problem(403, "wrong_password");
    // The second set-up replaced the first.
    post(&app, &ada, "/activate", json!({ "password": PASSWORD, "code": code(first["secret"].as_str().unwrap(), 0) }))
        .await
        .problem(401, "wrong_code");
    post(&app, &ada, "/activate", json!({ "password": PASSWORD, "code": right })).await.expect(204);
    post(&app, &ada, "", json!({ "password": PASSWORD })).await.problem(409, "second_factor_active");
}

#[tokio::test]
async fn a_removed_factor_is_not_asked_for() {
    let protected = Protected::new(&[]).await;
    let (app, user) = (&protected.app, &protected.user);
    post(app, user, "/remove", json!({ "password": "not the password" })).await.problem(403, "wrong_password");
    app.login(&user.email, PASSWORD).await.problem(401, "second_factor_required");
    post(app, user, "/remove", json!({ "password": PASSWORD })).await.expect(204);
    app.login(&user.email, PASSWORD).await.expect(200);
    assert_eq!(app.stores.count("SELECT count(*) FROM recovery_codes").await, 0);
}

#[tokio::test]
async fn the_page_shows_the_set_up_until_the_activation() {
    let app = TestApp::with(&[KEYS]).await;
    let ada = app.user("ada").await;
    let page = async || {
        let request = app.get("/studio/accounts/second-factor").header("cookie", format!("vitrine={}", ada.token));
        request.answer().await.expect(200).text()
    };
    assert!(page().await.contains("Set it up"));
    let pending = post(&app, &ada, "", json!({ "password": PASSWORD })).await.expect(200).json();
    let secret = pending["secret"].as_str().unwrap();
    let html = page().await;
    assert!(html.contains(secret) && html.contains(pending["recovery_codes"][9].as_str().unwrap()), "{html}");
    assert!(html.contains("<svg") && !html.contains("<?xml"), "{html}");
    post(&app, &ada, "/activate", json!({ "password": PASSWORD, "code": code(secret, 0) })).await.expect(204);
    let html = page().await;
    assert!(!html.contains(secret) && html.contains("Unused recovery codes: 10"), "{html}");
}

#[tokio::test]
async fn after_a_rotation_of_keys_the_new_key_alone_opens_the_secret() {
    const NEW: &str = "bmV3NTY3ODkwMTIzNDU2Nzg5MDEyMzQ1Njc4OTAxMjM=";
    let Protected { app, user, secret, .. } = Protected::new(&[]).await;
    let stores = app.stores.clone();
    app.leave().await.unwrap();
    let both = TestApp::on(&stores, &[&format!("--token-keys={NEW}\n{}", KEYS.split_once('=').unwrap().1)]).await;
    let sealed = async || sqlx::query_scalar::<_, Vec<u8>>("SELECT sealed FROM second_factors").fetch_one(stores.pool()).await.unwrap();
    let before = sealed().await;
    eventually("the secret is sealed again", async || when(sealed().await != before)).await;
    both.leave().await.unwrap();
    let new = TestApp::on(&stores, &[&format!("--token-keys={NEW}")]).await;
    login(&new, &user.email, &code(&secret, 30)).await.expect(200);
}

#[tokio::test]
async fn without_keys_no_second_factor_is_offered() {
    let app = TestApp::start().await;
    let ada = app.user("ada").await;
    post(&app, &ada, "", json!({ "password": PASSWORD })).await.problem(409, "second_factors_off");
}
