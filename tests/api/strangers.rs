//! Routes that need no account have limits per network. The limit on registrations applies to the whole fleet or, while Redis is down,
//! to each replica. Floods of registrations do not affect logins.

use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::support::app::through;
use crate::support::raw_socket::WEBSOCKET;
use crate::support::users::PASSWORD;
use crate::support::{Answer, Ask, Browser, Mode, Platforms, Proxy, RawSocket, Stores, TestApp};

async fn register_from(app: &TestApp, address: &str, name: &str) -> Answer {
    let body = json!({ "email": format!("{name}@example.com"), "password": PASSWORD, "display_name": "Somebody" });
    app.post("/api/auth/register").header("x-forwarded-for", address).json(&body).answer().await
}

/// Asserts a refusal that allows a retry within a minute.
#[track_caller]
fn assert_throttled(answer: Answer) {
    let answer = answer.problem(429, "too_many_attempts");
    let seconds: u64 = answer.header("retry-after").parse().expect("Retry-After is not in seconds");
    assert!((1..=60).contains(&seconds), "{seconds}");
}

async fn assert_registrations_are_limited(app: &TestApp) {
    let before = app.settled().await;
    for number in 0..3 {
        register_from(app, "203.0.113.1", &format!("first-{number}")).await.expect(201);
    }
    assert_throttled(register_from(app, "203.0.113.1", "one-too-many").await);
    // The same address: first after an address that the client claims, then in IPv6 notation.
    assert_throttled(register_from(app, "198.51.100.9, 203.0.113.1", "one-too-many").await);
    assert_throttled(register_from(app, "::ffff:203.0.113.1", "one-too-many").await);
    register_from(app, "203.0.113.2", "neighbour").await.expect(201);
    let after = app.settled().await;
    assert_eq!(after.since(&before, "rate_limited_total", &[("limiter", "registrations")]), 3.0);
    assert_eq!(after.since(&before, "users_registered_total", &[]), 4.0);
    assert_eq!(after.since(&before, "api_errors_total", &[("type", "rate_limit"), ("status", "429")]), 3.0);
}

#[tokio::test]
async fn registrations_of_an_address_are_limited_and_others_are_not() {
    assert_registrations_are_limited(&TestApp::with(&["--registrations-per-minute=3"]).await).await;
}

#[tokio::test]
async fn registrations_of_an_address_are_limited_while_redis_is_down() {
    let stores = Stores::new().await;
    let proxy = Proxy::before(&stores.redis_url(), Mode::Refuse).await;
    let redis = through("redis-url", &stores.redis_url(), proxy.address);
    assert_registrations_are_limited(&TestApp::on(&stores, &[&redis, "--registrations-per-minute=3"]).await).await;
}

#[tokio::test]
async fn registrations_are_counted_over_the_fleet() {
    let stores = Stores::new().await;
    let arguments = ["--registrations-per-minute=2"];
    let (one, two) = (TestApp::on(&stores, &arguments).await, TestApp::on(&stores, &arguments).await);
    register_from(&one, "203.0.113.1", "first").await.expect(201);
    register_from(&two, "203.0.113.1", "second").await.expect(201);
    assert_throttled(register_from(&one, "203.0.113.1", "third").await);
    assert_throttled(register_from(&two, "203.0.113.1", "third").await);
}

#[tokio::test]
async fn an_ipv6_network_of_64_bits_is_one_client() {
    let app = TestApp::with(&["--registrations-per-minute=2", "--login-attempts-per-address=2", "--beacons-per-minute=2"]).await;
    let (first, second, other) = ("2001:db8:1:2::1", "2001:db8:1:2:3:4:5:6", "2001:db8:1:3::1");
    let login = async |address: &str, name: &str| {
        let body = json!({ "email": format!("{name}@example.com"), "password": "not the password" });
        app.post("/api/auth/login").header("x-forwarded-for", address).json(&body).answer().await
    };
    let beacon = async |address: &str| {
        let events = json!({ "events": [{ "kind": "page_view", "route": "/" }] });
        app.post("/api/rum").header("x-forwarded-for", address).json(&events).answer().await
    };
    for (number, address) in [first, second].into_iter().enumerate() {
        register_from(&app, address, &format!("person-{number}")).await.expect(201);
        login(address, &format!("nobody-{number}")).await.problem(401, "invalid_credentials");
        beacon(address).await.expect(204);
    }
    let anywhere_there = "2001:db8:1:2:ffff::9";
    assert_throttled(register_from(&app, anywhere_there, "one-too-many").await);
    login(anywhere_there, "somebody-else").await.problem(429, "too_many_attempts");
    beacon(anywhere_there).await.problem(429, "too_many_attempts");
    register_from(&app, other, "neighbour").await.expect(201);
    login(other, "somebody-else").await.problem(401, "invalid_credentials");
    beacon(other).await.expect(204);
}

#[tokio::test]
async fn an_ipv6_network_of_64_bits_may_hold_as_many_connections_as_one_address() {
    let app = TestApp::with(&["--sockets-per-address=1"]).await;
    let held = RawSocket::open(app.address, WEBSOCKET, &["X-Forwarded-For: 2001:db8:1:2::1"]).await;
    let (refused, _) = RawSocket::ask(app.address, WEBSOCKET, &["X-Forwarded-For: 2001:db8:1:2::2"]).await;
    refused.problem(429, "too_many_connections");
    drop(RawSocket::open(app.address, WEBSOCKET, &["X-Forwarded-For: 2001:db8:1:3::1"]).await);
    drop(held);
}

#[tokio::test]
async fn registrations_with_invalid_content_are_not_counted() {
    let app = TestApp::with(&["--registrations-per-minute=1"]).await;
    for _ in 0..5 {
        register_from(&app, "203.0.113.1", "not an address").await.problem(422, "validation_failed");
    }
    register_from(&app, "203.0.113.1", "ada").await.expect(201);
    assert_throttled(register_from(&app, "203.0.113.1", "ada").await);
    let keys = app.stores.contents().await;
    assert_eq!(keys.iter().filter(|row| row.starts_with("users")).count(), 1);
}

#[tokio::test]
async fn a_registration_that_is_sent_again_counts_again() {
    let app = TestApp::with(&["--registrations-per-minute=2"]).await;
    let body = json!({ "email": "ada@example.com", "password": PASSWORD, "display_name": "Ada" });
    let send = async || app.post("/api/auth/register").header("idempotency-key", "k-1").json(&body).answer().await;
    let first = send().await.expect(201).json();
    assert_eq!(send().await.expect(201).json(), first);
    // A repeated registration also costs password hashes.
    assert_throttled(send().await);
}

#[tokio::test]
async fn oauth_starts_and_callbacks_are_limited_and_a_refusal_sets_no_cookie() {
    let platforms = Platforms::start().await;
    let [file, key] = platforms.arguments();
    let app = TestApp::with(&[&file, &key, "--oauth-per-minute=3"]).await;
    let before = app.settled().await;
    let from = async |address: &str, path: &str| app.get(path).header("x-forwarded-for", address).answer().await;
    // Starts and callbacks share the limit of three requests per address.
    from("203.0.113.1", "/api/oauth/google/start").await.expect(303);
    from("203.0.113.1", "/api/oauth/github/start").await.expect(303);
    from("203.0.113.1", "/api/oauth/google/callback?state=forged&code=forged").await.problem(400, "oauth_state_missing");
    for path in ["/api/oauth/google/start", "/api/oauth/google/callback?state=forged&code=forged"] {
        let refused = from("203.0.113.1", path).await;
        assert_eq!(refused.header("set-cookie"), "");
        assert_throttled(refused);
    }
    let after = app.settled().await;
    assert_eq!(after.since(&before, "rate_limited_total", &[("limiter", "oauth_requests")]), 2.0);
    // A refusal by the limit counts as neither a failed start nor a failed callback. Only the forged callback has failed.
    let failed = [("platform", "google"), ("operation", "start"), ("status", "failure")];
    assert_eq!(after.since(&before, "oauth_operations_total", &failed), 0.0);
    let forged = [("platform", "google"), ("operation", "callback"), ("status", "failure")];
    assert_eq!(after.since(&before, "oauth_operations_total", &forged), 1.0);
    // A browser at another address completes a flow.
    let mut browser = Browser::new();
    browser.visit(&app, "google", "ada").await.expect(303);
    browser.me(&app).await.expect(200);
}

#[tokio::test]
async fn a_browser_that_returns_too_often_keeps_its_cookie_to_return_later() {
    let platforms = Platforms::start().await;
    let [file, key] = platforms.arguments();
    let app = TestApp::with(&[&file, &key, "--oauth-per-minute=1"]).await;
    let mut browser = Browser::new();
    let back = browser.until_back(&app, "google", "ada").await;
    assert_throttled(browser.get(&app, &back).await);
    assert!(browser.cookies.contains_key("vitrine-oauth-google"));
    assert_eq!(app.stores.count("SELECT count(*) FROM oauth_callbacks").await, 0);
}

/// Registrations from any number of addresses must not make logins fail. Previously, a flood of registrations took every permit for
/// hashing, and logins were answered with 503 after two seconds.
#[tokio::test]
async fn a_flood_of_registrations_does_not_affect_logins() {
    let app = TestApp::start().await;
    for number in 0..5 {
        app.register(&format!("person-{number}@example.com")).await.expect(201);
    }
    let flood = join_all((0..400).map(|number| {
        let (app, address) = (&app, format!("2001:db8:0:{number:x}::1"));
        async move { register_from(app, &address, &format!("flood-{number}")).await.status }
    }));
    let logins = async {
        let mut answers = Vec::new();
        for _round in 0..2 {
            for number in 0..5 {
                answers.push(app.login(&format!("person-{number}@example.com"), PASSWORD).await);
            }
        }
        answers
    };
    let (flood, logins) = tokio::join!(flood, logins);
    for answer in logins {
        answer.expect(200);
    }
    assert!(flood.iter().all(|status| matches!(status, 201 | 503)), "{flood:?}");
}

/// The OpenAPI description lists 429 for these routes, which have a limit per network.
#[tokio::test]
async fn the_limits_are_documented() {
    let app = TestApp::start().await;
    let description: Value = app.get("/api/openapi.json").answer().await.expect(200).json();
    for (method, path) in [
        ("post", "/api/auth/register"),
        ("post", "/api/auth/login"),
        ("get", "/api/oauth/{platform}/start"),
        ("get", "/api/oauth/{platform}/callback"),
        ("post", "/api/rum"),
    ] {
        assert!(description["paths"][path][method]["responses"]["429"].is_object(), "{method} {path}");
    }
}
