//! The limits on failed and on concurrent logins: per account and per address, across the fleet, and without Redis. `known_clients` tests
//! known clients, `throttle_windows` tests the exact timing, and `strangers` tests routes that need no account.

use futures_util::future::join_all;
use serde_json::json;

use crate::support::app::through;
use crate::support::users::PASSWORD;
use crate::support::{Answer, Ask, Mode, Proxy, RECOVERY, Stores, TestApp, when, within};

const WRONG: &str = "not the password";

#[track_caller]
fn assert_throttled(answer: Answer) {
    let answer = answer.problem(429, "too_many_attempts");
    let seconds: u64 = answer.header("retry-after").parse().expect("Retry-After is not in seconds");
    assert!((1..=901).contains(&seconds), "{seconds}");
}

async fn login_from(app: &TestApp, forwarded: &str, email: &str) -> Answer {
    let body = json!({ "email": email, "password": WRONG });
    app.post("/api/auth/login").header("x-forwarded-for", forwarded).json(&body).answer().await
}

/// Asserts that an account is throttled after exactly three wrong passwords, whatever the case of the e-mail address and the spaces
/// around it.
async fn assert_limit_of_three(app: &TestApp) {
    app.register("ada@example.com").await;
    app.register("bob@example.com").await;
    let before = app.settled().await;
    for email in ["ada@example.com", "ADA@example.com", " ada@Example.com"] {
        app.login(email, WRONG).await.problem(401, "invalid_credentials");
    }
    assert_throttled(app.login("ada@example.com", WRONG).await);
    assert_throttled(app.login("Ada@example.com", PASSWORD).await);
    app.login("bob@example.com", PASSWORD).await.expect(200);
    let after = app.settled().await;
    assert_eq!(after.since(&before, "rate_limited_total", &[("limiter", "login_account")]), 2.0);
    assert_eq!(after.since(&before, "auth_attempts_total", &[("status", "throttled")]), 2.0);
    assert_eq!(after.since(&before, "auth_attempts_total", &[("status", "failure")]), 3.0);
    assert_eq!(after.since(&before, "api_errors_total", &[("type", "rate_limit"), ("status", "429")]), 2.0);
}

#[tokio::test]
async fn an_account_is_throttled_after_too_many_wrong_passwords() {
    let app = TestApp::with(&["--login-attempts-per-account=3"]).await;
    assert_limit_of_three(&app).await;
    // An unknown account gets the same responses.
    for _ in 0..3 {
        app.login("nobody@example.com", WRONG).await.problem(401, "invalid_credentials");
    }
    assert_throttled(app.login("nobody@example.com", WRONG).await);
}

#[tokio::test]
async fn an_account_is_throttled_while_redis_is_down() {
    let stores = Stores::new().await;
    let proxy = Proxy::before(&stores.redis_url(), Mode::Refuse).await;
    let redis = through("redis-url", &stores.redis_url(), proxy.address);
    let app = TestApp::on(&stores, &[&redis, "--login-attempts-per-account=3"]).await;
    assert_limit_of_three(&app).await;
}

#[tokio::test]
async fn an_account_is_throttled_while_redis_hangs() {
    let stores = Stores::new().await;
    let proxy = Proxy::before(&stores.redis_url(), Mode::Hang).await;
    let redis = through("redis-url", &stores.redis_url(), proxy.address);
    let app = TestApp::on(&stores, &[&redis, "--login-attempts-per-account=3"]).await;
    assert_limit_of_three(&app).await;
}

#[tokio::test]
async fn attempts_are_counted_across_the_fleet() {
    let stores = Stores::new().await;
    let arguments = ["--login-attempts-per-account=3"];
    let (one, two) = (TestApp::on(&stores, &arguments).await, TestApp::on(&stores, &arguments).await);
    for app in [&one, &two, &one] {
        app.login("ada@example.com", WRONG).await.problem(401, "invalid_credentials");
    }
    assert_throttled(two.login("ada@example.com", WRONG).await);
    assert_throttled(one.login("ada@example.com", WRONG).await);
}

async fn assert_given_back(app: &TestApp) {
    app.register("ada@example.com").await;
    for _ in 0..2 {
        app.login("ada@example.com", WRONG).await.problem(401, "invalid_credentials");
    }
    for _ in 0..5 {
        app.login("ada@example.com", PASSWORD).await.expect(200);
    }
    // Correct passwords do not erase earlier failures.
    app.login("ada@example.com", WRONG).await.problem(401, "invalid_credentials");
    assert_throttled(app.login("ada@example.com", PASSWORD).await);
}

#[tokio::test]
async fn a_right_password_does_not_count_as_an_attempt() {
    assert_given_back(&TestApp::with(&["--login-attempts-per-account=3", "--login-attempts-per-address=4"]).await).await;
}

#[tokio::test]
async fn a_right_password_does_not_count_as_an_attempt_while_redis_is_down() {
    let stores = Stores::new().await;
    let proxy = Proxy::before(&stores.redis_url(), Mode::Refuse).await;
    let redis = through("redis-url", &stores.redis_url(), proxy.address);
    assert_given_back(&TestApp::on(&stores, &[&redis, "--login-attempts-per-account=3", "--login-attempts-per-address=4"]).await).await;
}

#[tokio::test]
async fn fifty_wrong_passwords_at_once_do_not_exceed_the_limit() {
    let app = TestApp::with(&["--login-attempts-per-account=4"]).await;
    app.register("ada@example.com").await.expect(201);
    let answers = join_all((0..50).map(|_| app.login("ada@example.com", WRONG))).await;
    let count = |status| answers.iter().filter(|answer| answer.status == status).count();
    assert_eq!((count(401), count(429)), (4, 46));
    assert_throttled(app.login("ada@example.com", PASSWORD).await);
}

/// Asserts that concurrent logins with the correct password are not counted as failures. If refused logins were counted, correct
/// passwords alone could lock the account.
async fn assert_right_passwords_leave_no_trace(app: &TestApp) {
    app.register("ada@example.com").await.expect(201);
    for _round in 0..3 {
        for answer in join_all((0..20).map(|_| app.login("ada@example.com", PASSWORD))).await {
            match answer.status {
                // On a busy machine, a password check may have to wait more than two seconds. The service then refuses the login.
                200 | 503 => {}
                _ => assert_eq!(answer.problem(429, "too_many_attempts").header("retry-after"), "1"),
            }
        }
        app.login("ada@example.com", PASSWORD).await.expect(200);
    }
    let scrape = app.settled().await;
    assert_eq!(scrape.get("rate_limited_total", &[("limiter", "login_account")]), 0.0);
}

#[tokio::test]
async fn twenty_right_passwords_at_once_leave_no_trace() {
    assert_right_passwords_leave_no_trace(&TestApp::start().await).await;
}

#[tokio::test]
async fn twenty_right_passwords_at_once_leave_no_trace_while_redis_is_down() {
    let stores = Stores::new().await;
    let proxy = Proxy::before(&stores.redis_url(), Mode::Refuse).await;
    let redis = through("redis-url", &stores.redis_url(), proxy.address);
    assert_right_passwords_leave_no_trace(&TestApp::on(&stores, &[&redis]).await).await;
}

#[tokio::test]
async fn concurrent_logins_of_one_address_are_limited_and_refusals_are_counted() {
    let app = TestApp::with(&["--logins-at-once-per-address=1"]).await;
    for name in ["ada", "bob", "cleo", "dora"] {
        app.register(&format!("{name}@example.com")).await.expect(201);
    }
    let emails: Vec<String> = ["ada", "bob", "cleo", "dora"].iter().cycle().take(20).map(|name| format!("{name}@example.com")).collect();
    let answers = join_all(emails.iter().map(|email| app.login(email, PASSWORD))).await;
    let refused = answers.iter().filter(|answer| answer.status == 429).count();
    assert!(answers.iter().all(|answer| matches!(answer.status, 200 | 429)));
    assert!(refused > 0, "twenty concurrent logins were all checked");
    for email in &emails[..4] {
        app.login(email, PASSWORD).await.expect(200);
    }
    assert_eq!(app.settled().await.get("rate_limited_total", &[("limiter", "logins_at_once")]), refused as f64);
}

#[tokio::test]
async fn a_login_whose_client_disconnects_releases_its_permit() {
    let app = TestApp::with(&["--logins-at-once-per-address=1"]).await;
    app.register("ada@example.com").await.expect(201);
    for _ in 0..5 {
        let request = app.post("/api/auth/login").json(&json!({ "email": "ada@example.com", "password": PASSWORD }));
        // Some requests are cut off in transit, some during the password check.
        let _cut_off = tokio::time::timeout(std::time::Duration::from_millis(5), request.send()).await;
    }
    within(RECOVERY, "a permit is free", async || when(app.login("ada@example.com", PASSWORD).await.status == 200)).await;
}

#[tokio::test]
async fn an_address_is_throttled_across_accounts_and_other_addresses_are_not() {
    let app = TestApp::with(&["--login-attempts-per-address=2"]).await;
    for email in ["a@example.com", "b@example.com"] {
        login_from(&app, "203.0.113.1", email).await.problem(401, "invalid_credentials");
    }
    let before = app.settled().await;
    assert_throttled(login_from(&app, "203.0.113.1", "c@example.com").await);
    // The trusted proxy appended the last address; the client wrote the preceding ones, which may be false.
    assert_throttled(login_from(&app, "198.51.100.9, 203.0.113.1", "d@example.com").await);
    assert_throttled(login_from(&app, "::ffff:203.0.113.1", "e@example.com").await);
    let after = app.settled().await;
    assert_eq!(after.since(&before, "rate_limited_total", &[("limiter", "login_address")]), 3.0);
    login_from(&app, "203.0.113.2", "c@example.com").await.problem(401, "invalid_credentials");
    login_from(&app, "not an address", "c@example.com").await.problem(401, "invalid_credentials");
}

#[tokio::test]
async fn an_address_from_an_untrusted_peer_is_ignored() {
    let app = TestApp::with(&["--login-attempts-per-address=2", "--trusted-proxies=10.0.0.0/8"]).await;
    for (forwarded, email) in [("203.0.113.1", "a@example.com"), ("203.0.113.2", "b@example.com")] {
        login_from(&app, forwarded, email).await.problem(401, "invalid_credentials");
    }
    assert_throttled(login_from(&app, "203.0.113.3", "c@example.com").await);
}

#[tokio::test]
async fn neither_addresses_nor_e_mails_are_kept_in_redis() {
    let app = TestApp::start().await;
    login_from(&app, "203.0.113.77", "secretive@example.com").await.problem(401, "invalid_credentials");
    let mut redis = app.stores.redis().await;
    let keys: Vec<String> = redis::cmd("KEYS").arg(format!("{}*", app.stores.prefix())).query_async(&mut redis).await.unwrap();
    // Three keys count failures: this account from this address, this account from all strangers, all accounts from this address.
    assert_eq!(keys.len(), 3, "{keys:?}");
    for key in &keys {
        assert!(!key.contains("203.0.113.77") && !key.contains("secretive"), "{key}");
        let left: i64 = redis::cmd("PTTL").arg(key).query_async(&mut redis).await.unwrap();
        assert!(left > 0, "{key} must expire");
    }
}

#[tokio::test]
async fn attempts_that_failed_on_our_side_are_not_counted() {
    let stores = Stores::new().await;
    let postgres = Proxy::before(&stores.database_url(), Mode::Pass).await;
    let database = through("database-url", &stores.database_url(), postgres.address);
    let app = TestApp::on(&stores, &[&database, "--login-attempts-per-account=3", "--login-attempts-per-address=4"]).await;
    app.register("ada@example.com").await.expect(201);
    app.login("ada@example.com", WRONG).await.problem(401, "invalid_credentials");
    postgres.set(Mode::Refuse).await;
    for _ in 0..6 {
        app.login("ada@example.com", PASSWORD).await.problem(503, "unavailable");
    }
    postgres.set(Mode::Pass).await;
    within(RECOVERY, "the correct password is accepted", async || {
        let answer = app.login("ada@example.com", PASSWORD).await;
        assert!(matches!(answer.status, 200 | 503), "{}", answer.text());
        when(answer.status == 200)
    })
    .await;
    app.login("ada@example.com", WRONG).await.problem(401, "invalid_credentials");
    app.login("ada@example.com", WRONG).await.problem(401, "invalid_credentials");
    assert_throttled(app.login("ada@example.com", PASSWORD).await);
}
