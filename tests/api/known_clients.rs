//! Wrong passwords of strangers do not lock out clients that have signed in before: those with a device cookie, or from a network that the
//! account has used.

use serde_json::json;
use uuid::Uuid;

use crate::support::app::through;
use crate::support::platforms::TOKEN_KEY;
use crate::support::users::PASSWORD;
use crate::support::{Answer, Ask, Browser, Mode, Platforms, Proxy, Stores, TestApp};

const ADA: &str = "ada@example.com";
const WRONG: &str = "not the password";
const HOME: &str = "198.51.100.1";

/// A client at some address, with or without a device cookie.
#[derive(Clone, Default)]
struct Place {
    address: String,
    cookie: Option<String>,
}

fn at(address: &str) -> Place {
    Place { address: address.to_owned(), cookie: None }
}

/// A client at an unused address.
fn elsewhere(number: u8) -> Place {
    at(&format!("203.0.113.{number}"))
}

impl Place {
    /// The same browser at another address.
    fn with_cookie_of(self, answer: &Answer) -> Self {
        let set = answer.headers.get_all("set-cookie").iter().filter_map(|value| value.to_str().ok());
        let device = set.filter_map(|cookie| cookie.split(';').next()).find(|cookie| cookie.starts_with("vitrine-device="));
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

    async fn guesses(&self, app: &TestApp, email: &str, count: usize) {
        for _ in 0..count {
            self.login(app, email, WRONG).await.problem(401, "invalid_credentials");
        }
    }
}

#[track_caller]
fn assert_throttled(answer: Answer) {
    let answer = answer.problem(429, "too_many_attempts");
    let seconds: u64 = answer.header("retry-after").parse().expect("Retry-After is not in seconds");
    assert!((1..=900).contains(&seconds), "{seconds}");
}

/// Three attempts of one client, and five of all strangers together.
const FEW: [&str; 2] = ["--login-attempts-per-account=3", "--login-attempts-by-strangers=5"];

/// Strangers use up all of their attempts.
async fn besiege(app: &TestApp) {
    elsewhere(1).guesses(app, ADA, 3).await;
    assert_throttled(elsewhere(1).login(app, ADA, WRONG).await);
    elsewhere(2).guesses(app, ADA, 2).await;
    assert_throttled(elsewhere(2).login(app, ADA, WRONG).await);
    assert_throttled(elsewhere(3).login(app, ADA, PASSWORD).await);
}

/// With the default limits. Previously, ten wrong passwords locked everybody out of the account.
#[tokio::test]
async fn ten_wrong_passwords_of_a_stranger_block_only_the_stranger() {
    let app = TestApp::start().await;
    at(HOME).register(&app, ADA).await;
    elsewhere(1).guesses(&app, ADA, 10).await;
    assert_throttled(elsewhere(1).login(&app, ADA, PASSWORD).await);
    at(HOME).login(&app, ADA, PASSWORD).await.expect(200);
    // The same holds for an address without an earlier login.
    elsewhere(2).login(&app, ADA, PASSWORD).await.expect(200);
}

async fn assert_owner_gets_in(app: &TestApp) {
    let known = at(HOME).register(app, ADA).await;
    besiege(app).await;
    // Without a cookie from the network of the registration, and with a cookie from anywhere.
    at(HOME).login(app, ADA, PASSWORD).await.expect(200);
    at("192.0.2.1").with_cookie_of(&known).login(app, ADA, PASSWORD).await.expect(200);
    // This network now has a login of the account.
    at("192.0.2.1").login(app, ADA, PASSWORD).await.expect(200);
    assert_throttled(elsewhere(4).login(app, ADA, PASSWORD).await);
}

#[tokio::test]
async fn the_owner_gets_in_while_strangers_guess() {
    assert_owner_gets_in(&TestApp::with(&FEW).await).await;
}

#[tokio::test]
async fn the_owner_can_sign_in_while_strangers_guess_and_redis_is_down() {
    let stores = Stores::new().await;
    let proxy = Proxy::before(&stores.redis_url(), Mode::Refuse).await;
    let redis = through("redis-url", &stores.redis_url(), proxy.address);
    assert_owner_gets_in(&TestApp::on(&stores, &[&redis, FEW[0], FEW[1]]).await).await;
}

#[tokio::test]
async fn replicas_share_their_known_clients() {
    let stores = Stores::new().await;
    let key = format!("--token-keys={TOKEN_KEY}");
    let arguments = [key.as_str(), FEW[0], FEW[1]];
    let (one, two) = (TestApp::on(&stores, &arguments).await, TestApp::on(&stores, &arguments).await);
    let known = at(HOME).register(&one, ADA).await;
    besiege(&one).await;
    assert_throttled(elsewhere(3).login(&two, ADA, PASSWORD).await);
    at(HOME).login(&two, ADA, PASSWORD).await.expect(200);
    at("192.0.2.1").with_cookie_of(&known).login(&two, ADA, PASSWORD).await.expect(200);
}

#[tokio::test]
async fn a_client_that_signs_in_by_a_platform_becomes_known() {
    let platforms = Platforms::start().await;
    let [file, key] = platforms.arguments();
    let app = TestApp::with(&[&file, &key, FEW[0], FEW[1]]).await;
    let mut browser = Browser::new();
    browser.visit(&app, "google", "ada").await.expect(303);
    let device = Place { address: "192.0.2.1".to_owned(), cookie: Some(format!("vitrine-device={}", browser.cookies["vitrine-device"])) };
    besiege(&app).await;
    // The account has no password, so the login fails. But it is checked, not throttled.
    device.login(&app, ADA, PASSWORD).await.problem(401, "invalid_credentials");
}

#[tokio::test]
async fn a_device_is_bounded_by_its_own_failures() {
    let app = TestApp::with(&FEW).await;
    let known = at(HOME).register(&app, ADA).await;
    let device = at("192.0.2.1").with_cookie_of(&known);
    device.guesses(&app, ADA, 3).await;
    assert_throttled(device.login(&app, ADA, PASSWORD).await);
    // The limit follows the device to other addresses. Without its cookie it counts as a client of the account's known network.
    assert_throttled(at(HOME).with_cookie_of(&known).login(&app, ADA, PASSWORD).await);
    at(HOME).login(&app, ADA, PASSWORD).await.expect(200);
}

#[tokio::test]
async fn a_network_that_the_account_knows_is_bounded_by_its_own_failures() {
    let app = TestApp::with(&FEW).await;
    let known = at(HOME).register(&app, ADA).await;
    at(HOME).guesses(&app, ADA, 3).await;
    assert_throttled(at(HOME).login(&app, ADA, PASSWORD).await);
    // Another user of the owner's network cannot lock out the owner's browser.
    at(HOME).with_cookie_of(&known).login(&app, ADA, PASSWORD).await.expect(200);
}

#[tokio::test]
async fn an_address_that_guesses_at_everything_keeps_out_no_device() {
    let app = TestApp::with(&["--login-attempts-per-address=2"]).await;
    let known = at(HOME).register(&app, ADA).await;
    for number in 0..2 {
        at(HOME).guesses(&app, &format!("nobody-{number}@example.com"), 1).await;
    }
    assert_throttled(at(HOME).login(&app, ADA, PASSWORD).await);
    at(HOME).with_cookie_of(&known).login(&app, ADA, PASSWORD).await.expect(200);
}

#[tokio::test]
async fn an_invalid_device_cookie_counts_as_a_strangers() {
    let app = TestApp::with(&FEW).await;
    let ada = at(HOME).register(&app, ADA).await;
    let eve = elsewhere(9).register(&app, "eve@example.com").await;
    besiege(&app).await;
    let genuine = elsewhere(5).with_cookie_of(&ada).cookie.unwrap();
    let mut altered = genuine.clone().into_bytes();
    let last = altered.len() - 5;
    altered[last] = if altered[last] == b'A' { b'B' } else { b'A' };
    let forged = format!("vitrine-device={}", Uuid::new_v4().simple());
    for (case, cookie) in [
        ("another account's", elsewhere(5).with_cookie_of(&eve).cookie.unwrap()),
        ("altered", String::from_utf8(altered).unwrap()),
        ("forged", forged),
        ("empty", "vitrine-device=".to_owned()),
    ] {
        let answer = Place { cookie: Some(cookie), ..elsewhere(5) }.login(&app, ADA, PASSWORD).await;
        assert_eq!(answer.status, 429, "{case}");
    }
    Place { cookie: Some(genuine), ..elsewhere(5) }.login(&app, ADA, PASSWORD).await.expect(200);
}

#[tokio::test]
async fn a_device_keeps_its_name_and_a_new_one_gets_one_when_it_has_signed_in() {
    let app = TestApp::with(&FEW).await;
    let known = at(HOME).register(&app, ADA).await;
    elsewhere(1).login(&app, ADA, WRONG).await.problem(401, "invalid_credentials");
    let device = at(HOME).with_cookie_of(&known);
    let again = device.login(&app, ADA, PASSWORD).await.expect(200);
    // The cookie is renewed for another ninety days, and shares its limit with the previous one.
    let renewed = at(HOME).with_cookie_of(&again);
    assert_ne!(renewed.cookie, device.cookie);
    device.guesses(&app, ADA, 2).await;
    renewed.guesses(&app, ADA, 1).await;
    assert_throttled(device.login(&app, ADA, PASSWORD).await);
    let set = again.headers.get_all("set-cookie").iter().find(|cookie| cookie.to_str().unwrap().starts_with("vitrine-device="));
    for attribute in ["HttpOnly", "SameSite=Lax", "Path=/", "Max-Age=7776000"] {
        assert!(set.unwrap().to_str().unwrap().contains(attribute), "{set:?}");
    }
}
