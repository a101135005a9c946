//! The monitoring of the cluster has the rules, the limits and relabelling of scrapes, the dashboards and the settings of Compose's.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::ABSENT;
use super::objects::{document, object, objects};
use crate::files::{DASHBOARD_FOLDERS, files, items, root, stem, text, yaml};
use crate::metrics::Catalogue;

const CAMEL_CASE: [(&str, &str); 2] = [("source_labels", "sourceLabels"), ("target_label", "targetLabel")];

fn of_kind(file: &str, kind: &str) -> BTreeMap<String, Value> {
    let objects = objects(file).into_iter().filter(|object| object["kind"] == kind);
    objects.map(|object| (object["metadata"]["name"].as_str().unwrap().to_owned(), object["spec"].clone())).collect()
}

/// Relabelling with the names of fields that the operator uses.
fn relabelling(rules: &Value) -> Value {
    let text = CAMEL_CASE.iter().fold(rules.to_string(), |text, (from, to)| text.replace(&format!("\"{from}\":"), &format!("\"{to}\":")));
    serde_json::from_str(&text).unwrap()
}

#[test]
fn the_rules_are_those_of_compose() {
    let mut generated = of_kind("monitoring/generated/rules.yaml", "PrometheusRule");
    let aliases = of_kind("monitoring/generated/aliases.yaml", "PrometheusRule");
    assert!(!generated.contains_key("aliases") && aliases.len() == 1, "the aliases are in a file of their own");
    generated.extend(aliases);
    for file in files("monitoring/prometheus/rules", "yml") {
        let name = stem(&file).replace('_', "-");
        assert_eq!(generated.remove(&name), Some(yaml(&file)), "run `cargo xtask deploy`: {name}");
    }
    assert!(generated.is_empty(), "{:?}", generated.keys());
}

#[test]
fn scrapes_have_the_limits_and_the_relabelling_of_compose() {
    let prometheus = yaml(&root().join("monitoring/prometheus/prometheus.yml"));
    let monitors = of_kind("monitoring/generated/scrapes.yaml", "ServiceMonitor");
    let probes = of_kind("monitoring/generated/scrapes.yaml", "Probe");
    for job in items(&prometheus["scrape_configs"]) {
        let name = job["job_name"].as_str().unwrap();
        let limits = |spec: &Value| assert_eq!([&spec["sampleLimit"], &spec["labelLimit"]], [&job["sample_limit"], &job["label_limit"]]);
        let expected = relabelling(&job["metric_relabel_configs"]);
        if name == "probe" {
            assert_eq!(probes.len(), items(&job["static_configs"]).count());
            for group in items(&job["static_configs"]) {
                let spec = &probes[&format!("probe-{}", group["labels"]["probe"].as_str().unwrap())];
                limits(spec);
                assert_eq!((&spec["module"], &spec["metricRelabelings"]), (&group["labels"]["__param_module"], &expected));
                let target = group["targets"][0].as_str().unwrap().replace("caddy:", "edge:");
                assert_eq!(spec["targets"]["staticConfig"]["static"], json!([target]));
            }
        } else if let Some(spec) = monitors.get(name) {
            limits(spec);
            assert_eq!(spec["endpoints"][0]["metricRelabelings"], expected, "{name}");
            assert_eq!(spec["endpoints"][0]["relabelings"][0], json!({ "targetLabel": "job", "replacement": name }));
            assert_eq!(spec["endpoints"][0]["authorization"].is_object(), job["authorization"].is_object(), "{name}");
        } else {
            assert!(ABSENT.iter().any(|(absent, _)| *absent == name), "{name} is neither scraped nor absent");
        }
    }
}

/// Alerts on a replica are inhibited by `instance`, also those of the edge, which names a replica as UPSTREAMS does.
#[test]
fn the_edge_and_prometheus_call_a_replica_by_the_same_name() {
    let monitors = of_kind("monitoring/generated/scrapes.yaml", "ServiceMonitor");
    let instance = monitors["backend"]["endpoints"][0]["relabelings"][1]["replacement"].as_str().unwrap();
    let upstreams = text("deploy/kubernetes/base/edge/settings.env");
    assert!(upstreams.contains(&format!("UPSTREAMS={} ", instance.replace("$1", "backend-1"))), "{instance}");
}

#[test]
fn every_dashboard_of_compose_is_in_its_folder() {
    let generators = yaml(&root().join("monitoring/grafana/kustomization.yaml"));
    let folder = |entry: &Value| entry["options"]["annotations"]["grafana_folder"].as_str().unwrap().to_owned();
    let mut listed: BTreeMap<String, String> =
        items(&generators["configMapGenerator"]).map(|entry| (entry["files"][0].as_str().unwrap().to_owned(), folder(entry))).collect();
    for folder in DASHBOARD_FOLDERS {
        for file in files(&format!("monitoring/grafana/dashboards/{folder}"), "json") {
            let path = format!("dashboards/{folder}/{}.json", stem(&file));
            assert_eq!(listed.remove(&path), Some(format!("Vitrine {folder}")), "monitoring/grafana/kustomization.yaml: {path}");
        }
    }
    assert!(listed.is_empty(), "{listed:?}");
}

#[test]
fn prometheus_has_the_settings_of_compose() {
    let spec = object("monitoring/prometheus.yaml", "Prometheus", "vitrine")["spec"].clone();
    let prometheus = yaml(&root().join("monitoring/prometheus/prometheus.yml"));
    let compose = yaml(&root().join("docker-compose.yml"))["services"]["prometheus"].clone();
    for (field, key) in
        [("scrapeInterval", "scrape_interval"), ("scrapeTimeout", "scrape_timeout"), ("evaluationInterval", "evaluation_interval")]
    {
        assert_eq!(spec[field], prometheus["global"][key], "{field}");
    }
    let option = |name: &str| {
        let start = format!("--{name}=");
        items(&compose["command"]).find_map(|option| option.as_str().unwrap().strip_prefix(start.as_str())).unwrap().to_owned()
    };
    assert_eq!(spec["retention"], option("storage.tsdb.retention.time"));
    assert_eq!(spec["retentionSize"], option("storage.tsdb.retention.size"));
    assert_eq!(spec["enableFeatures"], json!([option("enable-feature")]));
    assert_eq!(spec["image"], compose["image"]);
    assert_eq!(spec["resources"]["limits"]["memory"], compose["mem_limit"].as_str().unwrap().replace('g', "Gi"));
    assert!(spec["image"].as_str().unwrap().ends_with(&format!(":{}", spec["version"].as_str().unwrap())));
    let labels = |labels: &Value| labels.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    assert_eq!(labels(&spec["externalLabels"]), labels(&prometheus["global"]["external_labels"]));
    let dropped = &spec["alerting"]["alertmanagers"][0]["alertRelabelings"];
    assert_eq!(*dropped, relabelling(&prometheus["alerting"]["alert_relabel_configs"]));
}

#[test]
fn the_autoscaler_reads_a_metric_that_the_adapter_computes_from_one_of_the_service() {
    let rule = document("monitoring/prometheus-adapter.yaml")["rules"][0].clone();
    let scaler = object("base/backend-scaling.yaml", "HorizontalPodAutoscaler", "backend");
    let mut names = items(&scaler["spec"]["metrics"]).map(|metric| &metric["pods"]["metric"]["name"]).filter(|name| !name.is_null());
    assert_eq!(names.next(), Some(&rule["name"]["as"]));
    let series = rule["seriesQuery"].as_str().unwrap().split('{').next().unwrap();
    assert!(rule["metricsQuery"].as_str().unwrap().contains(&format!("rate({series}{{")));
    assert!(Catalogue::read().row(series).is_some(), "{series}");
}
