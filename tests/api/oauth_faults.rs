//! Failures of platforms and of the database, and invalid settings. While a platform is down, slow or broken, signed-in users stay signed
//! in, and logins through the platform fail within five seconds.

use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::json;

use crate::support::app::through;
use crate::support::{Ask, Browser, Mode, Platforms, Proxy, Stores, TestApp, eventually, when};

/// The time limit for a login that fails because a platform is unavailable: above the 4 s that the service allows for all
/// calls of a request.
const LIMIT: Duration = Duration::from_secs(5);

#[tokio::test]
async fn an_unavailable_platform_is_reported_and_sessions_continue() {
    let platforms = Platforms::start().await;
    let app = platforms.app().await;
    let mut signed_in = Browser::new();
    signed_in.visit(&app, "google", "ada").await.expect(303);
    for (outage, status) in [("refuse", "unreachable"), ("hang", "timeout"), ("error", "failed")] {
        for platform in ["google", "github"] {
            let mut browser = Browser::new();
            platforms.turn(platform, json!({})).await;
            let back = browser.until_back(&app, platform, "grace").await;
            platforms.turn(platform, json!({ "outage": outage })).await;
            let before = app.settled().await;
            let begun = Instant::now();
            let answer = browser.get(&app, &back).await;
            assert!(begun.elapsed() < LIMIT, "{outage}: {:?}", begun.elapsed());
            assert!(!answer.header("retry-after").is_empty());
            answer.problem(503, "platform_unavailable");
            let now = app.settled().await;
            assert_eq!(
                now.since(&before, "social_api_calls_total", &[("platform", platform), ("endpoint", "token"), ("status", status)]),
                1.0,
                "{outage}"
            );
            assert_eq!(
                now.since(&before, "oauth_operations_total", &[("platform", platform), ("operation", "callback"), ("status", "failure")]),
                1.0
            );
            // An outage does not count as a failed authentication.
            assert_eq!(now.since(&before, "auth_attempts_total", &[("method", "oauth")]), 0.0);
            signed_in.me(&app).await.expect(200);
        }
    }
    assert_eq!(app.stores.count("SELECT count(*) FROM users").await, 1);
}

#[tokio::test]
async fn a_login_fails_while_its_platform_is_down_and_succeeds_later() {
    let platforms = Platforms::start().await;
    let app = platforms.app().await;
    for outage in ["refuse", "hang", "error"] {
        platforms.turn("gitlab", json!({ "outage": outage })).await;
        let begun = Instant::now();
        let answer = app.get("/api/oauth/gitlab/start").answer().await.problem(503, "platform_unavailable");
        assert!(begun.elapsed() < LIMIT && !answer.header("retry-after").is_empty());
        assert!(answer.header("set-cookie").is_empty());
    }
    platforms.turn("gitlab", json!({})).await;
    Browser::new().visit(&app, "gitlab", "ada").await.expect(303);
}

#[tokio::test]
async fn a_slow_platform_delays_no_other_request() {
    let platforms = Platforms::start().await;
    let app = platforms.app().await;
    let mut slow = Browser::new();
    let back = slow.until_back(&app, "google", "ada").await;
    platforms.turn("google", json!({ "outage": "hang" })).await;
    let (slow, quick) = tokio::join!(slow.get(&app, &back), async {
        let begun = Instant::now();
        for n in 0..5 {
            Browser::new().visit(&app, "github", &format!("grace-{n}")).await.expect(303);
        }
        begun.elapsed()
    });
    slow.problem(503, "platform_unavailable");
    assert!(quick < LIMIT, "{quick:?}");
}

#[tokio::test]
async fn a_token_that_cannot_be_refreshed_now_can_be_refreshed_later() {
    let platforms = Platforms::start().await;
    let app = platforms.app().await;
    let user = app.user("grace").await;
    let mut browser = Browser::of(&user.token);
    browser.visit(&app, "x", "grace").await.expect(303);
    let path = browser.account_path(&app, "x").await + "/refresh";
    for outage in ["refuse", "error"] {
        platforms.turn("x", json!({ "outage": outage })).await;
        browser.send(&app, Method::POST, &path).await.problem(503, "platform_unavailable");
        assert_eq!(browser.account(&app, "x").await["status"], "active");
    }
    platforms.turn("x", json!({})).await;
    browser.send(&app, Method::POST, &path).await.expect(200);
}

#[tokio::test]
async fn refreshed_tokens_whose_commit_is_unconfirmed_are_used_and_not_revoked() {
    let platforms = Platforms::start().await;
    let stores = Stores::new().await;
    let postgres = Proxy::before(&stores.database_url(), Mode::Pass).await;
    let [file, keys] = platforms.arguments();
    let app = TestApp::on(&stores, &[&file, &keys, &through("database-url", &stores.database_url(), postgres.address)]).await;
    let user = app.user("grace").await;
    let mut browser = Browser::of(&user.token);
    browser.visit(&app, "x", "grace").await.expect(303);
    let path = browser.account_path(&app, "x").await + "/refresh";
    stores.execute("CREATE TABLE linked AS SELECT access_token FROM social_accounts").await;
    // Holds back the completion tag of COMMIT: Postgres stores the new tokens, but the replica receives no confirmation.
    postgres.set(Mode::HoldAnswersWith(b"COMMIT\0".to_vec())).await;
    let refresh = tokio::spawn(app.post(&path).bearer_auth(&user.token).send());
    let unchanged = "SELECT count(*) FROM social_accounts NATURAL JOIN linked";
    eventually("the new tokens are stored", async || when(stores.count(unchanged).await == 0)).await;
    postgres.cut();
    postgres.set(Mode::Pass).await;
    refresh.await.unwrap().unwrap();
    assert_eq!(stores.count("SELECT count(*) FROM jobs WHERE kind = 'token_revocation'").await, 0);
    assert_eq!(platforms.count("x", "revocations").await, 0);
    eventually("the new tokens can be refreshed", async || when(browser.send(&app, Method::POST, &path).await.status == 200)).await;
}

#[tokio::test]
async fn a_replica_whose_settings_lack_the_platform_does_not_change_the_account() {
    let platforms = Platforms::start().await;
    let app = platforms.app().await;
    let user = app.user("grace").await;
    let mut browser = Browser::of(&user.token);
    browser.visit(&app, "x", "grace").await.expect(303);
    let linked = browser.account(&app, "x").await;
    let path = browser.account_path(&app, "x").await + "/refresh";
    platforms.remove("x");
    let without = TestApp::on(&app.stores, &platforms.arguments().each_ref().map(String::as_str)).await;
    let before = without.settled().await;
    browser.send(&without, Method::POST, &path).await.problem(404, "not_found");
    assert_eq!(browser.account(&app, "x").await, linked);
    assert_eq!(without.settled().await.since(&before, "oauth_operations_total", &[]), 0.0);
    browser.send(&app, Method::POST, &path).await.expect(200);
}

#[tokio::test]
async fn a_revocation_waits_until_the_platform_is_back() {
    let platforms = Platforms::start().await;
    let app = platforms.app().await;
    let user = app.user("grace").await;
    let mut browser = Browser::of(&user.token);
    browser.visit(&app, "x", "grace").await.expect(303);
    let account = browser.account_path(&app, "x").await;
    platforms.turn("x", json!({ "outage": "error" })).await;
    browser.send(&app, Method::DELETE, &account).await.expect(204);
    let failed = [("platform", "x"), ("operation", "revoke"), ("status", "failure")];
    eventually("an attempt has failed", async || when(app.scrape().await.get("oauth_operations_total", &failed) > 0.0)).await;
    platforms.turn("x", json!({})).await;
    eventually("the platform has received the revocation", async || when(platforms.count("x", "revocations").await > 0)).await;
    // The sealed tokens are deleted from the database with their job.
    eventually("the job has ended", async || {
        when(app.stores.count("SELECT count(*) FROM jobs WHERE kind = 'token_revocation'").await == 0)
    })
    .await;
}

#[tokio::test]
async fn a_revocation_waits_for_a_replica_whose_settings_have_the_platform() {
    let platforms = Platforms::start().await;
    let app = platforms.app().await;
    let user = app.user("grace").await;
    let mut browser = Browser::of(&user.token);
    browser.visit(&app, "x", "grace").await.expect(303);
    let account = browser.account_path(&app, "x").await;
    let stores = app.stores.clone();
    app.leave().await.unwrap();
    let complete = platforms.remove("x");
    let without = TestApp::on(&stores, &platforms.arguments().each_ref().map(String::as_str)).await;
    browser.send(&without, Method::DELETE, &account).await.expect(204);
    let waiting = "SELECT count(*) FROM jobs WHERE kind = 'token_revocation' AND last_error = 'the platform is not configured'";
    eventually("the revocation waits", async || when(stores.count(waiting).await == 1)).await;
    without.leave().await.unwrap();
    platforms.rewrite(|_| complete);
    let _complete = TestApp::on(&stores, &platforms.arguments().each_ref().map(String::as_str)).await;
    eventually("the platform has received the revocation", async || when(platforms.count("x", "revocations").await > 0)).await;
}

#[tokio::test]
async fn a_callback_that_cannot_be_stored_does_not_use_up_its_flow() {
    let platforms = Platforms::start().await;
    let app = platforms.app().await;
    let mut browser = Browser::new();
    let back = browser.until_back(&app, "google", "ada").await;
    app.stores.execute("ALTER TABLE oauth_callbacks RENAME TO away").await;
    browser.get(&app, &back).await.problem(503, "unavailable");
    app.stores.execute("ALTER TABLE away RENAME TO oauth_callbacks").await;
    browser.get(&app, &back).await.expect(303);
}

#[tokio::test]
async fn invalid_settings_are_refused_at_startup() {
    let platforms = Platforms::start().await;
    let table = [
        ("kind = \"oidc\"", "kind = \"saml\"", "saml"),
        ("[google]", "[facebook]", "facebook"),
        ("client_secret = \"simulated\"", "", "must have either client_secret_file or client_secret"),
        ("client_secret = \"simulated\"", "client_secret_file = \"/nowhere\"", "/nowhere"),
        ("scopes = [\"openid\", \"email\", \"profile\"]", "scopes = []", "must have the scope openid"),
        ("sign_in = true", "sign_in = true\npost = true", "must not set post: Vitrine cannot post on it"),
        ("sign_in = true", "sing_in = true", "sing_in"),
    ];
    let arguments = platforms.arguments();
    for (from, to, complaint) in table {
        let mut original = String::new();
        platforms.rewrite(|text| {
            original.clone_from(&text);
            text.replacen(from, to, 1)
        });
        let stores = crate::support::Stores::new().await;
        let config = crate::support::app::configuration(&stores, &arguments.each_ref().map(String::as_str));
        vitrine::telemetry::init(&config);
        let error = vitrine::app::App::build(config).err().map(|error| error.to_string()).unwrap_or_default();
        assert!(error.contains(complaint), "{to}: {error}");
        assert!(!error.contains("simulated"), "{error}");
        platforms.rewrite(|_| original);
    }
}

#[tokio::test]
async fn a_key_is_required_as_soon_as_platforms_are_configured() {
    let platforms = Platforms::start().await;
    let [file, _] = platforms.arguments();
    let stores = crate::support::Stores::new().await;
    let mut config = crate::support::app::configuration(&stores, &[]);
    config.platforms_file = Some(file.split_once('=').unwrap().1.into());
    assert!(config.check().unwrap_err().contains("TOKEN_KEYS"));
    config.token_keys = Some("c2hvcnQ=".to_owned().into());
    assert!(config.check().unwrap_err().contains("32 bytes"));
    // Without platforms, no key is required.
    let _ = TestApp::start().await;
}
