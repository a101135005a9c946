//! Beacons: each report in them counts once, and hostile clients can neither create series nor cause server errors. The last test is
//! about the fleet status.

use std::collections::BTreeMap;

use futures_util::StreamExt;
use futures_util::stream;
use reqwest::RequestBuilder;
use serde_json::{Value, json};

use crate::support::{Ask, Scrape, TestApp, eventually, when};

const BROWSER: &str = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36";
/// The metrics of the reports in beacons.
const METRICS: [&str; 7] = [
    "page_views_total",
    "web_vitals_seconds_count",
    "web_vitals_cls_count",
    "api_calls_total",
    "static_asset_load_seconds_count",
    "client_errors_total",
    "error_boundaries_total",
];

fn beacon(app: &TestApp, events: &Value) -> RequestBuilder {
    app.post("/api/rum").header("user-agent", BROWSER).json(&json!({ "events": events }))
}

fn moved(before: &Scrape, after: &Scrape) -> BTreeMap<String, f64> {
    METRICS.iter().flat_map(|metric| after.grown(before, metric)).collect()
}

#[tokio::test]
async fn each_report_is_counted_once_under_its_own_labels() {
    let app = TestApp::start().await;
    let before = app.settled().await;
    let events = json!([
        { "kind": "page_view", "route": "/projects/{slug}" },
        { "kind": "page_view", "route": "/" },
        { "kind": "page_view", "route": "/" },
        { "kind": "web_vital", "route": "/", "vital": "lcp", "value": 640 },
        { "kind": "web_vital", "route": "/", "vital": "cls", "value": 0.02 },
        { "kind": "api_call", "endpoint": "/api/projects", "status": 201 },
        { "kind": "api_call", "endpoint": "/api/projects", "status": 0 },
        { "kind": "asset", "type": "script", "value": 12.5 },
        { "kind": "client_error", "type": "unhandled_rejection" },
        { "kind": "error_boundary", "route": "/studio" },
    ]);
    assert_eq!(beacon(&app, &events).answer().await.expect(204).text(), "");
    let after = app.settled().await;
    let expected = [
        ("route=/projects/{slug}", 1.0),
        // Two page views and one layout shift have this key; the map keeps only the count of the layout shift.
        ("route=/", 1.0),
        ("route=/,vital=lcp", 1.0),
        ("endpoint=/api/projects,status=2xx", 1.0),
        ("endpoint=/api/projects,status=failed", 1.0),
        ("type=script", 1.0),
        ("type=unhandled_rejection", 1.0),
        ("route=/studio", 1.0),
    ];
    assert_eq!(moved(&before, &after), expected.map(|(series, count)| (series.to_owned(), count)).into());
    assert_eq!(after.since(&before, "page_views_total", &[("route", "/")]), 2.0);
    assert_eq!(after.since(&before, "web_vitals_seconds_sum", &[("vital", "lcp")]), 0.64);
}

#[tokio::test]
async fn a_beacon_with_one_wrong_report_is_refused() {
    let app = TestApp::start().await;
    let before = app.settled().await;
    let good = json!({ "kind": "page_view", "route": "/" });
    for bad in [
        json!({ "kind": "page_view", "route": "/projects/mine" }),
        json!({ "kind": "page_view", "route": "/", "user": "ada" }),
        json!({ "kind": "page_view" }),
        json!({ "kind": "visit", "route": "/" }),
        json!({ "kind": "web_vital", "route": "/", "vital": "fid", "value": 1 }),
        json!({ "kind": "web_vital", "route": "/", "vital": "lcp", "value": -1 }),
        json!({ "kind": "web_vital", "route": "/", "vital": "lcp", "value": 1e300 }),
        json!({ "kind": "web_vital", "route": "/", "vital": "lcp", "value": "fast" }),
        json!({ "kind": "api_call", "endpoint": "/api/projects/1", "status": 200 }),
        json!({ "kind": "api_call", "endpoint": "/api/projects", "status": 42 }),
        json!({ "kind": "client_error", "type": "TypeError: x is undefined" }),
        json!(null),
    ] {
        beacon(&app, &json!([good, bad])).answer().await.problem(422, "validation_failed");
    }
    beacon(&app, &json!(vec![good.clone(); 51])).answer().await.problem(422, "validation_failed");
    app.post("/api/rum").body("{}").answer().await.problem(415, "unsupported_media_type");
    app.post("/api/rum").header("content-type", "application/json").body("{").answer().await.problem(400, "malformed_json");
    assert_eq!(moved(&before, &app.settled().await), BTreeMap::new());
    beacon(&app, &json!(vec![good; 50])).answer().await.expect(204);
    assert_eq!(app.settled().await.since(&before, "page_views_total", &[]), 50.0);
}

#[tokio::test]
async fn reports_of_robots_are_accepted_and_not_counted() {
    let app = TestApp::start().await;
    let before = app.settled().await;
    let events = json!({ "events": [{ "kind": "page_view", "route": "/" }] });
    for agent in ["Mozilla/5.0 (compatible; Googlebot/2.1)", "SomeCrawler/1.0", ""] {
        app.post("/api/rum").header("user-agent", agent).json(&events).answer().await.expect(204);
    }
    assert_eq!(moved(&before, &app.settled().await), BTreeMap::new());
}

#[tokio::test]
async fn a_network_over_its_limit_of_beacons_is_throttled_and_others_are_not() {
    let app = TestApp::with(&["--beacons-per-minute=3"]).await;
    let before = app.settled().await;
    let view = json!([{ "kind": "page_view", "route": "/about" }]);
    for _ in 0..3 {
        beacon(&app, &view).answer().await.expect(204);
    }
    let refused = beacon(&app, &view).answer().await.problem(429, "too_many_attempts");
    assert_ne!(refused.header("retry-after"), "0");
    beacon(&app, &view).header("x-forwarded-for", "203.0.113.7").answer().await.expect(204);
    let after = app.settled().await;
    assert_eq!(after.since(&before, "page_views_total", &[]), 4.0);
    assert_eq!(after.since(&before, "rate_limited_total", &[("limiter", "beacons")]), 1.0);
}

/// One of ten kinds of hostile beacons. Its user agent contains the number.
fn hostile(app: &TestApp, number: usize) -> RequestBuilder {
    let name = format!("hostile-{number}");
    let post = || app.post("/api/rum").header("user-agent", name.clone());
    let one = |event: Value| post().json(&json!({ "events": [event] }));
    match number % 10 {
        0 => one(json!({ "kind": "page_view", "route": name })),
        1 => one(json!({ "kind": "api_call", "endpoint": format!("/api/{name}"), "status": 200 })),
        2 => one(json!({ "kind": "client_error", "type": name })),
        3 => one(json!({ "kind": "web_vital", "route": "/", "vital": name, "value": number })),
        4 => one(json!({ &name: "page_view" })),
        5 => post().header("content-type", "application/json").body(format!("{{\"events\":[{}", "[".repeat(number % 1000))),
        6 => post().header("content-type", name.clone()).body(vec![0xff; number % 4096]),
        7 => post().json(&json!({ "events": vec![json!({ "kind": "page_view", "route": "/" }); number % 200] })),
        8 => app.post(&format!("/api/rum?{name}=1")).header("user-agent", &name).json(&json!({ "events": { &name: [] } })),
        _ => one(json!({ "kind": "asset", "type": "script", "value": 1.7e308, "route": name })),
    }
}

#[tokio::test]
async fn ten_thousand_hostile_beacons_create_no_series_and_cause_no_server_error() {
    let app = TestApp::with(&["--beacons-per-minute=3000"]).await;
    let attack = async |count: usize| {
        let statuses: Vec<u16> = stream::iter(0..count)
            .map(|number| hostile(&app, number).answer())
            .buffer_unordered(32)
            .map(|answer| answer.status)
            .collect()
            .await;
        let mut counts = BTreeMap::new();
        for status in statuses {
            *counts.entry(status).or_insert(0) += 1;
        }
        counts
    };
    // Sends every kind of hostile beacon before the comparison begins.
    attack(40).await;
    let before = app.settled().await;
    let statuses = attack(10_000).await;
    assert!(statuses.keys().all(|status| [204, 400, 413, 415, 422, 429].contains(status)), "{statuses:?}");
    let count = |status| statuses.get(&status).copied().unwrap_or_default();
    assert!(count(429) > 500 && count(422) > 500 && count(204) > 0, "{statuses:?}");
    let after = app.settled().await;
    let made: Vec<_> = after.series().difference(&before.series()).cloned().collect();
    assert_eq!(made, []);
    assert_eq!(after.since(&before, "http_requests_total", &[("route", "/api/rum"), ("status", "500")]), 0.0);
}

#[tokio::test]
async fn every_replica_lists_all_replicas_and_removes_a_stopped_one() {
    let replicas = TestApp::replicas(3, &[]).await;
    let fleet = async |replica: &TestApp| replica.get("/api/fleet").answer().await.expect(200).json();
    let ready = |status: &Value| status["replicas"].as_array().unwrap().iter().filter(|replica| replica["is_ready"] == true).count();
    for replica in &replicas {
        eventually("all three replicas are listed as ready", async || when(ready(&fleet(replica).await) == 3)).await;
    }
    let status = fleet(&replicas[0]).await;
    let sum: u64 = status["replicas"].as_array().unwrap().iter().map(|replica| replica["requests"].as_u64().unwrap()).sum();
    assert_eq!(status["requests"], sum);
    let [first, second, third] = <[TestApp; 3]>::try_from(replicas).ok().unwrap();
    third.leave().await.unwrap();
    for replica in [&first, &second] {
        eventually("two replicas are left", async || when(fleet(replica).await["replicas"].as_array().unwrap().len() == 2)).await;
    }
}
