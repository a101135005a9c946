//! The edge removes a frozen replica from its pool, and limits the time that it waits for a response.

use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::json;

use crate::support::program::Program;
use crate::support::{Answer, Ask, Edge, Stores, TestApp, eventually, when};

/// Shorter than the default of 12 s, so that the test ends sooner.
const ANSWER_TIMEOUT: (&str, &str) = ("EDGE_ANSWER_TIMEOUT", "2s");
/// The health checks in the `Caddyfile` detect a frozen replica within 2 s; the rest is for a busy machine.
const LEAVES_POOL_WITHIN: Duration = Duration::from_secs(6);

/// The cookie that keeps a browser at the replica that responded.
fn cookie(answer: &Answer) -> String {
    answer.header("set-cookie").split(';').next().unwrap_or_default().to_owned()
}

#[tokio::test]
async fn a_frozen_replica_leaves_the_pool_within_seconds_and_its_requests_end() {
    let stores = Stores::new().await;
    let program = Program::serve(&stores, &[("LOG_LEVEL", "error"), ("REPLICA", "frozen")]).await;
    let others = [TestApp::on(&stores, &["--replica=other-1"]).await, TestApp::on(&stores, &["--replica=other-2"]).await];
    let addresses = [program.address, others[0].address, others[1].address];
    let Some(edge) = Edge::with(&addresses, &[ANSWER_TIMEOUT]).await else { return };
    let cookie = eventually("the edge chooses the replica that will freeze", async || {
        let answer = edge.get("/version").answer().await;
        when(answer.header("x-served-by") == "frozen")?;
        Some(cookie(&answer))
    })
    .await;

    program.signal("STOP");
    let frozen_at = Instant::now();
    let login = json!({ "email": "nobody@example.org", "password": "wrong password" });
    let request = edge.request(Method::POST, "/api/auth/login").header("cookie", &cookie).json(&login);
    let response = tokio::spawn(async move { request.answer().await });
    eventually("another replica serves the frozen replica's clients", async || {
        let answer = edge.get("/version").header("cookie", &cookie).timeout(Duration::from_millis(300)).try_answer().await.ok()?;
        when(answer.status == 200 && answer.header("x-served-by") != "frozen")
    })
    .await;
    let taken = frozen_at.elapsed();
    // The replica may already have executed the request, so the edge does not send it to another one.
    let answer = response.await.unwrap().expect(504);
    program.signal("CONT");
    assert_eq!(answer.json()["code"], "gateway_timeout");
    assert_eq!((answer.header("retry-after"), answer.header("set-cookie")), ("5", ""));
    assert!(taken < LEAVES_POOL_WITHIN, "{taken:?}");
    eventually("the edge chooses the same replica again", async || {
        when(edge.get("/version").answer().await.header("x-served-by") == "frozen")
    })
    .await;
}

#[tokio::test]
async fn a_long_poll_gets_its_response_before_the_edge_times_out() {
    let app = TestApp::start().await;
    let ada = app.user("ada").await;
    let Some(edge) = Edge::before(&[app.address]).await else { return };
    let opened = edge.get("/socket.io/?EIO=4&transport=polling").answer().await.expect(200);
    let handshake: serde_json::Value = serde_json::from_str(opened.text().trim_start_matches('0')).unwrap();
    let session = format!("/socket.io/?EIO=4&transport=polling&sid={}", handshake["sid"].as_str().unwrap());
    let connect = json!({ "token": ada.token });
    edge.request(Method::POST, &session).body(format!("40{connect}")).answer().await.expect(200);
    // The first ping arrives immediately; the second ends a poll that had no other message.
    for _ in 0..2 {
        while !edge.get(&session).answer().await.expect(200).text().split('\u{1e}').any(|packet| packet == "2") {}
        edge.request(Method::POST, &session).body("3").answer().await.expect(200);
    }
}
