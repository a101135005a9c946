//! The line of a slow request: written whatever the sample is, also if the client did not wait, and never for a long poll.

use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::json;
use uuid::Uuid;

use crate::support::collector::Collector;
use crate::support::observed::Observed;
use crate::support::{Ask, eventually, when};

/// The route of a handler that waits.
const ROUTE: &str = "/api/extensions";
const POLLING: &str = "/socket.io/?EIO=4&transport=polling";

/// Delays the handler of [`ROUTE`], and returns the trace of the first slow request.
async fn slow_down(replica: &Observed, delay: Duration) -> String {
    let millis = u64::try_from(delay.as_millis()).unwrap();
    replica.fault(json!({ "fault": "latency", "delay_ms": millis, "route": ROUTE, "expires_in": 60 })).await;
    eventually("the fault is active", async || {
        let begun = Instant::now();
        let answer = replica.request(Method::GET, ROUTE).answer().await.expect(200);
        (begun.elapsed() >= delay).then(|| answer.header("x-request-id").to_owned())
    })
    .await
}

#[tokio::test]
async fn a_slow_request_has_one_line_with_the_fields_of_an_access_line() {
    for sample in ["0", "1"] {
        let replica = Observed::new(&[("FAULTS", "true"), ("SLOW_REQUEST", "2s"), ("ACCESS_LOG_SAMPLE", sample)]).await;
        let id = slow_down(&replica, Duration::from_millis(2500)).await;
        let line = replica.line_of("request slow", &id).await;
        assert_eq!([&line["severity_text"], &line["scope"], &line["span"]["http.route"]], ["WARN", "access", ROUTE]);
        let attributes = line["attributes"].as_object().unwrap();
        let names: Vec<&str> = attributes.keys().map(String::as_str).collect();
        assert_eq!(names, ["duration", "http.request.method", "http.response.status_code", "http.route"]);
        assert_eq!([&attributes["http.request.method"], &attributes["http.route"]], ["GET", ROUTE]);
        assert_eq!(attributes["http.response.status_code"], 200);
        assert!(attributes["duration"].as_f64().is_some_and(|duration| duration >= 2.0), "{line}");
        assert!(replica.lines("request answered").iter().all(|line| line["trace_id"] != id));
        assert_eq!(replica.lines("request slow").iter().filter(|line| line["trace_id"] == id).count(), 1);
    }
}

#[tokio::test]
async fn a_slow_request_whose_client_left_has_a_line() {
    let replica = Observed::new(&[("FAULTS", "true"), ("SLOW_REQUEST", "2s"), ("REQUEST_TIMEOUT", "40s")]).await;
    slow_down(&replica, Duration::from_millis(2500)).await;
    replica.fault(json!({ "fault": "latency", "delay_ms": 30_000, "route": "/api/fleet", "expires_in": 60 })).await;
    let id = Uuid::new_v4().simple().to_string();
    eventually("a client leaves before its response", async || {
        let request = replica.request(Method::GET, "/api/fleet").header("x-request-id", &id).timeout(Duration::from_secs(4));
        when(request.send().await.is_err())
    })
    .await;
    let line = replica.line_of("request slow", &id).await;
    assert_eq!([&line["attributes"]["http.route"], &line["attributes"]["http.response.status_code"]], [&json!("/api/fleet"), &json!(499)]);
}

#[tokio::test]
async fn a_long_poll_is_not_slow() {
    let collector = Collector::start().await;
    let endpoint = collector.url();
    let replica = Observed::new(&[
        ("FAULTS", "true"),
        ("SLOW_REQUEST", "1s"),
        ("SOCKET_PING_INTERVAL", "3s"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", &endpoint),
        ("OTEL_TRACES_SAMPLER_ARG", "0"),
    ])
    .await;
    let opened = replica.request(Method::GET, POLLING).answer().await.expect(200).text();
    let handshake: serde_json::Value = serde_json::from_str(&opened[1..]).unwrap();
    let path = format!("{POLLING}&sid={}", handshake["sid"].as_str().unwrap());
    let post = async |packet: String| replica.request(Method::POST, &path).body(packet).answer().await.expect(200);
    post(format!("40{{\"token\":\"{}\"}}", replica.token)).await;
    eventually("a poll takes longer than a slow request", async || {
        let begun = Instant::now();
        let packets = replica.request(Method::GET, &path).answer().await.expect(200).text();
        let elapsed = begun.elapsed();
        if packets.split('\u{1e}').any(|packet| packet == "2") {
            post("3".to_owned()).await;
        }
        when(elapsed >= Duration::from_millis(1500))
    })
    .await;
    let id = slow_down(&replica, Duration::from_millis(1500)).await;
    replica.line_of("request slow", &id).await;
    collector.trace_with("the slow request", |span| span.trace == id).await;
    let routes = replica.lines("request slow").into_iter().map(|line| line["attributes"]["http.route"].to_string());
    let spans = collector.spans().into_iter().map(|span| span.name().to_owned());
    assert_eq!(routes.chain(spans).filter(|name| name.contains("socket.io")).collect::<Vec<_>>(), [""; 0]);
}
