//! References between the objects of an overlay. Kubernetes accepts a reference to an object that does not exist: the pod then never
//! starts, or the Service has no addresses.

use std::collections::BTreeSet;

use devstack::report::Outcome;
use serde_json::Value;

use super::rendered::Rendered;

/// Whether every object that a pod mounts or runs as exists, and every Service and disruption budget selects a pod.
pub fn check(rendered: &Rendered) -> Outcome {
    let missing: Vec<String> = rendered.own.iter().flat_map(|object| missing(object, rendered)).collect();
    for reference in &missing {
        eprintln!("{reference}");
    }
    match missing.first() {
        None => Outcome { passed: u64::try_from(rendered.own.len()).unwrap_or(u64::MAX), ..Outcome::default() },
        Some(first) => Outcome::failed(first.clone()),
    }
}

/// The references of an object that lead nowhere.
fn missing(object: &Value, rendered: &Rendered) -> Vec<String> {
    let name = format!("{} {}", text(&object["kind"]), text(&object["metadata"]["name"]));
    let mut missing: Vec<String> = mentioned(&object["spec"]["template"]["spec"])
        .into_iter()
        .filter(|(kind, wanted)| !exists(rendered, kind, wanted))
        .map(|(kind, wanted)| format!("{name} refers to the {kind} {wanted}, which does not exist"))
        .collect();
    let selector = match text(&object["kind"]) {
        "Service" => &object["spec"]["selector"],
        "PodDisruptionBudget" => &object["spec"]["selector"]["matchLabels"],
        _ => &Value::Null,
    };
    if selector.is_object() && !labels_of_pods(rendered).any(|labels| contains(labels, selector)) {
        missing.push(format!("{name} selects no pod"));
    }
    missing
}

/// What the pods of a template mention: kinds and names.
fn mentioned(pod: &Value) -> BTreeSet<(&'static str, &str)> {
    let mut found = vec![("ServiceAccount", &pod["serviceAccountName"])];
    for volume in items(&pod["volumes"]) {
        found.push(("ConfigMap", &volume["configMap"]["name"]));
        found.push(("Secret", &volume["secret"]["secretName"]));
        found.push(("PersistentVolumeClaim", &volume["persistentVolumeClaim"]["claimName"]));
    }
    for source in items(&pod["containers"]).flat_map(|container| items(&container["envFrom"])) {
        found.push(("ConfigMap", &source["configMapRef"]["name"]));
        found.push(("Secret", &source["secretRef"]["name"]));
    }
    found.into_iter().filter(|(_, name)| !name.is_null()).map(|(kind, name)| (kind, text(name))).collect()
}

fn exists(rendered: &Rendered, kind: &str, name: &str) -> bool {
    let is_it = |object: &Value| object["kind"] == kind && object["metadata"]["name"] == name;
    // An operator creates this Secret.
    let is_its_source = |object: &Value| kind == "Secret" && object["kind"] == "ExternalSecret" && object["spec"]["target"]["name"] == name;
    rendered.own.iter().any(is_it) || rendered.extensions.iter().any(is_its_source)
}

/// The labels of the pods of each template. The operator creates the pods of a `Prometheus`.
fn labels_of_pods(rendered: &Rendered) -> impl Iterator<Item = &Value> {
    let of_templates = rendered.own.iter().map(|object| &object["spec"]["template"]["metadata"]["labels"]);
    of_templates.chain(rendered.extensions.iter().map(|object| &object["spec"]["podMetadata"]["labels"]))
}

/// Whether a pod with these labels is selected.
fn contains(labels: &Value, selector: &Value) -> bool {
    selector.as_object().is_some_and(|wanted| wanted.iter().all(|(name, value)| labels[name] == *value))
}

fn items(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn references_that_lead_nowhere_are_found() {
        let deployment = json!({
            "kind": "Deployment",
            "metadata": { "name": "edge" },
            "spec": { "template": { "metadata": { "labels": { "app": "edge" } }, "spec": {
                "serviceAccountName": "edge",
                "volumes": [{ "configMap": { "name": "edge-1" } }, { "secret": { "secretName": "key" } }],
                "containers": [{ "envFrom": [{ "configMapRef": { "name": "settings" } }] }],
            } } },
        });
        let named = |kind: &str, name: &str| json!({ "kind": kind, "metadata": { "name": name } });
        let service = |app: &str| json!({ "kind": "Service", "metadata": { "name": app }, "spec": { "selector": { "app": app } } });
        let secret = json!({ "kind": "ExternalSecret", "metadata": { "name": "any" }, "spec": { "target": { "name": "key" } } });
        let found = named("ServiceAccount", "edge");
        let own = vec![deployment, found, named("ConfigMap", "edge-1"), named("ConfigMap", "settings"), service("edge")];
        let mut rendered = Rendered { own, extensions: vec![secret] };
        assert_eq!(check(&rendered).failed, 0);
        rendered.own[3] = named("ConfigMap", "settings-of-old");
        assert!(check(&rendered).note.contains("ConfigMap settings, which does not exist"));
        rendered.own[3] = named("ConfigMap", "settings");
        rendered.own.push(service("lost"));
        assert_eq!(check(&rendered).note, "Service lost selects no pod");
    }
}
