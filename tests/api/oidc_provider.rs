//! Login through a real OIDC provider, and the provider's own behaviour that the tests rely on.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use reqwest::Method;
use serde_json::Value;
use sha2::{Digest, Sha256};
use url::Url;

use crate::support::oidc_provider::OidcProvider;
use crate::support::{Answer, Ask, Browser, Platforms, eventually, when};

const CALLBACK: &str = "http://localhost:8080/api/oauth/google/callback";
const VERIFIER: &str = "a-verifier-of-more-than-forty-three-characters";

/// The URL of an authorization request.
fn authorization(provider: &OidcProvider, endpoint: &Value, with_challenge: bool) -> String {
    let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(VERIFIER));
    let mut url = Url::parse(endpoint.as_str().unwrap()).unwrap();
    url.query_pairs_mut()
        .append_pair("client_id", &provider.client_id)
        .append_pair("redirect_uri", CALLBACK)
        .append_pair("response_type", "code")
        .append_pair("scope", "openid email profile")
        .append_pair("state", "some-state")
        .append_pair("nonce", "some-nonce");
    if with_challenge {
        url.query_pairs_mut().append_pair("code_challenge", &challenge).append_pair("code_challenge_method", "S256");
    }
    url.into()
}

fn parameter(url: &Url, name: &str) -> Option<String> {
    url.query_pairs().find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
}

fn client() -> reqwest::Client {
    reqwest::Client::builder().no_proxy().build().unwrap()
}

async fn discovery(provider: &OidcProvider) -> Value {
    client().get(format!("{}/.well-known/openid-configuration", provider.issuer)).answer().await.expect(200).json()
}

/// Posts a form to an endpoint, authenticated as the client.
async fn post(provider: &OidcProvider, endpoint: &Value, fields: &[(&str, &str)]) -> Answer {
    let form = url::form_urlencoded::Serializer::new(String::new())
        .extend_pairs(fields)
        .append_pair("client_id", &provider.client_id)
        .append_pair("client_secret", &provider.client_secret)
        .finish();
    client().post(endpoint.as_str().unwrap()).header("content-type", "application/x-www-form-urlencoded").body(form).answer().await
}

fn claims(id_token: &Value) -> Value {
    let payload = id_token.as_str().unwrap().split('.').nth(1).unwrap();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).unwrap()).unwrap()
}

#[tokio::test]
async fn a_user_signs_in_through_a_real_provider_and_refreshes_and_unlinks_the_account() {
    let Some(provider) = OidcProvider::start(CALLBACK).await else { return };
    let platforms = Platforms::start().await;
    platforms.rewrite(|text| {
        let (before, google) = text.split_once("[google]").unwrap();
        let (_, after) = google.split_once("\n[").unwrap();
        format!("{before}[google]\n{}\n[{after}", provider.settings())
    });
    let app = platforms.app().await;
    let mut browser = Browser::new();
    let location = browser.start(&app, "google").await;
    let back = provider.login(&location).await;
    browser.get(&app, &back[url::Position::BeforePath..]).await.expect(303);
    assert_eq!(browser.me(&app).await.expect(200).json()["email"], "ada@example.com");

    let account = browser.account(&app, "google").await;
    assert_eq!((&account["subject"], &account["handle"], &account["status"]), (&"ada".into(), &"ada".into(), &"active".into()));
    let id = account["id"].as_str().unwrap();
    // The provider invalidates a refresh token after its use. The second refresh therefore needs the token that the first one returned.
    for _ in 0..2 {
        browser.send(&app, Method::POST, &format!("/api/accounts/{id}/refresh")).await.expect(200);
    }
    // An account can be unlinked only if the user can still sign in without it.
    browser.visit(&app, "github", "ada").await.expect(303);
    browser.send(&app, Method::DELETE, &format!("/api/accounts/{id}")).await.expect(204);
    eventually("the provider has received the revocation", async || {
        let labels = [("platform", "google"), ("operation", "revoke"), ("status", "success")];
        when(app.scrape().await.get("oauth_operations_total", &labels) == 1.0)
    })
    .await;
}

#[tokio::test]
async fn the_real_provider_signs_in_a_user_rotates_refresh_tokens_and_revokes_them() {
    let Some(provider) = OidcProvider::start(CALLBACK).await else { return };
    let discovered = discovery(&provider).await;
    assert_eq!(discovered["issuer"], provider.issuer);

    let back = provider.login(&authorization(&provider, &discovered["authorization_endpoint"], true)).await;
    assert!(back.as_str().starts_with(CALLBACK), "{back}");
    assert_eq!(parameter(&back, "state").as_deref(), Some("some-state"));
    assert_eq!(parameter(&back, "iss").as_ref(), Some(&provider.issuer));
    let code = parameter(&back, "code").expect("no code");

    let token = &discovered["token_endpoint"];
    let exchange = [("grant_type", "authorization_code"), ("code", &code), ("redirect_uri", CALLBACK), ("code_verifier", VERIFIER)];
    let tokens = post(&provider, token, &exchange).await.expect(200).json();
    let claims = claims(&tokens["id_token"]);
    assert_eq!(
        (&claims["nonce"], &claims["email"], &claims["email_verified"]),
        (&"some-nonce".into(), &"ada@example.com".into(), &true.into())
    );

    let refresh = async |with: &Value| {
        post(&provider, token, &[("grant_type", "refresh_token"), ("refresh_token", with.as_str().expect("no refresh token"))]).await
    };
    let first = &tokens["refresh_token"];
    let second = &refresh(first).await.expect(200).json()["refresh_token"];
    assert_ne!(first, second);
    post(&provider, &discovered["revocation_endpoint"], &[("token", second.as_str().unwrap())]).await.expect(200);
    assert_eq!(refresh(second).await.expect(400).json()["error"], "invalid_grant");
}

#[tokio::test]
async fn the_real_provider_issues_no_code_without_a_challenge() {
    let Some(provider) = OidcProvider::start(CALLBACK).await else { return };
    let discovered = discovery(&provider).await;
    let back = provider.login(&authorization(&provider, &discovered["authorization_endpoint"], false)).await;
    assert_eq!((parameter(&back, "error").as_deref(), parameter(&back, "code")), (Some("invalid_request"), None), "{back}");
}
