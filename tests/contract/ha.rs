//! `monitoring/ha`, the monitoring for more than one Prometheus, and the aliases, which only Compose records without being asked.
//! `cargo xtask ha` runs the files; these tests compare them with those of Compose.

use std::collections::BTreeSet;

use regex_lite::Regex;
use serde_json::Value;

use crate::files::{files, items, merged, root, rules, stem, text, yaml};
use crate::metrics::{Catalogue, of_dashboards, of_documents, of_rules};
use crate::promql;

fn ha(name: &str) -> Value {
    yaml(&root().join("monitoring/ha").join(name))
}

/// The names that aliases.yml records.
fn aliases() -> BTreeSet<String> {
    let file = yaml(&root().join("monitoring/prometheus/rules/aliases.yml"));
    let rules = items(&file["groups"]).flat_map(|group| items(&group["rules"]));
    rules.map(|rule| rule["record"].as_str().unwrap().to_owned()).collect()
}

/// The flags of a service, without those that differ on purpose.
fn flags(service: &Value, but: &[&str]) -> BTreeSet<String> {
    let flags = items(merged(service, "command")).map(|flag| flag.as_str().unwrap().to_owned());
    flags.filter(|flag| !but.contains(&flag.split('=').next().unwrap())).collect()
}

#[test]
fn the_servers_of_a_pair_have_the_versions_and_the_flags_of_compose() {
    let (compose, pair) = (yaml(&root().join("docker-compose.yml")), ha("compose.yml"));
    let (compose, pair) = (&compose["services"], &pair["services"]);
    for (server, but) in [
        // Exemplars belong to the profile `tracing`, whose Tempo writes to one Prometheus.
        ("prometheus", &["--config.file", "--enable-feature"][..]),
        ("alertmanager", &["--cluster.listen-address", "--cluster.peer", "--cluster.peer-timeout"][..]),
    ] {
        let second = &pair[format!("{server}-2")];
        for replica in [&pair[server], second] {
            assert_eq!(flags(replica, but), flags(&compose[server], but), "{server}");
        }
        assert_eq!(second["image"], compose[server]["image"], "{server}");
    }
    let variable = |service: &str, name: &str| pair[service]["environment"][name].as_str().unwrap().to_owned();
    assert_eq!(variable("prometheus", "CLUSTER"), variable("prometheus-2", "CLUSTER"));
    assert_ne!(variable("prometheus", "REPLICA"), variable("prometheus-2", "REPLICA"));
}

#[test]
fn a_pair_evaluates_every_rule_file_but_the_aliases() {
    let loaded: BTreeSet<String> = items(&ha("prometheus.yml")["rule_files"]).map(|path| path.as_str().unwrap().to_owned()).collect();
    let names = files("monitoring/prometheus/rules", "yml").into_iter().map(|path| stem(&path));
    let expected: BTreeSet<String> =
        names.filter(|name| name != "aliases").map(|name| format!("/etc/prometheus/rules/{name}.yml")).collect();
    assert_eq!(loaded, expected);
}

#[test]
fn nothing_is_applied_with_aliases_unless_somebody_asks() {
    let kustomization = yaml(&root().join("deploy/kubernetes/monitoring/kustomization.yaml"));
    assert!(items(&kustomization["resources"]).all(|resource| resource != "generated/aliases.yaml"));
    assert!(text("deploy/ecs/images/Dockerfile").contains("ARG ALIASES=off\n"));
}

#[test]
fn stores_drop_the_aliases_and_nothing_else() {
    let aliases = aliases();
    assert!(aliases.len() > 40, "only {} aliases were found", aliases.len());
    let recorded = rules().into_iter().filter_map(|rule| rule["record"].as_str().map(str::to_owned)).filter(|name| !aliases.contains(name));
    let others: Vec<String> = Catalogue::read().0.iter().map(|row| row.name.to_owned()).chain(recorded).collect();
    for file in ["remote-write.yml", "mimir.remote-write.yml", "prometheus.yml"] {
        let file = ha(file);
        let rules = items(&file["remote_write"][0]["write_relabel_configs"]);
        let dropped = rules.filter(|rule| rule["action"] == "drop").map(|rule| rule["regex"].as_str().unwrap());
        let [pattern] = dropped.collect::<Vec<_>>()[..] else { panic!("one rule must drop series") };
        let pattern = Regex::new(&format!("^(?:{pattern})$")).unwrap();
        assert!(aliases.iter().all(|name| pattern.is_match(name)), "an alias is not dropped");
        assert_eq!(others.iter().find(|name| pattern.is_match(name)), None);
    }
}

#[test]
fn the_prometheus_above_takes_recorded_series_and_no_alias() {
    let selector = ha("above.yml")["scrape_configs"][0]["params"]["match[]"][0].as_str().unwrap().to_owned();
    let pattern = selector.strip_prefix("{__name__=~\"").and_then(|rest| rest.strip_suffix("\"}")).unwrap();
    let pattern = Regex::new(&format!("^(?:{pattern})$")).unwrap();
    let (aliases, recorded) = (aliases(), rules().into_iter().filter_map(|rule| rule["record"].as_str().map(str::to_owned)));
    for name in recorded {
        assert_eq!(pattern.is_match(&name), !aliases.contains(&name), "{name}");
    }
}

#[test]
fn no_dashboard_rule_or_document_queries_an_alias() {
    let aliases = aliases();
    let queries: Vec<(String, String)> = of_dashboards().into_iter().chain(of_rules()).chain(of_documents()).collect();
    let of_aliases = |(place, query): &&(String, String)| {
        // The documents' rows on aliases name them without querying them.
        let is_row = place == "METRICS.md" && aliases.iter().any(|name| name.starts_with(query.as_str()));
        !is_row && promql::read(query).selectors.iter().any(|selector| aliases.contains(&selector.metric))
    };
    assert_eq!(queries.iter().find(of_aliases), None);
    assert!(of_aliases(&&("a.json".to_owned(), "rate(vibebox_http_requests_total[5m])".to_owned())), "the test must find an alias");
}
