//! Traces that begin at the edge: which identifier a request has, what Caddy exports, and what it accepts from clients. `edge` has the
//! identifier of a request while the edge does not trace.

use std::collections::HashMap;
use std::net::SocketAddr;

use axum::http::HeaderMap;
use axum::{Json, Router};
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use reqwest::Method;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::support::collector::{Collector, Received};
use crate::support::observed::Observed;
use crate::support::{Answer, Ask, Edge, eventually, own_loopback, when};

/// The trace and the span of a client.
const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const CLIENT: &str = "00f067aa0ba902b7";

/// A replica that responds with the headers of each request.
async fn mirror() -> SocketAddr {
    let reflect = async |headers: HeaderMap| {
        let of = |name: &str| headers.get_all(name).iter().map(|value| value.to_str().unwrap().to_owned()).collect::<Vec<_>>();
        Json(HashMap::from(["traceparent", "tracestate", "baggage", "x-request-id"].map(|name| (name, of(name)))))
    };
    let listener = TcpListener::bind((own_loopback(), 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, Router::new().fallback(reflect)).await });
    address
}

/// The variables of an edge that exports this share of its traces, as in docker-compose.yml.
fn tracing<'a>(endpoint: &'a str, share: &'a str) -> [(&'a str, &'a str); 7] {
    [
        ("EDGE_TRACING", "on"),
        ("OTEL_SERVICE_NAME", "vitrine-edge"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint),
        ("OTEL_TRACES_SAMPLER", "traceidratio"),
        ("OTEL_TRACES_SAMPLER_ARG", share),
        ("OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT", "0"),
        // Milliseconds until a batch is exported.
        ("OTEL_BSP_SCHEDULE_DELAY", "100"),
    ]
}

/// A header that the replica received; empty if it received none.
fn received(answer: &Answer, name: &str) -> String {
    let values = &answer.json()[name];
    assert!(values.as_array().unwrap().len() < 2, "{name}: {values}");
    values[0].as_str().unwrap_or_default().to_owned()
}

/// The parts of a `traceparent`: trace, span, flags.
fn parts(parent: &str) -> [&str; 3] {
    let parts: Vec<&str> = parent.split('-').collect();
    let ["00", trace, span, flags] = parts[..] else { panic!("{parent}") };
    [trace, span, flags]
}

#[tokio::test]
async fn the_identifier_of_a_request_is_the_trace_of_the_edge_and_the_work_of_the_replica_is_below_its_span() {
    let collector = Collector::start().await;
    let endpoint = collector.url();
    // The replica keeps no trace by itself, so it follows the edge's decision.
    let replica = Observed::new(&[("OTEL_EXPORTER_OTLP_ENDPOINT", &endpoint), ("OTEL_TRACES_SAMPLER_ARG", "0")]).await;
    let Some(edge) = Edge::with(&[replica.program.address], &tracing(&endpoint, "1")).await else { return };
    let request = edge.get("/api/projects?note=hidden").bearer_auth(&replica.token).header("user-agent", "A browser");
    let id = request.answer().await.expect(200).header("x-request-id").to_owned();
    let (root, _) = collector.trace_with("the edge", |span| span.trace == id && span.name() == "edge").await;
    let (request, _) = collector.trace_with("the request", |span| span.trace == id && span.name() == "GET /api/projects").await;
    assert_eq!((root.kind(), root.parent.as_str()), (SpanKind::Server, ""));
    assert_eq!(request.parent, root.id);
    // Caddy would record addresses, the browser, the host and the path.
    assert_eq!(root.span.attributes, []);
    let text = collector.text();
    assert!(text.contains("vitrine-edge") && !text.contains("hidden") && !text.contains("A browser"), "{text}");
    assert!(!text.contains(&edge.address.ip().to_string()), "{text}");
    let line = edge.line_of(&id).await;
    assert_eq!((&line["status"], &line["traceID"]), (&json!(200), &Value::Null));
}

#[tokio::test]
async fn a_client_names_its_trace_but_decides_nothing_else() {
    let collector = Collector::start().await;
    let Some(edge) = Edge::with(&[mirror().await], &tracing(&collector.url(), "0")).await else { return };
    let ask = async |parents: &[&str]| {
        let request =
            edge.get("/api/projects").header("tracestate", "vendor=1").header("baggage", "user=ada").header("x-request-id", "mine");
        let request = parents.iter().fold(request, |request, parent| request.header("traceparent", *parent));
        let answer = request.answer().await.expect(200);
        let id = answer.header("x-request-id").to_owned();
        let parent = received(&answer, "traceparent");
        let [trace, span, flags] = parts(&parent);
        assert_eq!((trace, flags, received(&answer, "x-request-id").as_str()), (id.as_str(), "00", id.as_str()), "{parents:?}");
        assert!(span.len() == 16 && span != CLIENT, "{parents:?}: {parent}");
        assert_eq!((received(&answer, "tracestate"), received(&answer, "baggage")), (String::new(), String::new()), "{parents:?}");
        id
    };
    let well_formed = format!("00-{TRACE}-{CLIENT}-01");
    assert_eq!(ask(&[&well_formed]).await, TRACE);
    for malformed in [
        "",
        "00",
        &format!("ff-{TRACE}-{CLIENT}-01"),
        &format!("cc-{TRACE}-{CLIENT}-01-more"),
        &format!("00-{}-{CLIENT}-01", TRACE.to_uppercase()),
        &format!("00-{}-{CLIENT}-01", "0".repeat(32)),
        &format!("00-{TRACE}-{}-01", "0".repeat(16)),
        &format!("00-{TRACE}-{CLIENT}-1"),
        &format!("{well_formed}, {well_formed}"),
        &format!("x{well_formed}"),
        "${vars.trace_id}",
    ] {
        let id = ask(&[malformed]).await;
        assert!(id.len() == 32 && id.bytes().all(|byte| byte.is_ascii_hexdigit()) && id != TRACE, "{malformed}: {id}");
    }
    assert_ne!(ask(&[&well_formed, &well_formed]).await, TRACE);
    assert_ne!(ask(&[]).await, ask(&[]).await);
    // Clients asked for every one of these traces, and the sample is empty.
    assert_eq!(collector.spans().len(), 0);
}

#[tokio::test]
async fn a_request_that_replicas_do_not_trace_is_not_traced_by_the_edge_either() {
    let collector = Collector::start().await;
    let Some(edge) = Edge::with(&[mirror().await], &tracing(&collector.url(), "1")).await else { return };
    for path in ["/health", "/assets/app.js", "/favicon.ico", "/socket.io/?EIO=4"] {
        let answer = edge.get(path).header("traceparent", format!("00-{TRACE}-{CLIENT}-01")).answer().await.expect(200);
        let id = answer.header("x-request-id").to_owned();
        assert!(id.len() == 32 && id != TRACE, "{path}: {id}");
        assert_eq!((received(&answer, "traceparent"), received(&answer, "x-request-id")), (String::new(), id), "{path}");
    }
    let last = edge.get("/about").answer().await.expect(200).header("x-request-id").to_owned();
    collector.trace_with("a page", |span| span.trace == last).await;
    assert_eq!(collector.spans().len(), 1);
}

#[tokio::test]
async fn an_answer_of_the_edge_itself_has_the_same_identifier_and_a_failure_is_an_error() {
    let collector = Collector::start().await;
    let nowhere = SocketAddr::from((own_loopback(), 1));
    let Some(edge) = Edge::alone(&[nowhere], &tracing(&collector.url(), "1")).await else { return };
    let refused = edge.request(Method::POST, "/api/projects").body("a".repeat(1_048_577)).answer().await.expect(413);
    let failed = eventually("the replica has left the pool", async || {
        let answer = edge.get("/version").answer().await;
        when(answer.status == 503).map(|()| answer)
    })
    .await;
    for (answer, error) in [(&refused, None), (&failed, Some("edge error 503"))] {
        let id = answer.header("x-request-id").to_owned();
        assert_eq!(answer.json()["trace_id"], id.as_str());
        edge.line_of(&id).await;
        let name = error.unwrap_or("edge");
        let (last, _) = collector.trace_with(name, |span| span.trace == id && span.name() == name).await;
        let (root, trace) = collector.trace_with("the edge", |span| span.trace == id && span.name() == "edge").await;
        let errors: Vec<&str> = trace.iter().filter(|span| span.is_error()).map(Received::name).collect();
        assert_eq!(errors, error.into_iter().collect::<Vec<_>>());
        assert!(error.is_none() || last.parent == root.id, "{last:?}");
    }
}
