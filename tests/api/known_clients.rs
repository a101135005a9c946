//! Failed logins of strangers do not lock out known clients. An account knows a client by its device cookie, or by its
//! network: the network of the registration or of an earlier sign-in.

use serde_json::json;
use uuid::Uuid;

use crate::support::app::through;
use crate::support::platforms::TOKEN_KEY;
use crate::support::users::PASSWORD;
use crate::support::{Answer, Ask, Browser, Mode, Platforms, Proxy, Stores, TestApp};

const ADA: &str = "ada@example.com";
const WRONG: &str = "not the password";
const HOME: &str = "198.51.100.1";

/// A client: its address and, if it has one, its device cookie.
#[derive(Clone, Default)]
struct Client {
    address: String,
    cookie: Option<String>,
}

fn at(address: &str) -> Client {
    Client { address: address.to_owned(), cookie: None }
}

/// A client at an address that is new to Ada's account.
fn at_new_address(number: u8) -> Client {
    at(&format!("203.0.113.{number}"))
}

impl Client {
    /// This client with the device cookie of an earlier answer.
    fn with_cookie_of(self, answer: &Answer) -> Self {
        let cookies = answer.headers.get_all("set-cookie").iter().filter_map(|value| value.to_str().ok());
        let device = cookies.filter_map(|cookie| cookie.split(';').next()).find(|cookie| cookie.starts_with("vitrine-device="));
        Self { cookie: Some(device.expect("no device cookie").to_owned()), ..self }
    }

    async fn post(&self, app: &TestApp, path: &str, body: &serde_json::Value) -> Answer {
        let mut request = app.post(path).header("x-forwarded-for", &self.address).json(body);
        if let Some(cookie) = &self.cookie {
            request = request.header("cookie", cookie);
        }
        request.answer().await
    }

    async fn login(&self, app: &TestApp, email: &str, password: &str) -> Answer {
        self.post(app, "/api/auth/login", &json!({ "email": email, "password": password })).await
    }

    async fn register(&self, app: &TestApp, email: &str) -> Answer {
        let body = json!({ "email": email, "password": PASSWORD, "display_name": "Somebody" });
        self.post(app, "/api/auth/register", &body).await.expect(201)
    }

    async fn fail_logins(&self, app: &TestApp, email: &str, count: usize) {
        for _ in 0..count {
            let refused = self.login(app, email, WRONG).await.problem(401, "invalid_credentials");
            assert!(refused.headers.get("set-cookie").is_none(), "a failed login must not set a device cookie");
        }
    }
}

#[track_caller]
fn assert_throttled(answer: Answer) {
    let answer = answer.problem(429, "too_many_attempts");
    let seconds: u64 = answer.header("retry-after").parse().expect("Retry-After is not in seconds");
    assert!((1..=900).contains(&seconds), "{seconds}");
}

/// Three failed logins for each client, and five for all strangers together.
const LOW_LIMITS: [&str; 2] = ["--login-attempts-per-account=3", "--login-attempts-by-strangers=5"];

/// Exhausts the limit that all strangers share: one stranger fails three times, and another stranger fails twice.
async fn exhaust_stranger_limit(app: &TestApp) {
    at_new_address(1).fail_logins(app, ADA, 3).await;
    assert_throttled(at_new_address(1).login(app, ADA, WRONG).await);
    at_new_address(2).fail_logins(app, ADA, 2).await;
    assert_throttled(at_new_address(2).login(app, ADA, WRONG).await);
    assert_throttled(at_new_address(3).login(app, ADA, PASSWORD).await);
}

/// Uses the default limits. An earlier version locked all clients out of the account after ten wrong passwords.
#[tokio::test]
async fn ten_wrong_passwords_of_a_stranger_throttle_only_that_stranger() {
    let app = TestApp::start().await;
    at(HOME).register(&app, ADA).await;
    at_new_address(1).fail_logins(&app, ADA, 10).await;
    assert_throttled(at_new_address(1).login(&app, ADA, PASSWORD).await);
    at(HOME).login(&app, ADA, PASSWORD).await.expect(200);
    // Another stranger is not throttled either.
    at_new_address(2).login(&app, ADA, PASSWORD).await.expect(200);
}

async fn assert_owner_can_sign_in(app: &TestApp) {
    let known = at(HOME).register(app, ADA).await;
    exhaust_stranger_limit(app).await;
    // The owner signs in from the network of the registration without a cookie, and from a new network with a cookie.
    at(HOME).login(app, ADA, PASSWORD).await.expect(200);
    at("192.0.2.1").with_cookie_of(&known).login(app, ADA, PASSWORD).await.expect(200);
    // That login made this network known, so the cookie is no longer necessary.
    at("192.0.2.1").login(app, ADA, PASSWORD).await.expect(200);
    assert_throttled(at_new_address(4).login(app, ADA, PASSWORD).await);
}

#[tokio::test]
async fn the_owner_can_sign_in_while_strangers_guess() {
    assert_owner_can_sign_in(&TestApp::with(&LOW_LIMITS).await).await;
}

#[tokio::test]
async fn the_owner_can_sign_in_while_strangers_guess_and_redis_is_down() {
    let stores = Stores::new().await;
    let proxy = Proxy::before(&stores.redis_url(), Mode::Refuse).await;
    let redis = through("redis-url", &stores.redis_url(), proxy.address);
    assert_owner_can_sign_in(&TestApp::on(&stores, &[&redis, LOW_LIMITS[0], LOW_LIMITS[1]]).await).await;
}

#[tokio::test]
async fn replicas_share_known_clients() {
    let stores = Stores::new().await;
    let key = format!("--token-keys={TOKEN_KEY}");
    let arguments = [key.as_str(), LOW_LIMITS[0], LOW_LIMITS[1]];
    let (one, two) = (TestApp::on(&stores, &arguments).await, TestApp::on(&stores, &arguments).await);
    let known = at(HOME).register(&one, ADA).await;
    exhaust_stranger_limit(&one).await;
    assert_throttled(at_new_address(3).login(&two, ADA, PASSWORD).await);
    at(HOME).login(&two, ADA, PASSWORD).await.expect(200);
    at("192.0.2.1").with_cookie_of(&known).login(&two, ADA, PASSWORD).await.expect(200);
}

#[tokio::test]
async fn a_client_that_signs_in_through_a_platform_becomes_known() {
    let platforms = Platforms::start().await;
    let [file, key] = platforms.arguments();
    let app = TestApp::with(&[&file, &key, LOW_LIMITS[0], LOW_LIMITS[1]]).await;
    let mut browser = Browser::new();
    browser.visit(&app, "google", "ada").await.expect(303);
    let device = Client { address: "192.0.2.1".to_owned(), cookie: Some(format!("vitrine-device={}", browser.cookies["vitrine-device"])) };
    exhaust_stranger_limit(&app).await;
    // The account has no password, so the login fails. A 401 instead of a 429 shows that it was not throttled.
    device.login(&app, ADA, PASSWORD).await.problem(401, "invalid_credentials");
}

#[tokio::test]
async fn failed_logins_of_a_device_throttle_only_that_device() {
    let app = TestApp::with(&LOW_LIMITS).await;
    let known = at(HOME).register(&app, ADA).await;
    let device = at("192.0.2.1").with_cookie_of(&known);
    device.fail_logins(&app, ADA, 3).await;
    assert_throttled(device.login(&app, ADA, PASSWORD).await);
    // The limit applies to the device at every address. Without the cookie, the limit of the known network applies.
    assert_throttled(at(HOME).with_cookie_of(&known).login(&app, ADA, PASSWORD).await);
    at(HOME).login(&app, ADA, PASSWORD).await.expect(200);
}

#[tokio::test]
async fn failed_logins_from_a_known_network_do_not_throttle_a_known_device() {
    let app = TestApp::with(&LOW_LIMITS).await;
    let known = at(HOME).register(&app, ADA).await;
    at(HOME).fail_logins(&app, ADA, 3).await;
    assert_throttled(at(HOME).login(&app, ADA, PASSWORD).await);
    // Other users of the owner's network cannot lock out the owner's browser.
    at(HOME).with_cookie_of(&known).login(&app, ADA, PASSWORD).await.expect(200);
}

#[tokio::test]
async fn the_limit_of_an_address_does_not_throttle_a_known_device() {
    let app = TestApp::with(&["--login-attempts-per-address=2"]).await;
    let known = at(HOME).register(&app, ADA).await;
    for number in 0..2 {
        at(HOME).fail_logins(&app, &format!("nobody-{number}@example.com"), 1).await;
    }
    assert_throttled(at(HOME).login(&app, ADA, PASSWORD).await);
    at(HOME).with_cookie_of(&known).login(&app, ADA, PASSWORD).await.expect(200);
}

#[tokio::test]
async fn a_client_with_an_invalid_device_cookie_is_a_stranger() {
    let app = TestApp::with(&LOW_LIMITS).await;
    let ada = at(HOME).register(&app, ADA).await;
    let eve = at_new_address(9).register(&app, "eve@example.com").await;
    exhaust_stranger_limit(&app).await;
    let genuine = at_new_address(5).with_cookie_of(&ada).cookie.unwrap();
    let mut altered = genuine.clone().into_bytes();
    let last = altered.len() - 5;
    altered[last] = if altered[last] == b'A' { b'B' } else { b'A' };
    let forged = format!("vitrine-device={}", Uuid::new_v4().simple());
    for (case, cookie) in [
        ("another account's", at_new_address(5).with_cookie_of(&eve).cookie.unwrap()),
        ("altered", String::from_utf8(altered).unwrap()),
        ("forged", forged),
        ("empty", "vitrine-device=".to_owned()),
    ] {
        let answer = Client { cookie: Some(cookie), ..at_new_address(5) }.login(&app, ADA, PASSWORD).await;
        assert_eq!(answer.status, 429, "{case}");
    }
    Client { cookie: Some(genuine), ..at_new_address(5) }.login(&app, ADA, PASSWORD).await.expect(200);
}

#[tokio::test]
async fn a_login_renews_the_device_cookie_but_not_the_limit_of_the_device() {
    let app = TestApp::with(&LOW_LIMITS).await;
    let known = at(HOME).register(&app, ADA).await;
    at_new_address(1).login(&app, ADA, WRONG).await.problem(401, "invalid_credentials");
    let device = at(HOME).with_cookie_of(&known);
    let again = device.login(&app, ADA, PASSWORD).await.expect(200);
    // The renewed cookie is valid for another ninety days. Both cookies identify the same device, so they share one limit.
    let renewed = at(HOME).with_cookie_of(&again);
    assert_ne!(renewed.cookie, device.cookie);
    device.fail_logins(&app, ADA, 2).await;
    renewed.fail_logins(&app, ADA, 1).await;
    assert_throttled(device.login(&app, ADA, PASSWORD).await);
    let cookie = again.headers.get_all("set-cookie").iter().find(|cookie| cookie.to_str().unwrap().starts_with("vitrine-device="));
    for attribute in ["HttpOnly", "SameSite=Lax", "Path=/", "Max-Age=7776000"] {
        assert!(cookie.unwrap().to_str().unwrap().contains(attribute), "{cookie:?}");
    }
}
