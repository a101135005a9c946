//! The simulator's own routes: valid and invalid knobs, and counts.

use provider_sim::{Knobs, Lie, Outage, Platform, RateLimit};
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{Answer, AuthorizationRequest, Stage};

impl Stage {
    async fn knobs(&self) -> Value {
        self.get("knobs").await.json()
    }

    async fn put(&self, name: &str, body: &str) -> Answer {
        let request = self.request(Method::PUT, &format!("knobs/{name}"));
        Answer::of(request.header("content-type", "application/json").body(body.to_owned())).await
    }
}

fn none() -> Value {
    json!({ "latency_ms": 0, "error_rate": 0.0, "rate_limit": null, "outage": null, "token_s": 3600, "lie": null })
}

#[tokio::test]
async fn knobs_are_set_for_one_platform_and_reset_for_all() {
    let stage = Stage::start().await;
    for platform in Platform::ALL {
        assert_eq!(stage.knobs().await[platform.name()], none());
    }
    let knobs = Knobs {
        latency_ms: 5,
        error_rate: 0.25,
        rate_limit: Some(RateLimit { requests: 2, per_s: 3 }),
        outage: Some(Outage::Hang),
        token_s: 60,
        lie: Some(Lie::NoNonce),
    };
    stage.turn(Platform::Google, serde_json::to_value(&knobs).unwrap()).await;
    let turned = stage.knobs().await;
    assert_eq!(serde_json::from_value::<Knobs>(turned["google"].clone()).unwrap(), knobs);
    assert_eq!(turned["gitlab"], none());

    stage.turn(Platform::Google, json!({ "latency_ms": 1 })).await;
    let mut expected = none();
    expected["latency_ms"] = json!(1);
    assert_eq!(stage.knobs().await["google"], expected, "omitted knobs have their default values");

    assert_eq!(Answer::of(stage.request(Method::DELETE, "knobs")).await.status, 204);
    assert_eq!(stage.knobs().await["google"], none());
}

#[tokio::test]
async fn invalid_knobs_are_refused_and_change_nothing() {
    let stage = Stage::start().await;
    let refused = [
        ("google", r#"{"latency": 5}"#, 422, "latency"),
        ("google", r#"{"rate_limit": {"requests": 1, "per_s": 1, "per_m": 1}}"#, 422, "per_m"),
        ("google", r#"{"rate_limit": {"requests": 1, "per_s": 0}}"#, 422, "rate_limit.per_s"),
        ("google", r#"{"rate_limit": {"requests": 1}}"#, 422, "per_s"),
        ("google", r#"{"latency_ms": -1}"#, 422, "latency_ms"),
        ("google", r#"{"latency_ms": 600001}"#, 422, "latency_ms"),
        ("google", r#"{"error_rate": 1.5}"#, 422, "error_rate"),
        ("google", r#"{"error_rate": -0.1}"#, 422, "error_rate"),
        ("google", r#"{"token_s": 99999999999}"#, 422, "token_s"),
        ("google", r#"{"outage": "sometimes"}"#, 422, "outage"),
        ("google", r#"{"lie": "white"}"#, 422, "lie"),
        ("github", r#"{"lie": "audience"}"#, 422, "lie"),
        ("mastodon", r#"{"lie": "no_email"}"#, 422, "lie"),
        ("google", "{", 400, "JSON"),
        ("google", "[]", 422, ""),
        ("google", "[5]", 422, ""),
        ("orkut", "{}", 404, "platform"),
    ];
    for (name, body, status, about) in refused {
        let answer = stage.put(name, body).await;
        assert_eq!(answer.status, status, "{body}: {}", answer.text);
        assert!(answer.json()["error"].as_str().unwrap().contains(about), "{body}: {}", answer.text);
    }
    let unlabelled = stage.request(Method::PUT, "knobs/google").body("{}");
    assert_eq!(Answer::of(unlabelled).await.status, 415);
    for platform in Platform::ALL {
        assert_eq!(stage.knobs().await[platform.name()], none());
    }
}

#[tokio::test]
async fn events_are_counted_by_kind_and_platform() {
    let stage = Stage::start().await;
    let zero = stage.get("counts").await.json()["mastodon"].clone();
    let tokens = stage.sign_in(&AuthorizationRequest::of(Platform::Mastodon)).await;
    stage.consent(&AuthorizationRequest::of(Platform::Mastodon).set("decision", "deny")).await;
    let fresh = stage.refresh(Platform::Mastodon, &tokens.refresh).await.tokens();
    let post = async |text: &str, key: &str| {
        let request = stage.request(Method::POST, "mastodon/api/v1/statuses").bearer_auth(&fresh.access).header("Idempotency-Key", key);
        Answer::of(request.json(&json!({ "status": text }))).await.status
    };
    assert_eq!((post("one", "1").await, post("one", "1").await, post("two", "2").await, post("", "3").await), (200, 200, 200, 422));
    stage.turn(Platform::Mastodon, json!({ "rate_limit": { "requests": 0, "per_s": 1 } })).await;
    assert_eq!(post("three", "3").await, 429);
    stage.refresh(Platform::Mastodon, &tokens.refresh).await.is_refusal(400, "invalid_grant");
    assert_eq!(post("three", "3").await, 401);
    let again = stage.sign_in(&AuthorizationRequest::of(Platform::Mastodon)).await;
    stage.revoke(Platform::Mastodon, &again.refresh).await;

    let counts = stage.get("counts").await.json();
    let expected = json!({
        "authorizations": 2, "denials": 1, "tokens": 2, "refreshes": 1, "revocations": 1, "reused_refresh_tokens": 1, "posts": 2,
        "post_requests": 6, "repeated_posts": 1, "refused": 1, "rate_limited": 1,
    });
    assert_eq!(counts["mastodon"], expected);
    for platform in Platform::ALL.into_iter().filter(|platform| *platform != Platform::Mastodon) {
        assert_eq!(counts[platform.name()], zero, "{}", platform.name());
    }
}
