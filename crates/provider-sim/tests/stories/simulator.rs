//! The simulator as a library: instances share no state, follow their configuration, and end when they are dropped or stopped.

use std::fs;
use std::process;

use provider_sim::{Config, Platform, Simulator};
use reqwest::Client;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::support::{AuthorizationRequest, Stage, eventually};

#[tokio::test]
async fn two_simulators_share_no_state() {
    let (one, other) = (Stage::start().await, Stage::start().await);
    assert_ne!(one.simulator.address(), other.simulator.address());
    one.turn(Platform::Google, json!({ "latency_ms": 1 })).await;
    let tokens = one.sign_in(&AuthorizationRequest::of(Platform::Google)).await;
    assert!(!other.takes(Platform::Google, &tokens.access).await);
    assert_eq!(other.get("knobs").await.json()["google"]["latency_ms"], 0);
    assert_eq!(other.counts(Platform::Google).await.tokens, 0);
    let key = async |stage: &Stage| stage.get("google/oauth/jwks").await.json();
    assert_ne!(key(&one).await, key(&other).await);
}

#[tokio::test]
async fn browsers_and_clients_may_use_different_urls() {
    let config = Config { public_url: Some("http://public.example:1234/".parse().unwrap()), ..Config::default() };
    let stage = Stage::with(config).await;
    let document = stage.get("google/.well-known/openid-configuration").await.json();
    let (public, here) = ("http://public.example:1234/google", stage.issuer(Platform::Google));
    for (field, expected) in [
        ("issuer", public.to_owned()),
        ("authorization_endpoint", format!("{public}/oauth/authorize")),
        ("token_endpoint", format!("{here}/oauth/token")),
        ("revocation_endpoint", format!("{here}/oauth/revoke")),
        ("userinfo_endpoint", format!("{here}/oauth/userinfo")),
        ("jwks_uri", format!("{here}/oauth/jwks")),
    ] {
        assert_eq!(document[field], expected, "{field}");
    }
    assert_eq!(document["authorization_response_iss_parameter_supported"], true);
    let parameters = stage.consent(&AuthorizationRequest::of(Platform::Google)).await.redirected();
    assert_eq!(parameters["iss"], public);
    let (_, claims) = stage.redeem(Platform::Google, &parameters["code"]).await.tokens().id_token();
    assert_eq!(claims["iss"], public);
}

#[test]
fn the_default_public_url_is_localhost_for_a_local_address_with_a_fixed_port() {
    let local = Some("http://localhost:4200/");
    for (address, expected) in [("127.0.0.1:4200", local), ("0.0.0.0:4200", local), ("192.0.2.1:4200", None), ("127.0.0.1:0", None)] {
        let config = Config { listen_address: address.parse().unwrap(), ..Config::default() }.for_this_machine();
        assert_eq!(config.public_url.as_ref().map(url::Url::as_str), expected, "{address}");
    }
}

#[tokio::test]
async fn the_redirect_uri_follows_from_the_callback_base() {
    let config = Config { callback_base: "https://vitrine.example/api/oauth/".parse().unwrap(), ..Config::default() };
    let stage = Stage::with(config).await;
    let request = AuthorizationRequest::of(Platform::X);
    assert_eq!(stage.get(&request.page()).await.status, 400);
    assert_eq!(stage.get(&request.set("redirect_uri", "https://vitrine.example/api/oauth/x/callback").page()).await.status, 200);
}

#[tokio::test]
async fn a_simulator_starts_with_the_knobs_of_a_file_and_refuses_an_invalid_or_missing_file() {
    let path = std::env::temp_dir().join(format!("provider-sim-knobs-{}.json", process::id()));
    let start = async |text: &str| {
        fs::write(&path, text).unwrap();
        Simulator::start(Config { knobs_file: Some(path.clone()), ..Config::default() }).await
    };
    let stage = Stage::of(start(r#"{ "google": { "token_s": 5 } }"#).await.unwrap());
    assert_eq!(stage.sign_in(&AuthorizationRequest::of(Platform::Google)).await.answer["expires_in"], 5);
    assert_eq!(stage.sign_in(&AuthorizationRequest::of(Platform::Gitlab)).await.answer["expires_in"], 3600);
    for (text, about) in
        [(r#"{ "orkut": {} }"#, "orkut"), (r#"{ "google": { "delay": 1 } }"#, "delay"), (r#"{ "x": { "lie": "nonce" } }"#, "lie")]
    {
        let message = start(text).await.err().unwrap().to_string();
        assert!(message.starts_with("KNOBS_FILE must be") && message.contains(about), "{message}");
    }
    fs::remove_file(&path).unwrap();
    assert!(Simulator::start(Config { knobs_file: Some(path), ..Config::default() }).await.is_err());
}

#[tokio::test]
async fn a_dropped_simulator_ends_even_while_a_platform_hangs() {
    let stage = Stage::start().await;
    let address = stage.simulator.address();
    stage.turn(Platform::X, json!({ "outage": "hang" })).await;
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(b"POST /x/2/tweets HTTP/1.1\r\nHost: simulator\r\nContent-Length: 0\r\n\r\n").await.unwrap();
    eventually("the request has arrived", async || stage.counts(Platform::X).await.post_requests == 1).await;
    drop(stage);
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).await;
    assert!(answer.is_empty());
    eventually("the port is closed", async || TcpStream::connect(address).await.is_err()).await;
}

#[tokio::test]
async fn a_stopped_simulator_finishes_requests_in_flight() {
    let stage = Stage::start().await;
    let address = stage.simulator.address();
    let tokens = stage.sign_in(&AuthorizationRequest::of(Platform::X)).await;
    stage.turn(Platform::X, json!({ "latency_ms": 500 })).await;
    let request = Client::new().post(stage.simulator.url("x/2/tweets")).bearer_auth(&tokens.access).json(&json!({ "text": "late" }));
    let late = tokio::spawn(request.send());
    eventually("the post is made", async || stage.counts(Platform::X).await.posts == 1).await;
    stage.simulator.stop().await;
    assert_eq!(late.await.unwrap().unwrap().status(), 201);
    assert!(TcpStream::connect(address).await.is_err());
}
