//! What `deploy/kubernetes` and Compose must have in common: variables, images, ports, limits, probes, times, rules and dashboards.
//! `cargo xtask deploy` checks the objects themselves. `kubernetes/monitoring` compares the monitoring, and `kubernetes/objects` reads the
//! files.

mod monitoring;
mod objects;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use clap::{CommandFactory, Parser};
use serde_json::Value;
use vitrine::config::{Cli, Config};

use self::objects::{PODS, container, of_service, pod, settings};
use crate::files::{by_default, items, root, text, yaml};

/// Variables of Compose with another value in the base, and why.
const OTHER_VALUES: [(&str, &str); 3] = [
    ("ENVIRONMENT", "others can reach a cluster"),
    ("TRUSTED_PROXIES", "the network of pods instead of the network of the edge"),
    ("DEMO_TRAFFIC", "the cluster has no demo traffic"),
];
/// Variables of Compose that the base does not set, and why.
const UNSET: [(&str, &str); 13] = [
    ("DOCKER_HOST", "pods have no container engine"),
    ("OTEL_EXPORTER_OTLP_ENDPOINT", "there is no collector by default"),
    ("OTEL_LOGS_EXPORTER", "there is no collector by default"),
    ("PLATFORMS_FILE", "there are no platforms by default"),
    ("SMTP_URL", "SMTP_URL_FILE: with the password of a mail server, it is a secret"),
    ("MAIL_URL", "a mail server has no page"),
    ("PROVIDER_SIM_URL", "no platform is simulated"),
    ("PUBLIC_URL", "the overlays set it"),
    ("GRAFANA_URL", "the overlay `production` sets it"),
    ("TOOL_ADDRESSES", "the overlay `production` sets it"),
    ("RUNBOOKS_URL", "the overlay `production` sets it"),
    ("PROMETHEUS_URL", "the overlay `production` sets it"),
    ("ALERTMANAGER_URL", "the overlay `production` sets it"),
];
/// Services of Compose that the cluster does not have, and why.
const ABSENT: [(&str, &str); 19] = [
    ("secrets", "make-secrets.sh of the overlay `local`, and references in `production`"),
    ("demo-data", "README.md has the command"),
    ("provider-sim", "a cluster uses real platforms, or none"),
    ("backup", "the operator or the provider of Postgres makes backups: docs/DISASTER-RECOVERY.md"),
    ("backup-wal", "as `backup`"),
    ("backup-files", "as `backup`"),
    ("engine", "pods have no container engine"),
    ("prometheus", "its operator creates the pod; `monitoring` compares the settings"),
    ("alertmanager", "that of the cluster"),
    ("grafana", "that of the cluster"),
    ("runbooks", "they are published where people on call can reach them without the cluster"),
    ("node-exporter", "that of the cluster"),
    ("cadvisor", "the cluster measures its own containers"),
    ("otel-collector", "that of the cluster"),
    ("tempo", "that of the cluster"),
    ("loki", "that of the cluster"),
    ("maildev", "a cluster uses a real mail server, or none"),
    ("demo-traffic", "only for demos"),
    ("k6", "load comes from outside the cluster"),
];

fn compose() -> Value {
    yaml(&root().join("docker-compose.yml"))
}

fn seconds(text: &str) -> Duration {
    humantime::parse_duration(text).unwrap()
}

/// The configuration that these settings make.
fn config(settings: &BTreeMap<String, String>) -> Config {
    let secrets = ["--database-url=postgres://x", "--redis-url=redis://x"].map(str::to_owned);
    let flags = settings.iter().filter(|(name, _)| !name.ends_with("_FILE"));
    let flags = flags.map(|(name, value)| format!("--{}={value}", name.to_lowercase().replace('_', "-")));
    Cli::try_parse_from(["vitrine".to_owned()].into_iter().chain(secrets).chain(flags)).unwrap().config
}

#[test]
fn replicas_have_the_variables_of_compose() {
    let (base, compose) = (settings("base/settings.env"), compose());
    let (production, links) = (settings("overlays/production/settings.env"), &compose["x-links"]);
    let variables = compose["x-backend-environment"].as_object().unwrap().iter().chain(links.as_object().unwrap());
    for (name, value) in variables.filter(|(name, _)| *name != "<<") {
        let of_compose = by_default(value.as_str().unwrap());
        match base.get(name) {
            Some(value) => assert_eq!(*value != of_compose, OTHER_VALUES.iter().any(|(other, _)| other == name), "{name}={value}"),
            None => assert!(UNSET.iter().any(|(unset, _)| unset == name), "{name} is missing"),
        }
    }
    for (name, why) in UNSET {
        assert!(!base.contains_key(name), "{name} is set");
        assert!(!why.contains("`production`") || production.contains_key(name), "production does not set {name}");
    }
}

#[test]
fn every_setting_is_a_variable_of_the_program_with_a_valid_value() {
    let known: BTreeSet<String> =
        Cli::command().get_arguments().filter_map(|arg| Some(arg.get_env()?.to_string_lossy().into_owned())).collect();
    for overlay in ["local", "production"] {
        let mut all = settings("base/settings.env");
        all.extend(settings(&format!("overlays/{overlay}/settings.env")));
        for name in all.keys() {
            assert!(known.contains(name) || name.strip_suffix("_FILE").is_some_and(|name| known.contains(name)), "{overlay}: {name}");
        }
        let config = config(&all);
        assert_eq!(config.public_url.scheme() == "https", overlay == "production");
    }
    let caddyfile = text("Caddyfile");
    for name in settings("base/edge/settings.env").keys() {
        assert!(name.starts_with("XDG_") || caddyfile.contains(&format!("{{${name}:")), "{name}");
    }
}

#[test]
fn every_secret_file_is_in_the_secret_of_both_overlays() {
    let local = yaml(&root().join("deploy/kubernetes/overlays/local/kustomization.yaml"));
    let local = items(&local["secretGenerator"]).find(|secret| secret["name"] == "backend").unwrap();
    let production = objects::objects("overlays/production/secrets.yaml");
    let production = production.iter().find(|secret| secret["metadata"]["name"] == "backend").unwrap();
    let (base, of_production) = (settings("base/settings.env"), settings("overlays/production/settings.env"));
    for (name, path) in base.iter().chain(&of_production).filter(|(name, _)| name.ends_with("_FILE")) {
        let key = path.strip_prefix("/run/vitrine/").unwrap_or_else(|| panic!("{name} is not in the mounted secret"));
        let is_local = !of_production.contains_key(name);
        assert_eq!(items(&local["files"]).any(|file| *file == format!("secrets/{key}").as_str()), is_local, "local: {key}");
        assert!(items(&production["spec"]["data"]).any(|entry| entry["secretKey"] == key), "production: {key}");
    }
    let mounts = &container("backend")["volumeMounts"];
    assert!(items(mounts).any(|mount| mount["mountPath"] == "/run/vitrine" && mount["readOnly"] == true));
}

#[test]
fn every_service_of_compose_has_its_image_and_its_limit_of_memory_or_a_reason_to_be_absent() {
    let compose = compose();
    let present: BTreeMap<&str, &str> = PODS.iter().filter_map(|pod| Some((pod.service?, pod.name))).collect();
    for (name, service) in compose["services"].as_object().unwrap() {
        let service_name = if name.starts_with("backend-") { "backend-1" } else { name };
        let Some(pod) = present.get(service_name) else {
            assert!(ABSENT.iter().any(|(absent, _)| absent == name), "{name} is neither in the cluster nor listed");
            continue;
        };
        let container = container(pod);
        let image = by_default(of_service(service, "image").as_str().unwrap());
        assert_eq!(container["image"].as_str().unwrap(), image.strip_suffix(":local").unwrap_or(&image), "{name}");
        let limit = of_service(service, "mem_limit").as_str().unwrap().replace('m', "Mi").replace('g', "Gi");
        assert_eq!(container["resources"]["limits"]["memory"], limit, "{name}");
        assert_eq!(of_service(service, "read_only"), &Value::Bool(true), "{name}");
    }
    let stale: Vec<_> = ABSENT.iter().filter(|(absent, _)| !compose["services"][absent].is_object()).collect();
    assert!(stale.is_empty(), "Compose has no such service: {stale:?}");
}

#[test]
fn every_pod_runs_without_privileges() {
    for pod_of in PODS {
        let pod = pod(pod_of.name);
        let identity = &pod["securityContext"];
        assert!(identity["runAsNonRoot"] == true && identity["seccompProfile"]["type"] == "RuntimeDefault", "{}", pod_of.name);
        assert_eq!(pod["automountServiceAccountToken"], false, "{}", pod_of.name);
        let rights = &container(pod_of.name)["securityContext"];
        assert!(rights["readOnlyRootFilesystem"] == true && rights["allowPrivilegeEscalation"] == false, "{}", pod_of.name);
        assert_eq!(rights["capabilities"]["drop"], serde_json::json!(["ALL"]), "{}", pod_of.name);
        assert!(rights["capabilities"]["add"].is_null() || pod_of.name == "edge", "{}", pod_of.name);
    }
}

#[test]
fn probes_ask_the_health_routes_as_often_as_the_image_does() {
    let replica = container("backend");
    let path = |probe: &str| replica[probe]["httpGet"]["path"].as_str().unwrap().to_owned();
    assert_eq!(["startupProbe", "livenessProbe", "readinessProbe"].map(path), ["/health", "/health/live", "/health/ready"]);
    let operations = text("src/operations.rs");
    for route in ["startupProbe", "livenessProbe", "readinessProbe"].map(path) {
        assert!(operations.contains(&format!("path = \"{route}\"")), "{route}");
    }
    let dockerfile = text("Dockerfile");
    let check = dockerfile.lines().rfind(|line| line.starts_with("HEALTHCHECK")).unwrap();
    let option = |name: &str| check.split_once(&format!("--{name}=")).unwrap().1.split(' ').next().unwrap().to_owned();
    let ready = &replica["readinessProbe"];
    assert_eq!(ready["periodSeconds"], seconds(&option("interval")).as_secs());
    assert_eq!(ready["timeoutSeconds"], seconds(&option("timeout")).as_secs());
    assert_eq!(ready["failureThreshold"].to_string(), option("retries"));
    let start = &replica["startupProbe"];
    assert_eq!(
        start["periodSeconds"].as_u64().unwrap() * start["failureThreshold"].as_u64().unwrap(),
        seconds(&option("start-period")).as_secs()
    );
    for pod in PODS.iter().filter(|pod| pod.runs) {
        let container = container(pod.name);
        assert!(container["livenessProbe"].is_object() && container["readinessProbe"].is_object(), "{}", pod.name);
    }
}

#[test]
fn no_pod_is_killed_while_it_drains() {
    let compose = compose();
    let config = config(&settings("base/settings.env"));
    let grace = |name: &str| Duration::from_secs(pod(name)["terminationGracePeriodSeconds"].as_u64().unwrap());
    assert_eq!(grace("backend"), seconds(compose["x-backend"]["stop_grace_period"].as_str().unwrap()));
    assert!(config.drain_delay + config.drain_timeout + Duration::from_secs(5) <= grace("backend"));
    assert!(config.socket_drain < config.drain_timeout);
    assert!(container("backend")["lifecycle"].is_null(), "a hook would delay the drain");
    // The edge is shut down after its hook.
    let hook = Duration::from_secs(container("edge")["lifecycle"]["preStop"]["sleep"]["seconds"].as_u64().unwrap());
    assert!(hook + seconds(compose["services"]["caddy"]["stop_grace_period"].as_str().unwrap()) <= grace("edge"));
    assert_eq!(grace("postgres"), seconds(compose["services"]["postgres"]["stop_grace_period"].as_str().unwrap()));
}

#[test]
fn the_edge_knows_every_replica_that_the_autoscaler_may_start() {
    let edge = settings("base/edge/settings.env");
    let scaler = objects::object("base/backend-scaling.yaml", "HorizontalPodAutoscaler", "backend")["spec"].clone();
    let set = objects::object("base/backend.yaml", "StatefulSet", "backend")["spec"].clone();
    let port = settings("base/settings.env")["LISTEN_ADDRESS"].rsplit_once(':').unwrap().1.to_owned();
    let first = set["ordinals"]["start"].as_u64().unwrap();
    let name = |number: u64| format!("backend-{number}.{}:{port}", set["serviceName"].as_str().unwrap());
    let names: Vec<String> = (first..first + scaler["maxReplicas"].as_u64().unwrap()).map(name).collect();
    assert_eq!(edge["UPSTREAMS"], names.join(" "));
    let of_compose = compose()["services"].as_object().unwrap().keys().filter(|name| name.starts_with("backend-")).count();
    assert_eq!(scaler["minReplicas"], of_compose);
    assert!(set["replicas"].is_null(), "an update would reset the number of replicas");
    assert_eq!(container("backend")["ports"][0]["containerPort"].to_string(), port);
    // Each replica has two connections outside its pool (docs/OPERATIONS.md). Postgres accepts 100 by default.
    let connections = u64::from(config(&settings("base/settings.env")).database_max_connections) + 2;
    assert!(scaler["maxReplicas"].as_u64().unwrap() * connections < 90);
}

#[test]
fn only_members_of_a_network_of_compose_may_connect() {
    let compose = compose();
    let networks = |component: &str| -> BTreeSet<String> {
        let service = match component {
            "migrate" => "backend-1",
            name => PODS.iter().find(|pod| pod.name == name).and_then(|pod| pod.service).unwrap_or(name),
        };
        items(of_service(&compose["services"][service], "networks")).map(|network| network.as_str().unwrap().to_owned()).collect()
    };
    let mut seen = 0;
    for policy in objects::policies() {
        for server in objects::selected(&policy["spec"]["podSelector"]) {
            let clients =
                items(&policy["spec"]["ingress"]).flat_map(|rule| items(&rule["from"])).filter(|from| from["namespaceSelector"].is_null());
            for client in clients.flat_map(|from| objects::selected(&from["podSelector"])) {
                seen += 1;
                assert!(!networks(&server).is_disjoint(&networks(&client)), "{client} may connect to {server}");
            }
        }
    }
    assert!(seen > 8, "{seen}");
    let default = objects::object("base/network.yaml", "NetworkPolicy", "default");
    assert_eq!(default["spec"]["policyTypes"], serde_json::json!(["Ingress", "Egress"]));
    assert!(default["spec"]["podSelector"].as_object().unwrap().is_empty() && default["spec"]["ingress"].is_null());
}
