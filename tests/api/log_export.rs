//! The export of log lines: what arrives at the collector is what standard output has, and the export causes no lines of its own.

use std::collections::HashMap;

use reqwest::Method;
use serde_json::{Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use uuid::Uuid;

use crate::support::collector::Collector;
use crate::support::observed::Observed;
use crate::support::{Ask, eventually, when};

/// A replica that exports its log, without traces, and shuts down at once.
async fn replica(endpoint: &str, levels: &str) -> Observed {
    let variables = [("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint), ("OTEL_LOGS_EXPORTER", "otlp"), ("OTEL_TRACES_SAMPLER_ARG", "0")];
    Observed::new(&[&variables[..], &[("LOG", levels), ("DRAIN_DELAY", "0s"), ("SOCKET_DRAIN", "0s")]].concat()).await
}

/// The lines on standard output so far.
fn printed(replica: &Observed) -> Vec<Value> {
    replica.program.log().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Whether a line is about the export, and therefore on standard output only.
fn is_of_the_export(line: &Value) -> bool {
    let scope = line["scope"].as_str().unwrap();
    ["hyper_util::client", "vitrine::telemetry::export"].iter().any(|module| scope.starts_with(module))
}

/// The lines without their times, each with its number; and the times by line.
fn counted(lines: Vec<Value>) -> HashMap<String, Vec<OffsetDateTime>> {
    let mut counted: HashMap<String, Vec<OffsetDateTime>> = HashMap::new();
    for mut line in lines {
        let time = line.as_object_mut().unwrap().remove("timestamp").unwrap();
        counted.entry(line.to_string()).or_default().push(OffsetDateTime::parse(time.as_str().unwrap(), &Rfc3339).unwrap());
    }
    counted
}

#[tokio::test]
async fn every_line_until_the_shutdown_is_exported_with_the_fields_of_standard_output() {
    let collector = Collector::start().await;
    let mut replica = replica(&collector.url(), "info,vitrine=debug").await;
    let new = json!({ "name": "One", "visibility": "private" });
    let project = replica.request(Method::POST, "/api/projects").json(&new).answer().await.expect(201).json();
    let environments = format!("/api/projects/{}/environments", project["id"].as_str().unwrap());
    replica.request(Method::POST, &environments).json(&json!({ "name": "one", "image": "busybox:1.37" })).answer().await.expect(201);
    eventually("the job has ended", async || when(!replica.lines("operation finished").is_empty())).await;
    replica.request(Method::GET, "/nope").answer().await.problem(404, "not_found");
    replica.program.signal("TERM");
    assert!(replica.program.end().await.success());
    let (mut printed, exported) = (printed(&replica), collector.lines());
    for body in ["listening", "project created", "operation finished", "request refused", "received SIGTERM; shutting down"] {
        assert!(exported.iter().any(|line| line["body"] == body), "{body} is not exported");
    }
    assert!(exported.iter().any(|line| line["span"]["enqueued_by"].is_string() && line["trace_id"].is_string()));
    printed.retain(|line| !is_of_the_export(line));
    let (printed, exported) = (counted(printed), counted(exported));
    for (line, times) in &exported {
        let expected = printed.get(line).unwrap_or_else(|| panic!("exported only: {line}"));
        assert!(times.len() <= expected.len(), "{line}");
        assert!(times.iter().zip(expected).all(|(time, other)| (*time - *other).abs() < time::Duration::seconds(1)), "{line}");
    }
    let is_of_shutdown = |line: &&String| line.contains("received SIGTERM");
    let shutdown = printed[exported.keys().find(is_of_shutdown).unwrap()][0];
    for (line, times) in &printed {
        let count = exported.get(line).map_or(0, Vec::len);
        assert!(times[count..].iter().all(|time| *time > shutdown), "printed only: {line}");
    }
}

#[tokio::test]
async fn a_level_that_an_admin_changes_applies_to_both_outputs() {
    let collector = Collector::start().await;
    let replica = replica(&collector.url(), "info").await;
    let fail = async || replica.request(Method::GET, "/nope").answer().await.problem(404, "not_found").header("x-request-id").to_owned();
    let change = async |levels: &str| {
        let change = json!({ "levels": levels, "expires_in": 600 });
        replica.request(Method::PUT, "/api/log-levels").json(&change).answer().await.expect(200);
    };
    let unseen = fail().await;
    change("info,vitrine::http=debug").await;
    let seen = fail().await;
    eventually("the refusal is exported", async || when(collector.lines().iter().any(|line| line["trace_id"] == seen))).await;
    change("off").await;
    let last = fail().await;
    change("info,vitrine::http=debug").await;
    let seen = fail().await;
    eventually("the last refusal is exported", async || when(collector.lines().iter().any(|line| line["trace_id"] == seen))).await;
    assert!(collector.lines().iter().all(|line| line["trace_id"] != unseen && line["trace_id"] != last));
}

#[tokio::test]
async fn an_export_causes_no_further_export() {
    let collector = Collector::start().await;
    // The level at which the export itself writes lines.
    let replica = replica(&collector.url(), "info,hyper_util=trace,vitrine::http=debug").await;
    for _ in 0..3 {
        let trace = Uuid::new_v4().simple().to_string();
        replica.request(Method::GET, "/nope").header("x-request-id", &trace).answer().await.problem(404, "not_found");
        eventually("the refusal is exported", async || when(collector.lines().iter().any(|line| line["trace_id"] == trace))).await;
    }
    assert!(printed(&replica).iter().any(is_of_the_export), "the export writes no lines: this test proves nothing");
    assert_eq!(collector.lines().into_iter().filter(is_of_the_export).collect::<Vec<_>>(), [Value::Null; 0]);
}
