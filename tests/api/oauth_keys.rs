//! Tokens at rest: the database contains no readable token, and keys can be replaced without an outage.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use reqwest::Method;

use crate::support::platforms::TOKEN_KEY;
use crate::support::{Browser, Platforms, TestApp, eventually, when};

/// Starts another application with these keys, on the same stores.
async fn with_keys(app: &TestApp, platforms: &Platforms, keys: &str) -> TestApp {
    let [file, _] = platforms.arguments();
    TestApp::on(&app.stores, &[&file, &format!("--token-keys={keys}")]).await
}

async fn sealed(app: &TestApp) -> Vec<Vec<u8>> {
    let select = "SELECT access_token FROM social_accounts UNION ALL SELECT refresh_token FROM social_accounts";
    sqlx::query_scalar(select).fetch_all(app.stores.pool()).await.unwrap()
}

#[tokio::test]
async fn no_token_can_be_read_in_the_database() {
    let platforms = Platforms::start().await;
    let app = platforms.app().await;
    let user = app.user("grace").await;
    let mut browser = Browser::of(&user.token);
    browser.visit(&app, "x", "grace").await.expect(303);
    let sealed = sealed(&app).await;
    let keys = vitrine::sealing::Keyring::parse(&TOKEN_KEY.to_owned().into()).unwrap();
    let account = browser.account_path(&app, "x").await;
    let id = account.rsplit('/').next().unwrap();
    let token = String::from_utf8(keys.open(&format!("access token of {id}"), &sealed[0]).unwrap()).unwrap();
    assert!(token.len() >= 16 && token.is_ascii());
    let encoded = STANDARD.encode(&token);
    for row in app.stores.contents().await {
        assert!(!row.contains(&token) && !row.contains(&encoded), "{row}");
    }
    // The sealed token cannot be opened in another context.
    assert!(keys.open(&format!("refresh token of {id}"), &sealed[0]).is_err());
}

#[tokio::test]
async fn a_key_is_rotated_in_three_steps_without_an_outage() {
    let platforms = Platforms::start().await;
    let app = platforms.app().await;
    let user = app.user("grace").await;
    let mut browser = Browser::of(&user.token);
    browser.visit(&app, "x", "grace").await.expect(303);
    browser.visit(&app, "google", "grace").await.expect(303);
    let path = browser.account_path(&app, "x").await + "/refresh";
    let new = STANDARD.encode([2; 32]);
    let before = sealed(&app).await;
    let stores = app.stores.clone();
    app.leave().await.unwrap();

    // The new key can open tokens but does not seal them yet.
    let app = TestApp::launch(&stores, &[&platforms.arguments()[0], &format!("--token-keys={TOKEN_KEY}\n{new}")], None);
    app.until_ready().await;
    browser.send(&app, Method::POST, &path).await.expect(200);
    assert!(sealed(&app).await.iter().all(|token| token[..4] == before[0][..4]));

    // The new key seals tokens, and the existing ones are sealed again.
    let next = with_keys(&app, &platforms, &format!("{new}\n{TOKEN_KEY}")).await;
    app.leave().await.unwrap();
    eventually("every token is sealed with the new key", async || {
        when(sealed(&next).await.iter().all(|token| token[..4] != before[0][..4]))
    })
    .await;
    browser.send(&next, Method::POST, &path).await.expect(200);

    // The old key is removed.
    let last = with_keys(&next, &platforms, &new).await;
    next.leave().await.unwrap();
    browser.send(&last, Method::POST, &path).await.expect(200);
    assert_eq!(browser.account(&last, "google").await["status"], "active");
    assert_eq!(platforms.count("x", "reused_refresh_tokens").await, 0);
}

#[tokio::test]
async fn an_account_whose_token_no_key_can_open_must_be_linked_again() {
    let platforms = Platforms::start().await;
    let app = platforms.app().await;
    let user = app.user("grace").await;
    let mut browser = Browser::of(&user.token);
    browser.visit(&app, "x", "grace").await.expect(303);
    let other = with_keys(&app, &platforms, &STANDARD.encode([3; 32])).await;
    app.leave().await.unwrap();
    eventually("the account has expired", async || when(browser.account(&other, "x").await["status"] == "expired")).await;
    browser.visit(&other, "x", "grace").await.expect(303);
    assert_eq!(browser.account(&other, "x").await["status"], "active");
}
