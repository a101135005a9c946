//! Links for people: base URLs come from configuration, their defaults in docker-compose.yml agree with the runbooks, and operators' pages
//! are published on loopback only. `alerts` checks the links of alerts, and `dashboards::links` those of dashboards.

use std::collections::BTreeMap;
use std::fs;

use clap::{Parser, ValueEnum};
use serde_json::Value;
use vitrine::config::{Cli, Tool};

use crate::files::{by_default, dashboard_files, files, items, root, stem, text, yaml};

const PAGE: &str = "monitoring/runbooks/site/page.html";

fn compose() -> Value {
    yaml(&root().join("docker-compose.yml"))
}

/// The local URLs that the page of the runbooks replaces, each with the variable that contains its replacement.
fn replaced() -> BTreeMap<String, String> {
    let quoted = |line: &str| line.split('"').skip(1).step_by(2).map(str::to_owned).collect::<Vec<_>>();
    let pair = |line: &str| match &quoted(line)[..] {
        [address, variable] if address.starts_with("http://localhost:") && variable.ends_with("_URL") => {
            Some((address.clone(), variable.clone()))
        }
        _ => None,
    };
    let pairs: BTreeMap<String, String> = text(PAGE).lines().filter(|line| line.starts_with("  \"")).filter_map(pair).collect();
    assert!(pairs.len() > 4, "{pairs:?}");
    pairs
}

fn runbooks() -> impl Iterator<Item = (String, String)> {
    files("monitoring/runbooks", "md").into_iter().map(|path| (stem(&path), fs::read_to_string(path).unwrap()))
}

#[test]
fn default_addresses_agree_with_the_page_and_the_example() {
    let (links, example) = (&compose()["x-links"], text(".env.example"));
    for (address, variable) in replaced() {
        assert_eq!(
            by_default(links[&variable].as_str().unwrap_or_default()),
            address,
            "x-links of docker-compose.yml: default of {variable}"
        );
        let is_chosen = links[&variable].as_str().unwrap().starts_with(&format!("${{{variable}:-"));
        assert!(!is_chosen || example.contains(&format!("\n#{variable}={address}\n")), ".env.example must have #{variable}={address}");
    }
}

#[test]
fn the_page_replaces_every_local_address_in_runbooks() {
    let known = replaced();
    for (name, text) in runbooks() {
        for line in text.lines() {
            for (at, _) in line.match_indices("localhost:") {
                let start = at.checked_sub("http://".len()).filter(|start| line[*start..].starts_with("http://"));
                let start = start.unwrap_or_else(|| panic!("{name}.md: a URL must begin with http://: {line}"));
                let end = line[at + 10..].find(|c: char| !c.is_ascii_digit()).map_or(line.len(), |length| at + 10 + length);
                assert!(known.contains_key(&line[start..end]), "{name}.md: {PAGE} does not replace {}", &line[start..end]);
                // Inside a container a service keeps its default port, but the page replaces every address that has the form of a link.
                assert!(!line.contains("docker compose exec"), "{name}.md: inside a container the host must be 127.0.0.1: {line}");
            }
        }
    }
}

#[test]
fn links_in_runbooks_name_documents_that_the_page_shows() {
    for (name, text) in runbooks() {
        for link in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            let file = link.split('#').next().unwrap();
            let is_shown = file.strip_prefix("../../docs/").unwrap_or(file);
            let is_shown = is_shown.strip_prefix("adr/").unwrap_or(is_shown).strip_suffix(".md");
            let is_shown = is_shown.is_some_and(|name| name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-'));
            let is_there = root().join("monitoring/runbooks").join(file).is_file();
            assert!(is_shown && is_there, "{name}.md links to {link}");
        }
    }
}

#[test]
fn base_urls_are_settings_and_are_dropped_from_the_labels_of_alerts() {
    let prometheus = yaml(&root().join("monitoring/prometheus/prometheus.yml"));
    let labels = prometheus["global"]["external_labels"].as_object().unwrap();
    let places: Vec<_> = labels.iter().filter(|(name, _)| name.ends_with("_url")).collect();
    assert_eq!(places.len(), 2, "{labels:?}");
    let dropped = &prometheus["alerting"]["alert_relabel_configs"][0];
    assert_eq!(dropped["action"], "labeldrop");
    let names: Vec<&str> = dropped["regex"].as_str().unwrap().split('|').collect();
    for (name, value) in places {
        assert_eq!(*value, format!("${{{}}}", name.to_uppercase()), "{name}");
        assert!(names.contains(&name.as_str()), "alerts must not have the label {name}");
        assert!(compose()["x-links"][name.to_uppercase()].is_string(), "docker-compose.yml must set {}", name.to_uppercase());
    }
    assert!(text("docker-compose.yml").contains("    environment: *links\n    ports: [\"127.0.0.1:${PROMETHEUS_PORT:-9090}:9090\"]\n"));
}

#[test]
fn files_with_links_do_not_contain_localhost() {
    let folders =
        [("monitoring/prometheus/rules", "yml"), ("monitoring/alertmanager", "yml"), ("monitoring/alertmanager/templates", "tmpl")];
    let of_folders = folders.into_iter().flat_map(|(folder, kind)| files(folder, kind));
    for path in of_folders.chain(dashboard_files()) {
        let text = fs::read_to_string(&path).unwrap();
        assert!(!text.contains("localhost"), "{} contains localhost: links must use the configured base URLs", path.display());
    }
}

#[test]
fn all_services_except_the_edge_are_published_on_loopback_only() {
    let compose = compose();
    for (name, service) in compose["services"].as_object().unwrap().iter().filter(|(name, _)| *name != "caddy") {
        for port in items(&service["ports"]) {
            assert!(port.as_str().unwrap().starts_with("127.0.0.1:"), "{name} publishes {port} beyond loopback");
        }
    }
    let page = &compose["services"]["runbooks"];
    assert_eq!(page["networks"], serde_json::json!(["app", "monitoring"]), "the runbooks must be in the networks app and monitoring only");
    let mounts: Vec<_> = items(&page["volumes"]).filter_map(Value::as_str).collect();
    assert_eq!(
        mounts,
        ["./monitoring/runbooks:/srv/monitoring/runbooks:ro", "./docs:/srv/docs:ro"],
        "the service runbooks must mount only documents"
    );
}

#[test]
fn replicas_know_both_urls_of_every_tool_and_share_a_network_with_it() {
    let compose = compose();
    let variables = &compose["x-backend-environment"];
    let addresses = variables["TOOL_ADDRESSES"].as_str().unwrap();
    let arguments = ["vitrine", "--database-url=postgres://x", "--redis-url=redis://x", &format!("--tool-addresses={addresses}")];
    let tools = Cli::try_parse_from(arguments).unwrap().config.tools;
    let url = |tool: &Tool| format!("{}_URL", tool.to_possible_value().unwrap().get_name().to_uppercase().replace('-', "_"));
    for tool in Tool::value_variants() {
        assert!(compose["x-links"][url(tool)].is_string(), "{} is missing", url(tool));
        let address = tools.address(*tool).unwrap_or_else(|| panic!("{tool:?} has no address in TOOL_ADDRESSES"));
        let networks = &compose["services"][address.host_str().unwrap()]["networks"];
        assert!(items(networks).any(|network| network == "app"), "replicas do not reach {address}");
    }
}

#[test]
fn health_and_metrics_of_each_replica_are_published_at_the_port_on_which_it_listens() {
    let (compose, example) = (compose(), text(".env.example"));
    for number in 1..=3 {
        let replica = &compose["services"][format!("backend-{number}")];
        let port = 4000 + number;
        assert_eq!(replica["environment"]["LISTEN_ADDRESS"], format!("0.0.0.0:{port}"));
        assert_eq!(replica["ports"], serde_json::json!([format!("127.0.0.1:${{BACKEND_{number}_PORT:-{port}}}:{port}")]));
        assert!(example.contains(&format!("\n#BACKEND_{number}_PORT={port}\n")), ".env.example must have BACKEND_{number}_PORT={port}");
    }
}
