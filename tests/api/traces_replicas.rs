//! Traces across replicas: the delivery of an event is a part of the trace in which another replica emitted it.

use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use reqwest::Method;
use serde_json::json;

use crate::support::collector::{Collector, Received};
use crate::support::observed::Observed;
use crate::support::program::Program;
use crate::support::{Ask, Socket, Sockets, eventually};

/// The trace and the span of a caller.
const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const CALLER: &str = "00f067aa0ba902b7";

/// Two replicas that export to one collector, with a client of the official library on each.
struct Pair {
    collector: Collector,
    one: Observed,
    other: Program,
    clients: [Socket; 2],
    project: String,
}

impl Pair {
    /// Starts replicas that keep this share of traces. Both clients subscribe to a project.
    async fn start(sockets: &Sockets, share: &str) -> Self {
        let collector = Collector::start().await;
        let endpoint = collector.url();
        let common = [("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint.as_str()), ("OTEL_TRACES_SAMPLER_ARG", share), ("SIM_FAILURE_RATE", "0")];
        let one = Observed::new(&[&common[..], &[("REPLICA", "backend-1")]].concat()).await;
        let other = one.beside(&[&common[..], &[("REPLICA", "backend-2")]].concat()).await;
        let new = one.request(Method::POST, "/api/projects").json(&json!({ "name": "One", "visibility": "private" }));
        let project = new.answer().await.expect(201).json()["id"].as_str().unwrap().to_owned();
        let connect = async |program: &Program| {
            let socket = sockets.to(&format!("http://{}", program.address)).token(&one.token).connected().await;
            assert_eq!(socket.emit("project:subscribe", json!({ "project_id": project })).await, json!({}));
            socket
        };
        let clients = [connect(&one.program).await, connect(&other).await];
        Self { collector, one, other, clients, project }
    }

    /// Creates an environment and waits until both clients know that it is stopped. Returns its identifier and that of the request.
    async fn create_environment(&self) -> (String, String) {
        let create = self.one.request(Method::POST, &format!("/api/projects/{}/environments", self.project));
        let created = create.json(&json!({ "name": "one", "image": "busybox:1.37" })).answer().await.expect(201);
        for client in &self.clients {
            client.until("env:status", |event| event["status"] == "stopped").await;
        }
        (created.json()["id"].as_str().unwrap().to_owned(), created.header("x-request-id").to_owned())
    }

    /// The spans of an event in the trace of this work: its emission, and its delivery by another replica.
    async fn emission_and_delivery(&self, work: impl Fn(&Received) -> bool) -> (Received, Received) {
        eventually("the emission and the delivery are exported", async || {
            let spans = self.collector.spans();
            let work = spans.iter().find(|span| work(span))?;
            let emission = spans.iter().find(|span| span.trace == work.trace && span.name() == "emit env:status")?;
            let delivery = spans.iter().find(|span| span.parent == emission.id)?;
            Some((emission.clone(), delivery.clone()))
        })
        .await
    }
}

fn assert_delivered(emission: &Received, delivery: &Received) {
    assert_eq!((emission.kind(), delivery.kind()), (SpanKind::Producer, SpanKind::Consumer));
    assert_eq!((delivery.name(), &delivery.trace), ("deliver env:status", &emission.trace));
    let mut replicas = [&emission.replica, &delivery.replica];
    replicas.sort();
    assert_eq!(replicas, ["backend-1", "backend-2"]);
}

#[tokio::test]
async fn the_delivery_of_a_jobs_event_by_another_replica_is_below_its_emission() {
    let Some(sockets) = Sockets::start() else { return };
    let pair = Pair::start(&sockets, "1").await;
    let (_, request) = pair.create_environment().await;
    let is_job = |span: &Received| span.name() == "job environment_change" && span.links().contains(&request);
    let (emission, delivery) = pair.emission_and_delivery(is_job).await;
    assert_delivered(&emission, &delivery);
}

#[tokio::test]
async fn a_delivery_is_kept_if_the_emitter_is_certain_to_keep_its_trace() {
    let Some(sockets) = Sockets::start() else { return };
    let pair = Pair::start(&sockets, "0").await;
    let (environment, _) = pair.create_environment().await;
    let start = pair.one.request(Method::POST, &format!("/api/environments/{environment}/start"));
    start.header("traceparent", format!("00-{TRACE}-{CALLER}-01")).answer().await.expect(202);
    let (emission, delivery) = pair.emission_and_delivery(|span| span.parent == CALLER).await;
    assert_delivered(&emission, &delivery);
    for client in &pair.clients {
        client.until("env:status", |event| event["status"] == "running").await;
    }
    // A last kept trace of each replica: what it decided to keep before has been exported.
    for (number, replica) in [&pair.one.program, &pair.other].into_iter().enumerate() {
        let last = format!("{number}bf92f3577b34da6a3ce929d0e0e4736");
        let url = format!("http://{}/version", replica.address);
        reqwest::Client::new().get(url).header("traceparent", format!("00-{last}-{CALLER}-01")).answer().await;
        pair.collector.trace_with("the last trace", |span| span.trace == last).await;
    }
    let others = pair.collector.spans().into_iter().filter(|span| !span.trace.ends_with(&TRACE[1..]));
    assert_eq!(others.map(|span| span.name().to_owned()).collect::<Vec<_>>(), [""; 0]);
}
