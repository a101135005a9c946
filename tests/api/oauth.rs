//! Login through a platform, and linking, refreshing and unlinking accounts. See `oauth_attacks` for attacks, `oauth_faults` for failures.

use reqwest::Method;
use serde_json::json;

use crate::support::{Ask, Browser, Platforms, Scrape, TestApp, eventually, when};

fn operations(now: &Scrape, before: &Scrape, platform: &str, operation: &str, status: &str) -> f64 {
    now.since(before, "oauth_operations_total", &[("platform", platform), ("operation", operation), ("status", status)])
}

#[tokio::test]
async fn platforms_are_listed_without_their_secrets() {
    let platforms = Platforms::start().await;
    let app = platforms.app().await;
    let answer = app.get("/api/oauth/platforms").answer().await.expect(200);
    let items: Vec<_> = answer.json()["items"].as_array().unwrap().clone();
    let named = |name: &str| items.iter().find(|item| item["platform"] == name).cloned().unwrap();
    assert_eq!(items.len(), 6);
    assert_eq!(named("google"), json!({ "platform": "google", "sign_in": true, "post": false }));
    assert_eq!(named("x"), json!({ "platform": "x", "sign_in": false, "post": true }));
    assert!(!answer.text().contains("simulated") && !answer.text().contains("client"));
}

#[tokio::test]
async fn the_first_login_through_a_platform_creates_an_account_and_later_logins_find_it() {
    let platforms = Platforms::start().await;
    let app = platforms.app().await;
    for platform in ["google", "gitlab", "github"] {
        let before = app.settled().await;
        let mut browser = Browser::new();
        let name = format!("ada-{platform}");
        let answer = browser.visit(&app, platform, &name).await.expect(303);
        assert_eq!(answer.header("location"), "/api/auth/me");
        assert!(!browser.cookies.keys().any(|name| name.contains("oauth")), "{:?}", browser.cookies);
        let me = browser.me(&app).await.expect(200).json();
        assert_eq!(me["email"], format!("{name}@example.com"), "{platform}");
        assert_eq!(me["role"], "member");

        let mut other = Browser::new();
        other.visit(&app, platform, &name).await.expect(303);
        assert_eq!(other.me(&app).await.json()["id"], me["id"], "{platform}");
        assert_ne!(browser.cookies["vitrine"], other.cookies["vitrine"]);

        let now = app.settled().await;
        assert_eq!(operations(&now, &before, platform, "start", "success"), 2.0);
        assert_eq!(operations(&now, &before, platform, "callback", "success"), 2.0);
        assert_eq!(now.since(&before, "users_registered_total", &[]), 1.0);
        assert_eq!(now.since(&before, "auth_attempts_total", &[("method", "oauth"), ("status", "success")]), 2.0);
        assert_eq!(now.since(&before, "auth_attempts_total", &[("method", "oauth"), ("status", "failure")]), 0.0);
        let calls = [("platform", platform), ("endpoint", "token"), ("status", "success")];
        assert_eq!(now.since(&before, "social_api_calls_total", &calls), 2.0);
        assert_eq!(now.since(&before, "social_api_duration_seconds_count", &calls[..2]), 2.0);
    }
    assert_eq!(app.stores.count("SELECT count(*) FROM users").await, 3);
    assert_eq!(app.stores.count("SELECT count(*) FROM users WHERE password_hash IS NULL").await, 3);
}

#[tokio::test]
async fn an_account_created_by_a_platform_login_has_no_password() {
    let platforms = Platforms::start().await;
    let app = platforms.app().await;
    Browser::new().visit(&app, "google", "ada").await.expect(303);
    for password in ["", "correct horse battery staple"] {
        app.login("ada@example.com", password).await.problem(401, "invalid_credentials");
    }
}

#[tokio::test]
async fn a_signed_in_user_links_accounts_and_stays_the_same_user() {
    let platforms = Platforms::start().await;
    let app = platforms.app().await;
    let user = app.user("grace").await;
    let mut browser = Browser::of(&user.token);
    for platform in ["github", "mastodon", "x", "linkedin"] {
        browser.visit(&app, platform, "grace").await.expect(303);
        assert_eq!(browser.me(&app).await.json()["id"], user.id);
        let account = browser.account(&app, platform).await;
        assert_eq!(account["status"], "active");
        assert_eq!(account["handle"], "grace", "{account}");
        assert!(account["scopes"].as_array().is_some_and(|scopes| !scopes.is_empty()), "{account}");
    }
    assert_eq!(browser.accounts(&app).await.len(), 4);
    let scrape = app.settled().await;
    assert_eq!(scrape.get("auth_attempts_total", &[("method", "oauth")]), 0.0);
    assert_eq!(scrape.get("users_registered_total", &[]), 1.0);

    // A login through a linked platform signs in as the same user.
    let mut other = Browser::new();
    other.visit(&app, "github", "grace").await.expect(303);
    assert_eq!(other.me(&app).await.json()["id"], user.id);
}

#[tokio::test]
async fn a_platform_for_posting_cannot_sign_users_in() {
    let platforms = Platforms::start().await;
    let app = platforms.app().await;
    app.get("/api/oauth/mastodon/start").answer().await.problem(401, "unauthenticated");
    // The request is invalid; the platform has not failed.
    let failed = [("platform", "mastodon"), ("operation", "start"), ("status", "failure")];
    assert_eq!(app.settled().await.get("oauth_operations_total", &failed), 0.0);
}

#[tokio::test]
async fn a_session_that_has_ended_does_not_keep_its_browser_from_signing_in() {
    let platforms = Platforms::start().await;
    let app = platforms.app().await;
    let user = app.user("grace").await;
    let mut browser = Browser::of(&user.token);
    app.post("/api/auth/logout").bearer_auth(&user.token).answer().await.expect(204);
    browser.visit(&app, "google", "ada").await.expect(303);
    assert_eq!(browser.me(&app).await.json()["email"], "ada@example.com");
}

#[tokio::test]
async fn tabs_with_different_platforms_do_not_disturb_each_other() {
    let platforms = Platforms::start().await;
    let app = platforms.app().await;
    let user = app.user("grace").await;
    let mut browser = Browser::of(&user.token);
    let github = browser.until_back(&app, "github", "grace").await;
    let x = browser.until_back(&app, "x", "grace").await;
    browser.get(&app, &github).await.expect(303);
    browser.get(&app, &x).await.expect(303);
    assert_eq!(browser.accounts(&app).await.len(), 2);
}

#[tokio::test]
async fn the_cookie_of_a_flow_is_unreadable_to_scripts_and_other_sites() {
    let platforms = Platforms::start().await;
    let app = platforms.app().await;
    let answer = app.get("/api/oauth/google/start").answer().await;
    let cookie = answer.header("set-cookie");
    for part in ["vitrine-oauth-google=", "HttpOnly", "SameSite=Lax", "Path=/", "Max-Age=600"] {
        assert!(cookie.contains(part), "{part}: {cookie}");
    }
    assert!(!cookie.contains("Domain") && !cookie.contains("Secure"));
    let secure = [&platforms.arguments()[0][..], &platforms.arguments()[1], "--public-url=https://vitrine.example"];
    let app = TestApp::with(&secure).await;
    let answer = app.get("/api/oauth/google/start").answer().await;
    assert!(answer.header("set-cookie").starts_with("__Host-vitrine-oauth-google=") && answer.header("set-cookie").contains("Secure"));
    assert!(answer.header("location").contains("redirect_uri=https%3A%2F%2Fvitrine.example%2Fapi%2Foauth%2Fgoogle%2Fcallback"));
}

#[tokio::test]
async fn the_tokens_of_an_unlinked_account_are_revoked_at_its_platform() {
    let platforms = Platforms::start().await;
    let app = platforms.app().await;
    let user = app.user("grace").await;
    let mut browser = Browser::of(&user.token);
    for platform in ["x", "google"] {
        browser.visit(&app, platform, "grace").await.expect(303);
        let account = browser.account_path(&app, platform).await;
        let before = app.settled().await;
        browser.send(&app, Method::DELETE, &account).await.expect(204);
        assert!(browser.accounts(&app).await.is_empty());
        eventually("the platform has received the revocation", async || when(platforms.count(platform, "revocations").await > 0)).await;
        eventually("the job has ended", async || {
            when(app.stores.count("SELECT count(*) FROM jobs WHERE kind = 'token_revocation'").await == 0)
        })
        .await;
        assert_eq!(operations(&app.settled().await, &before, platform, "revoke", "success"), 1.0);
        browser.send(&app, Method::DELETE, &account).await.problem(404, "not_found");
    }
}

#[tokio::test]
async fn the_last_login_method_cannot_be_removed() {
    let platforms = Platforms::start().await;
    let app = platforms.app().await;
    let mut browser = Browser::new();
    browser.visit(&app, "google", "ada").await.expect(303);
    browser.visit(&app, "x", "ada").await.expect(303);
    let google = browser.account_path(&app, "google").await;
    browser.send(&app, Method::DELETE, &google).await.problem(409, "last_sign_in");
    browser.visit(&app, "github", "ada").await.expect(303);
    browser.send(&app, Method::DELETE, &google).await.expect(204);
    let github = browser.account_path(&app, "github").await;
    browser.send(&app, Method::DELETE, &github).await.problem(409, "last_sign_in");
}

#[tokio::test]
async fn one_of_the_last_two_login_methods_remains_when_both_are_unlinked_concurrently() {
    let platforms = Platforms::start().await;
    let app = platforms.app().await;
    for round in 0..5 {
        let mut browser = Browser::new();
        let name = format!("ada-{round}");
        browser.visit(&app, "google", &name).await.expect(303);
        browser.visit(&app, "github", &name).await.expect(303);
        let accounts = browser.accounts(&app).await;
        let unlink = |at: usize| {
            let path = format!("/api/accounts/{}", accounts[at]["id"].as_str().unwrap());
            app.delete(&path).bearer_auth(&browser.cookies["vitrine"]).answer()
        };
        let (one, other) = tokio::join!(unlink(0), unlink(1));
        let mut statuses = [one.status, other.status];
        statuses.sort_unstable();
        assert_eq!(statuses, [204, 409]);
    }
}

#[tokio::test]
async fn linking_an_expired_account_again_makes_it_active() {
    let platforms = Platforms::start().await;
    let app = platforms.app().await;
    let user = app.user("grace").await;
    let mut browser = Browser::of(&user.token);
    browser.visit(&app, "x", "grace").await.expect(303);
    let first = browser.account(&app, "x").await;
    app.stores.execute("UPDATE social_accounts SET status = 'expired'").await;
    browser.visit(&app, "x", "grace").await.expect(303);
    let second = browser.account(&app, "x").await;
    assert_eq!((&first["id"], &second["status"]), (&second["id"], &json!("active")));
}

#[tokio::test]
async fn tokens_are_refreshed_with_a_refresh_token_that_changes_each_time() {
    let platforms = Platforms::start().await;
    let app = platforms.app().await;
    let user = app.user("grace").await;
    let mut browser = Browser::of(&user.token);
    browser.visit(&app, "x", "grace").await.expect(303);
    let account = browser.account_path(&app, "x").await;
    let path = format!("{account}/refresh");
    let before = app.settled().await;
    for _ in 0..3 {
        let answer = browser.send(&app, Method::POST, &path).await.expect(200);
        assert_eq!(answer.json()["status"], "active");
    }
    assert_eq!(platforms.count("x", "refreshes").await, 3);
    assert_eq!(platforms.count("x", "reused_refresh_tokens").await, 0);
    assert_eq!(operations(&app.settled().await, &before, "x", "refresh", "success"), 3.0);

    let stranger = app.user("mallory").await;
    app.post(&path).bearer_auth(&stranger.token).answer().await.problem(404, "not_found");
    app.delete(&account).bearer_auth(&stranger.token).answer().await.problem(404, "not_found");
}

#[tokio::test]
async fn concurrent_refreshes_on_two_replicas_use_no_refresh_token_twice() {
    let platforms = Platforms::start().await;
    let app = platforms.app().await;
    let arguments = platforms.arguments();
    let second = TestApp::on(&app.stores, &arguments.each_ref().map(String::as_str)).await;
    let user = app.user("grace").await;
    let mut browser = Browser::of(&user.token);
    browser.visit(&app, "x", "grace").await.expect(303);
    let path = browser.account_path(&app, "x").await + "/refresh";
    platforms.turn("x", json!({ "latency_ms": 50 })).await;
    let requests = (0..12).map(|n| (if n % 2 == 0 { &app } else { &second }).post(&path).bearer_auth(&user.token).answer());
    let answers = futures_util::future::join_all(requests).await;
    let refreshed = answers.iter().filter(|answer| answer.status == 200).count();
    assert!(refreshed >= 1);
    for answer in answers.into_iter().filter(|answer| answer.status != 200) {
        answer.problem(409, "refresh_in_progress");
    }
    assert_eq!(platforms.count("x", "reused_refresh_tokens").await, 0);
    assert_eq!(platforms.count("x", "refreshes").await, refreshed as u64);
    app.post(&path).bearer_auth(&user.token).answer().await.expect(200);
}

#[tokio::test]
async fn a_refresh_is_finished_although_its_client_has_disconnected() {
    let platforms = Platforms::start().await;
    let app = platforms.app().await;
    let user = app.user("grace").await;
    let mut browser = Browser::of(&user.token);
    browser.visit(&app, "x", "grace").await.expect(303);
    let path = browser.account_path(&app, "x").await + "/refresh";
    platforms.turn("x", json!({ "latency_ms": 300 })).await;
    let request = app.post(&path).bearer_auth(&user.token).answer();
    let gone = tokio::time::timeout(std::time::Duration::from_millis(100), request).await;
    assert!(gone.is_err(), "the client must disconnect before the response");
    eventually("the refresh is stored", async || {
        when(app.stores.count("SELECT count(*) FROM social_accounts WHERE refresh_id IS NULL AND updated_at > created_at").await == 1)
    })
    .await;
    platforms.turn("x", json!({})).await;
    app.post(&path).bearer_auth(&user.token).answer().await.expect(200);
    assert_eq!(platforms.count("x", "reused_refresh_tokens").await, 0);
}

#[tokio::test]
async fn a_platform_that_rejects_a_refresh_token_must_be_linked_again() {
    let platforms = Platforms::start().await;
    let app = platforms.app().await;
    let user = app.user("grace").await;
    let mut browser = Browser::of(&user.token);
    browser.visit(&app, "x", "grace").await.expect(303);
    let path = browser.account_path(&app, "x").await + "/refresh";
    // Restores the first refresh token, as if from a backup. The platform revokes all tokens of a link when a refresh token is used twice.
    let old: Vec<u8> = sqlx::query_scalar("SELECT refresh_token FROM social_accounts").fetch_one(app.stores.pool()).await.unwrap();
    browser.send(&app, Method::POST, &path).await.expect(200);
    sqlx::query("UPDATE social_accounts SET refresh_token = $1").bind(old).execute(app.stores.pool()).await.unwrap();
    let before = app.settled().await;
    browser.send(&app, Method::POST, &path).await.problem(409, "link_expired");
    assert_eq!(browser.account(&app, "x").await["status"], "expired");
    assert_eq!(operations(&app.settled().await, &before, "x", "refresh", "failure"), 1.0);
    browser.send(&app, Method::POST, &path).await.problem(409, "link_expired");
    browser.visit(&app, "x", "grace").await.expect(303);
    browser.send(&app, Method::POST, &path).await.expect(200);
}
