//! The services of the profiles `tracing` and `logs`: the collector, Tempo and Loki. Their files name each other, the replicas, Prometheus
//! and Grafana; every host and port must be one that exists. No program here reads these files, so the tests check what they can.

use std::collections::BTreeSet;

use regex_lite::Regex;
use serde_json::{Value, json};

use crate::files::{items, root, text, yaml};
use crate::metrics::Catalogue;
use crate::promql;
use crate::spans::Spans;

/// The services with their profiles.
const SERVICES: [(&str, &[&str]); 3] = [("otel-collector", &["tracing", "logs"]), ("tempo", &["tracing"]), ("loki", &["logs"])];

fn file(path: &str) -> Value {
    yaml(&root().join(path))
}

fn compose() -> Value {
    file("docker-compose.yml")
}

fn collector() -> Value {
    file("monitoring/otel-collector/otel-collector.yml")
}

fn tempo() -> Value {
    file("monitoring/tempo/tempo.yml")
}

fn loki() -> Value {
    file("monitoring/loki/loki.yml")
}

fn str_of(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("{value} is no text"))
}

/// The host and the port of an address, with or without a scheme and a path.
fn host_and_port(address: &str) -> (&str, u64) {
    let address = address.split_once("://").map_or(address, |(_, rest)| rest);
    let (host, port) = address.split('/').next().unwrap().split_once(':').unwrap();
    (host, port.parse().unwrap())
}

/// Whether two services are in one network.
fn reaches(compose: &Value, from: &str, to: &str) -> bool {
    let networks = |service: &str| {
        let service = &compose["services"][service];
        // The replicas share theirs.
        let [own, shared] = [&service["networks"], &service["<<"]["networks"]];
        items(own).chain(items(shared)).map(str_of).collect::<BTreeSet<_>>()
    };
    !networks(from).is_disjoint(&networks(to))
}

/// The ports on which each service listens, by its own file.
fn listens(service: &str) -> Vec<u64> {
    let port = |value: &Value| host_and_port(str_of(value)).1;
    match service {
        "otel-collector" => {
            let config = collector();
            let protocols = &config["receivers"]["otlp"]["protocols"];
            let scraped = &config["service"]["telemetry"]["metrics"]["readers"][0]["pull"]["exporter"]["prometheus"]["port"];
            vec![port(&protocols["grpc"]["endpoint"]), port(&protocols["http"]["endpoint"]), scraped.as_u64().unwrap()]
        }
        "tempo" => {
            let config = tempo();
            let received = port(&config["distributor"]["receivers"]["otlp"]["protocols"]["grpc"]["endpoint"]);
            vec![received, config["server"]["http_listen_port"].as_u64().unwrap()]
        }
        "loki" => vec![loki()["server"]["http_listen_port"].as_u64().unwrap()],
        "prometheus" => vec![9090],
        other => panic!("nobody should need {other}"),
    }
}

#[test]
fn every_address_is_that_of_a_service_in_the_same_network_which_listens_there() {
    let (compose, collector, tempo) = (compose(), collector(), tempo());
    let sources = file("monitoring/grafana/provisioning/datasources/vitrine.yml");
    let of_grafana = items(&sources["datasources"]).filter(|source| source["type"] == "tempo" || source["type"] == "loki");
    let scrapes = file("monitoring/prometheus/prometheus.yml");
    let mut addresses: Vec<(&str, String)> = vec![
        ("otel-collector", str_of(&collector["exporters"]["otlp/tempo"]["endpoint"]).to_owned()),
        ("otel-collector", str_of(&collector["exporters"]["otlphttp/loki"]["endpoint"]).to_owned()),
        ("tempo", str_of(&tempo["metrics_generator"]["storage"]["remote_write"][0]["url"]).to_owned()),
    ];
    addresses.extend(of_grafana.map(|source| ("grafana", str_of(&source["url"]).to_owned())));
    for job in items(&scrapes["scrape_configs"]) {
        for names in items(&job["dns_sd_configs"]) {
            let name = str_of(&names["names"][0]).strip_suffix('.').unwrap();
            addresses.push(("prometheus", format!("{name}:{}", names["port"])));
        }
    }
    // The endpoint that the documents name, for the replicas and the edge.
    let endpoint = "http://otel-collector:4318";
    assert!(text(".env.example").contains(endpoint) && text("docs/OPERATIONS.md").contains(endpoint));
    addresses.extend(["backend-1", "backend-2", "backend-3", "caddy"].map(|service| (service, endpoint.to_owned())));
    assert_eq!(addresses.len(), 12, "{addresses:?}");
    for (from, address) in &addresses {
        let (host, port) = host_and_port(address);
        assert!(listens(host).contains(&port), "{from}: {host} does not listen on {port}");
        assert!(reaches(&compose, from, host), "{from} does not reach {host}");
    }
    let is_received = |flag: &str| items(&compose["services"]["prometheus"]["command"]).any(|one| one == flag);
    assert!(is_received("--web.enable-remote-write-receiver") && is_received("--enable-feature=exemplar-storage"));
}

#[test]
fn the_services_run_only_with_their_profiles_and_as_securely_as_the_others() {
    let compose = compose();
    let example = text(".env.example");
    for (name, profiles) in SERVICES {
        let service = &compose["services"][name];
        assert_eq!(service["profiles"], json!(profiles), "{name}");
        assert_eq!(service["<<"], compose["x-service"], "{name}");
        assert!(!str_of(&service["user"]).starts_with('0'), "{name} runs as root");
        let (_, tag) = str_of(&service["image"]).split_once(':').unwrap();
        assert!(tag.starts_with(|c: char| c.is_ascii_digit()) && tag.matches('.').count() == 2, "{name}: {tag}");
        // Its configuration is mounted where the command looks for it.
        let (_, config) = str_of(&service["command"][0]).split_once('=').unwrap();
        let mut mounts = items(&service["volumes"]).map(str_of).filter_map(|mount| mount.strip_suffix(":ro")?.split_once(':'));
        let mounted = mounts.find_map(|(from, to)| Some(format!("{from}{}", config.strip_prefix(to)?))).unwrap();
        assert!(root().join(&mounted).is_file(), "{name}: no {mounted}");
        for port in items(&service["ports"]).map(str_of) {
            let (published, inner) = port.strip_prefix("127.0.0.1:${").and_then(|port| port.split_once("}:")).unwrap();
            let (variable, default) = published.split_once(":-").unwrap();
            assert!(listens(name).contains(&inner.parse().unwrap()) && default == inner, "{name}: {port}");
            assert!(example.contains(&format!("\n#{variable}={default}\n")), ".env.example must have #{variable}={default}");
        }
    }
    for (name, service) in compose["services"].as_object().unwrap() {
        let needs = service["depends_on"].as_object().into_iter().flatten();
        let needed: Vec<_> = needs.filter(|(other, _)| SERVICES.iter().any(|(name, _)| name == other)).collect();
        assert!(needed.is_empty(), "{name} needs {needed:?}");
    }
    // By default, nothing is sent.
    let replicas = &compose["x-backend-environment"];
    let edge = &compose["services"]["caddy"]["environment"];
    for (value, expected) in [
        (&replicas["OTEL_EXPORTER_OTLP_ENDPOINT"], "${OTEL_EXPORTER_OTLP_ENDPOINT:-}"),
        (&replicas["OTEL_LOGS_EXPORTER"], "${OTEL_LOGS_EXPORTER:-none}"),
        (&edge["EDGE_TRACING"], "${EDGE_TRACING:-off}"),
        (&edge["OTEL_TRACES_SAMPLER_ARG"], str_of(&replicas["OTEL_TRACES_SAMPLER_ARG"])),
    ] {
        assert_eq!(value, expected);
    }
}

#[test]
fn the_collector_has_a_pipeline_for_traces_and_one_for_logs() {
    let config = collector();
    let pipelines = config["service"]["pipelines"].as_object().unwrap();
    assert_eq!(pipelines.keys().collect::<Vec<_>>(), ["logs", "traces"]);
    for kind in ["receivers", "processors", "exporters"] {
        let defined: BTreeSet<&str> = config[kind].as_object().unwrap().keys().map(String::as_str).collect();
        let used: BTreeSet<&str> = pipelines.values().flat_map(|pipeline| items(&pipeline[kind])).map(str_of).collect();
        assert_eq!(used, defined, "{kind}");
    }
    for (signal, exporter) in [("traces", "otlp/tempo"), ("logs", "otlphttp/loki")] {
        let pipeline = &pipelines[signal];
        let order: Vec<&str> = items(&pipeline["processors"]).map(str_of).collect();
        assert_eq!((order.first(), order.last()), (Some(&"memory_limiter"), Some(&"batch")), "{signal}");
        assert_eq!(pipeline["exporters"], json!([exporter]), "{signal}");
    }
    // Loki's endpoint for OTLP, to which the exporter adds `/v1/logs`.
    assert!(str_of(&config["exporters"]["otlphttp/loki"]["endpoint"]).ends_with("/otlp"));
    let limit = str_of(&compose()["x-service"]["mem_limit"]).strip_suffix('m').unwrap().parse::<u64>().unwrap();
    assert!(config["processors"]["memory_limiter"]["limit_mib"].as_u64().unwrap() < limit);
}

#[test]
fn the_edge_exports_no_attributes_and_the_collector_deletes_those_of_clients() {
    let (compose, config, spans) = (compose(), collector(), Spans::read());
    let edge = &compose["services"]["caddy"]["environment"];
    assert_eq!((&edge["OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT"], &edge["OTEL_TRACES_SAMPLER"]), (&json!("0"), &json!("traceidratio")));
    let of_edge = &config["processors"]["attributes/edge"];
    assert_eq!(of_edge["include"]["services"], json!([edge["OTEL_SERVICE_NAME"]]));
    assert_eq!(of_edge["actions"], json!([{ "pattern": ".*", "action": "delete" }]));
    let actions = &config["processors"]["attributes/clients"]["actions"];
    let deleted: BTreeSet<&str> = items(actions).filter(|one| one["action"] == "delete").filter_map(|one| one["key"].as_str()).collect();
    for leaking in ["client.address", "network.peer.address", "url.full", "url.query", "user_agent.original"] {
        assert!(deleted.contains(leaking), "{leaking}");
    }
    let wanted: Vec<_> = deleted.into_iter().filter(|attribute| spans.have(attribute)).collect();
    assert_eq!(wanted, [""; 0], "the service writes these attributes itself");
    let order: Vec<&str> = items(&config["service"]["pipelines"]["traces"]["processors"]).map(str_of).collect();
    assert!(order.contains(&"attributes/edge") && order.contains(&"attributes/clients"), "{order:?}");
}

#[test]
fn traces_and_logs_are_kept_for_the_documented_time() {
    let (tempo, loki) = (tempo(), loki());
    let kept = [&tempo["compactor"]["compaction"]["block_retention"], &loki["limits_config"]["retention_period"]];
    assert_eq!(kept.map(str_of), ["48h"; 2]);
    assert_eq!(loki["compactor"]["retention_enabled"], true);
    assert!(text("docs/OPERATIONS.md").contains("for 48 hours"));
}

#[test]
fn data_sources_lead_from_each_signal_to_the_others() {
    let sources = file("monitoring/grafana/provisioning/datasources/vitrine.yml");
    let settings = |uid: &str| items(&sources["datasources"]).find(|source| source["uid"] == uid).unwrap()["jsonData"].clone();
    let (prometheus, tempo, loki) = (settings("prometheus"), settings("tempo"), settings("loki"));
    assert_eq!(prometheus["exemplarTraceIdDestinations"][0]["datasourceUid"], "tempo");
    assert_eq!(loki["derivedFields"][0]["datasourceUid"], "tempo");
    assert_eq!(
        (&loki["derivedFields"][0]["matcherType"], &loki["derivedFields"][0]["matcherRegex"]),
        (&json!("label"), &json!("trace_id"))
    );
    assert_eq!((&tempo["tracesToLogsV2"]["datasourceUid"], &tempo["serviceMap"]["datasourceUid"]), (&json!("loki"), &json!("prometheus")));
    let to_metrics = &tempo["tracesToMetrics"];
    assert_eq!(to_metrics["datasourceUid"], "prometheus");
    // Grafana replaces `$$` in the file by `$`.
    let attribute = Regex::new(r#"\$\$\{__span\.tags\["([a-z._]+)"\]\}"#).unwrap();
    let (spans, catalogue) = (Spans::read(), Catalogue::read());
    let queries: Vec<&str> = items(&to_metrics["queries"]).map(|query| str_of(&query["query"])).collect();
    assert!(queries.len() > 3);
    for query in queries {
        let asked: Vec<String> = attribute.captures_iter(query).map(|found| found[1].to_owned()).collect();
        assert!(!asked.is_empty() && asked.iter().all(|attribute| spans.have(attribute)), "{query}: {asked:?}");
        let query = attribute.replace_all(query, "");
        assert!(promql::is_closed(&query), "{query}");
        for selector in promql::read(&query).selectors {
            assert!(catalogue.row(&selector.metric).is_some(), "{}", selector.metric);
            for (label, _, _) in &selector.matchers {
                assert!(catalogue.has_label(&selector.metric, label), "{} has no label {label}", selector.metric);
            }
        }
    }
}

/// The prefixes of the routes without a span in a replica must have none at the edge: such a trace would contain nothing else.
#[test]
fn the_edge_begins_traces_only_for_requests_that_replicas_trace() {
    let layers = text("src/http/layers.rs");
    let quiet = layers.split_once("const QUIET: ").and_then(|(_, rest)| rest.split_once("= [")).and_then(|(_, rest)| rest.split_once(']'));
    let quiet: BTreeSet<String> = quiet.unwrap().0.split(", ").map(|prefix| format!("{}*", prefix.trim_matches('"'))).collect();
    let caddyfile = text("Caddyfile");
    let paths = |matcher: &str| {
        let line = caddyfile.lines().find_map(|line| line.trim().strip_prefix(matcher)).unwrap();
        line.split_whitespace().map(str::to_owned).collect::<BTreeSet<_>>()
    };
    assert_eq!(paths("@untraced path "), quiet);
    assert_eq!(paths("@traced not path "), quiet);
}

/// Some builds of Caddy, such as Debian's, have no directive `tracing`.
#[test]
fn the_edge_names_the_directive_for_tracing_only_with_tracing_on() {
    let caddyfile = text("Caddyfile");
    let mut snippet = "";
    let mut naming = BTreeSet::new();
    for line in caddyfile.lines().filter(|line| !line.trim_start().starts_with('#')) {
        if !line.starts_with(char::is_whitespace) {
            snippet = line;
        }
        if line.split_whitespace().any(|word| word == "tracing") {
            naming.insert(snippet);
        }
    }
    assert_eq!(naming, ["(edge_errors_tracing_on) {", "(edge_options_tracing_on) {", "(edge_tracing_on) {"].into());
}
