//! `deploy/ecs` and docker-compose.yml: what both must have in common, and numbers that must fit each other. `cargo xtask deploy` checks
//! the files by themselves.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde_json::Value;

use crate::files::{by_default, files, items, merged, root, stem, text, yaml};

/// Variables of replicas with another value than in Compose, each with the reason.
const DIFFERENT: [(&str, &str); 8] = [
    ("ENVIRONMENT", "others can reach the service"),
    ("LISTEN_ADDRESS", "one replica in each task, so all have one port"),
    ("REPLICA", "tasks have no numbers"),
    ("PUBLIC_URL", "a domain"),
    ("TRUSTED_PROXIES", "the edge is in the same task, the load balancer in the same network"),
    ("TOOL_ADDRESSES", "other host names"),
    ("MAIL_FROM", "a domain"),
    ("DEMO_TRAFFIC", "none in production"),
];
/// The longest time that Fargate gives a container to stop.
const LONGEST_STOP: Duration = Duration::from_mins(2);
/// Connections that a replica opens outside of its pool (.env.example).
const OUTSIDE_POOL: u64 = 2;
/// Connections for operators, the exporter, the migration and Postgres itself.
const RESERVED: u64 = 20;

fn limits() -> Value {
    serde_json::from_str(&text("deploy/ecs/limits.json")).unwrap()
}

fn compose() -> Value {
    yaml(&root().join("docker-compose.yml"))
}

/// The containers of each task, by the name of its file.
fn tasks() -> BTreeMap<String, Vec<Value>> {
    let read = |path: &std::path::PathBuf| serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    files("deploy/ecs/containers", "json").iter().map(|path| (stem(path), read(path))).collect()
}

fn container(task: &str, name: &str) -> Value {
    tasks()[task].iter().find(|container| container["name"] == name).unwrap().clone()
}

/// The containers with the services of Compose that they correspond to.
fn counterparts() -> Vec<(Value, Value)> {
    let services = &compose()["services"];
    let of = |container: Value| {
        let name = match container["name"].as_str().unwrap() {
            "edge" => "caddy",
            "backend" => "backend-1",
            name => name,
        };
        services.get(name).map(|service| (container, service.clone()))
    };
    let pairs: Vec<_> = tasks().into_values().flatten().filter_map(of).collect();
    assert_eq!(pairs.len(), 9, "every container but the migration has a counterpart");
    pairs
}

fn variables(container: &Value) -> BTreeMap<String, String> {
    let pair = |entry: &Value| (entry["name"].as_str().unwrap().to_owned(), entry["value"].as_str().unwrap().to_owned());
    items(&container["environment"]).map(pair).collect()
}

fn duration(text: &str) -> Duration {
    humantime::parse_duration(text).unwrap()
}

fn seconds(value: &Value) -> Duration {
    Duration::from_secs(value.as_u64().unwrap())
}

/// A duration in the Caddyfile after this text.
fn of_edge(before: &str) -> Duration {
    let caddyfile = text("Caddyfile");
    let (_, rest) = caddyfile.split_once(before).unwrap();
    duration(rest.split_whitespace().next().unwrap())
}

#[test]
fn replicas_and_edges_have_the_settings_of_compose() {
    let (compose, backend, edge) = (compose(), variables(&container("backend", "backend")), variables(&container("backend", "edge")));
    let mut compared = 0;
    for (name, value) in &backend {
        let Some(shipped) = compose["x-backend-environment"][name].as_str().or_else(|| compose["x-links"][name].as_str()) else {
            assert!(DIFFERENT.iter().any(|(different, _)| different == name), "Compose does not set {name}");
            continue;
        };
        if DIFFERENT.iter().any(|(different, _)| different == name) {
            assert_ne!(*value, by_default(shipped), "{name} is the same, so it needs no reason");
        } else {
            assert_eq!(*value, by_default(shipped), "{name}");
            compared += 1;
        }
    }
    assert!(compared >= 15, "only {compared} settings are in both");
    for name in ["DRAIN_DELAY", "DRAIN_TIMEOUT", "SOCKET_DRAIN", "SOCKET_PING_INTERVAL", "REQUEST_TIMEOUT", "BODY_LIMIT"] {
        assert!(backend.contains_key(name), "{name} must be visible where it is compared");
    }
    let of_compose = &compose["services"]["caddy"]["environment"];
    for name in ["SITE_ADDRESS", "BODY_LIMIT", "EDGE_ANSWER_TIMEOUT", "EDGE_STREAM_CLOSE_DELAY"] {
        assert_eq!(edge[name], by_default(of_compose[name].as_str().unwrap()), "{name}");
    }
}

#[test]
fn containers_have_the_limits_users_and_images_of_compose() {
    for (container, service) in counterparts() {
        let name = container["name"].as_str().unwrap();
        let limit = merged(&service, "mem_limit").as_str().unwrap();
        let memory = match limit.split_at(limit.len() - 1) {
            (number, "g") => number.parse::<u64>().unwrap() * 1024,
            (number, _) => number.parse().unwrap(),
        };
        assert_eq!(container["memory"], memory, "memory of {name}");
        if let Some(grace) = merged(&service, "stop_grace_period").as_str() {
            assert_eq!(seconds(&container["stopTimeout"]), duration(grace), "time to stop of {name}");
        }
        if let Some(user) = merged(&service, "user").as_str() {
            assert_eq!(container["user"], user, "user of {name}");
        }
        let image = container["image"].as_str().unwrap();
        assert!(image.starts_with("${registry}/") || service["image"] == image, "image of {name}: {image}");
    }
}

#[test]
fn no_container_may_change_its_image_or_hold_capabilities() {
    for container in tasks().values().flatten() {
        let name = &container["name"];
        assert_eq!(container["readonlyRootFilesystem"], true, "{name}");
        assert_eq!(container["linuxParameters"]["capabilities"], serde_json::json!({ "drop": ["ALL"] }), "{name}");
        assert!(container["user"].as_str().is_some_and(|user| !user.starts_with("0:")), "{name}");
    }
}

#[test]
fn folders_that_a_container_writes_into_are_volumes_of_its_task_and_belong_to_its_user() {
    let dockerfile = text("deploy/ecs/images/Dockerfile");
    let owned: Vec<&str> = dockerfile.lines().filter_map(|line| line.strip_prefix("VOLUME ")).collect();
    for (task, containers) in tasks() {
        let declared = text(if task == "backend" { "deploy/ecs/backend.tf" } else { "deploy/ecs/monitoring.tf" });
        for mount in containers.iter().flat_map(|container| items(&container["mountPoints"])) {
            let (volume, path) = (mount["sourceVolume"].as_str().unwrap(), mount["containerPath"].as_str().unwrap());
            assert!(declared.contains(&format!("\"{volume}\"")), "{task}: {volume}");
            // The agent of sessions runs as root, and EFS has users of its own.
            let has_owner = volume.starts_with("exec-") || (volume == "data" && task != "grafana");
            assert!(has_owner || owned.iter().any(|line| line.contains(path)), "{task}: the image must declare the volume {path}");
        }
    }
}

#[test]
fn images_of_the_deployment_extend_those_of_compose() {
    let compose = compose();
    let known: BTreeSet<&str> = compose["services"].as_object().unwrap().values().filter_map(|service| service["image"].as_str()).collect();
    let dockerfile = text("deploy/ecs/images/Dockerfile");
    let stages: Vec<(&str, &str)> = dockerfile.lines().filter_map(|line| line.strip_prefix("FROM ")?.split_once(" AS ")).collect();
    for (image, name) in &stages {
        assert!(known.contains(image) || stages.iter().any(|(_, stage)| stage == image), "{name}: Compose does not run {image}");
    }
    let registry = text("deploy/ecs/registry.tf");
    // A version has one tag everywhere: that of .github/workflows/release.yml.
    assert!(text("deploy/ecs/push.sh").contains("git rev-parse --short=12 HEAD"));
    for container in tasks().values().flatten() {
        let Some(image) = container["image"].as_str().unwrap().strip_prefix("${registry}/") else { continue };
        let name = image.strip_suffix(":${tag}").unwrap();
        assert!(registry.contains(&format!("\"{name}\"")), "registry.tf must have {name}");
        assert!(name == "vitrine" || stages.iter().any(|(_, stage)| *stage == name), "images/Dockerfile must build {name}");
    }
}

#[test]
fn the_load_balancer_waits_longer_than_replicas_and_shorter_than_the_edge() {
    let (limits, backend) = (limits(), variables(&container("backend", "backend")));
    let (balancer, edge) = (&limits["load_balancer"], variables(&container("backend", "edge")));
    let answer = duration(&edge["EDGE_ANSWER_TIMEOUT"]);
    for (what, longest) in [("a response", answer), ("a long poll", duration(&backend["SOCKET_PING_INTERVAL"]))] {
        assert!(longest < seconds(&balancer["idle_timeout"]), "{what}");
        assert!(longest < seconds(&balancer["deregistration_delay"]), "{what} in flight must end before its task gets SIGTERM");
    }
    // Of two ends of an idle connection, the one that sends the next request must close it.
    assert!(seconds(&balancer["idle_timeout"]) < of_edge("\t\t\tidle "));
    let check = &balancer["health_check"];
    assert!(of_edge("lb_try_duration ") < seconds(&check["timeout"]) && seconds(&check["timeout"]) < seconds(&check["interval"]));
}

#[test]
fn a_task_has_time_to_drain() {
    let container = container("backend", "backend");
    let backend = variables(&container);
    let drains = duration(&backend["DRAIN_DELAY"]) + duration(&backend["DRAIN_TIMEOUT"]);
    let killed = seconds(&container["stopTimeout"]);
    assert!(drains + Duration::from_secs(5) <= killed && killed <= LONGEST_STOP, "{drains:?} {killed:?}");
    assert!(duration(&backend["SOCKET_DRAIN"]) <= duration(&backend["DRAIN_TIMEOUT"]));
    // ECS stops containers in the opposite order: the edge stays until its replica has drained.
    assert_eq!(container["dependsOn"][0]["containerName"], "edge");
}

#[test]
fn health_checks_use_routes_that_exist() {
    let openapi: Value = serde_json::from_str(&text("docs/openapi.json")).unwrap();
    let path = &limits()["load_balancer"]["health_check"]["path"];
    assert!(openapi["paths"][path.as_str().unwrap()]["get"].is_object(), "the edge serves no {path}");
    let edge = container("backend", "edge");
    let live = items(&edge["healthCheck"]["command"]).filter_map(Value::as_str).last().unwrap();
    let port = limits()["ports"]["backend"].to_string();
    let route = live.strip_prefix(&format!("http://127.0.0.1:{port}")).unwrap();
    // Not readiness: ECS replaces the task of an unhealthy container, which helps no replica whose database is down.
    assert_eq!(route, "/health/live");
    assert!(openapi["paths"][route]["get"].is_object());
}

#[test]
fn ports_agree() {
    let (ports, edge, backend) = (&limits()["ports"], container("backend", "edge"), container("backend", "backend"));
    let of = |container: &Value| items(&container["portMappings"]).map(|port| port["containerPort"].clone()).collect::<Vec<_>>();
    assert_eq!(of(&edge), [ports["edge"].clone(), ports["edge_metrics"].clone()]);
    assert_eq!(of(&backend), [ports["backend"].clone()]);
    assert_eq!(variables(&backend)["LISTEN_ADDRESS"], format!("0.0.0.0:{}", ports["backend"]));
    assert_eq!(variables(&edge)["UPSTREAMS"], format!("127.0.0.1:{}", ports["backend"]));
    let caddyfile = text("Caddyfile");
    assert!(caddyfile.contains(&format!("{{$EDGE_HTTP_PORT:{}}}", ports["edge"])));
    assert!(caddyfile.contains(&format!("{{$CADDY_METRICS::{}}}", ports["edge_metrics"])));
}

#[test]
fn a_task_has_the_memory_of_its_containers() {
    let sum = |task: &str| tasks()[task].iter().map(|container| container["memory"].as_u64().unwrap()).sum::<u64>();
    assert!(sum("backend") <= limits()["task"]["memory"].as_u64().unwrap());
    let monitoring = text("deploy/ecs/monitoring.tf");
    for task in ["prometheus", "alertmanager", "grafana"] {
        let line = monitoring.lines().find(|line| line.trim_start().starts_with(&format!("{task} "))).unwrap();
        let memory = line.split_once("memory = ").unwrap().1.split(',').next().unwrap();
        assert!(sum(task) <= memory.parse().unwrap(), "{task}");
    }
}

#[test]
fn postgres_has_connections_for_twice_the_replicas() {
    let (limits, backend) = (limits(), variables(&container("backend", "backend")));
    let pool: u64 = backend["DATABASE_MAX_CONNECTIONS"].parse().unwrap();
    let most = limits["replicas"]["most"].as_u64().unwrap();
    let allowed = limits["database"]["max_connections"].as_u64().unwrap();
    // During a deployment, new replicas run beside all old ones.
    assert!(2 * most * (pool + OUTSIDE_POOL) + RESERVED <= allowed);
    let alarms: Value = serde_json::from_str(&text("deploy/ecs/alarms.json")).unwrap();
    let limit = |name: &str| items(&alarms).find(|alarm| alarm["name"] == name).unwrap()["limit"].as_u64().unwrap();
    assert_eq!(limit("database-connections"), allowed * 8 / 10);
    assert_eq!(limit("backend-stopped"), limits["replicas"]["least"].as_u64().unwrap());
    // The private name server returns at most eight addresses, so Prometheus would not see a ninth replica.
    assert!(most <= 8);
}

#[test]
fn stores_are_configured_as_in_compose() {
    let (limits, compose) = (limits(), compose());
    let image = compose["services"]["postgres"]["image"].as_str().unwrap();
    let major = image.strip_prefix("postgres:").unwrap().split('.').next();
    assert_eq!(limits["database"]["version"].as_str(), major);
    let terse = "log_error_verbosity=terse";
    assert!(items(&compose["services"]["postgres"]["command"]).any(|argument| argument == terse));
    assert!(text("deploy/ecs/database.tf").contains("name  = \"log_error_verbosity\"\n    value = \"terse\""));
    let policy = limits["cache"]["max_memory_policy"].as_str().unwrap();
    assert!(text("compose/make-secrets.sh").contains(&format!("maxmemory-policy {policy}\n")));
}

#[test]
fn tasks_can_read_exactly_the_secrets_that_they_name() {
    let (roles, known) = (text("deploy/ecs/iam.tf"), text("deploy/ecs/secrets.tf"));
    let (_, block) = roles.split_once("secrets_of = {\n").unwrap();
    for line in block.lines().take_while(|line| line.trim() != "}") {
        let (task, list) = line.split_once(" = ").unwrap();
        let allowed: BTreeSet<&str> = list.split('"').skip(1).step_by(2).collect();
        let containers = tasks()[task.trim()].clone();
        let named =
            containers.iter().flat_map(|container| items(&container["secrets"])).map(|secret| secret["valueFrom"].as_str().unwrap());
        let named: BTreeSet<&str> = named.map(|name| name.strip_prefix("${secrets.").unwrap().strip_suffix('}').unwrap()).collect();
        assert_eq!(named, allowed, "{}", task.trim());
        for name in named {
            assert!(known.lines().any(|line| line.split_whitespace().next() == Some(name)), "secrets.tf must have {name}");
        }
    }
}
