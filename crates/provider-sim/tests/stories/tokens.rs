//! Codes, access tokens and refresh tokens: their validity, and the consequences of their misuse.

use provider_sim::Platform;
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{Answer, AuthorizationRequest, Stage, VERIFIER, redirect_uri};

#[tokio::test]
async fn a_login_on_every_platform_returns_valid_tokens() {
    let stage = Stage::start().await;
    for platform in Platform::ALL {
        let code = stage.code(&AuthorizationRequest::of(platform)).await;
        let answer = stage.redeem(platform, &code).await;
        assert_eq!((answer.header("cache-control"), answer.header("pragma")), ("no-store", "no-cache"));
        let tokens = answer.tokens();
        assert_eq!((&tokens.answer["token_type"], &tokens.answer["expires_in"]), (&json!("Bearer"), &json!(3600)));
        assert_eq!(tokens.answer.get("id_token").is_some(), platform.is_oidc(), "{}", platform.name());
        assert!(stage.takes(platform, &tokens.access).await);
        assert_eq!(stage.counts(platform).await.tokens, 1);
    }
}

#[tokio::test]
async fn an_identity_follows_from_platform_and_account_only() {
    let (one, other) = (Stage::start().await, Stage::start().await);
    let subject = async |stage: &Stage, platform, account| {
        let tokens = stage.sign_in(&AuthorizationRequest::of(platform).set("account", account)).await;
        stage.read(&format!("{}/oauth/userinfo", Platform::name(platform)), &tokens.access).await.json()["sub"].clone()
    };
    let ada = subject(&one, Platform::Google, "ada").await;
    assert_eq!(ada, subject(&one, Platform::Google, "ada").await);
    assert_eq!(ada, subject(&other, Platform::Google, "ada").await);
    assert_ne!(ada, subject(&one, Platform::Google, "grace").await);
    assert_ne!(ada, subject(&one, Platform::Gitlab, "ada").await);
}

#[tokio::test]
async fn each_api_returns_account_data_in_its_own_format() {
    let stage = Stage::start().await;
    let github = stage.sign_in(&AuthorizationRequest::of(Platform::Github).set("email", "ada@lovelace.example")).await;
    let user = stage.read("github/user", &github.access).await.json();
    assert!(user["id"].is_u64());
    assert_eq!((&user["login"], &user["name"], &user["email"]), (&json!("ada"), &json!("Ada"), &Value::Null));
    let emails = stage.read("github/user/emails", &github.access).await.json();
    assert_eq!(emails, json!([{ "email": "ada@lovelace.example", "primary": true, "verified": true, "visibility": "private" }]));

    let mastodon = stage.sign_in(&AuthorizationRequest::of(Platform::Mastodon)).await;
    let account = stage.read("mastodon/api/v1/accounts/verify_credentials", &mastodon.access).await.json();
    assert_eq!((&account["username"], &account["acct"], &account["display_name"]), (&json!("ada"), &json!("ada"), &json!("Ada")));
    assert!(account["id"].is_string());
    for figure in ["followers_count", "following_count", "statuses_count"] {
        assert!(account[figure].is_u64(), "{figure}");
    }

    let x = stage.sign_in(&AuthorizationRequest::of(Platform::X)).await;
    let plain = stage.read("x/2/users/me", &x.access).await.json();
    assert_eq!(plain["data"].as_object().unwrap().keys().collect::<Vec<_>>(), ["id", "name", "username"]);
    let metrics = stage.read("x/2/users/me?user.fields=public_metrics", &x.access).await.json()["data"]["public_metrics"].clone();
    for figure in ["followers_count", "following_count", "tweet_count", "listed_count"] {
        assert!(metrics[figure].is_u64(), "{figure}");
    }

    let linkedin = stage.sign_in(&AuthorizationRequest::of(Platform::Linkedin)).await;
    let followers = stage.read("linkedin/rest/memberFollowersCount?q=me", &linkedin.access).await.json();
    assert!(followers["elements"][0]["memberFollowersCount"].is_u64());
}

#[tokio::test]
async fn a_wrong_verifier_is_refused_and_uses_the_code_up() {
    let stage = Stage::start().await;
    let code = stage.code(&AuthorizationRequest::of(Platform::X)).await;
    let redirect_uri = redirect_uri(Platform::X);
    let attempt = async |verifier: &str| {
        let fields = [("grant_type", "authorization_code"), ("code", &*code), ("redirect_uri", &redirect_uri), ("code_verifier", verifier)];
        stage.token(Platform::X, &fields).await
    };
    attempt("").await.is_refusal(400, "invalid_request");
    attempt("short").await.is_refusal(400, "invalid_request");
    attempt(&"v".repeat(129)).await.is_refusal(400, "invalid_request");
    attempt(&"v".repeat(43)).await.is_refusal(400, "invalid_grant");
    attempt(VERIFIER).await.is_refusal(400, "invalid_grant");
    assert_eq!(stage.counts(Platform::X).await.tokens, 0);
}

#[tokio::test]
async fn a_reused_code_revokes_its_tokens() {
    let stage = Stage::start().await;
    let code = stage.code(&AuthorizationRequest::of(Platform::Google)).await;
    let tokens = stage.redeem(Platform::Google, &code).await.tokens();
    let fresh = stage.refresh(Platform::Google, &tokens.refresh).await.tokens();
    assert!(stage.takes(Platform::Google, &fresh.access).await);

    stage.redeem(Platform::Google, &code).await.is_refusal(400, "invalid_grant");
    assert!(!stage.takes(Platform::Google, &tokens.access).await);
    assert!(!stage.takes(Platform::Google, &fresh.access).await);
    stage.refresh(Platform::Google, &fresh.refresh).await.is_refusal(400, "invalid_grant");
    let counts = stage.counts(Platform::Google).await;
    assert_eq!((counts.tokens, counts.refreshes, counts.reused_refresh_tokens), (1, 1, 0));
}

#[tokio::test]
async fn a_code_is_valid_only_at_its_platform_and_with_its_redirect_uri() {
    let stage = Stage::start().await;
    let code = stage.code(&AuthorizationRequest::of(Platform::Github)).await;
    stage.redeem(Platform::Gitlab, &code).await.is_refusal(400, "invalid_grant");
    let elsewhere = [
        ("grant_type", "authorization_code"),
        ("code", &*code),
        ("redirect_uri", "http://localhost:8080/api/oauth/gitlab/callback"),
        ("code_verifier", VERIFIER),
    ];
    stage.token(Platform::Github, &elsewhere).await.is_refusal(400, "invalid_grant");
}

#[tokio::test]
async fn a_refresh_returns_new_tokens_and_an_id_token_without_a_nonce() {
    let stage = Stage::start().await;
    let first = stage.sign_in(&AuthorizationRequest::of(Platform::Google)).await;
    let second = stage.refresh(Platform::Google, &first.refresh).await.tokens();
    assert_ne!((&first.access, &first.refresh), (&second.access, &second.refresh));
    assert!(stage.takes(Platform::Google, &first.access).await, "the old access token stays valid until it expires");
    let ((_, before), (_, after)) = (first.id_token(), second.id_token());
    assert_eq!((before.get("nonce"), after.get("nonce")), (Some(&json!("the-nonce")), None));
    assert_eq!((&before["sub"], &before["iss"], &before["aud"]), (&after["sub"], &after["iss"], &after["aud"]));
    assert_eq!(stage.counts(Platform::Google).await.refreshes, 1);
}

#[tokio::test]
async fn a_reused_refresh_token_revokes_only_its_family() {
    let stage = Stage::start().await;
    let other = stage.sign_in(&AuthorizationRequest::of(Platform::Mastodon)).await;
    let first = stage.sign_in(&AuthorizationRequest::of(Platform::Mastodon)).await;
    let second = stage.refresh(Platform::Mastodon, &first.refresh).await.tokens();
    stage.refresh(Platform::Mastodon, &first.refresh).await.is_refusal(400, "invalid_grant");

    for token in [&first.access, &second.access] {
        assert!(!stage.takes(Platform::Mastodon, token).await);
    }
    stage.refresh(Platform::Mastodon, &second.refresh).await.is_refusal(400, "invalid_grant");
    assert!(stage.takes(Platform::Mastodon, &other.access).await);
    let counts = stage.counts(Platform::Mastodon).await;
    assert_eq!((counts.refreshes, counts.reused_refresh_tokens, counts.refused), (1, 1, 2));
}

#[tokio::test]
async fn a_refresh_may_request_fewer_scopes_and_never_more() {
    let stage = Stage::start().await;
    let request = AuthorizationRequest::of(Platform::X).set("scope", "users.read tweet.write");
    let mut tokens = stage.sign_in(&request).await;
    let refresh = async |token: &str, scope: &str| {
        stage.token(Platform::X, &[("grant_type", "refresh_token"), ("refresh_token", token), ("scope", scope)]).await
    };
    refresh(&tokens.refresh, "users.read tweet.read").await.is_refusal(400, "invalid_scope");
    refresh(&tokens.refresh, "everything").await.is_refusal(400, "invalid_scope");
    tokens = refresh(&tokens.refresh, "tweet.write").await.tokens();
    assert_eq!(tokens.answer["scope"], "tweet.write");
    assert_eq!(stage.read("x/2/users/me", &tokens.access).await.status, 403);
}

#[tokio::test]
async fn a_revoked_token_is_refused_and_a_revoked_refresh_token_ends_its_family() {
    let stage = Stage::start().await;
    let tokens = stage.sign_in(&AuthorizationRequest::of(Platform::Gitlab)).await;
    assert_eq!(stage.revoke(Platform::Gitlab, &tokens.access).await.status, 200);
    assert!(!stage.takes(Platform::Gitlab, &tokens.access).await);

    let fresh = stage.refresh(Platform::Gitlab, &tokens.refresh).await.tokens();
    assert_eq!(stage.revoke(Platform::Gitlab, &fresh.refresh).await.status, 200);
    assert!(!stage.takes(Platform::Gitlab, &fresh.access).await, "revoking a refresh token ends its family");
    stage.refresh(Platform::Gitlab, &fresh.refresh).await.is_refusal(400, "invalid_grant");

    assert_eq!(stage.revoke(Platform::Gitlab, "nobody's").await.status, 200, "revoking an unknown token succeeds");
    assert_eq!(stage.counts(Platform::Gitlab).await.revocations, 2);
}

#[tokio::test]
async fn an_access_token_expires_after_the_configured_lifetime() {
    let stage = Stage::start().await;
    stage.turn(Platform::Google, json!({ "token_s": 0 })).await;
    let tokens = stage.sign_in(&AuthorizationRequest::of(Platform::Google)).await;
    assert_eq!(tokens.answer["expires_in"], 0);
    let answer = stage.read("google/oauth/userinfo", &tokens.access).await;
    assert_eq!(answer.status, 401);
    assert!(answer.header("www-authenticate").contains(r#"error="invalid_token""#));
    stage.turn(Platform::Google, json!({ "token_s": 60 })).await;
    let fresh = stage.refresh(Platform::Google, &tokens.refresh).await.tokens();
    assert_eq!(fresh.answer["expires_in"], 60);
    assert!(stage.takes(Platform::Google, &fresh.access).await);
}

#[tokio::test]
async fn only_a_client_that_authenticates_by_one_method_gets_tokens() {
    let stage = Stage::start().await;
    let code = stage.code(&AuthorizationRequest::of(Platform::Github)).await;
    let redirect_uri = redirect_uri(Platform::Github);
    let form = [("grant_type", "authorization_code"), ("code", &*code), ("redirect_uri", &redirect_uri), ("code_verifier", VERIFIER)];
    let with = |more: &[(&'static str, &'static str)]| [&form, more].concat();
    let basic = |name: &str, secret: &str| stage.request(Method::POST, "github/oauth/token").basic_auth(name, Some(secret));

    for answer in [
        stage.form("github/oauth/token", &form).await,
        stage.form("github/oauth/token", &with(&[("client_id", "vitrine")])).await,
        stage.form("github/oauth/token", &with(&[("client_id", "vitrine"), ("client_secret", "guessed")])).await,
        stage.form("github/oauth/token", &with(&[("client_id", "somebody"), ("client_secret", "simulated")])).await,
        Answer::of(basic("vitrine", "guessed").form(&form)).await,
        Answer::of(stage.request(Method::POST, "github/oauth/token").bearer_auth("simulated").form(&form)).await,
        stage.form("github/oauth/revoke", &[("token", "a-token")]).await,
    ] {
        answer.is_refusal(401, "invalid_client");
        assert!(answer.header("www-authenticate").starts_with("Basic "));
    }
    let twice = with(&[("client_id", "vitrine"), ("client_secret", "simulated")]);
    Answer::of(basic("vitrine", "simulated").form(&twice)).await.is_refusal(400, "invalid_request");
    assert_eq!(stage.form("github/oauth/token", &twice).await.status, 200, "none of the failed attempts used the code up");
    assert_eq!(stage.counts(Platform::Github).await.refused, 7);
}

#[tokio::test]
async fn an_invalid_request_for_tokens_is_refused() {
    let stage = Stage::start().await;
    let token = async |fields: &[(&str, &str)]| stage.token(Platform::X, fields).await;
    token(&[]).await.is_refusal(400, "invalid_request");
    token(&[("grant_type", "password")]).await.is_refusal(400, "unsupported_grant_type");
    token(&[("grant_type", "authorization_code")]).await.is_refusal(400, "invalid_request");
    token(&[("grant_type", "refresh_token")]).await.is_refusal(400, "invalid_request");
    token(&[("grant_type", "refresh_token"), ("refresh_token", "made-up")]).await.is_refusal(400, "invalid_grant");
    token(&[("grant_type", "refresh_token"), ("grant_type", "refresh_token")]).await.is_refusal(400, "invalid_request");
    let json = stage.request(Method::POST, "x/oauth/token").basic_auth("vitrine", Some("simulated")).json(&json!({}));
    Answer::of(json).await.is_refusal(400, "invalid_request");
    assert_eq!(stage.get("x/oauth/token").await.status, 405);
}

#[tokio::test]
async fn userinfo_returns_the_claims_that_the_scopes_allow() {
    let stage = Stage::start().await;
    let keys = async |scope: &str| {
        let tokens = stage.sign_in(&AuthorizationRequest::of(Platform::Google).set("scope", scope)).await;
        let answer = stage.read("google/oauth/userinfo", &tokens.access).await;
        answer.json().as_object().unwrap().keys().cloned().collect::<Vec<_>>()
    };
    assert_eq!(keys("openid").await, ["sub"]);
    assert_eq!(keys("openid email").await, ["email", "email_verified", "sub"]);
    assert_eq!(keys("openid profile").await, ["name", "preferred_username", "sub"]);

    let tokens = stage.sign_in(&AuthorizationRequest::of(Platform::Google).set("scope", "email")).await;
    assert_eq!(tokens.answer.get("id_token"), None, "without the scope openid there is no ID token");
    let answer = stage.read("google/oauth/userinfo", &tokens.access).await;
    assert_eq!(answer.status, 403);
    assert!(answer.header("www-authenticate").contains(r#"error="insufficient_scope", scope="openid""#));
}
