//! Access to the files of `deploy/kubernetes`, as they are before Kustomize renders them.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use crate::files::{items, root, text, yaml};

/// A kind of pod.
pub struct Pod {
    /// The name of its object and of its label `app.kubernetes.io/component`.
    pub name: &'static str,
    /// The service of Compose that it replaces; none if it is a command of another one.
    pub service: Option<&'static str>,
    file: &'static str,
    kind: &'static str,
    /// Whether it runs until it is stopped.
    pub runs: bool,
}

const fn pod_of(name: &'static str, service: &'static str, file: &'static str, kind: &'static str) -> Pod {
    Pod { name, service: Some(service), file, kind, runs: true }
}

/// Every kind of pod, except that of Prometheus, which its operator creates.
pub const PODS: [Pod; 8] = [
    pod_of("backend", "backend-1", "base/backend.yaml", "StatefulSet"),
    Pod { service: None, runs: false, ..pod_of("migrate", "", "base/migrate.yaml", "Job") },
    pod_of("edge", "caddy", "base/edge.yaml", "Deployment"),
    pod_of("postgres", "postgres", "overlays/local/stores.yaml", "StatefulSet"),
    pod_of("redis", "redis", "overlays/local/stores.yaml", "Deployment"),
    pod_of("postgres-exporter", "postgres-exporter", "monitoring/exporters.yaml", "Deployment"),
    pod_of("redis-exporter", "redis-exporter", "monitoring/exporters.yaml", "Deployment"),
    pod_of("blackbox-exporter", "blackbox-exporter", "monitoring/exporters.yaml", "Deployment"),
];

/// The objects of a file; `file` is relative to `deploy/kubernetes`.
pub fn objects(file: &str) -> Vec<Value> {
    let text = text(&format!("deploy/kubernetes/{file}"));
    serde_norway::Deserializer::from_str(&text).map(|document| Value::deserialize(document).unwrap()).collect()
}

/// The object of a file with this kind and name.
pub fn object(file: &str, kind: &str, name: &str) -> Value {
    let found = objects(file).into_iter().find(|object| object["kind"] == kind && object["metadata"]["name"] == name);
    found.unwrap_or_else(|| panic!("{file} has no {kind} {name}"))
}

/// The description of a pod.
pub fn pod(name: &str) -> Value {
    let Pod { file, kind, .. } = PODS.iter().find(|pod| pod.name == name).unwrap();
    let object = objects(file)
        .into_iter()
        .find(|object| object["kind"] == *kind && object["metadata"]["labels"]["app.kubernetes.io/component"] == name);
    object.unwrap_or_else(|| panic!("{file} has no {kind} {name}"))["spec"]["template"]["spec"].clone()
}

/// The only container of a pod.
pub fn container(name: &str) -> Value {
    let containers = pod(name)["containers"].as_array().cloned().unwrap();
    let [container] = &containers[..] else { panic!("{name} has {} containers", containers.len()) };
    container.clone()
}

/// The variables of a file; `file` is relative to `deploy/kubernetes`.
pub fn settings(file: &str) -> BTreeMap<String, String> {
    let text = text(&format!("deploy/kubernetes/{file}"));
    let lines = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines.map(|line| line.split_once('=').map(|(name, value)| (name.to_owned(), value.to_owned())).unwrap()).collect()
}

/// A key of a service of Compose, also from the block that it extends.
pub fn of_service<'a>(service: &'a Value, key: &str) -> &'a Value {
    let own = &service[key];
    if own.is_null() && service["<<"].is_object() { of_service(&service["<<"], key) } else { own }
}

/// Every policy of the network.
pub fn policies() -> Vec<Value> {
    let files = ["base/network.yaml", "overlays/local/stores.yaml", "overlays/production/network.yaml", "monitoring/network.yaml"];
    files.into_iter().flat_map(objects).filter(|object| object["kind"] == "NetworkPolicy").collect()
}

/// The components that a selector of pods names; none if it selects all.
pub fn selected(selector: &Value) -> Vec<String> {
    let label = "app.kubernetes.io/component";
    let one = selector["matchLabels"][label].as_str().map(str::to_owned);
    let several = items(&selector["matchExpressions"]).filter(|expression| expression["key"] == label);
    let several = several.flat_map(|expression| items(&expression["values"])).filter_map(|name| name.as_str().map(str::to_owned));
    one.into_iter().chain(several).collect()
}

/// A file of `deploy/kubernetes` with one document.
pub fn document(file: &str) -> Value {
    yaml(&root().join("deploy/kubernetes").join(file))
}
