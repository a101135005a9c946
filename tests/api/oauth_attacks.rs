//! Attacks on sign-in and linking through platforms, and other requests that the service must refuse. A refused callback creates no user,
//! login session or linked account, and is counted.

use serde_json::json;

use crate::support::{Answer, Ask, Browser, Platforms, TestApp};

/// The application under attack, and its platforms.
struct Scene {
    platforms: Platforms,
    app: TestApp,
}

impl Scene {
    async fn new() -> Self {
        let platforms = Platforms::start().await;
        let app = platforms.app().await;
        Self { platforms, app }
    }

    /// The numbers of users, login sessions, linked accounts and jobs that revoke tokens.
    async fn stored(&self) -> Vec<i64> {
        let mut counts = Vec::new();
        for statement in [
            "SELECT count(*) FROM users",
            "SELECT count(*) FROM auth_sessions",
            "SELECT count(*) FROM social_accounts",
            "SELECT count(*) FROM jobs WHERE kind = 'token_revocation'",
        ] {
            counts.push(self.app.stores.count(statement).await);
        }
        counts
    }

    /// Runs an attack. Asserts that the callback fails with this status and problem code, sets no session cookie, leaves the numbers of
    /// [`Self::stored`] unchanged and is counted once. The callback must count as a failed authentication if `is_failed_proof` is
    /// true, and must not otherwise.
    async fn refuses(&self, platform: &str, status: u16, code: &str, is_failed_proof: bool, attack: impl AsyncFnOnce() -> Answer) {
        let (before, stored) = (self.app.settled().await, self.stored().await);
        let answer = attack().await;
        assert!(!answer.headers.get_all("set-cookie").iter().any(|cookie| cookie.to_str().unwrap().starts_with("vitrine=")), "{code}");
        answer.problem(status, code);
        assert_eq!(self.stored().await, stored, "{code}");
        let now = self.app.settled().await;
        let refused = [("platform", platform), ("operation", "callback"), ("status", "failure")];
        assert_eq!(now.since(&before, "oauth_operations_total", &refused), 1.0, "{code}");
        let failed = [("method", "oauth"), ("status", "failure")];
        assert_eq!(now.since(&before, "auth_attempts_total", &failed), f64::from(u8::from(is_failed_proof)), "{code}");
        assert_eq!(now.since(&before, "api_errors_total", &[("route", "/api/oauth/{platform}/callback")]), 1.0, "{code}");
    }
}

fn replaced(path: &str, name: &str, value: Option<&str>) -> String {
    let (path, query) = path.split_once('?').unwrap();
    let kept = url::form_urlencoded::parse(query.as_bytes()).filter(|(key, _)| key != name);
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    query.extend_pairs(kept).extend_pairs(value.map(|value| (name, value)));
    format!("{path}?{}", query.finish())
}

#[tokio::test]
async fn a_missing_state_and_the_state_of_another_browser_are_refused() {
    let scene = Scene::new().await;
    let app = &scene.app;
    let mut victim = Browser::new();
    let mut attacker = Browser::new();
    let back = attacker.until_back(app, "google", "mallory").await;

    scene.refuses("google", 400, "oauth_state_missing", true, async || victim.get(app, &back).await).await;
    scene.refuses("google", 400, "oauth_state_missing", true, async || victim.get(app, "/api/oauth/google/callback").await).await;

    let own = victim.until_back(app, "google", "victim").await;
    scene.refuses("google", 400, "oauth_state_mismatch", true, async || victim.get(app, &back).await).await;
    scene.refuses("google", 400, "oauth_state_mismatch", true, async || victim.get(app, &replaced(&own, "state", None)).await).await;
    scene.refuses("google", 400, "oauth_state_mismatch", true, async || victim.get(app, &replaced(&own, "state", Some(""))).await).await;
    // The victim's own flow still works.
    victim.get(app, &own).await.expect(303);
}

#[tokio::test]
async fn a_callback_with_a_forged_changed_or_foreign_cookie_is_refused() {
    let scene = Scene::new().await;
    let app = &scene.app;
    let mut browser = Browser::new();
    let back = browser.until_back(app, "google", "ada").await;
    let cookie = browser.cookies["vitrine-oauth-google"].clone();
    let mut changed = cookie.clone().into_bytes();
    let last = changed.len() - 5;
    changed[last] = if changed[last] == b'A' { b'B' } else { b'A' };
    for hostile in [String::new(), "e30".to_owned(), "!".to_owned(), String::from_utf8(changed).unwrap(), cookie[..40].to_owned()] {
        browser.cookies.insert("vitrine-oauth-google".to_owned(), hostile);
        scene.refuses("google", 400, "oauth_state_missing", true, async || browser.get(app, &back).await).await;
    }
    browser.cookies.insert("vitrine-oauth-gitlab".to_owned(), cookie);
    let mixed = back.replace("/google/", "/gitlab/");
    scene.refuses("gitlab", 400, "oauth_state_missing", true, async || browser.get(app, &mixed).await).await;
}

#[tokio::test]
async fn a_session_that_ends_during_a_link_links_nothing() {
    let scene = Scene::new().await;
    let app = &scene.app;
    let user = app.user("grace").await;
    let mut thief = Browser::of(&user.token);
    let back = thief.until_back(app, "github", "mallory").await;
    // Ends the session without removing it from the cache, as if the request had been authenticated just before.
    app.me(&user.token).await.expect(200);
    app.stores.execute("DELETE FROM auth_sessions").await;
    scene.refuses("github", 401, "invalid_token", false, async || thief.get(app, &back).await).await;
}

#[tokio::test]
async fn a_state_is_accepted_once_even_in_ten_concurrent_callbacks() {
    let scene = Scene::new().await;
    let app = &scene.app;
    let mut browser = Browser::new();
    let back = browser.until_back(app, "google", "ada").await;
    let cookie = browser.cookies["vitrine-oauth-google"].clone();
    let requests = (0..10).map(|_| async {
        let mut tab = Browser::new();
        tab.cookies.insert("vitrine-oauth-google".to_owned(), cookie.clone());
        tab.get(app, &back).await
    });
    let answers = futures_util::future::join_all(requests).await;
    assert_eq!(answers.iter().filter(|answer| answer.status == 303).count(), 1);
    for answer in answers.into_iter().filter(|answer| answer.status != 303) {
        answer.problem(400, "oauth_state_used");
    }
    browser.cookies.insert("vitrine-oauth-google".to_owned(), cookie);
    scene.refuses("google", 400, "oauth_state_used", true, async || browser.get(app, &back).await).await;
    assert_eq!(scene.stored().await, [1, 1, 1, 0]);
}

#[tokio::test]
async fn an_expired_state_is_refused() {
    let platforms = Platforms::start().await;
    let [file, key] = platforms.arguments();
    let app = TestApp::with(&[&file, &key, "--oauth-lifetime=1ms"]).await;
    let scene = Scene { platforms, app };
    let mut browser = Browser::new();
    let location = browser.start(&scene.app, "google").await;
    let cookie = scene.app.get("/api/oauth/google/start").answer().await;
    let back = browser.decide(&location, "ada", &[]).await;
    // `Max-Age=0` deletes the cookie in a browser. An attacker can keep it, so the service must also check the expiry.
    assert!(cookie.header("set-cookie").contains("Max-Age=0"));
    let kept = cookie.header("set-cookie").split(['=', ';']).nth(1).unwrap().to_owned();
    let state = url::Url::parse(cookie.header("location")).unwrap().query_pairs().find(|(name, _)| name == "state").unwrap().1.into_owned();
    browser.cookies.insert("vitrine-oauth-google".to_owned(), kept);
    let late = replaced(&back, "state", Some(&state));
    scene.refuses("google", 400, "oauth_state_expired", true, async || browser.get(&scene.app, &late).await).await;
}

#[tokio::test]
async fn one_wrong_or_missing_value_from_the_platform_prevents_the_sign_in() {
    let scene = Scene::new().await;
    let table = [
        ("issuer", "oauth_issuer_mismatch"),
        ("audience", "oauth_audience_mismatch"),
        ("nonce", "oauth_nonce_mismatch"),
        ("no_nonce", "oauth_nonce_mismatch"),
        ("expired", "oauth_token_expired"),
        ("alg_none", "oauth_token_invalid"),
        ("hs256", "oauth_token_invalid"),
        ("signature", "oauth_token_invalid"),
        ("unknown_key", "oauth_token_invalid"),
        ("iss_parameter", "oauth_issuer_mismatch"),
        ("no_iss_parameter", "oauth_issuer_mismatch"),
        ("replayed_code", "oauth_code_refused"),
    ];
    for platform in ["google", "gitlab"] {
        for (lie, code) in table {
            scene.platforms.turn(platform, json!({ "lie": lie })).await;
            let mut browser = Browser::new();
            let back = browser.until_back(&scene.app, platform, "ada").await;
            scene.refuses(platform, 400, code, true, async || browser.get(&scene.app, &back).await).await;
            browser.me(&scene.app).await.problem(401, "unauthenticated");
        }
        scene.platforms.turn(platform, json!({})).await;
        let mut browser = Browser::new();
        browser.visit(&scene.app, platform, platform).await.expect(303);
    }
}

#[tokio::test]
async fn a_discovery_document_of_another_issuer_is_rejected() {
    let scene = Scene::new().await;
    scene.platforms.turn("google", json!({ "lie": "discovery_issuer" })).await;
    let before = scene.app.settled().await;
    scene.app.get("/api/oauth/google/start").answer().await.problem(400, "oauth_issuer_mismatch");
    let failed = [("platform", "google"), ("operation", "start"), ("status", "failure")];
    assert_eq!(scene.app.settled().await.since(&before, "oauth_operations_total", &failed), 1.0);
}

#[tokio::test]
async fn a_missing_or_foreign_code_is_refused() {
    let scene = Scene::new().await;
    let app = &scene.app;
    for platform in ["google", "github"] {
        // The attacker injects a code from another browser's flow. PKCE binds each code to its flow.
        let stolen = Browser::new().until_back(app, platform, "mallory").await;
        let code = url::form_urlencoded::parse(stolen.split_once('?').unwrap().1.as_bytes())
            .find(|(name, _)| name == "code")
            .unwrap()
            .1
            .into_owned();
        for hostile in [Some(code.as_str()), Some("made-up"), Some(""), None] {
            let mut victim = Browser::new();
            let back = victim.until_back(app, platform, "victim").await;
            let injected = replaced(&back, "code", hostile);
            scene.refuses(platform, 400, "oauth_code_refused", true, async || victim.get(app, &injected).await).await;
        }
    }
}

#[tokio::test]
async fn the_answer_of_another_issuer_is_refused_before_its_code_is_sent_anywhere() {
    let scene = Scene::new().await;
    let app = &scene.app;
    let mut browser = Browser::new();
    let back = browser.until_back(app, "gitlab", "ada").await;
    let other = scene.platforms.simulator.url("google");
    let before = app.settled().await;
    let mixed = replaced(&back, "iss", Some(&other));
    scene.refuses("gitlab", 400, "oauth_issuer_mismatch", true, async || browser.get(app, &mixed).await).await;
    assert_eq!(app.settled().await.since(&before, "social_api_calls_total", &[("endpoint", "token")]), 0.0);
}

#[tokio::test]
async fn a_user_who_denies_consent_is_not_signed_in() {
    let scene = Scene::new().await;
    let app = &scene.app;
    let mut browser = Browser::new();
    let location = browser.start(app, "google").await;
    let back = browser.decide(&location, "ada", &[("decision", "deny")]).await;
    scene.refuses("google", 403, "oauth_denied", true, async || browser.get(app, &back).await).await;
    let location = browser.start(app, "google").await;
    let back = browser.decide(&location, "ada", &[("decision", "deny")]).await;
    let hostile = replaced(&back, "error", Some("<script>alert(1)</script>"));
    scene.refuses("google", 403, "oauth_denied", true, async || browser.get(app, &hostile).await).await;
}

#[tokio::test]
async fn a_return_address_that_is_no_path_of_this_service_is_refused() {
    let scene = Scene::new().await;
    let hostile = [
        "https://evil.example",
        "//evil.example",
        "/\\evil.example",
        "/%09/evil.example",
        "javascript:alert(1)",
        "%2F%2Fevil.example",
        "",
        "/.//evil.example",
    ];
    let before = scene.app.settled().await;
    for return_to in hostile {
        let answer = scene.app.get(&format!("/api/oauth/google/start?return_to={return_to}")).answer().await;
        assert!(answer.header("set-cookie").is_empty());
        answer.problem(400, "return_to_refused");
    }
    // A refused return address is not counted as an OAuth operation. Otherwise clients could make the alert on failed sign-ins fire.
    assert_eq!(scene.app.settled().await.since(&before, "oauth_operations_total", &[]), 0.0);
    // The return address comes from the sealed cookie, never from a parameter of the callback.
    let mut browser = Browser::new();
    let location = browser.start_for(&scene.app, "google", "/studio%3Fa=b").await;
    let back = browser.decide(&location, "ada", &[]).await;
    let answer = browser.get(&scene.app, &format!("{back}&return_to=https://evil.example")).await.expect(303);
    assert_eq!(answer.header("location"), "/studio?a=b");
}

#[tokio::test]
async fn an_identity_of_another_account_and_a_second_identity_of_a_platform_are_not_linked() {
    let scene = Scene::new().await;
    let app = &scene.app;
    let (ada, mallory) = (app.user("ada").await, app.user("mallory").await);
    Browser::of(&ada.token).visit(app, "github", "ada").await.expect(303);
    let mut browser = Browser::of(&mallory.token);
    let back = browser.until_back(app, "github", "ada").await;
    scene.refuses("github", 409, "identity_taken", false, async || browser.get(app, &back).await).await;
    assert!(browser.accounts(app).await.is_empty());

    browser.visit(app, "github", "mallory").await.expect(303);
    let back = browser.until_back(app, "github", "mallory-2").await;
    scene.refuses("github", 409, "platform_taken", false, async || browser.get(app, &back).await).await;
}

#[tokio::test]
async fn an_identity_that_two_accounts_link_concurrently_belongs_to_one() {
    let scene = Scene::new().await;
    let app = &scene.app;
    let (ada, mallory) = (app.user("ada").await, app.user("mallory").await);
    for round in 0..5 {
        let name = format!("both-{round}");
        let (mut one, mut other) = (Browser::of(&ada.token), Browser::of(&mallory.token));
        let (first, second) = (one.until_back(app, "x", &name).await, other.until_back(app, "x", &name).await);
        let (first, second) = tokio::join!(one.get(app, &first), other.get(app, &second));
        let mut statuses = [first.status, second.status];
        statuses.sort_unstable();
        assert_eq!(statuses, [303, 409], "{} {}", first.text(), second.text());
        app.stores.execute("DELETE FROM social_accounts").await;
    }
}

#[tokio::test]
async fn a_matching_email_gives_no_access_to_an_existing_account() {
    let scene = Scene::new().await;
    let app = &scene.app;
    app.register("ada@example.com").await.expect(201);
    let mut browser = Browser::new();
    let back = browser.until_back(app, "google", "ada").await;
    scene.refuses("google", 409, "email_taken", true, async || browser.get(app, &back).await).await;
    let location = browser.start(app, "google").await;
    let back = browser.decide(&location, "mallory", &[("email", "ADA@example.com")]).await;
    scene.refuses("google", 409, "email_taken", true, async || browser.get(app, &back).await).await;
}

#[tokio::test]
async fn an_email_that_the_platform_has_not_verified_creates_no_account() {
    let scene = Scene::new().await;
    let app = &scene.app;
    for platform in ["google", "gitlab", "github"] {
        for lie in ["unverified_email", "no_email"] {
            scene.platforms.turn(platform, json!({ "lie": lie })).await;
            let mut browser = Browser::new();
            let back = browser.until_back(app, platform, "ada").await;
            scene.refuses(platform, 403, "email_unverified", true, async || browser.get(app, &back).await).await;
        }
    }
}

#[tokio::test]
async fn a_link_is_created_only_for_the_user_who_began_it() {
    let scene = Scene::new().await;
    let app = &scene.app;
    let (ada, mallory) = (app.user("ada").await, app.user("mallory").await);
    let mut browser = Browser::of(&ada.token);
    let back = browser.until_back(app, "x", "ada").await;
    browser.cookies.insert("vitrine".to_owned(), mallory.token.clone());
    scene.refuses("x", 409, "signed_in_as_other", false, async || browser.get(app, &back).await).await;

    browser.cookies.insert("vitrine".to_owned(), ada.token.clone());
    let back = browser.until_back(app, "x", "ada").await;
    browser.cookies.remove("vitrine");
    scene.refuses("x", 409, "signed_in_as_other", false, async || browser.get(app, &back).await).await;
}

#[tokio::test]
async fn another_site_cannot_begin_a_link_for_a_signed_in_user() {
    let scene = Scene::new().await;
    let user = scene.app.user("ada").await;
    let start = || scene.app.get("/api/oauth/x/start").header("cookie", format!("vitrine={}", user.token));
    for site in ["cross-site", "same-site"] {
        start().header("sec-fetch-site", site).answer().await.problem(403, "cross_site_request");
    }
    for site in ["same-origin", "none"] {
        start().header("sec-fetch-site", site).answer().await.expect(303);
    }
}

#[tokio::test]
async fn an_unknown_platform_is_not_found() {
    let scene = Scene::new().await;
    for platform in ["facebook", "Google", "google%00", "..%2Fx", "%F0%9F%92%A9"] {
        for step in ["start", "callback"] {
            scene.app.get(&format!("/api/oauth/{platform}/{step}")).answer().await.problem(404, "not_found");
        }
    }
    let app = TestApp::start().await;
    app.get("/api/oauth/google/start").answer().await.problem(404, "not_found");
    assert_eq!(app.get("/api/oauth/platforms").answer().await.expect(200).json(), json!({ "items": [] }));
}
