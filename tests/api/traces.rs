//! Traces: what they contain, which of them are kept, and that a collector never harms a request.

use std::time::{Duration, Instant};

use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use reqwest::Method;
use serde_json::json;
use tokio::net::TcpListener;

use crate::support::collector::{Collector, Received, failing};
use crate::support::observed::Observed;
use crate::support::users::PASSWORD;
use crate::support::{Answer, Ask, Scrape, eventually, when};

/// The trace and the span of a caller.
const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const CALLER: &str = "00f067aa0ba902b7";

/// A replica that exports this share of its traces to the endpoint.
async fn replica(endpoint: &str, share: &str, more: &[(&str, &str)]) -> Observed {
    let variables = [("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint), ("OTEL_TRACES_SAMPLER_ARG", share), ("SIM_FAILURE_RATE", "0")];
    Observed::new(&[&variables[..], more].concat()).await
}

async fn create_project(replica: &Observed, name: &str) -> Answer {
    replica.request(Method::POST, "/api/projects").json(&json!({ "name": name, "visibility": "private" })).answer().await.expect(201)
}

/// Whether the span is below the root, directly or not.
fn is_below(span: &Received, root: &Received, trace: &[Received]) -> bool {
    let parent = trace.iter().find(|other| other.id == span.parent);
    parent.is_some_and(|parent| parent.id == root.id || is_below(parent, root, trace))
}

#[tokio::test]
async fn a_trace_continues_that_of_its_caller_and_contains_the_parts_of_the_request() {
    let collector = Collector::start().await;
    let replica = replica(&collector.url(), "0", &[("ACCESS_LOG_SAMPLE", "1")]).await;
    replica.request(Method::GET, "/api/auth/me").answer().await.expect(200);
    let create = replica.request(Method::POST, "/api/projects?note=hidden").json(&json!({ "name": "One", "visibility": "private" }));
    let answer = create.header("traceparent", format!("00-{TRACE}-{CALLER}-01")).answer().await.expect(201);
    assert_eq!(answer.header("x-request-id"), TRACE);
    let (root, trace) = collector.trace_with("the request", |span| span.kind() == SpanKind::Server && span.trace == TRACE).await;
    assert_eq!((root.name(), root.parent.as_str(), root.is_error()), ("POST /api/projects", CALLER, false));
    for (name, value) in [
        ("http.request.method", "POST"),
        ("http.route", "/api/projects"),
        ("url.path", "/api/projects"),
        ("http.response.status_code", "201"),
        ("vitrine.cache.session", "hit"),
    ] {
        assert_eq!(root.attribute(name), value, "{name}");
    }
    let insert = trace.iter().find(|span| span.name() == "insert projects").unwrap();
    assert!(is_below(insert, &root, &trace) && insert.kind() == SpanKind::Client, "{insert:?}");
    assert_eq!(["db.system.name", "db.collection.name"].map(|name| insert.attribute(name)), ["postgresql", "projects"]);
    let has = |condition: fn(&Received) -> bool| trace.iter().any(|span| condition(span) && is_below(span, &root, &trace));
    assert!(has(|span| span.attribute("db.system.name") == "redis"), "{trace:?}");
    let line = replica.line_of("request answered", TRACE).await;
    assert_eq!(line["span_id"], root.id);
    let resource = collector.resource();
    for (name, value) in [("service.name", "vitrine"), ("service.instance.id", "backend-1")] {
        assert!(resource.contains(&(name.to_owned(), value.to_owned())), "{resource:?}");
    }
    assert!(!collector.text().contains("hidden"));
}

#[tokio::test]
async fn failures_and_slow_requests_are_kept_although_the_sample_is_empty() {
    let collector = Collector::start().await;
    let replica = replica(&collector.url(), "0", &[("FAULTS", "true"), ("SLOW_REQUEST", "2s")]).await;
    replica.fault(json!({ "fault": "error", "status": 500, "route": "/api/fleet", "expires_in": 60 })).await;
    replica.fault(json!({ "fault": "latency", "delay_ms": 2500, "route": "/api/extensions", "expires_in": 60 })).await;
    let failed = eventually("the fault is active", async || {
        let answer = replica.request(Method::GET, "/api/fleet").answer().await;
        (answer.status == 500).then_some(answer)
    })
    .await;
    let reference = failed.problem(500, "internal").json()["trace_id"].as_str().unwrap().to_owned();
    let (root, _) = collector.trace_with("the failure", |span| span.trace == reference).await;
    assert_eq!((root.name(), root.is_error(), root.attribute("error.type").as_str()), ("GET /api/fleet", true, "500"));
    replica.line_of("request failed", &reference).await;
    replica.request(Method::GET, "/api/extensions").answer().await.expect(200);
    collector.trace_with("the slow request", |span| span.name() == "GET /api/extensions").await;
    let kept = ["GET /api/fleet", "GET /api/extensions"];
    let others = collector.spans().into_iter().filter(|span| span.kind() == SpanKind::Server && !kept.contains(&span.name()));
    assert_eq!(others.map(|span| span.name().to_owned()).collect::<Vec<_>>(), [""; 0]);
}

#[tokio::test]
async fn the_trace_of_a_job_is_linked_to_the_request_that_enqueued_it() {
    let collector = Collector::start().await;
    let replica = replica(&collector.url(), "1", &[]).await;
    let project = create_project(&replica, "One").await.json()["id"].as_str().unwrap().to_owned();
    let create = replica.request(Method::POST, &format!("/api/projects/{project}/environments"));
    let request = create.json(&json!({ "name": "one", "image": "busybox:1.37" })).answer().await.expect(201);
    let request = request.header("x-request-id");
    let (job, trace) = collector.trace_with("the job", |span| span.links().iter().any(|link| link == request)).await;
    assert_eq!((job.name(), job.kind(), job.parent.as_str()), ("job environment_change", SpanKind::Consumer, ""));
    assert_ne!(job.trace, request);
    let call = trace.iter().find(|span| span.name() == "sim create").unwrap();
    assert!(is_below(call, &job, &trace), "{trace:?}");
    assert!(trace.iter().any(|span| span.attribute("db.collection.name") == "sim_containers" && is_below(span, call, &trace)), "{trace:?}");
    assert!(trace.iter().any(|span| span.name() == "emit env:status" && span.kind() == SpanKind::Producer), "{trace:?}");
    let line = replica.line_of("operation finished", &job.trace).await;
    assert_eq!((&line["span"]["enqueued_by"], &line["span_id"]), (&json!(request), &json!(job.id)));
}

#[tokio::test]
async fn a_collector_that_refuses_fails_or_hangs_delays_no_request_and_is_counted() {
    let (refusing, hanging) = (TcpListener::bind("127.0.0.1:0").await.unwrap(), TcpListener::bind("127.0.0.1:0").await.unwrap());
    let [refuses, hangs] = [&refusing, &hanging].map(|listener| format!("http://{}", listener.local_addr().unwrap()));
    drop(refusing);
    for endpoint in [refuses, hangs, failing().await] {
        let replica = replica(&endpoint, "1", &[("OTEL_LOGS_EXPORTER", "otlp")]).await;
        let begun = Instant::now();
        for index in 0..20 {
            create_project(&replica, &format!("Project {index}")).await;
        }
        // The time limit of an export is two seconds: if one request waited for it, ten would.
        assert!(begun.elapsed() < Duration::from_secs(20), "{:?}", begun.elapsed());
        for signal in ["traces", "logs"] {
            eventually("what is lost is counted", async || {
                let text = replica.request(Method::GET, "/metrics").answer().await.text();
                when(Scrape::parse(&text).get("telemetry_export_failures_total", &[("signal", signal)]) > 0.0)
            })
            .await;
        }
    }
}

#[tokio::test]
async fn a_shutdown_exports_the_last_traces() {
    let collector = Collector::start().await;
    let mut replica = replica(&collector.url(), "1", &[("DRAIN_DELAY", "0s"), ("SOCKET_DRAIN", "0s")]).await;
    let last = create_project(&replica, "Last").await.header("x-request-id").to_owned();
    replica.program.signal("TERM");
    assert!(replica.program.end().await.success());
    assert!(collector.spans().iter().any(|span| span.trace == last && span.kind() == SpanKind::Server));
}

#[tokio::test]
async fn spans_and_lines_contain_no_secret_and_no_text_of_a_user() {
    let collector = Collector::start().await;
    let replica = replica(&collector.url(), "1", &[("OTEL_LOGS_EXPORTER", "otlp")]).await;
    create_project(&replica, "A secret name").await;
    replica.request(Method::GET, "/nobody@example.com?token=hunter2").answer().await.expect(404);
    let wrong = json!({ "email": "ada@example.com", "password": "hunter2hunter2" });
    let last = replica.request(Method::POST, "/api/auth/login").json(&wrong).answer().await.problem(401, "invalid_credentials");
    let last = last.header("x-request-id");
    collector.trace_with("the last request", |span| span.trace == last && span.kind() == SpanKind::Server).await;
    eventually("the line is exported", async || when(collector.text().contains("project created"))).await;
    let (text, log) = (collector.text(), replica.program.log());
    assert!(["insert projects", "project created"].iter().all(|known| text.contains(known)) && log.contains("project created"));
    for secret in ["@example.com", "hunter2", PASSWORD, "A secret name", &replica.token] {
        assert!(!text.contains(secret) && !log.contains(secret), "{secret}");
    }
}
