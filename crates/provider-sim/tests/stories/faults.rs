//! Outages, errors, delays and rate limits. Each fault affects only the requests for which it is meant.

use std::time::Duration;

use provider_sim::Platform;
use reqwest::{Client, Method};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::support::{Answer, AuthorizationRequest, Stage, eventually};

/// Sends a request over raw TCP, so that the test sees every byte of the response.
async fn request_by_hand(stage: &Stage, path: &str) -> TcpStream {
    let mut stream = TcpStream::connect(stage.simulator.address()).await.unwrap();
    let request = format!("POST {path} HTTP/1.1\r\nHost: simulator\r\nContent-Length: 0\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    stream
}

/// Asserts that the simulator itself and another platform work normally.
async fn assert_others_do_well(stage: &Stage) {
    assert_eq!(stage.get("health").await.json(), json!({ "status": "ok" }));
    assert_eq!(stage.get("mastodon/posts").await.status, 200);
    assert!(!stage.sign_in(&AuthorizationRequest::of(Platform::X)).await.access.is_empty());
}

#[tokio::test]
async fn a_platform_that_refuses_closes_the_connection_without_an_answer() {
    let stage = Stage::start().await;
    stage.turn(Platform::Mastodon, json!({ "outage": "refuse" })).await;
    for path in ["/mastodon/api/v1/statuses", "/mastodon/oauth/token", "/mastodon/oauth/authorize"] {
        let mut stream = request_by_hand(&stage, path).await;
        let mut answer = Vec::new();
        // Ignore errors: unread data makes the connection end with a reset. With or without a reset, there must be no response.
        let _ = stream.read_to_end(&mut answer).await;
        assert!(answer.is_empty(), "{}", String::from_utf8_lossy(&answer));
    }
    assert_others_do_well(&stage).await;
    assert_eq!(stage.counts(Platform::Mastodon).await.post_requests, 1);
}

#[tokio::test]
async fn a_hanging_platform_keeps_the_connection_without_a_response() {
    let stage = Stage::start().await;
    stage.turn(Platform::Mastodon, json!({ "outage": "hang" })).await;
    let mut stream = request_by_hand(&stage, "/mastodon/api/v1/statuses").await;
    eventually("the request has arrived", async || stage.counts(Platform::Mastodon).await.post_requests == 1).await;
    let silence = tokio::time::timeout(Duration::from_millis(200), stream.read_u8()).await;
    assert!(silence.is_err(), "{silence:?}");
    assert_others_do_well(&stage).await;
}

#[tokio::test]
async fn a_platform_with_the_outage_error_answers_503_and_does_nothing() {
    let stage = Stage::start().await;
    let tokens = stage.sign_in(&AuthorizationRequest::of(Platform::Mastodon)).await;
    stage.turn(Platform::Mastodon, json!({ "outage": "error" })).await;
    let status = stage.request(Method::POST, "mastodon/api/v1/statuses").bearer_auth(&tokens.access).json(&json!({ "status": "no" }));
    for answer in [
        Answer::of(status).await,
        stage.get(&AuthorizationRequest::of(Platform::Mastodon).page()).await,
        stage.consent(&AuthorizationRequest::of(Platform::Mastodon)).await,
        stage.refresh(Platform::Mastodon, &tokens.refresh).await,
        stage.revoke(Platform::Mastodon, &tokens.access).await,
    ] {
        assert_eq!(answer.status, 503);
        assert!(answer.json()["error"].is_string());
    }
    assert_others_do_well(&stage).await;
    stage.turn(Platform::Mastodon, json!({})).await;
    assert!(stage.takes(Platform::Mastodon, &tokens.access).await, "the token must not be revoked");
    let counts = stage.counts(Platform::Mastodon).await;
    assert_eq!((counts.posts, counts.post_requests, counts.authorizations, counts.refreshes, counts.revocations), (0, 1, 1, 0, 0));
}

#[tokio::test]
async fn calls_that_fail_have_no_effect_and_pages_do_not_fail() {
    let stage = Stage::start().await;
    let tokens = stage.sign_in(&AuthorizationRequest::of(Platform::X)).await;
    stage.turn(Platform::X, json!({ "error_rate": 1.0 })).await;
    let tweet = stage.request(Method::POST, "x/2/tweets").bearer_auth(&tokens.access).json(&json!({ "text": "no" }));
    let answer = Answer::of(tweet).await;
    assert_eq!((answer.status, &answer.json()["status"]), (500, &json!(500)));
    assert_eq!(stage.refresh(Platform::X, &tokens.refresh).await.status, 500);
    let code = stage.code(&AuthorizationRequest::of(Platform::X)).await;
    assert_eq!(stage.redeem(Platform::X, &code).await.status, 500);

    stage.turn(Platform::X, json!({})).await;
    assert_eq!(stage.redeem(Platform::X, &code).await.status, 200, "the code must not be used up");
    assert_eq!(stage.refresh(Platform::X, &tokens.refresh).await.status, 200, "the refresh token must not be used up");
    let counts = stage.counts(Platform::X).await;
    assert_eq!((counts.posts, counts.post_requests, counts.tokens, counts.refreshes), (0, 1, 2, 1));
}

#[tokio::test]
async fn a_share_of_the_calls_fails() {
    let stage = Stage::start().await;
    stage.turn(Platform::Google, json!({ "error_rate": 0.5 })).await;
    let mut failed = 0;
    for _ in 0..200 {
        match stage.get("google/oauth/jwks").await.status {
            200 => {}
            500 => failed += 1,
            other => panic!("returned {other}"),
        }
    }
    assert!((50..=150).contains(&failed), "{failed} of 200 failed: the chance of that is below 1 in 10^12");
}

#[tokio::test]
async fn a_delayed_call_takes_effect_before_the_delay() {
    let stage = Stage::start().await;
    let tokens = stage.sign_in(&AuthorizationRequest::of(Platform::Mastodon)).await;
    stage.turn(Platform::Mastodon, json!({ "latency_ms": 600_000 })).await;
    let post = |http: &Client| {
        let request = http.post(stage.simulator.url("mastodon/api/v1/statuses")).bearer_auth(&tokens.access);
        request.header("Idempotency-Key", "key").json(&json!({ "status": "late" })).send()
    };
    let late = tokio::spawn(post(&Client::new()));
    eventually("the post is made", async || stage.counts(Platform::Mastodon).await.posts == 1).await;
    assert!(!late.is_finished());
    assert_eq!(stage.get(&AuthorizationRequest::of(Platform::Mastodon).page()).await.status, 200, "pages are never delayed");
    late.abort();

    stage.turn(Platform::Mastodon, json!({})).await;
    assert_eq!(post(&Client::new()).await.unwrap().status(), 200);
    let counts = stage.counts(Platform::Mastodon).await;
    assert_eq!((counts.posts, counts.repeated_posts), (1, 1));
}

#[tokio::test]
async fn an_account_over_its_rate_limit_receives_the_time_to_retry() {
    let stage = Stage::start().await;
    let (ada, grace) = (
        stage.sign_in(&AuthorizationRequest::of(Platform::X)).await,
        stage.sign_in(&AuthorizationRequest::of(Platform::X).set("account", "grace")).await,
    );
    stage.turn(Platform::X, json!({ "rate_limit": { "requests": 3, "per_s": 3600 } })).await;
    let me = async |token: &str| stage.read("x/2/users/me", token).await;
    for _ in 0..3 {
        assert_eq!(me(&ada.access).await.status, 200);
    }
    let fresh = stage.refresh(Platform::X, &ada.refresh).await.tokens();
    for token in [&ada.access, &fresh.access] {
        let answer = me(token).await;
        assert_eq!(answer.status, 429, "the limit applies to the account, not to the token");
        let seconds: u64 = answer.header("retry-after").parse().unwrap();
        assert!((3000..=3600).contains(&seconds), "{seconds}");
    }
    assert_eq!(me(&grace.access).await.status, 200);
    assert_eq!(stage.counts(Platform::X).await.rate_limited, 2);
}

#[tokio::test]
async fn a_rate_limit_of_zero_refuses_every_api_call() {
    let stage = Stage::start().await;
    let tokens = stage.sign_in(&AuthorizationRequest::of(Platform::Linkedin)).await;
    stage.turn(Platform::Linkedin, json!({ "rate_limit": { "requests": 0, "per_s": 7 } })).await;
    for path in ["linkedin/rest/memberFollowersCount?q=me", "linkedin/oauth/userinfo"] {
        let answer = stage.read(path, &tokens.access).await;
        assert_eq!((answer.status, answer.header("retry-after")), (429, "7"));
        assert_eq!(answer.json()["status"], 429);
    }
    assert_eq!(stage.refresh(Platform::Linkedin, &tokens.refresh).await.status, 200, "the token endpoint does not belong to the API");
    stage.turn(Platform::Linkedin, json!({})).await;
    assert!(stage.takes(Platform::Linkedin, &tokens.access).await);
}
