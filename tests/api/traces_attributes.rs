//! The attributes of spans are the listed ones, and their values are in the listed domains.

use std::collections::BTreeSet;

use reqwest::Method;
use serde_json::json;

use crate::support::attributes::attributes;
use crate::support::collector::Collector;
use crate::support::observed::Observed;
use crate::support::{Ask, RawSocket, eventually, when};

const SPANS: &str = concat!(include_str!("../../src/telemetry/spans.rs"), include_str!("../../src/telemetry/traces/subjects.rs"));

/// The names of all attributes that spans can have.
fn written() -> BTreeSet<String> {
    SPANS.split("KeyValue::new(\"").skip(1).map(|rest| rest.split('"').next().unwrap().to_owned()).collect()
}

#[test]
fn the_attributes_in_the_source_are_the_listed_ones() {
    let listed: BTreeSet<String> = attributes().into_iter().map(|(name, _)| name.to_owned()).collect();
    assert_eq!(written(), listed);
}

#[tokio::test]
async fn every_attribute_of_exported_spans_has_a_value_of_its_domain() {
    let collector = Collector::start().await;
    let endpoint = collector.url();
    let traced = [("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint.as_str()), ("OTEL_TRACES_SAMPLER_ARG", "1"), ("FAULTS", "true")];
    let replica = Observed::new(&[&traced[..], &[("SIM_FAILURE_RATE", "0.5")]].concat()).await;
    let post = async |path: &str, body| replica.request(Method::POST, path).json(&body).answer().await;
    let project = post("/api/projects", json!({ "name": "A name", "visibility": "private" })).await.expect(201).json();
    let project = project["id"].as_str().unwrap();
    post(&format!("/api/projects/{project}/publish"), json!({ "slug": "a-slug" })).await.expect(200);
    for number in 0..5 {
        let environment = json!({ "name": format!("e{number}"), "image": "busybox:1.37" });
        post(&format!("/api/projects/{project}/environments"), environment).await.expect(201);
    }
    post("/api/auth/login", json!({ "email": "nobody@example.com", "password": "hunter2hunter2" }))
        .await
        .problem(401, "invalid_credentials");
    replica.fault(json!({ "fault": "error", "status": 500, "route": "/api/fleet", "expires_in": 60 })).await;
    for path in
        ["/projects/a-slug", "/projects/no-such-slug", "/no/such/path", &format!("/api/projects/{project}"), "/api/projects/hunter2"]
    {
        replica.request(Method::GET, path).answer().await;
    }
    eventually("a request fails", async || when(replica.request(Method::GET, "/api/fleet").answer().await.status == 500)).await;
    let mut socket = RawSocket::connected(replica.program.address, &replica.token).await;
    socket.text("420[\"ping\",{\"at\":1}]").await;
    let domains = attributes();
    let expected = [
        "attempt",
        "db.collection.name",
        "db.system.name",
        "enqueued_by",
        "error.type",
        "event",
        "http.route",
        "job_id",
        "kind",
        "url.path",
        "user",
        "vitrine.cache.type",
        "vitrine.driver",
    ];
    eventually("spans of every kind are exported", async || {
        let spans = collector.spans();
        let has = |name: &&str| spans.iter().any(|span| span.span.attributes.iter().any(|attribute| attribute.key == **name));
        when(expected.iter().all(has))
    })
    .await;
    for span in collector.spans() {
        for name in span.span.attributes.iter().map(|attribute| attribute.key.as_str()) {
            let (_, domain) = domains.iter().find(|(known, _)| *known == name).unwrap_or_else(|| panic!("{name} is not listed"));
            let value = span.attribute(name);
            assert!(domain.contains(&value), "{}: {name}={value}", span.name());
        }
        assert!(["a-slug", "hunter2", "such"].iter().all(|text| !format!("{span:?}").contains(text)), "{span:?}");
    }
}
